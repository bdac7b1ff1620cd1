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

/* fast_few_*, fast_mid_*, fast_big_*: y[T,N] = halves . w^T * scales (+ bias). */
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
    FAST_FEW = 8,   /* of activations, by 16 of weights */
    FAST_MID = 16,  /* by 32 */
    FAST_BIG = 128, /* by as many */
    FAST_BIG_THREADS = 128,
    FAST_BIG_BYTES = 3 * 2 * FAST_BIG * 32 * 2, /* shared: three steps of 32 columns of both */
};

DEVICE_FN void mma_halves(float d[4], const uint32_t a[4], const uint32_t b[2], bool is_brain)
{
    if (is_brain)
        mma_bf16_m16n8k16(d, a, b);
    else
        mma_f16_m16n8k16(d, a, b);
}

/* What a sum becomes; bfloat16 needs no scales. */
DEVICE_FN float fast_result(const struct fast_args *a, bool is_brain, float sum, uint32_t row,
                            uint32_t t)
{
    float y = is_brain ? sum : sum * a->scales[t];
    return a->bias ? y + a->bias[row] : y;
}

/* Where the scales begin behind the rows. */
static inline size_t fast_scales_at(uint32_t n_rows, uint32_t n_cols)
{
    return ((size_t)n_rows * n_cols * sizeof(uint16_t) + 255) & ~(size_t)255;
}

#endif
