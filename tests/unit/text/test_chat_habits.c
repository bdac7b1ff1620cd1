/* test_chat_habits.c - templates are tried, and get conversations as they take them; what they then
 * write of an earlier call is what the reader of answers reads. */
#include <jansson.h>

#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "format/table.h"
#include "text/answer_reader.h"
#include "text/answer_write.h"
#include "text/chat_habits.h"

#define TEMPLATES TEST_DIR "/golden/text/templates/"

static const char tools_json[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":\"d\","
    "\"parameters\":"
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"description\":\"c\"},"
    "\"days\":{\"type\":\"integer\",\"description\":\"n\"}},\"required\":[\"city\"]}}}]";
static const char talk_json[] =
    "[{\"role\":\"developer\",\"content\":\"s\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one\"},"
    "{\"type\":\"text\",\"text\":\"two\"}]},"
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":"
    "\"function\","
    "\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\": \\\"Bern\\\"}\"}}]},"
    "{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":\"sunny\"},"
    "{\"role\":\"tool\",\"tool_call_id\":\"call_2\",\"content\":\"dry\"}]";

/* Any tokenizer: templates ask it for special tokens' texts. */
static struct table table;
static struct tokenizer *tokenizer;

static int setup(void **state)
{
    (void)state;
    return table_open(TEST_DIR "/golden/engine/talker.gguf", &table, NULL) ||
           tokenizer_from_table(&table, &tokenizer, NULL);
}

static int teardown(void **state)
{
    (void)state;
    tokenizer_free(tokenizer);
    table_close(&table);
    return 0;
}

static struct chat_face face_of(const char *path)
{
    struct chat_face f = {0};
    char *source;
    size_t n;
    assert_ok(file_read(path, 1 << 20, &source, &n, NULL));
    assert_ok(chat_template_new(&f.template, (struct str){source, n}, NULL));
    mem_free(source);
    return f;
}

/* The conversation as the template writes it, and the messages that it was given. */
static void render(const struct chat_face *f, const struct chat_habits *h, const char *talk,
                   bool prompt, struct buf *out, json_t **given)
{
    json_t *tools = json_loads(tools_json, 0, NULL), *messages = json_loads(talk, 0, NULL);
    struct err_note note = {""};
    *given = chat_habits_messages(h, messages, tools);
    struct chat_request r = {.messages_json = *given,
                             .tools = h->explains_tools ? NULL : tools,
                             .add_generation_prompt = prompt};
    buf_init(out, 1 << 20);
    if (chat_face_render(f, tokenizer, r, out, &note))
        fail_msg("%s", note.text);
    json_decref(tools);
    json_decref(messages);
}

/* What the template writes of an earlier call, as a model would have written it. */
static void assert_reads(const char *path, const struct chat_face *f, const struct chat_habits *h)
{
    static const char before[] = "[{\"role\":\"user\",\"content\":\"u\"}]";
    static const char with_call[] =
        "[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":"
        "\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":"
        "\"{\\\"city\\\": \\\"Bern\\\", \\\"days\\\": 2}\"}}]}]";
    json_t *tools = json_loads(tools_json, 0, NULL), *given[2];
    struct buf prompt, whole;
    struct answer_reader reader;
    struct parts parts;
    size_t n = 0;
    render(f, h, before, true, &prompt, &given[0]);
    render(f, h, with_call, false, &whole, &given[1]);
    while (n < prompt.n_bytes && prompt.bytes[n] == whole.bytes[n])
        n++;
    struct answer_options o = {.style = h->style, .tools = tools};
    parts_init(&parts);
    answer_reader_init(&reader, &o, &parts);
    answer_reader_add(&reader, (struct str){whole.bytes + n, whole.n_bytes - n});
    answer_reader_end(&reader);
    bool found = false;
    for (size_t i = 0; i < parts.n; i++) {
        const struct part *p = &parts.items[i];
        json_t *v = json_loadb(part_text(p).ptr, part_text(p).len, 0, NULL);
        found |= p->kind == PART_CALL && str_is(part_name(p), "weather") &&
                 json_integer_value(json_object_get(v, "days")) == 2;
        json_decref(v);
    }
    if (!found)
        fail_msg("%s: no call in %s", path, whole.bytes + n);
    answer_reader_release(&reader);
    parts_release(&parts);
    json_decref(given[0]);
    json_decref(given[1]);
    json_decref(tools);
    buf_release(&prompt);
    buf_release(&whole);
}

static void every_template(void **state)
{
    (void)state;
    static const struct {
        const char *path, *form;
        bool explains_tools, explains_calls;
    } all[] = {
        {TEMPLATES "channels.jinja", "gpt-oss", false, false},
        {TEMPLATES "chatml_thinking.jinja", "hermes", false, false},
        {TEMPLATES "header_ids.jinja", "llama3", false, false},
        {TEMPLATES "inst_alternating.jinja", "mistral", false, false},
        {TEMPLATES "turns.jinja", "hermes", true, true},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct chat_face f = face_of(all[i].path);
        struct chat_habits h;
        assert_ok(chat_habits_find(&h, &f, tokenizer, NULL, NULL));
        assert_string_equal(h.style.form->name, all[i].form);
        assert_int_equal(h.explains_tools, all[i].explains_tools);
        assert_int_equal(h.explains_calls, all[i].explains_calls);
        assert_reads(all[i].path, &f, &h);
        chat_face_close(&f);
    }
}

static const char *text_of(const json_t *messages, size_t i, const char *key)
{
    const char *text = json_string_value(json_object_get(json_array_get(messages, i), key));
    return text ? text : "";
}

static void messages_for_a_template_with_tools(void **state)
{
    (void)state;
    struct chat_habits h = {.style = answer_style_find(STR("[TOOL_CALLS]")),
                            .arguments_object = true,
                            .takes_system = true};
    json_t *tools = json_loads(tools_json, 0, NULL), *talk = json_loads(talk_json, 0, NULL);
    json_t *made = chat_habits_messages(&h, talk, tools);
    assert_int_equal(json_array_size(made), 5);
    assert_string_equal(text_of(made, 0, "role"), "system");
    assert_string_equal(text_of(made, 1, "content"), "one\ntwo");
    assert_string_equal(text_of(made, 3, "name"), "weather");
    const json_t *assistant = json_array_get(made, 2);
    const json_t *call = json_array_get(json_object_get(assistant, "tool_calls"), 0);
    const json_t *arguments = json_object_get(json_object_get(call, "function"), "arguments");
    assert_string_equal(json_string_value(json_object_get(arguments, "city")), "Bern");
    /* Mistral's ids: nine letters and digits, the same in call and answer. */
    const char *id = json_string_value(json_object_get(call, "id"));
    assert_int_equal(strlen(id), 9);
    assert_string_equal(text_of(made, 3, "tool_call_id"), id);
    assert_true(json_is_string(json_object_get(assistant, "content")));
    h.arguments_object = false;
    h.content_null = true;
    json_decref(made);
    made = chat_habits_messages(&h, talk, tools);
    assistant = json_array_get(made, 2);
    call = json_array_get(json_object_get(assistant, "tool_calls"), 0);
    arguments = json_object_get(json_object_get(call, "function"), "arguments");
    assert_string_equal(json_string_value(arguments), "{\"city\": \"Bern\"}");
    assert_true(json_is_null(json_object_get(assistant, "content")));
    json_decref(made);
    json_decref(talk);
    json_decref(tools);
}

static void messages_with_everything_explained(void **state)
{
    (void)state;
    struct chat_habits h = {.style = answer_style_find(STR("")),
                            .explains_tools = true,
                            .explains_calls = true,
                            .takes_system = true};
    json_t *tools = json_loads(tools_json, 0, NULL), *talk = json_loads(talk_json, 0, NULL);
    json_t *made = chat_habits_messages(&h, talk, tools);
    assert_int_equal(json_array_size(made), 4);
    assert_int_equal(strncmp(text_of(made, 0, "content"), "s\n\n", 3), 0);
    assert_non_null(strstr(text_of(made, 0, "content"), "{\"name\": \"weather\""));
    assert_string_equal(
        text_of(made, 2, "content"),
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Bern\"}}\n"
        "</tool_call>");
    assert_string_equal(text_of(made, 3, "role"), "user");
    assert_string_equal(text_of(made, 3, "content"),
                        "<tool_response>\nsunny\n</tool_response>\n<tool_response>\ndry\n"
                        "</tool_response>");
    json_decref(made);
    /* A template without a system role: in the first message. */
    json_t *user = json_loads("[{\"role\":\"user\",\"content\":\"hi\"}]", 0, NULL);
    h.takes_system = false;
    made = chat_habits_messages(&h, user, tools);
    assert_int_equal(json_array_size(made), 1);
    assert_non_null(strstr(text_of(made, 0, "content"), "</tool_call>\n\nhi"));
    json_decref(made);
    json_decref(user);
    json_decref(talk);
    json_decref(tools);
}

/* What is written in a form is read in that form. */
static void every_form_written_is_read(void **state)
{
    (void)state;
    json_t *tools = json_loads(tools_json, 0, NULL);
    json_t *calls =
        json_loads("[{\"function\":{\"name\":\"weather\",\"arguments\":{\"city\":\"Bern\","
                   "\"days\":2}}}]",
                   0, NULL);
    for (size_t i = 0; answer_form_at(i); i++) {
        struct answer_options o = {.style = {.form = answer_form_at(i)}, .tools = tools};
        struct answer_reader reader;
        struct parts parts;
        struct buf text;
        if (o.style.form->channels)
            continue; /* its templates write calls themselves */
        buf_init(&text, 1 << 16);
        answer_write_calls(o.style.form, calls, &text);
        parts_init(&parts);
        answer_reader_init(&reader, &o, &parts);
        answer_reader_add(&reader, (struct str){text.bytes, text.n_bytes});
        answer_reader_end(&reader);
        if (parts.n != 1 || parts.items[0].kind != PART_CALL ||
            !str_is(part_text(&parts.items[0]), "{\"city\": \"Bern\", \"days\": 2}"))
            fail_msg("%s: %s", o.style.form->name, text.bytes);
        answer_reader_release(&reader);
        parts_release(&parts);
        buf_release(&text);
    }
    json_decref(calls);
    json_decref(tools);
}

static void forms_by_name(void **state)
{
    (void)state;
    struct chat_face f = face_of(TEMPLATES "turns.jinja");
    struct chat_habits h;
    struct err_note note = {""};
    assert_ok(chat_habits_find(&h, &f, tokenizer, "glm", &note));
    assert_string_equal(h.style.form->name, "glm");
    assert_int_equal(chat_habits_find(&h, &f, tokenizer, "none", &note), ERR_NOT_FOUND);
    assert_non_null(strstr(note.text, "mistral-args"));
    chat_face_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template),
        cmocka_unit_test(messages_for_a_template_with_tools),
        cmocka_unit_test(messages_with_everything_explained),
        cmocka_unit_test(every_form_written_is_read),
        cmocka_unit_test(forms_by_name),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
