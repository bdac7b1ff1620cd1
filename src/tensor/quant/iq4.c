/* iq4.c - formats whose four bits choose from a table of integers: IQ4_NL, IQ4_XS, MXFP4.
 *
 * Byte j of 16 holds the code of element j below and of element j + 16 above. */
#include "tensor/quant/layout.h"

static const int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};

/* E2M1 doubled, so that they are integers: the scale is halved for it. */
static const int8_t mxfp4_levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void codes_open(const uint8_t *codes, const int8_t levels[16], int8_t *q)
{
    for (int j = 0; j < 16; j++) {
        q[j] = levels[codes[j] & 15];
        q[j + 16] = levels[codes[j] >> 4];
    }
}

void iq4_nl_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f16_widen(load_u16(bytes)));
    codes_open(bytes + 2, iq4_levels, b->q);
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
        codes_open(bytes + 8 + 16 * g, iq4_levels, b->q + 32 * g);
    }
}

/* Bytes: the exponent E of the scale 2^(E-127), 16 bytes of codes. Half of it is 2^(E-128), which
 * is subnormal for E < 2: zero. E = 255 is a NaN by the format's standard: an infinite scale here,
 * for quant_scale_check to find; so are 253 and 254, whose largest value overflows. */
void mxfp4_open(const uint8_t *bytes, struct quant_block *b)
{
    uint32_t e = bytes[0];
    block_flat(b, e < 2 ? 0.0f : f32_from_bits((e == 255 ? e : e - 1) << 23));
    codes_open(bytes + 1, mxfp4_levels, b->q);
}
