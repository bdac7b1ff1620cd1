/* model.c - a model's life: open, what it needs, close. */
#include "model/model.h"

#include <string.h>

#include "base/check.h"
#include "model/arch.h"
#include "model/model_int.h"
#include "numeric/fixed.h"

static void fill_info(const struct model *m, struct model_limits limits, struct model_info *info)
{
    const struct hparams *h = &m->h;
    *info = (struct model_info){
        .arch = h->arch->name,
        .n_vocab = h->n_vocab,
        .n_ctx_train = h->n_ctx_train,
        .n_ctx = limits.n_ctx_max ? limits.n_ctx_max : h->n_ctx_train,
        .n_layers = h->n_layers,
        .n_embd = h->n_embd,
        .n_heads = h->n_heads,
        .n_kv_heads = h->n_kv_heads,
        .head_size = h->head_size,
        .is_encoder = h->is_encoder,
        .pooling = h->pooling,
        .n_labels = h->n_labels,
        .n_types = h->n_types,
        .n_params = m->w.n_params,
        .is_fast = limits.is_fast,
    };
    struct kv_shape shape = {h->n_kv_heads, h->head_size};
    /* An encoder's pages hold one layer at a time. */
    info->kv_page_bytes = (h->is_encoder ? 1 : m->to - m->from) * kv_layer_bytes(shape);
    info->kv_lower_bytes = m->from * kv_layer_bytes(shape);
    info->kv_file_bytes =
        (size_t)h->n_layers * KV_PAGE * h->n_kv_heads * (4 * (size_t)h->head_size + 12);
    info->window_max = h->window;
    for (uint32_t i = 0; i < h->n_layers; i++)
        if (!h->windowed[i])
            info->window_max = 0;
    if (h->rope.scaling == ROPE_SCALING_LONGROPE)
        info->rope_border = h->rope.n_ctx_orig;
}

static enum err read(const struct table *t, struct model_limits limits, struct hparams *h,
                     struct weights *w, struct err_note *note)
{
    if (limits.n_ctx_max > CONTEXT_MAX)
        return err_set(note, ERR_USAGE, "a context of %u positions; at most %d", limits.n_ctx_max,
                       CONTEXT_MAX);
    enum err rc = hparams_read(t, h, note);
    if (rc == ERR_OK && h->is_encoder && limits.n_ctx_max > h->n_ctx_train)
        rc = err_set(note, ERR_USAGE, "%s: a context of %u positions; this model has %u", t->path,
                     limits.n_ctx_max, h->n_ctx_train);
    if (rc == ERR_OK && h->is_encoder && limits.lower)
        rc = err_set(note, ERR_UNSUPPORTED, "%s: an encoder lies on one device", t->path);
    CHECK(rc || !limits.lower || limits.n_lower < h->n_layers);
    return rc ? rc : weights_bind(t, h, w, note);
}

enum err model_plan(const struct table *t, struct model_limits limits, struct model_info *info,
                    struct err_note *note)
{
    struct model m = {0};
    enum err rc = read(t, limits, &m.h, &m.w, note);
    if (rc)
        return rc;
    m.to = m.h.n_layers;
    fill_info(&m, limits, info);
    for (size_t i = 0; i < t->n_tensors; i++)
        info->weight_bytes += t->tensors[i].n_bytes;
    weights_release(&m.w);
    return ERR_OK;
}

static void set_limits(struct model *m, struct model_limits limits)
{
    m->n_rows_max = limits.n_rows_max;
    m->n_logits_max = limits.n_logits_max ? limits.n_logits_max : limits.n_rows_max;
    m->is_fast = limits.is_fast;
}

/* ---- scratch ---- */

/* Cuts one region into arrays; with base NULL it only counts. */
struct cutter {
    uint8_t *base;
    size_t at;
};

enum { CUT = 256 }; /* what a device's reads are aligned to */

static void *cut(struct cutter *c, size_t count, size_t size)
{
    void *out = c->base ? c->base + c->at : NULL;
    c->at += (count * size + CUT - 1) / CUT * CUT;
    return out;
}

static void acts_size(const struct model *m, const struct tensor_view *v, size_t n_bytes[ACT_KINDS])
{
    struct device *d = m->device;
    if (!v)
        return;
    enum act_kind kind = model_act_kind(m, v->dtype, (uint32_t)v->dim[0]);
    size_t n = d->ops->acts_bytes(d, kind, m->n_rows_max, (uint32_t)v->dim[0]);
    if (n > n_bytes[kind])
        n_bytes[kind] = n;
}

/* Bytes of quantised rows, the largest that any matrix of a kind needs. */
static void acts_sizes(const struct model *m, size_t n_bytes[ACT_KINDS])
{
    memset(n_bytes, 0, ACT_KINDS * sizeof *n_bytes);
    const struct tensor_view *const heads[] = {weights_head(&m->h, &m->w), m->w.global[SLOT_CLS],
                                               m->w.global[SLOT_CLS_OUT]};
    for (size_t i = 0; model_has_head(m) && i < COUNT_OF(heads); i++)
        acts_size(m, heads[i], n_bytes);
    for (uint32_t i = m->from; i < m->to; i++)
        for (int s = 0; s < LAYER_SLOT_COUNT; s++)
            if (!layer_slot_info((enum layer_slot)s)->is_vector && !(SLOTS_EXPERTS >> s & 1))
                acts_size(m, m->w.layers[i].slot[s], n_bytes);
}

/* Bit act_kind for each of the matrices in these slots of any layer. */
static uint32_t kinds_of(const struct model *m, uint64_t slots)
{
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < m->h.n_layers; i++)
        for (int s = 0; s < LAYER_SLOT_COUNT; s++)
            if (slots >> s & 1 && m->w.layers[i].slot[s])
                kinds |= 1u << act_kind_of(m->w.layers[i].slot[s]->dtype);
    return kinds;
}

static struct experts_shape experts_shape(const struct model *m)
{
    return (struct experts_shape){
        .n_rows = m->n_rows_max,
        .n_experts = m->h.n_experts,
        .n_used = m->h.n_experts_used,
        .n_embd = m->h.n_embd,
        .n_ff = m->h.n_ff_expert,
        .kinds_in = kinds_of(m, SLOT_BIT(MOE_GATE) | SLOT_BIT(MOE_UP)),
        .kinds_down = kinds_of(m, SLOT_BIT(MOE_DOWN)),
    };
}

/* Where the host's memory is the device's, an array of both is cut once. */
#define CUT_BOTH(d, h, shares, mine, its, count)                                                   \
    do {                                                                                           \
        (mine) = cut(d, count, sizeof *(mine));                                                    \
        (its) = (shares) ? (mine) : cut(h, count, sizeof *(its));                                  \
    } while (0)

/* For tokens that the device chooses. */
static void lay_out_sampling(struct model *m, struct cutter *d, struct cutter *h)
{
    struct scratch *s = &m->s;
    size_t n = m->n_logits_max;
    s->results = cut(d, n, sizeof *s->results);
    m->host.results = cut(h, n, sizeof *m->host.results);
    s->sample = cut(d, n, sizeof *s->sample);
    s->edits = cut(d, n * MODEL_EDITS, sizeof *s->edits);
    s->changed = cut(d, sample_work_floats(n, m->h.n_vocab), sizeof *s->changed);
}

/* Both sides of what a device with memory of its own hands over. */
static void lay_out_apart(struct model *m, struct cutter *d, struct cutter *h)
{
    const struct hparams *p = &m->h;
    struct scratch *s = &m->s;
    size_t t = m->n_rows_max, f = p->n_ff;
    size_t n_logits = p->is_encoder ? t * p->n_labels : (size_t)m->n_logits_max * p->n_vocab;
    size_t n_qkv = (size_t)(p->n_heads + 2 * p->n_kv_heads) * p->head_size;
    size_t n_row = n_qkv > 2 * f ? n_qkv : 2 * f, n_tapped = t * (n_row + p->n_experts + p->n_embd);
    s->logits = cut(d, n_logits, sizeof *s->logits);
    s->first_bad = cut(d, t, sizeof *s->first_bad);
    m->host.first_bad = cut(h, t, sizeof *m->host.first_bad);
    if (!p->is_encoder)
        lay_out_sampling(m, d, h);
    s->mirror_rows = cut(d, t * p->n_embd, sizeof *s->mirror_rows);
    s->digests = cut(d, m->to - m->from, sizeof *s->digests);
    m->host.page = cut(h, m->info.kv_page_bytes, 1);
    m->host.tapped = cut(h, n_tapped > n_logits ? n_tapped : n_logits, sizeof *m->host.tapped);
}

static void lay_out(struct model *m, struct cutter *d, struct cutter *h)
{
    const struct hparams *p = &m->h;
    struct scratch *s = &m->s;
    size_t t = m->n_rows_max, n = p->n_embd, q = (size_t)p->n_heads * p->head_size;
    size_t kv = (size_t)p->n_kv_heads * p->head_size, f = p->n_ff;
    size_t acts[ACT_KINDS];
    bool shares = model_shares(m);
    s->x = cut(d, t * n, sizeof *s->x);
    s->normed = cut(d, t * n, sizeof *s->normed);
    s->out = cut(d, t * n, sizeof *s->out);
    s->qkv = cut(d, t * (q + 2 * kv), sizeof *s->qkv);
    s->attn = cut(d, t * q, sizeof *s->attn);
    s->ff = cut(d, t * 2 * f, sizeof *s->ff);
    for (int i = 0; i < 2; i++) {
        CUT_BOTH(d, h, shares, s->cos[i], m->host.cos[i], t * (p->n_rot / 2));
        CUT_BOTH(d, h, shares, s->sin[i], m->host.sin[i], t * (p->n_rot / 2));
    }
    CUT_BOTH(d, h, shares, s->token, m->host.token, t);
    CUT_BOTH(d, h, shares, s->origin, m->host.origin, t);
    CUT_BOTH(d, h, shares, s->mirrors, m->host.mirrors, t);
    s->bads = cut(d, t * (m->to - m->from + 1), sizeof *s->bads);
    s->bad = s->bads;
    m->host.kv = cut(h, 2 * t, sizeof *m->host.kv);
    if (m->lower)
        m->host.lower_bad = cut(h, t, sizeof *m->host.lower_bad);
    acts_sizes(m, acts);
    for (int k = 0; k < ACT_KINDS; k++)
        s->acts[k] = cut(d, acts[k], 1);
    if (p->is_encoder)
        s->ones = cut(d, f, sizeof *s->ones);
    if (p->n_experts) {
        m->experts = experts_shape(m);
        s->router = cut(d, t * p->n_experts, sizeof *s->router);
        s->experts = cut(d, m->device->ops->experts_bytes(m->device, &m->experts), 1);
    }
    if (!shares)
        lay_out_apart(m, d, h);
}

static enum err make_ones(struct model *m, struct err_note *note)
{
    float *ones = m->h.is_encoder ? mem_array(m->h.n_ff, sizeof *ones) : NULL;
    if (!m->h.is_encoder)
        return ERR_OK;
    if (!ones)
        return err_set(note, ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; i < m->h.n_ff; i++)
        ones[i] = 1.0f;
    m->device->ops->put(m->device, m->s.ones, ones, m->h.n_ff * sizeof *ones);
    mem_free(ones);
    return ERR_OK;
}

static enum err make_scratch(struct model *m, const struct table *t, struct err_note *note)
{
    struct cutter d = {NULL, 0}, h = {NULL, 0};
    void *memory;
    lay_out(m, &d, &h);
    enum err rc = m->device->ops->mem_take(m->device, d.at, "a forward pass", &memory, note);
    if (rc)
        return err_wrap(note, rc, "%s, %u rows", t->path, m->n_rows_max);
    m->memory = memory;
    m->n_memory = d.at;
    m->n_host_memory = h.at;
    m->host_memory = mem_pages(h.at);
    if (!m->host_memory)
        return err_set(note, ERR_MEMORY, "%s: out of memory for %u rows", t->path, m->n_rows_max);
    d = (struct cutter){m->memory, 0};
    h = (struct cutter){m->host_memory, 0};
    lay_out(m, &d, &h);
    return make_ones(m, note);
}

/* Of the layers on limits.lower. */
static struct model_limits lower_limits(struct model_limits limits)
{
    limits.is_fast = false;
    return limits;
}

static struct device_needs needs_of(struct model *m, struct model_limits limits)
{
    struct cutter device = {NULL, 0}, host = {NULL, 0};
    set_limits(m, limits);
    lay_out(m, &device, &host);
    return (struct device_needs){.packed_bytes = model_packed_bytes(m),
                                 .vector_bytes = model_vector_bytes(m),
                                 .scratch_bytes = device.at + (model_shares(m) ? host.at : 0)};
}

enum err model_needs_find(const struct table *t, struct device *d, struct model_limits limits,
                          struct model_needs *needs, struct err_note *note)
{
    struct model m = {.device = d};
    enum err rc = read(t, limits, &m.h, &m.w, note);
    if (rc)
        return rc;
    struct model lower = {.device = limits.lower, .h = m.h, .w = m.w, .to = limits.n_lower};
    m.to = m.h.n_layers;
    if (limits.lower) {
        m.lower = &lower;
        m.from = limits.n_lower;
    }
    *needs = (struct model_needs){.own = needs_of(&m, limits)};
    if (limits.lower)
        needs->lower = needs_of(&lower, lower_limits(limits));
    fill_info(&m, limits, &needs->info);
    for (size_t i = 0; i < t->n_tensors; i++)
        needs->info.weight_bytes += t->tensors[i].n_bytes;
    weights_release(&m.w);
    return ERR_OK;
}

/* ---- constants ---- */

static bool same_rope(const struct rope_params *a, const struct rope_params *b)
{
    return a->scaling == b->scaling && a->theta == b->theta && a->factor == b->factor &&
           a->magnitude == b->magnitude;
}

static void make_constants(struct model *m)
{
    const struct hparams *h = &m->h;
    struct kv_shape shape = {h->n_kv_heads, h->head_size};
    m->kv_layer_bytes = kv_layer_bytes(shape);
    m->two_ropes = h->window && !same_rope(&h->rope, &h->rope_windowed);
    m->norm_eps = fx_to_f32(fx_f64(h->norm_eps));
    m->attn_softcap = fx_to_f32(fx_f64(h->attn_softcap));
    m->final_softcap = fx_to_f32(fx_f64(h->final_softcap));
    m->attn_scale =
        fx_to_f32(h->attn_scale != 0.0 ? fx_f64(h->attn_scale)
                                       : fx_div(fx_int(1), fx_sqrt(fx_int(h->attn_scale_dim))));
    m->embd_scale = h->embd_scaled ? fx_to_f32(fx_sqrt(fx_int(h->n_embd))) : 1.0f;
}

/* Layers [from, to) of it, above those of lower, which is closed with it and on error. */
static enum err open_layers(const struct table *t, struct device *d, struct model_limits limits,
                            struct model *lower, uint32_t from, uint32_t to,
                            void (*progress)(void *context, uint64_t done, uint64_t total),
                            void *context, struct model **model, struct err_note *note)
{
    struct model *m = mem_zalloc(sizeof *m);
    if (!m) {
        model_close(lower);
        return err_set(note, ERR_MEMORY, "%s: out of memory", t->path);
    }
    m->device = d;
    m->lower = lower;
    m->from = from;
    set_limits(m, limits);
    arena_init(&m->arena, SIZE_MAX);
    enum err rc = read(t, limits, &m->h, &m->w, note);
    if (rc == ERR_OK) {
        m->to = to < m->h.n_layers ? to : m->h.n_layers;
        fill_info(m, limits, &m->info);
        make_constants(m);
        rc = model_load(m, t, limits.packed_bytes_max, progress, context, note);
    }
    if (rc == ERR_OK)
        rc = make_scratch(m, t, note);
    if (rc) {
        model_close(m);
        return rc;
    }
    *model = m;
    return ERR_OK;
}

enum err model_open(const struct table *t, struct device *d, struct model_limits limits,
                    void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                    struct model **model, struct err_note *note)
{
    struct model *lower = NULL;
    struct model_limits own = limits;
    *model = NULL;
    CHECK(limits.n_rows_max > 0);
    if (limits.lower) {
        CHECK(limits.lower->ops->host_memory);
        own.packed_bytes_max = 0;
        enum err rc = open_layers(t, limits.lower, lower_limits(limits), NULL, 0, limits.n_lower,
                                  progress, context, &lower, note);
        if (rc)
            return rc;
    }
    enum err rc = open_layers(t, d, own, lower, limits.lower ? limits.n_lower : 0, LAYERS_MAX,
                              progress, context, model, note);
    if (rc == ERR_OK && lower) {
        (*model)->info.weight_bytes += lower->info.weight_bytes;
        (*model)->info.raw_bytes += lower->info.raw_bytes;
    }
    return rc;
}

void model_shed(struct model *m)
{
    model_close(m->lower);
    m->lower = NULL;
}

void model_close(struct model *m)
{
    if (!m)
        return;
    const struct device_ops *ops = m->device->ops;
    model_close(m->lower);
    if (m->memory)
        ops->mem_give(m->device, m->memory, m->n_memory);
    if (m->packed)
        ops->mem_give(m->device, m->packed, m->n_packed);
    if (m->vectors)
        ops->mem_give(m->device, m->vectors, m->n_vectors);
    mem_pages_free(m->host_memory, m->n_host_memory);
    arena_release(&m->arena);
    weights_release(&m->w);
    mem_free(m->layers);
    mem_free(m);
}

const struct model_info *model_info(const struct model *m)
{
    return &m->info;
}

void model_set_tap(struct model *m, struct model_tap tap)
{
    m->tap = tap;
    if (m->lower)
        m->lower->tap = tap;
}

size_t model_products(const struct model *m, struct model_product *out, size_t n_max)
{
    size_t n = m->lower ? model_products(m->lower, out, n_max) : 0;
    for (uint32_t i = m->from; i < m->to; i++)
        for (int s = 0; s < LAYER_SLOT_COUNT; s++) {
            const struct matrix *w = m->layers[i].matrix[s];
            if (w && n < n_max) {
                uint32_t n_alike = (uint32_t)m->w.layers[i].slot[s]->dim[2];
                uint32_t n_used = n_alike > 1 ? m->h.n_experts_used : 1;
                out[n] = (struct model_product){w, n_alike, n_used, false};
            }
            n += w != NULL;
        }
    if (m->head && n < n_max)
        out[n] = (struct model_product){m->head, 1, 1, true};
    return n + (m->head != NULL);
}

size_t model_cache_bytes(const struct model *m, uint32_t n_positions)
{
    size_t n_bytes = 0;
    for (uint32_t i = 0; i < m->h.n_layers; i++) {
        uint32_t window = hparams_window(&m->h, i), n = n_positions;
        if (window && window < n)
            n = window;
        n_bytes += n * (m->kv_layer_bytes / KV_PAGE);
    }
    return n_bytes;
}

/* One side's layers of a page. */
static uint8_t *export_own(const struct model *m, const void *part, uint8_t *out)
{
    struct kv_shape shape = {m->h.n_kv_heads, m->h.head_size};
    const uint8_t *from = part;
    if (!model_shares(m)) {
        m->device->ops->get(m->device, m->host.page, part, m->info.kv_page_bytes);
        from = m->host.page;
    }
    for (uint32_t i = m->from; i < m->to; i++)
        out += kv_export(from + model_kv_offset(m, i), shape, KV_PAGE, out);
    return out;
}

static const uint8_t *import_own(const struct model *m, void *part, const uint8_t *in)
{
    struct kv_shape shape = {m->h.n_kv_heads, m->h.head_size};
    uint8_t *to = model_shares(m) ? part : m->host.page;
    for (uint32_t i = m->from; i < m->to; i++)
        in += kv_import(to + model_kv_offset(m, i), shape, KV_PAGE, in);
    model_put(m, part, to, m->info.kv_page_bytes);
    return in;
}

static void digest_own(const struct model *m, const void *part, uint8_t (*digests)[SHA256_BYTES])
{
    struct kv_shape shape = {m->h.n_kv_heads, m->h.head_size};
    uint8_t (*to)[SHA256_BYTES] = model_shares(m) ? digests : m->s.digests;
    uint32_t n = m->to - m->from;
    if (n == 0)
        return;
    m->device->ops->kv_digest(m->device, part, shape, n, to);
    model_get(m, digests, to, n * sizeof digests[0]);
    m->device->ops->wait(m->device);
}

void model_kv_export(const struct model *m, struct model_page page, uint8_t *out)
{
    if (m->lower)
        out = export_own(m->lower, page.lower, out);
    export_own(m, page.own, out);
}

void model_kv_import(const struct model *m, struct model_page page, const uint8_t *in)
{
    if (m->lower)
        in = import_own(m->lower, page.lower, in);
    import_own(m, page.own, in);
}

bool model_kv_plausible(const struct model *m, const uint8_t *in)
{
    struct kv_shape shape = {m->h.n_kv_heads, m->h.head_size};
    size_t n_layer = m->info.kv_file_bytes / m->h.n_layers;
    for (uint32_t i = 0; i < m->h.n_layers; i++)
        if (!kv_plausible(shape, KV_PAGE, in + i * n_layer))
            return false;
    return true;
}

void model_kv_digest(const struct model *m, struct model_page page, uint8_t digest[SHA256_BYTES])
{
    uint8_t layers[LAYERS_MAX][SHA256_BYTES] = {{0}};
    if (m->lower)
        digest_own(m->lower, page.lower, layers);
    digest_own(m, page.own, layers + m->from);
    sha256_of(layers, m->h.n_layers * sizeof layers[0], digest);
}
