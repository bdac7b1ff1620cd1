/* jinja_run.h - what the parts of the interpreter share while a template is rendered.
 *
 * Invariants: every function that returns bool returns false only after it set the error, and the
 * first error sticks; text being built lies at the end of r->out and is cut off again by whoever
 * began it; all other memory is the run's arena. Nothing here is known outside the interpreter. */
#ifndef TEXT_JINJA_RUN_H
#define TEXT_JINJA_RUN_H

#include "base/buf.h"
#include "text/jinja.h"
#include "text/jinja_ast.h"

/* The variables of one entered frame. */
struct jenv {
    struct jenv *parent;
    struct jval slots[];
};

struct jrun {
    const struct jinja *t;
    struct arena arena;
    struct buf *out;
    struct jenv *env;
    const struct jdict *context; /* the variables given */
    struct jdict *exported;      /* assigned at the top level: what blocks see */
    struct jinja_limits limits;
    struct jval captured; /* the text that a filter or set block's filter is applied to */
    uint64_t n_steps;
    int depth, line;
    int64_t now_s;
    enum err err;
    struct err_note *note;
};

/* Errors; all return false. */
bool jrun_fail(struct jrun *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool jrun_fail_undefined(struct jrun *r, struct jval v); /* the sentence that it carries */
bool jrun_limit(struct jrun *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* jrun_step - charges n steps. jrun_enter - one level deeper; jrun_leave undoes it. */
bool jrun_step(struct jrun *r, size_t n);
bool jrun_enter(struct jrun *r);
void jrun_leave(struct jrun *r);
void *jrun_alloc(struct jrun *r, size_t n_bytes); /* zeroed; NULL after setting the error */

/* Strings. jtext_str keeps the bytes; jtext_literal is for static text. Built text: begin, then
 * add (or jval_print...), then end, which makes the value. */
bool jtext_str(struct jrun *r, struct str text, struct jval *out);
bool jtext_literal(struct jrun *r, const char *text, struct jval *out);
size_t jtext_begin(const struct jrun *r);
bool jtext_add(struct jrun *r, struct str text);
bool jtext_end(struct jrun *r, size_t mark, struct jval *out);
/* Characters [from, to) of s; the bounds must be in range. */
bool jtext_sub(struct jrun *r, struct jval s, size_t from, size_t to, struct jval *out);
bool jtext_escape(struct jrun *r, struct jval v, struct jval *out); /* for HTML; a markup stays */

/* Lists and dicts under construction. */
struct jlist *jlist_new(struct jrun *r, size_t n_reserved);
bool jlist_add(struct jrun *r, struct jlist *l, struct jval v);
struct jdict *jdict_new(struct jrun *r);
bool jdict_set(struct jrun *r, struct jdict *d, struct jval key, struct jval v);
bool jdict_set_text(struct jrun *r, struct jdict *d, const char *key, struct jval v);
const struct jval *jdict_get(struct jrun *r, const struct jdict *d, struct jval key);
const struct jval *jdict_get_text(const struct jdict *d, struct str key);
bool jval_copy_list(struct jrun *r, struct jval iterable, struct jlist **out); /* list(x) */

/* Undefined values. */
bool jundef_hint(struct jrun *r, const char *hint, struct jval *out);
bool jundef_name(struct jrun *r, struct str name, struct jval *out);
bool jundef_of(struct jrun *r, struct jval object, struct jval name, struct jval *out);

/* Python's protocols. The ones that return a plain bool cannot fail. */
bool jval_truth(struct jval v);
bool jval_is(struct jval a, struct jval b);
bool jval_equal(struct jrun *r, struct jval a, struct jval b, bool *out);
bool jval_less(struct jrun *r, struct jval a, struct jval b, bool or_equal, bool *out);
bool jval_contains(struct jrun *r, struct jval item, struct jval container, bool *out);
bool jval_hash(struct jrun *r, struct jval v, uint64_t *out);
bool jval_has_length(struct jval v);
bool jval_length(struct jrun *r, struct jval v, int64_t *out);
bool jval_print(struct jrun *r, struct jval v); /* adds str(v) to the text being built */
bool jval_print_repr(struct jrun *r, struct jval v);
bool jval_str(struct jrun *r, struct jval v, struct jval *out); /* a string, never a markup */
bool jval_soft_str(struct jrun *r, struct jval v, struct jval *out); /* a markup stays one */
bool jval_compare(struct jrun *r, enum jcompare op, struct jval a, struct jval b, bool *out);
bool jval_binary(struct jrun *r, enum jnode_kind op, struct jval a, struct jval b,
                 struct jval *out);
bool jval_getattr(struct jrun *r, struct jval object, struct jval name, struct jval *out);
bool jval_getitem(struct jrun *r, struct jval object, struct jval index, struct jval *out);
bool jval_slice(struct jrun *r, struct jval object, const struct jval bounds[3],
                struct jval *out);
struct jval jrange_at(const struct jrange *range, int64_t i);
bool jrange_new(struct jrun *r, const int64_t bounds[3], struct jval *out);
void jdouble_repr(double f, struct buf *out);

/* Walking. */
struct jiter {
    struct jval source;
    size_t at; /* an index; for strings, bytes */
};
bool jval_is_iterable(struct jval v);
bool jiter_init(struct jrun *r, struct jiter *it, struct jval source);
int jiter_next(struct jrun *r, struct jiter *it, struct jval *out); /* 1, 0 at the end, -1 error */

/* Arguments of a call: as given, and in the order of the callee's parameters once bound. */
enum { JBOUND_MAX = 6 };
struct jcall {
    struct jval *args;
    size_t n_args;
    struct jdict *kwargs; /* may be NULL */
    struct jval bound[JBOUND_MAX];
};
/* jcall_bind - params is a list of names such as "width? first?": ? may be left out (J_MISSING); a
 * first name of "/" makes all positional; NULL leaves everything to the callee. */
bool jcall_bind(struct jrun *r, struct jcall *call, const char *callee, const char *params);
bool jcall_int(struct jrun *r, struct jval v, int64_t otherwise, int64_t *out);
bool jrun_call(struct jrun *r, struct jval callee, struct jcall *call, struct jval *out);

struct jfilter {
    const char *name, *params;
    bool (*apply)(struct jrun *r, struct jval v, struct jcall *call, struct jval *out);
};
struct jtest {
    const char *name, *params;
    bool (*apply)(struct jrun *r, struct jval v, struct jcall *call, bool *out);
    uint32_t kinds; /* instead of apply: true for these kinds of values */
};
struct jfunc {
    const char *name, *params;
    bool (*apply)(struct jrun *r, struct jcall *call, struct jval *out);
};
struct jmethod_def {
    const char *name, *params;
    bool (*apply)(struct jrun *r, struct jval self, struct jcall *call, struct jval *out);
};
struct jmethod {
    struct jval self;
    const struct jmethod_def *def;
};
const struct jfilter *jfilter_find(struct str name); /* NULL: there is none */
const struct jtest *jtest_find(struct str name);
const struct jval *jglobal_find(struct str name);
const struct jmethod_def *jmethod_find(uint8_t kind, struct str name);
bool jfilter_apply(struct jrun *r, const struct jfilter *f, struct jval v, struct jcall *call,
                   struct jval *out);
bool jtest_apply(struct jrun *r, const struct jtest *t, struct jval v, struct jcall *call,
                 bool *out);
/* Tables of the filters over sequences and of str's methods, ended by a NULL name. */
extern const struct jfilter jfilters_of_sequences[];
extern const struct jmethod_def jmethods_of_str[];
extern const struct jmethod_def jmethods_of_loop[];

/* What is behind a J_ITER: it computes the next value when asked, as Python's generators do. */
struct jgen {
    int (*next)(struct jrun *r, struct jgen *g, struct jval *out); /* as jiter_next */
    struct jval source;
    struct jiter it;
    bool started; /* it is set up */
    struct jcall call;
    const struct jfilter *filter; /* map */
    const struct jtest *test;     /* select and its kin; NULL: the truth of the value */
    struct jval attribute, otherwise;
    bool by_attribute, negate, case_sensitive;
    struct jdict *seen; /* unique */
};
/* jgen_start - sets up g->it at the first call; 1, or -1 after an error. */
int jgen_start(struct jrun *r, struct jgen *g);
struct jgen *jgen_new(struct jrun *r, struct jval source, struct jval *out);

/* Evaluation and execution. */
enum jflow { JFLOW_ERROR, JFLOW_NEXT, JFLOW_BREAK, JFLOW_CONTINUE };
bool jrun_eval(struct jrun *r, const struct jnode *node, struct jval *out);
bool jrun_eval_args(struct jrun *r, const struct jnode *node, struct jcall *call);
enum jflow jrun_exec(struct jrun *r, const struct jnode *list);
bool jrun_enter_frame(struct jrun *r, const struct jframe *frame, struct jenv *parent);

struct jmacro {
    const struct jnode *node;
    struct jenv *env; /* where it was defined */
};
bool jmacro_call(struct jrun *r, const struct jmacro *m, struct jcall *call, struct jval *out);
/* *out is left alone where there is no such attribute. */
bool jloop_attr(struct jrun *r, struct jloop *loop, struct str name, struct jval *out);
bool jloop_length(struct jrun *r, struct jloop *loop, int64_t *out);
bool jloop_recurse(struct jrun *r, struct jloop *loop, struct jval iterable, struct jval *out);

/* Formatting: "..." % args, "...".format(...), |tojson, strftime. They add to the text built. */
bool jformat_percent(struct jrun *r, struct jval format, struct jval args, struct jval *out);
bool jformat_braces(struct jrun *r, struct jval format, const struct jcall *call,
                    struct jval *out);
struct jjson_style {
    struct str item_separator, key_separator, indent;
    bool has_indent, ascii, sort_keys;
};
bool jjson_print(struct jrun *r, struct jval v, const struct jjson_style *style);
bool jdate_print(struct jrun *r, int64_t s, struct str format);

#endif
