/* reduce.h - the orders in which binary32 sums are taken (docs/arithmetic.md, R4). */
#ifndef NUMERIC_REDUCE_H
#define NUMERIC_REDUCE_H

#include <stddef.h>
#include <stdint.h>

enum { REDUCE_LANES = 256, MATMUL_BLOCK = 256, MATMUL_SEGMENTS = 8 };

/* Sums over 256 lanes: lane i mod 256 adds its terms in order from +0, then lane j += lane j + s
 * for s = 128, 64, ... 1. Unused lanes are +0. */
float reduce_sum_squares(const float *x, size_t n);
float reduce_sum(const float *x, size_t n);
float reduce_dot(const float *a, const float *b, size_t n); /* each product rounded */

/* The 8 segments of a matrix row of n_blocks blocks: segment i holds blocks
 * [i n/8, (i+1) n/8), rounded down. */
static inline uint32_t segment_begin(uint32_t n_blocks, int i)
{
    return (uint32_t)((uint64_t)n_blocks * (uint32_t)i / MATMUL_SEGMENTS);
}

/* ((s0+s1)+(s2+s3))+((s4+s5)+(s6+s7)), where an empty segment is left out, not added as 0. */
float segment_tree(const float sum[MATMUL_SEGMENTS], uint32_t n_blocks);

#endif
