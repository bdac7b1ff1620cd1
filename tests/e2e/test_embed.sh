#!/usr/bin/env bash
# test_embed.sh - vectors by the command and by the server: the same bits, alone and in company.
source "$(dirname "$0")/lib.sh"

m=tests/golden/encoder/bert.gguf

printf 'hello, you\na\nthe quick brown fox jumps over the lazy dog\n\nhello, you\n' >"$tmp/lines"
expect 0 "$isobit" embed -m $m -f "$tmp/lines" --hash
cp "$tmp/out" "$tmp/all"
[ "$(wc -l <"$tmp/all")" = 5 ] || fail "a line for each text"
[ "$(sed -n 1p "$tmp/all")" = "$(sed -n 5p "$tmp/all")" ] || fail "equal texts, other vectors"
[ "$("$isobit" embed -m $m -p "hello, you" --hash)" = "$(sed -n 1p "$tmp/all")" ] || fail "alone, another vector"
for isa in $("$isobit" selftest --json 2>/dev/null | sed -n 's/.*"isa": "\(.*\)".*/\1/p'); do
    ISOBIT_ISA=$isa "$isobit" embed -m $m -f "$tmp/lines" --hash -t 3 --chunk 120 | cmp - "$tmp/all" || fail "$isa differs"
done
refuses 1 "$isobit" embed -m $m -p "$(yes a | head -120 | tr '\n' ' ')" -- "122 tokens; at most 110 fit"
refuses 1 "$isobit" run -m $m -p a -- "is an encoder"
refuses 2 "$isobit" embed -m $m -p a --pooling max -- "--pooling max"

start_server -m bert=$m -m rank=tests/golden/encoder/bert-rank.gguf -m talker=tests/golden/engine/talker.gguf
for what in vectors scores refusals company; do
    python3 tests/e2e/embed_client.py "$port" $what "$isobit" $m || fail "$what"
done
