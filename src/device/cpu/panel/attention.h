/* attention.h - attention of a block of query heads that share keys and values, page after page.
 *
 * A block is the query heads of one kv head, of rows that see the same pages: a page's keys and
 * values are read once for all of them. Per page: scores of 64 positions, weights of 14 bits, sums
 * of values, all by products of int16; then the page joins its group and the group the row, as
 * scalar_attention.c defines. Positions of a page that a row does not see may hold anything: they
 * get the score -inf and the weight 0. All along, the next page is fetched from memory, a few lines
 * at each step of the loops over keys and values. */
#include <math.h>

#include "device/cpu/panel/each.h"
#include "device/cpu/panel/heads.h"

enum {
    QUERIES = ATTENTION_QUERIES,
    TILE_QUERIES = 4,
    VALUE_RUN = 4,
    N_SCORES = KV_PAGE / LANES,
    LINE_BYTES = 64,
    VECTOR_BYTES = 4 * LANES,
};

/* Sums so far of a query: softmax weights are l * 2^m; its vector lies in an array of vectors. */
struct sums {
    _Alignas(64) float m[QUERIES], l[QUERIES];
    _Alignas(64) float o[QUERIES * HEAD_SIZE_MAX];
};

/* The lines of the next page that are still to be fetched; n_lines at each step: 1, 2 or 4. */
struct fetch {
    const uint8_t *at, *last;
    uint32_t n_lines;
};

struct block {
    const struct attention_job *job;
    uint32_t e, width;       /* head size, and that up to 16: elements between two queries */
    uint32_t row0, n_rows;   /* rows of the operation */
    uint32_t head0, n_heads; /* of each row: query r * n_heads + h */
    uint32_t n;              /* queries */
    uint32_t first_page, last_page;
    size_t part_offset;                /* of the kv head in a page */
    uint32_t lo[QUERIES], hi[QUERIES]; /* positions of the page at hand that each row sees */
    float scale[QUERIES];              /* of q, times the softmax scale */
    _Alignas(64) int16_t q[QUERIES * HEAD_SIZE_MAX];
    /* Of the page at hand: */
    _Alignas(64) float s[QUERIES][KV_PAGE];
    _Alignas(64) int16_t w[QUERIES][KV_PAGE];
    _Alignas(64) float v_weight[KV_PAGE]; /* value scales as weights, of one row */
    _Alignas(64) float m[QUERIES];
    int32_t l[QUERIES];                 /* times 2^24 */
    float keep[QUERIES], unit[QUERIES]; /* what the group is scaled by, what joins it */
    struct sums group, all;
    struct fetch fetch;
};

static const uint8_t *key_vector(const uint8_t *part, uint32_t e, uint32_t v)
{
    return part + (size_t)(v * LANES / 16) * e * 32 + v * LANES % 16 * 4;
}

/* Bytes from a vector of keys to the j-th after it, where the first begins a quarter. */
#define KEY_STEP(j, e) ((size_t)((j)*LANES / 16) * (e)*32 + (j)*LANES % 16 * 4)

static inline const uint8_t *fetch_lines(const uint8_t *at, const uint8_t *last, uint32_t n_lines)
{
    prefetch(at);
    if (n_lines > 1)
        prefetch(at + LINE_BYTES);
    if (n_lines > 2) {
        prefetch(at + 2 * LINE_BYTES);
        prefetch(at + 3 * LINE_BYTES);
    }
    return at < last ? at + n_lines * LINE_BYTES : at;
}

/* Scores of `n` queries from query i, all positions of a page, SCORE_RUN vectors at a time. Cell c:
 * query c / SCORE_RUN, vector c % SCORE_RUN. */
#define SCORE_NAME(c) VI a##c = vi_zero();
#define SCORE_DOT(c)  VI_DOT16_INTO(a##c, k[(c) % SCORE_RUN], q[(c) / SCORE_RUN]);
#define SCORE_KEEP(c)                                                                              \
    vf_store(b->s[i + (c) / SCORE_RUN] + (v + (c) % SCORE_RUN) * LANES,                            \
             vf_mul(vf_mul(vi_to_f(a##c), vf_load(k_scale + (v + (c) % SCORE_RUN) * LANES)),       \
                    vf_set1(b->scale[i + (c) / SCORE_RUN])));
#define SCORES(n, EACH_CELL)                                                                       \
    static void scores_##n(struct block *b, uint32_t i, const uint8_t *part, const float *k_scale) \
    {                                                                                              \
        uint32_t e = b->e;                                                                         \
        struct fetch fetch = b->fetch;                                                             \
        for (uint32_t v = 0; v < N_SCORES; v += SCORE_RUN) {                                       \
            const uint8_t *p = key_vector(part, e, v);                                             \
            const int16_t *x = b->q + i * b->width;                                                \
            EACH_CELL(SCORE_NAME)                                                                  \
            for (uint32_t d = 0; d < e; d += 2, p += LINE_BYTES) {                                 \
                VI k[SCORE_RUN], q[n];                                                             \
                for (int j = 0; j < SCORE_RUN; j++)                                                \
                    k[j] = vi_load(p + KEY_STEP(j, e));                                            \
                for (uint32_t j = 0; j < n; j++) {                                                 \
                    int32_t word;                                                                  \
                    memcpy(&word, x + j * b->width + d, 4);                                        \
                    q[j] = vi_set1(word);                                                          \
                }                                                                                  \
                fetch.at = fetch_lines(fetch.at, fetch.last, fetch.n_lines);                       \
                EACH_CELL(SCORE_DOT)                                                               \
            }                                                                                      \
            EACH_CELL(SCORE_KEEP)                                                                  \
        }                                                                                          \
        b->fetch.at = fetch.at;                                                                    \
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

/* Weighted sums of values of `n` queries from query i, RUN vectors of dimensions from vector v,
 * over pairs of positions [from, to); they join the group. Cell c: query c / RUN, vector c % RUN.
 */
#define VALUE_NAME(c) VI a##c = vi_zero();
#define VALUE_DOT(c)  VI_DOT16_INTO(a##c, x[(c) % RUN], w[(c) / RUN]);
#define VALUE_KEEP(c)                                                                              \
    {                                                                                              \
        float *o = b->group.o + (i + (c) / RUN) * b->width + (v + (c) % RUN) * LANES;              \
        VF add = vf_mul(vi_to_f(a##c), vf_set1(b->unit[i + (c) / RUN]));                           \
        vf_store(o,                                                                                \
                 fresh ? add : vf_add(vf_mul(vf_load(o), vf_set1(b->keep[i + (c) / RUN])), add));  \
    }
#define VALUES(name, n, RUN_, EACH_CELL)                                                           \
    static void name(struct block *b, uint32_t i, const uint8_t *values, uint32_t v,               \
                     uint32_t from, uint32_t to, bool fresh)                                       \
    {                                                                                              \
        enum { RUN = RUN_ };                                                                       \
        size_t step = 4 * b->width;                                                                \
        struct fetch fetch = b->fetch;                                                             \
        values += v * VECTOR_BYTES + from * step;                                                  \
        EACH_CELL(VALUE_NAME)                                                                      \
        for (uint32_t p = from; p < to; p++, values += step) {                                     \
            VI x[RUN], w[n];                                                                       \
            for (int j = 0; j < RUN; j++)                                                          \
                x[j] = vi_load(values + j * VECTOR_BYTES);                                         \
            for (uint32_t j = 0; j < n; j++) {                                                     \
                int32_t word;                                                                      \
                memcpy(&word, b->w[i + j] + 2 * p, 4);                                             \
                w[j] = vi_set1(word);                                                              \
            }                                                                                      \
            fetch.at = fetch_lines(fetch.at, fetch.last, fetch.n_lines);                           \
            EACH_CELL(VALUE_DOT)                                                                   \
        }                                                                                          \
        EACH_CELL(VALUE_KEEP)                                                                      \
        b->fetch.at = fetch.at;                                                                    \
    }
#if VALUE_HEADS == 4
VALUES(values_wide_4, 4, VALUE_RUN, EACH_16)
VALUES(values_narrow_4, 4, 1, EACH_4)
#endif
VALUES(values_wide_2, 2, VALUE_RUN, EACH_8)
VALUES(values_narrow_2, 2, 1, EACH_2)
VALUES(values_wide_1, 1, VALUE_RUN, EACH_4)
VALUES(values_narrow_1, 1, 1, EACH_1)

typedef void values_fn(struct block *b, uint32_t i, const uint8_t *values, uint32_t v,
                       uint32_t from, uint32_t to, bool fresh);

static values_fn *values_of(uint32_t n, bool wide)
{
#if VALUE_HEADS == 4
    if (n == 4)
        return wide ? values_wide_4 : values_narrow_4;
#endif
    return n == 2 ? wide ? values_wide_2 : values_narrow_2 : wide ? values_wide_1 : values_narrow_1;
}

/* How many of the n queries that are left a kernel for at most `most` takes. */
static uint32_t take_queries(uint32_t n, uint32_t most)
{
    return n >= 4 && most >= 4 ? 4 : n >= 2 ? 2 : 1;
}

static void page_scores(struct block *b, const uint8_t *part)
{
    const float *k_scale = (const float *)(part + KV_PAGE * 2 * (b->e + b->width));
    for (uint32_t i = 0, n; i < b->n; i += n) {
        n = take_queries(b->n - i, TILE_QUERIES);
        (n == 4 ? scores_4 : n == 2 ? scores_2 : scores_1)(b, i, part, k_scale);
    }
}

/* The rare steps between a score and its use: a softcap, the limits of a score, what is not seen.
 */
static void scores_bound(struct block *b, uint32_t i, uint32_t lo, uint32_t hi)
{
    float cap = b->job->args->softcap;
    for (int v = 0; v < N_SCORES; v++) {
        VF s = vf_load(b->s[i] + v * LANES);
        if (cap != 0)
            s = vf_mul(vf_tanh(vf_mul(s, vf_set1(b->job->per_cap))), vf_set1(cap * 0x1.715476p+0f));
        else
            s = vf_clamp(s, -SCORE_MAX, SCORE_MAX);
        vf_store(b->s[i] + v * LANES, vf_pick(vm_range(v, lo, hi), s, vf_set1(-INFINITY)));
    }
}

/* One vector that holds the largest score of query i. */
static VF scores_top(const struct block *b, uint32_t i)
{
    VF top = vf_load(b->s[i]);
    for (int v = 1; v < N_SCORES; v++)
        top = vf_max(vf_load(b->s[i] + v * LANES), top);
    return top;
}

/* Into b->m; whether all are far from the limits of a score, so that one below -SCORE_MAX weighs
 * nothing with or without its limit. */
static bool page_tops(struct block *b)
{
    uint32_t i = 0;
    bool ok = true;
    for (; i + 4 <= b->n; i += 4)
        vf_store_tops(b->m + i, scores_top(b, i), scores_top(b, i + 1), scores_top(b, i + 2),
                      scores_top(b, i + 3));
    for (; i < b->n; i++)
        b->m[i] = vf_top(scores_top(b, i));
    for (i = 0; i < b->n; i++)
        ok &= b->m[i] > -SCORE_MAX / 2 && b->m[i] < SCORE_MAX;
    return ok;
}

/* m of every query: its largest score, rounded up. */
static void page_max(struct block *b, bool whole)
{
    if (!whole || b->job->args->softcap != 0 || !page_tops(b)) {
        for (uint32_t i = 0; i < b->n; i++)
            scores_bound(b, i, b->lo[i / b->n_heads], b->hi[i / b->n_heads]);
        page_tops(b);
    }
    for (uint32_t i = 0; i < b->n; i += LANES) {
        VF top = vf_load(b->m + i), m = vi_to_f(vf_to_i(top));
        vf_store(b->m + i, vf_less(m, top, vf_add(m, vf_set1(1.0f)), m));
    }
}

/* num_exp2 of x <= 0 for use as a softmax weight: anything at or below 2^-40 is as good as 0. The
 * integer part is found by rounding at 2^23, and added to the exponent as it is. */
static inline VI weight_exp2_bits(VF x)
{
    VF c = vf_max(x, vf_set1(-40.0f)), magic = vf_set1(0x1.8p23f);
    VF t = vf_add(c, magic), f = vf_sub(c, vf_sub(t, magic));
    VF p = vf_set1(0x1.5bba14p-10f);
    p = vf_step(p, f, 0x1.3cea88p-7f);
    p = vf_step(p, f, 0x1.c6b752p-5f);
    p = vf_step(p, f, 0x1.ebf9bcp-3f);
    p = vf_step(p, f, 0x1.62e42ap-1f);
    p = vf_step(p, f, 1.0f);
    return vi_add(vf_as_i(p), vi_sll(vf_as_i(t), 23));
}

/* w of query i; its l, times 2^24, is the sum of the lanes. */
static inline VI query_weights(struct block *b, uint32_t i)
{
    VI l = vi_zero();
    VF m = vf_set1(b->m[i]);
    for (int v = 0; v < N_SCORES; v++) {
        VI p = weight_exp2_bits(vf_sub(vf_load(b->s[i] + v * LANES), m));
        VI w = vf_to_i(vf_mul(vi_as_f(p), vf_load(b->v_weight + v * LANES)));
        l = vi_add(l, vf_to_i(vi_as_f(vi_add(p, vi_set1(P_BITS << 23)))));
        vi_store_i16(b->w[i] + v * LANES, w);
    }
    return l;
}

/* w and l of queries [i, end), which share value weights. */
static void queries_weights(struct block *b, uint32_t i, uint32_t end)
{
    for (; i + 4 <= end; i += 4) {
        VI l[4];
        for (uint32_t j = 0; j < 4; j++)
            l[j] = query_weights(b, i + j);
        vi_store_sums(b->l + i, l[0], l[1], l[2], l[3]);
    }
    for (; i < end; i++)
        b->l[i] = vi_sum(query_weights(b, i));
}

/* Value scales of a row that sees [lo, hi] as weights; returns what a sum of values is worth. */
static float row_values(struct block *b, const float *v_scale, uint32_t lo, uint32_t hi)
{
    float v_max = v_scale[KV_PAGE + hi];
    VF unit = vf_set1(v_max < NUM_TINY ? 0.0f : num_recip(v_max) * (float)W_MAX);
    for (int v = 0; v < N_SCORES; v++) {
        VF x = vf_pick(vm_range(v, lo, hi), vf_load(v_scale + v * LANES), vf_zero());
        vf_store(b->v_weight + v * LANES, vf_mul(x, unit));
    }
    return v_max * W_UNIT;
}

/* Adds l * 2^m: factors for the vector that is there and the one that comes. */
static void combine_scalars(float *sum_m, float *sum_l, float m, float l, float *a, float *b)
{
    float top = num_max(*sum_m, m);
    *a = softmax_rescale(*sum_m, top);
    *b = softmax_rescale(m, top);
    *sum_l = *sum_l * *a + l * *b;
    *sum_m = top;
}

/* 2^(m - to), or 0 once that is below 2^-40: softmax_rescale. */
static inline VF rescale(VF m, VF to)
{
    VF x = vf_sub(m, to), low = vf_set1(-40.0f);
    VI power = vi_sll(vi_add(vf_to_i(vf_max(x, low)), vi_set1(127)), 23);
    return vf_less(x, low, vf_zero(), vi_as_f(power));
}

/* The page's m and l join those of the group; the factors with which the vectors will, too.
 * unit * part: part is a power of two from 2^-40 on, or 0, so that nothing is rounded. */
static void page_join(struct block *b, bool fresh)
{
    struct sums *g = &b->group;
    for (uint32_t i = 0; i < b->n; i += LANES) {
        VF m = vf_load(b->m + i), l = vf_mul(vi_to_f(vi_load(b->l + i)), vf_set1(0x1p-24f));
        if (!fresh) {
            VF before = vf_load(g->m + i), top = vf_max(before, m);
            VF keep = rescale(before, top), part = rescale(m, top);
            l = vf_add(vf_mul(vf_load(g->l + i), keep), vf_mul(l, part));
            m = top;
            vf_store(b->keep + i, keep);
            vf_store(b->unit + i, vf_mul(vf_load(b->unit + i), part));
        }
        vf_store(g->m + i, m);
        vf_store(g->l + i, l);
    }
}

/* From scores to weights of every query. */
static void page_weights_of(struct block *b, const uint8_t *part, bool whole)
{
    const float *v_scale = (const float *)(part + KV_PAGE * 2 * (b->e + b->width)) + KV_PAGE;
    page_max(b, whole);
    for (uint32_t r = 0, end; r < b->n_rows; r = end) {
        for (end = r + 1; end < b->n_rows; end++)
            if (b->lo[r] != b->lo[end] || b->hi[r] != b->hi[end])
                break;
        float unit = row_values(b, v_scale, b->lo[r], b->hi[r]);
        queries_weights(b, r * b->n_heads, end * b->n_heads);
        for (uint32_t i = r * b->n_heads; i < end * b->n_heads; i++)
            b->unit[i] = unit;
    }
}

/* The page's sums of values join the group of every query; `fresh`: as its first page. */
static void page_values(struct block *b, const uint8_t *part, bool fresh)
{
    uint32_t n_vectors = b->width / LANES, from = KV_PAGE, to = 0;
    const uint8_t *values = part + (size_t)KV_PAGE * 2 * b->e;
    for (uint32_t r = 0; r < b->n_rows; r++) {
        from = b->lo[r] / 2 < from ? b->lo[r] / 2 : from;
        to = b->hi[r] / 2 + 1 > to ? b->hi[r] / 2 + 1 : to;
    }
    for (uint32_t i = 0, n; i < b->n; i += n) {
        n = take_queries(b->n - i, VALUE_HEADS);
        for (uint32_t v = 0, run; v < n_vectors; v += run) {
            run = n_vectors - v >= VALUE_RUN ? VALUE_RUN : 1;
            values_of(n, run > 1)(b, i, values, v, from, to, fresh);
        }
    }
}

/* The group, complete, joins what the earlier groups gathered. */
static void group_join(struct sums *all, const struct sums *group, uint32_t n, uint32_t width,
                       bool fresh)
{
    for (uint32_t i = 0; i < n; i++) {
        const float *from = group->o + i * width;
        float *to = all->o + i * width, a, b;
        if (fresh) {
            all->m[i] = group->m[i];
            all->l[i] = group->l[i];
            memcpy(to, from, width * sizeof *to);
            continue;
        }
        combine_scalars(&all->m[i], &all->l[i], group->m[i], group->l[i], &a, &b);
        for (uint32_t d = 0; d < width; d += LANES)
            vf_store(to + d, vf_add(vf_mul(vf_load(to + d), vf_set1(a)),
                                    vf_mul(vf_load(from + d), vf_set1(b))));
    }
}

/* What each row sees of page p. */
static void page_sight(struct block *b, uint32_t p)
{
    for (uint32_t r = 0; r < b->n_rows; r++) {
        const struct kv_row *row = &b->job->args->rows[b->row0 + r];
        b->lo[r] = p == b->first_page ? attention_first(b->job->args, row) % KV_PAGE : 0;
        b->hi[r] = p == b->last_page ? row->position % KV_PAGE : KV_PAGE - 1;
    }
}

static const uint8_t *page_part(const struct block *b, uint32_t p)
{
    return (const uint8_t *)b->job->args->rows[b->row0].pages[p] + b->part_offset;
}

/* Few queries take few steps per page: they fetch more lines at each. */
static void fetch_begin(struct block *b, const uint8_t *next)
{
    uint32_t n_tiles = (b->n + TILE_QUERIES - 1) / TILE_QUERIES, n = n_tiles < 2   ? 4
                                                                     : n_tiles < 4 ? 2
                                                                                   : 1;
    b->fetch = (struct fetch){next, next + kv_head_bytes(b->e) - n * LINE_BYTES, n};
}

/* Pages [from, to) of one group into b->group. */
static void group_gather(struct block *b, uint32_t from, uint32_t to)
{
    for (uint32_t p = from; p < to; p++) {
        const uint8_t *part = page_part(b, p);
        fetch_begin(b, p < b->last_page ? page_part(b, p + 1) : part);
        if (p == from || p == b->first_page + 1 || p == b->last_page)
            page_sight(b, p);
        page_scores(b, part);
        page_weights_of(b, part, p != b->first_page && p != b->last_page);
        page_join(b, p == from);
        page_values(b, part, p == from);
    }
}

static void block_load(struct block *b)
{
    const struct attention_args *a = b->job->args;
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t t = b->row0 + i / b->n_heads, head = b->head0 + i % b->n_heads;
        uint32_t next = b->row0 + (i + AHEAD) / b->n_heads;
        struct head x;
        float q_scale;
        if (i + AHEAD < b->n)
            head_fetch(a->q + next * a->stride_q +
                           (size_t)(b->head0 + (i + AHEAD) % b->n_heads) * b->e,
                       b->e);
        head_load(&x, a->q + t * a->stride_q + (size_t)head * b->e, b->e);
        head_hadamard(&x, b->e);
        if (!head_quantize(&x, b->e, &q_scale))
            a->bad[t] = 1;
        b->scale[i] = q_scale * b->job->score_scale;
        memcpy(b->q + i * b->width, x.q, b->e * sizeof x.q[0]);
    }
}

/* Rows from u->row0 on that see the same pages, as many as fit with some of their heads. */
static void block_init(struct block *b, const struct attention_unit *u, uint32_t row0,
                       uint32_t head0)
{
    const struct attention_args *a = u->job->args;
    const struct kv_row *first = &a->rows[row0];
    uint32_t n_shared = a->n_heads / a->shape.n_kv_heads, left = n_shared - head0, n_rows = 1;
    b->job = u->job;
    b->e = a->shape.head_size;
    b->width = kv_round16(b->e);
    b->row0 = row0;
    b->n_heads = left < QUERIES ? left : QUERIES;
    b->head0 = u->kv_head * n_shared + head0;
    b->first_page = attention_first(a, first) / KV_PAGE;
    b->last_page = first->position / KV_PAGE;
    b->part_offset = a->layer_offset + u->kv_head * kv_head_bytes(b->e);
    for (; row0 + n_rows < u->row1 && (n_rows + 1) * b->n_heads <= QUERIES; n_rows++) {
        const struct kv_row *row = &a->rows[row0 + n_rows];
        if (b->n_heads < n_shared || row->pages != first->pages ||
            row->position / KV_PAGE != b->last_page ||
            attention_first(a, row) / KV_PAGE != b->first_page)
            break;
    }
    b->n_rows = n_rows;
    b->n = n_rows * b->n_heads;
    block_load(b);
}

/* A sink is one more score without a value: it only adds to l, and its vector is zero. */
static void add_sink(struct sums *all, uint32_t i, uint32_t width, float sink)
{
    float s = sink * 0x1.715476p+0f, a, b;
    float m = num_round(num_min(num_max(s, -SCORE_MAX), SCORE_MAX));
    m = m < s ? m + 1.0f : m;
    combine_scalars(&all->m[i], &all->l[i], m, num_exp2(s - m), &a, &b);
    for (uint32_t d = 0; d < width; d += LANES) {
        float *o = all->o + i * width + d;
        vf_store(o, vf_add(vf_mul(vf_load(o), vf_set1(a)), vf_mul(vf_zero(), vf_set1(b))));
    }
}

static void block_store(struct block *b)
{
    const struct attention_args *a = b->job->args;
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t t = b->row0 + i / b->n_heads, head = b->head0 + i % b->n_heads;
        float *out = a->out + t * a->stride_out + (size_t)head * b->e;
        if (a->sinks)
            add_sink(&b->all, i, b->width, a->sinks[head]);
        float r = num_recip(b->all.l[i]);
        for (uint32_t d = 0; d < b->e; d++)
            out[d] = b->all.o[i * b->width + d] * r;
    }
}

static void rows_attention(const struct attention_unit *u)
{
    const struct attention_args *a = u->job->args;
    uint32_t n_shared = a->n_heads / a->shape.n_kv_heads;
    struct block b;
    for (uint32_t row = u->row0, n_rows = 1; row < u->row1; row += n_rows)
        for (uint32_t head = 0; head < n_shared; head += b.n_heads) {
            block_init(&b, u, row, head);
            n_rows = b.n_rows;
            for (uint32_t p = b.first_page, end; p <= b.last_page; p = end) {
                end = attention_group_end(p, b.last_page);
                group_gather(&b, p, end);
                group_join(&b.all, &b.group, b.n, b.width, p == b.first_page);
            }
            block_store(&b);
        }
}

/* Part layout: see struct attention_unit. */
static void rows_attention_groups(const struct attention_unit *u)
{
    const struct attention_args *a = u->job->args;
    uint32_t n_shared = a->n_heads / a->shape.n_kv_heads;
    struct block b;
    for (uint32_t head = 0; head < n_shared; head += b.n_heads) {
        block_init(&b, u, u->row0, head);
        uint32_t first_group = b.first_page / KV_PAGES_PER_GROUP;
        for (uint32_t k = u->group0; k < u->group1; k++) {
            uint32_t p = (first_group + k) * KV_PAGES_PER_GROUP;
            p = p < b.first_page ? b.first_page : p;
            group_gather(&b, p, attention_group_end(p, b.last_page));
            for (uint32_t i = 0; i < b.n; i++) {
                float *part = u->parts + (k * n_shared + head + i) * attention_part_floats(b.e);
                part[0] = b.group.m[i];
                part[1] = b.group.l[i];
                memcpy(part + 16, b.group.o + i * b.width, b.width * sizeof *part);
            }
        }
    }
}

static void rows_attention_join(const struct attention_unit *u)
{
    const struct attention_args *a = u->job->args;
    uint32_t n_shared = a->n_heads / a->shape.n_kv_heads;
    struct block b;
    b.job = u->job;
    b.row0 = u->row0;
    b.e = a->shape.head_size;
    b.width = kv_round16(b.e);
    b.n_heads = b.n = 1;
    for (uint32_t h = 0; h < n_shared; h++) {
        b.head0 = u->kv_head * n_shared + h;
        for (uint32_t k = 0; k < u->group1; k++) {
            const float *part = u->parts + (k * n_shared + h) * attention_part_floats(b.e);
            b.group.m[0] = part[0];
            b.group.l[0] = part[1];
            memcpy(b.group.o, part + 16, b.width * sizeof *part);
            group_join(&b.all, &b.group, 1, b.width, k == 0);
        }
        block_store(&b);
    }
}
