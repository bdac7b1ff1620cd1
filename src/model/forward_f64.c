/* forward_f64.c - the yardstick: the same graph in plain double, nothing quantised but the weights.
 *
 * The whole sequence goes through a layer at a time; a weight row is decoded once and meets every
 * token. Written for reading: what it computes is what forward.c approximates. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/threads.h"
#include "model/arch.h"
#include "model/hparams.h"
#include "model/model.h"
#include "model/rope_f64.h"
#include "model/weights.h"
#include "tensor/quant/quant.h"

enum { ROWS_PER_TASK = 16 };

struct pass {
    const struct hparams *h;
    const struct weights *w;
    struct threads *threads; /* NULL: the caller alone */
    uint32_t n;              /* tokens */
    size_t n_scratch;        /* doubles of one worker */
    double *scratch;         /* [workers, n_scratch] */
    double *x;               /* [n, D] residual stream */
    double *normed;          /* [n, D] */
    double *qkv;             /* [n, Q + 2 KV] */
    double *attn;            /* [n, Q] */
    double *ff;              /* [n, 2 F] gate then up, the largest kind of feed-forward */
    double *out;             /* [n, D] what a block adds */
    double *cos, *sin;       /* [2 (full, windowed), n, n_rot / 2] */
    double *router;          /* [n, X] logits, then weights (0: not chosen) */
    double *rows, *rows_out; /* [n, D] rows of one expert */
    uint32_t *row_of;        /* [n] where those rows come from */
};

static void run(const struct pass *p, size_t n_tasks, threads_fn *fn, void *context)
{
    if (p->threads) {
        threads_run(p->threads, n_tasks, fn, context);
        return;
    }
    for (size_t i = 0; i < n_tasks; i++)
        fn(context, i, 0);
}

struct linear_job {
    const struct pass *p;
    const struct tensor_view *w;
    const struct tensor_view *bias; /* NULL: none */
    size_t slice;                   /* which matrix of a stack */
    const double *x;                /* [n, K], rows side by side */
    double *y;
    size_t stride_y;
    uint32_t n;
};

static void linear_task(void *context, size_t task, int worker)
{
    const struct linear_job *j = context;
    size_t k = j->w->dim[0], n_rows = j->w->dim[1], bytes = dtype_row_bytes(j->w->dtype, k);
    double *row = j->p->scratch + (size_t)worker * j->p->n_scratch;
    for (size_t r = task * ROWS_PER_TASK; r < (task + 1) * ROWS_PER_TASK && r < n_rows; r++) {
        const uint8_t *data = j->w->data;
        double bias = 0.0;
        quant_decode_row_f64(j->w->dtype, data + (j->slice * n_rows + r) * bytes, row, k);
        if (j->bias) {
            size_t item = dtype_row_bytes(j->bias->dtype, 1);
            quant_decode_row_f64(j->bias->dtype,
                                 (const uint8_t *)j->bias->data + (j->slice * n_rows + r) * item,
                                 &bias, 1);
        }
        for (uint32_t t = 0; t < j->n; t++) {
            const double *x = j->x + (size_t)t * k;
            double sum = 0.0;
            for (size_t i = 0; i < k; i++)
                sum += row[i] * x[i];
            j->y[(size_t)t * j->stride_y + r] = sum + bias;
        }
    }
}

static void linear(const struct pass *p, const struct tensor_view *w,
                   const struct tensor_view *bias, size_t slice, const double *x, uint32_t n,
                   double *y, size_t stride_y)
{
    struct linear_job j = {p, w, bias, slice, x, y, stride_y, n};
    run(p, (w->dim[1] + ROWS_PER_TASK - 1) / ROWS_PER_TASK, linear_task, &j);
}

/* Rows of `width` numbers, `stride` apart, each over the root of its mean square, times w. */
static void rmsnorm(const struct pass *p, const struct tensor_view *w, const double *x,
                    size_t stride_x, double *y, size_t stride_y, size_t n)
{
    size_t width = w->dim[0];
    double *weight = p->scratch;
    quant_decode_row_f64(w->dtype, w->data, weight, width);
    for (size_t t = 0; t < n; t++) {
        const double *from = x + t * stride_x;
        double *to = y + t * stride_y, sum = 0.0;
        for (size_t i = 0; i < width; i++)
            sum += from[i] * from[i];
        double scale = 1.0 / sqrt(sum / (double)width + p->h->norm_eps);
        for (size_t i = 0; i < width; i++)
            to[i] = from[i] * scale * weight[i];
    }
}

static void rope(const struct pass *p, double *x, uint32_t n_heads, bool windowed)
{
    const struct hparams *h = p->h;
    uint32_t pairs = h->n_rot / 2, far = h->rope_interleaved ? 1 : pairs;
    size_t stride = (size_t)(h->n_heads + 2 * h->n_kv_heads) * h->head_size;
    for (uint32_t t = 0; t < p->n; t++) {
        const double *c = p->cos + ((size_t)windowed * p->n + t) * pairs;
        const double *s = p->sin + ((size_t)windowed * p->n + t) * pairs;
        for (uint32_t head = 0; head < n_heads; head++) {
            double *v = x + t * stride + (size_t)head * h->head_size;
            for (uint32_t i = 0; i < pairs; i++) {
                uint32_t at = h->rope_interleaved ? 2 * i : i;
                double a = v[at], b = v[at + far];
                v[at] = a * c[i] - b * s[i];
                v[at + far] = a * s[i] + b * c[i];
            }
        }
    }
}

struct attention_job {
    const struct pass *p;
    uint32_t window;
    double scale;
    const double *sinks; /* [H] or NULL */
};

/* One head of one token. */
static void attention_task(void *context, size_t task, int worker)
{
    const struct attention_job *j = context;
    const struct pass *p = j->p;
    const struct hparams *h = p->h;
    uint32_t e = h->head_size, t = (uint32_t)(task / h->n_heads);
    uint32_t head = (uint32_t)(task % h->n_heads), kv = head / (h->n_heads / h->n_kv_heads);
    uint32_t first = j->window && t + 1 > j->window ? t + 1 - j->window : 0;
    size_t stride = (size_t)(h->n_heads + 2 * h->n_kv_heads) * e;
    const double *q = p->qkv + t * stride + (size_t)head * e;
    const double *k = p->qkv + (size_t)(h->n_heads + kv) * e;
    const double *v = k + (size_t)h->n_kv_heads * e;
    double *score = p->scratch + (size_t)worker * p->n_scratch;
    double max = j->sinks ? j->sinks[head] : -INFINITY, sum = 0.0;
    for (uint32_t i = first; i <= t; i++) {
        double s = 0.0;
        for (uint32_t c = 0; c < e; c++)
            s += q[c] * k[i * stride + c];
        s *= j->scale;
        if (h->attn_softcap != 0.0)
            s = h->attn_softcap * tanh(s / h->attn_softcap);
        score[i] = s;
        max = fmax(max, s);
    }
    for (uint32_t i = first; i <= t; i++)
        sum += score[i] = exp(score[i] - max);
    if (j->sinks)
        sum += exp(j->sinks[head] - max);
    double *out = p->attn + ((size_t)t * h->n_heads + head) * e;
    for (uint32_t c = 0; c < e; c++)
        out[c] = 0.0;
    for (uint32_t i = first; i <= t; i++)
        for (uint32_t c = 0; c < e; c++)
            out[c] += score[i] / sum * v[i * stride + c];
}

static void attention_block(const struct pass *p, uint32_t layer)
{
    const struct hparams *h = p->h;
    const struct tensor_view *const *s = p->w->layers[layer].slot;
    size_t q = (size_t)h->n_heads * h->head_size, kv = (size_t)h->n_kv_heads * h->head_size;
    size_t stride = q + 2 * kv;
    bool windowed = h->windowed[layer];
    rmsnorm(p, s[SLOT_ATTN_NORM], p->x, h->n_embd, p->normed, h->n_embd, p->n);
    if (s[SLOT_ATTN_QKV]) {
        linear(p, s[SLOT_ATTN_QKV], NULL, 0, p->normed, p->n, p->qkv, stride);
    } else {
        linear(p, s[SLOT_ATTN_Q], s[SLOT_ATTN_Q_BIAS], 0, p->normed, p->n, p->qkv, stride);
        linear(p, s[SLOT_ATTN_K], s[SLOT_ATTN_K_BIAS], 0, p->normed, p->n, p->qkv + q, stride);
        linear(p, s[SLOT_ATTN_V], s[SLOT_ATTN_V_BIAS], 0, p->normed, p->n, p->qkv + q + kv, stride);
    }
    for (uint32_t t = 0; s[SLOT_ATTN_Q_NORM] && t < p->n; t++) {
        double *row = p->qkv + t * stride;
        rmsnorm(p, s[SLOT_ATTN_Q_NORM], row, h->head_size, row, h->head_size, h->n_heads);
        rmsnorm(p, s[SLOT_ATTN_K_NORM], row + q, h->head_size, row + q, h->head_size,
                h->n_kv_heads);
    }
    rope(p, p->qkv, h->n_heads, windowed);
    rope(p, p->qkv + q, h->n_kv_heads, windowed);
    struct attention_job job = {p, hparams_window(h, layer), h->attn_scale, NULL};
    if (job.scale == 0.0)
        job.scale = 1.0 / sqrt(h->attn_scale_dim);
    if (s[SLOT_ATTN_SINKS]) {
        quant_decode_row_f64(s[SLOT_ATTN_SINKS]->dtype, s[SLOT_ATTN_SINKS]->data, p->out,
                             h->n_heads);
        job.sinks = p->out;
    }
    run(p, (size_t)p->n * h->n_heads, attention_task, &job);
    linear(p, s[SLOT_ATTN_OUT], s[SLOT_ATTN_OUT_BIAS], 0, p->attn, p->n, p->out, h->n_embd);
}

static double activate(enum act_fn fn, double gate, double up)
{
    switch (fn) {
    case ACT_FN_SILU:
        return gate / (1.0 + exp(-gate)) * up;
    case ACT_FN_GELU_TANH:
        return 0.5 * gate *
               (1.0 + tanh(0.797884560802865355880 * (gate + 0.044715 * gate * gate * gate))) * up;
    case ACT_FN_GELU_ERF:
        return 0.5 * gate * (1.0 + erf(gate * 0.707106781186547524401)) * up;
    case ACT_FN_SWIGLU_OAI:
        gate = fmin(gate, 7.0);
        up = fmin(fmax(up, -7.0), 7.0);
        return gate / (1.0 + exp(-1.702 * gate)) * (up + 1.0);
    }
    CHECK(!"activation");
    return 0.0;
}

/* p->ff holds rows of gate and up, 2 f wide; the product goes side by side to its front. */
static void glu(const struct pass *p, uint32_t n, size_t f)
{
    for (uint32_t t = 0; t < n; t++)
        for (size_t i = 0; i < f; i++)
            p->ff[t * f + i] =
                activate(p->h->act, p->ff[2 * t * f + i], p->ff[(2 * (size_t)t + 1) * f + i]);
}

/* Weights of the chosen experts over their logits; ties go to the lower id. */
static void choose_experts(const struct hparams *h, double *logits)
{
    double chosen[EXPERTS_MAX] = {0}, max = logits[0], sum = 0.0;
    for (uint32_t e = 1; e < h->n_experts; e++)
        max = fmax(max, logits[e]);
    for (uint32_t e = 0; !h->expert_weights_norm && e < h->n_experts; e++)
        sum += exp(logits[e] - max);
    for (uint32_t i = 0; i < h->n_experts_used; i++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t e = 0; e < h->n_experts; e++)
            if (chosen[e] == 0.0 && (best == UINT32_MAX || logits[e] > logits[best]))
                best = e;
        chosen[best] = fmax(exp(logits[best] - max), 1e-300); /* 0 would say "not chosen" */
        if (h->expert_weights_norm)
            sum += chosen[best];
    }
    for (uint32_t e = 0; e < h->n_experts; e++)
        logits[e] = chosen[e] / sum;
}

static void moe(const struct pass *p, uint32_t layer)
{
    const struct hparams *h = p->h;
    const struct tensor_view *const *s = p->w->layers[layer].slot;
    size_t f = h->n_ff_expert, d = h->n_embd;
    linear(p, s[SLOT_MOE_ROUTER], s[SLOT_MOE_ROUTER_BIAS], 0, p->normed, p->n, p->router,
           h->n_experts);
    for (uint32_t t = 0; t < p->n; t++)
        choose_experts(h, p->router + (size_t)t * h->n_experts);
    memset(p->out, 0, p->n * d * sizeof *p->out);
    for (uint32_t e = 0; e < h->n_experts; e++) {
        uint32_t n = 0;
        for (uint32_t t = 0; t < p->n; t++) {
            if (p->router[(size_t)t * h->n_experts + e] == 0.0)
                continue;
            memcpy(p->rows + n * d, p->normed + t * d, d * sizeof *p->rows);
            p->row_of[n++] = t;
        }
        if (n == 0)
            continue;
        linear(p, s[SLOT_MOE_GATE], s[SLOT_MOE_GATE_BIAS], e, p->rows, n, p->ff, 2 * f);
        linear(p, s[SLOT_MOE_UP], s[SLOT_MOE_UP_BIAS], e, p->rows, n, p->ff + f, 2 * f);
        glu(p, n, f);
        linear(p, s[SLOT_MOE_DOWN], s[SLOT_MOE_DOWN_BIAS], e, p->ff, n, p->rows_out, d);
        for (uint32_t i = 0; i < n; i++) {
            double weight = p->router[(size_t)p->row_of[i] * h->n_experts + e];
            for (size_t c = 0; c < d; c++)
                p->out[p->row_of[i] * d + c] += weight * p->rows_out[i * d + c];
        }
    }
}

static void feed_forward_block(const struct pass *p, uint32_t layer)
{
    const struct hparams *h = p->h;
    const struct tensor_view *const *s = p->w->layers[layer].slot;
    size_t f = h->n_ff;
    rmsnorm(p, s[h->ffn_norm], p->x, h->n_embd, p->normed, h->n_embd, p->n);
    if (s[SLOT_MOE_ROUTER]) {
        moe(p, layer);
        return;
    }
    if (s[SLOT_FFN_GATE_UP]) {
        linear(p, s[SLOT_FFN_GATE_UP], NULL, 0, p->normed, p->n, p->ff, 2 * f);
    } else {
        linear(p, s[SLOT_FFN_GATE], s[SLOT_FFN_GATE_BIAS], 0, p->normed, p->n, p->ff, 2 * f);
        linear(p, s[SLOT_FFN_UP], s[SLOT_FFN_UP_BIAS], 0, p->normed, p->n, p->ff + f, 2 * f);
    }
    glu(p, p->n, f);
    linear(p, s[SLOT_FFN_DOWN], s[SLOT_FFN_DOWN_BIAS], 0, p->ff, p->n, p->out, h->n_embd);
}

static void add_block(const struct pass *p, const struct tensor_view *post_norm)
{
    size_t d = p->h->n_embd;
    if (p->h->post_norms)
        rmsnorm(p, post_norm, p->out, d, p->out, d, p->n);
    for (size_t i = 0; i < p->n * d; i++)
        p->x[i] += p->out[i];
}

static void embed(const struct pass *p, const int32_t *token)
{
    const struct tensor_view *v = p->w->global[SLOT_TOKEN_EMBD];
    size_t d = p->h->n_embd, bytes = dtype_row_bytes(v->dtype, d);
    double scale = p->h->embd_scaled ? sqrt((double)d) : 1.0;
    for (uint32_t t = 0; t < p->n; t++) {
        const uint8_t *data = v->data;
        quant_decode_row_f64(v->dtype, data + (size_t)token[t] * bytes, p->x + t * d, d);
        for (size_t i = 0; i < d; i++)
            p->x[t * d + i] *= scale;
    }
}

/* The tensor that divides each frequency, decoded into p->out; NULL if the file has none. */
static const double *divisors(const struct pass *p, bool is_long)
{
    enum global_slot slot = p->h->rope.scaling != ROPE_SCALING_LONGROPE ? SLOT_ROPE_FREQS
                            : is_long                                   ? SLOT_ROPE_LONG
                                                                        : SLOT_ROPE_SHORT;
    const struct tensor_view *v = p->w->global[slot];
    if (!v)
        return NULL;
    quant_decode_row_f64(v->dtype, v->data, p->out, v->dim[0]);
    return p->out;
}

static void fill_angles(const struct pass *p, bool is_long)
{
    uint32_t pairs = p->h->n_rot / 2;
    const double *divisor = divisors(p, is_long);
    for (int windowed = 0; windowed < 2; windowed++) {
        const struct rope_params *params = windowed ? &p->h->rope_windowed : &p->h->rope;
        struct rope_f64 r = {params, divisor, p->h->n_rot};
        for (uint32_t t = 0; t < p->n; t++) {
            size_t at = ((size_t)windowed * p->n + t) * pairs;
            rope_f64_angles(&r, t, p->cos + at, p->sin + at);
        }
    }
}

/* x -= 2 (v . x) v for every row. */
static void reflect(const struct pass *p, const float *v)
{
    size_t d = p->h->n_embd;
    for (uint32_t t = 0; t < p->n; t++) {
        double *x = p->x + t * d, twice = 0.0;
        for (size_t i = 0; i < d; i++)
            twice += 2.0 * v[i] * x[i];
        for (size_t i = 0; i < d; i++)
            x[i] -= twice * v[i];
    }
}

/* The rows in p->x through every layer and the last norm. */
static void run_layers(struct pass *p, bool is_long, const float *mirrors)
{
    const struct hparams *h = p->h;
    fill_angles(p, is_long);
    for (uint32_t i = 0; i < h->n_layers; i++) {
        attention_block(p, i);
        add_block(p, p->w->layers[i].slot[SLOT_ATTN_POST_NORM]);
        feed_forward_block(p, i);
        add_block(p, p->w->layers[i].slot[SLOT_FFN_POST_NORM]);
        if (mirrors)
            reflect(p, mirrors + (size_t)i * h->n_embd);
    }
    rmsnorm(p, p->w->global[SLOT_OUTPUT_NORM], p->x, h->n_embd, p->normed, h->n_embd, p->n);
}

/* Everything for the tokens of one pass, then the logits of rows from `first` on. */
static void run_pass(struct pass *p, const int32_t *token, uint32_t n, bool is_long, uint32_t first,
                     double *logits)
{
    const struct hparams *h = p->h;
    const struct tensor_view *head = weights_head(p->h, p->w);
    p->n = n;
    embed(p, token);
    run_layers(p, is_long, NULL);
    linear(p, head, NULL, 0, p->normed + (size_t)first * h->n_embd, n - first,
           logits + (size_t)first * h->n_vocab, h->n_vocab);
    for (size_t i = (size_t)first * h->n_vocab; i < (size_t)n * h->n_vocab; i++)
        if (h->final_softcap != 0.0)
            logits[i] = h->final_softcap * tanh(logits[i] / h->final_softcap);
}

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* One block of memory, cut into the arrays of a pass. NULL when there is not enough. */
static double *lay_out(struct pass *p, uint32_t n)
{
    const struct hparams *h = p->h;
    size_t d = h->n_embd, q = (size_t)h->n_heads * h->head_size;
    size_t kv = (size_t)h->n_kv_heads * h->head_size, f = max_of(h->n_ff, h->n_ff_expert);
    size_t workers = p->threads ? (size_t)threads_count(p->threads) : 1;
    size_t angles = (size_t)h->n_rot, router = h->n_experts;
    p->n_scratch = max_of(max_of(max_of(d, q), f), n);
    size_t moe_rows = h->n_experts ? 2 * d + 1 : 0;
    size_t out = max_of(d, max_of(h->n_heads, h->n_rot));
    size_t per_token = d + d + (q + 2 * kv) + q + 2 * f + out + 2 * angles + router + moe_rows;
    double *memory = mem_array(workers * p->n_scratch + n * per_token, sizeof *memory),
           *at = memory;
    if (!memory)
        return NULL;
    p->scratch = at, at += workers * p->n_scratch;
    p->x = at, at += n * d;
    p->normed = at, at += n * d;
    p->qkv = at, at += n * (q + 2 * kv);
    p->attn = at, at += n * q;
    p->ff = at, at += n * 2 * f;
    p->out = at, at += n * out;
    p->cos = at, at += n * angles;
    p->sin = at, at += n * angles;
    p->router = at, at += n * router;
    p->rows = at, at += h->n_experts ? n * d : 0;
    p->rows_out = at, at += h->n_experts ? n * d : 0;
    p->row_of = (uint32_t *)(void *)at;
    return memory;
}

static enum err check_tokens(const struct table *t, const struct hparams *h, const int32_t *token,
                             uint32_t n, struct err_note *note)
{
    for (uint32_t i = 0; i < n; i++)
        if (token[i] < 0 || (uint32_t)token[i] >= h->n_vocab)
            return err_set(note, ERR_USAGE, "%s: token %d is not in the vocabulary of %u", t->path,
                           token[i], h->n_vocab);
    return ERR_OK;
}

/* What both entries need of the file. On success w is the caller's to release. */
static enum err open_weights(const struct table *t, struct hparams *h, struct weights *w,
                             struct err_note *note)
{
    enum err rc = hparams_read(t, h, note);
    if (rc == ERR_OK && h->is_encoder)
        rc = err_set(note, ERR_UNSUPPORTED, "%s is an encoder ('%s'): it has no logits", t->path,
                     h->arch->name);
    return rc ? rc : weights_bind(t, h, w, note);
}

enum err model_forward_f64(const struct table *t, const int32_t *token, uint32_t n_tokens,
                           struct threads *threads, double *logits, struct err_note *note)
{
    struct hparams h;
    struct weights w;
    enum err rc = open_weights(t, &h, &w, note);
    if (rc)
        return rc;
    struct pass p = {.h = &h, .w = &w, .threads = threads};
    double *memory = NULL;
    rc = check_tokens(t, &h, token, n_tokens, note);
    if (!rc && n_tokens > 0 && !(memory = lay_out(&p, n_tokens)))
        rc = err_set(note, ERR_MEMORY, "%s: out of memory for %u tokens", t->path, n_tokens);
    if (memory) {
        /* From the border on, a position sees a cache made with the long factors (model.h). */
        bool longrope = h.rope.scaling == ROPE_SCALING_LONGROPE;
        uint32_t border = longrope && n_tokens > h.rope.n_ctx_orig ? h.rope.n_ctx_orig : n_tokens;
        run_pass(&p, token, border, false, 0, logits);
        if (border < n_tokens)
            run_pass(&p, token, n_tokens, true, border, logits);
    }
    mem_free(memory);
    weights_release(&w);
    return rc;
}

enum err model_rows_f64(const struct table *t, const float *input, const float *mirrors,
                        uint32_t n_rows, struct threads *threads, double *hidden,
                        struct err_note *note)
{
    struct hparams h;
    struct weights w;
    enum err rc = open_weights(t, &h, &w, note);
    if (rc)
        return rc;
    struct pass p = {.h = &h, .w = &w, .threads = threads, .n = n_rows};
    double *memory = n_rows > 0 ? lay_out(&p, n_rows) : NULL;
    size_t d = h.n_embd, n = n_rows * d;
    if (memory) {
        for (size_t i = 0; i < n; i++)
            p.x[i] = input[i];
        run_layers(&p, false, mirrors);
        memcpy(hidden, p.normed + (n - d), d * sizeof *hidden);
    } else {
        rc = err_set(note, ERR_MEMORY, "%s: out of memory for %u rows", t->path, n_rows);
    }
    mem_free(memory);
    weights_release(&w);
    return rc;
}
