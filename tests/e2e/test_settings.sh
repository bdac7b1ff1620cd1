#!/usr/bin/env bash
# test_settings.sh - options of serve from flags, variables and a file; the folder where it is looked for.
source "$(dirname "$0")/lib.sh"

# shows NAME VALUE WHERE : a line of --print-config.
shows() {
    grep -qE -- "^$1 +$2 +$3\$" "$tmp/out" || fail "$1 is not $2 from $3"
}

mkdir -p "$tmp/config/isobit"
echo '{"port": 9001, "parallel": 3, "allow_host": ["a", "b"]}' >"$tmp/config/isobit/config.json"
export ISOBIT_PARALLEL=4 ISOBIT_CTX=512 MINERVA_PORT=9002 MINERVA_GPU_THREADS=2 MINERVA_CPU_FALLBACK=true
expect 0 "$isobit" serve --ctx 256 --print-config
shows host 127.0.0.1 default
shows port 9002 "environment MINERVA_PORT"
shows parallel 4 "environment ISOBIT_PARALLEL"
shows ctx 256 "command line"
shows threads 2 "environment MINERVA_GPU_THREADS"
shows allow-host a,b "$tmp/config/isobit/config.json"
says err "MINERVA_CPU_FALLBACK means nothing here"
unset MINERVA_CPU_FALLBACK
refuses 2 env ISOBIT_PORT=x "$isobit" serve -- 'ISOBIT_PORT is "x"'
echo '{"prot": 1}' >"$tmp/bad.json"
refuses 2 "$isobit" serve --config "$tmp/bad.json" -- 'did you mean "port"?'
refuses 1 "$isobit" serve --config "$tmp/none.json" -- none.json
expect 0 env ISOBIT_PROT=1 "$isobit" serve --print-config
says err "ISOBIT_PROT means nothing here; did you mean ISOBIT_PORT?"
