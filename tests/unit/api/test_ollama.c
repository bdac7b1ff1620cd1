/* test_ollama.c - Ollama's requests become OpenAI's shapes; answers become its lines. */
#include "lib/test.h"

#include "api/ollama.h"

static void defaults_are_ollamas(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    assert_true(api_ollama_generate_parse(STR("{\"prompt\": \"a\"}"), &r, &e));
    assert_true(r.stream && r.calls_whole && !r.has_seed && !r.only_load);
    assert_true(r.sampling.temperature == 0.8f && r.sampling.top_p == 0.9f);
    assert_true(r.sampling.min_p == 0 && r.sampling.repeat_penalty == 1.1f);
    assert_int_equal(r.sampling.n_penalty_window, 64);
    assert_int_equal(json_array_size(r.messages), 1);
    api_generate_release(&r);
    assert_true(api_ollama_generate_parse(STR("{}"), &r, &e) && r.only_load);
    api_generate_release(&r);
    assert_true(api_ollama_chat_parse(STR("{\"messages\": []}"), &r, &e) && r.only_load);
    api_generate_release(&r);
}

static void options_and_formats_are_read(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    static const char all[] =
        "{\"model\": \"m\", \"prompt\": \"a\", \"raw\": true, \"stream\": false,"
        "\"think\": \"low\","
        "\"format\": {\"type\": \"object\"}, \"keep_alive\": \"5m\", \"suffix\": \"\","
        "\"images\": [], \"template\": \"\", \"options\": {\"num_predict\": 5, \"top_k\": -1,"
        "\"repeat_last_n\": -1, \"seed\": 3, \"stop\": [\"x\"], \"num_ctx\": 99, \"tfs_z\": 1}}";
    if (!api_ollama_generate_parse(str_from(all), &r, &e))
        fail_msg("%s", e.message);
    assert_true(r.messages == NULL && str_is(r.prompt, "a") && !r.stream);
    assert_int_equal(r.shape, API_SHAPE_SCHEMA);
    assert_true(r.n_max == 5 && r.sampling.top_k == 0 && r.has_seed && r.sampling.seed == 3);
    assert_int_equal(r.sampling.n_penalty_window, UINT32_MAX);
    assert_int_equal(r.n_stops, 1);
    assert_string_equal(json_string_value(json_object_get(r.kwargs, "reasoning_effort")), "low");
    assert_memory_equal(r.unknown.bytes, "options.tfs_z", r.unknown.n_bytes);
    api_generate_release(&r);
}

static void messages_become_openais(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    static const char all[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"images\": []},"
        "{\"role\": \"assistant\", \"content\": \"\", \"thinking\": \"t\", \"tool_calls\":"
        "[{\"function\": {\"name\": \"f\", \"arguments\": {\"x\": [1, 2]}}}]},"
        "{\"role\": \"tool\", \"content\": \"7\", \"tool_name\": \"f\"}]}";
    if (!api_ollama_chat_parse(str_from(all), &r, &e))
        fail_msg("%s", e.message);
    assert_int_equal(json_array_size(r.messages), 3);
    const json_t *said = json_array_get(r.messages, 1);
    const json_t *call = json_array_get(json_object_get(said, "tool_calls"), 0);
    const json_t *function = json_object_get(call, "function");
    assert_string_equal(json_string_value(json_object_get(said, "reasoning_content")), "t");
    assert_string_equal(json_string_value(json_object_get(function, "arguments")), "{\"x\":[1,2]}");
    assert_true(json_is_string(json_object_get(call, "id")));
    said = json_array_get(r.messages, 2);
    assert_string_equal(json_string_value(json_object_get(said, "name")), "f");
    api_generate_release(&r);
}

static void faults_name_their_field(void **state)
{
    (void)state;
    static const struct {
        bool is_chat;
        const char *text, *field;
    } cases[] = {
        {false, "[]", ""},
        {false, "{\"prompt\": 1}", "prompt"},
        {false, "{\"prompt\": \"a\", \"format\": \"xml\"}", "format"},
        {false, "{\"prompt\": \"a\", \"context\": [\"x\"]}", "context"},
        {false, "{\"prompt\": \"a\", \"context\": 7}", "context"},
        {false, "{\"prompt\": \"a\", \"raw\": true, \"system\": \"b\"}", "raw"},
        {false, "{\"prompt\": \"a\", \"images\": [\"x\"]}", "images"},
        {false, "{\"prompt\": \"a\", \"template\": \"x\"}", "template"},
        {false, "{\"prompt\": \"a\", \"think\": \"hard\"}", "think"},
        {false, "{\"prompt\": \"a\", \"think\": 1}", "think"},
        {false, "{\"prompt\": \"a\", \"options\": {\"min_p\": 2}}", "options.min_p"},
        {false, "{\"prompt\": \"a\", \"options\": 1}", "options."},
        {true, "{\"messages\": 1}", "messages"},
        {true, "{\"messages\": [1]}", "messages[0]"},
        {true, "{\"messages\": [{\"role\": \"user\", \"content\": [1]}]}", "messages[0]"},
        {true, "{\"messages\": [{\"role\": \"user\"}]}", "messages[0]"},
        {true, "{\"messages\": [{\"role\": \"user\", \"content\": \"\", \"images\": [1]}]}",
         "messages[0]"},
        {true,
         "{\"messages\": [{\"role\": \"assistant\", \"tool_calls\": [{\"function\": {\"name\": "
         "\"f\", \"arguments\": \"{}\"}}]}]}",
         "messages[0]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e = {0};
        bool ok = cases[i].is_chat ? api_ollama_chat_parse(str_from(cases[i].text), &r, &e)
                                   : api_ollama_generate_parse(str_from(cases[i].text), &r, &e);
        if (ok)
            fail_msg("taken: %s", cases[i].text);
        if (e.status != 400 || strcmp(e.field, cases[i].field) != 0)
            fail_msg("%s: field \"%s\", %s", cases[i].text, e.field, e.message);
        api_generate_release(&r);
    }
}

/* Reasoning, text and a call as one line; the call's arguments are an object, not its text. */
static void parts_have_their_places(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e;
    struct parts parts;
    struct buf out;
    assert_true(api_ollama_chat_parse(
        STR("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}"), &r, &e));
    parts_init(&parts);
    parts_text(&parts, PART_REASONING, STR("hm"));
    parts_text(&parts, PART_TEXT, STR("well"));
    parts_call(&parts, STR("id"), STR("f"));
    parts_arguments(&parts, STR("{\"x\": 1}"));
    struct reply_head h = {.id = "x", .model = STR("m"), .fingerprint = "f", .request = &r};
    struct reply_choice c = {.parts = parts.items,
                             .n_parts = parts.n,
                             .finish = REPLY_CALLS,
                             .usage = {.n_prompt = 2, .n_answer = 3, .prompt_ns = 5}};
    buf_init(&out, 1 << 16);
    dialect_ollama_chat.piece(&out, NULL, &h, &c);
    assert_true(out.bytes[out.n_bytes - 1] == '\n');
    json_t *root = json_loadb(out.bytes, out.n_bytes, 0, NULL);
    assert_non_null(root);
    const json_t *m = json_object_get(root, "message");
    assert_string_equal(json_string_value(json_object_get(m, "thinking")), "hm");
    assert_string_equal(json_string_value(json_object_get(m, "content")), "well");
    const json_t *call = json_object_get(json_array_get(json_object_get(m, "tool_calls"), 0),
                                         "function");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(call, "arguments"), "x")), 1);
    assert_string_equal(json_string_value(json_object_get(root, "model")), "m:latest");
    assert_string_equal(json_string_value(json_object_get(root, "done_reason")), "stop");
    assert_int_equal(json_integer_value(json_object_get(root, "prompt_eval_duration")), 5);
    json_decref(root);
    buf_release(&out);
    parts_release(&parts);
    api_generate_release(&r);
}

static void names_have_a_tag(void **state)
{
    (void)state;
    assert_true(str_is(ollama_bare_name(STR("a:latest")), "a"));
    assert_true(str_is(ollama_bare_name(STR("a:7b")), "a:7b"));
    assert_true(ollama_is_path(STR("/api/chat")) && !ollama_is_path(STR("/v1/api/chat")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_ollamas),
        cmocka_unit_test(options_and_formats_are_read),
        cmocka_unit_test(messages_become_openais),
        cmocka_unit_test(faults_name_their_field),
        cmocka_unit_test(parts_have_their_places),
        cmocka_unit_test(names_have_a_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
