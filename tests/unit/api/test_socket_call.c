/* test_socket_call.c - calls over WebSockets: what is read, what is said, a stream put together. */
#include "lib/test.h"

#include "api/socket_call.h"

/* ---- calls -------------------------------------------------------------------------------- */

static const struct row {
    const char *text;
    const char *id, *field, *words; /* words NULL: it is good */
} rows[] = {
    {"{\"id\":\"a\",\"function\":\"health\"}", "a", NULL, NULL},
    {"{\"id\":\"a\",\"function\":\"health\",\"params\":null,\"tenant_id\":null}", "a", NULL, NULL},
    {"{\"id\":\"a\",\"function\":\"x\",\"params\":{\"y\":[1]},\"tenant_id\":\"t\"}", "a", NULL,
     NULL},
    {"{\"type\":\"auth\",\"api_key\":\"sk\"}", "", NULL, NULL},
    {"{\"type\":\"auth\"}", "", "api_key", "missing"},
    {"{\"type\":\"auth\",\"api_key\":7}", "", "api_key", "text"},
    {"", "", NULL, "not JSON"},
    {"[]", "", NULL, "must be a JSON object"},
    {"{\"id\":\"a\",\"id\":\"b\"}", "", NULL, "duplicate"},
    {"{}", "", "id", "needs an id"},
    {"{\"id\":\"\",\"function\":\"x\"}", "", "id", "needs an id"},
    {"{\"id\":1,\"function\":\"x\"}", "", "id", "text"},
    {"{\"function\":1,\"id\":\"late\"}", "late", "function", "text"},
    {"{\"id\":\"a\"}", "a", "function", "needs a function"},
    {"{\"id\":\"a\",\"function\":\"x\",\"params\":[]}", "a", "params", "object"},
    {"{\"id\":\"a\",\"function\":\"x\",\"tenant_id\":5}", "a", "tenant_id", "text"},
};

static void calls_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct socket_call c;
        struct api_error e = {0};
        bool ok = socket_call_parse(str_from(row->text), &c, &e);
        if (ok != !row->words || (row->words && !strstr(e.message, row->words)) ||
            !str_is(c.id, row->id) || (row->field && strcmp(e.field, row->field) != 0))
            fail_msg("%s: %d, id %.*s, %s: %s", row->text, ok, STR_ARG(c.id), e.field, e.message);
        socket_call_release(&c);
    }
}

static void fields_of_a_call_are_found(void **state)
{
    (void)state;
    struct socket_call c;
    struct api_error e = {0};
    struct str id;
    assert_true(socket_call_parse(STR("{\"id\":\"a\",\"function\":\"cancel\",\"colour\":1,"
                                      "\"params\":{\"id\":\"b\"},\"tenant_id\":\"t\"}"),
                                  &c, &e));
    assert_false(c.is_auth);
    assert_true(str_is(c.function, "cancel") && str_is(c.tenant_id, "t"));
    assert_string_equal(c.unknown.bytes, "colour");
    assert_true(socket_call_target(&c, &id, &e) && str_is(id, "b"));
    socket_call_release(&c);
    assert_true(socket_call_parse(STR("{\"id\":\"a\",\"function\":\"cancel\"}"), &c, &e));
    assert_null(c.tenant_id.ptr);
    assert_false(socket_call_target(&c, &id, &e));
    assert_string_equal(e.field, "params.id");
    socket_call_release(&c);
    char text[SOCKET_ID_BYTES_MAX + 100];
    for (int n = SOCKET_ID_BYTES_MAX; n <= SOCKET_ID_BYTES_MAX + 1; n++) {
        snprintf(text, sizeof text, "{\"function\":\"x\",\"id\":\"%0*d\"}", n, 7);
        assert_int_equal(socket_call_parse(str_from(text), &c, &e), n == SOCKET_ID_BYTES_MAX);
        assert_int_equal(c.id.len, n == SOCKET_ID_BYTES_MAX ? n : 0);
        socket_call_release(&c);
    }
}

/* ---- messages ----------------------------------------------------------------------------- */

static void messages_have_their_shapes(void **state)
{
    (void)state;
    struct buf out;
    struct api_error e;
    buf_init(&out, 10000);
    socket_say(&out, STR("a\"b"), "complete", STR("{\"x\":1}"), STR("colour"));
    assert_string_equal(out.bytes, "{\"id\":\"a\\\"b\",\"status\":\"complete\",\"data\":{\"x\":1},"
                                   "\"unknown_fields\":\"colour\"}");
    buf_clear(&out);
    socket_say(&out, STR("a"), "cancelled", STR(""), STR(""));
    assert_string_equal(out.bytes, "{\"id\":\"a\",\"status\":\"cancelled\"}");
    buf_clear(&out);
    socket_say_hello(&out, "1.2", STR("default"));
    assert_string_equal(out.bytes,
                        "{\"status\":\"connected\",\"version\":\"1.2\",\"tenant_id\":\"default\"}");
    buf_clear(&out);
    socket_say_auth(&out, "auth_failed", "error", STR("no"));
    assert_string_equal(out.bytes, "{\"type\":\"auth_failed\",\"error\":\"no\"}");
    static const struct {
        int status;
        const char *code;
    } codes[] = {{400, "DISPATCH_ERROR"}, {404, "DISPATCH_ERROR"},      {401, "UNAUTHORIZED"},
                 {403, "UNAUTHORIZED"},   {429, "RATE_LIMIT_EXCEEDED"}, {500, "INTERNAL_ERROR"},
                 {503, "INTERNAL_ERROR"}};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        char wanted[200];
        buf_clear(&out);
        api_fail(&e, codes[i].status, i ? NULL : "top_p", "why");
        socket_error(&out, &e);
        snprintf(wanted, sizeof wanted, "{\"code\":\"%s\",\"message\":\"why\"%s}", codes[i].code,
                 i ? "" : ",\"details\":{\"field\":\"top_p\"}");
        assert_string_equal(out.bytes, wanted);
    }
    buf_clear(&out);
    socket_say_error(&out, STR("a"), STR("{\"code\":\"X\"}"));
    assert_string_equal(out.bytes,
                        "{\"id\":\"a\",\"status\":\"error\",\"error\":{\"code\":\"X\"}}");
    buf_release(&out);
}

/* A text frame that is not UTF-8 would end the connection. */
static void errors_are_utf8_wherever_they_are_cut(void **state)
{
    (void)state;
    for (size_t n_before = 0; n_before < 4; n_before++) {
        char text[1000] = "";
        struct api_error e;
        memset(text, 'x', n_before);
        for (size_t i = n_before; i + 5 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x90\x80\x80", 5);
        api_fail(&e, 400, text, "no function %.101s, %s", text, text);
        assert_int_equal(strlen(e.message), sizeof e.message - 1);
        assert_true(utf8_valid(e.message, strlen(e.message)));
        assert_true(utf8_valid(e.field, strlen(e.field)));
        assert_non_null(strstr(e.message, "\xf0\x90\x80\x80"));
    }
}

/* ---- generate ----------------------------------------------------------------------------- */

static void generate_has_its_own_defaults(void **state)
{
    (void)state;
    struct api_generate r;
    struct api_error e = {0};
    assert_true(dialect_socket.parse(STR("{\"prompt\":\"Hi\"}"), &r, &e));
    assert_int_equal(r.n_max, 100);
    assert_float_equal(r.sampling.temperature, 0.7, 1e-6);
    assert_float_equal(r.sampling.top_p, 0.9, 1e-6);
    assert_int_equal(r.sampling.top_k, 0);
    assert_float_equal(r.sampling.repeat_penalty, 1, 1e-6);
    assert_false(r.stream);
    assert_true(str_is(r.prompt, "Hi"));
    api_generate_release(&r);
    assert_true(dialect_socket.parse(STR("{\"prompt\":\"Hi\",\"max_tokens\":5,\"temperature\":0,"
                                         "\"top_p\":null,\"top_k\":40,\"stream\":true,"
                                         "\"repetition_penalty\":1.5,\"colour\":1}"),
                                     &r, &e));
    assert_int_equal(r.n_max, 5);
    assert_float_equal(r.sampling.temperature, 0, 0);
    assert_float_equal(r.sampling.top_p, 0.9, 1e-6);
    assert_int_equal(r.sampling.top_k, 40);
    assert_float_equal(r.sampling.repeat_penalty, 1.5, 1e-6);
    assert_true(r.stream);
    assert_string_equal(r.unknown.bytes, "colour");
    api_generate_release(&r);
    static const char *const bad[] = {"{}", "{\"prompt\":[1]}", "{\"prompt\":\"a\",\"n\":2}",
                                      "{\"prompt\":\"a\",\"top_p\":2}", "[]"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        e = (struct api_error){0};
        assert_false(dialect_socket.parse(str_from(bad[i]), &r, &e));
        assert_int_equal(e.status, 400);
        api_generate_release(&r);
    }
}

/* Lines of a stream as a front reads them: their texts joined are the answer. */
static void streams_join_to_the_whole(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a \"quoted\" \\", "", "\n\t\x01 line", "é𐀀", "\\\""};
    struct api_generate request = {.logprobs = true};
    struct reply_head head = {.model = STR("m"), .request = &request};
    struct reply_usage usage = {.n_prompt = 3, .n_answer = 5, .answer_ns = 7000000};
    struct reply_token token = {.logprob = -0.5f};
    uint64_t stream_state[4] = {0};
    struct buf lines, text, joined, result;
    assert_true(dialect_socket.n_state_bytes <= sizeof stream_state);
    buf_init(&lines, 10000);
    buf_init(&text, 10000);
    buf_init(&joined, 10000);
    buf_init(&result, 10000);
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct part part = {.kind = PART_TEXT};
        buf_init(&part.text, 1000);
        buf_str(&part.text, pieces[i]);
        buf_str(&text, pieces[i]);
        struct reply_choice c = {.parts = &part,
                                 .n_parts = 1,
                                 .tokens = &token,
                                 .n_tokens = i == 0,
                                 .finish = i == 4 ? REPLY_LENGTH : REPLY_GOES_ON};
        dialect_socket.piece(&lines, stream_state, &head, &c);
        buf_release(&part.text);
    }
    dialect_socket.end(&lines, stream_state, &head, &usage);
    assert_non_null(strstr(lines.bytes, "\"index\":0,\"logprob\":-0.5,\"is_final\":false}\n"));
    assert_non_null(strstr(lines.bytes, "\"index\":4,\"is_final\":true}\n"));
    int n_lines = 0;
    for (char *line = lines.bytes; *line; n_lines++) {
        size_t n = strcspn(line, "\n");
        struct socket_line l = socket_line_read((struct str){line, n});
        assert_int_equal(l.kind, n_lines < 5 ? SOCKET_LINE_PIECE : SOCKET_LINE_RESULT);
        buf_add(&joined, l.text.ptr, l.text.len);
        if (l.kind == SOCKET_LINE_RESULT)
            socket_result(&result, (struct str){joined.bytes, joined.n_bytes}, l.data);
        line += n + 1;
    }
    json_t *data = json_loads(result.bytes, 0, NULL);
    assert_non_null(data);
    assert_string_equal(json_string_value(json_object_get(data, "text")), text.bytes);
    assert_int_equal(json_integer_value(json_object_get(data, "tokens_generated")), 5);
    assert_int_equal(json_integer_value(json_object_get(data, "prompt_tokens")), 3);
    assert_int_equal(json_integer_value(json_object_get(data, "time_ms")), 7);
    assert_string_equal(json_string_value(json_object_get(data, "finish_reason")), "length");
    json_decref(data);
    struct api_error e;
    api_fail(&e, 503, NULL, "gone");
    buf_clear(&lines);
    dialect_socket.broken(&lines, &e);
    struct socket_line l = socket_line_read((struct str){lines.bytes, lines.n_bytes - 1});
    assert_int_equal(l.kind, SOCKET_LINE_ERROR);
    assert_true(str_is(l.data, "{\"code\":\"INTERNAL_ERROR\",\"message\":\"gone\"}"));
    buf_release(&lines);
    buf_release(&text);
    buf_release(&joined);
    buf_release(&result);
}

static void whole_answers_have_their_shape(void **state)
{
    (void)state;
    struct part part = {.kind = PART_TEXT};
    struct reply_head head = {.model = STR("m")};
    struct reply_usage usage = {.n_prompt = 3, .n_answer = 2, .prompt_ns = 5999999};
    struct reply_choice c = {.parts = &part, .n_parts = 1, .finish = REPLY_STOP};
    struct buf out;
    buf_init(&part.text, 100);
    buf_str(&part.text, "Hi!");
    buf_init(&out, 1000);
    dialect_socket.whole(&out, &head, &c, 1, &usage);
    assert_string_equal(out.bytes, "{\"text\":\"Hi!\",\"tokens_generated\":2,\"prompt_tokens\":3,"
                                   "\"time_ms\":5,\"finish_reason\":\"stop\",\"model\":\"m\"}");
    buf_release(&part.text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_read),
        cmocka_unit_test(fields_of_a_call_are_found),
        cmocka_unit_test(messages_have_their_shapes),
        cmocka_unit_test(errors_are_utf8_wherever_they_are_cut),
        cmocka_unit_test(generate_has_its_own_defaults),
        cmocka_unit_test(streams_join_to_the_whole),
        cmocka_unit_test(whole_answers_have_their_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
