#!/usr/bin/env python3
"""http_client.py PORT WHAT [...] - plays clients of isobit serve; exits 0 when all is as it must be."""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

port = int(sys.argv[1])
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"


def call(path, body=None, headers=None, method=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    all_headers = {"Content-Type": "application/json"} if body is not None else {}
    all_headers.update(headers or {})
    c.request(method or ("GET" if body is None else "POST"), path, body, all_headers)
    r = c.getresponse()
    text = r.read()
    c.close()
    is_json = r.headers.get("Content-Type", "").startswith("application/json")
    return r.status, (json.loads(text) if is_json else text), r.headers


def stream(path, body):
    """The events of a stream, the last of which must be [DONE]."""
    status, text, headers = call(path, dict(body, stream=True))
    assert status == 200, (status, text)
    assert headers["Content-Type"] == "text/event-stream"
    events = [e for e in text.decode().split("\n\n") if e]
    assert events[-1] == "data: [DONE]", events[-1]
    return [json.loads(e.removeprefix("data: ")) for e in events[:-1]]


def user(text):
    return [{"role": "user", "content": text}]


def ready():
    assert call("/health")[0] == 200


def answers(isobit, model):
    ask = {"messages": user("Hello there"), "max_tokens": 40, "seed": 7, "temperature": 0.8, "top_k": 40,
           "top_p": 0.95, "min_p": 0.05}
    run = subprocess.run([isobit, "run", "-m", model, "-p", "Hello there", "-n", "40", "-s", "7", "--json"],
                         capture_output=True, check=True)
    wanted = json.loads(run.stdout)["text"]
    status, one, headers = call(CHAT, ask)
    assert status == 200 and headers["x-request-id"]
    assert one["choices"][0]["message"]["content"] == wanted, (one, wanted)
    assert one["usage"]["prompt_tokens"] == 14
    # Together with others, in pieces, with its logprobs: the same text.
    others = [threading.Thread(target=call, args=(CHAT, dict(ask, seed=i))) for i in range(6)]
    for t in others:
        t.start()
    events = stream(CHAT, dict(ask, stream_options={"include_usage": True}))
    for t in others:
        t.join()
    deltas = [e["choices"][0]["delta"] for e in events if e["choices"]]
    assert deltas[0]["role"] == "assistant"
    assert "".join(d.get("content", "") for d in deltas) == wanted
    assert events[-1]["usage"]["completion_tokens"] == one["usage"]["completion_tokens"]
    assert events[-2]["choices"][0]["finish_reason"] == one["choices"][0]["finish_reason"]
    status, shown, _ = call(CHAT, dict(ask, logprobs=True, top_logprobs=3, return_token_ids=True))
    choice = shown["choices"][0]
    content = choice["logprobs"]["content"]
    assert len(content) == len(choice["token_ids"]) and len(content[0]["top_logprobs"]) == 3
    text = b"".join(bytes(t["bytes"]) for t in content)
    assert text.decode(errors="replace").strip() == wanted.strip(), (text, wanted)
    assert all(t["logprob"] <= 0 for t in content)
    # n answers: the first is the one alone.
    status, many, _ = call(CHAT, dict(ask, n=3))
    texts = [c["message"]["content"] for c in many["choices"]]
    assert texts[0] == wanted and len(set(texts)) > 1
    # Prompts that were read are remembered, but for another salt.
    cached = [call(CHAT, dict(ask, **more))[1]["usage"]["prompt_tokens_details"]["cached_tokens"]
              for more in ({}, {"cache_salt": "x"}, {"cache_salt": "x"}, {"cache_salt": "y"})]
    assert cached[0] > 0 and cached[1] == 0 and cached[2] == cached[0] and cached[3] == 0, cached
    # Text completions: text, ids and several; stop strings.
    status, text, _ = call(TEXT, {"prompt": "Hello", "max_tokens": 12, "seed": 1})
    assert status == 200 and text["object"] == "text_completion"
    status, pair, _ = call(TEXT, {"prompt": ["Hello", [257, 72]], "max_tokens": 4, "seed": 1, "n": 2})
    assert [c["index"] for c in pair["choices"]] == [0, 1, 2, 3]
    word = next(c for c in wanted if c.isalnum())
    status, cut, _ = call(CHAT, dict(ask, stop=[word]))
    assert cut["choices"][0]["message"]["content"] == wanted[:wanted.index(word)]
    assert cut["choices"][0]["finish_reason"] == "stop"
    # An answer has the shape that was asked for.
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 99},
                                               "s": {"enum": ["a", "b"]}},
              "required": ["n", "s"], "additionalProperties": False}
    shaped = dict(ask, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}, n=2)
    for choice in call(CHAT, shaped)[1]["choices"]:
        value = json.loads(choice["message"]["content"])
        assert 1 <= value["n"] <= 99 and value["s"] in "ab" and list(value) == ["n", "s"], value
    pieces = stream(CHAT, dict(ask, guided_choice=["left", "right"]))
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in pieces) in ("left", "right")
    assert pieces[-1]["choices"][0]["finish_reason"] == "stop"
    status, models, _ = call("/v1/models")
    assert [m["id"] for m in models["data"]] == ["talker"]
    assert call("/v1/models/talker")[1]["meta"]["arithmetic"] == "exact-1"
    status, answer, headers = call(CHAT, dict(ask, max_tokens=1, colour="blue"), {"x-request-id": "mine"})
    assert headers["x-unknown-fields"] == "colour" and headers["x-request-id"] == "mine"


def errors():
    def refused(status, field, words, path=CHAT, body=None, **more):
        got, answer, _ = call(path, body, **more)
        assert got == status, (got, status, answer)
        error = answer["error"]
        assert error["param"] == field, (error, field)
        assert words in error["message"], error

    hello = {"messages": user("Hello")}
    refused(400, None, "not JSON", body="{")
    refused(400, None, "nested", body="[" * 100)
    refused(400, None, "must be a JSON object", body="[]")
    refused(400, "messages", "at least one", body={})
    refused(400, "messages[0]", "role", body={"messages": [{"content": "x"}]})
    refused(400, "messages[0].content[0]", "image_url",
            body={"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]})
    refused(400, "temperature", "from 0 to 100", body=dict(hello, temperature=-1))
    refused(400, "temperature", "must be a number", body=dict(hello, temperature="hot"))
    refused(400, "max_tokens", "at least 1", body=dict(hello, max_tokens=0))
    refused(400, "n", "1 to 128", body=dict(hello, n=0))
    refused(400, "stop", "at most 16", body=dict(hello, stop=["a"] * 17))
    refused(400, "logit_bias", "no token id", body=dict(hello, logit_bias={"x": 1}))
    refused(400, "top_logprobs", "logprobs", body=dict(hello, top_logprobs=2))
    refused(400, "audio", "text", body=dict(hello, audio={"voice": "x"}))
    refused(400, "response_format.type", "json_schema", body=dict(hello, response_format={"type": "xml"}))
    refused(400, "schema", "$ref", body=dict(hello, guided_json={"$ref": "http://example.org/x"}))
    refused(400, "regex", "", body=dict(hello, guided_regex="(a)\\1"))
    refused(400, "messages", "4096", body={"messages": user("a" * 9000)})
    refused(404, "model", "talker", body=dict(hello, model="other"))
    refused(404, None, "no such endpoint", path="/v2/nothing")
    refused(405, None, "takes POST", path=CHAT)
    refused(415, None, "application/json", body="{}", headers={"Content-Type": "text/plain"})
    refused(403, None, "evil.example", body=hello, headers={"Origin": "http://evil.example"})
    refused(403, None, "evil.example", body=hello, headers={"Host": "evil.example"})
    assert call(CHAT, dict(hello, max_tokens=1), {"Origin": f"http://127.0.0.1:{port}"})[0] == 200


def open_stream(body):
    """A raw connection that has received the beginning of its stream."""
    s = socket.create_connection(("127.0.0.1", port), timeout=60)
    text = json.dumps(dict(body, stream=True)).encode()
    s.sendall(b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
              b"Content-Length: " + str(len(text)).encode() + b"\r\n\r\n" + text)
    got = b""
    while b"data: " not in got:
        piece = s.recv(65536)
        assert piece, got
        got += piece
    return s, got


LONG = {"messages": user("Hello"), "max_tokens": 4000, "ignore_eos": True, "temperature": 0.8, "seed": 1}


def leaving():
    """Many leave in mid-answer, by closing or by ending their side; others' answers do not change."""
    status, alone, _ = call(CHAT, LONG)
    for i in range(20):
        s, _ = open_stream(LONG)
        if i % 2:
            s.shutdown(socket.SHUT_WR)
        s.close()
    status, after, _ = call(CHAT, LONG)
    assert after["choices"][0]["message"] == alone["choices"][0]["message"]


def wait_ready():
    for _ in range(200):
        if call("/health")[0] == 200:
            return
        time.sleep(0.1)
    raise AssertionError("the model did not come back")


def crash(worker):
    s, got = open_stream(LONG)
    os.kill(int(worker), signal.SIGSEGV)
    while True:
        piece = s.recv(65536)
        got += piece
        if b"0\r\n\r\n" in got or not piece:
            break
    assert b'"error"' in got and b"[DONE]" not in got, got[-500:]
    assert call(CHAT, LONG)[0] == 503
    wait_ready()
    assert call(CHAT, LONG)[0] == 200


def drain(server):
    s, got = open_stream(LONG)
    os.kill(int(server), signal.SIGTERM)
    while b"[DONE]" not in got:
        piece = s.recv(65536)
        assert piece, "the stream was cut"
        got += piece


if __name__ == "__main__":
    {"ready": ready, "answers": answers, "errors": errors, "leaving": leaving, "crash": crash, "drain": drain}[
        sys.argv[2]](*sys.argv[3:])
