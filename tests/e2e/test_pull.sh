#!/usr/bin/env bash
# test_pull.sh - pull, list and rm against a hub on this machine that breaks off, lies and sends wrong bytes.
source "$(dirname "$0")/lib.sh"

server= front=
trap 'kill $server $front 2>/dev/null || true; rm -rf "$tmp"' EXIT
export no_proxy='*' ISOBIT_MODELS=$tmp/models HF_TOKEN=secret-token
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

repo=$tmp/hub/repos/maker/talker-GGUF
mkdir -p "$repo/parts" "$tmp/hub/files" "$tmp/hub/repos/maker/plain" "$tmp/hub/repos/maker/none"
cp models/demo/isobit-demo-q8_0.gguf "$repo/talker.Q8_0.gguf"
cp tests/golden/engine/talker.gguf "$repo/talker.Q4_K_M.gguf"
head -c 1000 /dev/urandom >"$repo/mmproj-Q8_0.gguf"
head -c 300000 "$repo/talker.Q8_0.gguf" >"$repo/parts/big-Q2_K-00001-of-00002.gguf"
(printf GGUF; head -c 300000 /dev/urandom) >"$repo/parts/big-Q2_K-00002-of-00002.gguf"
cp "$repo"/*.gguf "$tmp/hub/files"
for f in config.json tokenizer.json README.md; do echo "{\"$f\": 1}" >"$tmp/hub/repos/maker/plain/$f"; done
head -c 700000 /dev/urandom >"$tmp/hub/repos/maker/plain/model.safetensors"
mkdir "$tmp/hub/repos/maker/plain/1_Pooling"
echo '{}' >"$tmp/hub/repos/maker/plain/1_Pooling/config.json"
echo text >"$tmp/hub/repos/maker/none/README.md"
big=$repo/talker.Q8_0.gguf
sum=$(sha256sum "$big" | cut -d' ' -f1)

python3 tests/e2e/hub_server.py "$tmp/hub" >"$tmp/ports" &
server=$!
for _ in $(seq 100); do [ -s "$tmp/ports" ] && break; sleep 0.05; done
read -r port other <"$tmp/ports"
export HF_ENDPOINT=http://127.0.0.1:$port/
url=http://127.0.0.1:$port

# faults NAME FAULT... : what the hub does wrong from now on; the log begins anew.
faults() {
    python3 -c 'import json, sys; print(json.dumps({sys.argv[1]: sys.argv[2:]}))' "$@" >"$tmp/hub/faults.json"
    : >"$tmp/hub/log"
}
# same NAME FILE : the model is there, equal to FILE, and nothing is left beside it.
same() {
    cmp -s "$tmp/models/$1.gguf" "$2" || fail "$1 is not what the hub has"
    [ -z "$(find "$tmp/models" -name '*part*')" ] || fail "something incomplete is left"
}
# afresh : without any model.
afresh() { rm -rf "$tmp/models"; }
n_requests() { grep -c "$1" "$tmp/hub/log" || true; }

# By quantisation, by default, by name; -m NAME.
faults none
expect 0 "$isobit" pull hf:maker/talker-GGUF
says out "talker.Q4_K_M: 107.6 KB, verified" "talker.Q4_K_M.gguf"
same talker.Q4_K_M "$repo/talker.Q4_K_M.gguf"
expect 0 "$isobit" pull hf:maker/talker-GGUF:q8_0
says out "talker.Q8_0: 5.65 MB, verified" "sha256 $sum"
same talker.Q8_0 "$big"
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
says out "was there already"
expect 0 "$isobit" pull hf:maker/talker-GGUF:talker.Q8_0.gguf --name short
expect 0 "$isobit" run -m short -p "What is isobit?" --raw -n 4
expect 0 "$isobit" list
says out "NAME" "talker.Q4_K_M" "short" "Q8_0" "llama"
expect 0 "$isobit" list --json
python3 -c 'import json, sys; m = json.load(open(sys.argv[1])); assert [x["name"] for x in m] == ["short", "talker.Q4_K_M", "talker.Q8_0"], m' "$tmp/out" || fail "list --json"
expect 0 "$isobit" rm short talker.Q4_K_M
[ ! -e "$tmp/models/short.gguf" ] || fail "rm left the file"
refuses 1 "$isobit" rm short -- 'no model short'
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q3_K -- "no Q3_K" "Q4_K_M, Q8_0"
refuses 1 "$isobit" pull hf:maker/none -- "neither GGUF files nor"
refuses 1 "$isobit" pull hf:maker/absent -- "status 401" "HF_TOKEN"
[ "$(n_requests 'api/models/maker/absent')" = 1 ] || fail "a lasting error was tried again"
refuses 2 "$isobit" pull maker/absent -- "neither hf:"
refuses 2 "$isobit" pull hf:maker -- "no repository"
refuses 2 "$isobit" pull hf:maker/x/../y -- "no repository"
refuses 1 "$isobit" pull "$url/absent.gguf" -- "status 404"

# All parts of a split file; a folder, whose small files have git's digests; a listing in two pages.
faults listing page
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q2_K
for i in 1 2; do
    cmp -s "$tmp/models/big-Q2_K/big-Q2_K-0000$i-of-00002.gguf" "$repo/parts/big-Q2_K-0000$i-of-00002.gguf" || fail "part $i"
done
expect 0 "$isobit" rm big-Q2_K
[ ! -e "$tmp/models/big-Q2_K" ] || fail "rm left a folder"
faults tokenizer.json cut:3 ""
expect 0 "$isobit" pull hf:maker/plain
says out "plain: 700.1 KB, verified"
diff -r "$tmp/models/plain" "$tmp/hub/repos/maker/plain" || fail "the folder differs"
expect 0 "$isobit" pull hf:maker/plain
says out "was there already"
expect 0 "$isobit" rm plain
faults config.json always-flip:1
refuses 1 "$isobit" pull hf:maker/plain -- "config.json" "other bytes"
[ -z "$(find "$tmp/models" -name config.json)" ] || fail "wrong bytes got a name"
expect 0 "$isobit" rm plain

# Breaking off: each answer a piece, then the rest; bytes that came are not asked for again.
afresh
faults talker.Q8_0.gguf cut:1000000 cut:1000000 ""
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
same talker.Q8_0 "$big"
says err "once more in"
grep -q 'range=bytes=1000000-' "$tmp/hub/log" || fail "it did not go on where it ended"
# Given up, then the same command goes on.
afresh
faults talker.Q8_0.gguf cut:2000000 always-status:503
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q8_0 --retries 1 -- "status 503" "the same command goes on"
expect 0 "$isobit" list
says out "incomplete"
refuses 1 "$isobit" run -m talker.Q8_0 -p x -- "talker.Q8_0"
faults none
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
same talker.Q8_0 "$big"
grep -q 'range=bytes=1835008-' "$tmp/hub/log" || fail "whole chunks were fetched again"
[ "$(n_requests 'resolve.*range=bytes=0-')" = 0 ] || fail "it began anew"

# Interrupted, and what lies on the disk is spoilt meanwhile: only that is read again.
afresh
faults talker.Q8_0.gguf drip
"$isobit" pull hf:maker/talker-GGUF:Q8_0 >"$tmp/out" 2>"$tmp/err" &
pid=$!
for _ in $(seq 100); do
    [ "$(du -k "$tmp/models/talker.Q8_0.gguf.part" 2>/dev/null | cut -f1)" -ge 1500 ] 2>/dev/null && break
    sleep 0.05
done
kill -INT $pid
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "exit status $status after SIGINT"
says err "the same command goes on"
printf X | dd of="$tmp/models/talker.Q8_0.gguf.part" bs=1 seek=300000 conv=notrunc 2>/dev/null
faults none
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
same talker.Q8_0 "$big"
grep -q 'range=bytes=262144-524287 ' "$tmp/hub/log" || fail "the spoilt chunk alone was to be read again"
[ "$(n_requests 'resolve.*range=bytes=0-')" = 0 ] || fail "it began anew"

# Wrong bytes once: a second reading replaces that chunk and ends there. Always: an error, nothing is left.
afresh
faults talker.Q8_0.gguf flip:1500000 ""
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
same talker.Q8_0 "$big"
says err "comparing with a second reading"
afresh
faults talker.Q8_0.gguf always-flip:1500000
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q8_0 -- "digest" "$sum" "other bytes"
[ -z "$(find "$tmp/models" -type f)" ] || fail "wrong bytes were kept"

# Lies about lengths.
for fault in long:1000 short:1000 total:5 unsized gzip; do
    afresh
    faults talker.Q8_0.gguf $fault ""
    status=0
    "$isobit" pull hf:maker/talker-GGUF:Q8_0 >"$tmp/out" 2>"$tmp/err" || status=$?
    case $fault in
    long:* | short:* | unsized) [ $status = 0 ] && same talker.Q8_0 "$big" || fail "$fault: status $status" ;;
    *) [ $status = 1 ] && [ ! -e "$tmp/models/talker.Q8_0.gguf" ] || fail "$fault: status $status" ;;
    esac
done
afresh
faults talker.Q8_0.gguf cut:1000 "norange" # Range ignored: the whole comes, and is right
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
same talker.Q8_0 "$big"
afresh
faults talker.Q8_0.gguf more:9 ""
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q8_0 --retries 0 -- "talker.Q8_0.gguf"

# Another ETag midway: what came is of another file, it begins anew.
afresh
faults talker.Q8_0.gguf cut:3000000 etag:second ""
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
same talker.Q8_0 "$big"

# Statuses: 429 waits as long as it is told; 404 and 401 are said at once.
afresh
faults talker.Q8_0.gguf status:429:1 status:503 ""
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
says err "too many requests; once more in 1.0 s" "status 503"
afresh
faults talker.Q8_0.gguf status:429:4000
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q8_0 -- "come back in 4000 s"
faults talker.Q8_0.gguf status:404
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q8_0 -- "talker.Q8_0.gguf" "status 404"

# Redirects: the token goes to its own origin alone.
afresh
faults talker.Q8_0.gguf redirect "" redirect "" redirect "" redirect ""
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
same talker.Q8_0 "$big"
grep -q '^hub .*Bearer secret-token' "$tmp/hub/log" || fail "the hub did not get the token"
grep -q '^other ' "$tmp/hub/log" || fail "nobody was redirected"
grep '^other ' "$tmp/hub/log" | grep -q secret && fail "the token went to another host"
faults talker.Q8_0.gguf always-loop
afresh
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q8_0 -- "redirects more than"
faults talker.Q8_0.gguf elsewhere
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q8_0 -- "no http or https address"

# URLs: the digest from --sha256, from a hub's redirect, or none.
afresh
faults none
expect 0 "$isobit" pull "$url/talker.Q8_0.gguf?token=hidden"
says out "not verified" "sha256 $sum"
expect 1 grep -rq hidden "$tmp/models"
refuses 2 "$isobit" pull "$url/talker.Q8_0.gguf" -- "there is another talker.Q8_0 already"
expect 0 "$isobit" pull "$url/talker.Q8_0.gguf" --sha256 "$sum"
says out "was there already"
afresh
refuses 1 "$isobit" pull "$url/talker.Q8_0.gguf" --sha256 "${sum/[0-9]/f}" -- "other bytes"
refuses 2 "$isobit" pull "$url/talker.Q8_0.gguf" --sha256 abc -- "64 hexadecimal digits"
faults talker.Q8_0.gguf redirect flip:5 redirect flip:9 ""
expect 0 "$isobit" pull "$url/talker.Q8_0.gguf"
says out ", verified"
same talker.Q8_0 "$big"
faults none
refuses 1 "$isobit" pull "$url/mmproj-Q8_0.gguf" -- "no GGUF file"
refuses 2 "$isobit" pull "$url/model.bin" -- "--name"
faults talker.Q4_K_M.gguf blind
refuses 1 "$isobit" pull "$url/talker.Q4_K_M.gguf" -- "how long the file is"

# Names that would leave the folder, from every side.
faults none
for name in ../evil .hidden a/b "$(printf 'a\nb')" "$(printf 'x%.0s' $(seq 300))"; do
    refuses 2 "$isobit" pull "$url/talker.Q8_0.gguf" --name "$name" -- "--name"
done
refuses 2 "$isobit" pull "$url/%2e%2e" -- "does not end in a name"
refuses 2 "$isobit" pull "$url/a%2fb.gguf" -- "does not end in a name"
digest=$(printf '%064d' 0)
for path in ../../evil-Q6_K.gguf /etc/evil-Q6_K.gguf 'a\\evil-Q6_K.gguf' 'a\u0000evil-Q6_K.gguf' 'a/../evil-Q6_K.gguf' .evil-Q6_K.gguf; do
    echo '[{"type": "file", "size": 9, "path": "'"$path"'", "lfs": {"oid": "'$digest'", "size": 9}}]' >"$tmp/hub/extra.json"
    refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q6_K -- "maker/talker-GGUF"
done
[ -z "$(find "$tmp" -name '*evil*')" ] || fail "a name left the folder"
echo '[{"type": "file", "size": 9, "path": "x-Q6_K.gguf", "lfs": {"oid": "'$digest'", "size": 900000000000000}}]' >"$tmp/hub/extra.json"
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q6_K -- "GB free"
rm "$tmp/hub/extra.json"
faults listing 'text:{"no": "array"}' 'text:[{"type":"file","path":"a.gguf","oid":"zz","size":1}]' 'text:<html>'
refuses 1 "$isobit" pull hf:maker/talker-GGUF -- "no array"
refuses 1 "$isobit" pull hf:maker/talker-GGUF -- "no digest for a.gguf"
refuses 1 "$isobit" pull hf:maker/talker-GGUF -- "no JSON"

# Killed, without a last word; no room for the file.
afresh
faults talker.Q8_0.gguf drip
"$isobit" pull hf:maker/talker-GGUF:Q8_0 >"$tmp/out" 2>&1 &
pid=$!
for _ in $(seq 100); do [ -e "$tmp/models/talker.Q8_0.gguf.part" ] && break; sleep 0.05; done
sleep 0.3
kill -KILL $pid
wait $pid 2>/dev/null || true
faults none
expect 0 "$isobit" pull hf:maker/talker-GGUF:Q8_0
same talker.Q8_0 "$big"
afresh
refuses 1 bash -c "ulimit -f 1000; exec '$isobit' pull hf:maker/talker-GGUF:Q8_0" -- "bytes long: File too large"
[ ! -e "$tmp/models/talker.Q8_0.gguf" ] || fail "half a file got its name"

# Two at once: one at a time. No server: one line.
afresh
faults talker.Q8_0.gguf drip
"$isobit" pull hf:maker/talker-GGUF:Q8_0 >"$tmp/first" 2>&1 &
pid=$!
for _ in $(seq 100); do [ -e "$tmp/models/talker.Q8_0.gguf.part" ] && break; sleep 0.05; done
refuses 1 "$isobit" pull hf:maker/talker-GGUF:Q8_0 -- "another isobit pull"
wait $pid || fail "the first of two"
same talker.Q8_0 "$big"

# Through the server, as Ollama has it.
afresh
faults none
mkdir "$tmp/models"
: >"$tmp/log"
"$isobit" serve --port 0 --models-dir "$tmp/models" -c 1024 --parallel 2 2>"$tmp/log" &
front=$!
for _ in $(seq 100); do
    http=$(sed -n 's|^listening on http://127.0.0.1:||p' "$tmp/log")
    [ -n "$http" ] && break
    sleep 0.1
done
python3 tests/e2e/models_client.py "$http" pull "$tmp/models" || fail "pull through the server: $(cat "$tmp/log")"
kill $front
wait $front || fail "exit status of serve"
front=
kill $server
wait $server 2>/dev/null || true
server=
refuses 1 "$isobit" pull hf:maker/talker-GGUF --retries 0 -- "127.0.0.1"
