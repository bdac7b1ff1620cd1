/* scalar.c - the definition of matrix products and activations, as plain C.
 *
 * Weights stay in their GGUF blocks, activations are rows of int8 with their scales. Every sum of
 * integers is exact, so only the order of the few float operations matters: per block
 * t = f32(I1) * d - f32(I2) * dmin, then acc += t * dx; 8 segments of blocks, a tree of segments.
 */
#include <string.h>

#include "base/check.h"
#include "device/cpu/isa.h"
#include "device/cpu/scalar.h"
#include "numeric/func.h"
#include "numeric/reduce.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

enum act_kind act_kind_of(enum dtype t)
{
    const struct quant_format *f = quant_format(t);
    if (!f)
        return ACT_F32;
    return f->len == 256 ? ACT_Q256 : ACT_Q32;
}

const struct level_table *level_table(enum dtype t)
{
    /* round(127 level) and 1/127; 120 level and 1/120 (all but the smallest FP4 level exact). */
    static const struct level_table nf4 = {
        {-127, -88, -67, -50, -36, -23, -12, 0, 10, 20, 31, 43, 56, 71, 92, 127}, 0x1.020408p-7f};
    static const struct level_table fp4 = {
        {0, 1, 80, 120, 40, 60, 20, 30, 0, -1, -80, -120, -40, -60, -20, -30}, 0x1.111112p-7f};
    return t == DTYPE_NF4 ? &nf4 : t == DTYPE_FP4 ? &fp4 : NULL;
}

static int8_t quantize_one(float x)
{
    return (int8_t)num_to_int(num_min(num_max(x, -127.0f), 127.0f));
}

/* Largest magnitude of n values; *ok becomes false if one is not finite or too large. */
static float largest(const float *x, uint32_t n, bool *ok)
{
    float a = 0;
    for (uint32_t i = 0; i < n; i++) {
        a = num_max(num_abs(x[i]), a);
        *ok = *ok && num_abs(x[i]) < NUM_LIMIT;
    }
    return a;
}

static void quantize_256(const float *x, struct act256 *b)
{
    bool ok = true;
    float a = largest(x, 256, &ok);
    memset(b, 0, sizeof *b);
    if (a < NUM_TINY)
        return;
    b->d = a * 0x1.020408p-10f; /* 1/1016: the block's largest group has shift 3 */
    float inverse = num_recip(a) * 1016.0f;
    for (int g = 0; g < 8; g++) {
        float part = largest(x + 32 * g, 32, &ok);
        int shift = part * 8.0f <= a ? 0 : part * 4.0f <= a ? 1 : part * 2.0f <= a ? 2 : 3;
        b->shift[g] = (uint8_t)shift;
        for (int i = 32 * g; i < 32 * g + 32; i++) {
            b->q[i] = quantize_one(x[i] * inverse * num_pow2(-shift));
            b->sum[i / 16] = (int16_t)(b->sum[i / 16] + b->q[i]);
        }
    }
}

static void quantize_32(const float *x, struct act32 *b)
{
    bool ok = true;
    float a = largest(x, 32, &ok);
    memset(b, 0, sizeof *b);
    if (a < NUM_TINY)
        return;
    b->d = a * 0x1.020408p-7f; /* 1/127 */
    float inverse = num_recip(a) * 127.0f;
    for (int i = 0; i < 32; i++) {
        b->q[i] = quantize_one(x[i] * inverse);
        b->sum += b->q[i];
    }
}

static size_t act_row_bytes(enum act_kind kind, uint32_t n_cols)
{
    switch (kind) {
    case ACT_Q256:
        CHECK(n_cols % 256 == 0);
        return n_cols / 256 * sizeof(struct act256);
    case ACT_Q32:
        CHECK(n_cols % 32 == 0);
        return n_cols / 32 * sizeof(struct act32);
    default:
        return n_cols * sizeof(float);
    }
}

static size_t scalar_acts_bytes(enum act_kind kind, uint32_t n_rows, uint32_t n_cols)
{
    return n_rows * act_row_bytes(kind, n_cols);
}

static void scalar_quantize(const float *x, size_t stride, struct acts *a, uint32_t row0,
                            uint32_t row1, uint8_t *bad)
{
    size_t n_bytes = act_row_bytes(a->kind, a->n_cols);
    for (uint32_t t = row0; t < row1; t++) {
        const float *row = x + t * stride;
        uint8_t *out = (uint8_t *)a->data + t * n_bytes;
        bool ok = true;
        largest(row, a->n_cols, &ok);
        if (!ok) {
            bad[t] = 1;
            memset(out, 0, n_bytes);
        } else if (a->kind == ACT_Q256) {
            for (uint32_t i = 0; i < a->n_cols / 256; i++)
                quantize_256(row + 256 * i, (struct act256 *)out + i);
        } else if (a->kind == ACT_Q32) {
            for (uint32_t i = 0; i < a->n_cols / 32; i++)
                quantize_32(row + 32 * i, (struct act32 *)out + i);
        } else {
            memcpy(out, row, n_bytes);
        }
    }
}

static size_t scalar_matrix_bytes(enum dtype t, uint32_t n_rows, uint32_t n_cols)
{
    return n_rows * dtype_row_bytes(t, n_cols);
}

static void scalar_matrix_pack(enum dtype t, uint32_t n_rows, uint32_t n_cols, const void *rows,
                               uint32_t row0, uint32_t row1, void *packed)
{
    size_t n_bytes = dtype_row_bytes(t, n_cols);
    const uint8_t *from = (const uint8_t *)rows + row0 * n_bytes;
    uint8_t *to = (uint8_t *)packed + row0 * n_bytes;
    (void)n_rows;
    if (t == DTYPE_F32) /* without subnormals */
        quant_decode_row(t, from, (float *)to, (size_t)(row1 - row0) * n_cols);
    else
        memcpy(to, from, (row1 - row0) * n_bytes);
}

/* The integers of elements [from, from + n) of a block against q: their products weighted by
 * sub-scales (*i1), the activations weighted by sub-minima (*i2). */
static void block_sums(const struct quant_format *f, const struct quant_block *b, const int8_t *w,
                       int from, int n, const int8_t *q, int32_t *i1, int32_t *i2)
{
    for (int i = from; i < from + n; i++) {
        int g = i / f->group_len;
        *i1 += (int32_t)b->sc[g] * w[i] * q[i - from];
        *i2 += (int32_t)b->m[g] * q[i - from];
    }
}

/* The block's integers: the codes themselves, or the levels that they stand for. */
static const int8_t *block_ints(const struct quant_format *f, enum dtype t, struct quant_block *b)
{
    const struct level_table *levels = level_table(t);
    if (levels) {
        for (int i = 0; i < f->len; i++)
            b->q[i] = levels->level[b->q[i] & 15];
        b->d = b->d * levels->unit;
    }
    return b->q;
}

static float block_term(const struct quant_block *b, int32_t i1, int32_t i2)
{
    float t = (float)i1 * b->d;
    return b->dmin != 0 ? t - (float)i2 * b->dmin : t;
}

static float dot_q256(enum dtype t, const uint8_t *row, const struct act256 *x, uint32_t n_blocks)
{
    const struct quant_format *f = quant_format(t);
    int n_bytes = dtype_info(t)->block_bytes;
    float sum[MATMUL_SEGMENTS] = {0};
    for (int s = 0; s < MATMUL_SEGMENTS; s++)
        for (uint32_t i = segment_begin(n_blocks, s); i < segment_begin(n_blocks, s + 1); i++) {
            struct quant_block b;
            f->open(row + i * (size_t)n_bytes, &b);
            const int8_t *w = block_ints(f, t, &b);
            int32_t i1 = 0, i2 = 0;
            for (int g = 0; g < 8; g++) {
                int32_t j1 = 0, j2 = 0;
                block_sums(f, &b, w, 32 * g, 32, x[i].q + 32 * g, &j1, &j2);
                i1 += j1 * (1 << x[i].shift[g]);
                i2 += j2 * (1 << x[i].shift[g]);
            }
            sum[s] += block_term(&b, i1, i2) * x[i].d;
        }
    return segment_tree(sum, n_blocks);
}

/* A block of 256 columns here is 8 of 32, the last may be shorter; the order is by 32. */
static float dot_q32(enum dtype t, const uint8_t *row, const struct act32 *x, uint32_t n_cols)
{
    const struct quant_format *f = quant_format(t);
    int n_bytes = dtype_info(t)->block_bytes, n_per_block = f->len / 32;
    uint32_t n_blocks = (n_cols + MATMUL_BLOCK - 1) / MATMUL_BLOCK, n_groups = n_cols / 32;
    float sum[MATMUL_SEGMENTS] = {0};
    for (int s = 0; s < MATMUL_SEGMENTS; s++) {
        uint32_t end = 8 * segment_begin(n_blocks, s + 1);
        for (uint32_t g = 8 * segment_begin(n_blocks, s); g < end && g < n_groups; g++) {
            struct quant_block b;
            f->open(row + g / n_per_block * (size_t)n_bytes, &b);
            const int8_t *w = block_ints(f, t, &b);
            int32_t i1 = 0, i2 = 0;
            block_sums(f, &b, w, (int)(g % n_per_block) * 32, 32, x[g].q, &i1, &i2);
            sum[s] += block_term(&b, i1, i2) * x[g].d;
        }
    }
    return segment_tree(sum, n_blocks);
}

/* F16 and BF16: one fused multiply-add after another inside a segment. */
static float dot_half(enum dtype t, const uint8_t *row, const float *x, uint32_t n_cols)
{
    uint32_t n_blocks = (n_cols + MATMUL_BLOCK - 1) / MATMUL_BLOCK;
    float sum[MATMUL_SEGMENTS] = {0};
    for (int s = 0; s < MATMUL_SEGMENTS; s++) {
        uint32_t end = MATMUL_BLOCK * segment_begin(n_blocks, s + 1);
        for (uint32_t i = MATMUL_BLOCK * segment_begin(n_blocks, s); i < end && i < n_cols; i++) {
            float w;
            quant_decode_row(t, row + 2 * (size_t)i, &w, 1);
            sum[s] = __builtin_fmaf(w, x[i], sum[s]);
        }
    }
    return segment_tree(sum, n_blocks);
}

static float dot_row(enum dtype t, const uint8_t *row, const uint8_t *acts, uint32_t n_cols)
{
    switch (act_kind_of(t)) {
    case ACT_Q256:
        return dot_q256(t, row, (const struct act256 *)acts, n_cols / 256);
    case ACT_Q32:
        return dot_q32(t, row, (const struct act32 *)acts, n_cols);
    default:
        if (t == DTYPE_F32)
            return reduce_dot((const float *)row, (const float *)acts, n_cols);
        return dot_half(t, row, (const float *)acts, n_cols);
    }
}

static void scalar_matmul(const struct matmul_args *m, uint32_t row0, uint32_t row1)
{
    uint32_t n_cols = m->w->n_cols;
    size_t w_bytes = dtype_row_bytes(m->w->dtype, n_cols);
    size_t a_bytes = act_row_bytes(m->a->kind, n_cols);
    for (uint32_t t = 0; t < m->a->n_rows; t++)
        for (uint32_t n = row0; n < row1; n++) {
            float y = dot_row(m->w->dtype, (const uint8_t *)m->w->data + n * w_bytes,
                              (const uint8_t *)m->a->data + t * a_bytes, n_cols);
            m->y[t * m->stride + n] = m->bias ? y + m->bias[n] : y;
        }
}

void cpu_isa_scalar(struct cpu_isa *isa)
{
    *isa = (struct cpu_isa){
        .name = "scalar",
        .row_step = 1,
        .matrix_bytes = scalar_matrix_bytes,
        .matrix_pack = scalar_matrix_pack,
        .acts_bytes = scalar_acts_bytes,
        .acts_step = 1,
        .quantize = scalar_quantize,
        .matmul = scalar_matmul,
        .rmsnorm = scalar_rmsnorm,
        .layernorm = scalar_layernorm,
        .quantize_head = scalar_quantize_head,
        .kv_write = scalar_kv_write,
        .attention = scalar_attention,
        .glu = scalar_glu,
        .rope = scalar_rope,
        .add = scalar_add,
        .reflect = scalar_reflect,
    };
}
