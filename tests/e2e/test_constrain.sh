#!/usr/bin/env bash
# test_constrain.sh - answers of a given form: JSON by schema, GBNF, regular expressions, choices.
source "$(dirname "$0")/lib.sh"

export ISOBIT_DEMO=models/demo/isobit-demo-q8_0.gguf
schema='{"type":"object","properties":{"name":{"type":"string","maxLength":20},
 "age":{"type":"integer","minimum":1,"maximum":99},"when":{"type":"string","format":"date"},
 "tags":{"type":"array","items":{"enum":["red","green"]},"minItems":1,"maxItems":3}},
 "required":["name","age","when","tags"],"additionalProperties":false}'

# Whatever the seed and the temperature, the answer conforms, and ends by itself.
for seed in 1 2 3 4 5; do
    expect 0 "$isobit" run -q -p "Tell me about a person." -s $seed --temp 1.5 --json-schema "$schema"
    python3 - "$tmp/out" <<'END' || fail "seed $seed: the answer does not conform"
import datetime, json, sys
answer = json.load(open(sys.argv[1]))
assert list(answer) == ["name", "age", "when", "tags"], answer
assert len(answer["name"]) <= 20 and type(answer["age"]) is int and 1 <= answer["age"] <= 99
datetime.date.fromisoformat(answer["when"].replace("0000-", "0004-", 1))
assert 1 <= len(answer["tags"]) <= 3 and set(answer["tags"]) <= {"red", "green"}
END
done

# The same from a file, with the same bits; a byte-level vocabulary does it too.
printf '%s' "$schema" >"$tmp/schema.json"
expect 0 "$isobit" run -q -p "Tell me about a person." -s 5 --temp 1.5 --json-schema "$schema"
cp "$tmp/out" "$tmp/wanted"
expect 0 "$isobit" run -q -p "Tell me about a person." -s 5 --temp 1.5 --json-schema "$tmp/schema.json" -t 1
cmp -s "$tmp/out" "$tmp/wanted" || fail "another answer from the file, or with one thread"
expect 0 "$isobit" run -q -m tests/golden/engine/talker.gguf -p Hi -s 1 --temp 1 --json-schema "$tmp/schema.json"
python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$tmp/out" || fail "talker's answer is not JSON"

# The other forms.
expect 0 "$isobit" run -q -p "Is water wet?" -s 3 --temp 2 --choice "yes,no,it depends"
grep -qxE "yes|no|it depends" "$tmp/out" || fail "none of the choices"
expect 0 "$isobit" run -q -p "A number." -s 3 --temp 2 --regex '[1-9]\d{2}-(red|blue)'
grep -qxE '[1-9][0-9]{2}-(red|blue)' "$tmp/out" || fail "the expression does not match"
printf 'root ::= ("- " [a-z ]{3,20} "\\n"){2,4}\n' >"$tmp/list.gbnf"
expect 0 "$isobit" run -q -p "A list." -s 3 --temp 1 --grammar "$tmp/list.gbnf"
[ "$(grep -cxE -- '- [a-z ]{3,20}' "$tmp/out")" = "$(wc -l <"$tmp/out")" ] || fail "not a list"
expect 0 "$isobit" run -q -p "JSON." -s 3 -n 20 --json-object
[ "$(head -c 1 "$tmp/out")" = "{" ] || fail "not an object"

# What cannot be compiled is named; options that exclude each other are a usage error.
run() { "$isobit" run -q -p Hi "$@"; }
refuses 1 run --json-schema '{"properties":{"a":{"uniqueItems":true}}}' -- '#/properties/a: "uniqueItems"'
refuses 1 run --json-schema '{"minLenght":1}' -- '"minLenght" is not a keyword'
refuses 1 run --json-schema "$tmp/none.json" -- "none.json"
refuses 1 run --regex '(a)\1' -- "byte 5: back references"
printf 'root ::= root "a" | "b"' >"$tmp/left.gbnf"
refuses 1 run --grammar "$tmp/left.gbnf" -- "left.gbnf" "begins with itself"
refuses 2 run --regex a --choice b -- "only one"
refuses 2 run --regex a --ignore-eos -- "--ignore-eos"
