/* formats.h - how each block format lies in a panel, and how a kernel reads it.
 *
 * For a format f: f_HEAD bytes of scales and f_BODY bytes per 32 columns (per block of 256 columns
 * for K formats, per 32 columns for the others); f_weights(body, j) is the vector of columns
 * 4j..4j+3 of the 32, as integers that are unsigned after the bias that f_START names.
 * V below is one vector of bytes, VEC_BYTES = 4 * LANES; a code of row r, column 4j + c sits in
 * byte 4r + c of its vector. */
#ifndef DEVICE_CPU_PANEL_FORMATS_H
#define DEVICE_CPU_PANEL_FORMATS_H

#include "device/cpu/panel/panel.h"
#include "tensor/quant/quant.h"

#define V VEC_BYTES

/* Codes of 32 columns. Vector j / 2 of nibbles: j even below, odd above. */
enum { NIBBLES = 4 * V, FIFTHS = 5 * V, SIXTHS = 6 * V, TWOS = 2 * V, THREES = 3 * V };

static inline VI weights_4(const uint8_t *p, int j)
{
    return vi_and(vi_srl(vi_load(p + j / 2 * V), j % 2 * 4), vi_set1_8(15));
}

static inline VI low_bits(VI a, int right, int mask)
{
    return vi_and(vi_srl(a, right), vi_set1_8(mask));
}
static inline VI or_bits(VI a, int left, int mask, VI b)
{
    return vi_and_or(left >= 0 ? vi_sll(a, left) : vi_srl(a, -left), vi_set1_8(mask), b);
}

/* Five vectors whose low five bits are codes 0 to 4; their top bits hold the others: 5 in A (three
 * bits) and B's upper two, 6 in C and D likewise, 7 in E, B's lowest and D's lowest. */
static inline VI weights_5(const uint8_t *p, int j)
{
    if (j < 5)
        return vi_and(vi_load(p + j * V), vi_set1_8(31));
    if (j < 7) {
        const uint8_t *a = p + (j == 5 ? 0 : 2 * V);
        return or_bits(vi_load(a + V), -3, 24, low_bits(vi_load(a), 5, 7));
    }
    VI e = low_bits(vi_load(p + 4 * V), 5, 7);
    return or_bits(vi_load(p + 3 * V), -1, 16, or_bits(vi_load(p + V), -2, 8, e));
}

/* Twice, for 16 columns each: three vectors whose low six bits are codes 0 to 2 and whose top bits
 * together are code 3, low bits first. */
static inline VI weights_6(const uint8_t *p, int j)
{
    const uint8_t *half = p + j / 4 * 3 * V;
    if (j % 4 < 3)
        return vi_and(vi_load(half + j % 4 * V), vi_set1_8(63));
    VI low = low_bits(vi_load(half), 6, 3);
    return or_bits(vi_load(half + 2 * V), -2, 48, or_bits(vi_load(half + V), -4, 12, low));
}

/* Two vectors of two-bit fields, of 16 columns each. */
static inline VI weights_2(const uint8_t *p, int j)
{
    return vi_and(vi_srl(vi_load(p + j / 4 * V), j % 4 * 2), vi_set1_8(3));
}

/* One vector of third bits, then two-bit fields; 28 is added so that the bias is 32. */
static inline VI weights_3(const uint8_t *p, int j)
{
    return vi_add8(or_bits(vi_load(p), 2 - j, 4, weights_2(p + V, j)), vi_set1_8(28));
}

/* Bytes of w times the scale of their lane, modulo 256. */
static inline VI products(VI w, VI sc)
{
    const VI low = vi_set1(0xff00ff), twice = vi_or(vi_and(sc, vi_set1(0xffff)), vi_sll(sc, 16));
    VI even = vi_and(vi_mul16(vi_and(w, low), twice), low);
    return vi_or(even, vi_sll(vi_and(vi_mul16(vi_and(vi_srl(w, 8), low), twice), low), 8));
}

static inline VI weights_8(const uint8_t *p, int j)
{
    return vi_load(p + j * V);
}

/* Four words per row of which byte i holds six bits in its low bits; the two top bits of the bytes
 * of n - 1 words together are one more word. */
static inline VI tops(VI x, VI y, VI z)
{
    VI two = vi_set1_8(3);
    VI a = vi_and(vi_srl(x, 6), two), b = vi_and(vi_srl(y, 6), two), c = vi_and(vi_srl(z, 6), two);
    return vi_or(a, vi_or(vi_sll(b, 2), vi_sll(c, 4)));
}

static inline void bytes_to_lanes(VI word, int mask, VI out[4])
{
    VI m = vi_set1(mask);
    out[0] = vi_and(word, m);
    out[1] = vi_and(vi_srl(word, 8), m);
    out[2] = vi_and(vi_srl(word, 16), m);
    out[3] = vi_and(vi_srl(word, 24), m);
}

/* Q4_K and Q5_K. Head: d, dmin [LANES] halves; per row three words X, Y, Z. Bytes of X and Y, low
 * six bits: minima 0, 2, 1, 3 and 4, 6, 5, 7, so that masks give int16 pairs; of Z: scales 0 to 3;
 * the top bits of X, Y, Z: scales 4 to 7. */
static inline void head45_scales(const uint8_t *p, VI sc[8])
{
    VI x = vi_load(p + V), y = vi_load(p + 2 * V), z = vi_load(p + 3 * V);
    bytes_to_lanes(z, 63, sc);
    bytes_to_lanes(tops(x, y, z), 63, sc + 4);
}
static inline void head45_minima(const uint8_t *p, VI pair[4])
{
    VI x = vi_load(p + V), y = vi_load(p + 2 * V), m = vi_set1(0x3f003f);
    pair[0] = vi_and(x, m);
    pair[1] = vi_and(vi_srl(x, 8), m);
    pair[2] = vi_and(y, m);
    pair[3] = vi_and(vi_srl(y, 8), m);
}
static inline VF head45_d(const uint8_t *p)
{
    return vf_load_f16(p);
}
static inline VF head45_dmin(const uint8_t *p)
{
    return vf_load_f16(p + 2 * LANES);
}

#define q4_k_HEAD    (4 * V)
#define q4_k_BODY    NIBBLES
#define q4_k_START   NO_START
#define q4_k_GROUP   32
#define q4_k_MINIMA  4
#define q4_k_weights weights_4
#define q4_k_scales  head45_scales
#define q4_k_minima  head45_minima
#define q4_k_d       head45_d
#define q4_k_dmin    head45_dmin

#define q5_k_HEAD    (4 * V)
#define q5_k_BODY    FIFTHS
#define q5_k_START   NO_START
#define q5_k_GROUP   32
#define q5_k_MINIMA  4
#define q5_k_weights weights_5
#define q5_k_scales  head45_scales
#define q5_k_minima  head45_minima
#define q5_k_d       head45_d
#define q5_k_dmin    head45_dmin

/* Q6_K. Head: [16][LANES] int8 scales. Halves d in a plane after the panel's last block. */
static inline void q6_k_scales(const uint8_t *p, VI sc[16])
{
    for (int g = 0; g < 16; g++)
        sc[g] = vi_load_i8(p + g * LANES);
}
#define q6_k_HEAD    (4 * V)
#define q6_k_BODY    SIXTHS
#define q6_k_GROUP   16
#define q6_k_START   A256_START16
#define q6_k_weights weights_6
#define q6_k_PLANE   (2 * LANES)

/* Q3_K. Head: per row three words, low six bits: scales plus 32 of groups 0 to 11, top bits: 12 to
 * 15. d in a plane. */
static inline void q3_k_scales(const uint8_t *p, VI sc[16])
{
    VI x = vi_load(p), y = vi_load(p + V), z = vi_load(p + 2 * V);
    bytes_to_lanes(x, 63, sc);
    bytes_to_lanes(y, 63, sc + 4);
    bytes_to_lanes(z, 63, sc + 8);
    bytes_to_lanes(tops(x, y, z), 63, sc + 12);
    for (int g = 0; g < 16; g++)
        sc[g] = vi_sub(sc[g], vi_set1(32));
}
/* -124 <= -(code - 4) * scale + 128 - 128 <= 128: negated, the product fits a byte after the bias.
 */
static inline VI q3_k_product(VI w, VI sc)
{
    VI p = products(vi_add8(w, vi_set1_8(-32)), sc);
    return vi_add8(vi_xor(p, vi_set1_8(-1)), vi_set1_8(-127));
}
#define q3_k_PRODUCTS 1
#define q3_k_NEGATIVE 1
#define q3_k_HEAD     (3 * V)
#define q3_k_BODY     THREES
#define q3_k_GROUP    16
#define q3_k_START    A256_START16
#define q3_k_weights  weights_3
#define q3_k_PLANE    (2 * LANES)

/* Q2_K. Head: d, dmin halves; four words per row, bytes of word i: groups 4i, 4i+2, 4i+1, 4i+3,
 * scales in the low four bits, minima above. */
static inline void q2_k_scales(const uint8_t *p, VI sc[16])
{
    for (int i = 0; i < 4; i++) {
        VI b[4];
        bytes_to_lanes(vi_load(p + (1 + i) * V), 15, b);
        sc[4 * i] = b[0];
        sc[4 * i + 1] = b[2];
        sc[4 * i + 2] = b[1];
        sc[4 * i + 3] = b[3];
    }
}
static inline void q2_k_minima(const uint8_t *p, VI pair[8])
{
    for (int i = 0; i < 4; i++) {
        VI word = vi_load(p + (1 + i) * V), m = vi_set1(0xf000f);
        pair[2 * i] = vi_and(vi_srl(word, 4), m);
        pair[2 * i + 1] = vi_and(vi_srl(word, 12), m);
    }
}
#define q2_k_PRODUCTS 1
#define q2_k_product  products
#define q2_k_HEAD     (5 * V)
#define q2_k_BODY     TWOS
#define q2_k_START    NO_START
#define q2_k_GROUP    16
#define q2_k_MINIMA   8
#define q2_k_weights  weights_2
#define q2_k_d        head45_d
#define q2_k_dmin     head45_dmin

/* Q8_K. Head: d [LANES] binary32. */
#define q8_k_HEAD    V
#define q8_k_BODY    (8 * V)
#define q8_k_GROUP   32
#define q8_k_START   A256_START32
#define q8_k_FLIPPED 1
#define q8_k_weights weights_8
static inline void q8_k_scales(const uint8_t *p, VI sc[8])
{
    (void)p;
    for (int g = 0; g < 8; g++)
        sc[g] = vi_set1(1);
}
static inline VF q8_k_d(const uint8_t *p)
{
    return vf_load((const float *)p);
}

/* IQ4_XS. Head: d halves, [LANES] words of 16 bits with the high two bits of 8 scales plus 32,
 * [LANES] words with their low four bits. */
static inline void iq4_xs_scales(const uint8_t *p, VI sc[8])
{
    VI high = vi_load_u16(p + 2 * LANES), low = vi_load(p + V);
    for (int g = 0; g < 8; g++) {
        VI a = vi_and(vi_srl(low, 4 * g), vi_set1(15));
        VI b = vi_and(vi_srl(high, 2 * g), vi_set1(3));
        sc[g] = vi_sub(vi_or(a, vi_sll(b, 4)), vi_set1(32));
    }
}
#define iq4_xs_HEAD    (2 * V)
#define iq4_xs_BODY    NIBBLES
#define iq4_xs_GROUP   32
#define iq4_xs_START   A256_START32
#define iq4_xs_FLIPPED 1
#define iq4_xs_TABLE   1
#define iq4_xs_LEVELS  quant_iq4_levels
#define iq4_xs_weights weights_4
#define iq4_xs_d       head45_d

/* Types with a scale per 32: f_HEAD bytes of scales per 32 columns. */
static inline VF half_d(const uint8_t *head, uint32_t g)
{
    return vf_load_f16(head + g * 2 * LANES);
}
static inline VF half2_d(const uint8_t *head, uint32_t g)
{
    return vf_load_f16(head + g * 4 * LANES);
}
static inline VF half2_m(const uint8_t *head, uint32_t g)
{
    return vf_load_f16(head + g * 4 * LANES + 2 * LANES);
}
/* A byte: the exponent of half the scale, 0 for 0. */
static inline VF mxfp4_d(const uint8_t *head, uint32_t g)
{
    return vi_as_f(vi_sll(vi_load_u8(head + g * LANES), 23));
}
/* The scale of 64 columns times the worth of a level. */
static inline VF nf4_d(const uint8_t *head, uint32_t g)
{
    return vf_load((const float *)(head + g / 2 * V));
}

#define q4_0_HEAD    (2 * LANES)
#define q4_0_BODY    NIBBLES
#define q4_0_START   A32_START8
#define q4_0_weights weights_4
#define q4_0_d       half_d

#define q4_1_HEAD    (4 * LANES)
#define q4_1_BODY    NIBBLES
#define q4_1_START   NO_START
#define q4_1_weights weights_4
#define q4_1_d       half2_d
#define q4_1_m       half2_m
#define q4_1_MINIMA  1

#define q5_0_HEAD    (2 * LANES)
#define q5_0_BODY    FIFTHS
#define q5_0_START   A32_START16
#define q5_0_weights weights_5
#define q5_0_d       half_d

#define q5_1_HEAD    (4 * LANES)
#define q5_1_BODY    FIFTHS
#define q5_1_START   NO_START
#define q5_1_weights weights_5
#define q5_1_d       half2_d
#define q5_1_m       half2_m
#define q5_1_MINIMA  1

#define q8_0_HEAD    (2 * LANES)
#define q8_0_BODY    (8 * V)
#define q8_0_START   A32_START128
#define q8_0_FLIPPED 1
#define q8_0_weights weights_8
#define q8_0_d       half_d

#define iq4_nl_HEAD    (2 * LANES)
#define iq4_nl_BODY    NIBBLES
#define iq4_nl_START   A32_START128
#define iq4_nl_FLIPPED 1
#define iq4_nl_TABLE   1
#define iq4_nl_LEVELS  quant_iq4_levels
#define iq4_nl_weights weights_4
#define iq4_nl_d       half_d

#define mxfp4_HEAD    LANES
#define mxfp4_BODY    NIBBLES
#define mxfp4_START   A32_START128
#define mxfp4_FLIPPED 1
#define mxfp4_TABLE   1
#define mxfp4_LEVELS  quant_mxfp4_levels
#define mxfp4_weights weights_4

#define nf4_HEAD    (2 * LANES)
#define nf4_BODY    NIBBLES
#define nf4_START   A32_START128
#define nf4_FLIPPED 1
#define nf4_TABLE   1
#define nf4_LEVELS  (level_table(DTYPE_NF4)->level)
#define nf4_weights weights_4

#define fp4_HEAD    (2 * LANES)
#define fp4_BODY    NIBBLES
#define fp4_START   A32_START128
#define fp4_FLIPPED 1
#define fp4_TABLE   1
#define fp4_LEVELS  (level_table(DTYPE_FP4)->level)
#define fp4_weights weights_4
#define fp4_d       nf4_d

#endif
