"""receipt_check.py - what a receipt of isobit run must be, from docs/formats/receipt.md alone.

usage: receipt_check.py FILE NAME=VALUE...   checks FILE and FILE.bundle, and members of the body
       receipt_check.py --same FILE FILE...  the same but for salts, times, load, device and keys
       receipt_check.py --vector FILE OUTPUT  of isobit embed --tokens --json, whose output is OUTPUT
"""
import hashlib
import hmac
import json
import struct
import sys


def sha(data):
    return hashlib.sha256(data).digest()


def load(path):
    with open(path, encoding="utf-8", newline="") as f:
        text = f.read()
    value = json.loads(text)
    again = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert again == text, f"{path} is not canonical"
    return value


def ids(values):
    return b"".join(struct.pack("<I", v) for v in values)


def tree(leaves):
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))


def check(path):
    receipt, bundle = load(path), load(path + ".bundle")
    assert receipt["kind"] == "receipt"
    body, salt = receipt["body"], bytes.fromhex(bundle["salt"])

    def derive(label, index):
        info = b"isobit/salt/1/" + label.encode() + b"\0" + struct.pack("<Q", index) + b"\1"
        return hmac.new(salt, info, "sha256").digest()

    def commitment(label, index, data):
        return sha(derive(label, index) + data).hex()

    output, prompt = body["output"], body["prompt"]
    assert body["request"] == commitment("request", 0, bundle["request"].encode())
    assert prompt["text"] == commitment("prompt", 0, bundle["prompt"].encode())
    assert prompt["ids"] == commitment("prompt_ids", 0, ids(bundle["prompt_ids"]))
    assert prompt["count"] == len(bundle["prompt_ids"])
    assert output["ids"] == commitment("output_ids", 0, ids(bundle["output_ids"]))
    n = output["count"]
    assert n == len(bundle["output_ids"]) == len(bundle["positions"])
    leaves = []
    for i, record in enumerate(bundle["positions"]):
        record = bytes.fromhex(record)
        token, total, n_best = struct.unpack_from("<IQI", record)
        best = [struct.unpack_from("<If", record, 16 + 8 * k) for k in range(n_best)]
        assert token == bundle["output_ids"][i] and len(record) == 16 + 8 * n_best
        assert best == sorted(best, key=lambda b: (-b[1], b[0])) and n_best == 16
        if body["parameters"]["temperature"] == "0":
            assert total == 0
        leaves.append(sha(b"\0" + derive("position", i) + record))
    assert output["root"] == tree(leaves).hex()
    n_pages = (prompt["count"] + n - 1) // 64 - prompt["count"] // 64 if n else 0
    assert len(output["pages"]) == len(bundle["pages"]) == n_pages
    for i, page in enumerate(bundle["pages"]):
        assert output["pages"][i] == commitment("page", i, bytes.fromhex(page))
    assert len(bundle["prompt_pages"]) == prompt["count"] // 64
    assert prompt["pages"] == tree([sha(b"\0" + derive("prompt_page", i) + bytes.fromhex(page))
                                    for i, page in enumerate(bundle["prompt_pages"])]).hex()
    assert ("logits" in output) == ("logits" in bundle)
    if "logits" in output:
        assert len(bundle["logits"]) == n
        assert output["logits"] == tree([sha(b"\0" + derive("logits", i) + bytes.fromhex(row))
                                         for i, row in enumerate(bundle["logits"])]).hex()
    certificate = bundle["certificate"]
    assert certificate["body"]["key"] == receipt["key"]
    assert body["load"]["memory_bytes"] > 0 and body["load"]["utilisation_permille"] <= 1000
    assert body["time"]["started_ms"] <= body["time"]["ended_ms"]
    return body, bundle


def same(paths):
    seen = []
    for path in paths:
        body, bundle = check(path)
        for name in ("device", "load", "time", "request"):
            del body[name]
        del body["prompt"], body["output"], body["parameters"]["clock"]
        seen.append([body] + [bundle[k] for k in ("prompt", "prompt_ids", "output_ids", "positions",
                                                  "pages", "prompt_pages")])
    for path, other in zip(paths, seen):
        assert other == seen[0], f"{path} differs from {paths[0]}"


def vector(path, output):
    receipt, bundle = load(path), load(path + ".bundle")
    body, request, salt = receipt["body"], json.loads(bundle["request"]), bytes.fromhex(bundle["salt"])
    with open(output, encoding="utf-8") as f:
        answer = json.load(f)
    values = [x + 0.0 for x in answer["data"][0]["embedding"]]

    def derive(label, index):
        info = b"isobit/salt/1/" + label.encode() + b"\0" + struct.pack("<Q", index) + b"\1"
        return hmac.new(salt, info, "sha256").digest()

    assert body["request"] == sha(derive("request", 0) + bundle["request"].encode()).hex()
    leaf = derive("vector", 0) + struct.pack("<II", len(request["tokens"]), 0) + ids(request["tokens"])
    leaf += struct.pack(f"<{len(values)}f", *values)
    assert body["vectors"] == {
        "count": 1, "normalized": True, "pooling": answer["pooling"], "root": sha(b"\0" + leaf).hex(),
        "tokens": len(request["tokens"]), "values": answer["n_dims"]}
    assert bundle["certificate"]["body"]["key"] == receipt["key"]


def member(value, name):
    for part in name.split("."):
        value = value[part]
    return value if isinstance(value, str) else json.dumps(value)


def main():
    if sys.argv[1] == "--same":
        same(sys.argv[2:])
        return
    if sys.argv[1] == "--vector":
        vector(*sys.argv[2:])
        return
    body, bundle = check(sys.argv[1])
    for wanted in sys.argv[2:]:
        name, value = wanted.split("=", 1)
        got = member(bundle if name.startswith("prompt") else body, name)
        assert got == value, f"{name} is {got}"


if __name__ == "__main__":
    main()
