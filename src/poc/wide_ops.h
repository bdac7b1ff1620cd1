/* wide_ops.h - what an instruction set does for wide.c: functions over panels, no threads.
 *
 * Activations are held as panels, [n_features][panel] in binary32, a column for each position: a
 * product's outputs are the next one's inputs where they lie; norms, rotations and softmax are
 * vertical; whatever the size of a head, no vector is cut. Every value that is no sum under way is
 * one of binary16's. */
#ifndef POC_WIDE_OPS_H
#define POC_WIDE_OPS_H

#include <stdint.h>

struct wide_product {
    const uint16_t *rows; /* [n_rows][n_columns] in binary16, 2-byte aligned */
    uint32_t n_rows, n_columns, n_panels;
    const float *x; /* [n_panels][n_columns][panel] */
    float *y;       /* [n_panels] of [n_rows][panel], y_stride floats apart */
    uint64_t y_stride;
};

/* One head of one nonce. Columns from n_seen on are padding: read by nobody. */
struct wide_head {
    const float *q, *v;       /* [n / panel][size][panel]; [size][n] */
    const float *k;           /* [n][size] */
    uint32_t size, n, n_seen; /* n: n_seen, up to a multiple of panel */
    float *scores;            /* [n][panel]: scratch */
    float *out;               /* [n / panel][size][panel] */
};

struct wide_ops {
    const char *isa;
    uint32_t panel;    /* positions of a panel */
    uint32_t n_rows;   /* outputs of a tile: work is cut at multiples of it */
    uint32_t n_floats; /* of scratch */

    /* y = rows times x, rounded to binary16. */
    void (*product)(const struct wide_product *p, float *scratch);
    /* Each position's mixture of the values before it and its own. */
    void (*attend)(const struct wide_head *h, float *scratch);
    /* x += y, unless y is NULL; out = the norm of x times weight[n]. One panel; each step is
     * rounded. */
    void (*add_norm)(float *x, const float *y, const uint16_t *weight, float eps, uint32_t n,
                     float *out);
    /* gate = silu(gate) * up, each step rounded. n: a multiple of panel. */
    void (*glu)(float *gate, const float *up, uint64_t n);
    /* x[n] = rounded to binary16. n: a multiple of panel. */
    void (*round)(float *x, uint64_t n);
};

extern const struct wide_ops wide_avx512, wide_avx2;

#endif
