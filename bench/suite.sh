#!/usr/bin/env bash
# suite.sh - the whole comparison with llama.cpp on this machine, into bench/results/NAME.json and .md.
#
# usage: bench/suite.sh LLAMA_BIN [options]
#   LLAMA_BIN        folder of llama.cpp's llama-bench and llama-batched-bench
#   --name NAME      of the results (default: the processor's, with the number of threads)
#   --threads N      (default: all processors)
#   --models DIR     where random models are made and kept (default: build/bench-models)
#   --under COMMAND  put before each measurement, such as "chrt -f 10" or "taskset -c 0,1"
#   --only WORD      only the parts whose name holds WORD
#   --8b             the shape of Llama 3.1 8B too: 5 GB of disk, 10 GB of memory, some minutes more
#
# Each part is one run of isobit bench whose result is kept beside the models under the commit's
# name: after an interruption, run it again and finished parts are skipped. About a quarter of an
# hour on two cores. Measure on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '4,12s/^# \?//p' "$0" >&2; exit 2; }
[ $# -ge 1 ] || usage
llama=$1 name="" threads=$(nproc) models=build/bench-models under="" only="" shapes_8b=""
shift
while [ $# -gt 0 ]; do
    case $1 in
    --8b) shapes_8b=yes; shift; continue ;;
    --name | --threads | --models | --under | --only) [ $# -ge 2 ] || usage ;;
    *) usage ;;
    esac
    declare "${1#--}=$2"
    shift 2
done
for program in llama-bench llama-batched-bench; do
    [ -x "$llama/$program" ] || { echo "suite.sh: no $program in $llama" >&2; exit 1; }
done
if [ -z "$name" ]; then
    cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)
    name=$(tr -cs 'a-z0-9' '-' <<<"${cpu:-$(uname -m)}" | tr 'A-Z' 'a-z' | sed 's/^-*//; s/-*$//')-$threads
fi

cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" --target isobit_cli mkmodel kernel_bench attention_bench >/dev/null
isobit=build/isobit
commit=$(git describe --always --abbrev=10 --dirty --exclude='*')
parts=$models/parts-$commit-$threads
mkdir -p "$parts"

# model SHAPE TYPE: makes the file once, sets $file.
model() {
    file=$models/$1-$2.gguf
    [ -s "$file" ] && return
    echo "making $file"
    build/mkmodel "$1" "$2" "$file.part"
    mv "$file.part" "$file"
}
# measure NAME REPEATS [isobit bench's options] -- [the baseline's command]
measure() {
    local part=$1 repeats=$2 status=0 command=("$isobit" bench -q -m "$file" -t "$threads" --json)
    shift 2
    case $part in *"$only"*) ;; *) return 0 ;; esac
    [ -s "$parts/$part.json" ] && return
    while [ "$1" != -- ]; do
        command+=("$1")
        shift
    done
    shift
    [ $# = 0 ] || command+=(--against "$*")
    echo "$(date +%H:%M:%S) $part"
    $under "${command[@]}" --repeat "$repeats" >"$parts/$part.tmp" || status=$?
    if [ $status != 0 ]; then # the others may still go well
        echo "suite.sh: $part failed with status $status" >&2
        failed+=("$part")
        return 0
    fi
    mv "$parts/$part.tmp" "$parts/$part.json"
}
failed=()
# alone NAME PROGRAM [arguments]: products or attention alone.
alone() {
    local part=$1 program=$2
    shift 2
    case $part in *"$only"*) ;; *) return 0 ;; esac
    [ -s "$parts/$part.txt" ] && return
    echo "$(date +%H:%M:%S) $part"
    $under "build/$program" -t "$threads" "$@" >"$parts/$part.tmp"
    mv "$parts/$part.tmp" "$parts/$part.txt"
}

types="Q8_0 Q4_0 Q4_K Q5_K Q6_K Q3_K Q2_K MXFP4 IQ4_NL NF4 F16 BF16"
alone kernels-1.1b-up kernel_bench -k 2048 -n 5632 $types
alone kernels-1.1b-down kernel_bench -k 5632 -n 2048 $types
alone kernels-8b-up kernel_bench -k 4096 -n 14336 $types
alone kernels-8b-down kernel_bench -k 14336 -n 4096 $types
alone kernels-few-rows kernel_bench -k 2048 {Q4_K,Q8_0,Q6_K}:{1,2,4,8,16}
alone attention attention_bench

shape=tinyllama-1.1b
for type in Q4_K_M Q8_0 Q5_K_M Q6_K Q4_0 F16; do
    model $shape $type
    measure "1.1b-$type" 3 --prompt 512 --gen 128 -- \
        "$llama/llama-bench" -m "$file" -t "$threads" -p 512 -n 128 -r 1 -o json
    # llama-batched-bench sometimes loses its last line: one that is not needed comes last.
    measure "1.1b-$type-x16" 3 --prompt 0 --gen 32 --batch 16 --depth 32 -- \
        "$llama/llama-batched-bench" -m "$file" -t "$threads" -tb "$threads" -c 2048 -npp 32 -ntg 32 \
        -npl 16,1 --output-format jsonl
done
for type in Q4_K_M Q8_0; do
    model $shape $type
    measure "1.1b-$type-long-prompt" 2 --prompt 512,4096 --gen 0 --
    measure "1.1b-$type-depth" 3 --prompt 0 --gen 64 --depth 0,3072 --
done
model $shape Q4_K_M
measure 1.1b-Q4_K_M-long-prompt-llama 2 --prompt 4096 --gen 0 -- \
    "$llama/llama-bench" -m "$file" -t "$threads" -p 4096 -n 0 -r 1 --no-warmup -o json
measure 1.1b-Q4_K_M-depth-llama 2 --prompt 0 --gen 64 --depth 3072 -- \
    "$llama/llama-bench" -m "$file" -t "$threads" -p 0 -n 64 -d 3072 -r 1 -o json
if [ -n "$shapes_8b" ]; then
    model llama-3.1-8b Q4_K_M
    measure 8b-Q4_K_M 2 --prompt 512 --gen 32 -- \
        "$llama/llama-bench" -m "$file" -t "$threads" -p 512 -n 32 -r 1 --no-warmup -o json
    measure 8b-Q4_K_M-long-prompt 1 --prompt 512,4096 --gen 0 --
fi

python3 bench/table.py "$parts" "bench/results/$name"
[ ${#failed[@]} = 0 ] || { echo "suite.sh: failed: ${failed[*]}" >&2; exit 1; }
