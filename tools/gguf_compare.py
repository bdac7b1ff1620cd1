#!/usr/bin/env python3
"""gguf_compare.py - what differs between two GGUF files: metadata and tensors, byte by byte.

usage: gguf_compare.py A B       needs: pip install gguf numpy
Written to compare what isobit converts with what llama.cpp's convert_hf_to_gguf.py makes.
"""
import sys

import numpy as np
from gguf import GGUFReader


def load(path):
    r = GGUFReader(path)
    metas = {k: (v.types[-1].name, v.contents()) for k, v in r.fields.items()
             if not k.startswith("GGUF.") and not k.startswith("tokenizer.")}
    return metas, {t.name: t for t in r.tensors}


def compare_tensor(a, b):
    if a.tensor_type != b.tensor_type or list(a.shape) != list(b.shape):
        return f"{a.tensor_type.name} {list(map(int, a.shape))} against {b.tensor_type.name} {list(map(int, b.shape))}"
    if a.data.tobytes() == b.data.tobytes():
        return None
    if a.tensor_type.name == "F32":
        steps = np.abs(a.data.view(np.int32).astype(np.int64) - b.data.view(np.int32))
        return f"{np.count_nonzero(steps)} of {steps.size} values differ, by at most {steps.max()} units in the last place"
    return "other bytes"


def main():
    (metas_a, tensors_a), (metas_b, tensors_b) = load(sys.argv[1]), load(sys.argv[2])
    n_same = 0
    for key in sorted(metas_a.keys() | metas_b.keys()):
        a, b = metas_a.get(key), metas_b.get(key)
        if a != b:
            print(f"  {key}: {a and str(a)[:60]} against {b and str(b)[:60]}")
    for name in sorted(tensors_a.keys() | tensors_b.keys()):
        a, b = tensors_a.get(name), tensors_b.get(name)
        what = compare_tensor(a, b) if a and b else f"only in {'A' if a else 'B'}"
        if what:
            print(f"  {name}: {what}")
        else:
            n_same += 1
    print(f"{n_same} tensors are the same bytes, of {len(tensors_a)} and {len(tensors_b)}")


main()
