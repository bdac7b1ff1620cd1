/* sampler_stages.c - the stages that go by probability. */
#include "engine/sampler_int.h"

typedef unsigned __int128 u128;

void stage_temperature(struct sampler *s, const struct sampler_row *row)
{
    float max = max_logit(s->logit, s->n), recip = num_recip(row->sampling->temperature);
    for (uint32_t i = 0; i < s->n; i++)
        s->logit[i] = sample_clamp((s->logit[i] - max) * recip);
}

void stage_top_k(struct sampler *s, const struct sampler_row *row)
{
    uint32_t k = row->sampling->top_k;
    if (k == 0 || k >= s->n)
        return;
    keep_likely_blocks(s, k);
    rank_by_logit(s);
    keep_first(s, k);
}

void stage_top_p(struct sampler *s, const struct sampler_row *row)
{
    if (row->sampling->top_p >= 1)
        return;
    uint64_t total = weigh(s);
    rank_by_logit(s);
    keep_mass(s, sample_mass(sample_share(row->sampling->top_p), total));
}

void stage_min_p(struct sampler *s, const struct sampler_row *row)
{
    uint64_t least = sample_share(row->sampling->min_p);
    if (least == 0)
        return;
    weigh(s);
    for (uint32_t i = 0; i < s->n; i++)
        s->rank[i] = s->weight[i] >= least;
    keep_marked(s, s->rank);
}

/* -log2 of a weight in units of 2^-16, from the logit: at most 126 of them, where weights end. */
static uint32_t surprise_of(float below_max)
{
    return (uint32_t)(num_min(below_max * -SAMPLE_LOG2_E, 126.0f) * 0x1p16f);
}

void stage_typical(struct sampler *s, const struct sampler_row *row)
{
    if (row->sampling->typical_p >= 1)
        return;
    float max = max_logit(s->logit, s->n);
    uint64_t total = weigh(s);
    u128 sum = 0;
    for (uint32_t i = 0; i < s->n; i++)
        sum += (u128)s->weight[i] * surprise_of(s->logit[i] - max);
    uint32_t mean = (uint32_t)(sum / total);
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t own = surprise_of(s->logit[i] - max);
        s->rank[i] = UINT32_MAX - (own > mean ? own - mean : mean - own);
    }
    keep_mass(s, sample_mass(sample_share(row->sampling->typical_p), total));
}

void stage_xtc(struct sampler *s, const struct sampler_row *row)
{
    const struct iso_sampling *p = row->sampling;
    if (p->xtc_probability <= 0 || s->n < 2)
        return;
    uint64_t random = sampler_random(p->seed, p->choice, row->n_tokens, SAMPLER_PURPOSE_XTC);
    if (random >> (64 - SAMPLE_WEIGHT_BITS) >= sample_share(p->xtc_probability))
        return;
    uint64_t least = sample_mass(sample_share(p->xtc_threshold), weigh(s));
    int64_t last = -1; /* of the top choices: the smallest logit, the highest token */
    for (uint32_t i = 0; i < s->n; i++)
        if (s->weight[i] >= least && (last < 0 || s->logit[i] <= s->logit[last]))
            last = i;
    if (last < 0)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        s->rank[i] = s->weight[i] < least || i == last;
    keep_marked(s, s->rank);
}
