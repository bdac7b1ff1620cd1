/* jinja_attr.c - object.name and object[index], in the sandbox's order and with its bans. */
#include "text/jinja_run.h"

static bool undefined(struct jrun *r, struct jundef undef, struct jval *out)
{
    struct jundef *u = jrun_alloc(r, sizeof *u);
    if (!u)
        return false;
    *u = undef;
    *out = (struct jval){.kind = J_UNDEFINED, .undef = u};
    return true;
}

bool jundef_hint(struct jrun *r, const char *hint, struct jval *out)
{
    return undefined(r, (struct jundef){.hint = hint}, out);
}

bool jundef_name(struct jrun *r, struct str name, struct jval *out)
{
    struct jval text;
    return jtext_str(r, name, &text) && undefined(r, (struct jundef){.name = text}, out);
}

bool jundef_of(struct jrun *r, struct jval object, struct jval name, struct jval *out)
{
    return undefined(r, (struct jundef){.name = name, .object = object}, out);
}

bool jrun_fail_undefined(struct jrun *r, struct jval v)
{
    const struct jundef *u = v.undef;
    if (r->err != ERR_OK)
        return false;
    if (u->hint)
        return jrun_fail(r, "%s", u->hint);
    size_t mark = jtext_begin(r);
    struct jval name;
    if (!jval_print_repr(r, u->name) || !jtext_end(r, mark, &name))
        return false;
    struct str text = jval_text(name);
    if (u->is_security)
        return jrun_fail(r, "access to attribute %.*s of '%s' object is unsafe", STR_ARG(text),
                         jval_type(u->object));
    if (u->object.kind == J_MISSING)
        return jrun_fail(r, "%.*s is undefined", STR_ARG(text));
    if (u->name.kind == J_STR)
        return jrun_fail(r, "'%s object' has no attribute %.*s", jval_type(u->object),
                         STR_ARG(text));
    return jrun_fail(r, "%s object has no element %.*s", jval_type(u->object), STR_ARG(text));
}

/* What would change a list or dict, which the sandbox forbids. */
static bool is_forbidden(struct jval object, struct str name)
{
    static const char *const of_list[] = {"append", "clear", "pop", "reverse", "insert",
                                          "sort", "extend", "remove", NULL};
    static const char *const of_dict[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
    const char *const *names = object.kind == J_LIST ? of_list : of_dict;
    if (object.kind != J_LIST && object.kind != J_DICT)
        return false;
    for (; *names; names++)
        if (str_is(name, *names))
            return true;
    return false;
}

static bool names_of_parameters(struct jrun *r, const struct jmacro *m, struct jval *out)
{
    struct jlist *l = jlist_new(r, 0);
    for (const struct jnode *p = m->node->b; l && p; p = p->next) {
        struct jval name;
        if (!jtext_str(r, p->name, &name) || !jlist_add(r, l, name))
            return false;
    }
    *out = jval_of_tuple(l);
    return l != NULL;
}

static bool macro_attr(struct jrun *r, const struct jmacro *m, struct str name, struct jval *out)
{
    static const char *const flags[] = {"caller", "catch_kwargs", "catch_varargs"};
    if (str_is(name, "name")) {
        *out = jval_none();
        return m->node->kind != JN_MACRO || jtext_str(r, m->node->a->name, out);
    }
    if (str_is(name, "arguments"))
        return names_of_parameters(r, m, out);
    for (int i = 0; i < 3; i++)
        if (str_is(name, flags[i]))
            *out = jval_bool(m->node->uses[i]);
    return true;
}

static bool range_attr(const struct jrange *range, struct str name, struct jval *out)
{
    if (str_is(name, "start"))
        *out = jval_int(range->start);
    else if (str_is(name, "stop"))
        *out = jval_int(range->stop);
    else if (str_is(name, "step"))
        *out = jval_int(range->step);
    return true;
}

/* What Python's getattr finds; *out is J_MISSING where it raises AttributeError. */
static bool python_attr(struct jrun *r, struct jval object, struct str name, struct jval *out)
{
    const struct jval *found;
    *out = jval_missing();
    switch (object.kind) {
    case J_NAMESPACE:
        found = jdict_get_text(object.d, name);
        *out = found ? *found : *out;
        return true;
    case J_LOOP:
        if (!jloop_attr(r, object.loop, name, out))
            return false;
        break;
    case J_MACRO:
        return macro_attr(r, object.macro, name, out);
    case J_RANGE:
        range_attr(object.range, name, out);
        break;
    case J_TUPLE:
        if (object.l->is_group && (str_is(name, "grouper") || str_is(name, "list")))
            *out = object.l->items[str_is(name, "list")];
        break;
    case J_CYCLER:
        if (str_is(name, "current"))
            *out = object.cycler->items->items[object.cycler->at];
        break;
    default:
        break;
    }
    const struct jmethod_def *def = jmethod_find(object.kind, name);
    if (out->kind != J_MISSING || !def)
        return true;
    struct jmethod *method = jrun_alloc(r, sizeof *method);
    if (!method)
        return false;
    *method = (struct jmethod){object, def};
    *out = (struct jval){.kind = J_METHOD, .method = method};
    return true;
}

static bool attr_or_forbidden(struct jrun *r, struct jval object, struct jval name,
                              struct jval *out)
{
    if (is_forbidden(object, jval_text(name)))
        return undefined(r, (struct jundef){.name = name, .object = object, .is_security = true},
                         out);
    return python_attr(r, object, jval_text(name), out);
}

/* What object[index] gives; *out is J_MISSING where Python raises LookupError or TypeError. */
static bool python_item(struct jrun *r, struct jval object, struct jval index, struct jval *out)
{
    int64_t i, n;
    *out = jval_missing();
    if (object.kind == J_DICT) {
        const struct jval *found = NULL;
        if (!jrun_step(r, object.d->n / 16))
            return false;
        if (index.kind == J_STR)
            found = jdict_get_text(object.d, jval_text(index));
        else if (index.kind != J_LIST && index.kind != J_DICT)
            found = jdict_get(r, object.d, index);
        *out = found ? *found : *out;
        return r->err == ERR_OK;
    }
    if (object.kind != J_STR && object.kind != J_LIST && object.kind != J_TUPLE &&
        object.kind != J_RANGE)
        return true;
    if (!jval_as_int(index, &i))
        return true;
    if (!jval_length(r, object, &n))
        return false;
    i += i < 0 ? n : 0;
    if (i < 0 || i >= n)
        return true;
    if (object.kind == J_STR) {
        bool ok = jtext_sub(r, object, (size_t)i, (size_t)i + 1, out);
        out->markup = object.markup;
        return ok;
    }
    *out = object.kind == J_RANGE ? jrange_at(object.range, i) : object.l->items[i];
    return true;
}

bool jval_getattr(struct jrun *r, struct jval object, struct jval name, struct jval *out)
{
    if (object.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, object);
    if (!attr_or_forbidden(r, object, name, out))
        return false;
    if (out->kind == J_MISSING && !python_item(r, object, name, out))
        return false;
    return out->kind != J_MISSING || jundef_of(r, object, name, out);
}

bool jval_getitem(struct jrun *r, struct jval object, struct jval index, struct jval *out)
{
    if (object.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, object);
    if (!python_item(r, object, index, out))
        return false;
    if (out->kind == J_MISSING && index.kind == J_STR &&
        !attr_or_forbidden(r, object, index, out))
        return false;
    return out->kind != J_MISSING || jundef_of(r, object, index, out);
}
