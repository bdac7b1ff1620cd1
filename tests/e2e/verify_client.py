#!/usr/bin/env python3
"""verify_client.py PORT FOLDER [vectors] - asks isobit serve for an answer of every kind, each with a receipt, and leaves in
FOLDER for each: NAME and NAME.bundle, NAME.request as it was sent, NAME.text as it came, and the names in NAMES."""
import http.client
import json
import re
import sys

import dispute_forge

port, folder = int(sys.argv[1]), sys.argv[2]
CHAT, TEXT, LLAMA = "/v1/chat/completions", "/v1/completions", "/completion"
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 40, "seed": 3}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 9}}, "required": ["city"]}
FUNCTION = {"name": "look", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
OLLAMA = {"model": "talker", "stream": False, "options": {"num_predict": 40, "seed": 5}}
WRITES_ON = r'So: <tool_call>\{"name": "look", "arguments": \{"city": "[a-z]{3}"\}\}</tool_call>[a-z]{30}'
CALL = dict(HELLO, tools=[TOOL], max_tokens=200)


def ask(path, body):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("GET" if body is None else "POST", path, body and body.encode(), {"Content-Type": "application/json"})
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, json.loads(text), r.headers


def post(path, body):
    status, answer, headers = ask(path, body)
    assert status == 200, (path, body, answer)
    return answer, headers


def text_of(path, a):
    """What the answer says to who asked."""
    if path == CHAT:
        return a["choices"][0]["message"].get("content") or ""
    if path == TEXT:
        return a["choices"][0]["text"]
    if path == "/v1/messages":
        return "".join(b["text"] for b in a["content"] if b["type"] == "text")
    if path == "/v1/responses":
        return "".join(c["text"] for i in a["output"] if i["type"] == "message" for c in i["content"])
    if path == "/api/chat":
        return a["message"]["content"]
    if path == "/batch":
        return None
    return a["response" if path == "/api/generate" else "content"]


# name, path, body, how it must have ended (None: as it likes)
KINDS = (
    ("chat", CHAT, HELLO, None),
    ("chat-stop", CHAT, dict(HELLO, stop=["k", "m", "h"], max_tokens=60), "stop"),
    ("chat-schema", CHAT, dict(HELLO, response_format={
        "type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}), "stop"),
    ("chat-object", CHAT, dict(HELLO, response_format={"type": "json_object"}), None),
    ("chat-grammar", CHAT, dict(HELLO, guided_grammar='root ::= "yes" | "no"'), "stop"),
    ("chat-regex", CHAT, dict(HELLO, guided_regex="[a-c]{3,9}"), "stop"),
    ("chat-choice", CHAT, dict(HELLO, guided_choice=["left", "right"]), "stop"),
    ("chat-forced", CHAT, dict(CALL, tool_choice="required"), None),
    ("chat-named", CHAT, dict(CALL, tool_choice={"type": "function", "function": {"name": "look"}}), None),
    # What it says ends it, not a token: after one call no other is wanted.
    ("chat-call", CHAT, dict(CALL, parallel_tool_calls=False, guided_regex=WRITES_ON), "tool_calls"),
    ("chat-many", CHAT, dict(CALL, guided_regex=WRITES_ON), "tool_calls"),
    ("text", TEXT, {"prompt": "Hello", "max_tokens": 30, "seed": 4}, None),
    # A stop text that the end makes one: "b" is none while "abz" may come.
    ("text-late", TEXT, {"prompt": "Hello", "max_tokens": 3, "seed": 4, "guided_regex": "xab+", "stop": ["abz", "b"]},
     "stop"),
    ("text-echo", TEXT, {"prompt": "Hello", "max_tokens": 30, "seed": 4, "echo": True, "stop": ["W"]}, "stop"),
    ("text-regex", TEXT, {"prompt": [257, 72], "max_tokens": 30, "seed": 4, "guided_regex": "(ab|c)+!"}, None),
    ("messages", "/v1/messages", HELLO, None),
    ("messages-call", "/v1/messages", dict(HELLO, max_tokens=200, tools=[{"name": "look", "input_schema": SCHEMA}],
                                           tool_choice={"type": "any", "disable_parallel_tool_use": True}), "tool_use"),
    ("responses", "/v1/responses", {"input": "Hello", "max_output_tokens": 30, "seed": 6}, None),
    ("responses-schema", "/v1/responses", {"input": "Hello", "max_output_tokens": 60, "seed": 6, "text": {
        "format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}}, "completed"),
    ("responses-call", "/v1/responses", {
        "input": "Hello", "max_output_tokens": 200, "seed": 6, "tools": [dict(FUNCTION, type="function")],
        "tool_choice": "required", "parallel_tool_calls": False}, None),
    ("ollama-chat", "/api/chat", dict(OLLAMA, messages=HELLO["messages"]), None),
    ("ollama-format", "/api/chat", dict(OLLAMA, messages=HELLO["messages"], format=SCHEMA), None),
    ("ollama-text", "/api/generate", dict(OLLAMA, prompt="Hello"), None),
    ("ollama-context", "/api/generate", dict(OLLAMA, prompt="Hello", context=[257, 72, 105]), None),
    ("ollama-json", "/api/generate", dict(OLLAMA, prompt="Hello", format="json"), None),
    ("llama", LLAMA, {"prompt": "Hi", "n_predict": 20, "seed": 2, "mirostat": 2, "stop": ["x"]}, None),
    ("llama-schema", LLAMA, {"prompt": "Hi", "n_predict": 60, "seed": 2, "json_schema": SCHEMA}, None),
    ("llama-grammar", "/completions", {"prompt": "Hi", "n_predict": 20, "seed": 2,
                                       "grammar": 'root ::= [a-d]{4}'}, None),
    ("batch", "/batch", {"prompts": ["Hello"], "max_tokens": 9, "seed": 8}, None),
)


DOCUMENTS = {"query": "a dog", "documents": ["the dog", "a cat", "stocks"]}
# name (its model's first), path, body
VECTORS = (
    ("bert", "/v1/embeddings", {"input": ["One", "Two and more", [5, 6]]}),
    ("bert-few", "/v1/embeddings", {"input": "One", "dimensions": 8, "encoding_format": "base64"}),
    ("bert-ollama", "/api/embed", {"input": ["One", "Two"]}),
    ("bert-older", "/api/embeddings", {"prompt": "One"}),
    ("bert-rerank", "/rerank", dict(DOCUMENTS, top_n=2)),
    ("bert-score", "/v1/score", {"text_1": "One", "text_2": ["Two", "One"]}),
    ("rank-rerank", "/v1/rerank", dict(DOCUMENTS, return_documents=True)),
    ("rank-score", "/score", {"text_1": "One", "text_2": "Two"}),
    ("talker-all", "/v1/embeddings", {"input": ["Hello there", "Hello", [257, 72]]}),
    ("talker-score", "/score", {"text_1": "One", "text_2": "Two"}),
)


def ended(path, a):
    if path in (CHAT, TEXT):
        return a["choices"][0]["finish_reason"]
    return a.get("stop_reason") or a.get("status")


def verdict_of(both):
    """What the server says that made it."""
    log, _ = post("/v1/receipts/log", None)
    both = dict(both, keys=[c["key"] for c in log["certificates"]], request=both["bundle"]["request"])
    answer, _ = post("/v1/verify", dispute_forge.canonical(both))
    return answer["verdict"], answer["first_difference"], answer["fields"]


def keep(name, path, body, text=text_of):
    answer, headers = post(path, body)
    both, _ = post("/v1/receipts/" + headers["x-receipt-id"], None)
    verdict, first, fields = verdict_of(both)
    assert verdict == "Valid", (name, first, [f for f in fields if f["status"] == "missing"])
    texts = {".request": body, ".text": text(path, answer)}
    for end, value in {"": both["receipt"], ".bundle": both["bundle"]}.items():
        texts[end] = dispute_forge.canonical(value)
    for end, text in texts.items():
        if text is not None:
            with open("%s/%s%s" % (folder, name, end), "w", encoding="utf-8", newline="") as f:
                f.write(text)
    return answer, both


def vectors():
    for name, path, body in VECTORS:
        body = json.dumps(dict(body, model=name.split("-")[0], receipt=True))
        _, both = keep(name, path, body, lambda _, answer: json.dumps(answer))
        # Vectors that are others, signed by who made them.
        forged = both["receipt"]
        forged["body"]["vectors"]["root"] = dispute_forge.flipped(forged["body"]["vectors"]["root"], 3)
        message = b"isobit/receipt/1\0" + dispute_forge.canonical(forged["body"]).encode()
        forged["key"], forged["signature"] = dispute_forge.sign(bytes(32), message)
        del both["bundle"]["certificate"], both["bundle"]["log"]
        with open("%s/%s-forged" % (folder, name), "w", encoding="utf-8") as f:
            f.write(dispute_forge.canonical(forged))
        with open("%s/%s-forged.bundle" % (folder, name), "w", encoding="utf-8") as f:
            f.write(dispute_forge.canonical(both["bundle"]))
        if name in ("bert", "rank-score", "talker-all"):
            verdict, first, _ = verdict_of(both)
            assert verdict == "Mismatch" and first["field"] == "vectors.root", (name, verdict, first)
    with open(folder + "/VECTORS", "w", encoding="utf-8") as f:
        f.write("".join(k[0] + "\n" for k in VECTORS))


def too_long():
    """An answer that could become too long for a receipt is refused, as nothing of it would be left."""
    for path, body in ((CHAT, dict(HELLO, max_tokens=None)), (TEXT, {"prompt": "Hello", "max_tokens": 59000})):
        status, answer, _ = ask(path, json.dumps(dict(body, receipt=True)))
        error = answer["error"]
        most = re.search(r"too long for a receipt.* 16 MiB; ([0-9]+) is the largest max_tokens", error["message"])
        assert status == 400 and error["param"] == "max_tokens" and 50000 < int(most.group(1)) < 59000, error
    status, answer, _ = ask(TEXT, json.dumps({"prompt": "Hello", "max_tokens": 59000, "stop": ["\ufffd"]}))
    assert status == 200, answer  # without one it is none's business


def main():
    if len(sys.argv) > 3:
        vectors()
        return
    for name, path, body, end in KINDS:
        answer, _ = keep(name, path, json.dumps(dict(body, receipt=True)))
        assert end is None or ended(path, answer) == end, (name, answer["choices"] if "choices" in answer else answer)
    too_long()
    # What was said before is the server's to remember.
    first, _ = post("/v1/responses", json.dumps({"input": "Hello", "max_output_tokens": 9, "seed": 6}))
    body = {"input": "And?", "previous_response_id": first["id"], "max_output_tokens": 9, "seed": 1, "receipt": True}
    _, both = keep("responses-after", "/v1/responses", json.dumps(body))
    with open(folder + "/responses-joined.request", "w", encoding="utf-8", newline="") as f:
        f.write(both["bundle"]["request"])
    with open(folder + "/NAMES", "w", encoding="utf-8") as f:
        f.write("".join(k[0] + "\n" for k in KINDS))


main()
