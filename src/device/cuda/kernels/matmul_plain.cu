/* matmul_plain.cu - products with F16, BF16 and F32 matrices in the order that docs/arithmetic.md
 * defines: exact first. F16 and BF16 multiply one after another inside a segment, so a lane has one
 * segment of one row, as in matmul_few.cu, and up to 8 rows of activations for each weight that it
 * loads. Rows lie as in the file: 16 bytes of 32 rows at a time, each sector whole within two
 * loads. F32 matrices are small (routers). */
#include "device/cuda/kernels/codes.h"

enum { PLAIN_ROWS = 8, HALF_THREADS = 128, HALF_PANELS = 2, FLOAT_THREADS = 256, FLOAT_ROWS = 4 };

DEVICE_FN float plain_widen(const struct plain_args *a, uint32_t bits)
{
    return a->is_brain ? flushed(bits << 16) : half_float(bits);
}

/* Columns [k, end) of a row against rows t0.. of activations, in order. */
DEVICE_FN void half_segment(const struct plain_args *a, uint32_t out, uint32_t t0, uint32_t k,
                            uint32_t end, float sum[PLAIN_ROWS])
{
    const uint8_t *base = (const uint8_t *)a->w + expert_offset(&a->choice, t0);
    const uint16_t *w = (const uint16_t *)base + (uint64_t)out * a->n_cols;
    const float *x = a->acts + (uint64_t)t0 * a->n_cols;
    if (a->n_cols % 8 == 0)
        for (; k < end; k += 8) {
            uint4 words = load16((const uint8_t *)(w + k));
            uint32_t word[4] = {words.x, words.y, words.z, words.w};
            UNROLL
            for (uint32_t t = 0; t < PLAIN_ROWS; t++) {
                if (t0 + t >= a->n_rows)
                    break;
                UNROLL
                for (uint32_t i = 0; i < 8; i++)
                    sum[t] = fmaf(plain_widen(a, word[i / 2] >> 16 * (i % 2) & 0xffff),
                                  x[(uint64_t)t * a->n_cols + k + i], sum[t]);
            }
        }
    for (; k < end; k++)
        for (uint32_t t = 0; t < PLAIN_ROWS && t0 + t < a->n_rows; t++)
            sum[t] = fmaf(plain_widen(a, w[k]), x[(uint64_t)t * a->n_cols + k], sum[t]);
}

/* Segments i and j of the tree's level, where one that is empty is left out: a fused sum may be -0.
 */
DEVICE_FN float plain_joined(float x, bool has_x, float y, bool has_y)
{
    return has_x && has_y ? x + y : has_x ? x : y;
}

DEVICE_FN float plain_tree(const float *s, uint32_t step, uint32_t n_blocks)
{
    float level[SEGMENTS];
    bool full[SEGMENTS];
    UNROLL
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        level[i] = s[i * step];
        full[i] = segment_at(n_blocks, i) < segment_at(n_blocks, i + 1);
    }
    UNROLL
    for (int n = SEGMENTS / 2; n > 0; n /= 2)
        UNROLL
    for (int i = 0; i < n; i++) {
        level[i] = plain_joined(level[2 * i], full[2 * i], level[2 * i + 1], full[2 * i + 1]);
        full[i] = full[2 * i] || full[2 * i + 1];
    }
    return level[0];
}

KERNEL_BOUNDS(matmul_half, struct plain_args, HALF_THREADS, 4)
{
    SHARED(float, part, HALF_PANELS *SEGMENTS *PLAIN_ROWS *PANEL_ROWS);
    uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, row = lane % PANEL_ROWS;
    uint32_t segment = warp % 2 * 4 + lane / PANEL_ROWS, slot = warp / 2;
    uint32_t out = (blockIdx.x * HALF_PANELS + slot) * PANEL_ROWS + row;
    uint32_t t0 = blockIdx.y * PLAIN_ROWS;
    uint32_t n_blocks = (a.n_cols + BLOCK_COLS - 1) / BLOCK_COLS;
    uint32_t begin = segment_at(n_blocks, segment) * BLOCK_COLS;
    uint32_t end = segment_at(n_blocks, segment + 1) * BLOCK_COLS;
    float sum[PLAIN_ROWS] = {0, 0, 0, 0, 0, 0, 0, 0};
    if (!has_expert(&a.choice, t0))
        return;
    if (out < a.n_out)
        half_segment(&a, out, t0, begin, end < a.n_cols ? end : a.n_cols, sum);
    UNROLL
    for (uint32_t t = 0; t < PLAIN_ROWS; t++)
        part[((slot * SEGMENTS + segment) * PLAIN_ROWS + t) * PANEL_ROWS + row] = sum[t];
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < HALF_PANELS * PLAIN_ROWS * PANEL_ROWS; i += HALF_THREADS) {
        uint32_t t = i / PANEL_ROWS % PLAIN_ROWS, at = i / (PANEL_ROWS * PLAIN_ROWS);
        uint32_t o = (blockIdx.x * HALF_PANELS + at) * PANEL_ROWS + i % PANEL_ROWS;
        if (t0 + t >= a.n_rows || o >= a.n_out)
            continue;
        float y = plain_tree(part + (at * SEGMENTS * PLAIN_ROWS + t) * PANEL_ROWS + i % PANEL_ROWS,
                             PLAIN_ROWS * PANEL_ROWS, n_blocks);
        const float *bias = expert_bias(&a.choice, t0, a.bias, a.n_out);
        a.y[(t0 + t) * a.stride + o] = bias ? y + bias[o] : y;
    }
}

/* One row of weights and up to 4 of activations per block: 256 lanes, then their tree. */
KERNEL_BOUNDS(matmul_float, struct plain_args, FLOAT_THREADS, 4)
{
    SHARED(float, lanes, FLOAT_ROWS *FLOAT_THREADS);
    uint32_t t0 = blockIdx.y * FLOAT_ROWS,
             n = a.n_rows - t0 < FLOAT_ROWS ? a.n_rows - t0 : FLOAT_ROWS;
    if (!has_expert(&a.choice, t0))
        return;
    const uint8_t *base = (const uint8_t *)a.w + expert_offset(&a.choice, t0);
    const float *w = (const float *)base + (uint64_t)blockIdx.x * a.n_cols;
    float sum[FLOAT_ROWS] = {0, 0, 0, 0};
    for (uint32_t k = threadIdx.x; k < a.n_cols; k += FLOAT_THREADS)
        UNROLL
    for (uint32_t t = 0; t < FLOAT_ROWS; t++)
        if (t < n)
            sum[t] = sum[t] + w[k] * a.acts[(uint64_t)(t0 + t) * a.n_cols + k];
    UNROLL
    for (uint32_t t = 0; t < FLOAT_ROWS; t++)
        lanes[t * FLOAT_THREADS + threadIdx.x] = sum[t];
    for (uint32_t s = FLOAT_THREADS / 2; s > 0; s /= 2) {
        __syncthreads();
        for (uint32_t i = threadIdx.x; i < FLOAT_ROWS * s; i += FLOAT_THREADS) {
            float *lane = lanes + i / s * FLOAT_THREADS + i % s;
            *lane = *lane + lane[s];
        }
    }
    __syncthreads();
    if (threadIdx.x < n) {
        float y = lanes[threadIdx.x * FLOAT_THREADS];
        const float *bias = expert_bias(&a.choice, t0, a.bias, a.n_out);
        a.y[(t0 + threadIdx.x) * a.stride + blockIdx.x] = bias ? y + bias[blockIdx.x] : y;
    }
}
