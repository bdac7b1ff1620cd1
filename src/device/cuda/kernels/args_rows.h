/* args_rows.h - the parameters of the kernels that work on rows of floats, plain C for both sides.
 * Strides are floats between rows. */
#ifndef DEVICE_CUDA_KERNELS_ARGS_ROWS_H
#define DEVICE_CUDA_KERNELS_ARGS_ROWS_H

#include "device/cuda/kernels/kernel.h"

/* What one thread does, and how many of a block work on a row. */
enum { ROW_THREADS = 256, SHORT_ROW_MAX = 512 };

/* rmsnorm, rmsnorm_short (n at most SHORT_ROW_MAX), layernorm. */
struct norm_args {
    const float *x, *w, *b; /* b: of layernorm alone, may be NULL */
    float *y;               /* may be x */
    uint64_t stride_x, stride_y;
    uint32_t n_rows, n;
    float eps;
};

/* reflect: mirrors[t] + at, or NULL. */
struct reflect_args {
    float *x;
    const float *const *mirrors;
    uint64_t stride, at;
    uint32_t n;
};

/* rope: half = n_rot / 2 pairs of each head. */
struct rotate_args {
    float *x;
    const float *cos, *sin; /* [T, half] */
    uint64_t stride;
    uint32_t n_heads, head_size, half, is_interleaved;
};

/* glu: fn is an enum act_fn. y may be gate or up. */
struct glu_args {
    const float *gate, *up;
    float *y;
    uint64_t stride_gate, stride_up, stride_y;
    uint32_t n;
    int32_t fn;
};

/* add: x += y scale. scatter: x[rows[i]] += y[i] by[i]. gather: x[i] = y[rows[i]]. keep_rows: as
 * gather with y = x, rows ascending. */
struct move_args {
    float *x;
    const float *y;
    const uint32_t *rows;
    const float *by;
    uint64_t stride_x, stride_y;
    uint32_t n_rows, n;
    float scale;
};

/* logits. */
struct logits_args {
    float *x;
    uint8_t *bad;
    uint64_t stride;
    uint32_t n;
    float cap;
};

/* note_bad. */
struct note_args {
    uint8_t *first;
    const uint32_t *origin;
    const uint8_t *bad;
    uint32_t n, mark;
};

#endif
