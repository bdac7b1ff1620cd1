/* moe.c - mixture of experts: each row's choice, then one expert after another in ascending id.
 *
 * docs/arithmetic.md, "Experts". A row's experts are those with the largest router logits, ties to
 * the lower id; their weights a softmax over them (or over all, where the model says so). */
#include <string.h>

#include "base/check.h"
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

static void route(struct model *m, uint32_t n)
{
    const struct hparams *h = &m->h;
    for (uint32_t t = 0; t < n; t++) {
        float *logits = m->s.router + (size_t)t * h->n_experts;
        for (uint32_t e = 0; e < h->n_experts; e++)
            if (!f32_is_finite(logits[e])) {
                m->s.bad[t] = 1;
                logits[e] = 0.0f;
            }
        uint16_t *chosen = m->s.chosen + (size_t)t * h->n_experts_used;
        choose(logits, h->n_experts, h->n_experts_used, chosen);
        weigh(h, logits, chosen, m->s.share + (size_t)t * h->n_experts_used);
    }
}

/* Rows that chose expert e, side by side in s.rows; their weights go to the front of s.router,
 * whose logits are spent. */
static uint32_t gather(struct model *m, uint32_t e, uint32_t n)
{
    uint32_t k = m->h.n_experts_used, n_rows = 0;
    size_t d = m->h.n_embd;
    for (uint32_t i = 0; i < n * k; i++) {
        if (m->s.chosen[i] != e)
            continue;
        memcpy(m->s.rows + n_rows * d, m->s.normed + i / k * d, d * sizeof *m->s.rows);
        m->s.row_of[n_rows] = i / k;
        m->s.router[n_rows++] = m->s.share[i];
    }
    return n_rows;
}

static const float *part_of(const float *vectors, uint32_t e, size_t n)
{
    return vectors ? vectors + e * n : NULL;
}

void model_experts(struct model *m, const struct layer *l, uint32_t layer, uint32_t n)
{
    const struct hparams *h = &m->h;
    const struct device_ops *ops = m->device->ops;
    struct scratch *s = &m->s;
    size_t d = h->n_embd, f = h->n_ff_expert;
    model_operand(m, s->normed, d, n, h->n_embd, s->bad);
    model_multiply(m, l->matrix[SLOT_MOE_ROUTER], l->vector[SLOT_MOE_ROUTER_BIAS], s->router,
                   h->n_experts);
    ops->wait(m->device);
    model_tell(m, (int)layer, "router", s->router, h->n_experts, n, h->n_experts);
    route(m, n);
    memset(s->out, 0, n * d * sizeof *s->out);
    for (uint32_t e = 0; e < h->n_experts; e++) {
        uint32_t n_rows = gather(m, e, n);
        if (n_rows == 0)
            continue;
        memset(s->rows_bad, 0, n_rows);
        model_operand(m, s->rows, d, n_rows, h->n_embd, s->rows_bad);
        model_multiply(m, l->matrix[SLOT_MOE_GATE] + e,
                       part_of(l->vector[SLOT_MOE_GATE_BIAS], e, f), s->ff, 2 * f);
        model_multiply(m, l->matrix[SLOT_MOE_UP] + e, part_of(l->vector[SLOT_MOE_UP_BIAS], e, f),
                       s->ff + f, 2 * f);
        ops->glu(m->device, h->act, s->ff, 2 * f, s->ff + f, 2 * f, n_rows, h->n_ff_expert, s->ff,
                 2 * f);
        model_operand(m, s->ff, 2 * f, n_rows, h->n_ff_expert, s->rows_bad);
        model_multiply(m, l->matrix[SLOT_MOE_DOWN] + e,
                       part_of(l->vector[SLOT_MOE_DOWN_BIAS], e, d), s->rows_out, d);
        for (uint32_t i = 0; i < n_rows; i++) {
            uint32_t t = s->row_of[i];
            s->bad[t] |= s->rows_bad[i];
            ops->add(m->device, s->out + t * d, d, s->rows_out + i * d, d, 1, h->n_embd,
                     s->router[i]);
        }
    }
}
