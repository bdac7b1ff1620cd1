#!/usr/bin/env bash
# test_serve_tools.sh - calls of tools through the server: with a template that has them, and with one that has not.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf

# try WHAT ARGUMENTS... : a server on a free port, and its client.
try() {
    local what=$1
    shift
    start_server -m talker=$m -c 4096 "$@"
    python3 tests/e2e/tools_client.py "$port" "$what" || fail "$what"
    stop_server
}

try explains
try template --template tests/golden/text/templates/chatml_thinking.jinja
echo "{% for m in messages %}{{ m.content }}</think>{% endfor %}{{ '<think>' }}" >"$tmp/think.jinja"
try thinking --template "$tmp/think.jinja"
