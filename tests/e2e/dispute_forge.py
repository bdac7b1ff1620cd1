"""dispute_forge.py - a party that lies: a receipt altered together with its bundle, and signed anew.

usage: dispute_forge.py FROM TO CHANGE...
  page=K    the hash of the answer's page K      logit=K   a logit of record K
  sum=K     its sum                              token=K   the token, and nothing of its logits
  cut=N     the answer ends after N tokens       seed=N    another seed
  request=FILE  it answered another request
  hide=PART the bundle lacks it                  loose=K   page K of the bundle alone
  prompt=K  the hash of the prompt's page K      all=K     the hash of all logits of record K
Bytes as docs/formats/receipt.md has them; Ed25519 as RFC 8032 writes it.
"""
import hashlib
import hmac
import json
import struct
import sys

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Y = 4 * pow(5, -1, P) % P
BASE = (15112221349535400772501151409588531511454012693041857206046113283949847762202, Y)


def plus(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def times(k, point):
    out = (0, 1)
    while k:
        if k & 1:
            out = plus(out, point)
        point, k = plus(point, point), k >> 1
    return out


def packed(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def sign(seed, message):
    h = hashlib.sha512(seed).digest()
    a = (int.from_bytes(h[:32], "little") & (2**254 - 8)) | 2**254
    key, r = packed(times(a, BASE)), number(h[32:], message) % ORDER
    big_r = packed(times(r, BASE))
    s = (r + number(big_r, key, message) * a) % ORDER
    return key.hex(), (big_r + s.to_bytes(32, "little")).hex()


def sha(data):
    return hashlib.sha256(data).digest()


def tree(leaves):
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha(b"")
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def flipped(text, at):
    data = bytearray.fromhex(text)
    data[at] ^= 1
    return data.hex()


def change(body, bundle, name, value):
    records, k = bundle["positions"], int(value) if value.isdigit() else value
    if name in ("page", "loose"):
        bundle["pages"][k] = flipped(bundle["pages"][k], 5)
    elif name == "prompt":
        bundle["prompt_pages"][k] = flipped(bundle["prompt_pages"][k], 5)
    elif name == "all":
        bundle["logits"][k] = flipped(bundle["logits"][k], 5)
    elif name == "logit":
        records[k] = flipped(records[k], 4 + 8 + 4 + 4)
    elif name == "sum":
        records[k] = flipped(records[k], 4)
    elif name == "token":
        bundle["output_ids"][k] ^= 1
        records[k] = flipped(records[k], 0)
    elif name == "cut":
        del records[k:], bundle["output_ids"][k:], bundle.get("logits", [])[k:]
        base = len(bundle["prompt_ids"])
        del bundle["pages"][max(0, (base + k - 1) // 64 - base // 64):]
    elif name == "seed":
        body["seed"]["value"] = value
    elif name == "request":
        with open(value, encoding="utf-8", newline="") as f:
            bundle["request"] = f.read()
    elif name == "hide":
        del bundle[k]
    else:
        sys.exit(f"no change {name}")


def commit(body, bundle):
    salt = bytes.fromhex(bundle["salt"])

    def salted(label, index, data, prefix=b""):
        info = b"isobit/salt/1/" + label.encode() + b"\0" + struct.pack("<Q", index) + b"\1"
        return sha(prefix + hmac.new(salt, info, "sha256").digest() + data)

    body["request"] = salted("request", 0, bundle["request"].encode()).hex()
    output, ids = body["output"], bundle["output_ids"]
    output["count"] = len(ids)
    output["ids"] = salted("output_ids", 0, struct.pack(f"<{len(ids)}I", *ids)).hex()
    output["pages"] = [salted("page", i, bytes.fromhex(p)).hex() for i, p in enumerate(bundle["pages"])]
    prompt, prompt_ids = body["prompt"], bundle["prompt_ids"]
    prompt["count"] = len(prompt_ids)
    prompt["ids"] = salted("prompt_ids", 0, struct.pack(f"<{len(prompt_ids)}I", *prompt_ids)).hex()
    prompt["text"] = salted("prompt", 0, bundle["prompt"].encode()).hex()
    prompt["pages"] = tree([salted("prompt_page", i, bytes.fromhex(p), b"\0")
                            for i, p in enumerate(bundle["prompt_pages"])]).hex()
    if "logits" in bundle:
        output["logits"] = tree([salted("logits", i, bytes.fromhex(h), b"\0")
                                 for i, h in enumerate(bundle["logits"])]).hex()
    output["root"] = tree([salted("position", i, bytes.fromhex(r), b"\0")
                           for i, r in enumerate(bundle["positions"])]).hex()


def main():
    source, to, *changes = sys.argv[1:]
    with open(source, encoding="utf-8") as f:
        body = json.load(f)["body"]
    with open(source + ".bundle", encoding="utf-8") as f:
        bundle = json.load(f)
    changes = [c.split("=") for c in changes]
    for c in changes:
        if c[0] not in ("hide", "loose"):
            change(body, bundle, *c)
    commit(body, bundle)
    for c in changes:
        if c[0] in ("hide", "loose"):
            change(body, bundle, *c)
    key, signature = sign(sha(to.encode()), b"isobit/receipt/1\0" + canonical(body).encode())
    signed = {"body": body, "key": key, "kind": "receipt", "signature": signature}
    for path, value in ((to, signed), (to + ".bundle", bundle)):
        with open(path, "w", encoding="utf-8") as f:
            f.write(canonical(value))


if __name__ == "__main__":
    main()
