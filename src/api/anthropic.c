/* anthropic.c - reads requests of /v1/messages. */
#include "api/anthropic.h"

#include <string.h>

#include "api/tables.h"
#include "api/turns.h"
#include "base/check.h"

#define FIELD(member) offsetof(struct raw, member)

enum { PATH_BYTES = 96, TEXT_BYTES_MAX = 1 << 30 };

struct raw {
    struct api_generate r;
    uint32_t max_tokens;
    int32_t top_k;
    const json_t *messages, *system, *stop_sequences, *tools, *tool_choice, *thinking, *metadata;
    const json_t *output_config, *output_format, *context_management;
};

static const struct api_field fields[] = {
    {"model", API_TEXT, FIELD(r.model), 0, 0, "which model answers; absent: the first one"},
    {"max_tokens", API_U32, FIELD(max_tokens), 1, 4294967295.0, "of the answer, at most; required"},
    {"messages", API_VALUE, FIELD(messages), 0, 0, "[{role, content}]"},
    {"system", API_VALUE, FIELD(system), 0, 0, "a text, or blocks of text"},
    {"stop_sequences", API_VALUE, FIELD(stop_sequences), 0, 0, "up to 16 texts"},
    {"temperature", API_FLOAT, FIELD(r.sampling.temperature), 0, 100,
     "0: always the likeliest token"},
    {"top_p", API_FLOAT, FIELD(r.sampling.top_p), 0, 1,
     "among the fewest tokens that reach p together"},
    {"top_k", API_I32, FIELD(top_k), -1, 2147483647.0, "among the k likeliest; 0, -1: off"},
    {"min_p", API_FLOAT, FIELD(r.sampling.min_p), 0, 1,
     "at least p times as likely as the likeliest"},
    {"seed", API_SEED, FIELD(r.sampling.seed), 0, 0, "the same seed gives the same text"},
    {"stream", API_BOOL, FIELD(r.stream), 0, 0, "send events as they come"},
    {"tools", API_VALUE, FIELD(tools), 0, 0, "[{name, description, input_schema}]"},
    {"tool_choice", API_VALUE, FIELD(tool_choice), 0, 0, "{type: auto | any | tool | none}"},
    {"thinking", API_VALUE, FIELD(thinking), 0, 0, "{type: enabled | disabled | adaptive}"},
    {"output_config", API_VALUE, FIELD(output_config), 0, 0, "{format, effort}"},
    {"output_format", API_VALUE, FIELD(output_format), 0, 0, "output_config.format's older name"},
    {"metadata", API_VALUE, FIELD(metadata), 0, 0, "{user_id}"},
    {"cache_salt", API_TEXT, FIELD(r.cache_salt), 0, 0, "who shares prompts read before"},
    {"receipt", API_BOOL, FIELD(r.receipt), 0, 0,
     "its receipt with the answer, where the server gives receipts"},
    {"cache_control", API_NO_EFFECT, 0, 0, 0, "what was read is remembered"},
    {"service_tier", API_NO_EFFECT, 0, 0, 0, "there is one"},
    {"speed", API_NO_EFFECT, 0, 0, 0, "there is one"},
    {"inference_geo", API_NO_EFFECT, 0, 0, 0, "it is computed here"},
    {"diagnostics", API_NO_EFFECT, 0, 0, 0, "none are kept"},
    {"user_profile_id", API_NO_EFFECT, 0, 0, 0, "kept by nobody"},
    {"workspace_id", API_NO_EFFECT, 0, 0, 0, "kept by nobody"},
    {"container", API_REFUSED, 0, 0, 0, "no code is run here"},
    {"mcp_servers", API_REFUSED, 0, 0, 0, "tools are called by the client"},
    {"context_management", API_VALUE, FIELD(context_management), 0, 0,
     "{edits}: clear_... are not needed, nothing is cleared"},
};

const struct api_table api_messages_table = {"MessagesRequest", fields, COUNT_OF(fields),
                                             "max_tokens messages"};
const struct api_table api_count_table = {"CountRequest", fields, COUNT_OF(fields), "messages"};

static struct str text_of(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

/* ---- blocks ------------------------------------------------------------------------------- */

/* Any block of content; which fields count depends on its type. */
struct block {
    struct str type, text, thinking, id, name, tool_use_id;
    const json_t *input, *content;
    bool is_error;
};

static bool read_block(const json_t *v, const char *path, struct block *b, struct api_error *e)
{
    static const struct api_field block_fields[] = {
        {"type", API_TEXT, offsetof(struct block, type), 0, 0, "text, tool_use, ..."},
        {"text", API_TEXT, offsetof(struct block, text), 0, 0, "of a text"},
        {"thinking", API_TEXT, offsetof(struct block, thinking), 0, 0, "of thinking"},
        {"id", API_TEXT, offsetof(struct block, id), 0, 0, "of a tool_use"},
        {"name", API_TEXT, offsetof(struct block, name), 0, 0, "of a tool_use"},
        {"tool_use_id", API_TEXT, offsetof(struct block, tool_use_id), 0, 0, "of a tool_result"},
        {"input", API_VALUE, offsetof(struct block, input), 0, 0, "of a tool_use"},
        {"content", API_VALUE, offsetof(struct block, content), 0, 0, "of a tool_result"},
        {"is_error", API_BOOL, offsetof(struct block, is_error), 0, 0, "of a tool_result"},
    };
    char where[PATH_BYTES + 1];
    *b = (struct block){0};
    snprintf(where, sizeof where, "%s.", path);
    if (!json_is_object(v))
        return api_fail(e, 400, path, "%s must be an object with a type", path);
    if (!api_read(v, where, block_fields, COUNT_OF(block_fields), b, NULL, NULL, e))
        return false;
    return b->type.ptr || api_fail(e, 400, path, "%s has no type", path);
}

static bool wrong_block(const struct block *b, const char *path, struct api_error *e)
{
    return api_fail(e, 400, path, "%s is of type \"%.40s\", which is not supported here", path,
                    b->type.ptr);
}

static bool needs(const char *path, const char *name, bool is_there, struct api_error *e)
{
    return is_there || api_fail(e, 400, path, "%s has no %s", path, name);
}

/* A text, or an array of text blocks, appended to out. */
static bool read_texts(const json_t *v, const char *path, struct buf *out, struct api_error *e)
{
    char at[PATH_BYTES];
    if (json_is_string(v))
        buf_add(out, json_string_value(v), json_string_length(v));
    else if (!json_is_array(v))
        return api_fail(e, 400, path, "%s must be a text or an array of blocks", path);
    for (size_t i = 0; i < json_array_size(v); i++) {
        struct block b;
        snprintf(at, sizeof at, "%.70s[%zu]", path, i);
        if (!read_block(json_array_get(v, i), at, &b, e))
            return false;
        if (!str_is(b.type, "text"))
            return wrong_block(&b, at, e);
        if (!needs(at, "text", b.text.ptr != NULL, e))
            return false;
        if (i > 0)
            buf_char(out, '\n');
        buf_add(out, b.text.ptr, b.text.len);
    }
    return true;
}

static bool add_call(struct turns *t, const struct block *b, const char *path, struct api_error *e)
{
    if (!needs(path, "id", b->id.ptr != NULL, e) || !needs(path, "name", b->name.ptr != NULL, e))
        return false;
    if (!json_is_object(b->input))
        return api_fail(e, 400, path, "%s.input must be an object", path);
    struct buf arguments;
    struct writer w;
    buf_init(&arguments, TEXT_BYTES_MAX);
    write_begin(&w, &arguments);
    write_value(&w, b->input);
    if (arguments.failed)
        t->failed = true;
    else
        turns_call(t, b->id, b->name, (struct str){arguments.bytes, arguments.n_bytes});
    buf_release(&arguments);
    return true;
}

/* That a tool failed is said where the model can read it. */
static bool add_result(struct turns *t, const struct block *b, const char *path,
                       struct api_error *e)
{
    struct buf text;
    char at[PATH_BYTES];
    if (!needs(path, "tool_use_id", b->tool_use_id.ptr != NULL, e))
        return false;
    buf_init(&text, TEXT_BYTES_MAX);
    if (b->is_error)
        buf_str(&text, "Error: ");
    snprintf(at, sizeof at, "%.70s.content", path);
    bool ok = !b->content || read_texts(b->content, at, &text, e);
    if (ok)
        turns_result(t, b->tool_use_id,
                     (struct str){text.n_bytes ? text.bytes : "", text.n_bytes});
    buf_release(&text);
    return ok;
}

static bool add_block(struct turns *t, const char *role, const struct block *b, const char *path,
                      struct api_error *e)
{
    bool is_user = strcmp(role, "user") == 0, is_assistant = strcmp(role, "assistant") == 0;
    if (str_is(b->type, "text")) {
        if (!needs(path, "text", b->text.ptr != NULL, e))
            return false;
        turns_text(t, role, b->text);
        return true;
    }
    if (is_user && str_is(b->type, "tool_result"))
        return add_result(t, b, path, e);
    if (is_assistant && str_is(b->type, "tool_use"))
        return add_call(t, b, path, e);
    if (is_assistant && str_is(b->type, "thinking")) {
        if (!needs(path, "thinking", b->thinking.ptr != NULL, e))
            return false;
        turns_reasoning(t, b->thinking);
        return true;
    }
    return wrong_block(b, path, e);
}

/* ---- messages ----------------------------------------------------------------------------- */

static bool add_message(struct turns *t, const json_t *m, size_t i, struct api_error *e)
{
    const json_t *content = json_object_get(m, "content");
    static const char *const roles[] = {"user", "assistant", "system"};
    const json_t *given = json_object_get(m, "role");
    const char *role = NULL;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "messages[%zu]", i);
    for (size_t k = 0; k < COUNT_OF(roles); k++)
        if (json_is_string(given) && strcmp(json_string_value(given), roles[k]) == 0)
            role = roles[k];
    if (!role)
        return api_fail(e, 400, path, "%s must have the role user, assistant or system", path);
    if (json_is_string(content)) {
        turns_text(t, role, text_of(content));
        return true;
    }
    if (!json_is_array(content))
        return api_fail(e, 400, path, "%s.content must be a text or an array of blocks", path);
    for (size_t k = 0; k < json_array_size(content); k++) {
        struct block b;
        snprintf(path, sizeof path, "messages[%zu].content[%zu]", i, k);
        if (!read_block(json_array_get(content, k), path, &b, e) ||
            !add_block(t, role, &b, path, e))
            return false;
    }
    return true;
}

static bool add_messages(struct turns *t, const struct raw *raw, struct api_error *e)
{
    if (raw->system) {
        struct buf text;
        buf_init(&text, TEXT_BYTES_MAX);
        bool ok = read_texts(raw->system, "system", &text, e);
        if (ok && text.n_bytes > 0)
            turns_text(t, "system", (struct str){text.bytes, text.n_bytes});
        buf_release(&text);
        if (!ok)
            return false;
    }
    if (!json_is_array(raw->messages) || json_array_size(raw->messages) == 0)
        return api_fail(e, 400, "messages",
                        "messages must be an array of at least one message");
    for (size_t i = 0; i < json_array_size(raw->messages); i++)
        if (!add_message(t, json_array_get(raw->messages, i), i, e))
            return false;
    return true;
}

/* Words of the assistant at the end are the answer's beginning. */
static bool take_prefill(struct api_generate *r, json_t *messages, struct api_error *e)
{
    size_t n = json_array_size(messages);
    const json_t *last = n ? json_array_get(messages, n - 1) : NULL;
    if (!last || strcmp(json_string_value(json_object_get(last, "role")), "assistant") != 0)
        return true;
    if (json_object_get(last, "tool_calls"))
        return api_fail(e, 400, "messages", "messages end with a tool_use without its tool_result");
    if (n == 1 || json_object_get(last, "reasoning_content"))
        return api_fail(e, 400, "messages", "messages must end with one of a user's");
    r->prefill = text_of(json_object_get(last, "content"));
    if (!api_generate_own(r, json_incref(json_object_get(last, "content"))))
        return api_fail(e, 500, NULL, "out of memory for the messages");
    json_array_remove(messages, n - 1);
    return true;
}

static bool read_messages(struct raw *raw, struct api_error *e)
{
    struct turns t;
    turns_init(&t);
    bool ok = add_messages(&t, raw, e);
    json_t *messages = ok ? turns_end(&t) : NULL;
    turns_release(&t);
    if (ok && !messages)
        return api_fail(e, 500, NULL, "out of memory for the messages");
    if (!ok)
        return false;
    raw->r.messages = api_generate_own(&raw->r, messages);
    if (!raw->r.messages)
        return api_fail(e, 500, NULL, "out of memory for the messages");
    if (json_array_size(messages) == 0)
        return api_fail(e, 400, "messages", "messages have no content");
    return take_prefill(&raw->r, messages, e);
}

/* ---- tools -------------------------------------------------------------------------------- */

struct tool {
    struct str type, name, description;
    const json_t *input_schema;
};

static bool read_tool(const json_t *v, size_t i, struct tool *tool, struct api_error *e)
{
    static const struct api_field tool_fields[] = {
        {"type", API_TEXT, offsetof(struct tool, type), 0, 0, "custom"},
        {"name", API_TEXT, offsetof(struct tool, name), 0, 0, "what the model calls it"},
        {"description", API_TEXT, offsetof(struct tool, description), 0, 0, "for the model"},
        {"input_schema", API_VALUE, offsetof(struct tool, input_schema), 0, 0, "a JSON schema"},
    };
    char path[PATH_BYTES], where[PATH_BYTES + 1];
    snprintf(path, sizeof path, "tools[%zu]", i);
    snprintf(where, sizeof where, "%s.", path);
    *tool = (struct tool){.type = STR("custom"), .description = STR("")};
    if (!json_is_object(v))
        return api_fail(e, 400, path, "%s must be an object", path);
    if (!api_read(v, where, tool_fields, COUNT_OF(tool_fields), tool, NULL, NULL, e))
        return false;
    if (!str_is(tool->type, "custom"))
        return api_fail(e, 400, path, "%s is of type \"%.40s\"; only the client's own tools are "
                        "supported", path, tool->type.ptr);
    if (!needs(path, "name", tool->name.len > 0, e))
        return false;
    return json_is_object(tool->input_schema) ||
           api_fail(e, 400, path, "%s.input_schema must be an object", path);
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
        ok = json_array_append_new(
                 tools, json_pack("{s:s, s:{s:s%, s:s%, s:O}}", "type", "function", "function",
                                  "name", tool.name.ptr, tool.name.len, "description",
                                  tool.description.ptr, tool.description.len, "parameters",
                                  tool.input_schema)) == 0;
    }
    return ok || api_fail(e, 500, NULL, "out of memory for the tools");
}

static bool read_tool_choice(struct raw *raw, struct api_error *e)
{
    struct choice {
        struct str type, name;
        bool disable_parallel_tool_use;
    } c = {0};
    static const struct api_field choice_fields[] = {
        {"type", API_TEXT, offsetof(struct choice, type), 0, 0, "auto, any, tool or none"},
        {"name", API_TEXT, offsetof(struct choice, name), 0, 0, "of a tool"},
        {"disable_parallel_tool_use", API_BOOL,
         offsetof(struct choice, disable_parallel_tool_use), 0, 0, "one call at most"},
    };
    json_t *choice = NULL;
    if (!raw->tool_choice)
        return true;
    if (!api_read(raw->tool_choice, "tool_choice.", choice_fields, COUNT_OF(choice_fields), &c,
                  NULL, &raw->r.unknown, e))
        return false;
    raw->r.parallel_tool_calls = !c.disable_parallel_tool_use;
    if (str_is(c.type, "tool") && c.name.len > 0)
        choice = json_pack("{s:s, s:{s:s%}}", "type", "function", "function", "name", c.name.ptr,
                           c.name.len);
    else if (str_is(c.type, "auto") || str_is(c.type, "none"))
        choice = json_stringn(c.type.ptr, c.type.len);
    else if (str_is(c.type, "any"))
        choice = json_string("required");
    else
        return api_fail(e, 400, "tool_choice.type",
                        "tool_choice.type must be auto, any, none, or tool with a name");
    raw->r.tool_choice = api_generate_own(&raw->r, choice);
    return raw->r.tool_choice || api_fail(e, 500, NULL, "out of memory for the tools");
}

/* ---- the rest ----------------------------------------------------------------------------- */

static bool read_stops(struct raw *raw, struct api_error *e)
{
    const json_t *v = raw->stop_sequences;
    struct api_generate *r = &raw->r;
    if (v && !json_is_array(v))
        return api_fail(e, 400, "stop_sequences", "stop_sequences must be an array of texts");
    if (json_array_size(v) > API_STOPS_MAX)
        return api_fail(e, 400, "stop_sequences", "stop_sequences has %zu texts; at most %d",
                        json_array_size(v), API_STOPS_MAX);
    for (size_t i = 0; i < json_array_size(v); i++) {
        struct str text = text_of(json_array_get(v, i));
        if (text.len == 0)
            return api_fail(e, 400, "stop_sequences",
                            "stop_sequences[%zu] must be a text that is not empty", i);
        r->stops[r->n_stops++] = text;
    }
    return true;
}

/* Thinking is off unless it is asked for, as everybody who reads content[0].text expects. */
static bool read_thinking(struct raw *raw, struct api_error *e)
{
    struct thinking {
        struct str type;
        uint32_t budget_tokens;
    } t = {.type = STR("disabled")};
    static const struct api_field thinking_fields[] = {
        {"type", API_TEXT, offsetof(struct thinking, type), 0, 0, "enabled, disabled, adaptive"},
        {"budget_tokens", API_U32, offsetof(struct thinking, budget_tokens), 1, 4294967295.0,
         "without effect: max_tokens bounds all"},
        {"display", API_NO_EFFECT, 0, 0, 0, "thinking is shown"},
    };
    if (raw->thinking && !api_read(raw->thinking, "thinking.", thinking_fields,
                                   COUNT_OF(thinking_fields), &t, NULL, &raw->r.unknown, e))
        return false;
    bool enabled = str_is(t.type, "enabled");
    if (str_is(t.type, "adaptive") || str_is(t.type, "between_tools"))
        return true; /* as the model's template has it */
    if (!enabled && !str_is(t.type, "disabled"))
        return api_fail(e, 400, "thinking.type",
                        "thinking.type must be enabled, disabled, adaptive or between_tools");
    raw->r.kwargs = api_generate_own(&raw->r, json_pack("{s:b}", "enable_thinking", enabled));
    return raw->r.kwargs || api_fail(e, 500, NULL, "out of memory");
}

static bool read_format(struct raw *raw, const json_t *v, const char *field, struct api_error *e)
{
    const json_t *schema = json_object_get(v, "schema");
    const char *type = json_string_value(json_object_get(v, "type"));
    if (!type || strcmp(type, "json_schema") != 0 || !json_is_object(schema))
        return api_fail(e, 400, field, "%s must be {type: json_schema, schema: an object}", field);
    raw->r.shape = API_SHAPE_SCHEMA;
    raw->r.shape_value = schema;
    return true;
}

static bool read_output(struct raw *raw, struct api_error *e)
{
    struct output {
        const json_t *format;
    } o = {0};
    static const struct api_field output_fields[] = {
        {"format", API_VALUE, offsetof(struct output, format), 0, 0, "{type: json_schema, schema}"},
        {"effort", API_NO_EFFECT, 0, 0, 0, "the model decides"},
    };
    if (raw->output_config && !api_read(raw->output_config, "output_config.", output_fields,
                                        COUNT_OF(output_fields), &o, NULL, &raw->r.unknown, e))
        return false;
    if (o.format && raw->output_format)
        return api_fail(e, 400, "output_format", "the answer's shape is said more than once");
    if (o.format)
        return read_format(raw, o.format, "output_config.format", e);
    return !raw->output_format || read_format(raw, raw->output_format, "output_format", e);
}

/* What clears old text saves room; here all of it is read. Summaries would change an answer. */
static bool read_context_management(struct raw *raw, struct api_error *e)
{
    const json_t *edits = json_object_get(raw->context_management, "edits");
    for (size_t i = 0; i < json_array_size(edits); i++) {
        struct str type = text_of(json_object_get(json_array_get(edits, i), "type"));
        if (!type.ptr || !str_starts(type, STR("clear_")))
            return api_fail(e, 400, "context_management.edits",
                            "context_management.edits[%zu] is of type \"%.40s\", which is not "
                            "supported here", i, type.ptr ? type.ptr : "?");
    }
    return true;
}

static bool read_metadata(struct raw *raw, struct api_error *e)
{
    static const struct api_field metadata_fields[] = {
        {"user_id", API_TEXT, FIELD(r.user), 0, 0, "an end user's name, for your own logs"},
    };
    return !raw->metadata || api_read(raw->metadata, "metadata.", metadata_fields,
                                      COUNT_OF(metadata_fields), raw, NULL, &raw->r.unknown, e);
}

static bool parse(struct str body, bool counts_only, struct api_generate *r, struct api_error *e)
{
    struct raw raw = {0};
    uint64_t given = 0;
    api_generate_begin(&raw.r);
    json_t *root = raw.r.root = api_parse(body, e);
    bool ok = root && api_read(root, "", fields, COUNT_OF(fields), &raw, &given, &raw.r.unknown, e);
    if (ok && !counts_only && raw.max_tokens == 0)
        ok = api_fail(e, 400, "max_tokens", "max_tokens is required");
    raw.r.has_seed = json_is_integer(json_object_get(root, "seed"));
    raw.r.n_max = raw.max_tokens;
    raw.r.sampling.top_k = raw.top_k > 0 ? (uint32_t)raw.top_k : 0;
    ok = ok && read_messages(&raw, e) && read_tools(&raw, e) && read_tool_choice(&raw, e) &&
         read_stops(&raw, e) && read_thinking(&raw, e) && read_output(&raw, e) &&
         read_context_management(&raw, e) && read_metadata(&raw, e);
    *r = raw.r;
    return ok;
}

bool anthropic_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    return parse(body, false, r, e);
}

bool anthropic_count_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    return parse(body, true, r, e);
}
