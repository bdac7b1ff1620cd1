#!/usr/bin/env python3
"""statistics_vectors.py - writes tests/golden/proof/statistics.txt: pairs of answers, and how alike they
are by the formulas of docs/validation.md in plain Python.

usage: tools/statistics_vectors.py >tests/golden/proof/statistics.txt

An answer is a line "claimed N" or "recomputed N" and N lines "TOKEN LOGPROB N_TOP TOKEN LOGPROB ...";
a pair is followed by "similarity X", "distance2 X MATCHES", "fill X" and
"blocks N EXPONENTS_OFF MEAN MEDIAN". "draw RANDOM BELOW UPTO MATCHES EVIDENCE" stands alone.
"""
import math
import random
import statistics
import struct

R = random.Random(20261130)


def similarity(claimed, recomputed):
    total = 0.0
    for (_, _, original), (_, _, validation) in zip(claimed, recomputed):
        if not original or not validation:
            return 0.0
        known = dict(original)
        low = sorted(known.values())
        m1 = low[0]
        m2 = low[1] if len(low) > 1 else m1 - 100.0
        for token, v in validation:
            o = known.get(token, m1 - (m2 - m1))
            total += abs(v - o) / (1e-6 + abs(v) + abs(o)) / 2
    if not claimed:
        return 1.0
    return max(0.0, 1 - total / (max(100, len(claimed)) * len(claimed[0][2])))


def distance2(claimed, recomputed):
    if not claimed or [p[0] for p in claimed] != [p[0] for p in recomputed] or not claimed[0][2]:
        return -1.0, -1.0
    total, matches = 0.0, 0
    for (_, _, inference), (_, _, validation) in zip(claimed, recomputed):
        inf, val = dict(inference), dict(validation)
        if not val:
            total += len(inf)
            continue
        low = sorted(val.values())
        m1 = low[0]
        m2 = low[1] if len(low) > 1 else m1 - 1.0
        for token, o in inf.items():
            matches += token in val
            v = val.get(token, m1 - (m2 - m1))
            total += abs(o - v) / (1e-10 + abs(o) + abs(v)) / 2
    k = len(claimed[0][2])
    return (total + 1) / (max(100, len(claimed)) * k + 1), matches / (len(claimed) * k)


def fill(recomputed):
    return math.exp(sum(max(p[1], -10) for p in recomputed) / len(recomputed)) if recomputed else 1.0


def bf16(x):
    bits = struct.unpack("<I", struct.pack("<f", x))[0]
    kept, rest = bits >> 16, bits & 0xFFFF
    return kept + (rest > 0x8000 or (rest == 0x8000 and kept % 2 == 1))


def block(claimed, recomputed):
    off, n, errors = 0, 0, []
    for (_, _, original), (_, _, validation) in zip(claimed, recomputed):
        known = dict(original)
        for token, v in validation:
            n += 1
            if token not in known or bf16(known[token]) >> 7 != bf16(v) >> 7:
                off += 1
            else:
                errors.append(abs((bf16(known[token]) & 127) - (bf16(v) & 127)))
    if not errors:
        return (off / n, 128.0, 128.0) if n else (0.0, 0.0, 0.0)
    return off / n, statistics.mean(errors), statistics.median(errors)


def blocks(claimed, recomputed):
    each = [block(claimed[i:i + 32], recomputed[i:i + 32]) for i in range(0, len(claimed), 32)]
    return [len(each)] + [max([b[k] for b in each], default=0.0) for k in range(3)]


def evidence(u, below, upto):
    line = statistics.NormalDist(u, 0.01)
    low = 0.0 if below <= 0 else line.cdf(below)
    high = 1.0 if upto >= 1 else line.cdf(upto)
    share = max(upto - below, 2.0**-20)
    return math.log(0.999 * ((high - low) if upto > below else 0) / share + 0.001)


def pair(n, k_claimed, k_recomputed, noise, repeats):
    claimed, recomputed = [], []
    for _ in range(n):
        logits = {t: R.gauss(0, 4) for t in range(40)}
        other = {t: x + R.gauss(0, noise) for t, x in logits.items()}
        lists = []
        for values, k in ((logits, k_claimed), (other, k_recomputed)):
            log_sum = math.log(sum(map(math.exp, values.values())))
            best = sorted(values, key=lambda t: -values[t])[:k]
            lists.append([(t, round(values[t] - log_sum, 6)) for t in best])
        if repeats and R.random() < 0.3 and lists[0]:
            lists[0].append((lists[0][0][0], round(lists[0][0][1] - R.random(), 6)))
        token = R.choice(list(logits))
        log_sum = math.log(sum(map(math.exp, other.values())))
        claimed.append((token, -1.0, lists[0]))
        recomputed.append((token, round(other[token] - log_sum, 6), lists[1]))
    return claimed, recomputed


def show(name, answer):
    print(name, len(answer))
    for token, logprob, top in answer:
        print(token, repr(logprob), len(top), *(f"{t} {x!r}" for t, x in top))


def main():
    shapes = [(1, 5, 5, 0.1), (7, 5, 5, 0.0), (33, 5, 5, 0.02), (64, 1, 5, 0.5), (100, 5, 1, 0.5),
              (101, 5, 5, 2.0), (130, 12, 20, 0.3), (3, 2, 2, 9.0), (2, 0, 5, 1.0), (2, 5, 0, 1.0), (0, 5, 5, 1.0),
              (40, 3, 7, 0.1)]
    for i, shape in enumerate(shapes):
        claimed, recomputed = pair(*shape, repeats=i % 3 == 2)
        show("claimed", claimed)
        show("recomputed", recomputed)
        print("similarity", repr(similarity(claimed, recomputed)))
        print("distance2", *map(repr, distance2(claimed, recomputed)))
        print("fill", repr(fill(recomputed)))
        print("blocks", *map(repr, blocks(claimed, recomputed)))
    for i in range(60):
        u = R.random()
        marks = sorted((R.random(), R.random()))
        if i % 5 == 0:
            marks = [max(u - R.random() * 0.02, 0.0), min(u + R.random() * 0.02, 1.0)]
        if i % 7 == 0:
            marks[0] = 0.0
        if i % 11 == 0:
            marks[1] = 1.0
        if i % 13 == 0:
            marks[1] = marks[0]
        print("draw", repr(u), *map(repr, marks), int(marks[0] <= u < marks[1]), repr(evidence(u, *marks)))


if __name__ == "__main__":
    main()
