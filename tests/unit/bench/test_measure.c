/* test_measure.c - costs counted from a model, and what is dropped from a summary. */
#include "lib/test.h"

#include "bench/measure.h"

static void test_names(void **state)
{
    (void)state;
    static const struct {
        struct bench_test test;
        const char *name;
    } cases[] = {{{BENCH_PROMPT, 2, 512, 1, 0}, "prompt 512"},
                 {{BENCH_GEN, 2, 128, 16, 0}, "gen 128 x16"},
                 {{BENCH_GEN, 1, 64, 1, 3072}, "gen 64 @3072"},
                 {{BENCH_GEN, 1, 4294967295u, 4294967295u, 4294967295u},
                  "gen 4294967295 x4294967295 @4294967295"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char name[BENCH_NAME];
        assert_string_equal(bench_test_name(&cases[i].test, name), cases[i].name);
        for (size_t k = 0; k < COUNT_OF(cases); k++)
            assert_int_equal(bench_test_equal(&cases[i].test, &cases[k].test), i == k);
    }
}

/* The larger of both times is the roof. */
static void test_roof(void **state)
{
    (void)state;
    enum bench_bound bound;
    struct bench_limits l = {.read = 100, .int8 = 1000, .f32 = 10};
    struct bench_cost c = {.n_bytes = 300, .int8_ops = 2000};
    assert_float_equal(bench_cost_seconds(&c, &l, &bound), 3, 1e-12);
    assert_int_equal(bound, BENCH_BOUND_READ);
    c.f32_ops = 20;
    assert_float_equal(bench_cost_seconds(&c, &l, &bound), 4, 1e-12);
    assert_int_equal(bound, BENCH_BOUND_COMPUTE);
    c = (struct bench_cost){.n_bytes = 50}; /* what was not measured is not needed */
    l.int8 = l.f32 = 0;
    assert_float_equal(bench_cost_seconds(&c, &l, &bound), 0.5, 1e-12);
}

static struct bench_sample sample(double seconds, double read_before, double read_after)
{
    return (struct bench_sample){
        seconds, 10 / seconds, {read_before, 1e12, 0}, {read_after, 1e12, 0}};
}

/* Ten tokens that read 100 bytes: at 50 bytes a second, 2 seconds are the roof. */
static void test_dropping(void **state)
{
    (void)state;
    struct bench_series s = {.test = {BENCH_GEN, 1, 10, 1, 0}, .cost = {100, 40, 0}};
    struct bench_summary sum;
    struct err_note note;
    buf_init(&s.steps, 1 << 10);
    for (int i = 1; i <= 4; i++)
        buf_add(&s.steps, &(double){i}, sizeof(double));
    s.samples[0] = sample(4, 50, 50);
    s.samples[1] = sample(1, 50, 60); /* the roof moved */
    s.samples[2] = sample(2.5, 52, 48);
    s.n_samples = 3;
    assert_int_equal(bench_summarize(&s, &sum, &note), ERR_OK);
    assert_int_equal(sum.n_dropped, 1);
    assert_int_equal(sum.bound, BENCH_BOUND_READ);
    assert_float_equal(sum.tokens_per_second.min, 2.5, 1e-12);
    assert_float_equal(sum.tokens_per_second.median, 4, 1e-12);
    assert_float_equal(sum.tokens_per_second.max, 10, 1e-12);
    assert_float_equal(sum.roof_share, (0.5 + 0.8) / 2, 1e-12);
    assert_float_equal(sum.roof_tokens_per_second, 5, 1e-12);
    assert_float_equal(sum.gb_per_s, 40e-9, 1e-15);
    assert_float_equal(sum.step_ms_p50, 2, 0);
    assert_float_equal(sum.step_ms_p99, 4, 0);

    s.samples[0].after.read = s.samples[2].after.read = 1; /* none is left */
    assert_int_equal(bench_summarize(&s, &sum, &note), ERR_OK);
    assert_int_equal(sum.n_dropped, 3);
    assert_float_equal(sum.roof_share, 0, 0);

    s.cost.int8_ops = 1e15; /* now computing bounds, and its peak did not move */
    assert_int_equal(bench_summarize(&s, &sum, &note), ERR_OK);
    assert_int_equal(sum.n_dropped, 0);
    assert_int_equal(sum.bound, BENCH_BOUND_COMPUTE);
    buf_release(&s.steps);
    assert_int_equal(bench_summarize(&s, &sum, &note), ERR_MEMORY);
}

/* The ratio is that of the medians; the spread is that of pairs, in turns. */
static void test_versus(void **state)
{
    (void)state;
    const double ours[] = {10, 40, 30}, theirs[] = {5, 10, 30};
    struct bench_versus v = bench_versus_of(ours, theirs, 3);
    assert_float_equal(v.tokens_per_second.median, 10, 0);
    assert_float_equal(v.ratio, 3, 1e-12);
    assert_float_equal(v.pair_min, 1, 1e-12);
    assert_float_equal(v.pair_max, 4, 1e-12);
    assert_float_equal(ours[1], 40, 0); /* as they were */
}

/* Pages for the deepest start once, and each sequence's own from there on. */
static void test_needs(void **state)
{
    (void)state;
    const struct bench_test tests[] = {{BENCH_PROMPT, 1, 512, 1, 0}, {BENCH_GEN, 1, 100, 16, 3000}};
    struct iso_engine_options o = {0};
    bench_needs(tests, 2, &o);
    assert_int_equal(o.n_ctx, 3101);
    assert_int_equal(o.n_sessions, 17);
    assert_int_equal(o.n_kv_pages, 47 + 16 * (2 + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_roof),
        cmocka_unit_test(test_dropping), cmocka_unit_test(test_versus),
        cmocka_unit_test(test_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
