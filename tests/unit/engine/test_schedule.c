/* test_schedule.c - rows are shared within the limits, in time, in fairness; nobody starves. */
#include "lib/test.h"

#include "engine/schedule.h"

/* A step costs `pass` and `row` for each row, and that is known. */
static struct cost known_cost(double pass, double row)
{
    struct cost c = {.n_steps = 0};
    for (uint32_t n = 512; n > 0; n = n > 16 ? n / 2 : n - 1)
        for (int i = 0; i < COST_SAMPLES_SURE; i++)
            cost_observe(&c, n, 0, pass + row * n);
    return c;
}

static const struct schedule_limits wide = {100, 100, 1e9};

static void generation_comes_before_prompts(void **state)
{
    (void)state;
    const struct schedule_need need[] = {
        {100, true, .tenant = 0}, {1, true, .tenant = 0}, {0, .tenant = 0}, {1, true, .tenant = 0}};
    struct cost cost = known_cost(20, 1);
    uint64_t served[1] = {0};
    uint32_t rows[4];
    schedule_rows(need, 4, (struct schedule_limits){10, 4, 100}, &cost, served, rows);
    assert_int_equal(rows[0], 8);
    assert_int_equal(rows[1], 1);
    assert_int_equal(rows[2], 0);
    assert_int_equal(rows[3], 1);
    assert_int_equal(served[0], 10);
}

static void the_last_row_waits_for_logits(void **state)
{
    (void)state;
    const struct schedule_need need[] = {{5, true}, {5, true}, {9, true, true}};
    struct cost cost = {.n_steps = 0};
    uint64_t served[1] = {0};
    uint32_t rows[3];
    schedule_rows(need, 3, (struct schedule_limits){100, 1, 2}, &cost, served, rows);
    assert_int_equal(rows[0], 5); /* takes the one row of logits */
    assert_int_equal(rows[1], 4);
    assert_int_equal(rows[2], 0);
    schedule_rows(need, 3, (struct schedule_limits){100, 4, 2}, &cost, served, rows);
    assert_int_equal(rows[0], 5);
    assert_int_equal(rows[1], 5);
    assert_int_equal(rows[2], 2);
}

/* A prompt beside decoders gets the rows that keep the step under `stretch` times theirs. */
static void prompts_do_not_stretch_steps(void **state)
{
    (void)state;
    struct schedule_need need[] = {{1, true}, {1, true}, {1, true}, {1, true}, {1000, true}};
    struct cost cost = {.n_steps = 0}, known = known_cost(20, 1);
    struct schedule_limits limits = {512, 8, 2.5};
    uint64_t served[1] = {0};
    uint32_t rows[5];
    schedule_rows(need, 5, limits, &cost, served, rows);
    assert_int_equal(rows[4], 0); /* what four rows cost is to be seen first */
    schedule_rows(need, 5, limits, &known, served, rows);
    assert_int_equal(rows[4], 36); /* 20 + 40 = 2.5 * (20 + 4) */
    limits.stretch = 1.01;
    schedule_rows(need, 5, limits, &known, served, rows);
    assert_int_equal(rows[4], 1);
    schedule_rows(need + 4, 1, limits, &known, served, rows);
    assert_int_equal(rows[0], 512); /* alone it delays nobody */
}

static void tenants_get_equal_shares(void **state)
{
    (void)state;
    struct schedule_need need[12];
    struct cost cost = {.n_steps = 0};
    uint64_t served[2] = {0};
    uint32_t rows[12];
    for (int i = 0; i < 12; i++)
        need[i] = (struct schedule_need){1000, true, .tenant = i == 11};
    schedule_rows(need, 12, wide, &cost, served, rows);
    assert_int_equal(served[0] + served[1], 100);
    assert_in_range(served[1], 42, 58);
    served[0] += 200; /* who had more waits until the other had as much */
    schedule_rows(need, 12, wide, &cost, served, rows);
    assert_int_equal(rows[0], 1); /* but for the row of the first in line */
    assert_int_equal(rows[11], 99);
    need[5].priority = 1; /* out of line on purpose would be a bug: keep the order */
    struct schedule_need first = need[5];
    memmove(need + 1, need, 5 * sizeof need[0]);
    need[0] = first;
    schedule_rows(need, 12, wide, &cost, served, rows);
    assert_int_equal(rows[0], 100); /* priority comes before shares */
}

static void guesses_take_what_is_left(void **state)
{
    (void)state;
    struct schedule_need need[] = {{1, true, .n_extra = 8}, {1, true, .n_extra = 8}, {50, true}};
    struct cost cost = known_cost(20, 1);
    uint64_t served[1] = {0};
    uint32_t rows[3];
    struct schedule_limits limits = {512, 100, 1e9};
    schedule_rows(need, 3, limits, &cost, served, rows);
    assert_int_equal(rows[0], 9);
    assert_int_equal(rows[1], 9);
    assert_int_equal(rows[2], 50);
    assert_int_equal(schedule_logits(need[0], 9), 9);
    limits.n_logits = 12;
    schedule_rows(need, 3, limits, &cost, served, rows);
    assert_int_equal(rows[0], 9);
    assert_int_equal(rows[1], 2);
    limits.n_rows = 20;
    schedule_rows(need, 3, limits, &cost, served, rows);
    assert_int_equal(rows[0], 1);
    assert_int_equal(rows[1], 1);
    assert_int_equal(rows[2], 18);
}

static void limits_hold_and_work_ends(void **state)
{
    (void)state;
    uint64_t seed = 9;
    struct cost cost = known_cost(20, 1);
    for (int round = 0; round < 2000; round++) {
        struct schedule_need need[8];
        uint32_t n = 1 + test_rand(&seed) % 8, rows[8];
        uint64_t served[3] = {0};
        for (uint32_t i = 0; i < n; i++)
            need[i] = (struct schedule_need){test_rand(&seed) % 20, test_rand(&seed) % 2,
                                             test_rand(&seed) % 4 == 0, .n_extra = 0,
                                             .tenant = test_rand(&seed) % 3};
        struct schedule_limits limits = {1 + test_rand(&seed) % 12, 1 + test_rand(&seed) % 6, 2.5};
        for (;;) {
            uint32_t pending = 0, n_rows = 0, n_logits = 0, first = n;
            for (uint32_t i = n; i-- > 0;) {
                pending += need[i].n_pending;
                first = need[i].n_pending ? i : first;
            }
            if (pending == 0)
                break;
            schedule_rows(need, n, limits, &cost, served, rows);
            assert_true(rows[first] > 0 || limits.n_logits < n);
            for (uint32_t i = 0; i < n; i++) {
                assert_true(rows[i] <= need[i].n_pending);
                n_logits += schedule_logits(need[i], rows[i]);
                n_rows += rows[i];
                need[i].n_pending -= rows[i];
                need[i].position += rows[i];
            }
            assert_true(n_rows >= 1 && n_rows <= limits.n_rows);
            assert_true(n_logits <= limits.n_logits);
        }
    }
}

/* What is expected of an answer is read as a prompt is, as far as there is room for its logits. */
static void expected_rows_have_logits(void **state)
{
    (void)state;
    struct cost cost = {0};
    uint64_t served[1] = {0};
    uint32_t rows[1];
    struct schedule_need need[] = {{50, true, .n_expected = 30}};
    struct schedule_limits limits = {64, 64, 2.7};
    schedule_rows(need, 1, limits, &cost, served, rows);
    assert_int_equal(rows[0], 50);
    assert_int_equal(schedule_logits(need[0], 50), 31);
    assert_int_equal(schedule_logits(need[0], 20), 1);
    assert_int_equal(schedule_logits(need[0], 19), 0);
    limits.n_logits = 8;
    schedule_rows(need, 1, limits, &cost, served, rows);
    assert_int_equal(rows[0], 27);
    need[0].all_logits = true;
    assert_int_equal(schedule_logits(need[0], 27), 27);
}

/* Rows that nobody waits for make a step a tenth longer, and none lacks one of the others. */
static void gaps_are_filled(void **state)
{
    (void)state;
    struct cost cost = known_cost(20e6, 1e6), unknown = {0};
    struct schedule_limits limits = {512, 8, 2.5};
    uint64_t served[2] = {0};
    uint32_t rows[4];
    struct schedule_need need[] = {{1, true},
                                   {1, true},
                                   {100, true, .in_gaps = true, .tenant = 1},
                                   {100, true, .in_gaps = true, .tenant = 1}};
    schedule_rows(need, 4, limits, &cost, served, rows);
    assert_int_equal(rows[0] + rows[1], 2);
    assert_int_equal(rows[2], 2); /* 24 of 22 * 1.1 ms */
    assert_int_equal(rows[3], 0);
    schedule_rows(need, 4, limits, &unknown, served, rows);
    assert_int_equal(rows[2] + rows[3], 0);
    need[1].n_pending = 1000; /* a prompt that does not fit a step */
    schedule_rows(need, 4, limits, &cost, served, rows);
    assert_true(rows[1] > 10);
    assert_int_equal(rows[2] + rows[3], 0);
    schedule_rows(need + 2, 2, limits, &cost, served, rows);
    assert_int_equal(rows[0], 30); /* alone: 50 ms */
    assert_int_equal(rows[1], 0);
    need[3].n_pending = 1; /* no decoder, though it lacks one row */
    schedule_rows(need + 1, 3, limits, &cost, served, rows);
    assert_int_equal(rows[1] + rows[2], 0);
    struct cost slow = known_cost(200e6, 1e6);
    schedule_rows(need + 2, 2, limits, &slow, served, rows);
    assert_int_equal(rows[0], 100); /* 300 of 201 * 2 ms */
    for (int i = 0; i < 40; i++) { /* from nothing, by trying */
        schedule_rows(need + 2, 1, limits, &unknown, served, rows);
        assert_in_range(rows[0], 1, 62);
        cost_observe(&unknown, rows[0], 0, 20e6 + 1e6 * rows[0]);
    }
    assert_in_range(rows[0], 24, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generation_comes_before_prompts),
        cmocka_unit_test(the_last_row_waits_for_logits),
        cmocka_unit_test(expected_rows_have_logits),
        cmocka_unit_test(prompts_do_not_stretch_steps),
        cmocka_unit_test(tenants_get_equal_shares),
        cmocka_unit_test(guesses_take_what_is_left),
        cmocka_unit_test(gaps_are_filled),
        cmocka_unit_test(limits_hold_and_work_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
