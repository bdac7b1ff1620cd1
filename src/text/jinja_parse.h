/* jinja_parse.h - what the two halves of the parser share: jinja_parse.c has the statements,
 * jinja_expr.c the expressions. */
#ifndef TEXT_JINJA_PARSE_H
#define TEXT_JINJA_PARSE_H

#include "text/jinja_ast.h"
#include "text/jinja_lex.h"

struct jparse {
    struct jinja *t;
    struct jlex lex;
    struct jtoken token, ahead;
    bool has_ahead;
    int depth;
    enum err err; /* sticks; nodes are NULL from then on */
    struct err_note *note;
};

/* All return NULL or false once an error is set. */
struct jnode *jparse_fail(struct jparse *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct jnode *jparse_node(struct jparse *p, enum jnode_kind kind, int line);
/* jparse_done - the node has its children: checks the depth. */
struct jnode *jparse_done(struct jparse *p, struct jnode *node);
bool jparse_enter(struct jparse *p); /* a level of recursion; jparse_leave undoes it */
void jparse_leave(struct jparse *p);

void jparse_next(struct jparse *p);
const struct jtoken *jparse_look(struct jparse *p); /* the token after the current one */
bool jparse_is(const struct jparse *p, char op);
bool jparse_is_name(const struct jparse *p, const char *name);
bool jparse_skip(struct jparse *p, char op);
bool jparse_skip_name(struct jparse *p, const char *name);
bool jparse_expect(struct jparse *p, char op);
bool jparse_take_name(struct jparse *p, struct str *name);

struct jnode *jparse_expression(struct jparse *p, bool with_cond);
struct jnode *jparse_primary(struct jparse *p, bool with_namespace);
struct jnode *jparse_filter(struct jparse *p, struct jnode *input, bool starts_inline);

struct jtuple_rules {
    bool simplified, without_cond, parenthesised, with_namespace;
    const char *end_name; /* a name that ends the tuple, or NULL */
};
struct jnode *jparse_tuple(struct jparse *p, struct jtuple_rules rules);

#endif
