#!/usr/bin/env bash
# test_man.sh - the manual page has every command and option that --help has, in the same words.
source "$(dirname "$0")/lib.sh"

expect 0 python3 tools/man.py "$isobit" --check
if command -v scdoc >/dev/null; then
    scdoc <docs/man/isobit.1.scd >"$tmp/isobit.1" || fail "scdoc does not take the page"
fi
