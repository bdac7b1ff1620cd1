/* test_anthropic.c - /v1/messages: blocks into messages, parts into blocks and events. */
#include "lib/test.h"

#include "api/anthropic.h"

static void parse_ok(const char *text, struct api_generate *r)
{
    struct api_error e = {0};
    if (!anthropic_parse(str_from(text), r, &e))
        fail_msg("%s: %s", e.field, e.message);
}

static void expect_json(const json_t *value, const char *wanted)
{
    char *got = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(got, wanted);
    free(got);
}

static void blocks_become_messages(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *messages;
    } cases[] = {
        {"\"context_management\":{\"edits\":[{\"type\":\"clear_thinking_20251015\"}]},"
         "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"system\","
         "\"content\":\"b\"},{\"role\":\"user\",\"content\":\"c\"}]",
         "[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"system\",\"content\":\"b\"},"
         "{\"role\":\"user\",\"content\":\"c\"}]"},
        {"\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]",
         "[{\"role\":\"user\",\"content\":\"Hi\"}]"},
        {"\"system\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}],"
         "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"c\"},"
         "{\"type\":\"text\",\"text\":\"d\",\"cache_control\":{\"type\":\"ephemeral\"}}]}]",
         "[{\"role\":\"system\",\"content\":\"a\\nb\"},{\"role\":\"user\",\"content\":\"c\\nd\"}]"},
        {"\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\","
         "\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"yes\"},{\"type\":\"tool_use\","
         "\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}]},{\"role\":\"user\",\"content\":["
         "{\"type\":\"tool_result\",\"tool_use_id\":\"t\",\"content\":\"4\"},"
         "{\"type\":\"tool_result\",\"tool_use_id\":\"u\",\"is_error\":true,\"content\":[{"
         "\"type\":\"text\",\"text\":\"no\"}]},{\"type\":\"text\",\"text\":\"so?\"}]}]",
         "[{\"role\":\"assistant\",\"reasoning_content\":\"hm\",\"content\":\"yes\","
         "\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\","
         "\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"t\","
         "\"content\":\"4\"},{\"role\":\"tool\",\"tool_call_id\":\"u\",\"content\":\"Error: no\"},"
         "{\"role\":\"user\",\"content\":\"so?\"}]"},
        {"\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t\","
         "\"name\":\"f\",\"input\":{}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
         "\"tool_use_id\":\"t\"}]}]",
         "[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t\",\"type\":"
         "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
         "\"tool_call_id\":\"t\",\"content\":\"\"}]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        char text[2048];
        snprintf(text, sizeof text, "{\"max_tokens\":5,%s}", cases[i].asked);
        parse_ok(text, &r);
        expect_json(r.messages, cases[i].messages);
        api_generate_release(&r);
    }
}

#define HELLO "\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

static void fields_land_where_they_belong(void **state)
{
    (void)state;
    struct api_generate r;
    parse_ok("{" HELLO ",\"model\":\"m\",\"temperature\":0.5,\"top_p\":0.9,\"top_k\":4,\"stream\":"
             "true,\"stop_sequences\":[\"x\",\"y\"],\"thinking\":{\"type\":\"enabled\","
             "\"budget_tokens\":2000},\"metadata\":{\"user_id\":\"u\"},\"tools\":[{\"name\":\"f\","
             "\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":\"tool\",\"name\":"
             "\"f\",\"disable_parallel_tool_use\":true},\"colour\":1}",
             &r);
    assert_true(str_is(r.model, "m") && str_is(r.user, "u") && r.stream);
    assert_true(r.sampling.temperature == 0.5f && r.sampling.top_p == 0.9f);
    assert_int_equal(r.sampling.top_k, 4);
    assert_int_equal(r.n_max, 5);
    assert_int_equal(r.n_stops, 2);
    assert_false(r.parallel_tool_calls || r.has_seed);
    expect_json(r.kwargs, "{\"enable_thinking\":true}");
    expect_json(r.tool_choice, "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}");
    expect_json(r.tools, "[{\"type\":\"function\",\"function\":{\"name\":\"f\","
                         "\"description\":\"\",\"parameters\":{\"type\":\"object\"}}}]");
    assert_string_equal(r.unknown.bytes, "colour");
    api_generate_release(&r);
    parse_ok("{" HELLO ",\"tool_choice\":{\"type\":\"any\"}}", &r);
    expect_json(r.tool_choice, "\"required\"");
    expect_json(r.kwargs, "{\"enable_thinking\":false}");
    api_generate_release(&r);
}

static void last_words_are_continued(void **state)
{
    (void)state;
    struct api_generate r;
    parse_ok("{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},"
             "{\"role\":\"assistant\",\"content\":\"Well,\"}]}",
             &r);
    assert_true(str_is(r.prefill, "Well,"));
    expect_json(r.messages, "[{\"role\":\"user\",\"content\":\"Hi\"}]");
    api_generate_release(&r);
}

static void faults_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *body, *field, *words;
    } cases[] = {
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", "max_tokens", "required"},
        {"{\"max_tokens\":5}", "messages", "at least one"},
        {"{\"max_tokens\":5,\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
         "messages[0]", "user, assistant"},
        {"{" HELLO ",\"context_management\":{\"edits\":[{\"type\":\"compact_20260112\"}]}}",
         "context_management.edits", "compact_20260112"},
        {"{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}]}",
         "messages[0].content[0]", "image"},
        {"{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
         "messages[0].content[0]", "no text"},
        {"{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_use\","
         "\"id\":\"a\",\"name\":\"b\",\"input\":{}}]}]}",
         "messages[0].content[0]", "tool_use"},
        {"{" HELLO ",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]}", "tools[0]",
         "bash_20250124"},
        {"{" HELLO ",\"tools\":[{\"name\":\"x\"}]}", "tools[0]", "input_schema"},
        {"{" HELLO ",\"tool_choice\":{\"type\":\"tool\"}}", "tool_choice.type", "name"},
        {"{" HELLO ",\"thinking\":{\"type\":\"on\"}}", "thinking.type", "enabled"},
        {"{" HELLO ",\"stop_sequences\":[\"\"]}", "stop_sequences", "empty"},
        {"{" HELLO ",\"mcp_servers\":[{}]}", "mcp_servers", "client"},
        {"{" HELLO ",\"output_format\":{\"type\":\"xml\"}}", "output_format", "json_schema"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e = {0};
        assert_false(anthropic_parse(str_from(cases[i].body), &r, &e));
        assert_int_equal(e.status, 400);
        assert_string_equal(e.field, cases[i].field);
        assert_non_null(strstr(e.message, cases[i].words));
        api_generate_release(&r);
    }
}

/* ---- answers ------------------------------------------------------------------------------ */

static const struct api_generate request = {.n_max = 5};
static const struct reply_head head = {.id = "msg_1", .model = {"m", 1}, .request = &request};
static const struct reply_usage usage = {
    .n_prompt = 9, .n_cached = 4, .n_answer = 3, .n_reasoning = 2};

static void expect(const struct buf *out, const char *wanted)
{
    assert_false(out->failed);
    assert_string_equal(out->bytes, wanted);
}

static void an_answer_is_blocks(void **state)
{
    (void)state;
    struct parts p;
    struct buf out;
    buf_init(&out, 1 << 16);
    parts_init(&p);
    parts_text(&p, PART_REASONING, STR("hm"));
    parts_text(&p, PART_TEXT, STR("yes"));
    parts_call(&p, STR("t"), STR("f"));
    parts_arguments(&p, STR("{\"a\":1}"));
    parts_call(&p, STR("u"), STR("f"));
    parts_arguments(&p, STR("{\"a\":"));
    struct reply_choice c = {.parts = p.items, .n_parts = p.n, .finish = REPLY_CALLS};
    dialect_anthropic.whole(&out, &head, &c, 1, &usage);
    expect(&out,
           "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\","
           "\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":"
           "\"b82e2178ecf4d0c5859dc2e169d7fed8673f9f6eeb9f3591bed5f253b7742408\"},"
           "{\"type\":\"text\",\"text\":\"yes\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
           "\"f\",\"input\":{\"a\":1}},{\"type\":\"tool_use\",\"id\":\"u\",\"name\":\"f\","
           "\"input\":{}}],\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{"
           "\"input_tokens\":5,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":4,"
           "\"output_tokens\":3,\"output_tokens_details\":{\"thinking_tokens\":2}}}");
    /* Cut off by what was asked for, or by the context's end. */
    static const struct {
        uint32_t n_answer;
        const char *reason;
    } ends[] = {{5, "max_tokens"}, {3, "model_context_window_exceeded"}};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct reply_usage u = {.n_answer = ends[i].n_answer};
        c.finish = REPLY_LENGTH;
        buf_clear(&out);
        dialect_anthropic.whole(&out, &head, &c, 1, &u);
        json_t *root = json_loads(out.bytes, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(root, "stop_reason")),
                            ends[i].reason);
        json_decref(root);
    }
    parts_release(&p);
    buf_release(&out);
}

static void say(struct buf *out, void *stream, struct parts *p, enum reply_finish finish)
{
    struct reply_choice c = {.parts = p->items, .n_parts = p->n, .finish = finish,
                             .stop_text = STR("END")};
    dialect_anthropic.piece(out, stream, &head, &c);
    parts_taken(p);
}

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"

static void a_stream_opens_one_block_at_a_time(void **state)
{
    (void)state;
    struct parts p;
    struct buf out;
    void *stream = calloc(1, dialect_anthropic.n_state_bytes);
    buf_init(&out, 1 << 16);
    parts_init(&p);
    parts_text(&p, PART_REASONING, STR("h"));
    say(&out, stream, &p, REPLY_GOES_ON);
    parts_text(&p, PART_REASONING, STR("m"));
    parts_text(&p, PART_TEXT, STR("yes"));
    say(&out, stream, &p, REPLY_GOES_ON);
    parts_call(&p, STR("t"), STR("f"));
    say(&out, stream, &p, REPLY_GOES_ON);
    parts_arguments(&p, STR("{}"));
    say(&out, stream, &p, REPLY_STOP_TEXT);
    dialect_anthropic.end(&out, stream, &head, &usage);
    expect(&out,
           EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"thinking\","
                                        "\"thinking\":\"\",\"signature\":\"\"}")
           EVENT("content_block_delta",
                 ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"h\"}")
           EVENT("content_block_delta",
                 ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"m\"}")
           EVENT("content_block_delta",
                 ",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":"
                 "\"b82e2178ecf4d0c5859dc2e169d7fed8673f9f6eeb9f3591bed5f253b7742408\"}")
           EVENT("content_block_stop", ",\"index\":0")
           EVENT("content_block_start",
                 ",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
           EVENT("content_block_delta",
                 ",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"yes\"}")
           EVENT("content_block_stop", ",\"index\":1")
           EVENT("content_block_start", ",\"index\":2,\"content_block\":{\"type\":\"tool_use\","
                                        "\"id\":\"t\",\"name\":\"f\",\"input\":{}}")
           EVENT("content_block_delta", ",\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
                                        "\"partial_json\":\"{}\"}")
           EVENT("content_block_stop", ",\"index\":2")
           EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"stop_sequence\","
                                  "\"stop_sequence\":\"END\"},\"usage\":{\"input_tokens\":5,"
                                  "\"cache_creation_input_tokens\":0,"
                                  "\"cache_read_input_tokens\":4,\"output_tokens\":3,"
                                  "\"output_tokens_details\":{\"thinking_tokens\":2}}")
           EVENT("message_stop", ""));
    parts_release(&p);
    buf_release(&out);
    free(stream);
}

static void errors_have_its_shape(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *type;
    } cases[] = {
        {400, "invalid_request_error"}, {401, "authentication_error"}, {403, "permission_error"},
        {404, "not_found_error"},       {405, "invalid_request_error"}, {413, "request_too_large"},
        {429, "rate_limit_error"},      {500, "api_error"},             {529, "overloaded_error"},
    };
    struct buf out, named;
    buf_init(&out, 4096);
    buf_init(&named, 4096);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char wanted[256];
        struct api_error e;
        api_fail(&e, cases[i].status, "x", "no");
        buf_clear(&out);
        buf_clear(&named);
        dialect_error(&out, STR("/v1/messages/count_tokens"), &e);
        dialect_error_id(&named, STR("/v1/messages"), (struct str){out.bytes, out.n_bytes}, "r-1");
        snprintf(wanted, sizeof wanted,
                 "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"no\"},"
                 "\"request_id\":\"r-1\"}", cases[i].type);
        expect(&named, wanted);
    }
    buf_release(&out);
    buf_release(&named);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_become_messages),
        cmocka_unit_test(fields_land_where_they_belong),
        cmocka_unit_test(last_words_are_continued),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(an_answer_is_blocks),
        cmocka_unit_test(a_stream_opens_one_block_at_a_time),
        cmocka_unit_test(errors_have_its_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
