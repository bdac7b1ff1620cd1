#!/usr/bin/env bash
# test_chat_session.sh - chats that are kept: a restart changes nothing, whatever became of the pages.
source "$(dirname "$0")/lib.sh"

m=$PWD/tests/golden/engine/talker.gguf
export XDG_DATA_HOME=$tmp/data XDG_CACHE_HOME=$tmp/cache
kept=$XDG_DATA_HOME/isobit/sessions
long="The quick brown fox jumps over the lazy dog, and then it does so again because it was fun"
first=(-m "$m" -n 6 -s 3 --temp 0.9)

# talk NAME OPTIONS... : a chat with standard input, its words in $tmp/out and $tmp/err.
talk() { "$isobit" chat --session "$@" >"$tmp/out" 2>"$tmp/err"; }

printf '%s\nAnd you?\nWhy?\n' "$long" | "$isobit" chat "${first[@]}" >"$tmp/whole" 2>/dev/null

# The same talk in three processes; the model's path may be relative, the options are kept.
printf '%s\n' "$long" | (cd tests/golden/engine && talk a -m talker.gguf "${first[@]:2}") || fail "first"
cat "$tmp/out" >"$tmp/parts"
printf 'And you?\n' | talk a || fail "second"
says err "session a: 2 messages" "64 of them from its pages"
cat "$tmp/out" >>"$tmp/parts"
cp -r "$kept/a" "$tmp/second"
printf 'Why?\n' | talk a || fail "third"
cat "$tmp/out" >>"$tmp/parts"
cmp -s "$tmp/whole" "$tmp/parts" || fail "a restart changes the talk"
cp "$tmp/out" "$tmp/third"

[ "$(stat -c %a "$kept/a" "$kept/a/pages" "$kept/a/session.json" | tr '\n' ' ')" = "700 700 600 " ] || fail "modes"
[ "$(stat -c %a "$kept"/a/pages/*.kv | sort -u)" = 600 ] || fail "modes of pages"

# again - the third question once more from a copy of what was kept after the second.
again() {
    rm -rf "$kept/a"
    cp -rp "$tmp/second" "$kept/a"
}
third() {
    printf 'Why?\n' | talk a "$@" || fail "the talk ended: $*"
    cmp -s "$tmp/out" "$tmp/third" || fail "another answer: $*"
}

# Pages that are damaged, cut short or gone are computed again; damage is said once.
again
for f in "$kept"/a/pages/*.kv; do printf 'x' | dd of="$f" bs=1 seek=3000 conv=notrunc status=none; done
third
[ "$(grep -c damaged "$tmp/err")" = 1 ] || fail "damage is not said once"
printf 'One more\n' | talk a || fail "after damage"
[ "$(grep -c damaged "$tmp/err")" = 0 ] || fail "the damage is still there"
again
for f in "$kept"/a/pages/*.kv; do truncate -s 100 "$f"; done
third
again
rm "$kept"/a/pages/*.kv
third
says err "0 of them from its pages"

# A disk that takes nothing more: said once, and the talk goes on.
rm -rf "$kept/a/pages"
again
rm "$kept"/a/pages/*.kv
(
    ulimit -f 4
    third
) || exit 1
[ "$(grep -c "takes no more pages" "$tmp/err")" = 1 ] || fail "a full disk is not said once"

# Another model: said in one line, its pages are not used.
again
cp "$m" "$tmp/other.gguf"
printf '\x01' | dd of="$tmp/other.gguf" bs=1 seek=$(($(stat -c %s "$m") - 40)) conv=notrunc status=none
printf 'Why?\n' | talk a -m "$tmp/other.gguf" || fail "another model"
[ "$(grep -c "kept with another model: its text is read again" "$tmp/err")" = 1 ] || fail "another model is not said"
again
sed -i 's/"exact-1"/"exact-0"/' "$kept/a/session.json"
third
says err "kept with arithmetic exact-0, this is exact-1"

# One process at a time.
again
flock "$kept/a/lock" sleep 2 &
for i in $(seq 50); do flock -n "$kept/a/lock" true || break; sleep 0.1; done
refuses 1 "$isobit" chat --session a -- "session a is open in another process"
refuses 1 "$isobit" chat --forget a -- "session a is open in another process"
kill $! 2>/dev/null
wait 2>/dev/null || true
while ! flock -n "$kept/a/lock" true; do sleep 0.1; done

# Options given later win, and are kept.
again
printf '/seed\n' | talk a -s 77 || fail "a new seed"
printf '/seed\n/temp\n' | talk a || fail "the kept seed"
says err "seed 77" "temperature 0.9"
printf '/temp 0.25\n/clear\n' | talk a
printf '/temp\n/stats\n' | talk a
says err "temperature 0.25" "session a: 0 messages"

# The list; deleting; names; damage.
printf 'Hi\n' | talk b.2 "${first[@]}"
expect 0 "$isobit" chat --sessions
[ "$(cut -d' ' -f1 "$tmp/out" | tr '\n' ' ')" = "a b.2 " ] || fail "the list"
says out "2 messages"
expect 0 "$isobit" chat --forget a
[ ! -e "$kept/a" ] || fail "a is still there"
refuses 1 "$isobit" chat --forget a -- "no session a"
for name in "" ../x .x -x a/b; do
    refuses 2 "$isobit" chat "--session=$name" -- "is no name of a session"
done
echo '{"version": 1}' >"$kept/b.2/session.json"
refuses 1 "$isobit" chat --session b.2 -- "session b.2 is damaged" "--forget b.2"
expect 0 "$isobit" chat --sessions
says out "damaged"
expect 0 "$isobit" chat --forget b.2
XDG_DATA_HOME=$tmp/none expect 0 "$isobit" chat --sessions
[ ! -s "$tmp/out" ] && [ ! -e "$tmp/none" ] || fail "a list makes a folder"
