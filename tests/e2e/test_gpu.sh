#!/usr/bin/env bash
# test_gpu.sh - --gpu without a card, and with the one that the tests' stand-in for the driver emulates.
source "$(dirname "$0")/lib.sh"

standin="$(dirname "$isobit")/tests/standin"
mkdir "$tmp/no_driver"
echo "no library" >"$tmp/no_driver/libcuda.so.1" # whatever this machine has, it is not found
bare() { env LD_LIBRARY_PATH="$tmp/no_driver" "$@"; }
card() { env LD_LIBRARY_PATH="$standin" "$@"; }

expect 0 bare "$isobit" gpu
says out "none: no NVIDIA driver on this machine"
expect 0 bare "$isobit" gpu --json
says out '"cards": []' '"why"'
for command in "run -p x" "logits -p x" "embed -p x" "perplexity -f README.md" "bench" "selftest"; do
    # shellcheck disable=SC2086
    refuses 1 bare "$isobit" $command --gpu cuda -- "no NVIDIA driver"
done
refuses 1 bare "$isobit" run -p x --gpu metal -- "no Metal device"
refuses 2 bare "$isobit" run -p x --gpu gpu -- '"gpu" is no device; there are auto, cpu, cuda and cuda:N'
refuses 1 bare "$isobit" serve --gpu metal -- "no Metal device"
refuses 2 bare "$isobit" run -p x --gpu-memory much -- '--gpu-memory is "much"'
expect 0 bare "$isobit" run -p x -n 1 --gpu cpu
expect 0 bare "$isobit" run -p x -n 1 --gpu auto
expect 0 bare "$isobit" run -p x -n 1 --gpu debug
says err "gpu: cuda: no NVIDIA driver" "gpu: metal: " "gpu: kernels in this program: "

expect 0 card "$isobit" gpu
says out "cuda:0" "emulated, no GPU, compute capability 9.0" "2.15 GB"
# What the card does now, as its management library tells; what that does not tell is left out.
says out "570.00 of the stand-in" "memory       314.6 MB of 2.15 GB taken" "used         37 % of the time, its memory 12 %" \
    "temperature  41 C" "process      4711, 209.7 MB"
grep -q "process      4712$" "$tmp/out" || fail "a process whose memory is not known"
expect 0 env STANDIN_NVML=nvmlDeviceGetUtilizationRates:3 LD_LIBRARY_PATH="$standin" "$isobit" gpu
says out "temperature  41 C"
grep -q " of the time" "$tmp/out" && fail "a use that was not told"
expect 0 env STANDIN_NVML=nvmlDeviceGetComputeRunningProcesses_v3:0:many LD_LIBRARY_PATH="$standin" "$isobit" gpu
says out "processes    100"
grep -q "process      " "$tmp/out" && fail "processes that were not told"
expect 0 env STANDIN_NVML=nvmlInit_v2:999 LD_LIBRARY_PATH="$standin" "$isobit" gpu
says out "now          not known: nvmlInit: as the test wanted"
expect 0 card "$isobit" gpu --json
says out '"use_percent": 37' '"temperature_c": 41' '"n_processes": 2' '"memory_used_bytes": 314572800'
expect 0 env STANDIN_CARDS=2 LD_LIBRARY_PATH="$standin" "$isobit" gpu --json
says out '"device": "cuda:1"' '"memory_bytes": 2147483648'
refuses 1 card "$isobit" run -p x --gpu cuda:7 -- "there is no GPU 7; the driver knows 1"
refuses 1 env STANDIN_FAIL=cuInit:1:803 LD_LIBRARY_PATH="$standin" "$isobit" gpu -- cuInit "restart the machine"
expect 0 card "$isobit" run -p x -n 1 --gpu debug --gpu-memory 50%
says err "gpu: cuda:0: emulated"

export MINERVA_GPU_DEVICE=0 MINERVA_MAX_GPU_MEMORY=16GB MINERVA_GPU_LAYERS=40
expect 0 bare "$isobit" serve --print-config
grep -qE '^gpu +0 +environment MINERVA_GPU_DEVICE$' "$tmp/out" || fail "MINERVA_GPU_DEVICE is not --gpu"
grep -qE '^gpu-memory +16GB +environment MINERVA_MAX_GPU_MEMORY$' "$tmp/out" || fail "no --gpu-memory"
grep -qE '^gpu-layers +40 +environment MINERVA_GPU_LAYERS$' "$tmp/out" || fail "no --gpu-layers"

# The same logits as the CPU's: every family, each of them in passes of another size.
unset MINERVA_GPU_DEVICE MINERVA_MAX_GPU_MEMORY MINERVA_GPU_LAYERS
chunk=1
for model in llama qwen2 qwen3 phi3 gemma2 gemma3 mixtral qwen3moe gpt-oss; do
    file="tests/golden/model/$model.gguf"
    expect 0 bare "$isobit" logits -m "$file" --tokens "1 2 3 4 5 6 7 8 9" --chunk 9 --gpu cpu
    tail -1 "$tmp/out" >"$tmp/cpu"
    expect 0 card "$isobit" logits -m "$file" --tokens "1 2 3 4 5 6 7 8 9" --chunk $chunk --gpu cuda --profile exact
    says err "exact-1 on cuda"
    tail -1 "$tmp/out" | cmp -s - "$tmp/cpu" || fail "$model: other logits on the card"
    layers=$((chunk % 2 + 1))
    expect 0 card "$isobit" logits -m "$file" --tokens "1 2 3 4 5 6 7 8 9" --chunk $chunk --gpu cuda --profile exact --gpu-layers $layers
    says err "exact-1 on cuda ($layers of "
    tail -1 "$tmp/out" | cmp -s - "$tmp/cpu" || fail "$model: other logits with $layers layers on the card"
    chunk=$((chunk % 4 + 1))
done
# Launches of a row's pass: embedding, norm, head, logits, record of bad rows, and of a layer 10; with experts, and
# values of another type than keys, 16. Those that choose a token are not counted.
launches() {
    rm -f "$tmp/launches"
    expect 0 env STANDIN_LAUNCHES="$tmp/launches" LD_LIBRARY_PATH="$standin" \
        "$isobit" logits -m "tests/golden/model/$1.gguf" --tokens 1 --gpu cuda
    n=$(grep -vc '^sample_' "$tmp/launches")
    [ "$n" = "$2" ] || fail "$1: $n launches, not $2"
}
launches gemma2 $((5 + 3 * 10))
launches mixtral $((5 + 2 * 16))
# A card that is lost in mid-answer: the CPU goes on, with the same text.
expect 0 bare "$isobit" run --raw -p "What is" -n 6 --temp 0 --gpu cpu
cp "$tmp/out" "$tmp/text"
expect 0 env STANDIN_FAIL=cuLaunchKernel:150:719 LD_LIBRARY_PATH="$standin" "$isobit" run --raw -p "What is" -n 6 --temp 0 --gpu cuda
says err "is lost (GPU 0 (emulated, no GPU): cuLaunchKernel of " "the CPU goes on, with the same tokens"
cmp -s "$tmp/out" "$tmp/text" || fail "another text once the card was lost"

# The profile fast: where F16 weights meet a card, said in a line; the same again on the same card.
fast_model="tests/golden/model/llama-rope3.gguf"
again() { card "$isobit" logits -m "$fast_model" --tokens "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18" --gpu cuda "$@"; }
expect 0 again
says err "F16 and BF16 weights on a GPU: profile fast" "fast on cuda"
tail -1 "$tmp/out" >"$tmp/fast"
expect 0 again --profile fast
tail -1 "$tmp/out" | cmp -s - "$tmp/fast" || fail "the profile fast is not the same again"
expect 0 again --profile exact
tail -1 "$tmp/out" | cmp -s - "$tmp/fast" && fail "the profile fast has the bits of the profile exact"
expect 0 again --json
says out '"arithmetic": "fast"'
refuses 1 card "$isobit" logits -m tests/golden/model/llama.gguf --tokens 1 --gpu cuda --profile fast -- "for F16 and BF16 matrices, of which it has none"
refuses 1 card "$isobit" logits -m "$fast_model" --tokens 1 --gpu cpu --profile fast -- "the profile fast needs a GPU"
refuses 2 card "$isobit" logits -m "$fast_model" --tokens 1 --profile quick -- '"quick" is no profile; there are exact and fast'
refuses 2 card "$isobit" serve --poc --profile fast -- "--poc needs the profile exact"
# Lost in mid-answer: the CPU goes on, and says that it cannot be the same bits.
expect 0 env STANDIN_FAIL=cuLaunchKernel:12:719 LD_LIBRARY_PATH="$standin" "$isobit" logits -m "$fast_model" --tokens "1 2 3" --gpu cuda
says err "the CPU goes on, in the profile exact"
# Layers on both sides: the whole model is exact.
expect 0 again --gpu-layers 1
says err "layers on the GPU: profile exact on both sides" "exact-1 on "
tail -1 "$tmp/out" >"$tmp/split"
expect 0 bare "$isobit" logits -m "$fast_model" --tokens "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18" --gpu cpu
tail -1 "$tmp/out" | cmp -s - "$tmp/split" || fail "other logits with layers on both sides"
refuses 1 again --gpu-layers 1 --profile fast -- "needs all" "layers on the GPU, not 1"
# Encoders: the CPU's vectors on the card, and close to them in the profile fast.
for model in bert nomic xlmr bert-rank; do
    file="tests/golden/encoder/$model.gguf"
    expect 0 bare "$isobit" embed -m "$file" --tokens "1 2 3 4 5 6 7 8 9" --gpu cpu
    cp "$tmp/out" "$tmp/vector"
    expect 0 card "$isobit" embed -m "$file" --tokens "1 2 3 4 5 6 7 8 9" --gpu cuda --profile exact
    says err "exact-1 on cuda"
    cmp -s "$tmp/out" "$tmp/vector" || fail "$model: another vector on the card"
done
expect 0 bare "$isobit" embed -m tests/golden/encoder/nomic.gguf --tokens "1 2 3 4 5 6 7 8 9" --gpu cpu
cp "$tmp/out" "$tmp/vector"
expect 0 card "$isobit" embed -m tests/golden/encoder/nomic.gguf --tokens "1 2 3 4 5 6 7 8 9" --gpu cuda
says err "fast on cuda"
cmp -s "$tmp/out" "$tmp/vector" && fail "the profile fast has the bits of the profile exact"
paste <(tr ' ' '\n' <"$tmp/out") <(tr ' ' '\n' <"$tmp/vector") | awk 'NF == 2 { n++; d = $1 - $2; if (d * d > 1e-6) bad = 1 } END { exit !(n > 9 && !bad) }' ||
    fail "the profile fast is far from the profile exact"
# bench on the card; its roof is the card's. Emulated, these are no figures: only that there is a table.
expect 0 card "$isobit" bench -m "$fast_model" --gpu cuda --prompt 5 --gen 3 -r 1
says out "cuda" "prompt 5" "gen 3"
# Receipts: one of the profile fast says so, and nobody recomputes it; exact ones are checked on any device.
m="$tmp/talker16.gguf"
expect 0 "$isobit" quantize --allow-requantize tests/golden/engine/talker.gguf "$m" F16
expect 0 "$isobit" node-key create
expect 0 card "$isobit" run -m "$m" -q -p Hello -n 5 -s 7 --gpu cuda --receipt "$tmp/fast_a"
expect 0 card "$isobit" run -m "$m" -q -p Hello -n 5 -s 7 --gpu cuda --profile exact --receipt "$tmp/exact_a"
expect 0 bare "$isobit" run -m "$m" -q -p Hello -n 5 -s 7 --receipt "$tmp/exact_b"
grep -q '"arithmetic":"fast"' "$tmp/fast_a" || fail "the receipt does not name its profile"
grep -q '"arithmetic":"exact-1"' "$tmp/exact_a" || fail "the receipt does not name its arithmetic"
for device in cpu cuda; do
    expect 3 card "$isobit" verify "$tmp/fast_a" -m "$m" -p Hello --gpu $device
    says out 'the bits of "fast" are not made here' NotMeasured
    expect 0 card "$isobit" verify "$tmp/exact_a" -m "$m" -p Hello --gpu $device
    says out Valid
done
expect 0 bare "$isobit" verify "$tmp/exact_b" -m "$m" -p Hello
expect 3 bare "$isobit" dispute "$tmp/fast_a" "$tmp/exact_a" -m "$m"
says err "arithmetic"
# What lies where, and what does not fit.
model=tests/golden/model/gemma3.gguf
expect 0 card "$isobit" gpu -c 1024 --sessions 2 --draft "$model" "$model"
says out "On cuda, all 7 layers" "draft model" "It fits."
expect 0 card "$isobit" gpu -c 1024 --gpu-layers 3 "$model"
says out "On cuda, 3 of 7 layers" "On the CPU, the others and the embedding" "It fits."
expect 0 card "$isobit" inspect --plan --json --gpu cuda --gpu-layers 7 "$model"
says out '"gpu_layers": 7' '"device": "cuda"' '"device": "cpu"'
expect 0 card "$isobit" gpu --json "$model"
own=$(sed -n 's/.*"context_bytes": \([0-9]*\),.*/\1/p' "$tmp/out")
one="logits -m $model --tokens 1,2,3 -c 1024 --chunk 16 --profile exact --gpu cuda --gpu-memory"
# shellcheck disable=SC2086
{
    expect 0 card "$isobit" $one $((own + 400000))
    says err "of 7 layers fit on cuda, in " "the CPU has the others and the embedding" "of 7 layers) and "
    refuses 1 card "$isobit" $one $((own + 400000)) --gpu-layers 7 -- "on cuda 7 of 7 layers take" "of them fit"
    refuses 1 card "$isobit" $one $((own + 1000)) -- "on cuda 1 of 7 layers take" "no context fits"
}
refuses 2 bare "$isobit" run -p x --gpu-layers most -- '--gpu-layers is "most"; a number, or auto'
expect 0 bare "$isobit" run -p x -n 1 --gpu-layers 5
says err "layers on a GPU were asked for, but none is used: the CPU computes all"
expect 0 bare "$isobit" run -p x -n 1 --gpu cuda --gpu-layers 0
refuses 1 card "$isobit" embed -m tests/golden/encoder/bert.gguf -p x --gpu cuda --gpu-layers 1 -- "vectors are computed on one device"

# A server tells what lies where.
export LD_LIBRARY_PATH="$standin"
start_server -m talker=tests/golden/engine/talker.gguf -c 256 --parallel 1 --gpu cuda --gpu-layers 1
unset LD_LIBRARY_PATH
python3 - "$port" <<'END' || fail "another layout than the card's"
import json, sys, urllib.request
def get(path):
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{path}"))
facts = get("/v1/models")["data"][0]["meta"]
gpu, ps = facts["gpu"], get("/api/ps")["models"][0]
assert facts["device"] == "cuda" and gpu["layers"] == 1 and facts["layers"] > 1, facts
parts = ["weight_bytes", "cache_bytes", "working_bytes", "draft_bytes", "context_bytes"]
assert all(gpu[p] > 0 for p in parts if p != "draft_bytes"), gpu
assert ps["size_vram"] == sum(gpu[p] for p in parts) <= ps["size"], ps
END
stop_server
