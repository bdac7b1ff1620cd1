#!/usr/bin/env python3
"""try_anthropic.py URL - the official `anthropic` client over its main calls against isobit serve.

Run by hand: pip install anthropic; isobit serve; python3 try_anthropic.py http://127.0.0.1:8080
Prints the client's version; exits 0 when everything is as it must be.
"""
import sys
import threading

import anthropic

url = sys.argv[1]
client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
HELLO = [{"role": "user", "content": "Hello there"}]
ASK = {"model": client.models.list().data[0].id, "max_tokens": 24, "messages": HELLO, "extra_body": {"seed": 3}}
TOOL = {"name": "get_weather", "description": "The weather", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"]}}


def create():
    m = client.messages.create(**ASK)
    assert m.type == "message" and m.role == "assistant" and m.id.startswith("msg_")
    assert m.content[0].type == "text" and m.stop_reason in ("end_turn", "max_tokens")
    assert m.usage.input_tokens + m.usage.cache_read_input_tokens > 0 and 0 < m.usage.output_tokens <= 24
    assert m._request_id
    again = client.messages.create(**ASK)
    assert again.content[0].text == m.content[0].text
    assert again.usage.cache_read_input_tokens >= 0
    total = lambda u: u.input_tokens + u.cache_read_input_tokens
    assert total(m.usage) == total(again.usage)
    # Blocks, a system prompt, several turns.
    blocks = client.messages.create(**dict(ASK, messages=[
        {"role": "user", "content": [{"type": "text", "text": "Hello there", "cache_control": {"type": "ephemeral"}}]}]))
    assert blocks.content[0].text == m.content[0].text
    other = client.messages.create(**dict(ASK, system=[{"type": "text", "text": "Be brief."}], messages=HELLO + [
        {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}, {"role": "user", "content": "And you?"}],
        extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 40}, metadata={"user_id": "me"}))
    assert other.stop_reason
    return m.content[0].text


def stops(text):
    word = next(c for c in text if c.isalnum())
    m = client.messages.create(**dict(ASK, stop_sequences=[word]))
    assert m.stop_reason == "stop_sequence" and m.stop_sequence == word
    assert "".join(b.text for b in m.content) == text[:text.index(word)]


def stream(text):
    with client.messages.stream(**ASK) as s:
        got = "".join(s.text_stream)
        final = s.get_final_message()
    assert got == text, (got, text)
    assert final.content[0].text == text and final.stop_reason and final.usage.output_tokens > 0
    kinds = [e.type for e in client.messages.create(**ASK, stream=True)]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds
    assert "content_block_start" in kinds and "content_block_delta" in kinds and "content_block_stop" in kinds


def prefill():
    m = client.messages.create(**dict(ASK, messages=HELLO + [{"role": "assistant", "content": "Well,"}]))
    assert m.stop_reason


def schema():
    m = client.messages.create(**dict(ASK, max_tokens=60, extra_body={"seed": 3, "output_config": {"format": {
        "type": "json_schema", "schema": {"enum": ["left", "right"]}}}}))
    assert m.content[0].text in ('"left"', '"right"'), m.content


def tools():
    m = client.messages.create(**dict(ASK, max_tokens=100, tools=[TOOL], tool_choice={"type": "tool", "name": "get_weather"}))
    call = m.content[-1]
    assert m.stop_reason == "tool_use" and call.type == "tool_use" and call.name == "get_weather", m
    assert isinstance(call.input["city"], str)
    with client.messages.stream(**dict(ASK, max_tokens=100, tools=[TOOL], tool_choice={"type": "any"})) as s:
        final = s.get_final_message()
    assert final.stop_reason == "tool_use" and isinstance(final.content[-1].input["city"], str), final
    answer = client.messages.create(**dict(ASK, tools=[TOOL], messages=HELLO + [
        {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in m.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Sunny."}]}]))
    assert answer.stop_reason


def models():
    m = client.models.retrieve(ASK["model"])
    assert m.type == "model" and m.display_name == m.id and m.created_at.year > 2000


def agent():
    """What coding agents send: system turns, caching, thinking, what to clear."""
    m = client.beta.messages.create(
        model=ASK["model"], max_tokens=24, betas=["context-management-2025-06-27"],
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=HELLO + [{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "And you?"}],
        thinking={"type": "adaptive"}, tools=[dict(TOOL, cache_control={"type": "ephemeral"})],
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        output_config={"effort": "medium"}, metadata={"user_id": "me"})
    assert m.stop_reason


def count():
    few = client.messages.count_tokens(model=ASK["model"], messages=HELLO).input_tokens
    many = client.messages.count_tokens(model=ASK["model"], messages=HELLO, system="Be brief.").input_tokens
    assert 0 < few < many
    u = client.messages.create(**ASK).usage
    assert u.input_tokens + u.cache_read_input_tokens == few


def refused(error, words, **more):
    try:
        client.messages.create(**dict(ASK, **more))
    except error as e:
        assert words in e.body["error"]["message"], e.body
        assert e.body["type"] == "error" and e.body["request_id"] == e.request_id, (e.body, e.request_id)
        return e.body["error"]["type"]
    raise AssertionError("no " + error.__name__)


def errors():
    assert refused(anthropic.NotFoundError, "nobody", model="nobody") == "not_found_error"
    assert refused(anthropic.BadRequestError, "temperature", extra_body={"temperature": -1}) == "invalid_request_error"
    assert refused(anthropic.BadRequestError, "image", messages=[{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}])
    assert refused(anthropic.BadRequestError, "max_tokens", max_tokens=0)
    assert refused(anthropic.BadRequestError, "tokens", messages=[{"role": "user", "content": "a b " * 100000}])


def leave():
    """Others' answers do not change while somebody leaves again and again."""
    long = dict(ASK, max_tokens=200)
    alone = client.messages.create(**long).content
    def leaver():
        for _ in range(5):
            with client.messages.stream(**long) as s:
                next(iter(s))
    threads = [threading.Thread(target=leaver) for _ in range(3)]
    for t in threads:
        t.start()
    assert client.messages.create(**long).content == alone
    for t in threads:
        t.join()


def receipts(text):
    """With isobit serve --receipts: a whole answer has them as an extra field, a stream in its last event."""
    ask = dict(ASK, extra_body={"seed": 3, "receipt": True})
    raw = client.messages.with_raw_response.create(**ask)
    m = raw.parse()
    [one] = m.model_extra["receipts"]
    assert one["id"] == raw.headers["x-receipt-id"] and m.content[0].text == text
    events = list(client.messages.create(**ask, stream=True))
    assert events[-1].type == "message_stop" and events[-1].model_extra["receipts"][0]["receipt"]["kind"] == "receipt"
    with client.messages.stream(**ask) as s:
        assert "".join(s.text_stream) == text and s.get_final_message().content[0].text == text


print("anthropic", anthropic.__version__)
text = create()
for check, arguments in ((stops, [text]), (stream, [text]), (prefill, []), (schema, []), (count, []), (models, []), (errors, []), (agent, []),
                         (leave, []), (tools, [])):
    check(*arguments)
    print("ok", check.__name__)
try:
    client.get("/v1/receipts/log", cast_to=object)
except anthropic.NotFoundError:
    print("NOT TRIED receipts: this server gives none")
else:
    receipts(text)
    print("ok receipts")
