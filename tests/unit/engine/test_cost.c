/* test_cost.c - what a step will take is learned, whatever disturbs. */
#include "lib/test.h"

#include "engine/cost.h"

static double true_cost(uint32_t n_rows, double depth)
{
    double reading = 16e6, multiplying = 1.7e6 * n_rows; /* few rows cost what reading costs */
    return (multiplying > reading ? multiplying : reading) + 0.3e6 * n_rows + 5e2 * depth;
}

static void assert_near(double x, double wanted, double ratio)
{
    if (x < wanted / ratio || x > wanted * ratio)
        fail_msg("%g is not within %g of %g", x, ratio, wanted);
}

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    struct cost c = {.n_steps = 0};
    assert_true(cost_of(&c, 5, 0) == 0);
    assert_false(cost_is_sure(&c, 5));
    cost_observe(&c, 4, 0, 40);
    assert_true(cost_of(&c, 4, 0) == 40);
    assert_true(cost_of(&c, 8, 0) == 80); /* too much rather than too little */
    assert_true(cost_of(&c, 2, 0) == 20);
}

static void costs_are_learned(void **state)
{
    (void)state;
    static const uint32_t rows[] = {1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512};
    struct cost c = {.n_steps = 0};
    uint64_t seed = 4;
    for (int i = 0; i < 400; i++) {
        uint32_t n = rows[test_rand(&seed) % COUNT_OF(rows)];
        double depth = (double)n * (double)(test_rand(&seed) % 2000);
        double ns = true_cost(n, depth) * (1 + 0.03 * (double)test_randf(&seed));
        ns *= test_rand(&seed) % 50 == 0 ? 8 : 1; /* something else ran */
        cost_observe(&c, n, (uint64_t)depth, ns);
    }
    for (uint32_t n = 1; n <= 512; n++)
        for (uint32_t position = 0; position <= 2000; position += 500)
            assert_near(cost_of(&c, n, n * position), true_cost(n, n * position), 1.3);
}

static void cost_does_not_fall_with_rows(void **state)
{
    (void)state;
    struct cost c = {.n_steps = 0};
    uint64_t seed = 5;
    for (int i = 0; i < 3000; i++) {
        uint32_t n_rows = 1 + test_rand(&seed) % (i % 20 ? 8 : 600);
        cost_observe(&c, n_rows, test_rand(&seed) % 100000, (double)(1 + test_rand(&seed) % 1000));
        double last = 0;
        for (uint32_t n = 1; n < 700 && i % 100 == 0; n++) {
            double ns = cost_of(&c, n, 1000);
            assert_true(ns >= last * (1 - 1e-12) && ns < 30000);
            last = ns;
        }
    }
}

static void the_old_is_forgotten(void **state)
{
    (void)state;
    struct cost c = {.n_steps = 0};
    for (int i = 0; i < COST_SAMPLES_SURE; i++)
        cost_observe(&c, 8, 0, 1000);
    assert_true(cost_is_sure(&c, 8));
    for (int i = 0; i < COST_STEPS_FRESH; i++)
        cost_observe(&c, 2, 0, 10);
    assert_false(cost_is_sure(&c, 8));
    assert_true(cost_of(&c, 8, 0) == 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(costs_are_learned),
        cmocka_unit_test(cost_does_not_fall_with_rows),
        cmocka_unit_test(the_old_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
