/* schema.c - goals to rules, until none is left. */
#include "base/mem.h"
#include "grammar/grammar.h"
#include "grammar/schema_int.h"

enum { SCHEMA_BYTES_MAX = 4 << 20 };

/* ---- goals ----------------------------------------------------------------------------------- */

static bool goal_has(const struct goal *g, const json_t *schema, unsigned done)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->parts[i].schema == schema && g->parts[i].done == done)
            return true;
    return false;
}

/* Puts a schema at place at, unless the goal has it; whether it did. */
static bool goal_insert(struct schema *s, struct goal *g, size_t at, const json_t *schema,
                        unsigned done)
{
    if (goal_has(g, schema, done))
        return false;
    if (g->n == PARTS_MAX) {
        schema_fail(s, ERR_LIMIT, schema, NULL, "more than 48 schemas hold for one value");
        return false;
    }
    memmove(g->parts + at + 1, g->parts + at, (g->n - at) * sizeof g->parts[0]);
    g->parts[at] = (struct part){schema, done};
    g->n++;
    return true;
}

void goal_add(struct schema *s, struct goal *g, const json_t *schema, unsigned done)
{
    goal_insert(s, g, g->n, schema, done);
}

/* Goals of the same schemas in another order are equal: the sum does not see the order. */
static uint64_t goal_hash(const struct goal *g)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < g->n; i++) {
        uint64_t h = (uintptr_t)g->parts[i].schema * 0x9e3779b97f4a7c15u;
        h = (h ^ h >> 32 ^ g->parts[i].done) * 0xbf58476d1ce4e5b9u;
        sum += h ^ h >> 31;
    }
    return sum;
}

static bool goal_equal(const struct goal *a, const struct goal *b)
{
    bool equal = a->n == b->n;
    for (size_t i = 0; i < a->n && equal; i++)
        equal = goal_has(b, a->parts[i].schema, a->parts[i].done);
    return equal;
}

static bool grow_goals(struct schema *s)
{
    size_t wanted = s->n_goals_reserved ? 2 * s->n_goals_reserved : 16, n_table = 4 * wanted;
    struct goal *goals = mem_resize(s->goals, wanted * sizeof goals[0]);
    if (goals)
        s->goals = goals;
    uint32_t *rules = mem_resize(s->rules, wanted * sizeof rules[0]);
    if (rules)
        s->rules = rules;
    size_t *table = mem_array(n_table, sizeof table[0]);
    if (!goals || !rules || !table) {
        mem_free(table);
        draft_fail(s->d, ERR_MEMORY, "out of memory for a JSON schema");
        return false;
    }
    mem_free(s->table);
    s->table = table;
    s->n_table = n_table;
    s->n_goals_reserved = wanted;
    for (size_t i = 0; i < s->n_goals; i++) {
        size_t at = goal_hash(&goals[i]) & (n_table - 1);
        while (table[at])
            at = (at + 1) & (n_table - 1);
        table[at] = i + 1;
    }
    return true;
}

uint32_t goal_ref(struct schema *s, const struct goal *g)
{
    char place[200];
    if (s->d->rc)
        return DRAFT_NOTHING;
    if (s->n_goals == GOALS_MAX) {
        schema_fail(s, ERR_LIMIT, g->n ? g->parts[0].schema : s->root, NULL,
                    "the schema combines into more than 20000 goals");
        return DRAFT_NOTHING;
    }
    if (s->n_goals == s->n_goals_reserved && !grow_goals(s))
        return DRAFT_NOTHING;
    size_t at = goal_hash(g) & (s->n_table - 1);
    for (; s->table[at]; at = (at + 1) & (s->n_table - 1))
        if (goal_equal(&s->goals[s->table[at] - 1], g))
            return draft_ref(s->d, s->rules[s->table[at] - 1]);
    schema_place(s, g->n ? g->parts[0].schema : s->root, place);
    s->goals[s->n_goals] = *g;
    s->rules[s->n_goals] = draft_rule(s->d, str_from(place));
    s->table[at] = ++s->n_goals;
    return draft_ref(s->d, s->rules[s->n_goals - 1]);
}

/* Replaces part i by itself with more done, and n other schemas behind it: properties keep the
 * order that the schemas have. */
static void replace(struct schema *s, struct goal *g, size_t i, unsigned done,
                    const json_t *const *by, size_t n)
{
    struct part old = g->parts[i];
    memmove(g->parts + i, g->parts + i + 1, (g->n - i - 1) * sizeof g->parts[0]);
    g->n--;
    if (schema_has_assertion(old.schema, old.done | done))
        i += goal_insert(s, g, i, old.schema, old.done | done);
    for (size_t k = 0; k < n; k++)
        if (by[k])
            i += goal_insert(s, g, i, by[k], 0);
}

static void replace_by(struct schema *s, struct goal *g, size_t i, unsigned done, const json_t *by)
{
    replace(s, g, i, done, &by, 1);
}

/* The same by all schemas of a list. */
static void replace_by_all(struct schema *s, struct goal *g, size_t i, unsigned done,
                           const json_t *list)
{
    const json_t *by[PARTS_MAX];
    size_t n = json_array_size(list);
    if (n > PARTS_MAX)
        schema_fail(s, ERR_LIMIT, g->parts[i].schema, "allOf", "holds more than 48 schemas");
    for (size_t k = 0; k < n && n <= PARTS_MAX; k++)
        by[k] = json_array_get(list, k);
    replace(s, g, i, done, by, n <= PARTS_MAX ? n : 0);
}

static const json_t *has(struct part p, unsigned done, const char *keyword)
{
    return p.done & done ? NULL : json_object_get(p.schema, keyword);
}

/* Deals with one replacing keyword of part i; false: it has none left. */
static bool expand_part(struct schema *s, struct goal *g, size_t i)
{
    struct part p = g->parts[i];
    if (has(p, DONE_REF, "$ref")) {
        replace_by(s, g, i, DONE_REF, schema_resolve(s, p.schema));
    } else if (has(p, DONE_ALL_OF, "allOf")) {
        replace_by_all(s, g, i, DONE_ALL_OF, keyword_array(s, p.schema, "allOf"));
    } else if (has(p, DONE_NOT, "not")) {
        replace_by(s, g, i, DONE_NOT, rewrite_not(s, json_object_get(p.schema, "not")));
    } else if (has(p, DONE_IF, "if")) {
        replace_by(s, g, i, DONE_IF, rewrite_if(s, p.schema));
    } else if (has(p, DONE_DEPENDENT, "dependentRequired") ||
               has(p, DONE_DEPENDENT, "dependentSchemas") ||
               has(p, DONE_DEPENDENT, "dependencies")) {
        replace_by(s, g, i, DONE_DEPENDENT, rewrite_dependent(s, p.schema));
    } else if (has(p, DONE_ONE_OF, "oneOf")) {
        replace_by(s, g, i, DONE_ONE_OF, rewrite_one_of(s, p.schema));
    } else {
        return false;
    }
    return true;
}

bool goal_expand(struct schema *s, struct goal *g)
{
    for (size_t i = 0; i < g->n && !s->d->rc;) {
        const json_t *schema = g->parts[i].schema;
        if (json_is_false(schema))
            return false;
        if (json_is_true(schema)) {
            replace_by(s, g, i, 0, NULL);
            continue;
        }
        if (!json_is_object(schema)) {
            schema_fail(s, ERR_FORMAT, schema, NULL, "a schema must be an object or a boolean");
            return false;
        }
        if (g->parts[i].done == 0)
            schema_check_keywords(s, schema);
        if (!schema_has_assertion(schema, g->parts[i].done))
            replace_by(s, g, i, 0, NULL);
        else if (expand_part(s, g, i))
            i = 0; /* parts have moved */
        else
            i++;
    }
    return !s->d->rc;
}

/* ---- what a goal is as an expression --------------------------------------------------------- */

size_t goal_branches(const struct goal *g, size_t *n)
{
    for (size_t i = 0; i < g->n; i++)
        if (has(g->parts[i], DONE_ANY_OF, "anyOf")) {
            *n = json_array_size(json_object_get(g->parts[i].schema, "anyOf"));
            return i;
        }
    return g->n;
}

struct goal goal_branch(struct schema *s, const struct goal *g, size_t part, size_t branch)
{
    struct goal made = *g;
    const json_t *any = keyword_array(s, g->parts[part].schema, "anyOf");
    replace_by(s, &made, part, DONE_ANY_OF, json_array_get(any, branch));
    return made;
}

/* The alternatives of part i's anyOf. */
static uint32_t any_of(struct schema *s, const struct goal *g, size_t i, size_t n)
{
    uint32_t *exprs = mem_array(n + 1, sizeof exprs[0]), made = DRAFT_NOTHING;
    if (!exprs)
        draft_fail(s->d, ERR_MEMORY, "out of memory for a JSON schema");
    keyword_array(s, g->parts[i].schema, "anyOf");
    for (size_t k = 0; k < n && !s->d->rc; k++) {
        struct goal branch = goal_branch(s, g, i, k);
        exprs[k] = goal_ref(s, &branch);
    }
    if (!s->d->rc)
        made = draft_alt(s->d, exprs, n);
    mem_free(exprs);
    return made;
}

static uint32_t enumerated(struct schema *s, const struct goal *g, json_t *values)
{
    size_t n = json_array_size(values);
    uint32_t *exprs = mem_array(n + 1, sizeof exprs[0]), made = DRAFT_NOTHING;
    size_t n_valid = 0;
    if (!exprs)
        draft_fail(s->d, ERR_MEMORY, "out of memory for a JSON schema");
    for (size_t k = 0; k < n && !s->d->rc; k++) {
        bool valid = true;
        for (size_t i = 0; i < g->n && valid; i++) {
            struct part p = g->parts[i];
            int decided = value_valid(s, json_array_get(values, k), p.schema, p.done, 0);
            if (decided < 0)
                schema_fail(s, ERR_UNSUPPORTED, p.schema, "enum",
                            "stands beside keywords that are not decided for its values");
            valid = decided > 0;
        }
        if (valid && !s->d->rc)
            exprs[n_valid++] = value_expr(s, json_array_get(values, k), 0);
    }
    if (!s->d->rc)
        made = draft_alt(s->d, exprs, n_valid);
    mem_free(exprs);
    return made;
}

/* null, true and false, without those that a negated enum takes away. */
static uint32_t simple_values(struct schema *s, const struct goal *g, unsigned types)
{
    uint32_t exprs[3];
    size_t n = 0;
    const json_t *values[3] = {json_null(), json_true(), json_false()};
    for (size_t k = 0; k < 3; k++) {
        bool wanted = value_type(values[k]) & types;
        for (size_t i = 0; i < g->n && wanted; i++) {
            const json_t *not = json_object_get(g->parts[i].schema, KEY_NOT_ENUM);
            for (size_t v = 0; v < json_array_size(not ); v++)
                wanted &= !value_equal(values[k], json_array_get(not, v));
        }
        if (wanted)
            exprs[n++] = value_expr(s, values[k], 0);
    }
    return draft_alt(s->d, exprs, n);
}

static uint32_t typed(struct schema *s, const struct goal *g)
{
    unsigned types = TYPE_ALL;
    for (size_t i = 0; i < g->n; i++)
        types &= keyword_types(s, g->parts[i].schema);
    uint32_t exprs[5] = {simple_values(s, g, types)};
    if (types & (TYPE_INTEGER | TYPE_FRACTION))
        exprs[1] = number_expr(s, g, types);
    if (types & TYPE_STRING)
        exprs[2] = string_expr(s, g);
    if (types & TYPE_ARRAY)
        exprs[3] = array_expr(s, g);
    if (types & TYPE_OBJECT)
        exprs[4] = object_expr(s, g);
    return draft_alt(s->d, exprs, 5);
}

static uint32_t goal_expr(struct schema *s, struct goal *g)
{
    if (!goal_expand(s, g))
        return DRAFT_NOTHING;
    if (g->n == 0)
        return s->j.any;
    size_t n, part = goal_branches(g, &n);
    if (part < g->n)
        return any_of(s, g, part, n);
    json_t *values = goal_values(s, g);
    uint32_t made = values ? enumerated(s, g, values) : typed(s, g);
    json_decref(values);
    return made;
}

static uint32_t compile(struct schema *s)
{
    struct goal root = {.n = 0};
    goal_add(s, &root, s->root, 0);
    uint32_t made = goal_ref(s, &root);
    for (size_t i = 0; i < s->n_goals && !s->d->rc; i++) {
        struct goal g = s->goals[i];
        draft_set(s->d, s->rules[i], goal_expr(s, &g));
    }
    return made;
}

uint32_t draft_json_schema(struct draft *d, struct str text)
{
    struct schema s = {.d = d};
    json_error_t error;
    json_t *root = NULL;
    uint32_t made = DRAFT_NOTHING;
    if (text.len > SCHEMA_BYTES_MAX)
        draft_fail(d, ERR_LIMIT, "the JSON schema has %zu bytes, at most %d", text.len,
                   SCHEMA_BYTES_MAX);
    else if (!(root =
                   json_loadb(text.ptr ? text.ptr : "", text.len,
                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error)))
        draft_fail(d, ERR_FORMAT, "the JSON schema is not JSON: line %d, column %d: %s", error.line,
                   error.column, error.text);
    s.root = root;
    if (!d->rc) {
        json_text_init(&s.j, d);
        made = compile(&s);
    }
    for (size_t i = 0; i < s.n_made; i++)
        json_decref(s.made[i].schema);
    mem_free(s.made);
    mem_free(s.goals);
    mem_free(s.rules);
    mem_free(s.table);
    json_decref(root);
    return made;
}

enum err grammar_from_json_schema(struct str text, const struct grammar_limits *limits,
                                  struct grammar **out, struct err_note *note)
{
    struct draft d;
    draft_init(&d);
    uint32_t expr = draft_json_schema(&d, text);
    return grammar_from_expr(&d, expr, limits, out, note);
}
