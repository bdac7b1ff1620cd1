#!/usr/bin/env bash
# gpu_check.sh - one card: the same bits as the CPU, then its speed beside its own limits.
#
# usage: tools/gpu_check.sh [--bin DIR] [--device cuda:N] [--out FILE.json] [--seconds N]
#
# Needs a C compiler and nvcc, no libraries; with --bin DIR (gpu_bench and mkmodel from a build) neither.
# In order: the conformance vectors on CPU and card; hashes of logits and of drawn tokens, of the demo model and of
# random models of every family, CPU against card; compute-sanitizer over the vectors, where there is one; what the card can do; the
# Llama-3.1-8B and Llama-2-7B shapes with random weights: decoding 1, 16 and 64 rows at a context of 512,
# prefill of 2,048; BERT-base, 256 texts of 128 tokens. F16 and BF16 are in the profile fast, all else is exact.
# A short table comes last. Within 8 minutes: what does not fit is left out, and said.
# Exit status 0: every bit is the same.
set -euo pipefail
cd "$(dirname "$0")/.."

bin='' device=cuda out='' limit=480
while [ $# -gt 0 ]; do
    case $1 in
    --bin) bin=$2 ;;
    --device) device=$2 ;;
    --out) out=$2 ;;
    --seconds) limit=$2 ;;
    *) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | head -4; exit 2 ;;
    esac
    shift 2
done
work=$(mktemp -d "${TMPDIR:-/tmp}/gpu_check.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0

# ---- build: the core, by hand, as CMake would ------------------------------------------------------------------

compile() { # FLAGS... -- FILES... : objects of all of them, in parallel
    local flags=()
    while [ "$1" != -- ]; do flags+=("$1"); shift; done
    shift
    [ $# -eq 0 ] && return
    printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh -c \
        'f={}; shift 0; exec '"${CC:-cc}"' "$@" -c "$f" -o "'"$work"'/obj/$(echo "$f" | tr / _).o"' sh "${flags[@]}"
}

build() {
    local nvcc base=(-std=c17 -D_GNU_SOURCE -O2 -ffp-contract=off -fno-strict-aliasing -fno-math-errno -Isrc -Iinclude)
    nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null) || { echo "gpu_check: no nvcc, and no --bin"; exit 1; }
    mkdir -p "$work/obj" "$work/kernels"
    local images='' f name capability=''
    command -v nvidia-smi >/dev/null && capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
    capability=${capability:-90}
    printf '%s\n' src/device/cuda/kernels/*.cu | xargs -P "$(nproc)" -I{} sh -c 'f={}; exec "$@" -o "'"$work"'/kernels/$(basename "$f" .cu).fatbin" "$f"' \
        sh "$nvcc" -fatbin -O3 -std=c++20 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true -Isrc "-gencode=arch=compute_$capability,code=sm_$capability"
    for f in "$work"/kernels/*.fatbin; do
        name=$(basename "$f" .fatbin)
        images="$images X($name, \"$f\")"
    done
    printf '#define CUDA_CARDS "%s"\n#define CUDA_LEAST %s\n#define CUDA_IMAGES(X)%s\n' "$capability" "$capability" "$images" \
        >"$work/cuda_images.h"
    local have=() plain=()
    case $(uname -m) in
    x86_64)
        have=(-DISOBIT_HAVE_AVX2 -DISOBIT_HAVE_AVX512)
        compile "${base[@]}" "${have[@]}" -O3 -mavx2 -mfma -mf16c -- src/device/cpu/x86_avx2/*.c src/poc/x86_avx2/*.c
        compile "${base[@]}" "${have[@]}" -O3 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx512cd \
            -mprfchw -mfma -mf16c -mprefer-vector-width=512 -- src/device/cpu/x86_avx512/*.c src/poc/x86_avx512/*.c
        ;;
    aarch64)
        have=(-DISOBIT_HAVE_NEON)
        compile "${base[@]}" "${have[@]}" -march=armv8.2-a+dotprod -- src/device/cpu/arm_neon/*.c src/poc/arm_neon/*.c
        ;;
    esac
    for f in src/base/*.c src/numeric/*.c src/tensor/*.c src/tensor/quant/*.c src/format/{gguf,table,identity,metas}*.c \
        src/device/*.c src/device/cpu/*.c src/device/cuda/*.c src/model/*.c src/model/arch/*.c src/engine/*.c \
        src/bench/*.c src/poc/*.c; do
        [ "$f" = src/engine/open.c ] || plain+=("$f")
    done
    compile "${base[@]}" "${have[@]}" "-I$work" -DISOBIT_HAVE_KERNELS -- "${plain[@]}"
    for name in gpu_bench mkmodel; do
        "${CC:-cc}" "${base[@]}" -o "$work/$name" "tools/$name.c" "$work"/obj/*.o -lpthread -lm -ldl
    done
    bin=$work
}

[ -n "$bin" ] || build
bench() { "$bin/gpu_bench" "$@"; }
card=$(bench "$device" card)
emulated=false
case $card in *emulated*) emulated=true ;; esac
name=$(echo "$card" | sed 's/.*"name": "\([^"]*\)".*/\1/')
say() { echo "[$SECONDS s] $*"; }
late() { [ "$SECONDS" -ge "$limit" ]; }
say "$card"

# ---- the same bits ---------------------------------------------------------------------------------------------

vectors=differ
bench cpu vectors | tail -1
if bench "$device" vectors >"$work/vectors"; then vectors=equal; else failed=1; fi
say "$device: $(tail -1 "$work/vectors")"
[ $vectors = equal ] || head -20 "$work/vectors"

n_equal=0 n_models=0 differ=''
same_logits() { # MODEL TOKENS
    local here there
    here=$(bench cpu logits "$1" "$2" 2>"$work/why") || return 0 # an encoder, or no model for so few tokens
    n_models=$((n_models + 1))
    there=$(bench "$device" logits "$1" "$2" 2>&1) || true
    case $there in
    "${here% *} cuda") n_equal=$((n_equal + 1)) ;;
    *) failed=1 differ="$differ $(basename "$1")"; echo "$(basename "$1"): $here, on the card: $there" ;;
    esac
}
n_tokens=200
$emulated && n_tokens=12
for model in models/demo/*.gguf $(find tests/golden -name '*.gguf' | sort); do
    late || same_logits "$model" "$n_tokens"
done
types="Q4_K_M Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K Q8_K IQ4_NL IQ4_XS MXFP4 NF4 FP4 F16 BF16 F32"
$emulated && types="Q4_K_M Q8_0"
for shape in tiny tiny-qwen2 tiny-qwen3; do
    for type in $types; do
        late && break
        "$bin/mkmodel" "$shape" "$type" "$work/m.gguf" >/dev/null 2>&1 || continue # a type without an encoder, or not for this shape
        same_logits "$work/m.gguf" "$n_tokens"
        rm -f "$work/m.gguf"
    done
done
say "logits: $n_equal of $n_models models as on the CPU"
[ "$n_models" -gt 0 ] || failed=1

sanitizer='not found'
if command -v compute-sanitizer >/dev/null && ! late; then
    sanitizer=clean
    timeout 120 compute-sanitizer --error-exitcode 9 "$bin/gpu_bench" "$device" vectors >"$work/sanitizer" 2>&1 ||
        { sanitizer="status $?"; tail -20 "$work/sanitizer"; failed=1; }
fi
say "compute-sanitizer: $sanitizer"

# ---- speed ----------------------------------------------------------------------------------------------------

scale=1 shapes="llama-3.1-8b llama-2-7b" kinds="Q4_K Q8_0 NF4 F16" batches="1 16 64" depth=512 length=2048 steps=64
encoder=bert-base texts=256 text=128
$emulated && scale=0.0001 shapes=tiny kinds="Q4_K F16" batches="1 3" depth=20 length=40 steps=3 encoder=tiny-bert texts=3 text=20
roof=$(bench "$device" roof $scale)
say "the card: $roof"
limits=$(echo "$roof" | sed 's/.*"read_bytes": \([^,]*\), "int8_ops": \([^,]*\), "bf16_ops": \([^,]*\),.*/\1 \2 \3/')
: >"$work/results"
left=
for shape in $shapes; do
    for kind in $kinds; do
        late && { left="$left $shape/$kind"; continue; }
        "$bin/mkmodel" "$shape" "$kind" "$work/m.gguf" >/dev/null 2>"$work/why" || { left="$left $shape/$kind"; continue; }
        for batch in $batches; do
            # shellcheck disable=SC2086
            bench "$device" decode "$work/m.gguf" "$batch" $depth $steps $limits >"$work/line" 2>"$work/why" &&
                sed "s|\"model\": \"[^\"]*\"|\"model\": \"$shape $kind\"|" "$work/line" >>"$work/results" || left="$left $shape/$kind/x$batch"
        done
        # shellcheck disable=SC2086
        bench "$device" prefill "$work/m.gguf" $length $limits >"$work/line" 2>"$work/why" &&
            sed "s|\"model\": \"[^\"]*\"|\"model\": \"$shape $kind\"|" "$work/line" >>"$work/results" || left="$left $shape/$kind/prefill"
        rm -f "$work/m.gguf"
    done
done

for kind in F16 BF16; do
    late && { left="$left $encoder/$kind"; continue; }
    # shellcheck disable=SC2086
    "$bin/mkmodel" $encoder $kind "$work/m.gguf" >/dev/null 2>"$work/why" &&
        bench "$device" embed "$work/m.gguf" $texts $text $limits >"$work/line" 2>"$work/why" &&
        sed "s|\"model\": \"[^\"]*\"|\"model\": \"$encoder $kind\"|" "$work/line" >>"$work/results" || left="$left $encoder/$kind"
    rm -f "$work/m.gguf"
done

# ---- what came of it ------------------------------------------------------------------------------------------

if [ -z "$out" ]; then
    out="bench/results/gpu-$(echo "$name" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-').json"
    $emulated && out="$work/emulated.json"
fi
{
    printf '{"emulated": %s, "commit": "%s", "date": "%s",\n "card": %s,\n' $emulated \
        "$(git describe --always --dirty --exclude='*' 2>/dev/null || echo unknown)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$card"
    printf ' "vectors": "%s", "models_equal": %d, "models": %d, "compute_sanitizer": "%s",\n "roof": %s,\n "left_out": "%s",\n' \
        $vectors $n_equal $n_models "$sanitizer" "$roof" "${left# }"
    printf ' "results": [\n%s\n ]}\n' "$(sed '$!s/$/,/; s/^/  /' "$work/results")"
} >"$out"
echo
$emulated && echo "EMULATED: no figure below is a measurement."
echo "$name: vectors $vectors, logits $n_equal of $n_models models${differ:+ (differ:$differ)}, compute-sanitizer: $sanitizer"
printf '%-22s %-8s %5s %12s %7s\n' model test rows tokens/s share
sed 's/.*"model": "\([^"]*\)".*"test": "\([^"]*\)", "batch": \([0-9]*\).*"tokens_per_second": \([^,]*\).*"share": \([^}]*\).*/\1|\2|\3|\4|\5/' \
    "$work/results" | while IFS='|' read -r m t b r s; do printf '%-22s %-8s %5s %12s %7s\n' "$m" "$t" "$b" "$r" "$s"; done
[ -z "$left" ] || echo "left out:$left"
echo "in $SECONDS s; $out"
exit $failed
