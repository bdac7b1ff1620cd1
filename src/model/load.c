/* load.c - weights on their way from a file to the device's layout.
 *
 * Every tensor is cut into pieces of rows, in the order in which they lie in the file; a task reads
 * a piece into its thread's buffer, checks its scales and packs it into the one region of packed
 * matrices: at its place, or where the host cannot write there, into a second buffer that is put.
 * So the file is read once, from its beginning to its end, and nothing of it becomes
 * resident but what the model keeps.
 * Not packed are matrices that the device multiplies where they lie (matrix_bytes 0), those beyond
 * limits.packed_bytes_max (raw: packed at each product), and rows of embeddings: a device that
 * cannot read the file gets these as they are. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/threads.h"
#include "model/model_int.h"
#include "tensor/quant/quant.h"

enum { PIECE_BYTES = 256 << 10, ALIGN = 256 };

/* A tensor of matrices, and where they go. */
struct source {
    const struct tensor_view *v;
    uint8_t *to;          /* packed matrices, to_bytes apart; NULL: none */
    uint8_t *rows;        /* its rows as they are, to be looked up; NULL: none */
    size_t to_bytes;      /* with padding */
    size_t n_bytes;       /* of one matrix in the file */
    uint32_t n_rows_step; /* of a piece */
    size_t task0;         /* its first piece */
};

/* One thread's buffers, and the first of its tasks that failed. */
struct hand {
    uint8_t *buffer; /* of a piece */
    uint8_t *packed; /* behind it: the same, packed */
    enum err rc;
    size_t task;
    struct err_note note;
};

struct loader {
    struct model *m;
    const struct table *t;
    size_t packed_bytes_max;
    struct source *sources;
    size_t n_sources, n_tasks, n_bytes_piece;
    size_t n_bytes_packed; /* of a piece, where it is put; else 0 */
    struct hand *hands;
    size_t at;                 /* in m->packed */
    size_t at_vectors;         /* in m->vectors */
    atomic_size_t task_failed; /* tasks after it need not run */
    atomic_uint_fast64_t n_done;
    uint64_t n_total;
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
    struct err_note *note;
};

static enum err no_memory(struct loader *l)
{
    return err_set(l->note, ERR_MEMORY, "%s: out of memory for the weights", l->t->path);
}

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- pieces ---- */

static size_t n_steps(const struct source *s)
{
    return ((uint32_t)s->v->dim[1] + s->n_rows_step - 1) / s->n_rows_step;
}

static const struct source *source_of(const struct loader *l, size_t task)
{
    size_t low = 0, high = l->n_sources;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (l->sources[middle].task0 <= task)
            low = middle;
        else
            high = middle;
    }
    return &l->sources[low];
}

static size_t packed_size(struct device *d, const struct tensor_view *v, uint32_t n_rows)
{
    return d->ops->matrix_bytes(d, v->dtype, n_rows, (uint32_t)v->dim[0]);
}

/* Matrix i of a source, rows from row0 on, whose bytes are part's. */
static void piece_place(const struct loader *l, const struct source *s, size_t i, uint32_t row0,
                        const struct tensor_view *part, uint8_t *packed)
{
    struct device *d = l->m->device;
    uint32_t n_cols = (uint32_t)part->dim[0];
    uint32_t n_rows = (uint32_t)(part->n_bytes / dtype_row_bytes(part->dtype, n_cols));
    uint8_t *to = s->to ? s->to + i * s->to_bytes + packed_size(d, part, row0) : NULL;
    if (to && model_shares(l->m)) {
        d->ops->matrix_pack(d, part->dtype, n_rows, n_cols, part->data, to);
    } else if (to) {
        d->ops->matrix_pack(d, part->dtype, n_rows, n_cols, part->data, packed);
        d->ops->put(d, to, packed, packed_size(d, part, n_rows));
    }
    if (s->rows)
        d->ops->put(d, s->rows + i * s->n_bytes + row0 * dtype_row_bytes(part->dtype, n_cols),
                    part->data, part->n_bytes);
}

static enum err piece_load(struct loader *l, size_t task, const struct hand *hand,
                           struct err_note *note)
{
    const struct source *s = source_of(l, task);
    size_t i = (task - s->task0) / n_steps(s);
    size_t row_bytes = dtype_row_bytes(s->v->dtype, s->v->dim[0]);
    uint32_t row0 = (uint32_t)((task - s->task0) % n_steps(s)) * s->n_rows_step;
    uint32_t n_rows = (uint32_t)s->v->dim[1] - row0;
    n_rows = n_rows < s->n_rows_step ? n_rows : s->n_rows_step;
    struct tensor_view part = *s->v;
    part.data = (const uint8_t *)s->v->data + i * s->n_bytes + row0 * row_bytes;
    part.n_bytes = n_rows * row_bytes;
    enum err rc = table_read(l->t, part.data, part.n_bytes, hand->buffer, &part.data, note);
    if (rc)
        return rc;
    if (tensor_view_check_finite(&part, NULL)) {
        rc = tensor_view_check_finite(s->v, note); /* again, to say which block of all */
        return err_wrap(note, rc, "%s", l->t->path);
    }
    piece_place(l, s, i, row0, &part, hand->packed);
    atomic_fetch_add(&l->n_done, part.n_bytes);
    return ERR_OK;
}

static void piece_task(void *context, size_t task, int worker)
{
    struct loader *l = context;
    struct hand *hand = &l->hands[worker];
    if (task > atomic_load(&l->task_failed))
        return;
    enum err rc = piece_load(l, task, hand, &hand->note);
    if (worker == 0 && l->progress)
        l->progress(l->context, atomic_load(&l->n_done), l->n_total);
    if (rc == ERR_OK)
        return;
    hand->rc = rc;
    hand->task = task;
    size_t failed = atomic_load(&l->task_failed);
    while (task < failed && !atomic_compare_exchange_weak(&l->task_failed, &failed, task)) {
    }
}

static int by_place(const void *a, const void *b)
{
    const struct source *x = a, *y = b;
    return (x->v->data > y->v->data) - (x->v->data < y->v->data);
}

/* Runs every piece; what failed first, by the order of the file, is the error. */
static enum err run_pieces(struct loader *l, struct threads *threads)
{
    int n_threads = threads_count(threads);
    size_t n_bytes = l->n_bytes_piece + l->n_bytes_packed;
    uint8_t *buffers = mem_pages((size_t)n_threads * n_bytes);
    enum err rc = ERR_OK;
    l->hands = mem_array((size_t)n_threads, sizeof *l->hands);
    if (buffers && l->hands) {
        for (int i = 0; i < n_threads; i++) {
            l->hands[i].buffer = buffers + (size_t)i * n_bytes;
            l->hands[i].packed = l->hands[i].buffer + l->n_bytes_piece;
        }
        threads_run(threads, l->n_tasks, piece_task, l);
        for (int i = 0; i < n_threads; i++)
            if (l->hands[i].rc && l->hands[i].task == l->task_failed) {
                rc = l->hands[i].rc;
                if (l->note)
                    *l->note = l->hands[i].note;
            }
    } else {
        rc = no_memory(l);
    }
    mem_pages_free(buffers, (size_t)n_threads * n_bytes);
    mem_free(l->hands);
    return rc;
}

static enum err load_pieces(struct loader *l)
{
    qsort(l->sources, l->n_sources, sizeof *l->sources, by_place);
    for (size_t i = 0; i < l->n_sources; i++) {
        struct source *s = &l->sources[i];
        size_t step_bytes = MATRIX_STEP * dtype_row_bytes(s->v->dtype, s->v->dim[0]);
        size_t n = PIECE_BYTES > step_bytes ? PIECE_BYTES / step_bytes : 1;
        s->n_rows_step = MATRIX_STEP * (uint32_t)n;
        s->task0 = l->n_tasks;
        l->n_tasks += s->v->dim[2] * n_steps(s);
        if (l->n_bytes_piece < n * step_bytes)
            l->n_bytes_piece = round_up(n * step_bytes);
        size_t n_packed = round_up(packed_size(l->m->device, s->v, s->n_rows_step));
        if (!model_shares(l->m) && s->to && l->n_bytes_packed < n_packed)
            l->n_bytes_packed = n_packed;
    }
    atomic_store(&l->task_failed, SIZE_MAX);
    struct threads *threads = threads_new(threads_online());
    if (!threads)
        return err_set(l->note, ERR_MEMORY, "%s: cannot start threads", l->t->path);
    enum err rc = run_pieces(l, threads);
    threads_free(threads);
    return rc;
}

/* ---- places ---- */

static size_t packed_bytes(const struct model *m, const struct tensor_view *v)
{
    return packed_size(m->device, v, (uint32_t)v->dim[1]);
}

static size_t vector_length(const struct tensor_view *v)
{
    return v->dim[0] * v->dim[1];
}

/* The matrices of one tensor: packed as long as there is room, then raw. */
static enum err place_matrix(struct loader *l, const struct tensor_view *v,
                             const struct matrix **out)
{
    struct model *m = l->m;
    uint32_t n_rows = (uint32_t)v->dim[1], n_cols = (uint32_t)v->dim[0];
    struct matrix *all = arena_alloc(&m->arena, v->dim[2] * sizeof *all);
    if (!all)
        return no_memory(l);
    size_t n_bytes = packed_bytes(m, v), n_bytes_file = v->n_bytes / v->dim[2];
    size_t step = round_up(n_bytes), room = l->packed_bytes_max - l->at;
    bool is_packed = n_bytes && step <= room / v->dim[2], is_raw = n_bytes && !is_packed;
    l->sources[l->n_sources++] = (struct source){.v = v,
                                                 .to = is_packed ? m->packed + l->at : NULL,
                                                 .to_bytes = step,
                                                 .n_bytes = n_bytes_file};
    for (uint64_t i = 0; i < v->dim[2]; i++) {
        const uint8_t *rows = (const uint8_t *)v->data + i * n_bytes_file;
        all[i] = (struct matrix){v->dtype, n_rows, n_cols, rows, n_bytes_file, is_raw};
        if (is_packed) {
            all[i].data = m->packed + l->at;
            all[i].n_bytes = n_bytes;
            l->at += step;
        }
        m->info.weight_bytes += all[i].n_bytes;
        m->info.raw_bytes += is_raw ? n_bytes_file : 0;
    }
    *out = all;
    CHECK(!is_raw || model_shares(m));
    if (is_raw)
        return m->device->ops->raw_reserve(m->device, v->dtype, n_cols, l->note);
    return ERR_OK;
}

/* A vector's numbers, in memory of the host that is freed with the model. */
static enum err read_vector(struct loader *l, const struct tensor_view *v, float **out)
{
    enum err rc = tensor_view_check_finite(v, l->note);
    if (rc)
        return err_wrap(l->note, rc, "%s", l->t->path);
    *out = arena_alloc(&l->m->arena, vector_length(v) * sizeof **out);
    if (!*out)
        return no_memory(l);
    quant_decode_row(v->dtype, v->data, *out, vector_length(v));
    l->m->info.weight_bytes += vector_length(v) * sizeof **out;
    return ERR_OK;
}

static enum err load_vector(struct loader *l, const struct tensor_view *v, const float **out)
{
    struct model *m = l->m;
    float *x;
    enum err rc = read_vector(l, v, &x);
    *out = x;
    if (rc || model_shares(m))
        return rc;
    size_t n_bytes = vector_length(v) * sizeof *x;
    *out = (const float *)(m->vectors + l->at_vectors);
    m->device->ops->put(m->device, m->vectors + l->at_vectors, x, n_bytes);
    l->at_vectors += round_up(n_bytes);
    return ERR_OK;
}

/* Whether b begins where a ends, so that both are one matrix: a whole number of steps is packed
 * like a matrix of its own. */
static bool follows(const struct matrix *a, const struct matrix *b)
{
    return !a->is_raw && !b->is_raw && a->dtype == b->dtype && a->n_rows % MATRIX_STEP == 0 &&
           (const uint8_t *)a->data + a->n_bytes == b->data;
}

/* Matrices that multiply the same rows into results side by side, with their biases. */
static const struct {
    enum layer_slot matrix, bias, next, next_bias;
} neighbours[] = {
    {SLOT_ATTN_K, SLOT_ATTN_K_BIAS, SLOT_ATTN_V, SLOT_ATTN_V_BIAS}, /* from the end */
    {SLOT_ATTN_Q, SLOT_ATTN_Q_BIAS, SLOT_ATTN_K, SLOT_ATTN_K_BIAS},
    {SLOT_FFN_GATE, SLOT_FFN_GATE_BIAS, SLOT_FFN_UP, SLOT_FFN_UP_BIAS},
};

/* Where they lie one after another they become one, in the first one's slot: one product. */
static enum err join_neighbours(struct loader *l, struct layer *layer)
{
    for (size_t i = 0; i < COUNT_OF(neighbours); i++) {
        const struct matrix **a = &layer->matrix[neighbours[i].matrix];
        const struct matrix **b = &layer->matrix[neighbours[i].next];
        const float *bias = layer->vector[neighbours[i].bias];
        const float *next_bias = layer->vector[neighbours[i].next_bias];
        if (!*a || !*b || !follows(*a, *b) || !bias != !next_bias ||
            (bias && bias + (*a)->n_rows != next_bias))
            continue;
        struct matrix *both = arena_alloc(&l->m->arena, sizeof *both);
        if (!both)
            return no_memory(l);
        *both = **a;
        both->n_rows += (*b)->n_rows;
        both->n_bytes += (*b)->n_bytes;
        *a = both;
        *b = NULL;
    }
    return ERR_OK;
}

static enum err place_layer(struct loader *l, uint32_t i)
{
    enum err rc = ERR_OK;
    for (int s = 0; rc == ERR_OK && s < LAYER_SLOT_COUNT; s++) {
        const struct tensor_view *v = l->m->w.layers[i].slot[s];
        struct layer *layer = &l->m->layers[i];
        if (v && layer_slot_info((enum layer_slot)s)->is_vector)
            rc = load_vector(l, v, &layer->vector[s]);
        else if (v)
            rc = place_matrix(l, v, &layer->matrix[s]);
    }
    return rc ? rc : join_neighbours(l, &l->m->layers[i]);
}

static enum err load_rope(struct loader *l)
{
    struct model *m = l->m;
    float *near = NULL, *far = NULL;
    enum err rc = ERR_OK;
    bool longrope = m->h.rope.scaling == ROPE_SCALING_LONGROPE;
    const struct tensor_view *v = m->w.global[longrope ? SLOT_ROPE_SHORT : SLOT_ROPE_FREQS];
    if (v)
        rc = read_vector(l, v, &near);
    if (rc == ERR_OK && longrope)
        rc = read_vector(l, m->w.global[SLOT_ROPE_LONG], &far);
    if (rc)
        return rc;
    rope_exact_init(&m->rope[0], &m->h.rope, m->h.n_rot, near, far);
    rope_exact_init(&m->rope[1], &m->h.rope_windowed, m->h.n_rot, near, far);
    return ERR_OK;
}

size_t model_packed_bytes(const struct model *m)
{
    const struct tensor_view *const heads[] = {weights_head(&m->h, &m->w), m->w.global[SLOT_CLS],
                                               m->w.global[SLOT_CLS_OUT]};
    size_t total = 0;
    for (size_t i = 0; model_has_head(m) && i < COUNT_OF(heads); i++)
        total += heads[i] ? round_up(packed_bytes(m, heads[i])) : 0;
    for (uint32_t i = m->from; i < m->to; i++)
        for (int s = 0; s < LAYER_SLOT_COUNT; s++) {
            const struct tensor_view *v = m->w.layers[i].slot[s];
            if (v && !layer_slot_info((enum layer_slot)s)->is_vector)
                total += v->dim[2] * round_up(packed_bytes(m, v));
        }
    return total;
}

static const enum global_slot looked_up[] = {SLOT_TOKEN_EMBD, SLOT_POSITION_EMBD, SLOT_TYPE_EMBD};

size_t model_vector_bytes(const struct model *m)
{
    static const enum global_slot vectors[] = {
        SLOT_OUTPUT_NORM, SLOT_EMBD_NORM, SLOT_EMBD_NORM_BIAS, SLOT_CLS_BIAS, SLOT_CLS_OUT_BIAS};
    size_t total = 0;
    for (size_t i = 0; model_has_head(m) && i < COUNT_OF(vectors); i++)
        if (m->w.global[vectors[i]])
            total += round_up(vector_length(m->w.global[vectors[i]]) * sizeof(float));
    for (uint32_t i = m->from; i < m->to; i++)
        for (int s = 0; s < LAYER_SLOT_COUNT; s++) {
            const struct tensor_view *v = m->w.layers[i].slot[s];
            if (v && layer_slot_info((enum layer_slot)s)->is_vector)
                total += round_up(vector_length(v) * sizeof(float));
        }
    for (size_t i = 0; !model_shares(m) && !m->lower && i < COUNT_OF(looked_up); i++)
        if (m->w.global[looked_up[i]])
            total += round_up(m->w.global[looked_up[i]]->n_bytes);
    return total;
}

/* Rows that are looked up stay in the file and are checked only, or they are put; the head may be
 * of the same tensor. */
static void place_rows(struct loader *l, enum global_slot slot)
{
    struct model *m = l->m;
    const struct tensor_view *v = m->w.global[slot];
    struct source *s = NULL;
    if (!v)
        return;
    for (size_t i = 0; i < l->n_sources; i++)
        if (l->sources[i].v == v)
            s = &l->sources[i];
    if (!s) {
        s = &l->sources[l->n_sources++];
        *s = (struct source){.v = v, .n_bytes = v->n_bytes};
    }
    m->looked_up[slot] = v->data;
    if (model_shares(m))
        return;
    s->rows = m->vectors + l->at_vectors;
    m->looked_up[slot] = s->rows;
    l->at_vectors += round_up(v->n_bytes);
}

/* What belongs to no layer. */
static enum err load_globals(struct loader *l)
{
    struct model *m = l->m;
    const struct tensor_view *const *v = m->w.global, *head = weights_head(&m->h, &m->w);
    const struct {
        const struct tensor_view *v;
        const float **to;
    } vectors[] = {
        {v[SLOT_OUTPUT_NORM], &m->output_norm},       {v[SLOT_EMBD_NORM], &m->embd_norm},
        {v[SLOT_EMBD_NORM_BIAS], &m->embd_norm_bias}, {v[SLOT_CLS_BIAS], &m->cls_bias},
        {v[SLOT_CLS_OUT_BIAS], &m->cls_out_bias},
    };
    const struct {
        const struct tensor_view *v;
        const struct matrix **to;
    } matrices[] = {{head, &m->head}, {v[SLOT_CLS], &m->cls}, {v[SLOT_CLS_OUT], &m->cls_out}};
    enum err rc = ERR_OK;
    bool has_head = model_has_head(m);
    for (size_t i = 0; has_head && rc == ERR_OK && i < COUNT_OF(vectors); i++)
        if (vectors[i].v)
            rc = load_vector(l, vectors[i].v, vectors[i].to);
    for (size_t i = 0; has_head && rc == ERR_OK && i < COUNT_OF(matrices); i++)
        if (matrices[i].v)
            rc = place_matrix(l, matrices[i].v, matrices[i].to);
    for (size_t i = 0; !m->lower && rc == ERR_OK && i < COUNT_OF(looked_up); i++)
        place_rows(l, looked_up[i]);
    return rc;
}

/* n_bytes of the device, or *to stays NULL where they are 0. */
static enum err take(struct loader *l, size_t n_bytes, const char *what, uint8_t **to)
{
    struct device *d = l->m->device;
    void *p = NULL;
    enum err rc = n_bytes ? d->ops->mem_take(d, n_bytes, what, &p, l->note) : ERR_OK;
    *to = p;
    return rc ? err_wrap(l->note, rc, "%s", l->t->path) : ERR_OK;
}

static enum err take_all(struct loader *l)
{
    struct model *m = l->m;
    m->n_packed = model_packed_bytes(m);
    if (m->n_packed > l->packed_bytes_max && !model_shares(m))
        return err_set(l->note, ERR_MEMORY,
                       "%s: the matrices need %.2f GiB of memory on %s, where there is room for "
                       "%.2f GiB",
                       l->t->path, (double)m->n_packed / 0x1p30, m->device->ops->name,
                       (double)l->packed_bytes_max / 0x1p30);
    if (m->n_packed > l->packed_bytes_max)
        m->n_packed = l->packed_bytes_max;
    enum err rc = take(l, m->n_packed, "the weights", &m->packed);
    m->n_vectors = model_shares(m) ? 0 : model_vector_bytes(m);
    return rc ? rc : take(l, m->n_vectors, "norms, biases and embedding rows", &m->vectors);
}

static enum err load_all(struct loader *l)
{
    struct model *m = l->m;
    enum err rc = take_all(l);
    if (rc)
        return rc;
    m->layers = mem_array(m->h.n_layers, sizeof *m->layers);
    l->sources = mem_array(l->t->n_tensors + 1, sizeof *l->sources);
    if (!m->layers || !l->sources)
        return no_memory(l);
    rc = load_rope(l);
    if (rc == ERR_OK)
        rc = load_globals(l);
    for (uint32_t i = m->from; rc == ERR_OK && i < m->to; i++)
        rc = place_layer(l, i);
    return rc ? rc : load_pieces(l);
}

enum err model_load(struct model *m, const struct table *t, size_t packed_bytes_max,
                    void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                    struct err_note *note)
{
    struct loader l = {.m = m,
                       .t = t,
                       .packed_bytes_max = packed_bytes_max ? packed_bytes_max : SIZE_MAX,
                       .progress = progress,
                       .context = context,
                       .note = note};
    for (size_t i = 0; i < t->n_tensors; i++)
        l.n_total += t->tensors[i].n_bytes;
    atomic_store(&l.n_done, m->lower ? m->lower->n_loaded : 0);
    enum err rc = load_all(&l);
    mem_free(l.sources);
    m->n_loaded = atomic_load(&l.n_done);
    if (rc == ERR_OK)
        rc = m->device->ops->status(m->device, note);
    if (rc == ERR_OK && progress && model_has_head(m))
        progress(context, l.n_total, l.n_total);
    return rc;
}
