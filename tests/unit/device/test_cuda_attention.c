/* test_cuda_attention.c - the CUDA kernels of keys, values, attention and page digests, emulated,
 * give the bits of the CPU's plain C. */
#include "lib/cpu.h"
#include "lib/cuda_emulate.h"
#include "lib/test.h"

#include "base/mem.h"
#include "device/cuda/ops_attention.h"

enum { PAGES_MAX = 24, LAYERS = 2, TEXTS = 3 };

static uint64_t seed = 1;

static float *draw(size_t n)
{
    float *x = mem_alloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = test_randn(&seed) * (test_rand(&seed) % 32 ? 1.0f : 30.0f);
    return x;
}

/* Texts with pages of their own, of two layers. */
struct cache {
    struct kv_shape shape;
    size_t layer_bytes;
    void *pages[TEXTS][PAGES_MAX];
};

static void cache_begin(struct cache *c, struct kv_shape shape)
{
    c->shape = shape;
    c->layer_bytes = kv_layer_bytes(shape);
    for (int i = 0; i < TEXTS; i++)
        for (int k = 0; k < PAGES_MAX; k++)
            c->pages[i][k] = mem_zalloc(LAYERS * c->layer_bytes);
}

static void cache_end(struct cache *c)
{
    for (int i = 0; i < TEXTS; i++)
        for (int k = 0; k < PAGES_MAX; k++)
            mem_free(c->pages[i][k]);
}

static void cache_compare(const struct cache *got, const struct cache *want)
{
    for (int i = 0; i < TEXTS; i++)
        for (int k = 0; k < PAGES_MAX; k++)
            assert_memory_equal(got->pages[i][k], want->pages[i][k], LAYERS * got->layer_bytes);
}

/* What becomes of heads before they are written. */
struct turn {
    uint32_t n_heads, n_rot;
    bool interleaved, normed;
};

/* Rows, by the CPU and by the kernel. */
static void write_both(const struct cache *want, const struct kv_row *rows_got,
                       const struct kv_row *rows_want, uint32_t n, bool spoil,
                       const struct turn *turn)
{
    uint32_t e = want->shape.head_size;
    size_t width = (size_t)want->shape.n_kv_heads * e, q_width = (size_t)turn->n_heads * e;
    float *k = draw(n * width), *v = draw(n * width), *q = draw(n * q_width);
    float *cos = draw(n * e), *sin = draw(n * e), *norm = draw(2 * e);
    float *k_got = mem_alloc(n * width * sizeof *k), *q_got = mem_alloc(n * q_width * sizeof *q);
    uint8_t *bad_got = mem_zalloc(n), *bad_want = mem_zalloc(n);
    if (spoil) {
        k[0] = NAN;
        v[n * width - 1] = 0x1p81f;
        for (size_t i = 0; i < width; i++)
            v[n / 2 * width + i] = 0x1p-62f;
    }
    memcpy(k_got, k, n * width * sizeof *k);
    memcpy(q_got, q, n * q_width * sizeof *q);
    struct kv_write_args a = {.q = q,
                              .k = k,
                              .v = v,
                              .stride_q = q_width,
                              .stride_k = width,
                              .stride_v = width,
                              .q_norm = turn->normed ? norm : NULL,
                              .k_norm = turn->normed ? norm + e : NULL,
                              .eps = 1e-6f,
                              .n_rot = turn->n_rot,
                              .interleaved = turn->interleaved,
                              .cos = cos,
                              .sin = sin,
                              .rows = rows_want,
                              .n_rows = n,
                              .n_heads = turn->n_heads,
                              .shape = want->shape,
                              .layer_offset = want->layer_bytes,
                              .bad = bad_want};
    cpu()->ops->kv_write(cpu(), &a);
    a.q = q_got;
    a.k = k_got;
    a.bad = bad_got;
    struct write_args args;
    struct launch l = kv_write_launch(&a, rows_got, &args);
    cuda_emulate_launch(&l);
    assert_memory_equal(bad_got, bad_want, n);
    assert_memory_equal(q_got, q, n * q_width * sizeof *q);
    for (size_t i = 0; i < n * width; i++)
        if (memcmp(k_got + i, k + i, 4) != 0 && !(isnan(k[i]) && isnan(k_got[i])))
            fail_msg("key %zu: %a, not %a", i, (double)k_got[i], (double)k[i]);
    void *all[] = {k, v, q, cos, sin, norm, k_got, q_got, bad_got, bad_want};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        mem_free(all[i]);
}

static void test_kv_write(void **state)
{
    static const struct kv_shape shapes[] = {{2, 28}, {1, 128}, {3, 80}, {1, 512}};
    static const struct turn turns[] = {
        {5, 28, false, false}, {9, 64, true, true}, {0, 0, false, false}, {2, 512, false, true}};
    (void)state;
    for (size_t s = 0; s < COUNT_OF(shapes); s += test_every(1)) {
        struct cache got, want;
        cache_begin(&got, shapes[s]);
        cache_begin(&want, shapes[s]);
        /* A run over two borders of pages, then a row each of three texts, then the run goes on. */
        struct kv_row rows_got[100], rows_want[100];
        for (uint32_t step = 0; step < 3; step++) {
            uint32_t n = step == 0 ? 80 : step == 1 ? 3 : 2;
            for (uint32_t i = 0; i < n; i++) {
                uint32_t text = step == 1 ? i : 0, at = step == 0   ? 60 + i
                                                        : step == 1 ? 140
                                                                    : 141 + i;
                rows_got[i] = (struct kv_row){got.pages[text], at};
                rows_want[i] = (struct kv_row){want.pages[text], at};
            }
            write_both(&want, rows_got, rows_want, n, step == 0 && s % 2, &turns[s]);
            cache_compare(&got, &want);
        }
        cache_end(&got);
        cache_end(&want);
    }
}

/* The rows of a page in several runs of one call, other texts between them: whichever block is
 * first to run, maxima go up in order. */
static void test_kv_write_in_pieces(void **state)
{
    static const uint8_t text[] = {0, 1, 0, 0, 1, 2, 1, 0, 0, 2, 1};
    static const struct turn turn = {2, 16, false, false};
    struct kv_row rows_got[sizeof text], rows_want[sizeof text];
    struct cache got, want;
    uint32_t at[TEXTS] = {60, 63, 0};
    (void)state;
    cache_begin(&got, (struct kv_shape){2, 32});
    cache_begin(&want, (struct kv_shape){2, 32});
    for (int step = 0; step < 3; step++) {
        for (size_t i = 0; i < sizeof text; i++) {
            rows_got[i] = (struct kv_row){got.pages[text[i]], at[text[i]]};
            rows_want[i] = (struct kv_row){want.pages[text[i]], at[text[i]]};
            at[text[i]] += step == 1 && i == 3 ? 2 : 1; /* a gap, once */
        }
        cuda_emulate_backwards = step != 1;
        write_both(&want, rows_got, rows_want, sizeof text, false, &turn);
        cache_compare(&got, &want);
    }
    cuda_emulate_backwards = false;
    cache_end(&got);
    cache_end(&want);
}

struct attention_case {
    uint32_t head_size, n_heads, n_kv_heads, n_rows, position; /* of the last row */
    uint32_t window;
    float softcap;
    bool sinks, texts; /* a row for each text, instead of rows of one */
};

static void fill(struct cache *c, const struct kv_row *rows, uint32_t n)
{
    size_t width = (size_t)c->shape.n_kv_heads * c->shape.head_size;
    float *k = draw(n * width), *v = draw(n * width);
    uint8_t *bad = mem_zalloc(n);
    struct kv_write_args a = {.k = k,
                              .v = v,
                              .stride_k = width,
                              .stride_v = width,
                              .rows = rows,
                              .n_rows = n,
                              .shape = c->shape,
                              .layer_offset = c->layer_bytes,
                              .bad = bad};
    cpu()->ops->kv_write(cpu(), &a);
    mem_free(k);
    mem_free(v);
    mem_free(bad);
}

/* What the kernels give for a plan, as cuda_attention would launch it. */
static void emulate(struct attend_args *args, size_t row_floats, const struct kv_row *rows)
{
    static uint32_t tickets[ATTEND_SPLIT_MAX]; /* left as they were found */
    float *parts = row_floats ? mem_alloc(row_floats * args->n_rows * sizeof *parts) : NULL;
    args->rows = rows;
    args->tickets = tickets;
    if (parts) {
        memset(parts, 0xff, row_floats * args->n_rows * sizeof *parts);
        args->part_ml = parts;
        args->part_o = parts + 2 * (size_t)args->n_rows * args->n_heads * args->n_groups;
    }
    struct launch l = attend_launch(args);
    cuda_emulate_launch(&l);
    mem_free(parts);
}

static void attention_case(const struct attention_case *t)
{
    struct cache c;
    uint32_t n_positions = t->position + 1;
    size_t width = (size_t)t->n_heads * t->head_size;
    cache_begin(&c, (struct kv_shape){t->n_kv_heads, t->head_size});
    struct kv_row *rows = mem_alloc(n_positions * sizeof *rows);
    for (int text = 0; text < (t->texts ? TEXTS : 1); text++) {
        for (uint32_t i = 0; i < n_positions; i++)
            rows[i] = (struct kv_row){c.pages[text], i};
        fill(&c, rows, n_positions);
    }
    for (uint32_t i = 0; i < t->n_rows; i++)
        rows[i] = t->texts ? (struct kv_row){c.pages[i], t->position - 70 * i}
                           : (struct kv_row){c.pages[0], n_positions - t->n_rows + i};
    float *q = draw(t->n_rows * width), *sinks = draw(t->n_heads);
    float *want = mem_zalloc(t->n_rows * width * sizeof *want);
    float *got = mem_zalloc(t->n_rows * width * sizeof *got);
    uint8_t *bad_got = mem_zalloc(t->n_rows), *bad_want = mem_zalloc(t->n_rows);
    q[width - 1] = t->softcap != 0 ? INFINITY : q[width - 1];
    struct attention_args a = {q,
                               want,
                               width,
                               width,
                               rows,
                               t->n_rows,
                               t->n_heads,
                               c.shape,
                               c.layer_bytes,
                               t->window,
                               0.3f,
                               t->softcap,
                               t->sinks ? sinks : NULL,
                               bad_want};
    cpu()->ops->attention(cpu(), &a);
    a.out = got;
    a.bad = bad_got;
    for (int shares = 0; shares < 2; shares++) {
        struct attend_args args;
        uint32_t n_pages = t->position / KV_PAGE + 1;
        size_t row_floats = attend_plan(&a, shares, n_pages, &args);
        for (int split = row_floats ? 1 : 0; split >= 0; split--) {
            memset(got, 0, t->n_rows * width * sizeof *got);
            memset(bad_got, 0, t->n_rows);
            args.part_ml = args.part_o = NULL;
            emulate(&args, split ? row_floats : 0, rows);
            assert_memory_equal(got, want, t->n_rows * width * sizeof *want);
            assert_memory_equal(bad_got, bad_want, t->n_rows);
        }
    }
    cache_end(&c);
    mem_free(rows);
    mem_free(q);
    mem_free(sinks);
    mem_free(want);
    mem_free(got);
    mem_free(bad_got);
    mem_free(bad_want);
}

static void test_attention(void **state)
{
    static const struct attention_case cases[] = {
        {64, 4, 2, 1, 0, 0, 0, false, false},     {64, 4, 1, 5, 66, 0, 0, true, false},
        {128, 2, 2, 1, 1100, 0, 0, false, false}, {28, 3, 1, 3, 700, 0, 0, true, true},
        {80, 6, 1, 4, 130, 100, 0, false, false}, {96, 2, 1, 3, 1300, 0, 50, true, true},
        {64, 1, 1, 2, 1030, 80, 0, false, false}, {32, 20, 1, 2, 513, 0, 0, false, false},
        {256, 2, 1, 2, 70, 0, 0, true, false},    {512, 1, 1, 1, 100, 0, 0, false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i += test_every(3))
        attention_case(&cases[i]);
}

static void test_kv_digest(void **state)
{
    static const struct kv_shape shapes[] = {{1, 4}, {2, 28}, {1, 64}};
    (void)state;
    for (size_t s = 0; s < COUNT_OF(shapes); s++) {
        struct cache c;
        struct kv_row rows[KV_PAGE];
        uint8_t got[LAYERS][SHA256_BYTES], want[LAYERS][SHA256_BYTES];
        cache_begin(&c, shapes[s]);
        for (uint32_t i = 0; i < KV_PAGE; i++)
            rows[i] = (struct kv_row){c.pages[0], i};
        fill(&c, rows, KV_PAGE);
        cpu()->ops->kv_digest(cpu(), c.pages[0][0], shapes[s], LAYERS, want);
        struct digest_args args = {c.pages[0][0], got[0], shapes[s].n_kv_heads,
                                   shapes[s].head_size};
        struct launch l = kv_digest_launch(&args, LAYERS);
        cuda_emulate_launch(&l);
        assert_memory_equal(got, want, sizeof got);
        cache_end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kv_write),
        cmocka_unit_test(test_kv_write_in_pieces),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_kv_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
