/* ollama.c - reads Ollama's requests. */
#include "api/ollama.h"

#include "api/generate_int.h"
#include "api/tables.h"
#include "base/check.h"

#define FIELD(member) offsetof(struct raw, member)
#define INT_LIMIT     2147483647.0

struct raw {
    struct api_generate r;
    struct str prompt, system;
    bool plain; /* raw */
    const json_t *format, *options, *think, *messages, *context, *stop;
    int32_t n_predict, top_k, repeat_last_n, seed;
};

/* ---- the tables --------------------------------------------------------------------------- */

#define COMMON_FIELDS                                                                              \
    {"model", API_TEXT, FIELD(r.model), 0, 0, "which model answers; absent: the first one"},       \
        {"stream", API_BOOL, FIELD(r.stream), 0, 0, "lines as text comes (true)"},                 \
        {"receipt", API_BOOL, FIELD(r.receipt), 0, 0,                                              \
         "its receipt with the answer, where the server gives receipts"},                          \
        {"format", API_VALUE, FIELD(format), 0, 0, "\"json\", or a schema"},                       \
        {"options", API_VALUE, FIELD(options), 0, 0, "sampling and length"},                       \
        {"think", API_VALUE, FIELD(think), 0, 0,                                                   \
         "whether the model reasons first: true, false, low, medium, high"},                       \
        {"logprobs", API_BOOL, FIELD(r.logprobs), 0, 0, "of the chosen tokens"},                   \
        {"top_logprobs", API_U32, FIELD(r.n_top), 0, ISO_LOGPROBS_MAX, "alternatives to each"}, {  \
        "keep_alive", API_NO_EFFECT, 0, 0, 0, "the server decides how long models stay"            \
    }

static const struct api_field generate_fields[] = {
    {"prompt", API_TEXT, FIELD(prompt), 0, 0, "what the user says; empty: only load the model"},
    {"system", API_TEXT, FIELD(system), 0, 0, "what is said to the model first"},
    {"raw", API_BOOL, FIELD(plain), 0, 0, "the prompt as it is, without the model's template"},
    {"context", API_VALUE, FIELD(context), 0, 0, "token ids that came with an answer: go on there"},
    {"suffix", API_TEXT, FIELD(r.suffix), 0, 0, "what follows the answer"},
    {"template", API_REFUSED, 0, 0, 0, "use raw, or the server's --template"},
    {"images", API_REFUSED, 0, 0, 0, "models here read and write text"},
    COMMON_FIELDS,
};

static const struct api_field chat_fields[] = {
    {"messages", API_VALUE, FIELD(messages), 0, 0,
     "[{role, content, thinking, tool_calls, tool_name}]; empty: only load the model"},
    {"tools", API_VALUE, FIELD(r.tools), 0, 0, "functions that the model may call"},
    COMMON_FIELDS,
};

const struct api_table api_ollama_generate_table = {"OllamaGenerateRequest", generate_fields,
                                                    COUNT_OF(generate_fields), NULL};
const struct api_table api_ollama_chat_table = {"OllamaChatRequest", chat_fields,
                                                COUNT_OF(chat_fields), NULL};

/* How a model is loaded is the server's to say. */
#define OF_LOADING(name) {name, API_NO_EFFECT, 0, 0, 0, "how a model is loaded"}

static const struct api_field option_fields[] = {
    {"num_predict", API_I32, FIELD(n_predict), -2, INT_LIMIT, "tokens of the answer, at most"},
    {"temperature", API_FLOAT, FIELD(r.sampling.temperature), 0, 100, ""},
    {"top_k", API_I32, FIELD(top_k), -1, INT_LIMIT, ""},
    {"top_p", API_FLOAT, FIELD(r.sampling.top_p), 0, 1, ""},
    {"min_p", API_FLOAT, FIELD(r.sampling.min_p), 0, 1, ""},
    {"typical_p", API_FLOAT, FIELD(r.sampling.typical_p), 0, 1, ""},
    {"repeat_last_n", API_I32, FIELD(repeat_last_n), -1, INT_LIMIT, ""},
    {"repeat_penalty", API_FLOAT, FIELD(r.sampling.repeat_penalty), 0.01, 100, ""},
    {"frequency_penalty", API_FLOAT, FIELD(r.sampling.frequency_penalty), -100, 100, ""},
    {"presence_penalty", API_FLOAT, FIELD(r.sampling.presence_penalty), -100, 100, ""},
    {"mirostat", API_U32, FIELD(r.sampling.mirostat), 0, 2, ""},
    {"mirostat_tau", API_FLOAT, FIELD(r.sampling.mirostat_tau), 0, 100, ""},
    {"mirostat_eta", API_FLOAT, FIELD(r.sampling.mirostat_eta), 0, 1, ""},
    {"seed", API_I32, FIELD(seed), -2147483648.0, INT_LIMIT, ""},
    {"stop", API_VALUE, FIELD(stop), 0, 0, ""},
    {"num_keep", API_NO_EFFECT, 0, 0, 0, "nothing is ever shifted out of the context"},
    OF_LOADING("num_ctx"),
    OF_LOADING("num_batch"),
    OF_LOADING("num_gpu"),
    OF_LOADING("main_gpu"),
    OF_LOADING("num_thread"),
    OF_LOADING("numa"),
    OF_LOADING("use_mmap"),
    OF_LOADING("use_mlock"),
    OF_LOADING("low_vram"),
    OF_LOADING("f16_kv"),
    OF_LOADING("vocab_only"),
};

/* ---- values that tables cannot say -------------------------------------------------------- */

static void begin(struct raw *raw)
{
    *raw = (struct raw){.n_predict = -1, .top_k = 40, .repeat_last_n = 64, .seed = -1};
    api_generate_begin(&raw->r);
    raw->r.sampling = iso_request_default().sampling;
    raw->r.sampling.top_p = 0.9f;
    raw->r.sampling.min_p = 0;
    raw->r.sampling.repeat_penalty = 1.1f;
    raw->r.stream = true;
}

static bool read_format(struct raw *raw, struct api_error *e)
{
    const char *word = json_string_value(raw->format);
    if (!raw->format || (word && !word[0]))
        return true;
    if (word && strcmp(word, "json") == 0)
        return api_shape_set(&raw->r, API_SHAPE_JSON, NULL, STR(""), "format", e);
    if (word)
        return api_fail(e, 400, "format", "format is \"%.40s\"; it may be json or a schema", word);
    return api_schema_read(&raw->r, raw->format, "format", e);
}

/* As the templates of models that reason know it. */
static bool read_think(struct raw *raw, struct api_error *e)
{
    static const char *const efforts[] = {"low", "medium", "high"};
    const char *effort = json_string_value(raw->think);
    bool known = !effort;
    json_t *kwargs;
    if (!raw->think)
        return true;
    for (size_t i = 0; effort && i < COUNT_OF(efforts); i++)
        known |= strcmp(effort, efforts[i]) == 0;
    if (!known || (!effort && !json_is_boolean(raw->think)))
        return api_fail(e, 400, "think", "think must be true, false, low, medium or high");
    if (effort)
        kwargs = json_pack("{s:b,s:s}", "enable_thinking", 1, "reasoning_effort", effort);
    else
        kwargs = json_pack("{s:b}", "enable_thinking", json_is_true(raw->think));
    raw->r.kwargs = api_generate_own(&raw->r, kwargs);
    return raw->r.kwargs || api_fail(e, 500, NULL, "out of memory for a request");
}

/* What both have in common once their tables are read. */
static bool finish(struct raw *raw, struct api_error *e)
{
    struct api_generate *r = &raw->r;
    if (raw->options && !api_read(raw->options, "options.", option_fields, COUNT_OF(option_fields),
                                  raw, NULL, &r->unknown, e))
        return false;
    r->sampling.top_k = raw->top_k > 0 ? (uint32_t)raw->top_k : 0;
    r->sampling.n_penalty_window =
        raw->repeat_last_n < 0 ? UINT32_MAX : (uint32_t)raw->repeat_last_n;
    r->n_max = raw->n_predict < 0 ? UINT32_MAX : (uint32_t)raw->n_predict;
    r->has_seed = raw->seed >= 0;
    r->sampling.seed = (uint64_t)raw->seed;
    r->calls_whole = true;
    return (!raw->stop || api_stops_read(raw->stop, r, e)) && read_format(raw, e) &&
           read_think(raw, e);
}

/* ---- /api/generate ------------------------------------------------------------------------ */

/* A system text and the prompt as a chat, for the model's template. */
static bool make_messages(struct raw *raw, struct api_error *e)
{
    json_t *messages = json_array();
    if (raw->system.len) {
        raw->r.prompt = (struct str){0}; /* a model without a template cannot be told it */
        json_array_append_new(messages,
                              json_pack("{s:s,s:s%}", "role", "system", "content",
                                        raw->system.ptr, raw->system.len));
    }
    json_array_append_new(messages, json_pack("{s:s,s:s%}", "role", "user", "content",
                                              raw->prompt.ptr, raw->prompt.len));
    raw->r.messages = api_generate_own(&raw->r, messages);
    return raw->r.messages || api_fail(e, 500, NULL, "out of memory for a request");
}

static bool read_context(const json_t *context, struct api_error *e)
{
    for (size_t i = 0; i < json_array_size(context); i++)
        if (!json_is_integer(json_array_get(context, i)))
            return api_fail(e, 400, "context", "context[%zu] is no token id", i);
    return !context || json_is_array(context) ||
           api_fail(e, 400, "context", "context must be an array of token ids");
}

bool api_ollama_generate_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    struct raw raw;
    begin(&raw);
    json_t *root = raw.r.root = api_parse(body, e);
    bool ok = root && api_read(root, "", generate_fields, COUNT_OF(generate_fields), &raw, NULL,
                               &raw.r.unknown, e) &&
              read_context(raw.context, e) && finish(&raw, e);
    raw.r.prompt = raw.prompt.ptr ? raw.prompt : STR("");
    raw.r.prompt_before = raw.context;
    raw.r.only_load = raw.prompt.len == 0 && raw.r.suffix.len == 0;
    if (ok && raw.plain && (raw.system.len || raw.context))
        ok = api_fail(e, 400, "raw", "raw takes neither system nor context: say all in prompt");
    if (ok && !raw.plain && !raw.r.only_load && raw.r.suffix.len == 0)
        ok = make_messages(&raw, e);
    *r = raw.r;
    return ok;
}

/* ---- /api/chat ---------------------------------------------------------------------------- */

/* OpenAI's tool calls have ids, and arguments as text. */
static json_t *calls_of(const json_t *calls, size_t i_message)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *function = json_object_get(json_array_get(calls, i), "function");
        const json_t *arguments = json_object_get(function, "arguments");
        char *text = json_dumps(arguments, JSON_COMPACT | JSON_ENCODE_ANY);
        char id[64];
        json_free_t release;
        json_get_alloc_funcs(NULL, &release);
        snprintf(id, sizeof id, "call_%zu_%zu", i_message, i);
        json_array_append_new(
            out, json_pack("{s:s,s:s,s:{s:O*,s:s}}", "id", id, "type", "function", "function",
                           "name", json_object_get(function, "name"), "arguments",
                           text ? text : "{}"));
        release(text);
    }
    return out;
}

static bool check_calls(const json_t *calls, const char *path, struct api_error *e)
{
    if (calls && !json_is_array(calls))
        return api_fail(e, 400, path, "%s.tool_calls must be an array", path);
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *function = json_object_get(json_array_get(calls, i), "function");
        if (!json_is_string(json_object_get(function, "name")) ||
            !json_is_object(json_object_get(function, "arguments")))
            return api_fail(e, 400, path,
                            "%s.tool_calls[%zu].function must have a name and arguments, an object",
                            path, i);
    }
    return true;
}

static bool add_message(json_t *messages, const json_t *m, size_t i, struct api_error *e)
{
    static const struct {
        const char *from, *to;
    } texts[] = {{"role", "role"},
                 {"content", "content"},
                 {"thinking", "reasoning_content"},
                 {"tool_name", "name"},
                 {"tool_call_id", "tool_call_id"}};
    char path[64];
    json_t *out = json_object();
    const json_t *calls = json_object_get(m, "tool_calls");
    json_array_append_new(messages, out);
    snprintf(path, sizeof path, "messages[%zu]", i);
    if (!json_is_object(m))
        return api_fail(e, 400, path, "%s must be an object", path);
    if (json_array_size(json_object_get(m, "images")) > 0)
        return api_fail(e, 400, path, "%s has images; models here read and write text", path);
    for (size_t k = 0; k < COUNT_OF(texts); k++) {
        json_t *value = json_object_get(m, texts[k].from);
        if (value && !json_is_null(value) && !json_is_string(value))
            return api_fail(e, 400, path, "%s.%s must be a text", path, texts[k].from);
        if (json_is_string(value))
            json_object_set(out, texts[k].to, value);
    }
    if (!check_calls(calls, path, e))
        return false;
    if (json_array_size(calls) > 0)
        json_object_set_new(out, "tool_calls", calls_of(calls, i));
    return true;
}

bool api_ollama_chat_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    struct raw raw;
    json_t *messages;
    begin(&raw);
    json_t *root = raw.r.root = api_parse(body, e);
    bool ok = root && api_read(root, "", chat_fields, COUNT_OF(chat_fields), &raw, NULL,
                               &raw.r.unknown, e) &&
              finish(&raw, e);
    raw.r.only_load = json_array_size(raw.messages) == 0;
    if (ok && raw.messages && !json_is_array(raw.messages))
        ok = api_fail(e, 400, "messages", "messages must be an array");
    raw.r.messages = messages = json_array();
    if (!api_generate_own(&raw.r, messages))
        ok = api_fail(e, 500, NULL, "out of memory for a request");
    for (size_t i = 0; ok && i < json_array_size(raw.messages); i++)
        ok = add_message(messages, json_array_get(raw.messages, i), i, e);
    ok = ok && (raw.r.only_load || api_messages_check(raw.r.messages, e));
    *r = raw.r;
    return ok;
}
