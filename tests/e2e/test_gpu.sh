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
expect 0 env STANDIN_CARDS=2 LD_LIBRARY_PATH="$standin" "$isobit" gpu --json
says out '"device": "cuda:1"' '"memory_bytes": 2147483648'
refuses 1 card "$isobit" run -p x --gpu cuda:7 -- "there is no GPU 7; the driver knows 1"
refuses 1 env STANDIN_FAIL=cuInit:1:803 LD_LIBRARY_PATH="$standin" "$isobit" gpu -- cuInit "restart the machine"
expect 0 card "$isobit" run -p x -n 1 --gpu debug --gpu-memory 50%
says err "gpu: cuda:0: emulated"

export MINERVA_GPU_DEVICE=0 MINERVA_MAX_GPU_MEMORY=16GB
expect 0 bare "$isobit" serve --print-config
grep -qE '^gpu +0 +environment MINERVA_GPU_DEVICE$' "$tmp/out" || fail "MINERVA_GPU_DEVICE is not --gpu"
grep -qE '^gpu-memory +16GB +environment MINERVA_MAX_GPU_MEMORY$' "$tmp/out" || fail "no --gpu-memory"

# The same logits as the CPU's: every family, each of them in passes of another size.
unset MINERVA_GPU_DEVICE MINERVA_MAX_GPU_MEMORY
chunk=1
for model in llama qwen2 qwen3 phi3 gemma2 gemma3 mixtral qwen3moe gpt-oss; do
    file="tests/golden/model/$model.gguf"
    expect 0 bare "$isobit" logits -m "$file" --tokens "1 2 3 4 5 6 7 8 9" --chunk 9 --gpu cpu
    tail -1 "$tmp/out" >"$tmp/cpu"
    expect 0 card "$isobit" logits -m "$file" --tokens "1 2 3 4 5 6 7 8 9" --chunk $chunk --gpu cuda
    says err "exact-1 on cuda"
    tail -1 "$tmp/out" | cmp -s - "$tmp/cpu" || fail "$model: other logits on the card"
    chunk=$((chunk % 4 + 1))
done
# A card that is lost in mid-answer: the CPU goes on, with the same text.
expect 0 bare "$isobit" run --raw -p "What is" -n 6 --temp 0 --gpu cpu
cp "$tmp/out" "$tmp/text"
expect 0 env STANDIN_FAIL=cuLaunchKernel:150:719 LD_LIBRARY_PATH="$standin" "$isobit" run --raw -p "What is" -n 6 --temp 0 --gpu cuda
says err "is lost (GPU 0 (emulated, no GPU): cuLaunchKernel of " "the CPU goes on, with the same tokens"
cmp -s "$tmp/out" "$tmp/text" || fail "another text once the card was lost"
