/* kv_page.h - one layer's part of a key-value page, and the constants of attention over pages: for
 * the CPU and for the kernels of GPUs alike (docs/arithmetic.md, "Pages" and "Attention").
 *
 * Layout, for one kv head after another:
 * keys   [4 quarters of 16 positions][E/2][16 positions][2 elements] int16
 * values [32 pairs of positions][E16/16][16 elements][2 positions] int16, E16 = E up to 16
 * then 64 f32 each: key scales, value scales, running maximum of the value scales.
 * Offsets are in bytes. Integers are within +-HEAD_LEVELS, so that no sum over HEAD_SIZE_MAX
 * elements, or over a page with weights of 14 bits, leaves int32. */
#ifndef DEVICE_KV_PAGE_H
#define DEVICE_KV_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "numeric/func.h"

enum { KV_PAGE = 64, KV_PAGES_PER_GROUP = 8, HEAD_SIZE_MAX = 512, GROUP_HEADS_MAX = 64 };
enum { HEAD_LEVELS = 2047, P_BITS = 24, W_MAX = 16383 };
#define HEAD_UNIT 0x1.002004p-11f /* 1/2047 */
#define W_UNIT    0x1.0004p-14f   /* 1/16383 */
#define SCORE_MAX 0x1p20f

/* Values at or above this, infinities and NaN make a row bad (docs/arithmetic.md, R6). */
#define NUM_LIMIT 0x1p80f
/* A block whose largest magnitude is below this quantises to zero (R3). */
#define NUM_TINY 0x1p-60f

/* Which cached positions a row sees. */
struct kv_row {
    void *const *pages; /* pages[p / KV_PAGE] holds position p: base address of the whole page */
    uint32_t position;  /* the row's own */
};

NUM_FN uint32_t kv_round16(uint32_t e)
{
    return (e + 15) & ~15u;
}
NUM_FN size_t kv_head_bytes(uint32_t e)
{
    return (size_t)KV_PAGE * 2 * (e + kv_round16(e)) + 3 * KV_PAGE * sizeof(float);
}
NUM_FN size_t kv_key_at(uint32_t e, uint32_t slot, uint32_t d)
{
    return ((size_t)(slot / 16) * (e / 2) + d / 2) * 64 + slot % 16 * 4 + d % 2 * 2;
}
NUM_FN size_t kv_value_at(uint32_t e, uint32_t slot, uint32_t d)
{
    return (size_t)KV_PAGE * 2 * e + ((size_t)(slot / 2) * (kv_round16(e) / 16) + d / 16) * 64 +
           d % 16 * 4 + slot % 2 * 2;
}
NUM_FN float *kv_scales(void *head_part, uint32_t e)
{
    return (float *)((uint8_t *)head_part + (size_t)KV_PAGE * 2 * (e + kv_round16(e)));
}
/* The first position that a row sees. */
NUM_FN uint32_t kv_first(uint32_t position, uint32_t window)
{
    return window && position + 1 > window ? position + 1 - window : 0;
}
/* The run of elements that the Hadamard transform goes over: the largest power of two in n. */
NUM_FN uint32_t hadamard_size(uint32_t n)
{
    return n & (0 - n);
}
/* 2^(m - to), or 0 once that is below 2^-40 and could change nothing. */
NUM_FN float softmax_rescale(float m, float to)
{
    return m - to < -40.0f ? 0.0f : num_pow2((int)(m - to));
}

#endif
