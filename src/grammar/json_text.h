/* json_text.h - pieces of JSON as expressions.
 *
 * White space may stand after { [ , : and before } ]: one space, or one line break with at most 40
 * spaces and tabs; nowhere else. A string that nothing constrains may be spelled in any valid way.
 * One that something constrains has one spelling for each character: itself, or for quote,
 * backslash and controls the short escape, else \u00xx in lower case. So operations on spellings
 * are operations on strings. */
#ifndef GRAMMAR_JSON_TEXT_H
#define GRAMMAR_JSON_TEXT_H

#include "grammar/draft.h"

/* Expressions that a draft holds once. */
struct json_text {
    struct draft *d;
    uint32_t space;   /* optional white space */
    uint32_t any;     /* any value */
    uint32_t object;  /* any object */
    uint32_t array;   /* any array */
    uint32_t string;  /* any string, quotes included */
    uint32_t number;  /* any number */
    uint32_t integer; /* without fraction and exponent */
    uint32_t loose;   /* one character of a string, in any spelling */
    uint32_t exact;   /* one character, in its one spelling */
};

void json_text_init(struct json_text *j, struct draft *d);

/* One character of a class, in its one spelling. */
uint32_t json_class(struct draft *d, const struct code_range *ranges, size_t n, bool negated);
/* A text within quotes, in its one spelling; UTF-8. */
uint32_t json_spelled(struct draft *d, struct str text);
/* The same with quotes around it. */
uint32_t json_quoted(struct draft *d, uint32_t content);

#endif
