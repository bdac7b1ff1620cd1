/* fields.c - reads JSON objects by tables of fields. */
#include "api/fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

enum { DEPTH_MAX = 64, UNKNOWN_SHOWN_BYTES = 64 };

/* What clients sent may have been cut inside a character: what is none becomes '?'. */
static void keep_characters(char *text)
{
    uint32_t code_point;
    for (size_t len = strlen(text); len > 0;) {
        int n = utf8_decode(text, len, &code_point);
        if (n == 0)
            text[0] = '?';
        text += n ? n : 1;
        len -= n ? (size_t)n : 1;
    }
}

bool api_fail(struct api_error *e, int status, const char *field, const char *format, ...)
{
    va_list arguments;
    *e = (struct api_error){.status = status};
    snprintf(e->field, sizeof e->field, "%s", field ? field : "");
    va_start(arguments, format);
    vsnprintf(e->message, sizeof e->message, format, arguments);
    va_end(arguments);
    keep_characters(e->field);
    keep_characters(e->message);
    return false;
}

static const char *kind_name(const json_t *v)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",  [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",   [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return names[json_typeof(v)];
}

static bool wrong_kind(struct api_error *e, const char *path, const char *wanted, const json_t *v)
{
    return api_fail(e, 400, path, "%s must be %s, not %s", path, wanted, kind_name(v));
}

/* A number in range; whole ones may be written 5.0, as some clients do. */
static bool read_number(const json_t *v, const char *path, const struct api_field *f, bool whole,
                        double *out, struct api_error *e)
{
    if (!json_is_number(v))
        return wrong_kind(e, path, whole ? "a whole number" : "a number", v);
    double x = json_number_value(v);
    if (whole && x != floor(x))
        return api_fail(e, 400, path, "%s is %g; it must be a whole number", path, x);
    if (!(x >= f->min && x <= f->max))
        return api_fail(e, 400, path, "%s is %.10g; it must be from %.10g to %.10g", path, x,
                        f->min, f->max);
    *out = x;
    return true;
}

static bool is_nothing(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_FALSE:
    case JSON_NULL:
        return true;
    case JSON_ARRAY:
        return json_array_size(v) == 0;
    case JSON_OBJECT:
        return json_object_size(v) == 0;
    case JSON_STRING:
        return json_string_length(v) == 0;
    default:
        return json_is_number(v) && json_number_value(v) == 0;
    }
}

static bool read_field(const json_t *v, const char *path, const struct api_field *f, void *out,
                       struct api_error *e)
{
    double x;
    switch (f->kind) {
    case API_TEXT:
        if (!json_is_string(v))
            return wrong_kind(e, path, "a text", v);
        *(struct str *)out = (struct str){json_string_value(v), json_string_length(v)};
        return true;
    case API_FLOAT:
        if (!read_number(v, path, f, false, &x, e))
            return false;
        *(float *)out = (float)x;
        return true;
    case API_U32:
        if (!read_number(v, path, f, true, &x, e))
            return false;
        *(uint32_t *)out = (uint32_t)x;
        return true;
    case API_I32:
        if (!read_number(v, path, f, true, &x, e))
            return false;
        *(int32_t *)out = (int32_t)x;
        return true;
    case API_SEED:
        if (!json_is_integer(v))
            return wrong_kind(e, path, "a whole number", v);
        *(uint64_t *)out = (uint64_t)json_integer_value(v);
        return true;
    case API_BOOL:
        if (!json_is_boolean(v))
            return wrong_kind(e, path, "true or false", v);
        *(bool *)out = json_is_true(v);
        return true;
    case API_VALUE:
        *(const json_t **)out = v;
        return true;
    case API_NO_EFFECT:
        return true;
    case API_REFUSED:
        return is_nothing(v) || api_fail(e, 400, path, "%s is not supported: %s", path, f->text);
    }
    CHECK(false);
    return false;
}

static void note_unknown(struct buf *unknown, const char *where, const char *name)
{
    if (unknown->n_bytes > 0)
        buf_str(unknown, ", ");
    buf_str(unknown, where);
    /* It goes into a header: nothing but printable ASCII, and not too much of it. */
    for (int i = 0; name[i] && i < UNKNOWN_SHOWN_BYTES; i++)
        buf_char(unknown, name[i] > ' ' && name[i] < 127 ? name[i] : '?');
}

bool api_read(const json_t *object, const char *where, const struct api_field *fields,
              size_t n_fields, void *out, uint64_t *given, struct buf *unknown,
              struct api_error *e)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return wrong_kind(e, where[0] ? where : "the request", "an object", object);
    json_object_foreach ((json_t *)object, name, value) {
        size_t i = 0;
        while (i < n_fields && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == n_fields && unknown)
            note_unknown(unknown, where, name);
        if (i == n_fields || json_is_null(value))
            continue;
        char path[sizeof e->field];
        snprintf(path, sizeof path, "%s%s", where, name);
        if (!read_field(value, path, &fields[i], (char *)out + fields[i].offset, e))
            return false;
        if (given && i < 64)
            *given |= (uint64_t)1 << i;
    }
    return true;
}

/* jansson recurses: depth is bounded before it sees the text. */
static bool is_too_deep(struct str s)
{
    int depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (in_text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_text = false;
        } else if (c == '"') {
            in_text = true;
        } else if (c == '[' || c == '{') {
            if (++depth > DEPTH_MAX)
                return true;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

json_t *api_parse(struct str body, struct api_error *e)
{
    json_error_t fault;
    if (is_too_deep(body)) {
        api_fail(e, 400, NULL, "the JSON is nested deeper than %d", DEPTH_MAX);
        return NULL;
    }
    json_t *root = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (!root) {
        api_fail(e, 400, NULL, "the body is not JSON: %s (line %d, column %d)", fault.text,
                 fault.line, fault.column);
        return NULL;
    }
    if (!json_is_object(root)) {
        api_fail(e, 400, NULL, "the body must be a JSON object, not %s", kind_name(root));
        json_decref(root);
        return NULL;
    }
    return root;
}

static int add_text(const char *bytes, size_t n_bytes, void *out)
{
    buf_add(out, bytes, n_bytes);
    return ((struct buf *)out)->failed ? -1 : 0;
}

bool api_dump(const json_t *value, struct buf *out)
{
    return json_dump_callback(value, add_text, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}
