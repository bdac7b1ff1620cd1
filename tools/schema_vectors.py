#!/usr/bin/env python3
"""schema_vectors.py - the JSON-Schema-Test-Suite's cases as lines for tests/unit/grammar/test_schema.c.

usage: tools/schema_vectors.py SUITE > tests/golden/grammar/json_schema_suite.txt
(SUITE: a checkout of github.com/json-schema-org/JSON-Schema-Test-Suite, MIT licence)

    # file: description
    S schema
    V instance [tab another order of its keys ...]      valid: one order at least is matched
    I instance [tab ...]                                invalid: none is

Numbers are written as a grammar writes them: whole values without fraction, no exponents.
"""
import itertools
import json
import sys
from decimal import Decimal
from pathlib import Path

FOLDER = "tests/draft2020-12"
# format.json says what validators do that do not look at formats; the others need other documents.
SKIPPED_FILES = {"format.json", "refRemote.json", "vocabulary.json"}
FORMATS = ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]
ORDERS_MAX = 24
# Valid texts that the grammars of formats leave out (docs/grammar.md): leap seconds, lower case t and
# z, quoted local parts and address literals of email, host names of internationalised domains. And
# one rule that is not compiled: a host name's whole length.
NARROWER = ["leap second", "case-insensitive", "quoted", "address-literal", "IPv4-address", "IPv6-address",
            "valid Chinese Punycode", "xn--", "KATAKANA", "Arabic-Indic", "ZERO WIDTH", "MIDDLE DOT", "Greek", "Hebrew"]
WIDER = ["exceeds maximum"]


def plain(value):
    """Numbers as text in the form that grammars write."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, Decimal)):
        number = Decimal(value)
        return format(number.quantize(Decimal(1)) if number == number.to_integral_value() and abs(number) < 10 ** 27
                      else number, "f")
    raise TypeError(value)


def orders(value):
    """Every order of keys, as compact texts; the suite's own first."""
    if isinstance(value, list):
        for items in itertools.product(*[list(orders(v)) for v in value]):
            yield "[" + ",".join(items) + "]"
    elif isinstance(value, dict):
        for keys in itertools.permutations(value):
            for items in itertools.product(*[list(orders(value[k])) for k in keys]):
                yield "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + v for k, v in zip(keys, items)) + "}"
    else:
        yield plain(value)


def cases(path, is_format):
    for case in json.loads(path.read_text(), parse_float=Decimal):
        lines = []
        for test in case["tests"]:
            skipped = NARROWER if test["valid"] else WIDER
            if is_format and any(word in test["description"] or word in str(test["data"]) for word in skipped):
                continue
            try:
                texts = list(itertools.islice(orders(test["data"]), ORDERS_MAX))
                "".join(texts).encode()
            except UnicodeEncodeError:
                continue  # half a surrogate pair
            lines.append(("V " if test["valid"] else "I ") + "\t".join(texts))
        schema = case["schema"]
        if isinstance(schema, dict):
            schema.pop("$schema", None)
        print(f"# {path.name}: {case['description']}")
        print("S " + json.dumps(schema, ensure_ascii=True, separators=(",", ":"), default=float))
        print("\n".join(lines))


def main():
    folder = Path(sys.argv[1]) / FOLDER
    for path in sorted(folder.glob("*.json")):
        if path.name not in SKIPPED_FILES:
            cases(path, False)
    for name in FORMATS:
        cases(folder / "optional" / "format" / f"{name}.json", True)


if __name__ == "__main__":
    main()
