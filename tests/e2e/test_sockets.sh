#!/usr/bin/env bash
# test_sockets.sh - calls over WebSockets as clients see them: answers, streams, errors, leaving, end.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf

# start ARGUMENTS... : a server on free ports; $port, $http, $server.
start() {
    : >"$tmp/log"
    "$isobit" serve --port 0 --socket-port 0 "$@" >"$tmp/out" 2>"$tmp/log" &
    server=$!
    for _ in $(seq 300); do
        http=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
        port=$(sed -n 's|^calls over ws://127.0.0.1:||p' "$tmp/log")
        [ -n "$http" ] && python3 tests/e2e/http_client.py "$http" ready 2>/dev/null && return
        kill -0 $server 2>/dev/null || break
        sleep 0.1
    done
    cat "$tmp/log" >&2
    fail "the server did not start"
}

client() { python3 tests/e2e/socket_client.py "$port" "$http" "$@" || fail "$1"; }

start -m talker=$m --parallel 4 -c 4096
client calls
client errors
client leaving
python3 tests/clients/try_websockets.py "$port" || fail "packages"
client crash "$(pgrep -P $server)"
for _ in $(seq 100); do
    python3 tests/e2e/http_client.py "$http" ready 2>/dev/null && break
    sleep 0.1
done
client drain "$server"
wait $server || fail "exit status after SIGTERM"
server=

# With keys.
good=$("$isobit" key create good --keys "$tmp/keys.json" 2>/dev/null)
poor=$("$isobit" key create poor --rpm 1 --keys "$tmp/keys.json" 2>/dev/null)
start -m talker=$m --parallel 4 -c 4096 --keys "$tmp/keys.json"
client silent &
silent=$!
client keyed "$good" "$poor"
wait $silent || fail "a silent client"
