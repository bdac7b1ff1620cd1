/* sample.h - the numbers that sampling is made of, one by one: engine/sampler.h says what is done
 * with them. Kernels of a GPU include this file too. */
#ifndef NUMERIC_SAMPLE_H
#define NUMERIC_SAMPLE_H

#include "numeric/func.h"

#define SAMPLE_LOG2_E    0x1.715476p+0f
#define SAMPLE_LN_2      0x1.62e430p-1f
#define SAMPLE_LOGIT_MAX 0x1p100f

enum { SAMPLE_WEIGHT_BITS = 40 };

NUM_FN float sample_clamp(float logit)
{
    return num_min(num_max(logit, -SAMPLE_LOGIT_MAX), SAMPLE_LOGIT_MAX);
}

/* A share of 1 as a fixed-point number: floor(p 2^40). */
NUM_FN uint64_t sample_share(float p)
{
    return (uint64_t)(p * 0x1p40f);
}

NUM_FN uint64_t sample_weight(float below_max)
{
    return (uint64_t)(int64_t)(num_exp2(below_max * SAMPLE_LOG2_E) * 0x1p40f);
}

/* Ascending with the logit; -0 equals +0. */
NUM_FN uint32_t sample_rank(float logit)
{
    uint32_t bits = num_bits(logit + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* The logit of a rank. */
NUM_FN float sample_logit(uint32_t rank)
{
    return num_from_bits(rank & 0x80000000u ? rank & 0x7fffffffu : ~rank);
}

/* The least sum of weights that reaches a share of their total. */
NUM_FN uint64_t sample_mass(uint64_t share, uint64_t total)
{
    unsigned __int128 wanted = (unsigned __int128)share * total;
    return (uint64_t)((wanted + (1ull << SAMPLE_WEIGHT_BITS) - 1) >> SAMPLE_WEIGHT_BITS);
}

/* What the running sum of weights must exceed. */
NUM_FN uint64_t sample_target(uint64_t random, uint64_t total)
{
    return (uint64_t)((unsigned __int128)random * total >> 64);
}

/* A logit whose token was there `times` times, which may be 0. */
NUM_FN float sample_penalised(float l, uint32_t times, float repeat, float frequency,
                              float presence)
{
    l = l > 0 ? l * num_recip(repeat) : l * repeat;
    l = l - (float)times * frequency;
    return sample_clamp(times > 0 ? l - presence : l);
}

/* The logarithm to base 2 of a sum of weights as a number, which log-probabilities go down from. */
NUM_FN float sample_log2_sum(uint64_t sum)
{
    return num_log2((float)sum * 0x1p-40f);
}

/* A natural logarithm of a probability. */
NUM_FN float sample_logprob(float below_max, float log2_sum)
{
    return (below_max * SAMPLE_LOG2_E - log2_sum) * SAMPLE_LN_2;
}

#endif
