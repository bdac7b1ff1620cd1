#!/usr/bin/env python3
"""receipts_client.py PORT WHAT [...] - asks isobit serve for receipts and checks them from their format's
page alone, but for signatures; exits 0 when all is as it must be. What must outlive a server goes to FILE."""
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import os
import signal
import sys
import time

port = int(sys.argv[1])
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 12, "seed": 3}

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 9}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
WRITES_ON = r'So: <tool_call>\{"name": "look", "arguments": \{"city": "[a-z]{3}"\}\}</tool_call>[a-z]{30}'


def call(path, body=None, key=None, headers=None, raw=False):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    send = {"Content-Type": "application/json"} if body is not None else {}
    send.update(headers or {})
    if key:
        send["Authorization"] = "Bearer " + key
    data = json.dumps(body) if body is not None and not isinstance(body, str) else body
    c.request("GET" if body is None else "POST", path, data, send)
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, (text if raw else json.loads(text)), r.headers


def good(path, body=None, key=None, **more):
    status, answer, headers = call(path, body, key, **more)
    assert status == 200, (path, status, answer)
    return answer, headers


# ---- from docs/formats/receipt.md and RFC 6962 ------------------------------------------------

def sha(data):
    return hashlib.sha256(data).digest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def name_of(signed):
    return sha(b"isobit/%s/1\0" % signed["kind"].encode() + canonical(signed["body"]))


def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def leads_to(leaf, index, count, proof):
    """The root that an inclusion proof leads to, as RFC 9162 (2.1.3.2) says."""
    at, last = index, count - 1
    for p in (bytes.fromhex(h) for h in proof):
        assert last > 0
        if at & 1 or at == last:
            leaf = sha(b"\1" + p + leaf)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            leaf = sha(b"\1" + leaf + p)
        at, last = at >> 1, last >> 1
    assert last == 0
    return leaf


def derive(salt, label, index=0):
    return hmac.new(salt, b"isobit/salt/1/" + label.encode() + b"\0" + index.to_bytes(8, "little") + b"\1", "sha256").digest()


def assert_receipt(given, body=None, key=None):
    """What GET says of a receipt: it is in the log, and of this request. Returns receipt and bundle."""
    both, _ = good("/v1/receipts/" + given, key=key)
    receipt, bundle = both["receipt"], both["bundle"]
    head, name = bundle["log"]["head"], name_of(receipt)
    place = bundle["log"]
    assert leads_to(sha(b"\0" + name), place["index"], head["body"]["count"], place["proof"]).hex() == head["body"]["root"]
    assert receipt["key"] == head["key"] == bundle["certificate"]["body"]["key"]
    assert receipt["body"]["output"]["count"] == len(bundle["output_ids"]) == len(bundle["positions"])
    assert receipt["body"]["prompt"]["count"] == len(bundle["prompt_ids"])
    if "logits" in bundle:
        salt = bytes.fromhex(bundle["salt"])
        leaves = [sha(b"\0" + derive(salt, "logits", i) + bytes.fromhex(h)) for i, h in enumerate(bundle["logits"])]
        assert root(leaves).hex() == receipt["body"]["output"]["logits"]
    if body is not None:
        assert bundle["request"] == body, (bundle["request"], body)
    found, _ = good("/v1/receipts/log/inclusion?name=" + name.hex())
    assert found["index"] == place["index"] and found["epoch"] == head["body"]["epoch"]
    return receipt, bundle


def heads():
    out, before = [], ""
    while True:
        log, _ = good("/v1/receipts/log" + before)
        out += log["heads"]
        if not log["has_more"]:
            return out
        before = "?before=%d" % out[-1]["body"]["epoch"]


def assert_log(seen=()):
    """The published names make every epoch's root, the epochs form one chain, and every head that was seen
    before is a beginning of what is there. Returns the heads, the newest epoch first."""
    all_heads = heads()
    by_epoch = {}
    for newer, older in zip(all_heads, all_heads[1:] + [None]):
        body, names = newer["body"], []
        while len(names) < body["count"]:
            part, _ = good("/v1/receipts/log/names?epoch=%d&from=%d" % (body["epoch"], len(names)))
            names += part["names"]
        leaves = [sha(b"\0" + bytes.fromhex(n)) for n in names[:body["count"]]]
        assert root(leaves).hex() == body["root"]
        by_epoch[body["epoch"]] = (newer, leaves)
        if older:
            assert body["epoch"] == older["body"]["epoch"] + 1
            assert body["previous"] == name_of(older).hex()
        else:
            assert body["epoch"] == 1 and "previous" not in body
    for head in seen:
        newer, leaves = by_epoch[head["body"]["epoch"]]
        assert newer["key"] == head["key"]
        assert newer["body"].get("previous") == head["body"].get("previous")
        assert root(leaves[:head["body"]["count"]]).hex() == head["body"]["root"], "forked"
    return all_heads


def ready(key=None):
    """The model's weights have been hashed: receipts can be given."""
    for _ in range(300):
        status, answer, _ = call(TEXT, {"prompt": "x", "max_tokens": 1, "receipt": True}, key)
        if status != 503:
            return
        time.sleep(0.1)
    assert False, answer


# ---- what is tried ----------------------------------------------------------------------------

def events_of(text):
    return [dict(line.split(": ", 1) for line in e.split("\n") if line[0] != ":") for e in text.split("\n\n") if e]


def whole():
    body = json.dumps(dict(HELLO, receipt=True))
    answer, headers = good(CHAT, body)
    given = headers["x-receipt-id"]
    [inline] = answer["receipts"]
    assert inline["id"] == given and inline["index"] == 0
    receipt, bundle = assert_receipt(given, body)
    assert receipt == inline["receipt"]
    of = receipt["body"]
    assert of["seed"] == {"by": "requester", "value": "3"} and of["parameters"]["interface"] == CHAT
    assert of["finish_reason"] in ("stop", "length") and of["parameters"]["max_tokens"] == 12
    assert of["output"]["count"] == answer["usage"]["completion_tokens"]
    assert of["prompt"]["count"] == answer["usage"]["prompt_tokens"]
    assert "Hello" in bundle["prompt"] and bundle["prompt"] != "Hello"
    # The same answer without a receipt, which this server gives to those who ask.
    plain, headers = good(CHAT, HELLO)
    assert "x-receipt-id" not in headers and "receipts" not in plain
    assert plain["choices"] == answer["choices"] and plain["usage"] == dict(
        answer["usage"], prompt_tokens_details=plain["usage"]["prompt_tokens_details"])
    # Choices have a receipt each.
    answer, headers = good(CHAT, dict(HELLO, n=3, receipt=True))
    given = headers["x-receipt-id"]
    assert [(r["id"], r["index"]) for r in answer["receipts"]] == [(given, 0), (given + ".1", 1), (given + ".2", 2)]
    for i, r in enumerate(answer["receipts"]):
        receipt, bundle = assert_receipt(r["id"])
        assert receipt == r["receipt"] and receipt["body"]["parameters"]["choice"] == i
        assert "Hello" in bundle["prompt"]
    assert len({json.dumps(r["receipt"]) for r in answer["receipts"]}) == 3
    # Texts, ids, a shape, a seed that nobody named.
    answer, headers = good(TEXT, {"prompt": ["One", [257, 72]], "max_tokens": 5, "receipt": True})
    receipt, bundle = assert_receipt(headers["x-receipt-id"])
    assert bundle["prompt"] == "One" and receipt["body"]["seed"]["by"] == "node"
    receipt, bundle = assert_receipt(headers["x-receipt-id"] + ".1")
    assert bundle["prompt"] == "" and bundle["prompt_ids"] == [257, 72]
    answer, headers = good(CHAT, dict(HELLO, guided_choice=["left", "right"], receipt=True))
    receipt, _ = assert_receipt(headers["x-receipt-id"])
    assert receipt["body"]["parameters"]["constraint"] == {
        "kind": "choice", "hash": sha(b'["left","right"]').hex()}, receipt["body"]["parameters"]["constraint"]


def streams():
    """In each dialect the last event has them, and all else is as without."""
    def check(receipts, headers, body):
        [one] = receipts
        assert one["id"] == headers["x-receipt-id"]
        assert assert_receipt(one["id"], body)[0] == one["receipt"]

    body = json.dumps(dict(HELLO, stream=True, stream_options={"include_usage": True}, receipt=True))
    text, headers = good(CHAT, body, raw=True)
    events = events_of(text)
    assert events[-1]["data"] == "[DONE]"
    chunks = [json.loads(e["data"]) for e in events[:-1]]
    assert chunks[-1]["choices"] == [] and chunks[-2]["usage"] and not any("receipts" in c for c in chunks[:-1])
    check(chunks[-1]["receipts"], headers, body)
    body = json.dumps(dict(HELLO, stream=True, receipt=True))
    text, headers = good("/v1/messages", body, raw=True)
    events = events_of(text)
    assert events[-1]["event"] == "message_stop"
    check(json.loads(events[-1]["data"])["receipts"], headers, body)
    body = json.dumps({"input": "Hello", "max_output_tokens": 9, "stream": True, "receipt": True})
    text, headers = good("/v1/responses", body, raw=True)
    last = json.loads(events_of(text)[-1]["data"])
    assert last["type"] in ("response.completed", "response.incomplete")
    check(last["receipts"], headers, body)
    assert good("/v1/responses/" + last["response"]["id"])[0]["id"] == last["response"]["id"]
    body = json.dumps({"prompt": "Hello", "n_predict": 9, "stream": True, "receipt": True})
    text, headers = good("/completion", body, raw=True)
    chunks = [json.loads(e["data"]) for e in events_of(text)]
    assert chunks[-1]["stop"] and chunks[-2]["stop"] and chunks[-1]["content"] == ""
    check(chunks[-1]["receipts"], headers, body)
    body = json.dumps({"model": "talker", "prompt": "Hello", "options": {"num_predict": 9}, "receipt": True})
    text, headers = good("/api/generate", body, raw=True)
    lines = [json.loads(line) for line in text.split("\n") if line]
    assert lines[-1]["done"] and not any("receipts" in line for line in lines[:-1])
    check(lines[-1]["receipts"], headers, body)
    # Whole ones.
    for path, body in (("/v1/messages", HELLO), ("/v1/responses", {"input": "Hello", "max_output_tokens": 9}),
                       ("/completion", {"prompt": "Hello", "n_predict": 9}),
                       ("/batch", {"prompts": ["Hello"], "max_tokens": 9}),
                       ("/api/chat", dict(HELLO, model="talker", stream=False, options={"num_predict": 9}))):
        body = json.dumps(dict(body, receipt=True))
        answer, headers = good(path, body)
        check(answer["receipts"], headers, body)
    answer, headers = good("/completion", {"prompt": ["Hello", "You"], "n_predict": 9, "receipt": True})
    assert [r["index"] for r in answer[-1]["receipts"]] == [0, 1]


def vectors():
    """A call for vectors has one receipt, whatever model makes them."""
    body = json.dumps({"input": ["One", "Two", [5, 6]], "receipt": True})
    answer, headers = good("/v1/embeddings", body)
    [one] = answer["receipts"]
    assert one["id"] == headers["x-receipt-id"] and len(answer["data"]) == 3
    both, _ = good("/v1/receipts/" + one["id"])
    receipt, bundle = both["receipt"], both["bundle"]
    assert receipt == one["receipt"] and bundle["request"] == body
    assert receipt["body"]["model"]["template"] == 64 * "0"
    assert receipt["body"]["vectors"]["count"] == 3 and receipt["body"]["interface"] == "/v1/embeddings"
    salt = bytes.fromhex(bundle["salt"])
    assert sha(derive(salt, "request") + body.encode()).hex() == receipt["body"]["request"]
    plain, headers = good("/v1/embeddings", {"input": ["One", "Two", [5, 6]]})
    assert "x-receipt-id" not in headers and plain["data"] == answer["data"]
    short, headers = good("/v1/embeddings", {"input": "One", "dimensions": 4, "receipt": True})
    assert len(short["data"][0]["embedding"]) == 4 and short["receipts"]
    answer, headers = good("/score", {"text_1": "One", "text_2": "Two", "receipt": True})
    assert answer["receipts"][0]["id"] == headers["x-receipt-id"]


def leaving():
    """Who leaves has been told the id, and may have the receipt of what there was."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request("POST", TEXT, json.dumps({"prompt": "Hello", "max_tokens": 3000, "ignore_eos": True, "stream": True,
                                        "receipt": True}), {"Content-Type": "application/json"})
    r = c.getresponse()
    given = r.headers["x-receipt-id"]
    r.read(300)
    r.close()
    c.close()
    for _ in range(100):
        status, both, _ = call("/v1/receipts/" + given)
        if status == 200:
            break
        time.sleep(0.1)
    receipt, _ = assert_receipt(given)
    assert receipt["body"]["finish_reason"] == "cancelled" and 0 < receipt["body"]["output"]["count"] < 3000


def batch():
    lines = "".join(json.dumps({"custom_id": str(i), "method": "POST", "url": TEXT, "body": {
        "prompt": "Line %d" % i, "max_tokens": 5, "seed": i, "receipt": i % 2 == 0}}) + "\n" for i in range(6))
    form = ('--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x\r\nContent-Disposition: '
            'form-data; name="file"; filename="a.jsonl"\r\n\r\n%s\r\n--x--\r\n' % lines)
    file, _ = good("/v1/files", form, headers={"Content-Type": "multipart/form-data; boundary=x"})
    made, _ = good("/v1/batches", {"input_file_id": file["id"], "endpoint": TEXT, "completion_window": "24h"})
    for _ in range(300):
        made, _ = good("/v1/batches/" + made["id"])
        if made["status"] == "completed":
            break
        time.sleep(0.1)
    text, _ = good("/v1/files/%s/content" % made["output_file_id"], raw=True)
    for line in (json.loads(t) for t in text.split("\n") if t):
        response, i = line["response"], int(line["custom_id"])
        assert ("receipt_id" in response) == (i % 2 == 0) == ("receipts" in response["body"])
        if i % 2 == 0:
            _, bundle = assert_receipt(response["receipt_id"])
            assert json.loads(bundle["request"])["prompt"] == "Line %d" % i
            assert response["body"]["receipts"][0]["id"] == response["receipt_id"]


def errors():
    def refused(status, path, words):
        got, answer, _ = call(path)
        assert got == status and words in answer["error"]["message"], (got, answer)

    refused(404, "/v1/receipts/rcpt-none", "no receipt")
    refused(404, "/v1/receipts/log/names?epoch=99", "no epoch 99")
    refused(404, "/v1/receipts/log/inclusion?name=" + 64 * "0", "no receipt of this name")
    refused(400, "/v1/receipts/log/inclusion?name=12", "64 hex digits")
    refused(400, "/v1/receipts/log/inclusion", "64 hex digits")
    refused(400, "/v1/receipts/log/consistency?epoch=1&from=99999", "began with")
    refused(400, "/v1/receipts/log/consistency?epoch=1&from=1&to=99999", "not 99999")
    refused(404, "/v1/receipts/log/consistency?epoch=98&from=1", "no epoch 98")
    refused(400, "/v1/receipts/log/names?epoch=x", "whole number")
    refused(400, "/v1/receipts/log/names?epoch=1&from=0&to=20000", "10000")
    proof, _ = good("/v1/receipts/log/consistency?epoch=1&from=1&to=2")
    assert proof["count"] == 2 and len(proof["proof"]) == 1 and "head" not in proof


def off():
    status, answer, _ = call(CHAT, dict(HELLO, receipt=True))
    assert status == 400 and answer["error"]["param"] == "receipt", answer
    assert call("/v1/receipts/rcpt-1")[0] == 404
    assert "x-receipt-id" not in good(CHAT, HELLO)[1]


def verify():
    """What was answered is computed anew; what was changed since is found."""
    log, _ = good("/v1/receipts/log")
    identity = log["certificates"][0]["key"]

    def ask(body, path=CHAT, i=0, change=None, **more):
        _, headers = good(path, json.dumps(dict(body, receipt=True)))
        both, _ = good("/v1/receipts/" + headers["x-receipt-id"] + (".%d" % i if i else ""))
        both.update(keys=[identity], request=both["bundle"]["request"])
        both.update(more)
        if change:
            change(both)
        verdict, headers = good("/v1/verify", canonical(both).decode())
        return verdict["verdict"], verdict["first_difference"], {l["field"]: l for l in verdict["fields"]}

    long = dict(HELLO, max_tokens=200, temperature=0.9, ignore_eos=True)
    for body, path, i in ((long, CHAT, 0), (dict(HELLO, n=3), CHAT, 2), (dict(HELLO, temperature=0), CHAT, 0),
                          (dict(HELLO, stop=["e", "a", "\n"], max_tokens=60), CHAT, 0),
                          ({"prompt": ["One", "Two"], "max_tokens": 9, "seed": 4, "n": 2}, TEXT, 3),
                          ({"prompt": [257, 72], "max_tokens": 9, "seed": 4}, TEXT, 0),
                          ({"prompt": "Hi", "n_predict": 20, "seed": 2, "mirostat": 2, "stop": ["x"]}, "/completion", 0),
                          # Ends that come from what the answer says, and one that only the end makes.
                          (dict(HELLO, tools=[TOOL], parallel_tool_calls=False, guided_regex=WRITES_ON, max_tokens=90), CHAT, 0),
                          ({"prompt": "x", "max_tokens": 3, "seed": 4, "guided_regex": "xab+", "stop": ["abz", "b"]}, TEXT, 0),
                          (dict(HELLO, model="talker"), "/v1/messages", 0)):
        verdict, first, fields = ask(body, path, i)
        assert verdict == "Valid", (body, first, [l for l in fields.values() if l["status"] == "missing"])
        for field in ("output.ids", "output.root", "output.logits", "prompt.pages", "parameters", "prompt.text", "model.weights", "finish_reason"):
            assert fields[field]["status"] == "recomputed", fields[field]
    # Nothing passes that was not measured.
    unknown = ask(HELLO, keys=[])
    assert unknown[0] == "NotMeasured" and unknown[2]["key"]["status"] == "missing"
    verdict, _, fields = ask({k: HELLO[k] for k in ("messages", "max_tokens")})
    assert verdict == "NotMeasured" and fields["seed"]["status"] == "missing"
    # Answers that had a form, of every kind.
    for form in ({"guided_choice": ["left", "right"]}, {"guided_regex": "[a-c]{3,9}"},
                 {"guided_grammar": 'root ::= "yes" | "no"'},
                 {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
                 {"tools": [TOOL], "tool_choice": "required"}):
        verdict, first, fields = ask(dict(HELLO, max_tokens=60, **form))
        assert verdict == "Valid", (form, first, [l for l in fields.values() if l["status"] == "missing"])
        assert fields["output.ids"]["status"] == "recomputed" and fields["output.root"]["status"] == "recomputed"
    verdict, first, _ = ask(dict(HELLO, guided_choice=["left", "right"]),
                            change=lambda b: b["bundle"]["output_ids"].__setitem__(0, 99))
    assert verdict == "Mismatch" and first["field"] == "output.ids"
    # The form is the request's: where that is not shown, nothing is computed.
    verdict, _, fields = ask(dict(HELLO, guided_choice=["left"]), change=lambda b: b["bundle"].pop("request"))
    assert verdict == "NotMeasured" and fields["output.ids"]["status"] == "missing"

    def differs(field, change, body=HELLO, **more):
        verdict, first, _ = ask(body, change=change, **more)
        assert verdict == "Mismatch" and first["field"] == field, (field, verdict, first)

    differs("signature", lambda b: b["receipt"]["body"]["output"].update(count=1))
    differs("output.ids", lambda b: b["bundle"]["output_ids"].__setitem__(0, 99))
    differs("request", lambda b: b.update(request=b["request"].replace("Hello", "Bye")))
    differs("request", lambda b: b["bundle"].update(request=b["request"].replace("Hello", "Bye")), request="x")
    differs("log", lambda b: b["bundle"]["log"].update(index=b["bundle"]["log"]["index"] + 1))

    def refused(status, words, body):
        got, answer, _ = call("/v1/verify", body)
        assert got == status and words in answer["error"]["message"], (got, answer)

    refused(400, "names no weights", "{}")
    refused(400, "as GET /v1/receipts", canonical({"receipt": {"body": {"model": {"weights": log_weights()}}}}).decode() + " ")
    refused(404, "no model that is loaded", canonical({"receipt": {"body": {"model": {"weights": 64 * "0"}}}}).decode())


def log_weights():
    return good("/v1/models")[0]["data"][0]["meta"]["weights_sha256"]


def keys(one, other, admin):
    body = json.dumps(dict(HELLO, receipt=True))
    _, headers = good(CHAT, body, one)
    given = headers["x-receipt-id"]
    assert_receipt(given, body, one)
    assert_receipt(given, body, admin)
    status, answer, _ = call("/v1/receipts/" + given, key=other)
    assert status == 404 and answer == call("/v1/receipts/rcpt-" + 24 * "0", key=other)[1] | answer
    assert call("/v1/receipts/" + given)[0] == 401
    good("/v1/receipts/log")
    status, answer, _ = call("/v1/verify", "{}", one)
    assert status == 403 and "scope verify" in answer["error"]["message"]
    assert call("/v1/verify", "{}", other)[0] == 400

    def read():
        text, _ = good("/metrics", raw=True, key=admin)
        return sum(int(line.split(" ")[1]) for line in text.split("\n")
                   if line.startswith("isobit_key_prompt_tokens_total{"))

    # What is computed anew is counted as tokens of a prompt, for who asks.
    for path, body in ((CHAT, HELLO), ("/v1/embeddings", {"input": ["One", "Two", [5, 6]]})):
        _, headers = good(path, json.dumps(dict(body, receipt=True)), one)
        both, _ = good("/v1/receipts/" + headers["x-receipt-id"], key=one)
        of, before = both["receipt"]["body"], read()
        verdict, _ = good("/v1/verify", canonical(both).decode(), other)
        assert verdict["verdict"] == "NotMeasured" and not verdict["first_difference"], verdict
        n = of["vectors"]["tokens"] if "vectors" in of else of["prompt"]["count"] + of["output"]["count"]
        assert read() - before == n, (path, n, before, read())


def load(file, kill=None):
    """Answers of all lengths at once; what was told goes to file: ids, and heads seen in between. With kill the
    server is killed in the midst."""
    told, seen, stop = [], [], time.time() + 3

    def one(i):
        while time.time() < stop:
            try:
                _, headers = good(TEXT, {"prompt": "Hello %d" % i, "max_tokens": 2 + i % 5, "receipt": True})
                told.append(headers["x-receipt-id"])
                if i == 0:
                    seen.extend(heads())
            except (OSError, http.client.HTTPException, ValueError):
                return

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(one, i) for i in range(8)]
        if kill:
            time.sleep(1.5)
            os.kill(int(kill), signal.SIGKILL)
        for r in runs:
            r.result()
    assert len(told) > 20 and seen, (len(told), len(seen))
    with open(file, "w") as f:
        json.dump({"told": told, "seen": seen}, f)
    if not kill:
        text, _ = good("/metrics", raw=True)
        numbers = dict(line.split(" ") for line in text.split("\n") if line.startswith("isobit_receipt"))
        n, groups = int(numbers["isobit_receipts_total"]), int(numbers["isobit_receipt_groups_total"])
        assert n >= len(told) and 0 < groups < n, (n, groups)


def kept(file, epochs, n_keys):
    """After whatever happened: receipts that were told are there, heads that were seen hold."""
    with open(file) as f:
        was = json.load(f)
    for given in was["told"][::7] + was["told"][-9:]:
        assert_receipt(given)
    all_heads = assert_log(was["seen"])
    assert len(all_heads) == int(epochs), len(all_heads)
    assert len({h["key"] for h in all_heads}) == int(n_keys)
    log, _ = good("/v1/receipts/log")
    assert {c["body"]["key"] for c in log["certificates"]} >= {h["key"] for h in all_heads}


def one():
    _, headers = good(CHAT, dict(HELLO, receipt=True))
    assert_receipt(headers["x-receipt-id"])


def always():
    _, headers = good(CHAT, HELLO)
    assert_receipt(headers["x-receipt-id"])
    text, headers = good(CHAT, dict(HELLO, stream=True), raw=True)
    assert "receipts" not in text
    assert_receipt(headers["x-receipt-id"])


LARGE = {"prompt": "Hello", "max_tokens": 400, "ignore_eos": True, "receipt": True}


def fill():
    """Until a receipt finds no room: the log's journal may grow to the log's own size before, which is what
    the machine's speed made it."""
    for _ in range(3000):
        status, answer, _ = call(TEXT, LARGE)
        if status != 200:
            assert status == 503, (status, answer)
            return
    assert False, "the disk does not become full"


def refused(words):
    """No receipt could be given: no answer is."""
    status, answer, _ = call(TEXT, LARGE)  # a smaller one may still find room
    assert status == 503 and words in answer["error"]["message"], (status, answer)
    status, text, _ = call(TEXT, {"prompt": "Hello", "max_tokens": 3000, "ignore_eos": True, "stream": True,
                                  "receipt": True}, raw=True)
    assert status == 200 and "[DONE]" not in text and words in text, (status, text[-900:])
    good(CHAT, HELLO)


globals()[sys.argv[2]](*sys.argv[3:])
