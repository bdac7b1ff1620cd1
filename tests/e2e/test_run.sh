#!/usr/bin/env bash
# test_run.sh - answers: the same everywhere, prompts from three places, stops, limits, Ctrl-C.
source "$(dirname "$0")/lib.sh"

m=tests/golden/engine/talker.gguf
run() { "$isobit" run -m $m "$@"; }

# The same seed gives the same text on every instruction set, thread count and chunk.
expect 0 run -p "Hello there" -n 40 -s 7
cp "$tmp/out" "$tmp/wanted"
says err "exact-1" "seed 7" "chat template" "14 tokens read" "40 written"
for isa in $("$isobit" selftest --json 2>/dev/null | sed -n 's/.*"isa": "\(.*\)".*/\1/p'); do
    for how in "-t 1 --chunk 1" "-t 3 --chunk 5" "-t 2"; do
        expect 0 env ISOBIT_ISA="$isa" "$isobit" run -m $m -p "Hello there" -n 40 -s 7 $how
        cmp -s "$tmp/out" "$tmp/wanted" || fail "another text on $isa with $how"
    done
done
expect 0 run -p "Hello there" -n 40 -s 8
cmp -s "$tmp/out" "$tmp/wanted" && fail "another seed, the same text"

# The prompt from a file and from standard input.
printf 'Hello there' >"$tmp/prompt"
expect 0 run -f "$tmp/prompt" -n 40 -s 7
cmp -s "$tmp/out" "$tmp/wanted" || fail "-f differs from -p"
run -n 40 -s 7 <"$tmp/prompt" >"$tmp/out" 2>"$tmp/err"
cmp -s "$tmp/out" "$tmp/wanted" || fail "standard input differs from -p"

# --json says what the text says, and why it ended.
expect 0 run -p "Hello there" -n 40 -s 7 --json
python3 - "$tmp/out" "$tmp/wanted" <<'END' || fail "--json disagrees with the text"
import json, sys
answer = json.load(open(sys.argv[1]))
text = open(sys.argv[2], encoding="utf-8", newline="").read()
assert text in (answer["text"], answer["text"] + "\n")
assert answer["finish"] in ("length", "stop") and answer["seed"] == 7
assert answer["prompt_tokens"][0] == 257 and len(answer["tokens"]) <= 40
END

# A stop string ends the text before it; nothing of it is shown.
word=$(python3 -c 'import json,sys; t=json.load(open(sys.argv[1]))["text"]; print([c for c in t if c.isascii() and c.isalnum()][1])' "$tmp/out")
expect 0 run -p "Hello there" -n 40 -s 7 --stop "$word" --json
grep -q '"finish": "stop"' "$tmp/out" || fail "no stop at $word"
python3 -c 'import json,sys; assert sys.argv[2] not in json.load(open(sys.argv[1]))["text"]' "$tmp/out" "$word" || fail "the stop string is shown"

# Each way of choosing gives a text of its own, and the same one again.
for how in "--dry-multiplier 2 --dry-allowed-length 1" "--mirostat 1" "--mirostat 2 --mirostat-tau 1" \
    "--xtc-probability 1 --xtc-threshold 0.05" "--repeat-penalty 1.5" "--min-tokens 30 --temp 2" "--order dry,xtc"; do
    expect 0 run -p "Hello there" -n 40 -s 7 $how
    cmp -s "$tmp/out" "$tmp/wanted" && fail "$how changes nothing"
    cp "$tmp/out" "$tmp/first"
    expect 0 run -p "Hello there" -n 40 -s 7 $how -t 1 --chunk 3
    cmp -s "$tmp/out" "$tmp/first" || fail "$how depends on threads"
done

# Several answers to one prompt: the first is the only one of a run without --answers.
expect 0 run -p "Hello there" -n 40 -s 7 --answers 3 --json
python3 - "$tmp/out" "$tmp/wanted" <<'END' || fail "--answers"
import json, sys
texts = [choice["text"] for choice in json.load(open(sys.argv[1]))["answers"]]
wanted = open(sys.argv[2], encoding="utf-8", newline="").read()
assert len(texts) == 3 == len(set(texts)) and wanted in (texts[0], texts[0] + "\n")
END
expect 0 run -p "Hello there" -n 40 -s 7 --no-speculation
cmp -s "$tmp/out" "$tmp/wanted" || fail "--no-speculation changes the text"
expect 0 run -p "Hello there" -n 40 -s 7 --draft $m
cmp -s "$tmp/out" "$tmp/wanted" || fail "--draft changes the text"
refuses 2 run -p a --draft models/demo/isobit-demo-q8_0.gguf -q -- "cannot guess"

# The end of the context is said; a prompt that does not fit is refused with both numbers.
expect 0 run -p "Hello" --ignore-eos -c 40 -s 1
says err "the context is full"
refuses 1 run -p "Hello there, this is a prompt that is much longer" -c 20 -q -- "tokens but the context holds 20"
refuses 1 run -f "$tmp/none" -- "$tmp/none"
refuses 2 run -p a -f b -- "-p and -f"
refuses 2 run -p a --raw --system b -- "--raw"
refuses 2 run -p a --temp 1000 -- "--temp" "from 0 to 100"
refuses 2 run -p a --temp 0.0001 -q -- "temperature" "0.001"
refuses 2 run -p a --order top_k,top_k -- "--order"
refuses 2 run -p a --mirostat 3 -- "--mirostat" "from 0 to 2"
refuses 2 run -p a --dry-multiplier 1 --dry-sequence-breaker "" -q -- "empty"
refuses 2 run -p a --logit-bias x=1 -- "--logit-bias" "ID=NUMBER"
refuses 2 run -p a --logit-bias 999=1 -q -- "999"
refuses 1 run -p a --template no-such -- "no-such"
printf '{%% for x in %%}' >"$tmp/bad.jinja"
refuses 1 run -p a --template "$tmp/bad.jinja" -q -- "$tmp/bad.jinja"
printf '{%% for i in range(100000) %%}{%% for j in range(100000) %%}x{%% endfor %%}{%% endfor %%}' >"$tmp/endless.jinja"
refuses 1 run -p a --template "$tmp/endless.jinja" -q -- "isobit: "

# A reader that leaves ends the answer.
expect 1 bash -c "set -o pipefail; '$isobit' run -m $m -p Hi --ignore-eos -c 4000000 -q | head -c 10 >/dev/null"
says err "cannot write the result"

# Ctrl-C ends the answer: status 130, the text so far on standard output.
python3 - "$isobit" $m <<'END' || fail "Ctrl-C"
import signal, subprocess, sys
command = [sys.argv[1], "run", "-m", sys.argv[2], "-p", "Hi", "--ignore-eos", "-c", "4000000"]
p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                     preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
p.stdout.read(20)
p.send_signal(signal.SIGINT)
out, err = p.communicate(timeout=60)
assert p.returncode == 130, (p.returncode, err)
assert b"interrupted" in err, err
END
