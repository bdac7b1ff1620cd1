/* rope_exact.h - rotary tables of the exact arithmetic, for every position scaling.
 *
 * Integers alone (numeric/fixed.h, numeric/rope.h), so every machine has the same tables. */
#ifndef MODEL_ROPE_EXACT_H
#define MODEL_ROPE_EXACT_H

#include "model/hparams.h"
#include "numeric/rope.h"

struct rope_exact {
    struct rope near, far; /* far: LongRoPE's long factors */
    uint32_t dynamic_from; /* dynamic scaling: positions from here on have their own base */
    const struct rope_params *params;
    uint32_t n_rot;
};

/* divisor: [n_rot / 2] from the file's tensor, or NULL; divisor_far: the same for LongRoPE's long
 * set. params must outlive r. */
void rope_exact_init(struct rope_exact *r, const struct rope_params *params, uint32_t n_rot,
                     const float *divisor, const float *divisor_far);

/* cos and sin, n_rot / 2 each, of one position. */
void rope_exact_angles(const struct rope_exact *r, uint32_t position, bool is_far, float *cos,
                       float *sin);

#endif
