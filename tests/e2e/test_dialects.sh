#!/usr/bin/env bash
# test_dialects.sh - the server as clients of Anthropic's messages and OpenAI's responses see it.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
server=
trap '[ -z "$server" ] || kill -9 $server 2>/dev/null; rm -rf "$tmp"' EXIT

# start ARGUMENTS... : a server on a free port; $port, $server.
start() {
    : >"$tmp/log"
    "$isobit" serve --port 0 -m talker=$m --parallel 4 -c 4096 "$@" >"$tmp/out" 2>"$tmp/log" &
    server=$!
    for _ in $(seq 300); do
        port=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
        [ -n "$port" ] && python3 tests/e2e/http_client.py "$port" ready 2>/dev/null && return
        kill -0 $server 2>/dev/null || break
        sleep 0.1
    done
    cat "$tmp/log" >&2
    fail "the server did not start"
}

stop() {
    kill $server
    wait $server || fail "exit status after SIGTERM"
    server=
}

start
for what in messages responses; do
    python3 tests/e2e/dialects_client.py "$port" $what || fail "$what"
done
python3 tests/e2e/dialects_client.py "$port" crash "$(pgrep -P $server)" || fail "crash"
stop

keys=$tmp/keys.json
alice=$("$isobit" key create alice --keys "$keys" 2>/dev/null)
bob=$("$isobit" key create bob --keys "$keys" 2>/dev/null)
start --keys "$keys"
python3 tests/e2e/dialects_client.py "$port" owners "$alice" "$bob" || fail "owners"
stop
