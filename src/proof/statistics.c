/* statistics.c - Gonka's comparison of log-probabilities, and the benchmarks' forms of it. */
#include "proof/statistics.h"

#include <math.h>

enum { POSITIONS_MIN = 100 };

enum stat_agreement stat_agreement(const struct stat_answer *claimed,
                                   const struct stat_answer *recomputed)
{
    if (claimed->n != recomputed->n)
        return STAT_DIFFERENT_LENGTH;
    for (size_t i = 0; i < claimed->n; i++)
        if (claimed->at[i].token != recomputed->at[i].token)
            return STAT_DIFFERENT_TOKENS;
    return STAT_SAME_TOKENS;
}

/* The token's, of those told twice the last; NULL: it has none. */
static const struct stat_choice *find(const struct stat_position *p, int32_t token)
{
    for (size_t i = p->n_top; i > 0; i--)
        if (p->top[i - 1].token == token)
            return &p->top[i - 1];
    return NULL;
}

/* What a token would have that is not among a position's: by the two least likely ones. alone: how
 * far the next one is taken to be below a single one. */
static double guess(const struct stat_position *p, double alone)
{
    double least = INFINITY, next = INFINITY;
    for (size_t i = 0; i < p->n_top; i++) {
        double x = p->top[i].logprob;
        if (find(p, p->top[i].token) != &p->top[i])
            continue;
        next = x < least ? least : x < next ? x : next;
        least = x < least ? x : least;
    }
    if (isinf(next))
        next = least - alone;
    return least - (next - least);
}

static double term(double a, double b, double least)
{
    return fabs(a - b) / (least + fabs(a) + fabs(b)) / 2;
}

double stat_similarity(const struct stat_answer *claimed, const struct stat_answer *recomputed)
{
    double sum = 0;
    for (size_t i = 0; i < claimed->n; i++) {
        const struct stat_position *o = &claimed->at[i], *v = &recomputed->at[i];
        if (o->n_top == 0 || v->n_top == 0)
            return 0;
        double missing = guess(o, 100);
        for (size_t k = 0; k < v->n_top; k++) {
            const struct stat_choice *c = find(o, v->top[k].token);
            sum += term(v->top[k].logprob, c ? c->logprob : missing, 1e-6);
        }
    }
    if (claimed->n == 0)
        return 1;
    size_t n = claimed->n > POSITIONS_MIN ? claimed->n : POSITIONS_MIN;
    double similarity = 1 - sum / (double)(n * claimed->at[0].n_top);
    return similarity > 0 ? similarity : 0;
}

struct stat_distance2 stat_distance2(const struct stat_answer *claimed,
                                     const struct stat_answer *recomputed)
{
    double sum = 0, n_matches = 0;
    if (stat_agreement(claimed, recomputed) != STAT_SAME_TOKENS || claimed->n == 0 ||
        claimed->at[0].n_top == 0)
        return (struct stat_distance2){-1, -1};
    for (size_t i = 0; i < claimed->n; i++) {
        const struct stat_position *o = &claimed->at[i], *v = &recomputed->at[i];
        double missing = v->n_top > 0 ? guess(v, 1) : 0;
        for (size_t k = 0; k < o->n_top; k++) {
            const struct stat_choice *c = find(v, o->top[k].token);
            if (find(o, o->top[k].token) != &o->top[k])
                continue;
            n_matches += c != NULL;
            sum += v->n_top > 0 ? term(o->top[k].logprob, c ? c->logprob : missing, 1e-10) : 1;
        }
    }
    size_t n = claimed->n > POSITIONS_MIN ? claimed->n : POSITIONS_MIN;
    size_t n_top = claimed->at[0].n_top;
    return (struct stat_distance2){(sum + 1) / ((double)(n * n_top) + 1),
                                   n_matches / (double)(claimed->n * n_top)};
}

double stat_fill(const struct stat_answer *recomputed)
{
    double sum = 0;
    for (size_t i = 0; i < recomputed->n; i++)
        sum += recomputed->at[i].logprob > -10 ? recomputed->at[i].logprob : -10;
    return recomputed->n > 0 ? exp(sum / (double)recomputed->n) : 1;
}
