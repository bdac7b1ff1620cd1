#!/usr/bin/env python3
"""poc_model_vectors.py - the random model by numpy, for tests/unit/poc: writes tests/golden/poc/model.h.

usage: poc_model_vectors.py > tests/golden/poc/model.h
"""
import hashlib

import numpy as np

BLOCK, KEY = "0xb10c", "gonka1key"
N_LOGITS = 300
# dim, layers, heads, kv heads, vocabulary, multiplier, multiple, eps, theta, scaled, length; pool fraction
SETS = [
    (96, 2, 4, 2, 80, 4.0, 64, 1e-5, 10000.0, False, 9, 0.05),  # w1..w3 are longer than the pool
    (96, 2, 4, 2, 80, 4.0, 64, 1e-5, 10000.0, False, 9, 0.2),
    (112, 3, 4, 4, 64, 1.3, 96, 1e-5, 500000.0, True, 16, 0.05),  # heads of 28
    (64, 2, 4, 1, 50, 2.0, 32, 1e-5, 10000.0, False, 5, 0.0),  # in sequence
]


def rng_of(text, n):
    words = b"".join(hashlib.sha256(f"{text}_{i}".encode()).digest() for i in range(n))
    return np.random.default_rng(np.random.SeedSequence([int(w) for w in np.frombuffer(words, "<u4")]))


def halves(values):
    return values.astype(np.float32).astype(np.float16)


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def ffn_dim(s):
    wide = int(s[5] * int(2 * (4 * s[0]) / 3))
    return s[6] * ((wide + s[6] - 1) // s[6])


def shapes(s):
    dim, n_layers, n_heads, n_kv, vocab = s[:5]
    kv, ffn = n_kv * dim // n_heads, ffn_dim(s)
    yield "tok_embeddings.weight", (vocab, dim)
    for i in range(n_layers):
        for name, shape in (("attention.wq", (dim, dim)), ("attention.wk", (kv, dim)),
                            ("attention.wv", (kv, dim)), ("attention.wo", (dim, dim)),
                            ("feed_forward.w1", (ffn, dim)), ("feed_forward.w2", (dim, ffn)),
                            ("feed_forward.w3", (ffn, dim)), ("attention_norm", (dim,)),
                            ("ffn_norm", (dim,))):
            yield f"layers.{i}.{name}.weight", shape
    yield "norm.weight", (dim,)
    yield "output.weight", (vocab, dim)


def weights(s):
    fraction, rng = s[11], rng_of(BLOCK, 4)
    if fraction == 0:
        return {name: halves(rng.normal(0, 0.02, shape)) for name, shape in shapes(s)}
    total = sum(int(np.prod(shape)) for _, shape in shapes(s))
    pool = halves(rng.normal(0, 0.02, max(50000, int(total * fraction))))
    out = {}
    for name, shape in shapes(s):
        n = int(np.prod(shape))
        start = int(hashlib.sha256(f"{BLOCK}_{name}".encode()).hexdigest()[:8], 16)
        if n <= pool.size:
            start %= pool.size - n + 1
            values = pool[start : start + n]
        else:
            tiled = np.concatenate([pool] * (n // pool.size) + [pool[: n % pool.size]])
            values = np.roll(tiled, -(start % n))
        out[name] = values.reshape(shape)
    return out


def distance(logits, nonce):
    order = rng_of(f"{BLOCK}_{KEY}_nonce_{nonce}_permutations", 1).permutation(logits.size)
    target = rng_of(f"{BLOCK}_target", 1).standard_normal(logits.size)
    o = logits[order]
    o = o / np.linalg.norm(o)
    return float(np.linalg.norm(o.astype(np.float64) - target / np.linalg.norm(target)))


def c_set(s):
    return (f"{{{s[0]}, {s[1]}, {s[2]}, {s[3]}, {s[4]}, {s[5]}, {s[6]}, {s[7]}, {s[8]}, "
            f"{'true' if s[9] else 'false'}, {s[10]}}}, {s[11]}")


def main():
    print("/* model.h - made by tools/poc_model_vectors.py with numpy. */")
    print(f'#define MODEL_BLOCK "{BLOCK}"\n#define MODEL_KEY "{KEY}"\n')
    print("static const struct model_case {\n    struct poc_params params;\n    double fraction;\n"
          "    uint64_t n_values;\n    const char *weights; /* all tensors, in order */\n"
          "    const char *input;   /* of nonce 5 */\n} MODEL_CASES[] = {")
    for s in SETS:
        w = weights(s)
        flat = np.concatenate([v.ravel() for v in w.values()])
        noise = halves(rng_of(f"{BLOCK}_{KEY}_nonce5", 4).standard_normal((1, s[10], s[0])))
        print(f'    {{{c_set(s)}, {flat.size},\n     "{digest(flat)}",\n     "{digest(noise)}"}},')
    print("};\n\n/* Logits (i * 7919 % 1000 - 500) / 64 for nonces 0, 1, ... */")
    logits = np.array([(i * 7919 % 1000 - 500) / 64 for i in range(N_LOGITS)], np.float32)
    cells = [distance(logits, n).hex() for n in range(8)]
    print(f"enum {{ MODEL_LOGITS = {N_LOGITS} }};\nstatic const double MODEL_DISTANCES[] = {{")
    for i in range(0, 8, 4):
        print("    " + ", ".join(cells[i : i + 4]) + ",")
    print("};")


main()
