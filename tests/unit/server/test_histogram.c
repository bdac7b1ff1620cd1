/* test_histogram.c - values fall where they belong; sums of two are those of one. */
#include "lib/test.h"

#include "server/histogram.h"

static void bounds_ascend(void **state)
{
    (void)state;
    const struct histogram_scale *const scales[] = {&histogram_times, &histogram_counts};
    for (size_t k = 0; k < COUNT_OF(scales); k++) {
        assert_true(scales[k]->n_bounds <= HISTOGRAM_BOUNDS_MAX);
        for (uint32_t i = 1; i < scales[k]->n_bounds; i++)
            assert_true(scales[k]->bounds[i] > scales[k]->bounds[i - 1]);
    }
    assert_int_equal(histogram_times.bounds[0], 100000);
    assert_int_equal(histogram_times.bounds[20], 500000000000);
}

static void a_bound_belongs_below(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        uint32_t place;
    } cases[] = {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {4, 2}, {4096, 12}, {4097, 13}, {UINT64_MAX, 13}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct histogram h = {0};
        histogram_add(&h, &histogram_counts, cases[i].value);
        assert_int_equal(h.counts[cases[i].place], 1);
        assert_int_equal(h.n, 1);
        assert_int_equal(h.sum, cases[i].value);
        assert_true(h.min == cases[i].value && h.max == cases[i].value);
    }
}

static void merged_is_as_if_counted_together(void **state)
{
    (void)state;
    struct histogram all = {0}, one = {0}, two = {0}, sum = {0}, none = {0};
    for (uint64_t v = 1; v < 3000; v = v * 5 / 3 + 1) {
        histogram_add(&all, &histogram_counts, v);
        histogram_add(v % 2 ? &one : &two, &histogram_counts, v);
    }
    histogram_merge(&sum, &none);
    histogram_merge(&sum, &one);
    histogram_merge(&sum, &none);
    histogram_merge(&sum, &two);
    assert_memory_equal(&sum, &all, sizeof all);
}

static void quantiles_lie_where_the_values_do(void **state)
{
    (void)state;
    struct histogram h = {0};
    assert_true(histogram_quantile(&h, &histogram_times, 0.5) == 0);
    assert_true(histogram_mean(&h, &histogram_times) == 0);
    for (uint64_t ms = 1; ms <= 1000; ms++)
        histogram_add(&h, &histogram_times, ms * 1000000);
    assert_float_equal(histogram_quantile(&h, &histogram_times, 0.5), 0.5, 0.001);
    assert_float_equal(histogram_quantile(&h, &histogram_times, 0.95), 0.95, 0.001);
    assert_float_equal(histogram_quantile(&h, &histogram_times, 0), 0.001, 0.0001);
    assert_float_equal(histogram_quantile(&h, &histogram_times, 1), 1, 0.0001);
    assert_float_equal(histogram_mean(&h, &histogram_times), 0.5005, 1e-9);
    struct histogram beyond = {0};
    histogram_add(&beyond, &histogram_counts, 9000);
    assert_float_equal(histogram_quantile(&beyond, &histogram_counts, 0.99), 9000, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_ascend),
        cmocka_unit_test(a_bound_belongs_below),
        cmocka_unit_test(merged_is_as_if_counted_together),
        cmocka_unit_test(quantiles_lie_where_the_values_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
