/* load.c - weights on their way from a file's views to the device's layout.
 *
 * A matrix that the device multiplies where it lies (matrix_bytes 0) stays in the mapping; the
 * others are packed into one region, and the mapping's pages are given back one tensor at a time,
 * so that resident memory stays near the size of the file. */
#include <string.h>

#include "base/check.h"
#include "base/threads.h"
#include "model/model_int.h"
#include "tensor/quant/quant.h"

enum { CHECK_BYTES = 1 << 20, ALIGN = 64 };

struct loader {
    struct model *m;
    const struct table *t;
    struct threads *threads;
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
    uint64_t n_done, n_total;
    size_t at; /* in m->packed */
    struct err_note *note;
};

/* ---- scales are finite ---- */

struct check_job {
    const struct tensor_view *v;
    size_t n_step; /* bytes of one task, whole blocks */
    bool *bad;     /* one for each task */
};

static void check_task(void *context, size_t task, int worker)
{
    const struct check_job *j = context;
    struct tensor_view part = *j->v;
    (void)worker;
    part.data = (const uint8_t *)j->v->data + task * j->n_step;
    part.n_bytes = j->v->n_bytes - task * j->n_step;
    if (part.n_bytes > j->n_step)
        part.n_bytes = j->n_step;
    j->bad[task] = tensor_view_check_finite(&part, NULL) != ERR_OK;
}

static enum err check_finite(struct loader *l, const struct tensor_view *v)
{
    size_t block = (size_t)dtype_info(v->dtype)->block_bytes;
    struct check_job job = {v, CHECK_BYTES / block * block, NULL};
    size_t n_tasks = (v->n_bytes + job.n_step - 1) / job.n_step;
    job.bad = mem_array(n_tasks, sizeof *job.bad);
    if (!job.bad)
        return err_set(l->note, ERR_MEMORY, "%s: out of memory", l->t->path);
    threads_run(l->threads, n_tasks, check_task, &job);
    bool bad = memchr(job.bad, true, n_tasks * sizeof *job.bad) != NULL;
    mem_free(job.bad);
    if (!bad)
        return ERR_OK;
    enum err rc = tensor_view_check_finite(v, l->note); /* again, for the sentence */
    return err_wrap(l->note, rc, "%s", l->t->path);
}

/* ---- matrices ---- */

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t packed_bytes(const struct model *m, const struct tensor_view *v)
{
    struct device *d = m->device;
    return d->ops->matrix_bytes(d, v->dtype, (uint32_t)v->dim[1], (uint32_t)v->dim[0]);
}

static void add_bytes(const struct model *m, const struct tensor_view *v, size_t *total)
{
    *total += v->dim[2] * round_up(packed_bytes(m, v));
}

static size_t all_packed_bytes(const struct model *m)
{
    size_t total = 0;
    add_bytes(m, weights_head(&m->w), &total);
    for (uint32_t i = 0; i < m->h.n_layers; i++)
        for (int s = 0; s < LAYER_SLOT_COUNT; s++) {
            const struct tensor_view *v = m->w.layers[i].slot[s];
            if (v && !layer_slot_info((enum layer_slot)s)->is_vector)
                add_bytes(m, v, &total);
        }
    return total;
}

static enum err no_memory(struct loader *l)
{
    return err_set(l->note, ERR_MEMORY, "%s: out of memory for the weights", l->t->path);
}

static enum err load_matrix(struct loader *l, const struct tensor_view *v,
                            const struct matrix **out)
{
    struct model *m = l->m;
    enum err rc = check_finite(l, v);
    if (rc)
        return rc;
    struct matrix *all = arena_alloc(&m->arena, v->dim[2] * sizeof *all);
    if (!all)
        return no_memory(l);
    size_t n_bytes = packed_bytes(m, v), n_bytes_file = v->n_bytes / v->dim[2];
    for (uint64_t i = 0; i < v->dim[2]; i++) {
        const uint8_t *rows = (const uint8_t *)v->data + i * n_bytes_file;
        all[i] =
            (struct matrix){v->dtype, (uint32_t)v->dim[1], (uint32_t)v->dim[0], rows, n_bytes_file};
        if (n_bytes) {
            uint8_t *to = m->packed + l->at;
            m->device->ops->matrix_pack(m->device, v->dtype, all[i].n_rows, all[i].n_cols, rows,
                                        to);
            all[i].data = to;
            all[i].n_bytes = n_bytes;
            l->at += round_up(n_bytes);
        }
        m->info.weight_bytes += all[i].n_bytes;
        l->n_done += n_bytes_file;
        if (l->progress)
            l->progress(l->context, l->n_done, l->n_total);
    }
    if (n_bytes)
        table_forget(l->t, v);
    *out = all;
    return ERR_OK;
}

static enum err load_vector(struct loader *l, const struct tensor_view *v, const float **out)
{
    enum err rc = check_finite(l, v);
    if (rc)
        return rc;
    size_t n = v->dim[0] * v->dim[1];
    float *x = arena_alloc(&l->m->arena, n * sizeof *x);
    if (!x)
        return no_memory(l);
    quant_decode_row(v->dtype, v->data, x, n);
    l->m->info.weight_bytes += n * sizeof *x;
    l->n_done += v->n_bytes;
    *out = x;
    return ERR_OK;
}

static enum err load_layer(struct loader *l, uint32_t i)
{
    enum err rc = ERR_OK;
    for (int s = 0; rc == ERR_OK && s < LAYER_SLOT_COUNT; s++) {
        const struct tensor_view *v = l->m->w.layers[i].slot[s];
        struct layer *layer = &l->m->layers[i];
        if (v && layer_slot_info((enum layer_slot)s)->is_vector)
            rc = load_vector(l, v, &layer->vector[s]);
        else if (v)
            rc = load_matrix(l, v, &layer->matrix[s]);
    }
    return rc;
}

static enum err load_rope(struct loader *l)
{
    struct model *m = l->m;
    const float *near = NULL, *far = NULL;
    enum err rc = ERR_OK;
    bool longrope = m->h.rope.scaling == ROPE_SCALING_LONGROPE;
    const struct tensor_view *v = m->w.global[longrope ? SLOT_ROPE_SHORT : SLOT_ROPE_FREQS];
    if (v)
        rc = load_vector(l, v, &near);
    if (rc == ERR_OK && longrope)
        rc = load_vector(l, m->w.global[SLOT_ROPE_LONG], &far);
    if (rc)
        return rc;
    rope_exact_init(&m->rope[0], &m->h.rope, m->h.n_rot, near, far);
    rope_exact_init(&m->rope[1], &m->h.rope_windowed, m->h.n_rot, near, far);
    return ERR_OK;
}

static enum err load_all(struct loader *l)
{
    struct model *m = l->m;
    const struct tensor_view *embd = m->w.global[SLOT_TOKEN_EMBD];
    m->n_packed = all_packed_bytes(m);
    m->packed = m->n_packed ? mem_pages(m->n_packed) : NULL;
    m->layers = mem_array(m->h.n_layers, sizeof *m->layers);
    if ((m->n_packed && !m->packed) || !m->layers)
        return no_memory(l);
    enum err rc = load_rope(l);
    if (rc == ERR_OK)
        rc = load_vector(l, m->w.global[SLOT_OUTPUT_NORM], &m->output_norm);
    for (uint32_t i = 0; rc == ERR_OK && i < m->h.n_layers; i++)
        rc = load_layer(l, i);
    if (rc == ERR_OK && weights_head(&m->w) != embd)
        rc = check_finite(l, embd);
    if (rc == ERR_OK) {
        table_forget(l->t, embd); /* rows come back one by one as tokens need them */
        rc = load_matrix(l, weights_head(&m->w), &m->head);
    }
    return rc;
}

enum err model_load(struct model *m, const struct table *t,
                    void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                    struct err_note *note)
{
    struct loader l = {m, t, threads_new(threads_online()), progress, context, 0, 0, 0, note};
    if (!l.threads)
        return err_set(note, ERR_MEMORY, "%s: cannot start threads", t->path);
    for (size_t i = 0; i < t->n_tensors; i++)
        l.n_total += t->tensors[i].n_bytes;
    enum err rc = load_all(&l);
    threads_free(l.threads);
    if (rc == ERR_OK && progress)
        progress(context, l.n_total, l.n_total);
    return rc;
}
