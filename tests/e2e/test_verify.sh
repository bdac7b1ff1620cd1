#!/usr/bin/env bash
# test_verify.sh - receipts checked by isobit verify, as anybody would; what is missing, and lies of files.
source "$(dirname "$0")/lib.sh"

refuses 2 "$isobit" verify -- "RECEIPT"
refuses 3 "$isobit" verify "$tmp/none" -- "none"
echo '{}' >"$tmp/empty"
expect 1 "$isobit" verify "$tmp/empty"
says out "signature" "differs" "Mismatch"
refuses 2 "$isobit" verify "$tmp/empty" --key 00 -- "neither 64 hex digits nor a file"
refuses 2 "$isobit" verify "$tmp/empty" --key 0100000000000000000000000000000000000000000000000000000000000000 -- "full order"
refuses 2 "$isobit" verify "$tmp/empty" --expect-weights 12 -- "64 hex digits"
expect 1 "$isobit" verify "$tmp/empty" --json
python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); assert r["verdict"] == "Mismatch" and r["first_difference"]["field"] == "signature"' "$tmp/out"
