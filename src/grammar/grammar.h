/* grammar.h - compiled grammars, and the front ends that make them.
 *
 * A grammar is a set of texts (docs/grammar.md). Once made it never changes: any number of matchers
 * and threads may use it. What a front end cannot express exactly is an error, never ignored. */
#ifndef GRAMMAR_GRAMMAR_H
#define GRAMMAR_GRAMMAR_H

#include "grammar/draft.h"

struct grammar;

/* Of compiling: a limit that is met is ERR_LIMIT with its name. 0: the default. */
struct grammar_limits {
    uint64_t n_steps_max;  /* default 100 million: a second or two */
    uint32_t n_states_max; /* of the whole grammar; default 1 million */
};

/* Each returns the grammar, or ERR_FORMAT (malformed), ERR_UNSUPPORTED (not what this does),
 * ERR_LIMIT or ERR_MEMORY with a note that names the place. limits may be NULL. */

/* GBNF as llama.cpp reads it; the texts of the rule "root". */
enum err grammar_from_gbnf(struct str text, const struct grammar_limits *limits,
                           struct grammar **out, struct err_note *note);
/* The whole text matches the expression. */
enum err grammar_from_regex(struct str text, const struct grammar_limits *limits,
                            struct grammar **out, struct err_note *note);
/* One of n texts. */
enum err grammar_from_choices(const struct str *choices, size_t n,
                              const struct grammar_limits *limits, struct grammar **out,
                              struct err_note *note);
/* A JSON text that the schema calls valid, its properties in the schema's order. */
enum err grammar_from_json_schema(struct str text, const struct grammar_limits *limits,
                                  struct grammar **out, struct err_note *note);
/* Any JSON value; an object only. */
enum err grammar_from_json(bool object, const struct grammar_limits *limits, struct grammar **out,
                           struct err_note *note);

/* The same as expressions of a draft that says more around them; an error sticks to d. */
uint32_t draft_gbnf(struct draft *d, struct str text);
uint32_t draft_regex(struct draft *d, struct str text);
uint32_t draft_choices(struct draft *d, const struct str *choices, size_t n);
uint32_t draft_json_schema(struct draft *d, struct str text);
uint32_t draft_json(struct draft *d, bool object);

/* grammar_from_expr - the texts of an expression. Uses d up. grammar_from_draft - of d's root rule.
 * ERR_UNSUPPORTED: a rule that begins with itself. */
enum err grammar_from_expr(struct draft *d, uint32_t expr, const struct grammar_limits *limits,
                           struct grammar **out, struct err_note *note);
enum err grammar_from_draft(struct draft *d, const struct grammar_limits *limits,
                            struct grammar **out, struct err_note *note);
void grammar_free(struct grammar *g); /* NULL is fine */
uint32_t grammar_n_states(const struct grammar *g);

#endif
