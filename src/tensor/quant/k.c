/* k.c - the K formats: 256 elements, a half scale of small integer sub-scales: Q2_K to Q6_K, Q8_K.
 *
 * Two-bit planes: of 128 elements, byte l of 32 holds elements l, l+32, l+64, l+96 from the lowest
 * bits up. Four-bit planes: of 64 elements, byte l of 32 holds l below and l+32 above. */
#include "tensor/quant/layout.h"

static void block_groups(struct quant_block *b, float d, float dmin, int n_groups)
{
    b->d = d;
    b->dmin = dmin;
    b->levels = NULL;
    memset(b->m, 0, (size_t)n_groups);
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

/* Bytes: d, dmin, 12 of sub-scales, 128 of four-bit planes. */
void q4_k_open(const uint8_t *bytes, struct quant_block *b)
{
    const uint8_t *q = bytes + 16;
    block_groups(b, f16_widen(load_u16(bytes)), f16_widen(load_u16(bytes + 2)), 8);
    scales_open(bytes + 4, b);
    for (int i = 0; i < 256; i++)
        b->q[i] = q[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
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

/* Bytes: d in binary32, 256 int8, 16 int16 sums of 16 elements (redundant; not read). */
void q8_k_open(const uint8_t *bytes, struct quant_block *b)
{
    block_flat(b, f32_flush(f32_from_bits(load_u32(bytes))));
    memcpy(b->q, bytes + 4, 256);
}
