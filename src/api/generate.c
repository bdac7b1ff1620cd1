/* generate.c - reads requests for chat and text completions. */
#include "api/generate_int.h"

#include <stdlib.h>
#include <string.h>

#include "api/tables.h"
#include "base/check.h"
#include "base/mem.h"

#define UNKNOWN_BYTES_MAX 1024
#define FIELD(member) offsetof(struct raw, member)

/* The fields as they are written, before they are understood. */
struct raw {
    struct api_generate r;
    uint32_t max_tokens, max_completion_tokens, top_logprobs, logprobs_count;
    int32_t top_k;
    const json_t *stop, *stop_token_ids, *logit_bias, *stream_options, *response_format, *prompt;
    const json_t *guided_json, *guided_choice, *structured_outputs, *json_schema;
    struct str logprobs_mode, guided_regex, guided_grammar, grammar;
    struct str reasoning_effort, reasoning_format;
    const json_t *enable_thinking;
};

/* ---- the tables --------------------------------------------------------------------------- */

#define COMMON_FIELDS                                                                              \
    {"model", API_TEXT, FIELD(r.model), 0, 0, "which model answers; absent: the first one"},       \
        {"max_tokens", API_U32, FIELD(max_tokens), 0, 4294967295.0, "of the answer, at most"},     \
        {"temperature", API_FLOAT, FIELD(r.sampling.temperature), 0, 100,                          \
         "0: always the likeliest token"},                                                         \
        {"top_p", API_FLOAT, FIELD(r.sampling.top_p), 0, 1,                                        \
         "among the fewest tokens that reach p together"},                                         \
        {"top_k", API_I32, FIELD(top_k), -1, 2147483647.0, "among the k likeliest; 0, -1: off"},   \
        {"min_p", API_FLOAT, FIELD(r.sampling.min_p), 0, 1,                                        \
         "at least p times as likely as the likeliest"},                                           \
        {"typical_p", API_FLOAT, FIELD(r.sampling.typical_p), 0, 1,                                \
         "among the most typical that reach p together"},                                          \
        {"frequency_penalty", API_FLOAT, FIELD(r.sampling.frequency_penalty), -2, 2,               \
         "for each time that a token occurred"},                                                   \
        {"presence_penalty", API_FLOAT, FIELD(r.sampling.presence_penalty), -2, 2,                 \
         "once, if it occurred"},                                                                  \
        {"repetition_penalty", API_FLOAT, FIELD(r.sampling.repeat_penalty), 0.01, 100,             \
         "divides positive, multiplies negative logits of tokens that occurred"},                  \
        {"repeat_penalty", API_FLOAT, FIELD(r.sampling.repeat_penalty), 0.01, 100,                 \
         "llama-server's name of repetition_penalty"},                                             \
        {"seed", API_SEED, FIELD(r.sampling.seed), 0, 0,                                           \
         "the same seed gives the same text, on any machine, in any batch"},                       \
        {"n", API_U32, FIELD(r.n), 1, API_CHOICES_MAX, "answers to give"},                         \
        {"stream", API_BOOL, FIELD(r.stream), 0, 0, "send text as it comes"},                      \
        {"stream_options", API_VALUE, FIELD(stream_options), 0, 0, "{include_usage}"},             \
        {"stop", API_VALUE, FIELD(stop), 0, 0, "a text or up to 16 texts that end the answer"},    \
        {"stop_token_ids", API_VALUE, FIELD(stop_token_ids), 0, 0, "tokens that end the answer"},  \
        {"ignore_eos", API_BOOL, FIELD(r.ignore_eos), 0, 0, "go on after the model's end"},        \
        {"min_tokens", API_U32, FIELD(r.n_min), 0, 4294967295.0, "before the model may end"},      \
        {"logit_bias", API_VALUE, FIELD(logit_bias), 0, 0, "{token id: added to its logit}"},      \
        {"return_token_ids", API_BOOL, FIELD(r.return_token_ids), 0, 0, "beside the text"},        \
        {"return_progress", API_BOOL, FIELD(r.return_progress), 0, 0,                              \
         "in a stream: pieces with prompt_progress while the prompt is read"},                     \
        {"guided_json", API_VALUE, FIELD(guided_json), 0, 0, "a schema that the answer follows"},  \
        {"guided_regex", API_TEXT, FIELD(guided_regex), 0, 0, "an expression that it matches"},    \
        {"guided_choice", API_VALUE, FIELD(guided_choice), 0, 0, "texts, one of which it is"},     \
        {"guided_grammar", API_TEXT, FIELD(guided_grammar), 0, 0, "a grammar (GBNF)"},             \
        {"grammar", API_TEXT, FIELD(grammar), 0, 0, "llama-server's name of guided_grammar"},      \
        {"json_schema", API_VALUE, FIELD(json_schema), 0, 0, "llama-server's: a schema"},          \
        {"structured_outputs", API_VALUE, FIELD(structured_outputs), 0, 0,                         \
         "vLLM's: {json, regex, choice, grammar, json_object}"},                                   \
        {"response_format", API_VALUE, FIELD(response_format), 0, 0,                               \
         "{type: text | json_object | json_schema}"},                                              \
        {"cache_salt", API_TEXT, FIELD(r.cache_salt), 0, 0, "who shares prompts read before"},     \
        {"receipt", API_BOOL, FIELD(r.receipt), 0, 0,                                              \
         "its receipt with the answer, where the server gives receipts"},                          \
        {"user", API_TEXT, FIELD(r.user), 0, 0, "an end user's name, for your own logs"},          \
        {"metadata", API_NO_EFFECT, 0, 0, 0, "kept by nobody"},                                    \
        {"prompt_logprobs", API_I32, FIELD(r.n_prompt_top), 0, ISO_LOGPROBS_MAX,                   \
         "of the prompt's tokens, with so many alternatives"},                                     \
        {"enforced_str", API_TEXT, FIELD(r.enforced_text), 0, 0, "with verify: the answer"},       \
        {"enforced_tokens", API_VALUE, FIELD(r.enforced), 0, 0,                                    \
         "with verify: the answer, {tokens: [{token, top_tokens}]}"},                              \
        {"logprobs_mode", API_TEXT, FIELD(logprobs_mode), 0, 0,                                    \
         "raw_logprobs; with verify: processed_logprobs, after sampling's stages"},                \
        {"service_tier", API_NO_EFFECT, 0, 0, 0, "there is one"}, {                                \
        "best_of", API_REFUSED, 0, 0, 0, "ask for n answers and choose"                            \
    }

static const struct api_field chat_fields[] = {
    {"messages", API_VALUE, FIELD(r.messages), 0, 0, "[{role, content}]"},
    {"max_completion_tokens", API_U32, FIELD(max_completion_tokens), 0, 4294967295.0,
     "max_tokens by its newer name"},
    {"logprobs", API_BOOL, FIELD(r.logprobs), 0, 0, "of the chosen tokens"},
    {"top_logprobs", API_U32, FIELD(top_logprobs), 0, ISO_LOGPROBS_MAX, "alternatives to each"},
    {"tools", API_VALUE, FIELD(r.tools), 0, 0, "functions that the model may call"},
    {"tool_choice", API_VALUE, FIELD(r.tool_choice), 0, 0, "none | auto | required | one of them"},
    {"chat_template_kwargs", API_VALUE, FIELD(r.kwargs), 0, 0, "for the model's template"},
    {"add_generation_prompt", API_BOOL, FIELD(r.add_generation_prompt), 0, 0,
     "begin the assistant's turn (true)"},
    {"parallel_tool_calls", API_BOOL, FIELD(r.parallel_tool_calls), 0, 0,
     "an answer may call more than one tool (true)"},
    {"reasoning_effort", API_TEXT, FIELD(reasoning_effort), 0, 0,
     "none, or a word that the model's template knows"},
    {"enable_thinking", API_VALUE, FIELD(enable_thinking), 0, 0,
     "whether the model reasons first, where its template can say so"},
    {"reasoning_format", API_TEXT, FIELD(reasoning_format), 0, 0,
     "auto | none: reasoning stays in the content"},
    {"store", API_NO_EFFECT, 0, 0, 0, "nothing is stored"},
    {"audio", API_REFUSED, 0, 0, 0, "models here read and write text"},
    {"modalities", API_NO_EFFECT, 0, 0, 0, "text"},
    {"functions", API_REFUSED, 0, 0, 0, "use tools"},
    {"function_call", API_REFUSED, 0, 0, 0, "use tool_choice"},
    COMMON_FIELDS,
};

static const struct api_field completion_fields[] = {
    {"prompt", API_VALUE, FIELD(prompt), 0, 0, "a text, token ids, or several of either"},
    {"logprobs", API_U32, FIELD(logprobs_count), 0, ISO_LOGPROBS_MAX,
     "alternatives to each token"},
    {"echo", API_BOOL, FIELD(r.echo), 0, 0, "the prompt comes first"},
    {"suffix", API_TEXT, FIELD(r.suffix), 0, 0,
     "what follows the answer, of models that fill in a middle"},
    COMMON_FIELDS,
};

const struct api_table api_chat_table = {"ChatRequest", chat_fields, COUNT_OF(chat_fields),
                                         "messages"};
const struct api_table api_completion_table = {"CompletionRequest", completion_fields,
                                               COUNT_OF(completion_fields), "prompt"};

/* Whether the field of this name was given. */
static bool has(const struct api_field *fields, size_t n_fields, uint64_t given, const char *name)
{
    for (size_t i = 0; i < n_fields; i++)
        if (strcmp(fields[i].name, name) == 0)
            return given >> i & 1;
    CHECK(false);
    return false;
}

/* ---- values that tables cannot say -------------------------------------------------------- */

bool api_stops_read(const json_t *v, struct api_generate *r, struct api_error *e)
{
    if (json_is_string(v)) {
        r->stops[r->n_stops++] = (struct str){json_string_value(v), json_string_length(v)};
    } else if (!json_is_array(v)) {
        return api_fail(e, 400, "stop", "stop must be a text or an array of texts");
    }
    if (json_array_size(v) > API_STOPS_MAX)
        return api_fail(e, 400, "stop", "stop has %zu texts; at most %d", json_array_size(v),
                        API_STOPS_MAX);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        if (!json_is_string(item))
            return api_fail(e, 400, "stop", "stop[%zu] must be a text", i);
        r->stops[r->n_stops++] = (struct str){json_string_value(item), json_string_length(item)};
    }
    for (size_t i = 0; i < r->n_stops; i++)
        if (r->stops[i].len == 0)
            return api_fail(e, 400, "stop", "stop[%zu] is empty", i);
    return true;
}

static bool read_stop_ids(const json_t *v, struct api_generate *r, struct api_error *e)
{
    if (!json_is_array(v))
        return api_fail(e, 400, "stop_token_ids", "stop_token_ids must be an array of token ids");
    if (json_array_size(v) > ISO_STOPS_MAX)
        return api_fail(e, 400, "stop_token_ids", "stop_token_ids has %zu ids; at most %d",
                        json_array_size(v), ISO_STOPS_MAX);
    for (size_t i = 0; i < json_array_size(v); i++) {
        json_int_t id = json_integer_value(json_array_get(v, i));
        if (!json_is_integer(json_array_get(v, i)) || id < 0 || id > INT32_MAX)
            return api_fail(e, 400, "stop_token_ids", "stop_token_ids[%zu] is no token id", i);
        r->stop_ids[r->n_stop_ids++] = (int32_t)id;
    }
    return true;
}

static int by_token(const void *a, const void *b)
{
    const struct iso_bias *x = a, *y = b;
    return (x->token > y->token) - (x->token < y->token);
}

static bool read_biases(const json_t *v, struct api_generate *r, struct api_error *e)
{
    const char *name;
    json_t *value;
    if (!json_is_object(v) || json_object_size(v) > API_BIASES_MAX)
        return api_fail(e, 400, "logit_bias",
                        "logit_bias must be an object of at most %d token ids", API_BIASES_MAX);
    r->biases = mem_array(json_object_size(v), sizeof r->biases[0]);
    if (!r->biases)
        return api_fail(e, 500, NULL, "out of memory");
    json_object_foreach ((json_t *)v, name, value) {
        uint64_t id;
        double bias = json_number_value(value);
        if (!str_to_u64(str_from(name), &id) || id > INT32_MAX)
            return api_fail(e, 400, "logit_bias", "logit_bias has \"%.40s\", no token id", name);
        if (!json_is_number(value) || !(bias >= -100 && bias <= 100))
            return api_fail(e, 400, "logit_bias",
                            "logit_bias of token %s must be a number from -100 to 100", name);
        r->biases[r->n_biases++] = (struct iso_bias){(int32_t)id, (float)bias};
    }
    qsort(r->biases, r->n_biases, sizeof r->biases[0], by_token);
    for (size_t i = 1; i < r->n_biases; i++) /* "7" and "07" */
        if (r->biases[i].token == r->biases[i - 1].token)
            return api_fail(e, 400, "logit_bias", "logit_bias has token %d twice",
                            r->biases[i].token);
    r->sampling.bias = r->biases;
    r->sampling.n_bias = r->n_biases;
    return true;
}

static bool read_stream_options(const json_t *v, struct api_generate *r, struct api_error *e)
{
    static const struct api_field fields[] = {
        {"include_usage", API_BOOL, offsetof(struct api_generate, include_usage), 0, 0,
         "a last event with the numbers of tokens"},
    };
    return api_read(v, "stream_options.", fields, COUNT_OF(fields), r, NULL, &r->unknown, e);
}

/* ---- the answer's shape ------------------------------------------------------------------- */

bool api_shape_set(struct api_generate *r, enum api_shape shape, const json_t *value,
                   struct str text, const char *field, struct api_error *e)
{
    if (r->shape != API_SHAPE_ANY)
        return api_fail(e, 400, field, "%s: the answer's shape is said more than once", field);
    r->shape = shape;
    r->shape_value = value;
    r->shape_text = text;
    return true;
}

bool api_schema_read(struct api_generate *r, const json_t *v, const char *field,
                     struct api_error *e)
{
    if (!json_is_object(v) && !json_is_boolean(v))
        return api_fail(e, 400, field, "%s must be a JSON schema: an object", field);
    return api_shape_set(r, API_SHAPE_SCHEMA, v, STR(""), field, e);
}

static bool read_choices(struct api_generate *r, const json_t *v, const char *field,
                         struct api_error *e)
{
    if (!json_is_array(v) || json_array_size(v) == 0)
        return api_fail(e, 400, field, "%s must be an array of at least one text", field);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i)))
            return api_fail(e, 400, field, "%s[%zu] must be a text", field, i);
    return api_shape_set(r, API_SHAPE_CHOICE, v, STR(""), field, e);
}

static bool read_response_format(struct api_generate *r, const json_t *v, struct api_error *e)
{
    const char *field = "response_format";
    const char *type = json_string_value(json_object_get(v, "type"));
    if (!type)
        return api_fail(e, 400, "response_format.type", "response_format must have a type");
    if (strcmp(type, "text") == 0)
        return true;
    if (strcmp(type, "json_object") == 0) {
        const json_t *schema = json_object_get(v, "schema"); /* llama-server's */
        return schema ? api_schema_read(r, schema, "response_format.schema", e)
                      : api_shape_set(r, API_SHAPE_JSON, NULL, STR(""), field, e);
    }
    if (strcmp(type, "json_schema") == 0) {
        const json_t *schema = json_object_get(json_object_get(v, "json_schema"), "schema");
        if (!schema)
            return api_fail(e, 400, "response_format.json_schema.schema",
                            "response_format.json_schema must have a schema");
        return api_schema_read(r, schema, "response_format.json_schema.schema", e);
    }
    return api_fail(e, 400, "response_format.type",
                    "response_format.type is \"%.40s\"; it may be text, json_object or json_schema",
                    type);
}

/* vLLM's form; its values are those of guided_*. */
static bool read_structured_outputs(struct raw *raw, struct api_error *e)
{
    static const struct api_field fields[] = {
        {"json", API_VALUE, FIELD(guided_json), 0, 0, "a schema"},
        {"regex", API_TEXT, FIELD(guided_regex), 0, 0, "an expression"},
        {"choice", API_VALUE, FIELD(guided_choice), 0, 0, "texts"},
        {"grammar", API_TEXT, FIELD(guided_grammar), 0, 0, "GBNF"},
        {"structural_tag", API_REFUSED, 0, 0, 0, "use a grammar"},
    };
    return api_read(raw->structured_outputs, "structured_outputs.", fields, COUNT_OF(fields), raw,
                    NULL, &raw->r.unknown, e);
}

static bool read_shape(struct raw *raw, struct api_error *e)
{
    struct api_generate *r = &raw->r;
    bool ok = !raw->structured_outputs || read_structured_outputs(raw, e);
    if (ok && raw->response_format)
        ok = read_response_format(r, raw->response_format, e);
    if (ok && raw->guided_json)
        ok = api_schema_read(r, raw->guided_json, "guided_json", e);
    if (ok && raw->json_schema)
        ok = api_schema_read(r, raw->json_schema, "json_schema", e);
    if (ok && raw->guided_choice)
        ok = read_choices(r, raw->guided_choice, "guided_choice", e);
    if (ok && raw->guided_regex.len)
        ok = api_shape_set(r, API_SHAPE_REGEX, NULL, raw->guided_regex, "guided_regex", e);
    if (ok && raw->guided_grammar.len)
        ok = api_shape_set(r, API_SHAPE_GRAMMAR, NULL, raw->guided_grammar, "guided_grammar", e);
    if (ok && raw->grammar.len)
        ok = api_shape_set(r, API_SHAPE_GRAMMAR, NULL, raw->grammar, "grammar", e);
    return ok;
}

/* ---- reasoning ---------------------------------------------------------------------------- */

static bool set_default(json_t *object, const char *key, json_t *value)
{
    bool ok = json_object_get(object, key) || json_object_set(object, key, value) == 0;
    json_decref(value);
    return ok;
}

/* Fields that are words for the template: they join its variables, which count first. */
static bool read_reasoning(struct raw *raw, struct api_error *e)
{
    struct api_generate *r = &raw->r;
    struct str effort = raw->reasoning_effort, format = raw->reasoning_format;
    bool off = str_is(effort, "none") || json_is_false(raw->enable_thinking), ok = true;
    if (raw->enable_thinking && !json_is_boolean(raw->enable_thinking))
        return api_fail(e, 400, "enable_thinking", "enable_thinking must be true or false");
    if (format.len && !str_is(format, "none") && !str_is(format, "auto") &&
        !str_is(format, "deepseek"))
        return api_fail(e, 400, "reasoning_format",
                        "reasoning_format is \"%.*s\"; it may be auto, deepseek or none",
                        STR_ARG(format));
    r->reasoning_is_text = str_is(format, "none");
    if (r->kwargs && !json_is_object(r->kwargs))
        return api_fail(e, 400, "chat_template_kwargs", "chat_template_kwargs must be an object");
    if (effort.len == 0 && !raw->enable_thinking)
        return true;
    json_t *kwargs = r->kwargs ? json_copy((json_t *)r->kwargs) : json_object();
    if (effort.len && !str_is(effort, "none"))
        ok = set_default(kwargs, "reasoning_effort", json_stringn(effort.ptr, effort.len));
    ok = ok && set_default(kwargs, "enable_thinking", json_boolean(!off)) &&
         set_default(kwargs, "thinking", json_boolean(!off));
    r->kwargs = ok ? api_generate_own(r, kwargs) : NULL;
    return r->kwargs || api_fail(e, 500, NULL, "out of memory");
}

/* ---- messages and prompts ----------------------------------------------------------------- */

/* Text alone: a picture or a sound would change the answer. */
static bool check_content(const json_t *content, size_t message, struct api_error *e)
{
    char path[64];
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i);
        const char *type = json_string_value(json_object_get(part, "type"));
        snprintf(path, sizeof path, "messages[%zu].content[%zu]", message, i);
        if (!type || (strcmp(type, "text") != 0 && strcmp(type, "refusal") != 0))
            return api_fail(e, 400, path,
                            "%s is of type \"%.40s\"; models here read and write text", path,
                            type ? type : "?");
        if (!json_is_string(json_object_get(part, type)))
            return api_fail(e, 400, path, "%s has no %s", path, type);
    }
    return true;
}

bool api_messages_check(const json_t *messages, struct api_error *e)
{
    char path[64];
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return api_fail(e, 400, "messages", "messages must be an array of at least one message");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *m = json_array_get(messages, i), *content = json_object_get(m, "content");
        snprintf(path, sizeof path, "messages[%zu]", i);
        if (!json_is_object(m) || !json_is_string(json_object_get(m, "role")))
            return api_fail(e, 400, path, "%s must be an object with a role", path);
        if (!json_is_string(content) && !json_is_array(content) &&
            !json_object_get(m, "tool_calls"))
            return api_fail(e, 400, path, "%s has no content", path);
        if (!check_content(content, i, e))
            return false;
    }
    return true;
}

static bool is_ids(const json_t *v)
{
    return json_array_size(v) > 0 && json_is_integer(json_array_get(v, 0));
}

static bool read_prompt(const json_t *v, struct api_generate *r, struct api_error *e)
{
    if (json_is_string(v)) {
        r->prompt = (struct str){json_string_value(v), json_string_length(v)};
        return true;
    }
    if (is_ids(v)) {
        r->prompt_ids = v;
        return true;
    }
    if (!json_is_array(v) || json_array_size(v) == 0)
        return api_fail(e, 400, "prompt", "prompt must be a text, token ids, or several of either");
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i)) && !is_ids(json_array_get(v, i)))
            return api_fail(e, 400, "prompt", "prompt[%zu] is neither a text nor token ids", i);
    r->prompts = v;
    return true;
}

/* ---- the whole ---------------------------------------------------------------------------- */

void api_generate_begin(struct api_generate *r)
{
    *r = (struct api_generate){.n = 1, .n_max = UINT32_MAX, .n_prompt_top = -1,
                               .messages_field = "messages",
                                .add_generation_prompt = true,
                                .parallel_tool_calls = true};
    r->sampling = iso_request_default().sampling;
    r->sampling.temperature = 1; /* OpenAI's defaults */
    r->sampling.top_p = 1;
    r->sampling.top_k = 0;
    r->sampling.min_p = 0;
    r->sampling.n_penalty_window = UINT32_MAX;
    r->sampling.penalise_answer = true;
    buf_init(&r->unknown, UNKNOWN_BYTES_MAX);
}

static void begin(struct raw *raw)
{
    *raw = (struct raw){.max_tokens = UINT32_MAX, .max_completion_tokens = UINT32_MAX};
    api_generate_begin(&raw->r);
}

/* Where it is not said, the alternatives tell: a choice that had few candidates was filled up with
 * the tokens of the lowest ids. */
static bool looks_processed(const json_t *enforced)
{
    size_t n = 0, n_low = 0;
    const json_t *tokens = json_object_get(enforced, "tokens");
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *top = json_object_get(json_array_get(tokens, i), "top_tokens");
        for (size_t k = 0; k < json_array_size(top); k++, n++) {
            const char *text = json_string_value(json_array_get(top, k));
            uint64_t id;
            n_low += text && str_to_u64(str_from(text), &id) && id < 4;
        }
    }
    return n >= 10 && n_low * 10 > n;
}

static bool read_logprobs_mode(struct raw *raw, struct api_error *e)
{
    struct str mode = raw->logprobs_mode;
    raw->r.processed_logprobs =
        mode.len ? str_is(mode, "processed_logprobs") : looks_processed(raw->r.enforced);
    return mode.len == 0 || raw->r.processed_logprobs || str_is(mode, "raw_logprobs") ||
           api_fail(e, 400, "logprobs_mode",
                    "logprobs_mode is \"%.*s\"; it may be raw_logprobs or processed_logprobs",
                    STR_ARG(mode));
}

/* What both requests have in common, once the tables are read. */
static bool finish(struct raw *raw, struct api_error *e)
{
    struct api_generate *r = &raw->r;
    r->sampling.top_k = raw->top_k > 0 ? (uint32_t)raw->top_k : 0;
    r->n_max = raw->max_tokens < raw->max_completion_tokens ? raw->max_tokens
                                                            : raw->max_completion_tokens;
    if (r->n_max == 0 && !r->echo && r->n_prompt_top < 0)
        return api_fail(e, 400, "max_tokens", "max_tokens is 0; it must be at least 1");
    if (r->stream && r->n_prompt_top >= 0)
        return api_fail(e, 400, "prompt_logprobs", "prompt_logprobs do not come in a stream");
    if (!read_logprobs_mode(raw, e))
        return false;
    if (r->n_min > r->n_max)
        return api_fail(e, 400, "min_tokens", "min_tokens is %u, but max_tokens is %u", r->n_min,
                        r->n_max);
    bool ok = !raw->stop || api_stops_read(raw->stop, r, e);
    if (ok && raw->stop_token_ids)
        ok = read_stop_ids(raw->stop_token_ids, r, e);
    if (ok && raw->logit_bias)
        ok = read_biases(raw->logit_bias, r, e);
    if (ok && raw->stream_options)
        ok = read_stream_options(raw->stream_options, r, e);
    return ok && read_shape(raw, e);
}

bool api_chat_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    struct raw raw;
    uint64_t given = 0;
    begin(&raw);
    json_t *root = raw.r.root = api_parse(body, e);
    bool ok = root && api_read(root, "", chat_fields, COUNT_OF(chat_fields), &raw, &given,
                               &raw.r.unknown, e);
    raw.r.has_seed = has(chat_fields, COUNT_OF(chat_fields), given, "seed");
    raw.r.n_top = raw.top_logprobs;
    if (ok && raw.top_logprobs > 0 && !raw.r.logprobs)
        ok = api_fail(e, 400, "top_logprobs", "top_logprobs needs logprobs to be true");
    ok = ok && api_messages_check(raw.r.messages, e) && read_reasoning(&raw, e) && finish(&raw, e);
    *r = raw.r;
    return ok;
}

bool api_completion_parse(struct str body, struct api_generate *r, struct api_error *e)
{
    struct raw raw;
    uint64_t given = 0;
    begin(&raw);
    raw.max_tokens = 16; /* OpenAI's default for this one */
    json_t *root = raw.r.root = api_parse(body, e);
    bool ok = root && api_read(root, "", completion_fields, COUNT_OF(completion_fields), &raw,
                               &given, &raw.r.unknown, e);
    raw.r.has_seed = has(completion_fields, COUNT_OF(completion_fields), given, "seed");
    raw.r.logprobs = has(completion_fields, COUNT_OF(completion_fields), given, "logprobs");
    raw.r.n_top = raw.logprobs_count;
    ok = ok && read_prompt(raw.prompt, &raw.r, e) && finish(&raw, e);
    if (ok && raw.r.suffix.len > 0 && !raw.r.prompt.ptr)
        ok = api_fail(e, 400, "suffix", "suffix needs a prompt that is one text");
    *r = raw.r;
    return ok;
}

const json_t *api_generate_own(struct api_generate *r, json_t *value)
{
    if (!r->made)
        r->made = json_array();
    return json_array_append_new(r->made, value) == 0 ? value : NULL;
}

void api_generate_release(struct api_generate *r)
{
    json_decref(r->root);
    json_decref(r->made);
    mem_free(r->biases);
    buf_release(&r->unknown);
    *r = (struct api_generate){0};
}
