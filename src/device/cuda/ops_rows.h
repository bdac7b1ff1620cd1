/* ops_rows.h - from shapes to launches: operations on rows of floats. Pure functions; the launch's
 * `args` is the struct that the caller gave. Tests run the same launches without a device. */
#ifndef DEVICE_CUDA_OPS_ROWS_H
#define DEVICE_CUDA_OPS_ROWS_H

#include "device/cuda/cuda_int.h"
#include "device/cuda/kernels/args_rows.h"

struct launch norm_launch(const struct norm_args *a, struct norm_row_args *args);
/* tickets [T], all 0 before and after. */
struct launch quantize_launch(const float *x, size_t stride, const struct acts *to, uint8_t *bad,
                              uint32_t *tickets, struct quantize_args *args);
struct launch glu_launch(const struct glu_args *a, uint32_t *tickets, struct quantize_args *args);
struct launch reflect_launch(const struct reflect_args *args, uint32_t n_rows);
/* "add", "keep_rows". */
struct launch move_launch(const char *kernel, const struct move_args *args);
struct launch logits_launch(const struct logits_args *args, uint32_t n_rows);
struct launch note_launch(const struct note_args *args);

#endif
