/* test_taken.c - what a process took grows as it works, and its part of the processors is told. */
#include "lib/test.h"

#include "base/taken.h"

static void what_was_taken_grows(void **state)
{
    (void)state;
    struct taken a = taken_now(), b = a;
    volatile uint64_t sum = 0;
    while (b.cpu_ns <= a.cpu_ns || b.wall_ns <= a.wall_ns) {
        for (uint64_t i = 0; i < 100000; i++)
            sum = sum + i;
        b = taken_now();
    }
    assert_true(b.n_bytes_peak >= a.n_bytes_peak && a.n_bytes_peak > 0);
}

static void parts_are_of_a_thousand(void **state)
{
    (void)state;
    struct taken from = {1000, 500, 0}, to = {2000, 1000, 0};
    assert_int_equal(taken_permille(&from, &to, 1), 500);
    assert_int_equal(taken_permille(&from, &to, 2), 250);
    to.cpu_ns = 9000;
    assert_int_equal(taken_permille(&from, &to, 2), 1000);
    assert_int_equal(taken_permille(&from, &from, 2), 1000); /* no time has passed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_grows),
        cmocka_unit_test(parts_are_of_a_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
