/* moe.c - mixture of experts: each row's choice, then one expert after another in ascending id.
 *
 * docs/arithmetic.md, "Experts". A row's experts are those with the largest router logits, ties to
 * the lower id; their weights a softmax over them (or over all, where the model says so). */
#include <string.h>

#include "model/model_int.h"
#include "numeric/func.h"
#include "tensor/half.h"

/* The n largest logits' ids, ascending. */
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

/* A part of 2^-40 or less of the largest is dropped. */
static float softmax_part(float logit, float max)
{
    float x = (logit - max) * 0x1.715476p+0f;
    return x <= -40.0f ? 0.0f : num_exp2(x);
}

/* Weights of the chosen; sums run in ascending id. */
static void weigh(const struct hparams *h, const float *logits, const uint16_t *chosen,
                  float *share)
{
    float max = logits[0], sum = 0.0f;
    for (uint32_t e = 1; e < h->n_experts; e++)
        max = num_max(max, logits[e]);
    for (uint32_t i = 0; i < h->n_experts_used; i++)
        share[i] = softmax_part(logits[chosen[i]], max);
    if (h->expert_weights_norm)
        for (uint32_t i = 0; i < h->n_experts_used; i++)
            sum = sum + share[i];
    else
        for (uint32_t e = 0; e < h->n_experts; e++)
            sum = sum + softmax_part(logits[e], max);
    float inverse = num_recip(sum); /* the largest part is 1, so 1 <= sum <= EXPERTS_MAX */
    for (uint32_t i = 0; i < h->n_experts_used; i++)
        share[i] = share[i] * inverse;
}

/* Each row's choice, from the router's logits; those that are not finite count as 0. */
static void route(struct model *m, uint32_t n)
{
    const struct hparams *h = &m->h;
    uint32_t k = h->n_experts_used;
    for (uint32_t t = 0; t < n; t++) {
        float *logits = m->host.router + (size_t)t * h->n_experts;
        uint16_t *chosen = m->host.chosen + (size_t)t * k;
        for (uint32_t e = 0; e < h->n_experts; e++)
            if (!f32_is_finite(logits[e]))
                logits[e] = 0.0f;
        choose(logits, h->n_experts, k, chosen);
        weigh(h, logits, chosen, m->host.chosen_share + (size_t)t * k);
    }
}

/* The rows of each expert and their weights, one expert's after another's: those of e are
 * [first[e], first[e + 1]). */
static void sort_by_expert(struct model *m, uint32_t n, uint32_t first[EXPERTS_MAX + 1])
{
    uint32_t n_experts = m->h.n_experts, k = m->h.n_experts_used, next[EXPERTS_MAX];
    memset(first, 0, (n_experts + 1) * sizeof *first);
    for (uint32_t i = 0; i < n * k; i++)
        first[m->host.chosen[i] + 1]++;
    for (uint32_t e = 0; e < n_experts; e++) {
        first[e + 1] += first[e];
        next[e] = first[e];
    }
    for (uint32_t i = 0; i < n * k; i++) {
        uint32_t at = next[m->host.chosen[i]]++;
        m->host.row_of[at] = i / k;
        m->host.share[at] = m->host.chosen_share[i];
    }
    model_put(m, m->s.row_of, m->host.row_of, (size_t)n * k * sizeof *m->s.row_of);
    model_put(m, m->s.share, m->host.share, (size_t)n * k * sizeof *m->s.share);
}

static const float *part_of(const float *vectors, uint32_t e, size_t n)
{
    return vectors ? vectors + e * n : NULL;
}

/* s.out of the rows that chose expert e += what it makes of them, weighed. */
static void add_expert(struct model *m, const struct layer *l, uint32_t e, const uint32_t *rows,
                       const float *share, uint32_t n)
{
    const struct hparams *h = &m->h;
    const struct device_ops *ops = m->device->ops;
    struct scratch *s = &m->s;
    size_t d = h->n_embd, f = h->n_ff_expert;
    ops->gather(m->device, s->normed, d, rows, n, h->n_embd, s->rows, d);
    ops->zero(m->device, s->rows_bad, n);
    model_operand(m, s->rows, d, n, h->n_embd, s->rows_bad);
    model_multiply(m, l->matrix[SLOT_MOE_GATE] + e, part_of(l->vector[SLOT_MOE_GATE_BIAS], e, f),
                   s->ff, 2 * f);
    model_multiply(m, l->matrix[SLOT_MOE_UP] + e, part_of(l->vector[SLOT_MOE_UP_BIAS], e, f),
                   s->ff + f, 2 * f);
    struct acts acts[ACT_KINDS];
    model_operand(m, s->ff, 2 * f, n, h->n_ff_expert, s->rows_bad);
    struct glu_args glu = {.fn = h->act,
                           .gate = s->ff,
                           .up = s->ff + f,
                           .y = s->ff,
                           .stride_gate = 2 * f,
                           .stride_up = 2 * f,
                           .stride_y = 2 * f,
                           .n_rows = n,
                           .n = h->n_ff_expert,
                           .acts = acts,
                           .n_acts = model_operand_made(m, l->matrix, SLOT_BIT(MOE_DOWN), acts),
                           .bad = s->rows_bad};
    ops->glu(m->device, &glu);
    model_multiply(m, l->matrix[SLOT_MOE_DOWN] + e, part_of(l->vector[SLOT_MOE_DOWN_BIAS], e, d),
                   s->rows_out, d);
    ops->note_bad(m->device, s->bad, rows, s->rows_bad, n, 1, 1);
    ops->scatter(m->device, s->out, d, rows, s->rows_out, d, share, n, h->n_embd);
}

void model_experts(struct model *m, const struct layer *l, uint32_t layer, uint32_t n)
{
    const struct hparams *h = &m->h;
    const struct device_ops *ops = m->device->ops;
    struct scratch *s = &m->s;
    size_t d = h->n_embd, n_logits = (size_t)n * h->n_experts;
    uint32_t first[EXPERTS_MAX + 1];
    model_multiply(m, l->matrix[SLOT_MOE_ROUTER], l->vector[SLOT_MOE_ROUTER_BIAS], s->router,
                   h->n_experts);
    ops->logits(m->device, s->router, h->n_experts, n, h->n_experts, 0.0f, s->bad);
    ops->wait(m->device);
    model_get(m, m->host.router, s->router, n_logits * sizeof *s->router);
    model_tell(m, (int)layer, "router", s->router, h->n_experts, n, h->n_experts);
    route(m, n);
    sort_by_expert(m, n, first);
    ops->zero(m->device, s->out, n * d * sizeof *s->out);
    for (uint32_t e = 0; e < h->n_experts; e++)
        if (first[e + 1] > first[e])
            add_expert(m, l, e, s->row_of + first[e], s->share + first[e], first[e + 1] - first[e]);
}
