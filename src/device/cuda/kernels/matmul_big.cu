/* matmul_big.cu - products with many rows of activations, on the tensor cores.
 *
 * A block has 128 rows of weights and 64 of activations, a warp 32 by 32: 4 fragments of
 * activations of 8 bytes and 4 words of weights per 8 mma. No shared memory between: 8 warps meet
 * in the first cache, 4 KiB per group of 32 columns and 64 mma, 19 bytes a clock and SM from the
 * second. K is walked in order, so that one sum per result is under way; the tree of segments keeps
 * up to three more: two in shared memory, each thread its own, and that of the first four
 * segments in y itself.
 * One block of up to 220 registers a thread fills an SM: 8 warps, each with 8 mma that do not wait
 * for one another.
 * Predictions: tile.h. */
#include "device/cuda/kernels/tile.h"

enum { BIG_THREADS = 256, BIG_ROWS = 128, BIG_COLS = 64, BIG_GROUPS = 1, BIG_RESULTS = 32 };

/* Where result k of tile (m, j) goes: false where there is none. */
DEVICE_FN bool big_out(const struct product_args *a, uint32_t row, uint32_t t, int m, int j, int k,
                       uint64_t *at, uint32_t *out)
{
    uint32_t lane = threadIdx.x % 32, column = t + (uint32_t)j * 8 + lane % 4 * 2 + (uint32_t)k % 2;
    *out = row + (uint32_t)m * 16 + lane / 4 + (uint32_t)k / 2 * 8;
    *at = column * a->stride + *out;
    return column < a->n_rows && *out < a->n_out;
}

/* After segment s (0 to 7): s joins its pair, the pair the other, as R4's tree has them. */
DEVICE_FN void big_join(const struct product_args *a, uint32_t row, uint32_t t, uint32_t s,
                        const struct tile_sums *sum, float *kept)
{
    UNROLL
    for (int i = 0; i < BIG_RESULTS; i++) {
        const int m = i / 16, j = i / 4 % 4, k = i % 4;
        float v = sum->v[m][j][k];
        float *pair = kept + i * BIG_THREADS + threadIdx.x;
        float *four = pair + BIG_RESULTS * BIG_THREADS;
        if (s % 2 == 0) {
            *pair = v;
            continue;
        }
        v = *pair + v;
        if (s % 4 == 1) {
            *four = v;
            continue;
        }
        v = *four + v;
        uint64_t at;
        uint32_t out;
        if (!big_out(a, row, t, m, j, k, &at, &out))
            continue;
        if (s == 7) {
            v = a->y[at] + v;
            const float *bias = expert_bias(&a->choice, t, a->bias, a->n_out);
            v = bias ? v + bias[out] : v;
        }
        a->y[at] = v;
    }
}

DEVICE_FN void matmul_big(int format, const struct product_args *a)
{
    DYNAMIC_SHARED(float, kept);
    uint32_t warp = threadIdx.x / 32;
    uint32_t row = blockIdx.y * BIG_ROWS + warp % 4 * 32, t = blockIdx.x * BIG_COLS + warp / 4 * 32;
    uint32_t n_blocks = (a->n_groups + BLOCK_GROUPS - 1) / BLOCK_GROUPS;
    if (!has_expert(&a->choice, t))
        return;
    struct tile_place p = tile_at(format, a, 2, row, t);
    if (row >= a->n_out) /* whole warps; nothing below needs the others */
        return;
    NO_UNROLL
    for (uint32_t s = 0; s < SEGMENTS; s++) {
        struct tile_sums sum = {{{{0}}}};
        tile_blocks(format, 2, TILE_N, BIG_GROUPS, a, &p, segment_at(n_blocks, s),
                    segment_at(n_blocks, s + 1), &sum);
        big_join(a, row, t, s, &sum, kept);
    }
}

#define BIG(type, ...)                                                                             \
    KERNEL_BOUNDS(matmul_big_##type, struct product_args, BIG_THREADS, 1)                          \
    {                                                                                              \
        matmul_big(FORMAT_##type, &a);                                                             \
    }
CUDA_FORMATS(BIG)
