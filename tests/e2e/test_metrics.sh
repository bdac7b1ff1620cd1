#!/usr/bin/env bash
# test_metrics.sh - what the server tells of itself: metrics, what runs, progress, health, its description.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
server=
trap '[ -z "$server" ] || kill -9 $server 2>/dev/null; rm -rf "$tmp"' EXIT
client() { python3 tests/e2e/metrics_client.py "$port" "$@" || fail "$1"; }

"$isobit" serve --port 0 -m talker=$m --parallel 4 --chunk 128 -c 65536 --log-requests >"$tmp/out" 2>"$tmp/log" &
server=$!
for _ in $(seq 300); do
    port=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
    grep -q "talker is ready" "$tmp/log" && break
    kill -0 $server 2>/dev/null || fail "the server did not start"
    sleep 0.1
done

client counts
client health
client openapi
client requests
client progress
client restart "$(pgrep -P $server)"

# The log has a line for each answer and nothing of what was said.
grep -Eq '^....-..-..T..:..:..Z POST /v1/chat/completions 200 ms=[0-9.]+ id=req-[0-9a-f]+ model=talker prompt=14 cached=[0-9]+ generated=9$' "$tmp/log" ||
    fail "no line of the log for the first answer"
grep -Eq 'POST /v1/chat/completions 499 ms=[0-9.]+ id=whole model=talker' "$tmp/log" || fail "no line for the one that was ended"
grep -Eq 'GET /nothing 404 ms=' "$tmp/log" || fail "no line for what is not there"
grep -q "Hello" "$tmp/log" && fail "what was said is in the log"

kill $server
wait $server || fail "exit status after SIGTERM"
server=

# With --log-prompts the bodies too.
"$isobit" serve --port 0 -m talker=$m --log-prompts >"$tmp/out" 2>"$tmp/log" &
server=$!
for _ in $(seq 300); do
    port=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
    grep -q "talker is ready" "$tmp/log" && break
    sleep 0.1
done
client counts
grep -Eq ' body id=req-[0-9a-f]+ ".*\\"Hello there\\"' "$tmp/log" || fail "the body is not in the log"
