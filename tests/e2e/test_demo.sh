#!/usr/bin/env bash
# test_demo.sh - the model that comes along answers, and its logits are the ones of every machine.
source "$(dirname "$0")/lib.sh"

answers() { # QUESTION TEXT
    expect 0 "$isobit" run -q --temp 0 -p "$1"
    says out "$2"
}
answers "What is the capital of Italy?" Rome
answers "What is 25 plus 17?" 42
answers "What is isobit?" "can be checked"

# Fixed once for exact-1: another hash is another arithmetic, and needs another version.
wanted=3c12d43523bc54b410fcc1e836211e14e6bc0ac4bdb005b18e1c6b465e133e0a
for isa in $("$isobit" selftest --json 2>/dev/null | sed -n 's/.*"isa": "\(.*\)".*/\1/p'); do
    expect 0 env ISOBIT_ISA="$isa" "$isobit" logits -p "What is isobit?" -t 2 --chunk 3
    says out "all $wanted"
done

expect 0 "$isobit" inspect
says out "9b2719b0" "5.25 million"
