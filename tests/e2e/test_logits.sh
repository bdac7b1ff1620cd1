#!/usr/bin/env bash
# test_logits.sh - logits do not depend on threads, chunks, batches or instruction sets.
source "$(dirname "$0")/lib.sh"

ids=$(seq 1 7 764 | awk '{ printf "%s%d", (NR > 1 ? "," : ""), $1 % 53 }') # 110 of them
isas=$("$isobit" selftest --json 2>/dev/null | sed -n 's/.*"isa": "\(.*\)".*/\1/p')
[ -n "$isas" ] || fail "selftest names no instruction set"
expect 0 "$isobit" selftest --vectors
says out "exact-1 "
grep -q DIFFERS "$tmp/out" && fail "this machine's arithmetic"

for model in llama gpt-oss phi3-long; do
    file=tests/golden/model/$model.gguf
    expect 0 "$isobit" logits -m $file --tokens $ids -t 1
    [ "$(wc -l <"$tmp/out")" = 111 ] || fail "not a line for each token"
    cp "$tmp/out" "$tmp/wanted"
    for isa in $isas; do
        for how in "-t 1 --chunk 1" "-t 2 --chunk 7" "-t 3 --chunk 64" "-t 2 --chunk 3 --batch 5" \
                   "-t 2 --chunk 1 --batch 9"; do
            expect 0 env ISOBIT_ISA="$isa" "$isobit" logits -m $file --tokens $ids $how
            cmp -s "$tmp/out" "$tmp/wanted" || fail "$model on $isa with $how differs"
        done
    done
done

# Every number of sequences side by side up to 64, on the fastest set: each takes another kernel.
for batch in $(seq 1 64); do
    expect 0 "$isobit" logits -m "$file" --tokens $ids -t 2 --chunk 5 --batch "$batch"
    cmp -s "$tmp/out" "$tmp/wanted" || fail "a batch of $batch differs"
done

expect 0 "$isobit" logits -m tests/golden/model/llama.gguf --tokens "1 2" --values --json
python3 - "$tmp/out" <<'END' || fail "the values do not hash to the hashes"
import hashlib, json, struct, sys
for t in json.load(open(sys.argv[1]))["tokens"]:
    raw = struct.pack("<%df" % len(t["logits"]), *t["logits"])
    assert hashlib.sha256(raw).hexdigest() == t["sha256"]
END

m=tests/golden/model/llama.gguf
refuses 2 "$isobit" logits -m $m --tokens 1,2,99 -- "token 99" "ids 0 to 98"
refuses 1 "$isobit" logits -m $m --tokens $ids -c 109 -- "110 tokens but the context holds 109"
refuses 2 "$isobit" logits -m $m --tokens 1,x -- '"x" is no token id'
refuses 2 "$isobit" logits -m $m --tokens "" -- "no tokens"
refuses 2 "$isobit" logits -m $m --tokens 1 --chunk 60000 --batch 60 -- "3600000 rows"
refuses 1 env ISOBIT_ISA=z80 "$isobit" logits -m $m --tokens 1 -- z80
refuses 1 "$isobit" logits -m $m -p text -- "$m"
