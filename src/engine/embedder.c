/* embedder.c - texts to vectors: packs whole texts into passes, pools their rows.
 *
 * A pass of an encoder holds whole texts. A causal model may read a text in several passes: its
 * pages stay until it is read. Only pooling looks at more than one row, in ascending order, so a
 * vector depends on its text alone. */
#include "engine/embedder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/room.h"
#include "base/threads.h"
#include "device/open.h"
#include "engine/engine_int.h"
#include "model/hparams.h"
#include "model/model.h"
#include "model/profile.h"
#include "numeric/func.h"
#include "numeric/reduce.h"
#include "tensor/half.h"

enum {
    CONTEXT_DEFAULT = 8192,
    ROWS_PER_THREAD = 128,
    ROWS_LEAST = 256,
    ROWS_MOST = 2048,
    LEFT_PART = 32
};

/* Rows [from, to) of a text in a pass. */
struct span {
    size_t text;
    uint32_t from, to;
};

struct iso_embedder {
    struct device *device;
    struct model *model;
    const char *isa;
    int n_threads;
    bool is_fast; /* as an engine's */
    uint32_t n_rows, n_dims, n_pages;
    uint32_t n_fill; /* a pass takes no more texts from here on; its first may be longer */
    enum iso_pooling pooling;
    bool normalize;

    /* One pass. A page for every 64 positions of each text. */
    int32_t *token;         /* [n_rows] */
    uint8_t *type, *bad;    /* [n_rows] */
    struct kv_row *rows;    /* [n_rows] */
    struct kv_row *seen;    /* [n_rows] */
    uint32_t *logit_rows;   /* [n_rows] */
    float *hidden;          /* [n_rows, n_embd] */
    float *pooled, *scores; /* [n_rows, n_embd], [n_rows, n_labels]: of cross-encoders */
    struct span *spans;     /* [n_rows] */
    void **bases;           /* [n_pages] */
    uint8_t *memory;        /* pages, the device's */
    size_t n_bytes_memory;
    struct iso_memory gpu;

    struct iso_embedder_options options; /* with their defaults */
    const struct table *weights;

    struct table *table;
    void (*table_free)(struct table *table);
};

_Static_assert((int)ISO_POOLING_MEAN == POOLING_MEAN && (int)ISO_POOLING_RANK == POOLING_RANK,
               "poolings are GGUF's numbers");

const char *iso_pooling_text(enum iso_pooling pooling)
{
    static const char *const names[] = {"model", "mean", "cls", "last", "rank"};
    CHECK((size_t)pooling < COUNT_OF(names));
    return names[pooling];
}

void iso_normalize(float *x, size_t n)
{
    float sum = reduce_sum_squares(x, n);
    if (!(sum >= 0x1p-100f && sum <= 0x1p100f))
        return;
    float r = num_rsqrt(sum);
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] * r;
}

float iso_cosine(const float *a, const float *b, size_t n)
{
    return reduce_dot(a, b, n);
}

float iso_probability(float score)
{
    return num_sigmoid(score);
}

/* ---- opening ---- */

static int threads_of(const struct iso_embedder_options *o)
{
    return o->n_threads > 0 ? o->n_threads : threads_online();
}

static enum err open_device(const struct iso_embedder_options *o, struct device **d,
                            struct err_note *note)
{
    const struct device_choice choice = {o->gpu, o->n_bytes_gpu, threads_of(o), o->isa};
    return device_open(&choice, d, note);
}

/* n_fill: rows up to which texts join a pass. A few for each thread stay in its nearest cache from
 * one operation to the next. */
static enum err fill_options(struct iso_embedder_options *o, const struct model_info *info,
                             const char *path, uint32_t *n_fill, struct err_note *note)
{
    if (o->n_ctx == 0)
        o->n_ctx = info->n_ctx_train < CONTEXT_DEFAULT ? info->n_ctx_train : CONTEXT_DEFAULT;
    if (o->n_rows == 0) {
        uint32_t n = ROWS_PER_THREAD * (uint32_t)threads_of(o);
        o->n_rows = n < ROWS_LEAST ? ROWS_LEAST : n > ROWS_MOST ? ROWS_MOST : n;
    }
    *n_fill = o->n_rows;
    if (info->is_encoder && o->n_rows < o->n_ctx)
        o->n_rows = o->n_ctx;
    if (o->pooling == ISO_POOLING_MODEL)
        o->pooling = info->pooling      ? (enum iso_pooling)info->pooling
                     : info->is_encoder ? ISO_POOLING_MEAN
                                        : ISO_POOLING_LAST;
    if (o->pooling == ISO_POOLING_RANK && info->n_labels == 0)
        return err_set(note, ERR_UNSUPPORTED,
                       "%s has no head that ranks (tensor cls.output.weight)", path);
    if ((unsigned)o->pooling > ISO_POOLING_RANK || o->n_rows > 1u << 20)
        return err_set(note, ERR_USAGE, "pooling %d, %u rows in a pass", (int)o->pooling,
                       o->n_rows);
    return ERR_OK;
}

static enum err out_of_memory(struct err_note *note)
{
    return err_set(note, ERR_MEMORY, "out of memory for an embedder");
}

/* The longest text, and some that fill a fraction of their last page: texts of 8 tokens and more
 * find their pages in any pass. */
static uint32_t pages_of(uint32_t n_ctx, uint32_t n_rows)
{
    return n_ctx / KV_PAGE + 1 + n_rows / 8;
}

static enum err open_pages(struct iso_embedder *e, struct err_note *note)
{
    void *memory;
    enum err rc =
        e->device->ops->mem_take(e->device, e->n_bytes_memory, "texts' pages", &memory, note);
    if (rc)
        return rc;
    e->memory = memory;
    for (uint32_t i = 0; i < e->n_pages; i++)
        e->bases[i] = e->memory + i * model_info(e->model)->kv_page_bytes;
    return ERR_OK;
}

static enum err open_scratch(struct iso_embedder *e, struct err_note *note)
{
    const struct model_info *info = model_info(e->model);
    size_t n = e->n_rows;
    bool rank = e->pooling == ISO_POOLING_RANK;
    e->n_pages = pages_of(info->n_ctx, e->n_rows);
    e->token = mem_array(n, sizeof *e->token);
    e->type = mem_array(n, sizeof *e->type);
    e->bad = mem_array(n, sizeof *e->bad);
    e->rows = mem_array(n, sizeof *e->rows);
    e->seen = mem_array(n, sizeof *e->seen);
    e->logit_rows = mem_array(n, sizeof *e->logit_rows);
    e->hidden = mem_array(n * info->n_embd, sizeof *e->hidden);
    e->pooled = mem_array(rank ? n * info->n_embd : 1, sizeof *e->pooled);
    e->scores = mem_array(rank ? n * info->n_labels : 1, sizeof *e->scores);
    e->spans = mem_array(n, sizeof *e->spans);
    e->bases = mem_array(e->n_pages, sizeof *e->bases);
    if (!e->token || !e->type || !e->bad || !e->rows || !e->seen || !e->logit_rows || !e->hidden ||
        !e->pooled || !e->scores || !e->spans || !e->bases ||
        !mul_ok(e->n_pages, info->kv_page_bytes, &e->n_bytes_memory))
        return out_of_memory(note);
    return open_pages(e, note);
}

/* No logits but a cross-encoder's. */
static struct model_limits limits_of(const struct iso_embedder_options *o, bool is_fast)
{
    return (struct model_limits){.n_rows_max = o->n_rows,
                                 .n_ctx_max = o->n_ctx,
                                 .n_logits_max = 1,
                                 .is_fast = is_fast};
}

/* What the model takes, and what everything takes beside its matrices. */
static enum err find_needs(const struct table *t, struct device *d,
                           const struct iso_embedder_options *o, bool is_fast,
                           struct model_needs *needs, uint64_t *n_bytes, struct err_note *note)
{
    enum err rc = model_needs_find(t, d, limits_of(o, is_fast), needs, note);
    if (rc)
        return rc;
    const struct model_info *info = &needs->info;
    *n_bytes = needs->own.scratch_bytes + needs->own.vector_bytes +
               (uint64_t)pages_of(info->n_ctx, o->n_rows) * info->kv_page_bytes +
               (uint64_t)o->n_rows * info->n_embd * sizeof(float);
    return ERR_OK;
}

enum err embedder_needs(const struct table *t, const struct iso_embedder_options *options,
                        uint64_t *n_bytes, struct err_note *note)
{
    struct iso_embedder_options o = options ? *options : (struct iso_embedder_options){0};
    struct model_needs needs;
    struct device *d;
    uint32_t n_fill;
    bool is_fast;
    enum err rc = model_plan(t, (struct model_limits){.n_rows_max = 1}, &needs.info, note);
    if (!rc)
        rc = fill_options(&o, &needs.info, t->path, &n_fill, note);
    if (!rc)
        rc = open_device(&o, &d, note);
    if (rc)
        return rc;
    rc = profile_choose(o.profile, t, d, &is_fast, note);
    rc = rc ? rc : find_needs(t, d, &o, is_fast, &needs, n_bytes, note);
    if (!d->ops->host_memory)
        *n_bytes = 0;
    else if (!rc)
        *n_bytes += needs.own.packed_bytes;
    d->ops->close(d);
    return rc;
}

static enum err open_model(struct iso_embedder *e, const struct table *t,
                           const struct iso_embedder_options *o, struct err_note *note)
{
    struct err_note said = {""};
    struct model_needs needs;
    uint64_t taken;
    size_t n_all = 0;
    bool is_fast;
    enum err rc = profile_choose(o->profile, t, e->device, &is_fast, &said);
    if (rc)
        return err_set(note, rc, "%s", said.text);
    profile_begin(e->device, is_fast, &said, o->notice, o->notice_context);
    struct model_limits limits = limits_of(o, is_fast);
    rc = find_needs(t, e->device, o, is_fast, &needs, &taken, note);
    if (rc)
        return rc;
    e->is_fast |= is_fast;
    size_t room = !e->device->ops->host_memory ? e->device->ops->mem_left(e->device, &n_all)
                  : o->n_bytes_memory          ? o->n_bytes_memory
                                               : mem_room_find().n_bytes;
    size_t usable = room - room / LEFT_PART;
    if (taken > usable)
        return err_set(note, ERR_MEMORY,
                       "%s: texts of %u tokens and passes of %u rows take %.2f GiB beside the "
                       "weights, %.2f GiB is available",
                       t->path, needs.info.n_ctx, o->n_rows, (double)taken / 0x1p30,
                       (double)usable / 0x1p30);
    e->gpu = (struct iso_memory){0};
    if (!e->device->ops->host_memory)
        e->gpu = (struct iso_memory){
            .n_bytes = usable,
            .n_bytes_context = n_all - room,
            .n_bytes_weights = needs.own.packed_bytes + needs.own.vector_bytes,
            .n_bytes_cache = taken - needs.own.vector_bytes - needs.own.scratch_bytes,
            .n_bytes_working = needs.own.scratch_bytes};
    if (needs.own.packed_bytes > usable - taken)
        limits.packed_bytes_max = usable - taken + 1;
    return model_open(t, e->device, limits, o->progress, o->progress_context, &e->model, note);
}

static enum err open_parts(struct iso_embedder *e, const struct table *t, struct device *device,
                           struct iso_embedder_options *o, struct err_note *note)
{
    struct model_info info;
    enum err rc = model_plan(t, (struct model_limits){.n_rows_max = 1}, &info, note);
    if (!rc)
        rc = fill_options(o, &info, t->path, &e->n_fill, note);
    e->device = device;
    if (!rc && !device->ops->host_memory && o->n_gpu_layers && o->n_gpu_layers < info.n_layers)
        rc = err_set(note, ERR_UNSUPPORTED,
                     "%s: %u of its %u layers cannot be on %s alone: vectors are computed on one "
                     "device",
                     t->path, o->n_gpu_layers, info.n_layers, device->ops->name);
    if (rc)
        return rc;
    e->n_threads = threads_of(o);
    e->isa = o->isa ? o->isa : cpu_isa_best();
    e->n_rows = o->n_rows;
    e->pooling = o->pooling;
    e->normalize = !o->no_normalize && o->pooling != ISO_POOLING_RANK;
    e->n_dims = o->pooling == ISO_POOLING_RANK ? info.n_labels : info.n_embd;
    e->options = *o;
    e->options.progress = NULL; /* when the CPU takes over its context may be gone */
    e->weights = t;
    rc = open_model(e, t, o, note);
    return rc ? rc : open_scratch(e, note);
}

/* What lies on the device, and the device. */
static void close_device(struct iso_embedder *e)
{
    if (e->memory)
        e->device->ops->mem_give(e->device, e->memory, e->n_bytes_memory);
    if (e->model)
        model_close(e->model);
    if (e->device)
        e->device->ops->close(e->device);
    e->memory = NULL;
    e->model = NULL;
    e->device = NULL;
}

enum err embedder_suits(const struct table *t, bool *suits, struct err_note *note)
{
    struct model_info info = {0};
    enum err rc = model_plan(t, (struct model_limits){.n_rows_max = 1}, &info, note);
    *suits = !rc && (info.is_encoder || info.pooling != POOLING_NONE);
    return rc;
}

enum err embedder_open(const struct table *t, const struct iso_embedder_options *options,
                       struct iso_embedder **embedder, struct err_note *note)
{
    struct iso_embedder_options o = options ? *options : (struct iso_embedder_options){0};
    struct device *device;
    *embedder = NULL;
    enum err rc = open_device(&o, &device, note);
    return rc ? rc : embedder_open_on(t, &o, device, embedder, note);
}

enum err embedder_open_on(const struct table *t, const struct iso_embedder_options *options,
                          struct device *device, struct iso_embedder **embedder,
                          struct err_note *note)
{
    struct iso_embedder_options o = options ? *options : (struct iso_embedder_options){0};
    struct iso_embedder *e = mem_zalloc(sizeof *e);
    *embedder = NULL;
    if (!e && device)
        device->ops->close(device);
    if (!e)
        return out_of_memory(note);
    enum err rc = open_parts(e, t, device, &o, note);
    if (rc)
        iso_embedder_close(e);
    else
        *embedder = e;
    return rc;
}

void embedder_own(struct iso_embedder *e, struct table *table,
                  void (*table_free)(struct table *table))
{
    e->table = table;
    e->table_free = table_free;
}

void iso_embedder_close(struct iso_embedder *e)
{
    if (!e)
        return;
    mem_free(e->token);
    mem_free(e->type);
    mem_free(e->bad);
    mem_free(e->rows);
    mem_free(e->seen);
    mem_free(e->logit_rows);
    mem_free(e->hidden);
    mem_free(e->pooled);
    mem_free(e->scores);
    mem_free(e->spans);
    mem_free(e->bases);
    close_device(e);
    if (e->table)
        e->table_free(e->table);
    mem_free(e);
}

struct iso_embedder_info iso_embedder_info(const struct iso_embedder *e)
{
    const struct model_info *m = model_info(e->model);
    return (struct iso_embedder_info){
        .arch = m->arch,
        .arithmetic = engine_arithmetic(e->is_fast),
        .isa = e->isa,
        .device = e->device->ops->name,
        .n_threads = e->n_threads,
        .n_vocab = m->n_vocab,
        .n_layers = m->n_layers,
        .n_ctx = m->n_ctx,
        .n_ctx_train = m->n_ctx_train,
        .n_rows = e->n_fill,
        .n_dims = e->n_dims,
        .pooling = e->pooling,
        .is_encoder = m->is_encoder,
        .n_types = m->n_types,
        .n_params = m->n_params,
        .n_bytes_weights = m->weight_bytes,
        .gpu = e->gpu,
    };
}

/* ---- a pass ---- */

static enum err check_texts(const struct iso_embedder *e, const struct iso_text *texts,
                            size_t n_texts, struct err_note *note)
{
    const struct model_info *info = model_info(e->model);
    for (size_t i = 0; i < n_texts; i++) {
        const struct iso_text *x = &texts[i];
        if (x->n_tokens == 0)
            return err_set(note, ERR_USAGE, "text %zu has no tokens", i);
        if (x->n_tokens > info->n_ctx)
            return err_set(note, ERR_LIMIT, "text %zu has %u tokens; at most %u fit", i,
                           x->n_tokens, info->n_ctx);
        if (x->n_first > 0 && x->n_first < x->n_tokens && info->n_types < 2)
            return err_set(note, ERR_UNSUPPORTED,
                           "text %zu has tokens of a second kind; this model knows one kind", i);
        for (uint32_t k = 0; k < x->n_tokens; k++)
            if (x->tokens[k] < 0 || (uint32_t)x->tokens[k] >= info->n_vocab)
                return err_set(note, ERR_USAGE,
                               "token %d of text %zu is not in the vocabulary of %u", x->tokens[k],
                               i, info->n_vocab);
    }
    return ERR_OK;
}

/* The rows of one span behind those that the pass has; page: the text's first. */
static void add_span(struct iso_embedder *e, const struct iso_text *x, const struct span *s,
                     uint32_t row, uint32_t page)
{
    for (uint32_t p = s->from; p < s->to; p++, row++) {
        e->token[row] = x->tokens[p];
        e->type[row] = x->n_first > 0 && p >= x->n_first;
        e->rows[row] = (struct kv_row){.pages = e->bases + page, .position = p};
        e->seen[row] = (struct kv_row){.pages = e->bases + page, .position = x->n_tokens - 1};
        e->logit_rows[row] = row;
    }
}

/* As many texts from *text on as fit; *at: how much of the first is read already. Returns the
 * number of spans. */
static uint32_t fill_pass(struct iso_embedder *e, const struct iso_text *texts, size_t n_texts,
                          size_t text, uint32_t at, uint32_t *n_rows)
{
    uint32_t n = 0, page = 0;
    bool whole = model_info(e->model)->is_encoder;
    *n_rows = 0;
    for (; text < n_texts && *n_rows < e->n_fill; text++, at = 0) {
        const struct iso_text *x = &texts[text];
        uint32_t room = (n ? e->n_fill : e->n_rows) - *n_rows, left = x->n_tokens - at;
        uint32_t n_pages = (x->n_tokens + KV_PAGE - 1) / KV_PAGE;
        if (n > 0 && (left > room || n_pages > e->n_pages - page))
            break;
        CHECK(left <= room || !whole);
        struct span s = {text, at, at + (left < room ? left : room)};
        add_span(e, x, &s, *n_rows, page);
        e->spans[n++] = s;
        *n_rows += s.to - s.from;
        page += n_pages;
    }
    return n;
}

static void run_pass(struct iso_embedder *e, uint32_t n_rows)
{
    struct encode_batch encode = {n_rows, e->token, e->type, e->rows, e->seen, e->hidden, e->bad};
    struct batch b = {.n_rows = n_rows,
                      .token = e->token,
                      .rows = e->rows,
                      .logit_rows = e->logit_rows,
                      .n_logits = n_rows,
                      .hidden = e->hidden,
                      .bad = e->bad};
    if (model_info(e->model)->is_encoder)
        model_encode(e->model, &encode);
    else
        model_forward(e->model, &b);
    e->device->ops->wait(e->device);
}

static bool is_lost(const struct iso_embedder *e)
{
    return e->device->ops->status(e->device, NULL) != ERR_OK;
}

static bool is_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!f32_is_finite(x[i]))
            return false;
    return true;
}

/* A span's rows join its text's vector x [n_embd], zeros before the first. */
static void pool(const struct iso_embedder *e, const struct iso_text *text, const struct span *s,
                 const float *rows, float *x)
{
    uint32_t d = model_info(e->model)->n_embd, n = s->to - s->from;
    bool ends = s->to == text->n_tokens;
    if (e->pooling == ISO_POOLING_MEAN) {
        float per_n = num_recip((float)text->n_tokens);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t k = 0; k < d; k++)
                x[k] = x[k] + rows[(size_t)i * d + k];
        for (uint32_t k = 0; ends && k < d; k++)
            x[k] = x[k] * per_n;
    } else if (e->pooling == ISO_POOLING_LAST) {
        if (ends)
            memcpy(x, rows + (size_t)(n - 1) * d, d * sizeof *x);
    } else if (s->from == 0) {
        memcpy(x, rows, d * sizeof *x);
    }
}

/* The vector of a text that has a value that is not finite is NaN from then on. */
static void spoil(const struct iso_embedder *e, float *x)
{
    for (uint32_t k = 0; k < e->n_dims; k++)
        x[k] = NAN;
}

static void take_vectors(struct iso_embedder *e, const struct iso_text *texts, uint32_t n_spans,
                         float *out)
{
    size_t d = model_info(e->model)->n_embd, row = 0;
    for (uint32_t i = 0; i < n_spans; i++) {
        const struct span *s = &e->spans[i];
        const struct iso_text *text = &texts[s->text];
        float *x = out + s->text * e->n_dims;
        const float *rows = e->hidden + row * d;
        size_t n = s->to - s->from;
        bool ok = is_finite(rows, n * d);
        for (size_t k = 0; k < n; k++)
            ok &= e->bad[row + k] == 0;
        row += n;
        if (!ok)
            spoil(e, x);
        if (isnan(x[0]))
            continue;
        pool(e, text, s, rows, x);
        if (e->normalize && s->to == text->n_tokens)
            iso_normalize(x, e->n_dims);
    }
}

/* A cross-encoder's: the first rows go through its head. */
static void take_scores(struct iso_embedder *e, uint32_t n_spans, float *out)
{
    size_t d = model_info(e->model)->n_embd, row = 0;
    for (uint32_t i = 0; i < n_spans; i++) {
        memcpy(e->pooled + i * d, e->hidden + row * d, d * sizeof *e->pooled);
        e->bad[i] = e->bad[row]; /* i <= row: it is read already */
        row += e->spans[i].to;
    }
    model_rank(e->model, e->pooled, n_spans, e->scores, e->bad);
    for (uint32_t i = 0; i < n_spans; i++) {
        float *x = out + e->spans[i].text * e->n_dims;
        memcpy(x, e->scores + (size_t)i * e->n_dims, e->n_dims * sizeof *x);
        if (e->bad[i])
            spoil(e, x);
    }
}

/* Vectors of texts, pass after pass; as far as the device goes. */
static void embed_all(struct iso_embedder *e, const struct iso_text *texts, size_t n_texts,
                      float *out)
{
    size_t text = 0;
    uint32_t at = 0, n_rows;
    memset(out, 0, n_texts * e->n_dims * sizeof *out);
    while (text < n_texts && !is_lost(e)) {
        uint32_t n = fill_pass(e, texts, n_texts, text, at, &n_rows);
        run_pass(e, n_rows);
        if (e->pooling == ISO_POOLING_RANK)
            take_scores(e, n, out);
        else
            take_vectors(e, texts, n, out);
        const struct span *last = &e->spans[n - 1];
        bool ends = last->to == texts[last->text].n_tokens;
        text = last->text + ends;
        at = ends ? 0 : last->to;
    }
}

/* The CPU goes on where the device is lost. On error all is as before. */
static enum err fall_back(struct iso_embedder *e, struct err_note *note)
{
    struct iso_embedder lost = *e;
    struct err_note why = {""}, failed = {""};
    char text[sizeof why.text + 128];
    lost.device->ops->status(lost.device, &why);
    struct iso_embedder_options o = e->options;
    o.profile = NULL; /* the CPU has one */
    snprintf(text, sizeof text, "%s is lost (%s); the CPU goes on, %s", lost.device->ops->name,
             why.text, e->is_fast ? ENGINE_GOES_ON_EXACT : "with the same vectors");
    e->memory = NULL;
    e->model = NULL;
    e->device = NULL;
    enum err rc = cpu_device_open(e->n_threads, e->isa, &e->device, &failed);
    if (!rc)
        rc = open_model(e, e->weights, &o, &failed);
    if (!rc)
        rc = open_pages(e, &failed);
    if (rc) {
        close_device(e);
        *e = lost;
        return err_set(note, rc, "%s is lost (%.200s), and the CPU cannot go on: %.200s",
                       e->device->ops->name, why.text, failed.text);
    }
    close_device(&lost);
    if (e->options.notice)
        e->options.notice(e->options.notice_context, text);
    return ERR_OK;
}

enum iso_err iso_embed(struct iso_embedder *e, const struct iso_text *texts, size_t n_texts,
                       float *out, struct iso_note *note)
{
    enum err rc = check_texts(e, texts, n_texts, note_of(note));
    if (rc)
        return (enum iso_err)rc;
    embed_all(e, texts, n_texts, out);
    if (is_lost(e)) {
        rc = fall_back(e, note_of(note));
        if (rc)
            return (enum iso_err)rc;
        embed_all(e, texts, n_texts, out);
    }
    for (size_t i = 0; i < n_texts; i++)
        if (isnan(out[i * e->n_dims]))
            return (enum iso_err)err_set(note_of(note), ERR_NUMERIC,
                                         "a value that is not finite appeared in text %zu; the "
                                         "weights are damaged, or the model overflows",
                                         i);
    return ISO_OK;
}
