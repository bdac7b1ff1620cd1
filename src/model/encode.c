/* encode.c - one pass of an encoder: whole texts, every row of which sees all of its text.
 *
 * As in forward.c each row is computed as if its text were alone, so it does not matter which texts
 * share a pass. Keys and values use pages too, for one layer at a time: the next layer writes over
 * them. */
#include <string.h>

#include "base/check.h"
#include "model/model_int.h"

/* x = norm(x + add), the operand of a layer's matrices in slots. */
static void norm(struct model *m, float *add, const float *w, const float *b, uint32_t n,
                 uint32_t layer, uint64_t slots)
{
    size_t d = m->h.n_embd;
    struct acts acts[ACT_KINDS];
    const struct matrix *const *matrix = m->layers[layer].matrix;
    model_operand(m, m->s.x, d, n, m->h.n_embd, m->s.bad);
    struct norm_args a = {.x = m->s.x,
                          .add = add,
                          .w = w,
                          .b = b,
                          .is_layernorm = true,
                          .eps = m->norm_eps,
                          .y = m->s.x,
                          .keeps_y = true,
                          .stride_x = d,
                          .stride_add = d,
                          .stride_y = d,
                          .n_rows = n,
                          .n = m->h.n_embd,
                          .acts = acts,
                          .n_acts = model_operand_made(m, matrix, slots, acts),
                          .bad = m->s.bad};
    m->device->ops->norm(m->device, &a);
}

static void attend(struct model *m, uint32_t layer, const struct encode_batch *b)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    size_t stride = q + 2 * kv, d = h->n_embd;
    struct kv_shape shape = {h->n_kv_heads, h->head_size};
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
    model_qkv(m, layer, b->n_rows);
    model_kv_write(m, layer, m->host.kv, b->n_rows, 0);
    m->device->ops->attention(m->device, &a);
    model_tell(m, (int)layer, "attn", m->s.attn, q, b->n_rows, (uint32_t)q);
    model_operand(m, m->s.attn, q, b->n_rows, (uint32_t)q, m->s.bad);
    model_multiply(m, l->matrix[SLOT_ATTN_OUT], l->vector[SLOT_ATTN_OUT_BIAS], m->s.out, d);
    model_tell(m, (int)layer, "attn_out", m->s.out, d, b->n_rows, h->n_embd);
    norm(m, m->s.out, l->vector[SLOT_ATTN_OUT_NORM], l->vector[SLOT_ATTN_OUT_NORM_BIAS], b->n_rows,
         layer, SLOTS_FFN_IN);
}

static void feed_forward(struct model *m, uint32_t layer, uint32_t n)
{
    const struct hparams *h = &m->h;
    const struct layer *l = &m->layers[layer];
    size_t f = h->n_ff, d = h->n_embd;
    bool gated = l->matrix[SLOT_FFN_GATE] != NULL, last = layer + 1 == h->n_layers;
    float *gate = m->s.ff, *up = m->s.ff + f;
    if (gated)
        model_multiply(m, l->matrix[SLOT_FFN_GATE], NULL, gate, 2 * f);
    if (l->matrix[SLOT_FFN_UP]) /* else the gate's matrix holds it */
        model_multiply(m, l->matrix[SLOT_FFN_UP], l->vector[SLOT_FFN_UP_BIAS], gated ? up : gate,
                       2 * f);
    model_glu(m, layer, gated, n);
    model_multiply(m, l->matrix[SLOT_FFN_DOWN], l->vector[SLOT_FFN_DOWN_BIAS], m->s.out, d);
    model_tell(m, (int)layer, "ffn_out", m->s.out, d, n, h->n_embd);
    m->s.bad += n; /* what is quantised next is the next layer's */
    norm(m, m->s.out, l->vector[SLOT_LAYER_OUT_NORM], l->vector[SLOT_LAYER_OUT_NORM_BIAS], n,
         last ? layer : layer + 1, last ? 0 : SLOTS_ATTN_IN);
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
    m->s.bad = m->s.bads;
    m->device->ops->zero(m->device, m->s.bads, (h->n_layers + 1) * (size_t)b->n_rows);
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
    norm(m, NULL, m->embd_norm, m->embd_norm_bias, b->n_rows, 0, SLOTS_ATTN_IN);
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
    }
    ops->note_bad(m->device, first_bad, m->s.origin, m->s.bads, b->n_rows, m->h.n_layers, 1);
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
