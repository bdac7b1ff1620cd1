/* answer_fields.c - arguments that are written one by one, as text: they become a JSON object.
 *
 * What the tool's schema says is a text becomes a string as it comes. Anything else waits for its
 * end: it is the value that it spells, and a string if it spells none. */
#include <stdio.h>

#include <jansson.h>

#include "base/check.h"
#include "text/answer_int.h"

enum { ALTERNATIVES_MAX = 32 };

static void say(struct answer_reader *r, const char *text)
{
    answer_arguments(r, str_from(text));
}

static void say_escaped(struct answer_reader *r, struct str text)
{
    static const char letters[] = "btn\0fr";
    char escaped[8];
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        int n = 0;
        if (c == '"' || c == '\\')
            n = snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c >= 8 && c <= 13 && c != 11)
            n = snprintf(escaped, sizeof escaped, "\\%c", letters[c - 8]);
        else if (c < 0x20)
            n = snprintf(escaped, sizeof escaped, "\\u%04x", c);
        answer_arguments(r, n ? (struct str){escaped, (size_t)n} : str_sub(text, i, i + 1));
    }
}

/* ---- what a field is ---------------------------------------------------------------------- */

static unsigned type_named(const json_t *name)
{
    const char *text = json_string_value(name);
    return !text ? 0 : strcmp(text, "string") == 0 ? ANSWER_TYPE_STRING : ANSWER_TYPE_OTHER;
}

static unsigned type_of_value(const json_t *v)
{
    return json_is_string(v) ? ANSWER_TYPE_STRING : ANSWER_TYPE_OTHER;
}

/* What one schema says by its own words; 0: nothing. */
static unsigned types_said(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type"), *list = json_object_get(schema, "enum");
    unsigned types = type_named(type);
    for (size_t i = 0; i < json_array_size(type); i++)
        types |= type_named(json_array_get(type, i));
    for (size_t i = 0; i < json_array_size(list) && !type; i++)
        types |= type_of_value(json_array_get(list, i));
    if (!types && json_object_get(schema, "const"))
        types = type_of_value(json_object_get(schema, "const"));
    return types;
}

static unsigned types_of(const json_t *schema)
{
    static const char *const keywords[] = {"anyOf", "oneOf"};
    unsigned types = types_said(schema);
    for (size_t k = 0; k < COUNT_OF(keywords) && !types; k++) {
        const json_t *list = json_object_get(schema, keywords[k]);
        for (size_t i = 0; i < json_array_size(list) && i < ALTERNATIVES_MAX; i++) {
            unsigned said = types_said(json_array_get(list, i));
            types |= said ? said : ANSWER_TYPE_STRING | ANSWER_TYPE_OTHER;
        }
    }
    return types ? types : ANSWER_TYPE_STRING | ANSWER_TYPE_OTHER;
}

unsigned answer_field_types(const json_t *function, const char *field)
{
    const json_t *parameters = json_object_get(function, "parameters");
    const json_t *properties = json_object_get(parameters, "properties");
    return types_of(json_object_get(properties, field));
}

/* ---- one field ---------------------------------------------------------------------------- */

static void begin_value(struct answer_reader *r)
{
    const json_t *tool = answer_tool(r, answer_buf(&r->name));
    r->is_string = answer_field_types(tool, answer_buf(&r->key).ptr) == ANSWER_TYPE_STRING;
    r->field = FIELD_BEGUN;
    r->line_end = false;
    buf_clear(&r->value);
    buf_clear(&r->held);
    say(r, r->n_fields++ ? ", \"" : "\"");
    say_escaped(r, answer_buf(&r->key));
    say(r, r->is_string ? "\": \"" : "\": ");
}

static void take_value_byte(struct answer_reader *r, char c)
{
    if (r->is_string)
        say_escaped(r, (struct str){&c, 1});
    else
        buf_char(&r->value, c);
}

/* The last line end is not the text's. */
static void take_value(struct answer_reader *r, char c)
{
    bool line_end = r->style.form->fields.lines && c == '\n';
    if (r->line_end)
        take_value_byte(r, '\n');
    r->line_end = line_end;
    if (!line_end)
        take_value_byte(r, c);
}

static struct str trimmed(struct str s)
{
    while (s.len && answer_is_space(s.ptr[s.len - 1]))
        s.len--;
    while (s.len && answer_is_space(s.ptr[0]))
        s = str_sub(s, 1, s.len);
    return s;
}

/* A value that need not be a string: JSON, or Python's words for it. */
static void say_value(struct answer_reader *r)
{
    static const char *const words[][2] = {{"True", "true"}, {"False", "false"}, {"None", "null"}};
    struct str text = trimmed(answer_buf(&r->value));
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_is(text, words[i][0]))
            text = str_from(words[i][1]);
    struct json_scan scan;
    json_scan_begin(&scan);
    for (size_t i = 0; i < text.len; i++)
        json_scan_byte(&scan, (unsigned char)text.ptr[i]);
    bool plain = memchr(text.ptr, '\n', text.len) == NULL; /* else within a string, perhaps */
    if (json_scan_end(&scan) && (plain || text.ptr[0] == '{' || text.ptr[0] == '[')) {
        answer_arguments(r, text);
        return;
    }
    say(r, "\"");
    say_escaped(r, answer_buf(&r->value));
    say(r, "\"");
}

static void end_value(struct answer_reader *r)
{
    if (r->is_string)
        say(r, "\"");
    else
        say_value(r);
    r->field = FIELD_BETWEEN;
    buf_clear(&r->held);
}

/* ---- all of them -------------------------------------------------------------------------- */

void answer_fields_begin(struct answer_reader *r)
{
    r->field = FIELD_BETWEEN;
    r->n_fields = 0;
}

static void make_certain(struct answer_reader *r)
{
    if (r->certain)
        return;
    answer_call_certain(r);
    say(r, "{");
}

static void take_between(struct answer_reader *r, char c)
{
    const struct answer_fields *f = &r->style.form->fields;
    if (r->held.n_bytes == 0 && answer_is_space(c))
        return;
    buf_char(&r->held, c);
    int key = answer_match(&r->held, f->key), end = answer_match(&r->held, f->end);
    if (key == 2 || end == 2)
        make_certain(r);
    if (key == 2) {
        r->field = FIELD_NAME;
        buf_clear(&r->key);
    } else if (end == 2) {
        say(r, "}");
        answer_next_step(r);
    } else if (!key && !end) {
        if (r->certain)
            say(r, "}");
        answer_call_leave(r, r->held.n_bytes--, c);
    }
}

static void take_name(struct answer_reader *r, char c)
{
    const struct answer_fields *f = &r->style.form->fields;
    buf_char(&r->key, c);
    if (!str_ends(answer_buf(&r->key), str_from(f->key_end)))
        return;
    r->key.n_bytes -= strlen(f->key_end);
    r->key.bytes[r->key.n_bytes] = 0;
    buf_clear(&r->held);
    if (f->value)
        r->field = FIELD_OPEN;
    else
        begin_value(r);
}

static void take_open(struct answer_reader *r, char c)
{
    if (r->held.n_bytes == 0 && answer_is_space(c))
        return;
    buf_char(&r->held, c);
    int match = answer_match(&r->held, r->style.form->fields.value);
    if (match == 1)
        return;
    if (match == 0)
        answer_again(r, answer_buf(&r->held));
    begin_value(r);
}

static void take_text(struct answer_reader *r, char c)
{
    buf_char(&r->held, c);
    int match = answer_match(&r->held, r->style.form->fields.value_end);
    if (match == 2) {
        end_value(r);
    } else if (match == 0) {
        char first = r->held.bytes[0];
        answer_again(r, str_sub(answer_buf(&r->held), 1, r->held.n_bytes));
        buf_clear(&r->held);
        take_value(r, first);
    }
}

void answer_fields_byte(struct answer_reader *r, char c)
{
    switch (r->field) {
    case FIELD_BETWEEN:
        take_between(r, c);
        return;
    case FIELD_NAME:
        take_name(r, c);
        return;
    case FIELD_OPEN:
        take_open(r, c);
        return;
    case FIELD_BEGUN:
        r->field = FIELD_TEXT;
        if (!r->style.form->fields.lines || c != '\n')
            take_text(r, c);
        return;
    case FIELD_TEXT:
        take_text(r, c);
        return;
    }
}

void answer_fields_end(struct answer_reader *r)
{
    if (r->field != FIELD_TEXT)
        return;
    for (size_t i = 0; i < r->held.n_bytes; i++)
        take_value(r, r->held.bytes[i]);
    if (!r->is_string)
        answer_arguments(r, answer_buf(&r->value));
}
