/* jinja_ast.h - the parsed template: a tree of nodes with every name bound to a slot.
 *
 * States: the parser makes the tree; jinja_bind gives each frame its slots and each name its place;
 * afterwards nothing changes, and many threads may walk it. */
#ifndef TEXT_JINJA_AST_H
#define TEXT_JINJA_AST_H

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "text/jinja_value.h"

/* In comments: a, b, c, d, e are the node's children; [x] means a list linked by next. */
enum jnode_kind {
    /* Expressions */
    JN_CONST,   /* value */
    JN_NAME,    /* name */
    JN_NSREF,   /* name.attribute as a target; b CONST attribute */
    JN_TUPLE,   /* [a] */
    JN_LIST,    /* [a] */
    JN_DICT,    /* [a] PAIR */
    JN_PAIR,    /* a key, b value */
    JN_KEYWORD, /* name, a value */
    JN_GETATTR, /* a object, b CONST attribute */
    JN_GETITEM, /* a object, b index or SLICE */
    JN_SLICE,   /* a start, b stop, c step; each may be NULL */
    JN_CALL,    /* a callee, [b] arguments, [c] KEYWORD, d *arguments, e **arguments */
    JN_FILTER,  /* a input (NULL: the text captured), name, b c d e as in CALL */
    JN_TEST,    /* a input, name, b c d e as in CALL */
    JN_NEG,
    JN_POS,
    JN_NOT, /* a */
    JN_ADD,
    JN_SUB,
    JN_MUL,
    JN_DIV,
    JN_FLOORDIV,
    JN_MOD,
    JN_POW,
    JN_AND,
    JN_OR,      /* a, b */
    JN_CONCAT,  /* [a] */
    JN_COMPARE, /* a first, [b] OPERAND */
    JN_OPERAND, /* op, a */
    JN_COND,    /* a test, b value, c other value or NULL */
    /* Statements */
    JN_DATA,        /* value: text as it stands */
    JN_OUTPUT,      /* a */
    JN_FOR,         /* a target, b iterable, [c] body, [d] else, e test or NULL */
    JN_IF,          /* a test, [b] body, [c] else */
    JN_SET,         /* a target, b value */
    JN_SETBLOCK,    /* a target, b FILTER or NULL, [c] body */
    JN_MACRO,       /* a NAME, [b] NAME parameters (their a: default), [c] body */
    JN_CALLBLOCK,   /* a CALL, [b] parameters, [c] body */
    JN_GENERATION,  /* [c] body */
    JN_FILTERBLOCK, /* b FILTER, [c] body */
    JN_WITH,        /* [a] targets, [b] values, [c] body */
    JN_BLOCK,       /* name, [c] body */
    JN_BREAK,
    JN_CONTINUE
};

enum jcompare { JC_EQ, JC_NE, JC_LT, JC_LE, JC_GT, JC_GE, JC_IN, JC_NOTIN };

struct jnode {
    uint8_t kind, op;
    bool flag;         /* FOR: recursive; SET, SETBLOCK, MACRO: at the top level */
    bool uses[3];      /* MACRO, CALLBLOCK: the body uses caller, kwargs, varargs */
    uint16_t depth;    /* of the tree below */
    int line;          /* from 1 */
    int hops, slot;    /* NAME, NSREF: environments to go up, and the variable there */
    int slots_used[3]; /* MACRO, CALLBLOCK: slots of caller, kwargs, varargs; FOR: of loop */
    struct jnode *next, *a, *b, *c, *d, *e;
    struct str name;
    struct jval value;
    struct jframe *frame, *frame_else, *frame_test; /* FOR has three; others one or none */
    const struct jfilter *filter;                   /* FILTER, TEST: NULL where unknown */
    const struct jtest *test;
};

/* What a variable holds when its frame is entered, as Jinja2's compiler decides it. */
enum jload {
    JLOAD_PARAMETER, /* set by whoever enters */
    JLOAD_RESOLVE,   /* looked up by name in the context */
    JLOAD_ALIAS,     /* copied from an outer frame */
    JLOAD_UNDEFINED
};
struct jdecl {
    struct str name;
    enum jload load;
    int hops, slot; /* JLOAD_ALIAS: where from, seen from the parent's environment */
};
/* A scope. A frame without variables has no environment at run time and counts for no hop. */
struct jframe {
    struct jframe *parent;
    struct jdecl *decls;
    int n_decls, n_reserved;
    bool has_closure; /* a macro inside keeps the environment alive */
};

struct jinja {
    struct arena arena;
    struct jnode *body;
    struct jframe *frame;
    bool has_blocks;
    uint8_t hash[SHA256_BYTES];
};

enum { JINJA_DEPTH_MAX = 400 }; /* of nested expressions and statements in a source */

/* jinja_parse - t->arena is set up; fills t->body. jinja_bind - then the frames. */
enum err jinja_parse(struct jinja *t, struct str source, struct err_note *note);
enum err jinja_bind(struct jinja *t, struct err_note *note);

/* A string in an arena: the bytes are kept, not copied. NULL: no memory. */
struct jstr *jstr_make(struct arena *arena, struct str text);

#endif
