/* rope.h - rotary angles: exact turns in 64-bit fixed point, right at any position.
 *
 * The angle of pair i at position p is p * step[i] mod 2^64, in units of 2^-64 turns, with
 * step[i] = 2^64 f_i / (2 pi); sine and cosine come from an integer polynomial. */
#ifndef NUMERIC_ROPE_H
#define NUMERIC_ROPE_H

#include <stdint.h>

#include "numeric/fixed.h"

enum { ROPE_PAIRS_MAX = 256 };

struct rope {
    uint32_t n_pairs;
    float magnitude; /* multiplies sine and cosine (YaRN, LongRoPE); 1 leaves them alone */
    uint64_t step[ROPE_PAIRS_MAX];
};

/* rope_init - f_i = theta^(-2i/n_rot) / factor[i]; factor may be NULL (all 1). n_rot even. */
void rope_init(struct rope *r, struct fx theta, uint32_t n_rot, const struct fx *factor,
               struct fx magnitude);

/* cos and sin of every pair at a position: n_pairs floats each. */
void rope_angles(const struct rope *r, uint32_t position, float *cos, float *sin);

/* sin and cos of 2 pi turns / 2^64, as integers in units of 2^-62; error below 2^-58. */
void turns_sin_cos(uint64_t turns, int64_t *sin, int64_t *cos);

#endif
