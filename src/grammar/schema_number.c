/* schema_number.c - numbers between bounds and multiples, as decimals without exponent.
 *
 * A number that something bounds is written with digits and a fraction only. Each bound, each
 * multiple is an expression of its own; what satisfies all of them is their intersection. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "grammar/schema_int.h"

enum { MULTIPLE_MAX = 10000, FRACTION_MAX = 15, EDGES_MAX = 300000 };

/* A decimal's digits: whole without leading zeros ("0" alone), fraction without trailing ones. */
struct decimal {
    bool negative;
    char whole[400], fraction[400];
};

/* Expressions that comparing uses again and again. */
struct numbers {
    struct draft *d;
    bool fractions; /* may they stand in the number? */
    uint32_t digit, digits, leading, some_fraction, point, zeros;
};

static void numbers_init(struct numbers *x, struct draft *d, bool fractions)
{
    x->d = d;
    x->fractions = fractions;
    x->digit = DRAFT_RANGES(d, false, {'0', '9'});
    x->digits = draft_repeat(d, x->digit, 0, DRAFT_ENDLESS);
    x->leading = DRAFT_RANGES(d, false, {'1', '9'});
    x->point = draft_literal(d, STR("."));
    x->zeros = draft_repeat(d, draft_literal(d, STR("0")), 0, DRAFT_ENDLESS);
    uint32_t fraction = DRAFT_SEQ(d, x->point, draft_repeat(d, x->digit, 1, DRAFT_ENDLESS));
    x->some_fraction = fractions ? draft_repeat(d, fraction, 0, 1) : DRAFT_EMPTY;
}

static struct decimal decimal_of(const json_t *v)
{
    struct decimal made = {.negative = false};
    char text[400], *at = text;
    number_text(v, text);
    made.negative = *at == '-';
    at += made.negative;
    size_t n = strcspn(at, "."), n_fraction = at[n] ? strlen(at + n + 1) : 0;
    memcpy(made.whole, at, n);
    if (n_fraction)
        memcpy(made.fraction, at + n + 1, n_fraction);
    while (n_fraction > 0 && made.fraction[n_fraction - 1] == '0')
        made.fraction[--n_fraction] = 0;
    if (strcmp(made.whole, "0") == 0 && n_fraction == 0)
        made.negative = false;
    return made;
}

/* ---- magnitudes ------------------------------------------------------------------------------ */

static uint32_t digit_between(struct numbers *x, int low, int high)
{
    return low > high ? DRAFT_NOTHING : DRAFT_RANGES(x->d, false, {(uint32_t)low, (uint32_t)high});
}

static uint32_t fixed_digits(struct numbers *x, uint32_t n)
{
    return draft_repeat(x->d, x->digit, n, n);
}

/* Whole parts of as many digits that differ first at digit k, to the side that is wanted. */
static uint32_t differs_at(struct numbers *x, struct str whole, size_t k, bool greater)
{
    int digit = whole.ptr[k], least = k == 0 && whole.len > 1 ? '1' : '0';
    uint32_t other =
        greater ? digit_between(x, digit + 1, '9') : digit_between(x, least, digit - 1);
    return DRAFT_SEQ(x->d, draft_literal(x->d, str_sub(whole, 0, k)), other,
                     fixed_digits(x, (uint32_t)(whole.len - k - 1)), x->some_fraction);
}

/* Whole parts of more digits, or of fewer. */
static uint32_t other_length(struct numbers *x, size_t n, bool greater)
{
    struct draft *d = x->d;
    if (greater)
        return DRAFT_SEQ(d, x->leading, draft_repeat(d, x->digit, (uint32_t)n, DRAFT_ENDLESS),
                         x->some_fraction);
    if (n < 2)
        return DRAFT_NOTHING;
    uint32_t fewer = DRAFT_SEQ(d, x->leading, draft_repeat(d, x->digit, 0, (uint32_t)n - 2));
    return DRAFT_SEQ(d, DRAFT_ALT(d, fewer, draft_literal(d, STR("0"))), x->some_fraction);
}

/* What may follow an equal whole part: fractions on the wanted side. */
static uint32_t fraction_compared(struct numbers *x, struct str f, bool greater, bool inclusive)
{
    struct draft *d = x->d;
    uint32_t parts[2] = {DRAFT_NOTHING, DRAFT_NOTHING}, made = DRAFT_NOTHING;
    if (!x->fractions)
        return (f.len == 0 ? inclusive : !greater) ? DRAFT_EMPTY : DRAFT_NOTHING;
    if (f.len > 0 ? !greater : inclusive)
        made = DRAFT_EMPTY;
    for (size_t k = 0; k < f.len; k++) {
        uint32_t before = DRAFT_SEQ(d, x->point, draft_literal(d, str_sub(f, 0, k)));
        uint32_t other =
            greater ? digit_between(x, f.ptr[k] + 1, '9') : digit_between(x, '0', f.ptr[k] - 1);
        parts[0] = DRAFT_SEQ(d, before, other, x->digits);
        parts[1] = !greater && k > 0 ? before : DRAFT_NOTHING; /* ends early: less */
        made = DRAFT_ALT(d, made, parts[0], parts[1]);
    }
    uint32_t same = DRAFT_SEQ(d, x->point, draft_literal(d, f));
    uint32_t one_zero = f.len == 0 ? draft_literal(d, STR("0")) : DRAFT_EMPTY;
    if (greater) /* more digits, one of them not 0; or any, if equal will do */
        parts[0] = inclusive ? DRAFT_SEQ(d, same, f.len ? DRAFT_EMPTY : x->digit, x->digits)
                             : DRAFT_SEQ(d, same, x->zeros, x->leading, x->digits);
    else
        parts[0] = inclusive ? DRAFT_SEQ(d, same, one_zero, x->zeros) : DRAFT_NOTHING;
    return DRAFT_ALT(d, made, parts[0]);
}

/* Numbers without sign that are greater (or less) than the magnitude of b, or equal. */
static uint32_t compared(struct numbers *x, const struct decimal *b, bool greater, bool inclusive)
{
    struct str whole = str_from(b->whole);
    uint32_t made = other_length(x, whole.len, greater);
    for (size_t k = 0; k < whole.len; k++)
        made = DRAFT_ALT(x->d, made, differs_at(x, whole, k, greater));
    uint32_t rest = fraction_compared(x, str_from(b->fraction), greater, inclusive);
    return DRAFT_ALT(x->d, made, DRAFT_SEQ(x->d, draft_literal(x->d, whole), rest));
}

static uint32_t any_magnitude(struct numbers *x)
{
    struct draft *d = x->d;
    uint32_t whole = DRAFT_ALT(d, draft_literal(d, STR("0")), DRAFT_SEQ(d, x->leading, x->digits));
    return DRAFT_SEQ(d, whole, x->some_fraction);
}

/* Numbers at least (or at most) b; not b itself if exclusive. */
static uint32_t bounded(struct numbers *x, const json_t *bound, bool at_least, bool exclusive)
{
    struct decimal b = decimal_of(bound);
    struct draft *d = x->d;
    uint32_t minus = draft_literal(d, STR("-")), any = any_magnitude(x);
    if (at_least != b.negative) { /* x >= 3, x <= -3: one sign, beyond */
        uint32_t beyond = compared(x, &b, true, !exclusive);
        return at_least ? beyond : DRAFT_SEQ(d, minus, beyond);
    }
    /* x <= 3, x >= -3: the other sign whole, and this side of the bound. */
    uint32_t within = compared(x, &b, false, !exclusive);
    if (!at_least)
        return DRAFT_ALT(d, DRAFT_SEQ(d, minus, any), within);
    return DRAFT_ALT(d, any, DRAFT_SEQ(d, minus, within));
}

/* ---- multiples ------------------------------------------------------------------------------- */

/* multiple * 10^n_fraction, a whole number; 0: too large. */
static uint32_t scaled_multiple(const struct decimal *m, uint32_t *n_fraction)
{
    char text[801];
    uint64_t value;
    snprintf(text, sizeof text, "%s%s", m->whole, m->fraction);
    *n_fraction = (uint32_t)strlen(m->fraction);
    if (*n_fraction > FRACTION_MAX || strlen(text) > 19 || !str_to_u64(str_from(text), &value))
        return 0;
    return value > MULTIPLE_MAX ? 0 : (uint32_t)value;
}

/* Nodes of the graph: 0 start, 1 end, 2 after "0", then by remainder: in the whole part, then after
 * 0, 1, ... n_stages digits of the fraction. */
struct multiples {
    uint32_t m, n_fraction, n_stages;
    struct draft_edge *edges;
    size_t n_edges;
    uint32_t digit[10];
};

static uint32_t node_of(const struct multiples *x, uint32_t stage, uint32_t remainder)
{
    return 3 + stage * x->m + remainder;
}

static void edge(struct multiples *x, uint32_t from, uint32_t to, uint32_t expr)
{
    x->edges[x->n_edges++] = (struct draft_edge){from, to, expr};
}

/* Whether a remainder is a multiple's once n more zeros follow. */
static bool is_multiple(const struct multiples *x, uint64_t remainder, uint32_t n)
{
    for (; n > 0; n--)
        remainder = remainder * 10 % x->m;
    return remainder == 0;
}

static void multiple_edges(struct multiples *x, uint32_t point, bool fractions)
{
    uint32_t k = x->n_fraction;
    edge(x, 0, 2, x->digit[0]);
    edge(x, 2, 1, DRAFT_EMPTY);
    if (fractions)
        edge(x, 2, node_of(x, 1, 0), point);
    for (uint32_t digit = 1; digit < 10; digit++)
        edge(x, 0, node_of(x, 0, digit % x->m), x->digit[digit]);
    for (uint32_t r = 0; r < x->m; r++) {
        for (uint32_t digit = 0; digit < 10; digit++)
            edge(x, node_of(x, 0, r), node_of(x, 0, (r * 10 + digit) % x->m), x->digit[digit]);
        if (is_multiple(x, r, k))
            edge(x, node_of(x, 0, r), 1, DRAFT_EMPTY);
        if (fractions)
            edge(x, node_of(x, 0, r), node_of(x, 1, r), point);
        for (uint32_t stage = 0; fractions && stage <= x->n_stages; stage++) {
            uint32_t next = stage < x->n_stages ? stage + 1 : stage;
            for (uint32_t digit = 0; digit < (stage < k ? 10 : 1); digit++) {
                uint32_t to = stage < k ? (r * 10 + digit) % x->m : r;
                edge(x, node_of(x, 1 + stage, r), node_of(x, 1 + next, to), x->digit[digit]);
            }
            if (stage > 0 && is_multiple(x, r, stage < k ? k - stage : 0))
                edge(x, node_of(x, 1 + stage, r), 1, DRAFT_EMPTY);
        }
    }
}

static uint32_t multiple_of(struct schema *s, const json_t *schema, const json_t *value,
                            bool fractions)
{
    struct draft *d = s->d;
    struct decimal b = decimal_of(value);
    struct multiples x = {.n_edges = 0};
    if (json_number_value(value) <= 0) {
        schema_fail(s, ERR_FORMAT, schema, "multipleOf", "must be greater than 0");
        return DRAFT_NOTHING;
    }
    x.m = scaled_multiple(&b, &x.n_fraction);
    x.n_stages = x.n_fraction > 0 ? x.n_fraction : 1;
    size_t n_edges_max = 20 + (size_t)x.m * (12 + 12 * (x.n_stages + 1));
    if (x.m == 0 || n_edges_max > EDGES_MAX) {
        schema_fail(s, ERR_LIMIT, schema, "multipleOf",
                    "has too many digits: without its point it may be at most 10000");
        return DRAFT_NOTHING;
    }
    x.edges = mem_array(n_edges_max, sizeof x.edges[0]);
    if (!x.edges) {
        draft_fail(d, ERR_MEMORY, "out of memory for a JSON schema");
        return DRAFT_NOTHING;
    }
    for (uint32_t digit = 0; digit < 10; digit++)
        x.digit[digit] = draft_literal(d, (struct str){&"0123456789"[digit], 1});
    multiple_edges(&x, draft_literal(d, STR(".")), fractions);
    uint32_t made = draft_graph(d, x.edges, x.n_edges);
    mem_free(x.edges);
    return DRAFT_SEQ(d, draft_repeat(d, draft_literal(d, STR("-")), 0, 1), made);
}

/* ---- all together ---------------------------------------------------------------------------- */

/* Without the numbers that a negated enum takes away. */
static uint32_t without_values(struct numbers *x, const json_t *schema, uint32_t made)
{
    const json_t *not = json_object_get(schema, KEY_NOT_ENUM);
    char text[400];
    for (size_t i = 0; i < json_array_size(not ); i++) {
        const json_t *value = json_array_get(not, i);
        if (!json_is_number(value))
            continue;
        number_text(value, text);
        uint32_t zeros = x->zeros;
        if (!strchr(text, '.'))
            zeros = draft_repeat(
                x->d, DRAFT_SEQ(x->d, x->point, draft_literal(x->d, STR("0")), zeros), 0, 1);
        made = draft_minus(x->d, made, DRAFT_SEQ(x->d, draft_literal(x->d, str_from(text)), zeros));
    }
    return made;
}

static uint32_t one_part(struct schema *s, struct numbers *x, const json_t *schema, uint32_t made)
{
    static const struct {
        const char *name;
        bool at_least, exclusive;
    } bounds[] = {{"minimum", true, false},
                  {"exclusiveMinimum", true, true},
                  {"maximum", false, false},
                  {"exclusiveMaximum", false, true}};
    const json_t *value;
    for (size_t i = 0; i < 4; i++)
        if (keyword_number(s, schema, bounds[i].name, &value))
            made =
                draft_and(s->d, made, bounded(x, value, bounds[i].at_least, bounds[i].exclusive));
    if (keyword_number(s, schema, "multipleOf", &value))
        made = draft_and(s->d, made, multiple_of(s, schema, value, x->fractions));
    return without_values(x, schema, made);
}

uint32_t number_expr(struct schema *s, const struct goal *g, unsigned types)
{
    struct draft *d = s->d;
    struct numbers x;
    numbers_init(&x, d, types & TYPE_FRACTION);
    uint32_t minus = draft_repeat(d, draft_literal(d, STR("-")), 0, 1);
    uint32_t plain = DRAFT_SEQ(d, minus, any_magnitude(&x)), made = plain;
    for (size_t i = 0; i < g->n; i++)
        made = one_part(s, &x, g->parts[i].schema, made);
    if (!(types & TYPE_INTEGER)) { /* a fraction that is not 0 */
        uint32_t whole = DRAFT_SEQ(d, s->j.integer, x.point, x.zeros, x.leading, x.digits);
        return draft_and(d, made, whole);
    }
    if (made != plain)
        return made;
    return types & TYPE_FRACTION ? s->j.number : s->j.integer;
}
