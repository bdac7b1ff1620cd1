#!/usr/bin/env python3
"""sampler_vectors.py - writes tests/golden/engine/sampler.txt: tokens chosen by an independent
implementation of the sampler (src/engine/sampler.h) in numpy float32 and Python integers.

usage: tools/sampler_vectors.py > tests/golden/engine/sampler.txt
"""
import numpy as np

F = np.float32
M64 = (1 << 64) - 1
LOG2_E = F(float.fromhex("0x1.715476p+0"))


def splitmix(state):
    state = (state + 0x9E3779B97F4A7C15) & M64
    z = state
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & M64
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & M64
    return state, z ^ z >> 31


def logits_of(seed, n, spread):
    """spread * uniform[-1, 1), cubed: a few likely tokens and a long tail."""
    out = np.empty(n, F)
    for i in range(n):
        seed, z = splitmix(seed)
        hi = z >> 32
        x = F(np.int32(hi - (1 << 32) if hi >> 31 else hi)) * F(2.0**-31)
        out[i] = x * x * x * F(spread)
    return out


def exp2(x):
    x = np.minimum(np.maximum(F(x), F(-126)), F(127)).astype(F)
    magic = F(float.fromhex("0x1.8p23"))
    n = (x + magic) - magic
    f = x - n
    p = np.full_like(x, F(float.fromhex("0x1.5bba14p-10")))
    for c in ["0x1.3cea88p-7", "0x1.c6b752p-5", "0x1.ebf9bcp-3", "0x1.62e42ap-1", "0x1p0"]:
        p = p * f + F(float.fromhex(c))
    return np.where(n < -125, F(0), p * (2.0**n).astype(F)).astype(F)


def recip(x):
    bits = int(np.array([abs(F(x))], F).view(np.uint32)[0])
    y = np.array([0x7EF311C3 - bits], np.uint32).view(F)[0]
    for _ in range(3):
        y = y + y * (F(1) - F(x) * y)
    return y


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def weights(logit):
    below = (logit - logit.max()).astype(F)
    return [int(w * 2.0**40) for w in exp2(below * LOG2_E).astype(float)]


def keep_mass(order, w, p):
    total, wanted, acc, kept = sum(w), int(float(F(p)) * 2**40), 0, []
    for i in order:
        if kept and (acc << 40) >= wanted * total:
            break
        acc += w[i]
        kept.append(i)
    return sorted(kept)


def choose(p, logits, tokens):
    ids = np.arange(len(logits))
    l = logits.copy()

    def penalties():
        if p["repeat"] == 1 and p["freq"] == 0 and p["pres"] == 0:
            return
        r, rr = F(p["repeat"]), recip(p["repeat"])
        window = tokens[-p["window"]:] if p["window"] else []
        for j, t in enumerate(ids):
            times = window.count(int(t))
            if times:
                x = l[j] * rr if l[j] > 0 else l[j] * r
                l[j] = (x - F(times) * F(p["freq"])) - F(p["pres"])

    if p["t"] == 0:
        penalties()
        return int(ids[np.argmax(l)])
    for stage in p["order"]:
        if stage == "penalties":
            penalties()
            continue
        if stage == "temperature":
            l = (l - l.max()) * recip(p["t"])
            continue
        kept = list(range(len(ids)))
        by_logit = sorted(kept, key=lambda i: (-l[i], ids[i]))
        if stage == "top_k" and p["top_k"]:
            kept = sorted(by_logit[:p["top_k"]])
        elif stage == "top_p" and p["top_p"] < 1:
            kept = keep_mass(by_logit, weights(l), p["top_p"])
        elif stage == "min_p":
            least, w = int(float(F(p["min_p"])) * 2**40), weights(l)
            kept = [i for i in kept if w[i] >= least]
        elif stage == "typical" and p["typical"] < 1:
            w = weights(l)
            bits = np.minimum((l - l.max()).astype(F) * -LOG2_E, F(126)).astype(float)
            s = [int(b * 65536) for b in bits]
            mean = sum(a * b for a, b in zip(w, s)) // sum(w)
            order = sorted(kept, key=lambda i: (abs(s[i] - mean), ids[i]))
            kept = keep_mass(order, w, p["typical"])
        ids, l = ids[kept], l[kept]
    w = weights(l)
    out = philox([len(tokens), p["choice"], 0, 0], [p["seed"] & 0xFFFFFFFF, p["seed"] >> 32])
    target = ((out[1] << 32 | out[0]) * sum(w)) >> 64
    acc = 0
    for i, x in enumerate(w):
        acc += x
        if acc > target:
            return int(ids[i])


STAGES = ["penalties", "top_k", "typical", "top_p", "min_p", "temperature"]
BASE = dict(vocab=300, spread=12, t=0.8, top_k=40, top_p=0.95, min_p=0.05, typical=1, repeat=1,
            freq=0, pres=0, window=64, seed=1, choice=0, order=STAGES)
CASES = [
    {}, dict(seed=2), dict(choice=1), dict(seed=0x123456789ABCDEF0), dict(t=0), dict(t=0, repeat=1.3, freq=0.5),
    dict(t=1, top_k=0, top_p=1, min_p=0), dict(t=1, top_k=0, top_p=1, min_p=0, spread=1),
    dict(top_k=5, spread=2), dict(top_k=1), dict(top_k=0, top_p=0.5, min_p=0, spread=4),
    dict(top_k=0, top_p=1, min_p=0.3, spread=3), dict(typical=0.4, top_k=0, spread=5),
    dict(typical=0.9, top_k=100, spread=3, t=1.5), dict(repeat=1.5, window=8, spread=3),
    dict(freq=1.0, pres=0.5, spread=2), dict(repeat=0.7, window=4), dict(t=3.0, spread=30),
    dict(t=0.05, spread=2), dict(order=["temperature", "top_k", "top_p"], top_p=0.7, t=2.0),
    dict(order=["min_p", "penalties", "typical", "temperature"], typical=0.6, pres=1.5, spread=4),
    dict(vocab=2, spread=1, top_k=0, min_p=0), dict(vocab=1), dict(vocab=1999, top_p=0.99, top_k=0, spread=8),
    dict(order=[], t=1, spread=3), dict(top_p=0, min_p=0), dict(top_k=0, top_p=0.99999, min_p=0, spread=1),
]

print("# made by tools/sampler_vectors.py: parameters, then 24 tokens that an independent sampler chose")
for n, case in enumerate(CASES):
    p = {**BASE, **case}
    tokens = []
    for i in range(24):
        tokens.append(choose(p, logits_of(n * 1000 + i, p["vocab"], p["spread"]), tokens))
    order = "".join(str(1 + STAGES.index(s)) for s in p["order"]) or "-"
    print(p["vocab"], p["spread"], p["t"], p["top_k"], p["top_p"], p["min_p"], p["typical"], p["repeat"],
          p["freq"], p["pres"], p["window"], p["seed"], p["choice"], order, ":", *tokens)
