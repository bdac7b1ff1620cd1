/* metas.c - the growing list of metadata. Look-up is linear: lists have tens of keys. */
#include "format/metas.h"

#include "format/gguf.h"
#include "format/table_build.h"

enum { METAS_BYTES_MAX = 1 << 30 };

void metas_init(struct metas *m)
{
    *m = (struct metas){0};
    arena_init(&m->arena, METAS_BYTES_MAX);
}

void metas_release(struct metas *m)
{
    arena_release(&m->arena);
    mem_free(m->items);
    *m = (struct metas){0};
}

enum err metas_status(const struct metas *m, struct err_note *note)
{
    if (m->failed == ERR_FORMAT)
        return err_set(note, m->failed, "a metadata key is no printable text");
    return m->failed ? err_set(note, m->failed, "out of memory for metadata") : ERR_OK;
}

static struct meta_value *find(const struct metas *m, struct str key)
{
    for (size_t i = 0; i < m->n_items; i++)
        if (str_eq(m->items[i].key, key))
            return &m->items[i];
    return NULL;
}

const struct meta_value *metas_find(const struct metas *m, const char *key)
{
    return find(m, str_from(key));
}

void metas_remove(struct metas *m, const char *key)
{
    struct meta_value *v = find(m, str_from(key));
    if (v) {
        m->n_items--;
        memmove(v, v + 1, (size_t)(m->items + m->n_items - v) * sizeof *v);
    }
}

/* A copy of text in the arena; a failure is noted. */
static struct str keep(struct metas *m, struct str s)
{
    char *copy = arena_strndup(&m->arena, s.len ? s.ptr : "", s.len);
    if (!copy)
        m->failed = ERR_MEMORY;
    return (struct str){copy, s.len};
}

/* Adds or replaces; value's content is already owned, its key is copied here. */
static void put(struct metas *m, struct str key, struct meta_value value)
{
    struct meta_value *v = find(m, key);
    if (!name_ok(key))
        m->failed = ERR_FORMAT;
    value.key = v ? v->key : keep(m, key);
    if (m->failed)
        return;
    if (!v && m->n_items == m->n_reserved) {
        size_t n = m->n_reserved ? 2 * m->n_reserved : 64;
        struct meta_value *items = mem_resize(m->items, n * sizeof *items);
        if (!items) {
            m->failed = ERR_MEMORY;
            return;
        }
        m->items = items;
        m->n_reserved = n;
    }
    if (!v)
        v = &m->items[m->n_items++];
    *v = value;
}

static void put_uint(struct metas *m, const char *key, enum gguf_type type, uint64_t value)
{
    put(m, str_from(key),
        (struct meta_value){.type = META_UINT, .gguf_type = type, .uint_ = value});
}

void metas_u32(struct metas *m, const char *key, uint32_t value)
{
    put_uint(m, key, GGUF_UINT32, value);
}

void metas_f32(struct metas *m, const char *key, double value)
{
    put(m, str_from(key), (struct meta_value){.type = META_FLOAT,
                                              .gguf_type = GGUF_FLOAT32,
                                              .float_ = (double)(float)value});
}

void metas_f64(struct metas *m, const char *key, double value)
{
    put(m, str_from(key),
        (struct meta_value){.type = META_FLOAT, .gguf_type = GGUF_FLOAT64, .float_ = value});
}

void metas_bool(struct metas *m, const char *key, bool value)
{
    put(m, str_from(key),
        (struct meta_value){.type = META_BOOL, .gguf_type = GGUF_BOOL, .bool_ = value});
}

void metas_str(struct metas *m, const char *key, struct str value)
{
    put(m, str_from(key), (struct meta_value){.type = META_STRING,
                                              .gguf_type = GGUF_STRING,
                                              .string = keep(m, value)});
}

/* An array value whose items (wide as in struct meta_array) are given or, if NULL, missing. */
static void put_array(struct metas *m, struct str key, enum gguf_type item, const void *items,
                      size_t n_items)
{
    if (!items) {
        m->failed = ERR_MEMORY;
        return;
    }
    put(m, key,
        (struct meta_value){
            .type = META_ARRAY,
            .gguf_type = GGUF_ARRAY,
            .gguf_item_type = item,
            .array = {.item = gguf_type_info(item)->meta, .n_items = n_items, .uints = items},
        });
}

static void *array_memory(struct metas *m, size_t n_items, size_t size)
{
    size_t n_bytes;
    return mul_ok(n_items, size, &n_bytes) ? arena_alloc(&m->arena, n_bytes) : NULL;
}

void metas_strs(struct metas *m, const char *key, const struct str *items, size_t n_items)
{
    struct str *copy = array_memory(m, n_items, sizeof *copy);
    for (size_t i = 0; copy && i < n_items; i++)
        copy[i] = keep(m, items[i]);
    put_array(m, str_from(key), GGUF_STRING, copy, n_items);
}

void metas_i32s(struct metas *m, const char *key, const int32_t *items, size_t n_items)
{
    int64_t *copy = array_memory(m, n_items, sizeof *copy);
    for (size_t i = 0; copy && i < n_items; i++)
        copy[i] = items[i];
    put_array(m, str_from(key), GGUF_INT32, copy, n_items);
}

void metas_u32s(struct metas *m, const char *key, const uint32_t *items, size_t n_items)
{
    uint64_t *copy = array_memory(m, n_items, sizeof *copy);
    for (size_t i = 0; copy && i < n_items; i++)
        copy[i] = items[i];
    put_array(m, str_from(key), GGUF_UINT32, copy, n_items);
}

void metas_bytes(struct metas *m, const char *key, const uint8_t *items, size_t n_items)
{
    uint64_t *copy = array_memory(m, n_items, sizeof *copy);
    for (size_t i = 0; copy && i < n_items; i++)
        copy[i] = items[i];
    put_array(m, str_from(key), GGUF_UINT8, copy, n_items);
}

void metas_f32s(struct metas *m, const char *key, const double *items, size_t n_items)
{
    double *copy = array_memory(m, n_items, sizeof *copy);
    for (size_t i = 0; copy && i < n_items; i++)
        copy[i] = (double)(float)items[i];
    put_array(m, str_from(key), GGUF_FLOAT32, copy, n_items);
}

void metas_bools(struct metas *m, const char *key, const bool *items, size_t n_items)
{
    bool *copy = array_memory(m, n_items, sizeof *copy);
    if (copy)
        memcpy(copy, items, n_items * sizeof *copy);
    put_array(m, str_from(key), GGUF_BOOL, copy, n_items);
}

void metas_copy(struct metas *m, const struct meta_value *value)
{
    struct meta_value v = *value;
    if (v.type == META_STRING)
        v.string = keep(m, v.string);
    if (v.type == META_ARRAY) {
        const struct meta_array *a = &value->array;
        size_t size = a->item == META_STRING ? sizeof(struct str)
                      : a->item == META_BOOL ? sizeof(bool)
                                             : sizeof(uint64_t);
        void *items = array_memory(m, a->n_items, size);
        if (items && a->n_items)
            memcpy(items, a->uints, a->n_items * size);
        for (size_t i = 0; items && a->item == META_STRING && i < a->n_items; i++)
            ((struct str *)items)[i] = keep(m, a->strings[i]);
        if (!items)
            m->failed = ERR_MEMORY;
        v.array.uints = items;
    }
    put(m, value->key, v);
}
