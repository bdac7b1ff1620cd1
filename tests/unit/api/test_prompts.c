/* test_prompts.c - /batch: its fields and its answers. */
#include "lib/test.h"

#include "api/prompts.h"

static void fields_and_faults(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field; /* NULL: it is good */
    } cases[] = {
        {"{\"prompts\": [\"a\", \"b\"], \"top_k\": 3, \"seed\": 1}", NULL},
        {"{\"prompts\": []}", "prompts"},
        {"{\"prompts\": \"a\"}", "prompts"},
        {"{\"prompts\": [\"a\", 1]}", "prompts"},
        {"{}", "prompts"},
        {"{\"prompts\": [\"a\"], \"max_tokens\": 0}", "max_tokens"},
        {"{\"prompts\": [\"a\"], \"stop\": [1]}", "stop"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e = {0};
        bool ok = api_prompts_parse(str_from(cases[i].text), &r, &e);
        assert_int_equal(ok, cases[i].field == NULL);
        if (ok) {
            assert_true(r.n_max == 256 && r.sampling.temperature == 0.7f && r.each_alone);
            assert_true(r.has_seed && r.sampling.seed == 1 && r.sampling.top_k == 3);
            assert_int_equal(json_array_size(r.prompts), 2);
        } else {
            assert_string_equal(e.field, cases[i].field);
        }
        api_generate_release(&r);
    }
}

static void answers_keep_their_order(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e = {0}, failed;
    struct parts parts;
    struct buf out;
    assert_true(api_prompts_parse(STR("{\"prompts\": [\"a\", \"b\"]}"), &r, &e));
    api_fail(&failed, 400, NULL, "too long");
    parts_init(&parts);
    parts_text(&parts, PART_TEXT, STR("A"));
    const struct reply_choice choices[] = {
        {.parts = parts.items, .n_parts = parts.n, .usage = {.n_answer = 4}}, {.failed = &failed}};
    const struct reply_usage usage = {.n_answer = 4, .prompt_ns = 2000000, .answer_ns = 1000000};
    struct reply_head h = {.id = "x", .model = STR("m"), .fingerprint = "f", .request = &r};
    buf_init(&out, 1 << 16);
    dialect_prompts.whole(&out, &h, choices, 2, &usage);
    assert_string_equal(out.bytes,
                        "{\"results\":[{\"prompt\":\"a\",\"response\":\"A\",\"tokens\":4},"
                        "{\"prompt\":\"b\",\"error\":\"too long\"}],\"count\":2,"
                        "\"total_tokens\":4,\"processing_time_ms\":3,\"model\":\"m\"}");
    buf_release(&out);
    parts_release(&parts);
    api_generate_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_faults),
        cmocka_unit_test(answers_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
