/* test_func.c - the elementary functions against libm in double, bounds as func.h states them. */
#include "lib/test.h"

#include <math.h>

#include "numeric/func.h"

struct bound {
    const char *name;
    float (*f)(float);
    double (*exact)(double);
    float lo, hi;
    double relative, absolute; /* an error passes if it is below either */
};

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double gelu_erf(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}
static double silu(double x)
{
    return x / (1 + exp(-x));
}
static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double recip(double x)
{
    return 1 / x;
}
static double rsqrt_(double x)
{
    return 1 / sqrt(x);
}
static float f_exp2(float x)
{
    return num_exp2(x);
}
static float f_log2(float x)
{
    return num_log2(x);
}
static float f_recip(float x)
{
    return num_recip(x);
}
static float f_rsqrt(float x)
{
    return num_rsqrt(x);
}
static float f_tanh(float x)
{
    return num_tanh(x);
}
static float f_erf(float x)
{
    return num_erf(x);
}
static float f_sigmoid(float x)
{
    return num_sigmoid(x);
}
static float f_silu(float x)
{
    return num_silu(x);
}
static float f_gelu_tanh(float x)
{
    return num_gelu_tanh(x);
}
static float f_gelu_erf(float x)
{
    return num_gelu_erf(x);
}

static const struct bound bounds[] = {
    {"exp2", f_exp2, exp2, -125, 127, 2.0e-7, 0},
    {"log2", f_log2, log2, 0x1p-100f, 0x1p100f, 1.5e-7, 2.0e-7},
    {"recip", f_recip, recip, 0x1p-100f, 0x1p100f, 1.2e-7, 0},
    {"rsqrt", f_rsqrt, rsqrt_, 0x1p-100f, 0x1p100f, 1.8e-7, 0},
    {"tanh", f_tanh, tanh, -30, 30, 4e-7, 0},
    {"erf", f_erf, erf, -10, 10, 1e-7, 4e-7},
    {"sigmoid", f_sigmoid, sigmoid, -50, 50, 4e-6, 2e-7},
    {"silu", f_silu, silu, -20, 1000, 3e-6, 1e-12},
    {"gelu tanh", f_gelu_tanh, gelu_tanh, -30, 1000, 3e-7, 1e-6},
    {"gelu erf", f_gelu_erf, gelu_erf, -30, 1000, 3e-7, 2e-6},
};

/* Half the samples spread over the range itself, half over its exponents. */
static float sample(const struct bound *b, uint64_t *seed)
{
    double u = (double)(test_rand(seed) >> 11) * 0x1p-53;
    if (b->lo > 0)
        return (float)exp2(log2(b->lo) + u * (log2(b->hi) - log2(b->lo)));
    if (test_rand(seed) & 1)
        return (float)(b->lo + u * ((double)b->hi - b->lo));
    float x = (float)exp2(-20 + u * 24);
    return test_rand(seed) & 1 && b->lo < 0 ? -num_min(x, -b->lo) : num_min(x, b->hi);
}

static void functions_keep_their_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        const struct bound *b = &bounds[i];
        uint64_t seed = 42;
        double worst = 0;
        for (int k = 0; k < 400000; k++) {
            float x = sample(b, &seed);
            double want = b->exact(x), got = b->f(x), error = fabs(got - want);
            double relative = want != 0 ? error / fabs(want) : error;
            if (error > b->absolute && relative > worst)
                worst = relative;
        }
        if (worst > b->relative)
            fail_msg("%s: relative error %.3g, bound %.3g", b->name, worst, b->relative);
    }
}

static void edges_are_exact(void **state)
{
    (void)state;
    for (int n = -125; n <= 127; n++)
        assert_true(num_exp2((float)n) == ldexpf(1, n));
    assert_true(num_exp2(-126) == 0 && num_exp2(-1e30f) == 0);
    assert_true(num_log2(1) == 0 && num_log2(8) == 3 && num_log2(0x1p-20f) == -20);
    assert_true(num_tanh(0) == 0 && num_erf(0) == 0 && num_silu(0) == 0);
    assert_true(num_round(2.5f) == 2 && num_round(3.5f) == 4 && num_round(-0.5f) == 0);
    assert_int_equal(num_to_int(16777215.0f), 16777215);
    assert_int_equal(num_to_int(-2.5f), -2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_keep_their_bounds),
        cmocka_unit_test(edges_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
