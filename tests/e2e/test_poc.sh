#!/usr/bin/env bash
# test_poc.sh - isobit poc as a user runs it, and a chain's side of it (poc_chain.py).
source "$(dirname "$0")/lib.sh"

cat >"$tmp/params.json" <<END
{"params": {"dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 128,
            "ffn_dim_multiplier": 2.0, "multiple_of": 64, "norm_eps": 1e-5, "rope_theta": 10000,
            "use_scaled_rope": false, "seq_len": 4}}
END
poc() { "$isobit" poc "$@"; }

# One batch: claims, their validation by other means, fraud.
expect 0 poc init --params "$tmp/params.json"
says out '"parameters":' '"seconds":'
expect 0 poc generate --params test --block-hash b -n 3
expect 0 poc generate --params "$tmp/params.json" --block-hash b --public-key k -n 300 --r-target 1.35
cp "$tmp/out" "$tmp/batch.json"
expect 0 env ISOBIT_ISA=scalar "$isobit" poc validate "$tmp/batch.json" --params "$tmp/params.json" --batch 1 --threads 1 --r-target 1.35
says out '"n_invalid":0' '"fraud_detected":false'
cp "$tmp/out" "$tmp/validated.json"
sed 's/"block_hash":"b"/"block_hash":"c"/' "$tmp/batch.json" >"$tmp/fraud.json"
expect 1 poc validate "$tmp/fraud.json" --params "$tmp/params.json" --r-target 1.35
says out '"fraud_detected":true'
# The exact profile: equal on every instruction set, or fraud; the other profile's claims are not.
expect 0 poc generate --exact --params "$tmp/params.json" --block-hash b --public-key k -n 100 --r-target 1.35
cp "$tmp/out" "$tmp/exact.json"
expect 0 env ISOBIT_ISA=scalar "$isobit" poc validate --exact "$tmp/exact.json" --params "$tmp/params.json" --batch 3 --r-target 1.35
says out '"n_invalid":0' '"probability_honest":1.0'
expect 1 poc validate --exact "$tmp/batch.json" --params "$tmp/params.json" --r-target 1.35
# A verdict that comes along is shown, and found anew.
sed 's/"n_invalid":0/"n_invalid":99/; s/"fraud_detected":false/"fraud_detected":true/' "$tmp/validated.json" >"$tmp/lie.json"
expect 0 poc validate "$tmp/lie.json" --params "$tmp/params.json" --r-target 1.35
says err 'the batch says: 99 invalid' '0 invalid, honest'
# A batch that cannot be one.
sed 's/"dist":\[/"dist":[NaN,/' "$tmp/batch.json" >"$tmp/bad.json"
refuses 1 poc validate "$tmp/bad.json" --params "$tmp/params.json" -- bad.json
refuses 1 poc validate "$tmp/batch.json" --block-hash other -- "block b, not of other"
refuses 1 poc validate "$tmp/none.json" -- none.json
sed 's/"dist":\[[0-9.]*/"dist":[1.5/' "$tmp/batch.json" >"$tmp/far.json"
expect 1 poc validate "$tmp/far.json" --params "$tmp/params.json" --r-target 1.35
says err 'not under r_target'
refuses 2 poc generate --params nosuch -- '--params is "nosuch"'
refuses 1 poc generate --params test --node 3 --nodes 2 -- "node_id is 3 of 2"
refuses 2 poc genrate -- 'did you mean "generate"'
refuses 2 poc serve --host 0.0.0.0 --port 0 --data "$tmp/data" -- SIGNER_PUBKEY
refuses 2 poc serve --groups 1 --group-memory 5 -- --group-memory

python3 tests/e2e/poc_chain.py "$isobit" "$tmp/params.json" "$tmp" || fail "the chain's side"
