#!/usr/bin/env bash
# test_dispute.sh - two receipts of one request: where they part, and who is right; every lie is made
# for real, with its hashes and its signature.
source "$(dirname "$0")/lib.sh"

m=models/demo/isobit-demo-q8_0.gguf
honest=$tmp/honest
forge() { python3 tests/e2e/dispute_forge.py "$honest" "$tmp/$1" "${@:2}" || fail "dispute_forge.py $*"; }
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

# A third party that is shown the pages on which both agree computes 64 positions at most: a page of
# the answer, one of the prompt, a token that comes before them.
computes() { # MOST A B TEXT... : from the pages that a party discloses
    local most=$1 a=$2 b=$3
    shift 3
    expect 0 "$isobit" dispute "$tmp/$a" "$tmp/$b" -m $m -q --disclose "$tmp/state"
    expect 0 "$isobit" dispute "$tmp/$a" "$tmp/$b" -m $m -q --state "$tmp/state"
    says out "$@"
    local n=$(sed -n 's/^computed anew: \([0-9]*\) positions$/\1/p' "$tmp/out")
    [ "$n" -ge 1 ] && [ "$n" -le "$most" ] || fail "$n positions were computed, not $most at most"
}
computes 64 honest page1 "taken: 1 pages" "computed anew: 64 positions" "A is right" "B  its page 1 is another"
computes 64 page2 honest "taken: 2 pages" "computed anew: 64 positions" "B is right"
forge late sum=90
computes 64 honest late "A is right" "another sum of the same logits than computed"
computes 64 token honest "B is right" "A  token 70: another token"
[ "$(stat -c %a "$tmp/state")" = 600 ] || fail "others can read the state"
long=$(printf 'What is the capital of country %s? ' $(seq 40))
expect 0 "$isobit" run -m $m -p "$long" -q --seed 7 --temp 0.9 -n 100 --ignore-eos --receipt "$tmp/long"
honest=$tmp/long
forge prompt1 prompt=1
forge answer0 page=0
forge first sum=0
dispute 0 long prompt1 "first page that differs: 1, positions 64 to 127" "tokens: the same" "A is right"
computes 64 prompt1 long "taken: 1 pages" "computed anew: 64 positions" "B is right" "A  its page 1"
computes 64 long answer0 "computed anew: 64 positions" "A is right"
computes 64 first long "B is right" "A  token 0: another sum"

# What is disclosed is held to both receipts: another page, one that nothing computes, too much.
python3 - "$tmp/state" "$tmp" <<'END' || fail "no other states"
import sys
state, to = open(sys.argv[1], "rb").read(), sys.argv[2]
for name, text in (("flipped", bytes([state[0] ^ 1]) + state[1:]), ("wild", b"\xff\x7f" + state[2:]),
                   ("cut", state[:-1]), ("more", state + state)):
    open(f"{to}/{name}", "wb").write(text)
END
for bad in "flipped:page 0 is not the one" "wild:page 0 is none that this model" "cut:bytes; the state before" "more:bytes; the state before" "none:none"; do
    expect 3 "$isobit" dispute "$tmp/first" "$tmp/long" -m $m -q --state "$tmp/${bad%%:*}"
    says err "${bad#*:}"
    grep -q "right" "$tmp/out" && fail "a verdict from $bad"
done
forge both_lie page=0 prompt=0
forge both_lie2 page=0 prompt=0 sum=20
expect 3 "$isobit" dispute "$tmp/both_lie" "$tmp/both_lie2" -m $m -q --disclose "$tmp/lies"
says err "page 0 is not the one that both receipts name"
[ ! -e "$tmp/lies" ] || fail "a state that nobody computed"
forge zero prompt=0
expect 3 "$isobit" dispute "$tmp/zero" "$tmp/long" -m $m -q --disclose "$tmp/lies"
says err "part within the first page"
refuses 2 "$isobit" dispute "$tmp/long" "$tmp/first" --state "$tmp/state" -- "need the model"
honest=$tmp/honest

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
