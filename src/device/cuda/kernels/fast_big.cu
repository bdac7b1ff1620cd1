/* fast_big.cu - products of the profile `fast` with more rows, where there is no libcublasLt.
 *
 * A block has 128 rows of weights by 128 of activations, a warp 64 by 64; 32 columns at a time lie
 * in shared memory, the next two on their way there. A row of them is 64 bytes, and a lane reads 16
 * of these as in fast.cu: a warp's reads lie side by side. Columns are added in ascending order of
 * 16, whatever stands beside a row. */
#include "device/cuda/kernels/args_fast.h"

enum { TILE = FAST_BIG, STEP = 32, STAGES = 3, PIECE = 8, N_PIECES = STEP / PIECE, PART = 64 };
enum { TILE_HALVES = TILE * STEP, BIG_THREADS = FAST_BIG_THREADS };

/* Columns from k on of a tile's rows into one stage; rows and columns that are not there: zeros. */
DEVICE_FN void copy_tile(const uint8_t *from, uint32_t row0, uint32_t n_rows, uint32_t n_cols,
                         uint32_t k, uint16_t *to)
{
    UNROLL
    for (uint32_t i = threadIdx.x; i < TILE * N_PIECES; i += BIG_THREADS) {
        uint32_t row = row0 + i / N_PIECES, column = k + i % N_PIECES * PIECE;
        bool is_there = row < n_rows && column < n_cols;
        uint64_t at = is_there ? ((uint64_t)row * n_cols + column) * 2 : 0;
        copy_ahead16_or_0(to + i * PIECE, from + at, is_there);
    }
}

DEVICE_FN void copy_step(const struct fast_args *a, uint32_t step, uint16_t *stages)
{
    uint16_t *stage = stages + step % STAGES * 2 * TILE_HALVES;
    copy_tile(a->w, blockIdx.y * TILE, a->n_out, a->n_cols, step * STEP, stage);
    copy_tile(a->halves, blockIdx.x * TILE, a->n_rows, a->n_cols, step * STEP, stage + TILE_HALVES);
    copy_ahead_commit();
}

/* 16 bytes of a row of a tile in shared memory. */
DEVICE_FN uint4 piece_at(const uint16_t *tile, uint32_t row)
{
    return *(const uint4 *)(tile + row * STEP + threadIdx.x % 4 * PIECE);
}

DEVICE_FN void multiply_stage(const uint16_t *stage, bool is_brain, uint32_t row0, uint32_t t0,
                              float sum[4][8][4])
{
    uint32_t g = threadIdx.x % 32 / 4;
    uint4 x[8];
    UNROLL
    for (int m = 0; m < 8; m++)
        x[m] = piece_at(stage + TILE_HALVES, t0 + 8 * (uint32_t)m + g);
    UNROLL
    for (int n = 0; n < 4; n++) {
        uint4 w0 = piece_at(stage, row0 + 16 * (uint32_t)n + g);
        uint4 w1 = piece_at(stage, row0 + 16 * (uint32_t)n + 8 + g);
        uint32_t first[4] = {w0.x, w1.x, w0.y, w1.y}, second[4] = {w0.z, w1.z, w0.w, w1.w};
        UNROLL
        for (int m = 0; m < 8; m++) {
            uint32_t low[2] = {x[m].x, x[m].y}, high[2] = {x[m].z, x[m].w};
            mma_halves(sum[n][m], first, low, is_brain);
            mma_halves(sum[n][m], second, high, is_brain);
        }
    }
}

DEVICE_FN void write_part(const struct fast_args *a, bool is_brain, uint32_t row0, uint32_t t0,
                          float sum[4][8][4])
{
    uint32_t g = threadIdx.x % 32 / 4, c = threadIdx.x % 4 * 2;
    UNROLL
    for (int i = 0; i < 4 * 8 * 4; i++) {
        int n = i / 32, m = i / 4 % 8, e = i % 4;
        uint32_t row = row0 + 16 * (uint32_t)n + g + (e < 2 ? 0 : 8);
        uint32_t t = t0 + 8 * (uint32_t)m + c + (uint32_t)e % 2;
        if (row < a->n_out && t < a->n_rows)
            a->y[t * a->stride + row] = fast_result(a, is_brain, sum[n][m][e], row, t);
    }
}

DEVICE_FN void big_product(const struct fast_args *a, bool is_brain, uint16_t *stages)
{
    uint32_t n_steps = a->n_cols / STEP, warp = threadIdx.x / 32;
    uint32_t row0 = warp / 2 * PART, t0 = warp % 2 * PART;
    float sum[4][8][4];
    UNROLL
    for (int i = 0; i < 4 * 8 * 4; i++)
        sum[i / 32][i / 4 % 8][i % 4] = 0;
    for (uint32_t s = 0; s < STAGES - 1; s++)
        copy_step(a, s, stages);
    NO_UNROLL
    for (uint32_t s = 0; s < n_steps; s++) {
        copy_ahead_wait(STAGES - 2);
        __syncthreads(); /* this step has come, and nobody reads the stage of the one before */
        copy_step(a, s + STAGES - 1, stages);
        multiply_stage(stages + s % STAGES * 2 * TILE_HALVES, is_brain, row0, t0, sum);
    }
    copy_ahead_wait(0);
    write_part(a, is_brain, blockIdx.y * TILE + row0, blockIdx.x * TILE + t0, sum);
}

KERNEL_BOUNDS(fast_big_f16, struct fast_args, BIG_THREADS, 2)
{
    DYNAMIC_SHARED(uint16_t, stages);
    big_product(&a, false, stages);
}

KERNEL_BOUNDS(fast_big_bf16, struct fast_args, BIG_THREADS, 2)
{
    DYNAMIC_SHARED(uint16_t, stages);
    big_product(&a, true, stages);
}
