/* test_metrics.c - answers fall under their endpoint and status; keys are bounded. */
#include "lib/test.h"

#include "server/metrics.h"
#include "server/stats.h"

static void answers_are_counted_once(void **state)
{
    (void)state;
    struct metrics *m = calloc(1, sizeof *m);
    assert_non_null(m);
    metrics_count(m, 3, true, 200, 5000000);
    metrics_count(m, 3, true, 429, 1000000);
    metrics_count(m, 3, true, 0, 1000000);
    metrics_count(m, 4, false, 200, 1000000);
    metrics_count(m, METRICS_ENDPOINTS_MAX - 1, false, 404, 1000000);
    assert_int_equal(m->n_answers[3][2], 1);
    assert_int_equal(m->n_answers[3][4], 1);
    assert_int_equal(m->n_answers[3][0], 1);
    assert_int_equal(m->n_answers[METRICS_ENDPOINTS_MAX - 1][4], 1);
    assert_int_equal(m->seconds[3].n, 3);
    assert_int_equal(m->n_too_many, 1);
    assert_int_equal(m->work_seconds.n, 3); /* what is looked at is no work */
    assert_int_equal(m->n_work_good, 1);
    assert_int_equal(m->n_work_by_status[404], 0);
    free(m);
}

static void keys_beyond_the_last_place_are_one(void **state)
{
    (void)state;
    struct metrics *m = calloc(1, sizeof *m);
    const struct call_usage u = {.n_read = 7, .n_cached = 2, .n_answer = 3};
    char id[32];
    assert_non_null(m);
    metrics_call(m, "", &u);
    assert_int_equal(m->n_keys, 0);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < METRICS_KEYS_MAX + 10; i++) {
            snprintf(id, sizeof id, "key-%d", i);
            metrics_call(m, id, &u);
        }
    assert_int_equal(m->n_keys, METRICS_KEYS_MAX);
    for (size_t i = 0; i < METRICS_KEYS_MAX; i++) {
        assert_int_equal(m->keys[i].n_calls, 2);
        assert_int_equal(m->keys[i].n_prompt, 14);
    }
    assert_int_equal(m->keys[METRICS_KEYS_MAX].n_calls, 20);
    assert_int_equal(m->keys[METRICS_KEYS_MAX].n_cached, 40);
    assert_int_equal(m->keys[METRICS_KEYS_MAX].n_answer, 60);
    free(m);
}

static void sums_leave_gauges_out(void **state)
{
    (void)state;
    struct stats one = {0}, all = {0};
    one.gauges[STATS_requests_running] = 5;
    one.counters[STATS_generated_tokens] = 10;
    stats_count(&one, STATS_batch_size, 4);
    stats_add(&all, &one);
    stats_add(&all, &one);
    assert_int_equal(all.gauges[STATS_requests_running], 0);
    assert_int_equal(all.counters[STATS_generated_tokens], 20);
    assert_int_equal(all.histograms[STATS_batch_size].n, 2);
    assert_int_equal(all.histograms[STATS_batch_size].sum, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_counted_once),
        cmocka_unit_test(keys_beyond_the_last_place_are_one),
        cmocka_unit_test(sums_leave_gauges_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
