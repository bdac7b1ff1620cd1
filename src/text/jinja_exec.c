/* jinja_exec.c - statements: what is printed, assigned and repeated. */
#include "text/jinja_run.h"

struct jloop {
    const struct jnode *node;
    struct jenv *outer, *test_env;
    struct jiter it;
    struct jlist *rest; /* the items left, once the length was asked of what has none */
    size_t rest_at;
    int64_t index0, length; /* length -1: not known yet */
    int depth0;
    bool has_after; /* after is the next item, looked at already */
    struct jval after, before, current;
    struct jlist *last_changed;
};

static const struct jval *context_find(const struct jrun *r, struct str name)
{
    const struct jval *found = r->t->has_blocks ? jdict_get_text(r->exported, name) : NULL;
    found = found ? found : jdict_get_text(r->context, name);
    return found ? found : jglobal_find(name);
}

/* What the frame's variables hold on entry. */
static bool fill_frame(struct jrun *r, const struct jframe *frame, struct jenv *env)
{
    for (int i = 0; i < frame->n_decls; i++) {
        const struct jdecl *decl = &frame->decls[i];
        const struct jval *found = NULL;
        struct jenv *from = env->parent;
        if (decl->load == JLOAD_RESOLVE)
            found = context_find(r, decl->name);
        if (decl->load == JLOAD_ALIAS) {
            for (int k = 0; k < decl->hops; k++)
                from = from->parent;
            found = &from->slots[decl->slot];
        }
        env->slots[i] = found ? *found : jval_missing();
    }
    return jrun_step(r, (size_t)frame->n_decls);
}

bool jrun_enter_frame(struct jrun *r, const struct jframe *frame, struct jenv *parent)
{
    r->env = parent;
    if (frame->n_decls == 0)
        return true;
    struct jenv *env =
        jrun_alloc(r, sizeof *env + (size_t)frame->n_decls * sizeof(struct jval));
    if (!env)
        return false;
    env->parent = parent;
    r->env = env;
    return fill_frame(r, frame, env);
}

static bool assign_namespace(struct jrun *r, const struct jnode *target, struct jval v)
{
    struct jenv *env = r->env;
    for (int i = 0; i < target->hops; i++)
        env = env->parent;
    struct jval space = env->slots[target->slot];
    if (space.kind != J_NAMESPACE)
        return jrun_fail(r, "cannot assign attribute on non-namespace object");
    if (str_starts(jval_text(target->b->value), STR("_")))
        return jrun_fail(r, "a namespace has no attributes that begin with an underscore");
    return jdict_set(r, space.d, target->b->value, v);
}

static bool assign(struct jrun *r, const struct jnode *target, struct jval v)
{
    struct jlist *items;
    size_t n = 0;
    if (target->kind == JN_NAME) {
        r->env->slots[target->slot] = v;
        return true;
    }
    if (target->kind == JN_NSREF)
        return assign_namespace(r, target, v);
    if (!jval_copy_list(r, v, &items))
        return false;
    for (const struct jnode *item = target->a; item; item = item->next, n++) {
        if (n >= items->n)
            return jrun_fail(r, "not enough values to unpack (got %zu)", items->n);
        if (!assign(r, item, items->items[n]))
            return false;
    }
    return n == items->n || jrun_fail(r, "too many values to unpack (expected %zu)", n);
}

/* The names assigned at the top level are what blocks see. */
static bool export_target(struct jrun *r, const struct jnode *target)
{
    struct jval name;
    if (!r->t->has_blocks)
        return true;
    for (const struct jnode *item = target->kind == JN_TUPLE ? target->a : NULL; item;
         item = item->next)
        if (!export_target(r, item))
            return false;
    return target->kind != JN_NAME ||
           (jtext_str(r, target->name, &name) &&
            jdict_set(r, r->exported, name, r->env->slots[target->slot]));
}

/* 1 with the next item that passes the loop's test, 0 at the end, -1 error. */
static int fetch(struct jrun *r, struct jloop *loop, struct jval *out)
{
    int more;
    if (loop->rest) {
        if (loop->rest_at >= loop->rest->n)
            return 0;
        *out = loop->rest->items[loop->rest_at++];
        return 1;
    }
    while ((more = jiter_next(r, &loop->it, out)) > 0 && loop->node->e) {
        struct jval passes;
        struct jenv *env = r->env;
        r->env = loop->test_env;
        bool ok = assign(r, loop->node->a, *out) && jrun_eval(r, loop->node->e, &passes);
        r->env = env;
        if (!ok)
            return -1;
        if (jval_truth(passes))
            return 1;
    }
    return more;
}

static int loop_peek(struct jrun *r, struct jloop *loop)
{
    int more = loop->has_after ? 1 : fetch(r, loop, &loop->after);
    loop->has_after = more > 0;
    return more;
}

static int loop_next(struct jrun *r, struct jloop *loop)
{
    int more = loop_peek(r, loop);
    if (more > 0) {
        loop->has_after = false;
        loop->index0++;
        loop->before = loop->current;
        loop->current = loop->after;
    }
    return more;
}

bool jloop_length(struct jrun *r, struct jloop *loop, int64_t *out)
{
    struct jval v;
    int more = 0;
    if (loop->length < 0 && !loop->node->e && jval_has_length(loop->it.source)) {
        if (!jval_length(r, loop->it.source, &loop->length))
            return false;
    } else if (loop->length < 0) {
        struct jlist *rest = jlist_new(r, 0);
        while (rest && (more = fetch(r, loop, &v)) > 0)
            if (!jlist_add(r, rest, v))
                return false;
        if (!rest || more < 0)
            return false;
        loop->rest = rest;
        loop->length = (int64_t)rest->n + loop->index0 + 1 + loop->has_after;
    }
    *out = loop->length;
    return true;
}

static bool loop_neighbour(struct jrun *r, struct jloop *loop, bool is_next, struct jval *out)
{
    int more = is_next ? loop_peek(r, loop) : loop->index0 > 0;
    if (more < 0)
        return false;
    *out = is_next ? loop->after : loop->before;
    return more > 0 || jundef_hint(r, is_next ? "there is no next item"
                                              : "there is no previous item", out);
}

bool jloop_attr(struct jrun *r, struct jloop *loop, struct str name, struct jval *out)
{
    int64_t length;
    if (str_is(name, "index0"))
        *out = jval_int(loop->index0);
    else if (str_is(name, "index"))
        *out = jval_int(loop->index0 + 1);
    else if (str_is(name, "first"))
        *out = jval_bool(loop->index0 == 0);
    else if (str_is(name, "depth0"))
        *out = jval_int(loop->depth0);
    else if (str_is(name, "depth"))
        *out = jval_int(loop->depth0 + 1);
    else if (str_is(name, "previtem") || str_is(name, "nextitem"))
        return loop_neighbour(r, loop, name.ptr[0] == 'n', out);
    else if (str_is(name, "last")) {
        int more = loop_peek(r, loop);
        *out = jval_bool(more == 0);
        return more >= 0;
    } else if (str_is(name, "length") || str_is(name, "revindex") || str_is(name, "revindex0")) {
        if (!jloop_length(r, loop, &length))
            return false;
        *out = jval_int(name.ptr[0] == 'l' ? length
                                           : length - loop->index0 - (name.len > 8));
    }
    return true;
}

static bool loop_cycle(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    if (call->n_args == 0)
        return jrun_fail(r, "no items for cycling given");
    *out = call->args[self.loop->index0 % (int64_t)call->n_args];
    return true;
}

static bool loop_changed(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    struct jlist *now = jrun_alloc(r, sizeof *now);
    bool same = false;
    if (!now)
        return false;
    *now = (struct jlist){.items = call->args, .n = call->n_args};
    if (self.loop->last_changed &&
        !jval_equal(r, jval_of_tuple(self.loop->last_changed), jval_of_tuple(now), &same))
        return false;
    self.loop->last_changed = now;
    *out = jval_bool(!same);
    return true;
}

const struct jmethod_def jmethods_of_loop[] = {
    {"cycle", NULL, loop_cycle},
    {"changed", NULL, loop_changed},
    {0},
};

static struct jloop *loop_new(struct jrun *r, const struct jnode *node, struct jval iterable,
                              int depth0)
{
    struct jenv *outer = r->env;
    struct jloop *loop = jrun_alloc(r, sizeof *loop);
    if (!loop || !jiter_init(r, &loop->it, iterable))
        return NULL;
    loop->node = node;
    loop->outer = outer;
    loop->index0 = loop->length = -1;
    loop->depth0 = depth0;
    if (node->e && !jrun_enter_frame(r, node->frame_test, outer))
        return NULL;
    loop->test_env = r->env;
    r->env = outer;
    return loop;
}

/* The body once, in a new environment, or in the one at hand if no macro can have kept it. */
static enum jflow loop_body(struct jrun *r, struct jloop *loop, struct jenv **env)
{
    const struct jnode *node = loop->node;
    if (!*env || node->frame->has_closure) {
        if (!jrun_enter_frame(r, node->frame, loop->outer))
            return JFLOW_ERROR;
        *env = r->env;
    } else {
        r->env = *env;
        if (!fill_frame(r, node->frame, r->env))
            return JFLOW_ERROR;
    }
    r->env->slots[node->slots_used[0]] = (struct jval){.kind = J_LOOP, .loop = loop};
    if (!assign(r, node->a, loop->current))
        return JFLOW_ERROR;
    return jrun_exec(r, node->c);
}

/* As in Jinja2, the else part runs unless some iteration came to the body's end. */
static enum jflow run_loop(struct jrun *r, const struct jnode *node, struct jval iterable,
                           int depth0)
{
    struct jenv *outer = r->env, *env = NULL;
    struct jloop *loop = loop_new(r, node, iterable, depth0);
    enum jflow flow = JFLOW_NEXT;
    bool completed = false;
    int more = 0;
    if (!loop)
        return JFLOW_ERROR;
    while (flow != JFLOW_BREAK && (more = loop_next(r, loop)) > 0) {
        flow = loop_body(r, loop, &env);
        r->env = outer;
        if (flow == JFLOW_ERROR)
            return flow;
        completed |= flow == JFLOW_NEXT;
    }
    if (more < 0)
        return JFLOW_ERROR;
    flow = JFLOW_NEXT;
    if (node->d && !completed) {
        if (!jrun_enter_frame(r, node->frame_else, outer))
            return JFLOW_ERROR;
        flow = jrun_exec(r, node->d);
        r->env = outer;
    }
    return flow;
}

bool jloop_recurse(struct jrun *r, struct jloop *loop, struct jval iterable, struct jval *out)
{
    struct jenv *env = r->env;
    size_t mark = jtext_begin(r);
    if (!loop->node->flag)
        return jrun_fail(r, "the loop must have the 'recursive' marker to be called recursively");
    r->env = loop->outer;
    enum jflow flow = jrun_enter(r) ? run_loop(r, loop->node, iterable, loop->depth0 + 1)
                                    : JFLOW_ERROR;
    jrun_leave(r);
    r->env = env;
    return flow != JFLOW_ERROR && jtext_end(r, mark, out);
}

/* Binds what the call gives to the macro's parameters, as Jinja2's Macro does; r->env is new. */
static bool bind_parameters(struct jrun *r, const struct jmacro *m, struct jcall *call)
{
    const struct jnode *node = m->node;
    struct jdict *rest = jdict_new(r);
    struct jval *slots = r->env ? r->env->slots : NULL;
    size_t n = 0;
    bool has_caller = false;
    if (!rest)
        return false;
    for (size_t i = 0; call->kwargs && i < call->kwargs->n; i++) {
        const struct jentry *entry = &call->kwargs->items[i];
        const struct jnode *p = node->b;
        size_t at = 0;
        for (; p && !str_eq(p->name, jval_text(entry->key)); p = p->next)
            at++;
        if (p && at >= call->n_args)
            slots[p->slot] = entry->value;
        else if (node->slots_used[0] >= 0 && jval_is_text(entry->key, "caller"))
            slots[node->slots_used[0]] = entry->value;
        else if (!jdict_set(r, rest, entry->key, entry->value))
            return false;
    }
    for (const struct jnode *p = node->b; p; p = p->next, n++)
        if (n < call->n_args)
            slots[p->slot] = call->args[n];
    has_caller = node->slots_used[0] >= 0 && slots[node->slots_used[0]].kind != J_MISSING;
    if (node->slots_used[0] >= 0 && !has_caller &&
        !jundef_hint(r, "No caller defined", &slots[node->slots_used[0]]))
        return false;
    if (node->uses[1])
        slots[node->slots_used[1]] = jval_of_dict(rest);
    else if (rest->n > 0)
        return jrun_fail(r, "a macro takes no keyword argument '%.*s'",
                         STR_ARG(jval_text(rest->items[0].key)));
    if (!node->uses[2])
        return call->n_args <= n ||
               jrun_fail(r, "a macro takes not more than %zu argument(s)", n);
    struct jlist *varargs = jlist_new(r, 0);
    for (; varargs && n < call->n_args; n++)
        if (!jlist_add(r, varargs, call->args[n]))
            return false;
    slots[node->slots_used[2]] = jval_of_tuple(varargs);
    return varargs != NULL;
}

static bool run_macro(struct jrun *r, const struct jmacro *m, struct jcall *call)
{
    if (!jrun_enter_frame(r, m->node->frame, m->env) || !bind_parameters(r, m, call))
        return false;
    for (const struct jnode *p = m->node->b; p; p = p->next) {
        struct jval *slot = &r->env->slots[p->slot];
        struct jval v;
        if (slot->kind != J_MISSING)
            continue;
        if (p->a ? !jrun_eval(r, p->a, &v)
                 : !jundef_hint(r, "a parameter of a macro was not provided", &v))
            return false;
        *slot = v;
    }
    return jrun_exec(r, m->node->c) != JFLOW_ERROR;
}

bool jmacro_call(struct jrun *r, const struct jmacro *m, struct jcall *call, struct jval *out)
{
    struct jenv *env = r->env;
    size_t mark = jtext_begin(r);
    bool ok = jrun_enter(r) && run_macro(r, m, call);
    jrun_leave(r);
    r->env = env;
    return ok && jtext_end(r, mark, out);
}

static bool new_macro(struct jrun *r, const struct jnode *node, struct jval *out)
{
    struct jmacro *m = jrun_alloc(r, sizeof *m);
    if (!m)
        return false;
    *m = (struct jmacro){node, r->env};
    *out = (struct jval){.kind = J_MACRO, .macro = m};
    return true;
}

/* What a call or filter block gives must be text already; only {{ }} makes it text. */
static bool print_text(struct jrun *r, struct jval v)
{
    return v.kind == J_STR ? jval_print(r, v)
                           : jrun_fail(r, "a block gives a %s instead of text", jval_type(v));
}

static bool exec_call_block(struct jrun *r, const struct jnode *node)
{
    struct jval callee, caller, v;
    struct jcall call;
    if (!new_macro(r, node, &caller) || !jrun_eval(r, node->a->a, &callee) ||
        !jrun_eval_args(r, node->a, &call))
        return false;
    if (!call.kwargs && !(call.kwargs = jdict_new(r)))
        return false;
    return jdict_set_text(r, call.kwargs, "caller", caller) &&
           jrun_call(r, callee, &call, &v) && print_text(r, v);
}

/* A filter or set block: the body's text, filtered, is printed or assigned. */
static enum jflow exec_capture(struct jrun *r, const struct jnode *node)
{
    struct jenv *outer = r->env;
    struct jval text, saved = r->captured;
    size_t mark = jtext_begin(r);
    if (!jrun_enter_frame(r, node->frame, outer))
        return JFLOW_ERROR;
    enum jflow flow = jrun_exec(r, node->c);
    if (flow != JFLOW_NEXT) {
        r->out->n_bytes = mark;
        r->env = outer;
        return flow;
    }
    if (!jtext_end(r, mark, &text))
        return JFLOW_ERROR;
    r->captured = text;
    if (node->b && !jrun_eval(r, node->b, &text))
        return JFLOW_ERROR;
    r->captured = saved;
    r->env = outer;
    if (node->kind == JN_FILTERBLOCK)
        return print_text(r, text) ? JFLOW_NEXT : JFLOW_ERROR;
    bool ok = assign(r, node->a, text) && (!node->flag || export_target(r, node->a));
    return ok ? JFLOW_NEXT : JFLOW_ERROR;
}

/* A body in a frame of its own: with, generation, block. */
static enum jflow exec_scope(struct jrun *r, const struct jnode *node)
{
    struct jenv *outer = r->env, *inner;
    if (!jrun_enter_frame(r, node->frame, node->kind == JN_BLOCK ? NULL : outer))
        return JFLOW_ERROR;
    inner = r->env;
    if (node->kind == JN_WITH) {
        const struct jnode *expr = node->b;
        for (const struct jnode *target = node->a; target; target = target->next) {
            struct jval v;
            r->env = outer;
            if (!jrun_eval(r, expr, &v))
                return JFLOW_ERROR;
            r->env = inner;
            if (!assign(r, target, v))
                return JFLOW_ERROR;
            expr = expr->next;
        }
    }
    enum jflow flow = jrun_exec(r, node->c);
    r->env = outer;
    return flow;
}

static bool is_namespace_target(struct jrun *r, const struct jnode *target)
{
    for (const struct jnode *item = target->kind == JN_TUPLE ? target->a : NULL; item;
         item = item->next)
        if (!is_namespace_target(r, item))
            return false;
    if (target->kind != JN_NSREF)
        return true;
    struct jenv *env = r->env;
    for (int i = 0; i < target->hops; i++)
        env = env->parent;
    return env->slots[target->slot].kind == J_NAMESPACE ||
           jrun_fail(r, "cannot assign attribute on non-namespace object");
}

static enum jflow exec_if(struct jrun *r, const struct jnode *node)
{
    struct jval test;
    if (!jrun_eval(r, node->a, &test))
        return JFLOW_ERROR;
    return jrun_exec(r, jval_truth(test) ? node->b : node->c);
}

static enum jflow exec_node(struct jrun *r, const struct jnode *node)
{
    struct jval v;
    bool ok;
    r->line = node->line;
    switch (node->kind) {
    case JN_DATA:
        ok = jtext_add(r, jval_text(node->value));
        break;
    case JN_OUTPUT:
        ok = jrun_eval(r, node->a, &v) && jval_print(r, v);
        break;
    case JN_IF:
        return exec_if(r, node);
    case JN_FOR:
        return jrun_eval(r, node->b, &v) ? run_loop(r, node, v, 0) : JFLOW_ERROR;
    case JN_SET:
        ok = is_namespace_target(r, node->a) && jrun_eval(r, node->b, &v) &&
             assign(r, node->a, v) && (!node->flag || export_target(r, node->a));
        break;
    case JN_MACRO:
        ok = new_macro(r, node, &v) && assign(r, node->a, v) &&
             (!node->flag || export_target(r, node->a));
        break;
    case JN_CALLBLOCK:
        ok = exec_call_block(r, node);
        break;
    case JN_SETBLOCK:
    case JN_FILTERBLOCK:
        return exec_capture(r, node);
    case JN_BREAK:
        return JFLOW_BREAK;
    case JN_CONTINUE:
        return JFLOW_CONTINUE;
    default:
        return exec_scope(r, node);
    }
    return ok ? JFLOW_NEXT : JFLOW_ERROR;
}

enum jflow jrun_exec(struct jrun *r, const struct jnode *list)
{
    enum jflow flow = jrun_enter(r) ? JFLOW_NEXT : JFLOW_ERROR;
    for (; list && flow == JFLOW_NEXT; list = list->next)
        flow = jrun_step(r, 1) ? exec_node(r, list) : JFLOW_ERROR;
    jrun_leave(r);
    return flow;
}
