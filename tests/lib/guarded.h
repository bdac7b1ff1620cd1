/* guarded.h - a device with memory of its own, for tests without one: the CPU, behind addresses
 * that nobody can read or write, so that any access by the host is a crash.
 *
 * Every operation turns the addresses into those of the memory behind them, and so checks that what
 * it is given lies where device.h says: on the device or on the host; that rows were named before;
 * and that two passes of one key are the same operations with the same arguments. guarded_fail(n):
 * the device is lost at its n-th operation from now on; then nothing is done any more, and what is
 * got is NaN. */
#ifndef LIB_GUARDED_H
#define LIB_GUARDED_H

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "device/device.h"
#include "lib/test.h"

enum { GUARDED_REGIONS = 64, GUARDED_PASSES = 256, GUARDED_ROWS = 8192, GUARDED_PAGES = 1 << 17 };

struct guarded_region {
    uint8_t *at;   /* what the host sees: not to be touched */
    uint8_t *real; /* the memory */
    size_t n_bytes;
};
struct guarded_pass {
    uint64_t key, hash;
};

struct guarded {
    struct device base;
    struct device *cpu;
    struct guarded_region regions[GUARDED_REGIONS];
    size_t n_regions, n_bytes, n_bytes_max; /* taken; what may be */
    atomic_uint_fast64_t n_calls;
    uint64_t fail_at;
    atomic_bool is_lost;
    bool in_pass;
    const struct kv_row *rows; /* as they were named, */
    struct kv_row *real_rows;  /* and with pages of real addresses */
    void **pages;
    uint32_t n_rows;
    struct guarded_pass passes[GUARDED_PASSES], pass;
    uint32_t n_passes, n_repeated;
    size_t n_fetched[FETCH_PLACES]; /* bytes on their way; 0: none */
    uint32_t n_ahead;               /* fetches submitted while another was on its way */
    uint8_t fetched[FETCH_PLACES][FETCH_BYTES];
    struct matrix matrices[3][EXPERTS_MAX]; /* of the experts of one operation */
};

static inline struct guarded *guarded_of(struct device *d)
{
    return (struct guarded *)d;
}

/* False: the device is lost. */
static bool guarded_works(struct guarded *g)
{
    if (atomic_fetch_add(&g->n_calls, 1) + 1 == g->fail_at)
        g->is_lost = true;
    return !g->is_lost;
}

/* Where an address of the device really is; NULL: it is none. */
static void *guarded_real(const struct guarded *g, const void *p)
{
    for (size_t i = 0; i < g->n_regions; i++)
        if ((const uint8_t *)p >= g->regions[i].at &&
            (const uint8_t *)p < g->regions[i].at + g->regions[i].n_bytes)
            return g->regions[i].real + ((const uint8_t *)p - g->regions[i].at);
    return NULL;
}
static void *guarded_inside(const struct guarded *g, const void *p)
{
    void *real = guarded_real(g, p);
    CHECK(real);
    return real;
}
#define REAL(p)         guarded_inside(g, p)
#define REAL_OR_NULL(p) ((p) ? guarded_inside(g, p) : NULL)
#define ON_HOST(p)      CHECK(!guarded_real(g, p))

/* What is undefined after an operation is NaN here. */
static void guarded_spoil(const struct guarded *g, float *x, size_t stride, uint32_t n_rows,
                          uint32_t n)
{
    for (uint32_t t = 0; x && !g->is_lost && t < n_rows; t++)
        memset(x + t * stride, 0xff, n * sizeof *x);
}

/* What an operation was given, as numbers, joins the pass under way. */
static void guarded_told(struct guarded *g, const uint64_t *x, size_t n)
{
    for (size_t i = 0; g->in_pass && i < n; i++) {
        g->pass.hash ^= x[i] + 1;
        g->pass.hash = test_rand(&g->pass.hash);
    }
}
#define P(pointer) ((uint64_t)(uintptr_t)(pointer))
#define TOLD(...)                                                                                  \
    guarded_told(g, (const uint64_t[]){__LINE__, __VA_ARGS__},                                     \
                 sizeof(const uint64_t[]){__LINE__, __VA_ARGS__} / sizeof(uint64_t))
/* The operation itself, on the CPU. */
#define DO(call)                                                                                   \
    do {                                                                                           \
        if (guarded_works(g))                                                                      \
            g->cpu->ops->call;                                                                     \
    } while (0)

static void guarded_close(struct device *d)
{
    struct guarded *g = guarded_of(d);
    CHECK(g->n_regions == 0); /* all was given back */
    g->cpu->ops->close(g->cpu);
    mem_free(g->real_rows);
    mem_free(g->pages);
    mem_free(g);
}

static void guarded_wait(struct device *d)
{
    (void)d;
}

static enum err guarded_status(struct device *d, struct err_note *note)
{
    return guarded_of(d)->is_lost ? err_set(note, ERR_IO, "the test took it away") : ERR_OK;
}

static enum err guarded_mem_take(struct device *d, size_t n_bytes, const char *what, void **p,
                                 struct err_note *note)
{
    struct guarded *g = guarded_of(d);
    CHECK(n_bytes > 0 && g->n_regions < GUARDED_REGIONS);
    *p = NULL;
    if (n_bytes > g->n_bytes_max - g->n_bytes)
        return err_set(note, ERR_MEMORY, "out of device memory for %s: %zu bytes, %zu are left",
                       what, n_bytes, g->n_bytes_max - g->n_bytes);
    struct guarded_region r = {NULL, mem_pages(n_bytes), n_bytes};
    if (!r.real)
        return err_set(note, ERR_MEMORY, "out of memory for %s", what);
    r.at = mmap(NULL, n_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(r.at != MAP_FAILED);
    g->regions[g->n_regions++] = r;
    *p = r.at;
    g->n_bytes += n_bytes;
    return ERR_OK;
}

static void guarded_mem_give(struct device *d, void *p, size_t n_bytes)
{
    struct guarded *g = guarded_of(d);
    size_t i = 0;
    while (i < g->n_regions && g->regions[i].at != p)
        i++;
    CHECK(i < g->n_regions && g->regions[i].n_bytes == n_bytes);
    mem_pages_free(g->regions[i].real, n_bytes);
    CHECK(munmap(p, n_bytes) == 0);
    g->regions[i] = g->regions[--g->n_regions];
    g->n_bytes -= n_bytes;
}

static size_t guarded_mem_left(struct device *d, size_t *n_bytes)
{
    struct guarded *g = guarded_of(d);
    *n_bytes = g->n_bytes_max;
    return g->n_bytes_max - g->n_bytes;
}

static void guarded_put(struct device *d, void *to, const void *from, size_t n_bytes)
{
    struct guarded *g = guarded_of(d);
    ON_HOST(from);
    CHECK(!g->in_pass);
    DO(put(g->cpu, REAL(to), from, n_bytes));
}

static void guarded_get(struct device *d, void *to, const void *from, size_t n_bytes)
{
    struct guarded *g = guarded_of(d);
    ON_HOST(to);
    CHECK(!g->in_pass);
    DO(get(g->cpu, to, REAL(from), n_bytes));
    if (g->is_lost)
        memset(to, 0xff, n_bytes);
}

static void guarded_fetch(struct device *d, uint32_t place, const void *from, size_t n_bytes)
{
    struct guarded *g = guarded_of(d);
    CHECK(!g->in_pass && place < FETCH_PLACES && n_bytes <= FETCH_BYTES);
    g->n_ahead += g->n_fetched[!place] > 0;
    g->n_fetched[place] = n_bytes;
    DO(get(g->cpu, g->fetched[place], REAL(from), n_bytes));
}

static void guarded_fetched(struct device *d, uint32_t place, void *to, size_t n_bytes)
{
    struct guarded *g = guarded_of(d);
    ON_HOST(to);
    CHECK(place < FETCH_PLACES && n_bytes > 0 && n_bytes == g->n_fetched[place]);
    g->n_fetched[place] = 0;
    if (guarded_works(g))
        memcpy(to, g->fetched[place], n_bytes);
    else
        memset(to, 0xff, n_bytes);
}

static void guarded_move(struct device *d, void *to, const void *from, size_t n_bytes)
{
    struct guarded *g = guarded_of(d);
    TOLD(P(to), P(from), n_bytes);
    DO(move(g->cpu, REAL(to), REAL(from), n_bytes));
}

static void guarded_zero(struct device *d, void *to, size_t n_bytes)
{
    struct guarded *g = guarded_of(d);
    TOLD(P(to), n_bytes);
    DO(zero(g->cpu, REAL(to), n_bytes));
}

static void guarded_rows(struct device *d, const struct kv_row *rows, uint32_t n)
{
    struct guarded *g = guarded_of(d);
    uint32_t at = 0, n_pages = 0;
    ON_HOST(rows);
    CHECK(!g->in_pass && n <= GUARDED_ROWS);
    g->rows = rows;
    g->n_rows = n;
    for (uint32_t t = 0; t < n; t++) {
        if (t == 0 || rows[t].pages != rows[t - 1].pages) {
            at += n_pages;
            n_pages = 0;
        }
        for (; n_pages <= rows[t].position / KV_PAGE; n_pages++) {
            CHECK(at + n_pages < GUARDED_PAGES);
            g->pages[at + n_pages] = REAL(rows[t].pages[n_pages]);
        }
        g->real_rows[t] = (struct kv_row){g->pages + at, rows[t].position};
    }
}

static const struct kv_row *guarded_real_rows(const struct guarded *g, const struct kv_row *rows,
                                              uint32_t n)
{
    CHECK(rows >= g->rows && rows + n <= g->rows + g->n_rows);
    return g->real_rows + (rows - g->rows);
}

static bool guarded_pass_begin(struct device *d, uint64_t key)
{
    struct guarded *g = guarded_of(d);
    CHECK(!g->in_pass);
    g->in_pass = true;
    g->pass = (struct guarded_pass){key, 0};
    return false;
}

static void guarded_pass_end(struct device *d)
{
    struct guarded *g = guarded_of(d);
    CHECK(g->in_pass);
    g->in_pass = false;
    for (uint32_t i = 0; i < g->n_passes; i++)
        if (g->passes[i].key == g->pass.key) {
            CHECK(g->passes[i].hash == g->pass.hash);
            g->n_repeated++;
            return;
        }
    CHECK(g->n_passes < GUARDED_PASSES);
    g->passes[g->n_passes++] = g->pass;
}

static size_t guarded_matrix_bytes(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols)
{
    struct guarded *g = guarded_of(d);
    size_t n_bytes = g->cpu->ops->matrix_bytes(g->cpu, t, n_rows, n_cols);
    return n_bytes ? n_bytes : n_rows * dtype_row_bytes(t, n_cols);
}

static void guarded_matrix_pack(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols,
                                const void *rows, void *packed)
{
    struct guarded *g = guarded_of(d);
    ON_HOST(rows);
    ON_HOST(packed);
    if (g->cpu->ops->matrix_bytes(g->cpu, t, n_rows, n_cols))
        g->cpu->ops->matrix_pack(g->cpu, t, n_rows, n_cols, rows, packed);
    else
        memcpy(packed, rows, n_rows * dtype_row_bytes(t, n_cols));
}

static enum err guarded_raw_reserve(struct device *d, enum dtype t, uint32_t n_cols,
                                    struct err_note *note)
{
    (void)d, (void)t, (void)n_cols, (void)note;
    fail_msg("a raw matrix on a device that cannot read the file");
    return ERR_UNSUPPORTED;
}

static size_t guarded_acts_bytes(struct device *d, enum act_kind kind, uint32_t n_rows,
                                 uint32_t n_cols)
{
    struct device *cpu = guarded_of(d)->cpu;
    return cpu->ops->acts_bytes(cpu, kind, n_rows, n_cols);
}

static enum act_kind guarded_fast_kind(struct device *d, enum dtype t, uint32_t n_cols)
{
    struct device *cpu = guarded_of(d)->cpu;
    return cpu->ops->fast_kind(cpu, t, n_cols);
}

static void guarded_fast_begin(struct device *d, struct err_note *note)
{
    struct device *cpu = guarded_of(d)->cpu;
    cpu->ops->fast_begin(cpu, note);
}

/* Activations whose data is really there. */
static struct acts guarded_acts(const struct guarded *g, const struct acts *a)
{
    return (struct acts){a->kind, a->n_rows, a->n_cols, REAL(a->data)};
}

static void guarded_quantize(struct device *d, const float *x, size_t stride, struct acts *a,
                             uint8_t *bad)
{
    struct guarded *g = guarded_of(d);
    struct acts real = guarded_acts(g, a);
    TOLD(P(x), stride, P(a->data), a->n_rows, a->n_cols, a->kind, P(bad));
    DO(quantize(g->cpu, REAL(x), stride, &real, REAL(bad)));
}

static void guarded_matmul(struct device *d, const struct matrix *w, const struct acts *a,
                           const float *bias, float *y, size_t stride)
{
    struct guarded *g = guarded_of(d);
    struct matrix real_w = *w;
    struct acts real_a = guarded_acts(g, a);
    real_w.data = REAL(w->data);
    CHECK(!w->is_raw);
    TOLD(P(w->data), P(a->data), a->n_rows, P(bias), P(y), stride);
    DO(matmul(g->cpu, &real_w, &real_a, bias ? REAL(bias) : NULL, REAL(y), stride));
}

static void guarded_embed(struct device *d, enum dtype t, const void *rows, uint32_t n_cols,
                          const int32_t *token, uint32_t n_tokens, float scale, float *y,
                          size_t stride)
{
    struct guarded *g = guarded_of(d);
    TOLD(t, P(rows), P(token), n_tokens, P(y), stride);
    DO(embed(g->cpu, t, REAL(rows), n_cols, REAL(token), n_tokens, scale, REAL(y), stride));
}

/* Of the acts of an operation, which are kinds of the same rows. */
static const struct acts *guarded_all_acts(struct guarded *g, const struct acts *acts, uint32_t n,
                                           struct acts real[ACT_F32 + 1])
{
    CHECK(n <= ACT_F32 + 1);
    for (uint32_t i = 0; i < n; i++) {
        TOLD(P(acts[i].data), acts[i].kind, acts[i].n_rows, acts[i].n_cols);
        real[i] = guarded_acts(g, &acts[i]);
    }
    return real;
}

static void guarded_norm(struct device *d, const struct norm_args *a)
{
    struct guarded *g = guarded_of(d);
    struct acts acts[ACT_F32 + 1];
    struct norm_args real = *a;
    real.x = REAL(a->x);
    real.add = REAL_OR_NULL(a->add);
    real.add_norm = REAL_OR_NULL(a->add_norm);
    real.w = REAL(a->w);
    real.b = REAL_OR_NULL(a->b);
    real.y = REAL(a->y);
    real.bad = REAL_OR_NULL(a->bad);
    real.acts = guarded_all_acts(g, a->acts, a->n_acts, acts);
    TOLD(P(a->x), P(a->add), P(a->add_norm), P(a->w), a->n_rows, a->n, P(a->y), a->keeps_y,
         P(a->bad));
    DO(norm(g->cpu, &real));
    guarded_spoil(g, a->keeps_y ? NULL : real.y, a->stride_y, a->n_rows, a->n);
    guarded_spoil(g, real.add, a->stride_add, a->n_rows, a->n);
}

static void guarded_kv_write(struct device *d, const struct kv_write_args *a)
{
    struct guarded *g = guarded_of(d);
    struct kv_write_args real = *a;
    real.q = REAL(a->q);
    real.k = REAL(a->k);
    real.v = REAL(a->v);
    real.q_norm = REAL_OR_NULL(a->q_norm);
    real.k_norm = REAL_OR_NULL(a->k_norm);
    real.cos = a->n_rot ? REAL(a->cos) : NULL;
    real.sin = a->n_rot ? REAL(a->sin) : NULL;
    real.bad = REAL(a->bad);
    real.rows = guarded_real_rows(g, a->rows, a->n_rows);
    TOLD(P(a->q), P(a->k), P(a->v), a->stride_q, a->stride_k, (uint64_t)(a->rows - g->rows),
         a->n_rows, a->layer_offset, P(a->bad), P(a->q_norm), P(a->cos), P(a->sin));
    DO(kv_write(g->cpu, &real));
}

static void guarded_attention(struct device *d, const struct attention_args *a)
{
    struct guarded *g = guarded_of(d);
    struct attention_args real = *a;
    real.q = REAL(a->q);
    real.out = REAL(a->out);
    real.bad = REAL(a->bad);
    real.sinks = a->sinks ? REAL(a->sinks) : NULL;
    real.rows = guarded_real_rows(g, a->rows, a->n_rows);
    TOLD(P(a->q), P(a->out), (uint64_t)(a->rows - g->rows), a->n_rows, a->layer_offset, a->window,
         P(a->bad));
    DO(attention(g->cpu, &real));
}

static void guarded_kv_digest(struct device *d, const void *page, struct kv_shape s,
                              uint32_t n_layers, uint8_t (*digests)[SHA256_BYTES])
{
    struct guarded *g = guarded_of(d);
    DO(kv_digest(g->cpu, REAL(page), s, n_layers, REAL(digests)));
}

static void guarded_keep_rows(struct device *d, float *x, size_t stride, uint32_t n,
                              const uint32_t *from, uint32_t n_kept)
{
    struct guarded *g = guarded_of(d);
    ON_HOST(from);
    CHECK(!g->in_pass);
    DO(keep_rows(g->cpu, REAL(x), stride, n, from, n_kept));
}

static size_t guarded_experts_bytes(struct device *d, const struct experts_shape *s)
{
    struct device *cpu = guarded_of(d)->cpu;
    return cpu->ops->experts_bytes(cpu, s);
}

/* The matrices of all experts, whose data is really there. */
static const struct matrix *guarded_matrices(struct guarded *g, int which, const struct matrix *w,
                                             uint32_t n)
{
    CHECK(n <= EXPERTS_MAX);
    for (uint32_t e = 0; e < n; e++) {
        g->matrices[which][e] = w[e];
        g->matrices[which][e].data = REAL(w[e].data);
        CHECK(e == 0 || (const uint8_t *)w[e].data - (const uint8_t *)w[e - 1].data ==
                            (const uint8_t *)w[1].data - (const uint8_t *)w[0].data);
    }
    return g->matrices[which];
}

static void guarded_experts(struct device *d, const struct experts_args *a)
{
    struct guarded *g = guarded_of(d);
    struct experts_args real = *a;
    real.logits = REAL(a->logits);
    real.gate = guarded_matrices(g, 0, a->gate, a->shape.n_experts);
    real.up = guarded_matrices(g, 1, a->up, a->shape.n_experts);
    real.down = guarded_matrices(g, 2, a->down, a->shape.n_experts);
    real.gate_bias = REAL_OR_NULL(a->gate_bias);
    real.up_bias = REAL_OR_NULL(a->up_bias);
    real.down_bias = REAL_OR_NULL(a->down_bias);
    real.x = REAL(a->x);
    real.out = REAL(a->out);
    real.scratch = REAL(a->scratch);
    real.bad = REAL(a->bad);
    TOLD(P(a->logits), P(a->gate), P(a->x), P(a->out), a->shape.n_rows, a->is_normed, P(a->bad));
    DO(experts(g->cpu, &real));
}

static void guarded_note_bad(struct device *d, uint8_t *first, const uint32_t *origin,
                             const uint8_t *bad, uint32_t n, uint32_t n_marks, uint8_t mark)
{
    struct guarded *g = guarded_of(d);
    TOLD(P(first), P(origin), P(bad), n, n_marks, mark);
    DO(note_bad(g->cpu, REAL(first), REAL(origin), REAL(bad), n, n_marks, mark));
}

static void guarded_glu(struct device *d, const struct glu_args *a)
{
    struct guarded *g = guarded_of(d);
    struct acts acts[ACT_F32 + 1];
    struct glu_args real = *a;
    real.gate = REAL(a->gate);
    real.up = REAL(a->up);
    real.y = REAL(a->y);
    real.bad = REAL_OR_NULL(a->bad);
    real.acts = guarded_all_acts(g, a->acts, a->n_acts, acts);
    TOLD(a->fn, P(a->gate), a->stride_gate, P(a->up), a->n_rows, a->n, P(a->y), a->keeps_y,
         P(a->bad));
    DO(glu(g->cpu, &real));
    guarded_spoil(g, a->keeps_y ? NULL : real.y, a->stride_y, a->n_rows, a->n);
}

static void guarded_add(struct device *d, float *x, size_t stride_x, const float *y,
                        size_t stride_y, uint32_t n_rows, uint32_t n, float scale)
{
    struct guarded *g = guarded_of(d);
    TOLD(P(x), P(y), n_rows, n);
    DO(add(g->cpu, REAL(x), stride_x, REAL(y), stride_y, n_rows, n, scale));
}

static void guarded_reflect(struct device *d, float *x, size_t stride, const float *const *mirrors,
                            size_t at, uint32_t n_rows, uint32_t n)
{
    struct guarded *g = guarded_of(d);
    const float *const *from = REAL(mirrors), *real[64];
    for (uint32_t t0 = 0; t0 < n_rows; t0 += COUNT_OF(real)) {
        uint32_t n_now = n_rows - t0 < COUNT_OF(real) ? n_rows - t0 : (uint32_t)COUNT_OF(real);
        for (uint32_t i = 0; !g->is_lost && i < n_now; i++)
            real[i] = from[t0 + i] ? REAL(from[t0 + i]) : NULL;
        DO(reflect(g->cpu, (float *)REAL(x) + t0 * stride, stride, real, at, n_now, n));
    }
}

static void guarded_logits(struct device *d, float *x, size_t stride, uint32_t n_rows, uint32_t n,
                           float cap, uint8_t *bad)
{
    struct guarded *g = guarded_of(d);
    TOLD(P(x), stride, n_rows, n, P(bad));
    DO(logits(g->cpu, REAL(x), stride, n_rows, n, cap, REAL(bad)));
}

static void guarded_sample(struct device *d, const struct sample_args *a)
{
    struct guarded *g = guarded_of(d);
    struct sample_args real = *a;
    real.logits = REAL(a->logits);
    real.rows = REAL(a->rows);
    real.edits = REAL(a->edits);
    real.bad = REAL(a->bad);
    real.work = REAL(a->work);
    real.results = REAL(a->results);
    real.tokens = REAL(a->tokens);
    TOLD(P(a->logits), a->stride, a->n_rows, a->n_vocab, P(a->rows), P(a->edits), P(a->results),
         P(a->tokens));
    DO(sample(g->cpu, &real));
}

#undef REAL
#undef REAL_OR_NULL
#undef ON_HOST
#undef TOLD
#undef P
#undef DO

static const struct device_ops guarded_ops = {
    .name = "guarded",
    .host_memory = false,
    .close = guarded_close,
    .wait = guarded_wait,
    .status = guarded_status,
    .mem_take = guarded_mem_take,
    .mem_give = guarded_mem_give,
    .mem_left = guarded_mem_left,
    .put = guarded_put,
    .get = guarded_get,
    .fetch = guarded_fetch,
    .fetched = guarded_fetched,
    .move = guarded_move,
    .zero = guarded_zero,
    .rows = guarded_rows,
    .pass_begin = guarded_pass_begin,
    .pass_end = guarded_pass_end,
    .matrix_bytes = guarded_matrix_bytes,
    .matrix_pack = guarded_matrix_pack,
    .raw_reserve = guarded_raw_reserve,
    .acts_bytes = guarded_acts_bytes,
    .fast_kind = guarded_fast_kind,
    .fast_begin = guarded_fast_begin,
    .quantize = guarded_quantize,
    .matmul = guarded_matmul,
    .embed = guarded_embed,
    .norm = guarded_norm,
    .kv_write = guarded_kv_write,
    .attention = guarded_attention,
    .kv_digest = guarded_kv_digest,
    .keep_rows = guarded_keep_rows,
    .experts_bytes = guarded_experts_bytes,
    .experts = guarded_experts,
    .note_bad = guarded_note_bad,
    .glu = guarded_glu,
    .add = guarded_add,
    .reflect = guarded_reflect,
    .logits = guarded_logits,
    .sample = guarded_sample,
};

static inline struct device *guarded_open(int n_threads, const char *isa)
{
    struct guarded *g = mem_zalloc(sizeof *g);
    assert_non_null(g);
    g->base.ops = &guarded_ops;
    g->n_bytes_max = (size_t)1 << 40;
    g->real_rows = mem_array(GUARDED_ROWS, sizeof *g->real_rows);
    g->pages = mem_array(GUARDED_PAGES, sizeof *g->pages);
    assert_true(g->real_rows && g->pages);
    assert_ok(cpu_device_open(n_threads, isa, &g->cpu, NULL));
    return &g->base;
}

/* The device is lost at its n-th operation from now on. */
static inline void guarded_fail(struct device *d, uint64_t n)
{
    guarded_of(d)->fail_at = guarded_of(d)->n_calls + n;
}

#endif
