/* chat_record.c - what is kept of a chat, as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/chat_session.h"

enum { RECORD_VERSION = 1, TOKENS_MAX = 1 << 30 };

void chat_record_release(struct chat_record *r)
{
    conversation_release(&r->conversation);
    for (size_t i = 0; i < r->n_options; i++)
        mem_free(r->options[i]);
    mem_free(r->options);
    mem_free(r->tokens);
    *r = (struct chat_record){0};
}

static enum err add_option(struct chat_record *r, const char *text, struct err_note *note)
{
    if (r->n_options == SESSION_OPTIONS_MAX)
        return err_set(note, ERR_LIMIT, "more than %d options", SESSION_OPTIONS_MAX);
    char **more = mem_resize(r->options, (r->n_options + 1) * sizeof *more);
    if (more)
        r->options = more;
    char *copy = more ? mem_strdup(text) : NULL;
    if (!copy)
        return err_set(note, ERR_MEMORY, "out of memory for options");
    r->options[r->n_options++] = copy;
    return ERR_OK;
}

/* Whether options [i, i + n) are those from end on. */
static bool same_run(const struct chat_record *r, size_t i, size_t end, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(r->options[i + k], r->options[end + k]) != 0)
            return false;
    return true;
}

/* The options from end on were there before: the last of all is what counts. */
static void drop_repeat(struct chat_record *r, size_t end)
{
    size_t n = r->n_options - end, i = 0;
    while (i + n <= end && !same_run(r, i, end, n))
        i++;
    if (n == 0 || i + n > end)
        return;
    for (size_t k = 0; k < n; k++)
        mem_free(r->options[i + k]);
    r->n_options -= n;
    memmove(&r->options[i], &r->options[i + n], (r->n_options - i) * sizeof r->options[0]);
}

enum err chat_record_add_options(struct chat_record *r, int argc, char **argv, const char *model,
                                 struct err_note *note)
{
    enum err rc = ERR_OK;
    size_t end = r->n_options;
    for (int i = 1; i < argc && !rc; i++) {
        if (strcmp(argv[i], "--session") == 0)
            i++;
        else if (strncmp(argv[i], "--session=", 10) != 0)
            rc = add_option(r, argv[i], note);
    }
    if (!rc && model)
        rc = add_option(r, "-m", note);
    if (!rc && model)
        rc = add_option(r, model, note);
    if (!rc)
        drop_repeat(r, end);
    return rc;
}

static enum err read_tokens(struct chat_record *r, const json_t *list, struct err_note *note)
{
    size_t n = json_array_size(list);
    r->tokens = mem_array(n + 1, sizeof r->tokens[0]);
    if (!r->tokens)
        return err_set(note, ERR_MEMORY, "out of memory for %zu tokens", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id > INT32_MAX)
            return err_set(note, ERR_FORMAT, "token %zu is no id", i);
        r->tokens[r->n_tokens++] = (int32_t)id;
    }
    return ERR_OK;
}

static enum err read_options(struct chat_record *r, const json_t *list, struct err_note *note)
{
    enum err rc = ERR_OK;
    for (size_t i = 0; i < json_array_size(list) && !rc; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        rc = text ? add_option(r, text, note) : err_set(note, ERR_FORMAT, "option %zu no text", i);
    }
    return rc;
}

static bool read_key(const char *hex, uint8_t key[SHA256_BYTES])
{
    if (strlen(hex) != 2 * SHA256_BYTES || strspn(hex, "0123456789abcdef") != 2 * SHA256_BYTES)
        return false;
    for (int i = 0; i < SHA256_BYTES; i++) {
        const char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        key[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return true;
}

static enum err read_all(struct chat_record *r, json_t *json, struct err_note *note)
{
    json_t *messages, *tokens, *options;
    const char *arithmetic, *key, *seed;
    int version;
    json_error_t error;
    if (json_unpack_ex(json, &error, 0, "{s:i,s:s,s:s,s:s,s:F,s:o,s:o,s:o}", "version", &version,
                       "arithmetic", &arithmetic, "model_key", &key, "seed", &seed, "temperature",
                       &r->temperature, "options", &options, "messages", &messages, "tokens",
                       &tokens))
        return err_set(note, ERR_FORMAT, "%s", error.text);
    if (version != RECORD_VERSION)
        return err_set(note, ERR_FORMAT, "version %d, not %d", version, RECORD_VERSION);
    if (!read_key(key, r->model_key) || !str_to_u64(str_from(seed), &r->seed) ||
        strlen(arithmetic) >= sizeof r->arithmetic || !(r->temperature >= 0) ||
        !json_is_array(options) || !json_is_array(messages) || !json_is_array(tokens))
        return err_set(note, ERR_FORMAT, "a value of the wrong kind");
    memcpy(r->arithmetic, arithmetic, strlen(arithmetic) + 1);
    enum err rc = conversation_from_json(&r->conversation, messages, note);
    if (!rc)
        rc = read_options(r, options, note);
    return rc ? rc : read_tokens(r, tokens, note);
}

enum err chat_record_parse(struct chat_record *r, struct str text, const char *name,
                           struct err_note *note)
{
    json_error_t error;
    *r = (struct chat_record){0};
    json_t *json = json_loadb(text.ptr, text.len, 0, &error);
    enum err rc = json ? read_all(r, json, note)
                       : err_set(note, ERR_FORMAT, "line %d: %s", error.line, error.text);
    json_decref(json);
    if (rc) {
        chat_record_release(r);
        err_wrap(note, rc, "the session %s is damaged (isobit chat --forget %s deletes it)", name,
                 name);
    }
    return rc;
}

struct json_t *chat_record_json(const struct chat_record *r)
{
    char key[SHA256_HEX], seed[24];
    json_t *tokens = json_array(), *options = json_array();
    for (size_t i = 0; i < r->n_tokens; i++)
        json_array_append_new(tokens, json_integer(r->tokens[i]));
    for (size_t i = 0; i < r->n_options; i++)
        json_array_append_new(options, json_string(r->options[i]));
    hex_of(r->model_key, SHA256_BYTES, key);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)r->seed);
    return json_pack("{s:i,s:s,s:s,s:s,s:f,s:o,s:o,s:o}", "version", RECORD_VERSION, "arithmetic",
                     r->arithmetic, "model_key", key, "seed", seed, "temperature", r->temperature,
                     "options", options, "messages", conversation_json(&r->conversation), "tokens",
                     tokens);
}
