/* hf_json.c - typed look-ups in JSON. */
#include "format/hf_json.h"

#include <stdarg.h>
#include <stdio.h>

enum err hf_json_parse(const char *bytes, size_t n_bytes, const char *file, json_t **out,
                       struct err_note *note)
{
    json_error_t e;
    *out = json_loadb(bytes, n_bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    if (!*out)
        return err_set(note, ERR_FORMAT, "%s: line %d: %s", file, e.line, e.text);
    if (json_is_object(*out))
        return ERR_OK;
    json_decref(*out);
    *out = NULL;
    return err_set(note, ERR_FORMAT, "%s: not a JSON object", file);
}

void hf_json_fail(const struct hf_json *j, enum err code, const char *format, ...)
{
    if (*j->rc)
        return;
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    *j->rc = err_set(j->note, code, "%s: %s", j->file, text);
}

static const json_t *get(const struct hf_json *j, const char *key)
{
    const json_t *v = j->object ? json_object_get(j->object, key) : NULL;
    return v && !json_is_null(v) ? v : NULL;
}

static void wrong(const struct hf_json *j, const char *key, const char *expected)
{
    hf_json_fail(j, ERR_FORMAT, "\"%s\" is not %s", key, expected);
}

bool hf_json_has(const struct hf_json *j, const char *key)
{
    return get(j, key) != NULL;
}

struct hf_json hf_json_sub(const struct hf_json *j, const char *key)
{
    struct hf_json sub = *j;
    sub.object = get(j, key);
    if (sub.object && !json_is_object(sub.object)) {
        wrong(j, key, "an object");
        sub.object = NULL;
    }
    return sub;
}

uint32_t hf_json_u32(const struct hf_json *j, const char *key, uint32_t fallback)
{
    const json_t *v = get(j, key);
    if (!v)
        return fallback;
    if (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= UINT32_MAX)
        return (uint32_t)json_integer_value(v);
    wrong(j, key, "a number from 0 to 4294967295");
    return fallback;
}

uint32_t hf_json_u32_required(const struct hf_json *j, const char *key)
{
    if (!get(j, key))
        hf_json_fail(j, ERR_FORMAT, "\"%s\" is missing", key);
    return hf_json_u32(j, key, 1);
}

double hf_json_f64(const struct hf_json *j, const char *key, double fallback)
{
    const json_t *v = get(j, key);
    if (!v)
        return fallback;
    if (json_is_number(v))
        return json_number_value(v);
    wrong(j, key, "a number");
    return fallback;
}

bool hf_json_bool(const struct hf_json *j, const char *key, bool fallback)
{
    const json_t *v = get(j, key);
    if (!v)
        return fallback;
    if (!json_is_boolean(v))
        wrong(j, key, "true or false");
    return json_is_true(v);
}

struct str hf_json_str(const struct hf_json *j, const char *key, struct str fallback)
{
    const json_t *v = get(j, key);
    if (!v)
        return fallback;
    if (json_is_string(v))
        return (struct str){json_string_value(v), json_string_length(v)};
    wrong(j, key, "a string");
    return fallback;
}

const json_t *hf_json_array(const struct hf_json *j, const char *key)
{
    const json_t *v = get(j, key);
    if (v && !json_is_array(v)) {
        wrong(j, key, "an array");
        return NULL;
    }
    return v;
}
