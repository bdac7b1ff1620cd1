/* schema_find.c - where schemas are and which keywords they have. */
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "grammar/schema_int.h"

enum { SEARCH_DEPTH_MAX = 200 };

/* ---- keywords -------------------------------------------------------------------------------- */

enum keyword_kind {
    KEYWORD_ASSERTS,
    KEYWORD_SILENT,      /* says nothing about what is valid */
    KEYWORD_UNSUPPORTED, /* does, and cannot be compiled */
};

static const struct {
    const char *name;
    enum keyword_kind kind;
    unsigned done;
} keywords[] = {
    {"type", KEYWORD_ASSERTS, 0},
    {"enum", KEYWORD_ASSERTS, 0},
    {"const", KEYWORD_ASSERTS, 0},
    {"properties", KEYWORD_ASSERTS, 0},
    {"required", KEYWORD_ASSERTS, 0},
    {"additionalProperties", KEYWORD_ASSERTS, 0},
    {"patternProperties", KEYWORD_ASSERTS, 0},
    {"propertyNames", KEYWORD_ASSERTS, 0},
    {"minProperties", KEYWORD_ASSERTS, 0},
    {"maxProperties", KEYWORD_ASSERTS, 0},
    {"dependentRequired", KEYWORD_ASSERTS, DONE_DEPENDENT},
    {"dependentSchemas", KEYWORD_ASSERTS, DONE_DEPENDENT},
    {"dependencies", KEYWORD_ASSERTS, DONE_DEPENDENT},
    {"items", KEYWORD_ASSERTS, 0},
    {"prefixItems", KEYWORD_ASSERTS, 0},
    {"additionalItems", KEYWORD_ASSERTS, 0},
    {"minItems", KEYWORD_ASSERTS, 0},
    {"maxItems", KEYWORD_ASSERTS, 0},
    {"contains", KEYWORD_ASSERTS, 0},
    {"minContains", KEYWORD_ASSERTS, 0},
    {"maxContains", KEYWORD_ASSERTS, 0},
    {"uniqueItems", KEYWORD_ASSERTS, 0},
    {"unevaluatedProperties", KEYWORD_ASSERTS, 0},
    {"unevaluatedItems", KEYWORD_ASSERTS, 0},
    {"minLength", KEYWORD_ASSERTS, 0},
    {"maxLength", KEYWORD_ASSERTS, 0},
    {"pattern", KEYWORD_ASSERTS, 0},
    {"format", KEYWORD_ASSERTS, 0},
    {"minimum", KEYWORD_ASSERTS, 0},
    {"maximum", KEYWORD_ASSERTS, 0},
    {"exclusiveMinimum", KEYWORD_ASSERTS, 0},
    {"exclusiveMaximum", KEYWORD_ASSERTS, 0},
    {"multipleOf", KEYWORD_ASSERTS, 0},
    {"$ref", KEYWORD_ASSERTS, DONE_REF},
    {"allOf", KEYWORD_ASSERTS, DONE_ALL_OF},
    {"anyOf", KEYWORD_ASSERTS, DONE_ANY_OF},
    {"oneOf", KEYWORD_ASSERTS, DONE_ONE_OF},
    {"not", KEYWORD_ASSERTS, DONE_NOT},
    {"if", KEYWORD_ASSERTS, DONE_IF},
    {"then", KEYWORD_SILENT, 0}, /* with "if" */
    {"else", KEYWORD_SILENT, 0},
    {KEY_NOT_ENUM, KEYWORD_ASSERTS, 0},
    {KEY_NOT_PATTERN, KEYWORD_ASSERTS, 0},
    {"title", KEYWORD_SILENT, 0},
    {"description", KEYWORD_SILENT, 0},
    {"default", KEYWORD_SILENT, 0},
    {"examples", KEYWORD_SILENT, 0},
    {"deprecated", KEYWORD_SILENT, 0},
    {"readOnly", KEYWORD_SILENT, 0},
    {"writeOnly", KEYWORD_SILENT, 0},
    {"contentEncoding", KEYWORD_SILENT, 0},
    {"contentMediaType", KEYWORD_SILENT, 0},
    {"contentSchema", KEYWORD_SILENT, 0},
    {"$schema", KEYWORD_SILENT, 0},
    {"$id", KEYWORD_SILENT, 0},
    {"$anchor", KEYWORD_SILENT, 0},
    {"$comment", KEYWORD_SILENT, 0},
    {"$defs", KEYWORD_SILENT, 0},
    {"definitions", KEYWORD_SILENT, 0},
    {"$dynamicRef", KEYWORD_UNSUPPORTED, 0},
    {"$dynamicAnchor", KEYWORD_UNSUPPORTED, 0},
    {"$recursiveRef", KEYWORD_UNSUPPORTED, 0},
    {"$recursiveAnchor", KEYWORD_UNSUPPORTED, 0},
    {"$vocabulary", KEYWORD_UNSUPPORTED, 0},
};

/* Its place in the table; -1: not known. */
static int keyword_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        if (strcmp(keywords[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* unevaluated* is the same as additionalProperties and items, unless another schema applies at the
 * same place, whose properties or items it would have to know. */
static void check_unevaluated(struct schema *s, const json_t *schema)
{
    static const char *const names[2] = {"unevaluatedProperties", "unevaluatedItems"};
    static const char *const others[] = {"$ref",        "allOf", "anyOf",    "oneOf",
                                         "not",         "if",    "contains", "dependentSchemas",
                                         "dependencies"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *value = json_object_get(schema, names[i]);
        for (size_t k = 0; value && !json_is_true(value) && k < COUNT_OF(others); k++)
            if (json_object_get(schema, others[k]))
                schema_fail(s, ERR_UNSUPPORTED, schema, names[i],
                            "is not supported beside $ref, allOf, anyOf, oneOf, not, if, contains "
                            "and dependent*");
    }
}

const json_t *schema_other_properties(const json_t *schema)
{
    const json_t *more = json_object_get(schema, "additionalProperties");
    return more ? more : json_object_get(schema, "unevaluatedProperties");
}

const json_t *schema_other_items(const json_t *schema)
{
    const json_t *items = json_object_get(schema, "items");
    if (json_is_array(items))
        items = json_object_get(schema, "additionalItems");
    return items ? items : json_object_get(schema, "unevaluatedItems");
}

void schema_check_keywords(struct schema *s, const json_t *schema)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)schema, name, value)
    {
        int keyword = keyword_of(name);
        if (keyword < 0 && strncmp(name, "x-", 2) != 0)
            schema_fail(s, ERR_UNSUPPORTED, schema, name, "is not a keyword that is known here");
        else if (keyword >= 0 && keywords[keyword].kind == KEYWORD_UNSUPPORTED)
            schema_fail(s, ERR_UNSUPPORTED, schema, name, "is not supported");
    }
    check_unevaluated(s, schema);
}

bool schema_has_assertion(const json_t *schema, unsigned done)
{
    const char *name;
    json_t *value;
    if (!json_is_object(schema))
        return !json_is_true(schema);
    json_object_foreach((json_t *)(uintptr_t)schema, name, value)
    {
        int keyword = keyword_of(name);
        if (keyword >= 0 && keywords[keyword].kind == KEYWORD_ASSERTS &&
            !(keywords[keyword].done & done))
            return true;
    }
    return false;
}

bool json_is_schema(const json_t *v)
{
    return json_is_object(v) || json_is_boolean(v);
}

bool keyword_number(struct schema *s, const json_t *schema, const char *keyword, const json_t **v)
{
    *v = json_object_get(schema, keyword);
    if (*v && !json_is_number(*v))
        schema_fail(s, ERR_FORMAT, schema, keyword, "must be a number");
    return *v && json_is_number(*v);
}

bool keyword_count(struct schema *s, const json_t *schema, const char *keyword, uint32_t *value)
{
    const json_t *v = json_object_get(schema, keyword);
    double number = json_number_value(v);
    if (!v)
        return false;
    if (!json_is_number(v) || number < 0 || number > 1e9 || number != (uint32_t)number) {
        schema_fail(s, json_is_number(v) && number > 1e9 ? ERR_LIMIT : ERR_FORMAT, schema, keyword,
                    "must be a whole number from 0 to 1000000000");
        return false;
    }
    *value = (uint32_t)number;
    return true;
}

const json_t *keyword_object(struct schema *s, const json_t *schema, const char *keyword)
{
    const json_t *v = json_object_get(schema, keyword);
    if (v && !json_is_object(v))
        schema_fail(s, ERR_FORMAT, schema, keyword, "must be an object");
    return json_is_object(v) ? v : NULL;
}

const json_t *keyword_array(struct schema *s, const json_t *schema, const char *keyword)
{
    const json_t *v = json_object_get(schema, keyword);
    if (v && !json_is_array(v))
        schema_fail(s, ERR_FORMAT, schema, keyword, "must be an array");
    return json_is_array(v) ? v : NULL;
}

static unsigned type_named(const char *name)
{
    static const struct {
        const char *name;
        unsigned types;
    } types[] = {{"null", TYPE_NULL},
                 {"boolean", TYPE_BOOLEAN},
                 {"object", TYPE_OBJECT},
                 {"array", TYPE_ARRAY},
                 {"string", TYPE_STRING},
                 {"integer", TYPE_INTEGER},
                 {"number", TYPE_INTEGER | TYPE_FRACTION},
                 {TYPE_NAME_FRACTION, TYPE_FRACTION}};
    for (size_t i = 0; name && i < COUNT_OF(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].types;
    return 0;
}

unsigned keyword_types(struct schema *s, const json_t *schema)
{
    const json_t *v = json_object_get(schema, "type");
    unsigned types = 0;
    bool known = !json_is_array(v) || json_array_size(v) > 0;
    if (!v)
        return TYPE_ALL;
    if (!json_is_array(v))
        types = type_named(json_string_value(v));
    for (size_t i = 0; i < json_array_size(v); i++) {
        unsigned more = type_named(json_string_value(json_array_get(v, i)));
        known &= more != 0;
        types |= more;
    }
    if (!known || types == 0)
        schema_fail(s, ERR_FORMAT, schema, "type",
                    "must be one or several of null, boolean, object, array, string, integer, "
                    "number");
    return types;
}

/* ---- places ---------------------------------------------------------------------------------- */

static void append_step(char *out, size_t size, const char *step)
{
    size_t n = strlen(out);
    if (n + 2 < size)
        out[n++] = '/';
    for (; *step && n + 3 < size; step++) {
        if (*step == '~' || *step == '/') {
            out[n++] = '~';
            out[n++] = *step == '~' ? '0' : '1';
        } else {
            out[n++] = *step;
        }
    }
    out[n] = 0;
}

/* Appends the steps from `from` to wanted; false: it is not there. */
static bool search(const json_t *from, const json_t *wanted, char out[200], int depth)
{
    size_t n = strlen(out);
    const char *name;
    json_t *value;
    if (from == wanted)
        return true;
    if (depth == SEARCH_DEPTH_MAX)
        return false;
    json_object_foreach((json_t *)(uintptr_t)from, name, value)
    {
        append_step(out, 200, name);
        if (search(value, wanted, out, depth + 1))
            return true;
        out[n] = 0;
    }
    for (size_t i = 0; i < json_array_size(from); i++) {
        char step[24];
        snprintf(step, sizeof step, "%zu", i);
        append_step(out, 200, step);
        if (search(json_array_get(from, i), wanted, out, depth + 1))
            return true;
        out[n] = 0;
    }
    return false;
}

void schema_place(const struct schema *s, const json_t *schema, char out[200])
{
    snprintf(out, 200, "#");
    if (search(s->root, schema, out, 0))
        return;
    for (size_t i = 0; i < s->n_made; i++) {
        snprintf(out, 200, "#");
        if (s->made[i].schema == schema && s->made[i].from != schema) {
            schema_place(s, s->made[i].from, out);
            return;
        }
    }
}

void schema_fail(struct schema *s, enum err rc, const json_t *schema, const char *keyword,
                 const char *what)
{
    char place[200];
    if (s->d->rc)
        return;
    schema_place(s, schema, place);
    if (keyword)
        draft_fail(s->d, rc, "JSON schema, %s: \"%s\" %s", place,
                   keyword[0] == 1 ? keyword + 1 : keyword, what);
    else
        draft_fail(s->d, rc, "JSON schema, %s: %s", place, what);
}

/* ---- references ------------------------------------------------------------------------------ */

/* The next step of a pointer, unescaped into out; what follows it. */
static const char *read_step(const char *at, char *out, size_t size)
{
    size_t n = 0;
    for (; *at && *at != '/'; at++) {
        char c = *at;
        unsigned code;
        char hex[3] = {0};
        if (c == '%' && at[1] && at[2]) {
            memcpy(hex, at + 1, 2);
            code = (unsigned)strtoul(hex, NULL, 16);
            c = (char)code;
            at += 2;
        }
        if (c == '~' && (at[1] == '0' || at[1] == '1'))
            c = *++at == '0' ? '~' : '/';
        if (n + 1 < size)
            out[n++] = c;
    }
    out[n] = 0;
    return at;
}

static const json_t *follow(const json_t *from, const char *pointer)
{
    char step[512];
    while (from && *pointer == '/') {
        pointer = read_step(pointer + 1, step, sizeof step);
        if (json_is_array(from)) {
            uint64_t index;
            from = str_to_u64(str_from(step), &index) ? json_array_get(from, index) : NULL;
        } else {
            from = json_object_get(from, step);
        }
    }
    return *pointer ? NULL : from;
}

/* The schema below `from` whose keyword ($anchor, $id) is name. */
static const json_t *named(const json_t *from, const char *keyword, const char *name, int depth)
{
    const json_t *own = json_object_get(from, keyword), *found = NULL;
    const char *key;
    json_t *value;
    if (json_is_string(own) && strcmp(json_string_value(own), name) == 0)
        return from;
    if (depth == SEARCH_DEPTH_MAX)
        return NULL;
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        if (!found && strcmp(key, "enum") != 0 && strcmp(key, "const") != 0)
            found = named(value, keyword, name, depth + 1);
    }
    for (size_t i = 0; i < json_array_size(from) && !found; i++)
        found = named(json_array_get(from, i), keyword, name, depth + 1);
    return found;
}

/* Whether a part of the document, but not its root, has a base of its own. */
static bool has_inner_base(const json_t *from, int depth)
{
    const char *key;
    json_t *value;
    if (depth > 0 && json_is_string(json_object_get(from, "$id")))
        return true;
    if (depth == SEARCH_DEPTH_MAX)
        return false;
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        if (has_inner_base(value, depth + 1))
            return true;
    }
    for (size_t i = 0; i < json_array_size(from); i++)
        if (has_inner_base(json_array_get(from, i), depth + 1))
            return true;
    return false;
}

const json_t *schema_resolve(struct schema *s, const json_t *schema)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    const json_t *found = NULL, *id = json_object_get(s->root, "$id");
    if (!ref) {
        schema_fail(s, ERR_FORMAT, schema, "$ref", "must be a string");
        return NULL;
    }
    if (has_inner_base(s->root, 0)) {
        schema_fail(s, ERR_UNSUPPORTED, schema, "$ref", "is not supported beside inner $id");
        return NULL;
    }
    size_t n_id = json_is_string(id) ? strcspn(json_string_value(id), "#") : 0;
    if (n_id > 0 && strncmp(ref, json_string_value(id), n_id) == 0 &&
        (ref[n_id] == '#' || !ref[n_id]))
        ref += n_id;
    if (!*ref || strcmp(ref, "#") == 0)
        found = s->root;
    else if (ref[0] == '#' && ref[1] == '/')
        found = follow(s->root, ref + 1);
    else if (ref[0] == '#' && !(found = named(s->root, "$anchor", ref + 1, 0)))
        found = named(s->root, "$dynamicAnchor", ref + 1, 0);
    else if (ref[0] != '#') {
        schema_fail(s, ERR_UNSUPPORTED, schema, "$ref",
                    "leads out of the document; only #/... and #anchor are followed");
        return NULL;
    }
    if (!found)
        schema_fail(s, ERR_FORMAT, schema, "$ref", "names nothing in the document");
    return found;
}

/* ---- schemas made on the way ----------------------------------------------------------------- */

json_t *schema_made(struct schema *s, const json_t *from, int kind)
{
    for (size_t i = 0; i < s->n_made; i++)
        if (s->made[i].from == from && s->made[i].kind == kind)
            return s->made[i].schema;
    return NULL;
}

json_t *schema_make(struct schema *s, const json_t *from, int kind, json_t *made)
{
    if (s->n_made == s->n_made_reserved && made) {
        size_t wanted = 2 * s->n_made_reserved + 16;
        struct made *grown =
            wanted > MADE_MAX ? NULL : mem_resize(s->made, wanted * sizeof grown[0]);
        if (!grown) {
            json_decref(made);
            schema_fail(s, wanted > MADE_MAX ? ERR_LIMIT : ERR_MEMORY, from, NULL,
                        wanted > MADE_MAX ? "not, if and oneOf make more than 20000 schemas"
                                          : "out of memory");
            return NULL;
        }
        s->made = grown;
        s->n_made_reserved = wanted;
    }
    if (!made) {
        draft_fail(s->d, ERR_MEMORY, "out of memory for a JSON schema");
        return NULL;
    }
    s->made[s->n_made++] = (struct made){made, from, kind};
    return made;
}
