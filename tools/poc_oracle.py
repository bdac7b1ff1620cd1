#!/usr/bin/env python3
"""poc_oracle.py - distances of the chain's parameter sets by numpy: the oracle of the compatible profile.

usage: poc_oracle.py SET FIRST COUNT [BATCH]     prints "nonce distance" lines, block and key "test"

Products are summed in float32 by numpy's BLAS and rounded to binary16 where the reference's PyTorch rounds:
the steps are those of poc_model_vectors.py, for many nonces at once. The pool's views are its weights, so
mainnet needs about 4 GiB. A line is printed as soon as it is known; what is stored under tests/golden/poc/
was made by this, on one machine, with numpy alone.
"""
import hashlib
import math
import sys

import numpy as np

import poc_model_vectors
from poc_model_vectors import norm, product, rng_of, rounded, shapes, turned, turns

try:  # numpy rounds to binary16 by software: half of the time, where numba is not installed
    import numba

    @numba.vectorize(["int32(int32)"])
    def cut(bits):  # a carry may move into the exponent
        return np.int32((bits + np.int32((bits >> 13) & 1) + np.int32(0xFFF)) & np.int32(~0x1FFF))

    @numba.vectorize(["float32(float32, float32)"])
    def choose(x, large):  # below 2^-14: steps of 2^-24
        small = np.float32(np.float32(abs(x) + np.float32(0.5)) - np.float32(0.5))
        return np.float32(math.copysign(small, x)) if abs(x) < np.float32(2**-14) else large

    def round_by_bits(x):
        x = np.ascontiguousarray(x)
        return choose(x, cut(x.view(np.int32)).view(np.float32))

    h = np.arange(0x7BFF, dtype=np.uint16).view(np.float16).astype(np.float32)
    m = (h[1:] + h[:-1]) / 2
    for each in (h, m, np.nextafter(m, np.float32(0)), np.nextafter(m, np.float32(1e9))):
        assert (round_by_bits(-each).view(np.uint32) == rounded(-each).view(np.uint32)).all()
        assert (round_by_bits(each).view(np.uint32) == rounded(each).view(np.uint32)).all()
    rounded = poc_model_vectors.rounded = round_by_bits
except ImportError:
    pass

BLOCK = KEY = "test"
FRACTION, CHUNK = 0.05, 1 << 24
SETS = {  # dim, layers, heads, kv heads, vocabulary, multiplier, multiple, eps, theta, scaled, length
    "testnet": (1024, 32, 32, 32, 8196, 10.0, 2048, 1e-5, 10000.0, False, 128),
    "mainnet": (1792, 64, 64, 64, 8196, 10.0, 8192, 1e-5, 10000.0, False, 256),
    "test": (128, 16, 16, 16, 128, 16.0, 1024, 1e-5, 500000.0, False, 4),
}


def pool_weights(s):
    total = sum(int(np.prod(shape)) for _, shape in shapes(s))
    size, rng = max(50000, int(total * FRACTION)), rng_of(BLOCK, 4)
    pool = np.empty(size, np.float16)
    for at in range(0, size, CHUNK):
        n = min(CHUNK, size - at)
        pool[at : at + n] = rng.normal(0, 0.02, n).astype(np.float32)
    out = {}
    for name, shape in shapes(s):
        n = int(np.prod(shape))
        assert n <= size
        start = int(hashlib.sha256(f"{BLOCK}_{name}".encode()).hexdigest()[:8], 16) % (size - n + 1)
        out[name] = pool[start : start + n].reshape(shape)
    return out


def product_by_parts(x, weight, rows=4096):
    """As product, with no more than `rows` rows of the weights widened at once."""
    return np.concatenate([product(x, weight[i : i + rows]) for i in range(0, len(weight), rows)], axis=1)


def attention(x, w, name, s, n_nonces):
    length, n_heads, n = s[10], s[2], s[0] // s[2]
    part = lambda p: product_by_parts(x, w[f"{name}.{p}.weight"]).reshape(n_nonces, length, n_heads, n)
    cosines, sines = turns(s)
    q, k, v = turned(part("wq"), cosines, sines), turned(part("wk"), cosines, sines), part("wv")
    q, k, v = (np.ascontiguousarray(m.transpose(0, 2, 1, 3)) for m in (q, k, v))
    scores = rounded(q @ k.transpose(0, 1, 3, 2))
    scores = rounded(scores * np.float32(1 / np.float32(np.sqrt(n))))
    scores += np.triu(np.full((length, length), -np.inf, np.float32), 1)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = rounded(rounded(e / e.sum(axis=-1, keepdims=True)) @ v)
    return product_by_parts(mixed.transpose(0, 2, 1, 3).reshape(-1, s[0]), w[f"{name}.wo.weight"])


def feed_forward(x, w, name):
    gate = product_by_parts(x, w[f"{name}.w1.weight"])
    gate = rounded(gate / (np.float32(1) + np.exp(-gate)))
    gate *= product_by_parts(x, w[f"{name}.w3.weight"])
    return product_by_parts(rounded(gate), w[f"{name}.w2.weight"], 256)


def distances(s, w, nonces):
    length, dim = s[10], s[0]
    draw = lambda n: rng_of(f"{BLOCK}_{KEY}_nonce{n}", 4).standard_normal((length, dim))
    x = np.concatenate([rounded(draw(n).astype(np.float32)) for n in nonces])
    for i in range(s[1]):
        h = norm(x, w[f"layers.{i}.attention_norm.weight"], s[7])
        x = rounded(x + attention(h, w, f"layers.{i}.attention", s, len(nonces)))
        if i + 1 == s[1]:  # nobody reads more of the last layer
            x = x[length - 1 :: length]
        h = norm(x, w[f"layers.{i}.ffn_norm.weight"], s[7])
        x = rounded(x + feed_forward(h, w, f"layers.{i}.feed_forward"))
    logits = product(norm(x, w["norm.weight"], s[7]), w["output.weight"])
    target = rng_of(f"{BLOCK}_target", 1).standard_normal(s[4])
    target /= np.linalg.norm(target)
    for n, row in zip(nonces, logits):
        o = row[rng_of(f"{BLOCK}_{KEY}_nonce_{n}_permutations", 1).permutation(s[4])]
        yield float(np.linalg.norm((o / np.linalg.norm(o)).astype(np.float64) - target))


def main():
    name, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    batch = int(sys.argv[4]) if len(sys.argv) > 4 else 4
    s = SETS[name]
    w = pool_weights(s)
    for at in range(first, first + count, batch):
        nonces = range(at, min(at + batch, first + count))
        for n, d in zip(nonces, distances(s, w, nonces)):
            print(n, f"{d:.9f}", flush=True)


if __name__ == "__main__":
    main()
