/* openapi.c - tables to a description. */
#include "server/openapi.h"

#include "api/tables.h"
#include "base/check.h"
#include "server/front_int.h"

enum { DOCUMENT_BYTES_MAX = 16 << 20 };

#define EMBED(name, ...) __VA_ARGS__
static const unsigned char notes_text[] = {
#include "openapi_file.h"
};

static json_t *ref(const char *schema)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", schema));
}

/* ---- bodies ------------------------------------------------------------------------------- */

static json_t *number_schema(const struct api_field *f, const char *type)
{
    json_t *s = json_pack("{s:[s,s]}", "type", type, "null");
    if (f->kind == API_SEED)
        return s;
    bool whole = f->kind != API_FLOAT;
    json_object_set_new(s, "minimum",
                        whole ? json_integer((json_int_t)f->min) : json_real(f->min));
    json_object_set_new(s, "maximum",
                        whole ? json_integer((json_int_t)f->max) : json_real(f->max));
    return s;
}

/* What a value may be: said of the table's own field, or of all fields of this name. */
static json_t *value_of(const struct api_table *t, const char *field, const json_t *values)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", t->name, field);
    json_t *own = json_object_get(values, name);
    return own ? own : json_object_get(values, field);
}

static json_t *field_schema(const struct api_table *t, const struct api_field *f,
                            const json_t *values)
{
    json_t *value;
    switch (f->kind) {
    case API_TEXT:
        return json_pack("{s:[s,s]}", "type", "string", "null");
    case API_BOOL:
        return json_pack("{s:[s,s]}", "type", "boolean", "null");
    case API_FLOAT:
        return number_schema(f, "number");
    case API_U32:
    case API_I32:
    case API_SEED:
        return number_schema(f, "integer");
    case API_VALUE:
        value = value_of(t, f->name, values);
        return value ? json_pack("{s:[O,{s:s}]}", "anyOf", value, "type", "null") : json_object();
    case API_NO_EFFECT:
        return json_object();
    case API_REFUSED:
        return json_pack("{s:[n,b,i,[],{}]}", "enum", 0, 0);
    }
    CHECK(false);
    return NULL;
}

static json_t *description(const struct api_field *f)
{
    if (f->kind == API_NO_EFFECT)
        return json_sprintf("without effect: %s", f->text);
    if (f->kind == API_REFUSED)
        return json_sprintf("not supported: %s", f->text);
    return json_string(f->text);
}

/* "a" or "a|b": what it asks of an object. null is as good as absent. */
static json_t *requirement(const struct api_table *t, const char *names, size_t n,
                           const json_t *values)
{
    json_t *ways = json_array();
    for (const char *at = names; at < names + n; at++) {
        char name[64];
        size_t n_name = strcspn(at, "| ");
        snprintf(name, sizeof name, "%.*s", (int)n_name, at);
        json_t *value = value_of(t, name, values);
        json_t *there = value ? json_incref(value) : json_pack("{s:{s:s}}", "not", "type", "null");
        json_array_append_new(ways, json_pack("{s:[s],s:{s:o}}", "required", name, "properties",
                                              name, there));
        at += n_name;
    }
    return json_pack("{s:o}", "anyOf", ways);
}

static json_t *table_schema(const struct api_table *t, const json_t *values)
{
    json_t *properties = json_object(), *all = json_array();
    for (size_t i = 0; i < t->n_fields; i++) {
        json_t *s = field_schema(t, &t->fields[i], values);
        json_object_set_new(s, "description", description(&t->fields[i]));
        json_object_set_new(properties, t->fields[i].name, s);
    }
    for (const char *at = t->required; at && *at;) {
        size_t n = strcspn(at, " ");
        json_array_append_new(all, requirement(t, at, n, values));
        at += n + (at[n] == ' ');
    }
    json_t *schema = json_pack("{s:s,s:o}", "type", "object", "properties", properties);
    if (json_array_size(all) > 0)
        json_object_set(schema, "allOf", all);
    json_decref(all);
    return schema;
}

/* ---- endpoints ---------------------------------------------------------------------------- */

static json_t *parameters(const struct endpoint *e, const json_t *note)
{
    json_t *list = json_array(), *name;
    size_t i;
    if (strchr(e->path, '{'))
        json_array_append_new(list, json_pack("{s:s,s:s,s:b,s:{s:s}}", "name", "id", "in", "path",
                                              "required", 1, "schema", "type", "string"));
    json_array_foreach (json_object_get(note, "query"), i, name)
        json_array_append_new(list, json_pack("{s:O,s:s,s:b,s:{s:s}}", "name", name, "in", "query",
                                              "required", 0, "schema", "type", "string"));
    return list;
}

/* What the answer's body may be, by content type. */
static json_t *contents(const json_t *note)
{
    json_t *all = json_object();
    const char *reply = json_string_value(json_object_get(note, "reply"));
    const char *type = json_string_value(json_object_get(note, "type"));
    if (reply || !type)
        json_object_set_new(all, "application/json",
                            json_pack("{s:o}", "schema", ref(reply ? reply : "Anything")));
    if (type)
        json_object_set_new(all, type, json_pack("{s:{s:s}}", "schema", "type", "string"));
    const json_t *stream = json_object_get(note, "stream");
    if (stream)
        json_object_set_new(
            all, json_is_string(stream) ? json_string_value(stream) : "text/event-stream",
            json_pack("{s:{s:s}}", "schema", "type", "string"));
    return all;
}

static json_t *answers(const json_t *note)
{
    const char *error = json_string_value(json_object_get(note, "error"));
    json_t *all = json_object(), *status;
    size_t i;
    json_object_set_new(all, "200", json_pack("{s:s,s:o}", "description", "what was asked for",
                                              "content", contents(note)));
    json_array_foreach (json_object_get(note, "may_be"), i, status)
        json_object_set_new(all, json_string_value(status),
                            json_pack("{s:s,s:o}", "description",
                                      json_string_value(status)[0] == '2' ? "it is under way"
                                                                          : "the same, not well",
                                      "content", contents(note)));
    json_object_set_new(all, "default",
                        json_pack("{s:s,s:{s:{s:o}}}", "description", "why not", "content",
                                  "application/json", "schema", ref(error ? error : "Error")));
    return all;
}

static json_t *operation(const struct endpoint *e, const json_t *note, json_t *schemas,
                         json_t *values)
{
    json_t *o = json_pack("{s:o,s:o}", "parameters", parameters(e, note), "responses",
                          answers(note));
    json_t *summary = json_object_get(note, "summary");
    const struct api_table *body =
        strcmp(e->method, "POST") == 0 ? api_table_of(e->path) : NULL;
    if (e->who == FOR_ALL)
        json_object_set_new(o, "security", json_array());
    json_object_set_new(o, "summary", summary ? json_incref(summary) : json_string(e->path));
    if (strcmp(e->method, "POST") != 0 || json_is_true(json_object_get(note, "no_body")))
        return o;
    if (json_is_true(json_object_get(note, "form"))) {
        json_object_set_new(
            o, "requestBody",
            json_pack("{s:b,s:{s:{s:o}}}", "required", 1, "content", "multipart/form-data",
                      "schema", ref("FileForm")));
        return o;
    }
    if (body && !json_object_get(schemas, body->name))
        json_object_set_new(schemas, body->name, table_schema(body, values));
    json_object_set_new(o, "requestBody",
                        json_pack("{s:b,s:{s:{s:o}}}", "required", 1, "content",
                                  "application/json", "schema",
                                  ref(body ? body->name : "Anything")));
    return o;
}

static void lower(char *out, size_t n_out, const char *text)
{
    size_t n = 0;
    for (; text[n] && n + 1 < n_out; n++)
        out[n] = (char)(text[n] >= 'A' && text[n] <= 'Z' ? text[n] + 32 : text[n]);
    out[n] = 0;
}

static json_t *paths(const struct endpoint *endpoints, size_t n, json_t *notes, json_t *schemas)
{
    json_t *all = json_object(), *values = json_object_get(notes, "values");
    for (size_t i = 0; i < n; i++) {
        const struct endpoint *e = &endpoints[i];
        char method[16], name[128];
        lower(method, sizeof method, e->method);
        snprintf(name, sizeof name, "%s %s", e->method, e->path);
        const json_t *note = json_object_get(json_object_get(notes, "endpoints"), name);
        if (!json_object_get(all, e->path))
            json_object_set_new(all, e->path, json_object());
        json_object_set_new(json_object_get(all, e->path), method,
                            operation(e, note, schemas, values));
    }
    return all;
}

json_t *openapi_document(const struct endpoint *endpoints, size_t n_endpoints)
{
    json_t *notes = json_loadb((const char *)notes_text, sizeof notes_text, 0, NULL);
    if (!notes)
        return NULL;
    json_t *schemas = json_incref(json_object_get(notes, "schemas"));
    json_t *all = paths(endpoints, n_endpoints, notes, schemas);
    json_t *document = json_pack(
        "{s:s,s:{s:s,s:s,s:s},s:[{},{s:[]}],s:o,s:{s:o,s:{s:{s:s,s:s}}}}", "openapi", "3.1.0",
        "info", "title", "isobit", "version", ISOBIT_VERSION, "description",
        "Language models with one exact arithmetic. null is the same as absent; unknown fields "
        "are named in the header x-unknown-fields.",
        "security", "key", "paths", all, "components", "schemas", schemas, "securitySchemes",
        "key", "type", "http", "scheme", "bearer");
    json_decref(notes);
    return document;
}

static int add_text(const char *bytes, size_t n_bytes, void *context)
{
    buf_add(context, bytes, n_bytes);
    return 0;
}

void get_openapi(struct front *f, struct http_exchange *x)
{
    (void)f;
    size_t n;
    const struct endpoint *endpoints = route_endpoints(&n);
    json_t *document = openapi_document(endpoints, n);
    struct buf text;
    struct api_error e;
    buf_init(&text, DOCUMENT_BYTES_MAX);
    bool ok = document && json_dump_callback(document, add_text, &text, JSON_COMPACT) == 0;
    json_decref(document);
    if (ok && !text.failed) {
        reply_json(x, 200, &text);
        return;
    }
    buf_release(&text);
    api_fail(&e, 500, NULL, "out of memory for the description");
    front_fail(x, &e);
}
