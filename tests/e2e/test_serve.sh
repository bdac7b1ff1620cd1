#!/usr/bin/env bash
# test_serve.sh - the server as its clients see it: answers, streams, errors, leaving, crashes, end.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf

start_server -m talker=$m --parallel 4 -c 4096
python3 tests/e2e/http_client.py "$port" answers "$isobit" $m || fail "answers"
python3 tests/e2e/http_client.py "$port" errors || fail "errors"
python3 tests/e2e/http_client.py "$port" leaving || fail "leaving"

# The model's process is killed under load: its stream ends with an error, it comes back.
worker=$(pgrep -P $server)
python3 tests/e2e/http_client.py "$port" crash "$worker" || fail "crash"
grep -q "signal 11" "$tmp/log" || fail "the crash was not said"

# SIGTERM lets an open stream finish.
python3 tests/e2e/http_client.py "$port" drain $server || fail "drain"
wait $server || fail "exit status after SIGTERM"
server=

refuses 2 "$isobit" serve --host 0.0.0.0 -- "--no-auth"
refuses 2 "$isobit" serve -m $m -m $m -- "two models are called talker"
refuses 1 "$isobit" serve -m nothing.gguf -- "nothing.gguf" "no such file"
