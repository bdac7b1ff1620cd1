/* experts.c - mixtures of experts on the CPU: each row's choice, then one expert after another in
 * ascending id, with the rows that chose it side by side. */
#include "device/cpu/experts.h"

#include <string.h>

#include "base/check.h"
#include "device/expert.h"

/* One operation's arrays, in its scratch. T rows, k experts used. */
struct work {
    uint16_t *chosen;            /* [T, k] each row's experts, ids ascending, */
    float *share;                /* [T, k] and their weights */
    uint32_t *row_of;            /* [T, k] rows by expert, */
    float *share_of;             /* [T, k] and the weights there */
    float *rows, *ff, *rows_out; /* [T, D], [T, 2F], [T, D] of one expert */
    uint8_t *bad;                /* [T] of one expert */
    void *acts;                  /* of [T, D], then of [T, F] */
};

/* Cuts one region into arrays; with base NULL it only counts. */
static void *cut(uint8_t *base, size_t *at, size_t n_bytes)
{
    void *p = base ? base + *at : NULL;
    *at += (n_bytes + 63) & ~(size_t)63;
    return p;
}

static size_t acts_most(struct device *d, uint32_t kinds, uint32_t n_rows, uint32_t n_cols)
{
    size_t most = 0;
    for (int kind = 0; kind <= ACT_F32; kind++) {
        size_t n =
            kinds >> kind & 1 ? d->ops->acts_bytes(d, (enum act_kind)kind, n_rows, n_cols) : 0;
        most = n > most ? n : most;
    }
    return most;
}

static size_t lay_out(struct device *d, const struct experts_shape *s, uint8_t *base,
                      struct work *w)
{
    size_t t = s->n_rows, n_pairs = t * s->n_used, at = 0;
    size_t in = acts_most(d, s->kinds_in, s->n_rows, s->n_embd);
    size_t down = acts_most(d, s->kinds_down, s->n_rows, s->n_ff);
    w->chosen = cut(base, &at, n_pairs * sizeof *w->chosen);
    w->share = cut(base, &at, n_pairs * sizeof *w->share);
    w->row_of = cut(base, &at, n_pairs * sizeof *w->row_of);
    w->share_of = cut(base, &at, n_pairs * sizeof *w->share_of);
    w->rows = cut(base, &at, t * s->n_embd * sizeof *w->rows);
    w->ff = cut(base, &at, t * 2 * s->n_ff * sizeof *w->ff);
    w->rows_out = cut(base, &at, t * s->n_embd * sizeof *w->rows_out);
    w->bad = cut(base, &at, t);
    w->acts = cut(base, &at, in > down ? in : down);
    return at;
}

size_t cpu_experts_bytes(struct device *d, const struct experts_shape *s)
{
    struct work w;
    return lay_out(d, s, NULL, &w);
}

/* The n largest logits' ids, ascending; ties go to the lower. */
static void choose(const float *logits, uint32_t n_experts, uint32_t n, uint16_t *chosen)
{
    bool taken[EXPERTS_MAX] = {false};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t e = 0; e < n_experts; e++)
            if (!taken[e] && (best == UINT32_MAX || logits[e] > logits[best]))
                best = e;
        taken[best] = true;
    }
    for (uint32_t e = 0, i = 0; e < n_experts; e++)
        if (taken[e])
            chosen[i++] = (uint16_t)e;
}

/* Weights of the chosen; sums run in ascending id. */
static void weigh(const struct experts_args *a, const float *logits, const uint16_t *chosen,
                  float *share)
{
    uint32_t n_experts = a->shape.n_experts, n_used = a->shape.n_used;
    float largest = logits[0], sum = 0.0f;
    for (uint32_t e = 1; e < n_experts; e++)
        largest = num_max(largest, logits[e]);
    for (uint32_t i = 0; i < n_used; i++)
        share[i] = expert_part(logits[chosen[i]], largest);
    if (a->is_normed)
        for (uint32_t i = 0; i < n_used; i++)
            sum = sum + share[i];
    else
        for (uint32_t e = 0; e < n_experts; e++)
            sum = sum + expert_part(logits[e], largest);
    float inverse = num_recip(sum); /* the largest part is 1, so 1 <= sum <= EXPERTS_MAX */
    for (uint32_t i = 0; i < n_used; i++)
        share[i] = share[i] * inverse;
}

/* Each row's choice, and the rows of each expert, one expert's after another's: those of e are
 * [first[e], first[e + 1]). */
static void route(const struct experts_args *a, struct work *w, uint32_t first[EXPERTS_MAX + 1])
{
    uint32_t n_experts = a->shape.n_experts, k = a->shape.n_used, n = a->shape.n_rows;
    uint32_t next[EXPERTS_MAX];
    float logits[EXPERTS_MAX];
    for (uint32_t t = 0; t < n; t++) {
        for (uint32_t e = 0; e < n_experts; e++)
            a->bad[t] |= expert_logit(a->logits[(size_t)t * n_experts + e], &logits[e]);
        choose(logits, n_experts, k, w->chosen + (size_t)t * k);
        weigh(a, logits, w->chosen + (size_t)t * k, w->share + (size_t)t * k);
    }
    memset(first, 0, (n_experts + 1) * sizeof *first);
    for (uint32_t i = 0; i < n * k; i++)
        first[w->chosen[i] + 1]++;
    for (uint32_t e = 0; e < n_experts; e++) {
        first[e + 1] += first[e];
        next[e] = first[e];
    }
    for (uint32_t i = 0; i < n * k; i++) {
        uint32_t at = next[w->chosen[i]]++;
        w->row_of[at] = i / k;
        w->share_of[at] = w->share[i];
    }
}

/* y = x . w^T + bias of expert e; x [n, K] is quantised unless the matrix before was of its kind.
 */
static void multiply(struct device *d, const struct matrix *w, const float *bias, const float *x,
                     size_t stride_x, struct acts *acts, uint8_t *bad, float *y, size_t stride_y)
{
    enum act_kind kind = act_kind_of(w->dtype);
    if (acts->n_cols == 0 || acts->kind != kind) {
        acts->kind = kind;
        acts->n_cols = w->n_cols;
        d->ops->quantize(d, x, stride_x, acts, bad);
    }
    d->ops->matmul(d, w, acts, bias, y, stride_y);
}

static const float *part_of(const float *vectors, uint32_t e, size_t n)
{
    return vectors ? vectors + e * n : NULL;
}

/* out of the n rows that chose expert e += what it makes of them, weighed. */
static void add_expert(struct device *d, const struct experts_args *a, const struct work *w,
                       uint32_t e, uint32_t first, uint32_t n)
{
    size_t D = a->shape.n_embd, f = a->shape.n_ff;
    const uint32_t *rows = w->row_of + first;
    struct acts in = {.n_rows = n, .data = w->acts}, down = in;
    struct glu_args glu = {.fn = a->fn,
                           .gate = w->ff,
                           .up = w->ff + f,
                           .y = w->ff,
                           .keeps_y = true,
                           .stride_gate = 2 * f,
                           .stride_up = 2 * f,
                           .stride_y = 2 * f,
                           .n_rows = n,
                           .n = a->shape.n_ff};
    for (uint32_t i = 0; i < n; i++)
        memcpy(w->rows + i * D, a->x + rows[i] * a->stride_x, D * sizeof *w->rows);
    memset(w->bad, 0, n);
    multiply(d, a->gate + e, part_of(a->gate_bias, e, f), w->rows, D, &in, w->bad, w->ff, 2 * f);
    multiply(d, a->up + e, part_of(a->up_bias, e, f), w->rows, D, &in, w->bad, w->ff + f, 2 * f);
    d->ops->glu(d, &glu);
    multiply(d, a->down + e, part_of(a->down_bias, e, D), w->ff, 2 * f, &down, w->bad, w->rows_out,
             D);
    for (uint32_t i = 0; i < n; i++) {
        float *out = a->out + rows[i] * a->stride_out, by = w->share_of[first + i];
        const float *y = w->rows_out + i * D;
        for (size_t c = 0; c < D; c++)
            out[c] = out[c] + y[c] * by;
        a->bad[rows[i]] |= w->bad[i];
    }
}

void cpu_experts(struct device *d, const struct experts_args *a)
{
    struct work w;
    uint32_t first[EXPERTS_MAX + 1];
    CHECK(a->shape.n_experts <= EXPERTS_MAX && a->shape.n_used <= a->shape.n_experts);
    lay_out(d, &a->shape, a->scratch, &w);
    route(a, &w, first);
    for (uint32_t t = 0; t < a->shape.n_rows; t++)
        memset(a->out + t * a->stride_out, 0, a->shape.n_embd * sizeof *a->out);
    for (uint32_t e = 0; e < a->shape.n_experts; e++)
        if (first[e + 1] > first[e])
            add_expert(d, a, &w, e, first[e], first[e + 1] - first[e]);
}
