#!/usr/bin/env python3
"""poc_artifact_vectors.py - version 2's numbers by numpy, for tests/unit/poc/test_artifact.c.

usage: poc_artifact_vectors.py > tests/golden/poc/artifact.h

Twice: as the reference computes them, with float32 functions of numpy, and by the exact arithmetic
(docs/arithmetic.md, R1, R2 and R4), operation by operation in float32.
"""
import hashlib
import textwrap

import numpy as np

F = np.float32
CASES = [  # block, key, nonce, rows, width, k, stronger
    ("TEST_BLOCK", "test_pub_keys", 0, 4, 1024, 12, False),
    ("TEST_BLOCK", "test_pub_keys", 7, 5, 96, 12, True),
    ("0xb10c", "gonka1key", 123456789012, 3, 2048, 12, False),
    ("0xb10c", "gonka1key", 5, 1, 77, 5, True),
    ("b", "k", 1, 2, 12, 12, False),
    ("b", "k", 2, 9, 300, 1, True),
]
N_SHOWN = 24


def words(text):
    return [int.from_bytes(hashlib.sha256(text.encode()).digest()[i:i + 4], "big") for i in range(0, 32, 4)]


def murmur(keys, seed):
    with np.errstate(over="ignore"):
        u = np.uint32
        k = keys.astype(u) * u(0xCC9E2D51)
        k = (k << u(15) | k >> u(17)) * u(0x1B873593)
        h = u(seed) ^ k
        h = (h << u(13) | h >> u(19)) * u(5) + u(0xE6546B64)
        h = (h ^ h >> u(16)) * u(0x85EBCA6B)
        h = (h ^ h >> u(13)) * u(0xC2B2AE35)
        return h ^ h >> u(16)


# ---- the reference's way -------------------------------------------------------------------------

def normals_like(seed, n):
    half = (n + 1) // 2
    u = murmur(np.arange(2 * half), seed).astype(F) / F(4294967296.0)
    r = np.sqrt(F(-2) * np.log(np.maximum(u[:half], F(1e-10))))
    angle = F(2 * np.pi) * u[half:]
    return np.concatenate([r * np.cos(angle), r * np.sin(angle)])[:n]


def unit_like(v):
    return v / F(np.sqrt(np.sum(v * v, dtype=F)))


def artifact_like(case, x, dims):
    block, key, nonce, _, _, k, _ = case
    y = (x / (F(np.linalg.norm(x)) + F(1e-8)))[dims]
    for j in range(k - 1):
        v = unit_like(normals_like(words(f"{block}_{key}_nonce_{nonce}_haar_hh_{k}_{j}")[0], k))
        y = y - F(2) * np.sum(y * v, dtype=F) * v
    return y / (F(np.linalg.norm(y)) + F(1e-8))


# ---- the exact arithmetic ------------------------------------------------------------------------

def hex32(text):
    return F(float.fromhex(text))


LOG2 = [hex32(t) for t in ("-0x1.cebec6p-4", "0x1.80ab4ap-3", "-0x1.865fecp-3", "0x1.a265f4p-3", "-0x1.eac696p-3",
                           "0x1.2782e6p-2", "-0x1.715a68p-2", "0x1.ec7080p-2", "-0x1.715470p-1", "0x1.715476p+0")]


def log2(x):
    bits = x.view(np.uint32)
    e = (bits - np.uint32(0x3F3504F3)) & np.uint32(0xFF800000)
    t = (bits - e).view(F) - F(1)
    p = np.full_like(t, LOG2[0])
    for c in LOG2[1:]:
        p = p * t + c
    return (e.view(np.int32) >> 23).astype(F) + p * t


def rsqrt(x):
    x = np.asarray(x, F).reshape(-1)
    y, half = (np.uint32(0x5F375A86) - (x.view(np.uint32) >> np.uint32(1))).view(F), F(0.5) * x
    for _ in range(3):
        y = y * (F(1.5) - half * y * y)
    return y


def lane_sum(terms):
    lanes = np.zeros(256, F)
    for i in range(0, len(terms), 256):
        part = terms[i:i + 256]
        lanes[:len(part)] = lanes[:len(part)] + part
    s = 128
    while s:
        lanes[:s] = lanes[:s] + lanes[s:2 * s]
        s //= 2
    return lanes[0]


def normals(seed, n):
    half = (n + 1) // 2
    w = murmur(np.arange(2 * half), seed)
    with np.errstate(over="ignore"):
        u = np.maximum(w[:half].astype(F) * F(2.0 ** -32), F(1e-10))
        s = log2(u) * hex32("-0x1.62e430p+0")
        r = np.where(s > F(2.0 ** -100), s * rsqrt(np.maximum(s, F(2.0 ** -99))), F(0))
    turns = w[half:].astype(F).astype(np.longdouble) / np.longdouble(2.0 ** 32)
    angle = turns * (2 * np.arctan2(np.longdouble(0), np.longdouble(-1)))
    wave = [np.floor(f(angle) * np.longdouble(2.0 ** 30)).astype(np.int64).astype(F) * F(2.0 ** -30)
            for f in (np.cos, np.sin)]
    return np.concatenate([r * wave[0], r * wave[1]])[:n]


def unit(v):
    return v * rsqrt(lane_sum(v * v))


def half_rounded(x):
    return x.astype(np.float16).astype(F)


def in_order(case, index):
    block, key, nonce, _, n, k, _ = case
    scores = murmur(np.arange(n), words(f"{block}_{key}_nonce_{nonce}_pick_{k}")[0])
    dims = np.argsort(scores, kind="stable")[:k]
    return np.concatenate([np.sort(dims[:-1]), dims[-1:]]) if index else dims


def artifact(case, x, dims):
    block, key, nonce, _, _, k, _ = case
    y = (x * rsqrt(lane_sum(x * x)))[dims]
    for j in range(k - 1):
        v = unit(normals(words(f"{block}_{key}_nonce_{nonce}_haar_hh_{k}_{j}")[0], k))
        y = y - F(2) * lane_sum(v * y) * v
    return unit(y).astype(np.float16)


def inputs(case, fn):
    block, key, nonce, rows, width, _, stronger = case
    n, seeds = rows * width, words(f"{block}_{key}_nonce{nonce}")
    if not stronger:
        return fn(seeds[0], n)
    segment = (n + 7) // 8
    return np.concatenate([fn(s, min(segment, n - i * segment)) for i, s in enumerate(seeds) if i * segment < n])


def numbers(values, form):
    text = "{" + ", ".join(form(v) for v in values) + "}"
    return textwrap.fill(text, 92, subsequent_indent=" " * 7)


def main():
    print("/* artifact.h - made by tools/poc_artifact_vectors.py: numbers of version 2 by numpy. */")
    print("""static const struct artifact_case {
    const char *block, *key;
    uint64_t nonce;
    uint32_t n_rows, n, k;
    bool stronger;
    float inputs[24], mirror[24];        /* some, as the reference computes them */
    const char *inputs_hash, *mirror_hash; /* all, by the exact arithmetic */
    struct {
        uint32_t dims[12];
        float vector[12];
        uint16_t halves[12];
    } by[2]; /* by order: index, score */
} ARTIFACT_CASES[] = {""")
    for case in CASES:
        block, key, nonce, rows, width, k, stronger = case
        like, exact = inputs(case, normals_like), half_rounded(inputs(case, normals))
        v = words(f"{block}_layer_3_householder")[0]
        mirror_like, mirror = unit_like(normals_like(v, width)), half_rounded(unit(normals(v, width)))
        x = (murmur(np.arange(width), 9).astype(np.int64) % 2001 - 1000).astype(F) / F(64)
        print(f'    {{"{block}", "{key}", {nonce}u, {rows}, {width}, {k}, {"true" if stronger else "false"},')
        at = [int(i) for i in np.linspace(0, rows * width - 1, N_SHOWN)]
        print("     " + numbers([like[i] for i in at], lambda f: f"{float(f):.9g}f") + ",")
        print("     " + numbers([mirror_like[int(i)] for i in np.linspace(0, width - 1, N_SHOWN)],
                                lambda f: f"{float(f):.9g}f") + ",")
        for array in (exact, mirror):
            print(f'     "{hashlib.sha256(array.astype("<f4").tobytes()).hexdigest()}",')
        print("     {")
        for index in (True, False):
            dims = in_order(case, index)
            halves = artifact(case, x, dims)
            print("     {" + numbers(dims, str) + ",")
            print("      " + numbers(artifact_like(case, x, dims), lambda f: f"{float(f):.9g}f") + ",")
            print("      " + numbers(halves.view(np.uint16), lambda h: f"0x{h:04x}") + "},")
        print("     }},")
    print("};")


if __name__ == "__main__":
    main()
