#!/usr/bin/env bash
# test_quantize.sh - the demo model in smaller types still answers; threads do not change a byte.
source "$(dirname "$0")/lib.sh"

m=models/demo/isobit-demo-q8_0.gguf
refuses 1 "$isobit" quantize $m "$tmp/q.gguf" Q4_K_M -- "is Q8_0 already" "--allow-requantize"
[ ! -e "$tmp/q.gguf" ] || fail "a refused source left a file"
for mix in Q6_K Q4_K_M; do
    expect 0 "$isobit" quantize -t 1 --allow-requantize $m "$tmp/a.gguf" $mix
    says out "bits per weight"
    expect 0 "$isobit" quantize -t 3 --allow-requantize --json $m "$tmp/b.gguf" $mix
    says out '"quantized_tensors": '
    cmp -s "$tmp/a.gguf" "$tmp/b.gguf" || fail "$mix: threads change the bytes"
    expect 0 "$isobit" run -m "$tmp/a.gguf" -p "What is the capital of France?" --temp 0 -n 30
    says out "Paris"
done
expect 0 "$isobit" quantize $m "$tmp/copy.gguf" Q8_0
expect 0 "$isobit" logits -m $m -p "one two"
cp "$tmp/out" "$tmp/wanted"
expect 0 "$isobit" logits -m "$tmp/copy.gguf" -p "one two"
cmp -s "$tmp/out" "$tmp/wanted" || fail "a copy in the same type gives other logits"
