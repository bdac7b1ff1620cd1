/* chat.c - what a template is given of a conversation, and the built-in templates. */
#include "text/chat.h"

#include <stdio.h>

#include <jansson.h>

#include "base/check.h"
#include "base/mem.h"
#include "text/jinja.h"

struct chat_template {
    struct jinja *jinja;
    char *source; /* [n_source] */
    size_t n_source;
};

enum err chat_template_new(struct chat_template **out, struct str source, struct err_note *note)
{
    *out = mem_zalloc(sizeof **out);
    if (!*out)
        return err_set(note, ERR_MEMORY, "no memory for a chat template");
    (*out)->source = mem_strndup(source.ptr, source.len);
    (*out)->n_source = source.len;
    enum err e = (*out)->source ? jinja_new(&(*out)->jinja, source, note)
                                : err_set(note, ERR_MEMORY, "no memory for its source");
    if (e != ERR_OK) {
        chat_template_free(*out);
        *out = NULL;
        return err_wrap(note, e, "chat template");
    }
    return ERR_OK;
}

void chat_template_free(struct chat_template *t)
{
    if (t) {
        jinja_free(t->jinja);
        mem_free(t->source);
        mem_free(t);
    }
}

struct str chat_template_source(const struct chat_template *t)
{
    return (struct str){t->source, t->n_source};
}

const uint8_t *chat_template_hash(const struct chat_template *t)
{
    return jinja_hash(t->jinja);
}

/* A prefix and a suffix around each message, by role, then what begins the answer. A role or a
 * content that a template does not know is an error, never dropped. */
#define CHAT_ROLES(line, prompt)                                                                   \
    "{% for message in messages %}"                                                                \
    "{% if message.content is not string and message.content is not none %}"                       \
    "{{ raise_exception('this template takes only text as content') }}{% endif %}"                 \
    "{% set text = message.content or '' %}"                                                       \
    "{% if message.role in ['system', 'user', 'assistant'] %}" line "{% else %}"                   \
    "{{ raise_exception('this template has no role ' ~ message.role) }}"                           \
    "{% endif %}{% endfor %}{% if add_generation_prompt %}" prompt "{% endif %}"

static const struct {
    const char *name, *source;
} builtins[] = {
    {"r1", CHAT_ROLES("{{ '<|' ~ message.role | capitalize ~ '|>' ~ text ~ '<|end|>\n' }}",
                      "<|Assistant|>")},
    {"llama3.1", CHAT_ROLES("{% if message.role == 'system' %}<|begin_of_text|>{% endif %}"
                            "{{ '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\n\n' ~ "
                            "text ~ '<|eot_id|>' }}",
                            "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}")},
    /* Mistral knows no system role: its text goes before the next user's. */
    {"mistral", "{% set ns = namespace(system='') %}" CHAT_ROLES(
                    "{% if message.role == 'system' %}"
                    "{% set ns.system = ns.system ~ text ~ '\n\n' %}"
                    "{% elif message.role == 'assistant' %}{{ text ~ '</s>' }}"
                    "{% else %}{{ '[INST] ' ~ ns.system ~ text ~ ' [/INST]' }}"
                    "{% set ns.system = '' %}{% endif %}",
                    "") "{% if ns.system %}{{ raise_exception("
                        "'this template needs a user message after the system message') }}"
                        "{% endif %}"},
    {"qwen2", CHAT_ROLES("{{ '<|im_start|>' ~ message.role ~ '\n' ~ text ~ '<|im_end|>\n' }}",
                         "{{ '<|im_start|>assistant\n' }}")},
    {"deepseek", CHAT_ROLES("{{ {'system': '', 'user': '### Instruction:\n', "
                            "'assistant': '### Response:\n'}[message.role] ~ text ~ '\n' }}",
                            "{{ '### Response:\n' }}")},
    {"phi3", CHAT_ROLES("{{ '<|' ~ message.role ~ '|>\n' ~ text ~ '<|end|>\n' }}",
                        "{{ '<|assistant|>\n' }}")},
    {"plain", "{% for message in messages %}{{ message.role ~ ': ' ~ message.content ~ '\n' }}"
              "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"},
};

enum err chat_template_builtin(struct chat_template **out, const char *name, struct err_note *note)
{
    struct buf names;
    *out = NULL;
    for (size_t i = 0; i < COUNT_OF(builtins); i++)
        if (strcmp(builtins[i].name, name) == 0)
            return chat_template_new(out, str_from(builtins[i].source), note);
    buf_init(&names, 256);
    for (size_t i = 0; i < COUNT_OF(builtins); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", builtins[i].name);
    err_set(note, ERR_NOT_FOUND, "no built-in chat template is called '%s'; there are %s", name,
            names.bytes ? names.bytes : "");
    buf_release(&names);
    return ERR_NOT_FOUND;
}

static bool find_choice(const struct chat_choice *choices, size_t n, const char *name,
                        size_t *index)
{
    for (*index = 0; *index < n; ++*index)
        if (str_is(choices[*index].name, name))
            return true;
    return false;
}

enum err chat_choose(const struct chat_choice *choices, size_t n_choices, const char *wanted,
                     bool has_tools, size_t *index, struct err_note *note)
{
    struct buf names;
    if (wanted ? find_choice(choices, n_choices, wanted, index)
               : (has_tools && find_choice(choices, n_choices, "tool_use", index)) ||
                     find_choice(choices, n_choices, "default", index))
        return ERR_OK;
    *index = 0;
    if (!wanted && n_choices == 1)
        return ERR_OK;
    buf_init(&names, 256);
    for (size_t i = 0; i < n_choices; i++)
        buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(choices[i].name));
    err_set(note, ERR_NOT_FOUND, "the model has no chat template '%s'; it has: %s",
            wanted ? wanted : "default", names.bytes ? names.bytes : "none");
    buf_release(&names);
    return ERR_NOT_FOUND;
}

static bool set_text(json_t *object, const char *key, struct str text)
{
    return !text.ptr || json_object_set_new(object, key, json_stringn(text.ptr, text.len)) == 0;
}

static enum err message_json(const struct chat_message *m, json_t **out, struct err_note *note)
{
    json_error_t error;
    json_t *object = *out = json_object();
    bool ok = object && set_text(object, "role", m->role) &&
              set_text(object, "content", m->content) && set_text(object, "name", m->name) &&
              set_text(object, "tool_call_id", m->tool_call_id) &&
              set_text(object, "reasoning_content", m->reasoning_content);
    if (!ok)
        return err_set(note, ERR_FORMAT, "a message is not UTF-8");
    if (!m->tool_calls.ptr)
        return ERR_OK;
    json_t *calls = json_loadb(m->tool_calls.ptr, m->tool_calls.len, JSON_ALLOW_NUL, &error);
    if (!json_is_array(calls)) {
        json_decref(calls);
        return err_set(note, ERR_FORMAT, "tool_calls is not a JSON array: %s",
                       calls ? "another type" : error.text);
    }
    return json_object_set_new(object, "tool_calls", calls) == 0
               ? ERR_OK
               : err_set(note, ERR_MEMORY, "no memory for a message");
}

/* Reasoning has had three names; a template may read the new one, or gpt-oss's "thinking". As
 * Transformers does: thinking comes first unless the message has it, reasoning_content is set. */
static json_t *alias_reasoning(json_t *message)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    json_t *reasoning = NULL, *copy;
    for (size_t i = 0; i < COUNT_OF(names) && !reasoning; i++) {
        json_t *v = json_object_get(message, names[i]);
        reasoning = v && !json_is_null(v) ? v : NULL;
    }
    if (!reasoning)
        return json_incref(message);
    copy = json_object();
    if (!copy || json_object_set(copy, "thinking", reasoning) != 0 ||
        json_object_update(copy, message) != 0 ||
        json_object_set(copy, "reasoning_content", reasoning) != 0) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

static enum err messages_json(const struct chat_request *request, json_t **out,
                              struct err_note *note)
{
    const json_t *given = (const json_t *)request->messages_json;
    size_t n = given ? json_array_size(given) : request->n_messages;
    enum err e = ERR_OK;
    *out = json_array();
    if (given && !json_is_array(given))
        return err_set(note, ERR_FORMAT, "the messages are not a JSON array");
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        json_t *message = NULL;
        if (given)
            message = json_incref(json_array_get(given, i));
        else
            e = message_json(&request->messages[i], &message, note);
        if (e == ERR_OK && !json_is_object(message))
            e = err_set(note, ERR_FORMAT, "message %zu is not a JSON object", i);
        if (e == ERR_OK && json_array_append_new(*out, alias_reasoning(message)) != 0)
            e = err_set(note, ERR_MEMORY, "no memory for the messages");
        json_decref(message);
    }
    return e;
}

enum { CHAT_VARIABLES_MAX = 8, CHAT_KWARGS_MAX = 256 };

enum err chat_render(const struct chat_template *t, const struct chat_request *request,
                     struct buf *out, struct err_note *note)
{
    struct jinja_variable variables[CHAT_VARIABLES_MAX + CHAT_KWARGS_MAX];
    struct jinja_limits limits = jinja_limits_default();
    json_t *messages, *kwargs = (json_t *)(uintptr_t)request->kwargs;
    size_t n = 0;
    const struct {
        const char *name;
        struct str text;
    } tokens[] = {{"bos_token", request->bos_token},
                  {"eos_token", request->eos_token},
                  {"unk_token", request->unk_token},
                  {"pad_token", request->pad_token}};
    if (kwargs && (!json_is_object(kwargs) || json_object_size(kwargs) > CHAT_KWARGS_MAX))
        return err_set(note, ERR_FORMAT, "a chat template's variables must be a JSON object with "
                       "at most %d members", CHAT_KWARGS_MAX);
    enum err e = messages_json(request, &messages, note);
    json_t *absent = json_null();
    variables[n++] = (struct jinja_variable){.name = "messages", .value = messages};
    variables[n++] = (struct jinja_variable){
        .name = "tools", .value = request->tools ? request->tools : absent};
    variables[n++] = (struct jinja_variable){
        .name = "documents", .value = request->documents ? request->documents : absent};
    variables[n++] = (struct jinja_variable){.name = "add_generation_prompt",
                                             .value = json_boolean(request->add_generation_prompt)};
    for (size_t i = 0; i < COUNT_OF(tokens); i++)
        if (tokens[i].text.ptr)
            variables[n++] =
                (struct jinja_variable){.name = tokens[i].name, .text = tokens[i].text};
    for (void *at = json_object_iter(kwargs); at; at = json_object_iter_next(kwargs, at))
        variables[n++] = (struct jinja_variable){.name = json_object_iter_key(at),
                                                 .value = json_object_iter_value(at)};
    if (e == ERR_OK)
        e = jinja_render(t->jinja, variables, n, request->now_s, &limits, out, note);
    json_decref(messages);
    return e;
}
