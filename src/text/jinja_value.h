/* jinja_value.h - the values that a template computes with: Python's, as far as templates see them.
 *
 * Everything a value points to lives in the arena of its rendering (or, for constants, of the
 * parsed template) and goes with it. Strings are well-formed UTF-8 and immutable; lists and dicts
 * are changed only while they are being built, as the sandbox forbids templates to change them. */
#ifndef TEXT_JINJA_VALUE_H
#define TEXT_JINJA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum jkind {
    J_MISSING, /* a variable not assigned yet, an argument not given; never seen by templates */
    J_UNDEFINED,
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STR,
    J_LIST,
    J_TUPLE,
    J_DICT,
    J_RANGE,
    J_VIEW, /* dict.items(), .keys(), .values() */
    J_ITER, /* what map, select, reverse... give: to be walked once */
    J_NAMESPACE,
    J_LOOP,
    J_MACRO,
    J_FUNC,   /* a global function */
    J_METHOD, /* a method with its object */
    J_CYCLER,
    J_JOINER
};

struct jval {
    uint8_t kind;
    bool markup; /* J_STR: made by the filters safe or escape, and escapes what it is joined with */
    union {
        bool b;
        int64_t i;
        double f;
        const struct jstr *s;
        struct jlist *l; /* J_LIST, J_TUPLE */
        struct jdict *d; /* J_DICT, J_NAMESPACE */
        const struct jrange *range;
        const struct jview *view;
        struct jgen *gen;
        struct jloop *loop;
        const struct jmacro *macro;
        const struct jfunc *func;
        const struct jmethod *method;
        struct jcycler *cycler;
        struct jjoiner *joiner;
        const struct jundef *undef;
    };
};

struct jstr {
    const char *ptr;
    size_t n_bytes, n_chars; /* equal when all is ASCII */
};

struct jlist {
    struct jval *items;
    size_t n, n_reserved;
    bool is_group; /* a tuple of groupby, with the names grouper and list */
};

struct jentry {
    struct jval key, value;
    uint64_t hash;
};
/* In order of insertion; keys are equal as Python has it (1, 1.0 and True are one key). */
struct jdict {
    struct jentry *items;
    size_t n, n_reserved;
};

struct jrange {
    int64_t start, stop, step, n;
};

enum jview_kind { JVIEW_ITEMS, JVIEW_KEYS, JVIEW_VALUES };
struct jview {
    const struct jdict *dict;
    enum jview_kind kind;
};

struct jcycler {
    struct jlist *items;
    size_t at;
};
struct jjoiner {
    struct jval separator;
    bool used;
};

/* Why a value is undefined, said when it is used: either hint, or the name, of an object or not. */
struct jundef {
    const char *hint;
    struct jval name, object; /* object J_MISSING: name is a variable */
    bool is_security;         /* a forbidden attribute */
};

static inline struct jval jval_none(void)
{
    return (struct jval){.kind = J_NONE};
}
static inline struct jval jval_missing(void)
{
    return (struct jval){.kind = J_MISSING};
}
static inline struct jval jval_bool(bool b)
{
    return (struct jval){.kind = J_BOOL, .b = b};
}
static inline struct jval jval_int(int64_t i)
{
    return (struct jval){.kind = J_INT, .i = i};
}
static inline struct jval jval_float(double f)
{
    return (struct jval){.kind = J_FLOAT, .f = f};
}
static inline struct jval jval_of_list(struct jlist *l)
{
    return (struct jval){.kind = J_LIST, .l = l};
}
static inline struct jval jval_of_tuple(struct jlist *l)
{
    return (struct jval){.kind = J_TUPLE, .l = l};
}
static inline struct jval jval_of_dict(struct jdict *d)
{
    return (struct jval){.kind = J_DICT, .d = d};
}
static inline struct str jval_text(struct jval v)
{
    return (struct str){v.s->ptr, v.s->n_bytes};
}
static inline bool jval_is_text(struct jval v, const char *text)
{
    return v.kind == J_STR && str_is(jval_text(v), text);
}

/* The type's name in Python: "str", "dict", "NoneType"... */
const char *jval_type(struct jval v);

/* jval_as_int - ints and bools; jval_as_double - these and floats. False for other kinds. */
bool jval_as_int(struct jval v, int64_t *out);
bool jval_as_double(struct jval v, double *out);

/* The number of code points in well-formed UTF-8. */
size_t utf8_count(struct str s);
/* The byte offset of code point n (at most the count) of s. */
size_t jstr_offset(const struct jstr *s, size_t n);

#endif
