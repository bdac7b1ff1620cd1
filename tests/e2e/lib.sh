# lib.sh - what the scripts share: run the program, compare, fail with what was seen.
# A script gets the program as its first argument and runs in the repository's root.
set -euo pipefail
isobit=$1
tmp=$(mktemp -d)
export XDG_CACHE_HOME="$tmp/cache" XDG_CONFIG_HOME="$tmp/config" XDG_DATA_HOME="$tmp/data"
server=
trap '[ -z "$server" ] || kill -9 $server 2>/dev/null; rm -rf "$tmp"' EXIT

fail() {
    echo "FAILED: $*" >&2
    for f in "$tmp/out" "$tmp/err"; do
        [ -s "$f" ] && { echo "--- $(basename "$f")"; head -c 2000 "$f"; } >&2
    done
    exit 1
}

# expect STATUS COMMAND... : runs it, its output in $tmp/out and $tmp/err.
expect() {
    local wanted=$1 status=0
    shift
    "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status, not $wanted: $*"
}

# says FILE TEXT... : every TEXT stands in $tmp/FILE.
says() {
    local file=$1 text
    shift
    for text in "$@"; do
        grep -qF -- "$text" "$tmp/$file" || fail "no \"$text\" in $file"
    done
}

# refuses STATUS COMMAND... -- TEXT... : the status, one line on stderr that begins "isobit: " and
# holds every TEXT, nothing on stdout.
refuses() {
    local status=$1 command=()
    shift
    while [ "$1" != -- ]; do
        command+=("$1")
        shift
    done
    shift
    expect "$status" "${command[@]}"
    [ ! -s "$tmp/out" ] || fail "output beside an error: ${command[*]}"
    [ "$(grep -c '^isobit: ' "$tmp/err")" = 1 ] || fail "not one line of error: ${command[*]}"
    says err "$@"
}

# start_server ARGUMENTS... : isobit serve on a free port, once its models are ready; $port, $server, its log in $tmp/log.
start_server() {
    : >"$tmp/log"
    "$isobit" serve --port 0 "$@" >"$tmp/out" 2>"$tmp/log" &
    server=$!
    for _ in $(seq 300); do
        port=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
        [ -n "$port" ] && python3 tests/e2e/http_client.py "$port" ready 2>/dev/null && return
        kill -0 $server 2>/dev/null || break
        sleep 0.1
    done
    cat "$tmp/log" >&2
    fail "the server did not start"
}

# stop_server - it ends well.
stop_server() {
    kill $server
    wait $server || fail "exit status after SIGTERM"
    server=
}
