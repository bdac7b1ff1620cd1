/* quant.c - rows of blocks: decoding by way of the opened block, the check of scales. */
#include "tensor/quant/quant.h"

#include <string.h>

#include "base/check.h"
#include "tensor/quant/layout.h"

static const struct quant_format formats[DTYPE_COUNT] = {
#define QUANT_ROW(type, len, group, q_max, stem) [DTYPE_##type] = {len, group, q_max, stem##_open},
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

bool quant_scale_check(enum dtype t, const void *row, size_t n, size_t *block)
{
    const struct quant_format *f = quant_format(t);
    const uint8_t *bytes = row;
    size_t len = f ? (size_t)f->len : 1, block_bytes = (size_t)dtype_info(t)->block_bytes;
    struct quant_block b;
    for (size_t i = 0; i < n / len; i++, bytes += block_bytes) {
        bool ok;
        if (f) {
            f->open(bytes, &b);
            ok = f32_is_finite(b.d * (float)f->q_max) && f32_is_finite(b.dmin);
        } else {
            ok = f32_is_finite(plain_load(t, bytes, 0));
        }
        if (!ok) {
            *block = i;
            return false;
        }
    }
    return true;
}
