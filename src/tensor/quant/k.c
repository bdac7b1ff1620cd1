/* k.c - the K formats: 256 elements, a half scale of small integer sub-scales: Q2_K to Q6_K, Q8_K.
 *
 * Two-bit planes: of 128 elements, byte l of 32 holds elements l, l+32, l+64, l+96 from the lowest
 * bits up. Four-bit planes: of 64 elements, byte l of 32 holds l below and l+32 above. */
#include <math.h>

#include "tensor/quant/layout.h"

static void block_groups(struct quant_block *b, float d, float dmin, int n_groups)
{
    b->d = d;
    b->dmin = dmin;
    b->levels = NULL;
    memset(b->m, 0, (size_t)n_groups);
}

/* The two bits from `shift` up of each (element + bias), as two-bit planes. */
static void planes2_pack(const int8_t *q, int bias, int shift, uint8_t *out)
{
    memset(out, 0, 64);
    for (int i = 0; i < 256; i++)
        out[i / 128 * 32 + i % 32] |= (uint8_t)(((q[i] + bias) >> shift & 3) << i % 128 / 32 * 2);
}

/* The low four bits of each element as four-bit planes. */
static void planes4_pack(const int8_t *q, uint8_t *out)
{
    memset(out, 0, 128);
    for (int i = 0; i < 256; i++)
        out[i / 64 * 32 + i % 32] |= (uint8_t)((q[i] & 15) << i % 64 / 32 * 4);
}

/* Bit `bit` of each (element + bias): bit p of byte l for element 32p + l. */
static void bits_pack(const int8_t *q, int bias, int bit, uint8_t *out)
{
    memset(out, 0, 32);
    for (int i = 0; i < 256; i++)
        out[i % 32] |= (uint8_t)(((q[i] + bias) >> bit & 1) << i / 32);
}

/* Bytes: 16 of (sub-minimum << 4 | sub-scale), 64 of two-bit planes, d, dmin. */
void q2_k_open(const uint8_t *bytes, struct quant_block *b)
{
    const uint8_t *q = bytes + 16;
    block_groups(b, f16_widen(load_u16(bytes + 80)), f16_widen(load_u16(bytes + 82)), 16);
    for (int g = 0; g < 16; g++) {
        b->sc[g] = bytes[g] & 15;
        b->m[g] = (int8_t)(bytes[g] >> 4);
    }
    for (int i = 0; i < 256; i++)
        b->q[i] = q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

void q2_k_pack(const struct quant_block *b, uint8_t *bytes)
{
    for (int g = 0; g < 16; g++)
        bytes[g] = (uint8_t)(b->sc[g] | b->m[g] << 4);
    planes2_pack(b->q, 0, 0, bytes + 16);
    store_u16(bytes + 80, f16_round(b->d));
    store_u16(bytes + 82, f16_round(b->dmin));
}

/* Bytes: 32 of high bits (bit p of byte l: element 32p + l; a clear bit means -4), 64 of two-bit
 * planes, 12 of sub-scales of six bits less 32, d. */
void q3_k_open(const uint8_t *bytes, struct quant_block *b)
{
    const uint8_t *high = bytes, *q = bytes + 32, *s = bytes + 96;
    block_groups(b, f16_widen(load_u16(bytes + 108)), 0, 16);
    for (int g = 0; g < 16; g++) {
        int low = s[g % 8] >> g / 8 * 4 & 15, top = s[8 + g % 4] >> g / 4 * 2 & 3;
        b->sc[g] = (int8_t)((low | top << 4) - 32);
    }
    for (int i = 0; i < 256; i++) {
        int low = q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
        b->q[i] = (int8_t)(low - (high[i % 32] >> i / 32 & 1 ? 0 : 4));
    }
}

void q3_k_pack(const struct quant_block *b, uint8_t *bytes)
{
    uint8_t *s = bytes + 96;
    bits_pack(b->q, 4, 2, bytes);
    planes2_pack(b->q, 4, 0, bytes + 32);
    memset(s, 0, 12);
    for (int g = 0; g < 16; g++) {
        int sc = b->sc[g] + 32;
        s[g % 8] |= (uint8_t)((sc & 15) << g / 8 * 4);
        s[8 + g % 4] |= (uint8_t)((sc >> 4) << g / 4 * 2);
    }
    store_u16(bytes + 108, f16_round(b->d));
}

/* 12 bytes: the first four groups' six-bit scales, then their minima; above them the two top bits,
 * and in the last four bytes the low four bits, of the scales and minima of groups 4 to 7. */
static void scales_open(const uint8_t *s, struct quant_block *b)
{
    for (int g = 0; g < 4; g++) {
        b->sc[g] = s[g] & 63;
        b->m[g] = s[g + 4] & 63;
        b->sc[g + 4] = (int8_t)((s[g + 8] & 15) | s[g] >> 6 << 4);
        b->m[g + 4] = (int8_t)(s[g + 8] >> 4 | s[g + 4] >> 6 << 4);
    }
}

static void scales_pack(const struct quant_block *b, uint8_t *s)
{
    for (int g = 0; g < 4; g++) {
        s[g] = (uint8_t)(b->sc[g] | b->sc[g + 4] >> 4 << 6);
        s[g + 4] = (uint8_t)(b->m[g] | b->m[g + 4] >> 4 << 6);
        s[g + 8] = (uint8_t)((b->sc[g + 4] & 15) | (b->m[g + 4] & 15) << 4);
    }
}

/* Bytes: d, dmin, 12 of sub-scales, 128 of four-bit planes. */
void q4_k_open(const uint8_t *bytes, struct quant_block *b)
{
    const uint8_t *q = bytes + 16;
    block_groups(b, f16_widen(load_u16(bytes)), f16_widen(load_u16(bytes + 2)), 8);
    scales_open(bytes + 4, b);
    for (int i = 0; i < 256; i++)
        b->q[i] = q[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
}

void q4_k_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    store_u16(bytes + 2, f16_round(b->dmin));
    scales_pack(b, bytes + 4);
    planes4_pack(b->q, bytes + 16);
}

/* Bytes: d, dmin, 12 of sub-scales, 32 of fifth bits (bit p of byte l: element 32p + l), 128 of
 * four-bit planes. */
void q5_k_open(const uint8_t *bytes, struct quant_block *b)
{
    const uint8_t *high = bytes + 16, *q = bytes + 48;
    block_groups(b, f16_widen(load_u16(bytes)), f16_widen(load_u16(bytes + 2)), 8);
    scales_open(bytes + 4, b);
    for (int i = 0; i < 256; i++) {
        int low = q[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
        b->q[i] = (int8_t)(low | (high[i % 32] >> i / 32 & 1) << 4);
    }
}

void q5_k_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u16(bytes, f16_round(b->d));
    store_u16(bytes + 2, f16_round(b->dmin));
    scales_pack(b, bytes + 4);
    bits_pack(b->q, 0, 4, bytes + 16);
    planes4_pack(b->q, bytes + 48);
}

/* Bytes: 128 of low four bits (of 128 elements, byte l of 64 holds l below and l+64 above), 64 of
 * two-bit planes of the top bits, 16 int8 sub-scales, d. An element is its six bits less 32. */
void q6_k_open(const uint8_t *bytes, struct quant_block *b)
{
    const uint8_t *low = bytes, *high = bytes + 128;
    block_groups(b, f16_widen(load_u16(bytes + 208)), 0, 16);
    memcpy(b->sc, bytes + 192, 16);
    for (int i = 0; i < 256; i++) {
        int l = low[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
        int h = high[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
        b->q[i] = (int8_t)((l | h << 4) - 32);
    }
}

void q6_k_pack(const struct quant_block *b, uint8_t *bytes)
{
    memset(bytes, 0, 128);
    for (int i = 0; i < 256; i++)
        bytes[i / 128 * 64 + i % 64] |= (uint8_t)(((b->q[i] + 32) & 15) << i % 128 / 64 * 4);
    planes2_pack(b->q, 32, 4, bytes + 128);
    memcpy(bytes + 192, b->sc, 16);
    store_u16(bytes + 208, f16_round(b->d));
}

/* Bytes: d in binary32, 256 int8, 16 int16 sums of 16 elements (redundant; not read). */
void q8_k_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f32_flush(f32_from_bits(load_u32(bytes))));
    memcpy(b->q, bytes + 4, 256);
}

void q8_k_pack(const struct quant_block *b, uint8_t *bytes)
{
    store_u32(bytes, f32_bits(b->d));
    memcpy(bytes + 4, b->q, 256);
    for (int g = 0; g < 16; g++) {
        int sum = 0;
        for (int i = 0; i < 16; i++)
            sum += b->q[16 * g + i];
        store_u16(bytes + 260 + 2 * g, (uint16_t)sum);
    }
}

/* Q8_K holds activations in other programs, never weights: plain rounding, the largest at 127. */
void encode_q8_k(const struct quant_format *f, const float *x, const float *w,
                 struct quant_block *b)
{
    (void)w;
    float largest = 0;
    for (int i = 0; i < f->len; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    bool any = largest >= 0x1p-100f;
    block_flat(b, any ? largest / 127 : 0);
    float inverse = any ? 127 / largest : 0;
    for (int i = 0; i < f->len; i++)
        b->q[i] = (int8_t)((x[i] * inverse + 0x1.8p23f) - 0x1.8p23f);
}
