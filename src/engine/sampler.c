/* sampler.c - from logits through the stages to a token, and log-probabilities. */
#include "engine/sampler.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/sampler_int.h"
#include "numeric/philox.h"

#define DROPPED_LOGPROB (-9999.0f)

enum err sampler_init(struct sampler *s, uint32_t n_vocab, uint32_t n_ctx, struct err_note *note)
{
    *s = (struct sampler){.n_vocab = n_vocab, .n_ctx = n_ctx};
    s->logit = mem_array(n_vocab, sizeof s->logit[0]);
    s->token = mem_array(n_vocab, sizeof s->token[0]);
    s->weight = mem_array(n_vocab, sizeof s->weight[0]);
    s->rank = mem_array(n_vocab, sizeof s->rank[0]);
    s->index = mem_array(n_vocab, sizeof s->index[0]);
    s->count = mem_array(n_vocab, sizeof s->count[0]);
    s->allowed = mem_array(((size_t)n_vocab + 31) / 32, sizeof s->allowed[0]);
    s->repeat = mem_array(n_ctx, sizeof s->repeat[0]);
    if (s->logit && s->token && s->weight && s->rank && s->index && s->count && s->allowed &&
        s->repeat)
        return ERR_OK;
    sampler_release(s);
    return err_set(note, ERR_MEMORY, "out of memory for sampling over %u tokens", n_vocab);
}

void sampler_release(struct sampler *s)
{
    mem_free(s->logit);
    mem_free(s->token);
    mem_free(s->weight);
    mem_free(s->rank);
    mem_free(s->index);
    mem_free(s->count);
    mem_free(s->allowed);
    mem_free(s->repeat);
    *s = (struct sampler){0};
}

uint64_t sampler_random(uint64_t seed, uint32_t choice, uint32_t position,
                        enum sampler_purpose purpose)
{
    const uint32_t counter[4] = {position, choice, purpose, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    philox4x32(counter, key, out);
    return (uint64_t)out[1] << 32 | out[0];
}

/* ---- a token -------------------------------------------------------------------------------- */

typedef void stage_fn(struct sampler *s, const struct sampler_row *row);

static const struct {
    stage_fn *run;
    bool in_greedy, in_mirostat; /* whether it has a part in these choices */
} stages[ISO_STAGE_COUNT] = {
    [ISO_STAGE_PENALTIES] = {stage_penalties, true, true},
    [ISO_STAGE_DRY] = {stage_dry, true, true},
    [ISO_STAGE_TOP_K] = {stage_top_k, false, false},
    [ISO_STAGE_TYPICAL] = {stage_typical, false, false},
    [ISO_STAGE_TOP_P] = {stage_top_p, false, false},
    [ISO_STAGE_MIN_P] = {stage_min_p, false, false},
    [ISO_STAGE_XTC] = {stage_xtc, false, false},
    [ISO_STAGE_TEMPERATURE] = {stage_temperature, false, true},
};

bool sampler_has_stage(const struct iso_sampling *p, uint8_t stage)
{
    return p->temperature == 0 ? stages[stage].in_greedy
                               : !p->mirostat || stages[stage].in_mirostat;
}

static bool is_allowed(const uint32_t *allowed, uint32_t token)
{
    return allowed[token / 32] >> token % 32 & 1;
}

/* All tokens that may be chosen become candidates, their biases added. */
static void load(struct sampler *s, const struct sampler_row *row)
{
    const struct iso_sampling *p = row->sampling;
    bool any_banned = row->n_banned > 0 || row->allowed;
    s->n = s->n_vocab;
    memcpy(s->logit, row->logits, s->n * sizeof s->logit[0]);
    for (uint32_t i = 0; i < s->n; i++)
        s->token[i] = (int32_t)i;
    for (size_t i = 0; i < p->n_bias; i++) {
        float *l = &s->logit[p->bias[i].token];
        any_banned |= p->bias[i].bias == BANNED;
        *l = p->bias[i].bias == BANNED ? BANNED : sample_clamp(*l + p->bias[i].bias);
    }
    if (!any_banned)
        return;
    for (uint32_t i = 0; i < row->n_banned; i++)
        s->logit[row->banned[i]] = BANNED;
    for (uint32_t i = 0; i < s->n; i++)
        s->rank[i] = s->logit[i] != BANNED && (!row->allowed || is_allowed(row->allowed, i));
    keep_marked(s, s->rank);
}

static int32_t best(const struct sampler *s)
{
    float max = max_logit(s->logit, s->n);
    uint32_t i = 0;
    while (s->logit[i] != max)
        i++;
    return s->token[i];
}

static int32_t draw(struct sampler *s, const struct sampler_row *row)
{
    const struct iso_sampling *p = row->sampling;
    uint64_t total = weigh(s), sum = 0;
    uint64_t random = sampler_random(p->seed, p->choice, row->n_tokens, SAMPLER_PURPOSE_TOKEN);
    uint64_t target = sample_target(random, total);
    uint32_t i = 0;
    while ((sum += s->weight[i]) <= target)
        i++;
    CHECK(i < s->n);
    s->total = total;
    if (p->mirostat)
        mirostat_learn(s, row, i, total);
    return s->token[i];
}

int32_t sampler_choose(struct sampler *s, const struct sampler_row *row)
{
    const struct iso_sampling *p = row->sampling;
    bool is_greedy = p->temperature == 0;
    s->total = 0;
    load(s, row);
    if (s->n == 0)
        return -1;
    for (const uint8_t *stage = p->order; *stage != ISO_STAGE_END; stage++)
        if (sampler_has_stage(p, *stage))
            stages[*stage].run(s, row);
    if (is_greedy)
        return best(s);
    if (p->mirostat)
        mirostat_cut(s, row);
    return draw(s, row);
}

/* ---- log-probabilities --------------------------------------------------------------------- */

static float log2_of_sum(const float *logits, uint32_t n_vocab, float *max)
{
    uint64_t sum = 0;
    *max = max_logit(logits, n_vocab);
    for (uint32_t i = 0; i < n_vocab; i++)
        sum += sample_weight(logits[i] - *max);
    return sample_log2_sum(sum);
}

float iso_logprob(const float *logits, uint32_t n_vocab, int32_t token)
{
    float max, sum = log2_of_sum(logits, n_vocab, &max);
    return sample_logprob(logits[token] - max, sum);
}

float sampler_left(struct sampler *s, int32_t token, uint32_t n, struct iso_logprob *out)
{
    float max, sum = log2_of_sum(s->logit, s->n, &max);
    uint32_t n_left = n < s->n ? n : s->n;
    int64_t c = candidate_of(s, token);
    rank_by_logit(s);
    if (n_left > 0)
        find_first(s, n_left);
    for (uint32_t i = 0; i < n_left; i++) {
        float below_max = s->logit[s->index[i]] - max;
        out[i] = (struct iso_logprob){s->token[s->index[i]], sample_logprob(below_max, sum)};
    }
    int32_t dropped = 0;
    for (uint32_t i = n_left; i < n; i++, dropped++) {
        while (candidate_of(s, dropped) >= 0)
            dropped++;
        out[i] = (struct iso_logprob){dropped, DROPPED_LOGPROB};
    }
    return c < 0 ? DROPPED_LOGPROB : sample_logprob(s->logit[c] - max, sum);
}

void sampler_logprobs(struct sampler *s, const float *logits, uint32_t n, struct iso_logprob *out)
{
    float max, sum = log2_of_sum(logits, s->n_vocab, &max);
    CHECK(n <= s->n_vocab);
    s->n = s->n_vocab;
    memcpy(s->logit, logits, s->n * sizeof s->logit[0]);
    rank_by_logit(s);
    find_first(s, n);
    for (uint32_t i = 0; i < n; i++) {
        float below_max = logits[s->index[i]] - max;
        out[i] = (struct iso_logprob){(int32_t)s->index[i], sample_logprob(below_max, sum)};
    }
}
