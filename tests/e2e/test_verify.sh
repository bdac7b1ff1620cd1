#!/usr/bin/env bash
# test_verify.sh - receipts checked by isobit verify, as anybody would; what is missing, and lies of files.
source "$(dirname "$0")/lib.sh"

refuses 2 "$isobit" verify -- "RECEIPT"
refuses 3 "$isobit" verify "$tmp/none" -- "none"
echo '{}' >"$tmp/empty"
expect 1 "$isobit" verify "$tmp/empty"
says out "signature" "differs" "Mismatch"
refuses 2 "$isobit" verify "$tmp/empty" --key 00 -- "neither 64 hex digits nor a file"
refuses 2 "$isobit" verify "$tmp/empty" --key 0100000000000000000000000000000000000000000000000000000000000000 -- "full order"
refuses 2 "$isobit" verify "$tmp/empty" --expect-weights 12 -- "64 hex digits"
expect 1 "$isobit" verify "$tmp/empty" --json
python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); assert r["verdict"] == "Mismatch" and r["first_difference"]["field"] == "signature"' "$tmp/out"

# ---- receipts of isobit run ----------------------------------------------------------------------
m=models/demo/isobit-demo-q8_0.gguf
expect 0 "$isobit" node-key create
key=$(cat "$tmp/out")
prompt="What is the capital of France?"
schema='{"type":"object","properties":{"city":{"type":"string","maxLength":9}},"required":["city"]}'

# made NAME ARGUMENTS... : a receipt $tmp/NAME, its request $tmp/NAME.request, the answer $tmp/NAME.text
made() {
    local name=$1
    shift
    expect 0 "$isobit" run -m $m -p "$prompt" -q --receipt "$tmp/$name" "$@"
    cp "$tmp/out" "$tmp/$name.text"
    python3 -c 'import json, sys; sys.stdout.write(json.load(open(sys.argv[1]))["request"])' "$tmp/$name.bundle" >"$tmp/$name.request"
}
# checks STATUS NAME ARGUMENTS... : verify with the model and the request as sent
checks() {
    local status=$1 name=$2
    shift 2
    expect "$status" "$isobit" verify "$tmp/$name" -m $m --request "$tmp/$name.request" "$@"
}

made plain --seed 7 --temp 0.9 -n 90 --system "Be brief."
checks 0 plain --response "$tmp/plain.text"
says out "output.root      recomputed" "request          checked against" "seed             checked against" \
    "prompt.text      recomputed" "parameters       recomputed" "finish_reason    recomputed" Valid
if grep -qE "missing|differs" "$tmp/out"; then fail "Valid, and yet something is missing"; fi
expect 0 "$isobit" verify "$tmp/plain" -m $m -p "$prompt" --system "Be brief."
says out "its prompt, its system prompt; its options are the bundle's"
expect 3 "$isobit" verify "$tmp/plain" -m $m -p "$prompt"
says out "request          missing" "--system says: Be brief."
expect 1 "$isobit" verify "$tmp/plain" -m $m -p "$prompt" --system "Be long."
says out "first difference: request: another system prompt"
refuses 2 "$isobit" verify "$tmp/plain" -m $m --system "Be brief." -- "--system goes with --prompt"
made stages --seed 8 --temp 1.3 -n 150 --ignore-eos --mirostat 2 --repeat-penalty 1.2 --dry-multiplier 0.7 --logit-bias 300=2
checks 0 stages
says out "every page of keys and values"
made xtc --seed 9 --temp 1.5 -n 70 --xtc-probability 0.5 --typical 0.9 --order "top_k,penalties,temperature,xtc,typical" --min-tokens 40
checks 0 xtc
made stop --seed 3 -n 60 --ignore-eos --stop "aris"
says out "P"
checks 0 stop --response "$tmp/stop.text"
made form --seed 4 -n 80 --json-schema "$schema"
checks 0 form
expect 0 "$isobit" run -m $m -p "$prompt" -q --receipt "$tmp/choices" --seed 4 -n 20 --answers 3 --temp 1.5
for i in 1 2 3; do
    python3 -c 'import json, sys; sys.stdout.write(json.load(open(sys.argv[1]))["request"])' "$tmp/choices.$i.bundle" >"$tmp/choices.$i.request"
    checks 0 choices.$i
done

# On plain C, alone, whatever made it.
ISOBIT_ISA=scalar checks 0 plain -t 1
ISOBIT_ISA=scalar checks 0 stages -t 1

# ---- what is missing is told, and is no pass -----------------------------------------------------
expect 3 "$isobit" verify "$tmp/plain" -m $m
says out "no other to compare it with" NotMeasured
expect 3 "$isobit" verify "$tmp/plain" --request "$tmp/plain.request"
says out "no model" NotMeasured
checks 3 plain --node "$tmp/elsewhere"
says out "is none that you named"
checks 0 plain --node "$tmp/elsewhere" --key "$key"
made unseeded --temp 0.5 -n 5
checks 3 unseeded
says out "the node chose"
cp "$tmp/plain" "$tmp/bare"
expect 3 "$isobit" verify "$tmp/bare" -m $m -p "$prompt" --system "Be brief."
says out "without it the receipt's hashes tell nothing"

# ---- receipts of the server ----------------------------------------------------------------------
cat >"$tmp/body.json" <<'EOF'
{"model": "demo", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of France?"}],
 "seed": 12, "temperature": 0.8, "max_tokens": 60, "stop": ["\n\n"], "receipt": true}
EOF
start_server -m demo=$m --receipts ask --data ""
python3 - "$port" "$tmp" <<'EOF'
import json, sys, urllib.request
port, tmp = sys.argv[1:]
def get(path, body=None):
    return urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers={"Content-Type": "application/json"})).read()
answer = json.loads(get("/v1/chat/completions", open(f"{tmp}/body.json", "rb").read()))
id = answer["receipts"][0]["id"]
both = json.loads(get(f"/v1/receipts/{id}"))
dump = lambda o: json.dumps(o, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
open(f"{tmp}/served", "w").write(dump(both["receipt"]))
open(f"{tmp}/served.bundle", "w").write(dump(both["bundle"]))
open(f"{tmp}/served.text", "w").write(answer["choices"][0]["message"]["content"])
EOF
stop_server
expect 0 "$isobit" verify "$tmp/served" -m $m --request "$tmp/body.json" --response "$tmp/served.text"
says out "parameters       recomputed" "seed             checked against" "log " Valid
sed 's/"max_tokens": 60/"max_tokens": 61/' "$tmp/body.json" >"$tmp/other.json"
expect 1 "$isobit" verify "$tmp/served" -m $m --request "$tmp/other.json"
says out "first difference: request"

# ---- of every kind: an honest one, one with another token, and ends ------------------------------
talker=tests/golden/engine/talker.gguf
kinds=$tmp/kinds
mkdir "$kinds"
start_server -m talker=$talker -c 60000 --receipts ask --data ""
python3 tests/e2e/verify_client.py "$port" "$kinds" || fail "answers: $(cat "$tmp/log")"
stop_server
# kind STATUS RECEIPT REQUEST ARGUMENTS... : verify with the model and the request as sent
kind() {
    local status=$1 name=$2 request=$3
    shift 3
    expect "$status" "$isobit" verify "$kinds/$name" -m $talker --request "$kinds/$request.request" "$@"
}
# forge FROM CHANGE... : a node that lies, signed with a key of its own: $kinds/forged
forge() {
    local from=$1
    shift
    python3 tests/e2e/dispute_forge.py "$kinds/$from" "$kinds/forged" "$@" hide=certificate hide=log
}
while read -r name; do
    response=()
    if [ -f "$kinds/$name.text" ]; then response=(--response "$kinds/$name.text"); fi
    kind 0 "$name" "$name" "${response[@]}"
    says out "parameters       recomputed" "prompt.ids       recomputed" "output.root      recomputed" \
        "finish_reason    recomputed" "seed             checked against" Valid
    if grep -qE "missing|differs" "$tmp/out"; then fail "$name: Valid, and yet something is missing"; fi
    cp "$kinds/$name" "$kinds/altered"
    sed -E 's/"output_ids":\[[0-9]+/"output_ids":[7/' "$kinds/$name.bundle" >"$kinds/altered.bundle"
    kind 1 altered "$name"
    says out "first difference: output.ids"
done <"$kinds/NAMES"
for name in chat-forced messages responses-schema ollama-format llama-grammar; do # signed as they are
    forge "$name" token=2
    kind 1 forged "$name"
    says out "first difference: output.ids: token 2"
done
for name in chat-call text-late; do # they end too soon
    forge "$name" cut=2
    kind 1 forged "$name"
    says out "first difference: finish_reason" "none: the answer goes on"
done
# After the call that ends it come others; what it says is something else.
forge chat-many request="$kinds/chat-call.request"
kind 1 forged chat-call
says out "output.count     differs" "what it says had ended the answer"
echo "So what?" >"$tmp/other.text"
kind 1 chat-call chat-call --response "$tmp/other.text"
says out "first difference: response"
kind 1 chat-choice chat-regex
says out "first difference: request" "parameters       differs"
# Without the request nobody knows a form, nor how a chat's answer is read.
forge chat-call hide=request
expect 3 "$isobit" verify "$kinds/forged" -m $talker
says out "output.ids       missing" "the answer had a form (regex)"
forge chat-stop hide=request
expect 3 "$isobit" verify "$kinds/forged" -m $talker
says out "output.ids       recomputed" "finish_reason    missing"
kind 3 chat-call chat-call --tool-format nonsense
says err "nonsense"
forge ollama-context hide=request
expect 3 "$isobit" verify "$kinds/forged" -m $talker
says out "prompt.ids       missing" "its request is needed"
# What a server remembers, it alone tells.
kind 3 responses-after responses-after
says out "request          missing" "joined to what was said before" NotMeasured
kind 0 responses-after responses-joined
kind 1 responses-after responses
says out "first difference: request"
expect 3 "$isobit" verify "$kinds/chat" -m $talker -p Hello
says out "request          missing" "a prompt is not the whole request"

# ---- receipts of isobit embed --------------------------------------------------------------------
bert=tests/golden/encoder/bert.gguf
# embedded NAME ARGUMENTS... : a receipt $tmp/NAME, its request and vectors
embedded() {
    local name=$1
    shift
    expect 0 "$isobit" embed -m $bert --receipt "$tmp/$name" "$@"
    cp "$tmp/out" "$tmp/$name.text"
    python3 -c 'import json, sys; sys.stdout.write(json.load(open(sys.argv[1]))["request"])' "$tmp/$name.bundle" >"$tmp/$name.request"
}
# embeds STATUS NAME ARGUMENTS... : verify with the model and the request as sent
embeds() {
    local status=$1 name=$2
    shift 2
    expect "$status" "$isobit" verify "$tmp/$name" -m $bert --request "$tmp/$name.request" "$@"
}
printf 'the first\n\nthe third of them\n' >"$tmp/lines.in"
ISOBIT_ISA=scalar embedded lines -f "$tmp/lines.in"
embeds 0 lines --response "$tmp/lines.text" # by the best kernels of this machine
says out "vectors.root     recomputed" "vectors.pooling  recomputed" "vectors.count    recomputed" \
    "model.weights    recomputed" "request          checked against" "response         checked against" Valid
if grep -qE "missing|differs" "$tmp/out"; then fail "Valid, and yet something is missing"; fi
embedded fast -p "the first" --pooling cls --no-normalize
embeds 0 fast
ISOBIT_ISA=scalar embeds 0 fast -t 1
embedded ids --tokens 5,6,7,8
embeds 0 ids --response "$tmp/ids.text"
expect 3 "$isobit" verify "$tmp/lines" --request "$tmp/lines.request"
says out "no model"
expect 3 "$isobit" verify "$tmp/lines" -m $bert
says out "no other to compare it with"
cp "$tmp/lines" "$tmp/bare"
expect 3 "$isobit" verify "$tmp/bare" -m $bert --request "$tmp/lines.request"
says out "without it the receipt's hashes tell nothing"
expect 1 "$isobit" verify "$tmp/lines" -m tests/golden/encoder/bert-rank.gguf --request "$tmp/lines.request"
says out "first difference: model." Mismatch
# Another text, another pooling than the receipt's.
sed 's/the third/the fourth/' "$tmp/lines.request" >"$tmp/other.request"
embeds 1 lines --request "$tmp/other.request"
says out "first difference: request" "vectors.root     differs" Mismatch
sed 's/"cls"/"last"/' "$tmp/fast.request" >"$tmp/other.request"
embeds 1 fast --request "$tmp/other.request"
says out "first difference: request" "vectors.pooling  differs" "vectors.root     differs"
sed 's/"texts":\["the first"/"texts":["a first"/' "$tmp/fast.request" >"$tmp/other.request"
embeds 1 fast --request "$tmp/other.request"
says out "say something else than its texts"
# Another vector than the receipt's: the first text that has one.
awk 'NR == 3 { $5 = "0.125" } { print }' "$tmp/lines.text" >"$tmp/other.text"
embeds 1 lines --response "$tmp/other.text"
says out "first difference: response: text 3, value 5" "found     0.125"
head -n 2 "$tmp/lines.text" >"$tmp/other.text"
embeds 1 lines --response "$tmp/other.text"
says out "first difference: response: text 3, value 1"
embeds 1 lines --request "$tmp/plain.request"
says out "vectors          differs" Mismatch

# ---- vectors and scores over HTTP ----------------------------------------------------------------
rank=tests/golden/encoder/bert-rank.gguf
start_server -m bert=$bert -m rank=$rank -m talker=$talker --receipts ask --data ""
for model in bert rank talker; do
    for _ in $(seq 300); do grep -q "^model $model is ready" "$tmp/log" && break; sleep 0.1; done
done
python3 tests/e2e/verify_client.py "$port" "$kinds" vectors || fail "vectors: $(cat "$tmp/log")"
stop_server
# vector STATUS NAME REQUEST RECEIPT ARGUMENTS... : by the model that made it
vector() {
    local status=$1 name=$2 request=$3 model=$bert
    shift 3
    case $name in rank*) model=$rank ;; talker*) model=$talker ;; esac
    expect "$status" "$isobit" verify "$@" -m $model --request "$kinds/$request.request"
}
while read -r name; do
    vector 0 "$name" "$name" "$kinds/$name" --response "$kinds/$name.text"
    says out "vectors.root     recomputed" "vectors.tokens   recomputed" "response         checked against" Valid
    if grep -qE "missing|differs" "$tmp/out"; then fail "$name: Valid, and yet something is missing"; fi
    vector 1 "$name" "$name" "$kinds/$name-forged"
    says out "first difference: vectors.root"
done <"$kinds/VECTORS"
vector 1 bert bert "$kinds/bert" --response "$kinds/bert-few.text"
says out "first difference: response"
vector 1 bert-rerank bert-score "$kinds/bert-rerank"
says out "first difference: request"
ISOBIT_ISA=scalar vector 0 rank-rerank rank-rerank "$kinds/rank-rerank" -t 1
expect 1 "$isobit" verify "$kinds/rank-score" -m $bert --request "$kinds/rank-score.request"
says out "first difference: model.weights"

# ---- lies ----------------------------------------------------------------------------------------
checks 1 plain --request "$tmp/stages.request"
says out "first difference: request" Mismatch
expect 1 "$isobit" verify "$tmp/plain" -m $m -p "Another question"
says out "another prompt"
echo "Berlin." >"$tmp/other.text"
checks 1 plain --response "$tmp/other.text"
says out "response"
checks 1 plain --expect-weights 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
says out "first difference: model.weights"
expect 0 "$isobit" quantize --allow-requantize $m "$tmp/less.gguf" Q4_K_M
expect 1 "$isobit" verify "$tmp/plain" -m "$tmp/less.gguf" --request "$tmp/plain.request"
says out "first difference: model.weights"
checks 1 plain --template plain
says out "model.template"
expect 0 "$isobit" node-key revoke 1
checks 1 plain
says out "certificate 1 was revoked"
