/* sampler_mirostat.c - mirostat: keeps the surprise of the chosen tokens near tau.
 *
 * Source: Basu et al., "Mirostat: a neural text decoding algorithm", 2021. In the exact arithmetic,
 * over the candidates in order i = 0.. by (l descending, id ascending), with N = the vocabulary:
 *   surprise i  S(i) = log2(2^-40 sum of w) - (l(i) - max l) * log2 e
 *   version 2   keeps S(i) <= mu, the first candidate at least
 *   version 1   t(i) = log2(i + 2) - log2(i + 1),  b(i) = (l(i) - l(i + 1)) * log2 e
 *               z = sum t b * recip(sum t t), over the first 99 i, each product and sum rounded,
 *               clamped to 2^-10 .. 2^20;  e = z - 1
 *               g = |e| < 2^-10 ? recip(log2(N) * ln 2) : e * recip(1 - exp2(-e * log2 N))
 *               keeps the first max(1, floor(exp2(min((log2 g + mu) * recip(z), 30))))
 *   lesson      mu -= eta * (S(chosen) - tau), S over the candidates that were kept */
#include "engine/sampler_int.h"

enum { PAIRS_MAX = 99 };

static void cut_by_surprise(struct sampler *s, float mu)
{
    float max = max_logit(s->logit, s->n), sum = sample_log2_sum(weigh(s));
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < s->n; i++)
        n_kept += s->rank[i] = sum - (s->logit[i] - max) * SAMPLE_LOG2_E <= mu;
    if (n_kept > 0) {
        keep_marked(s, s->rank);
        return;
    }
    rank_by_logit(s);
    keep_first(s, 1);
}

/* How steeply the logits of the first candidates fall: their exponent in Zipf's law. */
static float zipf_exponent(struct sampler *s)
{
    float tb = 0, tt = 0;
    uint32_t n_pairs = s->n - 1 < PAIRS_MAX ? s->n - 1 : PAIRS_MAX;
    find_first(s, n_pairs + 1);
    for (uint32_t i = 0; i < n_pairs; i++) {
        float t = num_log2((float)(i + 2)) - num_log2((float)(i + 1));
        float b = (s->logit[s->index[i]] - s->logit[s->index[i + 1]]) * SAMPLE_LOG2_E;
        tb = tb + t * b;
        tt = tt + t * t;
    }
    return num_min(num_max(tb * num_recip(tt), 0x1p-10f), 0x1p20f);
}

static uint32_t zipf_cut(float z, float mu, uint32_t n_vocab)
{
    float e = z - 1, bits = num_log2((float)n_vocab);
    float g = num_abs(e) < 0x1p-10f ? num_recip(bits * SAMPLE_LN_2)
                                    : e * num_recip(1 - num_exp2(-e * bits));
    float k = num_exp2(num_min((num_log2(g) + mu) * num_recip(z), 30.0f));
    return k >= 1 ? (uint32_t)k : 1;
}

static void cut_by_zipf(struct sampler *s, float mu)
{
    if (s->n < 2)
        return;
    rank_by_logit(s);
    keep_first(s, zipf_cut(zipf_exponent(s), mu, s->n_vocab));
}

void mirostat_cut(struct sampler *s, const struct sampler_row *row)
{
    if (row->sampling->mirostat == 1)
        cut_by_zipf(s, *row->mu);
    else
        cut_by_surprise(s, *row->mu);
}

void mirostat_learn(const struct sampler *s, const struct sampler_row *row, uint32_t chosen,
                    uint64_t total)
{
    const struct iso_sampling *p = row->sampling;
    float below_max = s->logit[chosen] - max_logit(s->logit, s->n);
    float surprise = sample_log2_sum(total) - below_max * SAMPLE_LOG2_E;
    *row->mu = *row->mu - p->mirostat_eta * (surprise - p->mirostat_tau);
}
