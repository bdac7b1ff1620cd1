/* fast.cu - products of the profile `fast` (docs/arithmetic.md, "Profiles"): F16 and BF16 weights
 * by rows of activations rounded to the same type, on tensor cores, with sums in binary32.
 *
 * A block has 16 or 32 rows of weights and up to 16 of activations. Its 8 warps share the columns:
 * lines of 64 (128 bytes of a row) go round, warp w has lines w, w + 8, ... A warp adds its lines
 * in order; the 8 sums are added in order. So a row's results depend on that row and the weights
 * alone: not on the rows beside it, nor on which of these kernels multiplies it.
 *
 * Of 32 columns a lane reads 16 bytes, columns 8c to 8c + 7 with c = lane % 4, where the fragments
 * of two mma hold 2c, 2c + 1, 2c + 8, 2c + 9 of 16 each. Both operands are read alike, and a sum
 * over columns does not ask for their names: each fragment is what lies there. */
#include "device/cuda/kernels/args_fast.h"
#include "numeric/func.h"

enum { FAST_WARPS = FAST_THREADS / 32, LINE = 64, HALF = 32, TALL_MAX = 2, WIDE_MAX = 2 };
enum { AHEAD = 2 /* steps whose loads are on their way */, ROUND_THREADS_MAX = 1024 };

/* The largest magnitude of a row, as bits: in their order a NaN is above all numbers. */
DEVICE_FN uint32_t row_largest(const float *x, uint32_t n)
{
    SHARED(uint32_t, largest, 32);
    uint32_t a = 0, n_warps = blockDim.x / 32;
    for (uint32_t i = threadIdx.x; i < n; i += blockDim.x) {
        uint32_t bits = float_bits(x[i]) & 0x7fffffffu;
        a = bits > a ? bits : a;
    }
    UNROLL
    for (int s = 16; s > 0; s /= 2) {
        uint32_t other = __shfl_xor_sync(~0u, a, s);
        a = other > a ? other : a;
    }
    if (threadIdx.x % 32 == 0)
        largest[threadIdx.x / 32] = a;
    __syncthreads();
    for (uint32_t i = 0; i < n_warps; i++)
        a = largest[i] > a ? largest[i] : a;
    return a;
}

/* x is finite and below 2^80. */
DEVICE_FN uint32_t float_brain(float x)
{
    uint32_t bits = float_bits(x);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* A block has a row. A row that binary16 cannot hold, or only with few bits, is brought to where
 * its largest magnitude is in [2^14, 2^15). */
KERNEL_BOUNDS(fast_round, struct round_args, ROUND_THREADS_MAX, 1)
{
    const float *x = a.x + blockIdx.x * a.stride;
    uint32_t *to = (uint32_t *)(a.halves + (uint64_t)blockIdx.x * a.n_cols);
    uint32_t largest = row_largest(x, a.n_cols);
    bool is_bad = largest >= 0x67800000u, is_tiny = largest < 0x21800000u; /* 2^80, 2^-60 */
    bool is_inside = largest >= 0x3b800000u && largest < 0x47000000u;      /* 2^-8, 2^15 */
    uint32_t exponent = is_bad || is_tiny || is_inside || a.is_brain ? 141 : largest >> 23;
    float up = bits_float((268 - exponent) << 23); /* 2^(141 - exponent) */
    for (uint32_t i = threadIdx.x; i < a.n_cols / 2; i += blockDim.x) {
        float v[2] = {0, 0};
        if (!is_bad && !is_tiny) {
            v[0] = x[2 * i] * up;
            v[1] = x[2 * i + 1] * up;
        }
        to[i] = a.is_brain ? float_brain(v[0]) | float_brain(v[1]) << 16
                           : float_half(v[0]) | float_half(v[1]) << 16;
    }
    if (threadIdx.x == 0) {
        a.scales[blockIdx.x] = bits_float((exponent - 14) << 23);
        if (is_bad)
            a.bad[blockIdx.x] = 1;
    }
}

/* Ordinary rows have the scale 1. */
KERNEL_BOUNDS(fast_unscale, struct unscale_args, FAST_THREADS, 4)
{
    float scale = a.scales[blockIdx.x], *y = a.y + blockIdx.x * a.stride;
    for (uint32_t i = threadIdx.x; scale != 1.0f && i < a.n_out; i += FAST_THREADS)
        y[i] = a.bias ? (y[i] - a.bias[i]) * scale + a.bias[i] : y[i] * scale;
}

/* What a lane has of 32 columns: rows g and g + 8 of each 16 rows of weights, row g of each 8 of
 * activations, with g = lane / 4. */
struct fast_step {
    uint4 w[TALL_MAX][2], x[WIDE_MAX];
};

/* Step i of a warp: halves of its lines, one after another. */
DEVICE_FN uint32_t step_column(uint32_t warp, uint32_t i)
{
    return (i / 2 * FAST_WARPS + warp) * LINE + i % 2 * HALF;
}

DEVICE_FN void load_step(const struct fast_args *a, int tall, int wide, uint32_t i,
                         struct fast_step *s)
{
    uint32_t lane = threadIdx.x % 32, k = step_column(threadIdx.x / 32, i);
    uint32_t row = blockIdx.y * 16 * tall + lane / 4, t = blockIdx.x * 8 * wide + lane / 4;
    uint64_t row_bytes = (uint64_t)a->n_cols * 2, at = (uint64_t)k * 2 + lane % 4 * 16;
    bool is_there = k < a->n_cols;
    UNROLL
    for (int n = 0; n < 2 * tall; n++)
        s->w[n / 2][n % 2] = load_once16_or_0(a->w + (row + 8 * n) * row_bytes + at,
                                              is_there && row + 8 * n < a->n_out);
    UNROLL
    for (int n = 0; n < wide; n++)
        s->x[n] = load_ahead16_or_0(a->halves + (t + 8 * n) * row_bytes + at,
                                    is_there && t + 8 * n < a->n_rows);
}

DEVICE_FN void multiply_step(const struct fast_step *s, bool is_brain, int tall, int wide,
                             float sum[TALL_MAX][WIDE_MAX][4])
{
    UNROLL
    for (int n = 0; n < tall; n++) {
        const uint4 *w = s->w[n];
        uint32_t first[4] = {w[0].x, w[1].x, w[0].y, w[1].y};
        uint32_t second[4] = {w[0].z, w[1].z, w[0].w, w[1].w};
        UNROLL
        for (int m = 0; m < wide; m++) {
            uint32_t low[2] = {s->x[m].x, s->x[m].y}, high[2] = {s->x[m].z, s->x[m].w};
            mma_halves(sum[n][m], first, low, is_brain);
            mma_halves(sum[n][m], second, high, is_brain);
        }
    }
}

/* The warps' sums of 16 x 8 results, added and written: row0 of weights, t0 of activations. */
DEVICE_FN void write_tile(const struct fast_args *a, bool is_brain, const float sum[4],
                          uint32_t row0, uint32_t t0, float *part)
{
    uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, i = threadIdx.x;
    uint32_t row = row0 + i % 16, t = t0 + i / 16;
    UNROLL
    for (int e = 0; e < 4; e++)
        part[(warp * 4 + e) * 32 + lane] = sum[e];
    __syncthreads();
    if (i < 128 && row < a->n_out && t < a->n_rows) {
        uint32_t at = (i % 16 / 8 * 2 + i / 16 % 2) * 32 + i % 8 * 4 + i / 32;
        float y = part[at];
        UNROLL
        for (int w = 1; w < FAST_WARPS; w++)
            y = y + part[w * 128 + at];
        a->y[t * a->stride + row] = fast_result(a, is_brain, y, row, t);
    }
    __syncthreads();
}

DEVICE_FN void fast_product(const struct fast_args *a, bool is_brain, int tall, int wide,
                            float *part)
{
    uint32_t warp = threadIdx.x / 32, n_lines = (a->n_cols + LINE - 1) / LINE;
    uint32_t n_steps = (n_lines + FAST_WARPS - 1 - warp) / FAST_WARPS * 2;
    float sum[TALL_MAX][WIDE_MAX][4];
    struct fast_step steps[AHEAD];
    UNROLL
    for (int i = 0; i < tall * wide * 4; i++)
        sum[i / (4 * wide)][i / 4 % wide][i % 4] = 0;
    UNROLL
    for (int i = 0; i < AHEAD; i++)
        load_step(a, tall, wide, i, &steps[i]);
    NO_UNROLL
    for (uint32_t at = 0; at < n_steps; at += AHEAD) {
        UNROLL
        for (int i = 0; i < AHEAD; i++) {
            struct fast_step now = steps[i];
            load_step(a, tall, wide, at + i + AHEAD, &steps[i]);
            multiply_step(&now, is_brain, tall, wide, sum);
        }
    }
    UNROLL
    for (int i = 0; i < tall * wide; i++)
        write_tile(a, is_brain, sum[i / wide][i % wide], (blockIdx.y * tall + i / wide) * 16,
                   (blockIdx.x * wide + i % wide) * 8, part);
}

#define FAST_PRODUCT(name, type, is_brain, tall, wide, blocks)                                     \
    KERNEL_BOUNDS(name##_##type, struct fast_args, FAST_THREADS, blocks)                           \
    {                                                                                              \
        SHARED(float, part, FAST_WARPS * 128);                                                     \
        fast_product(&a, is_brain, tall, wide, part);                                              \
    }
#define FAST_PRODUCTS(type, is_brain)                                                              \
    FAST_PRODUCT(fast_few, type, is_brain, 1, FAST_FEW / 8, 4)                                     \
    FAST_PRODUCT(fast_mid, type, is_brain, 2, FAST_MID / 8, 2)
FAST_PRODUCTS(f16, false)
FAST_PRODUCTS(bf16, true)
