/* jinja_lex.h - a template's source as tokens.
 *
 * The environment is Transformers': trim_blocks (the newline after a block tag goes) and
 * lstrip_blocks (so does the space before one at the start of a line), no line statements, the last
 * newline of the source dropped. */
#ifndef TEXT_JINJA_LEX_H
#define TEXT_JINJA_LEX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

enum jtoken_kind {
    JT_EOF,
    JT_DATA,
    JT_BLOCK_BEGIN,
    JT_BLOCK_END,
    JT_VARIABLE_BEGIN,
    JT_VARIABLE_END,
    JT_NAME,
    JT_STRING,
    JT_INTEGER,
    JT_FLOAT,
    JT_OPERATOR
};

/* Operators of two characters are named by a letter: see the table in jinja_lex.c. */
enum jop {
    JOP_POW = 'p',      /* ** */
    JOP_FLOORDIV = 'd', /* // */
    JOP_EQ = 'e',       /* == */
    JOP_NE = 'n',       /* != */
    JOP_LE = 'l',       /* <= */
    JOP_GE = 'g'        /* >= */
};

struct jtoken {
    enum jtoken_kind kind;
    char op; /* JT_OPERATOR: the character itself, or an enum jop */
    int line;
    struct str text; /* data and strings decoded */
    int64_t i;
    double f;
};

enum { JLEX_BRACKETS_MAX = 400 };

struct jlex {
    struct arena *arena;
    struct str source;
    size_t pos;
    int line;
    int state; /* what the next token is part of: data, a block, a variable */
    bool line_starting;
    char brackets[JLEX_BRACKETS_MAX]; /* the closing ones awaited */
    int n_brackets;
    struct err_note *note;
};

/* jlex_init - the source must be UTF-8. Tokens point into the arena, which the caller owns. */
enum err jlex_init(struct jlex *l, struct arena *arena, struct str source, struct err_note *note);
enum err jlex_next(struct jlex *l, struct jtoken *token);

/* Python's str.isspace of one code point. */
bool uc_is_space(uint32_t code_point);

#endif
