/* quant.c - rows of blocks: decoding by way of the opened block, encoding by way of it. */
#include "tensor/quant/quant.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "tensor/quant/layout.h"

static const struct quant_format formats[DTYPE_COUNT] = {
#define QUANT_ROW(type, len, group, q_lo, q_hi, sc_lo, sc_hi, stem, encoder)                       \
    [DTYPE_##type] = {len,         group,           q_lo, q_hi, sc_lo, sc_hi, stem##_open,         \
                      stem##_pack, encode_##encoder},
    QUANT_LIST(QUANT_ROW)
#undef QUANT_ROW
};

const struct quant_format *quant_format(enum dtype t)
{
    CHECK((unsigned)t < DTYPE_COUNT);
    return formats[t].open ? &formats[t] : NULL;
}

bool quant_decodes(enum dtype t)
{
    return quant_format(t) || t == DTYPE_F32 || t == DTYPE_F16 || t == DTYPE_BF16;
}

/* One element of a type that has no blocks. */
static float plain_load(enum dtype t, const uint8_t *bytes, size_t i)
{
    switch (t) {
    case DTYPE_F32:
        return f32_flush(f32_from_bits(load_u32(bytes + 4 * i)));
    case DTYPE_F16:
        return f16_widen(load_u16(bytes + 2 * i));
    case DTYPE_BF16:
        return bf16_widen(load_u16(bytes + 2 * i));
    default:
        CHECK(!"a type that holds weights");
        return 0;
    }
}

void quant_decode_row(enum dtype t, const void *row, float *out, size_t n)
{
    const struct quant_format *f = quant_format(t);
    const uint8_t *bytes = row;
    if (!f) {
        for (size_t i = 0; i < n; i++)
            out[i] = plain_load(t, bytes, i);
        return;
    }
    CHECK(n % (size_t)f->len == 0);
    struct quant_block b;
    size_t block_bytes = (size_t)dtype_info(t)->block_bytes;
    for (; n > 0; n -= (size_t)f->len, bytes += block_bytes) {
        f->open(bytes, &b);
        for (int g = 0; g < f->len / f->group_len; g++) {
            const int8_t *q = b.q + g * f->group_len;
            float dl = b.d * (float)b.sc[g], ml = b.dmin * (float)b.m[g];
            for (int i = 0; i < f->group_len; i++) {
                float level = b.levels ? b.levels[q[i]] : (float)q[i];
                *out++ = f32_flush(dl * level - ml);
            }
        }
    }
}

void quant_decode_row_f64(enum dtype t, const void *row, double *out, size_t n)
{
    const struct quant_format *f = quant_format(t);
    const uint8_t *bytes = row;
    if (!f) {
        for (size_t i = 0; i < n; i++)
            out[i] = (double)plain_load(t, bytes, i);
        return;
    }
    CHECK(n % (size_t)f->len == 0);
    struct quant_block b;
    size_t block_bytes = (size_t)dtype_info(t)->block_bytes;
    for (; n > 0; n -= (size_t)f->len, bytes += block_bytes) {
        f->open(bytes, &b);
        for (int g = 0; g < f->len / f->group_len; g++) {
            const int8_t *q = b.q + g * f->group_len;
            double dl = (double)b.d * b.sc[g], ml = (double)b.dmin * b.m[g];
            for (int i = 0; i < f->group_len; i++)
                *out++ = dl * (b.levels ? (double)b.levels[q[i]] : q[i]) - ml;
        }
    }
}

static void plain_store(enum dtype t, uint8_t *bytes, size_t i, float x)
{
    if (t == DTYPE_F32)
        memcpy(bytes + 4 * i, &x, 4);
    else
        store_u16(bytes + 2 * i, t == DTYPE_F16 ? f16_round(x) : bf16_round(x));
}

/* The largest magnitude that a type can hold, whatever the rest of its block. */
static float magnitude_max(enum dtype t)
{
    switch (t) {
    case DTYPE_F32:
    case DTYPE_NF4:
    case DTYPE_FP4:
        return 0x1.fffffep127f;
    case DTYPE_BF16:
        return 0x1.fep127f;
    case DTYPE_MXFP4:
        return 0x1.8p127f;
    case DTYPE_Q8_K:
        return 0x1p120f;
    default:
        return 65504.0f;
    }
}

/* Weights of one block, never all zero. Without importance a little is added for large elements,
 * 0.45 x^2 over its mean (1 for two and three bits): then both the plain error and the one weighted
 * by x^2 are below llama.cpp's for every type (docs/quantization.md). */
static void weights_of(const struct quant_format *f, const float *importance, const float *x,
                       float *w)
{
    int n = f->len;
    float sum = 0, share = f->q_hi < 4 ? 1.0f : 0.45f;
    if (importance) {
        for (int i = 0; i < n; i++)
            sum += importance[i];
        for (int i = 0; sum > 0 && i < n; i++) /* no group's weights are all zero */
            w[i] = fmaxf(importance[i], sum * 0x1p-30f);
        if (sum > 0)
            return;
    }
    sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    float large = sum > 0x1p-100f && sum < 0x1p100f ? share * (float)n / sum : 0;
    for (int i = 0; i < n; i++)
        w[i] = 1 + large * x[i] * x[i];
}

bool quant_encode_row(enum dtype t, const float *in, void *row, size_t n, const float *importance,
                      size_t *bad)
{
    const struct quant_format *f = quant_format(t);
    uint8_t *bytes = row;
    float limit = magnitude_max(t), w[QUANT_LEN_MAX];
    CHECK(quant_decodes(t));
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(in[i]) <= limit)) {
            *bad = i;
            return false;
        }
    if (!f) {
        for (size_t i = 0; i < n; i++)
            plain_store(t, bytes, i, in[i]);
        return true;
    }
    CHECK(n % (size_t)f->len == 0);
    struct quant_block b;
    for (size_t i = 0; i < n; i += (size_t)f->len) {
        weights_of(f, importance ? importance + i : NULL, in + i, w);
        f->encode(f, in + i, w, &b);
        f->pack(&b, bytes);
        bytes += dtype_info(t)->block_bytes;
    }
    return true;
}
