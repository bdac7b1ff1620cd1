/* attention.h - attention of a few heads that share keys and values, a page at a time.
 *
 * Per page: scores of 64 positions, weights of 14 bits, sums of values, all by products of int16;
 * then the page joins its group and the group the row, as scalar_attention.c defines. Lanes of a
 * page that the row does not see may hold anything: they get the score -inf and the value scale 0.
 */
#include <math.h>

#include "device/cpu/panel/each.h"
#include "device/cpu/panel/heads.h"

enum { HEADS = 8, VALUE_RUN = 4, N_SCORES = KV_PAGE / LANES };

/* Some of the heads of a row that share a kv head. */
struct heads {
    const struct attention_args *args;
    uint32_t n, e;
    float scale[HEADS], per_cap; /* of q, times the softmax scale */
    _Alignas(64) int16_t q[HEADS][HEAD_SIZE_MAX];
    /* Of the page at hand: */
    _Alignas(64) int32_t sum[HEADS][KV_PAGE];
    _Alignas(64) int16_t w[HEADS][KV_PAGE];
    float m[HEADS], l[HEADS];
    struct gathered group[HEADS], all[HEADS];
};

static const uint8_t *key_vector(const uint8_t *part, uint32_t e, uint32_t v)
{
    return part + (size_t)(v * LANES / 16) * e * 32 + v * LANES % 16 * 4;
}

/* Sums q k of `n` heads from head h, all positions of a page, SCORE_RUN vectors at a time. */
#define SCORE_NAME(i) VI a##i = vi_zero();
#define SCORE_DOT(i)  VI_DOT16_INTO(a##i, k[(i) % SCORE_RUN], q[(i) / SCORE_RUN]);
#define SCORE_KEEP(i) vi_store(g->sum[h + (i) / SCORE_RUN] + (v + (i) % SCORE_RUN) * LANES, a##i);
#define SCORES(n, EACH_CELL)                                                                       \
    static void scores_##n(struct heads *g, uint32_t h, const uint8_t *part)                       \
    {                                                                                              \
        for (uint32_t v = 0; v < N_SCORES; v += SCORE_RUN) {                                       \
            const uint8_t *p[SCORE_RUN];                                                           \
            for (int i = 0; i < SCORE_RUN; i++)                                                    \
                p[i] = key_vector(part, g->e, v + (uint32_t)i);                                    \
            EACH_CELL(SCORE_NAME)                                                                  \
            for (uint32_t d = 0; d < g->e; d += 2) {                                               \
                VI k[SCORE_RUN], q[n];                                                             \
                for (int i = 0; i < SCORE_RUN; i++)                                                \
                    k[i] = vi_load(p[i] + 32 * d);                                                 \
                for (int i = 0; i < n; i++) {                                                      \
                    int32_t word;                                                                  \
                    memcpy(&word, g->q[h + (uint32_t)i] + d, 4);                                   \
                    q[i] = vi_set1(word);                                                          \
                }                                                                                  \
                EACH_CELL(SCORE_DOT)                                                               \
            }                                                                                      \
            EACH_CELL(SCORE_KEEP)                                                                  \
        }                                                                                          \
    }
#if SCORE_RUN == 4
SCORES(4, EACH_16)
SCORES(2, EACH_8)
SCORES(1, EACH_4)
#else
SCORES(4, EACH_8)
SCORES(2, EACH_4)
SCORES(1, EACH_2)
#endif

/* Weighted sums of values of `n` heads from head h, RUN vectors of dimensions from vector v, over
 * pairs of positions [from, to). Cell i: head i / RUN, vector i % RUN. */
#define VALUE_NAME(i) VI a##i = vi_zero();
#define VALUE_DOT(i)  VI_DOT16_INTO(a##i, w[(i) / RUN], x[(i) % RUN]);
#define VALUE_KEEP(i) sum[i] = a##i;
#define VALUES(name, n, RUN_, EACH_CELL)                                                           \
    static void name(const struct heads *g, uint32_t h, const uint8_t *values, uint32_t v,         \
                     uint32_t from, uint32_t to, VI *sum)                                          \
    {                                                                                              \
        enum { RUN = RUN_ };                                                                       \
        size_t step = 4 * kv_round16(g->e);                                                        \
        EACH_CELL(VALUE_NAME)                                                                      \
        for (uint32_t p = from; p < to; p++) {                                                     \
            VI x[RUN], w[n];                                                                       \
            for (int i = 0; i < RUN; i++)                                                          \
                x[i] = vi_load(values + p * step + (v + (uint32_t)i) * VEC_BYTES);                 \
            for (int i = 0; i < n; i++) {                                                          \
                int32_t word;                                                                      \
                memcpy(&word, g->w[h + (uint32_t)i] + 2 * p, 4);                                   \
                w[i] = vi_set1(word);                                                              \
            }                                                                                      \
            EACH_CELL(VALUE_DOT)                                                                   \
        }                                                                                          \
        EACH_CELL(VALUE_KEEP)                                                                      \
    }
#if VALUE_HEADS == 4
VALUES(values_wide_4, 4, VALUE_RUN, EACH_16)
VALUES(values_narrow_4, 4, 1, EACH_4)
#endif
VALUES(values_wide_2, 2, VALUE_RUN, EACH_8)
VALUES(values_narrow_2, 2, 1, EACH_2)
VALUES(values_wide_1, 1, VALUE_RUN, EACH_4)
VALUES(values_narrow_1, 1, 1, EACH_1)

typedef void values_fn(const struct heads *g, uint32_t h, const uint8_t *values, uint32_t v,
                       uint32_t from, uint32_t to, VI *sum);

static values_fn *values_of(uint32_t n, bool wide)
{
#if VALUE_HEADS == 4
    if (n == 4)
        return wide ? values_wide_4 : values_narrow_4;
#endif
    return n == 2 ? wide ? values_wide_2 : values_narrow_2 : wide ? values_wide_1 : values_narrow_1;
}

/* From the sums of head h to m, l and w of the page's positions [lo, hi]. */
static void head_weights(struct heads *g, uint32_t h, const float *k_scale, uint32_t lo,
                         uint32_t hi)
{
    const float *v_scale = k_scale + KV_PAGE;
    float v_max = v_scale[KV_PAGE + hi], cap = g->args->softcap;
    VF s[N_SCORES], each = vf_set1(g->scale[h]), top = vf_set1(-INFINITY);
    for (int v = 0; v < N_SCORES; v++) {
        VM seen = vm_range(v, lo, hi);
        VF sum = vi_to_f(vi_load(g->sum[h] + v * LANES));
        s[v] = vf_mul(vf_mul(sum, vf_load(k_scale + v * LANES)), each);
        if (cap != 0)
            s[v] =
                vf_mul(vf_tanh(vf_mul(s[v], vf_set1(g->per_cap))), vf_set1(cap * 0x1.715476p+0f));
        else
            s[v] = vf_clamp(s[v], -SCORE_MAX, SCORE_MAX);
        s[v] = vf_pick(seen, s[v], vf_set1(-INFINITY));
        top = vf_max(s[v], top);
    }
    float most = vf_top(top), m = num_round(most);
    m = m < most ? m + 1.0f : m;
    VF w_unit = vf_set1(v_max < NUM_TINY ? 0.0f : num_recip(v_max) * (float)W_MAX);
    VI l = vi_zero();
    for (int v = 0; v < N_SCORES; v++) {
        VF p = vf_exp2(vf_sub(s[v], vf_set1(m)));
        VF x = vf_pick(vm_range(v, lo, hi), vf_load(v_scale + v * LANES), vf_zero());
        VI w = vf_to_i(vf_mul(p, vf_mul(x, w_unit)));
        l = vi_add(l, vf_to_i(vf_mul(p, vf_set1(0x1p24f))));
        vi_store_i16(g->w[h] + v * LANES, w);
    }
    g->m[h] = m;
    g->l[h] = (float)vi_sum(l) * 0x1p-24f;
}

/* Adds l * 2^m and makes room for its vector: factors for what is there and what comes. */
static void combine_scalars(struct gathered *sum, float m, float l, float *a, float *b)
{
    float top = num_max(sum->m, m);
    *a = softmax_rescale(sum->m, top);
    *b = softmax_rescale(m, top);
    sum->l = sum->l * *a + l * *b;
    sum->m = top;
}

static void combine_vectors(float *o, VF add, float a, float b)
{
    vf_store(o, vf_add(vf_mul(vf_load(o), vf_set1(a)), vf_mul(add, vf_set1(b))));
}

/* The page's sums of values join the group of heads [h, h + n). `fresh`: as its first page. */
static void page_values(struct heads *g, uint32_t h, uint32_t n, const uint8_t *part, float v_max,
                        uint32_t lo, uint32_t hi, bool fresh)
{
    uint32_t n_vectors = kv_round16(g->e) / LANES;
    const uint8_t *values = part + (size_t)KV_PAGE * 2 * g->e;
    VF unit = vf_set1(v_max * W_UNIT);
    float a[VALUE_HEADS] = {0}, b[VALUE_HEADS] = {0};
    for (uint32_t i = 0; i < n; i++)
        if (!fresh)
            combine_scalars(&g->group[h + i], g->m[h + i], g->l[h + i], &a[i], &b[i]);
    for (uint32_t v = 0, run; v < n_vectors; v += run) {
        VI sum[VALUE_HEADS * VALUE_RUN];
        run = n_vectors - v >= VALUE_RUN ? VALUE_RUN : 1;
        values_of(n, run > 1)(g, h, values, v, lo / 2, hi / 2 + 1, sum);
        for (uint32_t i = 0; i < n * run; i++) {
            VF o = vf_mul(vi_to_f(sum[i]), unit);
            float *to = g->group[h + i / run].o + (v + i % run) * LANES;
            if (fresh)
                vf_store(to, o);
            else
                combine_vectors(to, o, a[i / run], b[i / run]);
        }
    }
    for (uint32_t i = 0; fresh && i < n; i++) {
        g->group[h + i].m = g->m[h + i];
        g->group[h + i].l = g->l[h + i];
    }
}

static void page_gather(struct heads *g, const uint8_t *part, uint32_t lo, uint32_t hi, bool fresh)
{
    const float *scales = (const float *)(part + KV_PAGE * 2 * (g->e + kv_round16(g->e)));
    for (uint32_t h = 0, n; h < g->n; h += n) {
        n = g->n - h >= 4 ? 4 : g->n - h >= 2 ? 2 : 1;
        (n == 4 ? scores_4 : n == 2 ? scores_2 : scores_1)(g, h, part);
    }
    for (uint32_t h = 0; h < g->n; h++)
        head_weights(g, h, scales, lo, hi);
    for (uint32_t h = 0, n; h < g->n; h += n) {
        n = g->n - h >= VALUE_HEADS ? VALUE_HEADS : g->n - h >= 2 ? 2 : 1;
        page_values(g, h, n, part, scales[2 * KV_PAGE + hi], lo, hi, fresh);
    }
}

static void combine(struct gathered *sum, const struct gathered *part, uint32_t e)
{
    float a, b;
    combine_scalars(sum, part->m, part->l, &a, &b);
    for (uint32_t d = 0; d < e; d += LANES)
        combine_vectors(sum->o + d, vf_load(part->o + d), a, b);
}

static void copy(struct gathered *to, const struct gathered *from, uint32_t e)
{
    to->m = from->m;
    to->l = from->l;
    memcpy(to->o, from->o, kv_round16(e) * sizeof to->o[0]);
}

static void heads_gather(struct heads *g, const struct kv_row *row, size_t part_offset,
                         uint32_t first)
{
    uint32_t first_page = first / KV_PAGE, last_page = row->position / KV_PAGE;
    bool have_all = false, have_group = false;
    for (uint32_t i = first_page; i <= last_page; i++) {
        uint32_t lo = i == first_page ? first % KV_PAGE : 0;
        uint32_t hi = i == last_page ? row->position % KV_PAGE : KV_PAGE - 1;
        page_gather(g, (const uint8_t *)row->pages[i] + part_offset, lo, hi, !have_group);
        have_group = true;
        if (i != last_page && i % KV_PAGES_PER_GROUP != KV_PAGES_PER_GROUP - 1)
            continue;
        for (uint32_t h = 0; h < g->n; h++)
            if (have_all)
                combine(&g->all[h], &g->group[h], g->e);
            else
                copy(&g->all[h], &g->group[h], g->e);
        have_all = true;
        have_group = false;
    }
}

/* A sink is one more score without a value: it only adds to l, and its vector is zero. */
static void add_sink(struct gathered *all, float sink, uint32_t e)
{
    float s = sink * 0x1.715476p+0f, a, b;
    float m = num_round(num_min(num_max(s, -SCORE_MAX), SCORE_MAX));
    m = m < s ? m + 1.0f : m;
    combine_scalars(all, m, num_exp2(s - m), &a, &b);
    for (uint32_t d = 0; d < e; d += LANES)
        combine_vectors(all->o + d, vf_zero(), a, b);
}

static void rows_attention(const struct attention_args *a, uint32_t t, uint32_t kv_head)
{
    uint32_t e = a->shape.head_size, n_shared = a->n_heads / a->shape.n_kv_heads;
    uint32_t position = a->rows[t].position;
    uint32_t first = a->window && position + 1 > a->window ? position + 1 - a->window : 0;
    float softmax_scale = attention_scale(a);
    struct heads g = {.args = a, .e = e};
    g.per_cap = a->softcap != 0 ? num_recip(a->softcap) : 0.0f;
    uint32_t head = kv_head * n_shared, end = head + n_shared;
    for (; head < end; head += g.n) {
        g.n = end - head < HEADS ? end - head : HEADS;
        for (uint32_t h = 0; h < g.n; h++) {
            struct head x;
            float q_scale;
            head_load(&x, a->q + t * a->stride_q + (size_t)(head + h) * e, e);
            head_hadamard(&x, e);
            if (!head_quantize(&x, e, &q_scale))
                a->bad[t] = 1;
            g.scale[h] = q_scale * softmax_scale;
            memcpy(g.q[h], x.q, e * sizeof x.q[0]);
        }
        heads_gather(&g, &a->rows[t], a->layer_offset + kv_head * kv_head_bytes(e), first);
        for (uint32_t h = 0; h < g.n; h++) {
            float *out = a->out + t * a->stride_out + (size_t)(head + h) * e;
            if (a->sinks)
                add_sink(&g.all[h], a->sinks[head + h], e);
            float r = num_recip(g.all[h].l);
            for (uint32_t d = 0; d < e; d++)
                out[d] = g.all[h].o[d] * r;
        }
    }
}
