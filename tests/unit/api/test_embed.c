/* test_embed.c - requests for vectors and scores, what is wrong with them, and their answers. */
#include "lib/test.h"

#include "api/embed.h"

static void inputs_are_found(void **state)
{
    (void)state;
    static const struct {
        enum embed_kind kind;
        const char *text;
        size_t n_inputs, n_pairs;
        const char *last; /* field of the last input */
    } cases[] = {
        {EMBED_VECTORS, "{\"input\": \"a\"}", 1, 0, "input"},
        {EMBED_VECTORS, "{\"input\": [1, 2, 3]}", 1, 0, "input"},
        {EMBED_VECTORS, "{\"input\": [\"a\", \"b\"]}", 2, 0, "input[1]"},
        {EMBED_VECTORS, "{\"input\": [[1], [2, 3], \"c\"]}", 3, 0, "input[2]"},
        {EMBED_RERANK, "{\"query\": \"q\", \"documents\": [\"a\", {\"text\": \"b\"}]}", 3, 2,
         "documents[1]"},
        {EMBED_RERANK, "{\"query\": \"q\", \"texts\": [\"a\"]}", 2, 1, "texts[0]"},
        {EMBED_SCORE, "{\"text_1\": \"q\", \"text_2\": \"a\"}", 2, 1, "text_2"},
        {EMBED_SCORE, "{\"text_1\": \"q\", \"text_2\": [\"a\", \"b\"]}", 3, 2, "text_2[1]"},
        {EMBED_SCORE, "{\"queries\": [\"p\", \"q\"], \"documents\": [\"a\", \"b\"]}", 4, 2,
         "documents[1]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_embed r;
        struct api_error e;
        if (!api_embed_parse(cases[i].kind, str_from(cases[i].text), &r, &e))
            fail_msg("%s: %s", cases[i].text, e.message);
        assert_int_equal(r.n_inputs, cases[i].n_inputs);
        assert_int_equal(r.n_pairs, cases[i].n_pairs);
        assert_string_equal(r.inputs[r.n_inputs - 1].field, cases[i].last);
        api_embed_release(&r);
    }
}

static void faults_name_their_field(void **state)
{
    (void)state;
    static const struct {
        enum embed_kind kind;
        const char *text, *field;
    } cases[] = {
        {EMBED_VECTORS, "{}", "input"},
        {EMBED_VECTORS, "{\"input\": []}", "input"},
        {EMBED_VECTORS, "{\"input\": 5}", "input"},
        {EMBED_VECTORS, "{\"input\": [1, \"a\"]}", "input"},
        {EMBED_VECTORS, "{\"input\": [\"a\", 5]}", "input[1]"},
        {EMBED_VECTORS, "{\"input\": [\"a\", []]}", "input[1]"},
        {EMBED_VECTORS, "{\"input\": \"a\", \"encoding_format\": \"hex\"}", "encoding_format"},
        {EMBED_VECTORS, "{\"input\": \"a\", \"dimensions\": 0}", "dimensions"},
        {EMBED_VECTORS, "{\"input\": \"a\", \"truncate_prompt_tokens\": 5}",
         "truncate_prompt_tokens"},
        {EMBED_RERANK, "{\"documents\": [\"a\"]}", "query"},
        {EMBED_RERANK, "{\"query\": \"a\"}", "documents"},
        {EMBED_RERANK, "{\"query\": \"a\", \"documents\": \"b\"}", "documents"},
        {EMBED_RERANK, "{\"query\": \"a\", \"documents\": [{\"body\": \"b\"}]}", "documents[0]"},
        {EMBED_SCORE, "{\"text_1\": \"a\"}", "text_2"},
        {EMBED_SCORE, "{\"text_1\": [\"a\", \"b\"], \"text_2\": [\"c\"]}", "text_2"},
        {EMBED_SCORE, "{\"text_1\": [1, 2], \"text_2\": [\"c\"]}", "text_1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_embed r;
        struct api_error e = {0};
        if (api_embed_parse(cases[i].kind, str_from(cases[i].text), &r, &e))
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(e.status, 400);
        assert_string_equal(e.field, cases[i].field);
        api_embed_release(&r);
    }
}

static void too_many_texts_are_refused(void **state)
{
    (void)state;
    struct buf text;
    struct api_embed r;
    struct api_error e = {0};
    buf_init(&text, 1 << 20);
    buf_str(&text, "{\"input\":[");
    for (int i = 0; i <= API_TEXTS_MAX; i++)
        buf_str(&text, i ? ",\"a\"" : "\"a\"");
    buf_str(&text, "]}");
    assert_false(api_embed_parse(EMBED_VECTORS, (struct str){text.bytes, text.n_bytes}, &r, &e));
    assert_non_null(strstr(e.message, "2049 texts; at most 2048"));
    api_embed_release(&r);
    buf_release(&text);
}

static void answers_are_written(void **state)
{
    (void)state;
    static const struct {
        enum embed_kind kind;
        const char *text, *answer;
    } cases[] = {
        {EMBED_VECTORS, "{\"input\": [\"a\", \"b\"]}",
         "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.5,"
         "2]},{\"object\":\"embedding\",\"index\":1,\"embedding\":[1,-1]}],\"model\":\"m\","
         "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}"},
        {EMBED_VECTORS, "{\"input\": \"a\", \"encoding_format\": \"base64\"}",
         "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":"
         "\"AAAAPwAAAEA=\"}],\"model\":\"m\",\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}"},
        {EMBED_RERANK, "{\"query\": \"q\", \"documents\": [\"a\", \"b\", \"c\"], \"top_n\": 2}",
         "{\"id\":\"i\",\"object\":\"list\",\"created\":5,\"model\":\"m\",\"results\":[{\"index\":"
         "1,\"document\":{\"text\":\"b\"},\"relevance_score\":2},{\"index\":2,\"document\":{"
         "\"text\":\"c\"},\"relevance_score\":1}],\"usage\":{\"prompt_tokens\":9,"
         "\"total_tokens\":9}}"},
        {EMBED_SCORE, "{\"text_1\": \"q\", \"text_2\": [\"a\", \"b\"]}",
         "{\"id\":\"i\",\"object\":\"list\",\"created\":5,\"model\":\"m\",\"data\":[{\"index\":0,"
         "\"object\":\"score\",\"score\":0.5},{\"index\":1,\"object\":\"score\",\"score\":2}],"
         "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}"},
    };
    const struct embed_head head = {"i", 5, STR("m"), 9};
    const float numbers[] = {0.5f, 2, 1, -1};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_embed r;
        struct api_error e;
        struct buf out;
        buf_init(&out, 1 << 16);
        assert_true(api_embed_parse(cases[i].kind, str_from(cases[i].text), &r, &e));
        if (r.kind == EMBED_VECTORS)
            reply_vectors(&out, &head, &r, numbers, 2);
        else
            reply_scores(&out, &head, &r, numbers);
        buf_char(&out, 0);
        assert_string_equal(out.bytes, cases[i].answer);
        buf_release(&out);
        api_embed_release(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_are_found),
        cmocka_unit_test(faults_name_their_field),
        cmocka_unit_test(too_many_texts_are_refused),
        cmocka_unit_test(answers_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
