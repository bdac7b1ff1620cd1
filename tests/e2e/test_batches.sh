#!/usr/bin/env bash
# test_batches.sh - files and batches: answers, errors, cancelling, a kill in the midst.
source "$(dirname "$0")/lib.sh"
m=tests/golden/engine/talker.gguf

start() { start_server -m talker=$m --parallel 4 -c 4096 --data "$tmp/kept"; }
client() { python3 tests/e2e/batch_client.py "$port" "$@"; }

start
client answers || fail "answers"
client errors || fail "errors"
client cancel "$(client long 3000)" || fail "cancel"

batch=$(client long 500)
client wait "$batch" || fail "begun"
sleep 0.3
kill -9 $server
wait $server 2>/dev/null || true
start
client resumed "$batch" 500 || fail "resumed"

# Another server leaves the folder to this one, and says so.
"$isobit" serve --port 0 -m talker=$m --data "$tmp/kept" >"$tmp/out2" 2>"$tmp/log2" &
second=$!
for _ in $(seq 100); do grep -q "no batches" "$tmp/log2" && break; sleep 0.1; done
kill $second
wait $second || true
grep -q "another isobit has it" "$tmp/log2" || fail "two servers, one folder: $(cat "$tmp/log2")"
