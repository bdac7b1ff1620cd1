#!/usr/bin/env python3
"""receipt_vectors.py - writes tests/golden/proof/receipt.txt: salts, commitments and a receipt's body.

usage: tools/receipt_vectors.py >tests/golden/proof/receipt.txt

From docs/formats/receipt.md with Python's standard library alone. The salt is the bytes 0 to 31.
Lines: "salt LABEL INDEX HEX", "commitment LABEL INDEX HEX", "position INDEX HEX", "prompt_pages HEX", "logits HEX", "root HEX",
"parameters JSON", "body JSON", "digest HEX", "vector INDEX HEX", "vectors JSON".
"""
import hashlib
import hmac
import json
import struct

SALT = bytes(range(32))


def sha(data):
    return hashlib.sha256(data).digest()


def derive(label, index):
    info = b"isobit/salt/1/" + label.encode() + b"\0" + struct.pack("<Q", index) + b"\1"
    return hmac.new(SALT, info, "sha256").digest()


def commitment(label, index, data):
    return sha(derive(label, index) + data)


def position(index, token, total, best):
    data = struct.pack("<IQI", token, total, len(best))
    data += b"".join(struct.pack("<II", *pair) for pair in best)
    return sha(b"\0" + derive("position", index) + data)


def ids(values):
    return b"".join(struct.pack("<I", v) for v in values)


def vector(index, tokens, n_first, values):
    data = struct.pack("<II", len(tokens), n_first) + ids(tokens) + struct.pack(f"<{len(values)}f", *values)
    return sha(b"\0" + derive("vector", index) + data)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


PARAMETERS = {
    "bias": [[3, "-inf"], [70000, "0.1"]], "choice": 1, "clock": 1700000000,
    "constraint": {"hash": sha(b"[a-z]+").hex(), "kind": "regex"}, "context": 8192,
    "dry_allowed_length": 2, "dry_base": "1.75", "dry_breakers": [[13], [13, 14]],
    "dry_multiplier": "0", "dry_window": 2 ** 32 - 1, "forced": [], "frequency_penalty": "-0.5",
    "ignore_stops": False, "interface": "run", "max_tokens": 2 ** 32 - 1, "min_p": "0.05",
    "min_tokens": 0, "mirostat": 0, "mirostat_eta": "0.1", "mirostat_tau": "5",
    "order": ["penalties", "dry", "top_k", "typical", "top_p", "min_p", "xtc", "temperature"],
    "penalise_answer": False, "penalty_window": 64, "presence_penalty": "1e-05",
    "repeat_penalty": "1", "stop_texts": ["\n\n"], "stops": [2], "temperature": "0.8", "top_k": 40,
    "top_p": "0.95", "typical_p": "1", "xtc_probability": "0", "xtc_threshold": "0.1",
}


def main():
    for label in ("request", "prompt", "prompt_ids", "output_ids", "position", "page",
                  "prompt_page", "logits", "vector"):
        for index in (0, 1, 2 ** 40 + 3):
            print("salt", label, index, derive(label, index).hex())
    request = commitment("request", 0, b'{"prompt":"Hi"}').hex()
    prompt = commitment("prompt", 0, b"Hi").hex()
    prompt_ids = commitment("prompt_ids", 0, ids([1, 72, 105])).hex()
    output_ids = commitment("output_ids", 0, ids([7, 70000])).hex()
    page = commitment("page", 0, bytes(32)).hex()
    prompt_pages = sha(b"\1" + b"".join(sha(b"\0" + derive("prompt_page", i) + bytes([i] * 32)) for i in (0, 1)))
    for label, value in (("request", request), ("prompt", prompt), ("prompt_ids", prompt_ids),
                         ("output_ids", output_ids), ("page", page)):
        print("commitment", label, 0, value)
    leaves = [position(0, 7, 0, [(7, 0x3f800000), (9, 0)]),
              position(1, 70000, 2 ** 40 + 5, [(i, 0xbf800000 + i) for i in range(16)])]
    for i, leaf in enumerate(leaves):
        print("position", i, leaf.hex())
    root = sha(b"\1" + leaves[0] + leaves[1]).hex()
    logits = sha(b"\1" + b"".join(sha(b"\0" + derive("logits", i) + bytes([7 + i] * 32)) for i in (0, 1))).hex()
    print("logits", logits)
    print("prompt_pages", prompt_pages.hex())
    print("root", root)
    model = {name: sha(name.encode()).hex() for name in ("weights", "metadata", "tokenizer", "template")}
    model["adapters"] = []
    print("parameters", canonical(PARAMETERS))
    body = canonical({
        "model": model, "arithmetic": "exact-1", "device": "8 \u00d7 \"AVX-512\"", "finish_reason": "stop",
        "load": {"memory_bytes": 2 ** 31, "utilisation_permille": 987}, "parameters": PARAMETERS,
        "price": {"amount": "0.00012", "currency": "EUR"}, "request": request,
        "prompt": {"count": 3, "ids": prompt_ids, "pages": prompt_pages.hex(), "text": prompt},
        "output": {"count": 2, "ids": output_ids, "logits": logits, "pages": [page], "root": root},
        "seed": {"by": "requester", "value": str(2 ** 64 - 1)},
        "time": {"started_ms": 1700000000000, "ended_ms": 1700000000123},
    })
    print("body", body)
    print("digest", sha(b"isobit/receipt/1\0" + body.encode()).hex())
    leaves = [vector(0, [101, 7, 102], 0, [0.6, -0.8]), vector(1, [101, 102, 9, 102], 2, [1.0, 0.0])]
    for i, leaf in enumerate(leaves):
        print("vector", i, leaf.hex())
    print("vectors", canonical({
        "arithmetic": "exact-1", "device": "cpu", "interface": "embed",
        "load": {"memory_bytes": 2 ** 31, "utilisation_permille": 987}, "model": model,
        "request": request, "time": {"started_ms": 1700000000000, "ended_ms": 1700000000123},
        "vectors": {"count": 2, "normalized": True, "pooling": "cls",
                    "root": sha(b"\1" + leaves[0] + leaves[1]).hex(), "tokens": 7, "values": 2},
    }))


if __name__ == "__main__":
    main()
