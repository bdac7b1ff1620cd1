/* forward.c - one pass of the exact profile: a batch of rows through every layer.
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
};

void model_operand(struct model *m, const float *x, size_t stride, uint32_t n_rows, uint32_t n_cols,
                   uint8_t *bad)
{
    m->operand = (struct operand){x, stride, n_rows, n_cols, bad, {false}};
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
    enum act_kind kind = act_kind_of(w->dtype);
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

static void norm(struct model *m, const float *x, const float *w, float *y, uint32_t n)
{
    size_t d = m->h.n_embd;
    m->device->ops->rmsnorm(m->device, x, d, w, m->norm_eps, n, m->h.n_embd, y, d);
}

/* Per-head norm of n_heads neighbouring heads: few calls, whichever way the rows lie. */
static void norm_heads(struct model *m, float *x, size_t stride, const float *w, uint32_t n_heads,
                       uint32_t n)
{
    const struct device_ops *ops = m->device->ops;
    uint32_t e = m->h.head_size;
    for (uint32_t t = 0; n <= n_heads && t < n; t++)
        ops->rmsnorm(m->device, x + t * stride, e, w, m->norm_eps, n_heads, e, x + t * stride, e);
    for (uint32_t i = 0; n > n_heads && i < n_heads; i++)
        ops->rmsnorm(m->device, x + i * e, stride, w, m->norm_eps, n, e, x + i * e, stride);
}

/* x += block output, after its own norm where the architecture has one. */
static void add_block(struct model *m, const float *post_norm, uint32_t n)
{
    size_t d = m->h.n_embd;
    if (m->h.post_norms)
        norm(m, m->s.out, post_norm, m->s.out, n);
    m->device->ops->add(m->device, m->s.x, d, m->s.out, d, n, m->h.n_embd, 1.0f);
}

void model_qkv(struct model *m, uint32_t layer, const float *x, uint32_t n)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    size_t stride = q + 2 * kv;
    float *qkv = m->s.qkv;
    model_operand(m, x, h->n_embd, n, h->n_embd, m->s.bad);
    if (l->matrix[SLOT_ATTN_QKV]) {
        model_multiply(m, l->matrix[SLOT_ATTN_QKV], l->vector[SLOT_ATTN_QKV_BIAS], qkv, stride);
    } else {
        model_multiply(m, l->matrix[SLOT_ATTN_Q], l->vector[SLOT_ATTN_Q_BIAS], qkv, stride);
        model_multiply(m, l->matrix[SLOT_ATTN_K], l->vector[SLOT_ATTN_K_BIAS], qkv + q, stride);
        model_multiply(m, l->matrix[SLOT_ATTN_V], l->vector[SLOT_ATTN_V_BIAS], qkv + q + kv,
                       stride);
    }
    model_tell(m, (int)layer, "qkv", qkv, stride, n, (uint32_t)stride);
}

void model_rope(struct model *m, uint32_t layer, uint32_t n)
{
    const struct hparams *h = &m->h;
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    int set = m->two_ropes && h->windowed[layer];
    struct rope_args rope = {m->s.qkv,
                             q + 2 * kv,
                             n,
                             h->n_heads + h->n_kv_heads,
                             h->head_size,
                             h->n_rot,
                             h->rope_interleaved,
                             m->s.cos[set],
                             m->s.sin[set]};
    m->device->ops->rope(m->device, &rope);
    model_tell(m, (int)layer, "qk_rope", m->s.qkv, q + 2 * kv, n, (uint32_t)(q + kv));
}

/* Queries, keys and values of every row, rotated; keys and values into the cache. */
static void make_qkv(struct model *m, uint32_t layer, const struct rows *r)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    size_t stride = q + 2 * kv;
    float *qkv = m->s.qkv;
    norm(m, m->s.x, l->vector[SLOT_ATTN_NORM], m->s.normed, r->n);
    model_tell(m, (int)layer, "attn_norm", m->s.normed, h->n_embd, r->n, h->n_embd);
    model_qkv(m, layer, m->s.normed, r->n);
    if (l->vector[SLOT_ATTN_Q_NORM]) {
        norm_heads(m, qkv, stride, l->vector[SLOT_ATTN_Q_NORM], h->n_heads, r->n);
        norm_heads(m, qkv + q, stride, l->vector[SLOT_ATTN_K_NORM], h->n_kv_heads, r->n);
    }
    model_rope(m, layer, r->n);
    struct kv_write_args write = {qkv + q,
                                  qkv + q + kv,
                                  stride,
                                  stride,
                                  r->kv,
                                  r->n,
                                  {h->n_kv_heads, h->head_size},
                                  layer * m->kv_layer_bytes,
                                  m->s.bad};
    m->device->ops->kv_write(m->device, &write);
}

static void attend(struct model *m, uint32_t layer, const struct rows *r)
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
                               layer * m->kv_layer_bytes,
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
    add_block(m, l->vector[SLOT_ATTN_POST_NORM], r->n);
}

static void feed_forward(struct model *m, uint32_t layer, const struct rows *r)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t f = h->n_ff, d = h->n_embd;
    norm(m, m->s.x, l->vector[h->ffn_norm], m->s.normed, r->n);
    model_tell(m, (int)layer, "ffn_norm", m->s.normed, d, r->n, h->n_embd);
    if (l->matrix[SLOT_MOE_ROUTER]) {
        model_experts(m, l, layer, r->n);
    } else {
        float *gate = m->s.ff, *up = gate + f;
        model_operand(m, m->s.normed, d, r->n, h->n_embd, m->s.bad);
        if (l->matrix[SLOT_FFN_GATE_UP]) {
            model_multiply(m, l->matrix[SLOT_FFN_GATE_UP], NULL, gate, 2 * f);
        } else {
            model_multiply(m, l->matrix[SLOT_FFN_GATE], l->vector[SLOT_FFN_GATE_BIAS], gate, 2 * f);
            model_multiply(m, l->matrix[SLOT_FFN_UP], l->vector[SLOT_FFN_UP_BIAS], up, 2 * f);
        }
        model_tell(m, (int)layer, "gate_up", gate, 2 * f, r->n, 2 * h->n_ff);
        m->device->ops->glu(m->device, h->act, gate, 2 * f, up, 2 * f, r->n, h->n_ff, gate, 2 * f);
        model_tell(m, (int)layer, "glu", gate, 2 * f, r->n, h->n_ff);
        model_operand(m, gate, 2 * f, r->n, h->n_ff, m->s.bad);
        model_multiply(m, l->matrix[SLOT_FFN_DOWN], l->vector[SLOT_FFN_DOWN_BIAS], m->s.out, d);
    }
    model_tell(m, (int)layer, "ffn_out", m->s.out, d, r->n, h->n_embd);
    add_block(m, l->vector[SLOT_FFN_POST_NORM], r->n);
    model_tell(m, (int)layer, "x", m->s.x, d, r->n, h->n_embd);
}

/* Where the bad rows of a batch are put on record, for the device to write. */
static uint8_t *first_bad(const struct model *m, const struct batch *b)
{
    return model_shares(m) ? b->bad : m->s.first_bad;
}

/* A row's first layer that was not finite stays on record. */
static void note_bad(const struct model *m, const struct batch *b, const struct rows *r, uint32_t i)
{
    m->device->ops->note_bad(m->device, first_bad(m, b), m->s.origin, m->s.bad, r->n,
                             (uint8_t)(i + 1));
}

static bool all_wanted(const struct batch *b)
{
    return b->n_logits == b->n_rows;
}

/* Only rows whose logits are wanted go on: they move to the front of every array in use. Those that
 * are bad are on record. */
static void keep_wanted(struct model *m, const struct batch *b, struct rows *r)
{
    const struct device_ops *ops = m->device->ops;
    size_t d = m->h.n_embd, n = b->n_logits;
    size_t stride = (size_t)(m->h.n_heads + 2 * m->h.n_kv_heads) * m->h.head_size;
    if (all_wanted(b))
        return;
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
    ops->zero(m->device, m->s.bad, n);
    model_put(m, m->s.origin, m->host.origin, n * sizeof *m->s.origin);
    ops->rows(m->device, r->kv, r->n);
}

static void fill_angles(struct model *m, const struct batch *b)
{
    size_t pairs = m->h.n_rot / 2, n_bytes = b->n_rows * pairs * sizeof(float);
    for (int set = 0; set <= m->two_ropes; set++) {
        for (uint32_t t = 0; t < b->n_rows; t++)
            rope_exact_angles(&m->rope[set], b->rows[t].position, b->rope_far && b->rope_far[t],
                              m->host.cos[set] + t * pairs, m->host.sin[set] + t * pairs);
        model_put(m, m->s.cos[set], m->host.cos[set], n_bytes);
        model_put(m, m->s.sin[set], m->host.sin[set], n_bytes);
    }
}

static float *logits_of(const struct model *m, const struct batch *b)
{
    return model_shares(m) ? b->logits : m->s.logits;
}

static void make_logits(struct model *m, const struct batch *b, const struct rows *r)
{
    uint32_t v = m->h.n_vocab;
    float *logits = logits_of(m, b);
    norm(m, m->s.x, m->output_norm, m->s.normed, r->n);
    model_tell(m, -1, "output_norm", m->s.normed, m->h.n_embd, r->n, m->h.n_embd);
    if (!b->logits)
        return;
    model_operand(m, m->s.normed, m->h.n_embd, r->n, m->h.n_embd, m->s.bad);
    model_multiply(m, m->head, NULL, logits, v);
    m->device->ops->logits(m->device, logits, v, r->n, v, m->final_softcap, m->s.bad);
    model_tell(m, -1, "logits", logits, v, r->n, v);
    note_bad(m, b, r, m->h.n_layers);
}

/* Rows that are none of a text enter as they are. */
static void take_input(struct model *m, const struct batch *b)
{
    size_t d = m->h.n_embd;
    for (uint32_t t = 0; b->input && t < b->n_rows; t++)
        if (b->input[t])
            m->device->ops->put(m->device, m->s.x + t * d, b->input[t], d * sizeof *m->s.x);
    for (uint32_t t = 0; t < b->n_rows; t++)
        m->host.mirrors[t] = b->mirrors ? b->mirrors[t] : NULL;
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
        CHECK(b->token[t] >= 0 && (uint32_t)b->token[t] < m->h.n_vocab);
        CHECK(b->rows[t].position < m->info.n_ctx);
        CHECK(!m->info.rope_border || b->rows[t].position < m->info.rope_border ||
              (b->rope_far && b->rope_far[t]));
        m->host.origin[t] = t;
    }
    memcpy(m->host.token, b->token, n * sizeof *b->token);
    model_put(m, m->s.token, m->host.token, n * sizeof *b->token);
    model_put(m, m->s.origin, m->host.origin, n * sizeof *m->s.origin);
    fill_angles(m, b);
    ops->rows(m->device, b->rows, b->n_rows);
}

static void compute(struct model *m, const struct batch *b)
{
    struct rows r = {b->n_rows, b->rows};
    bool early = !m->tap.fn;
    m->device->ops->zero(m->device, m->s.bad, b->n_rows);
    m->device->ops->zero(m->device, first_bad(m, b), b->n_rows);
    model_look_up(m, SLOT_TOKEN_EMBD, b->n_rows, m->embd_scale, m->s.x);
    take_input(m, b);
    model_tell(m, -1, "embd", m->s.x, m->h.n_embd, b->n_rows, m->h.n_embd);
    for (uint32_t i = 0; i < m->h.n_layers; i++) {
        bool last = i + 1 == m->h.n_layers;
        make_qkv(m, i, &r);
        if (last && early) {
            note_bad(m, b, &r, i);
            keep_wanted(m, b, &r);
        }
        if (r.n == 0)
            return;
        attend(m, i, &r);
        feed_forward(m, i, &r);
        reflect(m, i, b, &r);
        note_bad(m, b, &r, i);
    }
    if (!early)
        keep_wanted(m, b, &r);
    if (r.n)
        make_logits(m, b, &r);
}

/* Passes of few rows, all of whose logits are wanted, are the same operations whatever the rows
 * are; but where the host looks at what is between them. */
enum { PASS_ROWS_MAX = 256 };

static bool may_repeat(const struct model *m, const struct batch *b)
{
    return !m->tap.fn && !m->h.n_experts && !b->input && !b->mirrors && all_wanted(b) &&
           b->n_rows <= PASS_ROWS_MAX;
}

static uint64_t pass_key(const struct model *m, const struct batch *b)
{
    return (uint64_t)(uintptr_t)m << 16 ^ (uint64_t)(b->logits != NULL) << 15 ^ b->n_rows;
}

/* What the host wants of it. */
static void end(const struct model *m, const struct batch *b)
{
    size_t n = b->n_logits;
    if (b->hidden)
        model_get(m, b->hidden, m->s.normed, n * m->h.n_embd * sizeof *b->hidden);
    if (b->logits)
        model_get(m, b->logits, logits_of(m, b), n * m->h.n_vocab * sizeof *b->logits);
    model_get(m, b->bad, first_bad(m, b), b->n_rows);
}

void model_forward(struct model *m, const struct batch *b)
{
    const struct device_ops *ops = m->device->ops;
    begin(m, b);
    if (!may_repeat(m, b)) {
        compute(m, b);
    } else if (!ops->pass_begin(m->device, pass_key(m, b))) {
        compute(m, b);
        ops->pass_end(m->device);
    }
    end(m, b);
}
