/* test_generate.c - requests into structs: fields land where they belong, faults are named. */
#include "lib/test.h"

#include "api/generate.h"

#define HELLO "\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]"

static bool parse(bool is_chat, const char *text, struct api_generate *r, struct api_error *e)
{
    struct str body = str_from(text);
    return is_chat ? api_chat_parse(body, r, e) : api_completion_parse(body, r, e);
}

static void defaults_are_openais(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    assert_true(parse(true, "{" HELLO "}", &r, &e));
    assert_true(r.sampling.temperature == 1 && r.sampling.top_p == 1 && r.sampling.min_p == 0);
    assert_int_equal(r.sampling.top_k, 0);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.n_max, UINT32_MAX);
    assert_false(r.has_seed || r.stream || r.logprobs || r.ignore_eos);
    assert_true(r.add_generation_prompt);
    assert_int_equal(r.shape, API_SHAPE_ANY);
    api_generate_release(&r);
    assert_true(parse(false, "{\"prompt\": \"Hello\"}", &r, &e));
    assert_int_equal(r.n_max, 16);
    api_generate_release(&r);
}

static void fields_land_where_they_belong(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    static const char all[] =
        "{" HELLO
        ", \"model\": \"m\", \"max_tokens\": 50, \"max_completion_tokens\": 20,"
        "\"temperature\": 0.5, \"top_p\": 0.25, \"top_k\": 7, \"min_p\": 0.125,"
        "\"typical_p\": 0.75,"
        "\"frequency_penalty\": 1.5, \"presence_penalty\": -1, \"repetition_penalty\": 1.25,"
        "\"seed\": -1, \"n\": 3, \"stream\": true, \"stream_options\": {\"include_usage\": true},"
        "\"stop\": [\"a\", \"bc\"], \"stop_token_ids\": [5, 6], \"ignore_eos\": true,"
        "\"min_tokens\": 2, \"logit_bias\": {\"9\": 1, \"3\": -100}, \"logprobs\": true,"
        "\"top_logprobs\": 5, \"return_token_ids\": true, \"user\": null, \"metadata\": {\"a\": 1},"
        "\"audio\": null, \"colour\": 1, \"chat_template_kwargs\": {\"enable_thinking\": false},"
        "\"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"schema\": {}}}}";
    if (!parse(true, all, &r, &e))
        fail_msg("%s", e.message);
    assert_true(str_is(r.model, "m"));
    assert_int_equal(r.n_max, 20);
    assert_int_equal(r.n_min, 2);
    assert_true(r.sampling.temperature == 0.5f && r.sampling.top_p == 0.25f);
    assert_true(r.sampling.min_p == 0.125f && r.sampling.typical_p == 0.75f);
    assert_true(r.sampling.frequency_penalty == 1.5f && r.sampling.presence_penalty == -1);
    assert_true(r.sampling.repeat_penalty == 1.25f && r.sampling.top_k == 7);
    assert_true(r.has_seed && r.sampling.seed == UINT64_MAX);
    assert_true(r.stream && r.include_usage && r.ignore_eos && r.logprobs && r.return_token_ids);
    assert_int_equal(r.n_top, 5);
    assert_int_equal(r.n, 3);
    assert_true(r.n_stops == 2 && str_is(r.stops[1], "bc"));
    assert_true(r.n_stop_ids == 2 && r.stop_ids[1] == 6);
    assert_true(r.n_biases == 2 && r.biases[0].token == 3 && r.biases[0].bias == -100);
    assert_int_equal(r.shape, API_SHAPE_SCHEMA);
    assert_non_null(r.kwargs);
    assert_int_equal(r.unknown.n_bytes, strlen("colour"));
    assert_memory_equal(r.unknown.bytes, "colour", r.unknown.n_bytes);
    api_generate_release(&r);
}

static void prompts_have_four_forms(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    assert_true(parse(false, "{\"prompt\": \"a\\u0000b\"}", &r, &e));
    assert_int_equal(r.prompt.len, 3);
    api_generate_release(&r);
    assert_true(parse(false, "{\"prompt\": [1, 2]}", &r, &e));
    assert_int_equal(json_array_size(r.prompt_ids), 2);
    api_generate_release(&r);
    assert_true(parse(false, "{\"prompt\": [\"a\", [1]]}", &r, &e));
    assert_int_equal(json_array_size(r.prompts), 2);
    api_generate_release(&r);
    assert_false(parse(false, "{}", &r, &e));
    assert_string_equal(e.field, "prompt");
    api_generate_release(&r);
}

static void shapes_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        enum api_shape shape;
    } cases[] = {
        {"\"response_format\": {\"type\": \"text\"}", API_SHAPE_ANY},
        {"\"response_format\": {\"type\": \"json_object\"}", API_SHAPE_JSON},
        {"\"guided_json\": {\"type\": \"object\"}", API_SHAPE_SCHEMA},
        {"\"json_schema\": {}", API_SHAPE_SCHEMA},
        {"\"guided_regex\": \"a+\"", API_SHAPE_REGEX},
        {"\"grammar\": \"root ::= [a]\"", API_SHAPE_GRAMMAR},
        {"\"structured_outputs\": {\"choice\": [\"a\", \"b\"]}", API_SHAPE_CHOICE},
        {"\"structured_outputs\": {\"json\": {}}", API_SHAPE_SCHEMA},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e;
        char text[300];
        snprintf(text, sizeof text, "{" HELLO ", %s}", cases[i].field);
        if (!parse(true, text, &r, &e))
            fail_msg("%s: %s", cases[i].field, e.message);
        assert_int_equal(r.shape, cases[i].shape);
        api_generate_release(&r);
    }
}

static void faults_name_their_field(void **state)
{
    (void)state;
    static const struct {
        bool is_chat;
        const char *text, *field;
    } cases[] = {
        {true, "", ""},
        {true, "{\"a\": 1, \"a\": 2}", ""},
        {true, "[]", ""},
        {true, "{" HELLO ", \"temperature\": 1e999}", ""},
        {true, "{" HELLO ", \"temperature\": 101}", "temperature"},
        {true, "{" HELLO ", \"top_p\": \"1\"}", "top_p"},
        {true, "{" HELLO ", \"n\": 1.5}", "n"},
        {true, "{" HELLO ", \"n\": 4294967297}", "n"},
        {true, "{" HELLO ", \"seed\": \"x\"}", "seed"},
        {true, "{" HELLO ", \"stream\": 1}", "stream"},
        {true, "{" HELLO ", \"stop\": \"\"}", "stop"},
        {true, "{" HELLO ", \"stop\": [1]}", "stop"},
        {true, "{" HELLO ", \"stop_token_ids\": [-1]}", "stop_token_ids"},
        {true, "{" HELLO ", \"logit_bias\": {\"7\": 1, \"07\": 1}}", "logit_bias"},
        {true, "{" HELLO ", \"logit_bias\": {\"7\": 101}}", "logit_bias"},
        {true, "{" HELLO ", \"min_tokens\": 5, \"max_tokens\": 4}", "min_tokens"},
        {true, "{" HELLO ", \"stream_options\": {\"include_usage\": 1}}",
         "stream_options.include_usage"},
        {true, "{" HELLO ", \"guided_json\": {}, \"guided_regex\": \"a\"}", "guided_regex"},
        {true, "{" HELLO ", \"guided_choice\": []}", "guided_choice"},
        {true, "{" HELLO ", \"functions\": [{}]}", "functions"},
        {true, "{" HELLO ", \"response_format\": {}}", "response_format.type"},
        {true, "{\"messages\": \"x\"}", "messages"},
        {true, "{\"messages\": [1]}", "messages[0]"},
        {true, "{\"messages\": [{\"role\": \"user\"}]}", "messages[0]"},
        {true, "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"audio\"}]}]}",
         "messages[0].content[0]"},
        {false, "{\"prompt\": [\"a\", 1]}", "prompt"},
        {false, "{\"prompt\": [1], \"suffix\": \"b\"}", "suffix"},
        {false, "{\"prompt\": \"a\", \"logprobs\": 21}", "logprobs"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e = {0};
        if (parse(cases[i].is_chat, cases[i].text, &r, &e))
            fail_msg("taken: %s", cases[i].text);
        if (e.status != 400 || strcmp(e.field, cases[i].field) != 0 || !e.message[0])
            fail_msg("%s: field \"%s\", %s", cases[i].text, e.field, e.message);
        api_generate_release(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_openais),
        cmocka_unit_test(fields_land_where_they_belong),
        cmocka_unit_test(prompts_have_four_forms),
        cmocka_unit_test(shapes_are_understood),
        cmocka_unit_test(faults_name_their_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
