#!/usr/bin/env bash
# test_receipt.sh - isobit run and embed --receipt: files that prove themselves, the same on every
# instruction set, for every kind of answer; nothing where there is no key or no place.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
run() { "$isobit" run -m $m -q "$@"; }
check() { python3 tests/e2e/receipt_check.py "$@" 2>"$tmp/err" || fail "receipt_check.py $*"; }

# Without a key nothing is computed; without a place neither.
refuses 2 "$isobit" run -m missing.gguf -p Hello --receipt "$tmp/none" -- "isobit node-key create"
expect 0 "$isobit" node-key create
refuses 1 run -p Hello --receipt "$tmp/no/such/folder" -- "no/such/folder"
# An answer that could become too long for its receipt is not begun.
refuses 1 run -p Hello -c 70000 --receipt "$tmp/none" -- "69992 tokens is too long for a receipt" "16 MiB; -n 55"
[ -z "$(ls "$tmp" | grep none)" ] || fail "something was left"

# The same but for salt, time and machine: instruction sets, threads, chunks, guesses.
n=0
for isa in $("$isobit" selftest --json 2>/dev/null | sed -n 's/.*"isa": "\(.*\)".*/\1/p'); do
    for how in "-t 1 --chunk 1" "-t 3 --chunk 5 --no-speculation"; do
        n=$((n + 1))
        expect 0 env ISOBIT_ISA="$isa" "$isobit" run -m $m -q -p "Hello there" -n 150 -s 7 --ignore-eos $how --receipt "$tmp/r$n"
    done
done
[ $n -ge 4 ] || fail "only $n receipts"
check --same "$tmp"/r[0-9] "$tmp"/r[0-9]
check "$tmp/r1" finish_reason=length seed.by=requester seed.value=7 parameters.interface=run output.count=150
[ "$(stat -c %a "$tmp/r1.bundle")" = 600 ] || fail "others can read the bundle"
ls "$tmp"/*.tmp* 2>/dev/null && fail "temporary files are left"

# Greedy, a seed of the program's own, stop texts, a prompt as it is, a prompt from elsewhere.
expect 0 run -p "Hello there" -n 40 --temp 0 --receipt "$tmp/g"
check "$tmp/g" seed.by=node parameters.temperature=0 parameters.max_tokens=40
expect 0 run -p "Hello there" -n 90 -s 7 --json
word=$(python3 -c 'import json,sys; t=json.load(open(sys.argv[1]))["text"]; print([c for c in t if c.isascii() and c.isalnum()][1])' "$tmp/out")
expect 0 run -p "Hello there" -n 90 -s 7 --stop "$word" --receipt "$tmp/s"
check "$tmp/s" finish_reason=stop "parameters.stop_texts=[\"$word\"]"
expect 0 run -p "Hello there" -n 20 -s 7 --raw --receipt "$tmp/w"
check "$tmp/w" "prompt=Hello there" model.template="$(printf '0%.0s' {1..64})"

# All logits: the hash of each row, as isobit logits has them.
expect 0 run -p "Hello there" -n 20 -s 7 --receipt "$tmp/all" --receipt-logits
check "$tmp/all" output.count=20
grep -q '"logits":"' "$tmp/all" || fail "no logits"
expect 0 "$isobit" verify "$tmp/all" -m $m -p "Hello there"
says out "output.logits    recomputed" Valid
python3 tests/e2e/dispute_forge.py "$tmp/all" "$tmp/all_lie" all=7 hide=certificate || fail "dispute_forge.py"
expect 1 "$isobit" verify "$tmp/all_lie" -m $m -p "Hello there"
says out "first difference: output.logits: position 7 of 20"
refuses 2 run -p Hello --receipt-logits -- "goes with --receipt"

# A form, biases, breakers.
expect 0 run -p "Hello" -s 3 --choice yes,no --receipt "$tmp/c"
check "$tmp/c" parameters.constraint.kind=choice finish_reason=stop \
    "parameters.constraint.hash=$(printf yes,no | sha256sum | cut -c -64)"
expect 0 run -p "Hello" -s 3 -n 9 --logit-bias 7=-inf --dry-multiplier 1 --receipt "$tmp/b"
check "$tmp/b" 'parameters.bias=[[7, "-inf"]]'

# Several answers have a receipt each; each is that of the answer alone but for its choice.
expect 0 run -p "Hello there" -n 70 -s 7 --ignore-eos --answers 3 --receipt "$tmp/a"
for i in 1 2 3; do
    check "$tmp/a.$i" parameters.choice=$((i - 1)) output.count=70
done
[ ! -e "$tmp/a" ] || fail "three answers, and a file for one"
expect 0 run -p "Hello there" -n 70 -s 7 --ignore-eos --receipt "$tmp/alone"
check --same "$tmp/a.1" "$tmp/alone"

# Pages that the prompt fills, read in passes of any length, remembered or not.
long=$(printf 'Hello there, %s. ' $(seq 10))
for chunk in 7 512; do
    expect 0 run -p "$long" -n 70 -s 7 --ignore-eos --chunk $chunk --answers 2 --receipt "$tmp/p$chunk"
done
check --same "$tmp/p7.1" "$tmp/p512.1"
check --same "$tmp/p7.2" "$tmp/p512.2"
python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))["prompt_pages"]) > 1' "$tmp/p7.1.bundle" || fail "a short prompt"

# A text that JSON cannot hold is refused, and a certificate that is over.
printf 'Hello \xff' >"$tmp/latin"
refuses 2 run -f "$tmp/latin" -n 3 --raw --receipt "$tmp/l" -- UTF-8
[ ! -e "$tmp/l" ] && [ ! -e "$tmp/l.bundle" ] || fail "half a receipt"

# Vectors: of tokens, of the lines of a file; a text that JSON cannot hold.
expect 0 "$isobit" embed -m $m --tokens 5,6,7,8 --json --receipt "$tmp/v"
check --vector "$tmp/v" "$tmp/out"
expect 3 "$isobit" verify "$tmp/v"
says out "no model: nothing was computed" NotMeasured
sed 's/"pooling":"last"/"pooling":"mean"/' "$tmp/v" >"$tmp/altered"
expect 1 "$isobit" verify "$tmp/altered"
printf 'one\ntwo words\nthree\n' >"$tmp/lines"
expect 0 "$isobit" embed -m $m -f "$tmp/lines" --hash --receipt "$tmp/v3"
python3 - "$tmp/v3" <<'END' || fail "a receipt of three texts"
import json, sys
body = json.load(open(sys.argv[1]))["body"]
request = json.loads(json.load(open(sys.argv[1] + ".bundle"))["request"])
assert body["vectors"]["count"] == len(request["texts"]) == 3 and request["texts"][1] == "two words"
END
refuses 2 "$isobit" embed -m $m -f "$tmp/latin" --receipt "$tmp/l" -- UTF-8
[ ! -e "$tmp/l" ] && [ ! -e "$tmp/l.bundle" ] || fail "half a receipt of vectors"

# A receipt that cannot take its name takes its bundle, and those of other answers, with it.
mkdir -p "$tmp/q.2/kept"
expect 1 run -p Hello -n 3 --answers 3 --receipt "$tmp/q"
[ "$(ls -d "$tmp"/q* | wc -l)" = 1 ] || fail "left: $(ls -d "$tmp"/q*)"
