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
                                  .rows = b->rows,
                                  .n_rows = b->n_rows,
                                  .shape = shape,
                                  .bad = m->s.bad};
    struct attention_args a = {.q = m->s.qkv,
                               .out = m->s.attn,
                               .stride_q = stride,
                               .stride_out = q,
                               .rows = b->seen,
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

/* x += the rows of a table that place[] names. */
static void add_rows(struct model *m, const struct tensor_view *v, uint32_t n)
{
    size_t d = m->h.n_embd;
    m->device->ops->embed(m->device, v->dtype, v->data, m->h.n_embd, m->s.place, n, 1.0f, m->s.out,
                          d);
    m->device->ops->add(m->device, m->s.x, d, m->s.out, d, n, m->h.n_embd, 1.0f);
}

/* Word, then type, then position: the order of the sums. */
static void begin(struct model *m, const struct encode_batch *b)
{
    const struct hparams *h = &m->h;
    const struct tensor_view *const *v = m->w.global;
    const struct tensor_view *embd = v[SLOT_TOKEN_EMBD];
    size_t pairs = h->n_rot / 2;
    CHECK(h->is_encoder && b->n_rows > 0 && b->n_rows <= m->n_rows_max);
    for (uint32_t t = 0; t < b->n_rows; t++) {
        CHECK(b->token[t] >= 0 && (uint32_t)b->token[t] < h->n_vocab);
        CHECK(b->seen[t].position < m->info.n_ctx && b->rows[t].position <= b->seen[t].position);
        CHECK(!b->type || b->type[t] == 0 || b->type[t] < h->n_types);
    }
    memset(m->s.bad, 0, b->n_rows);
    memset(b->bad, 0, b->n_rows);
    m->device->ops->embed(m->device, embd->dtype, embd->data, h->n_embd, b->token, b->n_rows, 1.0f,
                          m->s.x, h->n_embd);
    if (v[SLOT_TYPE_EMBD]) {
        for (uint32_t t = 0; t < b->n_rows; t++)
            m->s.place[t] = b->type ? b->type[t] : 0;
        add_rows(m, v[SLOT_TYPE_EMBD], b->n_rows);
    }
    for (uint32_t t = 0; t < b->n_rows; t++)
        m->s.place[t] = (int32_t)b->rows[t].position;
    if (v[SLOT_POSITION_EMBD])
        add_rows(m, v[SLOT_POSITION_EMBD], b->n_rows);
    for (uint32_t t = 0; !v[SLOT_POSITION_EMBD] && t < b->n_rows; t++)
        rope_exact_angles(&m->rope[0], b->rows[t].position, false, m->s.cos[0] + t * pairs,
                          m->s.sin[0] + t * pairs);
    norm(m, m->embd_norm, m->embd_norm_bias, b->n_rows);
    model_tell(m, -1, "embd", m->s.x, h->n_embd, b->n_rows, h->n_embd);
}

void model_encode(struct model *m, const struct encode_batch *b)
{
    begin(m, b);
    for (uint32_t i = 0; i < m->h.n_layers; i++) {
        attend(m, i, b);
        feed_forward(m, i, b->n_rows);
        m->device->ops->wait(m->device);
        for (uint32_t t = 0; t < b->n_rows; t++)
            if (m->s.bad[t] && !b->bad[t])
                b->bad[t] = (uint8_t)(i + 1);
    }
    memcpy(b->hidden, m->s.x, (size_t)b->n_rows * m->h.n_embd * sizeof *b->hidden);
}

void model_rank(struct model *m, const float *pooled, uint32_t n, float *scores, uint8_t *bad)
{
    const struct device_ops *ops = m->device->ops;
    uint32_t d = m->h.n_embd, n_labels = m->h.n_labels;
    CHECK(m->cls_out && n > 0 && n <= m->n_rows_max);
    model_operand(m, pooled, d, n, d, bad);
    if (m->cls) {
        model_multiply(m, m->cls, m->cls_bias, m->s.out, d);
        ops->logits(m->device, m->s.out, d, n, d, 1.0f, bad);
        model_operand(m, m->s.out, d, n, d, bad);
    }
    model_multiply(m, m->cls_out, m->cls_out_bias, scores, n_labels);
    ops->logits(m->device, scores, n_labels, n, n_labels, 0.0f, bad);
    ops->wait(m->device);
}
