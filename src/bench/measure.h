/* measure.h - one engine, its roofs, and the clock around its steps.
 *
 * Every repetition measures the roofs, runs the test, and measures the roofs again. A sequence's
 * depth is read once and forked for each repetition: sequences side by side share its pages.
 * Prompts are random tokens, never the same twice, so that nothing is found in a cache.
 * Owner thread: the engine's. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "base/buf.h"
#include "bench/cost.h"
#include "bench/roof.h"
#include "isobit.h"

enum { BENCH_REPEATS_MAX = 100, BENCH_TOKENS_MAX = 1 << 20 };

/* bench_needs - the engine options that a set of tests wants: context, sessions, pages. */
void bench_needs(const struct bench_test *tests, size_t n_tests, struct iso_engine_options *o);

struct bench {
    struct iso_engine *engine;
    struct roof *roof;     /* of the CPU; or */
    struct device *device; /* the GPU whose limits are asked for */
    struct model_product *products;
    size_t n_products;
    struct iso_session *base; /* read up to the largest depth so far; NULL: none yet */
    uint64_t seed;
    int32_t *tokens;               /* [n_tokens_max] */
    struct iso_session **sessions; /* [n_sessions_max] */
    uint32_t n_tokens_max, n_sessions_max;
};

/* bench_open - the engine was opened with what bench_needs says of the same tests, and outlives b.
 * Runs a few steps, so that memory is in place. */
enum err bench_open(struct bench *b, struct iso_engine *engine, const struct bench_test *tests,
                    size_t n_tests, struct err_note *note);
void bench_close(struct bench *b);

struct bench_sample {
    double seconds, tokens_per_second;
    struct bench_limits before, after;
};

/* What was measured of one test. */
struct bench_series {
    struct bench_test test;
    struct bench_cost cost;
    struct bench_sample samples[BENCH_REPEATS_MAX];
    size_t n_samples;
    struct buf steps; /* double each: milliseconds of every step */
};
void bench_series_init(struct bench_series *s, const struct bench *b, const struct bench_test *t);
void bench_series_release(struct bench_series *s);

/* bench_repeat - one repetition more, at most BENCH_REPEATS_MAX. */
enum err bench_repeat(struct bench *b, struct bench_series *s, struct err_note *note);

struct bench_spread {
    double min, median, max;
};

struct bench_summary {
    struct bench_spread tokens_per_second;
    double step_ms_p50, step_ms_p95, step_ms_p99;
    double gops, gb_per_s; /* of the median repetition */
    enum bench_bound bound;
    /* Of repetitions whose roof was the same before and after; medians. 0 when there are none. */
    double roof_tokens_per_second, roof_share, roof_gops, roof_gb_per_s;
    size_t n_dropped; /* the others */
};
/* A test beside a baseline that ran in turns with it. */
struct bench_versus {
    struct bench_spread tokens_per_second; /* the baseline's */
    double ratio;                          /* of the medians: ours by theirs */
    double pair_min, pair_max;             /* of the ratios of each turn */
};
/* n >= 1, at most BENCH_REPEATS_MAX; every rate above 0. */
struct bench_versus bench_versus_of(const double *ours, const double *theirs, size_t n);

/* bench_summarize - s has a sample. ERR_MEMORY if its steps were not kept. */
enum err bench_summarize(const struct bench_series *s, struct bench_summary *out,
                         struct err_note *note);

#endif
