#!/usr/bin/env python3
"""quant_compare.py - the error of isobit's encoders next to llama.cpp's, as a Markdown table.

usage: quant_compare.py LIBGGML_BASE_SO [--rows N] [--types A,B] [--safetensors FILE]... [--time]

Needs numpy, gguf, for --safetensors also torch and safetensors, and a C compiler (it builds src/tensor/quant into a temporary library). Both encode
the same rows of 2048; both results are decoded by isobit's decoder, which equals ggml's. A figure is
isobit's error divided by llama.cpp's, below 1 being better:
  rmse    root of the mean squared error, both encoders without importance
  x2      the same with each squared error weighted by x^2
  imp     both given the same importance (squared activations, log-normal), errors weighted by it
"""
import argparse
import ctypes
import subprocess
import tempfile
import time
from pathlib import Path

import gguf
import numpy as np

REPO = Path(__file__).resolve().parent.parent
TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4".split()
ROW = 2048
FLOATS = ctypes.POINTER(ctypes.c_float)


def ours_load(folder):
    out = Path(folder) / "quant.so"
    sources = [*REPO.glob("src/tensor/*.c"), *REPO.glob("src/tensor/quant/*.c"), REPO / "src/base/check.c"]
    subprocess.run(["cc", "-std=c17", "-O2", "-ffp-contract=off", "-fno-strict-aliasing", "-fno-math-errno",
                    "-D_GNU_SOURCE", "-shared", "-fPIC", f"-I{REPO / 'src'}", *map(str, sources), "-o", str(out), "-lm"],
                   check=True)
    lib = ctypes.CDLL(str(out))
    lib.quant_encode_row.restype = ctypes.c_bool
    return lib


def ggml_load(path):
    lib = ctypes.CDLL(path)
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, FLOATS, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                        ctypes.c_int64, FLOATS]
    lib.ggml_quantize_init.argtypes = [ctypes.c_int]
    return lib


def ptr(a):
    return a.ctypes.data_as(FLOATS) if a is not None else None


class Coders:
    def __init__(self, ours, ggml):
        self.ours, self.ggml = ours, ggml

    def id_of(self, name):
        t = ctypes.c_int()
        assert self.ours.dtype_from_name(name.encode(), ctypes.byref(t))
        return t.value

    def decode(self, name, data, n):
        out = np.empty(n, np.float32)
        self.ours.quant_decode_row(self.id_of(name), data.ctypes.data_as(ctypes.c_void_p), ptr(out), ctypes.c_size_t(n))
        return out

    def encode(self, name, x, importance):
        kind = gguf.GGMLQuantizationType[name]
        per, size = gguf.GGML_QUANT_SIZES[kind]
        n_bytes = x.size // per * size
        a, b = np.zeros(n_bytes, np.uint8), np.zeros(n_bytes, np.uint8)
        bad = ctypes.c_size_t()
        start = time.process_time()
        for r in range(x.shape[0]):
            at = a[r * (n_bytes // x.shape[0]):]
            ok = self.ours.quant_encode_row(self.id_of(name), ptr(x[r]), at.ctypes.data_as(ctypes.c_void_p),
                                            ctypes.c_size_t(x.shape[1]), ptr(importance), ctypes.byref(bad))
            assert ok, (name, r, bad.value)
        middle = time.process_time()
        self.ggml.ggml_quantize_init(int(kind))
        self.ggml.ggml_quantize_chunk(int(kind), ptr(x), b.ctypes.data_as(ctypes.c_void_p), 0, x.shape[0], x.shape[1],
                                      ptr(importance))
        end = time.process_time()
        return (self.decode(name, a, x.size).reshape(x.shape), self.decode(name, b, x.size).reshape(x.shape),
                (middle - start) / (end - middle + 1e-9))


def sources_of(rows, files):
    rng = np.random.default_rng(5)
    scale = np.exp(rng.normal(0, 0.3, (rows, 1))) * 0.02
    out = {
        "Gauss": rng.standard_normal((rows, ROW)) * scale,
        "Student t, 4": rng.standard_t(4, (rows, ROW)) * scale,
        "Laplace": rng.laplace(0, 0.7, (rows, ROW)) * scale,
    }
    for path in files:
        from safetensors.torch import load_file
        tensors = [v.float().numpy() for _, v in sorted(load_file(path).items()) if v.ndim == 2]
        real = np.concatenate([t.reshape(-1, ROW) for t in tensors if t.size % ROW == 0])
        pick = np.linspace(0, len(real) - 1, min(rows, len(real))).astype(int)
        out[Path(path).parent.name] = real[pick]
    return {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in out.items()}


def error(x, y, w=1.0):
    return float(np.sqrt(np.mean(w * (x.astype(np.float64) - y) ** 2)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("ggml")
    p.add_argument("--rows", type=int, default=64)
    p.add_argument("--types", default=",".join(TYPES))
    p.add_argument("--safetensors", action="append", default=[])
    p.add_argument("--time", action="store_true")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        c = Coders(ours_load(folder), ggml_load(o.ggml))
        sources = sources_of(o.rows, o.safetensors)
        importance = np.exp(np.random.default_rng(6).normal(0, 1, ROW)).astype(np.float32)
        print("| type |" + "".join(f" {s}: rmse | x2 | imp |" for s in sources) + (" time |" if o.time else ""))
        print("|---|" + "---|---|---|" * len(sources) + ("---|" if o.time else ""))
        for name in o.types.split(","):
            line = f"| {name} |"
            for x in sources.values():
                a, b, ratio = c.encode(name, x, None)
                ai, bi, _ = c.encode(name, x, importance)
                x2 = x.astype(np.float64) ** 2
                line += (f" {error(x, a) / error(x, b):.3f} | {error(x, a, x2) / error(x, b, x2):.3f} |"
                         f" {error(x, ai, importance) / error(x, bi, importance):.3f} |")
            print(line + (f" {ratio:.2f} |" if o.time else ""), flush=True)


if __name__ == "__main__":
    main()
