#!/usr/bin/env bash
# test_metrics.sh - what the server tells of itself: metrics, what runs, progress, health.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
server=
trap '[ -z "$server" ] || kill -9 $server 2>/dev/null; rm -rf "$tmp"' EXIT
client() { python3 tests/e2e/metrics_client.py "$port" "$@" || fail "$1"; }

"$isobit" serve --port 0 -m talker=$m --parallel 4 --chunk 128 -c 65536 >"$tmp/out" 2>"$tmp/log" &
server=$!
for _ in $(seq 300); do
    port=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
    grep -q "talker is ready" "$tmp/log" && break
    kill -0 $server 2>/dev/null || fail "the server did not start"
    sleep 0.1
done

client counts
client health
client requests
client progress
client restart "$(pgrep -P $server)"

kill $server
wait $server || fail "exit status after SIGTERM"
server=
