/* test_sampler.c - the sampler against an independent implementation, and as a distribution. */
#include "lib/test.h"

#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/sampler.h"

enum { STEPS = 24, VOCAB_MAX = 2000 };

/* spread * uniform[-1, 1), cubed, as tools/sampler_vectors.py makes them. */
static void make_logits(uint64_t seed, uint32_t n, float spread, float *logits)
{
    for (uint32_t i = 0; i < n; i++) {
        float x = test_randf(&seed);
        logits[i] = x * x * x * spread;
    }
}

static struct iso_sampling plain(void)
{
    struct iso_sampling p = iso_request_default().sampling;
    p.temperature = 1;
    p.top_k = 0;
    p.top_p = 1;
    p.min_p = 0;
    return p;
}

static double next_number(char **at)
{
    return strtod(*at, at);
}

static struct iso_sampling read_parameters(char **at)
{
    struct iso_sampling p = {0};
    p.temperature = (float)next_number(at);
    p.top_k = (uint32_t)next_number(at);
    p.top_p = (float)next_number(at);
    p.min_p = (float)next_number(at);
    p.typical_p = (float)next_number(at);
    p.repeat_penalty = (float)next_number(at);
    p.frequency_penalty = (float)next_number(at);
    p.presence_penalty = (float)next_number(at);
    p.n_penalty_window = (uint32_t)next_number(at);
    p.seed = strtoull(*at, at, 10);
    p.choice = (uint32_t)next_number(at);
    char *order = *at + 1;
    for (int i = 0; order[i] >= '1' && order[i] <= '6'; i++)
        p.order[i] = (uint8_t)(order[i] - '0');
    *at = strchr(order, ':') + 1;
    return p;
}

static void chooses_the_golden_tokens(void **state)
{
    (void)state;
    char *text;
    struct err_note note = {""};
    assert_ok(file_read(TEST_DIR "/golden/engine/sampler.txt", 1 << 20, &text, NULL, &note));
    static float logits[VOCAB_MAX];
    uint64_t n_cases = 0;
    for (char *at = strchr(text, '\n') + 1; *at; at = strchr(at, '\n') + 1, n_cases++) {
        struct sampler s;
        uint32_t n_vocab = (uint32_t)next_number(&at);
        float spread = (float)next_number(&at);
        struct iso_sampling p = read_parameters(&at);
        int32_t tokens[STEPS];
        assert_true(n_vocab <= VOCAB_MAX);
        assert_ok(sampler_init(&s, n_vocab, &note));
        assert_ok(sampling_check(&p, n_vocab, &note));
        for (uint32_t i = 0; i < STEPS; i++) {
            make_logits(n_cases * 1000 + i, n_vocab, spread, logits);
            tokens[i] = sampler_choose(&s, &p, logits, NULL, tokens, i);
            int32_t wanted = (int32_t)next_number(&at);
            if (tokens[i] != wanted)
                fail_msg("case %d token %u: %d, not %d", (int)n_cases, i, tokens[i], wanted);
        }
        sampler_release(&s);
    }
    assert_true(n_cases > 20);
    mem_free(text);
}

/* Positions are independent draws: their frequencies fit softmax (chi-square, 31 degrees). */
static void draws_from_softmax(void **state)
{
    (void)state;
    enum { V = 32, N = 20000 };
    struct sampler s;
    float logits[V];
    uint32_t count[V] = {0};
    double weight[V], sum = 0, chi = 0;
    struct iso_sampling p = plain();
    p.temperature = 0.7f;
    assert_ok(sampler_init(&s, V, NULL));
    make_logits(7, V, 2, logits);
    for (int i = 0; i < V; i++)
        sum += weight[i] = exp((double)logits[i] / 0.7);
    static int32_t tokens[N];
    for (uint32_t i = 0; i < N; i++)
        count[sampler_choose(&s, &p, logits, NULL, tokens, i)]++;
    for (int i = 0; i < V; i++) {
        double expected = N * weight[i] / sum;
        chi += (count[i] - expected) * (count[i] - expected) / expected;
    }
    assert_true(chi < 62); /* probability 0.001 of being larger */
    assert_true(chi > 10); /* and of being smaller */
    sampler_release(&s);
}

static void ties_go_to_the_lower_token(void **state)
{
    (void)state;
    struct sampler s;
    float logits[10] = {1, 3, 2, 3, 3, 2, 2, 0, -0.0f, 1};
    struct iso_sampling p = plain();
    assert_ok(sampler_init(&s, 10, NULL));
    p.temperature = 0;
    assert_int_equal(sampler_choose(&s, &p, logits, NULL, NULL, 0), 1);
    p.temperature = 1;
    p.top_k = 4; /* 1, 3, 4 and the lowest of 2, 5, 6 */
    static int32_t tokens[4000];
    uint32_t seen = 0;
    for (uint32_t i = 0; i < 4000; i++)
        seen |= 1u << sampler_choose(&s, &p, logits, NULL, tokens, i);
    assert_int_equal(seen, 1u << 1 | 1u << 3 | 1u << 4 | 1u << 2);
    sampler_release(&s);
}

static void bias_reaches_greedy_and_draws(void **state)
{
    (void)state;
    struct sampler s;
    float logits[4] = {5, 4, 3, 2};
    const struct iso_bias bias[] = {{0, -100}, {2, 50}};
    struct iso_sampling p = plain();
    p.bias = bias;
    p.n_bias = 2;
    assert_ok(sampler_init(&s, 4, NULL));
    assert_int_equal(sampler_choose(&s, &p, logits, NULL, NULL, 0), 2);
    p.temperature = 0;
    assert_int_equal(sampler_choose(&s, &p, logits, NULL, NULL, 0), 2);
    sampler_release(&s);
}

static void logprobs_are_close_to_libm(void **state)
{
    (void)state;
    enum { V = 1000 };
    static float logits[V];
    struct sampler s;
    struct iso_logprob top[20];
    double sum = 0;
    make_logits(3, V, 20, logits);
    for (int i = 0; i < V; i++)
        sum += exp((double)logits[i]);
    for (int i = 0; i < V; i++) {
        double wanted = (double)logits[i] - log(sum);
        assert_true(fabs((double)iso_logprob(logits, V, i) - wanted) < 1e-5);
    }
    assert_ok(sampler_init(&s, V, NULL));
    sampler_logprobs(&s, logits, 20, top);
    for (int i = 0; i < 20; i++) {
        assert_true(top[i].logprob == iso_logprob(logits, V, top[i].token));
        assert_true(i == 0 || top[i].logprob <= top[i - 1].logprob);
    }
    sampler_release(&s);
}

/* With a mask, the choice is that over the allowed tokens alone. */
static void masked_tokens_are_no_candidates(void **state)
{
    (void)state;
    enum { V = 300, ROUNDS = 400 };
    static float logits[V], few_logits[V];
    uint64_t seed = 11;
    struct sampler s, few;
    assert_ok(sampler_init(&s, V, NULL));
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t allowed[(V + 31) / 32] = {0}, n = 0;
        int32_t old_id[V], tokens[8], few_tokens[8];
        uint32_t one_in = 1 + (uint32_t)(test_rand(&seed) % 40);
        make_logits(test_rand(&seed), V, 8, logits);
        for (uint32_t t = 0; t < V; t++) {
            if (t != 17 && test_rand(&seed) % one_in)
                continue;
            allowed[t / 32] |= 1u << t % 32;
            few_logits[n] = logits[t];
            old_id[n++] = (int32_t)t;
        }
        for (int i = 0; i < 8; i++) {
            few_tokens[i] = (int32_t)(test_rand(&seed) % n);
            tokens[i] = old_id[few_tokens[i]];
        }
        struct iso_sampling p = iso_request_default().sampling;
        p.temperature = round % 5 == 0 ? 0 : 1.5f;
        p.top_k = round % 3 ? (uint32_t)(test_rand(&seed) % 50) : 0;
        p.repeat_penalty = round % 2 ? 1.3f : 1;
        p.typical_p = round % 7 == 0 ? 0.9f : 1;
        p.seed = test_rand(&seed);
        assert_ok(sampler_init(&few, n, NULL));
        int32_t wanted = old_id[sampler_choose(&few, &p, few_logits, NULL, few_tokens, 8)];
        assert_int_equal(sampler_choose(&s, &p, logits, allowed, tokens, 8), wanted);
        sampler_release(&few);
    }
    sampler_release(&s);
}

static void wrong_parameters_are_named(void **state)
{
    (void)state;
    static const struct iso_bias unordered[] = {{3, 1}, {2, 1}}, outside[] = {{10, 1}},
                                 endless[] = {{1, INFINITY}};
    struct iso_sampling cases[13];
    const char *words[13] = {"temperature",
                             "temperature",
                             "temperature",
                             "top_p",
                             "min_p",
                             "typical_p",
                             "repeat_penalty",
                             "frequency_penalty",
                             "presence_penalty",
                             "order",
                             "ascending",
                             "vocabulary",
                             "finite"};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        cases[i] = plain();
    cases[0].temperature = -1;
    cases[1].temperature = NAN;
    cases[2].temperature = 1e-9f;
    cases[3].top_p = 1.5f;
    cases[4].min_p = -0.1f;
    cases[5].typical_p = 2;
    cases[6].repeat_penalty = 0;
    cases[7].frequency_penalty = INFINITY;
    cases[8].presence_penalty = -101;
    cases[9].order[1] = ISO_STAGE_PENALTIES;
    cases[10].bias = unordered, cases[10].n_bias = 2;
    cases[11].bias = outside, cases[11].n_bias = 1;
    cases[12].bias = endless, cases[12].n_bias = 1;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err_note note = {""};
        assert_int_equal(sampling_check(&cases[i], 10, &note), ERR_USAGE);
        if (!strstr(note.text, words[i]))
            fail_msg("\"%s\" does not speak of %s", note.text, words[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_the_golden_tokens),
        cmocka_unit_test(draws_from_softmax),
        cmocka_unit_test(ties_go_to_the_lower_token),
        cmocka_unit_test(bias_reaches_greedy_and_draws),
        cmocka_unit_test(logprobs_are_close_to_libm),
        cmocka_unit_test(masked_tokens_are_no_candidates),
        cmocka_unit_test(wrong_parameters_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
