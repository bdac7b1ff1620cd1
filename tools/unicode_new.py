#!/usr/bin/env python3
"""unicode_new.py - write src/text/unicode_new.h: stand-ins for characters newer than Unicode 14.

usage: unicode_new.py OUT.h    (needs a Python with Unicode 14, such as 3.11, and `tokenizers`)

Asks the regular expressions of `tokenizers` (Oniguruma) for the class of every code point. A code
point that has a class there, and is unassigned in Unicode 14, gets the nearest older code point
that no published pattern can tell from it: same classes, same UTF-8 length, and on the same side of
every literal range that tokenizer patterns name.
"""
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, pre_tokenizers

CLASSES = [r"\p{L}", r"\p{Lu}", r"\p{Ll}", r"\p{Lt}", r"\p{Lm}", r"\p{Lo}", r"\p{N}", r"\p{Nd}", r"\p{Nl}",
           r"\p{M}", r"\p{Mn}", r"\p{Mc}", r"\p{P}", r"\p{Pc}", r"\p{S}", r"\p{Z}", r"\s", r"\w", r"\p{Han}",
           r"\p{Alphabetic}"]
RANGES = [(0x800, 0x4E00), (0x4E00, 0x9FA5), (0x3040, 0x30FF), (0xAC00, 0xD7FF), (0xA640, 0xA66D),
          (0xA680, 0xA69B), (0xA722, 0xA76F), (0xA771, 0xA787), (0xA78B, 0xA78E), (0xAB70, 0xABBF),
          (0x10400, 0x1044F), (0x104B0, 0x104D3), (0x104D8, 0x104FB), (0x10C80, 0x10CB2),
          (0x10CC0, 0x10CF2), (0x118A0, 0x118DF), (0x1E900, 0x1E943), (0x3400, 0x4DBF),
          (0xAA60, 0xAA7F), (0xA9E0, 0xA9FF), (0x1C90, 0x1CBF), (0x1D00, 0x1D2B), (0x1D6B, 0x1D9A)]


def main():
    assert unicodedata.unidata_version == "14.0.0", "this script needs a Python with Unicode 14"
    points = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    text = "".join(map(chr, points))
    sign = {c: 0 for c in points}
    for bit, pattern in enumerate(CLASSES):
        split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
        for piece, _ in split.pre_tokenize_str(text):
            for c in piece:
                sign[ord(c)] |= 1 << bit
    key = lambda c: (sign[c], len(chr(c).encode()), tuple(a <= c <= b for a, b in RANGES))
    old, new = {}, []
    for c in points:
        if unicodedata.category(chr(c)) != "Cn":
            old.setdefault(key(c), []).append(c)
        elif sign[c]:
            new.append(c)
    runs = []
    for c in new:
        if runs and runs[-1][1] == c - 1 and key(runs[-1][0]) == key(c):
            runs[-1][1] = c
        else:
            runs.append([c, c])
    with open(sys.argv[1], "w") as out:
        out.write("/* unicode_new.h - characters newer than Unicode 14, and what matches like them.\n"
                  " *\n"
                  f" * Written by tools/unicode_new.py from tokenizers {tokenizers.__version__}. */\n"
                  "#ifndef TEXT_UNICODE_NEW_H\n#define TEXT_UNICODE_NEW_H\n\n#include <stdint.h>\n\n"
                  f"enum {{ UNICODE_NEW_COUNT = {len(runs)} }};\n\n"
                  "static const struct {\n    uint32_t first, last, stand_in;\n"
                  "} unicode_new[UNICODE_NEW_COUNT] = {\n")
        for first, last in runs:
            other = min(old[key(first)], key=lambda c: (abs(c - first), c))
            out.write(f"    {{0x{first:04x}, 0x{last:04x}, 0x{other:04x}}},\n")
        out.write("};\n\n#endif\n")


if __name__ == "__main__":
    main()
