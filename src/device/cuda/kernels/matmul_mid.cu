/* matmul_mid.cu - products with 5 to some 64 rows of activations: the weights once or twice, on the
 * tensor cores.
 *
 * A block has 32 rows of weights (16 of small matrices: half the warps) and 32 of activations; its
 * 16 warps are 8 segments by 2 halves of the rows, so that each adds its own blocks in order and
 * all of K is under way at once. 4096 rows are 128 blocks, one per SM of an H200. Weights in
 * flight: up to 16 rows 2 KiB per warp, 32 KiB per SM, ahead of what is in use, above half of it.
 * Activations are read by each block once, from the second cache: T (1.16 K) bytes x N / 32; at T =
 * 32 twice as many bytes as the weights of Q4_K, which the cache delivers at about the memory's
 * pace. */
#include "device/cuda/kernels/tile.h"

enum { MID_THREADS = 512, MID_COLS = 32, MID_STRIDE = 36 /* no bank conflicts */ };

/* One segment: blocks [block0, block1). */
DEVICE_FN void mid_segment(int format, int n_n, const struct product_args *a, const uint8_t *w,
                           uint32_t row, uint32_t block0, uint32_t block1, struct tile_sums *sum)
{
    struct format f = format_of(format);
    const uint32_t at = threadIdx.x % 32 / 4, end = block1 * BLOCK_GROUPS;
    const uint32_t n_groups = end < a->n_groups ? end : a->n_groups;
    const uint8_t *acts =
        a->acts + blockIdx.x * acts_tile_bytes(f.group_len != 0, a->n_groups) +
        block0 * (uint64_t)(f.group_len ? ACTS_BLOCK_BYTES : BLOCK_GROUPS * ACTS32_BYTES);
    struct tile_place p = tile_at(1, a, w, row, block0);
    struct tile_words slots[TILE_SLOTS_MAX];
    UNROLL
    for (uint32_t i = 0; i < (uint32_t)tile_slots(format); i++)
        tile_load(format, 1, &p, i, block0 * BLOCK_GROUPS + i < n_groups, &slots[i]);
    NO_UNROLL
    for (uint32_t half = 2 * block0; half < 2 * block1; half++) {
        const uint32_t block = half / 2;
        struct tile_scales scales;
        UNROLL
        for (uint32_t i = 0; i < 2; i++) {
            const uint8_t *panel = tile_panel(a, w, row, i);
            uint64_t n = block * PANEL_ROWS + at;
            scales.head[i] = panel + a->planes.head + n * (uint32_t)f.head_bytes;
            scales.tail[i] = panel + a->planes.tail + n * (uint32_t)f.tail_bytes;
        }
        tile_half(format, 1, n_n, a, &p, half * HALF_GROUPS, n_groups, slots, acts, 0, &scales,
                  sum);
        acts += f.group_len ? ACTS_HALF : HALF_GROUPS * ACTS32_BYTES;
        if (f.group_len && half % 2) {
            tile_finish_k(format, 1, n_n, acts, 0, &scales, sum);
            acts += ACTS_TAIL_BYTES;
        }
    }
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
    const uint8_t *w = a->w + expert_offset(&a->choice, t);
    struct tile_sums sum = {{{{0}}}, {{{0}}}};
    uint32_t block0 = segment_at(n_blocks, segment), block1 = segment_at(n_blocks, segment + 1);
    if (a->n_rows <= 16)
        mid_segment(format, 2, a, w, row + half, block0, block1, &sum);
    else
        mid_segment(format, 4, a, w, row + half, block0, block1, &sum);
    UNROLL
    for (uint32_t j = 0; j < MID_COLS / PANEL_ROWS; j++)
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
