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
    if (!m->tap.fn)
        return;
    m->device->ops->wait(m->device);
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

/* A row's first layer that was not finite stays on record. */
static void note_bad(const struct model *m, const struct batch *b, const struct rows *r, uint32_t i)
{
    m->device->ops->wait(m->device);
    for (uint32_t t = 0; t < r->n; t++)
        if (m->s.bad[t] && !b->bad[m->s.origin[t]])
            b->bad[m->s.origin[t]] = (uint8_t)(i + 1);
}

/* Only rows whose logits are wanted go on: they move to the front of every array in use. */
static void keep_wanted(struct model *m, const struct batch *b, struct rows *r)
{
    size_t d = m->h.n_embd;
    size_t stride = (size_t)(m->h.n_heads + 2 * m->h.n_kv_heads) * m->h.head_size;
    for (uint32_t i = 0; i < b->n_logits; i++) {
        uint32_t from = b->logit_rows[i]; /* ascending, so never below i */
        CHECK(from >= i && from < b->n_rows);
        memmove(m->s.x + i * d, m->s.x + from * d, d * sizeof *m->s.x);
        memmove(m->s.qkv + i * stride, m->s.qkv + from * stride, stride * sizeof *m->s.qkv);
        m->s.bad[i] = m->s.bad[from];
        m->s.origin[i] = from;
        m->s.kv[i] = b->rows[from];
        m->s.mirrors[i] = m->s.mirrors[from];
    }
    r->n = b->n_logits;
    r->kv = m->s.kv;
}

static void fill_angles(struct model *m, const struct batch *b)
{
    size_t pairs = m->h.n_rot / 2;
    for (int set = 0; set <= m->two_ropes; set++)
        for (uint32_t t = 0; t < b->n_rows; t++)
            rope_exact_angles(&m->rope[set], b->rows[t].position, b->rope_far && b->rope_far[t],
                              m->s.cos[set] + t * pairs, m->s.sin[set] + t * pairs);
}

static void make_logits(struct model *m, const struct batch *b, const struct rows *r)
{
    uint32_t v = m->h.n_vocab;
    norm(m, m->s.x, m->output_norm, m->s.normed, r->n);
    model_tell(m, -1, "output_norm", m->s.normed, m->h.n_embd, r->n, m->h.n_embd);
    if (b->hidden) {
        m->device->ops->wait(m->device);
        memcpy(b->hidden, m->s.normed, (size_t)r->n * m->h.n_embd * sizeof *b->hidden);
    }
    if (!b->logits)
        return;
    model_operand(m, m->s.normed, m->h.n_embd, r->n, m->h.n_embd, m->s.bad);
    model_multiply(m, m->head, NULL, b->logits, v);
    m->device->ops->logits(m->device, b->logits, v, r->n, v, m->final_softcap, m->s.bad);
    model_tell(m, -1, "logits", b->logits, v, r->n, v);
    note_bad(m, b, r, m->h.n_layers);
}

/* Rows that are none of a text enter as they are. */
static void take_input(struct model *m, const struct batch *b)
{
    size_t d = m->h.n_embd;
    if (b->input)
        m->device->ops->wait(m->device);
    for (uint32_t t = 0; b->input && t < b->n_rows; t++)
        if (b->input[t])
            memcpy(m->s.x + t * d, b->input[t], d * sizeof *m->s.x);
    for (uint32_t t = 0; t < b->n_rows; t++)
        m->s.mirrors[t] = b->mirrors ? b->mirrors[t] : NULL;
}

static void reflect(struct model *m, uint32_t layer, const struct batch *b, const struct rows *r)
{
    size_t d = m->h.n_embd;
    if (!b->mirrors)
        return;
    m->device->ops->reflect(m->device, m->s.x, d, m->s.mirrors, layer * d, r->n, m->h.n_embd);
    model_tell(m, (int)layer, "reflected", m->s.x, d, r->n, m->h.n_embd);
}

static void begin(struct model *m, const struct batch *b)
{
    const struct tensor_view *embd = m->w.global[SLOT_TOKEN_EMBD];
    CHECK(!m->h.is_encoder && b->n_rows > 0 && b->n_rows <= m->n_rows_max);
    CHECK(b->n_logits <= b->n_rows);
    for (uint32_t t = 0; t < b->n_rows; t++) {
        CHECK(b->token[t] >= 0 && (uint32_t)b->token[t] < m->h.n_vocab);
        CHECK(b->rows[t].position < m->info.n_ctx);
        CHECK(!m->info.rope_border || b->rows[t].position < m->info.rope_border ||
              (b->rope_far && b->rope_far[t]));
        m->s.origin[t] = t;
    }
    memset(m->s.bad, 0, b->n_rows);
    memset(b->bad, 0, b->n_rows);
    fill_angles(m, b);
    m->device->ops->embed(m->device, embd->dtype, embd->data, m->h.n_embd, b->token, b->n_rows,
                          m->embd_scale, m->s.x, m->h.n_embd);
    take_input(m, b);
    model_tell(m, -1, "embd", m->s.x, m->h.n_embd, b->n_rows, m->h.n_embd);
}

void model_forward(struct model *m, const struct batch *b)
{
    struct rows r = {b->n_rows, b->rows};
    bool early = !m->tap.fn;
    begin(m, b);
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
