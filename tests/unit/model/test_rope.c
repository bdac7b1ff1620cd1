/* test_rope.c - the integer rotary tables against the double formulas, for every scaling. */
#include "lib/test.h"

#include <math.h>

#include "model/rope_exact.h"
#include "model/rope_f64.h"

static const struct rope_params plain = {.theta = 10000.0,
                                         .factor = 1.0,
                                         .n_ctx_orig = 4096,
                                         .beta_fast = 32.0,
                                         .beta_slow = 1.0,
                                         .round_ramp = true,
                                         .low_freq_factor = 1.0,
                                         .high_freq_factor = 4.0};

static void compare(const struct rope_params *p, uint32_t n_rot, const float *divisor,
                    uint32_t position)
{
    static struct rope_exact exact;
    double divisor64[ROPE_PAIRS_MAX], c64[ROPE_PAIRS_MAX], s64[ROPE_PAIRS_MAX];
    float c[ROPE_PAIRS_MAX], s[ROPE_PAIRS_MAX];
    for (uint32_t i = 0; divisor && i < n_rot / 2; i++)
        divisor64[i] = (double)divisor[i];
    struct rope_f64 yardstick = {p, divisor ? divisor64 : NULL, n_rot};
    rope_exact_init(&exact, p, n_rot, divisor, divisor);
    rope_exact_angles(&exact, position, false, c, s);
    rope_f64_angles(&yardstick, position, c64, s64);
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        /* binary32 rounds; the double angle itself is good to 2^-52 of its size. */
        double allowed = 2e-7 + position * 4e-16;
        if (fabs((double)c[i] - c64[i]) > allowed || fabs((double)s[i] - s64[i]) > allowed)
            fail_msg("scaling %d, pair %u of %u at %u: %.9g %.9g, not %.9g %.9g", p->scaling, i,
                     n_rot / 2, position, (double)c[i], (double)s[i], c64[i], s64[i]);
    }
}

static void every_scaling_agrees_with_double(void **state)
{
    (void)state;
    static const uint32_t positions[] = {0, 1, 2, 63, 4095, 4096, 4097, 10000, 131071, 1000000};
    static const uint32_t sizes[] = {4, 16, 24, 64, 80, 96, 128, 256};
    for (size_t k = 0; k < COUNT_OF(sizes); k++)
        for (size_t i = 0; i < COUNT_OF(positions); i++)
            for (int scaling = 0; scaling <= ROPE_SCALING_LONGROPE; scaling++) {
                float divisor[ROPE_PAIRS_MAX];
                struct rope_params p = plain;
                for (uint32_t d = 0; d < sizes[k] / 2; d++)
                    divisor[d] = 1.0f + (float)(d * d) * 0.25f;
                p.scaling = (enum rope_scaling)scaling;
                p.factor = scaling == ROPE_SCALING_NONE ? 1.0 : 8.0;
                compare(&p, sizes[k], scaling == ROPE_SCALING_LONGROPE ? divisor : NULL,
                        positions[i]);
                p.theta = 500000.0;
                p.round_ramp = false;
                compare(&p, sizes[k], scaling == ROPE_SCALING_LONGROPE ? divisor : NULL,
                        positions[i]);
            }
}

static void magnitudes_follow_their_papers(void **state)
{
    (void)state;
    struct rope_params p = plain;
    static struct rope_exact r;
    p.scaling = ROPE_SCALING_YARN;
    p.factor = 32.0;
    rope_exact_init(&r, &p, 64, NULL, NULL);
    assert_true(fabs((double)r.near.magnitude - (0.1 * log(32.0) + 1.0)) < 1e-7);
    p.log_mul = 1.0;
    rope_exact_init(&r, &p, 64, NULL, NULL);
    assert_true(r.near.magnitude == 1.0f);
    p.magnitude = 1.25;
    rope_exact_init(&r, &p, 64, NULL, NULL);
    assert_true(r.near.magnitude == 1.25f);
    p = plain;
    p.scaling = ROPE_SCALING_LONGROPE;
    p.factor = 32.0;
    rope_exact_init(&r, &p, 64, NULL, NULL);
    assert_true(fabs((double)r.near.magnitude - sqrt(1.0 + log(32.0) / log(4096.0))) < 1e-7);
}

/* The same bits on every machine: some steps of gpt-oss's table. */
static void steps_are_fixed(void **state)
{
    (void)state;
    struct rope_params p = plain;
    static struct rope_exact r;
    p.scaling = ROPE_SCALING_YARN;
    p.theta = 150000.0;
    p.factor = 32.0;
    p.round_ramp = false;
    rope_exact_init(&r, &p, 64, NULL, NULL);
    assert_true(r.near.step[0] == 0x28be60db9391054a); /* 2^64 / 2 pi */
    assert_true(r.near.step[9] == 0x14ab3d0f326e629);
    assert_true(r.near.step[17] == 0x1594dc60e2c5d);
    assert_true(r.near.step[31] == 0xcead3efb05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scaling_agrees_with_double),
        cmocka_unit_test(magnitudes_follow_their_papers),
        cmocka_unit_test(steps_are_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
