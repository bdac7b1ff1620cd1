/* codes.h - from a panel's planes to integers and scales, for one thread.
 *
 * `format` is a constant wherever these are called: after inlining only the format's own operations
 * are left. Per 8 codes: nibbles 3 operations, 5 and 6 bits 7, levels 11, bytes none. */
#ifndef DEVICE_CUDA_KERNELS_CODES_H
#define DEVICE_CUDA_KERNELS_CODES_H

#include "device/cuda/kernels/args_matmul.h"

enum { SEGMENTS = 8 };

/* Segment i of n blocks begins here (docs/arithmetic.md, R4). */
DEVICE_FN uint32_t segment_at(uint32_t n_blocks, uint32_t i)
{
    return (uint32_t)((uint64_t)n_blocks * i / SEGMENTS);
}

DEVICE_FN uint32_t load4(const uint8_t *p)
{
    return *(const uint32_t *)p;
}
DEVICE_FN uint2 load8(const uint8_t *p)
{
    return *(const uint2 *)p;
}
DEVICE_FN uint4 load16(const uint8_t *p)
{
    return *(const uint4 *)p;
}

/* One word of each plane: 8 codes of a row and group. */
struct code_words {
    uint32_t nibbles, twos[2], ones, bytes[2];
};

/* Magnitudes of the levels of 8 nibbles, four each to plus[0] and plus[1] where they are positive,
 * to less where they are negative, and 0 to the other. A code with its fourth bit gives the sign of
 * a byte, which is 0, instead of the byte. */
DEVICE_FN void levels_split(int format, uint32_t codes, const uint32_t table[4], uint32_t plus[2],
                            uint32_t less[2])
{
    const bool rises = format != FORMAT_MXFP4 && format != FORMAT_FP4; /* codes 8 to 15 positive */
    uint32_t *low = rises ? less : plus, *up = rises ? plus : less, other = codes ^ 0x88888888;
    low[0] = byte_perm(table[0], table[1], codes);
    low[1] = byte_perm(table[0], table[1], codes >> 16);
    up[0] = byte_perm(table[2], table[3], other);
    up[1] = byte_perm(table[2], table[3], other >> 16);
}

/* Four bytes of which one of each pair is 0: plus, or the negative of less. */
DEVICE_FN uint32_t levels_join(uint32_t plus, uint32_t less)
{
    return ((0x80808080 - less) ^ 0x80808080) | plus;
}

/* Word w (0 to 3) of a group: *low columns 4w.., *high columns 16 + 4w.., four bytes each. */
DEVICE_FN void open_codes(int format, const struct code_words *c, uint32_t w,
                          const uint32_t table[4], uint32_t *low, uint32_t *high)
{
    struct format f = format_of(format);
    if (f.bytes) {
        *low = c->bytes[0];
        *high = c->bytes[1];
        return;
    }
    if (f.levels) {
        uint32_t plus[2], less[2];
        levels_split(format, c->nibbles, table, plus, less);
        *low = levels_join(plus[0], less[0]);
        *high = levels_join(plus[1], less[1]);
        return;
    }
    uint32_t a = 0, b = 0;
    if (f.nibbles) {
        a = c->nibbles & 0x0f0f0f0f;
        b = c->nibbles >> 4 & 0x0f0f0f0f;
    }
    if (f.twos && f.nibbles) {
        a |= c->twos[0] >> 2 * w << 4 & 0x30303030;
        b |= c->twos[1] >> 2 * w << 4 & 0x30303030;
    } else if (f.twos) {
        a = c->twos[0] >> 2 * w & 0x03030303;
        b = c->twos[1] >> 2 * w & 0x03030303;
    }
    if (f.ones && f.nibbles) {
        a |= c->ones >> w << 4 & 0x10101010;
        b |= c->ones >> w & 0x10101010;
    } else if (f.ones) {
        a |= c->ones >> w << 2 & 0x04040404;
        b |= c->ones >> w >> 2 & 0x04040404;
    }
    *low = a;
    *high = b;
}

/* Bytes less n, each within int8 before and after; all bytes below 128 before. */
DEVICE_FN uint32_t bytes_less(uint32_t x, uint32_t n)
{
    return ((x | 0x80808080) - n * 0x01010101) ^ 0x80808080;
}

/* Byte i of a row of words. */
DEVICE_FN int byte_of(const uint32_t w[4], int i)
{
    uint32_t word = i < 8 ? (i < 4 ? w[0] : w[1]) : (i < 12 ? w[2] : w[3]);
    return (int8_t)(word >> 8 * (i & 3));
}

/* A row's scales of a block as they lie in the head (the first 16 bytes) and in the tail. */
DEVICE_FN uint4 load_head(int format, const uint8_t *p, bool is_there)
{
    struct format f = format_of(format);
    uint4 h = {0, 0, 0, 0};
    if (f.head_bytes >= 16)
        return load_ahead16(p, is_there);
    if (f.head_bytes >= 8) {
        h.x = load_ahead4(p, is_there);
        h.y = load_ahead4(p + 4, is_there);
    }
    if (f.head_bytes == 12)
        h.z = load_ahead4(p + 8, is_there);
    return h;
}
DEVICE_FN uint32_t load_tail(int format, const uint8_t *p, bool is_there)
{
    struct format f = format_of(format);
    return f.tail_bytes == 4   ? load_ahead4(p, is_there)
           : f.tail_bytes == 2 ? load_ahead2(p, is_there)
                               : 0;
}

/* Four nibbles to four bytes. */
DEVICE_FN uint32_t spread_nibbles(uint32_t x)
{
    x = (x & 0xff) | (x & 0xff00) << 8;
    return (x & 0x000f000f) | (x & 0x00f000f0) << 4;
}
/* Four fields of two bits to four bytes, at their bits 4 and 5. */
DEVICE_FN uint32_t spread_twos(uint32_t x)
{
    x = (x & 0x0f) | (x & 0xf0) << 12;
    return (x & 0x00030003) << 4 | (x & 0x000c000c) << 10;
}

/* K types: sub-scales as int8, 8 or 16 of them. */
DEVICE_FN void sub_scales(int format, uint4 h, uint32_t sc[4])
{
    sc[0] = sc[1] = sc[2] = sc[3] = 0x01010101; /* Q8_K */
    switch (format) {
    case FORMAT_Q2_K:
        sc[0] = h.x & 0x0f0f0f0f;
        sc[1] = h.y & 0x0f0f0f0f;
        sc[2] = h.z & 0x0f0f0f0f;
        sc[3] = h.w & 0x0f0f0f0f;
        break;
    case FORMAT_Q3_K:
        sc[0] = bytes_less((h.x & 0x0f0f0f0f) | (h.z << 4 & 0x30303030), 32);
        sc[1] = bytes_less((h.y & 0x0f0f0f0f) | (h.z << 2 & 0x30303030), 32);
        sc[2] = bytes_less((h.x >> 4 & 0x0f0f0f0f) | (h.z & 0x30303030), 32);
        sc[3] = bytes_less((h.y >> 4 & 0x0f0f0f0f) | (h.z >> 2 & 0x30303030), 32);
        break;
    case FORMAT_Q4_K:
    case FORMAT_Q5_K:
        sc[0] = h.y & 0x3f3f3f3f;
        sc[1] = (h.w & 0x0f0f0f0f) | (h.y >> 2 & 0x30303030);
        break;
    case FORMAT_Q6_K:
        sc[0] = h.x;
        sc[1] = h.y;
        sc[2] = h.z;
        sc[3] = h.w;
        break;
    case FORMAT_IQ4_XS:
        sc[0] = bytes_less(spread_nibbles(h.y) | spread_twos(h.x >> 16), 32);
        sc[1] = bytes_less(spread_nibbles(h.y >> 16) | spread_twos(h.x >> 24), 32);
        break;
    default:
        break;
    }
}

/* K types with minima or a bias: word w of 16 int8, per 16 columns, by which the sums of
 * activations are multiplied: sub-minima, or the sub-scales again. */
DEVICE_FN bool has_sums(int format)
{
    struct format f = format_of(format);
    return f.group_len && (f.minima || f.bias);
}
DEVICE_FN uint32_t sum_factors(int format, uint4 h, uint32_t w)
{
    if (format == FORMAT_Q4_K || format == FORMAT_Q5_K) {
        uint32_t a = h.z & 0x3f3f3f3f, b = (h.w >> 4 & 0x0f0f0f0f) | (h.z >> 2 & 0x30303030);
        return byte_perm(w < 2 ? a : b, 0, w & 1 ? 0x3322 : 0x1100);
    }
    if (format == FORMAT_Q2_K)
        return (w < 2 ? (w < 1 ? h.x : h.y) : (w < 3 ? h.z : h.w)) >> 4 & 0x0f0f0f0f;
    uint32_t sc[4];
    sub_scales(format, h, sc);
    return w < 2 ? (w < 1 ? sc[0] : sc[1]) : (w < 3 ? sc[2] : sc[3]);
}

DEVICE_FN float flushed(uint32_t bits)
{
    return bits_float((bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits);
}

/* K types: the block's scale and that of its minima. */
DEVICE_FN void block_scales(int format, uint4 h, uint32_t tail, float *d, float *dmin)
{
    struct format f = format_of(format);
    uint32_t word = f.tail_bytes ? tail : h.x;
    *d = format == FORMAT_Q8_K ? flushed(word) : half_float(word & 0xffff);
    *dmin = f.minima ? half_float(word >> 16) : 0;
}

/* Types with a scale per 32 or 64: which word of the head has that of group g, and its value. */
DEVICE_FN int scale_word(int format, int g)
{
    struct format f = format_of(format);
    return f.head_bytes == 32 ? g : f.head_bytes == 16 ? g / 2 : g / 4;
}
DEVICE_FN void group_scales(int format, uint32_t word, int g, float unit, float *d, float *m)
{
    *m = 0;
    if (format == FORMAT_NF4 || format == FORMAT_FP4) {
        *d = flushed(word) * unit;
    } else if (format == FORMAT_MXFP4) {
        uint32_t e = word >> 8 * (g & 3) & 255;
        *d = e < 2 ? 0.0f : bits_float((e == 255 ? e : e - 1) << 23);
    } else if (format == FORMAT_Q4_1 || format == FORMAT_Q5_1) {
        *d = half_float(word & 0xffff);
        *m = half_float(word >> 16);
    } else {
        *d = half_float(word >> 16 * (g & 1) & 0xffff);
    }
}

/* t = f32(i1) * d - f32(i2) * dmin, then acc += t * dx. */
DEVICE_FN float add_term(float acc, int i1, float d, bool minima, int i2, float dmin, float dx)
{
    float t = (float)i1 * d;
    if (minima)
        t = t - (float)i2 * dmin;
    return acc + t * dx;
}

/* ((s0+s1)+(s2+s3))+((s4+s5)+(s6+s7)). A sum that starts at +0 and adds rounded terms is never -0,
 * so that adding an empty segment's +0 is leaving it out. */
DEVICE_FN float segments_sum(const float *s, uint32_t step)
{
    float a = s[0] + s[step], b = s[2 * step] + s[3 * step];
    float c = s[4 * step] + s[5 * step], d = s[6 * step] + s[7 * step];
    return (a + b) + (c + d);
}

#endif
