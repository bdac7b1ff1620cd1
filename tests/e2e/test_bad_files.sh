#!/usr/bin/env bash
# test_bad_files.sh - damaged models and full disks: one line that names the file, nothing left.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
size=$(stat -c %s $m)

# A file cut off anywhere.
for n in 1 4 20 100 1000 5000 $((size / 2)) $((size - 1)); do
    head -c "$n" $m >"$tmp/cut.gguf"
    refuses 1 "$isobit" run -m "$tmp/cut.gguf" -p a -- "cut.gguf"
done

# damage NAME PYTHON: a copy of the model with its bytes b changed.
damage() {
    python3 - $m "$tmp/$1.gguf" "$2" <<'END'
import struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
def info(name):
    "Place of a tensor's entry in the table: dimensions come after its name."
    return b.index(struct.pack("<Q", len(name)) + name.encode()) + 8 + len(name)
exec(sys.argv[3])
open(sys.argv[2], "wb").write(b)
END
}
damage version 'b[4] = 1'
refuses 1 "$isobit" inspect "$tmp/version.gguf" -- version.gguf
damage type 'b[info("blk.0.attn_q.weight") + 4 + 16] = 16'
refuses 1 "$isobit" inspect "$tmp/type.gguf" -- blk.0.attn_q.weight IQ2_XXS
damage offset 'at = info("blk.0.attn_q.weight") + 4 + 16 + 4; b[at:at + 8] = struct.pack("<Q", 1 << 40)'
refuses 1 "$isobit" inspect "$tmp/offset.gguf" -- offset.gguf blk.0.attn_q.weight
damage shape 'at = info("blk.0.attn_q.weight") + 4; b[at:at + 8] = struct.pack("<Q", 1 << 60)'
refuses 1 "$isobit" inspect "$tmp/shape.gguf" -- shape.gguf blk.0.attn_q.weight
damage name 'at = b.index(b"blk.1.ffn_up.weight"); b[at + 4] = ord("2")'
refuses 1 "$isobit" run -m "$tmp/name.gguf" -p a -- name.gguf blk.1.
damage nan 'at = len(b) - 34 * 100; at -= (at - len(b)) % 34; at = len(b) - 34; b[at:at + 2] = b"\x00\x7e"'
if "$isobit" run -m "$tmp/nan.gguf" -p a -n 4 >"$tmp/out" 2>"$tmp/err"; then fail "NaN in a scale is no error"; fi
says err "isobit: " "blk.1.ffn_down.weight"

# A disk that fills while a model is written.
mkdir "$tmp/made"
for command in "quantize --allow-requantize $m $tmp/made/q.gguf Q4_0"; do
    status=0
    (ulimit -f 8; exec "$isobit" $command) >"$tmp/out" 2>"$tmp/err" || status=$?
    [ $status = 1 ] || fail "a full disk: exit status $status"
    says err "isobit: " "q.gguf"
    [ -z "$(ls "$tmp/made")" ] || fail "left behind: $(ls "$tmp/made")"
done
refuses 1 "$isobit" quantize $m "$tmp/no/such/q.gguf" Q4_0 -- isobit
refuses 2 "$isobit" quantize $m "$tmp/q.gguf" Q4_X -- "did you mean"
