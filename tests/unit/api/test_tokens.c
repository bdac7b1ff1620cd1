/* test_tokens.c - requests about tokens: both servers' names, and their different defaults. */
#include "lib/test.h"

#include "api/tokens.h"

static void names_and_defaults_are_both_servers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_chat, add_special, parse_special, pieces, texts;
    } cases[] = {
        {"{\"content\": \"a\"}", false, false, true, false, false},
        {"{\"content\": [1, \"a\"], \"add_special\": true}", false, true, true, false, false},
        {"{\"content\": \"a\", \"parse_special\": false, \"with_pieces\": true}", false, false,
         false, true, false},
        {"{\"prompt\": \"a\"}", false, true, true, false, false},
        {"{\"prompt\": \"a\", \"add_special_tokens\": false, \"return_token_strs\": true}", false,
         false, true, false, true},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}", true, false, true, false,
         false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_tokenize r;
        struct api_error e;
        if (!api_tokenize_parse(str_from(cases[i].text), &r, &e))
            fail_msg("%s: %s", cases[i].text, e.message);
        assert_int_equal(r.content == NULL, cases[i].is_chat);
        assert_int_equal(r.add_special, cases[i].add_special);
        assert_int_equal(r.parse_special, cases[i].parse_special);
        assert_int_equal(r.pieces, cases[i].pieces);
        assert_int_equal(r.texts, cases[i].texts);
        api_generate_release(&r.chat);
    }
}

static void faults_name_their_field(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"{}", "content"},
        {"{\"content\": \"a\", \"prompt\": \"a\"}", "content"},
        {"{\"content\": 7}", "content"},
        {"{\"prompt\": [\"a\", {}]}", "prompt"},
        {"{\"messages\": []}", "messages"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"chat_template\": \"x\"}",
         "chat_template"},
        {"{\"content\": \"a\", \"with_pieces\": 1}", "with_pieces"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_tokenize r;
        struct api_error e = {0};
        if (api_tokenize_parse(str_from(cases[i].text), &r, &e))
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(e.status, 400);
        assert_string_equal(e.field, cases[i].field);
        api_generate_release(&r.chat);
    }
}

static void tokens_are_ids(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"{\"tokens\": [1, 2]}", true},   {"{\"tokens\": []}", true},
        {"{\"tokens\": [\"a\"]}", false}, {"{\"tokens\": \"a\"}", false},
        {"{}", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e = {0};
        assert_int_equal(api_detokenize_parse(str_from(cases[i].text), &r, &e), cases[i].good);
        assert_string_equal(e.field, cases[i].good ? "" : "tokens");
        api_generate_release(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_defaults_are_both_servers),
        cmocka_unit_test(faults_name_their_field),
        cmocka_unit_test(tokens_are_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
