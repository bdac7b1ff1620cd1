/* matmul.c - matrix products with NEON's dot product (ARMv8.2 sdot) on GGUF blocks in place.
 *
 * A block of weights is opened to int8 once and multiplied with a tile of tokens, so that opening
 * it costs little on prompts. Integer sums are free of order; the float steps are scalar.c's. */
#include <string.h>

#include "base/check.h"
#include "device/cpu/arm_neon/neon.h"
#include "device/cpu/arm_neon/vec.h"
#include "device/cpu/panel/lanes.h"
#include "device/cpu/scalar.h"
#include "numeric/func.h"
#include "numeric/reduce.h"
#include "tensor/quant/quant.h"

enum { TILE = 16 };

/* sum[i] += w . q of elements [16 g, 16 g + 16), times the group's scale, per lane. */
static int32x4_t group_dot(int32x4_t sum, const int8_t *w, const int8_t *q, int scale)
{
    int32x4_t dot = vdotq_s32(vdupq_n_s32(0), vld1q_s8(w), vld1q_s8(q));
    return vmlaq_n_s32(sum, dot, scale);
}

/* t = f32(I1) d - f32(I2) dmin for one block of 256. */
static float block_256(const struct quant_block *b, int group_len, const struct act256 *x)
{
    int32x4_t i1 = vdupq_n_s32(0);
    int32_t i2 = 0;
    for (int g = 0; g < 8; g++) {
        int a = 32 * g / group_len, c = (32 * g + 16) / group_len;
        int32x4_t part = group_dot(vdupq_n_s32(0), b->q + 32 * g, x->q + 32 * g, b->sc[a]);
        part = group_dot(part, b->q + 32 * g + 16, x->q + 32 * g + 16, b->sc[c]);
        i1 = vaddq_s32(i1, vshlq_s32(part, vdupq_n_s32(x->shift[g])));
        i2 += (b->m[a] * x->sum[2 * g] + b->m[c] * x->sum[2 * g + 1]) * (1 << x->shift[g]);
    }
    float t = (float)vaddvq_s32(i1) * b->d;
    return b->dmin != 0 ? t - (float)i2 * b->dmin : t;
}

static float group_32(const struct quant_block *b, const int8_t *w, const struct act32 *x)
{
    int32x4_t dot = vdotq_s32(vdupq_n_s32(0), vld1q_s8(w), vld1q_s8(x->q));
    dot = vdotq_s32(dot, vld1q_s8(w + 16), vld1q_s8(x->q + 16));
    float t = (float)(vaddvq_s32(dot) * b->sc[0]) * b->d;
    return b->dmin != 0 ? t - (float)(x->sum * b->m[0]) * b->dmin : t;
}

/* One weight row against `n` rows of activations; n_cols a multiple of 256. */
static void row_256(const struct matrix *w, uint32_t row, const struct act256 *x, uint32_t n,
                    float *y)
{
    const struct quant_format *f = quant_format(w->dtype);
    uint32_t n_blocks = w->n_cols / 256;
    size_t n_bytes = (size_t)dtype_info(w->dtype)->block_bytes;
    const uint8_t *bytes = (const uint8_t *)w->data + row * dtype_row_bytes(w->dtype, w->n_cols);
    float sum[TILE][MATMUL_SEGMENTS] = {0};
    for (int s = 0; s < MATMUL_SEGMENTS; s++)
        for (uint32_t i = segment_begin(n_blocks, s); i < segment_begin(n_blocks, s + 1); i++) {
            struct quant_block b;
            f->open(bytes + i * n_bytes, &b);
            for (uint32_t t = 0; t < n; t++) {
                const struct act256 *a = x + t * n_blocks + i;
                sum[t][s] += block_256(&b, f->group_len, a) * a->d;
            }
        }
    for (uint32_t t = 0; t < n; t++)
        y[t] = segment_tree(sum[t], n_blocks);
}

static void row_32(const struct matrix *w, uint32_t row, const struct act32 *x, uint32_t n,
                   float *y)
{
    const struct quant_format *f = quant_format(w->dtype);
    const struct level_table *levels = level_table(w->dtype);
    uint32_t n_groups = w->n_cols / 32, n_blocks = (w->n_cols + 255) / 256;
    uint32_t n_per_block = (uint32_t)f->len / 32;
    size_t n_bytes = (size_t)dtype_info(w->dtype)->block_bytes;
    const uint8_t *bytes = (const uint8_t *)w->data + row * dtype_row_bytes(w->dtype, w->n_cols);
    float sum[TILE][MATMUL_SEGMENTS] = {0};
    for (int s = 0; s < MATMUL_SEGMENTS; s++) {
        uint32_t end = 8 * segment_begin(n_blocks, s + 1);
        for (uint32_t g = 8 * segment_begin(n_blocks, s); g < end && g < n_groups; g++) {
            struct quant_block b;
            f->open(bytes + g / n_per_block * n_bytes, &b);
            int8_t *ints = b.q + g % n_per_block * 32;
            for (int i = 0; levels && i < 32; i++)
                ints[i] = levels->level[ints[i] & 15];
            b.d = levels ? b.d * levels->unit : b.d;
            for (uint32_t t = 0; t < n; t++) {
                const struct act32 *a = x + t * n_groups + g;
                sum[t][s] += group_32(&b, ints, a) * a->d;
            }
        }
    }
    for (uint32_t t = 0; t < n; t++)
        y[t] = segment_tree(sum[t], n_blocks);
}

/* Four tokens at once where there are as many: a chain of fmas alone waits for itself. */
static void chains(const float w[256][LANES], const float *x, size_t stride, uint32_t len,
                   uint32_t n, float32x4_t *acc)
{
    if (n < 4) {
        for (uint32_t t = 0; t < n; t++)
            for (uint32_t k = 0; k < len; k++)
                acc[t] = vfmaq_n_f32(acc[t], vld1q_f32(w[k]), x[t * stride + k]);
        return;
    }
    float32x4_t a = acc[0], b = acc[1], c = acc[2], d = acc[3];
    for (uint32_t k = 0; k < len; k++, x++) {
        float32x4_t weight = vld1q_f32(w[k]);
        a = vfmaq_n_f32(a, weight, x[0]);
        b = vfmaq_n_f32(b, weight, x[stride]);
        c = vfmaq_n_f32(c, weight, x[2 * stride]);
        d = vfmaq_n_f32(d, weight, x[3 * stride]);
    }
    acc[0] = a, acc[1] = b, acc[2] = c, acc[3] = d;
}

/* Halves: up to LANES rows side by side, widened a block at a time, one fma after another per
 * token and row. */
static void rows_half(const struct matrix *w, uint32_t row, uint32_t n_rows, const float *x,
                      uint32_t n, float y[TILE][LANES])
{
    uint32_t n_cols = w->n_cols, n_blocks = (n_cols + 255) / 256;
    size_t row_bytes = dtype_row_bytes(w->dtype, n_cols);
    const uint8_t *bytes = (const uint8_t *)w->data + row * row_bytes;
    float sum[LANES][TILE][MATMUL_SEGMENTS] = {0};
    for (int s = 0; s < MATMUL_SEGMENTS; s++) {
        float32x4_t acc[TILE];
        for (uint32_t t = 0; t < n; t++)
            acc[t] = vdupq_n_f32(0);
        for (uint32_t i = segment_begin(n_blocks, s); i < segment_begin(n_blocks, s + 1); i++) {
            float wide[256], side_by_side[256][LANES] = {0};
            uint32_t from = 256 * i, len = n_cols - from < 256 ? n_cols - from : 256;
            for (uint32_t r = 0; r < n_rows; r++) {
                quant_decode_row(w->dtype, bytes + r * row_bytes + 2 * (size_t)from, wide, len);
                for (uint32_t k = 0; k < len; k++)
                    side_by_side[k][r] = wide[k];
            }
            for (uint32_t t = 0; t < n; t += 4)
                chains(side_by_side, x + (size_t)t * n_cols + from, n_cols, len, n - t, acc + t);
        }
        for (uint32_t t = 0; t < n; t++)
            for (uint32_t r = 0; r < LANES; r++)
                sum[r][t][s] = acc[t][r];
    }
    for (uint32_t t = 0; t < n; t++)
        for (uint32_t r = 0; r < LANES; r++)
            y[t][r] = segment_tree(sum[r][t], n_blocks);
}

static void tile_row(const struct matmul_args *m, uint32_t row, uint32_t t, uint32_t n, float *y)
{
    const struct matrix *w = m->w;
    uint32_t k = w->n_cols;
    if (m->a->kind == ACT_Q256) {
        row_256(w, row, (const struct act256 *)m->a->data + (size_t)t * (k / 256), n, y);
    } else if (m->a->kind == ACT_Q32) {
        row_32(w, row, (const struct act32 *)m->a->data + (size_t)t * (k / 32), n, y);
    } else {
        const float *wide = (const float *)w->data + (size_t)row * k;
        for (uint32_t i = 0; i < n; i++)
            y[i] = dot_lanes(wide, (const float *)m->a->data + (size_t)(t + i) * k, k);
    }
}

static void store(const struct matmul_args *m, uint32_t row, uint32_t t, float y)
{
    m->y[t * m->stride + row] = m->bias ? y + m->bias[row] : y;
}

static void matmul_half(const struct matmul_args *m, uint32_t row0, uint32_t row1)
{
    const float *x = m->a->data;
    for (uint32_t row = row0; row < row1; row += LANES) {
        uint32_t n_rows = row1 - row < LANES ? row1 - row : LANES;
        for (uint32_t t = 0; t < m->a->n_rows; t += TILE) {
            uint32_t n = m->a->n_rows - t < TILE ? m->a->n_rows - t : TILE;
            float y[TILE][LANES];
            rows_half(m->w, row, n_rows, x + (size_t)t * m->w->n_cols, n, y);
            for (uint32_t i = 0; i < n * n_rows; i++)
                store(m, row + i % n_rows, t + i / n_rows, y[i / n_rows][i % n_rows]);
        }
    }
}

void neon_matmul(const struct matmul_args *m, uint32_t row0, uint32_t row1)
{
    if (m->w->dtype == DTYPE_F16 || m->w->dtype == DTYPE_BF16) {
        matmul_half(m, row0, row1);
        return;
    }
    for (uint32_t t = 0; t < m->a->n_rows; t += TILE) {
        uint32_t n = m->a->n_rows - t < TILE ? m->a->n_rows - t : TILE;
        for (uint32_t row = row0; row < row1; row++) {
            float y[TILE];
            tile_row(m, row, t, n, y);
            for (uint32_t i = 0; i < n; i++)
                store(m, row, t + i, y[i]);
        }
    }
}
