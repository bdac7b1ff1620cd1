/* args_experts.h - the parameters of the kernels of mixtures of experts, plain C for both sides.
 *
 * The pairs of a row and an expert that it chose are sorted by expert into places, in tiles of
 * tile_rows of one expert each; what is left of a tile stays empty. Products, gates and
 * activations go by place. Which of an expert's rows comes first does not matter. */
#ifndef DEVICE_CUDA_KERNELS_ARGS_EXPERTS_H
#define DEVICE_CUDA_KERNELS_ARGS_EXPERTS_H

#include "device/cuda/kernels/kernel.h"

enum { EXPERT_THREADS = 256, NO_ROW = -1 };

/* choose_experts: a warp for each row; the last block sorts. */
struct choose_args {
    const float *logits; /* [T, n_experts] */
    uint32_t *chosen;    /* [T, n_used] ids, ascending */
    float *share;        /* [T, n_used] weights */
    uint32_t *place;     /* [T, n_used] places */
    int32_t *row_of;     /* [tiles, tile_rows] rows, or NO_ROW */
    int32_t *expert_of;  /* [tiles] experts, or NO_ROW */
    uint8_t *bad;        /* [T] */
    uint32_t *ticket;    /* 0 between launches */
    uint32_t n_rows, n_experts, n_used, n_tiles, tile_rows, is_normed;
};

/* combine_experts: out[t] = the sum of y[place] share. */
struct combine_args {
    const float *y, *share;
    const uint32_t *place;
    float *out;
    uint64_t stride_y, stride_out;
    uint32_t n, n_used;
};

#endif
