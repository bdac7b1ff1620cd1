/* jinja_eval.c - the value of an expression. */
#include "text/jinja_run.h"

static bool eval_name(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jenv *env = r->env;
    for (int i = 0; i < node->hops; i++)
        env = env->parent;
    *out = env->slots[node->slot];
    return out->kind != J_MISSING || jundef_name(r, node->name, out);
}

static bool eval_list(struct jrun *r, const struct jnode *node, struct jlist **out)
{
    *out = jlist_new(r, 0);
    for (; *out && node; node = node->next) {
        struct jval v;
        if (!jrun_eval(r, node, &v) || !jlist_add(r, *out, v))
            return false;
    }
    return *out != NULL;
}

static bool eval_dict(struct jrun *r, const struct jnode *pair, struct jval *out)
{
    struct jdict *d = jdict_new(r);
    for (; d && pair; pair = pair->next) {
        struct jval key, v;
        if (!jrun_eval(r, pair->a, &key) || !jrun_eval(r, pair->b, &v) ||
            !jdict_set(r, d, key, v))
            return false;
    }
    *out = jval_of_dict(d);
    return d != NULL;
}

static bool eval_unary(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jval v;
    int64_t i;
    if (!jrun_eval(r, node->a, &v))
        return false;
    if (node->kind == JN_NOT) {
        *out = jval_bool(!jval_truth(v));
        return true;
    }
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    if (jval_as_int(v, &i)) {
        bool lost = node->kind == JN_NEG && __builtin_sub_overflow(0, i, &i);
        *out = jval_int(i);
        return !lost || jrun_fail(r, "an integer goes beyond 64 bits");
    }
    *out = jval_float(node->kind == JN_NEG ? -v.f : v.f);
    return v.kind == J_FLOAT || jrun_fail(r, "bad operand type for unary %c: '%s'",
                                          node->kind == JN_NEG ? '-' : '+', jval_type(v));
}

static bool eval_concat(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jlist *parts;
    if (!eval_list(r, node->a, &parts))
        return false;
    size_t mark = jtext_begin(r);
    for (size_t i = 0; i < parts->n; i++)
        if (!jval_print(r, parts->items[i]))
            return false;
    return jtext_end(r, mark, out);
}

/* a < b < c: each once, and no further than the first that fails. */
static bool eval_comparison(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jval left, right;
    bool is = true;
    if (!jrun_eval(r, node->a, &left))
        return false;
    for (const struct jnode *operand = node->b; operand && is; operand = operand->next) {
        if (!jrun_eval(r, operand->a, &right) ||
            !jval_compare(r, (enum jcompare)operand->op, left, right, &is))
            return false;
        left = right;
    }
    *out = jval_bool(is);
    return true;
}

static bool eval_cond(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jval test;
    if (!jrun_eval(r, node->a, &test))
        return false;
    if (jval_truth(test))
        return jrun_eval(r, node->b, out);
    if (node->c)
        return jrun_eval(r, node->c, out);
    return jundef_hint(r, "an if without else, whose condition is false, was used", out);
}

static bool eval_getitem(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jval object, index;
    if (!jrun_eval(r, node->a, &object))
        return false;
    if (node->b->kind != JN_SLICE)
        return jrun_eval(r, node->b, &index) && jval_getitem(r, object, index, out);
    const struct jnode *parts[] = {node->b->a, node->b->b, node->b->c};
    struct jval bounds[3];
    for (int i = 0; i < 3; i++) {
        bounds[i] = jval_none();
        if (parts[i] && !jrun_eval(r, parts[i], &bounds[i]))
            return false;
    }
    return jval_slice(r, object, bounds, out);
}

static bool add_kwarg(struct jrun *r, struct jcall *call, struct jval name, struct jval v)
{
    if (!call->kwargs && !(call->kwargs = jdict_new(r)))
        return false;
    if (name.kind != J_STR)
        return jrun_fail(r, "keywords must be strings");
    if (jdict_get_text(call->kwargs, jval_text(name)))
        return jrun_fail(r, "an argument named %.*s is given twice", STR_ARG(jval_text(name)));
    return jdict_set(r, call->kwargs, name, v);
}

bool jrun_eval_args(struct jrun *r, const struct jnode *node, struct jcall *call)
{
    struct jlist *args;
    struct jval v, name;
    struct jiter it;
    int more = 0;
    *call = (struct jcall){0};
    if (!eval_list(r, node->b, &args))
        return false;
    if (node->d) {
        if (!jrun_eval(r, node->d, &v) || !jiter_init(r, &it, v))
            return false;
        while ((more = jiter_next(r, &it, &v)) > 0)
            if (!jlist_add(r, args, v))
                return false;
    }
    for (const struct jnode *keyword = node->c; more == 0 && keyword; keyword = keyword->next)
        if (!jrun_eval(r, keyword->a, &v) || !jtext_str(r, keyword->name, &name) ||
            !add_kwarg(r, call, name, v))
            return false;
    if (more == 0 && node->e) {
        if (!jrun_eval(r, node->e, &v))
            return false;
        if (v.kind != J_DICT)
            return jrun_fail(r, "what follows ** must be a mapping, not %s", jval_type(v));
        for (size_t i = 0; i < v.d->n; i++)
            if (!add_kwarg(r, call, v.d->items[i].key, v.d->items[i].value))
                return false;
    }
    call->args = args->items;
    call->n_args = args->n;
    return more == 0;
}

static bool eval_call(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jval callee;
    struct jcall call;
    return jrun_eval(r, node->a, &callee) && jrun_eval_args(r, node, &call) &&
           jrun_call(r, callee, &call, out);
}

static bool eval_filter(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jval v = r->captured;
    struct jcall call;
    if (!node->filter)
        return jrun_fail(r, "no filter named '%.*s'", STR_ARG(node->name));
    return (!node->a || jrun_eval(r, node->a, &v)) && jrun_eval_args(r, node, &call) &&
           jfilter_apply(r, node->filter, v, &call, out);
}

static bool eval_test(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jval v;
    struct jcall call;
    bool is;
    if (!node->test)
        return jrun_fail(r, "no test named '%.*s'", STR_ARG(node->name));
    if (!jrun_eval(r, node->a, &v) || !jrun_eval_args(r, node, &call) ||
        !jtest_apply(r, node->test, v, &call, &is))
        return false;
    *out = jval_bool(is);
    return true;
}

static bool eval_node(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jval a, b;
    switch (node->kind) {
    case JN_CONST:
        *out = node->value;
        return true;
    case JN_NAME:
        return eval_name(r, node, out);
    case JN_TUPLE:
    case JN_LIST:
        out->markup = false;
        if (!eval_list(r, node->a, &out->l))
            return false;
        out->kind = node->kind == JN_TUPLE ? J_TUPLE : J_LIST;
        return true;
    case JN_DICT:
        return eval_dict(r, node->a, out);
    case JN_GETATTR:
        return jrun_eval(r, node->a, &a) && jval_getattr(r, a, node->b->value, out);
    case JN_GETITEM:
        return eval_getitem(r, node, out);
    case JN_CALL:
        return eval_call(r, node, out);
    case JN_FILTER:
        return eval_filter(r, node, out);
    case JN_TEST:
        return eval_test(r, node, out);
    case JN_NEG:
    case JN_POS:
    case JN_NOT:
        return eval_unary(r, node, out);
    case JN_AND:
    case JN_OR:
        if (!jrun_eval(r, node->a, out))
            return false;
        return jval_truth(*out) == (node->kind == JN_OR) || jrun_eval(r, node->b, out);
    case JN_CONCAT:
        return eval_concat(r, node, out);
    case JN_COMPARE:
        return eval_comparison(r, node, out);
    case JN_COND:
        return eval_cond(r, node, out);
    default:
        return jrun_eval(r, node->a, &a) && jrun_eval(r, node->b, &b) &&
               jval_binary(r, (enum jnode_kind)node->kind, a, b, out);
    }
}

bool jrun_eval(struct jrun *r, const struct jnode *node, struct jval *out)
{
    bool ok = jrun_enter(r) && jrun_step(r, 1) && eval_node(r, node, out);
    jrun_leave(r);
    return ok;
}
