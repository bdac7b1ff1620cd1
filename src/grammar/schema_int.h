/* schema_int.h - compiling JSON schemas, for the schema*.c files alone.
 *
 * What a value must satisfy is a GOAL: schemas that must all hold, each with the keywords of it
 * that are dealt with already. A goal becomes a rule of the draft, and equal goals the same rule,
 * so that references that lead back to themselves end. $ref, allOf, not, if and dependent* only
 * replace a schema by others; anyOf and oneOf make alternatives; what remains are the keywords of
 * single types, gathered over all schemas of the goal.
 * Schemas made on the way (the negation of one, ...) are kept in `made`, with what they came from.
 */
#ifndef GRAMMAR_SCHEMA_INT_H
#define GRAMMAR_SCHEMA_INT_H

#include <jansson.h>

#include "grammar/json_text.h"

enum {
    PARTS_MAX = 48,    /* schemas of one goal */
    GOALS_MAX = 20000, /* of one schema */
    MADE_MAX = 20000,  /* schemas made on the way */
    NODES_MAX = 20000, /* of the graph of one object or array */
    VALUE_DEPTH_MAX = 64,
    NAMES_DEPTH_MAX = 20, /* anyOf within anyOf, of propertyNames */
};

/* Types as a set; "number" is both of the last two. */
enum {
    TYPE_NULL = 1,
    TYPE_BOOLEAN = 2,
    TYPE_OBJECT = 4,
    TYPE_ARRAY = 8,
    TYPE_STRING = 16,
    TYPE_INTEGER = 32,
    TYPE_FRACTION = 64, /* numbers that are not integers */
    TYPE_ALL = 127,
};

/* Keywords that replace a schema: done[] of a part. */
enum {
    DONE_REF = 1,
    DONE_ALL_OF = 2,
    DONE_ANY_OF = 4,
    DONE_ONE_OF = 8,
    DONE_NOT = 16,
    DONE_IF = 32,
    DONE_DEPENDENT = 64,
};

/* Keywords of schemas made here; no schema that is read can hold them. */
#define KEY_NOT_ENUM    "\x01notEnum"
#define KEY_NOT_PATTERN "\x01notPattern"
#define TYPE_NAME_FRACTION                                                                         \
    "\x01"                                                                                         \
    "fraction"

struct part {
    const json_t *schema;
    unsigned done;
};

struct goal {
    struct part parts[PARTS_MAX];
    size_t n;
};

struct made {
    json_t *schema;
    const json_t *from;
    int kind; /* what was done to `from` */
};

struct schema {
    struct draft *d;
    struct json_text j;
    const json_t *root;
    struct goal *goals; /* [n_goals], with the rule of each */
    uint32_t *rules;
    size_t n_goals, n_goals_reserved;
    size_t *table, n_table; /* open addressing: goal + 1 */
    struct made *made;
    size_t n_made, n_made_reserved;
};

/* ---- schema.c */

/* goal_ref - what satisfies the goal, as an expression: its rule is written sooner or later. */
uint32_t goal_ref(struct schema *s, const struct goal *g);
/* goal_add - appends a schema that the goal has not. */
void goal_add(struct schema *s, struct goal *g, const json_t *schema, unsigned done);
/* goal_expand - replaces what replaces (above). false: nothing satisfies it, or an error. */
bool goal_expand(struct schema *s, struct goal *g);

/* goal_branches - the first part with an anyOf to deal with, and how many alternatives it has;
 * g->n: none. goal_branch - the goal with one of them. */
size_t goal_branches(const struct goal *g, size_t *n);
struct goal goal_branch(struct schema *s, const struct goal *g, size_t part, size_t branch);

/* ---- schema_find.c: references, places, keywords */

/* The schema that a $ref or names; NULL after a failure. */
const json_t *schema_resolve(struct schema *s, const json_t *schema);
/* schema_fail - "JSON schema, #/a/b: "keyword" ...", rc: ERR_UNSUPPORTED, ERR_FORMAT or ERR_LIMIT.
 */
void schema_fail(struct schema *s, enum err rc, const json_t *schema, const char *keyword,
                 const char *what);
/* "#/a/b" of a schema. */
void schema_place(const struct schema *s, const json_t *schema, char out[200]);
/* Fails for a keyword that is not known, or not supported. */
void schema_check_keywords(struct schema *s, const json_t *schema);
/* What holds for properties (items) that no other keyword of the schema names; NULL: nothing. */
const json_t *schema_other_properties(const json_t *schema);
const json_t *schema_other_items(const json_t *schema);
bool schema_has_assertion(const json_t *schema, unsigned done);

/* schema_made - what was made of `from` before, or NULL; schema_make - keeps a new one. */
json_t *schema_made(struct schema *s, const json_t *from, int kind);
json_t *schema_make(struct schema *s, const json_t *from, int kind, json_t *made);

/* Keyword readers. Each fails for a value of the wrong kind. */
bool keyword_count(struct schema *s, const json_t *schema, const char *keyword, uint32_t *value);
bool keyword_number(struct schema *s, const json_t *schema, const char *keyword, const json_t **v);
const json_t *keyword_object(struct schema *s, const json_t *schema, const char *keyword);
const json_t *keyword_array(struct schema *s, const json_t *schema, const char *keyword);
unsigned keyword_types(struct schema *s, const json_t *schema);
bool json_is_schema(const json_t *v);

/* ---- schema_rewrite.c: each makes a schema, or fails and returns NULL */

json_t *rewrite_not(struct schema *s, const json_t *schema);
json_t *rewrite_if(struct schema *s, const json_t *schema);
json_t *rewrite_dependent(struct schema *s, const json_t *schema);
/* The oneOf of schema as an anyOf whose alternatives exclude each other. */
json_t *rewrite_one_of(struct schema *s, const json_t *schema);

/* ---- schema_value.c */

bool value_equal(const json_t *a, const json_t *b);
unsigned value_type(const json_t *v);
/* 1: valid, 0: not, -1: not decided here. */
int value_valid(struct schema *s, const json_t *value, const json_t *schema, unsigned done,
                int depth);
/* The value as a text; white space where JSON allows it. */
uint32_t value_expr(struct schema *s, const json_t *value, int depth);
/* The values that enum and const of all parts leave; NULL: none of them has any. */
json_t *goal_values(struct schema *s, const struct goal *g);

/* ---- one file for each kind of value: what the parts' keywords for it leave */

uint32_t number_expr(struct schema *s, const struct goal *g, unsigned types);
uint32_t string_expr(struct schema *s, const struct goal *g);
/* The same within quotes, in the one spelling of each character. */
uint32_t string_content(struct schema *s, const struct goal *g);
uint32_t array_expr(struct schema *s, const struct goal *g);
uint32_t object_expr(struct schema *s, const struct goal *g);
/* A pattern, unanchored, on spelled content. */
uint32_t pattern_expr(struct schema *s, const json_t *schema, const char *keyword,
                      const char *pattern);
/* Shortest decimal digits that read back as the number, without exponent. */
void number_text(const json_t *v, char out[400]);

#endif
