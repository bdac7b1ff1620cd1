/* schema_array.c - arrays: a graph over (items so far, items so far that "contains" counts). */
#include "base/mem.h"
#include "grammar/schema_int.h"

struct array {
    struct schema *s;
    const struct goal *g;
    uint32_t min, max;     /* items; max DRAFT_ENDLESS: no bound */
    uint32_t n_prefix;     /* the longest prefixItems */
    uint32_t n_items;      /* columns of the graph but the first: beyond, items are alike */
    const json_t *counted; /* the schema with "contains", or NULL */
    uint32_t count_min, count_max, n_counts; /* rows but the first */
    struct draft_edge *edges;
    size_t n_edges;
};

/* Draft 2020-12's prefixItems, or the array form that "items" had before. */
static const json_t *prefix_of(const json_t *schema)
{
    const json_t *items = json_object_get(schema, "items");
    return json_is_array(items) ? items : json_object_get(schema, "prefixItems");
}

static void read_part(struct array *a, const json_t *schema)
{
    struct schema *s = a->s;
    const json_t *prefix = prefix_of(schema), *unique = json_object_get(schema, "uniqueItems");
    uint32_t value;
    if (keyword_count(s, schema, "minItems", &value) && value > a->min)
        a->min = value;
    if (keyword_count(s, schema, "maxItems", &value) && value < a->max)
        a->max = value;
    if (json_array_size(prefix) > a->n_prefix)
        a->n_prefix = (uint32_t)json_array_size(prefix);
    if (prefix && !json_is_array(prefix))
        schema_fail(s, ERR_FORMAT, schema, "prefixItems", "must be an array");
    if (unique && !json_is_boolean(unique))
        schema_fail(s, ERR_FORMAT, schema, "uniqueItems", "must be true or false");
    if (json_object_get(schema, "contains")) {
        if (a->counted)
            schema_fail(s, ERR_UNSUPPORTED, schema, "contains", "can hold only once for an array");
        a->counted = schema;
        a->count_min = 1;
        a->count_max = DRAFT_ENDLESS;
        keyword_count(s, schema, "minContains", &a->count_min);
        keyword_count(s, schema, "maxContains", &a->count_max);
    }
}

/* What item i (from 0) must satisfy. */
static void item_goal(const struct array *a, uint32_t i, struct goal *out)
{
    out->n = 0;
    for (size_t k = 0; k < a->g->n; k++) {
        const json_t *schema = a->g->parts[k].schema, *prefix = prefix_of(schema);
        const json_t *own =
            i < json_array_size(prefix) ? json_array_get(prefix, i) : schema_other_items(schema);
        if (own)
            goal_add(a->s, out, own, 0);
    }
}

static uint32_t node_of(const struct array *a, uint32_t n, uint32_t count)
{
    return 2 + n * (a->n_counts + 1) + count;
}

static void edge(struct array *a, uint32_t from, uint32_t to, uint32_t expr)
{
    a->edges[a->n_edges++] = (struct draft_edge){from, to, expr};
}

/* The edges from n items to one more, in every row. */
static void add_item(struct array *a, uint32_t n)
{
    struct schema *s = a->s;
    struct draft *d = s->d;
    struct goal item, other;
    uint32_t comma = n == 0 ? DRAFT_EMPTY : DRAFT_SEQ(d, draft_literal(d, STR(",")), s->j.space);
    uint32_t next = n < a->n_items ? n + 1 : n, counted = DRAFT_NOTHING;
    item_goal(a, n, &item);
    other = item;
    if (a->counted) {
        const json_t *contains = json_object_get(a->counted, "contains");
        goal_add(s, &item, contains, 0);
        counted = DRAFT_SEQ(d, comma, goal_ref(s, &item));
        /* Where too many are wrong, the others must be told apart. */
        if (a->count_max != DRAFT_ENDLESS) {
            const json_t *not = rewrite_not(s, contains);
            if (not )
                goal_add(s, &other, not, 0);
        }
    }
    uint32_t plain = DRAFT_SEQ(d, comma, goal_ref(s, &other));
    for (uint32_t count = 0; count <= a->n_counts; count++) {
        edge(a, node_of(a, n, count), node_of(a, next, count), plain);
        if (a->counted && (count < a->n_counts || a->count_max == DRAFT_ENDLESS))
            edge(a, node_of(a, n, count), node_of(a, next, count < a->n_counts ? count + 1 : count),
                 counted);
    }
}

static void add_ends(struct array *a, uint32_t n)
{
    if (n < a->min)
        return;
    for (uint32_t count = 0; count <= a->n_counts; count++)
        if (!a->counted || (count >= a->count_min && count <= a->count_max))
            edge(a, node_of(a, n, count), 1, n == 0 ? DRAFT_EMPTY : a->s->j.space);
}

/* uniqueItems is no matter of grammars, except where it says nothing. */
static void check_unique(struct array *a)
{
    for (size_t i = 0; i < a->g->n && a->max > 1; i++)
        if (json_is_true(json_object_get(a->g->parts[i].schema, "uniqueItems")))
            schema_fail(a->s, ERR_UNSUPPORTED, a->g->parts[i].schema, "uniqueItems",
                        "is not supported for arrays of more than one item");
}

/* Sizes the graph; false after a failure. */
static bool measure(struct array *a)
{
    uint32_t least = a->n_prefix > a->min ? a->n_prefix : a->min;
    a->n_items = a->max != DRAFT_ENDLESS ? a->max : least;
    if (a->n_items == 0 && a->max == DRAFT_ENDLESS)
        a->n_items = 1; /* the first item has no comma */
    a->n_counts = !a->counted ? 0 : a->count_max != DRAFT_ENDLESS ? a->count_max : a->count_min;
    if ((uint64_t)(a->n_items + 1) * (a->n_counts + 1) > NODES_MAX)
        schema_fail(a->s, ERR_LIMIT, a->g->n ? a->g->parts[0].schema : a->s->root, NULL,
                    "minItems, maxItems, minContains and maxContains are too large");
    return !a->s->d->rc;
}

uint32_t array_expr(struct schema *s, const struct goal *g)
{
    struct array a = {.s = s, .g = g, .max = DRAFT_ENDLESS};
    struct draft *d = s->d;
    for (size_t i = 0; i < g->n; i++)
        read_part(&a, g->parts[i].schema);
    check_unique(&a);
    if (s->d->rc || a.min > a.max || a.count_min > a.count_max || !measure(&a))
        return DRAFT_NOTHING;
    a.edges = mem_array((size_t)(a.n_items + 2) * (a.n_counts + 1) * 3 + 1, sizeof a.edges[0]);
    if (!a.edges) {
        draft_fail(d, ERR_MEMORY, "out of memory for a JSON schema");
        return DRAFT_NOTHING;
    }
    edge(&a, 0, node_of(&a, 0, 0), DRAFT_EMPTY);
    for (uint32_t n = 0; n <= a.n_items && !s->d->rc; n++) {
        if (n < a.n_items || a.max == DRAFT_ENDLESS)
            add_item(&a, n);
        add_ends(&a, n);
    }
    uint32_t items = draft_graph(d, a.edges, a.n_edges);
    mem_free(a.edges);
    return DRAFT_SEQ(d, draft_literal(d, STR("[")), s->j.space, items, draft_literal(d, STR("]")));
}
