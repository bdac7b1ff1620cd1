#!/usr/bin/env python3
"""quality.py - how far the exact profile and llama.cpp are from float64 on the same files.

usage: quality.py MODEL_LOGITS LLAMA_LOGITS LLAMA_QUANTIZE TOKENS.txt NAME=SOURCE-F32.gguf... > table.md

Each source is quantised by llama-quantize to every type of the list; both programs then evaluate the
same file. KL is of the float64 evaluation of that very file, so it holds no weight error: only what
the arithmetic adds. Needs numpy.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

TYPES = "Q8_0 Q6_K Q5_K_M Q4_K_M Q3_K_M Q2_K Q5_0 Q4_0 Q4_1".split()


def log_softmax(x):
    x = x - x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def compare(want, got):
    p, q = log_softmax(want), log_softmax(got.astype(np.float64))
    kl = (np.exp(p) * (p - q)).sum(1)
    return kl.mean(), (want.argmax(1) == got.argmax(1)).mean()


def main():
    ours, theirs, quantize, tokens = sys.argv[1:5]
    n = len(open(tokens).read().split())
    print(f"| model | type | isobit: mean KL | llama.cpp: mean KL | ratio | same first token: isobit | llama.cpp |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as tmp:
        path = lambda name: os.path.join(tmp, name)
        for pair in sys.argv[5:]:
            name, source = pair.split("=", 1)
            for kind in TYPES:
                subprocess.run([quantize, source, path("m.gguf"), kind], check=True, capture_output=True)
                subprocess.run([ours, path("m.gguf"), tokens, path("a"), path("r")], check=True)
                subprocess.run([theirs, path("m.gguf"), tokens, path("b")], check=True, capture_output=True)
                want = np.fromfile(path("r"), np.float64).reshape(n, -1)
                a, same_a = compare(want, np.fromfile(path("a"), np.float32).reshape(n, -1))
                b, same_b = compare(want, np.fromfile(path("b"), np.float32).reshape(n, -1))
                print(f"| {name} | {kind} | {a:.2e} | {b:.2e} | {a / b:.2f} | {same_a:.1%} | {same_b:.1%} |", flush=True)


if __name__ == "__main__":
    main()
