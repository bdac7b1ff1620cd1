/* draft.c - expressions and rules in growing arrays. */
#include "grammar/draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { CODE_MAX = 0x10ffff, SURROGATE_FIRST = 0xd800, SURROGATE_LAST = 0xdfff };

void draft_fail(struct draft *d, enum err rc, const char *format, ...)
{
    va_list args;
    if (d->rc)
        return;
    d->rc = rc;
    va_start(args, format);
    vsnprintf(d->note.text, sizeof d->note.text, format, args);
    va_end(args);
}

/* Room for n more items of an array that holds at most n_max; false after draft_fail. */
static bool reserve(struct draft *d, void **array, uint32_t n, uint32_t *n_reserved, size_t n_more,
                    uint32_t n_max, size_t size, const char *what)
{
    if (d->rc)
        return false;
    if (n_more > n_max - n) {
        draft_fail(d, ERR_LIMIT, "the grammar has more than %u %s", n_max, what);
        return false;
    }
    if (n + n_more <= *n_reserved)
        return true;
    uint32_t wanted = *n_reserved ? *n_reserved : 64;
    while (wanted < n + n_more)
        wanted *= 2;
    void *grown = mem_resize(*array, wanted * size);
    if (!grown) {
        draft_fail(d, ERR_MEMORY, "out of memory for the grammar's %s", what);
        return false;
    }
    *array = grown;
    *n_reserved = wanted;
    return true;
}

static uint32_t add_expr(struct draft *d, struct expr e)
{
    if (e.depth > DRAFT_DEPTH_MAX)
        draft_fail(d, ERR_LIMIT, "the grammar nests more than %d deep", DRAFT_DEPTH_MAX);
    if (!reserve(d, (void **)&d->exprs, d->n_exprs, &d->n_exprs_reserved, 1, DRAFT_EXPRS_MAX,
                 sizeof e, "expressions"))
        return DRAFT_NOTHING;
    d->exprs[d->n_exprs] = e;
    return d->n_exprs++;
}

static uint32_t add_links(struct draft *d, const void *words, size_t n)
{
    if (!reserve(d, (void **)&d->links, d->n_links, &d->n_links_reserved, n, DRAFT_LINKS_MAX,
                 sizeof d->links[0], "links between expressions"))
        return 0;
    if (n)
        memcpy(d->links + d->n_links, words, n * sizeof d->links[0]);
    d->n_links += (uint32_t)n;
    return d->n_links - (uint32_t)n;
}

void draft_init(struct draft *d)
{
    *d = (struct draft){0};
    add_expr(d, (struct expr){.kind = EXPR_NOTHING});
    add_expr(d, (struct expr){.kind = EXPR_EMPTY});
}

void draft_release(struct draft *d)
{
    for (uint32_t i = 0; i < d->n_rules; i++)
        mem_free(d->rules[i].name);
    mem_free(d->exprs);
    mem_free(d->links);
    mem_free(d->bytes);
    mem_free(d->rules);
    *d = (struct draft){0};
}

static uint32_t saturated(uint64_t size)
{
    return size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
}

uint32_t draft_literal(struct draft *d, struct str text)
{
    if (text.len == 0)
        return d->rc ? DRAFT_NOTHING : DRAFT_EMPTY;
    if (!reserve(d, (void **)&d->bytes, d->n_bytes, &d->n_bytes_reserved, text.len, DRAFT_LINKS_MAX,
                 1, "bytes of text"))
        return DRAFT_NOTHING;
    memcpy(d->bytes + d->n_bytes, text.ptr, text.len);
    struct expr e = {.kind = EXPR_LITERAL, .first = d->n_bytes, .n = (uint32_t)text.len};
    e.size = e.n;
    d->n_bytes += e.n;
    return add_expr(d, e);
}

/* ---- classes -------------------------------------------------------------------------------- */

static int by_low(const void *a, const void *b)
{
    const struct code_range *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

/* Sorts and joins in place; returns how many are left. */
static size_t join_ranges(struct code_range *r, size_t n)
{
    size_t k = 0;
    qsort(r, n, sizeof r[0], by_low);
    for (size_t i = 0; i < n; i++) {
        if (k > 0 && r[i].low <= r[k - 1].high + 1)
            r[k - 1].high = r[i].high > r[k - 1].high ? r[i].high : r[k - 1].high;
        else
            r[k++] = r[i];
    }
    return k;
}

static void push_range(struct code_range *out, size_t *n, uint32_t low, uint32_t high)
{
    if (low <= high)
        out[(*n)++] = (struct code_range){low, high};
}

/* out: what lies between the n joined ranges; at most n + 1. */
static size_t complement(const struct code_range *r, size_t n, struct code_range *out)
{
    size_t k = 0;
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (r[i].low > 0)
            push_range(out, &k, next, r[i].low - 1);
        next = r[i].high + 1;
    }
    if (next <= CODE_MAX)
        push_range(out, &k, next, CODE_MAX);
    return k;
}

static size_t without_surrogates(const struct code_range *r, size_t n, struct code_range *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t low = r[i].low, high = r[i].high;
        if (high < SURROGATE_FIRST || low > SURROGATE_LAST) {
            push_range(out, &k, low, high);
            continue;
        }
        if (low < SURROGATE_FIRST)
            push_range(out, &k, low, SURROGATE_FIRST - 1);
        push_range(out, &k, SURROGATE_LAST + 1, high);
    }
    return k;
}

uint32_t draft_class(struct draft *d, const struct code_range *ranges, size_t n, bool negated)
{
    if (d->rc)
        return DRAFT_NOTHING;
    struct code_range *a = mem_array(2 * n + 4, sizeof a[0]),
                      *b = mem_array(2 * n + 4, sizeof b[0]);
    uint32_t made = DRAFT_NOTHING;
    if (!a || !b) {
        draft_fail(d, ERR_MEMORY, "out of memory for a class of characters");
    } else {
        size_t k = 0;
        for (size_t i = 0; i < n; i++)
            push_range(a, &k, ranges[i].low, ranges[i].high > CODE_MAX ? CODE_MAX : ranges[i].high);
        k = join_ranges(a, k);
        if (negated) {
            k = complement(a, k, b);
            memcpy(a, b, k * sizeof a[0]);
        }
        k = without_surrogates(a, k, b);
        struct expr e = {.kind = EXPR_CLASS, .n = (uint32_t)k, .size = (uint32_t)k + 1};
        e.first = add_links(d, b, 2 * k);
        if (k > 0)
            made = add_expr(d, e);
    }
    mem_free(a);
    mem_free(b);
    return made;
}

/* ---- combinations --------------------------------------------------------------------------- */

static uint32_t add_list(struct draft *d, enum expr_kind kind, const uint32_t *exprs, size_t n)
{
    struct expr e = {.kind = (uint8_t)kind, .n = (uint32_t)n};
    uint64_t size = 1;
    if (d->rc)
        return DRAFT_NOTHING;
    for (size_t i = 0; i < n; i++) {
        const struct expr *part = &d->exprs[exprs[i]];
        size += part->size;
        if (part->depth >= e.depth)
            e.depth = part->depth + 1;
    }
    e.size = saturated(size);
    e.first = add_links(d, exprs, n);
    return add_expr(d, e);
}

uint32_t draft_seq(struct draft *d, const uint32_t *exprs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (exprs[i] == DRAFT_NOTHING)
            return DRAFT_NOTHING;
    if (n == 1)
        return exprs[0];
    return n == 0 ? DRAFT_EMPTY : add_list(d, EXPR_SEQ, exprs, n);
}

uint32_t draft_alt(struct draft *d, const uint32_t *exprs, size_t n)
{
    uint32_t last = DRAFT_NOTHING;
    size_t n_some = 0;
    for (size_t i = 0; i < n; i++)
        if (exprs[i] != DRAFT_NOTHING) {
            last = exprs[i];
            n_some++;
        }
    return n_some <= 1 ? last : add_list(d, EXPR_ALT, exprs, n);
}

static uint32_t add_pair(struct draft *d, enum expr_kind kind, uint32_t a, uint32_t b)
{
    if (d->rc)
        return DRAFT_NOTHING;
    const struct expr *x = &d->exprs[a], *y = &d->exprs[b];
    struct expr e = {.kind = (uint8_t)kind, .a = a, .b = b};
    e.depth = (x->depth > y->depth ? x->depth : y->depth) + 1;
    e.size = saturated((uint64_t)x->size + y->size);
    return add_expr(d, e);
}

uint32_t draft_and(struct draft *d, uint32_t a, uint32_t b)
{
    return a == DRAFT_NOTHING || b == DRAFT_NOTHING ? DRAFT_NOTHING : add_pair(d, EXPR_AND, a, b);
}

uint32_t draft_minus(struct draft *d, uint32_t a, uint32_t b)
{
    return a == DRAFT_NOTHING || b == DRAFT_NOTHING ? a : add_pair(d, EXPR_MINUS, a, b);
}

uint32_t draft_repeat(struct draft *d, uint32_t expr, uint32_t min, uint32_t max)
{
    if (d->rc || min > max)
        return DRAFT_NOTHING;
    if (max == 0 || expr == DRAFT_EMPTY)
        return DRAFT_EMPTY;
    if (expr == DRAFT_NOTHING)
        return min == 0 ? DRAFT_EMPTY : DRAFT_NOTHING;
    if (min == 1 && max == 1)
        return expr;
    const uint32_t bounds[2] = {min, max};
    uint32_t copies = max == DRAFT_ENDLESS ? min + 1 : max;
    struct expr e = {.kind = EXPR_REPEAT, .a = expr, .depth = d->exprs[expr].depth + 1};
    e.size = saturated((uint64_t)d->exprs[expr].size * copies + 1);
    e.b = add_links(d, bounds, 2);
    return add_expr(d, e);
}

uint32_t draft_graph(struct draft *d, const struct draft_edge *edges, size_t n)
{
    struct expr e = {.kind = EXPR_GRAPH, .n = (uint32_t)n};
    uint64_t size = 2;
    if (d->rc)
        return DRAFT_NOTHING;
    for (size_t i = 0; i < n; i++) {
        const struct expr *part = &d->exprs[edges[i].expr];
        size += part->size + 1;
        if (part->depth >= e.depth)
            e.depth = part->depth + 1;
    }
    e.size = saturated(size);
    e.first = add_links(d, edges, 3 * n);
    return add_expr(d, e);
}

/* ---- rules ---------------------------------------------------------------------------------- */

uint32_t draft_rule(struct draft *d, struct str name)
{
    if (!reserve(d, (void **)&d->rules, d->n_rules, &d->n_rules_reserved, 1, DRAFT_RULES_MAX,
                 sizeof d->rules[0], "rules"))
        return 0;
    d->rules[d->n_rules] = (struct draft_rule){.name = mem_strndup(name.ptr, name.len)};
    if (!d->rules[d->n_rules].name)
        draft_fail(d, ERR_MEMORY, "out of memory for the grammar's rules");
    return d->n_rules++;
}

void draft_set(struct draft *d, uint32_t rule, uint32_t expr)
{
    if (d->rc)
        return;
    d->rules[rule].expr = expr;
    d->rules[rule].is_set = true;
}

uint32_t draft_ref(struct draft *d, uint32_t rule)
{
    return add_expr(d, (struct expr){.kind = EXPR_RULE, .a = rule, .size = 1});
}
