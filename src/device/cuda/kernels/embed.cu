/* embed.cu - rows of an embedding matrix, in the file's layout, to floats: one thread per value,
 * each operation as quant_decode_row has it. */
#include "device/cuda/kernels/codes.h"

enum { EMBED_THREADS = 256 };

/* value = (d sc) level - dmin m, each operation rounded. */
struct element {
    float d, dmin, level;
    int sc, m;
};

DEVICE_FN float half_at(const uint8_t *p)
{
    return half_float((uint32_t)p[0] | (uint32_t)p[1] << 8);
}

DEVICE_FN uint32_t word_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Of 32 codes in 16 bytes, the first 16 below. */
DEVICE_FN int nibble_at(const uint8_t *p, uint32_t i)
{
    return p[i % 16] >> i / 16 * 4 & 15;
}

DEVICE_FN int bit_at(const uint8_t *p, uint32_t i)
{
    return p[i / 8] >> i % 8 & 1;
}

/* Element i of a block of a type with a scale per 32 or 64. */
DEVICE_FN struct element element_32(const struct embed_args *a, const uint8_t *b, uint32_t i)
{
    struct element e = {half_at(b), 0, 0, 1, 0};
    switch (a->format) {
    case FORMAT_Q4_0:
        e.level = (float)(nibble_at(b + 2, i) - 8);
        break;
    case FORMAT_Q4_1:
        e.level = (float)nibble_at(b + 4, i);
        break;
    case FORMAT_Q5_0:
        e.level = (float)((nibble_at(b + 6, i) | bit_at(b + 2, i) << 4) - 16);
        break;
    case FORMAT_Q5_1:
        e.level = (float)(nibble_at(b + 8, i) | bit_at(b + 4, i) << 4);
        break;
    case FORMAT_Q8_0:
        e.level = (float)(int8_t)b[2 + i];
        break;
    case FORMAT_IQ4_NL:
        e.level = a->levels[nibble_at(b + 2, i)];
        break;
    case FORMAT_MXFP4:
        e.d = b[0] < 2 ? 0.0f : bits_float((uint32_t)(b[0] == 255 ? 255 : b[0] - 1) << 23);
        e.level = a->levels[nibble_at(b + 1, i)];
        break;
    default: /* NF4, FP4 */
        e.d = flushed(word_at(b));
        e.level = a->levels[b[4 + i / 2] >> (i % 2 ? 0 : 4) & 15];
    }
    if (a->format == FORMAT_Q4_1 || a->format == FORMAT_Q5_1) {
        e.dmin = half_at(b + 2);
        e.m = -1;
    }
    return e;
}

/* Sub-scale and sub-minimum g of Q4_K and Q5_K from their 12 bytes. */
DEVICE_FN void scales_45(const uint8_t *s, uint32_t g, struct element *e)
{
    if (g < 4) {
        e->sc = s[g] & 63;
        e->m = s[g + 4] & 63;
    } else {
        e->sc = (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
        e->m = s[g + 4] >> 4 | s[g] >> 6 << 4;
    }
}

/* Element i of a block of 256. */
DEVICE_FN struct element element_k(const struct embed_args *a, const uint8_t *b, uint32_t i)
{
    struct element e = {half_at(b), 0, 0, 1, 0};
    uint32_t g = i / 16, two = i / 128 * 32 + i % 32, shift = i % 128 / 32 * 2;
    uint32_t four = i / 64 * 32 + i % 32;
    switch (a->format) {
    case FORMAT_Q2_K:
        e.d = half_at(b + 80);
        e.dmin = half_at(b + 82);
        e.sc = b[g] & 15;
        e.m = b[g] >> 4;
        e.level = (float)(b[16 + two] >> shift & 3);
        break;
    case FORMAT_Q3_K:
        e.d = half_at(b + 108);
        e.sc = ((b[96 + g % 8] >> g / 8 * 4 & 15) | (b[104 + g % 4] >> g / 4 * 2 & 3) << 4) - 32;
        e.level = (float)((b[32 + two] >> shift & 3) - (b[i % 32] >> i / 32 & 1 ? 0 : 4));
        break;
    case FORMAT_Q4_K:
    case FORMAT_Q5_K:
        e.dmin = half_at(b + 2);
        scales_45(b + 4, i / 32, &e);
        if (a->format == FORMAT_Q4_K)
            e.level = (float)(b[16 + four] >> i % 64 / 32 * 4 & 15);
        else
            e.level = (float)((b[48 + four] >> i % 64 / 32 * 4 & 15) |
                              (b[16 + i % 32] >> i / 32 & 1) << 4);
        break;
    case FORMAT_Q6_K:
        e.d = half_at(b + 208);
        e.sc = (int8_t)b[192 + g];
        e.level = (float)(((b[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15) |
                           (b[128 + two] >> shift & 3) << 4) -
                          32);
        break;
    case FORMAT_Q8_K:
        e.d = flushed(word_at(b));
        e.level = (float)(int8_t)b[4 + i];
        break;
    default: /* IQ4_XS */
        g = i / 32;
        e.sc = ((b[4 + g / 2] >> 4 * (g % 2) & 15) | (b[2 + g / 4] >> 2 * (g % 4) & 3) << 4) - 32;
        e.level = a->levels[nibble_at(b + 8 + 16 * g, i % 32)];
    }
    return e;
}

DEVICE_FN float embed_value(const struct embed_args *a, const uint8_t *row, uint32_t i)
{
    if (a->format == EMBED_F32)
        return flushed(word_at(row + 4 * (uint64_t)i));
    if (a->format == EMBED_F16)
        return half_at(row + 2 * (uint64_t)i);
    if (a->format == EMBED_BF16) {
        const uint8_t *p = row + 2 * (uint64_t)i;
        return flushed((uint32_t)p[0] << 16 | (uint32_t)p[1] << 24);
    }
    const uint8_t *b = row + (uint64_t)(i / a->block_len) * a->block_bytes;
    struct element e =
        a->block_len == 256 ? element_k(a, b, i % 256) : element_32(a, b, i % a->block_len);
    float dl = e.d * (float)e.sc, ml = e.dmin * (float)e.m, x = dl * e.level - ml;
    return flushed(float_bits(x));
}

KERNEL_BOUNDS(embed, struct embed_args, EMBED_THREADS, 4)
{
    uint32_t i = blockIdx.x * EMBED_THREADS + threadIdx.x, t = blockIdx.y;
    if (i >= a.n_cols)
        return;
    float x = embed_value(&a, a.rows + (uint64_t)(uint32_t)a.token[t] * a.row_bytes, i);
    a.y[t * a.stride + i] = a.scale != 1.0f ? x * a.scale : x;
}
