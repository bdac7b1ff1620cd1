#!/usr/bin/env bash
# test_memory.sh - the plan, a model larger than memory, and memory that is not there.
source "$(dirname "$0")/lib.sh"

# What a plan says, and that it changes with the limit.
expect 0 "$isobit" inspect --plan -c 512 --sessions 2
says out "Memory for 2 sessions of 512 positions" "cache, 16 pages" "It fits."
expect 0 env ISOBIT_MEMORY=1G "$isobit" inspect --plan --json
says out '"fits": true' '"available_from": "the limit that was given"' '"sessions": 64'
expect 0 env ISOBIT_MEMORY=12M "$isobit" inspect --plan -c 1024 --sessions 8
says out "It does not fit: 1024 positions x 8 sessions need" "a context of"

# A model with too little memory for its weights gives the same bits, and says so.
ids=1,5,9,200,31,77,4,18,250,3,90,41
expect 0 "$isobit" logits --tokens $ids -c 64
cp "$tmp/out" "$tmp/want"
for memory in 3M 4M 5M 6M; do
    expect 0 env ISOBIT_MEMORY=$memory "$isobit" logits --tokens $ids -c 64 --chunk 16
    cmp -s "$tmp/want" "$tmp/out" || fail "other bits with ISOBIT_MEMORY=$memory"
    cat "$tmp/err" >>"$tmp/said"
done
# NEON and plain C multiply in the file anyway: they have no weights to find room for.
"$isobit" inspect --plan --json | grep -q '"weight_bytes": 0' ||
    grep -q "memory has no room for .* read from the file" "$tmp/said" || fail "not said"

# What does not fit is named, with what would.
refuses 1 env ISOBIT_MEMORY=9M "$isobit" run -p hello -c 1024 -- "1024 positions x 1 session need" "fits"
refuses 2 env ISOBIT_MEMORY=lots "$isobit" run -p hello -- 'ISOBIT_MEMORY is "lots"'

# Identities are remembered, and hashed again when asked.
expect 0 "$isobit" inspect
cp "$tmp/out" "$tmp/first"
[ "$(stat -c %a "$XDG_CACHE_HOME"/isobit/identity/*)" = 600 ] || fail "no private entry"
for option in "" --rehash; do
    expect 0 "$isobit" inspect $option
    cmp -s "$tmp/out" "$tmp/first" || fail "another identity with \"$option\""
done
