#!/usr/bin/env python3
"""log_vectors.py - writes tests/golden/proof/log.txt: leaves, signed heads and proofs of a small log.

usage: tools/log_vectors.py >tests/golden/proof/log.txt

From docs/formats/receipt.md, RFC 6962 and RFC 8032 with Python's standard library alone. The key is
that of RFC 8032's first test; receipt I is named by the SHA-256 of "receipt I". Epoch 1 has heads of 3
and 5 receipts, epoch 2 one of 1. Lines: "name I HEX", "leaf I HEX", "head EPOCH COUNT TEXT", "called
EPOCH COUNT HEX", "inclusion INDEX COUNT HEX...", "consistency OLD COUNT HEX...".
"""
import hashlib
import json

from merkle_vectors import path, root, sha, subproof

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")

# Ed25519 as RFC 8032, section 6, writes it.
P = 2 ** 255 - 19
Q = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def sha512(data):
    return hashlib.sha512(data).digest()


def add(a, b):
    x, y = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, d - c, d + c, y + x
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(s, point):
    out = (0, 1, 1, 0)
    while s:
        if s & 1:
            out = add(out, point)
        point, s = add(point, point), s >> 1
    return out


def base():
    y = 4 * pow(5, P - 2, P) % P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 else x
    return x, y, 1, x * y % P


def compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def sign(seed, message):
    h = sha512(seed)
    a = int.from_bytes(h[:32], "little") & (1 << 254) - 8 | 1 << 254
    public = compress(multiply(a, base()))
    r = int.from_bytes(sha512(h[32:] + message), "little") % Q
    point = compress(multiply(r, base()))
    k = int.from_bytes(sha512(point + public + message), "little") % Q
    return public, point + ((r + k * a) % Q).to_bytes(32, "little")


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def head(epoch, names, time, previous=None):
    body = {"count": len(names), "epoch": epoch, "root": root(names).hex(), "time": time}
    if previous:
        body["previous"] = previous.hex()
    signed = b"isobit/head/1\0" + canonical(body)
    key, signature = sign(SEED, signed)
    text = canonical({"body": body, "key": key.hex(), "kind": "head", "signature": signature.hex()})
    print("head", epoch, len(names), text.decode())
    print("called", epoch, len(names), sha(signed).hex())
    return sha(signed)


def main():
    names = [sha(b"receipt %d" % i) for i in range(6)]
    for i, name in enumerate(names):
        print("name", i, name.hex())
        print("leaf", i, sha(b"\0" + name).hex())
    head(1, names[:3], 1700000000)
    last = head(1, names[:5], 1700000001)
    head(2, names[5:], 1700000002, last)
    for i in range(5):
        print("inclusion", i, 5, *(h.hex() for h in path(i, names[:5])))
    print("consistency", 3, 5, *(h.hex() for h in subproof(3, names[:5], True)))


if __name__ == "__main__":
    main()
