/* matmul_mid.cu - products with 5 to some 64 rows of activations: the weights once or twice, on the
 * tensor cores.
 *
 * A block has 32 rows of weights (16 of small matrices: half the warps) and 32 of activations; its
 * 16 warps are 8 segments by 2 halves of the rows, so that each adds its own blocks in order and
 * all of K is under way at once. 4096 rows are 128 blocks, one per SM of an H200. Weights in
 * flight: a step of 8 groups (4 above 16 rows; fewer where a code has more planes than one) ahead
 * of the one in use, 2 KiB per warp, 32 KiB per SM. Activations are read by each block once, from
 * the second cache: T (1.16 K) bytes x N / 32; at T = 32 twice as many bytes as the weights of
 * Q4_K, which the cache delivers at about the memory's pace. */
#include "device/cuda/kernels/tile.h"

enum { MID_THREADS = 512, MID_COLS = 32, MID_STRIDE = 36 /* no bank conflicts */ };

/* Of a step: as many words as registers are left for. */
DEVICE_FN int mid_groups(int format, int n_n)
{
    const bool one_plane = format_of(format).bits == 4 && format != FORMAT_IQ4_XS;
    return (one_plane               ? 8
            : format == FORMAT_Q6_K ? 2
                                    : 4) /
           (n_n == TILE_N && format != FORMAT_Q6_K ? 2 : 1);
}

DEVICE_FN void matmul_mid(int format, const struct product_args *a)
{
    SHARED(float, part, SEGMENTS *MID_COLS *MID_STRIDE);
    uint32_t warp = threadIdx.x / 32, lane = threadIdx.x % 32, segment = warp % SEGMENTS;
    uint32_t n_rows = blockDim.x / SEGMENTS / 2; /* 16 per warp */
    uint32_t row = blockIdx.y * n_rows, half = warp / SEGMENTS * 16, t = blockIdx.x * MID_COLS;
    uint32_t n_blocks = (a->n_groups + BLOCK_GROUPS - 1) / BLOCK_GROUPS;
    if (!has_expert(&a->choice, t))
        return;
    struct tile_place p = tile_at(format, a, 1, row + half, t);
    struct tile_sums sum = {{{{0}}}};
    uint32_t block0 = segment_at(n_blocks, segment), block1 = segment_at(n_blocks, segment + 1);
    if (a->n_rows <= 16)
        tile_blocks(format, 1, 2, mid_groups(format, 2), a, &p, block0, block1, &sum);
    else
        tile_blocks(format, 1, TILE_N, mid_groups(format, TILE_N), a, &p, block0, block1, &sum);
    UNROLL
    for (uint32_t j = 0; j < TILE_N; j++)
        UNROLL
    for (uint32_t k = 0; k < 4; k++)
        part[(segment * MID_COLS + j * PANEL_ROWS + lane % 4 * 2 + k % 2) * MID_STRIDE + half +
             lane / 4 + k / 2 * 8] = sum.v[0][j][k];
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < n_rows * MID_COLS; i += blockDim.x) {
        uint32_t column = t + i / n_rows, out = row + i % n_rows;
        if (column >= a->n_rows || out >= a->n_out)
            continue;
        float y = segments_sum(part + i / n_rows * MID_STRIDE + i % n_rows, MID_COLS * MID_STRIDE);
        const float *bias = expert_bias(&a->choice, t, a->bias, a->n_out);
        a->y[column * a->stride + out] = bias ? y + bias[out] : y;
    }
}

#define MID(type, ...)                                                                             \
    KERNEL_BOUNDS(matmul_mid_##type, struct product_args, MID_THREADS, 1)                          \
    {                                                                                              \
        matmul_mid(FORMAT_##type, &a);                                                             \
    }
CUDA_FORMATS(MID)
