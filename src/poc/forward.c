/* forward.c - norms, rotations, attention and products, each rounded where the reference rounds. */
#include "poc/forward.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "poc/rotate.h"
#include "tensor/half.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

enum { N_PARTS = 11 };

/* Sizes of the parts of scratch, in the order of struct poc_forward; then of scratch_wide. */
struct sizes {
    uint64_t parts[N_PARTS], all, wide, row;
};

static struct sizes sizes_of(const struct poc_params *p)
{
    uint64_t n_seq = p->seq_len, n_dim = n_seq * p->dim, n_ffn = n_seq * poc_ffn_dim(p);
    uint64_t n_kv = n_seq * p->n_kv_heads * poc_head_dim(p), n_turn = n_seq * poc_head_dim(p) / 2;
    uint64_t n_row = larger(larger(p->dim, poc_ffn_dim(p)), n_seq);
    struct sizes s = {
        .parts = {n_dim, n_dim, n_dim, n_kv, n_kv, n_dim, n_ffn, n_ffn, n_row, n_turn, n_turn},
        .wide = larger(larger(n_dim, n_ffn), 2 * (uint64_t)p->dim),
        .row = n_row,
    };
    for (size_t i = 0; i < N_PARTS; i++)
        s.all += s.parts[i];
    return s;
}

uint64_t poc_forward_bytes(const struct poc_params *p)
{
    struct sizes s = sizes_of(p);
    return s.all * sizeof(uint16_t) + (s.wide + s.row) * sizeof(float);
}

enum err poc_forward_open(struct poc_forward *f, const struct poc_weights *weights,
                          struct err_note *note)
{
    struct sizes s = sizes_of(&weights->params);
    *f = (struct poc_forward){.weights = weights};
    f->scratch = mem_array(s.all, sizeof *f->scratch);
    f->scratch_wide = mem_array(s.wide + s.row, sizeof *f->scratch_wide);
    if (!f->scratch || !f->scratch_wide) {
        poc_forward_close(f);
        return err_set(note, ERR_MEMORY, "no memory for the activations of a nonce (%.0f MiB)",
                       (double)poc_forward_bytes(&weights->params) * 0x1p-20);
    }
    uint16_t **parts[N_PARTS] = {&f->x,    &f->normed, &f->q,   &f->k,       &f->v,    &f->mixed,
                                 &f->gate, &f->up,     &f->row, &f->cosines, &f->sines};
    uint16_t *at = f->scratch;
    for (size_t i = 0; i < N_PARTS; i++) {
        *parts[i] = at;
        at += s.parts[i];
    }
    f->wide = f->scratch_wide;
    f->wide_row = f->scratch_wide + s.wide;
    poc_rotations(&weights->params, f->cosines, f->sines);
    return ERR_OK;
}

void poc_forward_close(struct poc_forward *f)
{
    mem_free(f->scratch);
    mem_free(f->scratch_wide);
    *f = (struct poc_forward){0};
}

static void widen(const uint16_t *in, uint64_t n, float *out)
{
    for (uint64_t i = 0; i < n; i++)
        out[i] = f16_widen(in[i]);
}

/* Eight sums side by side, then in pairs. */
static float dot(const float *a, const float *b, uint64_t n)
{
    float sums[8] = {0};
    uint64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++)
            sums[k] += a[i + k] * b[i + k];
    for (; i < n; i++)
        sums[i & 7] += a[i] * b[i];
    for (int step = 4; step > 0; step /= 2)
        for (int k = 0; k < step; k++)
            sums[k] += sums[k + step];
    return sums[0];
}

static const uint16_t *tensor_row(struct poc_forward *f, uint32_t tensor, uint64_t row, uint64_t n)
{
    const uint16_t *view = poc_weights_view(f->weights, tensor);
    if (view)
        return view + row * n;
    poc_weights_copy(f->weights, tensor, row * n, n, f->row);
    return f->row;
}

/* out[n][rows] = in[n][columns] times the tensor's rows. */
static void product(struct poc_forward *f, uint32_t tensor, uint32_t n, const uint16_t *in,
                    uint16_t *out)
{
    struct poc_tensor t = poc_tensor_at(&f->weights->params, tensor);
    widen(in, n * t.n_columns, f->wide);
    for (uint64_t r = 0; r < t.n_rows; r++) {
        widen(tensor_row(f, tensor, r, t.n_columns), t.n_columns, f->wide_row);
        for (uint32_t i = 0; i < n; i++)
            out[i * t.n_rows + r] =
                f16_round(dot(f->wide + i * t.n_columns, f->wide_row, t.n_columns));
    }
}

static void norm(struct poc_forward *f, uint32_t tensor, uint32_t n, const uint16_t *in,
                 uint16_t *out)
{
    const struct poc_params *p = &f->weights->params;
    const uint16_t *weight = tensor_row(f, tensor, 0, p->dim);
    for (uint32_t i = 0; i < n; i++, in += p->dim, out += p->dim) {
        widen(in, p->dim, f->wide_row);
        float mean = dot(f->wide_row, f->wide_row, p->dim) / (float)p->dim;
        float scale = 1 / sqrtf(mean + (float)p->norm_eps);
        for (uint32_t k = 0; k < p->dim; k++) {
            float scaled = f16_widen(f16_round(f->wide_row[k] * scale));
            out[k] = f16_round(scaled * f16_widen(weight[k]));
        }
    }
}

/* Pairs of neighbours, turned by their position's angles: in binary32, rounded once. */
static void rotate(const struct poc_forward *f, uint32_t n_heads, uint16_t *x)
{
    const struct poc_params *p = &f->weights->params;
    uint32_t half = poc_head_dim(p) / 2;
    for (uint32_t t = 0; t < p->seq_len; t++)
        for (uint32_t h = 0; h < n_heads; h++)
            for (uint32_t i = 0; i < half; i++, x += 2) {
                float c = f16_widen(f->cosines[t * half + i]);
                float s = f16_widen(f->sines[t * half + i]);
                float a = f16_widen(x[0]), b = f16_widen(x[1]);
                x[0] = f16_round(a * c - b * s);
                x[1] = f16_round(a * s + b * c);
            }
}

/* weights[0..n): binary16 scores to binary16 shares of 1, held wide. */
static void softmax(float *weights, uint32_t n)
{
    float most = weights[0], sum = 0;
    for (uint32_t i = 1; i < n; i++)
        most = weights[i] > most ? weights[i] : most;
    for (uint32_t i = 0; i < n; i++)
        sum += weights[i] = expf(weights[i] - most);
    for (uint32_t i = 0; i < n; i++)
        weights[i] = f16_widen(f16_round(weights[i] / sum));
}

/* One head of one position: it sees what is not after it. */
static void attend(struct poc_forward *f, uint32_t t, uint32_t head, uint16_t *out)
{
    const struct poc_params *p = &f->weights->params;
    uint32_t n = poc_head_dim(p), stride = p->n_kv_heads * n;
    uint32_t at = head / (p->n_heads / p->n_kv_heads) * n;
    float scale = 1 / (float)sqrt(n), *scores = f->wide_row, *q = f->wide, *other = f->wide + n;
    widen(f->q + (uint64_t)t * p->dim + head * n, n, q);
    for (uint32_t s = 0; s <= t; s++) {
        widen(f->k + (uint64_t)s * stride + at, n, other);
        scores[s] = f16_widen(f16_round(f16_widen(f16_round(dot(q, other, n))) * scale));
    }
    softmax(scores, t + 1);
    for (uint32_t i = 0; i < n; i++) {
        float sum = 0;
        for (uint32_t s = 0; s <= t; s++)
            sum += scores[s] * f16_widen(f->v[(uint64_t)s * stride + at + i]);
        out[i] = f16_round(sum);
    }
}

static void add(uint16_t *x, const uint16_t *y, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        x[i] = f16_round(f16_widen(x[i]) + f16_widen(y[i]));
}

static void glu(uint16_t *gate, const uint16_t *up, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        float g = f16_widen(gate[i]);
        float silu = f16_widen(f16_round(g / (1 + expf(-g))));
        gate[i] = f16_round(silu * f16_widen(up[i]));
    }
}

/* Positions before `first` only give keys and values: nobody reads more of the last layer. */
static void layer_run(struct poc_forward *f, uint32_t layer, uint32_t first)
{
    const struct poc_params *p = &f->weights->params;
    uint32_t base = poc_layer_tensor(layer, 0), n = p->seq_len - first;
    uint64_t skip = (uint64_t)first * p->dim, n_dim = (uint64_t)n * p->dim;
    norm(f, base + POC_ATTENTION_NORM, p->seq_len, f->x, f->normed);
    product(f, base + POC_WQ, n, f->normed + skip, f->q + skip);
    product(f, base + POC_WK, p->seq_len, f->normed, f->k);
    product(f, base + POC_WV, p->seq_len, f->normed, f->v);
    rotate(f, p->n_heads, f->q);
    rotate(f, p->n_kv_heads, f->k);
    uint32_t n_head = poc_head_dim(p);
    for (uint32_t t = first; t < p->seq_len; t++)
        for (uint32_t head = 0; head < p->n_heads; head++)
            attend(f, t, head, f->normed + (uint64_t)t * p->dim + head * n_head);
    product(f, base + POC_WO, n, f->normed + skip, f->mixed);
    add(f->x + skip, f->mixed, n_dim);
    norm(f, base + POC_FFN_NORM, n, f->x + skip, f->normed);
    product(f, base + POC_W1, n, f->normed, f->gate);
    product(f, base + POC_W3, n, f->normed, f->up);
    glu(f->gate, f->up, (uint64_t)n * poc_ffn_dim(p));
    product(f, base + POC_W2, n, f->gate, f->mixed);
    add(f->x + skip, f->mixed, n_dim);
}

void poc_forward_run(struct poc_forward *f, const uint16_t *input, float *logits)
{
    const struct poc_params *p = &f->weights->params;
    uint32_t last = p->seq_len - 1;
    memcpy(f->x, input, (size_t)p->seq_len * p->dim * sizeof *input);
    for (uint32_t layer = 0; layer < p->n_layers; layer++)
        layer_run(f, layer, layer + 1 < p->n_layers ? 0 : last);
    norm(f, poc_norm_tensor(p), 1, f->x + (uint64_t)last * p->dim, f->normed);
    widen(f->normed, p->dim, f->wide);
    for (uint32_t r = 0; r < p->vocab_size; r++) {
        widen(tensor_row(f, poc_output_tensor(p), r, p->dim), p->dim, f->wide_row);
        logits[r] = f16_widen(f16_round(dot(f->wide, f->wide_row, p->dim)));
    }
}
