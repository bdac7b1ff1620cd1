/* roof.h - what a card can do, measured: the yardstick of every figure of speed. */
#ifndef DEVICE_CUDA_ROOF_H
#define DEVICE_CUDA_ROOF_H

#include "base/err.h"
#include "device/device.h"

/* In a second; medians of a few measurements of some milliseconds each. Operations are two for each
 * multiply-add. bf16 is 0 on cards before 8.0. From 9.0 on these instructions (mma.sync) reach only
 * a part of what the card's makers name, which takes others (wgmma): those of libcublasLt, where
 * it is found (else 0), with BF16, before 8.0 F16. */
struct cuda_roof {
    double read_bytes, int8_ops, bf16_ops, library_ops;
};

/* cuda_roof_find - d: from cuda_device_open. n_bytes: read from, more than the cards' caches hold;
 * n_rounds: of products, some thousands; n_side: of the library's square matrices, some thousands,
 * a multiple of 64. ERR_MEMORY, ERR_IO. */
enum err cuda_roof_find(struct device *d, size_t n_bytes, uint32_t n_rounds, uint32_t n_side,
                        struct cuda_roof *roof, struct err_note *note);

#endif
