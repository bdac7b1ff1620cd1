/* ops_fast.h - from shapes to launches of the profile `fast`. Pure functions; the launch's `args`
 * is the struct that the caller gave. */
#ifndef DEVICE_CUDA_OPS_FAST_H
#define DEVICE_CUDA_OPS_FAST_H

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/args_fast.h"

/* to: of ACT_F16 or ACT_BF16. */
struct launch round_launch(const float *x, size_t stride, const struct acts *to, uint8_t *bad,
                           struct round_args *args);
struct launch fast_launch(const struct matrix *w, const struct acts *x, const float *bias, float *y,
                          size_t stride, struct fast_args *args);
/* After a product of rows to binary16 by the library, which knows no scales. */
struct launch unscale_launch(const struct matrix *w, const struct acts *x, const float *bias,
                             float *y, size_t stride, struct unscale_args *args);

#endif
