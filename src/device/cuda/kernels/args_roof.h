/* args_roof.h - the parameters of the kernels that find what a card can do. */
#ifndef DEVICE_CUDA_KERNELS_ARGS_ROOF_H
#define DEVICE_CUDA_KERNELS_ARGS_ROOF_H

#include "device/cuda/kernels/kernel.h"

/* roof_read: reads n_words times 16 bytes. roof_int8, roof_bf16: each warp multiplies ROOF_PRODUCTS
 * matrices of 16 x 32 by 32 x 8 bytes, or 16 x 16 by 16 x 8 halves, n_rounds times. */
struct roof_args {
    const uint8_t *bytes;
    uint32_t *out; /* [1]: so that nothing is left out as useless */
    uint64_t n_words;
    uint32_t n_rounds;
};
enum { ROOF_PRODUCTS = 8, ROOF_THREADS = 256 };

#endif
