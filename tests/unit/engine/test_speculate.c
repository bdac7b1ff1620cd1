/* test_speculate.c - guesses change speed and nothing else: on every tiny architecture, tokens,
 * log-probabilities and digests are those of one token at a time, whatever is guessed. */
#include "lib/test.h"

#include "engine/engine.h"
#include "engine/speculate.h"
#include "unit/model/tiny.h"

enum { ANSWER = 60, PROMPT = 45, LOGPROBS = 3 };

/* ---- requests ------------------------------------------------------------------------------- */

/* A constraint with a state: a token may not have the remainder mod 3 that the number of tokens
 * before it has. */
struct parity {
    uint32_t n_accepted, n_vocab;
};

static bool parity_mask(void *context, uint32_t *bits, struct iso_note *note)
{
    (void)note;
    const struct parity *p = context;
    memset(bits, 0, (p->n_vocab + 31) / 32 * sizeof bits[0]);
    for (uint32_t t = 0; t < p->n_vocab; t++)
        if (t % 3 != p->n_accepted % 3)
            bits[t / 32] |= 1u << t % 32;
    return true;
}

static void parity_accept(void *context, int32_t token)
{
    struct parity *p = context;
    assert_true((uint32_t)token % 3 != p->n_accepted % 3);
    p->n_accepted++;
}

enum { GREEDY, PENALISED, MIROSTAT, CONSTRAINED, STOPPED, N_KINDS };

static struct iso_request request_of(int kind, const struct tiny *m, struct iso_constraint *c,
                                     int32_t *stop)
{
    struct iso_request r = iso_request_default();
    r.tokens = m->tokens;
    r.n_tokens = m->n_tokens < PROMPT ? m->n_tokens : PROMPT;
    r.n_answer_max = ANSWER;
    r.n_logprobs = LOGPROBS;
    r.want_logprob = r.want_digests = true;
    r.sampling.seed = 5;
    r.sampling.temperature = kind == GREEDY ? 0 : 0.3f; /* low: the text repeats itself */
    if (kind == PENALISED) {
        r.sampling.repeat_penalty = 1.1f;
        r.sampling.frequency_penalty = 0.2f;
        r.sampling.dry_multiplier = 0.5f;
        r.sampling.xtc_probability = 0.3f;
        r.sampling.xtc_threshold = 0.02f;
    }
    r.sampling.mirostat = kind == MIROSTAT ? 2 : 0;
    r.sampling.mirostat_tau = 2;
    if (kind == CONSTRAINED)
        r.constraint = c;
    if (kind == STOPPED) {
        r.stops = stop;
        r.n_stops = 1;
        r.n_answer_min = 20;
    }
    return r;
}

/* ---- answers -------------------------------------------------------------------------------- */

struct answer {
    uint32_t n;
    enum iso_finish finish;
    int32_t tokens[ANSWER];
    uint32_t positions[ANSWER];
    float logprobs[ANSWER];
    struct iso_logprob alternatives[ANSWER][LOGPROBS];
    uint8_t digests[ANSWER][ISO_DIGEST_BYTES];
};

static void take_event(struct answer *a, const struct iso_event *e)
{
    if (e->kind == ISO_EVENT_FINISH) {
        a->finish = e->finish;
        assert_int_equal(e->err, ISO_OK);
    }
    if (e->kind != ISO_EVENT_TOKEN)
        return;
    assert_true(a->n < ANSWER);
    a->tokens[a->n] = e->token;
    a->positions[a->n] = e->position;
    a->logprobs[a->n] = e->logprob;
    memcpy(a->alternatives[a->n], e->logprobs, sizeof a->alternatives[0]);
    memcpy(a->digests[a->n], e->digest, sizeof a->digests[0]);
    a->n++;
}

static void run(struct iso_engine *e, struct iso_session *s, const struct iso_request *r,
                struct answer *a)
{
    const struct iso_event *events;
    struct iso_note note = {""};
    *a = (struct answer){0};
    if (iso_session_submit(s, r, &note))
        fail_msg("%s", note.text);
    for (size_t n; (n = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < n; i++)
            take_event(a, &events[i]);
}

/* ---- guesses -------------------------------------------------------------------------------- */

/* Knows the right answer, and spoils it. */
struct oracle {
    const struct answer *answer;
    uint32_t border, n_vocab;
    uint64_t seed;
    uint32_t one_in; /* so many guesses is wrong; 0: none */
};

static uint32_t guess(void *context, const struct iso_session *s, int32_t *out, uint32_t n_max)
{
    struct oracle *o = context;
    uint32_t n_tokens, n = 0;
    iso_session_tokens(s, &n_tokens);
    n_max = n_max ? (uint32_t)(test_rand(&o->seed) % (n_max + 1)) : 0;
    for (; n < n_max && n_tokens - o->border + n < o->answer->n; n++) {
        out[n] = o->answer->tokens[n_tokens - o->border + n];
        if (o->one_in && test_rand(&o->seed) % o->one_in == 0)
            out[n] = (int32_t)(test_rand(&o->seed) % o->n_vocab);
    }
    return n;
}

/* Steps take no time, or all the same time: guesses are always worth it. */
static uint64_t no_time(void *context)
{
    (void)context;
    return 0;
}
static uint64_t same_time(void *context)
{
    return *(uint64_t *)context += 1000;
}

static struct iso_engine *open_tiny(const struct tiny *m, const struct table *draft,
                                    bool no_speculation, bool ticks)
{
    static uint64_t now;
    struct iso_engine *e;
    struct err_note note = {""};
    const struct iso_engine_options o = {.n_threads = 1,
                                         .n_ctx = 128,
                                         .no_speculation = no_speculation,
                                         .clock_ns = ticks ? same_time : no_time,
                                         .clock_context = &now};
    if (engine_open(&m->table, draft, &o, &e, &note))
        fail_msg("%s", note.text);
    return e;
}

static void assert_same(const struct answer *a, const struct answer *b, const char *name, int kind)
{
    if (memcmp(a, b, sizeof *a) == 0)
        return;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->tokens[i] != b->tokens[i])
            fail_msg("%s, kind %d: token %u is %d, not %d", name, kind, i, b->tokens[i],
                     a->tokens[i]);
    fail_msg("%s, kind %d: the answers differ", name, kind);
}

/* The five kinds of request, one after the other in one session, each from its beginning. */
static void run_kinds(struct iso_engine *e, const struct tiny *m, const struct answer *wanted,
                      struct oracle *o, struct answer got[N_KINDS])
{
    struct parity parity;
    struct iso_constraint c = {&parity, parity_mask, parity_accept, NULL};
    struct iso_session *s;
    int32_t stop = 0;
    assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
    for (int kind = 0; kind < N_KINDS; kind++) {
        if (kind == STOPPED) /* something that comes again */
            stop = got[GREEDY].tokens[got[GREEDY].n - 1];
        parity = (struct parity){.n_vocab = m->n_vocab};
        struct iso_request r = request_of(kind, m, &c, &stop);
        if (o) {
            o->answer = &wanted[kind];
            o->border = r.n_tokens;
        }
        run(e, s, &r, &got[kind]);
        iso_session_cut(s, 0);
    }
    iso_session_close(s);
}

static void tokens_do_not_depend_on_guesses(void **state)
{
    (void)state;
    static struct answer wanted[N_KINDS], got[N_KINDS];
    for (size_t i = 0; i < TINY_COUNT; i += test_every(8)) {
        struct tiny m;
        tiny_open(&m, tiny_names[i]);
        struct iso_engine *e = open_tiny(&m, NULL, true, false);
        run_kinds(e, &m, NULL, NULL, wanted);
        iso_engine_close(e);
        for (uint32_t one_in = 0; one_in < 5; one_in++) {
            struct oracle o = {.n_vocab = m.n_vocab, .seed = i, .one_in = one_in};
            e = open_tiny(&m, NULL, false, false);
            engine_set_guesser(e, (struct guesser){guess, &o});
            run_kinds(e, &m, wanted, &o, got);
            for (int kind = 0; kind < N_KINDS; kind++)
                assert_same(&wanted[kind], &got[kind], tiny_names[i], kind);
            struct iso_engine_stats stats = iso_engine_stats(e);
            assert_true(stats.n_guesses > 100 && stats.n_guesses_true <= stats.n_guesses);
            assert_true(one_in == 1 || stats.n_guesses_true > 30);
            assert_true(one_in || stats.n_guesses_true == stats.n_guesses);
            iso_engine_close(e);
        }
        tiny_close(&m);
    }
}

/* The answer, and answers spoilt at each of some places, in passes of several sizes. */
static void tokens_do_not_depend_on_what_is_expected(void **state)
{
    (void)state;
    static struct answer wanted[N_KINDS], got;
    static const uint32_t logits[] = {7, 512};
    static const uint32_t spoilt[] = {ANSWER, 0, 1, 18, ANSWER - 1};
    for (size_t i = 0; i < TINY_COUNT; i += test_every(8)) {
        struct tiny m;
        tiny_open(&m, tiny_names[i]);
        struct iso_engine *e = open_tiny(&m, NULL, true, false);
        run_kinds(e, &m, NULL, NULL, wanted);
        int32_t stop = wanted[GREEDY].tokens[wanted[GREEDY].n - 1];
        iso_engine_close(e);
        for (size_t k = 0; k < COUNT_OF(logits); k++) {
            struct iso_session *s;
            const struct iso_engine_options o = {.n_threads = 1,
                                                 .n_ctx = 128,
                                                 .n_chunk = 48,
                                                 .n_logits = logits[k],
                                                 .no_speculation = true};
            assert_ok(engine_open(&m.table, NULL, &o, &e, NULL));
            assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
            for (size_t j = 0; j < N_KINDS * COUNT_OF(spoilt); j++) {
                int kind = (int)(j % N_KINDS);
                uint32_t bad = spoilt[j / N_KINDS];
                struct parity parity = {.n_vocab = m.n_vocab};
                struct iso_constraint c = {&parity, parity_mask, parity_accept, NULL};
                struct iso_request r = request_of(kind, &m, &c, &stop);
                int32_t expected[ANSWER + 1];
                memcpy(expected, wanted[kind].tokens, sizeof wanted[kind].tokens);
                expected[ANSWER] = 1; /* more than the answer may have */
                if (bad < ANSWER)
                    expected[bad] = (expected[bad] + 1) % (int32_t)m.n_vocab;
                r.expected = expected;
                r.n_expected = bad % 2 ? wanted[kind].n : ANSWER + 1;
                uint64_t n_steps = iso_engine_stats(e).n_steps;
                run(e, s, &r, &got);
                n_steps = iso_engine_stats(e).n_steps - n_steps;
                assert_same(&wanted[kind], &got, tiny_names[i], kind);
                if (bad == ANSWER && logits[k] == 512 && strcmp(tiny_names[i], "phi3-long") != 0)
                    assert_in_range(n_steps, 1, (r.n_tokens + got.n) / o.n_chunk + 1);
                iso_session_cut(s, 0);
            }
            iso_engine_close(e);
        }
        tiny_close(&m);
    }
}

static void tokens_do_not_depend_on_lookup(void **state)
{
    (void)state;
    static struct answer wanted[N_KINDS], got[N_KINDS];
    uint64_t n_guesses = 0, n_true = 0;
    for (size_t i = 0; i < TINY_COUNT; i += test_every(8)) {
        struct tiny m;
        tiny_open(&m, tiny_names[i]);
        for (int off = 1; off >= 0; off--) {
            struct iso_engine *e = open_tiny(&m, NULL, off, true);
            run_kinds(e, &m, off ? NULL : wanted, NULL, off ? wanted : got);
            n_guesses += iso_engine_stats(e).n_guesses;
            n_true += iso_engine_stats(e).n_guesses_true;
            assert_true(!off || n_guesses == 0 || i > 0);
            iso_engine_close(e);
        }
        for (int kind = 0; kind < N_KINDS; kind++)
            assert_same(&wanted[kind], &got[kind], tiny_names[i], kind);
        tiny_close(&m);
    }
    /* Of all models together; whether a guess is worth a row follows the clock. */
    assert_true(test_every(8) > 1 || (n_guesses > 1000 && n_true > 300));
}

static void tokens_do_not_depend_on_drafts(void **state)
{
    (void)state;
    static struct answer wanted[N_KINDS], got[N_KINDS];
    uint64_t n_guesses[2] = {0}, n_true[2] = {0}; /* of another draft, of the model itself */
    for (size_t i = 0; i < TINY_COUNT; i += test_every(8)) {
        struct tiny m, other;
        tiny_open(&m, tiny_names[i]);
        size_t k = (i + 1) % TINY_COUNT; /* the next with as large a vocabulary */
        for (tiny_open(&other, tiny_names[k]); other.n_vocab != m.n_vocab;
             k = (k + 1) % TINY_COUNT) {
            tiny_close(&other);
            tiny_open(&other, tiny_names[(k + 1) % TINY_COUNT]);
        }
        struct iso_engine *e = open_tiny(&m, NULL, true, false);
        run_kinds(e, &m, NULL, NULL, wanted);
        iso_engine_close(e);
        for (int itself = 0; itself < 2; itself++) {
            e = open_tiny(&m, itself ? &m.table : &other.table, false, true);
            run_kinds(e, &m, NULL, NULL, got);
            for (int kind = 0; kind < N_KINDS; kind++)
                assert_same(&wanted[kind], &got[kind], tiny_names[i], kind);
            n_guesses[itself] += iso_engine_stats(e).n_guesses;
            n_true[itself] += iso_engine_stats(e).n_guesses_true;
            iso_engine_close(e);
        }
        tiny_close(&m);
        tiny_close(&other);
    }
    assert_true(test_every(8) > 1 || (n_guesses[0] > 100 && n_guesses[1] > 1000));
    assert_true(n_true[1] * 10 > n_guesses[1] * 7);
}

static void other_vocabularies_are_refused(void **state)
{
    (void)state;
    struct iso_engine *e;
    struct iso_note note;
    struct iso_engine_options o = {.draft_path = TEST_DIR "/golden/model/llama.gguf"};
    const char *talker = TEST_DIR "/golden/engine/talker.gguf";
    assert_int_equal(iso_engine_open(talker, &o, &e, &note), ISO_ERR_USAGE);
    assert_null(e);
    assert_non_null(strstr(note.text, "vocabulary has 99 tokens"));
    o.draft_path = TEST_DIR "/golden/model/none.gguf";
    assert_int_equal(iso_engine_open(talker, &o, &e, &note), ISO_ERR_NOT_FOUND);
    o.draft_path = talker;
    assert_int_equal(iso_engine_open(talker, &o, &e, &note), ISO_OK);
    iso_engine_close(e);
}

/* ---- how much to guess ---------------------------------------------------------------------- */

static void rows_are_tried_then_judged(void **state)
{
    (void)state;
    struct cost c = {0};
    float sure[GUESSES_MAX], never[GUESSES_MAX], even[GUESSES_MAX];
    for (int i = 0; i < GUESSES_MAX; i++) {
        sure[i] = 0.99f;
        never[i] = 0.01f;
        even[i] = 0.5f;
    }
    assert_int_equal(speculate_worth(&c, 100, sure, GUESSES_MAX, 0).n, 0); /* nothing is known */
    for (int i = 0; i < 5; i++)
        cost_observe(&c, 1, 100, 1000);
    assert_int_equal(speculate_worth(&c, 100, sure, GUESSES_MAX, 0).n, GUESSES_MAX);
    assert_int_equal(speculate_worth(&c, 100, sure, 4, 0).n, 4);
    assert_int_equal(speculate_worth(&c, 100, never, GUESSES_MAX, 0).n, 0);
    /* Up to 8 rows are nearly free, more are dear. */
    for (uint32_t rows = 2; rows <= GUESSES_MAX + 1; rows++)
        for (int i = 0; i < 5; i++)
            cost_observe(&c, rows, 100 * rows, rows <= 8 ? 1000 + 20 * rows : 400 * rows);
    assert_int_equal(speculate_worth(&c, 100, sure, GUESSES_MAX, 0).n, 7);
    assert_in_range(speculate_worth(&c, 100, even, GUESSES_MAX, 0).n, 2, 6);
    /* Where each row costs as much as a step, nothing is worth it. */
    for (uint32_t rows = 1; rows <= GUESSES_MAX + 1; rows++)
        for (int i = 0; i < 40; i++)
            cost_observe(&c, rows, 100 * rows, 1000 * rows);
    assert_int_equal(speculate_worth(&c, 100, sure, GUESSES_MAX, 0).n, 0);
}

static void what_came_before_comes_again(void **state)
{
    (void)state;
    enum { N = 400, PERIOD = 37 };
    static int32_t tokens[N + GUESSES_MAX];
    struct lookup l;
    float chance[GUESSES_MAX];
    uint64_t seed = 3;
    assert_ok(lookup_init(&l, N, NULL));
    for (int i = 0; i < N; i++)
        tokens[i] = i < PERIOD ? (int32_t)(test_rand(&seed) % 1000) : tokens[i - PERIOD];
    for (uint32_t n = 1; n + GUESSES_MAX < N; n++) {
        int32_t after[GUESSES_MAX];
        memcpy(after, tokens + n, sizeof after);
        lookup_follow(&l, &l, tokens, n, PERIOD);
        uint32_t n_guesses = lookup_chances(&l, GUESSES_MAX, chance);
        assert_int_equal(n_guesses, n < PERIOD + LOOKUP_SHORT ? 0 : GUESSES_MAX);
        lookup_guess(&l, tokens, n_guesses);
        if (n_guesses)
            assert_memory_equal(tokens + n, after, sizeof after);
        memcpy(tokens + n, after, sizeof after);
    }
    assert_true(chance[0] > 0.9f && chance[GUESSES_MAX - 1] > 0.9f);
    /* Another timeline begins anew; random tokens teach that guesses are in vain. */
    for (int i = 0; i < N; i++)
        tokens[i] = (int32_t)(test_rand(&seed) % 8);
    for (uint32_t n = 1; n < N; n++)
        lookup_follow(&l, &chance, tokens, n, 0);
    assert_true(l.chance[0] < 0.3f);
    /* A timeline that was cut is indexed again. */
    lookup_forget(&l, &chance);
    assert_int_equal(l.n_tokens, 0);
    for (int i = 0; i < N; i++)
        tokens[i] = i % 3;
    lookup_follow(&l, &chance, tokens, 20, 0);
    assert_int_equal(lookup_chances(&l, 2, chance), 2);
    lookup_guess(&l, tokens, 2);
    assert_int_equal(tokens[20], 20 % 3);
    lookup_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_do_not_depend_on_guesses),
        cmocka_unit_test(tokens_do_not_depend_on_what_is_expected),
        cmocka_unit_test(tokens_do_not_depend_on_lookup),
        cmocka_unit_test(tokens_do_not_depend_on_drafts),
        cmocka_unit_test(other_vocabularies_are_refused),
        cmocka_unit_test(rows_are_tried_then_judged),
        cmocka_unit_test(what_came_before_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
