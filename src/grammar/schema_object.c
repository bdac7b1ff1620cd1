/* schema_object.c - objects: named properties in their order, then others.
 *
 * A graph over (named properties passed, properties written). Names come in the order of the
 * schemas; names that are only required follow them; then come properties of other names, sorted by
 * which patterns their names match: each such region of names has one schema for its values. */
#include "base/mem.h"
#include "grammar/automaton.h"
#include "grammar/schema_int.h"

enum { PATTERNS_MAX = 5, MEMBERSHIP_STEPS_MAX = 2000000, MEMBERSHIP_STATES_MAX = 100000 };

struct property {
    const char *name;
    bool required;
    uint32_t key;   /* its name as a text in quotes */
    uint32_t value; /* DRAFT_NOTHING: it cannot be there */
};

struct object {
    struct schema *s;
    const struct goal *g;
    struct property *properties;
    uint32_t n_properties, n_reserved;
    uint32_t min, max; /* of all properties */
    struct {
        const char *text;
        uint32_t expr;
    } patterns[PATTERNS_MAX];
    uint32_t n_patterns;
    uint32_t names;  /* content that propertyNames allow; DRAFT_NOTHING: none is said */
    uint32_t others; /* pairs of other names */
    struct draft_edge *edges;
    size_t n_edges;
    uint32_t n_rows; /* of the graph but the first */
};

/* ---- reading the keywords -------------------------------------------------------------------- */

static struct property *property_of(struct object *o, const char *name)
{
    for (uint32_t i = 0; i < o->n_properties; i++)
        if (strcmp(o->properties[i].name, name) == 0)
            return &o->properties[i];
    if (o->n_properties == o->n_reserved) {
        uint32_t wanted = 2 * o->n_reserved + 8;
        struct property *grown = mem_resize(o->properties, wanted * sizeof grown[0]);
        if (!grown) {
            draft_fail(o->s->d, ERR_MEMORY, "out of memory for a JSON schema");
            return NULL;
        }
        o->properties = grown;
        o->n_reserved = wanted;
    }
    o->properties[o->n_properties] = (struct property){.name = name};
    return &o->properties[o->n_properties++];
}

static void add_pattern(struct object *o, const json_t *schema, const char *text)
{
    for (uint32_t i = 0; i < o->n_patterns; i++)
        if (strcmp(o->patterns[i].text, text) == 0)
            return;
    if (o->n_patterns == PATTERNS_MAX) {
        schema_fail(o->s, ERR_LIMIT, schema, "patternProperties", "has more than 5 patterns");
        return;
    }
    o->patterns[o->n_patterns].text = text;
    o->patterns[o->n_patterns++].expr = pattern_expr(o->s, schema, "patternProperties", text);
}

static void read_properties(struct object *o)
{
    const char *name;
    json_t *value;
    for (size_t i = 0; i < o->g->n; i++) {
        const json_t *schema = o->g->parts[i].schema;
        json_object_foreach((json_t *)(uintptr_t)keyword_object(o->s, schema, "properties"), name,
                            value)
        {
            property_of(o, name);
        }
        json_object_foreach((json_t *)(uintptr_t)keyword_object(o->s, schema, "patternProperties"),
                            name, value)
        {
            add_pattern(o, schema, name);
        }
    }
}

static void read_required(struct object *o)
{
    for (size_t i = 0; i < o->g->n; i++) {
        const json_t *schema = o->g->parts[i].schema;
        const json_t *required = keyword_array(o->s, schema, "required");
        for (size_t k = 0; k < json_array_size(required) && !o->s->d->rc; k++) {
            const char *name = json_string_value(json_array_get(required, k));
            struct property *p = name ? property_of(o, name) : NULL;
            if (!name)
                schema_fail(o->s, ERR_FORMAT, schema, "required", "must hold strings");
            else if (p)
                p->required = true;
        }
    }
}

static void read_counts(struct object *o)
{
    uint32_t value;
    for (size_t i = 0; i < o->g->n; i++) {
        if (keyword_count(o->s, o->g->parts[i].schema, "minProperties", &value))
            o->min = value > o->min ? value : o->min;
        if (keyword_count(o->s, o->g->parts[i].schema, "maxProperties", &value))
            o->max = value < o->max ? value : o->max;
    }
}

/* Content that is one of the names which schema lists; DRAFT_NOTHING: it lists none. */
static uint32_t listed_names(struct object *o, const json_t *schema)
{
    struct draft *d = o->s->d;
    const json_t *only = json_object_get(schema, "const"), *list = json_object_get(schema, "enum");
    uint32_t made = DRAFT_NOTHING;
    if (only)
        return json_is_string(only) ? json_spelled(d, str_from(json_string_value(only))) : made;
    for (size_t k = 0; k < json_array_size(list); k++) {
        const char *text = json_string_value(json_array_get(list, k));
        if (text)
            made = DRAFT_ALT(d, made, json_spelled(d, str_from(text)));
    }
    return made;
}

/* The names that a goal allows, as content. */
static uint32_t names_of(struct object *o, struct goal *names, int depth)
{
    struct schema *s = o->s;
    unsigned types = TYPE_ALL;
    size_t n = 0;
    if (!goal_expand(s, names))
        return DRAFT_NOTHING;
    size_t part = goal_branches(names, &n);
    uint32_t content = DRAFT_NOTHING;
    if (part < names->n && depth == NAMES_DEPTH_MAX)
        schema_fail(s, ERR_LIMIT, names->parts[part].schema, "anyOf", "nests too deep here");
    for (size_t k = 0; part < names->n && k < n && !s->d->rc; k++) {
        struct goal branch = goal_branch(s, names, part, k);
        content = DRAFT_ALT(s->d, content, names_of(o, &branch, depth + 1));
    }
    if (part < names->n)
        return content;
    for (size_t i = 0; i < names->n; i++)
        types &= keyword_types(s, names->parts[i].schema);
    if (!(types & TYPE_STRING))
        return DRAFT_NOTHING;
    content = string_content(s, names);
    for (size_t i = 0; i < names->n; i++) {
        const json_t *schema = names->parts[i].schema;
        if (json_object_get(schema, "const") || json_object_get(schema, "enum"))
            content = draft_and(s->d, content, listed_names(o, schema));
    }
    return content;
}

/* What all propertyNames together leave, as content; *any: there is one at all. */
static uint32_t read_names(struct object *o, bool *any)
{
    struct goal names = {.n = 0};
    *any = false;
    for (size_t i = 0; i < o->g->n; i++) {
        const json_t *own = json_object_get(o->g->parts[i].schema, "propertyNames");
        *any |= own != NULL;
        if (own)
            goal_add(o->s, &names, own, 0);
    }
    return *any ? names_of(o, &names, 0) : DRAFT_NOTHING;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Whether a name is among the contents that expr matches. */
static bool is_among(struct object *o, const char *name, uint32_t expr)
{
    struct draft *d = o->s->d;
    struct err_note note = {""};
    struct budget b = {
        .n_steps_max = MEMBERSHIP_STEPS_MAX, .n_states_max = MEMBERSHIP_STATES_MAX, .note = &note};
    struct automaton raw = {0}, made = {0};
    uint32_t both = draft_and(d, json_spelled(d, str_from(name)), expr);
    bool found = false;
    if (both == DRAFT_NOTHING || d->rc)
        return false;
    enum err rc = automaton_build(d, both, &raw, &b);
    if (!rc)
        rc = automaton_determine(&raw, MEMBERSHIP_STATES_MAX, &made, &b);
    if (rc)
        draft_fail(d, rc, "%s", note.text);
    for (uint32_t i = 0; i < made.n_states; i++)
        found |= made.is_final[i];
    automaton_release(&raw);
    automaton_release(&made);
    return found;
}

/* What holds for the value of a property: in_pattern[i]: its name matches pattern i. name NULL: it
 * is none of the named ones. */
static uint32_t value_of(struct object *o, const char *name, const bool *in_pattern)
{
    struct goal value = {.n = 0};
    for (size_t i = 0; i < o->g->n; i++) {
        const json_t *schema = o->g->parts[i].schema;
        const json_t *patterns = json_object_get(schema, "patternProperties");
        const json_t *own =
            name ? json_object_get(json_object_get(schema, "properties"), name) : NULL;
        const json_t *more = schema_other_properties(schema);
        bool held = own != NULL;
        if (own)
            goal_add(o->s, &value, own, 0);
        for (uint32_t k = 0; k < o->n_patterns; k++) {
            const json_t *by_pattern = json_object_get(patterns, o->patterns[k].text);
            if (!in_pattern[k] || !by_pattern)
                continue;
            goal_add(o->s, &value, by_pattern, 0);
            held = true;
        }
        if (!held && more)
            goal_add(o->s, &value, more, 0);
    }
    for (size_t i = 0; i < value.n; i++)
        if (json_is_false(value.parts[i].schema))
            return DRAFT_NOTHING;
    return goal_ref(o->s, &value);
}

static void fill_properties(struct object *o, bool has_names)
{
    struct draft *d = o->s->d;
    for (uint32_t i = 0; i < o->n_properties && !d->rc; i++) {
        struct property *p = &o->properties[i];
        bool in_pattern[PATTERNS_MAX] = {false};
        for (uint32_t k = 0; k < o->n_patterns; k++)
            in_pattern[k] = is_among(o, p->name, o->patterns[k].expr);
        p->key = json_quoted(d, json_spelled(d, str_from(p->name)));
        if (!has_names || is_among(o, p->name, o->names))
            p->value = value_of(o, p->name, in_pattern);
    }
}

static uint32_t pair(struct object *o, uint32_t key, uint32_t value)
{
    return DRAFT_SEQ(o->s->d, key, draft_literal(o->s->d, STR(":")), o->s->j.space, value);
}

/* Pairs of names that are not among the named ones. */
static uint32_t other_pairs(struct object *o, bool has_names)
{
    struct draft *d = o->s->d;
    bool constrained = has_names || o->n_patterns > 0 || o->n_properties > 0;
    uint32_t made = DRAFT_NOTHING;
    uint32_t all = has_names ? o->names : draft_repeat(d, o->s->j.exact, 0, DRAFT_ENDLESS);
    uint32_t *named = mem_array(o->n_properties + 1, sizeof named[0]);
    if (!named) {
        draft_fail(d, ERR_MEMORY, "out of memory for a JSON schema");
        return DRAFT_NOTHING;
    }
    for (uint32_t i = 0; i < o->n_properties; i++)
        named[i] = json_spelled(d, str_from(o->properties[i].name));
    uint32_t named_any = draft_alt(d, named, o->n_properties);
    mem_free(named);
    for (uint32_t region = 0; region < 1u << o->n_patterns && !d->rc; region++) {
        bool in_pattern[PATTERNS_MAX] = {false};
        uint32_t content = all;
        for (uint32_t k = 0; k < o->n_patterns; k++) {
            in_pattern[k] = region >> k & 1;
            content = in_pattern[k] ? draft_and(d, content, o->patterns[k].expr)
                                    : draft_minus(d, content, o->patterns[k].expr);
        }
        uint32_t value = value_of(o, NULL, in_pattern);
        if (value == DRAFT_NOTHING)
            continue;
        content = draft_minus(d, content, named_any);
        uint32_t key = constrained ? json_quoted(d, content) : o->s->j.string;
        made = DRAFT_ALT(d, made, pair(o, key, value));
    }
    return made;
}

/* ---- the graph ------------------------------------------------------------------------------- */

static uint32_t node_of(const struct object *o, uint32_t passed, uint32_t written)
{
    return 2 + passed * (o->n_rows + 1) + written;
}

static void edge(struct object *o, uint32_t from, uint32_t to, uint32_t expr)
{
    if (expr != DRAFT_NOTHING)
        o->edges[o->n_edges++] = (struct draft_edge){from, to, expr};
}

/* The row after one more pair; false: there may be none. */
static bool next_row(const struct object *o, uint32_t written, uint32_t *next)
{
    *next = written < o->n_rows ? written + 1 : written;
    return written < o->n_rows || o->max == DRAFT_ENDLESS;
}

static void add_edges(struct object *o, uint32_t passed)
{
    struct draft *d = o->s->d;
    const struct property *p = passed < o->n_properties ? &o->properties[passed] : NULL;
    uint32_t comma = DRAFT_SEQ(d, draft_literal(d, STR(",")), o->s->j.space), next;
    uint32_t first = p ? pair(o, p->key, p->value) : o->others;
    uint32_t later = DRAFT_SEQ(d, comma, first);
    for (uint32_t written = 0; written <= o->n_rows; written++) {
        uint32_t from = node_of(o, passed, written);
        if (next_row(o, written, &next))
            edge(o, from, node_of(o, passed + (p != NULL), next), written == 0 ? first : later);
        if (p && !p->required)
            edge(o, from, node_of(o, passed + 1, written), DRAFT_EMPTY);
        if (!p && written >= o->min)
            edge(o, from, 1, written == 0 ? DRAFT_EMPTY : o->s->j.space);
    }
}

static uint32_t graph(struct object *o)
{
    struct draft *d = o->s->d;
    o->n_rows = o->max != DRAFT_ENDLESS ? o->max : o->min > 1 ? o->min : 1;
    /* More rows than pairs can be written are never reached. */
    if (o->others == DRAFT_NOTHING && o->n_rows > o->n_properties + 1)
        o->n_rows = o->n_properties + 1;
    if ((uint64_t)(o->n_properties + 1) * (o->n_rows + 1) > NODES_MAX) {
        schema_fail(o->s, ERR_LIMIT, o->g->n ? o->g->parts[0].schema : o->s->root, NULL,
                    "properties times minProperties or maxProperties is too large");
        return DRAFT_NOTHING;
    }
    o->edges =
        mem_array((size_t)(o->n_properties + 1) * (o->n_rows + 1) * 2 + 1, sizeof o->edges[0]);
    if (!o->edges) {
        draft_fail(d, ERR_MEMORY, "out of memory for a JSON schema");
        return DRAFT_NOTHING;
    }
    edge(o, 0, node_of(o, 0, 0), DRAFT_EMPTY);
    for (uint32_t passed = 0; passed <= o->n_properties && !d->rc; passed++)
        add_edges(o, passed);
    return draft_graph(d, o->edges, o->n_edges);
}

static uint32_t members(struct object *o)
{
    bool has_names;
    read_properties(o);
    read_required(o);
    read_counts(o);
    o->names = read_names(o, &has_names);
    if (o->s->d->rc || o->min > o->max)
        return DRAFT_NOTHING;
    fill_properties(o, has_names);
    o->others = other_pairs(o, has_names);
    return o->s->d->rc ? DRAFT_NOTHING : graph(o);
}

uint32_t object_expr(struct schema *s, const struct goal *g)
{
    struct object o = {.s = s, .g = g, .max = DRAFT_ENDLESS};
    struct draft *d = s->d;
    uint32_t inside = members(&o);
    mem_free(o.properties);
    mem_free(o.edges);
    return DRAFT_SEQ(d, draft_literal(d, STR("{")), s->j.space, inside, draft_literal(d, STR("}")));
}
