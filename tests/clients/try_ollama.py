#!/usr/bin/env python3
"""try_ollama.py URL [MODEL] - the official `ollama` client over its main calls against isobit serve.

Run by hand: pip install ollama; isobit serve; python3 try_ollama.py http://127.0.0.1:8080
Prints the client's version; exits 0 when everything is as it must be.
"""
import asyncio
import importlib.metadata
import json
import sys

import ollama

host = sys.argv[1]
client = ollama.Client(host=host)
models = client.list().models
model = sys.argv[2] if len(sys.argv) > 2 else models[0].model
assert any(m.model in (model, model + ":latest") for m in models), models
assert models[0].details.family and models[0].size > 0, models[0]

shown = client.show(model)
assert "completion" in shown.capabilities and shown.modelinfo["general.architecture"], shown
assert client.ps().models[0].context_length > 0

ask = {"seed": 7, "num_predict": 20, "temperature": 0.8}
hello = [{"role": "user", "content": "Hello there"}]
whole = client.chat(model, messages=hello, options=ask)
assert whole.done and whole.done_reason in ("stop", "length") and whole.eval_count <= 20, whole
assert whole.total_duration >= whole.eval_duration > 0 and whole.prompt_eval_count > 0
pieces = list(client.chat(model, messages=hello, options=ask, stream=True))
assert "".join(p.message.content for p in pieces) == whole.message.content
assert [p.done for p in pieces] == [False] * (len(pieces) - 1) + [True]

first = client.generate(model, "Hello there", options=ask, raw=True)
assert first.response and first.context, first
assert "".join(p.response for p in client.generate(model, "Hello there", options=ask, raw=True, stream=True)) \
    == first.response
templated = client.generate(model, "Hello there", options=ask)
assert templated.prompt_eval_count == whole.prompt_eval_count
assert templated.response == whole.message.content
on = client.generate(model, "And then?", options=ask, context=templated.context)
assert on.prompt_eval_count > len(templated.context), on
assert client.generate(model).done_reason == "load"

schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 99}}, "required": ["n"],
          "additionalProperties": False}
assert 1 <= json.loads(client.chat(model, messages=hello, format=schema, options={"seed": 1}).message.content)["n"] <= 99
likely = client.generate(model, "Hello", raw=True, options=ask, logprobs=True, top_logprobs=2)
assert len(likely.logprobs) == likely.eval_count or likely.done_reason == "stop"
assert len(likely.logprobs[0].top_logprobs) == 2

vectors = client.embed(model, ["a", "b"])
assert len(vectors.embeddings) == 2 and vectors.prompt_eval_count > 0
assert client.embeddings(model, "b").embedding == vectors.embeddings[1]

for call, status in ((lambda: client.chat("nothing", messages=hello), 404),
                     (lambda: client.chat(model, messages=[{"role": "user", "content": "x" * 200000}]), 400),
                     (lambda: client.chat(model, messages=[{"role": "user", "content": "x", "images": [b"1"]}]), 400)):
    try:
        call()
        raise AssertionError("not refused")
    except ollama.ResponseError as e:
        assert e.status_code == status and e.error, (e.status_code, e.error)


async def several():
    other = ollama.AsyncClient(host=host)
    return await asyncio.gather(*(other.chat(model, messages=hello, options=ask) for _ in range(4)))


assert {a.message.content for a in asyncio.run(several())} == {whole.message.content}
print("ollama", importlib.metadata.version("ollama"))
