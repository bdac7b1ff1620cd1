#!/usr/bin/env python3
"""dialects_client.py PORT WHAT [...] - plays clients of /v1/messages and /v1/responses; exits 0 when all is as it
must be."""
import json
import os
import signal
import socket
import sys

from http_client import call, port, user, wait_ready

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
CHAT = {"messages": user("Hello there"), "max_tokens": 24, "seed": 7}
ASK = {"input": "Hello there", "max_output_tokens": 24, "seed": 7}


def events(path, body):
    """The events of a stream: each has its type twice."""
    status, text, headers = call(path, dict(body, stream=True))
    assert status == 200 and headers["Content-Type"] == "text/event-stream", (status, text)
    found = []
    for event in text.decode().removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == "event: " + found[-1]["type"], event
    return found


def refused(status, words, path, body, **more):
    got, answer, headers = call(path, body, **more)
    assert got == status and words in answer["error"]["message"], (got, answer)
    return answer, headers


def messages():
    wanted = call("/v1/chat/completions", CHAT)[1]["choices"][0]["message"]["content"]
    status, one, headers = call(MESSAGES, dict(CHAT, colour=1), {"anthropic-version": "2023-06-01"})
    assert status == 200 and one["content"] == [{"type": "text", "text": wanted}], (one, wanted)
    assert headers["request-id"] == headers["x-request-id"] and headers["x-unknown-fields"] == "colour"
    n = one["usage"]["input_tokens"] + one["usage"]["cache_read_input_tokens"]
    assert call(MESSAGES + "/count_tokens", {"messages": CHAT["messages"]})[1] == {"input_tokens": n}
    found = events(MESSAGES, CHAT)
    assert [e["type"] for e in found[:3]] == ["message_start", "ping", "content_block_start"]
    assert [e["type"] for e in found[-3:]] == ["content_block_stop", "message_delta", "message_stop"]
    assert "".join(e["delta"]["text"] for e in found[3:-3]) == wanted
    assert found[-2]["delta"]["stop_reason"] == one["stop_reason"]
    assert found[-2]["usage"]["output_tokens"] == one["usage"]["output_tokens"]
    word = next(c for c in wanted if c.isalnum())
    cut = call(MESSAGES, dict(CHAT, stop_sequences=[word]))[1]
    assert (cut["stop_reason"], cut["stop_sequence"]) == ("stop_sequence", word)
    # Words of the assistant are continued: with its first words given, the rest is what it had said.
    greedy = dict(CHAT, temperature=0)
    all_of_it = call(MESSAGES, greedy)[1]["content"][0]["text"]
    rest = call(MESSAGES, dict(greedy, messages=CHAT["messages"] + [
        {"role": "assistant", "content": all_of_it[:4]}]))[1]
    assert rest["usage"]["input_tokens"] + rest["usage"]["cache_read_input_tokens"] > n
    # Errors below /v1/messages are Anthropic's, with the request's id.
    for status, words, path, body, kind in (
            (400, "max_tokens", MESSAGES, {"messages": user("a")}, "invalid_request_error"),
            (400, "image", MESSAGES, dict(CHAT, messages=[{"role": "user", "content": [{"type": "image"}]}]),
             "invalid_request_error"),
            (400, "4096", MESSAGES, dict(CHAT, messages=user("a" * 9000)), "invalid_request_error"),
            (404, "talker", MESSAGES, dict(CHAT, model="other"), "not_found_error"),
            (404, "no such endpoint", MESSAGES + "/nothing", {}, "not_found_error"),
            (405, "takes POST", MESSAGES, None, "invalid_request_error")):
        answer, headers = refused(status, words, path, body)
        assert answer["type"] == "error" and answer["error"]["type"] == kind, answer
        assert answer["request_id"] == headers["request-id"], answer


def responses():
    wanted = call("/v1/chat/completions", CHAT)[1]["choices"][0]["message"]["content"]
    status, one, headers = call(RESPONSES, dict(ASK, metadata={"a": "b"}))
    assert status == 200 and one["output"][0]["content"][0]["text"] == wanted, one
    assert one["metadata"] == {"a": "b"} and one["store"] is True and one["id"].startswith("resp_")
    count = call(RESPONSES + "/input_tokens", {"input": "Hello there"})[1]
    assert count == {"object": "response.input_tokens", "input_tokens": one["usage"]["input_tokens"]}, count
    found = events(RESPONSES, ASK)
    assert [e["sequence_number"] for e in found] == list(range(len(found)))
    deltas = [e for e in found if e["type"] == "response.output_text.delta"]
    assert "".join(e["delta"] for e in deltas) == wanted
    assert [e["type"].removeprefix("response.") for e in found if e not in deltas] == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.done", "content_part.done",
        "output_item.done", one["status"]]
    assert found[-1]["response"]["output"][0]["content"] == one["output"][0]["content"]
    # Kept: what a stream said, too; what was not to be kept is not.
    for kept in (one, found[-1]["response"]):
        assert call(f"{RESPONSES}/{kept['id']}")[1] == kept
        second = call(RESPONSES, dict(ASK, input="And you?", previous_response_id=kept["id"]))[1]
        by_hand = call(RESPONSES, dict(ASK, store=False, input=[{"role": "user", "content": "Hello there"}] +
                                       kept["output"] + [{"role": "user", "content": "And you?"}]))[1]
        assert second["output"][0]["content"] == by_hand["output"][0]["content"]
        assert second["previous_response_id"] == kept["id"]
        assert refused(404, by_hand["id"], f"{RESPONSES}/{by_hand['id']}", None)
    third = call(RESPONSES, dict(ASK, input="Why?", previous_response_id=second["id"]))[1]
    counted = call(RESPONSES + "/input_tokens", {"input": "Why?", "previous_response_id": second["id"]})[1]
    assert counted["input_tokens"] == third["usage"]["input_tokens"] > second["usage"]["input_tokens"]
    items = call(f"{RESPONSES}/{third['id']}/input_items")[1]
    assert [i["content"] for i in items["data"]] == [[{"type": "input_text", "text": "Why?"}]] and not items["has_more"]
    assert items["first_id"] == items["last_id"] == items["data"][0]["id"]
    many = call(RESPONSES, dict(ASK, max_output_tokens=1, input=[user(c)[0] for c in "abc"]))[1]
    path, texts = f"{RESPONSES}/{many['id']}/input_items", []
    page = call(path + "?limit=2&order=asc")[1]
    assert page["has_more"], page
    for item in page["data"] + call(f"{path}?order=asc&after={page['last_id']}")[1]["data"]:
        texts.append(item["content"][0]["text"])
    assert texts == list("abc"), texts
    # Forgotten, but not by what went on from it.
    gone = call(f"{RESPONSES}/{second['id']}", method="DELETE")[1]
    assert gone == {"id": second["id"], "object": "response", "deleted": True}
    refused(404, second["id"], f"{RESPONSES}/{second['id']}", None)
    refused(400, second["id"], RESPONSES, dict(ASK, previous_response_id=second["id"]))
    fourth = call(RESPONSES, dict(ASK, previous_response_id=third["id"]))[1]
    assert fourth["usage"]["input_tokens"] > third["usage"]["input_tokens"]
    for field, words, more in (("truncation", "disabled", {"truncation": "auto"}), ("tools[0]", "web_search",
                               {"tools": [{"type": "web_search"}]}), ("input", "4096", {"input": "a" * 9000}),
                               ("previous_response_id", "text", {"previous_response_id": 7})):
        answer, _ = refused(400, words, RESPONSES, dict(ASK, **more))
        assert answer["error"]["param"] == field, answer


def crash(worker):
    """A stream that breaks off ends with its API's own error event."""
    streams = []
    long = {"type": "json_schema", "name": "long", "schema": {"type": "string", "minLength": 3000}}
    for path, body in ((MESSAGES, {"messages": user("Hello"), "max_tokens": 4000, "output_config": {"format": long}}),
                       (RESPONSES, {"input": "Hello", "max_output_tokens": 4000, "text": {"format": long}})):
        text = json.dumps(dict(body, stream=True, seed=1)).encode()
        s = socket.create_connection(("127.0.0.1", port), timeout=60)
        s.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                  b"Content-Length: " + str(len(text)).encode() + b"\r\n\r\n" + text)
        streams.append([s, s.recv(65536)])
    os.kill(int(worker), signal.SIGSEGV)
    for s, got in streams:
        while b"0\r\n\r\n" not in got:
            piece = s.recv(65536)
            assert piece, got
            got += piece
        last = got.split(b"event: ")[-1].decode().split("\n")
        assert last[0] == "error" and json.loads(last[1].removeprefix("data: "))["type"] == "error", last
    wait_ready()


def owners(mine, yours):
    """What one key has kept no other can see; Anthropic's clients send their key as x-api-key."""
    me, you = {"Authorization": "Bearer " + mine}, {"x-api-key": yours}
    kept = call(RESPONSES, ASK, me)[1]["id"]
    assert call(f"{RESPONSES}/{kept}", headers=me)[0] == 200
    assert call(f"{RESPONSES}/{kept}", headers=you)[0] == 404
    assert call(f"{RESPONSES}/{kept}", headers=you, method="DELETE")[0] == 404
    assert call(RESPONSES, dict(ASK, previous_response_id=kept), you)[0] == 400
    assert call(RESPONSES, dict(ASK, previous_response_id=kept), me)[0] == 200
    assert call(MESSAGES, CHAT, you)[0] == 200
    status, answer, headers = call(MESSAGES, CHAT, {"x-api-key": "wrong"})
    assert status == 401 and answer["error"]["type"] == "authentication_error", answer
    assert answer["request_id"] == headers["request-id"]


if __name__ == "__main__":
    {"messages": messages, "responses": responses, "crash": crash, "owners": owners}[sys.argv[2]](*sys.argv[3:])
