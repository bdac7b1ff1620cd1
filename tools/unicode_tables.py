#!/usr/bin/env python3
"""unicode_tables.py - write src/text/unicode_tables.h: characters as `tokenizers` sees them.

usage: unicode_tables.py OUT.h    (needs a Python with Unicode 14, such as 3.11, and `tokenizers`)

`tokenizers` mixes Unicode versions: its regular expressions, its character classes and its
normal forms each come from another crate. So every class is asked of the library itself, code point
by code point. Three things are written:
  classes    ranges for the steps that look at single characters, and lower case as (range, step, delta)
  frozen     characters that its normal forms do not know: they neither decompose, compose nor reorder
  stand-ins  for characters newer than Unicode 14 (the oldest PCRE2): the nearest older one that no
             published pattern can tell from it - same classes, same UTF-8 length, same literal ranges
"""
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CLASSES = [r"\p{L}", r"\p{Lu}", r"\p{Ll}", r"\p{Lt}", r"\p{Lm}", r"\p{Lo}", r"\p{N}", r"\p{Nd}", r"\p{Nl}",
           r"\p{M}", r"\p{Mn}", r"\p{Mc}", r"\p{P}", r"\p{Pc}", r"\p{S}", r"\p{Z}", r"\s", r"\w", r"\p{Han}",
           r"\p{Alphabetic}"]
LITERAL_RANGES = [
    (0x800, 0x4E00), (0x4E00, 0x9FA5), (0x3040, 0x30FF), (0xAC00, 0xD7FF), (0xA640, 0xA66D), (0xA680, 0xA69B),
    (0xA722, 0xA76F), (0xA771, 0xA787), (0xA78B, 0xA78E), (0xAB70, 0xABBF), (0x10400, 0x1044F), (0x104B0, 0x104D3),
    (0x104D8, 0x104FB), (0x10C80, 0x10CB2), (0x10CC0, 0x10CF2), (0x118A0, 0x118DF), (0x1E900, 0x1E943),
    (0x3400, 0x4DBF), (0xAA60, 0xAA7F), (0xA9E0, 0xA9FF), (0x1C90, 0x1CBF), (0x1D00, 0x1D2B), (0x1D6B, 0x1D9A)]
POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def lower_case(normalizer):
    """[first, last, step, delta] of characters whose lower case is one other character."""
    out = []
    for c in POINTS:
        lower = normalizer.normalize_str(chr(c))
        if len(lower) != 1 or ord(lower) == c:
            continue
        delta, last = ord(lower) - c, out[-1] if out else None
        if last and last[3] == delta and (c - last[1] == last[2] or last[0] == last[1] and c - last[1] <= 2):
            last[2], last[1] = c - last[1], c
        else:
            out.append([c, c, 1, delta])
    return out


def signs():
    """Per code point, one bit for every regular expression that matches it."""
    text, sign = "".join(map(chr, POINTS)), dict.fromkeys(POINTS, 0)
    for bit, pattern in enumerate(CLASSES):
        for piece, _ in pre_tokenizers.Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(text):
            for c in piece:
                sign[ord(c)] |= 1 << bit
    return sign


def stand_ins(sign):
    key = lambda c: (sign[c], len(chr(c).encode()), tuple(a <= c <= b for a, b in LITERAL_RANGES))
    old, new = {}, []
    for c in POINTS:
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
    return [[a, b, min(old[key(a)], key=lambda c: (abs(c - a), c))] for a, b in runs]


def frozen(sign):
    """What Unicode gives a combining class or a decomposition, and the library leaves alone."""
    nfkd, out = normalizers.NFKD(), set()
    for c in POINTS:
        known = unicodedata.combining(chr(c)) or unicodedata.decomposition(chr(c))
        new = unicodedata.category(chr(c)) == "Cn" and sign[c]
        if (known or new) and not 0xAC00 <= c <= 0xD7A3:
            mark = chr(c) + "\u0334"  # class 1: moves before any other mark
            if nfkd.normalize_str(mark) == mark and unicodedata.combining(chr(c)) != 1:
                out.add(c)
    return out


def by_split(step):
    """Characters that a pre-tokenizer cuts from the letters around them."""
    return {c for c in POINTS if len(step.pre_tokenize_str("a" + chr(c) + "a")) > 1}


def by_removal(normalizer):
    return {c for c in POINTS if normalizer.normalize_str("a" + chr(c) + "a") == "aa"}


def table(out, name, rows, comment):
    fields = "first, last" if len(rows[0]) == 2 else "first, last, stand_in" if len(rows[0]) == 3 else "first, last, step"
    kind = {2: "struct code_range", 3: "struct code_stand_in", 4: "struct code_case"}[len(rows[0])]
    out.write(f"\n/* {comment} */\nstatic const {kind} {name}[] = {{\n")
    line = "   "
    for row in rows:
        item = " {" + ", ".join(f"0x{x:x}" if x >= 0 else f"-0x{-x:x}" for x in row) + "},"
        if len(line) + len(item) > 100:
            out.write(line + "\n")
            line = "   "
        line += item
    out.write(line + "\n};\n")


def main():
    assert unicodedata.unidata_version == "14.0.0", "this script needs a Python with Unicode 14"
    bert = normalizers.BertNormalizer
    sign = signs()
    tables = [
        ("unicode_number", ranges(by_split(pre_tokenizers.Digits(True))), "char::is_numeric"),
        ("unicode_punctuation", ranges(by_split(pre_tokenizers.Punctuation("isolated"))), "is_punc"),
        ("unicode_mark", ranges(by_removal(normalizers.StripAccents())), "is_combining_mark"),
        ("unicode_nonspacing", ranges(
            {c for c in by_removal(bert(False, False, True, False))
             if unicodedata.decomposition(chr(c))[:1] in ("", "<")}),
         "is_mark_nonspacing"),
        ("unicode_other", ranges(by_removal(bert(True, False, False, False)) - {0, 0xFFFD}), "is_control of BERT"),
        ("unicode_word", ranges({c for c in POINTS if len(pre_tokenizers.Whitespace().pre_tokenize_str(
            "a" + chr(c) + "a")) == 1}), "\\w of the regex crate"),
        ("unicode_frozen", ranges(frozen(sign)), "inert in normal forms"),
        ("unicode_lower_case", lower_case(normalizers.Lowercase()), "lower case: add delta to first, first + step, ..., last"),
        ("unicode_stand_ins", stand_ins(sign), "newer than Unicode 14, and what matches like them"),
    ]
    with open(sys.argv[1], "w") as out:
        out.write("/* unicode_tables.h - characters as `tokenizers` sees them; only unicode.c includes it.\n *\n"
                  f" * Written by tools/unicode_tables.py from tokenizers {tokenizers.__version__}. */\n"
                  "#ifndef TEXT_UNICODE_TABLES_H\n#define TEXT_UNICODE_TABLES_H\n\n#include <stdint.h>\n\n"
                  "struct code_range {\n    uint32_t first, last;\n};\n\n"
                  "struct code_case {\n    uint32_t first, last, step;\n    int32_t delta;\n};\n\n"
                  "struct code_stand_in {\n    uint32_t first, last, stand_in;\n};\n")
        for name, rows, comment in tables:
            table(out, name, rows, comment)
        out.write("\n#endif\n")


if __name__ == "__main__":
    main()
