/* answer_write.c - the steps of a form, written. */
#include "text/answer_write.h"

#include <jansson.h>

#include "text/answer_int.h"

static void add_json(struct buf *out, const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY);
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    buf_str(out, text ? text : "{}");
    release(text);
}

static void add_value(struct buf *out, const json_t *v)
{
    if (json_is_string(v))
        buf_add(out, json_string_value(v), json_string_length(v));
    else
        add_json(out, v);
}

static void write_fields(const struct answer_form *f, const json_t *arguments, struct buf *out)
{
    const struct answer_fields *x = &f->fields;
    const char *line = x->lines ? "\n" : "", *key;
    json_t *value;
    buf_char(out, '\n');
    json_object_foreach((json_t *)(uintptr_t)arguments, key, value)
    {
        buf_printf(out, "%s%s%s", x->key, key, x->key_end);
        if (x->value)
            buf_printf(out, "\n%s", x->value);
        buf_str(out, line);
        add_value(out, value);
        buf_printf(out, "%s%s\n", line, x->value_end);
    }
    buf_str(out, x->end);
}

static void write_object(const struct answer_form *f, const char *name, const json_t *arguments,
                         struct buf *out)
{
    buf_printf(out, "{\"%s\": \"%s\", \"%s\": ", f->name_key, name, f->arguments_key);
    add_value(out, arguments);
    buf_char(out, '}');
}

static void write_step(const struct answer_form *f, struct answer_step step, const json_t *call,
                       size_t i, struct buf *out)
{
    const json_t *function = json_object_get(call, "function");
    const json_t *arguments = json_object_get(function, "arguments");
    const char *name = json_string_value(json_object_get(function, "name"));
    name = name ? name : "";
    switch (step.kind) {
    case STEP_SPACE:
        buf_char(out, '\n');
        return;
    case STEP_NAME:
        buf_printf(out, "%s%s", f->name_prefix ? f->name_prefix : "", name);
        if (f->ids == IDS_KIMI)
            buf_printf(out, ":%zu", i);
        /* fall through */
    case STEP_TEXT:
    case STEP_OPTION:
        buf_str(out, step.text ? step.text : "");
        return;
    case STEP_ARGUMENTS:
        add_value(out, arguments);
        return;
    case STEP_OBJECT:
        write_object(f, name, arguments, out);
        return;
    case STEP_OBJECTS:
        buf_char(out, '[');
        write_object(f, name, arguments, out);
        buf_char(out, ']');
        return;
    case STEP_FIELDS:
        write_fields(f, arguments, out);
        return;
    case STEP_END:
        return;
    }
}

void answer_write_calls(const struct answer_form *f, const json_t *calls, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(calls); i++) {
        if (i > 0)
            buf_char(out, '\n');
        if (f->section)
            buf_printf(out, "%s\n", f->section);
        buf_str(out, f->begin && !f->bare ? f->begin : "");
        for (size_t k = 0; f->steps[k].kind != STEP_END; k++)
            if (k > 0 || f->steps[k].kind != STEP_SPACE || !f->bare)
                write_step(f, f->steps[k], json_array_get(calls, i), i, out);
        if (f->section)
            buf_printf(out, "\n%s", f->section_end);
    }
}
