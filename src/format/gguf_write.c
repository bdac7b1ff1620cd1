/* gguf_write.c - the writer of GGUF v3 files.
 *
 * Checks first (a struct table indexes the names), then one pass through a file_writer: header,
 * metadata, table of tensors, data. Offsets are computed before any data is. */
#include "format/gguf_write.h"

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"
#include "format/table_build.h"

enum { CHUNK_BYTES = 4 << 20 };

uint64_t tensor_rows(const struct tensor_view *v)
{
    uint64_t n = 1;
    for (int i = 1; i < v->n_dims; i++)
        n *= v->dim[i];
    return n;
}

static void add_le(struct file_writer *w, uint64_t value, size_t n_bytes)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    file_writer_add(w, bytes, n_bytes);
}

static void add_string(struct file_writer *w, struct str s)
{
    add_le(w, s.len, 8);
    file_writer_add(w, s.ptr, s.len);
}

static void add_float(struct file_writer *w, double value, size_t n_bytes)
{
    float narrow = (float)value;
    uint32_t bits32;
    uint64_t bits;
    memcpy(&bits32, &narrow, sizeof bits32);
    memcpy(&bits, &value, sizeof bits);
    add_le(w, n_bytes == 4 ? bits32 : bits, n_bytes);
}

static void add_items(struct file_writer *w, const struct meta_array *a, size_t n_bytes)
{
    for (size_t i = 0; i < a->n_items; i++)
        switch (a->item) {
        case META_UINT:
            add_le(w, a->uints[i], n_bytes);
            break;
        case META_INT:
            add_le(w, (uint64_t)a->ints[i], n_bytes);
            break;
        case META_FLOAT:
            add_float(w, a->floats[i], n_bytes);
            break;
        case META_BOOL:
            add_le(w, a->bools[i], 1);
            break;
        default:
            add_string(w, a->strings[i]);
        }
}

static void add_meta(struct file_writer *w, const struct meta_value *v)
{
    size_t n_bytes = gguf_type_info((enum gguf_type)v->gguf_type)->n_bytes_min;
    add_string(w, v->key);
    add_le(w, (uint64_t)v->gguf_type, 4);
    switch (v->type) {
    case META_UINT:
        add_le(w, v->uint_, n_bytes);
        break;
    case META_INT:
        add_le(w, (uint64_t)v->int_, n_bytes);
        break;
    case META_FLOAT:
        add_float(w, v->float_, n_bytes);
        break;
    case META_BOOL:
        add_le(w, v->bool_, n_bytes);
        break;
    case META_STRING:
        add_string(w, v->string);
        break;
    case META_ARRAY:
        add_le(w, (uint64_t)v->gguf_item_type, 4);
        add_le(w, v->array.n_items, 8);
        add_items(w, &v->array,
                  gguf_type_info((enum gguf_type)v->gguf_item_type)->n_bytes_min);
    }
}

/* All that can be refused before a byte is written. Fills t, so that names are unique. */
static enum err check_all(struct table *t, const struct meta_value *metas, size_t n_metas,
                          const struct tensor_view *tensors, size_t n_tensors,
                          struct err_note *note)
{
    enum err rc = ERR_OK;
    for (size_t i = 0; i < n_metas && !rc; i++) {
        CHECK(gguf_type_info((enum gguf_type)metas[i].gguf_type)->meta == metas[i].type);
        rc = name_ok(metas[i].key) ? table_add_meta(t, &metas[i], note)
                                   : err_set(note, ERR_FORMAT, "metadata key %zu is no printable "
                                                               "text", i);
    }
    for (size_t i = 0; i < n_tensors && !rc; i++) {
        if (!name_ok(tensors[i].name))
            rc = err_set(note, ERR_FORMAT, "the name of tensor %zu is no printable text", i);
        else if (dtype_info(tensors[i].dtype)->ggml_id < 0)
            rc = err_set(note, ERR_UNSUPPORTED, "tensor %.*s: GGUF has no type %s",
                         STR_ARG(tensors[i].name), dtype_info(tensors[i].dtype)->name);
        else
            rc = table_add_tensor(t, &tensors[i], UINT64_MAX, note);
    }
    return rc ? rc : table_finish(t, "GGUF", note);
}

static size_t alignment_of(const struct table *t)
{
    const struct meta_value *v = table_meta(t, "general.alignment");
    return v && v->type == META_UINT ? (size_t)v->uint_ : GGUF_ALIGNMENT_DEFAULT;
}

static uint64_t round_up(uint64_t n, size_t alignment)
{
    return (n + alignment - 1) / alignment * alignment;
}

static void add_head(struct file_writer *w, const struct table *t, size_t alignment)
{
    uint64_t offset = 0;
    file_writer_add(w, "GGUF", 4);
    add_le(w, 3, 4);
    add_le(w, t->n_tensors, 8);
    add_le(w, t->n_metas, 8);
    for (size_t i = 0; i < t->n_metas; i++)
        add_meta(w, &t->metas[i]);
    for (size_t i = 0; i < t->n_tensors; i++) {
        const struct tensor_view *v = &t->tensors[i];
        add_string(w, v->name);
        add_le(w, (uint64_t)v->n_dims, 4);
        for (int d = 0; d < v->n_dims; d++)
            add_le(w, v->dim[d], 8);
        add_le(w, (uint64_t)dtype_info(v->dtype)->ggml_id, 4);
        add_le(w, offset, 8);
        offset += round_up(v->n_bytes, alignment);
    }
    file_writer_pad(w, alignment);
}

static enum err add_rows(struct file_writer *w, const struct tensor_view *v, gguf_rows_fn *rows,
                         void *context, struct err_note *note)
{
    size_t row_bytes = dtype_row_bytes(v->dtype, v->dim[0]);
    uint64_t n_rows = tensor_rows(v), n_chunk = CHUNK_BYTES / row_bytes;
    n_chunk = n_chunk < 1 ? 1 : n_chunk > n_rows ? n_rows : n_chunk;
    size_t n_bytes = n_chunk * row_bytes;
    uint8_t *chunk = mem_pages(n_bytes);
    if (!chunk)
        return err_set(note, ERR_MEMORY, "out of memory for rows of %.*s", STR_ARG(v->name));
    enum err rc = ERR_OK;
    for (uint64_t row = 0; row < n_rows && !rc && file_writer_ok(w); row += n_chunk) {
        uint64_t n = n_rows - row < n_chunk ? n_rows - row : n_chunk;
        rc = rows(context, v, row, n, chunk, note);
        if (!rc)
            file_writer_add(w, chunk, n * row_bytes);
    }
    mem_pages_free(chunk, n_bytes);
    return rc;
}

static enum err write_file(const char *path, const struct table *t, gguf_rows_fn *rows,
                           void *context, struct err_note *note)
{
    struct file_writer w;
    size_t alignment = alignment_of(t);
    if (alignment == 0 || alignment > GGUF_ALIGNMENT_MAX || (alignment & (alignment - 1)))
        return err_set(note, ERR_FORMAT, "%s: general.alignment is %zu", path, alignment);
    enum err rc = file_writer_open(&w, path, note);
    if (rc)
        return rc;
    add_head(&w, t, alignment);
    for (size_t i = 0; i < t->n_tensors && !rc && file_writer_ok(&w); i++) {
        const struct tensor_view *v = &t->tensors[i];
        if (rows)
            rc = add_rows(&w, v, rows, context, note);
        else
            file_writer_add(&w, v->data, v->n_bytes);
        file_writer_pad(&w, alignment);
    }
    if (!rc)
        return file_writer_commit(&w, note);
    file_writer_abort(&w);
    return rc;
}

enum err gguf_write(const char *path, const struct meta_value *metas, size_t n_metas,
                    const struct tensor_view *tensors, size_t n_tensors, gguf_rows_fn *rows,
                    void *context, struct err_note *note)
{
    struct table t;
    enum err rc = table_init(&t, path, note);
    if (!rc) {
        rc = check_all(&t, metas, n_metas, tensors, n_tensors, note);
        if (rc)
            err_wrap(note, rc, "%s", path);
    }
    if (!rc)
        rc = write_file(path, &t, rows, context, note);
    table_close(&t);
    return rc;
}
