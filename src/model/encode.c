/* encode.c - one pass of an encoder: whole texts, every row of which sees all of its text.
 *
 * As in forward.c each row is computed as if its text were alone, so it does not matter which texts
 * share a pass. Keys and values use pages too, for one layer at a time: the next layer writes over
 * them. */
#include <string.h>

#include "base/check.h"
#include "model/model_int.h"

static void norm(struct model *m, const float *w, const float *b, uint32_t n)
{
    size_t d = m->h.n_embd;
    m->device->ops->layernorm(m->device, m->s.x, d, w, b, m->norm_eps, n, m->h.n_embd, m->s.x, d);
}

/* x = norm(x + what the block made). */
static void add_block(struct model *m, const float *w, const float *b, uint32_t n)
{
    size_t d = m->h.n_embd;
    m->device->ops->add(m->device, m->s.x, d, m->s.out, d, n, m->h.n_embd, 1.0f);
    norm(m, w, b, n);
}

static void attend(struct model *m, uint32_t layer, const struct encode_batch *b)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    size_t stride = q + 2 * kv, d = h->n_embd;
    struct kv_shape shape = {h->n_kv_heads, h->head_size};
    struct kv_write_args write = {.k = m->s.qkv + q,
                                  .v = m->s.qkv + q + kv,
                                  .stride_k = stride,
                                  .stride_v = stride,
                                  .rows = m->host.kv,
                                  .n_rows = b->n_rows,
                                  .shape = shape,
                                  .bad = m->s.bad};
    struct attention_args a = {.q = m->s.qkv,
                               .out = m->s.attn,
                               .stride_q = stride,
                               .stride_out = q,
                               .rows = m->host.kv + b->n_rows,
                               .n_rows = b->n_rows,
                               .n_heads = h->n_heads,
                               .shape = shape,
                               .scale = m->attn_scale,
                               .bad = m->s.bad};
    model_qkv(m, layer, m->s.x, b->n_rows);
    if (!m->w.global[SLOT_POSITION_EMBD])
        model_rope(m, layer, b->n_rows);
    m->device->ops->kv_write(m->device, &write);
    m->device->ops->attention(m->device, &a);
    model_tell(m, (int)layer, "attn", m->s.attn, q, b->n_rows, (uint32_t)q);
    model_operand(m, m->s.attn, q, b->n_rows, (uint32_t)q, m->s.bad);
    model_multiply(m, l->matrix[SLOT_ATTN_OUT], l->vector[SLOT_ATTN_OUT_BIAS], m->s.out, d);
    model_tell(m, (int)layer, "attn_out", m->s.out, d, b->n_rows, h->n_embd);
    add_block(m, l->vector[SLOT_ATTN_OUT_NORM], l->vector[SLOT_ATTN_OUT_NORM_BIAS], b->n_rows);
}

static void feed_forward(struct model *m, uint32_t layer, uint32_t n)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t f = h->n_ff, d = h->n_embd;
    bool gated = l->matrix[SLOT_FFN_GATE] != NULL;
    float *gate = m->s.ff, *up = m->s.ff + f;
    model_operand(m, m->s.x, d, n, h->n_embd, m->s.bad);
    if (gated)
        model_multiply(m, l->matrix[SLOT_FFN_GATE], NULL, gate, 2 * f);
    model_multiply(m, l->matrix[SLOT_FFN_UP], l->vector[SLOT_FFN_UP_BIAS], gated ? up : gate,
                   2 * f);
    m->device->ops->glu(m->device, h->act, gate, 2 * f, gated ? up : m->s.ones, gated ? 2 * f : 0,
                        n, h->n_ff, gate, 2 * f);
    model_tell(m, (int)layer, "glu", gate, 2 * f, n, h->n_ff);
    model_operand(m, gate, 2 * f, n, h->n_ff, m->s.bad);
    model_multiply(m, l->matrix[SLOT_FFN_DOWN], l->vector[SLOT_FFN_DOWN_BIAS], m->s.out, d);
    model_tell(m, (int)layer, "ffn_out", m->s.out, d, n, h->n_embd);
    add_block(m, l->vector[SLOT_LAYER_OUT_NORM], l->vector[SLOT_LAYER_OUT_NORM_BIAS], n);
    model_tell(m, (int)layer, "x", m->s.x, d, n, h->n_embd);
}

static void put_tokens(struct model *m, uint32_t n)
{
    model_put(m, m->s.token, m->host.token, n * sizeof *m->s.token);
}

/* x += the rows of a table that host.token names. */
static void add_rows(struct model *m, enum global_slot slot, uint32_t n)
{
    size_t d = m->h.n_embd;
    put_tokens(m, n);
    model_look_up(m, slot, n, 1.0f, m->s.out);
    m->device->ops->add(m->device, m->s.x, d, m->s.out, d, n, m->h.n_embd, 1.0f);
}

/* Angles, where positions are not rows of a table, and where keys and values go. */
static void put_places(struct model *m, const struct encode_batch *b)
{
    size_t pairs = m->h.n_rot / 2, n_bytes = b->n_rows * pairs * sizeof(float);
    bool turned = !m->w.global[SLOT_POSITION_EMBD];
    for (uint32_t t = 0; turned && t < b->n_rows; t++)
        rope_exact_angles(&m->rope[0], b->rows[t].position, false, m->host.cos[0] + t * pairs,
                          m->host.sin[0] + t * pairs);
    if (turned) {
        model_put(m, m->s.cos[0], m->host.cos[0], n_bytes);
        model_put(m, m->s.sin[0], m->host.sin[0], n_bytes);
    }
    for (uint32_t t = 0; t < b->n_rows; t++) {
        m->host.kv[t] = b->rows[t];
        m->host.kv[b->n_rows + t] = b->seen[t];
        m->host.origin[t] = t;
    }
    model_put(m, m->s.origin, m->host.origin, b->n_rows * sizeof *m->s.origin);
    m->device->ops->rows(m->device, m->host.kv, 2 * b->n_rows);
}

/* Word, then type, then position: the order of the sums. */
static void begin(struct model *m, const struct encode_batch *b, uint8_t *first_bad)
{
    const struct hparams *h = &m->h;
    const struct tensor_view *const *v = m->w.global;
    CHECK(h->is_encoder && b->n_rows > 0 && b->n_rows <= m->n_rows_max);
    for (uint32_t t = 0; t < b->n_rows; t++) {
        CHECK(b->token[t] >= 0 && (uint32_t)b->token[t] < h->n_vocab);
        CHECK(b->seen[t].position < m->info.n_ctx && b->rows[t].position <= b->seen[t].position);
        CHECK(!b->type || b->type[t] == 0 || b->type[t] < h->n_types);
        m->host.token[t] = b->token[t];
    }
    m->device->ops->zero(m->device, m->s.bad, b->n_rows);
    m->device->ops->zero(m->device, first_bad, b->n_rows);
    put_places(m, b);
    put_tokens(m, b->n_rows);
    model_look_up(m, SLOT_TOKEN_EMBD, b->n_rows, 1.0f, m->s.x);
    for (uint32_t t = 0; t < b->n_rows; t++)
        m->host.token[t] = b->type ? b->type[t] : 0;
    if (v[SLOT_TYPE_EMBD])
        add_rows(m, SLOT_TYPE_EMBD, b->n_rows);
    for (uint32_t t = 0; t < b->n_rows; t++)
        m->host.token[t] = (int32_t)b->rows[t].position;
    if (v[SLOT_POSITION_EMBD])
        add_rows(m, SLOT_POSITION_EMBD, b->n_rows);
    norm(m, m->embd_norm, m->embd_norm_bias, b->n_rows);
    model_tell(m, -1, "embd", m->s.x, h->n_embd, b->n_rows, h->n_embd);
}

void model_encode(struct model *m, const struct encode_batch *b)
{
    const struct device_ops *ops = m->device->ops;
    uint8_t *first_bad = model_shares(m) ? b->bad : m->s.first_bad;
    begin(m, b, first_bad);
    for (uint32_t i = 0; i < m->h.n_layers; i++) {
        attend(m, i, b);
        feed_forward(m, i, b->n_rows);
        ops->note_bad(m->device, first_bad, m->s.origin, m->s.bad, b->n_rows, (uint8_t)(i + 1));
    }
    model_get(m, b->hidden, m->s.x, (size_t)b->n_rows * m->h.n_embd * sizeof *b->hidden);
    model_get(m, b->bad, first_bad, b->n_rows);
}

void model_rank(struct model *m, const float *pooled, uint32_t n, float *scores, uint8_t *bad)
{
    const struct device_ops *ops = m->device->ops;
    struct scratch *s = &m->s;
    uint32_t d = m->h.n_embd, n_labels = m->h.n_labels;
    bool shares = model_shares(m);
    const float *x = shares ? pooled : s->x;
    float *y = shares ? scores : s->logits;
    uint8_t *marks = shares ? bad : s->bad;
    CHECK(m->cls_out && n > 0 && n <= m->n_rows_max);
    model_put(m, s->x, shares ? s->x : pooled, (size_t)n * d * sizeof *pooled);
    model_put(m, marks, bad, n);
    model_operand(m, x, d, n, d, marks);
    if (m->cls) {
        model_multiply(m, m->cls, m->cls_bias, s->out, d);
        ops->logits(m->device, s->out, d, n, d, 1.0f, marks);
        model_operand(m, s->out, d, n, d, marks);
    }
    model_multiply(m, m->cls_out, m->cls_out_bias, y, n_labels);
    ops->logits(m->device, y, n_labels, n, n_labels, 0.0f, marks);
    ops->wait(m->device);
    model_get(m, scores, y, (size_t)n * n_labels * sizeof *scores);
    model_get(m, bad, marks, n);
}
