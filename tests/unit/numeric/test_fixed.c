/* test_fixed.c - integer constants against long double, rotary angles, Philox, ordered sums. */
#include "lib/test.h"

#include <math.h>

#include "numeric/fixed.h"
#include "numeric/func.h"
#include "numeric/philox.h"
#include "numeric/reduce.h"
#include "numeric/rope.h"

static double gap(struct fx a, long double want)
{
    long double got = ldexpl((long double)a.mantissa, a.exponent) * a.sign;
    return want == 0 ? (double)fabsl(got) : (double)fabsl((got - want) / want);
}

static void arithmetic_is_close_to_long_double(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++) {
        double x = ldexp(test_randf(&seed), (int)(test_rand(&seed) % 40) - 20);
        double y = ldexp(test_randf(&seed), (int)(test_rand(&seed) % 40) - 20);
        struct fx a = fx_f64(x), b = fx_f64(y);
        assert_true(fx_to_f64(a) == x);
        assert_true(gap(fx_mul(a, b), (long double)x * y) < 0x1p-60);
        assert_true(gap(fx_div(a, b), (long double)x / y) < 0x1p-60);
        long double sum = (long double)x + y;
        assert_true(fabsl(ldexpl((long double)fx_add(a, b).mantissa, fx_add(a, b).exponent) *
                              fx_add(a, b).sign -
                          sum) <= fabsl(sum) * 0x1p-60L + 0x1p-90L);
        assert_true(gap(fx_sqrt(fx_f64(fabs(x))), sqrtl(fabs(x))) < 0x1p-60);
        assert_true(fx_to_f32(a) == (fabs(x) < 0x1p-126 ? 0 : (float)x));
        assert_int_equal(fx_cmp(a, b), (x > y) - (x < y));
    }
}

static void powers_and_logarithms(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (int i = 0; i < 300; i++) {
        double x = exp2(test_randf(&seed) * 30), y = test_randf(&seed) * 40;
        assert_true(fabs(fx_to_f64(fx_log2(fx_f64(x))) - log2(x)) < 1e-14);
        assert_true(gap(fx_exp2(fx_f64(y)), exp2l(y)) < 0x1p-52);
    }
    assert_true(fx_to_f64(fx_exp2(fx_int(-3))) == 0.125);
    assert_true(fx_to_f64(fx_log2(fx_int(1024))) == 10);
    assert_true(gap(fx_pow(fx_int(10000), fx_f64(-0.5)), 0.01L) < 0x1p-50);
}

static void sine_and_cosine(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 20000; i++) {
        uint64_t turns = i < 16 ? (uint64_t)i << 60 : test_rand(&seed);
        int64_t s, c;
        turns_sin_cos(turns, &s, &c);
        long double angle = 2 * acosl(-1) * ldexpl((long double)turns, -64);
        assert_true(fabsl(ldexpl((long double)s, -62) - sinl(angle)) < 0x1p-55);
        assert_true(fabsl(ldexpl((long double)c, -62) - cosl(angle)) < 0x1p-55);
    }
}

static void angles_are_right_at_any_position(void **state)
{
    (void)state;
    static const uint32_t positions[] = {0, 1, 63, 4096, 131071, 10000000};
    struct rope r;
    float c[64], s[64];
    rope_init(&r, fx_int(500000), 128, NULL, fx_int(1));
    for (size_t k = 0; k < COUNT_OF(positions); k++) {
        rope_angles(&r, positions[k], c, s);
        for (int i = 0; i < 64; i++) {
            long double f = powl(500000.0L, -2.0L * i / 128), a = f * positions[k];
            assert_true(fabsl(c[i] - cosl(a)) < 1e-7 && fabsl(s[i] - sinl(a)) < 1e-7);
        }
    }
}

static void philox_known_answers(void **state)
{
    (void)state;
    static const uint32_t cases[3][3][4] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t out[4];
        philox4x32(cases[i][0], cases[i][1], out);
        assert_memory_equal(out, cases[i][2], sizeof out);
    }
}

static void sums_follow_the_written_order(void **state)
{
    (void)state;
    /* Lane 0 adds 2^24 + 1 (lost), the tree adds lane 1's 1 to lane 0 last: lost as well. */
    float x[512] = {0}, one[512];
    for (int i = 0; i < 512; i++)
        one[i] = 1;
    x[0] = 0x1p24f;
    x[256] = 1;
    x[1] = 1;
    x[3] = 1;
    assert_true(reduce_dot(x, one, 512) == 0x1p24f + 2); /* lanes 1 and 3 meet before lane 0 */
    float sum[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    assert_true(segment_tree(sum, 8) == 255);
    assert_true(segment_tree(sum, 1) == 128); /* one block lies in the last segment */
    uint32_t n = 0;
    for (int i = 0; i < 8; i++)
        n += segment_begin(22, i + 1) - segment_begin(22, i);
    assert_int_equal(n, 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_close_to_long_double),
        cmocka_unit_test(powers_and_logarithms),
        cmocka_unit_test(sine_and_cosine),
        cmocka_unit_test(angles_are_right_at_any_position),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(sums_follow_the_written_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
