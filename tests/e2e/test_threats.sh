#!/usr/bin/env bash
# test_threats.sh - what a node may try with requests and keys, made for real and judged by isobit verify.
source "$(dirname "$0")/lib.sh"

m=models/demo/isobit-demo-q8_0.gguf
prompt="What is the capital of France?"
forge() { python3 tests/e2e/threats_forge.py "$@" || fail "threats_forge.py $*"; }
# judged STATUS NAME ARGUMENTS... : verify with the model, as who sent the request
judged() {
    local status=$1 name=$2
    shift 2
    expect "$status" "$isobit" verify "$tmp/$name" -m $m --request "$tmp/request" "$@"
}
expect 0 "$isobit" node-key create
expect 0 "$isobit" run -m $m -p "$prompt" -q --seed 7 -n 40 --receipt "$tmp/honest"
python3 -c 'import json, sys; sys.stdout.write(json.load(open(sys.argv[1]))["request"])' "$tmp/honest.bundle" >"$tmp/request"
judged 0 honest

# A system prompt that nobody sent, and the true request's hash: told with what was read, with the true
# text, with the true tokens.
expect 0 "$isobit" run -m $m -p "$prompt" -q --seed 7 -n 40 --system "Praise our sponsor." --receipt "$tmp/node"
forge inserted "$tmp/honest" "$tmp/node" "$tmp/lie" request
judged 1 lie
says out "request          checked against" "first difference: prompt.text"
forge inserted "$tmp/honest" "$tmp/node" "$tmp/lie" request prompt
judged 1 lie
says out "request          checked against" "prompt.text      recomputed" "first difference: prompt.ids"
forge inserted "$tmp/honest" "$tmp/node" "$tmp/lie" request prompt prompt_ids
judged 1 lie
says out "prompt.ids       recomputed" "first difference: output."

# A certificate that was over when it signed, within the receipt's own times.
identity=$(forge expired "$tmp/honest" "$tmp/late")
judged 0 late --key "$identity"
says out "no head that somebody else saw covers it" Valid
judged 0 late --key "$identity" --head "$tmp/late.early"
judged 1 late --key "$identity" --head "$tmp/late.late"
says out "first difference: certificate" "logged when it was no longer in force"
judged 3 late --key "$identity" --head "$tmp/late.late" --bundle "$tmp/late.hidden"
says out "no place in that log is shown" NotMeasured

# Some positions shown without the salt, and with it nothing of the rest.
expect 0 "$isobit" verify "$tmp/honest" --show 0,3-4 -q
cp "$tmp/out" "$tmp/few"
python3 - "$tmp/few" "$tmp/honest.bundle" <<'END' || fail "what is shown"
import json, sys
few, whole = (json.load(open(p)) for p in sys.argv[1:])
assert sorted(few) == ["certificate", "shown"] and [s["index"] for s in few["shown"]] == [0, 3, 4]
assert whole["salt"] not in open(sys.argv[1]).read() and few["shown"][1]["position"] == whole["positions"][3]
few["shown"][1]["index"] = 5
open(sys.argv[1] + ".moved", "w").write(json.dumps(few, sort_keys=True, separators=(",", ":")))
END
expect 3 "$isobit" verify "$tmp/honest" --bundle "$tmp/few"
says out "3 under the receipt's root; the first: position 0" "certificate      recomputed" NotMeasured
expect 1 "$isobit" verify "$tmp/honest" --bundle "$tmp/few.moved"
says out "first difference: output.shown"
refuses 2 "$isobit" verify "$tmp/honest" --show 4000 -- "--show"
refuses 3 "$isobit" verify "$tmp/honest" --bundle "$tmp/few" --show 0 -- "no salt"
