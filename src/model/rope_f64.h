/* rope_f64.h - rotary frequencies in double: the yardstick's own, from libm. */
#ifndef MODEL_ROPE_F64_H
#define MODEL_ROPE_F64_H

#include "model/hparams.h"

/* divisor: [n_rot / 2] or NULL, what the file's tensor of factors divides each frequency by. */
struct rope_f64 {
    const struct rope_params *p;
    const double *divisor;
    uint32_t n_rot;
};

/* cos and sin [n_rot / 2] of one position. */
void rope_f64_angles(const struct rope_f64 *r, uint32_t position, double *cos_, double *sin_);

#endif
