/* sampler_device.c - what of the sampler a device does by itself (device/sample.h): whether it can
 * choose a row's token, what it is told for it, and what its answer means. */
#include "base/check.h"
#include "engine/sampler_int.h"

static bool is_off(const struct iso_sampling *p, uint8_t stage)
{
    switch (stage) {
    case ISO_STAGE_PENALTIES:
        return p->n_penalty_window == 0 ||
               (p->repeat_penalty == 1 && p->frequency_penalty == 0 && p->presence_penalty == 0);
    case ISO_STAGE_DRY:
        return p->dry_multiplier == 0;
    case ISO_STAGE_TOP_K:
        return p->top_k == 0;
    case ISO_STAGE_TYPICAL:
        return p->typical_p >= 1;
    case ISO_STAGE_TOP_P:
        return p->top_p >= 1;
    case ISO_STAGE_MIN_P:
        return sample_share(p->min_p) == 0;
    case ISO_STAGE_XTC:
        return p->xtc_probability <= 0;
    default:
        return false;
    }
}

/* The stages that change something; false: a device does not have one of them, or has it elsewhere
 * in the order. Penalties are told by their effect, *penalises. */
static bool take_stages(const struct iso_sampling *p, struct sample_row *out, bool *penalises)
{
    static const uint8_t has[] = {ISO_STAGE_PENALTIES, ISO_STAGE_TOP_K, ISO_STAGE_TOP_P,
                                  ISO_STAGE_MIN_P, ISO_STAGE_TEMPERATURE};
    bool is_greedy = p->temperature == 0;
    size_t at = 0;
    out->top_p = sample_share(1);
    for (const uint8_t *stage = p->order; *stage != ISO_STAGE_END; stage++) {
        if (!sampler_has_stage(p, *stage) || is_off(p, *stage))
            continue;
        while (at < COUNT_OF(has) && has[at] != *stage)
            at++;
        if (at == COUNT_OF(has))
            return false;
        *penalises |= *stage == ISO_STAGE_PENALTIES;
        out->top_k = *stage == ISO_STAGE_TOP_K ? p->top_k : out->top_k;
        out->top_p = *stage == ISO_STAGE_TOP_P ? sample_share(p->top_p) : out->top_p;
        out->min_p = *stage == ISO_STAGE_MIN_P ? sample_share(p->min_p) : out->min_p;
        if (*stage == ISO_STAGE_TEMPERATURE)
            out->per_temperature = num_recip(p->temperature);
    }
    return is_greedy || (out->per_temperature != 0 && !p->mirostat);
}

static bool is_among(int32_t token, const int32_t *tokens, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (tokens[i] == token)
            return true;
    return false;
}

struct edits {
    struct sample_edit *list;
    uint32_t n, n_max; /* n goes on beyond n_max */
};

static void add(struct edits *e, int32_t token, uint32_t value)
{
    if (e->n < e->n_max)
        e->list[e->n] = (struct sample_edit){token, value};
    e->n++;
}

static void add_biases(const struct sampler_row *row, struct edits *e)
{
    const struct iso_sampling *p = row->sampling;
    for (size_t i = 0; i < p->n_bias; i++)
        if (!is_among(p->bias[i].token, row->banned, row->n_banned))
            add(e, p->bias[i].token, num_bits(p->bias[i].bias));
    for (uint32_t i = 0; i < row->n_banned; i++)
        if (!is_among(row->banned[i], row->banned, i))
            add(e, row->banned[i], num_bits(BANNED));
}

static void add_penalties(struct sampler *s, const struct sampler_row *row, struct edits *e)
{
    const int32_t *window;
    uint32_t n = penalty_counts(s, row, &window);
    for (uint32_t i = 0; i < n; i++) {
        if (s->count[window[i]])
            add(e, window[i], s->count[window[i]] & ~OCCURS);
        s->count[window[i]] = 0;
    }
}

bool sampler_device_row(struct sampler *s, const struct sampler_row *row, struct sample_row *out,
                        struct sample_edit *edits, uint32_t n_edits_max)
{
    const struct iso_sampling *p = row->sampling;
    struct edits e = {.list = edits, .n_max = n_edits_max};
    bool penalises = false;
    *out = (struct sample_row){.token = SAMPLE_CHOOSE};
    if (row->allowed || !take_stages(p, out, &penalises))
        return false;
    add_biases(row, &e);
    out->n_biases = e.n;
    if (penalises)
        add_penalties(s, row, &e);
    out->n_penalties = e.n - out->n_biases;
    out->repeat = p->repeat_penalty;
    out->frequency = p->frequency_penalty;
    out->presence = p->presence_penalty;
    out->random = sampler_random(p->seed, p->choice, row->n_tokens, SAMPLER_PURPOSE_TOKEN);
    return e.n <= n_edits_max;
}

float sampler_device_logprob(const struct sample_result *r)
{
    return sample_logprob(r->logit - r->max, r->log2_sum);
}

void sampler_device_logprobs(const struct sample_result *r, uint32_t n, struct iso_logprob *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = (struct iso_logprob){r->best[i].token,
                                      sample_logprob(r->best[i].logit - r->max, r->log2_sum)};
}

void sampler_device_best(const struct sample_result *r, uint32_t n_vocab, struct iso_record *out)
{
    out->n_best = n_vocab < ISO_BEST_MAX ? n_vocab : ISO_BEST_MAX;
    for (uint32_t i = 0; i < out->n_best; i++) {
        out->best[i].token = r->best[i].token;
        out->best[i].logit = r->best[i].logit;
    }
}
