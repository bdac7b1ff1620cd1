/* scalar_attention.c - the definition of the key-value page and of attention over pages.
 *
 * A page of 64 positions is the unit: inside it everything is an exact integer sum; pages combine
 * in order, 8 to a group, groups in order, always by exact powers of two because a page's maximum
 * is rounded up to an integer (docs/arithmetic.md, "Attention"). */
#include <string.h>

#include "base/check.h"
#include "device/cpu/scalar.h"
#include "numeric/fixed.h"
#include "numeric/func.h"

void scalar_hadamard(float *x, uint32_t n)
{
    uint32_t size = hadamard_size(n);
    for (uint32_t base = 0; base < n; base += size)
        for (uint32_t h = 1; h < size; h *= 2)
            for (uint32_t i = 0; i < size; i++)
                if (!(i & h)) {
                    float a = x[base + i], b = x[base + i + h];
                    x[base + i] = a + b;
                    x[base + i + h] = a - b;
                }
}

/* 12-bit integers with one scale; false if a value is not finite. */
static bool quantize_vector(const float *x, uint32_t n, int16_t *q, float *scale)
{
    float a = 0;
    bool ok = true;
    for (uint32_t i = 0; i < n; i++) {
        a = num_max(num_abs(x[i]), a);
        ok = ok && num_abs(x[i]) < NUM_LIMIT;
    }
    *scale = 0;
    memset(q, 0, n * sizeof *q);
    if (!ok || a < NUM_TINY)
        return ok;
    *scale = a * HEAD_UNIT;
    float inverse = num_recip(a) * (float)HEAD_LEVELS;
    for (uint32_t i = 0; i < n; i++)
        q[i] = (int16_t)num_to_int(num_min(num_max(x[i] * inverse, -HEAD_LEVELS), HEAD_LEVELS));
    return true;
}

bool scalar_quantize_head(float *x, uint32_t n, int16_t *q, float *scale)
{
    scalar_hadamard(x, n);
    return quantize_vector(x, n, q, scale);
}

void scalar_kv_write(const struct kv_write_args *a, uint32_t kv_head)
{
    uint32_t e = a->shape.head_size;
    size_t head_offset = a->layer_offset + kv_head * kv_head_bytes(e);
    for (uint32_t t = 0; t < a->n_rows; t++) {
        uint32_t slot = a->rows[t].position % KV_PAGE;
        uint8_t *part = (uint8_t *)a->rows[t].pages[a->rows[t].position / KV_PAGE] + head_offset;
        float *scales = kv_scales(part, e), x[HEAD_SIZE_MAX];
        int16_t k[HEAD_SIZE_MAX], v[HEAD_SIZE_MAX];
        float k_scale, v_scale;
        memcpy(x, a->k + t * a->stride_k + kv_head * e, e * sizeof(float));
        bool ok = scalar_quantize_head(x, e, k, &k_scale);
        ok &= quantize_vector(a->v + t * a->stride_v + kv_head * e, e, v, &v_scale);
        if (!ok)
            a->bad[t] = 1;
        for (uint32_t d = 0; d < e; d++) {
            memcpy(part + kv_key_at(e, slot, d), &k[d], sizeof k[d]);
            memcpy(part + kv_value_at(e, slot, d), &v[d], sizeof v[d]);
        }
        scales[slot] = k_scale;
        scales[KV_PAGE + slot] = v_scale;
        float before = slot ? scales[2 * KV_PAGE + slot - 1] : 0.0f;
        scales[2 * KV_PAGE + slot] = num_max(v_scale, before);
    }
}

float attention_scale(const struct attention_args *a)
{
    struct fx s = fx_div(fx_f64(a->scale), fx_int(hadamard_size(a->shape.head_size)));
    struct fx log2_e = {0xb8aa3b295c17f0bcu, -63, 1};
    return fx_to_f32(a->softcap != 0 ? s : fx_mul(s, log2_e));
}

static void combine(struct gathered *sum, const struct gathered *part, uint32_t e)
{
    float m = num_max(sum->m, part->m);
    float a = softmax_rescale(sum->m, m), b = softmax_rescale(part->m, m);
    sum->l = sum->l * a + part->l * b;
    for (uint32_t d = 0; d < e; d++)
        sum->o[d] = sum->o[d] * a + part->o[d] * b;
    sum->m = m;
}

void page_weights(const struct head_query *h, const int32_t *isum, const float *scales, uint32_t lo,
                  uint32_t hi, int16_t *w, struct gathered *g)
{
    const float *v_scale = scales + KV_PAGE;
    float v_max = scales[2 * KV_PAGE + hi], cap = h->job->args->softcap, s[KV_PAGE];
    float w_unit = v_max < NUM_TINY ? 0.0f : num_recip(v_max) * (float)W_MAX;
    float per_cap = h->job->per_cap, top = -SCORE_MAX;
    int32_t l = 0;
    for (uint32_t i = lo; i <= hi; i++) {
        s[i] = (float)isum[i] * scales[i] * h->scale;
        s[i] = cap != 0 ? num_tanh(s[i] * per_cap) * (cap * 0x1.715476p+0f)
                        : num_min(num_max(s[i], -SCORE_MAX), SCORE_MAX);
        top = i == lo ? s[i] : num_max(s[i], top);
    }
    float m = num_round(top);
    g->m = m < top ? m + 1.0f : m;
    memset(w, 0, KV_PAGE * sizeof *w);
    for (uint32_t i = lo; i <= hi; i++) {
        float p = num_exp2(s[i] - g->m);
        l += num_to_int(p * (float)(1 << P_BITS));
        w[i] = (int16_t)num_to_int(p * (v_scale[i] * w_unit));
    }
    g->l = (float)l * 0x1p-24f;
}

/* Positions [lo, hi] of one page. */
void scalar_page(const struct head_query *h, const uint8_t *part, uint32_t lo, uint32_t hi,
                 struct gathered *g)
{
    uint32_t e = h->job->args->shape.head_size;
    const float *scales = (const float *)(part + KV_PAGE * 2 * (e + kv_round16(e)));
    int32_t isum[KV_PAGE] = {0}, o[HEAD_SIZE_MAX] = {0};
    int16_t w[KV_PAGE];
    for (uint32_t i = lo; i <= hi; i++)
        for (uint32_t d = 0; d < e; d++)
            isum[i] += (int32_t)kv_load(part, kv_key_at(e, i, d)) * h->q[d];
    page_weights(h, isum, scales, lo, hi, w, g);
    for (uint32_t i = lo; i <= hi; i++)
        for (uint32_t d = 0; d < e; d++)
            o[d] += w[i] * kv_load(part, kv_value_at(e, i, d));
    float unit = scales[2 * KV_PAGE + hi] * W_UNIT;
    for (uint32_t d = 0; d < e; d++)
        g->o[d] = (float)o[d] * unit;
}

/* Sums of bounded scores: a non-finite q has made h->scale 0 and the row bad before this. */
static void head_attention(const struct head_query *h, page_fn *gather, const struct kv_row *row,
                           size_t part_offset, uint32_t first, struct gathered *all)
{
    uint32_t e = h->job->args->shape.head_size, last_page = row->position / KV_PAGE;
    bool have_all = false, have_group = false;
    struct gathered group = {0}, page;
    for (uint32_t i = first / KV_PAGE; i <= last_page; i++) {
        uint32_t lo = i == first / KV_PAGE ? first % KV_PAGE : 0;
        uint32_t hi = i == last_page ? row->position % KV_PAGE : KV_PAGE - 1;
        gather(h, (const uint8_t *)row->pages[i] + part_offset, lo, hi, &page);
        if (have_group)
            combine(&group, &page, e);
        else
            group = page;
        have_group = true;
        if (i == last_page || i % KV_PAGES_PER_GROUP == KV_PAGES_PER_GROUP - 1) {
            if (have_all)
                combine(all, &group, e);
            else
                *all = group;
            have_all = true;
            have_group = false;
        }
    }
}

/* A sink is one more score without a value: it only adds to l. */
static void add_sink(struct gathered *all, float sink, uint32_t e)
{
    float s = sink * 0x1.715476p+0f;
    float m = num_round(num_min(num_max(s, -SCORE_MAX), SCORE_MAX));
    struct gathered part = {.m = m < s ? m + 1.0f : m};
    part.l = num_exp2(s - part.m);
    combine(all, &part, e);
}

static void row_attention(const struct attention_unit *u, uint32_t t, page_fn *gather)
{
    const struct attention_args *a = u->job->args;
    uint32_t e = a->shape.head_size, n_shared = a->n_heads / a->shape.n_kv_heads;
    size_t part_offset = a->layer_offset + u->kv_head * kv_head_bytes(e);
    uint32_t first = attention_first(a, &a->rows[t]);
    for (uint32_t h = u->kv_head * n_shared; h < (u->kv_head + 1) * n_shared; h++) {
        struct head_query query = {.job = u->job};
        struct gathered all;
        float x[HEAD_SIZE_MAX], q_scale, *out = a->out + t * a->stride_out + (size_t)h * e;
        memcpy(x, a->q + t * a->stride_q + (size_t)h * e, e * sizeof(float));
        if (!scalar_quantize_head(x, e, query.q, &q_scale))
            a->bad[t] = 1;
        query.scale = q_scale * u->job->score_scale;
        head_attention(&query, gather, &a->rows[t], part_offset, first, &all);
        if (a->sinks)
            add_sink(&all, a->sinks[h], e);
        float r = num_recip(all.l);
        for (uint32_t d = 0; d < e; d++)
            out[d] = all.o[d] * r;
    }
}

void attention_by_page(const struct attention_unit *u, page_fn *gather)
{
    for (uint32_t t = u->row0; t < u->row1; t++)
        row_attention(u, t, gather);
}

void scalar_attention(const struct attention_unit *u)
{
    attention_by_page(u, scalar_page);
}
