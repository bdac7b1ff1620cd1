/* chat_habits.c - tries of a template, and conversations put into the shape that it takes. */
#include "text/chat_habits.h"

#include <stdio.h>

#include <jansson.h>

#include "base/check.h"
#include "base/hash.h"
#include "text/answer_write.h"

enum { TRY_BYTES_MAX = 4 << 20 };

/* ---- tries -------------------------------------------------------------------------------- */

static const char tried_tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"probe_tool\",\"description\":\"d\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"probe_key\":{\"type\":\"string\","
    "\"description\":\"d\"}},\"required\":[\"probe_key\"]}}}]";

/* Whether the template renders this, and writes word. tools: NULL or an array. */
static bool writes(const struct chat_face *f, const struct tokenizer *t, const char *messages,
                   const char *tools, const char *word)
{
    json_t *m = json_loads(messages, 0, NULL), *x = tools ? json_loads(tools, 0, NULL) : NULL;
    struct chat_request request = {.messages_json = m, .tools = x, .add_generation_prompt = true};
    struct err_note note;
    struct buf out;
    buf_init(&out, TRY_BYTES_MAX);
    CHECK(m && (x || !tools));
    bool found =
        !chat_face_render(f, t, request, &out, &note) && out.n_bytes && strstr(out.bytes, word);
    buf_release(&out);
    json_decref(m);
    json_decref(x);
    return found;
}

/* Whether an earlier call of this shape is written, and its answer after it. */
static bool writes_call(const struct chat_face *f, const struct tokenizer *t, const char *content,
                        const char *arguments)
{
    char text[1024];
    snprintf(text, sizeof text,
             "[{\"role\":\"user\",\"content\":\"u\"},"
             "{\"role\":\"assistant\",\"content\":%s,\"tool_calls\":[{\"id\":\"abcdefghi\","
             "\"type\":\"function\",\"function\":{\"name\":\"probe_tool\",\"arguments\":%s}}]},"
             "{\"role\":\"tool\",\"tool_call_id\":\"abcdefghi\",\"name\":\"probe_tool\","
             "\"content\":\"probe_result\"}]",
             content, arguments);
    return writes(f, t, text, tried_tools, "probe_word") &&
           writes(f, t, text, tried_tools, "probe_result") &&
           !writes(f, t, text, tried_tools, "None") &&
           !writes(f, t, text, tried_tools, "'probe_word'") && /* Python's spelling of an object */
           !writes(f, t, text, tried_tools, "\\\"probe_word"); /* a text within a text */
}

static bool find_call_shape(struct chat_habits *h, const struct chat_face *f,
                            const struct tokenizer *t)
{
    static const char *const contents[] = {"null", "\"\""};
    static const char *const arguments[] = {"{\"probe_key\":\"probe_word\"}",
                                            "\"{\\\"probe_key\\\":\\\"probe_word\\\"}\""};
    for (size_t a = 0; a < COUNT_OF(arguments); a++)
        for (size_t c = 0; c < COUNT_OF(contents); c++)
            if (writes_call(f, t, contents[c], arguments[a])) {
                h->arguments_object = a == 0;
                h->content_null = c == 0;
                return true;
            }
    return false;
}

static enum err no_such_form(const char *form, struct err_note *note)
{
    struct buf names;
    buf_init(&names, 512);
    for (size_t i = 0; answer_form_at(i); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", answer_form_at(i)->name);
    err_set(note, ERR_NOT_FOUND, "no form of tool calls is named '%s'; there are %s", form,
            names.bytes);
    buf_release(&names);
    return ERR_NOT_FOUND;
}

enum err chat_habits_find(struct chat_habits *h, const struct chat_face *f,
                          const struct tokenizer *t, const char *form, struct err_note *note)
{
    static const char with_system[] = "[{\"role\":\"system\",\"content\":\"probe_word\"},"
                                      "{\"role\":\"user\",\"content\":\"u\"}]";
    static const char with_user[] = "[{\"role\":\"user\",\"content\":\"u\"}]";
    struct str source = chat_template_source(chat_face_template(f, true));
    *h = (struct chat_habits){.style = answer_style_find(source)};
    h->takes_system = writes(f, t, with_system, NULL, "probe_word");
    h->takes_developer = source.len && strstr(source.ptr, "developer");
    if (form) {
        h->style.form = answer_form_named(str_from(form));
        h->style.found = true;
    }
    if (!h->style.form)
        return no_such_form(form, note);
    h->explains_tools = !h->style.found || !writes(f, t, with_user, tried_tools, "probe_tool");
    h->explains_calls = !h->style.found || !find_call_shape(h, f, t);
    return ERR_OK;
}

/* ---- messages ----------------------------------------------------------------------------- */

static struct str string_of(const json_t *v)
{
    return (struct str){json_is_string(v) ? json_string_value(v) : "", json_string_length(v)};
}

static void set_text(json_t *message, const char *key, const struct buf *text)
{
    json_object_set_new(message, key,
                        json_stringn(text->n_bytes ? text->bytes : "", text->n_bytes));
}

/* Parts of a content are lines. */
static void join_content(json_t *message)
{
    const json_t *content = json_object_get(message, "content");
    struct buf text;
    if (!json_is_array(content))
        return;
    buf_init(&text, (size_t)1 << 30);
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i);
        const json_t *v = json_object_get(part, "text");
        struct str s = string_of(v ? v : json_object_get(part, "refusal"));
        if (i)
            buf_char(&text, '\n');
        buf_add(&text, s.ptr, s.len);
    }
    set_text(message, "content", &text);
    buf_release(&text);
}

/* Mistral's templates refuse ids that are not nine letters and digits: others become such. */
static void set_id(json_t *object, const char *key)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct str id = string_of(json_object_get(object, key));
    uint8_t digest[SHA256_BYTES];
    char nine[9];
    if (!json_is_string(json_object_get(object, key)) ||
        (id.len == 9 && strspn(id.ptr, letters) == 9))
        return;
    sha256_of(id.ptr, id.len, digest);
    for (int i = 0; i < 9; i++)
        nine[i] = letters[digest[i] % 62];
    json_object_set_new(object, key, json_stringn(nine, 9));
}

/* Arguments as the template takes them. */
static void set_arguments(const struct chat_habits *h, json_t *function)
{
    json_t *given = json_object_get(function, "arguments"), *made = NULL;
    if ((h->arguments_object || h->explains_calls) && json_is_string(given)) {
        made =
            json_loadb(json_string_value(given), json_string_length(given), JSON_ALLOW_NUL, NULL);
        if (json_string_length(given) == 0)
            made = json_object();
    } else if (!h->arguments_object && !h->explains_calls && given && !json_is_string(given)) {
        char *text = json_dumps(given, JSON_ENCODE_ANY);
        json_free_t release;
        json_get_alloc_funcs(NULL, &release);
        made = text ? json_string(text) : NULL;
        release(text);
    }
    if (made)
        json_object_set_new(function, "arguments", made);
}

static json_t *calls_of(const struct chat_habits *h, const json_t *given)
{
    json_t *calls = json_deep_copy(given);
    for (size_t i = 0; i < json_array_size(calls); i++) {
        json_t *call = json_array_get(calls, i);
        set_arguments(h, json_object_get(call, "function"));
        if (h->style.form->ids == IDS_NINE)
            set_id(call, "id");
    }
    return calls;
}

/* The tool's name stands in the call that it answers; some templates want it beside the answer. */
static void set_name(json_t *message, const json_t *all, size_t n)
{
    struct str id = string_of(json_object_get(message, "tool_call_id"));
    if (json_object_get(message, "name") || id.len == 0)
        return;
    for (size_t i = n; i-- > 0;) {
        const json_t *calls = json_object_get(json_array_get(all, i), "tool_calls");
        for (size_t k = 0; k < json_array_size(calls); k++) {
            const json_t *call = json_array_get(calls, k);
            if (!str_eq(string_of(json_object_get(call, "id")), id))
                continue;
            json_object_set(message, "name",
                            json_object_get(json_object_get(call, "function"), "name"));
            return;
        }
    }
}

/* ---- what we explain ---------------------------------------------------------------------- */

static void add_json(struct buf *out, const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY);
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    buf_str(out, text ? text : "null");
    release(text);
}

static void explain_tools(const struct answer_form *form, const json_t *tools, struct buf *out)
{
    json_t *example = json_pack("[{s:{s:s,s:{s:s}}}]", "function", "name", "NAME", "arguments",
                                "PARAMETER", "VALUE");
    buf_str(out, "You may call functions to help with the request. These are there, each as a JSON "
                 "object with its parameters' schema:\n<tools>\n");
    for (size_t i = 0; i < json_array_size(tools); i++) {
        add_json(out, json_object_get(json_array_get(tools, i), "function"));
        buf_char(out, '\n');
    }
    buf_str(out, "</tools>\n\nTo call one, write exactly this, with its name and arguments, and "
                 "nothing after it:\n");
    answer_write_calls(form, example, out);
    json_decref(example);
}

/* Earlier calls as the model would have written them. */
static void explain_calls(const struct answer_form *form, json_t *message)
{
    struct str content = string_of(json_object_get(message, "content"));
    struct buf text;
    buf_init(&text, (size_t)1 << 30);
    buf_add(&text, content.ptr, content.len);
    if (content.len)
        buf_char(&text, '\n');
    answer_write_calls(form, json_object_get(message, "tool_calls"), &text);
    set_text(message, "content", &text);
    json_object_del(message, "tool_calls");
    buf_release(&text);
}

/* The answer of a tool is a user's; several in a row are one message. */
static bool explain_result(json_t *message, json_t *before)
{
    struct str content = string_of(json_object_get(message, "content"));
    struct buf text;
    buf_init(&text, (size_t)1 << 30);
    if (before) {
        struct str s = string_of(json_object_get(before, "content"));
        buf_add(&text, s.ptr, s.len);
        buf_char(&text, '\n');
    }
    buf_str(&text, "<tool_response>\n");
    buf_add(&text, content.ptr, content.len);
    buf_str(&text, "\n</tool_response>");
    set_text(before ? before : message, "content", &text);
    buf_release(&text);
    if (before)
        return false;
    json_object_set_new(message, "role", json_string("user"));
    json_object_del(message, "tool_call_id");
    json_object_del(message, "name");
    return true;
}

/* Puts words before the conversation: in its system message, or in a new one, or (where a template
 * takes none) in the first message. */
static void say_first(const struct chat_habits *h, json_t *messages, const struct buf *words)
{
    json_t *first = json_array_get(messages, 0);
    bool is_system = str_is(string_of(json_object_get(first, "role")), "system");
    struct buf text;
    if (!is_system && h->takes_system) {
        json_array_insert_new(messages, 0, json_pack("{s:s}", "role", "system"));
        set_text(json_array_get(messages, 0), "content", words);
        return;
    }
    struct str content = string_of(json_object_get(first, "content"));
    buf_init(&text, (size_t)1 << 30);
    struct str said = {words->bytes, words->n_bytes};
    struct str order[2] = {is_system ? content : said, is_system ? said : content};
    buf_add(&text, order[0].ptr, order[0].len);
    buf_str(&text, "\n\n");
    buf_add(&text, order[1].ptr, order[1].len);
    set_text(first, "content", &text);
    buf_release(&text);
}

/* ---- the whole ---------------------------------------------------------------------------- */

/* One message; false: it has become part of the one before. */
static bool shape_message(const struct chat_habits *h, json_t *message, json_t *before,
                          bool before_is_result, const json_t *all, size_t n)
{
    struct str role = string_of(json_object_get(message, "role"));
    const json_t *calls = json_object_get(message, "tool_calls");
    const json_t *content = json_object_get(message, "content");
    join_content(message);
    if (str_is(role, "developer") && !h->takes_developer)
        json_object_set_new(message, "role", json_string("system"));
    if (str_is(role, "tool")) {
        if (h->explains_calls)
            return explain_result(message, before_is_result ? before : NULL);
        set_name(message, all, n);
        if (h->style.form->ids == IDS_NINE)
            set_id(message, "tool_call_id");
    }
    if (json_array_size(calls) == 0) {
        json_object_del(message, "tool_calls");
        return true;
    }
    if (h->explains_calls) {
        json_object_set_new(message, "tool_calls", calls_of(h, calls));
        explain_calls(h->style.form, message);
        return true;
    }
    if (!content || json_is_null(content) || string_of(content).len == 0)
        json_object_set_new(message, "content", h->content_null ? json_null() : json_string(""));
    json_object_set_new(message, "tool_calls", calls_of(h, calls));
    return true;
}

json_t *chat_habits_messages(const struct chat_habits *h, const json_t *messages,
                             const json_t *tools)
{
    json_t *made = json_array();
    bool before_is_result = false;
    for (size_t i = 0; i < json_array_size(messages) && made; i++) {
        const json_t *given = json_array_get(messages, i);
        bool is_result = str_is(string_of(json_object_get(given, "role")), "tool");
        json_t *message = json_copy((json_t *)(uintptr_t)given);
        json_t *before = json_array_get(made, json_array_size(made) - 1);
        if (message && shape_message(h, message, before, before_is_result, messages, i))
            json_array_append(made, message);
        json_decref(message);
        before_is_result = is_result;
    }
    if (h->explains_tools && tools) {
        struct buf words;
        buf_init(&words, 64 << 20);
        explain_tools(h->style.form, tools, &words);
        say_first(h, made, &words);
        buf_release(&words);
    }
    return made;
}
