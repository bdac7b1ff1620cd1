/* sampler_select.c - weights, ranks, and keeping the first candidates without sorting them.
 *
 * The border between kept and dropped is found digit by digit: a histogram of the ranks' top bits,
 * then of the next bits of those that share the border's digit. Cost: about two passes over the
 * candidates, whatever their distribution, and their order by token id stays. */
#include <string.h>

#include "base/check.h"
#include "engine/sampler_int.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, LANES = 16, BLOCK = 64 };

float max_logit(const float *logit, uint32_t n)
{
    float lane[LANES];
    uint32_t i = 0;
    for (int j = 0; j < LANES; j++)
        lane[j] = logit[0];
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lane[j] = num_max(lane[j], logit[i + (uint32_t)j]);
    for (; i < n; i++)
        lane[0] = num_max(lane[0], logit[i]);
    for (int j = 1; j < LANES; j++)
        lane[0] = num_max(lane[0], lane[j]);
    return lane[0];
}

uint64_t weigh(struct sampler *s)
{
    float max = max_logit(s->logit, s->n), part[BLOCK];
    uint64_t sum = 0;
    for (uint32_t at = 0; at < s->n; at += BLOCK) {
        uint32_t n = s->n - at < BLOCK ? s->n - at : BLOCK;
        for (uint32_t i = 0; i < n; i++) /* apart from the conversions, so that it is vectorised */
            part[i] = num_exp2((s->logit[at + i] - max) * SAMPLE_LOG2_E) * 0x1p40f;
        for (uint32_t i = 0; i < n; i++)
            sum += s->weight[at + i] = (uint64_t)(int64_t)part[i];
    }
    return sum;
}

void rank_by_logit(struct sampler *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        s->rank[i] = sample_rank(s->logit[i]);
}

/* Candidates whose rank exceeds `rank` are kept, and the first n_equal of those that equal it. */
struct border {
    uint32_t rank, n_equal;
};

/* Those of the m candidates index[0..m) whose digit at `shift` is `digit` come to the front. */
static uint32_t gather(const struct sampler *s, uint32_t m, int shift, uint32_t digit)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < m; i++) {
        uint32_t j = s->index[i];
        s->index[k] = j;
        k += (s->rank[j] >> shift & (DIGITS - 1)) == digit;
    }
    return k;
}

/* The border at which the amounts (weights, or 1 each) of those before it reach `wanted`. */
static struct border find_border(struct sampler *s, const uint64_t *amount, uint64_t wanted)
{
    static const int shifts[] = {21, 10, 0}; /* the last two share a bit, which is the same then */
    uint32_t m = s->n, rank = 0;
    for (uint32_t i = 0; i < m; i++)
        s->index[i] = i;
    for (int level = 0; level < 3; level++) {
        uint64_t sum[DIGITS] = {0};
        uint32_t digit = DIGITS;
        for (uint32_t i = 0; i < m; i++) {
            uint32_t j = s->index[i];
            sum[s->rank[j] >> shifts[level] & (DIGITS - 1)] += amount ? amount[j] : 1;
        }
        while (sum[--digit] < wanted) {
            CHECK(digit > 0);
            wanted -= sum[digit];
        }
        m = gather(s, m, shifts[level], digit);
        rank |= digit << shifts[level];
    }
    struct border b = {.rank = rank};
    for (uint64_t reached = 0; reached < wanted; b.n_equal++)
        reached += amount ? amount[s->index[b.n_equal]] : 1;
    return b;
}

static void keep_border(struct sampler *s, struct border b)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        bool equal = s->rank[i] == b.rank && b.n_equal > 0;
        b.n_equal -= equal;
        s->logit[k] = s->logit[i];
        s->token[k] = s->token[i];
        k += equal || s->rank[i] > b.rank;
    }
    s->n = k;
}

void keep_first(struct sampler *s, uint32_t k)
{
    if (k < s->n)
        keep_border(s, find_border(s, NULL, k));
}

void keep_likely_blocks(struct sampler *s, uint32_t k)
{
    uint32_t n = s->n, n_blocks = (n + BLOCK - 1) / BLOCK, at = 0;
    if (k >= n_blocks)
        return;
    for (uint32_t b = 0; b < n_blocks; b++) {
        uint32_t n_block = n - b * BLOCK < BLOCK ? n - b * BLOCK : BLOCK;
        s->rank[b] = sample_rank(max_logit(s->logit + b * BLOCK, n_block));
    }
    s->n = n_blocks;
    struct border border = find_border(s, NULL, k);
    for (uint32_t b = 0; b < n_blocks; b++) {
        uint32_t n_block = n - b * BLOCK < BLOCK ? n - b * BLOCK : BLOCK;
        if (s->rank[b] < border.rank)
            continue;
        memmove(s->logit + at, s->logit + b * BLOCK, n_block * sizeof s->logit[0]);
        memmove(s->token + at, s->token + b * BLOCK, n_block * sizeof s->token[0]);
        at += n_block;
    }
    s->n = at;
}

void keep_mass(struct sampler *s, uint64_t least)
{
    if (least == 0)
        keep_first(s, 1);
    else
        keep_border(s, find_border(s, s->weight, least));
}

void keep_marked(struct sampler *s, const uint32_t *keep)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        s->logit[k] = s->logit[i];
        s->token[k] = s->token[i];
        k += keep[i] != 0;
    }
    s->n = k;
}

int64_t candidate_of(const struct sampler *s, int32_t token)
{
    uint32_t lo = 0, n = s->n;
    if (n == s->n_vocab)
        return token;
    while (n > 0) {
        uint32_t half = n / 2;
        if (s->token[lo + half] < token) {
            lo += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return lo < s->n && s->token[lo] == token ? (int64_t)lo : -1;
}

void find_first(struct sampler *s, uint32_t k)
{
    struct border b = find_border(s, NULL, k);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        bool equal = s->rank[i] == b.rank && b.n_equal > 0;
        b.n_equal -= equal;
        if (!equal && s->rank[i] <= b.rank)
            continue;
        uint32_t j = n++;
        for (; j > 0 && s->rank[s->index[j - 1]] < s->rank[i]; j--)
            s->index[j] = s->index[j - 1];
        s->index[j] = i;
    }
}

uint32_t sampler_best(const float *logits, uint32_t n_vocab, struct iso_record *out)
{
    uint32_t n = 0;
    float least = 0; /* once there are ISO_BEST_MAX */
    for (uint32_t at = 0; at < n_vocab; at += BLOCK) {
        uint32_t n_block = n_vocab - at < BLOCK ? n_vocab - at : BLOCK;
        if (n == ISO_BEST_MAX && max_logit(logits + at, n_block) <= least)
            continue;
        for (uint32_t i = at; i < at + n_block; i++) {
            if (n == ISO_BEST_MAX && logits[i] <= least)
                continue;
            uint32_t j = n < ISO_BEST_MAX ? n++ : n - 1;
            for (; j > 0 && out->best[j - 1].logit < logits[i]; j--)
                out->best[j] = out->best[j - 1];
            out->best[j].token = (int32_t)i;
            out->best[j].logit = logits[i];
            least = out->best[n - 1].logit;
        }
    }
    return out->n_best = n;
}
