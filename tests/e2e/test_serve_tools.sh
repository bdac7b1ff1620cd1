#!/usr/bin/env bash
# test_serve_tools.sh - calls of tools through the server: with a template that has them, and with one that has not.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
server=
trap '[ -z "$server" ] || kill -9 $server 2>/dev/null; rm -rf "$tmp"' EXIT

# try WHAT ARGUMENTS... : a server on a free port, and its client.
try() {
    local what=$1 port=
    shift
    "$isobit" serve --port 0 -m talker=$m -c 4096 "$@" >"$tmp/out" 2>"$tmp/log" &
    server=$!
    for _ in $(seq 300); do
        port=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log" 2>/dev/null)
        [ -n "$port" ] && grep -q "is ready" "$tmp/log" && break
        kill -0 $server 2>/dev/null || fail "$(cat "$tmp/log")"
        sleep 0.1
    done
    python3 tests/e2e/tools_client.py "$port" "$what" || fail "$what"
    kill $server
    wait $server || fail "exit status"
    server=
}

try explains
try template --template tests/golden/text/templates/chatml_thinking.jinja
echo "{% for m in messages %}{{ m.content }}</think>{% endfor %}{{ '<think>' }}" >"$tmp/think.jinja"
try thinking --template "$tmp/think.jinja"
