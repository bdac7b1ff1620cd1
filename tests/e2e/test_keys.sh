#!/usr/bin/env bash
# test_keys.sh - keys of the server: made and listed, asked for, limited, private, revoked.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
keys=$tmp/keys.json

# client WHAT KEY... : as keys_client.py has it.
client() {
    python3 tests/e2e/keys_client.py "$port" "$@" || fail "$1"
}

# new NAME OPTIONS... : a key's secret on standard output.
new() {
    "$isobit" key create "$@" --keys "$keys" 2>/dev/null
}

# says_within TEXT : the server says it.
says_within() {
    for _ in $(seq 100); do
        grep -qF -- "$1" "$tmp/log" && return
        sleep 0.1
    done
    fail "the server does not say \"$1\""
}

alice=$(new alice --scope admin)
bob=$(new bob)
few=$(new few --rpm 1 --burst 2)
tokens=$(new tokens --tpm 50)
narrow=$(new narrow --models other,third)
old=$(new old --expires 1d)
sed -i 's/"expires":[0-9]*/"expires":1700000000/' "$keys"
[[ $alice =~ ^sk-isobit-[0-9a-f]{48}$ ]] || fail "not a key: $alice"
[ "$(stat -c %a "$keys")" = 600 ] || fail "others can read the key file"
expect 0 "$isobit" key list --keys "$keys"
says out alice admin "1 requests/min (2 at once)" "50 tokens/min" "models other third" expired
! grep -qF "${alice#sk-isobit-}" "$tmp/out" "$keys" || fail "the secret is kept"
refuses 2 "$isobit" key lst --keys "$keys" -- 'did you mean "list"?'
refuses 2 "$isobit" key list --rpm 3 -- "--rpm belongs to isobit key create"
refuses 2 "$isobit" key create --scope root --keys "$keys" -- "verify or admin"
refuses 2 "$isobit" key create --expires 1999-01-01 --keys "$keys" -- "has passed already"
refuses 2 "$isobit" key create --burst 3 --keys "$keys" -- "--burst goes with --rpm"
refuses 1 "$isobit" key revoke nobody --keys "$keys" -- 'no key has the id or the name "nobody"'
XDG_DATA_HOME="$tmp/data" expect 0 "$isobit" key create
[ "$(stat -c %a "$tmp/data/isobit/keys.json")" = 600 ] || fail "no key file in the data folder"
ISOBIT_KEYS=$tmp/other.json expect 0 "$isobit" key create
[ -s "$tmp/other.json" ] || fail "ISOBIT_KEYS names no file"
# Commands that come together do not lose each other's keys.
for i in 1 2 3 4 5 6 7 8; do new "many$i" >/dev/null & done
wait
[ "$("$isobit" key list --keys "$keys" | grep -c many)" = 8 ] || fail "a key was lost"

chmod 640 "$keys"
refuses 2 "$isobit" serve --keys "$keys" -- "chmod 600"
chmod 600 "$keys"
refuses 2 "$isobit" serve --keys "$keys" --no-auth -- "exclude each other"
refuses 2 "$isobit" serve --host 0.0.0.0 -- "--keys FILE"

start() { start_server --keys "$keys" -c 1024 --parallel 4 "$@"; }

start -m talker=$m -m other=$m
client admits "$alice" "$bob"
client private "$alice" "$bob"
client repeats "$alice" "$bob"
client limits "$few" "$tokens" "$narrow" "$old"

# The file is read again on SIGHUP; a broken one changes nothing.
expect 0 "$isobit" key revoke bob --keys "$keys"
carol=$(new carol)
client valid "$alice" "$bob"
kill -HUP $server
says_within "reloaded"
client valid "$alice" "$carol"
client invalid "$bob"
echo '{"version": 1, "keys": [{}]}' >"$keys"
kill -HUP $server
says_within "keys not reloaded: $keys: keys[0]: id must be"
client valid "$alice" "$carol"
stop_server

# Pages from elsewhere, large requests, many connections.
refuses 2 "$isobit" serve --cors '*' -- '--cors is "*"'
refuses 2 "$isobit" serve --cors https://app.example/ -- "one origin"
rm "$keys"
alice=$(new alice)
start -m talker=$m --cors http://localhost:3000 --cors https://app.example --body-max 1 --connections 8
client pages "$alice"
stop_server
