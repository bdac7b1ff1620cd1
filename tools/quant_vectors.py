#!/usr/bin/env python3
"""quant_vectors.py - blocks of every weight format with the values that other decoders give them.

usage: quant_vectors.py OUT_DIR        (needs numpy, gguf, torch and bitsandbytes)

Writes OUT_DIR/<TYPE>.bin: u32 n_bytes, u32 n_values, the blocks, the values (binary32), all
little-endian. Decoders: the gguf package for GGUF's types; bitsandbytes on the CPU for NF4 and FP4;
numpy for Q8_K (d * q). OUT_DIR/<NF4|FP4>_encode.bin: u32 n_bytes, u32 n_values, the blocks that
bitsandbytes encodes, the values it was given. Scales and values below 2^-126 are zero by docs/arithmetic.md, applied here.
"""
import struct
import sys
from pathlib import Path

import gguf
import numpy as np

RNG = np.random.default_rng(20)
HALVES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00, 0x2E66]
SINGLES = [0.0, -0.0, 1.0, 0.037, -3.5, 2.0**-126, 2.0**-127, 3e-41, 1e30]
# type: (block bytes, block elements, offsets of halves)
TYPES = {
    "F16": (2, 1, [0]), "BF16": (2, 1, []), "F32": (4, 1, []),
    "Q4_0": (18, 32, [0]), "Q4_1": (20, 32, [0, 2]), "Q5_0": (22, 32, [0]), "Q5_1": (24, 32, [0, 2]),
    "Q8_0": (34, 32, [0]), "Q2_K": (84, 256, [80, 82]), "Q3_K": (110, 256, [108]),
    "Q4_K": (144, 256, [0, 2]), "Q5_K": (176, 256, [0, 2]), "Q6_K": (210, 256, [208]),
    "IQ4_NL": (18, 32, [0]), "IQ4_XS": (136, 256, [0]), "MXFP4": (17, 32, []),
    "Q8_K": (292, 256, []), "NF4": (36, 64, []), "FP4": (36, 64, []),
}


def blocks_of(name):
    n_bytes, n_elements, halves = TYPES[name]
    n = 4096 if n_elements == 1 else 24 if n_elements < 256 else 12
    b = RNG.integers(0, 256, (n, n_bytes), dtype=np.uint8)
    b[0], b[1] = 0, 255
    if name in ("Q8_K", "NF4", "FP4"):
        scales = SINGLES + list(RNG.uniform(0.001, 2, n - len(SINGLES)))
        if name != "Q8_K":
            scales = np.abs(scales)
        b[:, :4] = np.array(scales[:n], "<f4").view(np.uint8).reshape(n, 4)
    elif name == "MXFP4":
        b[:, 0] = [0, 1, 2, 3, 252] + list(RNG.integers(90, 140, n - 5))
    elif name == "F32":
        v = RNG.standard_normal(n).astype("<f4")
        v[:9] = SINGLES
        b = v.view(np.uint8).reshape(n, 4)
    elif name in ("F16", "BF16"):
        v = np.arange(65536, dtype="<u2")[:: 65536 // n] if name == "BF16" else np.concatenate(
            [np.arange(2048), RNG.integers(0, 65536, n - 2048)]).astype("<u2")
        finite = (v & (0x7C00 if name == "F16" else 0x7F80)) != (0x7C00 if name == "F16" else 0x7F80)
        b = v[finite].view(np.uint8).reshape(-1, 2)
    else:
        for k, at in enumerate(halves):
            h = RNG.permutation(HALVES) if k else np.array(HALVES)
            rest = RNG.uniform(-0.1, 0.1, max(0, n - len(h))).astype("<f2").view("<u2")
            b[:, at : at + 2] = np.concatenate([h, rest])[:n].astype("<u2").view(np.uint8).reshape(n, 2)
    return b


def flush(v):
    bits = np.ascontiguousarray(v, dtype="<f4").view("<u4")
    return np.where(bits & 0x7F800000, bits, bits & 0x80000000).astype("<u4").view("<f4")


def by_bitsandbytes(b, name):
    import torch
    from bitsandbytes import functional as bnb
    state = bnb.QuantState(
        absmax=torch.from_numpy(b[:, :4].copy().view("<f4").reshape(-1)), shape=torch.Size([b.shape[0] * 64]),
        code=bnb.get_4bit_type(name.lower(), device="cpu"), blocksize=64, quant_type=name.lower(), dtype=torch.float32)
    packed = torch.from_numpy(b[:, 4:].copy().reshape(-1, 1))
    return bnb.dequantize_4bit(packed, state).numpy().reshape(-1)


def values_of(name, b):
    if name in ("NF4", "FP4"):
        v = by_bitsandbytes(b, name)
    elif name == "Q8_K":
        v = (flush(b[:, :4].copy().view("<f4")) * b[:, 4:260].view(np.int8).astype("<f4")).reshape(-1)
    elif name in ("F32", "F16"):
        v = b.reshape(-1).view("<f4" if name == "F32" else "<f2").astype("<f4")
    else:
        kind = gguf.GGMLQuantizationType[name]
        v = gguf.quants.dequantize(b.reshape(1, -1), kind).reshape(b.shape[0], -1)
        if name == "MXFP4":  # the halved scale 2^(E-128) is subnormal
            v[b[:, 0] < 2] *= 0
    return flush(v)


def encode_by_bitsandbytes(out, name):
    import torch
    from bitsandbytes import functional as bnb
    x = (RNG.standard_normal(64 * 24) * np.repeat(np.exp(RNG.normal(-3, 2, 24)), 64)).astype("<f4")
    packed, state = bnb.quantize_4bit(torch.from_numpy(x), blocksize=64, quant_type=name.lower())
    b = np.concatenate([state.absmax.numpy().astype("<f4").view(np.uint8).reshape(24, 4),
                        packed.numpy().reshape(24, 32)], axis=1)
    (out / f"{name}_encode.bin").write_bytes(struct.pack("<II", b.size, x.size) + b.tobytes() + x.tobytes())


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name in TYPES:
        b = blocks_of(name)
        v = values_of(name, b)
        assert np.isfinite(v).all(), name
        (out / f"{name}.bin").write_bytes(struct.pack("<II", b.size, v.size) + b.tobytes() + v.tobytes())
        print(f"{name}: {b.shape[0]} blocks")
    for name in ("NF4", "FP4"):
        encode_by_bitsandbytes(out, name)


if __name__ == "__main__":
    main()
