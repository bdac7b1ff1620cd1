/* jinja_call.c - calls, the binding of their arguments, and the global functions. */
#include "text/jinja_run.h"

/* The next name of a list such as "old new count?": false at its end. */
static bool next_parameter(const char **params, struct str *name, bool *is_optional)
{
    const char *p = *params;
    while (*p == ' ')
        p++;
    size_t n = strcspn(p, " ");
    *params = p + n;
    *is_optional = n > 0 && p[n - 1] == '?';
    *name = (struct str){p, n - *is_optional};
    return n > 0;
}

bool jcall_bind(struct jrun *r, struct jcall *call, const char *callee, const char *params)
{
    struct str name;
    bool is_optional, positional = params && *params == '/';
    size_t n = 0, n_taken = 0;
    if (!params)
        return true;
    params += positional;
    for (; next_parameter(&params, &name, &is_optional); n++) {
        const struct jval *named =
            call->kwargs && !positional ? jdict_get_text(call->kwargs, name) : NULL;
        if (n < call->n_args && named)
            return jrun_fail(r, "%s() got two values for the argument '%.*s'", callee,
                             STR_ARG(name));
        n_taken += named != NULL;
        call->bound[n] = n < call->n_args ? call->args[n] : named ? *named : jval_missing();
        if (call->bound[n].kind == J_MISSING && !is_optional)
            return jrun_fail(r, "%s() is missing the argument '%.*s'", callee, STR_ARG(name));
    }
    if (call->n_args > n)
        return jrun_fail(r, "%s() takes %zu arguments but %zu were given", callee, n,
                         call->n_args);
    if (call->kwargs && call->kwargs->n > n_taken)
        return jrun_fail(r, "%s() got an unexpected keyword argument", callee);
    return true;
}

bool jcall_int(struct jrun *r, struct jval v, int64_t otherwise, int64_t *out)
{
    if (v.kind == J_MISSING) {
        *out = otherwise;
        return true;
    }
    return jval_as_int(v, out) ||
           jrun_fail(r, "'%s' object cannot be interpreted as an integer", jval_type(v));
}

bool jfilter_apply(struct jrun *r, const struct jfilter *f, struct jval v, struct jcall *call,
                   struct jval *out)
{
    return jcall_bind(r, call, f->name, f->params) && f->apply(r, v, call, out);
}

bool jtest_apply(struct jrun *r, const struct jtest *t, struct jval v, struct jcall *call,
                 bool *out)
{
    if (!jcall_bind(r, call, t->name, t->params))
        return false;
    *out = t->kinds >> v.kind & 1;
    return t->kinds || t->apply(r, v, call, out);
}

bool jrun_call(struct jrun *r, struct jval callee, struct jcall *call, struct jval *out)
{
    switch (callee.kind) {
    case J_UNDEFINED:
        return jrun_fail_undefined(r, callee);
    case J_MACRO:
        return jmacro_call(r, callee.macro, call, out);
    case J_FUNC:
        return jcall_bind(r, call, callee.func->name, callee.func->params) &&
               callee.func->apply(r, call, out);
    case J_METHOD:
        return jcall_bind(r, call, callee.method->def->name, callee.method->def->params) &&
               callee.method->def->apply(r, callee.method->self, call, out);
    case J_LOOP:
        return jcall_bind(r, call, "loop", "iterable") &&
               jloop_recurse(r, callee.loop, call->bound[0], out);
    case J_JOINER:
        if (!jcall_bind(r, call, "joiner", ""))
            return false;
        *out = callee.joiner->separator;
        if (callee.joiner->used)
            return true;
        callee.joiner->used = true;
        return jtext_literal(r, "", out);
    default:
        return jrun_fail(r, "'%s' object is not callable", jval_type(callee));
    }
}

static bool call_range(struct jrun *r, struct jcall *call, struct jval *out)
{
    int64_t bounds[3] = {0, 0, 1}, given[3];
    if (call->n_args < 1 || call->n_args > 3 || call->kwargs)
        return jrun_fail(r, "range takes one to three arguments");
    for (size_t i = 0; i < call->n_args; i++)
        if (!jcall_int(r, call->args[i], 0, &given[i]))
            return false;
    if (call->n_args == 1)
        bounds[1] = given[0];
    else
        memcpy(bounds, given, call->n_args * sizeof *given);
    return jrange_new(r, bounds, out);
}

static bool add_pair(struct jrun *r, struct jdict *d, struct jval pair)
{
    struct jlist *items;
    if (!jval_copy_list(r, pair, &items))
        return false;
    return items->n == 2 ? jdict_set(r, d, items->items[0], items->items[1])
                         : jrun_fail(r, "a dict is made of pairs, not of %zu items", items->n);
}

static bool add_entries(struct jrun *r, struct jdict *d, const struct jdict *from)
{
    for (size_t i = 0; from && i < from->n; i++)
        if (!jdict_set(r, d, from->items[i].key, from->items[i].value))
            return false;
    return true;
}

static bool call_dict(struct jrun *r, struct jcall *call, struct jval *out)
{
    struct jdict *d = jdict_new(r);
    struct jiter it;
    struct jval pair;
    int more = 0;
    if (!d)
        return false;
    if (call->n_args > 1)
        return jrun_fail(r, "dict expected at most 1 argument, got %zu", call->n_args);
    if (call->n_args == 1 && call->args[0].kind == J_DICT) {
        if (!add_entries(r, d, call->args[0].d))
            return false;
    } else if (call->n_args == 1) {
        if (call->args[0].kind == J_UNDEFINED)
            return jrun_fail_undefined(r, call->args[0]);
        if (!jiter_init(r, &it, call->args[0]))
            return false;
        while ((more = jiter_next(r, &it, &pair)) > 0)
            if (!add_pair(r, d, pair))
                return false;
    }
    *out = jval_of_dict(d);
    return more == 0 && add_entries(r, d, call->kwargs);
}

static bool call_namespace(struct jrun *r, struct jcall *call, struct jval *out)
{
    if (!call_dict(r, call, out))
        return false;
    for (size_t i = 0; i < out->d->n; i++)
        if (out->d->items[i].key.kind == J_STR &&
            str_starts(jval_text(out->d->items[i].key), STR("_")))
            return jrun_fail(r, "a namespace has no attributes that begin with an underscore");
    out->kind = J_NAMESPACE;
    return true;
}

static bool call_cycler(struct jrun *r, struct jcall *call, struct jval *out)
{
    struct jcycler *cycler = jrun_alloc(r, sizeof *cycler);
    if (!cycler || !(cycler->items = jlist_new(r, call->n_args)))
        return false;
    for (size_t i = 0; i < call->n_args; i++)
        if (!jlist_add(r, cycler->items, call->args[i]))
            return false;
    *out = (struct jval){.kind = J_CYCLER, .cycler = cycler};
    return cycler->items->n > 0 || jrun_fail(r, "at least one item has to be provided");
}

static bool call_joiner(struct jrun *r, struct jcall *call, struct jval *out)
{
    struct jjoiner *joiner = jrun_alloc(r, sizeof *joiner);
    if (!joiner)
        return false;
    joiner->separator = call->bound[0];
    *out = (struct jval){.kind = J_JOINER, .joiner = joiner};
    return joiner->separator.kind != J_MISSING || jtext_literal(r, ", ", &joiner->separator);
}

static bool call_raise(struct jrun *r, struct jcall *call, struct jval *out)
{
    if (!jval_str(r, call->bound[0], out))
        return false;
    struct str text = out->s->n_bytes ? jval_text(*out) : STR("the template refused");
    r->err = err_set(r->note, ERR_FORMAT, "%.*s", STR_ARG(text));
    return false;
}

static bool call_strftime(struct jrun *r, struct jcall *call, struct jval *out)
{
    size_t mark = jtext_begin(r);
    if (call->bound[0].kind != J_STR)
        return jrun_fail(r, "strftime_now() takes a string");
    return jdate_print(r, r->now_s, jval_text(call->bound[0])) && jtext_end(r, mark, out);
}

static bool call_lipsum(struct jrun *r, struct jcall *call, struct jval *out)
{
    (void)call;
    *out = jval_none();
    return jrun_fail(r, "lipsum is random and not supported");
}

const struct jval *jglobal_find(struct str name)
{
    static const struct jfunc functions[] = {
        {"range", NULL, call_range},
        {"dict", NULL, call_dict},
        {"namespace", NULL, call_namespace},
        {"cycler", NULL, call_cycler},
        {"joiner", "sep?", call_joiner},
        {"raise_exception", "message", call_raise},
        {"strftime_now", "format", call_strftime},
        {"lipsum", NULL, call_lipsum},
    };
    enum { N_FUNCTIONS = sizeof functions / sizeof *functions };
    static const struct jval values[] = {
        {.kind = J_FUNC, .func = functions + 0}, {.kind = J_FUNC, .func = functions + 1},
        {.kind = J_FUNC, .func = functions + 2}, {.kind = J_FUNC, .func = functions + 3},
        {.kind = J_FUNC, .func = functions + 4}, {.kind = J_FUNC, .func = functions + 5},
        {.kind = J_FUNC, .func = functions + 6}, {.kind = J_FUNC, .func = functions + 7},
    };
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        if (str_is(name, functions[i].name))
            return &values[i];
    return NULL;
}
