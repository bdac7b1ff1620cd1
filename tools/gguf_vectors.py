#!/usr/bin/env python3
"""gguf_vectors.py - small GGUF files that another program wrote (the gguf package), as test vectors.

usage: gguf_vectors.py OUT_FOLDER      needs: pip install gguf numpy
"""
import struct
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFEndian, GGUFValueType as V, GGUFWriter, quants


def add_every_type(w):
    w.add_key_value("t.u8", 200, V.UINT8)
    w.add_key_value("t.i8", -100, V.INT8)
    w.add_key_value("t.u16", 60000, V.UINT16)
    w.add_key_value("t.i16", -30000, V.INT16)
    w.add_key_value("t.u32", 4000000000, V.UINT32)
    w.add_key_value("t.i32", -2000000000, V.INT32)
    w.add_key_value("t.u64", 2**64 - 1, V.UINT64)
    w.add_key_value("t.i64", -(2**63), V.INT64)
    w.add_key_value("t.f32", 0.1, V.FLOAT32)
    w.add_key_value("t.f64", 0.1, V.FLOAT64)
    w.add_key_value("t.bool", True, V.BOOL)
    w.add_key_value("t.string", "grüße", V.STRING)
    for name, values in [("ints", [1, -2, 3]), ("floats", [0.5, -0.25]), ("bools", [True, False]),
                         ("strings", ["a", "", "ccc"])]:
        w.add_array("t.array." + name, values)


def tensors(rng):
    f32 = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    yield "norm.weight", f32(64), None
    yield "half.weight", f32(3, 32).astype(np.float16), None
    for t, rows, k in [(T.BF16, 2, 5), (T.Q4_0, 3, 64), (T.Q4_1, 2, 32), (T.Q5_0, 2, 32),
                       (T.Q5_1, 2, 32), (T.Q8_0, 2, 96), (T.MXFP4, 2, 32)]:
        yield t.name.lower() + ".weight", quants.quantize(f32(rows, k), t), t


def write(path, split=None, keep=lambda i: True, metas=True, seed=7):
    w = GGUFWriter(path, "llama")
    if metas:
        add_every_type(w)
    if split:
        w.add_key_value("split.no", split[0], V.UINT16)
        w.add_key_value("split.count", split[1], V.UINT16)
        w.add_key_value("split.tensors.count", split[2], V.INT32)
    for i, (name, data, dtype) in enumerate(tensors(np.random.default_rng(seed))):
        if keep(i):
            w.add_tensor(name, data, raw_dtype=dtype)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    write(out / "types.gguf")
    data = bytearray((out / "types.gguf").read_bytes())
    data[4:8] = struct.pack("<I", 2)  # version 2 has the same bytes after the number
    (out / "types_v2.gguf").write_bytes(data)
    n = sum(1 for _ in tensors(np.random.default_rng(7)))
    for part, limits in enumerate([(0, 3), (3, 6), (6, n)]):
        write(out / f"split-{part + 1:05}-of-00003.gguf", (part, 3, n),
              lambda i: limits[0] <= i < limits[1], metas=part == 0)


main()
