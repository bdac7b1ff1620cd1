#!/usr/bin/env python3
"""poc_noise.py - how two computations of the same nonces differ, and what the chain makes of it.

usage: poc_noise.py VOCAB FILE_A FILE_B     files of "nonce distance" lines, as poc_oracle.py prints

Prints the deviation of the difference, the largest, and for each r_target: the share of nonces claimed under it
by A that B refutes (from the differences and the density of distances at r_target: counted ones are too few),
with the chance that an honest batch is flagged.
"""
import sys
from math import comb, exp, lgamma, log, pi, sqrt

R_TARGETS = (1.4013564660458173, 1.3971164020989417)
BATCHES = (200, 1000, 2000)
CHAIN_RATE = 0.0005  # what the chain's test allows


def read(path):
    return {int(n): float(d) for n, d in (line.split() for line in open(path))}


def claimed_density(n, r, steps=20000):
    """Of random points of the unit sphere in n dimensions: P(distance < r), and its density at r."""
    # cos t = 1 - r^2 / 2; the angle's density is sin(t)^(n - 2) / B
    log_b = 0.5 * log(pi) + lgamma((n - 1) / 2) - lgamma(n / 2)
    f = lambda c: exp((n - 3) / 2 * log(1 - c * c) - log_b) if abs(c) < 1 else 0.0
    c = 1 - r * r / 2
    h = (1 - c) / steps  # Simpson's rule
    total = f(c) + f(1) + sum((4 if i % 2 else 2) * f(c + i * h) for i in range(1, steps))
    return total * h / 3, f(c) * r  # dc = r dr


def at_least(n, k, p):
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, min(n, k + 50) + 1))


def flagged(n, rate, threshold):
    """The chance that n claims, each refuted with this rate, fail the chain's test."""
    k = next(k for k in range(n + 1) if at_least(n, k, CHAIN_RATE) < threshold)
    return at_least(n, k, rate)


def main():
    vocab, a, b = int(sys.argv[1]), read(sys.argv[2]), read(sys.argv[3])
    both = sorted(set(a) & set(b))
    gaps = [b[n] - a[n] for n in both]
    deviation = sqrt(sum(g * g for g in gaps) / len(gaps))
    wide = sum(abs(g) > 2e-5 for g in gaps)
    print(f"nonces {len(gaps)}  deviation {deviation:.2e}  largest {max(map(abs, gaps)):.2e}  over 2e-5: {wide}")
    for r in R_TARGETS:
        share, density = claimed_density(vocab, r)
        above = sum(g for g in gaps if g > 0) / len(gaps)  # how far B lies over A, on average
        rate = above * density / share
        claimed = [n for n in both if a[n] < r]
        refuted = sum(b[n] > r for n in claimed)
        chances = "  ".join(
            f"{n}: {flagged(n, rate, 1e-2):.1e} / {flagged(n, rate, 1e-7):.1e}" for n in BATCHES)
        print(f"r {r}: claimed {share:.5f}  refuted {rate:.2e} of the claimed ({refuted} of {len(claimed)} seen)"
              f"  flagged at 1e-2 / 1e-7: {chances}")


if __name__ == "__main__":
    main()
