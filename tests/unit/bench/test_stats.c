/* test_stats.c - medians, percentiles, and which pairs of limits count. */
#include "lib/test.h"

#include "bench/stats.h"

static void test_median(void **state)
{
    (void)state;
    double x[] = {9, 1, 5, 3};
    stats_sort(x, 1);
    assert_float_equal(stats_median(x, 1), 9, 0);
    stats_sort(x, 3);
    assert_float_equal(stats_median(x, 3), 5, 0);
    stats_sort(x, 4);
    assert_float_equal(x[0], 1, 0);
    assert_float_equal(x[3], 9, 0);
    assert_float_equal(stats_median(x, 4), 4, 0);
    stats_sort(NULL, 0);
}

/* Nearest rank, by the definition: the smallest that at least that part does not exceed. */
static void test_percentile(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (size_t n = 1; n <= 130; n++) {
        double x[130];
        for (size_t i = 0; i < n; i++)
            x[i] = (double)(test_rand(&seed) % 50);
        stats_sort(x, n);
        static const int percents[] = {1, 50, 95, 99, 100};
        for (size_t p = 0; p < COUNT_OF(percents); p++) {
            double got = stats_percentile(x, n, percents[p] / 100.0);
            size_t n_below = 0, n_up_to = 0;
            for (size_t i = 0; i < n; i++) {
                n_below += x[i] < got;
                n_up_to += x[i] <= got;
            }
            assert_true(n_up_to * 100 >= n * (size_t)percents[p]);
            assert_true(n_below * 100 < n * (size_t)percents[p]);
        }
    }
}

static void test_pairs(void **state)
{
    (void)state;
    static const struct {
        double before, after;
        bool agrees;
    } cases[] = {{100, 100, true},   {100, 90.01, true}, {90.01, 100, true}, {100, 89.9, false},
                 {89.9, 100, false}, {0, 0, true},       {0, 1, false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(stats_pair_agrees(cases[i].before, cases[i].after), cases[i].agrees);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_percentile),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
