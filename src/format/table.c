/* table.c - the owner of a model's views: arrays that grow while a reader adds, then hash indexes.
 *
 * An index is open addressing over a power of two of slots, at most half full; a slot holds the
 * position + 1 of its entry, 0 when empty. */
#include "format/table.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "format/table_build.h"

enum { ARENA_BYTES_MAX = 1 << 30 };

struct pages {
    struct pages *next;
    void *bytes;
    size_t n_bytes;
};

struct index {
    uint32_t *slots;
    size_t n_slots;
};

struct table_owner {
    struct arena arena;
    struct metas taken; /* its arena holds what table_take_metas took */
    struct file_map *maps;
    struct table_file *files; /* of the maps */
    size_t n_maps;
    struct pages *pages;
    struct tensor_view *tensors;
    size_t n_tensors_reserved;
    struct meta_value *metas;
    size_t n_metas_reserved;
    struct index tensor_index, meta_index;
};

static enum err no_memory(const struct table *t, struct err_note *note)
{
    return err_set(note, ERR_MEMORY, "%s: out of memory reading the tables", t->path);
}

enum err table_init(struct table *t, const char *path, struct err_note *note)
{
    *t = (struct table){.path = path, .source = ""};
    t->owner = mem_zalloc(sizeof *t->owner);
    if (!t->owner)
        return no_memory(t, note);
    arena_init(&t->owner->arena, ARENA_BYTES_MAX);
    char *copy = arena_strndup(&t->owner->arena, path, strlen(path));
    if (!copy)
        return no_memory(t, note);
    t->path = copy;
    return ERR_OK;
}

void table_close(struct table *t)
{
    struct table_owner *o = t->owner;
    if (o) {
        for (size_t i = 0; i < o->n_maps; i++)
            file_map_close(&o->maps[i]);
        while (o->pages) {
            struct pages *next = o->pages->next;
            mem_pages_free(o->pages->bytes, o->pages->n_bytes);
            mem_free(o->pages);
            o->pages = next;
        }
        mem_free(o->maps);
        mem_free(o->files);
        mem_free(o->tensors);
        mem_free(o->metas);
        mem_free(o->tensor_index.slots);
        mem_free(o->meta_index.slots);
        metas_release(&o->taken);
        arena_release(&o->arena);
        mem_free(o);
    }
    *t = (struct table){0};
}

enum err table_map(struct table *t, const char *path, struct file_map *out, struct err_note *note)
{
    struct table_owner *o = t->owner;
    if (o->n_maps == TABLE_FILES_MAX)
        return err_set(note, ERR_LIMIT, "%s: more than %d files", t->path, TABLE_FILES_MAX);
    struct file_map *maps = mem_resize(o->maps, (o->n_maps + 1) * sizeof *maps);
    if (!maps)
        return no_memory(t, note);
    o->maps = maps;
    struct table_file *files = mem_resize(o->files, (o->n_maps + 1) * sizeof *files);
    if (!files)
        return no_memory(t, note);
    o->files = files;
    files[o->n_maps].path = table_printf(t, "%s", path);
    if (!files[o->n_maps].path)
        return no_memory(t, note);
    enum err rc = file_map_open(&maps[o->n_maps], path, note);
    if (rc)
        return rc;
    files[o->n_maps].stamp = maps[o->n_maps].stamp;
    *out = maps[o->n_maps++];
    t->n_bytes_file += out->n_bytes;
    return ERR_OK;
}

void *table_memory(struct table *t, size_t n_bytes)
{
    return arena_alloc(&t->owner->arena, n_bytes);
}

void *table_pages(struct table *t, size_t n_bytes)
{
    struct pages *p = mem_zalloc(sizeof *p);
    if (!p)
        return NULL;
    *p = (struct pages){t->owner->pages, mem_pages(n_bytes), n_bytes};
    if (!p->bytes) {
        mem_free(p);
        return NULL;
    }
    t->owner->pages = p;
    return p->bytes;
}

char *table_printf(struct table *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : table_memory(t, (size_t)n + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

bool name_ok(struct str name)
{
    if (name.len == 0 || name.len > TABLE_NAME_BYTES_MAX || !utf8_valid(name.ptr, name.len))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            return false;
    return true;
}

/* Room for one more item in a growing array. */
static bool grow(void **items, size_t n_items, size_t *n_reserved, size_t size)
{
    if (n_items < *n_reserved)
        return true;
    size_t n = *n_reserved ? 2 * *n_reserved : 64;
    void *p = mem_resize(*items, n * size);
    if (!p)
        return false;
    *items = p;
    *n_reserved = n;
    return true;
}

enum err table_add_meta(struct table *t, const struct meta_value *value, struct err_note *note)
{
    struct table_owner *o = t->owner;
    if (t->n_metas == TABLE_METAS_MAX)
        return err_set(note, ERR_LIMIT, "more than %d metadata keys", TABLE_METAS_MAX);
    if (!grow((void **)&o->metas, t->n_metas, &o->n_metas_reserved, sizeof *o->metas))
        return no_memory(t, note);
    o->metas[t->n_metas++] = *value;
    return ERR_OK;
}

enum err table_take_metas(struct table *t, struct metas *m, struct err_note *note)
{
    enum err rc = metas_status(m, note);
    metas_release(&t->owner->taken);
    t->owner->taken = *m;
    *m = (struct metas){0};
    for (size_t i = 0; i < t->owner->taken.n_items && !rc; i++)
        rc = table_add_meta(t, &t->owner->taken.items[i], note);
    return rc;
}

enum err tensor_shape_bytes(const struct tensor_view *v, size_t *n_bytes, struct err_note *note)
{
    if (v->n_dims < 1 || v->n_dims > TENSOR_DIMS_MAX)
        return err_set(note, ERR_FORMAT, "tensor %.*s has %d dimensions; 1 to %d are possible",
                       STR_ARG(v->name), v->n_dims, TENSOR_DIMS_MAX);
    for (int i = 0; i < v->n_dims; i++)
        if (v->dim[i] == 0)
            return err_set(note, ERR_FORMAT, "tensor %.*s: dimension %d is 0", STR_ARG(v->name), i);
    const struct dtype_info *info = dtype_info(v->dtype);
    if (v->dim[0] % (unsigned)info->block_len)
        return err_set(note, ERR_FORMAT,
                       "tensor %.*s: a row of %llu elements is no multiple of %s's block of %d",
                       STR_ARG(v->name), (unsigned long long)v->dim[0], info->name,
                       info->block_len);
    size_t total;
    bool ok = mul_ok(v->dim[0] / (unsigned)info->block_len, (size_t)info->block_bytes, &total);
    for (int i = 1; ok && i < v->n_dims; i++)
        ok = mul_ok(total, v->dim[i], &total);
    if (!ok || total > INT64_MAX)
        return err_set(note, ERR_FORMAT, "tensor %.*s: its shape overflows 63 bits of bytes",
                       STR_ARG(v->name));
    *n_bytes = total;
    return ERR_OK;
}

enum err table_add_tensor(struct table *t, const struct tensor_view *view, uint64_t n_bytes_given,
                          struct err_note *note)
{
    struct table_owner *o = t->owner;
    struct tensor_view v = *view;
    enum err rc = tensor_shape_bytes(&v, &v.n_bytes, note);
    if (rc)
        return rc;
    if (v.n_bytes > n_bytes_given)
        return err_set(note, ERR_FORMAT,
                       "tensor %.*s needs %zu bytes of data and the file has %llu there: cut off?",
                       STR_ARG(v.name), v.n_bytes, (unsigned long long)n_bytes_given);
    if (t->n_tensors == TABLE_TENSORS_MAX)
        return err_set(note, ERR_LIMIT, "more than %d tensors", TABLE_TENSORS_MAX);
    if (!grow((void **)&o->tensors, t->n_tensors, &o->n_tensors_reserved, sizeof *o->tensors))
        return no_memory(t, note);
    for (int i = v.n_dims; i < TENSOR_DIMS_MAX; i++)
        v.dim[i] = 1;
    o->tensors[t->n_tensors++] = v;
    return ERR_OK;
}

static uint64_t name_hash(struct str s) /* FNV-1a */
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* The name of entry i of an array of structs that begin with their name. */
static struct str name_at(const void *entries, size_t size, size_t i)
{
    return *(const struct str *)((const char *)entries + i * size);
}

/* The slot that holds name, or the empty one where it would go. */
static size_t index_slot(const struct index *x, const void *entries, size_t size, struct str name)
{
    size_t mask = x->n_slots - 1;
    size_t slot = name_hash(name) & mask;
    while (x->slots[slot] && !str_eq(name_at(entries, size, x->slots[slot] - 1), name))
        slot = (slot + 1) & mask;
    return slot;
}

static enum err index_build(struct index *x, const void *entries, size_t size, size_t n,
                            const char *what, struct err_note *note)
{
    x->n_slots = 16;
    while (x->n_slots < 2 * n)
        x->n_slots *= 2;
    x->slots = mem_array(x->n_slots, sizeof *x->slots);
    if (!x->slots)
        return err_set(note, ERR_MEMORY, "out of memory indexing %zu names", n);
    for (size_t i = 0; i < n; i++) {
        struct str name = name_at(entries, size, i);
        size_t slot = index_slot(x, entries, size, name);
        if (x->slots[slot])
            return err_set(note, ERR_FORMAT, "%s %.*s occurs twice", what, STR_ARG(name));
        x->slots[slot] = (uint32_t)i + 1;
    }
    return ERR_OK;
}

enum err table_finish(struct table *t, const char *source, struct err_note *note)
{
    struct table_owner *o = t->owner;
    _Static_assert(offsetof(struct tensor_view, name) == 0, "name_at reads the name first");
    _Static_assert(offsetof(struct meta_value, key) == 0, "name_at reads the key first");
    t->source = source;
    t->tensors = o->tensors;
    t->metas = o->metas;
    enum err rc =
        index_build(&o->meta_index, o->metas, sizeof *o->metas, t->n_metas, "metadata key", note);
    if (!rc)
        rc = index_build(&o->tensor_index, o->tensors, sizeof *o->tensors, t->n_tensors, "tensor",
                         note);
    return rc;
}

/* The map that holds [data, data + n_bytes); NULL for memory of the table's own. */
static const struct file_map *map_of(const struct table *t, const void *data, size_t n_bytes)
{
    uintptr_t from = (uintptr_t)data;
    for (size_t i = 0; i < t->owner->n_maps; i++) {
        const struct file_map *m = &t->owner->maps[i];
        uintptr_t base = (uintptr_t)m->bytes;
        if (from >= base && from + n_bytes <= base + m->n_bytes)
            return m;
    }
    return NULL;
}

size_t table_files(const struct table *t, const struct table_file **files)
{
    *files = t->owner->files;
    return t->owner->n_maps;
}

enum err table_read(const struct table *t, const void *data, size_t n_bytes, void *buffer,
                    const void **bytes, struct err_note *note)
{
    const struct file_map *m = map_of(t, data, n_bytes);
    *bytes = m ? buffer : data;
    if (!m)
        return ERR_OK;
    enum err rc =
        file_map_read(m, (size_t)((const uint8_t *)data - m->bytes), buffer, n_bytes, note);
    return rc ? err_wrap(note, rc, "%s", t->path) : ERR_OK;
}

const struct tensor_view *table_tensor(const struct table *t, const char *name)
{
    const struct index *x = &t->owner->tensor_index;
    uint32_t found = x->slots[index_slot(x, t->tensors, sizeof *t->tensors, str_from(name))];
    return found ? &t->tensors[found - 1] : NULL;
}

const struct meta_value *table_meta(const struct table *t, const char *key)
{
    const struct index *x = &t->owner->meta_index;
    uint32_t found = x->slots[index_slot(x, t->metas, sizeof *t->metas, str_from(key))];
    return found ? &t->metas[found - 1] : NULL;
}

const char *meta_type_name(enum meta_type type)
{
    static const char *const names[] = {"unsigned integer", "integer", "float", "bool",
                                        "string",           "array"};
    CHECK((unsigned)type < COUNT_OF(names));
    return names[type];
}

static enum err wrong_type(const struct table *t, const char *key, enum meta_type wanted,
                           enum meta_type found, struct err_note *note)
{
    return err_set(note, ERR_FORMAT, "%s: metadata %s is of type %s, expected %s", t->path, key,
                   meta_type_name(found), meta_type_name(wanted));
}

enum err table_u32(const struct table *t, const char *key, uint32_t fallback, uint32_t *out,
                   struct err_note *note)
{
    const struct meta_value *v = table_meta(t, key);
    if (!v) {
        *out = fallback;
        return ERR_OK;
    }
    if (v->type != META_UINT && v->type != META_INT)
        return wrong_type(t, key, META_UINT, v->type, note);
    if (v->type == META_INT && v->int_ < 0)
        return err_set(note, ERR_FORMAT, "%s: metadata %s is negative (%lld)", t->path, key,
                       (long long)v->int_);
    uint64_t value = v->type == META_UINT ? v->uint_ : (uint64_t)v->int_;
    if (value > UINT32_MAX)
        return err_set(note, ERR_FORMAT, "%s: metadata %s is %llu, more than 32 bits", t->path, key,
                       (unsigned long long)value);
    *out = (uint32_t)value;
    return ERR_OK;
}

enum err table_f64(const struct table *t, const char *key, double fallback, double *out,
                   struct err_note *note)
{
    const struct meta_value *v = table_meta(t, key);
    if (v && v->type != META_FLOAT)
        return wrong_type(t, key, META_FLOAT, v->type, note);
    if (v && !__builtin_isfinite(v->float_))
        return err_set(note, ERR_NUMERIC, "%s: metadata %s is not finite", t->path, key);
    *out = v ? v->float_ : fallback;
    return ERR_OK;
}

enum err table_bool(const struct table *t, const char *key, bool fallback, bool *out,
                    struct err_note *note)
{
    const struct meta_value *v = table_meta(t, key);
    if (v && v->type != META_BOOL)
        return wrong_type(t, key, META_BOOL, v->type, note);
    *out = v ? v->bool_ : fallback;
    return ERR_OK;
}

enum err table_str(const struct table *t, const char *key, struct str fallback, struct str *out,
                   struct err_note *note)
{
    const struct meta_value *v = table_meta(t, key);
    if (v && v->type != META_STRING)
        return wrong_type(t, key, META_STRING, v->type, note);
    *out = v ? v->string : fallback;
    return ERR_OK;
}

enum err table_array(const struct table *t, const char *key, enum meta_type item,
                     const struct meta_array **out, struct err_note *note)
{
    const struct meta_value *v = table_meta(t, key);
    *out = NULL;
    if (v && v->type != META_ARRAY)
        return wrong_type(t, key, META_ARRAY, v->type, note);
    if (v && v->array.item != item)
        return err_set(note, ERR_FORMAT, "%s: metadata %s is an array of %s, expected of %s",
                       t->path, key, meta_type_name(v->array.item), meta_type_name(item));
    if (v)
        *out = &v->array;
    return ERR_OK;
}

uint32_t table_context(const struct table *t)
{
    struct str arch = STR("");
    char key[200];
    uint32_t n = 0;
    if (table_str(t, "general.architecture", arch, &arch, NULL) != ERR_OK)
        return 0;
    snprintf(key, sizeof key, "%.*s.context_length", STR_ARG(arch));
    return table_u32(t, key, 0, &n, NULL) == ERR_OK ? n : 0;
}
