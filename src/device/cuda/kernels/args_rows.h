/* args_rows.h - the parameters of the kernels that work on rows of floats, plain C for both sides.
 * Strides are floats between rows. */
#ifndef DEVICE_CUDA_KERNELS_ARGS_ROWS_H
#define DEVICE_CUDA_KERNELS_ARGS_ROWS_H

#include "device/cuda/kernels/kernel.h"

/* Threads of a block, and how many columns it quantises at a time: 256 a warp. */
enum { ROW_THREADS = 256, PIECE_COLS = ROW_THREADS / 32 * 256 };

/* Where rows go as activations (formats.h), each kind's NULL if nobody wants it. Rows from n_rows
 * on only fill up a tile, and are zero. */
struct acts_args {
    uint8_t *q256, *q32;
    float *plain;
    uint8_t *bad;
    uint32_t n_rows, n_cols;
    uint32_t is_aligned; /* every row that is read or written, and weights: to 16 bytes */
};

/* quantize: from x. glu: fn (an enum act_fn) of gate x, times up. A row is cut in pieces of
 * PIECE_COLS; `tickets` [T] tell which of a row's blocks is the last, and are 0 between launches.
 * By `row_of`, the rows are places in tiles (args_experts.h), of each of which the first `fill` are
 * looked at: an empty one is zero, and the bad row is the one that row_of names; with `gathers`
 * that is where x is, too. */
struct quantize_args {
    struct acts_args acts;
    const float *x, *up;
    float *y; /* NULL: not kept. May be x or up */
    uint32_t *tickets;
    uint64_t stride_x, stride_up, stride_y;
    int32_t fn;
    const int32_t *row_of; /* or NULL */
    uint32_t tile_rows, fill, gathers;
};

/* norm_rows: a block has a row. */
struct norm_row_args {
    struct acts_args acts;
    float *x;
    const float *add, *add_norm, *w, *b; /* all but w may be NULL */
    float *y;                            /* NULL: not kept. May be x */
    uint64_t stride_x, stride_add, stride_y;
    uint32_t is_layernorm;
    float eps;
};

/* reflect: mirrors[t] + at, or NULL. */
struct reflect_args {
    float *x;
    const float *const *mirrors;
    uint64_t stride, at;
    uint32_t n;
};

/* add: x += y scale. keep_rows: x[i] = x[rows[i]], rows ascending. */
struct move_args {
    float *x;
    const float *y;
    const uint32_t *rows;
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
    uint32_t n, n_marks, mark;
};

#endif
