/* test_sampler_device.c - a token that a device chooses is the sampler's: the plain C of devices,
 * told by sampler_device_row, beside sampler_choose, over parameters of every kind. */
#include "lib/cpu.h"
#include "lib/test.h"

#include "base/mem.h"
#include "engine/sampler.h"
#include "numeric/func.h"

enum { V_MAX = 2500, TOKENS = 90, EDITS = 160 };

static uint64_t seed = 7;
static float logits[V_MAX];
static int32_t timeline[TOKENS], stops[3];
static struct iso_bias biases[12];

static float one_of(const float *values, size_t n)
{
    return values[test_rand(&seed) % n];
}
#define ONE_OF(...)                                                                                \
    one_of((const float[]){__VA_ARGS__}, sizeof(const float[]){__VA_ARGS__} / sizeof(float))

static void draw_logits(uint32_t v)
{
    uint32_t kind = test_rand(&seed) % 4;
    for (uint32_t i = 0; i < v; i++) {
        float x = test_randn(&seed);
        logits[i] = kind == 0 ? 5 * x : kind == 1 ? 0.2f * x : kind == 2 ? (float)(int)x : 1;
    }
}

static void draw_biases(struct iso_sampling *p, uint32_t v)
{
    p->bias = biases;
    p->n_bias = test_rand(&seed) % 2 ? 0 : test_rand(&seed) % (COUNT_OF(biases) + 1);
    if (p->n_bias > v)
        p->n_bias = v;
    for (size_t i = 0; i < p->n_bias; i++) {
        biases[i].token = (int32_t)(i * (v / p->n_bias) + test_rand(&seed) % (v / p->n_bias));
        biases[i].bias = ONE_OF(-__builtin_inff(), 3, -2.5f, 100, -100, 0);
    }
}

static struct iso_sampling draw_sampling(uint32_t v)
{
    struct iso_sampling p = iso_request_default().sampling;
    p.temperature = ONE_OF(0, 0.001f, 0.3f, 0.8f, 1, 1.7f, 100);
    p.top_k = (uint32_t)ONE_OF(0, 1, 2, 40, (float)v - 1, (float)v, 1e6f);
    p.top_p = ONE_OF(1, 0, 0.1f, 0.5f, 0.95f, 0.9999999f);
    p.min_p = ONE_OF(0, 0, 0.05f, 0.3f, 1, 1e-6f, 1e-20f);
    p.repeat_penalty = ONE_OF(1, 1.1f, 0.5f);
    p.frequency_penalty = ONE_OF(0, 0.2f, -1);
    p.presence_penalty = ONE_OF(0, 0.7f);
    p.n_penalty_window = (uint32_t)ONE_OF(0, 5, 64, 1e6f);
    p.penalise_answer = test_rand(&seed) % 2;
    p.seed = test_rand(&seed);
    p.choice = test_rand(&seed) % 3;
    draw_biases(&p, v);
    return p;
}

/* What the device says of the row in `logits`. */
static struct sample_result on_device(struct sample_row *told, const struct sample_edit *edits,
                                      uint32_t v)
{
    static float work[V_MAX * 2];
    struct sample_result result;
    uint8_t bad = 0;
    assert_true(sample_work_floats(1, v) <= COUNT_OF(work));
    int32_t token;
    struct sample_args a = {logits, v, 1, v, told, edits, &bad, work, &result, &token};
    cpu()->ops->sample(cpu(), &a);
    assert_int_equal(token, result.token < 0 ? 0 : result.token);
    return result;
}

static void compare(struct sampler *s, const struct sampler_row *row)
{
    struct sample_edit edits[EDITS];
    struct sample_row told;
    struct iso_logprob want[ISO_LOGPROBS_MAX], have[ISO_LOGPROBS_MAX];
    struct iso_record record[2] = {{.n_best = 0}};
    const struct iso_sampling *p = row->sampling;
    uint32_t v = s->n_vocab, n_top = v < ISO_LOGPROBS_MAX ? v : ISO_LOGPROBS_MAX;
    assert_true(sampler_device_row(s, row, &told, edits, EDITS));
    assert_true(told.n_biases + told.n_penalties <= EDITS);
    told.n_best = n_top;
    told.wants_sum = 1;
    struct sample_result r = on_device(&told, edits, v);
    int32_t token = sampler_choose(s, row);
    if (r.token != token || r.sum != s->total)
        fail_msg("token %d for %d of %u: temperature %g, top-k %u, top-p %g, min-p %g", r.token,
                 token, v, (double)p->temperature, p->top_k, (double)p->top_p, (double)p->min_p);
    sampler_logprobs(s, logits, n_top, want);
    sampler_device_logprobs(&r, n_top, have);
    assert_memory_equal(want, have, n_top * sizeof want[0]);
    sampler_best(logits, v, &record[0]);
    sampler_device_best(&r, v, &record[1]);
    assert_memory_equal(&record[0], &record[1], sizeof record[0]);
    if (token >= 0)
        assert_int_equal(num_bits(iso_logprob(logits, v, token)),
                         num_bits(sampler_device_logprob(&r)));
}

static void tokens_are_the_same(void **state)
{
    static const uint32_t sizes[] = {1, 2, 30, 64, 500, V_MAX - 100};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct sampler s;
        uint32_t v = sizes[i];
        assert_ok(sampler_init(&s, v, TOKENS, NULL));
        for (int round = 0; round < 150; round += test_every(10)) {
            struct iso_sampling p = draw_sampling(v);
            draw_logits(v);
            for (int k = 0; k < TOKENS; k++)
                timeline[k] = (int32_t)(test_rand(&seed) % (k % 2 ? v : v / 8 + 1));
            for (size_t k = 0; k < COUNT_OF(stops); k++)
                stops[k] = (int32_t)(test_rand(&seed) % v);
            compare(&s, &(struct sampler_row){.sampling = &p,
                                              .logits = logits,
                                              .tokens = timeline,
                                              .n_tokens = 1 + test_rand(&seed) % TOKENS,
                                              .border = test_rand(&seed) % TOKENS,
                                              .banned = stops,
                                              .n_banned = test_rand(&seed) % 4});
        }
        sampler_release(&s);
    }
}

static bool may(struct sampler *s, const struct iso_sampling *p, uint32_t n_edits_max)
{
    struct sample_row told;
    struct sample_edit edits[EDITS];
    bool yes = sampler_device_row(
        s, &(struct sampler_row){.sampling = p, .tokens = timeline, .n_tokens = TOKENS}, &told,
        edits, n_edits_max);
    for (uint32_t i = 0; i < s->n_vocab; i++)
        assert_int_equal(s->count[i], 0);
    return yes;
}

/* What only the host does. */
static void the_rest_is_refused(void **state)
{
    static const uint8_t orders[][ISO_ORDER_MAX] = {
        {ISO_STAGE_TEMPERATURE, ISO_STAGE_TOP_K},
        {ISO_STAGE_TOP_P, ISO_STAGE_TOP_K, ISO_STAGE_TEMPERATURE},
        {ISO_STAGE_TOP_K, ISO_STAGE_PENALTIES, ISO_STAGE_TEMPERATURE},
        {ISO_STAGE_TOP_K},
    };
    struct iso_sampling p, usual = iso_request_default().sampling;
    struct sampler s;
    uint32_t allowed[4] = {0};
    (void)state;
    for (int i = 0; i < TOKENS; i++)
        timeline[i] = i;
    assert_ok(sampler_init(&s, 100, TOKENS, NULL));
    assert_true(may(&s, &usual, 0));
    usual.repeat_penalty = 1.3f;
    assert_true(may(&s, &usual, 64));
    assert_false(may(&s, &usual, 63));
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        p = usual;
        memcpy(p.order, orders[i], sizeof p.order);
        assert_false(may(&s, &p, EDITS));
        p.temperature = 0; /* which leaves penalties alone, wherever they are */
        assert_true(may(&s, &p, EDITS));
    }
    p = usual;
    p.mirostat = 2;
    assert_false(may(&s, &p, EDITS));
    p = usual;
    p.dry_multiplier = 1;
    assert_false(may(&s, &p, EDITS));
    p.temperature = 0;
    assert_false(may(&s, &p, EDITS));
    p = usual;
    p.typical_p = 0.5f;
    assert_false(may(&s, &p, EDITS));
    p = usual;
    p.xtc_probability = 0.5f;
    assert_false(may(&s, &p, EDITS));
    struct sample_row told;
    struct sampler_row masked = {
        .sampling = &usual, .tokens = timeline, .n_tokens = 9, .allowed = allowed};
    assert_false(sampler_device_row(&s, &masked, &told, NULL, 0));
    sampler_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_the_same),
        cmocka_unit_test(the_rest_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
