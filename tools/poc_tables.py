#!/usr/bin/env python3
"""poc_tables.py - numpy's ziggurat tables, found by their SHA-256 in numpy's own archive.

usage: poc_tables.py > src/poc/ziggurat_tables.h
The tables are part of the contract of proof of compute: a table computed anew differs from them in the
last bits, so that float64 results would too.
"""
import hashlib
import struct
from pathlib import Path

import numpy

WANTED = {
    "KI": "565295797825931547a1036f5b012a247be54abbe077c39fe06c8ed1e9d0a5a9",
    "WI": "33c6472209e1d09ea3548f0291e5e1ad67fb4f1d0305e9f1086689584b7bb7fa",
    "FI": "acd898d9d87e212f657755ba43b21e40958090a7ff2103c9e79f4ea1b0fe2bc5",
}


def find(data, digest):
    for at in range(0, len(data) - 2047):
        if hashlib.sha256(data[at : at + 2048]).hexdigest() == digest:
            return data[at : at + 2048]
    raise SystemExit(f"no table with the digest {digest}")


def rows(cells, n):
    for i in range(0, len(cells), n):
        yield "    " + ", ".join(cells[i : i + n]) + ","


def main():
    data = (Path(numpy.__file__).parent / "random/lib/libnpyrandom.a").read_bytes()
    tables = {name: find(data, digest) for name, digest in WANTED.items()}
    print("/* ziggurat_tables.h - numpy's 256 layers of the normal density, made by tools/poc_tables.py.")
    print(" *")
    print(" * Facts of the contract (numpy, BSD-3-Clause): other roundings would give other float64 bits. */")
    print("#ifndef POC_ZIGGURAT_TABLES_H\n#define POC_ZIGGURAT_TABLES_H\n\n#include <stdint.h>\n")
    print("static const uint64_t ZIGGURAT_KI[256] = {")
    print("\n".join(rows([f"0x{v:013x}" for v in struct.unpack("<256Q", tables["KI"])], 5)))
    for name in ("WI", "FI"):
        print(f"}};\n\nstatic const double ZIGGURAT_{name}[256] = {{")
        print("\n".join(rows([v.hex() for v in struct.unpack("<256d", tables[name])], 3)))
    print("};\n\n#endif")


main()
