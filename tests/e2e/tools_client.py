#!/usr/bin/env python3
"""tools_client.py PORT explains|template - calls of tools over the OpenAI API; exits 0 when all is as it must be."""
import http.client
import json
import sys

port, what = int(sys.argv[1]), sys.argv[2]
CHAT = "/v1/chat/completions"
WEATHER = {"type": "function", "function": {"name": "weather", "strict": True, "parameters": {
    "type": "object", "required": ["city", "days"], "additionalProperties": False,
    "properties": {"city": {"type": "string", "enum": ["Bern", "Rome"]},
                   "days": {"type": "integer", "minimum": 1, "maximum": 9}}}}}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "the time"}}
ASK = {"messages": [{"role": "user", "content": "What is it like in Bern?"}], "tools": [WEATHER, CLOCK], "seed": 5,
       "max_tokens": 600, "enable_thinking": False}


def call(path, body):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, text


def whole(body):
    status, text = call(CHAT, body)
    assert status == 200, text
    return json.loads(text)["choices"][0]


def streamed(body):
    """The calls that the pieces of a stream make up, and why it ended."""
    status, text = call(CHAT, dict(body, stream=True))
    assert status == 200, text
    calls, finish, content = [], None, ""
    for event in text.split("\n\n"):
        if not event.startswith("data: {"):
            continue
        choice = json.loads(event[6:])["choices"][0]
        finish = choice["finish_reason"] or finish
        content += choice["delta"].get("content") or ""
        for piece in choice["delta"].get("tool_calls", []):
            if "id" in piece:
                assert piece["index"] == len(calls) and piece["type"] == "function", piece
                calls.append({"name": piece["function"]["name"], "arguments": ""})
            calls[piece["index"]]["arguments"] += piece["function"].get("arguments", "")
    return calls, finish, content


def check(name, arguments):
    value = json.loads(arguments)
    if name == "clock":
        assert value == {}, value
    else:
        assert name == "weather" and set(value) == {"city", "days"}, (name, value)
        assert value["city"] in ("Bern", "Rome") and 1 <= value["days"] <= 9, value


def calls():
    ask = dict(ASK, tool_choice="required")
    choice = whole(ask)
    assert choice["finish_reason"] == "tool_calls", choice
    assert choice["message"]["content"] is None, choice
    made = [c["function"] for c in choice["message"]["tool_calls"]]
    assert made and all(c["id"].startswith("call_") for c in choice["message"]["tool_calls"]), choice
    for c in made:
        check(c["name"], c["arguments"])
    # In pieces it is the same.
    weather = {"type": "function", "function": {"name": "weather"}}
    for choose in ("required", weather):
        made = [c["function"] for c in whole(dict(ask, tool_choice=choose))["message"]["tool_calls"]]
        pieces, finish, content = streamed(dict(ask, tool_choice=choose))
        assert pieces == made, (pieces, made)
        assert finish == "tool_calls" and content == ""
    # One tool by name, and one call alone.
    for seed in range(3):
        named = dict(ask, seed=seed, parallel_tool_calls=False, tool_choice=weather)
        made = whole(named)["message"]["tool_calls"]
        assert len(made) == 1 and made[0]["function"]["name"] == "weather", made
        check("weather", made[0]["function"]["arguments"])
    # Several answers of one request have calls of their own.
    status, text = call(CHAT, dict(ask, n=3))
    ids = [c["id"] for choice in json.loads(text)["choices"] for c in choice["message"]["tool_calls"]]
    assert len(set(ids)) == len(ids) >= 3, ids
    # Nothing must be called: it is text; what has a shape has that shape.
    assert whole(dict(ASK, tool_choice="none", max_tokens=20))["message"].get("tool_calls") is None
    assert whole(dict(ASK, guided_choice=["yes"], tool_choice="none"))["message"]["content"] == "yes"
    status, text = call(CHAT, dict(ask, tool_choice={"type": "function", "function": {"name": "x"}}))
    assert status == 400 and json.loads(text)["error"]["param"] == "tool_choice.function.name", text


def prompt(messages, **more):
    status, text = call("/apply-template", dict({"messages": messages}, **more))
    assert status == 200, text
    return json.loads(text)["prompt"]


TALK = [{"role": "user", "content": [{"type": "text", "text": "In Bern?"}, {"type": "text", "text": "Now?"}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function",
             "function": {"name": "weather", "arguments": "{\"city\": \"Bern\", \"days\": 2}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]


def explains():
    """The template knows no tools: they are explained in the form of <tool_call>."""
    calls()
    text = prompt(TALK, tools=[CLOCK])
    assert '<tools>\n{"name": "clock", "description": "the time"}\n</tools>' in text, text
    assert '<tool_call>\n{"name": "weather", "arguments": {"city": "Bern", "days": 2}}\n</tool_call>' in text, text
    assert "<tool_response>\nsunny\n</tool_response>" in text and "In Bern?\nNow?" in text, text


def template():
    """The template has tools: it gets them, and what it takes."""
    calls()
    text = prompt(TALK, tools=[CLOCK])
    assert "Function signatures" in text and "You may call functions" not in text, text
    assert '{"name": "weather", "arguments": {"city": "Bern", "days": 2}}' in text, text
    assert "sunny" in text, text
    # Reasoning is told apart, and a shape begins after it.
    ask = {"messages": ASK["messages"], "guided_regex": "[a-c]{5}", "max_tokens": 2000}
    for seed in range(3):
        message = whole(dict(ask, seed=seed, enable_thinking=False))["message"]
        assert "reasoning_content" not in message and len(message["content"]) == 5, message
    assert "<think>\n\n</think>" in prompt(ASK["messages"], reasoning_effort="none")


def thinking():
    """The prompt has begun the reasoning."""
    ask = {"messages": ASK["messages"], "seed": 5, "max_tokens": 20, "logit_bias": {"60": -100}}
    status, text = call(CHAT, ask)
    answer = json.loads(text)
    message = answer["choices"][0]["message"]
    assert message["reasoning_content"] and not message["content"], message
    assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": 20}, answer
    status, text = call(CHAT, dict(ask, stream=True))
    deltas = [json.loads(e[6:])["choices"][0]["delta"] for e in text.split("\n\n") if e.startswith("data: {")]
    assert "".join(d.get("reasoning_content", "") for d in deltas) == message["reasoning_content"]
    assert not any(d.get("content") for d in deltas), deltas
    left = whole(dict(ask, reasoning_format="none"))["message"]
    assert left["content"].strip() == message["reasoning_content"] and "reasoning_content" not in left, left


{"explains": explains, "template": template, "thinking": thinking}[what]()
