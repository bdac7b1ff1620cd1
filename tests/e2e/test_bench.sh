#!/usr/bin/env bash
# test_bench.sh - isobit bench measures what it was asked for; its figures are not judged.
source "$(dirname "$0")/lib.sh"

m=tests/golden/model/llama.gguf
small=(--prompt 5 --gen 3 --repeat 2)

expect 0 "$isobit" bench "${small[@]}"
says out "isobit-demo" "prompt 5 " "gen 3 " "of the roof" "of 4 repetitions"

expect 0 "$isobit" bench -m $m "${small[@]}" -t 1,2 --batch 1-4*2 --depth 0,70 --json
python3 - "$tmp/out" <<'END' || fail "the JSON is not what was asked for"
import json, sys
all = json.load(open(sys.argv[1]))
for key in ("cpu", "system", "n_processors", "n_bytes_memory"):
    assert all["machine"][key], key
assert all["model"]["name"] == "llama.gguf" and all["model"]["n_params"] > 0
assert all["commit"] and all["isa"] and all["threads"] == 1 and all["n_bytes_resident"] > 1e6
rows = all["results"]
seen = [(r["n_threads"], r["kind"], r["n_tokens"], r["n_batch"], r["n_depth"]) for r in rows]
assert len(set(seen)) == len(seen) == 16, seen
assert (2, "gen", 3, 4, 70) in seen and (1, "prompt", 5, 1, 0) in seen
for r in rows:
    assert len(r["samples"]) == 2 and min(r["samples"]) > 0
    assert r["min"] <= r["tokens_per_second"] <= r["max"]
    assert 0 < r["step_ms"]["p50"] <= r["step_ms"]["p95"] <= r["step_ms"]["p99"]
    assert r["gops"] > 0 and r["gb_per_s"] > 0 and r["bound"] in ("read", "compute")
    assert 0 <= r["n_dropped"] <= 2
    for key in ("roof", "roof_share", "roof_gops", "roof_gb_per_s"):
        assert (r[key] is None) == (r["n_dropped"] == 2), r
assert rows[-1]["test"] == "gen 3 x4 @70"
END

for model in gpt-oss phi3-long; do # experts and windows, a context that is read twice
    for isa in scalar ""; do
        expect 0 env ISOBIT_ISA=$isa "$isobit" bench -m tests/golden/model/$model.gguf "${small[@]}" --csv
        [ "$(awk -F, 'NF != 25' "$tmp/out" | wc -l)" = 0 ] || fail "columns"
        [ "$(wc -l <"$tmp/out")" = 3 ] || fail "lines"
    done
done
expect 0 "$isobit" bench -m $m "${small[@]}" --markdown
says out "| gen 3 |" "|---|"

expect 0 "$isobit" bench -m $m "${small[@]}" --batch 1-3 --svg "$tmp/a&<b>.svg"
expect 0 "$isobit" bench -m $m "${small[@]}" --svg "$tmp/bars.svg" \
    --against "$isobit bench -m $m ${small[*]} --json"
python3 - "$tmp"/*.svg <<'END' || fail "the plots are no SVG"
import sys, xml.dom.minidom
for path in sys.argv[1:]:
    svg = xml.dom.minidom.parse(path).documentElement
    assert svg.tagName == "svg" and svg.getAttribute("viewBox")
    words = [t.firstChild.data for t in svg.getElementsByTagName("text")]
    assert any("Generating" in w for w in words) and "isobit" in words, words
    if "bars" in path:
        assert "roof" in words and any(w.startswith("isobit ") for w in words)
        assert len(svg.getElementsByTagName("rect")) == 5
    else:
        assert [w for w in words if w in "123"] == ["1", "2", "3"]
END
[ "$(ls "$tmp" | grep -c svg)" = 2 ] || fail "something lies beside the plots"
refuses 1 "$isobit" bench -m $m "${small[@]}" --svg "$tmp/no/such.svg" -- "$tmp/no/such.svg"

# A baseline that takes turns with us: the environment is cleared, each repetition is a pair.
cat >"$tmp/llama-bench" <<'END'
#!/bin/sh
echo "${OPENBLAS_CORETYPE-none}" >>"$(dirname "$0")/runs"
echo "it loads" >&2
echo '[{"build_commit": "abc", "n_threads": 1, "n_prompt": 5, "n_gen": 0, "n_depth": 0, "avg_ts": 10.0,
   "samples_ts": [9.0, 10.0, 30.0]},
  {"build_commit": "abc", "n_threads": 1, "n_prompt": 0, "n_gen": 77, "avg_ts": 10.0}]'
END
chmod +x "$tmp/llama-bench"
against=("$isobit" bench -m $m -t 1 --prompt 5 --gen 3 --repeat 3 --against)
expect 0 env OPENBLAS_CORETYPE=x "${against[@]}" "$tmp/llama-bench -o json" --json
[ "$(cat "$tmp/runs")" = "$(printf 'none\nnone\nnone')" ] || fail "not three clean runs of the baseline"
python3 - "$tmp/out" <<'END' || fail "ratios"
import json, statistics, sys
all = json.load(open(sys.argv[1]))
assert all["against"]["baseline"] == "llama.cpp abc" and "-o json" in all["against"]["command"]
prompt, gen = all["results"]
near = lambda a, b: abs(a - b) <= 1e-4 * abs(b)
assert prompt["baseline_tokens_per_second"] == 10
assert near(prompt["ratio"], statistics.median(prompt["samples"]) / 10)
assert near(prompt["ratio_min"], min(prompt["samples"]) / 10)
assert near(prompt["ratio_max"], max(prompt["samples"]) / 10)
assert "ratio" not in gen
END
expect 0 "${against[@]}" "$isobit bench -m $m -t 1 --prompt 5 --gen 3 --repeat 1 --json"
says out "baseline" "ratio" "(isobit "
refuses 1 "${against[@]}" "$tmp/nothing-here" -- "--against" "exit status 127" "not found"
refuses 1 "${against[@]}" "echo tokens: 12" -- 'it printed "tokens: 12'
refuses 1 "${against[@]}" true -- "it printed nothing"
refuses 1 "${against[@]}" "echo no such model >&2; exit 4" -- "exit status 4: no such model"
refuses 1 "${against[@]}" "sh $tmp/llama-bench | sed 's/: 5,/: 6,/'" -- "ran no test that runs here" "prompt 6"
cat >"$tmp/flaky" <<'END'
[ -e "$0.again" ] && kind=gen || kind=prompt
touch "$0.again"
echo '{"results": [{"kind": "'$kind'", "n_tokens": 5, "samples": [4]}, {"kind": "gen", "n_tokens": 3, "samples": [4]}]}'
END
refuses 1 "${against[@]}" "sh $tmp/flaky" -- "ran prompt 5 only sometimes"

refuses 2 "$isobit" bench -m $m --prompt 0 --gen 0 -- "nothing to measure"
refuses 2 "$isobit" bench -m $m --batch 4-1 -- '--batch is "4-1"'
refuses 2 "$isobit" bench -m $m --json --csv -- "give one"
refuses 1 "$isobit" bench -m "$tmp/none.gguf" -- none.gguf
