/* jinja_object.c - the methods of lists, tuples, dicts, ranges and cyclers. */
#include "text/jinja_run.h"

static bool dict_view(struct jrun *r, struct jval self, enum jview_kind kind, struct jval *out)
{
    struct jview *view = jrun_alloc(r, sizeof *view);
    if (!view)
        return false;
    *view = (struct jview){self.d, kind};
    *out = (struct jval){.kind = J_VIEW, .view = view};
    return true;
}

static bool dict_items(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return dict_view(r, self, JVIEW_ITEMS, out);
}

static bool dict_keys(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return dict_view(r, self, JVIEW_KEYS, out);
}

static bool dict_values(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    return dict_view(r, self, JVIEW_VALUES, out);
}

static bool dict_get(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    const struct jval *found = jdict_get(r, self.d, call->bound[0]);
    struct jval otherwise = call->bound[1];
    *out = found ? *found : otherwise.kind == J_MISSING ? jval_none() : otherwise;
    return r->err == ERR_OK;
}

static bool dict_copy(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    struct jdict *d = jdict_new(r);
    (void)call;
    for (size_t i = 0; d && i < self.d->n; i++)
        if (!jdict_set(r, d, self.d->items[i].key, self.d->items[i].value))
            return false;
    *out = jval_of_dict(d);
    return d != NULL;
}

static bool list_copy(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    *out = self;
    return jval_copy_list(r, self, &out->l);
}

static bool list_count(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    struct jiter it;
    struct jval v;
    int64_t n = 0;
    int more;
    if (!jiter_init(r, &it, self))
        return false;
    while ((more = jiter_next(r, &it, &v)) > 0) {
        bool same = jval_is(v, call->bound[0]);
        if (!same && !jval_equal(r, v, call->bound[0], &same))
            return false;
        n += same;
    }
    *out = jval_int(n);
    return more == 0;
}

static bool list_index(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    int64_t n, from, to;
    if (!jval_length(r, self, &n) || !jcall_int(r, call->bound[1], 0, &from) ||
        !jcall_int(r, call->bound[2], n, &to))
        return false;
    from = from < 0 ? (from + n < 0 ? 0 : from + n) : from;
    to = to < 0 ? to + n : to > n ? n : to;
    for (int64_t i = from; i < to; i++) {
        struct jval v = self.kind == J_RANGE ? jrange_at(self.range, i) : self.l->items[i];
        bool same = jval_is(v, call->bound[0]);
        if (!jrun_step(r, 1) || (!same && !jval_equal(r, v, call->bound[0], &same)))
            return false;
        if (same) {
            *out = jval_int(i);
            return true;
        }
    }
    return jrun_fail(r, "a value is not in the list");
}

static bool cycler_next(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    struct jcycler *cycler = self.cycler;
    (void)call;
    *out = cycler->items->items[cycler->at];
    cycler->at = (cycler->at + 1) % cycler->items->n;
    return jrun_step(r, 1);
}

static bool cycler_reset(struct jrun *r, struct jval self, struct jcall *call, struct jval *out)
{
    (void)call;
    self.cycler->at = 0;
    *out = jval_none();
    return jrun_step(r, 1);
}

const struct jmethod_def *jmethod_find(uint8_t kind, struct str name)
{
    static const struct jmethod_def of_dict[] = {
        {"items", "", dict_items},   {"keys", "", dict_keys},
        {"values", "", dict_values}, {"get", "/key default?", dict_get},
        {"copy", "", dict_copy},     {0},
    };
    static const struct jmethod_def of_list[] = {
        {"index", "/value start? stop?", list_index},
        {"count", "/value", list_count},
        {"copy", "", list_copy},
        {0},
    };
    static const struct jmethod_def of_tuple[] = {
        {"index", "/value start? stop?", list_index},
        {"count", "/value", list_count},
        {0},
    };
    static const struct jmethod_def of_cycler[] = {
        {"next", "", cycler_next},
        {"reset", "", cycler_reset},
        {0},
    };
    const struct jmethod_def *def = kind == J_STR                         ? jmethods_of_str
                                    : kind == J_DICT                      ? of_dict
                                    : kind == J_LIST                      ? of_list
                                    : kind == J_TUPLE || kind == J_RANGE ? of_tuple
                                    : kind == J_LOOP                      ? jmethods_of_loop
                                    : kind == J_CYCLER                    ? of_cycler
                                                                          : NULL;
    while (def && def->name && !str_is(name, def->name))
        def++;
    return def && def->name ? def : NULL;
}
