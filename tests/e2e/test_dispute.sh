#!/usr/bin/env bash
# test_dispute.sh - two receipts of one request: where they part, and who is right; every lie is made
# for real, with its hashes and its signature.
source "$(dirname "$0")/lib.sh"

m=models/demo/isobit-demo-q8_0.gguf
forge() { python3 tests/e2e/dispute_forge.py "$tmp/honest" "$tmp/$1" "${@:2}" || fail "dispute_forge.py $*"; }
# dispute STATUS A B TEXT... : with the model.
dispute() {
    local status=$1 a=$2 b=$3
    shift 3
    expect "$status" "$isobit" dispute "$tmp/$a" "$tmp/$b" -m $m -q
    says out "$@"
}
expect 0 "$isobit" node-key create
expect 0 "$isobit" run -m $m -p "What is the capital of France?" -q --seed 7 --temp 0.9 -n 200 --ignore-eos --receipt "$tmp/honest"
n=$(python3 -c 'import json, sys; b = json.load(open(sys.argv[1])); print(64 - len(b["prompt_ids"]) % 64); assert len(b["pages"]) >= 3' "$tmp/honest.bundle")
refuses 2 "$isobit" dispute "$tmp/honest" -- "B"
refuses 3 "$isobit" dispute "$tmp/honest" "$tmp/none" -- "none"

# Nothing differs: signed anew with nothing changed.
forge again
expect 0 "$isobit" dispute "$tmp/honest" "$tmp/again"
says out "nothing differs in tokens and pages"
sed -E 's/"clock":[0-9]+/"clock":1/' "$tmp/honest" >"$tmp/earlier"
cp "$tmp/honest.bundle" "$tmp/earlier.bundle"
python3 tests/e2e/dispute_forge.py "$tmp/earlier" "$tmp/later" || fail "another clock"
expect 0 "$isobit" dispute "$tmp/honest" "$tmp/later"

# A page: whoever lies is told, whichever side it stands on; without a model nobody is right.
forge page1 page=1
forge page2 page=2
dispute 0 honest page1 "first page that differs: 1" "tokens: the same" "A is right" "B  its page 1 is another"
grep -q "computed anew: .* $((n + 64 + 1)) of the answer" "$tmp/out" || fail "more was computed than up to page 1"
dispute 0 page1 honest "B is right" "A  its page 1 is another"
dispute 0 page1 page2 "first page that differs: 1" "B is right"
ISOBIT_ISA=scalar dispute 0 honest page2 "first page that differs: 2" "A is right"
expect 3 "$isobit" dispute "$tmp/honest" "$tmp/page1"
says out "first page that differs: 1" "no model"

# Neither: both lie, or both agree on what is none.
forge pages page=1 page=2
dispute 1 page1 pages "first page that differs: 2" "A  its page 1" "B  its page 1" "neither is right"
forge logit logit=5
forge sum sum=5
dispute 1 logit sum "first token that differs: 5, other logits" "other logits than computed" \
    "another sum of the same logits than computed" "neither is right"

# Records, where pages are equal; a token, after which nothing can be compared.
dispute 0 logit honest "pages: the same" "first token that differs: 5, other logits" "B is right"
dispute 0 honest sum "another sum of the same logits" ", 6 of the answer" "A is right"
forge token token=70
dispute 0 token honest "first token that differs: 70, another token" "B is right" "A  token 70: another token"
forge both token=70 page=1
dispute 0 honest both "first token that differs: 70" "A is right"
forge page_and_sum page=2 sum=3
dispute 1 page_and_sum logit "first page that differs: 2" "first token that differs: 3" "neither is right"

# One ends sooner: what both have is compared, the end is for isobit verify.
forge short cut=150
expect 3 "$isobit" dispute "$tmp/short" "$tmp/honest" -m $m
says out "as far as the shorter answer goes"
forge short_lie cut=150 page=0
dispute 0 short_lie honest "first page that differs: 0" "B is right"

# What cannot be compared is said in one line.
forge seed seed=8
refuses 3 "$isobit" dispute "$tmp/honest" "$tmp/seed" -m $m -- "two requests: seed" "expected 7, found 8"
expect 0 "$isobit" run -m $m -p "What is the capital of Spain?" -q --seed 7 --temp 0.9 -n 200 --ignore-eos --receipt "$tmp/spain"
refuses 3 "$isobit" dispute "$tmp/honest" "$tmp/spain" -- "two requests: prompt.ids"
expect 0 "$isobit" run -m $m -p "What is the capital of France?" -q --seed 7 --temp 0.8 -n 200 --ignore-eos --receipt "$tmp/cooler"
refuses 3 "$isobit" dispute "$tmp/honest" "$tmp/cooler" -- "two requests: parameters" temperature
forge hidden hide=pages
refuses 3 "$isobit" dispute "$tmp/honest" "$tmp/hidden" -- hidden "does not show the hashes of the pages"
forge loose loose=2
refuses 3 "$isobit" dispute "$tmp/loose" "$tmp/honest" -- loose "output.pages" "page 2"
sed 's/"count":200/"count":201/' "$tmp/honest" >"$tmp/unsigned"
refuses 3 "$isobit" dispute "$tmp/unsigned" "$tmp/honest" --bundle-a "$tmp/honest.bundle" -- unsigned signature
expect 3 "$isobit" dispute "$tmp/honest" "$tmp/page1" -m tests/golden/engine/talker.gguf -q
says err "not the model of the receipts"
expect 0 "$isobit" run -m $m -p "Yes?" -q -s 3 --choice yes,no --receipt "$tmp/form"
python3 tests/e2e/dispute_forge.py "$tmp/form" "$tmp/form_lie" sum=0
expect 3 "$isobit" dispute "$tmp/form" "$tmp/form_lie" -m $m -q
says err "the answer had a form (choice)"
