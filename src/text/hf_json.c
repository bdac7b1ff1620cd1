/* hf_json.c - strict look-ups in the JSON of a tokenizer. */
#include "text/hf_json.h"

enum err hf_parse(struct str bytes, const char *what, json_t **out, struct err_note *note)
{
    json_error_t error;
    const char *text = bytes.len ? bytes.ptr : "";
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    *out = json_loadb(text, bytes.len, flags, &error);
    /* Most tokenizer_config.json say "no limit" by an integer of 31 digits. */
    if (!*out && json_error_code(&error) == json_error_numeric_overflow)
        *out = json_loadb(text, bytes.len, flags | JSON_DECODE_INT_AS_REAL, &error);
    if (!*out)
        return err_set(note, ERR_FORMAT, "%s, line %d: %s", what, error.line, error.text);
    if (json_is_object(*out))
        return ERR_OK;
    json_decref(*out);
    *out = NULL;
    return err_set(note, ERR_FORMAT, "%s is not a JSON object", what);
}

const json_t *hf_get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

struct str hf_text(const json_t *string)
{
    return (struct str){json_string_value(string), json_string_length(string)};
}

enum err hf_bool(const json_t *object, const char *owner, const char *key, bool fallback, bool *out,
                 struct err_note *note)
{
    const json_t *value = hf_get(object, key);
    *out = value ? json_is_true(value) : fallback;
    if (value && !json_is_boolean(value))
        return err_set(note, ERR_FORMAT, "%s of %s is not true or false", key, owner);
    return ERR_OK;
}

enum err hf_str(const json_t *object, const char *owner, const char *key, struct str fallback,
                struct str *out, struct err_note *note)
{
    const json_t *value = hf_get(object, key);
    *out = fallback;
    if (value && !json_is_string(value))
        return err_set(note, ERR_FORMAT, "%s of %s is not a string", key, owner);
    if (value)
        *out = hf_text(value);
    return ERR_OK;
}

enum err hf_int(const json_t *object, const char *owner, const char *key, int64_t fallback,
                int64_t *out, struct err_note *note)
{
    const json_t *value = hf_get(object, key);
    *out = value ? json_integer_value(value) : fallback;
    if (value && !json_is_integer(value))
        return err_set(note, ERR_FORMAT, "%s of %s is not an integer", key, owner);
    return ERR_OK;
}

enum err hf_array(const json_t *object, const char *owner, const char *key, const json_t **out,
                  struct err_note *note)
{
    *out = hf_get(object, key);
    if (!json_is_array(*out))
        return err_set(note, ERR_FORMAT, "%s of %s is %s", key, owner,
                       *out ? "not an array" : "missing");
    return ERR_OK;
}
