#!/usr/bin/env bash
# test_trace.sh - traces agree across machines' ways of computing, and name the first difference.
source "$(dirname "$0")/lib.sh"

ids=$(seq 1 7 764 | awk '{ printf "%s%d", (NR > 1 ? "," : ""), $1 % 53 }') # past a LongRoPE border
for model in llama phi3-long; do
    m=tests/golden/model/$model.gguf
    expect 0 env ISOBIT_ISA=scalar "$isobit" trace -m $m --tokens "$ids" -o "$tmp/a" --values -t 1
    expect 0 "$isobit" trace -m $m --tokens "$ids" -o "$tmp/b" --chunk 17 -t 2
    expect 0 "$isobit" trace --compare "$tmp/a" "$tmp/b"
    says out "equal: "
done

# One changed element in the second layer is found, by name.
python3 - "$tmp/a" "$tmp/damaged" <<'END'
import hashlib, sys
lines = open(sys.argv[1]).read().split("\n")
at = next(i for i, line in enumerate(lines) if line.startswith("op 1 attn_out ")) + 6
values = bytearray.fromhex(lines[at].split()[1])
values[8:12] = bytes.fromhex("3f800000")
raw = b"".join(bytes(values[i:i + 4][::-1]) for i in range(0, len(values), 4))
lines[at] = hashlib.sha256(raw).hexdigest()[:16] + " " + values.hex()
open(sys.argv[2], "w").write("\n".join(lines))
END
expect 1 "$isobit" trace --compare "$tmp/a" "$tmp/damaged"
says out "layer 1, operation attn_out, position 5, element 2: " "1 of "
expect 1 "$isobit" trace --compare "$tmp/b" "$tmp/damaged"
says out "layer 1, operation attn_out, position 5 (trace with --values"
expect 1 "$isobit" trace --compare --json "$tmp/a" "$tmp/damaged"
says out '"equal": false' '"element": 2'

expect 0 "$isobit" trace -m tests/golden/model/llama.gguf --tokens 1,2 -o "$tmp/c"
refuses 1 "$isobit" trace --compare "$tmp/a" "$tmp/c" -- "different tokens"
head -c 3000 "$tmp/a" >"$tmp/cut"
refuses 1 "$isobit" trace --compare "$tmp/a" "$tmp/cut" -- "$tmp/cut: line"
refuses 1 "$isobit" trace --compare "$tmp/a" "$tmp/none" -- "$tmp/none"
refuses 2 "$isobit" trace --compare "$tmp/a" -- "two traces"
refuses 2 "$isobit" trace -m tests/golden/model/llama.gguf --tokens 1 -- "-o FILE is missing"
refuses 1 "$isobit" trace -m tests/golden/model/llama.gguf --tokens 1 -o "$tmp/no/such" -- "$tmp/no/such"
