#!/usr/bin/env bash
# test_poc_serve.sh - proof of compute, version 2: one server makes artifacts, others with another
# instruction set and thread count find them true to the bit; chat goes on meanwhile.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
client() {
    python3 tests/e2e/poc_client.py "$port" "$@" || fail "$*"
}

refuses 2 "$isobit" serve -m $m --poc --poc-order up -- "--poc-order up"

start_server -m talker=$m --poc -t 1
client artifacts "$tmp/claims"
client refusals
client fills_the_queue
client chat_goes_on
client calls_back
client worker_dies $server
stop_server

for isa in $("$isobit" selftest --json 2>/dev/null | sed -n 's/.*"isa": "\(.*\)".*/\1/p'); do
    ISOBIT_ISA=$isa start_server -m talker=$m --poc -t 3 --chunk 17 --parallel 3
    client validates "$tmp/claims"
    stop_server
done

"$isobit" key create plain --keys "$tmp/keys" >"$tmp/plain"
"$isobit" key create checker --scope verify --keys "$tmp/keys" >"$tmp/verify"
start_server -m talker=$m --poc --keys "$tmp/keys"
client needs_scope "$(grep -o 'sk-isobit-[0-9a-f]*' "$tmp/plain")" "$(grep -o 'sk-isobit-[0-9a-f]*' "$tmp/verify")"
stop_server

port=0
SIGNER_PUBKEY=$(client key) start_server -m talker=$m --poc
client signed
stop_server

start_server -m talker=$m
client off
