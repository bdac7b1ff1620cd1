/* test_rate.c - buckets: what fits now, what has to wait and how long, debts. */
#include "lib/test.h"

#include "server/rate.h"

#define SECOND_NS 1000000000u

static void a_burst_fits_and_the_rest_waits(void **state)
{
    (void)state;
    const struct rate_limit limit = {.per_min = 60, .burst = 3};
    struct rate r = {0};
    uint64_t now_ns = 1000 * (uint64_t)SECOND_NS;
    for (uint32_t i = 0; i < 3; i++) {
        struct rate_view v = rate_view(r, limit, 1, now_ns);
        assert_int_equal(v.limit, 3);
        assert_int_equal(v.remaining, 3 - i);
        assert_int_equal(v.wait_ns, 0);
        assert_int_equal(v.reset_ns, i * (uint64_t)SECOND_NS);
        rate_take(&r, limit, 1, now_ns);
    }
    struct rate_view empty = rate_view(r, limit, 1, now_ns);
    assert_int_equal(empty.remaining, 0);
    assert_int_equal(empty.wait_ns, SECOND_NS);
    assert_int_equal(empty.reset_ns, 3 * (uint64_t)SECOND_NS);
    assert_int_equal(rate_view(r, limit, 1, now_ns + SECOND_NS - 1).wait_ns, 1);
    assert_int_equal(rate_view(r, limit, 1, now_ns + SECOND_NS).wait_ns, 0);
    assert_int_equal(rate_view(r, limit, 1, now_ns + 99 * (uint64_t)SECOND_NS).remaining, 3);
}

/* Whoever asks as often as may be gets, over any time, the burst and the rate and no more. */
static void no_more_than_the_rate_passes(void **state)
{
    (void)state;
    static const struct rate_limit limits[] = {
        {1, 0}, {60, 10}, {90, 1}, {7777, 50}, {RATE_MAX, 5}};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct rate r = {0};
        uint64_t seed = i, now_ns = 5, n_passed = 0;
        uint64_t each_ns = 60 * (uint64_t)SECOND_NS / limits[i].per_min;
        uint64_t burst = limits[i].burst ? limits[i].burst : limits[i].per_min;
        for (int k = 0; k < 20000; k++) {
            now_ns += test_rand(&seed) % (each_ns + 2) / (k % 3 + 1);
            if (rate_view(r, limits[i], 1, now_ns).wait_ns > 0)
                continue;
            rate_take(&r, limits[i], 1, now_ns);
            n_passed++;
            assert_true(n_passed <= burst + (now_ns - 5) / each_ns);
        }
        assert_true(n_passed + 1 >= (now_ns - 5) / (2 * each_ns)); /* nor many fewer */
    }
}

static void what_was_used_is_owed(void **state)
{
    (void)state;
    const struct rate_limit limit = {.per_min = 600};
    struct rate r = {0};
    uint64_t now_ns = 77;
    rate_take(&r, limit, 1000, now_ns); /* 400 more than there were */
    struct rate_view v = rate_view(r, limit, 1, now_ns);
    assert_int_equal(v.limit, 600);
    assert_int_equal(v.remaining, 0);
    assert_int_equal(v.wait_ns, 401 * (uint64_t)SECOND_NS / 10);
    assert_int_equal(rate_view(r, limit, 1, now_ns + v.wait_ns).wait_ns, 0);
    /* What is larger than the bucket waits for a full one, not for ever. */
    assert_int_equal(rate_view(r, limit, 5000, now_ns).wait_ns, v.reset_ns);
    /* The largest debts do not come round to nothing. */
    for (int i = 0; i < 1000; i++)
        rate_take(&r, (struct rate_limit){.per_min = 1}, UINT32_MAX, now_ns);
    assert_true(rate_view(r, limit, 1, now_ns).reset_ns > UINT64_MAX / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_fits_and_the_rest_waits),
        cmocka_unit_test(no_more_than_the_rate_passes),
        cmocka_unit_test(what_was_used_is_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
