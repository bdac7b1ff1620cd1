/* scale_check.c - whether every value of a row is finite, read off its scales.
 *
 * A quantised block's integers cannot be wrong, its scales can: only they are read, so that the
 * check costs a fraction of reading the tensor. Plain floats are read whole. All tests are on bit
 * patterns. A binary16 scale is finite or not; the wider scales (binary32 of Q8_K, E8M0) must also
 * leave room for the largest integer that they multiply. */
#include "tensor/quant/quant.h"

/* Where a block keeps its scales. */
struct scale_layout {
    int n_halfs;                 /* binary16 scales... */
    int half_at;                 /* ...side by side from this byte on */
    unsigned float_exponent_max; /* not 0: a binary32 scale at byte 0, its largest exponent field */
    unsigned e8m0_max;           /* not 0: a power of two at byte 0, 2^(byte - 127) */
};

static const struct scale_layout layouts[DTYPE_COUNT] = {
    [DTYPE_Q4_0] = {.n_halfs = 1},
    [DTYPE_Q4_1] = {.n_halfs = 2},
    [DTYPE_Q5_0] = {.n_halfs = 1},
    [DTYPE_Q5_1] = {.n_halfs = 2},
    [DTYPE_Q8_0] = {.n_halfs = 1},
    [DTYPE_Q2_K] = {.n_halfs = 2, .half_at = 80},
    [DTYPE_Q3_K] = {.n_halfs = 1, .half_at = 108},
    [DTYPE_Q4_K] = {.n_halfs = 2},
    [DTYPE_Q5_K] = {.n_halfs = 2},
    [DTYPE_Q6_K] = {.n_halfs = 1, .half_at = 208},
    [DTYPE_Q8_K] = {.float_exponent_max = 254 - 7}, /* times 127 */
    [DTYPE_IQ4_NL] = {.n_halfs = 1},
    [DTYPE_IQ4_XS] = {.n_halfs = 1},
    [DTYPE_MXFP4] = {.e8m0_max = 252}, /* times 6; 255 is NaN */
    [DTYPE_NF4] = {.float_exponent_max = 254},
    [DTYPE_FP4] = {.float_exponent_max = 254},
    [DTYPE_F16] = {.n_halfs = 1},
    [DTYPE_F32] = {.float_exponent_max = 254},
};

static bool half_ok(const uint8_t *p)
{
    return (p[1] & 0x7c) != 0x7c;
}

/* The exponent field of a binary32. */
static unsigned float_exponent(const uint8_t *p)
{
    return (p[3] & 0x7fu) << 1 | p[2] >> 7;
}

static bool block_ok(const struct scale_layout *l, const uint8_t *block)
{
    for (int i = 0; i < l->n_halfs; i++)
        if (!half_ok(block + l->half_at + 2 * i))
            return false;
    if (l->float_exponent_max && float_exponent(block) > l->float_exponent_max)
        return false;
    return !l->e8m0_max || block[0] <= l->e8m0_max;
}

/* Whether an element of a plain type that is not in the table of layouts is finite. */
static bool element_ok(enum dtype t, const uint8_t *p)
{
    if (t == DTYPE_BF16)
        return (p[1] & 0x7f) != 0x7f || (p[0] & 0x80) == 0;
    if (t == DTYPE_F64)
        return (p[7] & 0x7f) != 0x7f || (p[6] & 0xf0) != 0xf0;
    return true;
}

bool quant_scale_check(enum dtype t, const void *row, size_t n, size_t *block)
{
    const struct dtype_info *info = dtype_info(t);
    const struct scale_layout layout = layouts[t];
    const uint8_t *p = row;
    size_t size = (size_t)info->block_bytes, n_blocks = n / (size_t)info->block_len;
    for (size_t i = 0; i < n_blocks; i++, p += size)
        if (__builtin_expect(!block_ok(&layout, p) || !element_ok(t, p), 0)) {
            *block = i;
            return false;
        }
    return true;
}
