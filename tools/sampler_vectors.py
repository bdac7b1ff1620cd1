#!/usr/bin/env python3
"""sampler_vectors.py - writes tests/golden/engine/sampler.txt: tokens chosen by an independent
implementation of the sampler (src/engine/sampler.h) in numpy float32 and Python integers.

usage: tools/sampler_vectors.py > tests/golden/engine/sampler.txt
"""
import numpy as np

F = np.float32
M64 = (1 << 64) - 1
LOG2_E = F(float.fromhex("0x1.715476p+0"))
LN_2 = F(float.fromhex("0x1.62e430p-1"))


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
        y = y + y * (F(1) - abs(F(x)) * y)
    return -y if x < 0 else y


LOG2 = ["-0x1.cebec6p-4", "0x1.80ab4ap-3", "-0x1.865fecp-3", "0x1.a265f4p-3", "-0x1.eac696p-3", "0x1.2782e6p-2",
        "-0x1.715a68p-2", "0x1.ec7080p-2", "-0x1.715470p-1", "0x1.715476p+0"]


def log2(x):
    bits = int(np.array([F(x)], F).view(np.uint32)[0])
    e = (bits - 0x3F3504F3) & 0xFF800000
    t = np.array([(bits - e) & 0xFFFFFFFF], np.uint32).view(F)[0] - F(1)
    p = F(float.fromhex(LOG2[0]))
    for c in LOG2[1:]:
        p = p * t + F(float.fromhex(c))
    return F((e - (1 << 32) if e >> 31 else e) >> 23) + p * t


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


def clamp(x):
    return min(max(x, F(-(2.0**100))), F(2.0**100))


def dry_repeats(p, tokens):
    """For each token that would go on with a repetition, how long that is. From the definition, slowly."""
    n = min(len(tokens), p["dry_window"])
    window = tokens[len(tokens) - n:]
    limit = n
    for at in range(n - 1, -1, -1):
        fits = [b for b in p["breakers"] if window[at:at + len(b)] == b]
        if fits:
            limit = n - at - max(map(len, fits))
            break
    longest = {}
    for at in range(1, n):
        r = 0
        while r < min(at, limit) and window[at - 1 - r] == window[n - 1 - r]:
            r += 1
        if limit >= p["dry_allowed"] and r >= p["dry_allowed"]:
            longest[window[at]] = max(longest.get(window[at], 0), r)
    return {t: r for t, r in longest.items() if [t] not in p["breakers"]}


def power(base, exponent):
    x = F(1)
    for bit in bin(exponent)[2:]:
        x = clamp(x * x)
        if bit == "1":
            x = clamp(x * F(base))
    return x


def choose(p, logits, tokens):
    """p["mu"] is moved on, as mirostat's state."""
    ids = np.arange(len(logits))
    l = logits.copy()
    for t, b in p["bias"]:
        l[t] = clamp(l[t] + F(b))
    kept = [i for i in ids if [int(i), float("-inf")] not in p["bias"]]
    ids, l = ids[kept], l[kept]

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

    def dry():
        if p["dry"] == 0 or len(tokens) <= p["dry_allowed"]:
            return
        repeats = dry_repeats(p, tokens)
        for j, t in enumerate(ids):
            if int(t) in repeats:
                l[j] = clamp(l[j] - F(p["dry"]) * power(p["dry_base"], repeats[int(t)] - p["dry_allowed"]))

    def random(purpose):
        out = philox([len(tokens), p["choice"], purpose, 0], [p["seed"] & 0xFFFFFFFF, p["seed"] >> 32])
        return out[1] << 32 | out[0]

    def surprise(below, w):
        return log2(F(sum(w)) * F(2.0**-40)) - below * LOG2_E

    def mirostat():
        order = sorted(range(len(ids)), key=lambda i: (-l[i], ids[i]))
        w = weights(l)
        if p["miro"] == 2:
            return [i for i in range(len(ids)) if surprise(l[i] - l.max(), w) <= p["mu"]] or order[:1]
        if len(ids) == 1:
            return order
        tb = tt = F(0)
        for i in range(min(99, len(ids) - 1)):
            t = log2(F(i + 2)) - log2(F(i + 1))
            b = (l[order[i]] - l[order[i + 1]]) * LOG2_E
            tb, tt = tb + t * b, tt + t * t
        z = min(max(tb * recip(tt), F(2.0**-10)), F(2.0**20))
        e, bits = z - F(1), log2(F(p["vocab"]))
        small = abs(e) < F(2.0**-10)
        g = recip(bits * LN_2) if small else e * recip(F(1) - exp2(-e * bits)[()])
        k = exp2(min((log2(g) + p["mu"]) * recip(z), F(30)))[()]
        return sorted(order[:max(1, int(k))])

    if p["t"] == 0:
        for stage in p["order"]:
            if stage == "penalties":
                penalties()
            if stage == "dry":
                dry()
        return int(ids[np.argmax(l)])
    for stage in p["order"]:
        if stage == "penalties":
            penalties()
            continue
        if stage == "dry":
            dry()
            continue
        if stage == "temperature":
            l = (l - l.max()) * recip(p["t"])
            continue
        if p["miro"]:
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
        elif stage == "xtc" and random(1) >> 24 < int(float(F(p["xtc"])) * 2**40):
            share, w = int(float(F(p["xtc_least"])) * 2**40), weights(l)
            top = [i for i in by_logit if (w[i] << 40) >= share * sum(w)]
            kept = [i for i in kept if i not in top[:-1]]
        ids, l = ids[kept], l[kept]
    if p["miro"]:
        kept = mirostat()
        ids, l = ids[kept], l[kept]
    w = weights(l)
    target = (random(0) * sum(w)) >> 64
    acc = 0
    for i, x in enumerate(w):
        acc += x
        if acc > target:
            if p["miro"]:
                p["mu"] = p["mu"] - F(p["eta"]) * (surprise(l[i] - l.max(), w) - F(p["tau"]))
            return int(ids[i])


STAGES = ["penalties", "dry", "top_k", "typical", "top_p", "min_p", "xtc", "temperature"]
BASE = dict(vocab=300, spread=12, t=0.8, top_k=40, top_p=0.95, min_p=0.05, typical=1, repeat=1,
            freq=0, pres=0, window=64, seed=1, choice=0, order=STAGES, dry=0, dry_base=1.75, dry_allowed=2,
            dry_window=64, breakers=[], xtc=0, xtc_least=0.1, miro=0, tau=5, eta=0.1, bias=[], steps=24)
DRY = dict(vocab=6, spread=1, dry=0.8, top_k=0, top_p=1, min_p=0, steps=60)
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
    DRY, {**DRY, "t": 0}, {**DRY, "breakers": [[3]]}, {**DRY, "breakers": [[1, 2], [1], [4, 0, 5]]},
    {**DRY, "breakers": [[1, 2], [2, 2, 2]], "dry_window": 20}, {**DRY, "dry_allowed": 0, "dry_base": 1},
    {**DRY, "vocab": 2, "dry": 3, "dry_base": 4, "dry_allowed": 1}, {**DRY, "dry_window": 3, "dry_allowed": 1},
    {**DRY, "order": ["top_k", "dry", "temperature"], "top_k": 3, "dry": 2},
    {**DRY, "vocab": 1, "dry_base": 30, "steps": 60},
    dict(xtc=0.5, spread=3), dict(xtc=1, xtc_least=0.02, spread=3, top_k=0, min_p=0), dict(xtc=1, xtc_least=0, spread=2),
    dict(xtc=1, xtc_least=0.6, spread=20), dict(xtc=1, spread=0.0),
    dict(miro=2), dict(miro=2, tau=1, eta=0.5, spread=3), dict(miro=2, tau=8, spread=30), dict(miro=2, tau=0, eta=1),
    dict(miro=1), dict(miro=1, tau=1, eta=0.5, spread=3), dict(miro=1, tau=8, vocab=1999), dict(miro=1, spread=0.0),
    dict(miro=1, tau=0.5, spread=40, t=0.1), dict(miro=1, vocab=1), dict(miro=2, vocab=2, repeat=1.5, freq=2, tau=1),
    dict(bias=[[3, 4.0], [7, -1e30], [9, float("-inf")]], vocab=12, spread=1),
    dict(vocab=1999, top_k=10, spread=0.0), dict(vocab=1999, top_k=20, spread=1), dict(vocab=1999, top_k=3, t=3),
    dict(bias=[[0, float("-inf")], [1, float("-inf")]], vocab=3, t=0),
]

print("# made by tools/sampler_vectors.py: parameters, then the tokens that an independent sampler chose")
for n, case in enumerate(CASES):
    p = {**BASE, **case}
    p["mu"] = F(2) * F(p["tau"])
    tokens = []
    for i in range(p["steps"]):
        tokens.append(choose(p, logits_of(n * 1000 + i, p["vocab"], p["spread"]), tokens))
    numbers = [f"{k}={v}" for k, v in p.items() if k not in ("order", "breakers", "bias", "mu") and v != BASE[k]]
    lists = [f"breaker={','.join(map(str, b))}" for b in sorted(p["breakers"])]
    lists += [f"bias={t},{b:g}" for t, b in p["bias"]]
    if p["order"] != STAGES:
        lists.append("order=" + ",".join(str(1 + STAGES.index(s)) for s in p["order"]))
    print(*numbers, *lists, ":", *tokens)
