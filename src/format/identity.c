/* identity.c - the hashes of a model, over the canonical text of docs/formats/identity.md. */
#include "format/identity.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/threads.h"

static void add_text(struct sha256 *h, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_text(struct sha256 *h, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(n >= 0 && n < (int)sizeof text);
    sha256_add(h, text, (size_t)n);
}

static int str_order(struct str a, struct str b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Tensors in the order of their names, each with the hash of its data. */
struct digest {
    const struct tensor_view *view;
    uint8_t data[SHA256_BYTES];
};

static int by_name(const void *a, const void *b)
{
    const struct digest *x = a, *y = b;
    return str_order(x->view->name, y->view->name);
}

enum { PIECE_BYTES = 256 << 10 };

struct work {
    const struct table *table;
    struct digest *digests;
    uint8_t *buffers; /* PIECE_BYTES of each thread */
    const atomic_bool *stop;
    atomic_int failed; /* enum err */
    uint64_t n_total;
    atomic_uint_fast64_t n_done;
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

static void hash_tensor(void *context, size_t i, int worker)
{
    struct work *w = context;
    const struct tensor_view *v = w->digests[i].view;
    struct sha256 h;
    sha256_init(&h);
    for (size_t at = 0; at < v->n_bytes && !atomic_load(&w->failed); at += PIECE_BYTES) {
        size_t n = v->n_bytes - at < PIECE_BYTES ? v->n_bytes - at : PIECE_BYTES;
        const void *bytes;
        enum err rc = table_read(w->table, (const uint8_t *)v->data + at, n,
                                 w->buffers + (size_t)worker * PIECE_BYTES, &bytes, NULL);
        if (rc == ERR_OK && w->stop && atomic_load(w->stop))
            rc = ERR_CANCELLED;
        if (rc) {
            atomic_store(&w->failed, (int)rc);
            return;
        }
        sha256_add(&h, bytes, n);
        uint64_t done = atomic_fetch_add(&w->n_done, n) + n;
        if (worker == 0 && w->progress)
            w->progress(w->context, done, w->n_total);
    }
    sha256_end(&h, w->digests[i].data);
}

static void add_tensor(struct sha256 *h, const struct digest *d)
{
    char hex[SHA256_HEX];
    const struct tensor_view *v = d->view;
    int n_dims = v->n_dims;
    while (n_dims > 1 && v->dim[n_dims - 1] == 1)
        n_dims--;
    hex_of(d->data, SHA256_BYTES, hex);
    add_text(h, "%s %s ", hex, dtype_info(v->dtype)->name);
    for (int i = 0; i < n_dims; i++)
        add_text(h, "%s%llu", i ? "x" : "", (unsigned long long)v->dim[i]);
    sha256_add(h, " ", 1);
    sha256_add(h, v->name.ptr, v->name.len);
    sha256_add(h, "\n", 1);
}

/* One value: a scalar, or item i of an array. */
static void add_value(struct sha256 *h, enum meta_type type, const struct meta_value *v,
                      const struct meta_array *a, size_t i)
{
    uint64_t bits;
    double number = type == META_FLOAT ? (a ? a->floats[i] : v->float_) : 0;
    struct str text = type == META_STRING ? (a ? a->strings[i] : v->string) : STR("");
    switch (type) {
    case META_UINT:
        add_text(h, "i:%llu", (unsigned long long)(a ? a->uints[i] : v->uint_));
        break;
    case META_INT:
        add_text(h, "i:%lld", (long long)(a ? a->ints[i] : v->int_));
        break;
    case META_FLOAT:
        memcpy(&bits, &number, sizeof bits);
        add_text(h, "f:%016llx", (unsigned long long)bits);
        break;
    case META_BOOL:
        add_text(h, "b:%d", a ? a->bools[i] : v->bool_);
        break;
    case META_STRING:
        add_text(h, "s:%zu:", text.len);
        sha256_add(h, text.ptr, text.len);
        break;
    case META_ARRAY:
        CHECK(!a);
        add_text(h, "a:%zu", v->array.n_items);
        for (size_t k = 0; k < v->array.n_items; k++) {
            sha256_add(h, ",", 1);
            add_value(h, v->array.item, v, &v->array, k);
        }
    }
}

static int by_key(const void *a, const void *b)
{
    return str_order((*(const struct meta_value *const *)a)->key,
                     (*(const struct meta_value *const *)b)->key);
}

enum err identity_config_of(const struct table *t, uint8_t config[SHA256_BYTES],
                            struct err_note *note)
{
    struct str arch;
    enum err rc = table_str(t, "general.architecture", STR(""), &arch, note);
    if (rc)
        return rc;
    const struct meta_value **kept = mem_array(t->n_metas + 1, sizeof *kept);
    if (!kept)
        return err_set(note, ERR_MEMORY, "out of memory hashing metadata");
    size_t n = 0;
    for (size_t i = 0; i < t->n_metas; i++) {
        struct str key = t->metas[i].key;
        if (str_is(key, "general.architecture") ||
            (str_starts(key, arch) && key.len > arch.len && key.ptr[arch.len] == '.'))
            kept[n++] = &t->metas[i];
    }
    qsort(kept, n, sizeof *kept, by_key);
    struct sha256 h;
    sha256_init(&h);
    add_text(&h, "isobit-config-1\n");
    for (size_t i = 0; i < n; i++) {
        sha256_add(&h, kept[i]->key.ptr, kept[i]->key.len);
        sha256_add(&h, " ", 1);
        add_value(&h, kept[i]->type, kept[i], NULL, 0);
        sha256_add(&h, "\n", 1);
    }
    sha256_end(&h, config);
    mem_free(kept);
    return ERR_OK;
}

static enum err hash_tensors(struct work *w, struct threads *threads, struct err_note *note)
{
    const struct table *t = w->table;
    for (size_t i = 0; i < t->n_tensors; i++) {
        w->digests[i].view = &t->tensors[i];
        w->n_total += t->tensors[i].n_bytes;
    }
    if (threads)
        threads_run(threads, t->n_tensors, hash_tensor, w);
    else
        for (size_t i = 0; i < t->n_tensors; i++)
            hash_tensor(w, i, 0);
    enum err rc = (enum err)atomic_load(&w->failed);
    if (rc == ERR_CANCELLED)
        return err_set(note, rc, "hashing the weights was stopped");
    return rc ? err_set(note, rc, "%s: cannot read the weights to hash them", t->path) : ERR_OK;
}

enum err identity_hash(const struct table *t, struct threads *threads, const atomic_bool *stop,
                       void (*progress)(void *context, uint64_t done, uint64_t total),
                       void *context, struct identity *out, struct err_note *note)
{
    enum err rc = identity_config_of(t, out->config, note);
    if (rc)
        return rc;
    struct work w = {.table = t, .stop = stop, .progress = progress, .context = context};
    w.digests = mem_array(t->n_tensors + 1, sizeof *w.digests);
    w.buffers = mem_array(threads ? (size_t)threads_count(threads) : 1, PIECE_BYTES);
    if (!w.digests || !w.buffers)
        rc = err_set(note, ERR_MEMORY, "out of memory hashing %zu tensors", t->n_tensors);
    if (!rc)
        rc = hash_tensors(&w, threads, note);
    if (!rc) {
        struct sha256 h;
        qsort(w.digests, t->n_tensors, sizeof *w.digests, by_name);
        sha256_init(&h);
        add_text(&h, "isobit-weights-1\n");
        for (size_t i = 0; i < t->n_tensors; i++)
            add_tensor(&h, &w.digests[i]);
        sha256_end(&h, out->weights);
    }
    mem_free(w.digests);
    mem_free(w.buffers);
    return rc;
}

enum err identity_of(const struct table *t, struct threads *threads,
                     void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                     struct identity *out, struct err_note *note)
{
    return identity_hash(t, threads, NULL, progress, context, out, note);
}
