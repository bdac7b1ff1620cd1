#!/usr/bin/env bash
# test_local.sh - the server as clients of llama-server, vLLM and Ollama see it.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
server=
trap '[ -z "$server" ] || kill -9 $server 2>/dev/null; rm -rf "$tmp"' EXIT

: >"$tmp/log"
"$isobit" serve --port 0 -m talker=$m --parallel 4 -c 4096 >"$tmp/out" 2>"$tmp/log" &
server=$!
for _ in $(seq 300); do
    port=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
    [ -n "$port" ] && python3 tests/e2e/http_client.py "$port" ready 2>/dev/null && break
    kill -0 $server 2>/dev/null || { cat "$tmp/log" >&2; fail "the server did not start"; }
    sleep 0.1
done

for what in texts llama ollama batch likely; do
    python3 tests/e2e/local_client.py "$port" $what || fail "$what"
done
kill $server
wait $server || fail "exit status after SIGTERM"
server=
