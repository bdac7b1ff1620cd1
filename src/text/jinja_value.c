/* jinja_value.c - building values, and Python's equality, order, hash, length and truth. */
#include "text/jinja_run.h"

#include <math.h>

const char *jval_type(struct jval v)
{
    static const char *const names[] = {
        [J_MISSING] = "missing",       [J_UNDEFINED] = "Undefined",
        [J_NONE] = "NoneType",         [J_BOOL] = "bool",
        [J_INT] = "int",               [J_FLOAT] = "float",
        [J_STR] = "str",               [J_LIST] = "list",
        [J_TUPLE] = "tuple",           [J_DICT] = "dict",
        [J_RANGE] = "range",           [J_VIEW] = "dict_items",
        [J_ITER] = "generator",        [J_NAMESPACE] = "Namespace",
        [J_LOOP] = "LoopContext",      [J_MACRO] = "Macro",
        [J_FUNC] = "function",         [J_METHOD] = "builtin_function_or_method",
        [J_CYCLER] = "Cycler",         [J_JOINER] = "Joiner",
    };
    if (v.kind == J_VIEW && v.view->kind != JVIEW_ITEMS)
        return v.view->kind == JVIEW_KEYS ? "dict_keys" : "dict_values";
    return v.markup ? "Markup" : names[v.kind];
}

bool jval_as_int(struct jval v, int64_t *out)
{
    *out = v.kind == J_BOOL ? v.b : v.kind == J_INT ? v.i : 0;
    return v.kind == J_BOOL || v.kind == J_INT;
}

bool jval_as_double(struct jval v, double *out)
{
    int64_t i;
    bool is_int = jval_as_int(v, &i);
    *out = v.kind == J_FLOAT ? v.f : (double)i;
    return is_int || v.kind == J_FLOAT;
}

size_t utf8_count(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

size_t jstr_offset(const struct jstr *s, size_t n)
{
    if (s->n_bytes == s->n_chars)
        return n < s->n_bytes ? n : s->n_bytes;
    size_t at = 0;
    for (; at < s->n_bytes; at++)
        if (((unsigned char)s->ptr[at] & 0xc0) != 0x80 && n-- == 0)
            break;
    return at;
}

struct jstr *jstr_make(struct arena *arena, struct str text)
{
    struct jstr *s = arena_alloc(arena, sizeof *s);
    if (s)
        *s = (struct jstr){text.ptr, text.len, utf8_count(text)};
    return s;
}

bool jtext_str(struct jrun *r, struct str text, struct jval *out)
{
    if (!jrun_step(r, text.len / 64))
        return false;
    struct jstr *s = jrun_alloc(r, sizeof *s);
    if (!s)
        return false;
    *s = (struct jstr){text.ptr, text.len, utf8_count(text)};
    *out = (struct jval){.kind = J_STR, .s = s};
    return true;
}

bool jtext_literal(struct jrun *r, const char *text, struct jval *out)
{
    return jtext_str(r, str_from(text), out);
}

size_t jtext_begin(const struct jrun *r)
{
    return r->out->n_bytes;
}

bool jtext_add(struct jrun *r, struct str text)
{
    buf_add(r->out, text.ptr, text.len);
    if (!r->out->failed)
        return jrun_step(r, 1 + text.len / 64);
    if (text.len > r->out->n_bytes_max - r->out->n_bytes)
        return jrun_limit(r, "the text takes more than %zu bytes", r->out->n_bytes_max);
    r->err = r->err == ERR_OK ? err_set(r->note, ERR_MEMORY, "no memory for a template's text")
                              : r->err;
    return false;
}

bool jtext_end(struct jrun *r, size_t mark, struct jval *out)
{
    if (r->err != ERR_OK)
        return false;
    size_t n = r->out->n_bytes - mark;
    char *text = jrun_alloc(r, n + 1);
    if (!text)
        return false;
    if (n > 0)
        memcpy(text, r->out->bytes + mark, n);
    r->out->n_bytes = mark;
    return jtext_str(r, (struct str){text, n}, out);
}

bool jtext_sub(struct jrun *r, struct jval s, size_t from, size_t to, struct jval *out)
{
    size_t start = jstr_offset(s.s, from), end = start;
    if (to > from)
        end = start + jstr_offset(&(struct jstr){s.s->ptr + start, s.s->n_bytes - start,
                                                 s.s->n_chars - from}, to - from);
    return jtext_str(r, (struct str){s.s->ptr + start, end - start}, out);
}

bool jtext_escape(struct jrun *r, struct jval v, struct jval *out)
{
    if (!jval_soft_str(r, v, out) || out->markup)
        return r->err == ERR_OK;
    size_t mark = jtext_begin(r);
    struct str s = jval_text(*out);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        const char *entity = c == '&'    ? "&amp;"
                             : c == '<'  ? "&lt;"
                             : c == '>'  ? "&gt;"
                             : c == '"'  ? "&#34;"
                             : c == '\'' ? "&#39;"
                                         : NULL;
        if (!jtext_add(r, entity ? str_from(entity) : (struct str){&c, 1}))
            return false;
    }
    if (!jtext_end(r, mark, out))
        return false;
    out->markup = true;
    return true;
}

struct jlist *jlist_new(struct jrun *r, size_t n_reserved)
{
    struct jlist *l = jrun_alloc(r, sizeof *l);
    if (l && n_reserved > 0) {
        l->items = n_reserved > SIZE_MAX / sizeof *l->items
                       ? NULL
                       : jrun_alloc(r, n_reserved * sizeof *l->items);
        l->n_reserved = n_reserved;
    }
    return r->err == ERR_OK ? l : NULL;
}

bool jlist_add(struct jrun *r, struct jlist *l, struct jval v)
{
    if (l->n == l->n_reserved) {
        size_t n = l->n_reserved ? l->n_reserved * 2 : 4;
        struct jval *items = jrun_alloc(r, n * sizeof *items);
        if (!items)
            return false;
        if (l->n)
            memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->n_reserved = n;
    }
    l->items[l->n++] = v;
    return jrun_step(r, 1);
}

struct jdict *jdict_new(struct jrun *r)
{
    return jrun_alloc(r, sizeof(struct jdict));
}

static uint64_t hash_bytes(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

bool jval_hash(struct jrun *r, struct jval v, uint64_t *out)
{
    int64_t i = 0;
    *out = v.kind;
    switch (v.kind) {
    case J_STR:
        *out = hash_bytes(jval_text(v));
        return jrun_step(r, v.s->n_bytes / 64);
    case J_FLOAT:
        if (v.f >= -0x1p63 && v.f < 0x1p63 && v.f == floor(v.f))
            i = (int64_t)v.f;
        else
            memcpy(&i, &v.f, sizeof i);
        *out = (uint64_t)i * 0x9e3779b97f4a7c15u;
        return true;
    case J_BOOL:
    case J_INT:
        jval_as_int(v, &i);
        *out = (uint64_t)i * 0x9e3779b97f4a7c15u;
        return true;
    case J_TUPLE:
        if (!jrun_enter(r))
            return false;
        for (size_t k = 0; k < v.l->n; k++) {
            uint64_t h;
            if (!jval_hash(r, v.l->items[k], &h))
                return false;
            *out = (*out ^ h) * 0x100000001b3u;
        }
        jrun_leave(r);
        return true;
    case J_LIST:
    case J_DICT:
        return jrun_fail(r, "unhashable type: '%s'", jval_type(v));
    default:
        return true;
    }
}

static struct jentry *dict_find(struct jrun *r, const struct jdict *d, struct jval key,
                                uint64_t hash)
{
    if (!jrun_step(r, d->n / 16))
        return NULL;
    for (size_t i = 0; i < d->n; i++) {
        bool is = false;
        if (d->items[i].hash == hash && !jval_equal(r, d->items[i].key, key, &is))
            return NULL;
        if (is)
            return &d->items[i];
    }
    return NULL;
}

bool jdict_set(struct jrun *r, struct jdict *d, struct jval key, struct jval v)
{
    uint64_t hash;
    if (!jval_hash(r, key, &hash))
        return false;
    struct jentry *entry = dict_find(r, d, key, hash);
    if (r->err != ERR_OK)
        return false;
    if (entry) {
        entry->value = v;
        return true;
    }
    if (d->n == d->n_reserved) {
        size_t n = d->n_reserved ? d->n_reserved * 2 : 4;
        struct jentry *items = jrun_alloc(r, n * sizeof *items);
        if (!items)
            return false;
        if (d->n)
            memcpy(items, d->items, d->n * sizeof *items);
        d->items = items;
        d->n_reserved = n;
    }
    d->items[d->n++] = (struct jentry){key, v, hash};
    return jrun_step(r, 1);
}

bool jdict_set_text(struct jrun *r, struct jdict *d, const char *key, struct jval v)
{
    struct jval name;
    return jtext_literal(r, key, &name) && jdict_set(r, d, name, v);
}

const struct jval *jdict_get(struct jrun *r, const struct jdict *d, struct jval key)
{
    uint64_t hash;
    struct jentry *entry = jval_hash(r, key, &hash) ? dict_find(r, d, key, hash) : NULL;
    return entry ? &entry->value : NULL;
}

const struct jval *jdict_get_text(const struct jdict *d, struct str key)
{
    uint64_t hash = hash_bytes(key);
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i].hash == hash && d->items[i].key.kind == J_STR &&
            str_eq(jval_text(d->items[i].key), key))
            return &d->items[i].value;
    return NULL;
}

bool jval_truth(struct jval v)
{
    switch (v.kind) {
    case J_MISSING:
    case J_UNDEFINED:
    case J_NONE:
        return false;
    case J_BOOL:
        return v.b;
    case J_INT:
        return v.i != 0;
    case J_FLOAT:
        return v.f != 0;
    case J_STR:
        return v.s->n_bytes > 0;
    case J_LIST:
    case J_TUPLE:
        return v.l->n > 0;
    case J_DICT:
        return v.d->n > 0;
    case J_RANGE:
        return v.range->n > 0;
    case J_VIEW:
        return v.view->dict->n > 0;
    default:
        return true;
    }
}

bool jval_has_length(struct jval v)
{
    return v.kind == J_STR || v.kind == J_LIST || v.kind == J_TUPLE || v.kind == J_DICT ||
           v.kind == J_RANGE || v.kind == J_VIEW || v.kind == J_UNDEFINED || v.kind == J_LOOP;
}

bool jval_length(struct jrun *r, struct jval v, int64_t *out)
{
    switch (v.kind) {
    case J_UNDEFINED:
        *out = 0;
        return true;
    case J_STR:
        *out = (int64_t)v.s->n_chars;
        return true;
    case J_LIST:
    case J_TUPLE:
        *out = (int64_t)v.l->n;
        return true;
    case J_DICT:
        *out = (int64_t)v.d->n;
        return true;
    case J_RANGE:
        *out = v.range->n;
        return true;
    case J_VIEW:
        *out = (int64_t)v.view->dict->n;
        return true;
    case J_LOOP:
        return jloop_length(r, v.loop, out);
    default:
        return jrun_fail(r, "object of type '%s' has no len()", jval_type(v));
    }
}

/* Python's "is": small integers and constants are one object, as are values of one making. */
bool jval_is(struct jval a, struct jval b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case J_NONE:
        return true;
    case J_BOOL:
        return a.b == b.b;
    case J_INT:
        return a.i == b.i && a.i >= -5 && a.i <= 256;
    case J_FLOAT:
        return false;
    case J_STR:
        return a.s == b.s || (a.s->ptr == b.s->ptr && a.s->n_bytes == b.s->n_bytes);
    default:
        return a.l == b.l;
    }
}

/* -1, 0, 1, or 2 where one is not a number. Exact also where a double cannot hold the integer. */
static int compare_numbers(struct jval a, struct jval b)
{
    int64_t i, k;
    double f, g;
    if (jval_as_int(a, &i) && jval_as_int(b, &k))
        return i < k ? -1 : i > k;
    if (!jval_as_double(a, &f) || !jval_as_double(b, &g) || isnan(f) || isnan(g))
        return 2;
    if (a.kind == J_FLOAT && b.kind == J_FLOAT)
        return f < g ? -1 : f > g;
    if (a.kind == J_FLOAT)
        return -compare_numbers(b, a);
    jval_as_int(a, &i);
    if (g >= 0x1p63)
        return -1;
    if (g < -0x1p63)
        return 1;
    double whole = trunc(g);
    k = (int64_t)whole;
    if (i != k)
        return i < k ? -1 : 1;
    return g > whole ? -1 : g < whole;
}

static bool is_number(struct jval v)
{
    return v.kind == J_BOOL || v.kind == J_INT || v.kind == J_FLOAT;
}

static bool equal_dicts(struct jrun *r, const struct jdict *a, const struct jdict *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; i < a->n && *out; i++) {
        const struct jval *other = jdict_get(r, b, a->items[i].key);
        *out = other != NULL;
        if (other && !jval_equal(r, a->items[i].value, *other, out))
            return false;
    }
    return r->err == ERR_OK;
}

bool jval_equal(struct jrun *r, struct jval a, struct jval b, bool *out)
{
    *out = false;
    if (is_number(a) && is_number(b)) {
        *out = compare_numbers(a, b) == 0;
        return true;
    }
    if (a.kind != b.kind)
        return true;
    switch (a.kind) {
    case J_UNDEFINED:
        *out = true;
        return true;
    case J_STR:
        *out = str_eq(jval_text(a), jval_text(b));
        return jrun_step(r, a.s->n_bytes / 64);
    case J_LIST:
    case J_TUPLE:
        *out = a.l->n == b.l->n;
        if (!jrun_enter(r) || !jrun_step(r, a.l->n))
            return false;
        for (size_t i = 0; i < a.l->n && *out; i++)
            if (!jval_is(a.l->items[i], b.l->items[i]) &&
                !jval_equal(r, a.l->items[i], b.l->items[i], out))
                return false;
        jrun_leave(r);
        return true;
    case J_DICT:
        if (!jrun_enter(r) || !equal_dicts(r, a.d, b.d, out))
            return false;
        jrun_leave(r);
        return true;
    case J_RANGE:
        *out = a.range->n == b.range->n &&
               (a.range->n == 0 || (a.range->start == b.range->start &&
                                    (a.range->n == 1 || a.range->step == b.range->step)));
        return true;
    default:
        *out = jval_is(a, b);
        return true;
    }
}

static bool less_lists(struct jrun *r, const struct jlist *a, const struct jlist *b,
                       bool or_equal, bool *out)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        bool same = jval_is(a->items[i], b->items[i]);
        if (!jrun_step(r, 1) || (!same && !jval_equal(r, a->items[i], b->items[i], &same)))
            return false;
        if (same)
            continue;
        if (!jrun_enter(r) || !jval_less(r, a->items[i], b->items[i], or_equal, out))
            return false;
        jrun_leave(r);
        return true;
    }
    *out = or_equal ? a->n <= b->n : a->n < b->n;
    return true;
}

bool jval_less(struct jrun *r, struct jval a, struct jval b, bool or_equal, bool *out)
{
    if (is_number(a) && is_number(b)) {
        int order = compare_numbers(a, b);
        *out = order == -1 || (or_equal && order == 0);
        return true;
    }
    if (a.kind == J_UNDEFINED || b.kind == J_UNDEFINED)
        return jrun_fail_undefined(r, a.kind == J_UNDEFINED ? a : b);
    if (a.kind == J_STR && b.kind == J_STR) {
        size_t n = a.s->n_bytes < b.s->n_bytes ? a.s->n_bytes : b.s->n_bytes;
        int order = n ? memcmp(a.s->ptr, b.s->ptr, n) : 0;
        if (order == 0)
            order = a.s->n_bytes < b.s->n_bytes ? -1 : a.s->n_bytes > b.s->n_bytes;
        *out = order < 0 || (or_equal && order == 0);
        return jrun_step(r, n / 64);
    }
    if (a.kind == b.kind && (a.kind == J_LIST || a.kind == J_TUPLE))
        return less_lists(r, a.l, b.l, or_equal, out);
    return jrun_fail(r, "'%s' not supported between instances of '%s' and '%s'",
                     or_equal ? "<=" : "<", jval_type(a), jval_type(b));
}

static bool in_text(struct jrun *r, struct jval item, struct jval text, bool *out)
{
    if (item.kind != J_STR)
        return jrun_fail(r, "'in <string>' requires string as left operand, not %s",
                         jval_type(item));
    *out = item.s->n_bytes == 0 || memmem(text.s->ptr, text.s->n_bytes, item.s->ptr,
                                          item.s->n_bytes) != NULL;
    return jrun_step(r, text.s->n_bytes / 64);
}

bool jval_contains(struct jrun *r, struct jval item, struct jval container, bool *out)
{
    struct jiter it;
    struct jval v;
    int more = 0;
    *out = false;
    if (container.kind == J_STR)
        return in_text(r, item, container, out);
    if (container.kind == J_DICT) {
        *out = jdict_get(r, container.d, item) != NULL;
        return r->err == ERR_OK;
    }
    if (container.kind == J_VIEW && container.view->kind == JVIEW_KEYS)
        return jval_contains(r, item, jval_of_dict((struct jdict *)container.view->dict), out);
    if (!jval_is_iterable(container))
        return jrun_fail(r, "argument of type '%s' is not iterable", jval_type(container));
    if (!jiter_init(r, &it, container))
        return false;
    while (!*out && (more = jiter_next(r, &it, &v)) > 0) {
        *out = jval_is(v, item);
        if (!*out && !jval_equal(r, v, item, out))
            return false;
    }
    return more >= 0;
}

bool jval_compare(struct jrun *r, enum jcompare op, struct jval a, struct jval b, bool *out)
{
    bool ok;
    switch (op) {
    case JC_EQ:
        return jval_equal(r, a, b, out);
    case JC_NE:
        ok = jval_equal(r, a, b, out);
        *out = !*out;
        return ok;
    case JC_LT:
    case JC_LE:
        return jval_less(r, a, b, op == JC_LE, out);
    case JC_GT:
    case JC_GE:
        return jval_less(r, b, a, op == JC_GE, out);
    default:
        ok = jval_contains(r, a, b, out);
        *out = op == JC_IN ? *out : !*out;
        return ok;
    }
}
