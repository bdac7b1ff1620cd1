/* quant.h - what the bytes of a weight row mean: the formats' plain C definition.
 *
 * Every block format is opened into the same struct of small integers and binary32 scales; the
 * value of element i, group g = i / group_len, is, each operation rounded to binary32 in this
 * order: dl = d * sc[g];  ml = dmin * m[g];  value = dl * q[i] - ml (with `levels`, levels[q[i]]
 * stands for q[i]). That order is ggml's own, so that values equal its decoders bit for bit, but
 * for values that would be subnormal in binary32, which are zero (docs/arithmetic.md, R3). Blocks
 * are bytes without alignment, little-endian. Thread: no state; every function may run anywhere at
 * once. */
#ifndef TENSOR_QUANT_QUANT_H
#define TENSOR_QUANT_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

enum { QUANT_LEN_MAX = 256, QUANT_GROUPS_MAX = 16 };

/* One block, opened. Formats without sub-scales have one group with sc = 1. */
struct quant_block {
    float d, dmin;               /* the block's scale and minimum scale */
    const float *levels;         /* NULL: q is the integer itself */
    int8_t sc[QUANT_GROUPS_MAX]; /* sub-scale of each group */
    int8_t m[QUANT_GROUPS_MAX];  /* sub-minimum of each group; Q4_1 and Q5_1: -1 of dmin */
    int8_t q[QUANT_LEN_MAX];
};

/* How one format lays out a block. Rows of the table in quant.c. */
struct quant_format {
    int len;          /* elements in a block */
    int group_len;    /* elements that share sc and m */
    int q_lo, q_hi;   /* range of q, or of codes with levels */
    int sc_lo, sc_hi; /* range of sc, and of m where the format has minima */
    void (*open)(const uint8_t *bytes, struct quant_block *b);
    void (*pack)(const struct quant_block *b, uint8_t *bytes);
    void (*encode)(const struct quant_format *f, const float *x, const float *w,
                   struct quant_block *b);
};

/* quant_format - the layout of a block type; NULL for F32, F16, BF16 and for types that hold no
 * weights (I8...F64). quant_decodes - true for every type that quant_decode_row takes. */
const struct quant_format *quant_format(enum dtype t);
bool quant_decodes(enum dtype t);

/* quant_decode_row - n elements (a multiple of the block) of a row to binary32.
 * quant_decode_row_f64 - the same values in double, for the f64 profile: products exact, one
 * rounding in the difference. Aborts on a type that quant_decodes refuses. */
void quant_decode_row(enum dtype t, const void *row, float *out, size_t n);
void quant_decode_row_f64(enum dtype t, const void *row, double *out, size_t n);

/* quant_encode_row - n elements (a multiple of the block) to blocks that minimise the sum of
 * importance[i] (x[i] - value[i])^2; importance NULL: as without knowledge of the activations.
 * importance is finite and >= 0. false: an element is NaN, infinite or beyond what the type holds
 * (65504 where scales are halves); *bad is its index, row is unspecified. NF4 and FP4 take the
 * largest magnitude as scale, as bitsandbytes does. The same bytes on every machine. */
bool quant_encode_row(enum dtype t, const float *in, void *row, size_t n, const float *importance,
                      size_t *bad);

/* quant_scale_check - true if every scale (or every plain float) of n elements is finite and small
 * enough that every value of its block is; otherwise false and *block is the first that is not.
 * Integer types pass. Reads the scales only. */
bool quant_scale_check(enum dtype t, const void *row, size_t n, size_t *block);

/* The levels of the bitsandbytes 4-bit types, code 0 to 15. */
extern const float quant_nf4_levels[16];
extern const float quant_fp4_levels[16];

/* The integers that codes 0 to 15 of IQ4_NL and IQ4_XS, and of MXFP4, stand for. */
extern const int8_t quant_iq4_levels[17];
extern const int8_t quant_mxfp4_levels[16];

#endif
