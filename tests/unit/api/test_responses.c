/* test_responses.c - /v1/responses: items into messages, parts into items and events. */
#include "lib/test.h"

#include "api/responses.h"

static void expect_json(const json_t *value, const char *wanted)
{
    char *got = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(got, wanted);
    free(got);
}

static void parse_ok(const char *text, struct api_generate *r)
{
    struct api_error e = {0};
    if (!responses_parse(str_from(text), r, &e))
        fail_msg("%s: %s", e.field, e.message);
}

static void items_become_messages(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *messages;
    } cases[] = {
        {"{\"input\":\"Hi\"}", "[{\"role\":\"user\",\"content\":\"Hi\"}]"},
        {"{\"instructions\":\"a\",\"input\":[{\"role\":\"developer\",\"content\":\"b\"},"
         "{\"role\":\"user\",\"content\":\"c\"},{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_text\",\"text\":\"d\"},{\"type\":\"input_text\",\"text\":\"e\"}]}]}",
         "[{\"role\":\"system\",\"content\":\"a\\nb\"},{\"role\":\"user\",\"content\":\"c\"},"
         "{\"role\":\"user\",\"content\":\"d\\ne\"}]"},
        {"{\"previous\":{\"id\":\"r\",\"input\":[{\"type\":\"message\",\"role\":\"user\","
         "\"content\":\"a\"},{\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":"
         "\"reasoning_text\",\"text\":\"hm\"}]},{\"type\":\"message\",\"role\":\"assistant\","
         "\"content\":[{\"type\":\"output_text\",\"text\":\"b\"}]},{\"type\":\"function_call\","
         "\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"},{\"type\":\"function_call\","
         "\"call_id\":\"d\",\"name\":\"g\",\"arguments\":\"{}\"}]},\"input\":[{\"type\":"
         "\"function_call_output\",\"call_id\":\"c\",\"output\":\"4\"}]}",
         "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"reasoning_content\":"
         "\"hm\",\"content\":\"b\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
         "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"d\",\"type\":\"function\","
         "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
         "\"tool_call_id\":\"c\",\"content\":\"4\"}]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        parse_ok(cases[i].asked, &r);
        expect_json(r.messages, cases[i].messages);
        api_generate_release(&r);
    }
}

static void fields_land_where_they_belong(void **state)
{
    (void)state;
    struct api_generate r;
    parse_ok("{\"input\":\"Hi\",\"model\":\"m\",\"max_output_tokens\":7,\"temperature\":0.5,"
             "\"top_logprobs\":2,\"stream\":true,\"parallel_tool_calls\":false,\"tools\":[{"
             "\"type\":\"function\",\"name\":\"f\",\"parameters\":{},\"strict\":true}],"
             "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"},\"reasoning\":{\"effort\":"
             "\"low\"},\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":"
             "{\"type\":\"object\"}}},\"metadata\":{\"a\":\"b\"},\"colour\":1}",
             &r);
    assert_true(str_is(r.model, "m") && r.stream && r.logprobs && !r.parallel_tool_calls);
    assert_int_equal(r.n_max, 7);
    assert_int_equal(r.n_top, 2);
    assert_int_equal(r.shape, API_SHAPE_SCHEMA);
    expect_json(r.shape_value, "{\"type\":\"object\"}");
    expect_json(r.tools, "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":"
                         "\"\",\"parameters\":{},\"strict\":true}}]");
    expect_json(r.tool_choice, "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}");
    expect_json(r.kwargs, "{\"enable_thinking\":true,\"reasoning_effort\":\"low\"}");
    assert_string_equal(r.unknown.bytes, "colour");
    api_generate_release(&r);
}

static void faults_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *body, *field, *words;
    } cases[] = {
        {"{}", "input", "at least one"},
        {"{\"input\":[]}", "input", "at least one"},
        {"{\"input\":\"a\",\"previous\":{\"input\":[]}}", "previous.id", "text"},
        {"{\"input\":[{\"type\":\"item_reference\",\"id\":\"x\"}]}", "input[0]", "item_reference"},
        {"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\"}]}]}",
         "input[0].content[0]", "input_image"},
        {"{\"input\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "input[0]", "role"},
        {"{\"input\":[{\"type\":\"function_call\",\"name\":\"f\"}]}", "input[0]", "call_id"},
        {"{\"input\":\"x\",\"tools\":[{\"type\":\"web_search\"}]}", "tools[0]", "web_search"},
        {"{\"input\":\"x\",\"tool_choice\":{\"type\":\"allowed_tools\"}}", "tool_choice", "none"},
        {"{\"input\":\"x\",\"truncation\":\"auto\"}", "truncation", "disabled"},
        {"{\"input\":\"x\",\"background\":true}", "background", "waits"},
        {"{\"input\":\"x\",\"previous_response_id\":\"r\"}", "previous_response_id", "input"},
        {"{\"input\":\"x\",\"include\":[\"file_search_call.results\"]}", "include", "include[0]"},
        {"{\"input\":\"x\",\"text\":{\"format\":{\"type\":\"xml\"}}}", "text.format.type", "json"},
        {"{\"input\":\"x\",\"max_output_tokens\":0}", "max_output_tokens", "from 1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_generate r;
        struct api_error e = {0};
        assert_false(responses_parse(str_from(cases[i].body), &r, &e));
        assert_int_equal(e.status, 400);
        assert_string_equal(e.field, cases[i].field);
        assert_non_null(strstr(e.message, cases[i].words));
        api_generate_release(&r);
    }
}

static void what_is_given_back_is_bounded(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e = {0};
    const size_t n = 5 << 20;
    static const char begin[] = "{\"metadata\":\"", end[] = "\",\"input\":\"a\"}";
    char *text = malloc(n + sizeof begin + sizeof end);
    memcpy(text, begin, sizeof begin - 1);
    memset(text + sizeof begin - 1, 'x', n);
    memcpy(text + sizeof begin - 1 + n, end, sizeof end);
    assert_false(responses_parse(str_from(text), &r, &e));
    assert_int_equal(e.status, 400);
    assert_non_null(strstr(e.message, "larger than"));
    api_generate_release(&r);
    free(text);
}

static void items_are_completed(void **state)
{
    (void)state;
    json_t *text = json_string("Hi");
    json_t *items = responses_items(text, "r");
    expect_json(items, "[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":"
                       "\"Hi\"}],\"type\":\"message\",\"id\":\"msg_r_in0\","
                       "\"status\":\"completed\"}]");
    json_decref(items);
    json_decref(text);
    json_t *number = json_integer(4);
    assert_null(responses_items(number, "r"));
    json_decref(number);
}

/* ---- answers ------------------------------------------------------------------------------ */

static const struct reply_usage usage = {
    .n_prompt = 9, .n_cached = 4, .n_answer = 3, .n_reasoning = 1};

struct talk {
    struct api_generate request;
    struct reply_head head;
    struct parts parts;
    struct buf out;
    void *stream;
};

static void talk_begin(struct talk *t)
{
    parse_ok("{\"input\":\"Hi\",\"previous\":{\"id\":\"resp_0\",\"input\":[]}}", &t->request);
    t->head = (struct reply_head){.id = "resp_1", .model = {"m", 1}, .request = &t->request};
    t->stream = calloc(1, dialect_responses.n_state_bytes);
    parts_init(&t->parts);
    buf_init(&t->out, 1 << 20);
}

static void talk_end(struct talk *t)
{
    dialect_responses.release(t->stream);
    free(t->stream);
    parts_release(&t->parts);
    buf_release(&t->out);
    api_generate_release(&t->request);
}

static void fill(struct parts *p)
{
    parts_text(p, PART_REASONING, STR("hm"));
    parts_text(p, PART_TEXT, STR("yes"));
    parts_call(p, STR("c"), STR("f"));
    parts_arguments(p, STR("{}"));
}

#define OUTPUT                                                                                     \
    "[{\"id\":\"rs_1_0\",\"type\":\"reasoning\",\"summary\":[],\"status\":\"completed\","          \
    "\"content\":[{\"type\":\"reasoning_text\",\"text\":\"hm\"}]},{\"id\":\"msg_1_1\",\"type\":"   \
    "\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":"          \
    "\"output_text\",\"text\":\"yes\",\"annotations\":[],\"logprobs\":[]}]},{\"id\":\"fc_1_2\","   \
    "\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\","            \
    "\"status\":\"completed\"}]"

static void an_answer_is_items(void **state)
{
    (void)state;
    struct talk t;
    talk_begin(&t);
    fill(&t.parts);
    struct reply_choice c = {.parts = t.parts.items, .n_parts = t.parts.n, .finish = REPLY_CALLS};
    dialect_responses.whole(&t.out, &t.head, &c, 1, &usage);
    json_t *root = json_loads(t.out.bytes, 0, NULL);
    expect_json(json_object_get(root, "output"), OUTPUT);
    expect_json(json_object_get(root, "status"), "\"completed\"");
    expect_json(json_object_get(root, "previous_response_id"), "\"resp_0\"");
    expect_json(json_object_get(root, "usage"),
                "{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4,"
                "\"cache_write_tokens\":0},\"output_tokens\":3,\"output_tokens_details\":{"
                "\"reasoning_tokens\":1},\"total_tokens\":12}");
    json_decref(root);
    /* One that was cut off says so, and so does its last item. */
    buf_clear(&t.out);
    c.finish = REPLY_LENGTH;
    dialect_responses.whole(&t.out, &t.head, &c, 1, &usage);
    root = json_loads(t.out.bytes, 0, NULL);
    expect_json(json_object_get(root, "status"), "\"incomplete\"");
    expect_json(json_object_get(root, "incomplete_details"), "{\"reason\":\"max_output_tokens\"}");
    const json_t *output = json_object_get(root, "output");
    expect_json(json_object_get(json_array_get(output, 1), "status"), "\"completed\"");
    expect_json(json_object_get(json_array_get(output, 2), "status"), "\"incomplete\"");
    json_decref(root);
    talk_end(&t);
}

static void say(struct talk *t, enum reply_finish finish)
{
    struct reply_choice c = {.parts = t->parts.items, .n_parts = t->parts.n, .finish = finish};
    dialect_responses.piece(&t->out, t->stream, &t->head, &c);
    parts_taken(&t->parts);
}

/* Each event's type and number must be as wanted; the last one's response is returned. */
static json_t *read_events(char *text, const char *const *types, size_t n)
{
    json_t *last = NULL;
    size_t i = 0;
    for (char *at = text; *at; i++) {
        char *data = strstr(at, "\ndata: "), *end = strstr(at, "\n\n");
        assert_true(i < n && data && end);
        *data = *end = 0;
        json_decref(last);
        last = json_loads(data + strlen("\ndata: "), 0, NULL);
        assert_string_equal(at + strlen("event: "), types[i]);
        assert_string_equal(json_string_value(json_object_get(last, "type")), types[i]);
        assert_int_equal(json_integer_value(json_object_get(last, "sequence_number")), i);
        at = end + 2;
    }
    assert_int_equal(i, n);
    return last;
}

static void a_stream_tells_all_of_it(void **state)
{
    (void)state;
    static const char *const types[] = {
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_text.delta",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    };
    struct talk t;
    talk_begin(&t);
    dialect_responses.begin(&t.out, t.stream, &t.head, &usage);
    parts_text(&t.parts, PART_REASONING, STR("h"));
    say(&t, REPLY_GOES_ON);
    parts_text(&t.parts, PART_REASONING, STR("m"));
    parts_text(&t.parts, PART_TEXT, STR("yes"));
    say(&t, REPLY_GOES_ON);
    parts_call(&t.parts, STR("c"), STR("f"));
    say(&t, REPLY_GOES_ON);
    parts_arguments(&t.parts, STR("{}"));
    say(&t, REPLY_CALLS);
    dialect_responses.end(&t.out, t.stream, &t.head, &usage);
    json_t *last = read_events(t.out.bytes, types, COUNT_OF(types));
    expect_json(json_object_get(json_object_get(last, "response"), "output"), OUTPUT);
    json_decref(last);
    talk_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_become_messages),
        cmocka_unit_test(fields_land_where_they_belong),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(what_is_given_back_is_bounded),
        cmocka_unit_test(items_are_completed),
        cmocka_unit_test(an_answer_is_items),
        cmocka_unit_test(a_stream_tells_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
