#!/usr/bin/env bash
# test_metrics.sh - what the server tells of itself: metrics, what runs, progress, health, its description, keys.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf

client() { python3 tests/e2e/metrics_client.py "$port" "$@" || fail "$1"; }

start_server -m talker=$m --parallel 4 --chunk 128 -c 65536 --log-requests --poc

client counts
client health
client openapi
client requests
client progress
client restart "$(pgrep -P $server)"

# isobit top shows it to people.
expect 0 "$isobit" top --once --url "http://127.0.0.1:$port"
says out "talker" "ready" "of 4, 0 waiting" "next tokens" "tokens/s out" "nothing runs"
grep -q $'\x1b' "$tmp/out" && fail "escapes outside a terminal"
client top "$isobit"
refuses 1 "$isobit" top --once --url http://127.0.0.1:1 -- "http://127.0.0.1:1/metrics"
refuses 1 "$isobit" top --once --url file:///etc/passwd -- "file"

# The log has a line for each answer and nothing of what was said.
grep -Eq '^....-..-..T..:..:..Z POST /v1/chat/completions 200 ms=[0-9.]+ id=req-[0-9a-f]+ model=talker prompt=14 cached=[0-9]+ generated=9$' "$tmp/log" ||
    fail "no line of the log for the first answer"
grep -Eq 'POST /v1/chat/completions 499 ms=[0-9.]+ id=whole model=talker' "$tmp/log" || fail "no line for the one that was ended"
grep -Eq 'GET /nothing 404 ms=' "$tmp/log" || fail "no line for what is not there"
grep -q "Hello" "$tmp/log" && fail "what was said is in the log"

stop_server

# With --log-prompts the bodies too.
start_server -m talker=$m --log-prompts
client counts
grep -Eq ' body id=req-[0-9a-f]+ ".*\\"Hello there\\"' "$tmp/log" || fail "the body is not in the log"
stop_server

# With keys, each has its own view.
new() { "$isobit" key create "$@" --keys "$tmp/keys.json" 2>/dev/null; }
admin=$(new boss --scope admin) user=$(new user) other=$(new other)
start_server -m talker=$m -c 65536 --keys "$tmp/keys.json"
client keys "$admin" "$user" "$other"
refuses 2 "$isobit" top --once --url "http://127.0.0.1:$port" -- "wants a key"
ISOBIT_KEY=$user expect 0 "$isobit" top --once --url "http://127.0.0.1:$port"
says out "talker" "nothing runs"
stop_server
