/* forward.c - one pass: a batch of rows through every layer.
 *
 * Each row is computed as if it were alone: operations work row by row, and a row meets others only
 * through the cache. In the last layer rows whose logits nobody wants stop once their keys and
 * values are written (unless a tap looks). */
#include <string.h>

#include "base/check.h"
#include "model/model_int.h"

/* The rows at work: all of a batch, later perhaps some of them. */
struct rows {
    uint32_t n;
    const struct kv_row *kv; /* [n] */
    bool has_out;            /* s.out is still to be added to s.x, which the next norm does */
    const float *out_norm;   /* s.out's own norm first, or NULL */
    uint32_t n_noted;        /* layers whose bad rows are on record */
};

void model_operand(struct model *m, const float *x, size_t stride, uint32_t n_rows, uint32_t n_cols,
                   uint8_t *bad)
{
    m->operand = (struct operand){x, stride, n_rows, n_cols, bad, {false}};
}

uint32_t model_operand_made(struct model *m, const struct matrix *const *matrix, uint64_t slots,
                            struct acts acts[ACT_KINDS])
{
    struct operand *o = &m->operand;
    uint32_t n = 0;
    for (int i = 0; i < LAYER_SLOT_COUNT; i++) {
        if (!(slots >> i & 1) || !matrix[i])
            continue;
        enum act_kind kind = model_act_kind(m, matrix[i]->dtype, matrix[i]->n_cols);
        if (!o->ready[kind])
            acts[n++] = (struct acts){kind, o->n_rows, o->n_cols, m->s.acts[kind]};
        o->ready[kind] = true;
    }
    return n;
}

void model_look_up(struct model *m, enum global_slot slot, uint32_t n, float scale, float *y)
{
    const struct tensor_view *v = m->w.global[slot];
    m->device->ops->embed(m->device, v->dtype, m->looked_up[slot], m->h.n_embd, m->s.token, n,
                          scale, y, m->h.n_embd);
}

void model_multiply(struct model *m, const struct matrix *w, const float *bias, float *y,
                    size_t stride)
{
    struct operand *o = &m->operand;
    enum act_kind kind = model_act_kind(m, w->dtype, w->n_cols);
    struct acts acts = {kind, o->n_rows, o->n_cols, m->s.acts[kind]};
    if (!o->ready[kind])
        m->device->ops->quantize(m->device, o->x, o->stride, &acts, o->bad);
    o->ready[kind] = true;
    m->device->ops->matmul(m->device, w, &acts, bias, y, stride);
}

void model_tell(const struct model *m, int layer, const char *op, const float *x, size_t stride,
                uint32_t n_rows, uint32_t n)
{
    if (!m->tap.fn || n_rows == 0)
        return;
    m->device->ops->wait(m->device);
    if (!model_shares(m)) {
        size_t n_floats = (n_rows - 1) * stride + n;
        m->device->ops->get(m->device, m->host.tapped, x, n_floats * sizeof *x);
        x = m->host.tapped;
    }
    m->tap.fn(m->tap.context, layer, op, x, stride, n_rows, n);
}

/* x += what the last block made; then the norm of x, as operand of a layer's matrices in slots. */
static void norm(struct model *m, struct rows *r, const float *w,
                 const struct matrix *const *matrix, uint64_t slots, bool is_kept)
{
    size_t d = m->h.n_embd;
    struct acts acts[ACT_KINDS];
    model_operand(m, m->s.normed, d, r->n, m->h.n_embd, m->s.bad);
    struct norm_args a = {.x = m->s.x,
                          .add = r->has_out ? m->s.out : NULL,
                          .add_norm = r->has_out ? r->out_norm : NULL,
                          .w = w,
                          .eps = m->norm_eps,
                          .y = m->s.normed,
                          .keeps_y = is_kept || m->tap.fn,
                          .stride_x = d,
                          .stride_add = d,
                          .stride_y = d,
                          .n_rows = r->n,
                          .n = m->h.n_embd,
                          .acts = acts,
                          .n_acts = model_operand_made(m, matrix, slots, acts),
                          .bad = m->s.bad};
    m->device->ops->norm(m->device, &a);
    r->has_out = false;
}

/* The same addition by itself, where somebody looks at x before the next norm. */
static void add_out(struct model *m, struct rows *r)
{
    size_t d = m->h.n_embd;
    struct norm_args a = {.x = m->s.out,
                          .w = r->out_norm,
                          .eps = m->norm_eps,
                          .y = m->s.out,
                          .keeps_y = true,
                          .stride_x = d,
                          .stride_y = d,
                          .n_rows = r->n,
                          .n = m->h.n_embd};
    if (!r->has_out)
        return;
    if (r->out_norm)
        m->device->ops->norm(m->device, &a);
    m->device->ops->add(m->device, m->s.x, d, m->s.out, d, r->n, m->h.n_embd, 1.0f);
    r->has_out = false;
}

/* A block's output stands in s.out, which has its own norm where the architecture says so. */
static void end_block(const struct model *m, struct rows *r, const float *post_norm)
{
    r->has_out = true;
    r->out_norm = m->h.post_norms ? post_norm : NULL;
}

void model_qkv(struct model *m, uint32_t layer, uint32_t n)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    size_t stride = q + 2 * kv;
    float *qkv = m->s.qkv;
    const struct {
        enum layer_slot matrix, bias;
        float *to;
    } products[] = {{SLOT_ATTN_QKV, SLOT_ATTN_QKV_BIAS, qkv},
                    {SLOT_ATTN_Q, SLOT_ATTN_Q_BIAS, qkv},
                    {SLOT_ATTN_K, SLOT_ATTN_K_BIAS, qkv + q},
                    {SLOT_ATTN_V, SLOT_ATTN_V_BIAS, qkv + q + kv}};
    for (size_t i = 0; i < COUNT_OF(products); i++) /* a matrix may hold its neighbours too */
        if (l->matrix[products[i].matrix])
            model_multiply(m, l->matrix[products[i].matrix], l->vector[products[i].bias],
                           products[i].to, stride);
    model_tell(m, (int)layer, "qkv", qkv, stride, n, (uint32_t)stride);
}

void model_kv_write(struct model *m, uint32_t layer, const struct kv_row *rows, uint32_t n,
                    size_t layer_offset)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    size_t stride = q + 2 * kv;
    int set = m->two_ropes && h->windowed[layer];
    struct kv_write_args a = {.q = m->s.qkv,
                              .k = m->s.qkv + q,
                              .v = m->s.qkv + q + kv,
                              .stride_q = stride,
                              .stride_k = stride,
                              .stride_v = stride,
                              .q_norm = l->vector[SLOT_ATTN_Q_NORM],
                              .k_norm = l->vector[SLOT_ATTN_K_NORM],
                              .eps = m->norm_eps,
                              .n_rot = m->w.global[SLOT_POSITION_EMBD] ? 0 : h->n_rot,
                              .interleaved = h->rope_interleaved,
                              .cos = m->s.cos[set],
                              .sin = m->s.sin[set],
                              .rows = rows,
                              .n_rows = n,
                              .n_heads = h->n_heads,
                              .shape = {h->n_kv_heads, h->head_size},
                              .layer_offset = layer_offset,
                              .bad = m->s.bad};
    m->device->ops->kv_write(m->device, &a);
    if (a.n_rot)
        model_tell(m, (int)layer, "qk_rope", m->s.qkv, stride, n, (uint32_t)(q + kv));
}

/* Queries, keys and values of every row, rotated; keys and values into the cache. */
static void make_qkv(struct model *m, uint32_t layer, struct rows *r)
{
    const struct layer *l = &m->layers[layer];
    norm(m, r, l->vector[SLOT_ATTN_NORM], l->matrix, SLOTS_ATTN_IN, false);
    model_tell(m, (int)layer, "attn_norm", m->s.normed, m->h.n_embd, r->n, m->h.n_embd);
    model_qkv(m, layer, r->n);
    model_kv_write(m, layer, r->kv, r->n, model_kv_offset(m, layer));
}

static void attend(struct model *m, uint32_t layer, struct rows *r)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    struct attention_args a = {m->s.qkv,
                               m->s.attn,
                               q + 2 * kv,
                               q,
                               r->kv,
                               r->n,
                               h->n_heads,
                               {h->n_kv_heads, h->head_size},
                               model_kv_offset(m, layer),
                               hparams_window(h, layer),
                               m->attn_scale,
                               m->attn_softcap,
                               l->vector[SLOT_ATTN_SINKS],
                               m->s.bad};
    m->device->ops->attention(m->device, &a);
    model_tell(m, (int)layer, "attn", m->s.attn, q, r->n, (uint32_t)q);
    model_operand(m, m->s.attn, q, r->n, (uint32_t)q, m->s.bad);
    model_multiply(m, l->matrix[SLOT_ATTN_OUT], l->vector[SLOT_ATTN_OUT_BIAS], m->s.out, h->n_embd);
    model_tell(m, (int)layer, "attn_out", m->s.out, h->n_embd, r->n, h->n_embd);
    end_block(m, r, l->vector[SLOT_ATTN_POST_NORM]);
}

void model_glu(struct model *m, uint32_t layer, bool is_gated, uint32_t n)
{
    size_t f = m->h.n_ff;
    float *gate = m->s.ff, *up = gate + f;
    struct acts acts[ACT_KINDS];
    model_operand(m, gate, 2 * f, n, m->h.n_ff, m->s.bad);
    struct glu_args a = {
        .fn = m->h.act,
        .gate = gate,
        .up = is_gated ? up : m->s.ones,
        .y = gate,
        .keeps_y = m->tap.fn,
        .stride_gate = 2 * f,
        .stride_up = is_gated ? 2 * f : 0,
        .stride_y = 2 * f,
        .n_rows = n,
        .n = m->h.n_ff,
        .acts = acts,
        .n_acts = model_operand_made(m, m->layers[layer].matrix, SLOT_BIT(FFN_DOWN), acts),
        .bad = m->s.bad};
    m->device->ops->glu(m->device, &a);
    model_tell(m, (int)layer, "glu", gate, 2 * f, n, m->h.n_ff);
}

/* A layer's mixture of experts of s.normed, the operand, into s.out. */
static void ask_experts(struct model *m, uint32_t layer, uint32_t n)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    struct experts_args a = {.shape = m->experts,
                             .logits = m->s.router,
                             .is_normed = h->expert_weights_norm,
                             .fn = h->act,
                             .gate = l->matrix[SLOT_MOE_GATE],
                             .up = l->matrix[SLOT_MOE_UP],
                             .down = l->matrix[SLOT_MOE_DOWN],
                             .gate_bias = l->vector[SLOT_MOE_GATE_BIAS],
                             .up_bias = l->vector[SLOT_MOE_UP_BIAS],
                             .down_bias = l->vector[SLOT_MOE_DOWN_BIAS],
                             .x = m->s.normed,
                             .out = m->s.out,
                             .stride_x = h->n_embd,
                             .stride_out = h->n_embd,
                             .scratch = m->s.experts,
                             .bad = m->s.bad};
    a.shape.n_rows = n;
    model_multiply(m, l->matrix[SLOT_MOE_ROUTER], l->vector[SLOT_MOE_ROUTER_BIAS], m->s.router,
                   h->n_experts);
    model_tell(m, (int)layer, "router", m->s.router, h->n_experts, n, h->n_experts);
    m->device->ops->experts(m->device, &a);
}

static void feed_forward(struct model *m, uint32_t layer, struct rows *r)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t f = h->n_ff, d = h->n_embd;
    norm(m, r, l->vector[h->ffn_norm], l->matrix, SLOTS_FFN_IN, l->matrix[SLOT_MOE_ROUTER] != NULL);
    model_tell(m, (int)layer, "ffn_norm", m->s.normed, d, r->n, h->n_embd);
    if (l->matrix[SLOT_MOE_ROUTER]) {
        ask_experts(m, layer, r->n);
    } else {
        float *gate = m->s.ff, *up = gate + f;
        if (l->matrix[SLOT_FFN_GATE_UP]) {
            model_multiply(m, l->matrix[SLOT_FFN_GATE_UP], NULL, gate, 2 * f);
        } else {
            model_multiply(m, l->matrix[SLOT_FFN_GATE], l->vector[SLOT_FFN_GATE_BIAS], gate, 2 * f);
            if (l->matrix[SLOT_FFN_UP]) /* else the gate's matrix holds it */
                model_multiply(m, l->matrix[SLOT_FFN_UP], l->vector[SLOT_FFN_UP_BIAS], up, 2 * f);
        }
        model_tell(m, (int)layer, "gate_up", gate, 2 * f, r->n, 2 * h->n_ff);
        model_glu(m, layer, true, r->n);
        model_multiply(m, l->matrix[SLOT_FFN_DOWN], l->vector[SLOT_FFN_DOWN_BIAS], m->s.out, d);
    }
    model_tell(m, (int)layer, "ffn_out", m->s.out, d, r->n, h->n_embd);
    end_block(m, r, l->vector[SLOT_FFN_POST_NORM]);
}

/* Where the bad rows of a batch are put on record, for the device to write. */
static uint8_t *first_bad(const struct model *m, const struct batch *b)
{
    return model_shares(m) ? b->bad : m->s.first_bad;
}

/* A row's first layer that was not finite goes on record, of those not looked at so far and below
 * `end`, the last of which is the one at work; the logits count as one more. */
static void note_bad(const struct model *m, const struct batch *b, struct rows *r, uint32_t end)
{
    uint32_t n_marks = end - r->n_noted;
    m->device->ops->note_bad(m->device, first_bad(m, b), m->s.origin,
                             m->s.bad - (size_t)(n_marks - 1) * r->n, r->n, n_marks,
                             (uint8_t)(r->n_noted + 1));
    r->n_noted = end;
}

static bool all_wanted(const struct batch *b)
{
    return b->n_logits == b->n_rows;
}

/* Only rows whose logits are wanted go on, in layer n_noted: they move to the front of every array
 * in use, and start as good ones once those that are bad are on record. */
static void keep_wanted(struct model *m, const struct batch *b, struct rows *r, uint32_t n_noted)
{
    const struct device_ops *ops = m->device->ops;
    size_t d = m->h.n_embd, n = b->n_logits;
    size_t stride = (size_t)(m->h.n_heads + 2 * m->h.n_kv_heads) * m->h.head_size;
    if (all_wanted(b))
        return;
    note_bad(m, b, r, m->h.n_layers);
    r->n_noted = n_noted;
    r->n = b->n_logits;
    r->kv = m->host.kv;
    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = b->logit_rows[i]; /* ascending, so never below i */
        CHECK(from >= i && from < b->n_rows);
        m->host.origin[i] = from;
        m->host.kv[i] = b->rows[from];
        m->host.mirrors[i] = m->host.mirrors[from];
    }
    ops->keep_rows(m->device, m->s.x, d, m->h.n_embd, b->logit_rows, r->n);
    ops->keep_rows(m->device, m->s.qkv, stride, (uint32_t)stride, b->logit_rows, r->n);
    ops->zero(m->device, m->s.bad, 2 * n); /* of this layer, and of the logits */
    model_put(m, m->s.origin, m->host.origin, n * sizeof *m->s.origin);
    ops->rows(m->device, r->kv, r->n);
}

/* Made once, by the lower layers where there are any elsewhere. */
static void fill_angles(struct model *m, const struct batch *b)
{
    size_t pairs = m->h.n_rot / 2, n_bytes = b->n_rows * pairs * sizeof(float);
    const struct host_scratch *host = m->lower ? &m->lower->host : &m->host;
    for (int set = 0; set <= m->two_ropes; set++) {
        for (uint32_t t = 0; !m->lower && t < b->n_rows; t++)
            rope_exact_angles(&m->rope[set], b->rows[t].position, b->rope_far && b->rope_far[t],
                              m->host.cos[set] + t * pairs, m->host.sin[set] + t * pairs);
        model_put(m, m->s.cos[set], host->cos[set], n_bytes);
        model_put(m, m->s.sin[set], host->sin[set], n_bytes);
    }
}

static float *logits_of(const struct model *m, const struct batch *b)
{
    return model_shares(m) ? b->logits : m->s.logits;
}

static void make_logits(struct model *m, const struct batch *b, struct rows *r)
{
    uint32_t v = m->h.n_vocab;
    float *logits = logits_of(m, b);
    norm(m, r, m->output_norm, &m->head, b->logits != NULL, b->hidden != NULL);
    model_tell(m, -1, "output_norm", m->s.normed, m->h.n_embd, r->n, m->h.n_embd);
    if (!b->logits)
        return;
    model_multiply(m, m->head, NULL, logits, v);
    m->device->ops->logits(m->device, logits, v, r->n, v, m->final_softcap, m->s.bad);
    model_tell(m, -1, "logits", logits, v, r->n, v);
    if (b->sample) {
        struct sample_args a = {logits,       v,          r->n,     v,
                                m->s.sample,  m->s.edits, m->s.bad, m->s.changed,
                                m->s.results, m->s.token};
        m->device->ops->sample(m->device, &a);
    }
}

/* The first layer's rows: tokens', and those that are none of a text as they are. */
static void take_input(struct model *m, const struct batch *b)
{
    size_t d = m->h.n_embd;
    model_look_up(m, SLOT_TOKEN_EMBD, b->n_rows, m->embd_scale, m->s.x);
    for (uint32_t t = 0; b->input && t < b->n_rows; t++)
        if (b->input[t])
            m->device->ops->put(m->device, m->s.x + t * d, b->input[t], d * sizeof *m->s.x);
    model_tell(m, -1, "embd", m->s.x, m->h.n_embd, b->n_rows, m->h.n_embd);
}

/* A layer's mirrors on a device that cannot read them where they lie: each once for rows side by
 * side. */
static void put_mirrors(struct model *m, uint32_t layer, uint32_t n)
{
    size_t d = m->h.n_embd;
    const float *device[64];
    float *to = m->s.mirror_rows;
    for (uint32_t t0 = 0; t0 < n; t0 += COUNT_OF(device)) {
        uint32_t n_now = n - t0 < COUNT_OF(device) ? n - t0 : (uint32_t)COUNT_OF(device);
        for (uint32_t i = 0; i < n_now; i++) {
            const float *mirror = m->host.mirrors[t0 + i];
            bool again = i > 0 && mirror == m->host.mirrors[t0 + i - 1];
            device[i] = again ? device[i - 1] : mirror ? to : NULL;
            if (!mirror || again)
                continue;
            m->device->ops->put(m->device, to, mirror + layer * d, d * sizeof *to);
            to += d;
        }
        m->device->ops->put(m->device, m->s.mirrors + t0, device, n_now * sizeof *device);
    }
}

static void reflect(struct model *m, uint32_t layer, const struct batch *b, const struct rows *r)
{
    size_t d = m->h.n_embd;
    if (!b->mirrors)
        return;
    if (!model_shares(m))
        put_mirrors(m, layer, r->n);
    m->device->ops->reflect(m->device, m->s.x, d, m->s.mirrors, model_shares(m) ? layer * d : 0,
                            r->n, m->h.n_embd);
    model_tell(m, (int)layer, "reflected", m->s.x, d, r->n, m->h.n_embd);
}

/* What the device needs to know of the batch before the first operation. */
static void begin(struct model *m, const struct batch *b)
{
    const struct device_ops *ops = m->device->ops;
    size_t n = b->n_rows;
    CHECK(!m->h.is_encoder && n > 0 && n <= m->n_rows_max);
    CHECK(b->n_logits <= n && (!b->logits || b->n_logits <= m->n_logits_max));
    for (uint32_t t = 0; t < n; t++) {
        CHECK(b->token ? b->token[t] >= 0 && (uint32_t)b->token[t] < m->h.n_vocab
                       : b->sample && n <= MODEL_AHEAD_ROWS);
        CHECK(b->rows[t].position < m->info.n_ctx);
        CHECK(!m->info.rope_border || b->rows[t].position < m->info.rope_border ||
              (b->rope_far && b->rope_far[t]));
        m->host.origin[t] = t;
        m->host.mirrors[t] = b->mirrors ? b->mirrors[t] : NULL;
    }
    if (m->lower) {
        ops->put(m->device, m->s.x, m->lower->s.x, n * m->h.n_embd * sizeof *m->s.x);
    } else if (b->token) {
        memcpy(m->host.token, b->token, n * sizeof *b->token);
        model_put(m, m->s.token, m->host.token, n * sizeof *b->token);
    }
    model_put(m, m->s.origin, m->host.origin, n * sizeof *m->s.origin);
    fill_angles(m, b);
    ops->rows(m->device, b->rows, b->n_rows);
    if (b->sample) {
        CHECK(!model_shares(m) && b->logits && b->n_edits <= m->n_logits_max * MODEL_EDITS);
        model_put(m, m->s.sample, b->sample, b->n_logits * sizeof *b->sample);
        model_put(m, m->s.edits, b->edits, b->n_edits * sizeof *b->edits);
    }
}

static void compute(struct model *m, const struct batch *b)
{
    struct rows r = {.n = b->n_rows, .kv = b->rows, .n_noted = m->from};
    uint32_t n_layers = m->h.n_layers;
    bool early = !m->tap.fn, goes_on = !model_has_head(m);
    m->s.bad = m->s.bads;
    m->device->ops->zero(m->device, m->s.bads, (m->to - m->from + 1) * (size_t)b->n_rows);
    m->device->ops->zero(m->device, first_bad(m, b), b->n_rows);
    if (!m->lower)
        take_input(m, b);
    for (uint32_t i = m->from; i < m->to; i++) {
        make_qkv(m, i, &r);
        if (i + 1 == n_layers && early)
            keep_wanted(m, b, &r, i);
        if (r.n == 0)
            return;
        attend(m, i, &r);
        feed_forward(m, i, &r);
        if (m->tap.fn || b->mirrors || (goes_on && i + 1 == m->to))
            add_out(m, &r);
        model_tell(m, (int)i, "x", m->s.x, m->h.n_embd, r.n, m->h.n_embd);
        reflect(m, i, b, &r);
        if (i + 1 < m->to)
            m->s.bad += r.n;
    }
    if (goes_on && m->to > m->from)
        note_bad(m, b, &r, m->to);
    if (goes_on)
        return;
    if (!early)
        keep_wanted(m, b, &r, n_layers);
    if (r.n == 0)
        return;
    if (r.n_noted < n_layers)
        m->s.bad += r.n;
    make_logits(m, b, &r);
    note_bad(m, b, &r, n_layers + 1);
}

/* Passes of few rows, all of whose logits are wanted, are the same operations whatever the rows
 * are; but where the host looks at what is between them, or puts something there. */
enum { PASS_ROWS_MAX = 256 };

static bool may_repeat(const struct model *m, const struct batch *b)
{
    return !m->tap.fn && !b->input && !b->mirrors && all_wanted(b) && b->n_rows <= PASS_ROWS_MAX;
}

static uint64_t pass_key(const struct model *m, const struct batch *b)
{
    return (uint64_t)(uintptr_t)m << 16 ^ (uint64_t)(b->logits != NULL) << 15 ^
           (uint64_t)(b->hidden != NULL) << 14 ^ (uint64_t)(b->sample != NULL) << 13 ^ b->n_rows;
}

/* Rows of logits, as many at once as lie side by side. */
static void get_logits(const struct model *m, const struct batch *b)
{
    size_t v = m->h.n_vocab;
    for (uint32_t i = 0, end; i < b->n_logits; i = end) {
        bool stays = b->stays && b->stays[i];
        for (end = i + 1; end < b->n_logits; end++)
            if ((b->stays && b->stays[end]) != stays)
                break;
        if (!stays)
            model_get(m, b->logits + i * v, logits_of(m, b) + i * v,
                      (end - i) * v * sizeof *b->logits);
    }
}

/* Tokens, and with them what is bad: from first_bad on. */
static size_t result_bytes(const struct model *m, const struct batch *b)
{
    return (size_t)((uint8_t *)m->s.results - m->s.first_bad) + b->n_logits * sizeof *b->results;
}

static void get_results(const struct model *m, const struct batch *b)
{
    size_t n_bytes = result_bytes(m, b);
    if (n_bytes <= FETCH_BYTES)
        m->device->ops->fetched(m->device, b->turn, m->host.first_bad, n_bytes);
    else
        model_get(m, m->host.first_bad, m->s.first_bad, n_bytes);
    memcpy(b->bad, m->host.first_bad, b->n_rows);
    memcpy(b->results, m->host.results, b->n_logits * sizeof *b->results);
}

void model_collect(struct model *m, const struct batch *b)
{
    if (b->hidden)
        model_get(m, b->hidden, m->s.normed, b->n_logits * m->h.n_embd * sizeof *b->hidden);
    if (b->logits)
        get_logits(m, b);
    if (b->sample)
        get_results(m, b);
    else
        model_get(m, b->bad, first_bad(m, b), b->n_rows);
    for (uint32_t t = 0; m->lower && t < b->n_rows; t++)
        if (m->host.lower_bad[t])
            b->bad[t] = m->host.lower_bad[t];
}

/* The layers that lie elsewhere, of all rows; their bad ones go on as others do. */
static void forward_lower(struct model *m, const struct batch *b)
{
    const struct batch lower = {.n_rows = b->n_rows,
                                .token = b->token,
                                .rows = b->lower_rows,
                                .n_logits = b->n_rows,
                                .rope_far = b->rope_far,
                                .bad = m->host.lower_bad,
                                .input = b->input,
                                .mirrors = b->mirrors};
    model_forward(m->lower, &lower);
}

void model_submit(struct model *m, const struct batch *b)
{
    const struct device_ops *ops = m->device->ops;
    if (m->lower)
        forward_lower(m, b);
    begin(m, b);
    if (!may_repeat(m, b)) {
        compute(m, b);
    } else if (!ops->pass_begin(m->device, pass_key(m, b))) {
        compute(m, b);
        ops->pass_end(m->device);
    }
    if (b->sample && result_bytes(m, b) <= FETCH_BYTES)
        ops->fetch(m->device, b->turn, m->s.first_bad, result_bytes(m, b));
}

void model_forward(struct model *m, const struct batch *b)
{
    model_submit(m, b);
    model_collect(m, b);
}
