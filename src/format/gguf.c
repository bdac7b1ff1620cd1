/* gguf.c - the reader of GGUF files.
 *
 * A struct reader walks one file; pos <= n_bytes always, and take() is the only place that moves
 * it. A split model is several files read one after the other into one table: metadata from the
 * first, tensors from all. */
#include "format/gguf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "format/table_build.h"

enum {
    ARRAY_ITEMS_MAX = 1 << 24,
    ALIGNMENT_MIN = 8, /* so that every view may be read as numbers */
    SPLIT_SUFFIX_BYTES = sizeof "-00001-of-00002.gguf" - 1,
};

static const struct gguf_type_info types[GGUF_TYPE_COUNT] = {
#define GGUF_TYPE_INFO(name, number, bytes, meta) [GGUF_##name] = {#name, bytes, meta},
    GGUF_TYPE_LIST(GGUF_TYPE_INFO)
#undef GGUF_TYPE_INFO
};

const struct gguf_type_info *gguf_type_info(enum gguf_type type)
{
    CHECK((unsigned)type < GGUF_TYPE_COUNT);
    return &types[type];
}

bool gguf_is_magic(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 4 && memcmp(bytes, "GGUF", 4) == 0;
}

struct reader {
    const uint8_t *bytes;
    size_t n_bytes, pos;
    struct table *t;
    struct err_note *note;
    bool keeps_metas; /* the first file of a split */
    uint32_t version;
    uint64_t n_tensors, n_metas;
    size_t first_tensor; /* in t */
    size_t alignment;
    uint64_t split_no, split_count, split_tensors;
};

static enum err cut_off(struct reader *r, const char *what)
{
    return err_set(r->note, ERR_FORMAT, "the file ends at byte %zu inside %s: truncated?",
                   r->n_bytes, what);
}

/* The next n bytes, or NULL if the file ends before. */
static const uint8_t *take(struct reader *r, uint64_t n)
{
    if (n > r->n_bytes - r->pos)
        return NULL;
    const uint8_t *p = r->bytes + r->pos;
    r->pos += (size_t)n;
    return p;
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

static enum err read_uint(struct reader *r, size_t n, const char *what, uint64_t *out)
{
    const uint8_t *p = take(r, n);
    *out = p ? load_le(p, n) : 0;
    return p ? ERR_OK : cut_off(r, what);
}

static enum err read_string(struct reader *r, const char *what, struct str *out)
{
    uint64_t n;
    enum err rc = read_uint(r, 8, what, &n);
    if (rc)
        return rc;
    const uint8_t *p = take(r, n);
    if (!p)
        return cut_off(r, what);
    *out = (struct str){(const char *)p, (size_t)n};
    return ERR_OK;
}

static int64_t sign_extend(uint64_t value, size_t n)
{
    unsigned shift = (unsigned)(64 - 8 * n);
    return (int64_t)(value << shift) >> shift;
}

static double load_float(const uint8_t *p, size_t n)
{
    uint64_t bits = load_le(p, n);
    uint32_t bits32 = (uint32_t)bits;
    float f;
    double d;
    memcpy(&f, &bits32, sizeof f);
    memcpy(&d, &bits, sizeof d);
    return n == 4 ? (double)f : d;
}

static enum err bad_bool(struct reader *r, struct str key, unsigned value)
{
    return err_set(r->note, ERR_FORMAT, "metadata %.*s: a bool with the value %u", STR_ARG(key),
                   value);
}

static enum err read_strings(struct reader *r, const struct meta_value *v, struct str *out)
{
    for (size_t i = 0; i < v->array.n_items; i++) {
        enum err rc = read_string(r, "an array of strings", &out[i]);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

/* Widen the numbers of an array; p has n_items * size bytes. */
static enum err widen(struct reader *r, const struct meta_value *v, const uint8_t *p, size_t size,
                      void *out)
{
    for (size_t i = 0; i < v->array.n_items; i++, p += size) {
        uint64_t value = load_le(p, size);
        switch (v->array.item) {
        case META_UINT:
            ((uint64_t *)out)[i] = value;
            break;
        case META_INT:
            ((int64_t *)out)[i] = sign_extend(value, size);
            break;
        case META_FLOAT:
            ((double *)out)[i] = load_float(p, size);
            break;
        default:
            if (value > 1)
                return bad_bool(r, v->key, (unsigned)value);
            ((bool *)out)[i] = value;
        }
    }
    return ERR_OK;
}

static enum err read_array(struct reader *r, struct meta_value *v)
{
    uint64_t type, n;
    enum err rc = read_uint(r, 4, "the type of an array", &type);
    if (!rc)
        rc = read_uint(r, 8, "the length of an array", &n);
    if (rc)
        return rc;
    if (type == GGUF_ARRAY)
        return err_set(r->note, ERR_UNSUPPORTED, "metadata %.*s is an array of arrays",
                       STR_ARG(v->key));
    if (type >= GGUF_TYPE_COUNT)
        return err_set(r->note, ERR_FORMAT, "metadata %.*s: an array of unknown type %u",
                       STR_ARG(v->key), (unsigned)type);
    if (n > ARRAY_ITEMS_MAX)
        return err_set(r->note, ERR_LIMIT, "metadata %.*s: an array of %llu items, at most %d",
                       STR_ARG(v->key), (unsigned long long)n, ARRAY_ITEMS_MAX);
    const struct gguf_type_info *info = &types[type];
    if (n * info->n_bytes_min > r->n_bytes - r->pos)
        return cut_off(r, "an array");
    static const size_t wide[] = {[META_UINT] = 8, [META_INT] = 8, [META_FLOAT] = 8,
                                  [META_BOOL] = sizeof(bool), [META_STRING] = sizeof(struct str)};
    void *items = table_memory(r->t, (size_t)n * wide[info->meta]);
    if (!items)
        return err_set(r->note, ERR_MEMORY, "out of memory for metadata %.*s", STR_ARG(v->key));
    v->gguf_item_type = (int)type;
    v->array = (struct meta_array){.item = info->meta, .n_items = (size_t)n, .uints = items};
    if (info->meta == META_STRING)
        return read_strings(r, v, items);
    return widen(r, v, take(r, n * info->n_bytes_min), info->n_bytes_min, items);
}

static enum err read_scalar(struct reader *r, struct meta_value *v)
{
    size_t size = types[v->gguf_type].n_bytes_min;
    const uint8_t *p = take(r, size);
    if (!p)
        return cut_off(r, "a metadata value");
    uint64_t value = load_le(p, size);
    switch (v->type) {
    case META_UINT:
        v->uint_ = value;
        return ERR_OK;
    case META_INT:
        v->int_ = sign_extend(value, size);
        return ERR_OK;
    case META_FLOAT:
        v->float_ = load_float(p, size);
        return ERR_OK;
    default:
        v->bool_ = value;
        return value > 1 ? bad_bool(r, v->key, (unsigned)value) : ERR_OK;
    }
}

/* Remember the few keys that say how the file itself is laid out. */
static enum err note_layout(struct reader *r, const struct meta_value *v)
{
    uint64_t value = v->type == META_INT ? (uint64_t)v->int_ : v->type == META_UINT ? v->uint_ : 0;
    if (str_is(v->key, "general.alignment")) {
        if (v->type != META_UINT || value < ALIGNMENT_MIN || value > GGUF_ALIGNMENT_MAX ||
            (value & (value - 1)))
            return err_set(r->note, ERR_FORMAT,
                           "general.alignment is %llu; a power of two from %d to %d is possible",
                           (unsigned long long)value, ALIGNMENT_MIN, GGUF_ALIGNMENT_MAX);
        r->alignment = (size_t)value;
    } else if (str_is(v->key, "split.no")) {
        r->split_no = value;
    } else if (str_is(v->key, "split.count")) {
        r->split_count = value;
    } else if (str_is(v->key, "split.tensors.count")) {
        r->split_tensors = value;
    }
    return ERR_OK;
}

static enum err read_meta(struct reader *r)
{
    struct meta_value v = {0};
    uint64_t type;
    enum err rc = read_string(r, "a metadata key", &v.key);
    if (rc)
        return rc;
    if (!name_ok(v.key))
        return err_set(r->note, ERR_FORMAT, "the metadata key at byte %zu is no printable text",
                       r->pos - v.key.len);
    rc = read_uint(r, 4, "a metadata type", &type);
    if (rc)
        return rc;
    if (type >= GGUF_TYPE_COUNT)
        return err_set(r->note, ERR_FORMAT, "metadata %.*s has the unknown type %u", STR_ARG(v.key),
                       (unsigned)type);
    v.gguf_type = (int)type;
    v.type = types[type].meta;
    if (v.type == META_STRING)
        rc = read_string(r, "a metadata string", &v.string);
    else if (v.type == META_ARRAY)
        rc = read_array(r, &v);
    else
        rc = read_scalar(r, &v);
    if (!rc)
        rc = note_layout(r, &v);
    return rc || !r->keeps_metas ? rc : table_add_meta(r->t, &v, r->note);
}

static enum err read_header(struct reader *r)
{
    uint64_t version;
    if (!gguf_is_magic(r->bytes, r->n_bytes))
        return err_set(r->note, ERR_FORMAT, "not a GGUF file (it does not begin with \"GGUF\")");
    r->pos = 4;
    enum err rc = read_uint(r, 4, "the header", &version);
    if (rc)
        return rc;
    if (version != 0 && (version & 0xffff) == 0)
        return err_set(r->note, ERR_UNSUPPORTED, "a big-endian GGUF file");
    if (version < 2 || version > 3)
        return err_set(r->note, ERR_UNSUPPORTED, "GGUF version %u; versions 2 and 3 can be read",
                       (unsigned)version);
    r->version = (uint32_t)version;
    rc = read_uint(r, 8, "the header", &r->n_tensors);
    if (!rc)
        rc = read_uint(r, 8, "the header", &r->n_metas);
    if (rc)
        return rc;
    if (r->n_tensors > TABLE_TENSORS_MAX || r->n_metas > TABLE_METAS_MAX)
        return err_set(r->note, ERR_LIMIT, "%llu tensors and %llu metadata keys, at most %d each",
                       (unsigned long long)r->n_tensors, (unsigned long long)r->n_metas,
                       TABLE_TENSORS_MAX);
    return ERR_OK;
}

struct tensor_entry {
    struct tensor_view view;
    uint64_t offset; /* from the start of the data */
};

static enum err bad_type(struct reader *r, struct str name, uint32_t type)
{
    const char *text = dtype_ggml_name(type);
    if (text)
        return err_set(r->note, ERR_UNSUPPORTED, "tensor %.*s has the type %s, not supported",
                       STR_ARG(name), text);
    return err_set(r->note, ERR_UNSUPPORTED, "tensor %.*s has the unknown type %u", STR_ARG(name),
                   type);
}

static enum err read_tensor(struct reader *r, struct tensor_entry *e)
{
    static const char what[] = "the table of tensors";
    uint64_t n_dims, type = 0;
    enum err rc = read_string(r, what, &e->view.name);
    if (rc)
        return rc;
    if (!name_ok(e->view.name))
        return err_set(r->note, ERR_FORMAT, "the tensor name at byte %zu is no printable text",
                       r->pos - e->view.name.len);
    rc = read_uint(r, 4, what, &n_dims);
    if (rc)
        return rc;
    if (n_dims < 1 || n_dims > TENSOR_DIMS_MAX)
        return err_set(r->note, ERR_FORMAT, "tensor %.*s has %u dimensions; 1 to %d are possible",
                       STR_ARG(e->view.name), (unsigned)n_dims, TENSOR_DIMS_MAX);
    e->view.n_dims = (int)n_dims;
    for (uint64_t i = 0; i < n_dims && !rc; i++)
        rc = read_uint(r, 8, what, &e->view.dim[i]);
    if (!rc)
        rc = read_uint(r, 4, what, &type);
    if (!rc)
        rc = read_uint(r, 8, what, &e->offset);
    if (!rc && !dtype_from_ggml((uint32_t)type, &e->view.dtype))
        rc = bad_type(r, e->view.name, (uint32_t)type);
    return rc;
}

/* Turn offsets into views; what lies outside the file is refused. */
static enum err place_tensors(struct reader *r, struct tensor_entry *entries)
{
    uint64_t start = (r->pos + r->alignment - 1) & ~(uint64_t)(r->alignment - 1);
    uint64_t n_data = start < r->n_bytes ? r->n_bytes - start : 0;
    r->first_tensor = r->t->n_tensors;
    for (uint64_t i = 0; i < r->n_tensors; i++) {
        struct tensor_entry *e = &entries[i];
        if (e->offset % r->alignment)
            return err_set(r->note, ERR_FORMAT,
                           "tensor %.*s starts at offset %llu, no multiple of the alignment %zu",
                           STR_ARG(e->view.name), (unsigned long long)e->offset, r->alignment);
        if (e->offset > n_data)
            return err_set(r->note, ERR_FORMAT,
                           "tensor %.*s starts at offset %llu of %llu bytes of data: truncated?",
                           STR_ARG(e->view.name), (unsigned long long)e->offset,
                           (unsigned long long)n_data);
        e->view.data = r->bytes + start + e->offset;
        enum err rc = table_add_tensor(r->t, &e->view, n_data - e->offset, r->note);
        if (rc)
            return rc;
    }
    return ERR_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct tensor_entry *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Two tensors on the same bytes mean a corrupt offset. Sorts the entries. */
static enum err check_overlap(struct reader *r, struct tensor_entry *entries)
{
    qsort(entries, (size_t)r->n_tensors, sizeof *entries, by_offset);
    for (uint64_t i = 1; i < r->n_tensors; i++) {
        const struct tensor_entry *before = &entries[i - 1];
        size_t n_bytes;
        enum err rc = tensor_shape_bytes(&before->view, &n_bytes, r->note);
        if (rc)
            return rc;
        if (entries[i].offset - before->offset < n_bytes)
            return err_set(r->note, ERR_FORMAT, "tensors %.*s and %.*s overlap",
                           STR_ARG(before->view.name), STR_ARG(entries[i].view.name));
    }
    return ERR_OK;
}

/* One file into the table; the caller sets bytes, n_bytes, t, note and keeps_metas. */
static enum err read_file(struct reader *r)
{
    r->alignment = GGUF_ALIGNMENT_DEFAULT;
    enum err rc = read_header(r);
    for (uint64_t i = 0; i < r->n_metas && !rc; i++)
        rc = read_meta(r);
    if (rc)
        return rc;
    struct tensor_entry *entries = mem_array((size_t)r->n_tensors, sizeof *entries);
    if (!entries)
        return err_set(r->note, ERR_MEMORY, "out of memory for %llu tensors",
                       (unsigned long long)r->n_tensors);
    for (uint64_t i = 0; i < r->n_tensors && !rc; i++)
        rc = read_tensor(r, &entries[i]);
    if (!rc)
        rc = place_tensors(r, entries);
    if (!rc)
        rc = check_overlap(r, entries);
    mem_free(entries);
    return rc;
}

static enum err open_sibling(struct table *t, const char *path, const struct reader *first,
                             uint64_t i, struct err_note *note)
{
    struct file_map map;
    enum err rc = table_map(t, path, &map, note);
    if (rc)
        return err_wrap(note, rc, "file %llu of the split", (unsigned long long)i + 1);
    struct reader r = {.bytes = map.bytes, .n_bytes = map.n_bytes, .t = t, .note = note};
    rc = read_file(&r);
    if (!rc && (r.split_no != i || r.split_count != first->split_count ||
                r.split_tensors != first->split_tensors))
        rc = err_set(note, ERR_FORMAT,
                     "it says file %llu of %llu with %llu tensors in all, but the first file says "
                     "%llu files with %llu tensors: not of the same model",
                     (unsigned long long)r.split_no + 1, (unsigned long long)r.split_count,
                     (unsigned long long)r.split_tensors, (unsigned long long)first->split_count,
                     (unsigned long long)first->split_tensors);
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

static enum err open_siblings(struct table *t, const char *path, const struct reader *first,
                              struct err_note *note)
{
    size_t n = strlen(path);
    unsigned count = (unsigned)first->split_count;
    if (first->split_no != 0)
        return err_set(note, ERR_USAGE,
                       "%s is file %llu of a split of %u: name the first file instead", path,
                       (unsigned long long)first->split_no + 1, count);
    if (first->split_count > TABLE_FILES_MAX)
        return err_set(note, ERR_LIMIT, "%s: a split of %llu files, at most %d", path,
                       (unsigned long long)first->split_count, TABLE_FILES_MAX);
    char suffix[64];
    snprintf(suffix, sizeof suffix, "-00001-of-%05u.gguf", count);
    if (!str_ends(str_from(path), str_from(suffix)))
        return err_set(note, ERR_FORMAT,
                       "%s is the first of %u files: its name must end in %s so that the others "
                       "can be found",
                       path, count, suffix);
    enum err rc = ERR_OK;
    for (unsigned i = 1; i < count && !rc; i++) {
        char *sibling = table_printf(t, "%.*s-%05u-of-%05u.gguf", (int)(n - SPLIT_SUFFIX_BYTES),
                                     path, i + 1, count);
        rc = sibling ? open_sibling(t, sibling, first, i, note)
                     : err_set(note, ERR_MEMORY, "out of memory");
    }
    if (!rc && t->n_tensors != first->split_tensors)
        rc = err_set(note, ERR_FORMAT, "%s: the %u files have %zu tensors, not %llu", path, count,
                     t->n_tensors, (unsigned long long)first->split_tensors);
    return rc;
}

static enum err finish(struct table *t, const struct reader *first, struct err_note *note)
{
    char *source = first->split_count > 1
                       ? table_printf(t, "GGUF v%u, %u files", first->version,
                                      (unsigned)first->split_count)
                       : table_printf(t, "GGUF v%u", first->version);
    if (!source)
        return err_set(note, ERR_MEMORY, "out of memory");
    enum err rc = table_finish(t, source, note);
    return rc ? err_wrap(note, rc, "%s", t->path) : ERR_OK;
}

enum err gguf_open(const char *path, struct table *t, struct err_note *note)
{
    struct file_map map;
    enum err rc = table_init(t, path, note);
    if (!rc)
        rc = table_map(t, path, &map, note);
    if (rc) {
        table_close(t);
        return rc;
    }
    struct reader r = {
        .bytes = map.bytes, .n_bytes = map.n_bytes, .t = t, .note = note, .keeps_metas = true};
    rc = read_file(&r);
    if (rc)
        rc = err_wrap(note, rc, "%s", path);
    else if (r.split_count > 1)
        rc = open_siblings(t, path, &r, note);
    if (!rc)
        rc = finish(t, &r, note);
    if (rc)
        table_close(t);
    return rc;
}

enum err gguf_parse(const uint8_t *bytes, size_t n_bytes, const char *name, struct table *t,
                    struct err_note *note)
{
    enum err rc = table_init(t, name, note);
    struct reader r = {
        .bytes = bytes, .n_bytes = n_bytes, .t = t, .note = note, .keeps_metas = true};
    t->n_bytes_file = n_bytes;
    if (!rc)
        rc = read_file(&r);
    if (!rc && r.split_count > 1)
        rc = err_set(note, ERR_UNSUPPORTED, "one file of a split cannot be read alone");
    if (rc)
        rc = err_wrap(note, rc, "%s", name);
    else
        rc = finish(t, &r, note);
    if (rc)
        table_close(t);
    return rc;
}
