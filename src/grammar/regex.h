/* regex.h - regular expressions to expressions of a draft.
 *
 * Classes \d \w \s . [...], groups, |, * + ? {m,n} and their lazy forms, ^ and $ where a whole
 * alternative begins and ends. Meaning: ECMA-262's, over code points (\d and \w are ASCII; . is
 * all but line ends). What is not regular (back references, look-around, word borders) or not
 * decided here (\p{...}, flags, possessive quantifiers) is refused by name. */
#ifndef GRAMMAR_REGEX_H
#define GRAMMAR_REGEX_H

#include "grammar/draft.h"

struct regex_form {
    bool searches; /* the pattern may match anywhere in the text, unless ^ and $ hold it */
    bool in_json;  /* characters as they are spelled within a JSON string (json_text.h) */
};

/* DRAFT_NOTHING after draft_fail. */
uint32_t regex_expr(struct draft *d, struct str text, struct regex_form form);

#endif
