#!/usr/bin/env python3
"""try_openai.py URL - the official `openai` client over its main calls against isobit serve.

Run by hand: pip install openai; isobit serve; python3 try_openai.py http://127.0.0.1:8080
Prints the client's version; exits 0 when everything is as it must be.
"""
import json
import sys
import threading

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
MODEL = client.models.list().data[0].id
HELLO = [{"role": "user", "content": "Hello there"}]
CHAT = {"model": MODEL, "messages": HELLO, "max_completion_tokens": 24, "seed": 3}
ASK = {"model": MODEL, "input": "Hello there", "max_output_tokens": 24, "extra_body": {"seed": 3}}
SCHEMA = {"type": "object", "properties": {"side": {"enum": ["left", "right"]}}, "required": ["side"],
          "additionalProperties": False}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"],
              "additionalProperties": False}


def models():
    assert client.models.retrieve(MODEL).id == MODEL


def chat():
    r = client.chat.completions.create(**CHAT)
    text = r.choices[0].message.content
    assert r._request_id and r.usage.completion_tokens <= 24 and r.choices[0].finish_reason in ("stop", "length")
    chunks = list(client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].usage.completion_tokens == r.usage.completion_tokens
    shown = client.chat.completions.create(**CHAT, logprobs=True, top_logprobs=2, n=2)
    assert len(shown.choices) == 2 and len(shown.choices[0].logprobs.content[0].top_logprobs) == 2
    shaped = client.chat.completions.create(**dict(CHAT, max_completion_tokens=100), response_format={
        "type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}})
    assert json.loads(shaped.choices[0].message.content)["side"] in ("left", "right")


def completions():
    r = client.completions.create(model=MODEL, prompt="Once", max_tokens=8, seed=1)
    chunks = client.completions.create(model=MODEL, prompt="Once", max_tokens=8, seed=1, stream=True)
    assert "".join(c.choices[0].text for c in chunks if c.choices) == r.choices[0].text


def chat_tools():
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
    more = dict(CHAT, max_completion_tokens=100, tools=tools, tool_choice="required")
    r = client.chat.completions.create(**more)
    call = r.choices[0].message.tool_calls[0]
    assert r.choices[0].finish_reason == "tool_calls" and "city" in json.loads(call.function.arguments), r
    with client.chat.completions.stream(**more) as s:
        final = s.get_final_completion()
    assert "city" in json.loads(final.choices[0].message.tool_calls[0].function.arguments), final
    answer = client.chat.completions.create(**dict(CHAT, tools=tools, messages=HELLO + [
        r.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}]))
    assert answer.choices


def responses():
    r = client.responses.create(**ASK)
    assert r.id.startswith("resp_") and r.object == "response" and r.output_text
    assert r.status == ("completed" if r.incomplete_details is None else "incomplete")
    assert r.usage.total_tokens == r.usage.input_tokens + r.usage.output_tokens
    chat = client.chat.completions.create(**CHAT)
    assert chat.choices[0].message.content == r.output_text, "the same seed gives the same text"
    other = client.responses.create(**dict(ASK, instructions="Be brief.", temperature=0.5, top_p=0.9, input=[
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}], metadata={"a": "b"}, store=False))
    assert other.metadata == {"a": "b"} and other.instructions == "Be brief." and other.store is False
    shown = client.responses.create(**ASK, include=["message.output_text.logprobs"], top_logprobs=2)
    assert len(shown.output[0].content[0].logprobs[0].top_logprobs) == 2
    assert client.responses.input_tokens.count(model=MODEL, input="Hello there").input_tokens == r.usage.input_tokens


def responses_stream():
    whole = client.responses.create(**ASK)
    kinds, text = [], ""
    for i, e in enumerate(client.responses.create(**ASK, stream=True)):
        assert e.sequence_number == i
        kinds.append(e.type)
        if e.type == "response.output_text.delta":
            text += e.delta
    assert text == whole.output_text and e.response.output_text == text, (text, whole.output_text)
    fixed = [k for k in kinds if k != "response.output_text.delta"]
    assert fixed == ["response.created", "response.in_progress", "response.output_item.added",
                     "response.content_part.added", "response.output_text.done", "response.content_part.done",
                     "response.output_item.done", "response." + whole.status], fixed
    with client.responses.stream(**ASK) as s:
        final = s.get_final_response() if whole.status == "completed" else [e for e in s][-1].response
    assert final.output_text == text


def responses_shapes():
    r = client.responses.create(**dict(ASK, max_output_tokens=100), text={"format": {
        "type": "json_schema", "name": "s", "schema": SCHEMA, "strict": True}})
    assert json.loads(r.output_text)["side"] in ("left", "right")


def responses_kept():
    first = client.responses.create(**ASK)
    second = client.responses.create(**dict(ASK, input="And you?"), previous_response_id=first.id)
    assert second.previous_response_id == first.id
    by_hand = client.responses.create(**dict(ASK, store=False, input=[
        {"role": "user", "content": "Hello there"}, *[o.model_dump() for o in first.output],
        {"role": "user", "content": "And you?"}]))
    assert by_hand.output_text == second.output_text
    assert by_hand.usage.input_tokens == second.usage.input_tokens > first.usage.input_tokens
    streamed = list(client.responses.create(**dict(ASK, input="Why?"), previous_response_id=second.id, stream=True))
    third = streamed[-1].response
    assert client.responses.retrieve(third.id).output_text == third.output_text
    assert client.responses.retrieve(first.id).model_dump() == first.model_dump()
    items = client.responses.input_items.list(second.id).data
    assert [i.content[0].text for i in items] == ["And you?"], items
    # Forgetting an answer does not cut the conversations that went on from it.
    client.responses.delete(second.id)
    refused(openai.NotFoundError, second.id, None, lambda: client.responses.retrieve(second.id))
    client.responses.create(**ASK, previous_response_id=third.id)
    refused(openai.BadRequestError, second.id, "previous_response_id",
            lambda: client.responses.create(**ASK, previous_response_id=second.id))
    unkept = client.responses.create(**ASK, store=False)
    refused(openai.NotFoundError, unkept.id, None, lambda: client.responses.retrieve(unkept.id))


def responses_tools():
    tools = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": True}]
    more = dict(ASK, max_output_tokens=100, tools=tools, tool_choice="required")
    r = client.responses.create(**more)
    call = r.output[-1]
    assert call.type == "function_call" and "city" in json.loads(call.arguments), r.output
    events = list(client.responses.create(**more, stream=True))
    done = next(e for e in events if e.type == "response.function_call_arguments.done")
    assert "city" in json.loads(done.arguments)
    answer = client.responses.create(**dict(ASK, tools=tools, input=[
        {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny."}]), previous_response_id=r.id)
    assert answer.status in ("completed", "incomplete")


def refused(error, words, param, call):
    try:
        call()
    except error as e:
        assert words in e.message and e.param == param, (e.message, e.param)
        return
    raise AssertionError("no " + error.__name__)


def errors():
    def ask(**more):
        return lambda: client.responses.create(**dict(ASK, **more))
    refused(openai.NotFoundError, "nobody", "model", ask(model="nobody"))
    refused(openai.BadRequestError, "temperature", "temperature", ask(temperature=-1))
    refused(openai.BadRequestError, "truncation", "truncation", ask(truncation="auto"))
    refused(openai.BadRequestError, "input_image", "input[0].content[0]", ask(input=[
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}]))
    refused(openai.BadRequestError, "web_search", "tools[0]", ask(tools=[{"type": "web_search"}]))
    refused(openai.BadRequestError, "tokens", "input", ask(input="a b " * 100000))
    refused(openai.BadRequestError, "tokens", "messages", lambda: client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "a b " * 100000}]))


def leave():
    """Others' answers do not change while somebody leaves again and again."""
    long = dict(ASK, max_output_tokens=200)
    alone = client.responses.create(**long).output_text

    def leaver():
        for _ in range(5):
            with client.responses.create(**long, stream=True) as s:
                next(iter(s))
            with client.chat.completions.create(**dict(CHAT, max_completion_tokens=200), stream=True) as s:
                next(iter(s))
    threads = [threading.Thread(target=leaver) for _ in range(3)]
    for t in threads:
        t.start()
    assert client.responses.create(**long).output_text == alone
    for t in threads:
        t.join()


def embeddings():
    r = client.embeddings.create(model=MODEL, input=["one", "two"])
    assert len(r.data) == 2 and len(r.data[0].embedding) > 0


def receipts():
    """With isobit serve --receipts: whole answers have them as extra fields, streams in a last chunk or event."""
    more = {"extra_body": {"seed": 3, "receipt": True}}
    raw = client.chat.completions.with_raw_response.create(**CHAT, extra_body={"receipt": True})
    r = raw.parse()
    [one] = r.model_extra["receipts"]
    assert one["id"] == raw.headers["x-receipt-id"] and one["receipt"]["kind"] == "receipt"
    text = client.chat.completions.create(**CHAT).choices[0].message.content
    assert r.choices[0].message.content == text
    chunks = list(client.chat.completions.create(**CHAT, stream=True, extra_body={"receipt": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text
    assert chunks[-1].choices == [] and chunks[-1].model_extra["receipts"][0]["receipt"]["kind"] == "receipt"
    with client.chat.completions.stream(**CHAT, extra_body={"receipt": True}) as s:
        assert s.get_final_completion().choices[0].message.content == text
    chunks = list(client.completions.create(model=MODEL, prompt="Once", max_tokens=8, stream=True, **more))
    assert chunks[-1].model_extra["receipts"]
    ask = dict(ASK, **more)
    assert client.responses.create(**ask).model_extra["receipts"]
    events = list(client.responses.create(**ask, stream=True))
    assert events[-1].type in ("response.completed", "response.incomplete") and events[-1].model_extra["receipts"]
    with client.responses.stream(**ask) as s:
        for _ in s:
            pass
        assert s.get_final_response().output_text == client.responses.create(**ASK).output_text


print("openai", openai.__version__)
wanted = sys.argv[2:] or ["models", "chat", "completions", "responses", "responses_stream", "responses_shapes",
                          "responses_kept", "errors", "leave", "chat_tools", "responses_tools", "embeddings"]
if not sys.argv[2:]:
    try:
        client.get("/receipts/log", cast_to=object)
        wanted.append("receipts")
    except openai.NotFoundError:
        print("NOT TRIED receipts: this server gives none")
for name in wanted:
    globals()[name]()
    print("ok", name)
