#!/usr/bin/env bash
# test_receipts.sh - receipts over HTTP: whole, streamed, in batches, of those who leave; their log through
# restarts, another key, kill -9 under load, a full disk.
source "$(dirname "$0")/lib.sh"
m=tests/golden/engine/talker.gguf
node=$tmp/node

start() { start_server -m talker=$m --parallel 8 -c 4096 --node-key "$node" --data "$tmp/kept" "$@"; }
client() { python3 tests/e2e/receipts_client.py "$port" "$@" || fail "$1: $(cat "$tmp/log")"; }

refuses 2 "$isobit" serve -m talker=$m --receipts ask --node-key "$node" -- "isobit node-key create"
refuses 2 "$isobit" serve -m talker=$m --receipts some -- "off, ask or always"
expect 0 "$isobit" node-key create --dir "$node"

start
client off
stop_server

start --receipts ask --receipt-logits
client ready
grep -q "receipts: for those who ask, signed under certificate 1 until" "$tmp/log" || fail "nothing is said"
client whole
client streams
client vectors
client leaving
client batch
client errors
client verify
client load "$tmp/first"
client kept "$tmp/first" 1 1
[ "$(stat -c %a "$node/receipts.db")" = 600 ] || fail "others can read the receipts"
# Another server leaves the log to this one.
refuses 1 "$isobit" serve --port 0 -m talker=$m --node-key "$node" --data '' --receipts ask \
    -- "another isobit has it"
# Another key: an epoch of its own, in the same log.
expect 0 "$isobit" node-key rotate --dir "$node"
kill -HUP $server
for _ in $(seq 50); do grep -q "^reloaded" "$tmp/log" && break; sleep 0.1; done
client one
client kept "$tmp/first" 2 2
# A broken key changes nothing.
cp "$node/signing.key" "$tmp/signing.key"
echo broken >"$node/signing.key"
kill -HUP $server
for _ in $(seq 50); do grep -q "signing key not reloaded" "$tmp/log" && break; sleep 0.1; done
client one
cp "$tmp/signing.key" "$node/signing.key"
client load "$tmp/second" $server
wait $server 2>/dev/null || true
start --receipts always
client ready
client kept "$tmp/first" 3 2
client kept "$tmp/second" 3 2
client always
client kept "$tmp/second" 3 2
stop_server

# The disk is full: who wants a receipt gets no answer, others do.
(
    ulimit -f $(($(stat -c %s "$node/receipts.db") / 1024 + 200))
    trap '' XFSZ
    exec "$isobit" serve --port 0 -m talker=$m -c 4096 --node-key "$node" --data '' --receipts ask >"$tmp/out" 2>"$tmp/log"
) &
server=$!
for _ in $(seq 100); do
    port=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
    [ -n "$port" ] && python3 tests/e2e/http_client.py "$port" ready 2>/dev/null && break
    sleep 0.1
done
client ready
client fill
client refused "no receipt could be given"
stop_server
start --receipts ask
client ready
client kept "$tmp/second" 5 2
client one
stop_server

# Keys.
keys=$tmp/keys.json
one=$("$isobit" key create one --keys "$keys" 2>/dev/null)
other=$("$isobit" key create other --scope verify --keys "$keys" 2>/dev/null)
admin=$("$isobit" key create admin --scope admin --keys "$keys" 2>/dev/null)
start --receipts ask --keys "$keys"
client ready "$one"
client keys "$one" "$other" "$admin"
stop_server

# A model that makes nothing but vectors.
start_server -m bert=tests/golden/encoder/bert.gguf --node-key "$node" --data '' --receipts ask
client vectors
stop_server
