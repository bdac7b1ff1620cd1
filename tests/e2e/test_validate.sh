#!/usr/bin/env bash
# test_validate.sh - answers of a server are judged by their log-probabilities: honest ones pass, others do not.
source "$(dirname "$0")/lib.sh"

ask() { # PATH REQUEST ANSWER: files of $tmp
    curl -sf -H 'Content-Type: application/json' -d "@$tmp/$2" "http://127.0.0.1:$port/$1" >"$tmp/$3" || fail "no answer"
}
change() { # FROM TO PYTHON: a JSON file of $tmp, with `x` changed by the statement
    python3 -c "import json,sys; x = json.load(open(sys.argv[1])); exec(sys.argv[3]); json.dump(x, open(sys.argv[2], 'w'))" \
        "$tmp/$1" "$tmp/$2" "$3"
}

cat >"$tmp/chat.json" <<'END'
{"messages": [{"role": "user", "content": "Tell me a story about a fox."}], "seed": 3, "temperature": 1.5,
 "max_tokens": 60, "n": 2, "logprobs": true, "top_logprobs": 5}
END
echo '{"prompt": "One day", "seed": 4, "max_tokens": 40, "logprobs": 5, "return_token_ids": true}' >"$tmp/text.json"
start_server
ask v1/chat/completions chat.json chat.answer
ask v1/completions text.json text.answer
stop_server

# The same bits: everything agrees, and the seed is shown. Both choices of one answer.
expect 0 "$isobit" validate "$tmp/chat.answer" --request "$tmp/chat.json" --seeded
says out "answer 0, choice 0: pass" "answer 0, choice 1: pass" "similarity       1.000000" "seed             shown"
expect 0 "$isobit" validate "$tmp/text.answer" --request "$tmp/text.json" --json
says out '"verdict":"pass"' '"positions":' '"matches":1.0'

# Lines with what was asked; the first tokens alone.
for n in chat text; do
    python3 -c "import json,sys; r, a = map(lambda p: json.load(open(p)), sys.argv[1:]); print(json.dumps({'request': r, 'answer': a}))" \
        "$tmp/$n.json" "$tmp/$n.answer"
done >"$tmp/lines"
expect 0 "$isobit" validate "$tmp/lines" --json --positions 4,8
[ "$(wc -l <"$tmp/out")" = 6 ] || fail "not two lengths of three answers"
expect 0 bash -c "'$isobit' validate - --json <'$tmp/lines'"

# Another seed, another prompt, other numbers, another model.
change chat.json seed.json 'x["seed"] = 4'
expect 0 "$isobit" validate "$tmp/chat.answer" --request "$tmp/seed.json"
expect 1 "$isobit" validate "$tmp/chat.answer" --request "$tmp/seed.json" --seeded
says out "fail: the seed" "refuted"
change chat.json prompt.json 'x["messages"][0]["content"] = "What is 3 plus 4?"'
expect 1 "$isobit" validate "$tmp/chat.answer" --request "$tmp/prompt.json"
says out "fail: similarity"
change chat.answer numbers.answer 'for t in x["choices"][0]["logprobs"]["content"]: t["top_logprobs"] = t["top_logprobs"][1:]'
expect 1 "$isobit" validate "$tmp/numbers.answer" --request "$tmp/chat.json"
says out "choice 0: fail: similarity" "choice 1: pass"
expect 0 "$isobit" quantize --allow-requantize models/demo/isobit-demo-q8_0.gguf "$tmp/q2_k.gguf" Q2_K
expect 1 "$isobit" validate "$tmp/chat.answer" --request "$tmp/chat.json" -m "$tmp/q2_k.gguf"
expect 1 "$isobit" validate "$tmp/chat.answer" --request "$tmp/chat.json" --limit similarity=0 --limit fill=0.9999
says out "fail: fill" "wants more than 0.9999"

# What could not be measured is neither: 3. A mistake: 2.
expect 3 "$isobit" validate "$tmp/chat.answer"
says out "not measured: what was asked is not told; give --request FILE"
change chat.answer bare.answer 'x["choices"][0]["logprobs"] = None; x["choices"].pop()'
expect 3 "$isobit" validate "$tmp/bare.answer" --request "$tmp/chat.json"
says out "ask with logprobs and top_logprobs"
change chat.answer other.answer 'x["choices"][0]["logprobs"]["content"][5].update(token="\u00a7\u00a7", bytes=None)'
expect 3 "$isobit" validate "$tmp/other.answer" --request "$tmp/chat.json"
says out "position 5: no token of this model spells"
change chat.json greedy.json 'x["temperature"] = 0'
expect 3 "$isobit" validate "$tmp/chat.answer" --request "$tmp/greedy.json" --seeded
says out "--seeded: at temperature 0 no seed is used"
change chat.json wrong.json 'x["top_p"] = 7'
expect 3 "$isobit" validate "$tmp/chat.answer" --request "$tmp/wrong.json"
says out "the request:" "top_p"
expect 3 "$isobit" validate "$tmp/chat.answer" --request "$tmp/chat.json" -c 16
says out "not measured"
echo '{"choices": [' >"$tmp/cut"
refuses 3 "$isobit" validate "$tmp/cut" --request "$tmp/chat.json" -q -- "$tmp/cut: answer 0"
refuses 3 "$isobit" validate "$tmp/none" --request "$tmp/chat.json" -q -- "$tmp/none"
refuses 3 "$isobit" validate "$tmp/cut" -m "$tmp/none" -- "$tmp/none"
refuses 2 "$isobit" validate "$tmp/cut" --limit likeness=1 -- "similarity, distance2"
refuses 2 "$isobit" validate "$tmp/cut" --names how -- "guess, ids or texts"
refuses 2 "$isobit" validate "$tmp/cut" --positions 0 -- "--positions"
refuses 2 "$isobit" validate -- "validate"
