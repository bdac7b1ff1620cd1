/* conformance.c - fixed inputs through every operation of a device.
 *
 * The shapes are awkward on purpose: short last blocks, rows that are no multiple of a vector,
 * grouped heads, page and group borders, outliers in the activations. */
#include "device/conformance.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "numeric/func.h"
#include "numeric/rope.h"
#include "numeric/sample.h"
#include "tensor/quant/quant.h"

enum { TAKEN_MAX = 32 }; /* of a vector */

struct run {
    struct device *d;
    struct conformance *results;
    size_t n_results;
    struct arena arena; /* inputs and results of the vector at hand, */
    struct taken {
        void *p;
        size_t n_bytes;
    } taken[TAKEN_MAX]; /* and what of them is on the device */
    size_t n_taken;
    uint64_t seed;
    bool failed;
};

/* splitmix64 */
static uint64_t next(struct run *r)
{
    uint64_t z = (r->seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Bell-shaped, about 1 in size; one in 64 is 16 times larger. Exact in binary32. */
static float value(struct run *r)
{
    uint64_t z = next(r);
    int32_t sum = (int32_t)(z & 0xffff) + (int32_t)(z >> 16 & 0xffff) + (int32_t)(z >> 32 & 0xffff);
    float x = (float)(sum - 98304) * 0x1p-15f;
    return z >> 58 ? x : x * 16.0f;
}

static void *take(struct run *r, size_t n_bytes)
{
    /* 64-byte alignment inside a 16-byte aligned arena. */
    uint8_t *p = arena_alloc(&r->arena, n_bytes + 64);
    r->failed = r->failed || !p;
    return p ? p + (64 - (uintptr_t)p % 64) % 64 : NULL;
}

static float *take_values(struct run *r, size_t n)
{
    float *x = take(r, n * sizeof *x);
    for (size_t i = 0; x && i < n; i++)
        x[i] = value(r);
    return x;
}

/* Device memory: a copy of host memory, or zeros for NULL. NULL: there is none. */
static void *on_device(struct run *r, const void *host, size_t n_bytes)
{
    void *p = NULL;
    CHECK(r->n_taken < TAKEN_MAX);
    if (r->failed || r->d->ops->mem_take(r->d, n_bytes, "conformance vectors", &p, NULL)) {
        r->failed = true;
        return NULL;
    }
    r->taken[r->n_taken++] = (struct taken){p, n_bytes};
    if (host)
        r->d->ops->put(r->d, p, host, n_bytes);
    return p;
}

static float *values_on_device(struct run *r, size_t n)
{
    float *x = take_values(r, n);
    return x ? on_device(r, x, n * sizeof *x) : NULL;
}

static void hash_floats(struct sha256 *h, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = num_bits(x[i]);
        uint8_t bytes[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16),
                            (uint8_t)(bits >> 24)};
        sha256_add(h, bytes, 4);
    }
}

static void hash_device(struct run *r, struct sha256 *h, const float *x, size_t n)
{
    float *host = take(r, n * sizeof *host);
    if (r->failed)
        return;
    r->d->ops->get(r->d, host, x, n * sizeof *host);
    hash_floats(h, host, n);
}

static void finish(struct run *r, const char *name, struct sha256 *h);
static void give_taken(struct run *r);

/* Random blocks whose scales are ordinary: any bytes, then every floating scale set. */
static void random_blocks(struct run *r, enum dtype t, uint8_t *bytes, size_t n_blocks)
{
    size_t n_bytes = (size_t)dtype_info(t)->block_bytes;
    for (size_t i = 0; i < n_blocks; i++, bytes += n_bytes) {
        for (size_t k = 0; k < n_bytes; k++)
            bytes[k] = (uint8_t)next(r);
        uint16_t half = (uint16_t)(0x2000 | (next(r) & 0x7ff)); /* 2^-7 to 2^-5 */
        float scale = 0.005f + value(r) * 0x1p-11f;
        size_t at = t == DTYPE_Q2_K ? 80 : t == DTYPE_Q3_K ? 108 : t == DTYPE_Q6_K ? 208 : 0;
        if (t == DTYPE_F32)
            scale = value(r);
        if (t == DTYPE_F32 || t == DTYPE_Q8_K || t == DTYPE_NF4 || t == DTYPE_FP4) {
            memcpy(bytes, &scale, 4);
        } else if (t == DTYPE_F16 || t == DTYPE_BF16) {
            half = (uint16_t)((t == DTYPE_F16 ? 0x3000 : 0x3d00) | (next(r) & 0x83ff));
            memcpy(bytes, &half, 2);
        } else if (t == DTYPE_MXFP4) {
            bytes[0] = (uint8_t)(118 + next(r) % 6);
        } else {
            memcpy(bytes + at, &half, 2);
            half = (uint16_t)(0x1c00 | (next(r) & 0x7ff));
            if (quant_format(t)->len == 256 ? t == DTYPE_Q2_K || t == DTYPE_Q4_K || t == DTYPE_Q5_K
                                            : t == DTYPE_Q4_1 || t == DTYPE_Q5_1)
                memcpy(bytes + at + 2, &half, 2);
        }
    }
}

static void matmul(struct run *r, enum dtype t, uint32_t n_cols, struct sha256 *h)
{
    enum { N = 45, T = 19 };
    const struct device_ops *ops = r->d->ops;
    enum act_kind kind = act_kind_of(t);
    size_t row_bytes = N * dtype_row_bytes(t, n_cols);
    size_t packed_bytes = ops->matrix_bytes(r->d, t, N, n_cols);
    uint8_t *rows = take(r, row_bytes), *packed = take(r, packed_bytes);
    float *x = values_on_device(r, (size_t)T * n_cols), *bias = values_on_device(r, N);
    float *y = on_device(r, NULL, sizeof(float) * N * T);
    uint8_t *bad = on_device(r, NULL, T);
    static const uint32_t batches[] = {T, 1, 4};
    struct acts a = {kind, T, n_cols, on_device(r, NULL, ops->acts_bytes(r->d, kind, T, n_cols))};
    if (r->failed)
        return;
    random_blocks(r, t, rows, N * (size_t)n_cols / (size_t)dtype_info(t)->block_len);
    if (packed_bytes)
        ops->matrix_pack(r->d, t, N, n_cols, rows, packed);
    struct matrix w = {.dtype = t, .n_rows = N, .n_cols = n_cols, .n_bytes = packed_bytes};
    w.data = packed_bytes ? on_device(r, packed, packed_bytes) : on_device(r, rows, row_bytes);
    for (size_t i = 0; !r->failed && i < COUNT_OF(batches); i++) {
        a.n_rows = batches[i];
        ops->quantize(r->d, x, n_cols, &a, bad);
        ops->matmul(r->d, &w, &a, i ? NULL : bias, y, N);
        hash_device(r, h, y, (size_t)N * batches[i]);
    }
    give_taken(r);
}

static void matmul_vectors(struct run *r)
{
    static const struct {
        enum dtype t;
        const char *name;
    } cases[] = {
        {DTYPE_F32, "matmul F32"},       {DTYPE_F16, "matmul F16"},
        {DTYPE_BF16, "matmul BF16"},     {DTYPE_Q4_0, "matmul Q4_0"},
        {DTYPE_Q4_1, "matmul Q4_1"},     {DTYPE_Q5_0, "matmul Q5_0"},
        {DTYPE_Q5_1, "matmul Q5_1"},     {DTYPE_Q8_0, "matmul Q8_0"},
        {DTYPE_Q2_K, "matmul Q2_K"},     {DTYPE_Q3_K, "matmul Q3_K"},
        {DTYPE_Q4_K, "matmul Q4_K"},     {DTYPE_Q5_K, "matmul Q5_K"},
        {DTYPE_Q6_K, "matmul Q6_K"},     {DTYPE_Q8_K, "matmul Q8_K"},
        {DTYPE_IQ4_NL, "matmul IQ4_NL"}, {DTYPE_IQ4_XS, "matmul IQ4_XS"},
        {DTYPE_MXFP4, "matmul MXFP4"},   {DTYPE_NF4, "matmul NF4"},
        {DTYPE_FP4, "matmul FP4"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sha256 h;
        int len = dtype_info(cases[i].t)->block_len;
        sha256_init(&h);
        r->seed = 1000 + i;
        if (len == 256) {
            matmul(r, cases[i].t, 256, &h);
            matmul(r, cases[i].t, 2304, &h);
        } else {
            matmul(r, cases[i].t, 64, &h);
            matmul(r, cases[i].t, 896, &h);
            matmul(r, cases[i].t, 2240, &h);
        }
        finish(r, cases[i].name, &h);
    }
}

struct attention_case {
    uint32_t head_size, n_heads, n_kv_heads, n_positions, window;
    float softcap;
    bool sinks;
};

static void attention(struct run *r, const struct attention_case *c, struct sha256 *h)
{
    enum { N_QUERIES = 5, N_PAGES = 12 };
    struct kv_shape shape = {c->n_kv_heads, c->head_size};
    size_t kv_width = (size_t)c->n_kv_heads * c->head_size;
    size_t q_width = (size_t)c->n_heads * c->head_size;
    uint32_t n = c->n_positions, from = n > N_QUERIES ? n - N_QUERIES : 0;
    float *k = values_on_device(r, n * kv_width), *v = values_on_device(r, n * kv_width);
    float *q = values_on_device(r, N_QUERIES * q_width), *sinks = values_on_device(r, c->n_heads);
    float *out = on_device(r, NULL, N_QUERIES * q_width * sizeof *out);
    struct kv_row *rows = take(r, n * sizeof *rows);
    uint8_t *bad = on_device(r, NULL, n);
    uint8_t *bytes = take(r, (size_t)KV_PAGE * c->n_kv_heads * 1100 * 2);
    void *pages[N_PAGES], *last = take(r, kv_layer_bytes(shape));
    for (int i = 0; i < N_PAGES; i++)
        pages[i] = on_device(r, NULL, kv_layer_bytes(shape));
    if (r->failed)
        return;
    CHECK(n <= N_PAGES * KV_PAGE);
    for (uint32_t i = 0; i < n; i++)
        rows[i] = (struct kv_row){pages, i};
    r->d->ops->rows(r->d, rows, n);
    struct kv_write_args w = {.q = q,
                              .k = k,
                              .v = v,
                              .stride_k = kv_width,
                              .stride_v = kv_width,
                              .rows = rows,
                              .n_rows = n,
                              .shape = shape,
                              .bad = bad};
    r->d->ops->kv_write(r->d, &w);
    struct attention_args a = {.q = q,
                               .out = out,
                               .stride_q = q_width,
                               .stride_out = q_width,
                               .rows = rows + from,
                               .n_rows = n - from,
                               .n_heads = c->n_heads,
                               .shape = shape,
                               .window = c->window,
                               .scale = 0.125f,
                               .softcap = c->softcap,
                               .sinks = c->sinks ? sinks : NULL,
                               .bad = bad};
    r->d->ops->attention(r->d, &a);
    hash_device(r, h, out, (n - from) * q_width);
    uint32_t n_last = (n - 1) % KV_PAGE + 1;
    r->d->ops->get(r->d, last, pages[(n - 1) / KV_PAGE], kv_layer_bytes(shape));
    sha256_add(h, bytes, kv_export(last, shape, n_last, bytes));
    give_taken(r);
}

static void attention_vectors(struct run *r)
{
    static const struct attention_case cases[] = {
        {64, 8, 2, 700, 0, 0, false},   {128, 7, 1, 65, 0, 0, false},
        {80, 4, 4, 130, 0, 0, false},   {96, 4, 1, 300, 100, 0, false},
        {256, 8, 4, 513, 0, 50, false}, {64, 8, 1, 200, 128, 0, true},
        {28, 3, 1, 64, 0, 0, false},    {32, 1, 1, 1, 0, 0, false},
    };
    struct sha256 h;
    sha256_init(&h);
    r->seed = 2000;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        attention(r, &cases[i], &h);
    finish(r, "attention", &h);
}

static void layernorm_vectors(struct run *r)
{
    enum { N = 1111, T = 3 };
    struct sha256 h;
    r->seed = 4000;
    float *x = values_on_device(r, N * T), *w = values_on_device(r, N);
    float *b = values_on_device(r, N);
    if (r->failed)
        return;
    sha256_init(&h);
    struct norm_args a = {.x = x,
                          .w = w,
                          .b = b,
                          .is_layernorm = true,
                          .eps = 1e-12f,
                          .y = x,
                          .keeps_y = true,
                          .stride_x = N,
                          .stride_y = N,
                          .n_rows = T,
                          .n = N};
    r->d->ops->norm(r->d, &a);
    a.b = NULL;
    a.eps = 1e-5f;
    r->d->ops->norm(r->d, &a);
    hash_device(r, &h, x, N * T);
    finish(r, "layernorm", &h);
}

static void reflect_vectors(struct run *r)
{
    enum { N = 1111, T = 3 };
    struct sha256 h;
    r->seed = 5000;
    float *x = values_on_device(r, N * T), *v = values_on_device(r, 2 * N);
    if (r->failed)
        return;
    const float *host[T] = {v, NULL, v + 7};
    const float *const *mirrors = on_device(r, host, sizeof host);
    if (r->failed)
        return;
    sha256_init(&h);
    r->d->ops->reflect(r->d, x, N, mirrors, 300, T, N);
    hash_device(r, &h, x, N * T);
    finish(r, "reflect", &h);
}

enum { ROW_N = 1111, ROW_T = 3 };

static void glu_vectors(struct run *r)
{
    static const char *const names[] = {"silu", "gelu tanh", "gelu erf", "swiglu oai"};
    enum { N = ROW_N, T = ROW_T };
    for (int fn = 0; fn < 4; fn++) {
        struct sha256 h;
        r->seed = 3000;
        float *x = values_on_device(r, N * T), *w = values_on_device(r, N * T);
        float *y = on_device(r, NULL, sizeof(float) * N * T);
        if (r->failed)
            return;
        sha256_init(&h);
        struct glu_args a = {.fn = (enum act_fn)fn,
                             .gate = x,
                             .up = w,
                             .y = y,
                             .keeps_y = true,
                             .stride_gate = N,
                             .stride_up = N,
                             .stride_y = N,
                             .n_rows = T,
                             .n = N};
        r->d->ops->glu(r->d, &a);
        hash_device(r, &h, y, N * T);
        finish(r, names[fn], &h);
    }
}

/* The first 8 heads of 128 of x are rotated, as queries beside a key that is nothing. */
static void rotate(struct run *r, float *x, bool interleaved)
{
    enum { E = 128, HEADS = 8 };
    struct kv_shape shape = {1, E};
    float cos[E / 2], sin[E / 2];
    struct rope rope;
    float *k = on_device(r, NULL, E * sizeof *k), *v = on_device(r, NULL, E * sizeof *v);
    void *pages[] = {on_device(r, NULL, kv_layer_bytes(shape))};
    uint8_t *bad = on_device(r, NULL, 1);
    struct kv_row row = {pages, 0};
    rope_init(&rope, fx_int(500000), E, NULL, fx_int(1));
    rope_angles(&rope, 123456, cos, sin);
    struct kv_write_args a = {.q = x,
                              .k = k,
                              .v = v,
                              .n_rot = E,
                              .interleaved = interleaved,
                              .cos = on_device(r, cos, sizeof cos),
                              .sin = on_device(r, sin, sizeof sin),
                              .rows = &row,
                              .n_rows = 1,
                              .n_heads = HEADS,
                              .shape = shape,
                              .bad = bad};
    if (r->failed)
        return;
    r->d->ops->rows(r->d, &row, 1);
    r->d->ops->kv_write(r->d, &a);
    r->d->ops->wait(r->d); /* row and pages are this function's */
}

static void row_vectors(struct run *r)
{
    enum { N = ROW_N, T = ROW_T };
    const struct device_ops *ops = r->d->ops;
    struct sha256 h;
    r->seed = 3000;
    float *x = values_on_device(r, N * T), *w = values_on_device(r, N * T);
    float *y = on_device(r, NULL, sizeof(float) * N * T);
    uint8_t *bad = on_device(r, NULL, T);
    if (r->failed)
        return;
    sha256_init(&h);
    struct norm_args norm = {.x = x,
                             .w = w,
                             .eps = 1e-5f,
                             .y = y,
                             .keeps_y = true,
                             .stride_x = N,
                             .stride_y = N,
                             .n_rows = T,
                             .n = N};
    ops->norm(r->d, &norm);
    hash_device(r, &h, y, N * T);
    rotate(r, y, false);
    rotate(r, y, true);
    ops->add(r->d, y, N, x, N, T, N, 1.0f);
    ops->add(r->d, y, N, x, N, T, N, 0.3f);
    ops->logits(r->d, y, N, T, N, 30.0f, bad);
    hash_device(r, &h, y, N * T);
    finish(r, "rows", &h);
    layernorm_vectors(r);
    reflect_vectors(r);
}

/* Tokens: the largest, then drawn under stages alone and together, with edits or without. */
static void sample_vectors(struct run *r)
{
    enum { V = 4001, T = 8, EDITS = 30 };
    struct sample_row rows[T];
    struct sample_edit edits[2 * EDITS];
    struct sha256 h;
    r->seed = 5000;
    for (uint32_t i = 0; i < 2 * EDITS; i++) {
        int32_t token = (int32_t)(next(r) % 128 + i % EDITS * 128);
        float bias = i % 3 ? value(r) : -__builtin_inff();
        edits[i] = (struct sample_edit){token, i < EDITS ? num_bits(bias) : i % 4};
    }
    for (uint32_t t = 0; t < T; t++)
        rows[t] = (struct sample_row){
            .random = next(r),
            .top_p = sample_share(t % 4 == 1 || t == T - 1 ? 0.9f : 1.0f),
            .min_p = sample_share(t % 4 == 2 || t == T - 1 ? 0.02f : 0.0f),
            .per_temperature = t > 0 ? num_recip(0.7f + 0.1f * (float)t) : 0,
            .repeat = 1.2f,
            .frequency = 0.25f,
            .presence = 0.5f,
            .top_k = t % 4 == 3 ? 30 : 0,
            .n_biases = t % 2 ? EDITS : 0,
            .n_penalties = t % 2 ? EDITS : 0,
            .token = SAMPLE_CHOOSE,
            .n_best = 5 * (t % 5),
            .wants_sum = t % 3 == 0,
        };
    struct sample_result *results = take(r, T * sizeof *results);
    struct sample_args a = {.stride = V, .n_rows = T, .n_vocab = V};
    a.logits = values_on_device(r, V * T);
    a.rows = on_device(r, rows, sizeof rows);
    a.edits = on_device(r, edits, sizeof edits);
    a.bad = on_device(r, NULL, T);
    a.work = on_device(r, NULL, sample_work_floats(T, V) * sizeof *a.work);
    a.results = on_device(r, NULL, T * sizeof *a.results);
    a.tokens = on_device(r, NULL, T * sizeof *a.tokens);
    if (r->failed)
        return;
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "results are hashed as they lie");
    r->d->ops->sample(r->d, &a);
    r->d->ops->get(r->d, results, a.results, T * sizeof *results);
    sha256_init(&h);
    sha256_add(&h, results, T * sizeof *results);
    finish(r, "sample", &h);
}

size_t conformance_run(struct device *d, struct conformance *results, uint8_t overall[SHA256_BYTES])
{
    struct run r = {.d = d, .results = results};
    struct sha256 h;
    arena_init(&r.arena, 64 << 20);
    matmul_vectors(&r);
    attention_vectors(&r);
    glu_vectors(&r);
    row_vectors(&r);
    sample_vectors(&r);
    give_taken(&r);
    arena_release(&r.arena);
    r.failed |= d->ops->status(d, NULL) != ERR_OK;
    sha256_init(&h);
    for (size_t i = 0; i < r.n_results; i++)
        sha256_add(&h, results[i].hash, SHA256_BYTES);
    sha256_end(&h, overall);
    return r.failed ? 0 : r.n_results;
}

/* In the order in which the vectors run. */
static const char *const expected[CONFORMANCE_MAX] = {
    "7801b78a27bd702b", /* matmul F32 */
    "8e971e0da31df02e", /* matmul F16 */
    "1c3d1bbfd1dbf986", /* matmul BF16 */
    "b099f60fec9d91e6", /* matmul Q4_0 */
    "77c926f40508b05b", /* matmul Q4_1 */
    "6cf8d4edd7977e33", /* matmul Q5_0 */
    "2314500c950de49b", /* matmul Q5_1 */
    "d15c5fd08e647caf", /* matmul Q8_0 */
    "4e81d498297578ad", /* matmul Q2_K */
    "419da01b15910e3d", /* matmul Q3_K */
    "1d51442330164e6e", /* matmul Q4_K */
    "064d9ed8cc3b90a9", /* matmul Q5_K */
    "852db30ef4aff551", /* matmul Q6_K */
    "1303e7bbb51b2279", /* matmul Q8_K */
    "4a030b6dd057e442", /* matmul IQ4_NL */
    "6fa46dbf3fefee46", /* matmul IQ4_XS */
    "0dfb951e25b006ff", /* matmul MXFP4 */
    "052608ec4f179d28", /* matmul NF4 */
    "16e44fc234b24923", /* matmul FP4 */
    "490b5a8548e309be", /* attention */
    "0a5401721b79cf76", /* silu */
    "3dec413e4ec29aef", /* gelu tanh */
    "dc5db40681826bac", /* gelu erf */
    "1118e98ca89f55d8", /* swiglu oai */
    "75711b7eaf1f6b14", /* rows */
    "acdb5e2143d1f42d", /* layernorm */
    "4ca79f9988605754", /* reflect */
    "22fd850cbe8d0de6", /* sample */
};

static void give_taken(struct run *r)
{
    while (r->n_taken) {
        struct taken *t = &r->taken[--r->n_taken];
        r->d->ops->mem_give(r->d, t->p, t->n_bytes);
    }
}

static void finish(struct run *r, const char *name, struct sha256 *h)
{
    CHECK(r->n_results < CONFORMANCE_MAX);
    struct conformance *c = &r->results[r->n_results];
    c->name = name;
    sha256_end(h, c->hash);
    c->expected = expected[r->n_results] ? expected[r->n_results] : "";
    r->n_results++;
    give_taken(r);
    arena_release(&r->arena);
}

bool conformance_ok(const struct conformance *c)
{
    char hex[SHA256_HEX];
    hex_of(c->hash, SHA256_BYTES, hex);
    return strncmp(hex, c->expected, 16) == 0 && strlen(c->expected) == 16;
}
