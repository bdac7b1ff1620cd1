/* test_rope_border.c - sessions that cross the border of LongRoPE, on a tiny Phi-3 whose border is
 * at 96: logits depend on the tokens before them and on nothing else. */
#include "lib/test.h"

#include "format/gguf.h"
#include "engine/engine.h"

enum { BORDER = 96, PROMPT = 90, ANSWER = 20, V = 61 };

struct story {
    int32_t token[PROMPT + ANSWER];
    uint8_t digest[PROMPT + ANSWER][ISO_DIGEST_BYTES]; /* of the logits after each token */
};

static struct iso_engine *open_engine(const struct table *t, uint32_t n_chunk)
{
    struct iso_engine_options o = {
        .n_threads = 1, .n_ctx = 200, .n_chunk = n_chunk, .n_sessions = 2, .n_logits = 8};
    struct iso_engine *e;
    struct err_note note = {""};
    if (engine_open(t, NULL, &o, &e, &note))
        fail_msg("%s", note.text);
    return e;
}

/* Runs a request to its end; digests of every position it computes go into the story. */
static void tell(struct iso_engine *e, struct iso_session *s, const int32_t *tokens, uint32_t n,
                 uint32_t n_answer, bool all, struct story *story)
{
    struct iso_request r = iso_request_default();
    struct iso_note note;
    const struct iso_event *events;
    r.tokens = tokens;
    r.n_tokens = n;
    r.n_answer_max = n_answer;
    r.sampling.temperature = 0;
    r.want_digests = true;
    r.want_logits_prompt = all;
    if (iso_session_submit(s, &r, &note))
        fail_msg("%s", note.text);
    for (size_t k; (k = iso_engine_step(e, &events)) > 0;)
        for (size_t i = 0; i < k; i++) {
            const struct iso_event *v = &events[i];
            if (v->kind == ISO_EVENT_TOKEN) {
                story->token[v->position] = v->token;
                memcpy(story->digest[v->position - 1], v->digest, ISO_DIGEST_BYTES);
            } else if (v->kind == ISO_EVENT_LOGITS) {
                memcpy(story->digest[v->position], v->digest, ISO_DIGEST_BYTES);
            } else if (v->kind == ISO_EVENT_FINISH) {
                assert_int_equal(v->err, ISO_OK);
            }
        }
}

static void logits_do_not_depend_on_how_a_session_came_there(void **state)
{
    (void)state;
    struct table t;
    static struct story grown, read, cut;
    static const uint32_t chunks[] = {64, 7, 128};
    assert_ok(gguf_open(TEST_DIR "/golden/model/phi3-long.gguf", &t, NULL));
    for (int i = 0; i < PROMPT; i++)
        grown.token[i] = (i * 31 + i / 7) % V;
    for (size_t c = 0; c < COUNT_OF(chunks); c++) {
        struct iso_engine *e = open_engine(&t, chunks[c]);
        struct iso_session *s, *other;
        assert_int_equal(iso_session_open(e, &s, NULL), ISO_OK);
        assert_int_equal(iso_session_open(e, &other, NULL), ISO_OK);
        /* Grown across the border token by token... */
        tell(e, s, grown.token, PROMPT, ANSWER, true, &grown);
        /* ...read at once... */
        tell(e, other, grown.token, PROMPT + ANSWER, 0, true, &read);
        assert_memory_equal(grown.digest, read.digest,
                            (PROMPT + ANSWER - 1) * sizeof grown.digest[0]);
        /* ...and cut back before the border, then grown again. */
        iso_session_cut(s, 50);
        cut = grown;
        memset(cut.digest + 50, 0, sizeof cut.digest - 50 * sizeof cut.digest[0]);
        tell(e, s, grown.token + 50, PROMPT - 50, ANSWER, true, &cut);
        assert_memory_equal(grown.digest + 50, cut.digest + 50,
                            (PROMPT - 50 + ANSWER - 1) * sizeof grown.digest[0]);
        assert_memory_equal(grown.token, cut.token, sizeof grown.token);
        iso_engine_close(e);
    }
    table_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_do_not_depend_on_how_a_session_came_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
