/* draft.h - a grammar while it is written: expressions over bytes, and rules that name them.
 *
 * Every front end (GBNF, regular expressions, JSON schemas, lists of choices) writes one of these;
 * grammar_from_draft (compile.h) makes the machine. Expressions are numbers, made from the leaves
 * up, and never change. The first error sticks: later calls return DRAFT_NOTHING and change
 * nothing, so that a front end asks once, at its end.
 * Limits: expressions, their links and their nesting; the error names the limit. */
#ifndef GRAMMAR_DRAFT_H
#define GRAMMAR_DRAFT_H

#include "base/err.h"
#include "base/str.h"

enum {
    DRAFT_NOTHING = 0, /* the expression that no text matches */
    DRAFT_EMPTY = 1,   /* that of the empty text */
    DRAFT_EXPRS_MAX = 1 << 20,
    DRAFT_LINKS_MAX = 1 << 23,
    DRAFT_RULES_MAX = 1 << 17,
    DRAFT_DEPTH_MAX = 1000,
};
#define DRAFT_ENDLESS UINT32_MAX /* of draft_repeat */

enum expr_kind {
    EXPR_NOTHING,
    EXPR_EMPTY,
    EXPR_LITERAL, /* n bytes at bytes[first] */
    EXPR_CLASS,   /* one code point of n ranges at links[first]: lowest, highest, ascending */
    EXPR_SEQ,     /* n expressions at links[first] */
    EXPR_ALT,
    EXPR_REPEAT, /* a, from min to max times */
    EXPR_RULE,   /* rule a */
    EXPR_AND,    /* what a and b both match; both regular: without rules that contain themselves */
    EXPR_MINUS,  /* what a matches and b does not */
    EXPR_GRAPH,  /* paths from node 0 to node 1: n edges at links[first]: from, to, expression */
};

struct expr {
    uint8_t kind;
    uint16_t depth; /* of expressions, not through rules */
    uint32_t a, b;  /* REPEAT: b is the index of min and max in links */
    uint32_t first, n;
    uint32_t size; /* roughly how many states it becomes, saturating */
};

struct draft_rule {
    char *name; /* for errors; may be NULL */
    uint32_t expr;
    bool is_set;
};

struct draft {
    struct expr *exprs;
    uint32_t n_exprs, n_exprs_reserved;
    uint32_t *links;
    uint32_t n_links, n_links_reserved;
    char *bytes;
    uint32_t n_bytes, n_bytes_reserved;
    struct draft_rule *rules;
    uint32_t n_rules, n_rules_reserved;
    uint32_t root; /* a rule; set by the front end */
    enum err rc;   /* the first error, its sentence in note */
    struct err_note note;
};

struct draft_edge {
    uint32_t from, to, expr;
};
struct code_range {
    uint32_t low, high;
};

void draft_init(struct draft *d);
void draft_release(struct draft *d);
/* draft_fail - notes the first error. */
void draft_fail(struct draft *d, enum err rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

uint32_t draft_literal(struct draft *d, struct str text);
/* draft_class - one code point of any of the ranges (any order, may overlap) or, negated, of none.
 * Surrogates are never among them. */
uint32_t draft_class(struct draft *d, const struct code_range *ranges, size_t n, bool negated);
uint32_t draft_seq(struct draft *d, const uint32_t *exprs, size_t n);
uint32_t draft_alt(struct draft *d, const uint32_t *exprs, size_t n);
uint32_t draft_repeat(struct draft *d, uint32_t expr, uint32_t min, uint32_t max);
uint32_t draft_and(struct draft *d, uint32_t a, uint32_t b);
uint32_t draft_minus(struct draft *d, uint32_t a, uint32_t b);
uint32_t draft_graph(struct draft *d, const struct draft_edge *edges, size_t n);

#define DRAFT_SEQ(d, ...)                                                                          \
    draft_seq(d, (const uint32_t[]){__VA_ARGS__},                                                  \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define DRAFT_ALT(d, ...)                                                                          \
    draft_alt(d, (const uint32_t[]){__VA_ARGS__},                                                  \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define DRAFT_RANGES(d, negated, ...)                                                              \
    draft_class(d, (const struct code_range[]){__VA_ARGS__},                                       \
                sizeof((const struct code_range[]){__VA_ARGS__}) / sizeof(struct code_range),      \
                negated)

/* A rule may be referred to before it is set, from its own expression too. */
uint32_t draft_rule(struct draft *d, struct str name);
void draft_set(struct draft *d, uint32_t rule, uint32_t expr);
uint32_t draft_ref(struct draft *d, uint32_t rule);

#endif
