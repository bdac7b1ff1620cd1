#!/usr/bin/env bash
# test_usage.sh - help, wrong usage, and models that are not there.
source "$(dirname "$0")/lib.sh"

expect 0 "$isobit" --help
says out "Usage: isobit COMMAND"
commands=$(sed -n 's/^  \([a-z-]*\)  .*/\1/p' "$tmp/out" | grep -v isobit)
[ "$(wc -w <<<"$commands")" -ge 6 ] || fail "too few commands in --help"
for c in $commands; do
    expect 0 "$isobit" "$c" --help
    says out "isobit $c - " "Usage: isobit $c" "Examples"
    awk 'length > 90 { exit 1 }' "$tmp/out" || fail "$c --help is wider than 90 columns"
    cp "$tmp/out" "$tmp/wanted"
    expect 0 "$isobit" help "$c"
    cmp -s "$tmp/out" "$tmp/wanted" || fail "help $c differs from $c --help"
    refuses 2 "$isobit" "$c" --hepl -- "unknown option --hepl"
done
expect 0 "$isobit" version
says out "isobit " "exact-1"

expect 2 "$isobit"
refuses 2 "$isobit" inspekt -- 'did you mean "inspect"?'
refuses 2 "$isobit" fly -- 'unknown command "fly"'
refuses 2 "$isobit" logits --chunks 3 -- "did you mean --chunk?"
refuses 2 "$isobit" logits --chunk -- "--chunk needs a value"
refuses 2 "$isobit" logits --chunk x -- '"x"' "whole number"
refuses 2 "$isobit" inspect a b -- "one argument too many"

refuses 1 "$isobit" inspect "$tmp/none.gguf" -- none.gguf
: >"$tmp/empty.gguf"
refuses 1 "$isobit" inspect "$tmp/empty.gguf" -- empty.gguf
mkdir "$tmp/folder"
refuses 1 "$isobit" inspect "$tmp/folder" -- "$tmp/folder"
if [ -w /dev/full ]; then
    status=0
    "$isobit" inspect tests/golden/model/llama.gguf >/dev/full 2>"$tmp/err" || status=$?
    [ $status = 1 ] || fail "a full disk is no failure"
    says err "cannot write the result"
fi
