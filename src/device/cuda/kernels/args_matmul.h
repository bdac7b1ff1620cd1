/* args_matmul.h - the parameters of the kernels of matrix products, plain C for both sides. */
#ifndef DEVICE_CUDA_KERNELS_ARGS_MATMUL_H
#define DEVICE_CUDA_KERNELS_ARGS_MATMUL_H

#include "device/cuda/kernels/formats.h"

/* Rows in tiles of tile_rows, each to be multiplied with one of many matrices, n_bytes apart: tile
 * i with matrix expert_of[i], or with none if that is below 0. A product with one matrix has none
 * of it: expert_of is NULL, and everything else 0. */
struct expert_choice {
    const int32_t *expert_of;
    uint64_t n_bytes;
    uint32_t tile_rows;
};

/* matmul_few_*, matmul_mid_*, matmul_big_*: y[T,N] = acts . w^T (+ bias). */
struct product_args {
    struct expert_choice choice; /* of matmul_few: blockIdx.y is the tile, and n_rows a tile's */
    const uint8_t *w, *acts;
    const float *bias; /* [N] or NULL */
    float *y;
    uint64_t stride;        /* floats between rows of y */
    uint32_t n_rows, n_out; /* T, N */
    uint32_t n_groups;      /* K / 32 */
    struct panel_planes planes;
    uint32_t levels[4]; /* 16 magnitudes below 128, where codes stand for levels: those of codes 0
                         * to 7 have one sign, those of 8 to 15 the other */
    float unit;         /* multiplies binary32 scales: NF4, FP4 */
};

/* matmul_big_*: of a block of threads: rows of weights and of activations. Shared memory: two sums
 * for each result, two halves of a block of activations and two blocks of scales. */
enum {
    BIG_THREADS = 128,
    BIG_ROWS = 128,
    BIG_COLS = 64,
    BIG_KEPT_BYTES = 2 * BIG_ROWS * BIG_COLS * 4,
    BIG_HALF_BYTES = ACTS_HALF + ACTS_TAIL_BYTES, /* of 32 rows; at least 4 ACTS32_BYTES */
    BIG_SCALES_BYTES = BIG_ROWS * 32,
    BIG_SHARED_BYTES =
        BIG_KEPT_BYTES + 2 * (BIG_COLS / ACTS_ROWS) * BIG_HALF_BYTES + 2 * BIG_SCALES_BYTES,
};

/* matmul_half, matmul_float: matrices of plain floats [N,K], acts are floats [T,K]. */
struct plain_args {
    struct expert_choice choice;
    const void *w;
    const float *acts;
    const float *bias;
    float *y;
    uint64_t stride;
    uint32_t n_rows, n_out, n_cols;
    uint32_t is_brain; /* matmul_half: BF16 */
};

/* Of the tile of row t: whether it is multiplied at all; by which matrix, and its bias. */
DEVICE_FN bool has_expert(const struct expert_choice *c, uint32_t t)
{
    return !c->expert_of || c->expert_of[t / c->tile_rows] >= 0;
}
DEVICE_FN uint64_t expert_offset(const struct expert_choice *c, uint32_t t)
{
    return c->expert_of ? (uint64_t)c->expert_of[t / c->tile_rows] * c->n_bytes : 0;
}
DEVICE_FN const float *expert_bias(const struct expert_choice *c, uint32_t t, const float *bias,
                                   uint32_t n_out)
{
    return bias && c->expert_of ? bias + (uint64_t)c->expert_of[t / c->tile_rows] * n_out : bias;
}

struct embed_args {
    const uint8_t *rows; /* as in the file */
    const int32_t *token;
    float *y;
    uint64_t stride, row_bytes;
    uint32_t n_cols, block_len, block_bytes;
    int32_t format; /* FORMAT_*, or EMBED_* */
    float scale;
    float levels[16]; /* where codes stand for levels */
};
enum { EMBED_F32 = FORMAT_COUNT, EMBED_F16, EMBED_BF16 };

#endif
