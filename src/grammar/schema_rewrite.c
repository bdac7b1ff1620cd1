/* schema_rewrite.c - not, if, dependent* and oneOf as schemas without them.
 *
 * What is made holds the schemas it came from, not copies, so that goals find equal ones again. */
#include "grammar/schema_int.h"

enum { DISJOINT_DEPTH_MAX = 6 };
enum { MADE_NOT = 1, MADE_IF, MADE_DEPENDENT, MADE_ONE_OF };

/* Borrowing: jansson counts references of values that are const here. */
static json_t *shared(const json_t *v)
{
    return json_incref((json_t *)(uintptr_t)v);
}

static json_t *object1(const char *key, json_t *value)
{
    json_t *o = json_object();
    json_object_set_new(o, key, value);
    return o;
}

static json_t *not_of(const json_t *schema)
{
    return object1("not", shared(schema));
}

/* {"type": type, key: value} */
static json_t *typed(const char *type, const char *key, json_t *value)
{
    json_t *o = object1("type", json_string(type));
    json_object_set_new(o, key, value);
    return o;
}

/* ---- not ------------------------------------------------------------------------------------- */

static json_t *not_type(struct schema *s, const json_t *schema)
{
    static const struct {
        const char *name;
        unsigned type;
    } types[] = {{"null", TYPE_NULL},
                 {"boolean", TYPE_BOOLEAN},
                 {"object", TYPE_OBJECT},
                 {"array", TYPE_ARRAY},
                 {"string", TYPE_STRING},
                 {"integer", TYPE_INTEGER},
                 {TYPE_NAME_FRACTION, TYPE_FRACTION}};
    unsigned has = keyword_types(s, schema);
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!(types[i].type & has))
            json_array_append_new(names, json_string(types[i].name));
    if (json_array_size(names) > 0)
        return object1("type", names);
    json_decref(names);
    return json_false();
}

/* A bound turned round; the type keeps other values out. */
static json_t *not_bound(struct schema *s, const json_t *schema, const char *keyword)
{
    static const char *const turned[][2] = {{"minimum", "exclusiveMaximum"},
                                            {"maximum", "exclusiveMinimum"},
                                            {"exclusiveMinimum", "maximum"},
                                            {"exclusiveMaximum", "minimum"}};
    const json_t *value;
    if (!keyword_number(s, schema, keyword, &value))
        return NULL;
    for (size_t i = 0; i < 4; i++)
        if (strcmp(turned[i][0], keyword) == 0)
            return typed("number", turned[i][1], shared(value));
    return NULL;
}

static json_t *not_count(struct schema *s, const json_t *schema, const char *keyword)
{
    static const char *const turned[][3] = {{"minLength", "maxLength", "string"},
                                            {"maxLength", "minLength", "string"},
                                            {"minItems", "maxItems", "array"},
                                            {"maxItems", "minItems", "array"},
                                            {"minProperties", "maxProperties", "object"},
                                            {"maxProperties", "minProperties", "object"}};
    uint32_t value;
    if (!keyword_count(s, schema, keyword, &value))
        return NULL;
    for (size_t i = 0; i < 6; i++)
        if (strcmp(turned[i][0], keyword) == 0) {
            bool is_min = keyword[1] == 'i';
            if (is_min && value == 0)
                return json_false();
            return typed(turned[i][2], turned[i][1], json_integer(is_min ? value - 1 : value + 1));
        }
    return NULL;
}

/* An object that lacks a required property, or has one that the schema does not allow. */
static void not_required(const json_t *required, json_t *any)
{
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        if (name)
            json_array_append_new(any, typed("object", "properties", object1(name, json_false())));
    }
}

static void not_properties(const json_t *properties, json_t *any)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)properties, name, value)
    {
        json_t *o = typed("object", "properties", object1(name, not_of(value)));
        json_t *required = json_array();
        json_array_append_new(required, json_string(name));
        json_object_set_new(o, "required", required);
        json_array_append_new(any, o);
    }
}

static void not_enum(const json_t *schema, json_t *any)
{
    const json_t *values = json_object_get(schema, "enum"),
                 *value = json_object_get(schema, "const");
    json_t *list;
    if (values)
        json_array_append_new(any, object1(KEY_NOT_ENUM, shared(values)));
    if (value) {
        list = json_array();
        json_array_append_new(list, shared(value));
        json_array_append_new(any, object1(KEY_NOT_ENUM, list));
    }
}

/* Adds to any how a value can violate a composition. */
static void not_composed(struct schema *s, const json_t *schema, json_t *any)
{
    const json_t *all = keyword_array(s, schema, "allOf"),
                 *some = keyword_array(s, schema, "anyOf");
    const json_t *not = json_object_get(schema, "not");
    for (size_t i = 0; i < json_array_size(all); i++)
        json_array_append_new(any, not_of(json_array_get(all, i)));
    if (some) {
        json_t *none = json_array();
        for (size_t i = 0; i < json_array_size(some); i++)
            json_array_append_new(none, not_of(json_array_get(some, i)));
        json_array_append_new(any, object1("allOf", none));
    }
    if (not )
        json_array_append_new(any, shared(not ));
    if (json_object_get(schema, "$ref")) {
        const json_t *to = schema_resolve(s, schema);
        if (to)
            json_array_append_new(any, not_of(to));
    }
}

/* "items" alone: some item violates it. */
static void not_items(const json_t *schema, json_t *any)
{
    const json_t *items = json_object_get(schema, "items");
    if (json_is_schema(items) && !json_object_get(schema, "prefixItems"))
        json_array_append_new(any, typed("array", "contains", not_of(items)));
}

static bool is_negatable(const char *keyword, const json_t *schema)
{
    static const char *const names[] = {
        "type",      "enum",      "const",         "minimum",       "maximum",  "exclusiveMinimum",
        "minLength", "maxLength", "minItems",      "maxItems",      "required", "exclusiveMaximum",
        "pattern",   "anyOf",     "minProperties", "maxProperties", "allOf",    "properties",
        "not",       "$ref",      KEY_NOT_ENUM,    KEY_NOT_PATTERN};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], keyword) == 0)
            return true;
    return strcmp(keyword, "items") == 0 && json_is_schema(json_object_get(schema, "items")) &&
           !json_object_get(schema, "prefixItems");
}

/* Ways to violate one keyword. */
static void not_keyword(struct schema *s, const json_t *schema, const char *keyword,
                        const json_t *value, json_t *any)
{
    json_t *one = NULL;
    if (strcmp(keyword, "type") == 0)
        one = not_type(s, schema);
    else if (strcmp(keyword, "pattern") == 0)
        one = typed("string", KEY_NOT_PATTERN, shared(value));
    else if (strcmp(keyword, KEY_NOT_PATTERN) == 0)
        one = typed("string", "pattern", shared(value));
    else if (strcmp(keyword, KEY_NOT_ENUM) == 0)
        one = object1("enum", shared(value));
    else if (strcmp(keyword, "required") == 0)
        not_required(keyword_array(s, schema, keyword), any);
    else if (strcmp(keyword, "properties") == 0)
        not_properties(keyword_object(s, schema, keyword), any);
    else if (strstr(keyword, "Length") || strstr(keyword, "Items") || strstr(keyword, "Properties"))
        one = not_count(s, schema, keyword);
    else if (strstr(keyword, "imum"))
        one = not_bound(s, schema, keyword);
    if (one)
        json_array_append_new(any, one);
}

/* What a value must satisfy to violate schema. */
json_t *rewrite_not(struct schema *s, const json_t *schema)
{
    const char *keyword;
    json_t *value, *made = schema_made(s, schema, MADE_NOT);
    if (made)
        return made;
    if (json_is_boolean(schema))
        return schema_make(s, schema, MADE_NOT, json_boolean(!json_is_true(schema)));
    if (!json_is_object(schema)) {
        schema_fail(s, ERR_FORMAT, schema, "not", "must be a schema");
        return NULL;
    }
    schema_check_keywords(s, schema);
    json_t *any = json_array();
    json_object_foreach((json_t *)(uintptr_t)schema, keyword, value)
    {
        json_t *alone = object1(keyword, shared(value));
        if (schema_has_assertion(alone, 0)) {
            if (!is_negatable(keyword, schema))
                schema_fail(s, ERR_UNSUPPORTED, schema, keyword,
                            "cannot be negated, as \"not\", \"if\" or \"oneOf\" here asks");
            else
                not_keyword(s, schema, keyword, value, any);
        }
        json_decref(alone);
    }
    not_enum(schema, any);
    not_composed(s, schema, any);
    not_items(schema, any);
    json_t *only = json_array_size(any) == 1 ? json_incref(json_array_get(any, 0)) : NULL;
    if (only)
        json_decref(any);
    return schema_make(s, schema, MADE_NOT, only ? only : object1("anyOf", any));
}

/* ---- if, dependent* -------------------------------------------------------------------------- */

static json_t *both(json_t *a, json_t *b)
{
    json_t *all = json_array();
    json_array_append_new(all, a);
    json_array_append_new(all, b);
    return object1("allOf", all);
}

static json_t *either(json_t *a, json_t *b)
{
    json_t *any = json_array();
    json_array_append_new(any, a);
    json_array_append_new(any, b);
    return object1("anyOf", any);
}

json_t *rewrite_if(struct schema *s, const json_t *schema)
{
    const json_t *test = json_object_get(schema, "if");
    const json_t *yes = json_object_get(schema, "then"), *no = json_object_get(schema, "else");
    json_t *made = schema_made(s, schema, MADE_IF);
    if (made)
        return made;
    if (!yes && !no)
        return schema_make(s, schema, MADE_IF, json_true());
    json_t *a = yes ? both(shared(test), shared(yes)) : shared(test);
    json_t *b = no ? both(not_of(test), shared(no)) : not_of(test);
    return schema_make(s, schema, MADE_IF, either(a, b));
}

/* Without the property, or with what goes with it. */
static void depend(json_t *all, const char *name, json_t *with)
{
    json_t *required = json_array();
    json_array_append_new(required, json_string(name));
    json_t *has = typed("object", "required", required);
    json_array_append_new(
        all, either(object1("properties", object1(name, json_false())), both(has, with)));
}

json_t *rewrite_dependent(struct schema *s, const json_t *schema)
{
    static const char *const kinds[] = {"dependentRequired", "dependentSchemas", "dependencies"};
    json_t *made = schema_made(s, schema, MADE_DEPENDENT);
    const char *name;
    json_t *value;
    if (made)
        return made;
    json_t *all = json_array();
    for (size_t i = 0; i < 3; i++)
        json_object_foreach((json_t *)(uintptr_t)keyword_object(s, schema, kinds[i]), name, value)
        {
            if (json_is_array(value))
                depend(all, name, object1("required", shared(value)));
            else if (json_is_schema(value) && i > 0)
                depend(all, name, shared(value));
            else
                schema_fail(s, ERR_FORMAT, schema, kinds[i], "has a value of the wrong kind");
        }
    return schema_make(s, schema, MADE_DEPENDENT, object1("allOf", all));
}

/* ---- oneOf ----------------------------------------------------------------------------------- */

static const json_t *followed(struct schema *s, const json_t *schema)
{
    for (int i = 0; i < 10 && schema && json_object_get(schema, "$ref"); i++)
        schema = schema_resolve(s, schema);
    return schema;
}

/* The values that a schema lists, as a new array; NULL: it lists none. */
static json_t *listed(const json_t *schema)
{
    const json_t *values = json_object_get(schema, "enum"),
                 *value = json_object_get(schema, "const");
    if (!value)
        return json_is_array(values) ? shared(values) : NULL;
    json_t *list = json_array();
    json_array_append_new(list, shared(value));
    return list;
}

static bool is_required(const json_t *schema, const char *name)
{
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *own = json_string_value(json_array_get(required, i));
        if (own && strcmp(own, name) == 0)
            return true;
    }
    return false;
}

static bool disjoint(struct schema *s, const json_t *a, const json_t *b, int depth);

/* Whether a names a required property that b forbids or wants otherwise. */
static bool disjoint_objects(struct schema *s, const json_t *a, const json_t *b, int depth)
{
    const json_t *of_a = json_object_get(a, "properties"), *of_b = json_object_get(b, "properties");
    const json_t *required = json_object_get(a, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        const json_t *x = name ? json_object_get(of_a, name) : NULL;
        const json_t *y = name ? json_object_get(of_b, name) : NULL;
        if (!name)
            continue;
        if (json_is_false(y) || (!y && json_is_false(schema_other_properties(b)) &&
                                 !json_object_get(b, "patternProperties")))
            return true;
        if (x && y && is_required(b, name) && disjoint(s, x, y, depth + 1))
            return true;
    }
    return false;
}

/* Whether no value of the list can satisfy schema. */
static bool none_valid(struct schema *s, const json_t *values, const json_t *schema)
{
    bool none = true;
    for (size_t i = 0; i < json_array_size(values) && none; i++)
        none = value_valid(s, json_array_get(values, i), schema, 0, 0) == 0;
    return none;
}

/* true: surely no value satisfies both. */
static bool disjoint(struct schema *s, const json_t *a, const json_t *b, int depth)
{
    a = followed(s, a);
    b = followed(s, b);
    if (depth > DISJOINT_DEPTH_MAX || !a || !b || s->d->rc)
        return false;
    if (json_is_false(a) || json_is_false(b))
        return true;
    if (!json_is_object(a) || !json_is_object(b))
        return false;
    unsigned types_a = keyword_types(s, a), types_b = keyword_types(s, b);
    if (!(types_a & types_b))
        return true;
    json_t *list_a = listed(a), *list_b = listed(b);
    bool apart = (list_a && none_valid(s, list_a, b)) || (list_b && none_valid(s, list_b, a));
    json_decref(list_a);
    json_decref(list_b);
    if (!apart && (types_a & types_b) == TYPE_OBJECT)
        apart = disjoint_objects(s, a, b, depth) || disjoint_objects(s, b, a, depth);
    return apart;
}

json_t *rewrite_one_of(struct schema *s, const json_t *schema)
{
    const json_t *one = keyword_array(s, schema, "oneOf");
    json_t *made = schema_made(s, schema, MADE_ONE_OF);
    size_t n = json_array_size(one);
    if (made || s->d->rc)
        return made;
    json_t *any = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *all = json_array();
        json_array_append_new(all, shared(json_array_get(one, i)));
        for (size_t k = 0; k < n; k++)
            if (k != i && !disjoint(s, json_array_get(one, i), json_array_get(one, k), 0))
                json_array_append_new(all, not_of(json_array_get(one, k)));
        json_array_append_new(any, object1("allOf", all));
    }
    return schema_make(s, schema, MADE_ONE_OF, object1("anyOf", any));
}
