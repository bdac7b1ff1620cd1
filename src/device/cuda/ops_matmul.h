/* ops_matmul.h - from shapes to launches: products, embedding rows. Pure functions;
 * the launch's `args` is the struct that the caller gave. */
#ifndef DEVICE_CUDA_OPS_MATMUL_H
#define DEVICE_CUDA_OPS_MATMUL_H

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/args_matmul.h"

union matmul_launch_args {
    struct product_args product;
    struct plain_args plain;
};

/* n_bytes_shared: that a block of threads of the card may have. */
struct launch matmul_launch(const struct matrix *w, const struct acts *x, const float *bias,
                            float *y, size_t stride, uint32_t n_bytes_shared,
                            union matmul_launch_args *args);
/* w: the first of the matrices that choice names; x: all tiles' rows, of each of which the first
 * `fill` may be there. */
struct launch expert_launch(const struct matrix *w, const struct expert_choice *choice,
                            uint32_t n_tiles, uint32_t fill, const struct acts *x,
                            const float *bias, float *y, size_t stride, uint32_t n_bytes_shared,
                            union matmul_launch_args *args);
struct launch embed_launch(enum dtype t, const void *rows, uint32_t n_cols, const int32_t *token,
                           uint32_t n_tokens, float scale, float *y, size_t stride,
                           struct embed_args *args);

#endif
