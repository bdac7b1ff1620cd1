/* wide.c - the layers as jobs for threads; which columns of the panels are whose. */
#include "poc/wide.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "device/device.h"
#include "poc/rotate.h"
#include "tensor/half.h"

enum { TILES_PER_JOB = 8 }; /* of a product with many rows: enough to use its inputs often */

/* What a thread works with. */
struct bench {
    float *tile; /* the set's own */
    float *q, *k, *v, *scores, *mixed;
    float *up;
    uint16_t *rows; /* of a tensor that is longer than the pool */
};

struct poc_wide {
    const struct poc_weights *weights;
    const struct wide_ops *ops;
    struct threads *threads;
    uint32_t n_nonces, n_panels; /* of this run: positions are columns, a nonce after another */
    float *x, *normed, *q, *k, *v, *mixed, *ffn, *logits;
    float *cosines, *sines; /* [head_dim / 2][seq_len] */
    struct bench *benches;  /* [n_threads] */
    float *floats;
    uint16_t *halves;
    uint64_t n_floats, n_halves;
};

const struct wide_ops *wide_ops_find(const char *isa)
{
    static const struct wide_ops *const all[] = {
#if defined(ISOBIT_HAVE_AVX2)
        &wide_avx2,
#endif
#if defined(ISOBIT_HAVE_AVX512)
        &wide_avx512,
#endif
        NULL,
    };
    for (const char *const *here = cpu_isa_names(); *here; here++)
        for (size_t i = 0; all[i]; i++)
            if (strcmp(isa, *here) == 0 && strcmp(isa, all[i]->isa) == 0)
                return all[i];
    return NULL;
}

static uint64_t up_to(uint64_t n, uint64_t step)
{
    return (n + step - 1) / step * step;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Memory is counted by the very code that hands it out. */
struct counter {
    float *floats;
    uint16_t *halves;
    uint64_t n_floats, n_halves;
};

static float *floats(struct counter *c, uint64_t n)
{
    float *at = c->floats ? c->floats + c->n_floats : NULL;
    c->n_floats += up_to(n, 16);
    return at;
}

static uint16_t *halves(struct counter *c, uint64_t n)
{
    uint16_t *at = c->halves ? c->halves + c->n_halves : NULL;
    c->n_halves += up_to(n, 32);
    return at;
}

static void lay_out_bench(struct bench *b, const struct poc_params *p, const struct wide_ops *ops,
                          uint64_t n_columns, uint64_t n_longest, struct counter *c)
{
    uint64_t n_head = poc_head_dim(p), n_seen = up_to(p->seq_len, ops->panel);
    b->tile = floats(c, ops->n_floats);
    b->q = floats(c, n_head * n_seen);
    b->k = floats(c, n_head * n_seen);
    b->v = floats(c, n_head * n_seen);
    b->mixed = floats(c, n_head * n_seen);
    b->scores = floats(c, n_seen * ops->panel);
    b->up = floats(c, (uint64_t)TILES_PER_JOB * ops->n_rows * n_columns);
    b->rows = halves(c, n_longest);
}

/* Where everything lies. Without benches it is only counted. */
static void lay_out(struct poc_wide *w, const struct poc_params *p, int n_threads,
                    uint32_t n_nonces, uint64_t n_held, struct counter *c)
{
    const struct wide_ops *ops = w->ops;
    uint64_t n = up_to((uint64_t)n_nonces * p->seq_len, ops->panel);
    uint64_t n_kv = (uint64_t)p->n_kv_heads * poc_head_dim(p);
    uint64_t n_turns = (uint64_t)p->seq_len * poc_head_dim(p) / 2;
    w->x = floats(c, n * p->dim);
    w->normed = floats(c, n * p->dim);
    w->q = floats(c, n * p->dim);
    w->k = floats(c, n * n_kv);
    w->v = floats(c, n * n_kv);
    w->mixed = floats(c, n * p->dim);
    w->ffn = floats(c, n * poc_ffn_dim(p));
    w->logits = floats(c, up_to(n_nonces, ops->panel) * p->vocab_size);
    w->cosines = floats(c, n_turns);
    w->sines = floats(c, n_turns);
    /* Rows of a job, where some tensor has no view. */
    uint64_t n_widest = larger(p->dim, poc_ffn_dim(p)), n_longest = 0;
    for (uint32_t i = 0; i < poc_n_tensors(p); i++) {
        struct poc_tensor t = poc_tensor_at(p, i);
        if (t.n_rows * t.n_columns > n_held)
            n_longest = (uint64_t)TILES_PER_JOB * ops->n_rows * n_widest;
    }
    struct bench none;
    for (int i = 0; i < n_threads; i++)
        lay_out_bench(w->benches ? &w->benches[i] : &none, p, ops, n, n_longest, c);
}

uint64_t poc_wide_bytes(const struct poc_params *p, uint64_t n_held, const struct wide_ops *ops,
                        int n_threads, uint32_t n_nonces)
{
    struct poc_wide w = {.ops = ops};
    struct counter c = {0};
    lay_out(&w, p, n_threads, n_nonces, n_held, &c);
    return c.n_floats * sizeof(float) + c.n_halves * sizeof(uint16_t) + sizeof w +
           (uint64_t)n_threads * sizeof(struct bench);
}

/* The angles, as rows by which a whole run of positions turns. */
static bool turns_init(struct poc_wide *w)
{
    const struct poc_params *p = &w->weights->params;
    uint32_t half = poc_head_dim(p) / 2, n = p->seq_len;
    uint16_t *angles = mem_array((size_t)n * half * 2, sizeof *angles);
    if (!angles)
        return false;
    poc_rotations(p, angles, angles + (size_t)n * half);
    for (uint32_t t = 0; t < n; t++)
        for (uint32_t i = 0; i < half; i++) {
            w->cosines[(size_t)i * n + t] = f16_widen(angles[(size_t)t * half + i]);
            w->sines[(size_t)i * n + t] = f16_widen(angles[(size_t)(n + t) * half + i]);
        }
    mem_free(angles);
    return true;
}

enum err poc_wide_open(struct poc_wide **out, const struct poc_weights *weights,
                       const struct wide_ops *ops, struct threads *threads, uint32_t n_nonces,
                       struct err_note *note)
{
    const struct poc_params *p = &weights->params;
    int n_threads = threads_count(threads);
    struct poc_wide *w = mem_zalloc(sizeof *w);
    *out = NULL;
    if (!w)
        return err_set(note, ERR_MEMORY, "no memory for the activations of %u nonces", n_nonces);
    w->weights = weights;
    w->ops = ops;
    w->threads = threads;
    struct counter c = {0};
    lay_out(w, p, n_threads, n_nonces, weights->n_values, &c);
    w->n_floats = c.n_floats;
    w->n_halves = c.n_halves;
    w->floats = mem_pages(c.n_floats * sizeof *w->floats);
    w->halves = mem_pages((c.n_halves + 1) * sizeof *w->halves);
    w->benches = mem_array((size_t)n_threads, sizeof *w->benches);
    bool taken = w->floats && w->halves && w->benches;
    if (taken) {
        c = (struct counter){.floats = w->floats, .halves = w->halves};
        lay_out(w, p, n_threads, n_nonces, weights->n_values, &c);
        taken = turns_init(w);
    }
    if (!taken) {
        poc_wide_close(w);
        return err_set(note, ERR_MEMORY, "no memory for the activations of %u nonces (%.0f MiB)",
                       n_nonces, (double)(c.n_floats * sizeof(float)) * 0x1p-20);
    }
    *out = w;
    return ERR_OK;
}

void poc_wide_close(struct poc_wide *w)
{
    if (!w)
        return;
    if (w->floats)
        mem_pages_free(w->floats, w->n_floats * sizeof *w->floats);
    if (w->halves)
        mem_pages_free(w->halves, (w->n_halves + 1) * sizeof *w->halves);
    mem_free(w->benches);
    mem_free(w);
}

/* Values [first, first + n) of a tensor, where they lie or in the bench's copy. */
static const uint16_t *values_of(const struct poc_wide *w, struct bench *b, uint32_t tensor,
                                 uint64_t first, uint64_t n)
{
    const uint16_t *view = poc_weights_view(w->weights, tensor);
    if (view)
        return view + first;
    poc_weights_copy(w->weights, tensor, first, n, b->rows);
    return b->rows;
}

/* Feature 0 of a column of n_features. */
static float *column(const struct poc_wide *w, float *panels, uint32_t n_features, uint64_t at)
{
    uint32_t panel = w->ops->panel;
    return panels + at / panel * n_features * panel + at % panel;
}

/* Up to three products of the same inputs. */
struct products {
    struct poc_wide *w;
    struct product_part {
        uint32_t tensor;
        float *x, *y;
    } parts[3];
    int n_parts;
    size_t n_jobs[3];
};

static size_t jobs_of(const struct poc_wide *w, uint32_t tensor)
{
    struct poc_tensor t = poc_tensor_at(&w->weights->params, tensor);
    uint64_t n_tiles = up_to(t.n_rows, w->ops->n_rows) / w->ops->n_rows;
    uint64_t fair = 4 * (uint64_t)threads_count(w->threads);
    return (size_t)larger(up_to(n_tiles, TILES_PER_JOB) / TILES_PER_JOB,
                          fair < n_tiles ? fair : n_tiles);
}

/* The rows of job i of n, cut at tiles. */
struct rows {
    uint32_t first, n;
};
static struct rows rows_of(const struct poc_wide *w, uint64_t n_rows, size_t i, size_t n)
{
    uint64_t step = w->ops->n_rows, n_tiles = up_to(n_rows, step) / step;
    uint64_t first = n_tiles * i / n * step, end = n_tiles * (i + 1) / n * step;
    return (struct rows){(uint32_t)first, (uint32_t)((end < n_rows ? end : n_rows) - first)};
}

static void multiply(const struct poc_wide *w, struct bench *b, uint32_t tensor, struct rows r,
                     const float *x, float *y, uint64_t y_stride)
{
    struct poc_tensor t = poc_tensor_at(&w->weights->params, tensor);
    struct wide_product p = {
        .rows = values_of(w, b, tensor, r.first * t.n_columns, r.n * t.n_columns),
        .n_rows = r.n,
        .n_columns = (uint32_t)t.n_columns,
        .n_panels = w->n_panels,
        .x = x,
        .y = y,
        .y_stride = y_stride,
    };
    w->ops->product(&p, b->tile);
}

static void product_job(void *context, size_t i, int worker)
{
    struct products *p = context;
    struct poc_wide *w = p->w;
    int part = 0;
    while (i >= p->n_jobs[part])
        i -= p->n_jobs[part++];
    const struct product_part *it = &p->parts[part];
    uint64_t n_rows = poc_tensor_at(&w->weights->params, it->tensor).n_rows;
    struct rows r = rows_of(w, n_rows, i, p->n_jobs[part]);
    multiply(w, &w->benches[worker], it->tensor, r, it->x, it->y + (size_t)r.first * w->ops->panel,
             n_rows * w->ops->panel);
}

static void products_run(struct products *p)
{
    size_t n = 0;
    for (int i = 0; i < p->n_parts; i++)
        n += p->n_jobs[i] = jobs_of(p->w, p->parts[i].tensor);
    threads_run(p->w->threads, n, product_job, p);
}

static void product_run(struct poc_wide *w, uint32_t tensor, float *x, float *y)
{
    struct products p = {.w = w, .parts = {{tensor, x, y}}, .n_parts = 1};
    products_run(&p);
}

/* Gate and up of the same rows, so that only their product is kept. */
struct gated {
    struct poc_wide *w;
    uint32_t layer;
    size_t n_jobs;
};

static void gated_job(void *context, size_t i, int worker)
{
    const struct gated *g = context;
    struct poc_wide *w = g->w;
    struct bench *b = &w->benches[worker];
    uint32_t panel = w->ops->panel, n_ffn = poc_ffn_dim(&w->weights->params);
    struct rows r = rows_of(w, n_ffn, i, g->n_jobs);
    uint64_t stride = (uint64_t)n_ffn * panel, up_stride = (uint64_t)r.n * panel;
    float *gate = w->ffn + (size_t)r.first * panel;
    multiply(w, b, poc_layer_tensor(g->layer, POC_W1), r, w->normed, gate, stride);
    multiply(w, b, poc_layer_tensor(g->layer, POC_W3), r, w->normed, b->up, up_stride);
    for (uint32_t k = 0; k < w->n_panels; k++)
        w->ops->glu(gate + k * stride, b->up + k * up_stride, up_stride);
}

struct norms {
    struct poc_wide *w;
    const float *y; /* added first; may be NULL */
    uint32_t tensor;
};

static void norm_job(void *context, size_t i, int worker)
{
    const struct norms *n = context;
    struct poc_wide *w = n->w;
    const struct poc_params *p = &w->weights->params;
    size_t at = i * p->dim * w->ops->panel;
    w->ops->add_norm(w->x + at, n->y ? n->y + at : NULL,
                     values_of(w, &w->benches[worker], n->tensor, 0, p->dim), (float)p->norm_eps,
                     p->dim, w->normed + at);
}

static void norm_run(struct poc_wide *w, const float *y, uint32_t tensor)
{
    struct norms n = {w, y, tensor};
    threads_run(w->threads, w->n_panels, norm_job, &n);
}

struct attention {
    struct poc_wide *w;
    bool last; /* only the last position goes on, as column `nonce` */
};

/* One head's vectors of one nonce, [size][n_seen]. */
static void gather(const struct poc_wide *w, float *from, uint32_t n_features, uint32_t first,
                   uint64_t nonce, float *out)
{
    const struct poc_params *p = &w->weights->params;
    uint32_t n = p->seq_len, size = poc_head_dim(p), panel = w->ops->panel;
    uint32_t n_seen = (uint32_t)up_to(n, panel);
    for (uint32_t t = 0; t < n; t++) {
        const float *in = column(w, from, n_features, nonce * n + t) + (size_t)first * panel;
        for (uint32_t i = 0; i < size; i++)
            out[(size_t)i * n_seen + t] = in[(size_t)i * panel];
    }
}

/* x[size][n_seen]: rows in pairs, in binary32, rounded once. */
static void turn(const struct poc_wide *w, float *x)
{
    const struct poc_params *p = &w->weights->params;
    uint32_t n = p->seq_len, size = poc_head_dim(p), n_seen = (uint32_t)up_to(n, w->ops->panel);
    for (uint32_t i = 0; i < size / 2; i++) {
        const float *c = w->cosines + (size_t)i * n, *s = w->sines + (size_t)i * n;
        float *even = x + (size_t)(2 * i) * n_seen, *odd = even + n_seen;
        for (uint32_t t = 0; t < n; t++) {
            float a = even[t], b = odd[t];
            even[t] = a * c[t] - b * s[t];
            odd[t] = a * s[t] + b * c[t];
        }
    }
    w->ops->round(x, (uint64_t)size * n_seen);
}

/* [size][n_seen] to [n_seen / panel][size][panel] for queries, to [n_seen][size] for keys. */
static void to_panels(const struct poc_wide *w, const float *in, float *out)
{
    uint32_t size = poc_head_dim(&w->weights->params), panel = w->ops->panel;
    uint32_t n_seen = (uint32_t)up_to(w->weights->params.seq_len, panel);
    for (uint32_t at = 0; at < n_seen; at += panel)
        for (uint32_t i = 0; i < size; i++, out += panel)
            memcpy(out, in + (size_t)i * n_seen + at, panel * sizeof *out);
}

static void to_rows(const struct poc_wide *w, const float *in, float *out)
{
    uint32_t size = poc_head_dim(&w->weights->params);
    uint32_t n_seen = (uint32_t)up_to(w->weights->params.seq_len, w->ops->panel);
    for (uint32_t t = 0; t < n_seen; t++)
        for (uint32_t i = 0; i < size; i++)
            *out++ = in[(size_t)i * n_seen + t];
}

static void attention_job(void *context, size_t i, int worker)
{
    const struct attention *a = context;
    struct poc_wide *w = a->w;
    const struct poc_params *p = &w->weights->params;
    struct bench *b = &w->benches[worker];
    uint32_t size = poc_head_dim(p), n_kv = p->n_kv_heads * size, panel = w->ops->panel;
    uint32_t nonce = (uint32_t)(i / p->n_heads), head = (uint32_t)(i % p->n_heads);
    uint32_t kv = head / (p->n_heads / p->n_kv_heads) * size;
    gather(w, w->q, p->dim, head * size, nonce, b->mixed);
    turn(w, b->mixed);
    to_panels(w, b->mixed, b->q);
    gather(w, w->k, n_kv, kv, nonce, b->mixed);
    turn(w, b->mixed);
    to_rows(w, b->mixed, b->k);
    gather(w, w->v, n_kv, kv, nonce, b->v);
    struct wide_head h = {.q = b->q,
                          .v = b->v,
                          .k = b->k,
                          .size = size,
                          .n = (uint32_t)up_to(p->seq_len, panel),
                          .n_seen = p->seq_len,
                          .scores = b->scores,
                          .out = b->mixed};
    w->ops->attend(&h, b->tile);
    for (uint32_t t = a->last ? p->seq_len - 1 : 0; t < p->seq_len; t++) {
        uint64_t to = a->last ? nonce : (uint64_t)nonce * p->seq_len + t;
        float *out = column(w, w->mixed, p->dim, to) + (size_t)head * size * panel;
        const float *in = column(w, b->mixed, size, t);
        for (uint32_t k = 0; k < size; k++)
            out[(size_t)k * panel] = in[(size_t)k * panel];
    }
}

/* The last position of nonce i becomes column i: the only ones that are read from here on. */
static void keep_last(struct poc_wide *w)
{
    const struct poc_params *p = &w->weights->params;
    uint32_t panel = w->ops->panel;
    for (uint64_t i = 0; i < w->n_nonces; i++) {
        const float *in = column(w, w->x, p->dim, (i + 1) * p->seq_len - 1);
        float *out = column(w, w->x, p->dim, i);
        for (size_t k = 0; k < p->dim; k++)
            out[k * panel] = in[k * panel];
    }
    w->n_panels = (uint32_t)up_to(w->n_nonces, panel) / panel;
}

static void layer_run(struct poc_wide *w, uint32_t layer)
{
    const struct poc_params *p = &w->weights->params;
    uint32_t base = poc_layer_tensor(layer, 0);
    norm_run(w, layer ? w->q : NULL, base + POC_ATTENTION_NORM);
    struct products qkv = {.w = w,
                           .parts = {{base + POC_WQ, w->normed, w->q},
                                     {base + POC_WK, w->normed, w->k},
                                     {base + POC_WV, w->normed, w->v}},
                           .n_parts = 3};
    products_run(&qkv);
    struct attention a = {w, layer + 1 == p->n_layers};
    threads_run(w->threads, (size_t)w->n_nonces * p->n_heads, attention_job, &a);
    if (a.last)
        keep_last(w);
    product_run(w, base + POC_WO, w->mixed, w->q);
    norm_run(w, w->q, base + POC_FFN_NORM);
    struct gated g = {w, layer, jobs_of(w, base + POC_W1)};
    threads_run(w->threads, g.n_jobs, gated_job, &g);
    product_run(w, base + POC_W2, w->ffn, w->q);
}

struct input {
    struct poc_wide *w;
    const uint16_t *const *inputs;
    float *const *logits;
};

static void fill_job(void *context, size_t i, int worker)
{
    (void)worker;
    const struct input *in = context;
    const struct poc_params *p = &in->w->weights->params;
    uint32_t panel = in->w->ops->panel;
    for (uint64_t at = i * panel; at < (i + 1) * panel; at++) {
        const uint16_t *values = at / p->seq_len < in->w->n_nonces
                                     ? in->inputs[at / p->seq_len] + at % p->seq_len * p->dim
                                     : NULL;
        float *out = column(in->w, in->w->x, p->dim, at);
        for (size_t k = 0; k < p->dim; k++)
            out[k * panel] = values ? f16_widen(values[k]) : 0;
    }
}

static void logits_job(void *context, size_t i, int worker)
{
    (void)worker;
    const struct input *in = context;
    uint32_t n = in->w->weights->params.vocab_size;
    const float *values = column(in->w, in->w->logits, n, i);
    for (size_t k = 0; k < n; k++)
        in->logits[i][k] = values[k * in->w->ops->panel];
}

void poc_wide_run(struct poc_wide *w, uint32_t n_nonces, const uint16_t *const *inputs,
                  float *const *logits)
{
    const struct poc_params *p = &w->weights->params;
    struct input in = {w, inputs, logits};
    w->n_nonces = n_nonces;
    w->n_panels = (uint32_t)(up_to((uint64_t)n_nonces * p->seq_len, w->ops->panel) / w->ops->panel);
    threads_run(w->threads, w->n_panels, fill_job, &in);
    for (uint32_t layer = 0; layer < p->n_layers; layer++)
        layer_run(w, layer);
    norm_run(w, w->q, poc_norm_tensor(p));
    product_run(w, poc_output_tensor(p), w->normed, w->logits);
    threads_run(w->threads, n_nonces, logits_job, &in);
}
