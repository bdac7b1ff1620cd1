# lib.sh - what the scripts share: run the program, compare, fail with what was seen.
# A script gets the program as its first argument and runs in the repository's root.
set -euo pipefail
isobit=$1
tmp=$(mktemp -d)
export XDG_CACHE_HOME="$tmp/cache" XDG_CONFIG_HOME="$tmp/config" XDG_DATA_HOME="$tmp/data"
trap 'rm -rf "$tmp"' EXIT

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
