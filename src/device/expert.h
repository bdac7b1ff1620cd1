/* expert.h - what a mixture of experts' choice computes, for the CPU and for the kernels of GPUs
 * alike (docs/arithmetic.md, "Experts"). */
#ifndef DEVICE_EXPERT_H
#define DEVICE_EXPERT_H

#include <stdbool.h>
#include <stdint.h>

#include "numeric/func.h"

/* A router's logit: 0 where x is not finite, which is the result. */
NUM_FN bool expert_logit(float x, float *logit)
{
    bool is_bad = (num_bits(x) & 0x7f800000u) == 0x7f800000u;
    *logit = is_bad ? 0.0f : x;
    return is_bad;
}

/* Its part of the softmax; one of 2^-40 or less of the largest is dropped. */
NUM_FN float expert_part(float logit, float largest)
{
    float x = (logit - largest) * 0x1.715476p+0f; /* log2(e) */
    return x <= -40.0f ? 0.0f : num_exp2(x);
}

#endif
