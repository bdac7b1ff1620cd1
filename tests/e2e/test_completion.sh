#!/usr/bin/env bash
# test_completion.sh - bash's completion offers the program's commands and their options.
source "$(dirname "$0")/lib.sh"
source dist/isobit.bash

# offers WORDS... : what is offered for the last of them, in lines.
offers() {
    COMP_WORDS=("$isobit" "$@") COMP_CWORD=$#
    _isobit || true # compopt works in a completion alone
    printf '%s\n' "${COMPREPLY[@]}"
}

offers ru >"$tmp/out"
[ "$(cat "$tmp/out")" = run ] || fail "ru"
offers "" >"$tmp/out"
says out serve pull bench
offers serve --tls >"$tmp/out"
[ "$(sort "$tmp/out" | tr '\n' ' ')" = "--tls-cert --tls-key " ] || fail "serve --tls"
offers run -m models/demo/isobit-d >"$tmp/out"
says out models/demo/isobit-demo-q8_0.gguf
