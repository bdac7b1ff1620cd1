/* test_sampler.c - the sampler against an independent implementation, and as a distribution. */
#include "lib/test.h"

#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/sampler.h"

enum { STEPS_MAX = 64, VOCAB_MAX = 2000 };

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

static int32_t choose(struct sampler *s, const struct iso_sampling *p, const float *logits,
                      const uint32_t *allowed, const int32_t *tokens, uint32_t n_tokens)
{
    float mu = 2 * p->mirostat_tau;
    return sampler_choose(s, &(struct sampler_row){.sampling = p,
                                                   .logits = logits,
                                                   .tokens = tokens,
                                                   .n_tokens = n_tokens,
                                                   .allowed = allowed,
                                                   .mu = &mu});
}

/* ---- golden tokens -------------------------------------------------------------------------- */

enum { LISTS_MAX = 8 };
struct golden {
    uint32_t n_vocab, n_steps;
    float spread;
    struct iso_sampling sampling;
    struct iso_bias bias[LISTS_MAX];
    struct iso_breaker breakers[LISTS_MAX];
    int32_t tails[LISTS_MAX][LISTS_MAX];
};

static void read_list(struct golden *g, const char *name, const char *value)
{
    struct iso_sampling *p = &g->sampling;
    char *at;
    if (strcmp(name, "bias") == 0) {
        struct iso_bias *b = &g->bias[p->n_bias++];
        b->token = (int32_t)strtol(value, &at, 10);
        b->bias = strtof(at + 1, NULL);
    } else if (strcmp(name, "breaker") == 0) {
        struct iso_breaker *b = &g->breakers[p->n_dry_breakers];
        int32_t *tail = g->tails[p->n_dry_breakers++];
        b->head = (int32_t)strtol(value, &at, 10);
        for (; *at == ','; b->n_tail++)
            tail[b->n_tail] = (int32_t)strtol(at + 1, &at, 10);
        b->tail = tail;
    } else {
        assert_string_equal(name, "order");
        memset(p->order, 0, sizeof p->order);
        for (int i = 0; *value; value += value[1] ? 2 : 1)
            p->order[i++] = (uint8_t)(*value - '0');
    }
}

static void read_parameter(struct golden *g, char *text)
{
    struct iso_sampling *p = &g->sampling;
    const struct {
        const char *name;
        float *f;
        uint32_t *u;
    } parameters[] = {
        {"vocab", NULL, &g->n_vocab},
        {"steps", NULL, &g->n_steps},
        {"spread", &g->spread, NULL},
        {"t", &p->temperature, NULL},
        {"top_k", NULL, &p->top_k},
        {"top_p", &p->top_p, NULL},
        {"min_p", &p->min_p, NULL},
        {"typical", &p->typical_p, NULL},
        {"repeat", &p->repeat_penalty, NULL},
        {"freq", &p->frequency_penalty, NULL},
        {"pres", &p->presence_penalty, NULL},
        {"window", NULL, &p->n_penalty_window},
        {"choice", NULL, &p->choice},
        {"dry", &p->dry_multiplier, NULL},
        {"dry_base", &p->dry_base, NULL},
        {"dry_allowed", NULL, &p->dry_allowed_length},
        {"dry_window", NULL, &p->n_dry_window},
        {"xtc", &p->xtc_probability, NULL},
        {"xtc_least", &p->xtc_threshold, NULL},
        {"miro", NULL, &p->mirostat},
        {"tau", &p->mirostat_tau, NULL},
        {"eta", &p->mirostat_eta, NULL},
    };
    char *value = strchr(text, '=');
    *value++ = 0;
    if (strcmp(text, "seed") == 0) {
        p->seed = strtoull(value, NULL, 10);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(parameters); i++) {
        if (strcmp(text, parameters[i].name) != 0)
            continue;
        if (parameters[i].f)
            *parameters[i].f = strtof(value, NULL);
        else
            *parameters[i].u = (uint32_t)strtoul(value, NULL, 10);
        return;
    }
    read_list(g, text, value);
}

/* Runs a line "name=value ... : token ...". */
static void run_golden(char *line, uint64_t case_i)
{
    static float logits[VOCAB_MAX];
    struct golden g = {
        .n_vocab = 300, .n_steps = 24, .spread = 12, .sampling = iso_request_default().sampling};
    struct sampler s;
    struct err_note note = {""};
    char *at = line;
    g.sampling.seed = 1;
    while (*at != ':') {
        char *end = strchr(at, ' ');
        *end = 0;
        read_parameter(&g, at);
        at = end + 1;
    }
    g.sampling.bias = g.bias;
    g.sampling.dry_breakers = g.breakers;
    assert_true(g.n_vocab <= VOCAB_MAX && g.n_steps <= STEPS_MAX);
    assert_ok(sampler_init(&s, g.n_vocab, STEPS_MAX, &note));
    if (sampling_check(&g.sampling, g.n_vocab, &note))
        fail_msg("case %d: %s", (int)case_i, note.text);
    int32_t tokens[STEPS_MAX];
    float mu = 2 * g.sampling.mirostat_tau;
    struct sampler_row row = {
        .sampling = &g.sampling, .logits = logits, .tokens = tokens, .mu = &mu};
    at++;
    for (; row.n_tokens < g.n_steps; row.n_tokens++) {
        make_logits(case_i * 1000 + row.n_tokens, g.n_vocab, g.spread, logits);
        int32_t token = sampler_choose(&s, &row), wanted = (int32_t)strtol(at, &at, 10);
        if (token != wanted)
            fail_msg("case %d token %u: %d, not %d", (int)case_i, row.n_tokens, token, wanted);
        tokens[row.n_tokens] = token;
    }
    sampler_release(&s);
}

static void chooses_the_golden_tokens(void **state)
{
    (void)state;
    char *text;
    struct err_note note = {""};
    assert_ok(file_read(TEST_DIR "/golden/engine/sampler.txt", 1 << 20, &text, NULL, &note));
    uint64_t n_cases = 0;
    for (char *line = strchr(text, '\n') + 1, *end; *line; line = end + 1, n_cases++) {
        end = strchr(line, '\n');
        *end = 0;
        run_golden(line, n_cases);
    }
    assert_true(n_cases > 50);
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
    assert_ok(sampler_init(&s, V, 64, NULL));
    make_logits(7, V, 2, logits);
    for (int i = 0; i < V; i++)
        sum += weight[i] = exp((double)logits[i] / 0.7);
    static int32_t tokens[N];
    for (uint32_t i = 0; i < N; i++)
        count[choose(&s, &p, logits, NULL, tokens, i)]++;
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
    assert_ok(sampler_init(&s, 10, 64, NULL));
    p.temperature = 0;
    assert_int_equal(choose(&s, &p, logits, NULL, NULL, 0), 1);
    p.temperature = 1;
    p.top_k = 4; /* 1, 3, 4 and the lowest of 2, 5, 6 */
    static int32_t tokens[4000];
    uint32_t seen = 0;
    for (uint32_t i = 0; i < 4000; i++)
        seen |= 1u << choose(&s, &p, logits, NULL, tokens, i);
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
    assert_ok(sampler_init(&s, 4, 64, NULL));
    assert_int_equal(choose(&s, &p, logits, NULL, NULL, 0), 2);
    p.temperature = 0;
    assert_int_equal(choose(&s, &p, logits, NULL, NULL, 0), 2);
    sampler_release(&s);
}

/* Of 40 tokens all but 7 and 30 are banned: by biases, by the row, by the mask. */
static void banned_tokens_are_never_chosen(void **state)
{
    (void)state;
    enum { V = 40 };
    struct sampler s;
    float logits[V], mu = 0;
    struct iso_bias bias[V];
    int32_t banned[V];
    uint32_t allowed[2] = {0xffff0000u | 1u << 7, 0xff}, seen = 0;
    struct iso_sampling p = plain();
    struct sampler_row row = {
        .sampling = &p, .logits = logits, .banned = banned, .allowed = allowed, .mu = &mu};
    make_logits(5, V, 1, logits);
    assert_ok(sampler_init(&s, V, 64, NULL));
    p.bias = bias;
    for (int32_t i = 16; i < V; i++) {
        if (i % 2)
            bias[p.n_bias++] = (struct iso_bias){i, -INFINITY};
        else if (i != 30)
            banned[row.n_banned++] = i;
    }
    assert_ok(sampling_check(&p, V, NULL));
    for (row.n_tokens = 0; row.n_tokens < 60; row.n_tokens++) {
        int32_t token = sampler_choose(&s, &row);
        assert_true(token == 7 || token == 30);
        seen |= 1u << token;
    }
    assert_int_equal(seen, 1u << 7 | 1u << 30);
    banned[row.n_banned++] = 30;
    p.temperature = 0;
    assert_int_equal(sampler_choose(&s, &row), 7);
    banned[row.n_banned++] = 7;
    assert_int_equal(sampler_choose(&s, &row), -1);
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
    assert_ok(sampler_init(&s, V, 64, NULL));
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
    assert_ok(sampler_init(&s, V, 64, NULL));
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
        assert_ok(sampler_init(&few, n, 64, NULL));
        int32_t wanted = old_id[choose(&few, &p, few_logits, NULL, few_tokens, 8)];
        assert_int_equal(choose(&s, &p, logits, allowed, tokens, 8), wanted);
        sampler_release(&few);
    }
    sampler_release(&s);
}

static void wrong_parameters_are_named(void **state)
{
    (void)state;
    static const struct iso_bias unordered[] = {{3, 1}, {2, 1}}, outside[] = {{10, 1}},
                                 endless[] = {{1, INFINITY}};
    static const struct iso_breaker falling[] = {{3, 0, NULL}, {2, 0, NULL}};
    const char *words[] = {"temperature",
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
                           "finite",
                           "dry_multiplier",
                           "dry_base",
                           "xtc_probability",
                           "xtc_threshold",
                           "mirostat",
                           "mirostat_tau",
                           "mirostat_eta",
                           "breakers",
                           "place 8"};
    struct iso_sampling cases[COUNT_OF(words)];
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
    cases[13].dry_multiplier = -1;
    cases[14].dry_multiplier = 1, cases[14].dry_base = 0.5f;
    cases[15].xtc_probability = 1.1f;
    cases[16].xtc_threshold = NAN;
    cases[17].mirostat = 3;
    cases[18].mirostat_tau = -1;
    cases[19].mirostat_eta = 2;
    cases[20].dry_breakers = falling, cases[20].n_dry_breakers = 2;
    cases[21].order[8] = ISO_STAGE_COUNT;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err_note note = {""};
        assert_int_equal(sampling_check(&cases[i], 10, &note), ERR_USAGE);
        if (!strstr(note.text, words[i]))
            fail_msg("\"%s\" does not speak of %s", note.text, words[i]);
    }
}

/* Of "1 2 | 2 3 3", the prompt's tokens repeat, but count only as far as they are said again. */
static void the_answer_alone_may_be_penalised(void **state)
{
    (void)state;
    static const float logits[5] = {4, 4, 4, 4, 4};
    static const int32_t tokens[] = {1, 2, 2, 3, 3};
    static const struct {
        bool answer;
        uint32_t window;
        float wanted[5];
    } cases[] = {
        {false, UINT32_MAX, {4, 1.25f, 0.75f, 0.75f, 4}},
        {true, UINT32_MAX, {4, 2, 1.25f, 0.75f, 4}},
        {true, 4, {4, 4, 1.25f, 0.75f, 4}},
        {true, 1, {4, 4, 4, 1.25f, 4}},
    };
    struct sampler s;
    struct err_note note;
    assert_int_equal(sampler_init(&s, 5, 16, &note), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct iso_sampling p = plain();
        p.temperature = 0;
        p.repeat_penalty = 2;
        p.frequency_penalty = 0.5f;
        p.presence_penalty = 0.25f;
        p.n_penalty_window = cases[i].window;
        p.penalise_answer = cases[i].answer;
        sampler_choose(&s, &(struct sampler_row){.sampling = &p,
                                                 .logits = logits,
                                                 .tokens = tokens,
                                                 .n_tokens = COUNT_OF(tokens),
                                                 .border = 2});
        assert_memory_equal(s.logit, cases[i].wanted, sizeof logits);
        for (int t = 0; t < 5; t++)
            assert_int_equal(s.count[t], 0);
    }
    sampler_release(&s);
}

/* Two of four tokens are left, equally likely; the others are filled up by their ids. */
static void what_the_stages_left_is_told(void **state)
{
    (void)state;
    static const float logits[4] = {0, 5, 1, 5};
    struct iso_sampling p = plain();
    struct iso_logprob top[4];
    struct sampler s;
    struct err_note note;
    p.top_k = 2;
    assert_int_equal(sampler_init(&s, 4, 16, &note), ERR_OK);
    choose(&s, &p, logits, NULL, NULL, 0);
    assert_true(fabsf(sampler_left(&s, 3, 4, top) + 0.693147f) < 1e-5f);
    static const int32_t tokens[] = {1, 3, 0, 2};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(top[i].token, tokens[i]);
        assert_true(i < 2 ? fabsf(top[i].logprob + 0.693147f) < 1e-5f : top[i].logprob == -9999);
    }
    choose(&s, &p, logits, NULL, NULL, 0);
    assert_true(sampler_left(&s, 2, 0, top) == -9999);
    sampler_release(&s);
}

/* The best of rows with many equal logits, in every order that blocks may see them. */
static void the_best_are_found(void **state)
{
    (void)state;
    enum { N = 1000 };
    float logits[N];
    struct iso_record record;
    uint64_t seed = 7;
    for (int round = 0; round < 200; round++) {
        uint32_t n = round < 20 ? 1 + (uint32_t)round : 1 + (uint32_t)(test_rand(&seed) % N);
        for (uint32_t i = 0; i < n; i++)
            logits[i] = round % 4 == 0   ? (float)i
                        : round % 4 == 1 ? -(float)i
                        : round % 4 == 2 ? (float)(test_rand(&seed) % 5)
                                         : test_randn(&seed);
        assert_int_equal(sampler_best(logits, n, &record), n < ISO_BEST_MAX ? n : ISO_BEST_MAX);
        for (uint32_t b = 0; b < record.n_best; b++) {
            uint32_t token = (uint32_t)record.best[b].token, n_before = 0;
            assert_true(record.best[b].logit == logits[token]);
            for (uint32_t i = 0; i < n; i++)
                n_before += logits[i] > logits[token] || (logits[i] == logits[token] && i < token);
            assert_int_equal(n_before, b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_found),
        cmocka_unit_test(what_the_stages_left_is_told),
        cmocka_unit_test(the_answer_alone_may_be_penalised),
        cmocka_unit_test(chooses_the_golden_tokens),
        cmocka_unit_test(draws_from_softmax),
        cmocka_unit_test(ties_go_to_the_lower_token),
        cmocka_unit_test(bias_reaches_greedy_and_draws),
        cmocka_unit_test(banned_tokens_are_never_chosen),
        cmocka_unit_test(logprobs_are_close_to_libm),
        cmocka_unit_test(masked_tokens_are_no_candidates),
        cmocka_unit_test(wrong_parameters_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
