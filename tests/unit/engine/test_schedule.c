/* test_schedule.c - rows are shared within the limits, nobody starves. */
#include "lib/test.h"

#include "engine/schedule.h"

static void generation_comes_before_prompts(void **state)
{
    (void)state;
    const struct schedule_need need[] = {
        {100, true, false}, {1, true, false}, {0, false, false}, {1, true, false}};
    uint32_t rows[4];
    schedule_rows(need, 4, 0, 10, 4, rows);
    assert_int_equal(rows[0], 8);
    assert_int_equal(rows[1], 1);
    assert_int_equal(rows[2], 0);
    assert_int_equal(rows[3], 1);
}

static void the_last_row_waits_for_logits(void **state)
{
    (void)state;
    const struct schedule_need need[] = {{5, true, false}, {5, true, false}, {9, true, true}};
    uint32_t rows[3];
    schedule_rows(need, 3, 0, 100, 1, rows);
    assert_int_equal(rows[0], 5); /* takes the one row of logits */
    assert_int_equal(rows[1], 4);
    assert_int_equal(rows[2], 0);
    schedule_rows(need, 3, 2, 100, 4, rows);
    assert_int_equal(rows[2], 4);
    assert_int_equal(rows[0], 4);
    assert_int_equal(rows[1], 4);
}

static void limits_hold_and_work_ends(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (int round = 0; round < 2000; round++) {
        struct schedule_need need[8];
        uint32_t n = 1 + test_rand(&seed) % 8, rows[8], first = 0;
        for (uint32_t i = 0; i < n; i++)
            need[i] = (struct schedule_need){test_rand(&seed) % 20, test_rand(&seed) % 2,
                                             test_rand(&seed) % 4 == 0};
        uint32_t rows_max = 1 + test_rand(&seed) % 12, logits_max = 1 + test_rand(&seed) % 6;
        for (;; first++) {
            uint32_t pending = 0, n_rows = 0, n_logits = 0;
            for (uint32_t i = 0; i < n; i++)
                pending += need[i].n_pending;
            if (pending == 0)
                break;
            schedule_rows(need, n, first % n, rows_max, logits_max, rows);
            for (uint32_t i = 0; i < n; i++) {
                assert_true(rows[i] <= need[i].n_pending);
                n_logits += schedule_logits(need[i], rows[i]);
                n_rows += rows[i];
                need[i].n_pending -= rows[i];
            }
            assert_true(n_rows >= 1 && n_rows <= rows_max);
            assert_true(n_logits <= logits_max);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generation_comes_before_prompts),
        cmocka_unit_test(the_last_row_waits_for_logits),
        cmocka_unit_test(limits_hold_and_work_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
