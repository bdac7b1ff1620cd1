/* scalar_sample.c - a token from a row of logits by a device: the definition, in its plainest form.
 *
 * A dropped candidate is one below the border; a banned one has the logit -infinity, which has the
 * lowest rank and no weight. tests/unit/engine/test_sampler_device.c holds it to engine/sampler.h,
 * whose host program drops candidates one stage after another. */
#include <string.h>

#include "device/cpu/scalar.h"
#include "numeric/sample.h"

/* What is left after a stage: candidates of a higher rank, and of this one up to a token. */
struct left {
    const float *l;
    uint32_t n;
    float max;
    uint32_t rank, last;
};

static bool is_left(const struct left *c, uint32_t i)
{
    uint32_t rank = sample_rank(c->l[i]);
    return rank > c->rank || (rank == c->rank && i <= c->last);
}

static uint64_t amount(const struct left *c, bool by_weight, uint32_t i)
{
    return !is_left(c, i) ? 0 : by_weight ? sample_weight(c->l[i] - c->max) : 1;
}

/* Of candidates of this rank or a higher one. */
static uint64_t sum_from(const struct left *c, bool by_weight, uint32_t rank)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < c->n; i++)
        if (sample_rank(c->l[i]) >= rank)
            sum += amount(c, by_weight, i);
    return sum;
}

/* The fewest first whose amounts reach `wanted`, which is above 0 and at most the sum of all. */
static void keep(struct left *c, bool by_weight, uint64_t wanted)
{
    uint32_t rank = 0, i = 0;
    for (int bit = 31; bit >= 0; bit--)
        if (sum_from(c, by_weight, rank | 1u << bit) >= wanted)
            rank |= 1u << bit;
    for (uint64_t sum = sum_from(c, by_weight, rank + 1);; i++)
        if (sample_rank(c->l[i]) == rank && (sum += amount(c, by_weight, i)) >= wanted)
            break;
    c->rank = rank;
    c->last = i;
}

/* The weight that the draw goes by. */
static uint64_t drawn(const struct left *c, const struct sample_row *r, uint32_t i)
{
    float below = c->l[i] - c->max;
    if (!is_left(c, i) || sample_weight(below) < r->min_p)
        return 0;
    return sample_weight(sample_clamp(below * r->per_temperature));
}

static int32_t choose(const struct sample_row *r, const float *l, uint32_t n, uint64_t *total)
{
    struct left c = {.l = l, .n = n, .max = l[0], .last = n - 1};
    for (uint32_t i = 1; i < n; i++)
        c.max = num_max(c.max, l[i]);
    if (sample_rank(c.max) == sample_rank(-__builtin_inff()))
        return -1;
    if (r->per_temperature == 0) {
        keep(&c, false, 1);
        return (int32_t)c.last;
    }
    if (r->top_k > 0 && r->top_k < n)
        keep(&c, false, r->top_k);
    if (r->top_p < 1ull << SAMPLE_WEIGHT_BITS) {
        uint64_t mass = sample_mass(r->top_p, sum_from(&c, true, 0));
        keep(&c, true, mass > 0 ? mass : 1); /* 1: the first alone */
    }
    for (uint32_t i = 0; i < n; i++)
        *total += drawn(&c, r, i);
    uint64_t target = sample_target(r->random, *total), sum = 0;
    uint32_t i = 0;
    while ((sum += drawn(&c, r, i)) <= target)
        i++;
    return (int32_t)i;
}

/* The row with its edits. */
static const float *edit(const struct sample_args *a, const struct sample_row *r, const float *l,
                         float *work)
{
    const struct sample_edit *e = a->edits + r->first_edit;
    if (r->n_biases + r->n_penalties == 0)
        return l;
    memcpy(work, l, a->n_vocab * sizeof *l);
    for (uint32_t i = 0; i < r->n_biases; i++, e++) {
        float bias = num_from_bits(e->value);
        work[e->token] = bias == -__builtin_inff() ? bias : sample_clamp(work[e->token] + bias);
    }
    for (uint32_t i = 0; i < r->n_penalties; i++, e++)
        if (work[e->token] != -__builtin_inff())
            work[e->token] =
                sample_penalised(work[e->token], e->value, r->repeat, r->frequency, r->presence);
    return work;
}

static void find_best(const float *l, uint32_t n, uint32_t n_best, struct sample_result *out)
{
    for (uint32_t i = 0, n_found = 0; i < n; i++) {
        uint32_t j = n_found;
        for (; j > 0 && out->best[j - 1].logit < l[i]; j--)
            if (j < n_best)
                out->best[j] = out->best[j - 1];
        if (j < n_best) {
            out->best[j].token = (int32_t)i;
            out->best[j].logit = l[i];
        }
        n_found += n_found < n_best;
    }
}

void scalar_sample(const struct sample_args *a, uint32_t row)
{
    const struct sample_row *r = a->rows + row;
    const float *l = a->logits + row * a->stride;
    struct sample_result *out = a->results + row;
    *out = (struct sample_result){.token = -1};
    a->tokens[row] = 0;
    if (r->token == SAMPLE_NOTHING || a->bad[row])
        return;
    out->token = r->token;
    if (r->token == SAMPLE_CHOOSE) {
        float *work = a->work + row * sample_runs(a->n_vocab) * SAMPLE_RUN;
        out->token = choose(r, edit(a, r, l, work), a->n_vocab, &out->sum);
    }
    if (out->token >= 0) {
        out->logit = l[out->token];
        a->tokens[row] = out->token;
    }
    find_best(l, a->n_vocab, r->n_best, out);
    if (!r->wants_sum)
        return;
    uint64_t sum = 0;
    out->max = l[0];
    for (uint32_t i = 1; i < a->n_vocab; i++)
        out->max = num_max(out->max, l[i]);
    for (uint32_t i = 0; i < a->n_vocab; i++)
        sum += sample_weight(l[i] - out->max);
    out->log2_sum = sample_log2_sum(sum);
}
