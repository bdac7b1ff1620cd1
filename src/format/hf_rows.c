/* hf_rows.c - rows of a GGUF tensor out of the tensors of a folder. */
#include "format/hf_rows.h"

#include "base/check.h"
#include "base/mem.h"
#include "format/gguf_write.h"
#include "tensor/half.h"

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static float load_float(enum dtype t, const uint8_t *p)
{
    float x;
    if (t == DTYPE_F16)
        return f16_widen(load16(p));
    if (t == DTYPE_BF16)
        return f32_from_bits((uint32_t)load16(p) << 16);
    memcpy(&x, p, sizeof x);
    return x;
}

static void store_float(enum dtype t, uint8_t *p, float x)
{
    if (t == DTYPE_F32) {
        memcpy(p, &x, sizeof x);
        return;
    }
    uint16_t h = t == DTYPE_F16 ? f16_round(x) : bf16_round(x);
    memcpy(p, &h, sizeof h);
}

void floats_convert(enum dtype from, const void *in, enum dtype to, void *out, size_t n)
{
    size_t from_bytes = (size_t)dtype_info(from)->block_bytes;
    size_t to_bytes = (size_t)dtype_info(to)->block_bytes;
    if (from == to) {
        memcpy(out, in, n * from_bytes);
        return;
    }
    const uint8_t *p = in;
    uint8_t *q = out;
    for (size_t i = 0; i < n; i++)
        store_float(to, q + i * to_bytes, load_float(from, p + i * from_bytes));
}

/* gpt-oss keeps elements 2j and 2j + 1 in byte j; GGUF's block keeps j and j + 16. */
static void mxfp4_row(const struct hf_source *s, uint64_t row, uint8_t *out)
{
    uint64_t n_blocks = s->k / 32;
    const uint8_t *codes = s->data + row * n_blocks * 16, *scales = s->scales + row * n_blocks;
    for (uint64_t b = 0; b < n_blocks; b++, codes += 16, out += 17) {
        out[0] = scales[b];
        for (int j = 0; j < 16; j++) {
            uint8_t low = codes[j / 2] >> 4 * (j & 1) & 15;
            uint8_t high = codes[8 + j / 2] >> 4 * (j & 1) & 15;
            out[1 + j] = (uint8_t)(low | high << 4);
        }
    }
}

static void bnb_row(const struct hf_source *s, uint64_t row, uint8_t *out)
{
    uint64_t n_blocks = s->k / 64;
    for (uint64_t b = row * n_blocks; b < (row + 1) * n_blocks; b++, out += 36) {
        memcpy(out, &s->floats[b], 4);
        memcpy(out + 4, s->data + 32 * b, 32);
    }
}

static void column(const struct hf_source *s, uint64_t row, uint8_t *out)
{
    size_t size = (size_t)dtype_info(s->dtype)->block_bytes;
    uint64_t first = row / s->n_columns * s->k * s->n_columns + row % s->n_columns;
    const uint8_t *p = s->data + first * size;
    for (uint64_t i = 0; i < s->k; i++)
        memcpy(out + i * size, p + i * s->n_columns * size, size);
}

/* One row as the source has it, in its dtype. */
static void source_row(const struct hf_source *s, uint64_t row, uint8_t *out)
{
    size_t n = dtype_row_bytes(s->dtype, s->k);
    DCHECK(row < s->n_rows);
    switch (s->kind) {
    case HF_SOURCE_ROWS:
        memcpy(out, s->data + row * n, n);
        break;
    case HF_SOURCE_COLUMNS:
        column(s, row, out);
        break;
    case HF_SOURCE_MXFP4:
        mxfp4_row(s, row, out);
        break;
    case HF_SOURCE_BNB:
        bnb_row(s, row, out);
        break;
    }
}

/* Where unit u of the whole GGUF tensor comes from: a source, and a unit of all of its units. */
static uint64_t source_unit(const struct hf_recipe *r, uint64_t u, const struct hf_source **s)
{
    uint64_t slice = u / r->n_units, i = u % r->n_units;
    if (r->head_dim) {
        uint64_t j = i % r->head_dim;
        i += j % 2 * (r->head_dim / 2) + j / 2 - j;
    }
    i = r->offset + r->stride * i;
    *s = r->n_sources > 1 ? &r->sources[slice] : r->sources;
    return r->n_sources > 1 ? i : slice * r->n_source_units + i;
}

bool hf_recipe_is_view(const struct hf_recipe *r, const void **data)
{
    if (r->view.data) {
        *data = r->view.data;
        return true;
    }
    const struct hf_source *s = r->sources;
    *data = s->data;
    return r->n_sources == 1 && s->kind == HF_SOURCE_ROWS && s->dtype == r->view.dtype &&
           !r->head_dim && !r->plus_one && r->stride == 1 && r->n_units == r->n_source_units &&
           (uintptr_t)s->data % (size_t)dtype_info(s->dtype)->block_bytes == 0;
}

static void elements(const struct hf_recipe *r, uint64_t first, uint64_t n, uint8_t *out)
{
    size_t size = (size_t)dtype_info(r->view.dtype)->block_bytes;
    for (uint64_t u = 0; u < n; u++) {
        const struct hf_source *s;
        uint64_t from = source_unit(r, first + u, &s);
        const uint8_t *p = s->data + from * (size_t)dtype_info(s->dtype)->block_bytes;
        float x = load_float(s->dtype, p);
        store_float(r->view.dtype, out + u * size, r->plus_one ? x + 1.0f : x);
    }
}

void hf_recipe_rows(const struct hf_recipe *r, uint64_t row, uint64_t n_rows, void *out)
{
    uint64_t k = r->view.dim[0];
    size_t n_bytes = dtype_row_bytes(r->view.dtype, k);
    if (r->view.data) {
        memcpy(out, (const uint8_t *)r->view.data + row * n_bytes, n_rows * n_bytes);
        return;
    }
    if (r->by_element) {
        elements(r, row * k, n_rows * k, out);
        return;
    }
    for (uint64_t i = 0; i < n_rows; i++) {
        const struct hf_source *s;
        uint8_t *to = (uint8_t *)out + i * n_bytes;
        uint64_t from = source_unit(r, row + i, &s);
        if (s->dtype == r->view.dtype) {
            source_row(s, from, to);
        } else { /* widening, from plain rows: the router */
            CHECK(s->kind == HF_SOURCE_ROWS);
            floats_convert(s->dtype, s->data + from * dtype_row_bytes(s->dtype, k), r->view.dtype,
                           to, k);
        }
    }
}
