/* sampler.c - the stages between logits and a token, in binary32 and integers only. */
#include "engine/sampler.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "numeric/func.h"
#include "numeric/philox.h"

#define LOG2_E    0x1.715476p+0f
#define LN_2      0x1.62e430p-1f
#define LOGIT_MAX 0x1p100f

typedef unsigned __int128 u128;

enum { WEIGHT_BITS = 40, SURPRISE_BITS = 16 };

enum err sampler_init(struct sampler *s, uint32_t n_vocab, struct err_note *note)
{
    s->n_vocab = n_vocab;
    s->logits = mem_array(n_vocab, sizeof s->logits[0]);
    s->candidates = mem_array(n_vocab, sizeof s->candidates[0]);
    s->count = mem_array(n_vocab, sizeof s->count[0]);
    s->allowed = mem_array(((size_t)n_vocab + 31) / 32, sizeof s->allowed[0]);
    if (s->logits && s->candidates && s->count && s->allowed)
        return ERR_OK;
    sampler_release(s);
    return err_set(note, ERR_MEMORY, "out of memory for sampling over %u tokens", n_vocab);
}

void sampler_release(struct sampler *s)
{
    mem_free(s->logits);
    mem_free(s->candidates);
    mem_free(s->count);
    mem_free(s->allowed);
    *s = (struct sampler){0};
}

static enum err check_range(const char *name, float value, float min, float max,
                            struct err_note *note)
{
    if (value >= min && value <= max)
        return ERR_OK;
    return err_set(note, ERR_USAGE, "%s is %g; it must be from %g to %g", name, (double)value,
                   (double)min, (double)max);
}

static enum err check_order(const uint8_t order[8], struct err_note *note)
{
    unsigned seen = 0;
    for (int i = 0; i < 8 && order[i] != ISO_STAGE_END; i++) {
        if (order[i] >= ISO_STAGE_COUNT || (seen & 1u << order[i]))
            return err_set(note, ERR_USAGE, "the order of stages is wrong at its place %d", i);
        seen |= 1u << order[i];
    }
    return order[7] == ISO_STAGE_END ? ERR_OK
                                     : err_set(note, ERR_USAGE, "the order of stages has no end");
}

static enum err check_bias(const struct iso_sampling *p, uint32_t n_vocab, struct err_note *note)
{
    for (size_t i = 0; i < p->n_bias; i++) {
        struct iso_bias b = p->bias[i];
        if (b.token < 0 || (uint32_t)b.token >= n_vocab)
            return err_set(note, ERR_USAGE, "bias of token %d, but the vocabulary has %u", b.token,
                           n_vocab);
        if (i > 0 && b.token <= p->bias[i - 1].token)
            return err_set(note, ERR_USAGE, "biases must be in ascending order of token; %d is not",
                           b.token);
        if (!(num_abs(b.bias) <= LOGIT_MAX))
            return err_set(note, ERR_USAGE, "bias of token %d must be finite", b.token);
    }
    return ERR_OK;
}

enum err sampling_check(const struct iso_sampling *p, uint32_t n_vocab, struct err_note *note)
{
    enum err rc = check_range("temperature", p->temperature, 0, 100, note);
    if (!rc && p->temperature > 0)
        rc = check_range("temperature", p->temperature, 0.001f, 100, note);
    if (!rc)
        rc = check_range("top_p", p->top_p, 0, 1, note);
    if (!rc)
        rc = check_range("min_p", p->min_p, 0, 1, note);
    if (!rc)
        rc = check_range("typical_p", p->typical_p, 0, 1, note);
    if (!rc)
        rc = check_range("repeat_penalty", p->repeat_penalty, 0.01f, 100, note);
    if (!rc)
        rc = check_range("frequency_penalty", p->frequency_penalty, -100, 100, note);
    if (!rc)
        rc = check_range("presence_penalty", p->presence_penalty, -100, 100, note);
    if (!rc)
        rc = check_order(p->order, note);
    if (!rc)
        rc = check_bias(p, n_vocab, note);
    return rc;
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

/* ---- selection: a heap of candidates, larger rank first, then lower token ------------------ */

static bool is_before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank > b->rank : a->token < b->token;
}

static void sift_down(struct candidate *c, uint32_t n, uint32_t i)
{
    struct candidate moving = c[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && is_before(&c[child + 1], &c[child]))
            child++;
        if (!is_before(&c[child], &moving))
            break;
        c[i] = c[child];
        i = child;
    }
    c[i] = moving;
}

static void make_heap(struct candidate *c, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;)
        sift_down(c, n, i);
}

/* The first of the heap c[0..n) goes to c[n-1]; c[0..n-1) is a heap again. */
static void pop_heap(struct candidate *c, uint32_t n)
{
    struct candidate first = c[0];
    c[0] = c[n - 1];
    c[n - 1] = first;
    sift_down(c, n - 1, 0);
}

/* Ascending with the logit; -0 equals +0. */
static uint32_t rank_of(float logit)
{
    uint32_t bits = num_bits(logit + 0.0f);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static void rank_by_logit(struct candidate *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        c[i].rank = rank_of(c[i].logit);
}

/* Pops the k first into c[0..k), in order. The rest is lost. */
static uint32_t keep_first(struct candidate *c, uint32_t n, uint32_t k)
{
    make_heap(c, n);
    for (uint32_t i = 0; i < k; i++)
        pop_heap(c, n - i);
    for (uint32_t i = n - k, j = n - 1; i < j; i++, j--) {
        struct candidate t = c[i];
        c[i] = c[j];
        c[j] = t;
    }
    memmove(c, c + n - k, k * sizeof c[0]);
    return k;
}

/* Keeps the fewest first whose weights reach p of total. */
static uint32_t keep_mass(struct candidate *c, uint32_t n, float p, uint64_t total)
{
    u128 wanted = (u128)(uint64_t)(p * 0x1p40f) * total;
    u128 sum = 0;
    uint32_t k = 0;
    make_heap(c, n);
    while (k < n && (k == 0 || sum << WEIGHT_BITS < wanted)) {
        sum += c[0].weight;
        pop_heap(c, n - k++);
    }
    /* The k popped lie at the end; their order is of no matter to later stages. */
    memmove(c, c + n - k, k * sizeof c[0]);
    return k;
}

/* ---- stages: each returns how many candidates are left ------------------------------------- */

static float max_logit(const struct candidate *c, uint32_t n)
{
    float max = c[0].logit;
    for (uint32_t i = 1; i < n; i++)
        max = num_max(max, c[i].logit);
    return max;
}

static uint64_t weight_of(float below_max)
{
    return (uint64_t)(num_exp2(below_max * LOG2_E) * 0x1p40f);
}

/* Fills weights; returns their sum: at most 2^40 * n, and at least 2^40. */
static uint64_t weigh(struct candidate *c, uint32_t n)
{
    float max = max_logit(c, n);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += c[i].weight = weight_of(c[i].logit - max);
    return sum;
}

static float clamp_logit(float x)
{
    return num_min(num_max(x, -LOGIT_MAX), LOGIT_MAX);
}

static float penalised(float l, uint32_t times, const struct iso_sampling *p)
{
    l = l > 0 ? l * num_recip(p->repeat_penalty) : l * p->repeat_penalty;
    l = l - (float)times * p->frequency_penalty;
    return clamp_logit(l - p->presence_penalty);
}

/* On all logits, or on the n candidates that are left. */
static void stage_penalties(struct sampler *s, const struct iso_sampling *p, bool is_whole,
                            uint32_t n, const int32_t *tokens, uint32_t n_tokens)
{
    uint32_t window = p->n_penalty_window < n_tokens ? p->n_penalty_window : n_tokens;
    if (p->repeat_penalty == 1 && p->frequency_penalty == 0 && p->presence_penalty == 0)
        return;
    tokens += n_tokens - window;
    for (uint32_t i = 0; i < window; i++)
        s->count[tokens[i]]++;
    for (uint32_t i = 0; !is_whole && i < n; i++) {
        struct candidate *c = &s->candidates[i];
        if (s->count[c->token])
            c->logit = penalised(c->logit, s->count[c->token], p);
    }
    for (uint32_t i = 0; i < window; i++) {
        uint32_t times = s->count[tokens[i]];
        if (is_whole && times)
            s->logits[tokens[i]] = penalised(s->logits[tokens[i]], times, p);
        s->count[tokens[i]] = 0;
    }
}

static void stage_temperature(struct candidate *c, uint32_t n, float temperature)
{
    float max = max_logit(c, n), recip = num_recip(temperature);
    for (uint32_t i = 0; i < n; i++)
        c[i].logit = clamp_logit((c[i].logit - max) * recip);
}

static uint32_t stage_top_k(struct candidate *c, uint32_t n, uint32_t k)
{
    if (k == 0 || k >= n)
        return n;
    rank_by_logit(c, n);
    return keep_first(c, n, k);
}

static struct candidate worst_first(float logit, uint32_t token)
{
    uint64_t rank = (uint64_t)~rank_of(logit) << 32 | token;
    return (struct candidate){.logit = logit, .token = (int32_t)token, .rank = rank};
}

static bool is_allowed(const uint32_t *allowed, uint32_t token)
{
    return !allowed || (allowed[token / 32] >> token % 32 & 1);
}

/* The same from all logits: a heap whose first is the worst of the k best so far. */
static uint32_t top_k_of_all(const float *logits, const uint32_t *allowed, uint32_t n, uint32_t k,
                             struct candidate *c)
{
    uint32_t i = 0, n_kept = 0;
    for (; i < n && n_kept < k; i++)
        if (is_allowed(allowed, i))
            c[n_kept++] = worst_first(logits[i], i);
    make_heap(c, n_kept);
    for (; i < n; i++) {
        /* Of equal logits the lower id stays. */
        if (!(logits[i] > c[0].logit) || !is_allowed(allowed, i))
            continue;
        c[0] = worst_first(logits[i], i);
        sift_down(c, k, 0);
    }
    return n_kept;
}

static uint32_t stage_top_p(struct candidate *c, uint32_t n, float p)
{
    if (p >= 1)
        return n;
    uint64_t total = weigh(c, n);
    rank_by_logit(c, n);
    return keep_mass(c, n, p, total);
}

static uint32_t stage_min_p(struct candidate *c, uint32_t n, float p)
{
    uint64_t least = (uint64_t)(p * 0x1p40f);
    uint32_t k = 0;
    weigh(c, n);
    for (uint32_t i = 0; i < n; i++)
        if (c[i].weight >= least)
            c[k++] = c[i];
    return k;
}

/* -log2 of a weight in units of 2^-16, from the logit: at most 126 of them, where weights end. */
static uint64_t surprise_of(float below_max)
{
    float bits = num_min(below_max * -LOG2_E, 126.0f);
    return (uint64_t)(bits * 0x1p16f);
}

static uint32_t stage_typical(struct candidate *c, uint32_t n, float p)
{
    if (p >= 1)
        return n;
    float max = max_logit(c, n);
    uint64_t total = weigh(c, n);
    u128 sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (u128)c[i].weight * surprise_of(c[i].logit - max);
    uint64_t mean = (uint64_t)(sum / total);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t own = surprise_of(c[i].logit - max);
        c[i].rank = UINT64_MAX - (own > mean ? own - mean : mean - own);
    }
    return keep_mass(c, n, p, total);
}

/* A stage over the candidates that are left. */
static uint32_t run_stage(struct sampler *s, const struct iso_sampling *p, enum iso_stage stage,
                          uint32_t n, const int32_t *tokens, uint32_t n_tokens)
{
    struct candidate *c = s->candidates;
    switch (stage) {
    case ISO_STAGE_PENALTIES:
        stage_penalties(s, p, false, n, tokens, n_tokens);
        return n;
    case ISO_STAGE_TOP_K:
        return stage_top_k(c, n, p->top_k);
    case ISO_STAGE_TYPICAL:
        return stage_typical(c, n, p->typical_p);
    case ISO_STAGE_TOP_P:
        return stage_top_p(c, n, p->top_p);
    case ISO_STAGE_MIN_P:
        return stage_min_p(c, n, p->min_p);
    case ISO_STAGE_TEMPERATURE:
        stage_temperature(c, n, p->temperature);
        return n;
    default:
        CHECK(!"a stage that does not exist");
        return n;
    }
}

static uint32_t load(struct sampler *s, const float *logits, const uint32_t *allowed)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_vocab; i++)
        if (is_allowed(allowed, i))
            s->candidates[n++] = (struct candidate){.logit = logits[i], .token = (int32_t)i};
    return n;
}

static int32_t best(const float *logits, const uint32_t *allowed, uint32_t n)
{
    uint32_t best_i = 0;
    while (!is_allowed(allowed, best_i))
        best_i++;
    for (uint32_t i = best_i + 1; i < n; i++)
        if (logits[i] > logits[best_i] && is_allowed(allowed, i))
            best_i = i;
    return (int32_t)best_i;
}

static bool has_stage(const struct iso_sampling *p, enum iso_stage stage)
{
    return memchr(p->order, stage, strnlen((const char *)p->order, sizeof p->order)) != NULL;
}

/* Back to ascending token ids, which selection disturbs. */
static void sort_by_token(struct candidate *c, uint32_t n)
{
    uint32_t i = 1;
    while (i < n && c[i - 1].token < c[i].token)
        i++;
    if (i >= n)
        return;
    for (i = 0; i < n; i++)
        c[i].rank = 0;
    keep_first(c, n, n);
}

static int32_t draw(const struct iso_sampling *p, struct candidate *c, uint32_t n,
                    uint32_t position)
{
    sort_by_token(c, n);
    uint64_t total = weigh(c, n);
    uint64_t random = sampler_random(p->seed, p->choice, position, SAMPLER_PURPOSE_TOKEN);
    uint64_t target = (uint64_t)((u128)random * total >> 64);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += c[i].weight;
        if (sum > target)
            return c[i].token;
    }
    CHECK(!"target lies below the sum");
    return 0;
}

int32_t sampler_choose(struct sampler *s, const struct iso_sampling *p, const float *logits,
                       const uint32_t *allowed, const int32_t *tokens, uint32_t n_tokens)
{
    uint32_t n = s->n_vocab;
    int i = 0;
    memcpy(s->logits, logits, n * sizeof logits[0]);
    for (size_t k = 0; k < p->n_bias; k++) {
        float *l = &s->logits[p->bias[k].token];
        *l = clamp_logit(*l + p->bias[k].bias);
    }
    if (p->temperature == 0) {
        if (has_stage(p, ISO_STAGE_PENALTIES))
            stage_penalties(s, p, true, n, tokens, n_tokens);
        return best(s->logits, allowed, n);
    }
    /* The usual first two stages do not need every token as a candidate. */
    if (p->order[i] == ISO_STAGE_PENALTIES) {
        stage_penalties(s, p, true, n, tokens, n_tokens);
        i++;
    }
    if (p->order[i] == ISO_STAGE_TOP_K && p->top_k > 0 && p->top_k < n) {
        n = top_k_of_all(s->logits, allowed, n, p->top_k, s->candidates);
        i++;
    } else {
        n = load(s, s->logits, allowed);
    }
    for (; p->order[i] != ISO_STAGE_END; i++)
        n = run_stage(s, p, p->order[i], n, tokens, n_tokens);
    return draw(p, s->candidates, n, n_tokens);
}

/* ---- log-probabilities --------------------------------------------------------------------- */

static float log2_of_sum(const float *logits, uint32_t n_vocab, float *max)
{
    uint64_t sum = 0;
    *max = logits[0];
    for (uint32_t i = 1; i < n_vocab; i++)
        *max = num_max(*max, logits[i]);
    for (uint32_t i = 0; i < n_vocab; i++)
        sum += weight_of(logits[i] - *max);
    return num_log2((float)sum * 0x1p-40f);
}

float iso_logprob(const float *logits, uint32_t n_vocab, int32_t token)
{
    float max, sum = log2_of_sum(logits, n_vocab, &max);
    return ((logits[token] - max) * LOG2_E - sum) * LN_2;
}

void sampler_logprobs(struct sampler *s, const float *logits, uint32_t n, struct iso_logprob *out)
{
    float max, sum = log2_of_sum(logits, s->n_vocab, &max);
    CHECK(n <= s->n_vocab);
    load(s, logits, NULL);
    rank_by_logit(s->candidates, s->n_vocab);
    keep_first(s->candidates, s->n_vocab, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct candidate *c = &s->candidates[i];
        out[i] = (struct iso_logprob){c->token, ((c->logit - max) * LOG2_E - sum) * LN_2};
    }
}
