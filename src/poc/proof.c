/* proof.c - walks of nonces, batches of claims, the binomial test. */
#include "poc/proof.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

enum err nonce_walk_init(struct nonce_walk *w, int64_t node_id, int64_t n_nodes, int64_t group_id,
                         int64_t n_groups, struct err_note *note)
{
    const struct {
        const char *name;
        int64_t id, count;
    } parts[] = {{"node", node_id, n_nodes}, {"group", group_id, n_groups}};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i].id < 0 || parts[i].id >= parts[i].count || parts[i].count > 1 << 30)
            return err_set(note, ERR_LIMIT, "%s_id is %" PRId64 " of %" PRId64 ": it must be 0 or "
                           "more and under the count, which is at most 2^30",
                           parts[i].name, parts[i].id, parts[i].count);
    w->next = (uint64_t)node_id + (uint64_t)group_id * (uint64_t)n_nodes;
    w->step = (uint64_t)n_groups * (uint64_t)n_nodes;
    return ERR_OK;
}

uint64_t nonce_walk_next(struct nonce_walk *w)
{
    uint64_t nonce = w->next;
    w->next += w->step;
    return nonce;
}

static int claim_compare(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    return (x->nonce > y->nonce) - (x->nonce < y->nonce);
}

enum err claims_merge(struct claim *claims, size_t *n, struct err_note *note)
{
    for (size_t i = 0; i < *n; i++)
        if (!(claims[i].dist >= 0 && claims[i].dist <= 2))
            return err_set(note, ERR_FORMAT, "nonce %" PRIu64 ": its distance is %g; distances are "
                           "0 to 2", claims[i].nonce, claims[i].dist);
    if (*n > 1)
        qsort(claims, *n, sizeof *claims, claim_compare);
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (kept == 0 || claims[kept - 1].nonce != claims[i].nonce)
            claims[kept++] = claims[i];
        else if (claims[kept - 1].dist != claims[i].dist)
            return err_set(note, ERR_FORMAT, "nonce %" PRIu64 " is claimed twice, with distances "
                           "%.17g and %.17g", claims[i].nonce, claims[kept - 1].dist,
                           claims[i].dist);
    }
    *n = kept;
    return ERR_OK;
}

size_t claims_under(struct claim *claims, size_t n, double r_target)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (claims[i].dist < r_target)
            claims[kept++] = claims[i];
    return kept;
}

/* log of the chance of exactly k. lgamma_r, since lgamma writes a global. */
static double log_exactly(uint64_t n, uint64_t k, double p)
{
    int sign;
    double ways = lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) -
                  lgamma_r((double)(n - k) + 1, &sign);
    return ways + (double)k * log(p) + (double)(n - k) * log1p(-p);
}

double binomial_at_least(uint64_t n, uint64_t k, double p)
{
    CHECK(p > 0 && p < 1);
    if (k == 0)
        return 1;
    if (k > n)
        return 0;
    /* The side of the mean that k is on falls term by term; the other is what remains of 1. */
    double odds = p / (1 - p), sum = 0;
    if ((double)k > (double)n * p) {
        double term = exp(log_exactly(n, k, p));
        for (uint64_t i = k; term > sum * 1e-17; i++) {
            sum += term;
            term *= (double)(n - i) / (double)(i + 1) * odds;
        }
        return sum < 1 ? sum : 1;
    }
    double term = exp(log_exactly(n, k - 1, p));
    for (uint64_t i = k - 1; term > sum * 1e-17; i--) {
        sum += term;
        term *= (double)i / ((double)(n - i + 1) * odds);
    }
    return sum < 1 ? 1 - sum : 0;
}

enum err verdict_of(struct verdict *v, const double *claimed, const double *recomputed, size_t n,
                    double r_target, double threshold, struct err_note *note)
{
    *v = (struct verdict){.n = n, .honest = 1};
    for (size_t i = 0; i < n; i++) {
        if (!(claimed[i] < r_target))
            return err_set(note, ERR_FORMAT, "claim %zu: its distance %g is not under r_target "
                           "%g", i, claimed[i], r_target);
        v->n_invalid += !(recomputed[i] <= r_target);
    }
    v->honest = binomial_at_least(n, v->n_invalid, POC_MISMATCH);
    v->fraud = v->honest < threshold;
    return ERR_OK;
}

void rate_line(char out[RATE_LINE_BYTES], size_t group, uint64_t n_valid, uint64_t n_checked,
               double minutes)
{
    double valid = (double)n_valid, raw = (double)n_checked;
    snprintf(out, RATE_LINE_BYTES,
             "[%zu] Generated: %" PRIu64 " / %" PRIu64
             " (1 in %.0f) Time: %.2fmin (%.2f valid/min, %.2f raw/min)",
             group, n_valid, n_checked, n_valid ? raw / valid : 0, minutes, valid / minutes,
             raw / minutes);
}

const char *poc_status(const struct poc_worker_state *workers, size_t n)
{
    static const char *const NAMES[] = {
        [PHASE_IDLE] = "IDLE",
        [PHASE_GENERATE] = "GENERATING",
        [PHASE_VALIDATE] = "VALIDATING",
        [PHASE_STOP] = "STOPPED",
    };
    if (n == 0)
        return "NOT_LOADED";
    for (size_t i = 1; i < n; i++)
        if (workers[i].phase != workers[0].phase)
            return "MIXED";
    if (workers[0].phase == PHASE_IDLE)
        for (size_t i = 0; i < n; i++)
            if (!workers[i].ready)
                return "LOADING";
    return NAMES[workers[0].phase];
}
