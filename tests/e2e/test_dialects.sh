#!/usr/bin/env bash
# test_dialects.sh - the server as clients of Anthropic's messages and OpenAI's responses see it.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf

start() { start_server -m talker=$m --parallel 4 -c 4096 "$@"; }

start
for what in messages responses; do
    python3 tests/e2e/dialects_client.py "$port" $what || fail "$what"
done
python3 tests/e2e/dialects_client.py "$port" crash "$(pgrep -P $server)" || fail "crash"
stop_server

keys=$tmp/keys.json
alice=$("$isobit" key create alice --keys "$keys" 2>/dev/null)
bob=$("$isobit" key create bob --keys "$keys" 2>/dev/null)
start --keys "$keys"
python3 tests/e2e/dialects_client.py "$port" owners "$alice" "$bob" || fail "owners"
stop_server
