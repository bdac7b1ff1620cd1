/* args_fast.h - the parameters of the kernels of the profile `fast`, plain C for both sides. */
#ifndef DEVICE_CUDA_KERNELS_ARGS_FAST_H
#define DEVICE_CUDA_KERNELS_ARGS_FAST_H

#include "device/cuda/kernels/kernel.h"

/* fast_round: rows of x to binary16 or bfloat16, each times a power of two, which `scales` undoes.
 */
struct round_args {
    const float *x;
    uint64_t stride;
    uint16_t *halves; /* [T, K] */
    float *scales;    /* [T] */
    uint8_t *bad;
    uint32_t n_cols; /* a multiple of 32 */
    uint32_t is_brain;
};

/* fast_few_*, fast_mid_*, fast_many_*: y[T,N] = halves . w^T * scales (+ bias). */
struct fast_args {
    const uint8_t *w, *halves; /* [N,K], [T,K] of the same type */
    const float *scales;       /* [T] */
    const float *bias;         /* [N] or NULL */
    float *y;
    uint64_t stride;                /* floats between rows of y */
    uint32_t n_rows, n_out, n_cols; /* T, N, K */
};
/* fast_unscale: y = (y - bias) * scale + bias in rows whose scale is not 1. */
struct unscale_args {
    const float *scales, *bias; /* [T]; [N] or NULL */
    float *y;
    uint64_t stride;
    uint32_t n_out;
};
/* What a block computes: rows of weights by rows of activations. */
enum {
    FAST_THREADS = 256,
    FAST_ROWS = 16, /* of weights; fast_many: 64 */
    FAST_FEW = 8,   /* of activations */
    FAST_MID = 16,
    FAST_MANY = 64,
};

/* Where the scales begin behind the rows. */
static inline size_t fast_scales_at(uint32_t n_rows, uint32_t n_cols)
{
    return ((size_t)n_rows * n_cols * sizeof(uint16_t) + 255) & ~(size_t)255;
}

#endif
