#!/usr/bin/env python3
"""poc_model_vectors.py - the random model by numpy, for tests/unit/poc: writes tests/golden/poc/model.h.

usage: poc_model_vectors.py > tests/golden/poc/model.h
"""
import hashlib

import numpy as np

BLOCK, KEY = "0xb10c", "gonka1key"
N_LOGITS, N_NONCES, LOUD = 300, 64, 16
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


def rounded(x):
    return x.astype(np.float16).astype(np.float32)


def product(x, weight):  # float32 sums of binary16 values, rounded to binary16
    return rounded(x @ weight.astype(np.float32).T)


def norm(x, weight, eps):
    scale = np.float32(1) / np.sqrt(np.mean(x * x, axis=-1, keepdims=True, dtype=np.float32) + np.float32(eps))
    return rounded(rounded(x * scale) * weight.astype(np.float32))


def turns(s):
    n, length = s[0] // s[2], s[10]
    f = (1 / np.float32(s[8]) ** (np.arange(0, n, 2).astype(np.float32) / np.float32(n))).astype(np.float32)
    if s[9]:  # Llama 3.1's scaling
        wave = 2 * np.pi / f
        smooth = (8192 / wave - 1) / 3
        f = np.where(wave < 2048, f, np.where(wave > 8192, f / 8, (1 - smooth) * f / 8 + smooth * f))
    angle = np.outer(np.arange(length, dtype=np.float32), f.astype(np.float32)).astype(np.float32)
    return rounded(np.cos(angle))[:, None, :], rounded(np.sin(angle))[:, None, :]


def turned(x, cosines, sines):
    out = np.empty_like(x)
    out[..., 0::2] = x[..., 0::2] * cosines - x[..., 1::2] * sines
    out[..., 1::2] = x[..., 0::2] * sines + x[..., 1::2] * cosines
    return rounded(out)


def attention(x, w, layer, s):
    length, n_heads, n_kv, n = s[10], s[2], s[3], s[0] // s[2]
    part = lambda name, heads: product(x, w[f"layers.{layer}.attention.{name}.weight"]).reshape(length, heads, n)
    q, k, v = turned(part("wq", n_heads), *turns(s)), turned(part("wk", n_kv), *turns(s)), part("wv", n_kv)
    k, v = np.repeat(k, n_heads // n_kv, axis=1), np.repeat(v, n_heads // n_kv, axis=1)
    scores = rounded(np.einsum("thi,shi->hts", q, k).astype(np.float32))
    scores = rounded(scores * np.float32(1 / np.float32(np.sqrt(n))))
    scores = scores + np.triu(np.full((length, length), -np.inf, np.float32), 1)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = rounded(e / e.sum(axis=-1, keepdims=True))
    mixed = rounded(np.einsum("hts,shi->thi", shares, v).astype(np.float32))
    return product(mixed.reshape(length, s[0]), w[f"layers.{layer}.attention.wo.weight"])


def forward(s, w, nonce):
    x = halves(rng_of(f"{BLOCK}_{KEY}_nonce{nonce}", 4).standard_normal((s[10], s[0]))).astype(np.float32)
    for i in range(s[1]):
        x = rounded(x + attention(norm(x, w[f"layers.{i}.attention_norm.weight"], s[7]), w, i, s))
        y = norm(x, w[f"layers.{i}.ffn_norm.weight"], s[7])
        gate = product(y, w[f"layers.{i}.feed_forward.w1.weight"])
        gate = rounded(gate / (np.float32(1) + np.exp(-gate)))
        y = rounded(gate * product(y, w[f"layers.{i}.feed_forward.w3.weight"]))
        x = rounded(x + product(y, w[f"layers.{i}.feed_forward.w2.weight"]))
    return product(norm(x[-1], w["norm.weight"], s[7]), w["output.weight"])


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
    print(f'#define MODEL_BLOCK "{BLOCK}"\n#define MODEL_KEY "{KEY}"\n#define MODEL_LOUD {LOUD}\n')
    print("static const struct model_case {\n    struct poc_params params;\n    double fraction;\n"
          "    uint64_t n_values;\n    const char *weights; /* all tensors, in order */\n"
          "    const char *input;   /* of nonce 5 */\n"
          f"    double distances[{N_NONCES // 4}];\n"
          f"    double loud[{N_NONCES}]; /* weights times MODEL_LOUD: layers add as much as they find */\n}} MODEL_CASES[] = {{")
    for s in SETS:
        w = weights(s)
        flat = np.concatenate([v.ravel() for v in w.values()])
        noise = halves(rng_of(f"{BLOCK}_{KEY}_nonce5", 4).standard_normal((1, s[10], s[0])))
        print(f'    {{{c_set(s)}, {flat.size},\n     "{digest(flat)}",\n     "{digest(noise)}",\n     {{')
        loud = {name: v * np.float16(LOUD) for name, v in w.items()}
        cells = [f"{distance(forward(s, w, n), n):.9f}" for n in range(N_NONCES // 4)]
        print("\n".join("      " + ", ".join(cells[i : i + 7]) + "," for i in range(0, len(cells), 7)))
        print("     },\n     {")
        cells = [f"{distance(forward(s, loud, n), n):.9f}" for n in range(N_NONCES)]
        print("\n".join("      " + ", ".join(cells[i : i + 7]) + "," for i in range(0, N_NONCES, 7)))
        print("     }},")
    print("};\n\n/* Logits (i * 7919 % 1000 - 500) / 64 for nonces 0, 1, ... */")
    logits = np.array([(i * 7919 % 1000 - 500) / 64 for i in range(N_LOGITS)], np.float32)
    cells = [distance(logits, n).hex() for n in range(8)]
    print(f"enum {{ MODEL_LOGITS = {N_LOGITS} }};\nstatic const double MODEL_DISTANCES[] = {{")
    for i in range(0, 8, 4):
        print("    " + ", ".join(cells[i : i + 4]) + ",")
    print("};")


if __name__ == "__main__":
    main()
