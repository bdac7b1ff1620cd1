/* test_queue.c - requests in line: who runs, who waits, whose pages go. */
#include "lib/test.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "lib/fake_model.h"

enum { N = 8 };

static struct iso_engine *engine;
static struct iso_session *s[N];
static int32_t prompt[N][FAKE_CTX], wanted[N][FAKE_CTX];

static uint64_t fake_clock(void *context)
{
    (void)context;
    return fake.now_ns;
}

static void open_engine(struct iso_engine_options o)
{
    struct err_note note = {""};
    o.clock_ns = fake_clock;
    o.n_sessions = N;
    if (engine_open(NULL, NULL, &o, &engine, &note))
        fail_msg("%s", note.text);
    for (int i = 0; i < N; i++)
        assert_int_equal(iso_session_open(engine, &s[i], NULL), ISO_OK);
}

/* A request of session i, whose timeline is then known. */
static struct iso_request request_of(int i, uint32_t n, uint32_t n_answer)
{
    struct iso_request r = iso_request_default();
    uint64_t seed = (uint64_t)i;
    for (uint32_t k = 0; k < n; k++)
        prompt[i][k] = (int32_t)(test_rand(&seed) % 40);
    memcpy(wanted[i], prompt[i], sizeof wanted[i]);
    r.tokens = prompt[i];
    r.n_tokens = n;
    r.n_answer_max = n_answer;
    r.sampling.temperature = 0;
    r.sampling.bias = fake_no_bad;
    r.sampling.n_bias = 1;
    r.tenant = 7;
    return r;
}

static void submit(int i, struct iso_request r)
{
    struct iso_note note;
    if (iso_session_submit(s[i], &r, &note))
        fail_msg("%s", note.text);
    fake_oracle(wanted[i], r.n_tokens, r.n_answer_max, &r.sampling);
}

static int index_of(const struct iso_session *session)
{
    int i = 0;
    while (s[i] != session)
        i++;
    return i;
}

/* Steps until n finishes were seen; the order of sessions that finished. */
static void run_until(int n, char *order)
{
    const struct iso_event *events;
    int n_seen = 0;
    for (size_t k; n_seen < n && (k = iso_engine_step(engine, &events)) > 0;)
        for (size_t i = 0; i < k; i++)
            if (events[i].kind == ISO_EVENT_FINISH)
                order[n_seen++] = (char)('0' + index_of(events[i].session));
    order[n_seen] = 0;
}

static void assert_timeline(int i, uint32_t n)
{
    uint32_t n_tokens;
    const int32_t *tokens = iso_session_tokens(s[i], &n_tokens);
    assert_int_equal(n_tokens, n);
    assert_memory_equal(tokens, wanted[i], n * sizeof tokens[0]);
}

static void a_full_queue_says_so(void **state)
{
    (void)state;
    struct iso_note note;
    char order[N + 1];
    open_engine((struct iso_engine_options){.n_running = 2, .n_queue = 1});
    for (int i = 0; i < 3; i++)
        submit(i, request_of(i, 10, 5));
    struct iso_request r = request_of(3, 10, 5);
    assert_int_equal(iso_session_submit(s[3], &r, &note), ISO_ERR_BUSY);
    assert_non_null(strstr(note.text, "1 waiting is the limit"));
    assert_true(iso_session_idle(s[3]));
    iso_session_cancel(s[0], ISO_FINISH_CANCELLED); /* its place is free after the next step */
    run_until(1, order);
    assert_string_equal(order, "0");
    submit(3, r);
    run_until(N, order);
    assert_string_equal(order, "123");
    struct iso_engine_stats stats = iso_engine_stats(engine);
    assert_int_equal(stats.n_requests, 4);
    assert_int_equal(stats.n_finished, 4);
    assert_int_equal(stats.n_tokens_read, 30);
    assert_int_equal(stats.n_tokens_chosen, 15);
    assert_int_equal(stats.n_waiting + stats.n_running, 0);
    iso_engine_close(engine);
}

static void higher_priority_goes_first(void **state)
{
    (void)state;
    const struct iso_event *events;
    char order[N + 1];
    open_engine((struct iso_engine_options){.n_running = 1});
    for (int i = 0; i < 4; i++) {
        struct iso_request r = request_of(i, 10, 5);
        r.priority = (i == 2) - (i == 1);
        submit(i, r);
    }
    run_until(N, order);
    assert_string_equal(order, "2031");
    for (int i = 0; i < 4; i++) {
        assert_timeline(i, 15);
        iso_session_cut(s[i], 0);
    }
    submit(0, request_of(0, 10, 20)); /* one that runs gives its place */
    for (int i = 0; i < 5; i++)
        iso_engine_step(engine, &events);
    struct iso_request r = request_of(1, 10, 5);
    r.priority = 1;
    submit(1, r);
    run_until(N, order);
    assert_string_equal(order, "10");
    assert_timeline(0, 30);
    assert_timeline(1, 15);
    assert_int_equal(iso_engine_stats(engine).n_preempted, 1);
    iso_engine_close(engine);
}

static void one_tenant_does_not_keep_all_places(void **state)
{
    (void)state;
    const struct iso_event *events;
    char order[N + 1];
    open_engine((struct iso_engine_options){.n_running = 3});
    for (int i = 0; i < 6; i++)
        submit(i, request_of(i, 10, 100));
    for (int i = 0; i < 20; i++)
        iso_engine_step(engine, &events);
    struct iso_request r = request_of(6, 10, 10);
    r.tenant = 8;
    submit(6, r);
    run_until(1, order);
    assert_string_equal(order, "6");
    run_until(N, order);
    for (int i = 0; i < 6; i++)
        assert_timeline(i, 110);
    iso_engine_close(engine);
}

static void deadlines_end_requests(void **state)
{
    (void)state;
    char order[N + 1];
    const struct iso_event *events;
    open_engine((struct iso_engine_options){.n_running = 1});
    struct iso_request r = request_of(0, 10, 100), late = request_of(1, 10, 5);
    r.deadline_ms = 1000; /* a step takes 21 ms and more */
    late.deadline_ms = 500;
    submit(0, r);
    submit(1, late);
    run_until(1, order);
    assert_string_equal(order, "1"); /* while it waited */
    size_t n = 0;
    while (fake.now_ns < 1000000000)
        n = iso_engine_step(engine, &events);
    assert_int_equal(events[n - 1].kind, ISO_EVENT_TOKEN);
    n = iso_engine_step(engine, &events);
    assert_int_equal(events[n - 1].finish, ISO_FINISH_DEADLINE);
    assert_string_equal(iso_finish_text(events[n - 1].finish), "deadline");
    assert_int_equal(iso_engine_step(engine, &events), 0);
    iso_engine_close(engine);
}

/* Four pages, four requests that grow to three pages each: they take turns, none is lost. */
static void an_empty_pool_ends_nobody(void **state)
{
    (void)state;
    char order[N + 1];
    open_engine((struct iso_engine_options){.n_kv_pages = 4});
    for (int i = 0; i < 4; i++)
        submit(i, request_of(i, 20, 150));
    run_until(N, order);
    assert_int_equal(strlen(order), 4);
    for (int i = 0; i < 4; i++)
        assert_timeline(i, 170);
    assert_true(iso_engine_stats(engine).n_preempted > 0);
    for (int i = 0; i < N; i++)
        iso_session_close(s[i]);
    assert_int_equal(iso_engine_stats(engine).n_kv_pages_used, 0);
    iso_engine_close(engine);
}

/* Logits that were reported before a request lost its pages are not reported twice. */
static void logits_are_told_once(void **state)
{
    (void)state;
    const struct iso_event *events;
    uint32_t told = 0;
    float logits[FAKE_VOCAB];
    open_engine((struct iso_engine_options){.n_kv_pages = 4, .n_chunk = 8, .n_logits = 8});
    struct iso_request r = request_of(0, 150, 5);
    r.want_logits_prompt = true;
    submit(0, r);
    for (size_t k, step = 0; (k = iso_engine_step(engine, &events)) > 0; step++) {
        for (size_t i = 0; i < k; i++) {
            if (events[i].kind != ISO_EVENT_LOGITS || events[i].session != s[0])
                continue;
            assert_int_equal(events[i].position, told);
            fake_oracle_logits(prompt[0], ++told, logits);
            assert_memory_equal(events[i].logits, logits, sizeof logits);
        }
        if (step == 12 || step == 45) { /* takes all four pages */
            int i = 1 + (step == 45);
            struct iso_request other = request_of(i, 190, 5);
            other.priority = i;
            submit(i, other);
        }
    }
    assert_int_equal(told, 150);
    assert_true(iso_engine_stats(engine).n_preempted >= 2);
    assert_timeline(0, 155);
    iso_engine_close(engine);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    struct err_note note;
    static const struct {
        struct iso_engine_options o;
        const char *says;
    } cases[] = {
        {{.n_kv_pages = 3}, "3 key-value pages hold 192 positions, but a session may have 200"},
        {{.stretch = 1}, "stretched 1 times"},
        {{.n_sessions = 5000}, "5000 sessions"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_not_equal(engine_open(NULL, NULL, &cases[i].o, &engine, &note), ERR_OK);
        if (!strstr(note.text, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", note.text, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_says_so),
        cmocka_unit_test(higher_priority_goes_first),
        cmocka_unit_test(one_tenant_does_not_keep_all_places),
        cmocka_unit_test(deadlines_end_requests),
        cmocka_unit_test(an_empty_pool_ends_nobody),
        cmocka_unit_test(logits_are_told_once),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
