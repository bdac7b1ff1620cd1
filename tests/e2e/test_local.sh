#!/usr/bin/env bash
# test_local.sh - the server as clients of llama-server, vLLM and Ollama see it.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf

start_server -m talker=$m --parallel 4 -c 4096
for what in texts llama ollama batch likely; do
    python3 tests/e2e/local_client.py "$port" $what || fail "$what"
done
stop_server
