/* safetensors.c - the reader of .safetensors files. */
#include "format/safetensors.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "format/hf_json.h"
#include "format/table_build.h"

enum { HEADER_BYTES_MAX = 100 << 20 };

static const struct {
    const char *name;
    size_t n_bytes;
} types[ST_TYPE_COUNT] = {
#define ST_TYPE_ROW(name, bytes) [ST_##name] = {#name, bytes},
    ST_TYPE_LIST(ST_TYPE_ROW)
#undef ST_TYPE_ROW
};

const char *st_type_name(enum st_type t)
{
    CHECK((unsigned)t < ST_TYPE_COUNT);
    return types[t].name;
}

/* One header being read: where its data starts and ends. */
struct reader {
    const uint8_t *data;
    size_t n_data;
    const char *file;
    struct err_note *note;
};

static enum err bad(const struct reader *r, struct str name, const char *what)
{
    return err_set(r->note, ERR_FORMAT, "%s: tensor %.*s: %s", r->file, STR_ARG(name), what);
}

static bool index_value(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static enum err read_type(const struct reader *r, const json_t *entry, struct safetensor *x)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name)
        return bad(r, x->name, "no \"dtype\"");
    for (int t = 0; t < ST_TYPE_COUNT; t++)
        if (strcmp(types[t].name, name) == 0) {
            x->type = (enum st_type)t;
            return ERR_OK;
        }
    return err_set(r->note, ERR_UNSUPPORTED, "%s: tensor %.*s has the type %s, not supported",
                   r->file, STR_ARG(x->name), name);
}

/* The shape; *n_bytes is what it needs. */
static enum err read_shape(const struct reader *r, const json_t *entry, struct safetensor *x,
                           size_t *n_bytes)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape) || json_array_size(shape) > ST_DIMS_MAX)
        return bad(r, x->name, "\"shape\" is not an array of at most 8 numbers");
    *n_bytes = types[x->type].n_bytes;
    x->n_dims = (int)json_array_size(shape);
    for (int i = 0; i < x->n_dims; i++)
        if (!index_value(json_array_get(shape, (size_t)i), &x->dim[i]) ||
            !mul_ok(*n_bytes, x->dim[i], n_bytes))
            return bad(r, x->name, "an impossible shape");
    return ERR_OK;
}

static enum err read_entry(const struct reader *r, const json_t *entry, struct safetensor *x)
{
    uint64_t from, to;
    enum err rc = read_type(r, entry, x);
    if (!rc)
        rc = read_shape(r, entry, x, &x->n_bytes);
    if (rc)
        return rc;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !index_value(json_array_get(offsets, 0), &from) ||
        !index_value(json_array_get(offsets, 1), &to) || from > to)
        return bad(r, x->name, "\"data_offsets\" is not a range");
    if (to > r->n_data)
        return err_set(r->note, ERR_FORMAT,
                       "%s: tensor %.*s ends at byte %llu of %zu bytes of data: truncated?",
                       r->file, STR_ARG(x->name), (unsigned long long)to, r->n_data);
    if (to - from != x->n_bytes)
        return bad(r, x->name, "its range is not as long as its shape");
    x->data = r->data + from;
    return ERR_OK;
}

static struct safetensor *append(struct safetensors *s)
{
    if (s->n_items == s->n_reserved) {
        size_t n = s->n_reserved ? 2 * s->n_reserved : 256;
        struct safetensor *items = mem_resize(s->items, n * sizeof *items);
        if (!items)
            return NULL;
        s->items = items;
        s->n_reserved = n;
    }
    s->items[s->n_items] = (struct safetensor){0};
    return &s->items[s->n_items++];
}

static int by_data(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;
    return x->data != y->data ? (x->data < y->data ? -1 : 1)
                              : (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

static enum err check_overlap(const struct reader *r, struct safetensor *items, size_t n)
{
    if (n > 1)
        qsort(items, n, sizeof *items, by_data);
    for (size_t i = 1; i < n; i++)
        if (items[i].data < items[i - 1].data + items[i - 1].n_bytes)
            return err_set(r->note, ERR_FORMAT, "%s: tensors %.*s and %.*s overlap", r->file,
                           STR_ARG(items[i - 1].name), STR_ARG(items[i].name));
    return ERR_OK;
}

static enum err read_header(struct safetensors *s, const struct reader *r, json_t *header,
                            struct table *t)
{
    const char *key;
    json_t *entry;
    size_t first = s->n_items;
    json_object_foreach(header, key, entry) {
        if (strcmp(key, "__metadata__") == 0)
            continue;
        struct str name = str_from(key);
        if (!name_ok(name))
            return err_set(r->note, ERR_FORMAT, "%s: a tensor's name is no printable text",
                           r->file);
        if (s->n_items == 4 * (size_t)TABLE_TENSORS_MAX)
            return err_set(r->note, ERR_LIMIT, "%s: more than %d tensors", r->file,
                           4 * TABLE_TENSORS_MAX);
        char *copy = table_printf(t, "%s", key);
        struct safetensor *x = copy ? append(s) : NULL;
        if (!x)
            return err_set(r->note, ERR_MEMORY, "%s: out of memory", r->file);
        x->name = (struct str){copy, name.len};
        enum err rc = read_entry(r, entry, x);
        if (rc)
            return rc;
    }
    return check_overlap(r, s->items + first, s->n_items - first);
}

enum err safetensors_parse(struct safetensors *s, const uint8_t *bytes, size_t n_bytes,
                           const char *file, struct table *t, struct err_note *note)
{
    uint64_t n_header = 0;
    for (size_t i = 0; i < 8 && n_bytes >= 8; i++)
        n_header |= (uint64_t)bytes[i] << 8 * i;
    if (n_bytes < 8 || n_header > n_bytes - 8)
        return err_set(note, ERR_FORMAT,
                       "%s: its header of %llu bytes does not fit in %zu bytes: truncated, or not "
                       "a safetensors file?",
                       file, (unsigned long long)n_header, n_bytes);
    if (n_header > HEADER_BYTES_MAX)
        return err_set(note, ERR_LIMIT, "%s: a header of %llu bytes, at most %d", file,
                       (unsigned long long)n_header, HEADER_BYTES_MAX);
    struct reader r = {bytes + 8 + n_header, n_bytes - 8 - (size_t)n_header, file, note};
    json_t *header;
    enum err rc = hf_json_parse((const char *)bytes + 8, (size_t)n_header, file, &header, note);
    if (rc)
        return rc;
    rc = read_header(s, &r, header, t);
    json_decref(header);
    return rc;
}

static int name_order(struct str a, struct str b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;
    return name_order(x->name, y->name);
}

enum err safetensors_sort(struct safetensors *s, struct err_note *note)
{
    if (s->n_items > 1)
        qsort(s->items, s->n_items, sizeof *s->items, by_name);
    for (size_t i = 1; i < s->n_items; i++)
        if (str_eq(s->items[i - 1].name, s->items[i].name))
            return err_set(note, ERR_FORMAT, "tensor %.*s is in two files",
                           STR_ARG(s->items[i].name));
    return ERR_OK;
}

const struct safetensor *safetensors_find(const struct safetensors *s, struct str name)
{
    struct safetensor key = {.name = name};
    return s->n_items ? bsearch(&key, s->items, s->n_items, sizeof key, by_name) : NULL;
}

void safetensors_release(struct safetensors *s)
{
    mem_free(s->items);
    *s = (struct safetensors){0};
}
