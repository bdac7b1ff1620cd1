/* test_open.c - the library as a program outside the repository sees it: isobit.h alone. */
#include "isobit.h"

#include "lib/test.h"

#define MODEL TEST_DIR "/golden/model/llama.gguf"

enum { ANSWER = 40 };

/* The tokens that follow a fixed prompt. */
static uint32_t generate(struct iso_session *s, struct iso_engine *e, float temperature,
                         int32_t answer[ANSWER])
{
    static const int32_t prompt[] = {5, 17, 3, 42, 8};
    struct iso_request request = iso_request_default();
    struct iso_note note;
    request.tokens = prompt;
    request.n_tokens = 5;
    request.n_answer_max = ANSWER;
    request.sampling.temperature = temperature;
    request.sampling.seed = 7;
    if (iso_session_submit(s, &request, &note))
        fail_msg("%s", note.text);
    const struct iso_event *events;
    uint32_t n_answer = 0;
    for (size_t n; (n = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < n; i++)
            if (events[i].kind == ISO_EVENT_TOKEN)
                answer[n_answer++] = events[i].token;
    return n_answer;
}

static void an_engine_answers_the_same_twice(void **state)
{
    (void)state;
    struct iso_engine *e;
    struct iso_session *s;
    struct iso_note note;
    int32_t a[ANSWER], b[ANSWER];
    for (int round = 0; round < 2; round++) {
        const struct iso_engine_options options = {
            .n_threads = 1 + round, .isa = round ? NULL : "scalar", .n_chunk = round ? 0 : 2};
        if (iso_engine_open(MODEL, &options, &e, &note))
            fail_msg("%s", note.text);
        assert_int_equal(iso_session_open(e, &s, &note), ISO_OK);
        assert_int_equal(generate(s, e, 0.9f, round ? b : a), ANSWER);
        iso_engine_close(e);
    }
    assert_memory_equal(a, b, sizeof a);
}

static void the_info_describes_the_model(void **state)
{
    (void)state;
    struct iso_engine *e;
    assert_int_equal(iso_engine_open(MODEL, NULL, &e, NULL), ISO_OK);
    struct iso_engine_info info = iso_engine_info(e);
    assert_string_equal(info.arch, "llama");
    assert_string_equal(info.arithmetic, ISO_ARITHMETIC);
    assert_int_equal(info.n_vocab, 99);
    assert_int_equal(info.n_ctx, info.n_ctx_train);
    assert_int_equal(info.n_kv_pages, info.n_ctx / ISO_PAGE_POSITIONS);
    assert_int_equal(info.n_kv_pages_free, info.n_kv_pages);
    iso_engine_close(e);
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    struct iso_engine *e;
    struct iso_note note;
    assert_int_equal(iso_engine_open("/no/such.gguf", NULL, &e, &note), ISO_ERR_NOT_FOUND);
    assert_null(e);
    assert_non_null(strstr(note.text, "/no/such.gguf"));
    const struct iso_engine_options alien = {.isa = "z80"};
    assert_int_equal(iso_engine_open(MODEL, &alien, &e, &note), ISO_ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "z80"));
    const struct iso_engine_options many = {.n_threads = 100000};
    assert_int_equal(iso_engine_open(MODEL, &many, &e, &note), ISO_ERR_USAGE);
    assert_non_null(strstr(note.text, "100000"));
    iso_engine_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_answers_the_same_twice),
        cmocka_unit_test(the_info_describes_the_model),
        cmocka_unit_test(what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
