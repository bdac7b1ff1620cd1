/* exact.c - the layers as products of bytes and operations of the CPU's device. */
#include "poc/exact.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "device/device.h"
#include "model/rope_exact.h"
#include "numeric/fixed.h"
#include "poc/product.h"
#include "tensor/half.h"

/* A step of a norm's weights (exact_weights.h). */
static const float NORM_STEP = 0x1p-5f;

struct poc_exact {
    struct poc_params params;
    struct device *device;
    const char *isa;
    const struct exact_weights *weights;
    uint32_t n_nonces, n_rows_max;

    float *x, *normed, *q, *k, *v, *mixed, *gate, *up, *logits, *norm, *cosines, *sines;
    struct products *products;
    uint8_t *bad;
    float *floats;
    uint64_t n_floats;
    struct kv_shape shape;
    struct kv_row *rows;
    void **pages;
    uint8_t *kv;
    uint64_t n_kv_bytes;
};

enum err poc_exact_check(const struct poc_params *p, double fraction, const char *isa,
                         struct err_note *note)
{
    uint32_t size = poc_head_dim(p);
    if (fraction == 0)
        return err_set(note, ERR_UNSUPPORTED,
                       "the exact profile draws its weights by pool: "
                       "pool_fraction must be over 0");
    if (p->dim % EXACT_BLOCK != 0 || poc_ffn_dim(p) % EXACT_BLOCK != 0)
        return err_set(note, ERR_UNSUPPORTED,
                       "the exact profile needs multiples of %d: dim is %u, "
                       "the feed-forward part %u",
                       EXACT_BLOCK, p->dim, poc_ffn_dim(p));
    if (size % 4 != 0 || size > HEAD_SIZE_MAX || p->n_heads / p->n_kv_heads > GROUP_HEADS_MAX)
        return err_set(note, ERR_UNSUPPORTED,
                       "the exact profile needs heads of a multiple of 4, at "
                       "most %d, up to %d for one of keys; they are of %u, %u for one",
                       HEAD_SIZE_MAX, GROUP_HEADS_MAX, size, p->n_heads / p->n_kv_heads);
    if (p->dim > PRODUCT_COLUMNS_MAX || poc_ffn_dim(p) > PRODUCT_COLUMNS_MAX)
        return err_set(note, ERR_UNSUPPORTED,
                       "the exact profile sums up to %d products; dim is %u, the feed-forward "
                       "part %u",
                       PRODUCT_COLUMNS_MAX, p->dim, poc_ffn_dim(p));
    const char *const *name = cpu_isa_names();
    while (isa && *name && strcmp(*name, isa) != 0)
        name++;
    return *name ? ERR_OK
                 : err_set(note, ERR_UNSUPPORTED, "this machine has no instruction set '%s'", isa);
}

static uint64_t kv_bytes(const struct poc_params *p)
{
    uint64_t n_pages = (p->seq_len + KV_PAGE - 1) / KV_PAGE;
    return n_pages * kv_layer_bytes((struct kv_shape){p->n_kv_heads, poc_head_dim(p)});
}

/* Memory is counted by the code that hands it out; at NULL: it is only counted. */
static float *take(float *at, uint64_t *n_taken, uint64_t n)
{
    float *here = at ? at + *n_taken : NULL;
    *n_taken += (n + 15) / 16 * 16;
    return here;
}

static uint64_t lay_out(struct poc_exact *e, const struct poc_params *p, uint64_t n_nonces,
                        float *at)
{
    uint64_t n = n_nonces * p->seq_len, n_turns = n * poc_head_dim(p) / 2, n_taken = 0;
    uint64_t n_kv = (uint64_t)p->n_kv_heads * poc_head_dim(p);
    e->x = take(at, &n_taken, n * p->dim);
    e->normed = take(at, &n_taken, n * p->dim);
    e->q = take(at, &n_taken, n * p->dim);
    e->k = take(at, &n_taken, n * n_kv);
    e->v = take(at, &n_taken, n * n_kv);
    e->mixed = take(at, &n_taken, n * p->dim);
    e->gate = take(at, &n_taken, n * poc_ffn_dim(p));
    e->up = take(at, &n_taken, n * poc_ffn_dim(p));
    e->logits = take(at, &n_taken, n_nonces * p->vocab_size);
    e->norm = take(at, &n_taken, p->dim);
    e->cosines = take(at, &n_taken, n_turns);
    e->sines = take(at, &n_taken, n_turns);
    return n_taken;
}

static uint32_t widest(const struct poc_params *p)
{
    return p->dim > poc_ffn_dim(p) ? p->dim : poc_ffn_dim(p);
}

uint64_t poc_exact_bytes(const struct poc_params *p, int n_threads, uint32_t n_nonces)
{
    struct poc_exact none;
    uint64_t n = (uint64_t)n_nonces * p->seq_len;
    return lay_out(&none, p, n_nonces, NULL) * sizeof(float) +
           products_bytes(n_threads, n, widest(p)) + cpu_device_bytes() + n_nonces * kv_bytes(p) +
           n * (sizeof(struct kv_row) + 1 + sizeof(void *));
}

static void rotations(struct poc_exact *e)
{
    const struct poc_params *p = &e->params;
    uint32_t half = poc_head_dim(p) / 2;
    struct rope_params rope = {.theta = p->rope_theta, .factor = 1};
    if (p->use_scaled_rope)
        rope = (struct rope_params){.scaling = ROPE_SCALING_LLAMA3,
                                    .theta = p->rope_theta,
                                    .factor = 8,
                                    .n_ctx_orig = 8192,
                                    .low_freq_factor = 1,
                                    .high_freq_factor = 4};
    struct rope_exact angles;
    rope_exact_init(&angles, &rope, 2 * half, NULL, NULL);
    for (uint32_t t = 0; t < e->n_rows_max; t++)
        rope_exact_angles(&angles, t % p->seq_len, false, e->cosines + (size_t)t * half,
                          e->sines + (size_t)t * half);
}

/* What sees what: every nonce has pages of its own. */
static void link_pages(struct poc_exact *e)
{
    uint32_t n = e->params.seq_len, n_pages = (n + KV_PAGE - 1) / KV_PAGE;
    size_t page_bytes = kv_layer_bytes(e->shape);
    for (size_t i = 0; i < (size_t)e->n_nonces * n_pages; i++)
        e->pages[i] = e->kv + i * page_bytes;
    for (uint32_t t = 0; t < e->n_rows_max; t++)
        e->rows[t] = (struct kv_row){e->pages + (size_t)(t / n) * n_pages, t % n};
}

static enum err take_memory(struct poc_exact *e, struct threads *threads, struct err_note *note)
{
    const struct poc_params *p = &e->params;
    uint32_t n_pages = (p->seq_len + KV_PAGE - 1) / KV_PAGE;
    e->n_floats = lay_out(e, p, e->n_nonces, NULL);
    e->floats = mem_pages(e->n_floats * sizeof *e->floats);
    e->bad = mem_alloc(e->n_rows_max);
    e->rows = mem_array(e->n_rows_max, sizeof *e->rows);
    e->pages = mem_array((size_t)e->n_nonces * n_pages, sizeof *e->pages);
    e->n_kv_bytes = e->n_nonces * kv_bytes(p);
    e->kv = mem_pages(e->n_kv_bytes);
    e->products = products_new(e->isa, threads, e->n_rows_max, widest(p));
    if (!e->floats || !e->bad || !e->rows || !e->pages || !e->kv || !e->products)
        return err_set(note, ERR_MEMORY, "no memory for %u nonces at once", e->n_nonces);
    lay_out(e, p, e->n_nonces, e->floats);
    return ERR_OK;
}

enum err poc_exact_open(struct poc_exact **out, const struct exact_weights *weights,
                        const char *isa, struct threads *threads, uint32_t n_nonces,
                        struct err_note *note)
{
    const struct poc_params *p = &weights->params;
    *out = NULL;
    struct poc_exact *e = mem_zalloc(sizeof *e);
    if (!e)
        return err_set(note, ERR_MEMORY, "no memory for the exact profile");
    e->params = *p;
    e->weights = weights;
    e->n_nonces = n_nonces;
    e->n_rows_max = n_nonces * p->seq_len;
    e->shape = (struct kv_shape){p->n_kv_heads, poc_head_dim(p)};
    e->isa = isa ? isa : cpu_isa_best();
    enum err rc = cpu_device_open(threads_count(threads), e->isa, &e->device, note);
    if (rc == ERR_OK)
        rc = take_memory(e, threads, note);
    if (rc != ERR_OK) {
        poc_exact_close(e);
        return rc;
    }
    rotations(e);
    link_pages(e);
    *out = e;
    return ERR_OK;
}

void poc_exact_close(struct poc_exact *e)
{
    if (!e)
        return;
    if (e->device)
        e->device->ops->close(e->device);
    if (e->floats)
        mem_pages_free(e->floats, e->n_floats * sizeof *e->floats);
    if (e->kv)
        mem_pages_free(e->kv, e->n_kv_bytes);
    mem_free(e->bad);
    mem_free(e->rows);
    mem_free(e->pages);
    products_free(e->products);
    mem_free(e);
}

const char *poc_exact_isa(const struct poc_exact *e)
{
    return e->isa;
}

/* y of the inputs that were taken last. */
static void product(struct poc_exact *e, uint32_t tensor, float *y)
{
    struct poc_tensor t = poc_tensor_at(&e->params, tensor);
    products_run(e->products, exact_weights_view(e->weights, tensor), (uint32_t)t.n_rows, y);
}

/* The norm of n rows of x, as inputs of products. */
static void norm(struct poc_exact *e, uint32_t tensor, uint32_t n)
{
    uint32_t dim = e->params.dim;
    const int8_t *weights = exact_weights_view(e->weights, tensor);
    for (uint32_t i = 0; i < dim; i++)
        e->norm[i] = (float)weights[i] * NORM_STEP;
    struct norm_args a = {.x = e->x,
                          .w = e->norm,
                          .eps = (float)e->params.norm_eps,
                          .y = e->normed,
                          .keeps_y = true,
                          .stride_x = dim,
                          .stride_y = dim,
                          .n_rows = n,
                          .n = dim};
    e->device->ops->norm(e->device, &a);
    products_take(e->products, e->normed, n, dim, e->bad);
}

static void attention(struct poc_exact *e, uint32_t base, uint32_t n)
{
    const struct poc_params *p = &e->params;
    const struct device_ops *ops = e->device->ops;
    size_t n_kv = (size_t)p->n_kv_heads * poc_head_dim(p);
    norm(e, base + POC_ATTENTION_NORM, n);
    product(e, base + POC_WQ, e->q);
    product(e, base + POC_WK, e->k);
    product(e, base + POC_WV, e->v);
    struct kv_write_args w = {.q = e->q,
                              .k = e->k,
                              .v = e->v,
                              .stride_q = p->dim,
                              .stride_k = n_kv,
                              .stride_v = n_kv,
                              .n_rot = poc_head_dim(p),
                              .interleaved = true,
                              .cos = e->cosines,
                              .sin = e->sines,
                              .rows = e->rows,
                              .n_rows = n,
                              .n_heads = p->n_heads,
                              .shape = e->shape,
                              .bad = e->bad};
    ops->kv_write(e->device, &w);
    struct fx root = fx_sqrt(fx_int(poc_head_dim(p)));
    struct attention_args a = {.q = e->q,
                               .out = e->mixed,
                               .stride_q = p->dim,
                               .stride_out = p->dim,
                               .rows = e->rows,
                               .n_rows = n,
                               .n_heads = p->n_heads,
                               .shape = e->shape,
                               .scale = fx_to_f32(fx_div(fx_int(1), root)),
                               .bad = e->bad};
    ops->attention(e->device, &a);
}

/* The last row of every nonce, in x and mixed; what was bad in any row stays bad. */
static void keep_last(struct poc_exact *e, uint32_t n_nonces)
{
    uint32_t n = e->params.seq_len;
    size_t dim = e->params.dim;
    for (uint32_t i = 0; i < n_nonces; i++) {
        size_t last = (size_t)(i + 1) * n - 1;
        memmove(e->x + i * dim, e->x + last * dim, dim * sizeof *e->x);
        memmove(e->mixed + i * dim, e->mixed + last * dim, dim * sizeof *e->mixed);
        uint8_t bad = 0;
        for (uint32_t t = 0; t < n; t++)
            bad |= e->bad[(size_t)i * n + t];
        e->bad[i] = bad;
    }
}

static void layer_run(struct poc_exact *e, uint32_t layer, uint32_t n_nonces)
{
    const struct poc_params *p = &e->params;
    const struct device_ops *ops = e->device->ops;
    uint32_t base = poc_layer_tensor(layer, 0), n = n_nonces * p->seq_len, n_ffn = poc_ffn_dim(p);
    attention(e, base, n);
    if (layer + 1 == p->n_layers) {
        keep_last(e, n_nonces);
        n = n_nonces;
    }
    products_take(e->products, e->mixed, n, p->dim, e->bad);
    product(e, base + POC_WO, e->normed);
    ops->add(e->device, e->x, p->dim, e->normed, p->dim, n, p->dim, 1);
    norm(e, base + POC_FFN_NORM, n);
    product(e, base + POC_W1, e->gate);
    product(e, base + POC_W3, e->up);
    struct glu_args glu = {.fn = ACT_FN_SILU,
                           .gate = e->gate,
                           .up = e->up,
                           .y = e->gate,
                           .keeps_y = true,
                           .stride_gate = n_ffn,
                           .stride_up = n_ffn,
                           .stride_y = n_ffn,
                           .n_rows = n,
                           .n = n_ffn};
    ops->glu(e->device, &glu);
    products_take(e->products, e->gate, n, n_ffn, e->bad);
    product(e, base + POC_W2, e->normed);
    ops->add(e->device, e->x, p->dim, e->normed, p->dim, n, p->dim, 1);
}

void poc_exact_run(struct poc_exact *e, uint32_t n_nonces, const uint16_t *const *inputs,
                   float *const *logits)
{
    const struct poc_params *p = &e->params;
    size_t n_input = (size_t)p->seq_len * p->dim, n_vocab = p->vocab_size;
    CHECK(n_nonces <= e->n_nonces);
    memset(e->bad, 0, e->n_rows_max);
    for (uint32_t i = 0; i < n_nonces; i++)
        for (size_t k = 0; k < n_input; k++)
            e->x[i * n_input + k] = f16_widen(inputs[i][k]);
    for (uint32_t layer = 0; layer < p->n_layers; layer++)
        layer_run(e, layer, n_nonces);
    norm(e, poc_norm_tensor(p), n_nonces);
    product(e, poc_output_tensor(p), e->logits);
    e->device->ops->logits(e->device, e->logits, n_vocab, n_nonces, p->vocab_size, 0, e->bad);
    for (uint32_t i = 0; i < n_nonces; i++)
        for (size_t k = 0; k < n_vocab; k++)
            logits[i][k] = e->bad[i] ? NAN : e->logits[i * n_vocab + k];
}
