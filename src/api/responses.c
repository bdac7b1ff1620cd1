/* responses.c - reads requests of /v1/responses. */
#include "api/responses.h"

#include <string.h>

#include "api/tables.h"
#include "api/turns.h"
#include "base/check.h"

#define FIELD(member) offsetof(struct raw, member)

enum {
    PATH_BYTES = 96,
    TEXT_BYTES_MAX = 1 << 30,
    ECHO_BYTES_MAX = 4 << 20, /* of what is given back, several times in a stream */
    ID_BYTES_MAX = 128,
};

struct raw {
    struct api_generate r;
    uint32_t max_output_tokens, top_logprobs;
    int32_t top_k;
    struct str instructions, truncation;
    const json_t *input, *previous, *include, *text, *reasoning, *tools, *tool_choice;
    bool store;
};

static const struct api_field fields[] = {
    {"model", API_TEXT, FIELD(r.model), 0, 0, "which model answers; absent: the first one"},
    {"input", API_VALUE, FIELD(input), 0, 0, "a text, or an array of items"},
    {"instructions", API_TEXT, FIELD(instructions), 0, 0, "what the model is told first"},
    {"previous_response_id", API_REFUSED, 0, 0, 0, "nothing is remembered here; send it as input"},
    {"previous", API_VALUE, FIELD(previous), 0, 0, "what was said before: {id, input}"},
    {"max_output_tokens", API_U32, FIELD(max_output_tokens), 1, 4294967295.0, "at most"},
    {"temperature", API_FLOAT, FIELD(r.sampling.temperature), 0, 100,
     "0: always the likeliest token"},
    {"top_p", API_FLOAT, FIELD(r.sampling.top_p), 0, 1,
     "among the fewest tokens that reach p together"},
    {"top_k", API_I32, FIELD(top_k), -1, 2147483647.0, "among the k likeliest; 0, -1: off"},
    {"min_p", API_FLOAT, FIELD(r.sampling.min_p), 0, 1,
     "at least p times as likely as the likeliest"},
    {"seed", API_SEED, FIELD(r.sampling.seed), 0, 0, "the same seed gives the same text"},
    {"cache_salt", API_TEXT, FIELD(r.cache_salt), 0, 0, "who shares prompts read before"},
    {"receipt", API_BOOL, FIELD(r.receipt), 0, 0,
     "its receipt with the answer, where the server gives receipts"},
    {"stream", API_BOOL, FIELD(r.stream), 0, 0, "send events as they come"},
    {"store", API_BOOL, FIELD(store), 0, 0, "keep the answer, to go on from it (true)"},
    {"text", API_VALUE, FIELD(text), 0, 0, "{format}"},
    {"reasoning", API_VALUE, FIELD(reasoning), 0, 0, "{effort}"},
    {"include", API_VALUE, FIELD(include), 0, 0, "message.output_text.logprobs"},
    {"top_logprobs", API_U32, FIELD(top_logprobs), 0, ISO_LOGPROBS_MAX, "alternatives to each"},
    {"tools", API_VALUE, FIELD(tools), 0, 0, "functions that the model may call"},
    {"tool_choice", API_VALUE, FIELD(tool_choice), 0, 0, "none | auto | required | one of them"},
    {"parallel_tool_calls", API_BOOL, FIELD(r.parallel_tool_calls), 0, 0,
     "an answer may call more than one tool (true)"},
    {"truncation", API_TEXT, FIELD(truncation), 0, 0, "disabled: a prompt is never cut"},
    {"user", API_TEXT, FIELD(r.user), 0, 0, "an end user's name, for your own logs"},
    {"metadata", API_NO_EFFECT, 0, 0, 0, "given back with the answer"},
    {"safety_identifier", API_NO_EFFECT, 0, 0, 0, "given back with the answer"},
    {"prompt_cache_key", API_NO_EFFECT, 0, 0, 0, "what was read is remembered anyway"},
    {"prompt_cache_retention", API_NO_EFFECT, 0, 0, 0, "as long as there is room"},
    {"prompt_cache_options", API_NO_EFFECT, 0, 0, 0, "what was read is remembered anyway"},
    {"stream_options", API_NO_EFFECT, 0, 0, 0, "events are not padded"},
    {"service_tier", API_NO_EFFECT, 0, 0, 0, "there is one"},
    {"max_tool_calls", API_NO_EFFECT, 0, 0, 0, "no tools are called here"},
    {"access_programs", API_NO_EFFECT, 0, 0, 0, "there are none"},
    {"background", API_REFUSED, 0, 0, 0, "an answer is made while its client waits"},
    {"conversation", API_REFUSED, 0, 0, 0, "use previous_response_id"},
    {"prompt", API_REFUSED, 0, 0, 0, "send the text itself as instructions or input"},
    {"context_management", API_REFUSED, 0, 0, 0, "a prompt is never cut"},
    {"moderation", API_REFUSED, 0, 0, 0, "nothing is moderated here"},
};

const struct api_table api_responses_table = {"ResponsesRequest", fields, COUNT_OF(fields),
                                              "input"};

static struct str text_of(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

static bool out_of_memory(struct api_error *e)
{
    return api_fail(e, 500, NULL, "out of memory for the request");
}

/* ---- items -------------------------------------------------------------------------------- */

/* Any item; which fields count depends on its type. */
struct item {
    struct str type, role, call_id, name, arguments;
    const json_t *content, *output, *summary;
};

static bool read_item(const json_t *v, const char *path, struct item *item, struct api_error *e)
{
    static const struct api_field item_fields[] = {
        {"type", API_TEXT, offsetof(struct item, type), 0, 0, "message, function_call, ..."},
        {"role", API_TEXT, offsetof(struct item, role), 0, 0, "of a message"},
        {"content", API_VALUE, offsetof(struct item, content), 0, 0, "of a message, or reasoning"},
        {"call_id", API_TEXT, offsetof(struct item, call_id), 0, 0, "of a call, or its output"},
        {"name", API_TEXT, offsetof(struct item, name), 0, 0, "of a function_call"},
        {"arguments", API_TEXT, offsetof(struct item, arguments), 0, 0, "of a function_call"},
        {"output", API_VALUE, offsetof(struct item, output), 0, 0, "of a function_call_output"},
        {"summary", API_VALUE, offsetof(struct item, summary), 0, 0, "of reasoning"},
    };
    char where[PATH_BYTES + 1];
    *item = (struct item){.type = STR("message")};
    snprintf(where, sizeof where, "%s.", path);
    if (!json_is_object(v))
        return api_fail(e, 400, path, "%s must be an object", path);
    return api_read(v, where, item_fields, COUNT_OF(item_fields), item, NULL, NULL, e);
}

/* A text, or an array of parts with texts, appended to out. */
static bool read_texts(const json_t *v, const char *path, struct buf *out, struct api_error *e)
{
    static const char *const types[] = {"input_text", "output_text",  "text",
                                        "refusal",    "summary_text", "reasoning_text"};
    if (json_is_string(v))
        buf_add(out, json_string_value(v), json_string_length(v));
    else if (!json_is_array(v))
        return api_fail(e, 400, path, "%s must be a text or an array", path);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *part = json_array_get(v, i);
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *text =
            json_object_get(part, type && strcmp(type, "refusal") == 0 ? "refusal" : "text");
        char at[PATH_BYTES];
        bool known = false;
        snprintf(at, sizeof at, "%.70s[%zu]", path, i);
        for (size_t k = 0; type && k < COUNT_OF(types); k++)
            known = known || strcmp(type, types[k]) == 0;
        if (!known)
            return api_fail(e, 400, at, "%s is of type \"%.40s\"; models here read and write text",
                            at, type ? type : "?");
        if (!json_is_string(text))
            return api_fail(e, 400, at, "%s has no text", at);
        if (out->n_bytes > 0)
            buf_char(out, '\n');
        buf_add(out, json_string_value(text), json_string_length(text));
    }
    return true;
}

static struct str bytes_of(const struct buf *b)
{
    return (struct str){b->n_bytes ? b->bytes : "", b->n_bytes};
}

static bool add_message(struct turns *t, const struct item *item, const char *path,
                        struct buf *text, struct api_error *e)
{
    static const char *const roles[] = {"user", "assistant", "system"};
    char at[PATH_BYTES];
    snprintf(at, sizeof at, "%.70s.content", path);
    if (!read_texts(item->content, at, text, e))
        return false;
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        if (!str_is(item->role, roles[i]) && !(i == 2 && str_is(item->role, "developer")))
            continue;
        if (i == 0)
            turns_begin(t, roles[i]);
        turns_text(t, roles[i], bytes_of(text));
        return true;
    }
    return api_fail(e, 400, path, "%s must have the role user, assistant, system or developer",
                    path);
}

static bool add_call(struct turns *t, const struct item *item, const char *path,
                     struct api_error *e)
{
    if (!item->call_id.ptr || !item->name.ptr || !item->arguments.ptr)
        return api_fail(e, 400, path, "%s must have call_id, name and arguments", path);
    turns_call(t, item->call_id, item->name, item->arguments);
    return true;
}

static bool add_item(struct turns *t, const json_t *v, const char *path, struct buf *text,
                     struct api_error *e)
{
    struct item item;
    char at[PATH_BYTES];
    if (!read_item(v, path, &item, e))
        return false;
    if (str_is(item.type, "message"))
        return add_message(t, &item, path, text, e);
    if (str_is(item.type, "function_call"))
        return add_call(t, &item, path, e);
    if (str_is(item.type, "function_call_output")) {
        snprintf(at, sizeof at, "%.70s.output", path);
        if (!item.call_id.ptr)
            return api_fail(e, 400, path, "%s must have a call_id", path);
        if (!read_texts(item.output, at, text, e))
            return false;
        turns_result(t, item.call_id, bytes_of(text));
        return true;
    }
    if (str_is(item.type, "reasoning")) {
        const json_t *said = json_array_size(item.content) ? item.content : item.summary;
        snprintf(at, sizeof at, "%.70s.content", path);
        if (said && !read_texts(said, at, text, e))
            return false;
        if (text->n_bytes > 0)
            turns_reasoning(t, bytes_of(text));
        return true;
    }
    return api_fail(e, 400, path, "%s is of type \"%.40s\", which is not supported here", path,
                    item.type.ptr);
}

static bool add_items(struct turns *t, const json_t *items, const char *where, struct api_error *e)
{
    struct buf text;
    bool ok = true;
    buf_init(&text, TEXT_BYTES_MAX);
    for (size_t i = 0; ok && i < json_array_size(items); i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s[%zu]", where, i);
        buf_clear(&text);
        ok = add_item(t, json_array_get(items, i), path, &text, e);
        t->failed = t->failed || text.failed;
    }
    buf_release(&text);
    return ok;
}

static bool add_all(struct turns *t, const struct raw *raw, struct api_error *e)
{
    const json_t *before = json_object_get(raw->previous, "input");
    if (raw->previous && !json_is_array(before))
        return api_fail(e, 400, "previous", "previous must be {id, input: an array}");
    if (raw->instructions.len > 0)
        turns_text(t, "system", raw->instructions);
    if (before && !add_items(t, before, "previous.input", e))
        return false;
    if (json_is_string(raw->input)) {
        turns_begin(t, "user");
        turns_text(t, "user", text_of(raw->input));
        return true;
    }
    if (!json_is_array(raw->input) || (json_array_size(raw->input) == 0 && !before))
        return api_fail(e, 400, "input", "input must be a text, or an array of at least one item");
    return add_items(t, raw->input, "input", e);
}

static bool read_input(struct raw *raw, struct api_error *e)
{
    struct turns t;
    turns_init(&t);
    bool ok = add_all(&t, raw, e);
    json_t *messages = ok ? turns_end(&t) : NULL;
    turns_release(&t);
    if (!ok)
        return false;
    raw->r.messages = messages ? api_generate_own(&raw->r, messages) : NULL;
    if (!raw->r.messages)
        return out_of_memory(e);
    return json_array_size(messages) > 0 || api_fail(e, 400, "input", "input says nothing");
}

/* ---- tools -------------------------------------------------------------------------------- */

struct tool {
    struct str type, name, description;
    const json_t *parameters, *strict;
};

static bool read_tool(const json_t *v, size_t i, struct tool *tool, struct api_error *e)
{
    static const struct api_field tool_fields[] = {
        {"type", API_TEXT, offsetof(struct tool, type), 0, 0, "function"},
        {"name", API_TEXT, offsetof(struct tool, name), 0, 0, "what the model calls it"},
        {"description", API_TEXT, offsetof(struct tool, description), 0, 0, "for the model"},
        {"parameters", API_VALUE, offsetof(struct tool, parameters), 0, 0, "a JSON schema"},
        {"strict", API_VALUE, offsetof(struct tool, strict), 0, 0, "whether it is kept to"},
    };
    char path[PATH_BYTES], where[PATH_BYTES + 1];
    snprintf(path, sizeof path, "tools[%zu]", i);
    snprintf(where, sizeof where, "%s.", path);
    *tool = (struct tool){.description = STR("")};
    if (!json_is_object(v))
        return api_fail(e, 400, path, "%s must be an object", path);
    if (!api_read(v, where, tool_fields, COUNT_OF(tool_fields), tool, NULL, NULL, e))
        return false;
    if (!str_is(tool->type, "function"))
        return api_fail(e, 400, path, "%s is of type \"%.40s\"; only functions are supported", path,
                        tool->type.ptr ? tool->type.ptr : "?");
    if (tool->name.len == 0)
        return api_fail(e, 400, path, "%s has no name", path);
    return !tool->parameters || json_is_object(tool->parameters) ||
           api_fail(e, 400, path, "%s.parameters must be an object", path);
}

static json_t *make_tool(const struct tool *tool)
{
    json_t *made = json_pack("{s:s, s:{s:s%, s:s%}}", "type", "function", "function", "name",
                             tool->name.ptr, tool->name.len, "description", tool->description.ptr,
                             tool->description.len);
    json_t *function = json_object_get(made, "function");
    bool ok = made != NULL;
    if (ok && tool->parameters)
        ok = json_object_set(function, "parameters", (json_t *)tool->parameters) == 0;
    if (ok && tool->strict)
        ok = json_object_set(function, "strict", (json_t *)tool->strict) == 0;
    if (ok)
        return made;
    json_decref(made);
    return NULL;
}

static bool read_tools(struct raw *raw, struct api_error *e)
{
    if (!raw->tools)
        return true;
    if (!json_is_array(raw->tools))
        return api_fail(e, 400, "tools", "tools must be an array");
    json_t *tools = json_array();
    raw->r.tools = api_generate_own(&raw->r, tools);
    bool ok = raw->r.tools != NULL;
    for (size_t i = 0; ok && i < json_array_size(raw->tools); i++) {
        struct tool tool;
        if (!read_tool(json_array_get(raw->tools, i), i, &tool, e))
            return false;
        ok = json_array_append_new(tools, make_tool(&tool)) == 0;
    }
    return ok || out_of_memory(e);
}

/* {type: function, name} becomes {type: function, function: {name}}; words are as they are. */
static bool read_tool_choice(struct raw *raw, struct api_error *e)
{
    const json_t *v = raw->tool_choice;
    const char *type = json_string_value(json_object_get(v, "type"));
    const json_t *name = json_object_get(v, "name");
    if (!v || json_is_string(v)) {
        raw->r.tool_choice = v;
        return true;
    }
    if (!type || strcmp(type, "function") != 0 || !json_is_string(name))
        return api_fail(e, 400, "tool_choice",
                        "tool_choice must be none, auto, required, or {type: function, name}");
    raw->r.tool_choice =
        api_generate_own(&raw->r, json_pack("{s:s, s:{s:O}}", "type", "function", "function",
                                            "name", name));
    return raw->r.tool_choice || out_of_memory(e);
}

/* ---- the rest ----------------------------------------------------------------------------- */

static bool read_text(struct raw *raw, struct api_error *e)
{
    struct text {
        const json_t *format;
    } t = {0};
    static const struct api_field text_fields[] = {
        {"format", API_VALUE, offsetof(struct text, format), 0, 0, "of the answer"},
        {"verbosity", API_NO_EFFECT, 0, 0, 0, "the model decides"},
    };
    if (raw->text && !api_read(raw->text, "text.", text_fields, COUNT_OF(text_fields), &t, NULL,
                               &raw->r.unknown, e))
        return false;
    if (!t.format)
        return true;
    const char *type = json_string_value(json_object_get(t.format, "type"));
    const json_t *schema = json_object_get(t.format, "schema");
    if (type && strcmp(type, "text") == 0)
        return true;
    if (type && strcmp(type, "json_object") == 0) {
        raw->r.shape = API_SHAPE_JSON;
        return true;
    }
    if (!type || strcmp(type, "json_schema") != 0)
        return api_fail(e, 400, "text.format.type",
                        "text.format.type must be text, json_object or json_schema");
    if (!json_is_object(schema))
        return api_fail(e, 400, "text.format.schema", "text.format.schema must be an object");
    raw->r.shape = API_SHAPE_SCHEMA;
    raw->r.shape_value = schema;
    return true;
}

/* Effort is a word for the model's template. */
static bool read_reasoning(struct raw *raw, struct api_error *e)
{
    struct reasoning {
        struct str effort;
    } r = {0};
    static const struct api_field reasoning_fields[] = {
        {"effort", API_TEXT, offsetof(struct reasoning, effort), 0, 0, "none, low, medium, ..."},
        {"summary", API_NO_EFFECT, 0, 0, 0, "reasoning is shown whole"},
        {"generate_summary", API_NO_EFFECT, 0, 0, 0, "reasoning is shown whole"},
    };
    if (raw->reasoning && !api_read(raw->reasoning, "reasoning.", reasoning_fields,
                                    COUNT_OF(reasoning_fields), &r, NULL, &raw->r.unknown, e))
        return false;
    if (r.effort.len == 0)
        return true;
    json_t *kwargs = str_is(r.effort, "none")
                         ? json_pack("{s:b}", "enable_thinking", 0)
                         : json_pack("{s:b, s:s%}", "enable_thinking", 1, "reasoning_effort",
                                     r.effort.ptr, r.effort.len);
    raw->r.kwargs = api_generate_own(&raw->r, kwargs);
    return raw->r.kwargs || out_of_memory(e);
}

static bool read_include(struct raw *raw, struct api_error *e)
{
    raw->r.n_top = raw->top_logprobs;
    raw->r.logprobs = raw->top_logprobs > 0;
    if (raw->include && !json_is_array(raw->include))
        return api_fail(e, 400, "include", "include must be an array of texts");
    for (size_t i = 0; i < json_array_size(raw->include); i++) {
        struct str what = text_of(json_array_get(raw->include, i));
        if (what.ptr && str_is(what, "message.output_text.logprobs"))
            raw->r.logprobs = true;
        else if (!what.ptr || !str_is(what, "reasoning.encrypted_content"))
            return api_fail(e, 400, "include", "include[%zu] is nothing that an answer here has",
                            i);
    }
    return true;
}

/* What an answer repeats of its request must leave room for the answer. */
static bool check_echo(const struct raw *raw, struct api_error *e)
{
    const json_t *id = json_object_get(raw->previous, "id");
    struct buf text;
    struct writer w;
    const char *name;
    json_t *value;
    if (raw->previous && (!json_is_string(id) || json_string_length(id) > ID_BYTES_MAX))
        return api_fail(e, 400, "previous.id", "previous.id must be a text of at most %d bytes",
                        ID_BYTES_MAX);
    buf_init(&text, ECHO_BYTES_MAX);
    write_begin(&w, &text);
    json_object_foreach (raw->r.root, name, value)
        if (strcmp(name, "input") != 0 && strcmp(name, "previous") != 0)
            write_value(&w, value);
    bool failed = text.failed;
    buf_release(&text);
    return !failed || api_fail(e, 400, NULL,
                               "the request without its input is larger than %d bytes, which an "
                               "answer gives back", ECHO_BYTES_MAX);
}

bool responses_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    struct raw raw = {.max_output_tokens = UINT32_MAX, .store = true};
    uint64_t given = 0;
    api_generate_begin(&raw.r);
    raw.r.messages_field = "input";
    json_t *root = raw.r.root = api_parse(body, e);
    bool ok = root && api_read(root, "", fields, COUNT_OF(fields), &raw, &given, &raw.r.unknown, e);
    if (ok && raw.truncation.ptr && !str_is(raw.truncation, "disabled"))
        ok = api_fail(e, 400, "truncation", "truncation must be disabled: a prompt is never cut");
    raw.r.has_seed = json_is_integer(json_object_get(root, "seed"));
    raw.r.n_max = raw.max_output_tokens;
    raw.r.sampling.top_k = raw.top_k > 0 ? (uint32_t)raw.top_k : 0;
    ok = ok && check_echo(&raw, e) && read_input(&raw, e) && read_tools(&raw, e) &&
         read_tool_choice(&raw, e) && read_text(&raw, e) && read_reasoning(&raw, e) &&
         read_include(&raw, e);
    *r = raw.r;
    return ok;
}

/* ---- items for those who ask later -------------------------------------------------------- */

static bool complete_item(json_t *item, const char *id, size_t i)
{
    static const struct {
        const char *type, *prefix;
    } prefixes[] = {{"message", "msg"}, {"function_call", "fc"}, {"function_call_output", "fco"},
                    {"reasoning", "rs"}};
    const char *type = json_string_value(json_object_get(item, "type")), *prefix = "item";
    const json_t *content = json_object_get(item, "content");
    const char *role = json_string_value(json_object_get(item, "role"));
    bool ok = true;
    if (!type)
        ok = json_object_set_new(item, "type", json_string(type = "message")) == 0;
    for (size_t k = 0; k < COUNT_OF(prefixes); k++)
        if (strcmp(type, prefixes[k].type) == 0)
            prefix = prefixes[k].prefix;
    if (ok && !json_object_get(item, "id"))
        ok = json_object_set_new(item, "id", json_sprintf("%s_%s_in%zu", prefix, id, i)) == 0;
    if (ok && strcmp(type, "message") == 0 && json_is_string(content)) {
        const char *kind = role && strcmp(role, "assistant") == 0 ? "output_text" : "input_text";
        ok = json_object_set_new(item, "content",
                                 json_pack("[{s:s, s:O}]", "type", kind, "text", content)) == 0;
    }
    if (ok && strcmp(type, "message") == 0 && !json_object_get(item, "status"))
        ok = json_object_set_new(item, "status", json_string("completed")) == 0;
    return ok;
}

json_t *responses_items(const json_t *input, const char *id)
{
    json_t *items = json_is_string(input)
                        ? json_pack("[{s:s, s:O}]", "role", "user", "content", input)
                        : json_deep_copy(input);
    bool ok = json_is_array(items);
    for (size_t i = 0; ok && i < json_array_size(items); i++)
        ok = json_is_object(json_array_get(items, i)) &&
             complete_item(json_array_get(items, i), id, i);
    if (ok)
        return items;
    json_decref(items);
    return NULL;
}

static json_t *load(struct str body)
{
    return json_loadb(body.ptr, body.len, JSON_ALLOW_NUL, NULL);
}

bool responses_joined(struct str sent, struct str joined)
{
    static const char before[] = "previous", name[] = "previous_response_id";
    json_t *a = load(sent), *b = load(joined);
    const json_t *id = json_object_get(a, name);
    const json_t *at = json_object_get(json_object_get(b, before), "id");
    bool same = json_is_string(id) && json_equal(id, at);
    json_object_del(a, name);
    json_object_del(a, before);
    json_object_del(b, before);
    same = same && json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}
