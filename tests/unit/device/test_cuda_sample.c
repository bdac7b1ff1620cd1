/* test_cuda_sample.c - the kernels that choose tokens, emulated, give the results of the CPU's
 * plain C: for rows that fall steeply, that are flat, all equal, tied, banned, of any length. */
#include "lib/cpu.h"
#include "lib/cuda_emulate.h"
#include "lib/test.h"

#include "device/cuda/ops_sample.h"
#include "numeric/sample.h"

enum { ROWS = 4, V_MAX = 4007, EDITS = 40, MANY = 1024 /* more than go into a list */ };

static uint64_t seed = 1;
static float logits[ROWS * V_MAX];
static struct sample_row rows[ROWS];
static struct sample_edit edits[ROWS * EDITS];
static uint8_t bad[ROWS];
static struct sample_result got[ROWS], want[ROWS];

enum shape { STEEP, FLAT, EQUAL, TIED, ONE_HOT, VAST, SHAPES };

static float draw(enum shape shape, uint32_t i)
{
    float x = test_randn(&seed);
    switch (shape) {
    case STEEP:
        return 6 * x;
    case FLAT:
        return 0.3f * x;
    case EQUAL:
        return 1.5f;
    case TIED:
        return 0.5f * (float)(int)(2 * x) + 0.0f;
    case ONE_HOT:
        return i == 77 ? 90.0f : -3.0f;
    default:
        return x * (test_rand(&seed) % 8 ? 1e4f : 1e29f);
    }
}

static float one_of(const float *values, size_t n)
{
    return values[test_rand(&seed) % n];
}
#define ONE_OF(...)                                                                                \
    one_of((const float[]){__VA_ARGS__}, sizeof(const float[]){__VA_ARGS__} / sizeof(float))

/* Tokens in steps, so that none is twice. */
static void draw_edits(struct sample_row *r, uint32_t t, uint32_t v)
{
    struct sample_edit *e = edits + t * EDITS;
    uint32_t half = EDITS / 2 < v ? EDITS / 2 : v, step = v / half;
    r->first_edit = t * EDITS;
    r->n_biases = test_rand(&seed) % 2 ? 0 : (uint32_t)(test_rand(&seed) % (half + 1));
    r->n_penalties = test_rand(&seed) % 2 ? 0 : (uint32_t)(test_rand(&seed) % (half + 1));
    for (uint32_t i = 0; i < r->n_biases; i++)
        e[i] = (struct sample_edit){(int32_t)(i * step),
                                    num_bits(ONE_OF(-__builtin_inff(), 3, -2.5f, 100, -100, 0))};
    for (uint32_t i = 0; i < r->n_penalties; i++)
        e[r->n_biases + i] =
            (struct sample_edit){(int32_t)(v - 1 - i * step), (uint32_t)(test_rand(&seed) % 4)};
}

static void draw_row(uint32_t t, uint32_t v)
{
    struct sample_row *r = &rows[t];
    *r = (struct sample_row){.random = test_rand(&seed), .token = SAMPLE_CHOOSE};
    float temperature = ONE_OF(0, 0.001f, 0.3f, 0.8f, 1, 1, 1.7f, 100);
    r->per_temperature = temperature == 0 ? 0 : num_recip(temperature);
    r->top_k = (uint32_t)ONE_OF(0, 0, 1, 2, 40, 40, 900, 3000, (float)v, 1e6f);
    r->top_p = sample_share(ONE_OF(1, 1, 0, 0.1f, 0.5f, 0.95f, 0.999f));
    r->min_p = sample_share(ONE_OF(0, 0, 0.05f, 0.3f, 1, 1e-6f));
    r->repeat = ONE_OF(1, 1.1f, 0.5f);
    r->frequency = ONE_OF(0, 0.2f, -1);
    r->presence = ONE_OF(0, 0.7f);
    r->n_best = (uint32_t)ONE_OF(0, 0, 16, 20, 1);
    r->n_best = r->n_best < v ? r->n_best : v;
    r->wants_sum = (uint32_t)ONE_OF(0, 1);
    if (v > MANY && t < 3) { /* what is drawn from many */
        r->top_k = t == 2 ? MANY + 1 : 0;
        r->top_p = sample_share(t == 0 ? 0.95f : 1);
        r->min_p = 0;
    }
    draw_edits(r, t, v);
    bad[t] = test_rand(&seed) % 16 == 0;
    if (test_rand(&seed) % 16 == 0)
        r->token = test_rand(&seed) % 2 ? SAMPLE_NOTHING : (int32_t)(test_rand(&seed) % v);
}

static void compare(enum shape shape, uint32_t v)
{
    static float work[2][ROWS * (V_MAX + SAMPLE_RUN) * 2];
    assert_true(sample_work_floats(ROWS, v) <= COUNT_OF(work[0]));
    int32_t tokens[2][ROWS] = {{-9, -9, -9, -9}};
    struct sample_args a = {logits, v + shape, ROWS, v, rows, edits, bad, work[0], want, tokens[0]};
    cpu()->ops->sample(cpu(), &a);
    memset(got, 0x55, sizeof got);
    a.work = work[1];
    a.results = got;
    a.tokens = tokens[1];
    struct launch scan = sample_scan_launch(&a), weigh = sample_weigh_launch(&a);
    struct launch choose = sample_choose_launch(&a);
    cuda_emulate_launch(&scan);
    cuda_emulate_launch(&weigh);
    cuda_emulate_launch(&choose);
    assert_memory_equal(tokens[0], tokens[1], sizeof tokens[0]);
    for (uint32_t t = 0; t < ROWS; t++)
        if (memcmp(&got[t], &want[t], sizeof got[t]) != 0) {
            const struct sample_row *r = &rows[t];
            fail_msg("shape %d, V %u, row %u: token %d for %d; 1/temperature %g, top-k %u, top-p "
                     "%g, min-p %g, %u biases, %u penalties, best %u, sum %u",
                     shape, v, t, got[t].token, want[t].token, (double)r->per_temperature, r->top_k,
                     (double)r->top_p * 0x1p-40, (double)r->min_p * 0x1p-40, r->n_biases,
                     r->n_penalties, r->n_best, r->wants_sum);
        }
}

static void test_rows(void **state)
{
    static const uint32_t sizes[] = {1, 2, 63, 64, 65, 300, 1025, V_MAX - SHAPES};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i += test_every(3))
        for (int shape = 0; shape < SHAPES; shape++)
            for (int round = sizes[i] > MANY ? 1 : 0; round < 2; round += test_every(2)) {
                uint32_t v = sizes[i];
                for (uint32_t t = 0; t < ROWS; t++) {
                    for (uint32_t k = 0; k < v; k++)
                        logits[t * (v + (uint32_t)shape) + k] = draw((enum shape)shape, k) + 0.0f;
                    draw_row(t, v);
                }
                compare((enum shape)shape, v);
            }
}

/* Nothing may be chosen where all is banned, and a row that is bad is not looked at. */
static void test_nothing(void **state)
{
    enum { V = 30 };
    (void)state;
    for (uint32_t t = 0; t < ROWS; t++) {
        draw_row(t, V);
        rows[t].token = SAMPLE_CHOOSE;
        rows[t].first_edit = 0;
        rows[t].n_biases = V;
        rows[t].n_penalties = 0;
        bad[t] = t == 3;
        for (uint32_t i = 0; i < V; i++) {
            logits[t * V + i] = t == 3 ? __builtin_nanf("") : (float)i;
            edits[i] = (struct sample_edit){(int32_t)i, num_bits(-__builtin_inff())};
        }
    }
    compare(STEEP, V);
    for (uint32_t t = 0; t < ROWS; t++)
        assert_int_equal(got[t].token, -1);
    edits[7].value = 0;
    compare(STEEP, V);
    assert_int_equal(got[0].token, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
