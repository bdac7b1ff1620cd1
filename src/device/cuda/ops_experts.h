/* ops_experts.h - from shapes to launches: mixtures of experts. Pure functions; the launch's `args`
 * is the struct that the caller gave. */
#ifndef DEVICE_CUDA_OPS_EXPERTS_H
#define DEVICE_CUDA_OPS_EXPERTS_H

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/args_experts.h"

/* How the pairs of n_rows rows and their experts lie: tiles of one expert each, of which the first
 * `fill` places may be taken. */
struct expert_tiles {
    uint32_t n_tiles, tile_rows, fill;
};
struct expert_tiles expert_tiles(const struct experts_shape *s, uint32_t n_rows);

struct launch choose_launch(const struct choose_args *args);
struct launch combine_launch(const struct combine_args *args, uint32_t n_rows);

#endif
