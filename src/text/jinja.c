/* jinja.c - a template from source to rendering: parsing, limits, errors, and the values given. */
#include "text/jinja.h"

#include <stdarg.h>
#include <stdio.h>

#include <jansson.h>

#include "text/jinja_run.h"

enum {
    SOURCE_BYTES_MAX = 1 << 20,
    TEMPLATE_BYTES_MAX = 256 << 20 /* of a parsed template */
};

struct jinja_limits jinja_limits_default(void)
{
    return (struct jinja_limits){
        .n_steps_max = 50 * 1000 * 1000, .n_bytes_max = (size_t)512 << 20, .depth_max = 2000};
}

enum err jinja_new(struct jinja **out, struct str source, struct err_note *note)
{
    *out = NULL;
    if (source.len > SOURCE_BYTES_MAX)
        return err_set(note, ERR_LIMIT, "a template of %zu bytes, and %d is the limit", source.len,
                       SOURCE_BYTES_MAX);
    struct jinja *t = mem_zalloc(sizeof *t);
    if (!t)
        return err_set(note, ERR_MEMORY, "no memory for a template");
    arena_init(&t->arena, TEMPLATE_BYTES_MAX);
    sha256_of(source.ptr, source.len, t->hash);
    enum err e = jinja_parse(t, source, note);
    if (e == ERR_OK)
        e = jinja_bind(t, note);
    if (e != ERR_OK) {
        jinja_free(t);
        return e;
    }
    *out = t;
    return ERR_OK;
}

void jinja_free(struct jinja *t)
{
    if (t) {
        arena_release(&t->arena);
        mem_free(t);
    }
}

const uint8_t *jinja_hash(const struct jinja *t)
{
    return t->hash;
}

bool jrun_fail(struct jrun *r, const char *format, ...)
{
    char what[400];
    va_list args;
    if (r->err != ERR_OK)
        return false;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    r->err = err_set(r->note, ERR_FORMAT, "template line %d: %s", r->line, what);
    return false;
}

bool jrun_limit(struct jrun *r, const char *format, ...)
{
    char what[400];
    va_list args;
    if (r->err != ERR_OK)
        return false;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    r->err = err_set(r->note, ERR_LIMIT, "template line %d: %s", r->line, what);
    return false;
}

bool jrun_step(struct jrun *r, size_t n)
{
    r->n_steps += n;
    if (r->n_steps > r->limits.n_steps_max)
        return jrun_limit(r, "it takes more than %llu steps",
                          (unsigned long long)r->limits.n_steps_max);
    return r->err == ERR_OK;
}

bool jrun_enter(struct jrun *r)
{
    if (++r->depth > r->limits.depth_max)
        return jrun_limit(r, "it nests deeper than %d levels", r->limits.depth_max);
    return r->err == ERR_OK;
}

void jrun_leave(struct jrun *r)
{
    r->depth--;
}

void *jrun_alloc(struct jrun *r, size_t n_bytes)
{
    void *p = r->err == ERR_OK ? arena_alloc(&r->arena, n_bytes) : NULL;
    if (!p && r->err == ERR_OK) {
        size_t left = r->arena.n_bytes_max - r->arena.n_bytes;
        if (n_bytes > left || left - n_bytes < 16)
            jrun_limit(r, "it takes more memory than %zu bytes", r->arena.n_bytes_max);
        else
            r->err = err_set(r->note, ERR_MEMORY, "no memory to render a template");
    }
    return p;
}

static bool from_json(struct jrun *r, const json_t *json, struct jval *out);

static bool copied_text(struct jrun *r, const char *text, size_t n, struct jval *out)
{
    char *copy = jrun_alloc(r, n + 1);
    if (copy)
        memcpy(copy, text, n);
    return copy && jtext_str(r, (struct str){copy, n}, out);
}

static bool from_array(struct jrun *r, const json_t *json, struct jval *out)
{
    size_t n = json_array_size(json);
    struct jlist *l = jlist_new(r, n);
    for (size_t i = 0; l && i < n; i++) {
        struct jval v;
        if (!from_json(r, json_array_get(json, i), &v) || !jlist_add(r, l, v))
            return false;
    }
    *out = jval_of_list(l);
    return l != NULL;
}

/* The keys are known to differ, so they are not searched for. */
static bool from_object(struct jrun *r, const json_t *json, struct jval *out)
{
    struct jdict *d = jdict_new(r);
    size_t n = json_object_size(json);
    json_t *object = (json_t *)(uintptr_t)json;
    if (!d || !(d->items = jrun_alloc(r, (n + 1) * sizeof *d->items)))
        return false;
    d->n_reserved = n + 1;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        struct jentry *entry = &d->items[d->n];
        const char *key = json_object_iter_key(at);
        if (!copied_text(r, key, strlen(key), &entry->key) ||
            !jval_hash(r, entry->key, &entry->hash) ||
            !from_json(r, json_object_iter_value(at), &entry->value))
            return false;
        d->n++;
    }
    *out = jval_of_dict(d);
    return true;
}

static bool from_json(struct jrun *r, const json_t *json, struct jval *out)
{
    bool ok = true;
    if (!jrun_enter(r) || !jrun_step(r, 1))
        return false;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        ok = from_object(r, json, out);
        break;
    case JSON_ARRAY:
        ok = from_array(r, json, out);
        break;
    case JSON_STRING:
        ok = copied_text(r, json_string_value(json), json_string_length(json), out);
        break;
    case JSON_INTEGER:
        *out = jval_int(json_integer_value(json));
        break;
    case JSON_REAL:
        *out = jval_float(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = jval_bool(json_is_true(json));
        break;
    default:
        *out = jval_none();
    }
    jrun_leave(r);
    return ok;
}

static bool add_variable(struct jrun *r, struct jdict *context,
                         const struct jinja_variable *variable)
{
    struct jval v;
    if (variable->value) {
        if (!from_json(r, variable->value, &v))
            return false;
    } else {
        if (!utf8_valid(variable->text.ptr, variable->text.len))
            return jrun_fail(r, "the text of %s is not UTF-8", variable->name);
        if (!copied_text(r, variable->text.ptr, variable->text.len, &v))
            return false;
    }
    return jdict_set_text(r, context, variable->name, v);
}

/* The sentence on one line: a template's own message may have more. */
static void flatten(struct err_note *note)
{
    for (char *p = note ? note->text : NULL; p && *p; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
}

enum err jinja_render(const struct jinja *t, const struct jinja_variable *variables,
                      size_t n_variables, int64_t now_s, const struct jinja_limits *limits,
                      struct buf *out, struct err_note *note)
{
    struct buf text;
    struct jrun r = {.t = t, .out = &text, .now_s = now_s, .note = note, .limits = *limits};
    struct jdict *context;
    arena_init(&r.arena, limits->n_bytes_max);
    buf_init(&text, limits->n_bytes_max);
    context = jdict_new(&r);
    r.exported = jdict_new(&r);
    r.context = context;
    for (size_t i = 0; i < n_variables && r.err == ERR_OK; i++)
        add_variable(&r, context, &variables[i]);
    if (r.err == ERR_OK && jrun_enter_frame(&r, t->frame, NULL))
        jrun_exec(&r, t->body);
    if (r.err == ERR_OK) {
        size_t n_before = out->n_bytes;
        buf_add(out, text.bytes, text.n_bytes);
        if (out->failed) {
            out->n_bytes = n_before;
            out->failed = false;
            r.err = err_set(note, ERR_LIMIT, "the text of a template has %zu bytes, and %zu is "
                            "the limit", text.n_bytes, out->n_bytes_max - n_before);
        }
    } else {
        flatten(note);
    }
    buf_release(&text);
    arena_release(&r.arena);
    return r.err;
}
