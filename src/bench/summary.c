/* summary.c - a test's repetitions as the few numbers that are told. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bench/measure.h"
#include "bench/stats.h"

static struct bench_limits mean(const struct bench_limits *a, const struct bench_limits *b)
{
    return (struct bench_limits){(a->read + b->read) / 2, (a->int8 + b->int8) / 2,
                                 (a->f32 + b->f32) / 2};
}

static bool roof_held(const struct bench_sample *x, const struct bench_cost *c,
                      enum bench_bound bound)
{
    if (bound == BENCH_BOUND_READ)
        return stats_pair_agrees(x->before.read, x->after.read);
    return (c->int8_ops == 0 || stats_pair_agrees(x->before.int8, x->after.int8)) &&
           (c->f32_ops == 0 || stats_pair_agrees(x->before.f32, x->after.f32));
}

static double median_of(double *x, size_t n)
{
    stats_sort(x, n);
    return n ? stats_median(x, n) : 0;
}

/* The medians over repetitions that kept their roof. */
static void summarize_roof(const struct bench_series *s, struct bench_summary *out)
{
    double roof[BENCH_REPEATS_MAX], share[BENCH_REPEATS_MAX], read[BENCH_REPEATS_MAX];
    double compute[BENCH_REPEATS_MAX], n_tokens = (double)s->test.n_tokens * s->test.n_batch;
    size_t n = 0;
    for (size_t i = 0; i < s->n_samples; i++) {
        const struct bench_sample *x = &s->samples[i];
        struct bench_limits l = mean(&x->before, &x->after);
        double seconds = bench_cost_seconds(&s->cost, &l, &out->bound);
        if (!roof_held(x, &s->cost, out->bound))
            continue;
        roof[n] = n_tokens / seconds;
        share[n] = seconds / x->seconds;
        read[n] = l.read * 1e-9;
        compute[n++] = (s->cost.int8_ops > s->cost.f32_ops ? l.int8 : l.f32) * 1e-9;
    }
    out->n_dropped = s->n_samples - n;
    out->roof_tokens_per_second = median_of(roof, n);
    out->roof_share = median_of(share, n);
    out->roof_gb_per_s = median_of(read, n);
    out->roof_gops = median_of(compute, n);
}

static struct bench_spread spread_of(double *x, size_t n)
{
    stats_sort(x, n);
    return (struct bench_spread){x[0], stats_median(x, n), x[n - 1]};
}

struct bench_versus bench_versus_of(const double *ours, const double *theirs, size_t n)
{
    double x[BENCH_REPEATS_MAX], y[BENCH_REPEATS_MAX], ratio[BENCH_REPEATS_MAX];
    CHECK(n > 0 && n <= BENCH_REPEATS_MAX);
    for (size_t i = 0; i < n; i++) {
        x[i] = ours[i];
        y[i] = theirs[i];
        ratio[i] = ours[i] / theirs[i];
    }
    struct bench_spread a = spread_of(x, n), b = spread_of(y, n), pairs = spread_of(ratio, n);
    return (struct bench_versus){b, a.median / b.median, pairs.min, pairs.max};
}

enum err bench_summarize(const struct bench_series *s, struct bench_summary *out,
                         struct err_note *note)
{
    double rate[BENCH_REPEATS_MAX];
    CHECK(s->n_samples > 0);
    size_t n = s->n_samples, n_steps = s->steps.n_bytes / sizeof(double);
    *out = (struct bench_summary){0};
    for (size_t i = 0; i < n; i++)
        rate[i] = s->samples[i].tokens_per_second;
    out->tokens_per_second = spread_of(rate, n);
    double seconds = (double)s->test.n_tokens * s->test.n_batch / out->tokens_per_second.median;
    out->gops = (s->cost.int8_ops + s->cost.f32_ops) / seconds * 1e-9;
    out->gb_per_s = s->cost.n_bytes / seconds * 1e-9;
    summarize_roof(s, out);
    double *steps = mem_array(n_steps, sizeof *steps);
    if (!steps || s->steps.failed || n_steps == 0) {
        mem_free(steps);
        return err_set(note, ERR_MEMORY, "out of memory for the times of %zu steps", n_steps);
    }
    memcpy(steps, s->steps.bytes, n_steps * sizeof *steps);
    stats_sort(steps, n_steps);
    out->step_ms_p50 = stats_percentile(steps, n_steps, 0.50);
    out->step_ms_p95 = stats_percentile(steps, n_steps, 0.95);
    out->step_ms_p99 = stats_percentile(steps, n_steps, 0.99);
    mem_free(steps);
    return ERR_OK;
}
