/* jinja_sequence.c - the filters over sequences. Those that are generators in Jinja2 are walked
 * step by step here too, because a template can see when a step happens. */
#include "text/jinja_text.h"

/* item.a.b for the attribute "a.b"; digits are indices. otherwise replaces what is undefined. */
static bool get_path(struct jrun *r, struct jval item, struct str path, struct jval otherwise,
                     struct jval *out)
{
    for (size_t i = 0; i <= path.len;) {
        size_t end = i;
        int64_t index;
        struct jval part;
        while (end < path.len && path.ptr[end] != '.')
            end++;
        struct str name = str_sub(path, i, end);
        bool is_index = name.len > 0 && name.ptr[0] != '-' && str_to_i64(name, &index);
        if (!jtext_str(r, name, &part) ||
            !jval_getitem(r, item, is_index ? jval_int(index) : part, out))
            return false;
        if (out->kind == J_UNDEFINED && otherwise.kind != J_NONE && otherwise.kind != J_MISSING)
            *out = otherwise;
        item = *out;
        i = end + 1;
    }
    return true;
}

static bool get_attribute(struct jrun *r, struct jval item, struct jval attribute,
                          struct jval otherwise, struct jval *out)
{
    *out = item;
    if (attribute.kind == J_MISSING || attribute.kind == J_NONE)
        return true;
    if (attribute.kind == J_STR)
        return get_path(r, item, jval_text(attribute), otherwise, out);
    if (!jval_getitem(r, item, attribute, out))
        return false;
    if (out->kind == J_UNDEFINED && otherwise.kind != J_NONE && otherwise.kind != J_MISSING)
        *out = otherwise;
    return true;
}

static bool fold_case(struct jrun *r, struct jval *v, bool case_sensitive)
{
    return case_sensitive || v->kind != J_STR || jtext_case(r, *v, JCASE_LOWER, v);
}

static bool is_given(struct jval v)
{
    return v.kind != J_MISSING && jval_truth(v);
}

/* ---- order ---- */

struct sorting {
    struct jval key, value;
};

/* Stable, as Python's: with reverse, equal ones keep their order too. */
static bool merge_sort(struct jrun *r, struct sorting *items, struct sorting *spare, size_t n,
                       bool reverse)
{
    if (n < 2)
        return true;
    size_t half = n / 2, a = 0, b = half;
    if (!merge_sort(r, items, spare, half, reverse) ||
        !merge_sort(r, items + half, spare + half, n - half, reverse))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool second = a == half;
        if (a < half && b < n && (!jrun_step(r, 1) ||
                                  !(reverse ? jval_less(r, items[a].key, items[b].key, false,
                                                        &second)
                                            : jval_less(r, items[b].key, items[a].key, false,
                                                        &second))))
            return false;
        spare[i] = second ? items[b++] : items[a++];
    }
    memcpy(items, spare, n * sizeof *items);
    return true;
}

/* The key of an item under several attributes with commas between them: a list. */
static bool sort_key(struct jrun *r, struct jval item, struct jval attribute, bool case_sensitive,
                     struct jval *out)
{
    struct jlist *keys = jlist_new(r, 1);
    struct jval key;
    if (!keys)
        return false;
    *out = jval_of_list(keys);
    if (attribute.kind != J_STR)
        return get_attribute(r, item, attribute, jval_none(), &key) &&
               fold_case(r, &key, case_sensitive) && jlist_add(r, keys, key);
    struct str s = jval_text(attribute);
    for (size_t i = 0; i <= s.len;) {
        size_t end = i;
        while (end < s.len && s.ptr[end] != ',')
            end++;
        if (!get_path(r, item, str_sub(s, i, end), jval_none(), &key) ||
            !fold_case(r, &key, case_sensitive) || !jlist_add(r, keys, key))
            return false;
        i = end + 1;
    }
    return true;
}

static struct sorting *sorting_new(struct jrun *r, size_t n, struct sorting **spare)
{
    struct sorting *items = jrun_alloc(r, (2 * n + 1) * sizeof *items);
    *spare = items ? items + n : NULL;
    return items;
}

static bool sorted_list(struct jrun *r, const struct sorting *items, size_t n, struct jlist **out)
{
    if (!(*out = jlist_new(r, n)))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!jlist_add(r, *out, items[i].value))
            return false;
    return true;
}

static bool filter_sort(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jlist *l;
    struct sorting *items, *spare;
    int64_t reverse;
    if (!jcall_int(r, call->bound[0], 0, &reverse) || !jval_copy_list(r, v, &l) ||
        !(items = sorting_new(r, l->n, &spare)))
        return false;
    for (size_t i = 0; i < l->n; i++) {
        items[i].value = l->items[i];
        if (!sort_key(r, l->items[i], call->bound[2], is_given(call->bound[1]), &items[i].key))
            return false;
    }
    if (!merge_sort(r, items, spare, l->n, reverse) ||
        !sorted_list(r, items, l->n, &l))
        return false;
    *out = jval_of_list(l);
    return true;
}

static bool filter_dictsort(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jlist *l;
    struct sorting *items, *spare;
    struct jval by = call->bound[1], view;
    int64_t reverse;
    bool by_value = by.kind != J_MISSING && jval_is_text(by, "value");
    if (by.kind != J_MISSING && !by_value && !jval_is_text(by, "key"))
        return jrun_fail(r, "you can only sort by either \"key\" or \"value\"");
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    if (v.kind != J_DICT)
        return jrun_fail(r, "dictsort() takes a mapping");
    if (!jcall_int(r, call->bound[2], 0, &reverse))
        return false;
    if (!jmethod_find(J_DICT, STR("items"))->apply(r, v, call, &view) ||
        !jval_copy_list(r, view, &l) || !(items = sorting_new(r, l->n, &spare)))
        return false;
    for (size_t i = 0; i < l->n; i++) {
        items[i] = (struct sorting){l->items[i].l->items[by_value], l->items[i]};
        if (!fold_case(r, &items[i].key, is_given(call->bound[0])))
            return false;
    }
    if (!merge_sort(r, items, spare, l->n, reverse) ||
        !sorted_list(r, items, l->n, &l))
        return false;
    *out = jval_of_list(l);
    return true;
}

static bool filter_groupby(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jlist *l, *groups = jlist_new(r, 0), *group = NULL;
    struct sorting *items, *spare;
    bool case_sensitive = is_given(call->bound[2]), same = false;
    if (!groups || !jval_copy_list(r, v, &l) || !(items = sorting_new(r, l->n, &spare)))
        return false;
    for (size_t i = 0; i < l->n; i++) {
        items[i].value = l->items[i];
        if (!get_attribute(r, l->items[i], call->bound[0], call->bound[1], &items[i].key) ||
            !fold_case(r, &items[i].key, case_sensitive))
            return false;
    }
    if (!merge_sort(r, items, spare, l->n, false))
        return false;
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0 && !jval_equal(r, items[i - 1].key, items[i].key, &same))
            return false;
        if (!group || !same) {
            struct jlist *pair = jlist_new(r, 2);
            struct jval key = items[i].key;
            if (!pair || !(group = jlist_new(r, 0)) ||
                (!case_sensitive && !get_attribute(r, items[i].value, call->bound[0],
                                                   call->bound[1], &key)) ||
                !jlist_add(r, pair, key) || !jlist_add(r, pair, jval_of_list(group)) ||
                !jlist_add(r, groups, jval_of_tuple(pair)))
                return false;
            pair->is_group = true;
        }
        if (!jlist_add(r, group, items[i].value))
            return false;
    }
    *out = jval_of_list(groups);
    return true;
}

static bool extreme(struct jrun *r, struct jval v, struct jcall *call, bool is_max,
                    struct jval *out)
{
    struct jiter it;
    struct jval item, key, best_key = jval_missing();
    int more;
    if (!jiter_init(r, &it, v))
        return false;
    while ((more = jiter_next(r, &it, &item)) > 0) {
        bool better = true;
        if (!get_attribute(r, item, call->bound[1], jval_none(), &key) ||
            !fold_case(r, &key, is_given(call->bound[0])))
            return false;
        if (best_key.kind != J_MISSING &&
            !(is_max ? jval_less(r, best_key, key, false, &better)
                     : jval_less(r, key, best_key, false, &better)))
            return false;
        if (better) {
            best_key = key;
            *out = item;
        }
    }
    if (more == 0 && best_key.kind == J_MISSING)
        return jundef_hint(r, "No aggregated item, sequence was empty.", out);
    return more == 0;
}

static bool filter_min(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    return extreme(r, v, call, false, out);
}

static bool filter_max(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    return extreme(r, v, call, true, out);
}

static bool filter_sum(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jiter it;
    struct jval item;
    int more;
    *out = call->bound[1].kind == J_MISSING ? jval_int(0) : call->bound[1];
    if (out->kind == J_STR)
        return jrun_fail(r, "sum() can't sum strings");
    if (!jiter_init(r, &it, v))
        return false;
    while ((more = jiter_next(r, &it, &item)) > 0)
        if (!get_attribute(r, item, call->bound[0], jval_none(), &item) ||
            !jval_binary(r, JN_ADD, *out, item, out))
            return false;
    return more == 0;
}

/* ---- ends and whole ---- */

static bool filter_first(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jiter it;
    (void)call;
    int more = jiter_init(r, &it, v) ? jiter_next(r, &it, out) : -1;
    if (more == 0)
        return jundef_hint(r, "No first item, sequence was empty.", out);
    return more > 0;
}

static bool filter_last(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jlist *l;
    (void)call;
    if (v.kind == J_ITER)
        return jrun_fail(r, "'generator' object is not reversible");
    if (!jval_copy_list(r, v, &l))
        return false;
    if (l->n == 0)
        return jundef_hint(r, "No last item, sequence was empty.", out);
    *out = l->items[l->n - 1];
    return true;
}

static bool filter_list(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    (void)call;
    *out = (struct jval){.kind = J_LIST};
    return jval_copy_list(r, v, &out->l);
}

static bool filter_reverse(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jlist *l;
    (void)call;
    if (v.kind == J_STR)
        return jval_slice(r, v, (struct jval[3]){jval_none(), jval_none(), jval_int(-1)}, out);
    if (!jval_copy_list(r, v, &l))
        return false;
    for (size_t i = 0; i < l->n / 2; i++) {
        struct jval item = l->items[i];
        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = item;
    }
    *out = jval_of_list(l);
    return v.kind == J_ITER || jgen_new(r, jval_of_list(l), out);
}

static bool filter_join(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jlist *l;
    struct jval separator = call->bound[0];
    if (!jval_copy_list(r, v, &l))
        return false;
    for (size_t i = 0; i < l->n; i++)
        if (!get_attribute(r, l->items[i], call->bound[1], jval_none(), &l->items[i]))
            return false;
    size_t mark = jtext_begin(r);
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0 && separator.kind != J_MISSING && !jval_print(r, separator))
            return false;
        if (!jval_print(r, l->items[i]))
            return false;
    }
    return jtext_end(r, mark, out);
}

static bool filter_batch(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jlist *l, *rows = jlist_new(r, 0), *row = NULL;
    struct jval fill = call->bound[1];
    int64_t size;
    if (!rows || !jval_copy_list(r, v, &l) || !jcall_int(r, call->bound[0], 0, &size))
        return false;
    for (size_t i = 0; i < l->n; i++) {
        if ((!row || (int64_t)row->n == size) &&
            (!(row = jlist_new(r, 0)) || !jlist_add(r, rows, jval_of_list(row))))
            return false;
        if (!jlist_add(r, row, l->items[i]))
            return false;
    }
    if (row && fill.kind != J_MISSING && fill.kind != J_NONE)
        while ((int64_t)row->n < size)
            if (!jlist_add(r, row, fill))
                return false;
    return jgen_new(r, jval_of_list(rows), out) != NULL;
}

static bool filter_slice(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jlist *l, *rows = jlist_new(r, 0);
    struct jval fill = call->bound[1];
    int64_t n_slices;
    size_t at = 0;
    if (!rows || !jval_copy_list(r, v, &l) || !jcall_int(r, call->bound[0], 0, &n_slices))
        return false;
    if (n_slices == 0)
        return jrun_fail(r, "integer division or modulo by zero");
    for (int64_t i = 0; i < n_slices; i++) {
        size_t n = l->n / (size_t)n_slices, n_long = l->n % (size_t)n_slices;
        bool is_long = (size_t)i < n_long;
        struct jlist *row = jlist_new(r, 0);
        if (!row || !jlist_add(r, rows, jval_of_list(row)))
            return false;
        for (n += is_long; n > 0; n--)
            if (!jlist_add(r, row, l->items[at++]))
                return false;
        if (!is_long && fill.kind != J_MISSING && fill.kind != J_NONE &&
            !jlist_add(r, row, fill))
            return false;
    }
    return jgen_new(r, jval_of_list(rows), out) != NULL;
}

/* ---- generators ---- */

static int next_item_pair(struct jrun *r, struct jgen *g, struct jval *out)
{
    struct jval view;
    if (!g->started) {
        if (g->source.kind == J_UNDEFINED)
            return 0;
        if (g->source.kind != J_DICT) {
            jrun_fail(r, "can only get item pairs from a mapping");
            return -1;
        }
        if (!jmethod_find(J_DICT, STR("items"))->apply(r, g->source, &g->call, &view))
            return -1;
        g->source = view;
    }
    return jgen_start(r, g) < 0 ? -1 : jiter_next(r, &g->it, out);
}

static bool filter_items(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jgen *g = jgen_new(r, v, out);
    (void)call;
    if (g)
        g->next = next_item_pair;
    return g != NULL;
}

static int next_unique(struct jrun *r, struct jgen *g, struct jval *out)
{
    struct jval key;
    int more = jgen_start(r, g);
    while (more > 0 && (more = jiter_next(r, &g->it, out)) > 0) {
        if (!get_attribute(r, *out, g->attribute, jval_none(), &key) ||
            !fold_case(r, &key, g->case_sensitive))
            return -1;
        bool seen = jdict_get(r, g->seen, key) != NULL;
        if (r->err != ERR_OK || (!seen && !jdict_set(r, g->seen, key, jval_none())))
            return -1;
        if (!seen)
            return 1;
    }
    return more;
}

static bool filter_unique(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    struct jgen *g = jgen_new(r, v, out);
    if (!g || !(g->seen = jdict_new(r)))
        return false;
    g->next = next_unique;
    g->case_sensitive = is_given(call->bound[0]);
    g->attribute = call->bound[1];
    return true;
}

/* Splits off the name that map and select begin their arguments with. */
static bool take_name(struct jrun *r, struct jgen *g, size_t at, struct str *name)
{
    struct jval v = g->call.args[at];
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    if (v.kind != J_STR)
        return jrun_fail(r, "the name of a filter or test must be a str");
    *name = jval_text(v);
    g->call.args += at + 1;
    g->call.n_args -= at + 1;
    return true;
}

static bool prepare_map(struct jrun *r, struct jgen *g)
{
    struct str name;
    const struct jdict *kwargs = g->call.kwargs;
    const struct jval *attribute = kwargs ? jdict_get_text(kwargs, STR("attribute")) : NULL;
    if (g->call.n_args == 0 && attribute) {
        const struct jval *otherwise = jdict_get_text(kwargs, STR("default"));
        g->by_attribute = true;
        g->attribute = *attribute;
        g->otherwise = otherwise ? *otherwise : jval_none();
        return kwargs->n == 1 + (otherwise != NULL) ||
               jrun_fail(r, "map got an unexpected keyword argument");
    }
    if (g->call.n_args == 0)
        return jrun_fail(r, "map requires a filter argument");
    if (!take_name(r, g, 0, &name))
        return false;
    g->filter = jfilter_find(name);
    return g->filter || jrun_fail(r, "no filter named '%.*s'", STR_ARG(name));
}

static int next_mapped(struct jrun *r, struct jgen *g, struct jval *out)
{
    if (!jval_truth(g->source))
        return 0;
    if (!g->started && (!prepare_map(r, g) || jgen_start(r, g) < 0))
        return -1;
    int more = jiter_next(r, &g->it, out);
    if (more <= 0)
        return more;
    if (g->by_attribute)
        return get_attribute(r, *out, g->attribute, g->otherwise, out) ? 1 : -1;
    struct jcall call = g->call;
    return jfilter_apply(r, g->filter, *out, &call, out) ? 1 : -1;
}

static bool prepare_select(struct jrun *r, struct jgen *g)
{
    size_t at = g->by_attribute;
    struct str name;
    if (g->by_attribute) {
        if (g->call.n_args == 0)
            return jrun_fail(r, "missing parameter for attribute name");
        g->attribute = g->call.args[0];
    }
    if (g->call.n_args <= at)
        return true;
    if (!take_name(r, g, at, &name))
        return false;
    g->test = jtest_find(name);
    return g->test || jrun_fail(r, "no test named '%.*s'", STR_ARG(name));
}

static int next_selected(struct jrun *r, struct jgen *g, struct jval *out)
{
    int more;
    if (!jval_truth(g->source))
        return 0;
    if (!g->started && (!prepare_select(r, g) || jgen_start(r, g) < 0))
        return -1;
    while ((more = jiter_next(r, &g->it, out)) > 0) {
        struct jval v;
        struct jcall call = g->call;
        if (!get_attribute(r, *out, g->attribute, jval_none(), &v))
            return -1;
        bool is = jval_truth(v);
        if (g->test && !jtest_apply(r, g->test, v, &call, &is))
            return -1;
        if (is != g->negate)
            return 1;
    }
    return more;
}

static bool lazily(struct jrun *r, struct jval v, const struct jcall *call, bool by_attribute,
                   bool negate, struct jval *out)
{
    struct jgen *g = jgen_new(r, v, out);
    if (!g)
        return false;
    g->next = next_selected;
    g->call = *call;
    g->by_attribute = by_attribute;
    g->negate = negate;
    g->attribute = jval_missing();
    return true;
}

static bool filter_map(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    if (!lazily(r, v, call, false, false, out))
        return false;
    out->gen->next = next_mapped;
    return true;
}

static bool filter_select(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    return lazily(r, v, call, false, false, out);
}

static bool filter_reject(struct jrun *r, struct jval v, struct jcall *call, struct jval *out)
{
    return lazily(r, v, call, false, true, out);
}

static bool filter_selectattr(struct jrun *r, struct jval v, struct jcall *call,
                              struct jval *out)
{
    return lazily(r, v, call, true, false, out);
}

static bool filter_rejectattr(struct jrun *r, struct jval v, struct jcall *call,
                              struct jval *out)
{
    return lazily(r, v, call, true, true, out);
}

const struct jfilter jfilters_of_sequences[] = {
    {"join", "d? attribute?", filter_join},
    {"first", "", filter_first},
    {"last", "", filter_last},
    {"list", "", filter_list},
    {"map", NULL, filter_map},
    {"select", NULL, filter_select},
    {"reject", NULL, filter_reject},
    {"selectattr", NULL, filter_selectattr},
    {"rejectattr", NULL, filter_rejectattr},
    {"items", "", filter_items},
    {"dictsort", "case_sensitive? by? reverse?", filter_dictsort},
    {"sort", "reverse? case_sensitive? attribute?", filter_sort},
    {"groupby", "attribute default? case_sensitive?", filter_groupby},
    {"unique", "case_sensitive? attribute?", filter_unique},
    {"reverse", "", filter_reverse},
    {"sum", "attribute? start?", filter_sum},
    {"min", "case_sensitive? attribute?", filter_min},
    {"max", "case_sensitive? attribute?", filter_max},
    {"batch", "linecount fill_with?", filter_batch},
    {"slice", "slices fill_with?", filter_slice},
    {0},
};
