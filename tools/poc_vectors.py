#!/usr/bin/env python3
"""poc_vectors.py - what numpy draws, for tests/unit/poc: writes tests/golden/poc/chain.h.

usage: poc_vectors.py > tests/golden/poc/chain.h
"""
import hashlib

import numpy as np

TEXTS = [("test", 4), ("test_target", 1), ("0xabc_gonka1key_nonce7", 4), ("", 2), ("é", 3)]
SIZES = [1, 2, 3, 16, 17, 128, 1000, 8196, 65536]
N_RAWS, N_NORMALS, N_HALVES, AHEAD = 6, 100000, 3000000, 10**30 + 7


def rng_of(text, n):
    words = b"".join(hashlib.sha256(f"{text}_{i}".encode()).digest() for i in range(n))
    entropy = [int(w) for w in np.frombuffer(words, "<u4")]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def state(rng):
    s = rng.bit_generator.state["state"]
    return ", ".join(f"0x{v >> 64:016x}u, 0x{v & (2**64 - 1):016x}u" for v in (s["state"], s["inc"]))


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def halves(rng, n):
    return rng.normal(0, 0.02, n).astype("<f4").astype("<f2")


def main():
    print("/* chain.h - made by tools/poc_vectors.py with numpy. */")
    print("static const struct chain_case {")
    print("    const char *text;\n    int n_hashes;\n    uint64_t seeded[4], raws[%d], ahead[4], after[4];" % N_RAWS)
    print("    const char *normals, *halves;\n} CHAIN_CASES[] = {")
    for text, n in TEXTS:
        literal = "".join(chr(b) if b < 128 else f"\\x{b:02x}" for b in text.encode())
        rng = rng_of(text, n)
        print(f'    {{"{literal}", {n},\n     {{{state(rng)}}},')
        raws = [f"0x{int(v):016x}u" for v in rng.bit_generator.random_raw(N_RAWS)]
        print("     {%s,\n      %s}," % (", ".join(raws[:3]), ", ".join(raws[3:])))
        rng.bit_generator.advance(AHEAD)
        print("     {%s}," % state(rng))
        rng = rng_of(text, n)
        normals = digest(rng.standard_normal(N_NORMALS))
        print("     {%s}," % state(rng))
        print(f'     "{normals}",\n     "{digest(halves(rng_of(text, n), N_HALVES))}"}},')
    print("};\n\nstatic const struct order_case {\n    uint32_t n;\n    const char *digest; /* int64 */\n} ORDER_CASES[] = {")
    for size in SIZES:
        print(f'    {{{size}, "{digest(rng_of("order", 1).permutation(size).astype("<i8"))}"}},')
    print("};")


main()
