#!/usr/bin/env bash
# test_text.sh - tokens and back, perplexity, and a folder that becomes a file.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
printf 'Gr\303\274\303\237e, \377 <|end|>!\n' >"$tmp/text"
expect 0 "$isobit" tokenize -m $m -f "$tmp/text"
cp "$tmp/out" "$tmp/ids"
expect 0 "$isobit" detokenize -m $m -f "$tmp/ids"
printf 'Gr\303\274\303\237e, \357\277\275 <|end|>!\n' | cmp -s - "$tmp/out" || fail "text is not what came back"
expect 0 "$isobit" detokenize -m $m -f "$tmp/ids" --no-special
grep -q end "$tmp/out" && fail "--no-special shows one"
expect 0 "$isobit" tokenize -m $m -p "<|end|>" --json
says out "[256]"
expect 0 "$isobit" tokenize -m $m -p "<|end|>" --plain --json
grep -q 256 "$tmp/out" && fail "--plain makes a special token"
expect 0 "$isobit" tokenize -m $m -p "a b" --pieces
says out '97  "a"' '32  " "'
refuses 1 "$isobit" detokenize -m $m 9999 -- 9999
refuses 2 "$isobit" detokenize -m $m x -- '"x" is no token id'

seq 1 400 >"$tmp/numbers"
expect 0 "$isobit" perplexity -m $m -f "$tmp/numbers" -c 64 --windows 3 --against-f64 --json
python3 - "$tmp/out" <<'END' || fail "the arithmetic is far from float64"
import json, sys
r = json.load(open(sys.argv[1]))
assert r["tokens_predicted"] == 3 * 31 and r["windows"] == 3, r
assert 0 <= r["kl_mean"] < 0.01 and r["same_best"] > 0.9, r
assert abs(r["perplexity"] / r["perplexity_f64"] - 1) < 0.05, r
END
refuses 1 "$isobit" perplexity -m $m -p "short" -c 64 -- "fewer than one window of 64"
