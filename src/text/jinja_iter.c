/* jinja_iter.c - walking values, ranges, and slices of them. */
#include "text/jinja_run.h"

bool jval_is_iterable(struct jval v)
{
    return v.kind == J_STR || v.kind == J_LIST || v.kind == J_TUPLE || v.kind == J_DICT ||
           v.kind == J_RANGE || v.kind == J_VIEW || v.kind == J_ITER || v.kind == J_UNDEFINED;
}

bool jiter_init(struct jrun *r, struct jiter *it, struct jval source)
{
    *it = (struct jiter){.source = source};
    return jval_is_iterable(source) ||
           jrun_fail(r, "'%s' object is not iterable", jval_type(source));
}

struct jval jrange_at(const struct jrange *range, int64_t i)
{
    return jval_int(range->start + i * range->step);
}

static int next_of_view(struct jrun *r, struct jiter *it, struct jval *out)
{
    const struct jview *view = it->source.view;
    if (it->at >= view->dict->n)
        return 0;
    const struct jentry *entry = &view->dict->items[it->at++];
    if (view->kind != JVIEW_ITEMS) {
        *out = view->kind == JVIEW_KEYS ? entry->key : entry->value;
        return 1;
    }
    struct jlist *pair = jlist_new(r, 2);
    if (!pair || !jlist_add(r, pair, entry->key) || !jlist_add(r, pair, entry->value))
        return -1;
    *out = jval_of_tuple(pair);
    return 1;
}

static int next_of_text(struct jrun *r, struct jiter *it, struct jval *out)
{
    const struct jstr *s = it->source.s;
    uint32_t c;
    int n = utf8_decode(s->ptr + it->at, s->n_bytes - it->at, &c);
    if (n == 0)
        return 0;
    it->at += (size_t)n;
    return jtext_str(r, (struct str){s->ptr + it->at - n, (size_t)n}, out) ? 1 : -1;
}

/* Generators stand on generators: each is a level of depth. */
static int next_of_generator(struct jrun *r, struct jiter *it, struct jval *out)
{
    int more = jrun_enter(r) ? it->source.gen->next(r, it->source.gen, out) : -1;
    jrun_leave(r);
    return more;
}

int jiter_next(struct jrun *r, struct jiter *it, struct jval *out)
{
    if (!jrun_step(r, 1))
        return -1;
    switch (it->source.kind) {
    case J_LIST:
    case J_TUPLE:
        if (it->at >= it->source.l->n)
            return 0;
        *out = it->source.l->items[it->at++];
        return 1;
    case J_DICT:
        if (it->at >= it->source.d->n)
            return 0;
        *out = it->source.d->items[it->at++].key;
        return 1;
    case J_RANGE:
        if ((int64_t)it->at >= it->source.range->n)
            return 0;
        *out = jrange_at(it->source.range, (int64_t)it->at++);
        return 1;
    case J_VIEW:
        return next_of_view(r, it, out);
    case J_STR:
        return next_of_text(r, it, out);
    case J_ITER:
        return next_of_generator(r, it, out);
    default:
        return 0;
    }
}

static int next_of_source(struct jrun *r, struct jgen *g, struct jval *out)
{
    int started = jgen_start(r, g);
    return started < 0 ? -1 : jiter_next(r, &g->it, out);
}

int jgen_start(struct jrun *r, struct jgen *g)
{
    if (!g->started && !jiter_init(r, &g->it, g->source))
        return -1;
    g->started = true;
    return 1;
}

struct jgen *jgen_new(struct jrun *r, struct jval source, struct jval *out)
{
    struct jgen *g = jrun_alloc(r, sizeof *g);
    if (!g)
        return NULL;
    *g = (struct jgen){.next = next_of_source, .source = source};
    *out = (struct jval){.kind = J_ITER, .gen = g};
    return g;
}

bool jval_copy_list(struct jrun *r, struct jval iterable, struct jlist **out)
{
    struct jiter it;
    struct jval v;
    int more;
    int64_t n = 0;
    if (jval_has_length(iterable) && iterable.kind != J_LOOP && !jval_length(r, iterable, &n))
        return false;
    if (!jiter_init(r, &it, iterable) || !(*out = jlist_new(r, (size_t)n)))
        return false;
    while ((more = jiter_next(r, &it, &v)) > 0)
        if (!jlist_add(r, *out, v))
            return false;
    return more == 0;
}

/* The number of values of a range; -1 where 64 bits do not hold it. */
static int64_t range_count(const int64_t bounds[3])
{
    int64_t start = bounds[0], stop = bounds[1], step = bounds[2], span;
    if (step > 0 ? start >= stop : start <= stop)
        return 0;
    if (__builtin_sub_overflow(stop, start, &span) || step == INT64_MIN)
        return -1;
    return (step > 0 ? (span - 1) / step : (span + 1) / step) + 1;
}

bool jrange_new(struct jrun *r, const int64_t bounds[3], struct jval *out)
{
    enum { RANGE_MAX = 100000 }; /* the sandbox's */
    if (bounds[2] == 0)
        return jrun_fail(r, "range() arg 3 must not be zero");
    int64_t n = range_count(bounds);
    if (n < 0 || n > RANGE_MAX)
        return jrun_limit(r, "a range has more than %d items", RANGE_MAX);
    struct jrange *range = jrun_alloc(r, sizeof *range);
    if (!range)
        return false;
    *range = (struct jrange){bounds[0], bounds[1], bounds[2], n};
    *out = (struct jval){.kind = J_RANGE, .range = range};
    return true;
}

/* Python's slice.indices: from, to and step over a sequence of length n. */
static bool slice_bounds(struct jrun *r, const struct jval bounds[3], int64_t n, int64_t out[3])
{
    out[2] = 1;
    for (int i = 0; i < 3; i++)
        if (bounds[i].kind != J_NONE && !jval_as_int(bounds[i], &out[i]))
            return jrun_fail(r, "slice indices must be integers or None");
    if (out[2] == 0)
        return jrun_fail(r, "slice step cannot be zero");
    int64_t lowest = out[2] < 0 ? -1 : 0, highest = out[2] < 0 ? n - 1 : n;
    for (int i = 0; i < 2; i++) {
        if (bounds[i].kind == J_NONE)
            out[i] = (i == 0) == (out[2] > 0) ? lowest : highest;
        else if (out[i] < 0)
            out[i] = out[i] + n < lowest ? lowest : out[i] + n;
        else if (out[i] > highest)
            out[i] = highest;
    }
    return true;
}

static bool slice_text(struct jrun *r, struct jval s, const int64_t at[3], struct jval *out)
{
    int64_t n = range_count(at);
    bool markup = s.markup;
    if (at[2] == 1 || n == 0) {
        if (!jtext_sub(r, s, (size_t)at[0], (size_t)(n ? at[1] : at[0]), out))
            return false;
    } else {
        size_t mark = jtext_begin(r);
        for (int64_t k = 0, i = at[0]; k < n; k++, i += at[2]) {
            size_t from = jstr_offset(s.s, (size_t)i);
            uint32_t c;
            int len = utf8_decode(s.s->ptr + from, s.s->n_bytes - from, &c);
            size_t walked = s.s->n_bytes == s.s->n_chars ? 0 : from / 16;
            if (!jtext_add(r, (struct str){s.s->ptr + from, (size_t)len}) ||
                !jrun_step(r, 1 + walked))
                return false;
        }
        if (!jtext_end(r, mark, out))
            return false;
    }
    out->markup = markup;
    return true;
}

bool jval_slice(struct jrun *r, struct jval v, const struct jval bounds[3], struct jval *out)
{
    int64_t n, at[3] = {0};
    if (v.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, v);
    if (v.kind != J_STR && v.kind != J_LIST && v.kind != J_TUPLE && v.kind != J_RANGE)
        return jrun_fail(r, "'%s' object cannot be sliced", jval_type(v));
    if (!jval_length(r, v, &n) || !slice_bounds(r, bounds, n, at))
        return false;
    if (v.kind == J_STR)
        return slice_text(r, v, at, out);
    int64_t count = range_count(at);
    if (v.kind == J_RANGE) {
        const int64_t part[3] = {v.range->start + at[0] * v.range->step,
                                 v.range->start + at[1] * v.range->step, v.range->step * at[2]};
        return jrange_new(r, part, out);
    }
    struct jlist *l = jlist_new(r, (size_t)count);
    for (int64_t k = 0, i = at[0]; l && k < count; k++, i += at[2])
        if (!jlist_add(r, l, v.l->items[i]))
            return false;
    if (l)
        *out = (struct jval){.kind = v.kind, .l = l};
    return l != NULL;
}
