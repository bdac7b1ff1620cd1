/* statistics_blocks.c - exponents and mantissas of a block of positions, after TOPLOC. */
#include <stdlib.h>
#include <string.h>

#include "proof/statistics.h"

/* The nearest bfloat16, of two as near the even one; as its 16 bits. */
static uint32_t bf16_bits(double x)
{
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* Of the values that were counted by size: the one at a place of their order. */
static uint32_t at_place(const uint32_t counts[STAT_MANTISSA], uint32_t place)
{
    uint32_t value = 0;
    for (uint32_t n = counts[0]; n <= place; n += counts[++value])
        ;
    return value;
}

/* Adds a position: what differs by d bits' worth to counts[d]. */
static void add(struct stat_block *b, uint32_t counts[STAT_MANTISSA],
                const struct stat_position *claimed, const struct stat_position *recomputed)
{
    for (size_t i = 0; i < recomputed->n_top; i++) {
        size_t k = claimed->n_top;
        while (k > 0 && claimed->top[k - 1].token != recomputed->top[i].token)
            k--;
        uint32_t v = bf16_bits(recomputed->top[i].logprob);
        uint32_t o = k > 0 ? bf16_bits(claimed->top[k - 1].logprob) : 0;
        b->n++;
        if (k == 0 || v / STAT_MANTISSA != o / STAT_MANTISSA)
            b->n_exponents_off++;
        else
            counts[abs((int)(v % STAT_MANTISSA) - (int)(o % STAT_MANTISSA))]++;
    }
}

struct stat_block stat_block(const struct stat_answer *claimed,
                             const struct stat_answer *recomputed, size_t from)
{
    struct stat_block b = {0};
    uint32_t counts[STAT_MANTISSA] = {0};
    uint64_t sum = 0;
    for (size_t i = from; i < claimed->n && i < from + STAT_BLOCK; i++)
        add(&b, counts, &claimed->at[i], &recomputed->at[i]);
    uint32_t n_left = b.n - b.n_exponents_off;
    for (uint32_t d = 0; d < STAT_MANTISSA; d++)
        sum += (uint64_t)d * counts[d];
    if (n_left > 0) {
        b.mantissa_mean = (double)sum / n_left;
        b.mantissa_median =
            (at_place(counts, (n_left - 1) / 2) + at_place(counts, n_left / 2)) / 2.0;
    } else if (b.n > 0) {
        b.mantissa_mean = b.mantissa_median = STAT_MANTISSA;
    }
    return b;
}

struct stat_blocks stat_blocks(const struct stat_answer *claimed,
                               const struct stat_answer *recomputed)
{
    struct stat_blocks all = {0};
    for (size_t from = 0; from < claimed->n; from += STAT_BLOCK, all.n_blocks++) {
        struct stat_block b = stat_block(claimed, recomputed, from);
        double off = b.n > 0 ? (double)b.n_exponents_off / b.n : 0;
        all.exponents_off = off > all.exponents_off ? off : all.exponents_off;
        if (b.mantissa_mean > all.mantissa_mean)
            all.mantissa_mean = b.mantissa_mean;
        if (b.mantissa_median > all.mantissa_median)
            all.mantissa_median = b.mantissa_median;
    }
    return all;
}
