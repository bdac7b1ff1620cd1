/* schema_value.c - values that a schema lists: equal, valid, as text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "grammar/schema_int.h"

/* ---- comparing ------------------------------------------------------------------------------- */

bool value_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        if (json_is_integer(a) && json_is_integer(b))
            return json_integer_value(a) == json_integer_value(b);
        return json_number_value(a) == json_number_value(b);
    }
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_array(a)) {
        bool equal = json_array_size(a) == json_array_size(b);
        for (size_t i = 0; i < json_array_size(a) && equal; i++)
            equal = value_equal(json_array_get(a, i), json_array_get(b, i));
        return equal;
    }
    if (json_is_object(a)) {
        const char *name;
        json_t *value;
        bool equal = json_object_size(a) == json_object_size(b);
        json_object_foreach((json_t *)(uintptr_t)a, name, value)
        {
            const json_t *other = json_object_get(b, name);
            equal = equal && other && value_equal(value, other);
        }
        return equal;
    }
    return json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b);
}

unsigned value_type(const json_t *v)
{
    double whole;
    switch (json_typeof(v)) {
    case JSON_NULL:
        return TYPE_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return TYPE_BOOLEAN;
    case JSON_OBJECT:
        return TYPE_OBJECT;
    case JSON_ARRAY:
        return TYPE_ARRAY;
    case JSON_STRING:
        return TYPE_STRING;
    case JSON_INTEGER:
        return TYPE_INTEGER;
    case JSON_REAL:
        return modf(json_real_value(v), &whole) == 0 ? TYPE_INTEGER : TYPE_FRACTION;
    }
    return 0;
}

static bool is_among(const json_t *value, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (value_equal(value, json_array_get(list, i)))
            return true;
    return false;
}

/* ---- valid or not ---------------------------------------------------------------------------- */

/* Each part of the judgement: 1 holds, 0 does not, -1 not decided. */
static int both(int a, int b)
{
    return a == 0 || b == 0 ? 0 : a < 0 || b < 0 ? -1 : 1;
}

static size_t n_characters(const json_t *value)
{
    size_t n = 0;
    const char *text = json_string_value(value);
    for (size_t i = 0; i < json_string_length(value); i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static int counts_hold(struct schema *s, const json_t *schema, const char *min, const char *max,
                       size_t n)
{
    uint32_t bound;
    if (keyword_count(s, schema, min, &bound) && n < bound)
        return 0;
    return !(keyword_count(s, schema, max, &bound) && n > bound);
}

static int number_valid(struct schema *s, const json_t *value, const json_t *schema)
{
    double x = json_number_value(value);
    const json_t *v;
    if (keyword_number(s, schema, "minimum", &v) && !(x >= json_number_value(v)))
        return 0;
    if (keyword_number(s, schema, "maximum", &v) && !(x <= json_number_value(v)))
        return 0;
    if (keyword_number(s, schema, "exclusiveMinimum", &v) && !(x > json_number_value(v)))
        return 0;
    if (keyword_number(s, schema, "exclusiveMaximum", &v) && !(x < json_number_value(v)))
        return 0;
    if (!json_object_get(schema, "multipleOf"))
        return 1;
    v = json_object_get(schema, "multipleOf");
    if (!json_is_integer(value) || !json_is_integer(v) || json_integer_value(v) < 1)
        return -1;
    return json_integer_value(value) % json_integer_value(v) == 0;
}

static int array_valid(struct schema *s, const json_t *value, const json_t *schema, int depth)
{
    const json_t *prefix = json_object_get(schema, "prefixItems");
    const json_t *items = json_object_get(schema, "items");
    int valid = counts_hold(s, schema, "minItems", "maxItems", json_array_size(value));
    if (json_object_get(schema, "contains") || json_object_get(schema, "additionalItems") ||
        json_is_array(items) || json_object_get(schema, "uniqueItems") ||
        json_object_get(schema, "unevaluatedItems"))
        return valid == 0 ? 0 : -1;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *own = i < json_array_size(prefix) ? json_array_get(prefix, i) : items;
        if (own)
            valid = both(valid, value_valid(s, json_array_get(value, i), own, 0, depth + 1));
    }
    return valid;
}

static int object_valid(struct schema *s, const json_t *value, const json_t *schema, int depth)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *more = schema_other_properties(schema);
    const json_t *required = json_object_get(schema, "required");
    const char *name;
    json_t *own;
    int valid = counts_hold(s, schema, "minProperties", "maxProperties", json_object_size(value));
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *wanted = json_string_value(json_array_get(required, i));
        if (wanted && !json_object_get(value, wanted))
            return 0;
    }
    if (json_object_get(schema, "patternProperties") || json_object_get(schema, "propertyNames"))
        return valid == 0 ? 0 : -1;
    json_object_foreach((json_t *)(uintptr_t)value, name, own)
    {
        const json_t *rule = json_object_get(properties, name);
        if (rule || more)
            valid = both(valid, value_valid(s, own, rule ? rule : more, 0, depth + 1));
    }
    return valid;
}

/* How many of a list of schemas the value satisfies, as far as that is decided. */
static int n_valid(struct schema *s, const json_t *value, const json_t *schemas, int depth,
                   int *n_open)
{
    int n = 0;
    *n_open = 0;
    for (size_t i = 0; i < json_array_size(schemas); i++) {
        int valid = value_valid(s, value, json_array_get(schemas, i), 0, depth + 1);
        n += valid > 0;
        *n_open += valid < 0;
    }
    return n;
}

static int composed_valid(struct schema *s, const json_t *value, const json_t *schema,
                          unsigned done, int depth)
{
    const json_t *all = done & DONE_ALL_OF ? NULL : json_object_get(schema, "allOf");
    const json_t *any = done & DONE_ANY_OF ? NULL : json_object_get(schema, "anyOf");
    const json_t *one = done & DONE_ONE_OF ? NULL : json_object_get(schema, "oneOf");
    const json_t *not = done & DONE_NOT ? NULL : json_object_get(schema, "not");
    int valid = 1, n, n_open;
    if (!(done & DONE_REF) && json_object_get(schema, "$ref")) {
        const json_t *to = schema_resolve(s, schema);
        valid = to ? value_valid(s, value, to, 0, depth + 1) : -1;
    }
    if (all) {
        n = n_valid(s, value, all, depth, &n_open);
        valid = both(valid, n == (int)json_array_size(all)            ? 1
                            : n + n_open == (int)json_array_size(all) ? -1
                                                                      : 0);
    }
    if (any) {
        n = n_valid(s, value, any, depth, &n_open);
        valid = both(valid, n > 0 ? 1 : n_open ? -1 : 0);
    }
    if (one) {
        n = n_valid(s, value, one, depth, &n_open);
        valid = both(valid, n > 1 ? 0 : n_open ? -1 : n == 1);
    }
    if (not ) {
        n = value_valid(s, value, not, 0, depth + 1);
        valid = both(valid, n < 0 ? -1 : !n);
    }
    return valid;
}

int value_valid(struct schema *s, const json_t *value, const json_t *schema, unsigned done,
                int depth)
{
    static const char *const open[] = {"if", "dependentRequired", "dependentSchemas",
                                       "dependencies"};
    const json_t *listed = json_object_get(schema, "enum"),
                 *only = json_object_get(schema, "const");
    const json_t *not = json_object_get(schema, KEY_NOT_ENUM);
    if (json_is_boolean(schema))
        return json_is_true(schema);
    if (depth > VALUE_DEPTH_MAX || !json_is_object(schema))
        return -1;
    unsigned type = value_type(value);
    if (!(keyword_types(s, schema) & type) || (only && !value_equal(value, only)) ||
        (listed && !is_among(value, listed)) || (not &&is_among(value, not )))
        return 0;
    int valid = composed_valid(s, value, schema, done, depth);
    for (size_t i = 0; i < 4; i++)
        if (json_object_get(schema, open[i]) && !(done & (i == 0 ? DONE_IF : DONE_DEPENDENT)))
            valid = both(valid, -1);
    if (type & (TYPE_INTEGER | TYPE_FRACTION))
        valid = both(valid, number_valid(s, value, schema));
    if (type == TYPE_STRING) {
        valid = both(valid, counts_hold(s, schema, "minLength", "maxLength", n_characters(value)));
        if (json_object_get(schema, "pattern") || json_object_get(schema, "format") ||
            json_object_get(schema, KEY_NOT_PATTERN))
            valid = both(valid, -1);
    }
    if (type == TYPE_ARRAY)
        valid = both(valid, array_valid(s, value, schema, depth));
    if (type == TYPE_OBJECT)
        valid = both(valid, object_valid(s, value, schema, depth));
    return valid;
}

/* ---- lists ----------------------------------------------------------------------------------- */

json_t *goal_values(struct schema *s, const struct goal *g)
{
    json_t *values = NULL;
    for (size_t i = 0; i < g->n && !values; i++) {
        const json_t *schema = g->parts[i].schema, *only = json_object_get(schema, "const");
        const json_t *listed = keyword_array(s, schema, "enum");
        if (only) {
            values = json_array();
            json_array_append(values, (json_t *)(uintptr_t)only);
        } else if (listed) {
            values = json_incref((json_t *)(uintptr_t)listed);
        }
    }
    return values;
}

/* ---- values as text -------------------------------------------------------------------------- */

/* The digits of x, shortest first that reads back: [-]d.ddd, exponent apart. */
static int shortest(double x, char digits[32])
{
    char text[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision - 1, x);
        if (strtod(text, NULL) == x)
            break;
    }
    char *e = strchr(text, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    size_t n = 0;
    for (const char *at = text; at < e; at++)
        if (*at != '.')
            digits[n++] = *at;
    digits[n] = 0;
    return exponent;
}

void number_text(const json_t *v, char out[400])
{
    char digits[32], *at = out;
    if (json_is_integer(v)) {
        snprintf(out, 400, "%lld", (long long)json_integer_value(v));
        return;
    }
    double x = json_real_value(v);
    int exponent = shortest(fabs(x), digits), n = (int)strlen(digits);
    while (n > 1 && digits[n - 1] == '0')
        digits[--n] = 0;
    if (x < 0)
        *at++ = '-';
    if (exponent < 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = -1; i > exponent; i--)
            *at++ = '0';
        for (int i = 0; i < n; i++)
            *at++ = digits[i];
    } else {
        for (int i = 0; i <= exponent || i < n; i++) {
            if (i == exponent + 1)
                *at++ = '.';
            *at++ = i < n ? digits[i] : '0';
        }
    }
    *at = 0;
}

static uint32_t list_expr(struct schema *s, const char *brackets, const uint32_t *items, size_t n)
{
    struct draft *d = s->d;
    uint32_t open = draft_literal(d, (struct str){brackets, 1});
    uint32_t close = draft_literal(d, (struct str){brackets + 1, 1});
    uint32_t inside = draft_seq(d, items, n);
    return n == 0 ? DRAFT_SEQ(d, open, s->j.space, close)
                  : DRAFT_SEQ(d, open, s->j.space, inside, s->j.space, close);
}

static uint32_t container_expr(struct schema *s, const json_t *value, int depth)
{
    struct draft *d = s->d;
    bool is_object = json_is_object(value);
    size_t n = is_object ? json_object_size(value) : json_array_size(value), k = 0;
    uint32_t *parts = mem_array(n + 1, sizeof parts[0]), made = DRAFT_NOTHING;
    uint32_t comma = DRAFT_SEQ(d, draft_literal(d, STR(",")), s->j.space);
    const char *name;
    json_t *own;
    if (!parts) {
        draft_fail(d, ERR_MEMORY, "out of memory for a JSON schema");
        return DRAFT_NOTHING;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, own)
    {
        uint32_t key = json_quoted(d, json_spelled(d, str_from(name)));
        uint32_t pair = DRAFT_SEQ(d, key, draft_literal(d, STR(":")), s->j.space,
                                  value_expr(s, own, depth + 1));
        parts[k] = k == 0 ? pair : DRAFT_SEQ(d, comma, pair);
        k++;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        uint32_t item = value_expr(s, json_array_get(value, i), depth + 1);
        parts[k++] = i == 0 ? item : DRAFT_SEQ(d, comma, item);
    }
    made = list_expr(s, is_object ? "{}" : "[]", parts, n);
    mem_free(parts);
    return made;
}

uint32_t value_expr(struct schema *s, const json_t *value, int depth)
{
    char text[400];
    switch (json_typeof(value)) {
    case JSON_NULL:
        return draft_literal(s->d, STR("null"));
    case JSON_TRUE:
        return draft_literal(s->d, STR("true"));
    case JSON_FALSE:
        return draft_literal(s->d, STR("false"));
    case JSON_INTEGER:
    case JSON_REAL:
        number_text(value, text);
        return draft_literal(s->d, str_from(text));
    case JSON_STRING:
        return json_quoted(s->d, json_spelled(s->d, (struct str){json_string_value(value),
                                                                 json_string_length(value)}));
    default:
        break;
    }
    if (depth > VALUE_DEPTH_MAX) {
        draft_fail(s->d, ERR_LIMIT, "a value in the JSON schema nests more than %d deep",
                   VALUE_DEPTH_MAX);
        return DRAFT_NOTHING;
    }
    return container_expr(s, value, depth);
}
