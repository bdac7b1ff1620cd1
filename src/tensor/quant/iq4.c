/* iq4.c - formats whose four bits choose from a table of integers: IQ4_NL, IQ4_XS, MXFP4.
 *
 * Byte j of 16 holds the code of element j below and of element j + 16 above. */
#include <math.h>

#include "tensor/quant/layout.h"

/* A 17th entry, never chosen, ends the search in grid_round. */
const int8_t quant_iq4_levels[17] = {-127, -104, -83, -65, -49, -35, -22, -10, 1,
                                     13,   25,   38,  53,  69,  89,  113, 127};

/* E2M1 doubled, so that they are integers: the scale is halved for it. */
const int8_t quant_mxfp4_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void codes_open(const uint8_t *codes, const int8_t levels[16], int8_t *q)
{
    for (int j = 0; j < 16; j++) {
        q[j] = levels[codes[j] & 15];
        q[j + 16] = levels[codes[j] >> 4];
    }
}

static int code_of(const int8_t levels[16], int8_t level)
{
    int code = 0;
    while (code < 15 && levels[code] != level)
        code++;
    return code;
}

static void codes_pack(const int8_t *q, const int8_t levels[16], uint8_t *codes)
{
    for (int j = 0; j < 16; j++)
        codes[j] = (uint8_t)(code_of(levels, q[j]) | code_of(levels, q[j + 16]) << 4);
}

void iq4_nl_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f16_widen(load_u16(bytes)));
    codes_open(bytes + 2, quant_iq4_levels, b->q);
}

void iq4_nl_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    codes_pack(b->q, quant_iq4_levels, bytes + 2);
}

/* Bytes: d, 16 bits with two high bits of each of 8 sub-scales, 4 bytes of their low four bits, 128
 * bytes of codes. A sub-scale is its six bits less 32. */
void iq4_xs_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f16_widen(load_u16(bytes)));
    unsigned high = load_u16(bytes + 2);
    for (int g = 0; g < 8; g++) {
        int low = bytes[4 + g / 2] >> 4 * (g % 2) & 15;
        b->sc[g] = (int8_t)((low | (int)(high >> 2 * g & 3) << 4) - 32);
        b->m[g] = 0;
        codes_open(bytes + 8 + 16 * g, quant_iq4_levels, b->q + 32 * g);
    }
}

void iq4_xs_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    memset(bytes + 2, 0, 6);
    for (int g = 0; g < 8; g++) {
        int sc = b->sc[g] + 32;
        bytes[2 + g / 4] |= (uint8_t)((sc >> 4) << 2 * (g % 4));
        bytes[4 + g / 2] |= (uint8_t)((sc & 15) << 4 * (g % 2));
        codes_pack(b->q + 32 * g, quant_iq4_levels, bytes + 8 + 16 * g);
    }
}

/* Bytes: the exponent E of the scale 2^(E-127), 16 bytes of codes. Half of it is 2^(E-128), which
 * is subnormal for E < 2: zero. E = 255 is a NaN by the format's standard: an infinite scale here,
 * for quant_scale_check to find; so are 253 and 254, whose largest value overflows. */
void mxfp4_open(const uint8_t *bytes, struct quant_block *b)
{
    uint32_t e = bytes[0];
    block_flat(b, e < 2 ? 0.0f : f32_from_bits((e == 255 ? e : e - 1) << 23));
    codes_open(bytes + 1, quant_mxfp4_levels, b->q);
}

void mxfp4_pack(const struct quant_block *b, uint8_t *bytes)
{
    bytes[0] = b->d == 0 ? 0 : (uint8_t)((f32_bits(b->d) >> 23) + 1);
    codes_pack(b->q, quant_mxfp4_levels, bytes + 1);
}

/* The levels are 1 apart up to 4, then 2 up to 8, then 4 up to 12: adding 1.5 2^22 times the power
 * of two below a (at least 2) leaves no finer bits. */
static float mxfp4_round(float y)
{
    float a = fabsf(y) < 12 ? fabsf(y) : 12, power = f32_from_bits(f32_bits(a) & 0x7f800000u);
    float magic = (power > 2 ? power : 2) * 0x1.8p22f;
    return copysignf((a + magic) - magic, y);
}

static float mxfp4_error(const float *x, const float *w, int n, float inverse)
{
    float error = 0;
    for (int i = 0; i < n; i++) {
        float e = x[i] * inverse - mxfp4_round(x[i] * inverse);
        error += w[i] * e * e;
    }
    return error;
}

/* The exponent decides all: that which puts the largest value at 8 to 16 of d, and neighbours. */
void encode_mxfp4(const struct quant_format *f, const float *x, const float *w,
                  struct quant_block *b)
{
    float largest = 0, best = INFINITY, inverse = 0;
    for (int i = 0; i < f->len; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    block_flat(b, 0);
    int middle = (int)(f32_bits(largest) >> 23) - 3;
    for (int e = middle - 1; e <= middle + 2; e++) {
        if (e < 1 || e > 251) /* a normal d, and a finite 12 d */
            continue;
        float d = f32_from_bits((uint32_t)e << 23), inv = f32_from_bits((uint32_t)(254 - e) << 23);
        float grow = f32_from_bits((uint32_t)(127 + e - middle) << 23);
        float error = mxfp4_error(x, w, f->len, inv) * grow * grow;
        if (error < best) {
            best = error;
            inverse = inv;
            b->d = d;
        }
    }
    for (int i = 0; i < f->len; i++)
        b->q[i] = (int8_t)mxfp4_round(x[i] * inverse);
}
