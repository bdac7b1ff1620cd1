#!/usr/bin/env bash
# test_models.sh - models that are loaded on demand, leave when idle or for others, and die alone.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf

start() { start_server -c 4096 --parallel 4 "$@"; }
client() { python3 tests/e2e/models_client.py "$port" "$@" || { cat "$tmp/log" >&2; fail "$1"; }; }

mkdir -p "$tmp/models/deep"
cp $m "$tmp/models/a.gguf"
cp $m "$tmp/models/b.gguf"
cp $m "$tmp/models/deep/sub.gguf"
echo text >"$tmp/models/notes.txt"
touch "$tmp/models/half.gguf.part"

start --models-dir "$tmp/models"
client demand "$tmp/models"
client by_hand
client waiting $server
stop_server
rm "$tmp/models/bad.gguf" "$tmp/models/late.gguf"

start --models-dir "$tmp/models" --idle-unload 1
client idle
grep -q "nobody used it" "$tmp/log" || fail "leaving was not said"
stop_server

# What one needs, as the server itself says it; then a budget of two and a half.
start --models-dir "$tmp/models" --memory 1K
client too_small
stop_server
needs=$(sed -n 's/.*model a does not fit: it needs \([0-9.]*\) GB.*/\1/p' "$tmp/log" | head -1)
start --models-dir "$tmp/models" --memory "$(python3 -c "print(int($needs * 2.5e9))")"
client budget
grep -q "model a leaves: sub needs its memory" "$tmp/log" || fail "who leaves was not said"
stop_server

start -m one=$m -m two=$m
client crash $server
grep -q "model one: its process ended" "$tmp/log" || fail "the crash was not said"
stop_server

refuses 1 "$isobit" serve --models-dir "$tmp/none" -- "no such folder"
refuses 2 "$isobit" serve --memory 120% -- "--memory"
refuses 2 "$isobit" serve --memory lots -- "--memory"
