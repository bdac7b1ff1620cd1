/* test_llama.c - llama-server's /completion: its fields, its defaults, its answers. */
#include "lib/test.h"

#include "api/llama.h"

static void defaults_are_llama_cpps(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    assert_true(api_llama_parse(STR("{\"prompt\": \"a\"}"), &r, &e));
    assert_true(r.sampling.temperature == 0.8f && r.sampling.top_p == 0.95f);
    assert_true(r.sampling.min_p == 0.05f && r.sampling.top_k == 40);
    assert_int_equal(r.sampling.n_penalty_window, 64);
    assert_false(r.sampling.penalise_answer || r.has_seed || r.no_cache || r.logprobs);
    assert_int_equal(r.n_max, UINT32_MAX);
    api_generate_release(&r);
}

static void fields_land_where_they_belong(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    static const char all[] =
        "{\"prompt\": [1, \"a\"], \"n_predict\": 0, \"temperature\": -1, \"top_k\": -5,"
        "\"repeat_last_n\": -1, \"dry_penalty_last_n\": 7, \"dry_multiplier\": 0.5,"
        "\"xtc_probability\": 0.25, \"mirostat\": 2, \"mirostat_tau\": 4,"
        "\"samplers\": [\"xtc\", \"top_n_sigma\", \"top_k\"], \"seed\": 9, \"n_probs\": 4,"
        "\"cache_prompt\": false, \"return_tokens\": true, \"stop\": [\"x\"], \"grammar\": \"g\","
        "\"min_keep\": 0, \"top_n_sigma\": -1, \"lora\": [], \"id_slot\": -1, \"colour\": 1}";
    if (!api_llama_parse(str_from(all), &r, &e))
        fail_msg("%s", e.message);
    assert_int_equal(json_array_size(r.prompt_ids), 2);
    assert_int_equal(r.n_max, 0);
    assert_true(r.sampling.temperature == 0 && r.sampling.top_k == 0);
    assert_int_equal(r.sampling.n_penalty_window, UINT32_MAX);
    assert_int_equal(r.sampling.n_dry_window, 7);
    assert_true(r.sampling.dry_multiplier == 0.5f && r.sampling.xtc_probability == 0.25f);
    assert_true(r.sampling.mirostat == 2 && r.sampling.mirostat_tau == 4);
    static const uint8_t order[] = {ISO_STAGE_XTC, ISO_STAGE_TOP_K, ISO_STAGE_END};
    assert_memory_equal(r.sampling.order, order, sizeof order);
    assert_true(r.has_seed && r.sampling.seed == 9 && r.logprobs && r.n_top == 4);
    assert_true(r.no_cache && r.return_token_ids && r.n_stops == 1);
    assert_int_equal(r.shape, API_SHAPE_GRAMMAR);
    assert_memory_equal(r.unknown.bytes, "colour", r.unknown.n_bytes);
    api_generate_release(&r);
}

static void prompts_have_five_forms(void **state)
{
    (void)state;
    static const struct {
        const char *prompt;
        size_t n_ids, n_prompts; /* 0, 0: a text */
    } cases[] = {
        {"\"a\"", 0, 0},      {"[1, 2]", 2, 0},         {"[\"a\", 2]", 2, 0},
        {"[\"a\"]", 0, 1},    {"[[1], \"a\"]", 0, 2},   {"[[1, \"a\"], [2]]", 0, 2},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e;
        char text[100];
        snprintf(text, sizeof text, "{\"prompt\": %s}", cases[i].prompt);
        if (!api_llama_parse(str_from(text), &r, &e))
            fail_msg("%s: %s", text, e.message);
        assert_int_equal(json_array_size(r.prompt_ids), cases[i].n_ids);
        assert_int_equal(json_array_size(r.prompts), cases[i].n_prompts);
        assert_int_equal(r.prompt.ptr != NULL, cases[i].n_ids + cases[i].n_prompts == 0);
        api_generate_release(&r);
    }
}

static void faults_name_their_field(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"{}", "prompt"},
        {"{\"prompt\": []}", "prompt"},
        {"{\"prompt\": [1, [2]]}", "prompt"},
        {"{\"prompt\": [[[2]]]}", "prompt"},
        {"{\"prompt\": {\"prompt_string\": \"a\"}}", "prompt"},
        {"{\"prompt\": \"a\", \"n_predict\": -3}", "n_predict"},
        {"{\"prompt\": \"a\", \"dynatemp_range\": 0.5}", "dynatemp_range"},
        {"{\"prompt\": \"a\", \"t_max_predict_ms\": 5}", "t_max_predict_ms"},
        {"{\"prompt\": \"a\", \"min_keep\": 2}", "min_keep"},
        {"{\"prompt\": \"a\", \"lora\": [{}]}", "lora"},
        {"{\"prompt\": \"a\", \"post_sampling_probs\": true}", "post_sampling_probs"},
        {"{\"prompt\": \"a\", \"samplers\": [\"top_k\", \"top_k\"]}", "samplers"},
        {"{\"prompt\": \"a\", \"samplers\": \"kp\"}", "samplers"},
        {"{\"prompt\": \"a\", \"n_probs\": 21}", "n_probs"},
        {"{\"prompt\": \"a\", \"grammar\": \"g\", \"json_schema\": {}}", "grammar"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e = {0};
        if (api_llama_parse(str_from(cases[i].text), &r, &e))
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(e.status, 400);
        assert_string_equal(e.field, cases[i].field);
        api_generate_release(&r);
    }
}

/* The last piece of a stream as JSON. */
static void answers_say_why_they_end(void **state)
{
    (void)state;
    static const struct {
        enum reply_finish finish;
        const char *type, *word;
    } cases[] = {
        {REPLY_STOP, "eos", ""}, {REPLY_LENGTH, "limit", ""}, {REPLY_STOP_TEXT, "word", "END"}};
    struct api_generate r;
    struct api_error e;
    assert_true(api_llama_parse(STR("{\"prompt\": \"a\"}"), &r, &e));
    struct reply_head h = {.id = "x", .model = STR("m"), .fingerprint = "f", .request = &r};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct parts parts;
        struct buf out;
        parts_init(&parts);
        parts_text(&parts, PART_TEXT, STR("hello"));
        struct reply_choice c = {.parts = parts.items,
                                 .n_parts = parts.n,
                                 .finish = cases[i].finish,
                                 .stop_text = str_from(cases[i].word),
                                 .usage = {.n_prompt = 5, .n_cached = 2, .n_answer = 3}};
        buf_init(&out, 1 << 16);
        dialect_llama.piece(&out, NULL, &h, &c);
        assert_memory_equal(out.bytes, "data: ", 6);
        json_t *root = json_loadb(out.bytes + 6, out.n_bytes - 6, 0, NULL);
        assert_non_null(root);
        assert_string_equal(json_string_value(json_object_get(root, "content")), "hello");
        assert_string_equal(json_string_value(json_object_get(root, "stop_type")), cases[i].type);
        assert_string_equal(json_string_value(json_object_get(root, "stopping_word")),
                            cases[i].word);
        const json_t *timings = json_object_get(root, "timings");
        assert_int_equal(json_integer_value(json_object_get(timings, "prompt_n")), 3);
        assert_int_equal(json_integer_value(json_object_get(timings, "cache_n")), 2);
        json_decref(root);
        buf_release(&out);
        parts_release(&parts);
    }
    api_generate_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_llama_cpps),
        cmocka_unit_test(fields_land_where_they_belong),
        cmocka_unit_test(prompts_have_five_forms),
        cmocka_unit_test(faults_name_their_field),
        cmocka_unit_test(answers_say_why_they_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
