/* nf4.c - the bitsandbytes 4-bit types, NF4 and FP4, as blocks of 64 elements.
 *
 * Bytes: the scale (largest magnitude) in binary32, 32 bytes of codes, element 2j in the high half
 * of byte j and 2j + 1 in the low half, as bitsandbytes packs them. */
#include <math.h>

#include "tensor/quant/layout.h"

/* Quantiles of the normal distribution scaled to [-1, 1]. */
const float quant_nf4_levels[16] = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

/* Twelfths, the least 1/192; the top bit is the sign. */
const float quant_fp4_levels[16] = {
    0.0f, 0x1.555556p-8f,  0x1.555556p-1f,  1.0f,  0x1.555556p-2f,  0.5f,  0x1.555556p-3f,  0.25f,
    0.0f, -0x1.555556p-8f, -0x1.555556p-1f, -1.0f, -0x1.555556p-2f, -0.5f, -0x1.555556p-3f, -0.25f,
};

static void codes_open(const uint8_t *bytes, const float levels[16], struct quant_block *b)
{
    block_flat(b, f32_flush(f32_from_bits(load_u32(bytes))));
    b->levels = levels;
    for (int j = 0; j < 32; j++) {
        b->q[2 * j] = (int8_t)(bytes[4 + j] >> 4);
        b->q[2 * j + 1] = bytes[4 + j] & 15;
    }
}

static void codes_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u32(bytes, f32_bits(b->d));
    for (int j = 0; j < 32; j++)
        bytes[4 + j] = (uint8_t)(b->q[2 * j] << 4 | b->q[2 * j + 1]);
}

void nf4_open(const uint8_t *bytes, struct quant_block *b)
{
    codes_open(bytes, quant_nf4_levels, b);
}

void nf4_pack(const struct quant_block *b, uint8_t *bytes)
{
    codes_pack(b, bytes);
}

void fp4_open(const uint8_t *bytes, struct quant_block *b)
{
    codes_open(bytes, quant_fp4_levels, b);
}

void fp4_pack(const struct quant_block *b, uint8_t *bytes)
{
    codes_pack(b, bytes);
}

/* As bitsandbytes encodes: the scale is the largest magnitude, each code the nearest level. */
static void levels_encode(const struct quant_format *f, const float *x, const float levels[16],
                          struct quant_block *b)
{
    float largest = 0;
    for (int i = 0; i < f->len; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    block_flat(b, f32_flush(largest));
    b->levels = levels;
    float inverse = b->d > 0 ? 1 / b->d : 0;
    for (int i = 0; i < f->len; i++) {
        float y = x[i] * inverse;
        int best = 0;
        for (int c = 1; c < 16; c++)
            if (fabsf(y - levels[c]) < fabsf(y - levels[best]))
                best = c;
        b->q[i] = (int8_t)best;
    }
}

void encode_nf4(const struct quant_format *f, const float *x, const float *w,
                struct quant_block *b)
{
    (void)w;
    levels_encode(f, x, quant_nf4_levels, b);
}

void encode_fp4(const struct quant_format *f, const float *x, const float *w,
                struct quant_block *b)
{
    (void)w;
    levels_encode(f, x, quant_fp4_levels, b);
}
