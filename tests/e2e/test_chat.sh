#!/usr/bin/env bash
# test_chat.sh - a chat on plain input: commands, several lines, what is kept and saved.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
chat() { "$isobit" chat -m $m -n 6 -s 3; }

printf 'Hello\nAnd you?\n/save %s/a.json\n' "$tmp" | chat >"$tmp/out" 2>"$tmp/err" || fail "status"
says err "4 messages"
python3 - "$tmp/a.json" <<'END' || fail "the saved conversation"
import json, sys
m = json.load(open(sys.argv[1]))
assert [x["role"] for x in m] == ["user", "assistant"] * 2
assert [m[0]["content"], m[2]["content"]] == ["Hello", "And you?"]
END
cp "$tmp/out" "$tmp/two"

# The same conversation again, from the file: the second answer is the same.
printf '/load %s/a.json\n/save %s/b.json\n' "$tmp" "$tmp" | chat >"$tmp/out" 2>"$tmp/err" || fail "status"
cmp -s "$tmp/a.json" "$tmp/b.json" || fail "loading changes a conversation"
printf 'Hello\nAnd you?\n' | chat >"$tmp/out" 2>"$tmp/err"
cmp -s "$tmp/out" "$tmp/two" || fail "the same seed, another conversation"

# /clear begins anew: the answer is that of a first message.
printf 'Hello\n' | chat >"$tmp/first" 2>"$tmp/err"
printf 'Hello\n/clear\nHello\n' | chat >"$tmp/out" 2>"$tmp/err"
cat "$tmp/first" "$tmp/first" | cmp -s - "$tmp/out" || fail "/clear keeps something"

# Several lines are one message.
printf 'a\\\nb\n"""c\n\nd"""\n/save %s/c.json\n' "$tmp" | chat >"$tmp/out" 2>"$tmp/err"
python3 -c 'import json,sys; m=json.load(open(sys.argv[1])); assert [m[0]["content"], m[2]["content"]] == ["a\nb", "c\n\nd"], m' "$tmp/c.json" || fail "several lines"

printf '/temp 0\n/seed 5\n/system Be kind.\n/stats\n/help\n/exit\nnot read\n' | chat >"$tmp/out" 2>"$tmp/err" || fail "status"
says err "temperature 0" "seed 5" "the system message is set" "in 1 messages" "/clear"
[ ! -s "$tmp/out" ] || fail "commands write to standard output"

for line in "/clera" "/seed x" "/temp 1000" "/save" "/load $tmp/none"; do
    status=0
    printf '%s\n' "$line" | chat >"$tmp/out" 2>"$tmp/err" || status=$?
    [ $status != 0 ] || fail "$line is no failure"
    says err "isobit: "
done
printf '[{"role": "user"}]' >"$tmp/bad.json"
printf '/load %s/bad.json\n' "$tmp" | chat >"$tmp/out" 2>"$tmp/err" && fail "a bad file is no failure"
says err "bad.json: message 0"

# A message that does not fit is refused with both numbers, and the conversation goes on.
{ head -c 600 /dev/zero | tr '\0' x; printf '\nHello\n'; } | chat >"$tmp/out" 2>"$tmp/err" || fail "the chat ended"
says err "tokens but the context holds 256"
cmp -s "$tmp/out" "$tmp/first" || fail "the refused message left something"
