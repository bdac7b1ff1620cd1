/* test_isa.c - every instruction set of this machine gives the bits of the scalar definition. */
#include "lib/draw.h"
#include "lib/test.h"

#include "base/mem.h"
#include "device/cpu/scalar.h"
#include "tensor/quant/quant.h"

/* Runs check(scalar, set) for every other set of this machine. */
static void for_each_isa(void (*check)(const struct cpu_isa *scalar, const struct cpu_isa *isa))
{
    struct cpu_isa scalar, isa;
    assert_true(cpu_isa_find("scalar", &scalar));
    for (const char *const *name = cpu_isa_names(); *name; name++) {
        assert_true(cpu_isa_find(*name, &isa));
        check(&scalar, &isa);
    }
}

static void assert_floats_equal(const float *want, const float *got, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(want + i, got + i, 4) != 0)
            fail_msg("%s: element %zu is %a, not %a", what, i, (double)got[i], (double)want[i]);
}

enum { TOKENS_MAX = 525 };

struct product {
    enum dtype type;
    enum drawing how;
    uint32_t n_rows, n_cols, n_tokens;
    bool bias;
};

/* One set's result for a product: packs, quantises and multiplies in ranges, as the device does. */
static void product_run(const struct cpu_isa *isa, const struct product *p, const uint8_t *rows,
                        const float *x, const float *bias, float *y)
{
    struct matrix w = {p->type, p->n_rows, p->n_cols, NULL, 0};
    w.n_bytes = isa->matrix_bytes(p->type, p->n_rows, p->n_cols);
    uint8_t *packed = mem_pages(w.n_bytes);
    struct acts a = {act_kind_of(p->type), p->n_tokens, p->n_cols, NULL};
    a.data = mem_pages(isa->acts_bytes(a.kind, p->n_tokens, p->n_cols));
    memset(a.data, 0xff, isa->acts_bytes(a.kind, p->n_tokens, p->n_cols));
    uint8_t bad[TOKENS_MAX] = {0};
    for (uint32_t r = 0; r < p->n_rows; r += isa->row_step)
        isa->matrix_pack(p->type, p->n_rows, p->n_cols, rows, r,
                         r + isa->row_step < p->n_rows ? r + isa->row_step : p->n_rows, packed);
    w.data = packed;
    for (uint32_t t = 0; t < p->n_tokens; t += isa->acts_step)
        isa->quantize(x, p->n_cols, &a, t,
                      t + isa->acts_step < p->n_tokens ? t + isa->acts_step : p->n_tokens, bad);
    struct matmul_args args = {&w, &a, p->bias ? bias : NULL, y, p->n_rows + 1};
    uint32_t half = (p->n_rows / 2 + isa->row_step - 1) / isa->row_step * isa->row_step;
    half = half < p->n_rows ? half : p->n_rows;
    isa->matmul(&args, 0, half);
    isa->matmul(&args, half, p->n_rows);
    for (uint32_t t = 0; t < p->n_tokens; t++)
        assert_int_equal(bad[t], 0);
    mem_pages_free(packed, w.n_bytes);
    mem_pages_free(a.data, isa->acts_bytes(a.kind, p->n_tokens, p->n_cols));
}

static void product_check(const struct cpu_isa *scalar, const struct cpu_isa *isa,
                          const struct product *p, uint64_t seed)
{
    size_t n_out = (size_t)p->n_tokens * (p->n_rows + 1);
    uint8_t *rows = mem_alloc(p->n_rows * dtype_row_bytes(p->type, p->n_cols));
    float *x = mem_array((size_t)p->n_tokens * p->n_cols, sizeof *x);
    float *bias = mem_array(p->n_rows, sizeof *bias);
    float *want = mem_array(n_out, sizeof *want), *got = mem_array(n_out, sizeof *got);
    weights_draw(p->type, p->how, rows, p->n_rows, p->n_cols, &seed);
    activations_draw(p->how, x, p->n_tokens, p->n_cols, &seed);
    for (uint32_t i = 0; i < p->n_rows; i++)
        bias[i] = test_randn(&seed);
    product_run(scalar, p, rows, x, bias, want);
    product_run(isa, p, rows, x, bias, got);
    char what[128];
    snprintf(what, sizeof what, "%s: %s K=%u N=%u T=%u, %s", isa->name, dtype_info(p->type)->name,
             p->n_cols, p->n_rows, p->n_tokens, drawing_name(p->how));
    assert_floats_equal(want, got, n_out, what);
    mem_free(rows);
    mem_free(x);
    mem_free(bias);
    mem_free(want);
    mem_free(got);
}

/* Every type meets every width and every number of tokens, in pairs that change from type to type;
 * the scalar side costs a nanosecond per weight and token, so wide rows come with few of them. */
static void products_equal(const struct cpu_isa *scalar, const struct cpu_isa *isa)
{
    static const uint32_t widths[] = {32,   64,   96,   256,  512,  768,  896,
                                      1024, 1280, 1536, 1792, 2048, 2304, 2880};
    static const uint32_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 16, 17, 33, 19};
    static const uint32_t rows[] = {1, 16, 17, 33, 8, 47, 31};
    for (size_t k = 0; k < COUNT_OF(draw_types); k++)
        for (size_t i = k % test_every(3); i < COUNT_OF(widths) + COUNT_OF(tokens);
             i += test_every(3)) {
            struct product p = {draw_types[k],
                                (enum drawing)((i + k) % N_DRAWINGS),
                                rows[(i + 3 * k) % COUNT_OF(rows)],
                                widths[i % COUNT_OF(widths)],
                                tokens[(i + k) % COUNT_OF(tokens)],
                                (i + k) % 2};
            if (p.n_cols >= 1024)
                p.n_rows = p.n_rows % 20 + 1;
            if (p.n_cols % (uint32_t)dtype_info(p.type)->block_len == 0)
                product_check(scalar, isa, &p, 1000 * k + i);
        }
}
static void wide_products_equal(const struct cpu_isa *scalar, const struct cpu_isa *isa)
{
    static const uint32_t widths[] = {5632, 11008};
    for (size_t k = 0; k < COUNT_OF(draw_types) * COUNT_OF(widths); k++) {
        struct product p = {
            draw_types[k / 2], k % 4 < 2 ? EXTREME : TAME, 9, widths[k % 2], 2, false};
        product_check(scalar, isa, &p, k);
    }
}

/* Many rows and tokens at once: several panels share a pass, and tokens take more than one. */
static void large_products_equal(const struct cpu_isa *scalar, const struct cpu_isa *isa)
{
    for (size_t k = 0; k < COUNT_OF(draw_types); k += test_every(3)) {
        struct product many = {draw_types[k], EXTREME, 70, 256, k % 4 ? 41 : TOKENS_MAX, k % 2};
        struct product deep = {draw_types[k], TAME, 100, 2304 + 256 * (uint32_t)(k % 3), 15, k % 2};
        product_check(scalar, isa, &many, k);
        product_check(scalar, isa, &deep, k);
    }
}

static void test_products(void **state)
{
    (void)state;
    for_each_isa(products_equal);
    for_each_isa(wide_products_equal);
    for_each_isa(large_products_equal);
}

/* A row that holds a value beyond R6 multiplies as zeros and marks itself alone. */
static void bad_rows_equal(const struct cpu_isa *scalar, const struct cpu_isa *isa)
{
    (void)scalar;
    static const float wrong[] = {0x1p80f, -0x1p100f, __builtin_inff(), __builtin_nanf("")};
    float x[7 * 768], y[7 * 20];
    for (size_t k = 0; k < 3 * COUNT_OF(wrong) * 2; k++) {
        enum act_kind kind = (enum act_kind)(k % 3);
        enum dtype t = kind == ACT_Q256 ? DTYPE_Q4_K : kind == ACT_Q32 ? DTYPE_Q8_0 : DTYPE_F16;
        uint64_t seed = k;
        uint8_t rows[20 * 768 * 2], packed[64 * 768 * 2], bad[7] = {0};
        for (size_t i = 0; i < COUNT_OF(x); i++)
            x[i] = test_randn(&seed);
        x[3 * 768 + (k / 3 % 2 ? 767 : 5)] = wrong[k / 6];
        weights_draw(t, TAME, rows, 20, 768, &seed);
        assert_true(isa->matrix_bytes(t, 20, 768) <= sizeof packed);
        isa->matrix_pack(t, 20, 768, rows, 0, 20, packed);
        struct acts a = {kind, 7, 768, mem_zalloc(isa->acts_bytes(kind, 7, 768))};
        struct matrix w = {t, 20, 768, packed, sizeof packed};
        isa->quantize(x, 768, &a, 0, 7, bad);
        isa->matmul(&(struct matmul_args){&w, &a, NULL, y, 20}, 0, 20);
        for (int r = 0; r < 7; r++)
            assert_int_equal(bad[r], r == 3);
        for (int i = 0; i < 20; i++)
            assert_true(y[3 * 20 + i] == 0);
        mem_free(a.data);
    }
}

static void test_bad_rows(void **state)
{
    (void)state;
    for_each_isa(bad_rows_equal);
}

/* Lengths around every vector, signs, zeros, and values at the ends of each function's range. */
static void row_draw(float *x, uint32_t n, uint64_t *seed)
{
    static const float odd[] = {0.0f, -0.0f, 0.5f, -0.5f, 60.0f, -60.0f, 1e-30f, 7.0f, -7.0f, 1e9f};
    for (uint32_t i = 0; i < n; i++) {
        x[i] = test_randn(seed) * (test_rand(seed) % 4 ? 2.0f : 30.0f);
        if (test_rand(seed) % 16 == 0)
            x[i] = odd[test_rand(seed) % COUNT_OF(odd)];
    }
}

static void rows_equal(const struct cpu_isa *scalar, const struct cpu_isa *isa)
{
    static const uint32_t lengths[] = {1, 7, 8, 15, 16, 31, 33, 64, 100, 255, 256, 257, 900, 2048};
    float x[2048], y[2048], want[2048], got[2048];
    for (size_t k = 0; k < COUNT_OF(lengths); k++) {
        uint32_t n = lengths[k];
        uint64_t seed = k;
        row_draw(x, n, &seed);
        row_draw(y, n, &seed);
        scalar->rmsnorm(x, y, 1e-5f, n, want);
        isa->rmsnorm(x, y, 1e-5f, n, got);
        assert_floats_equal(want, got, n, "rmsnorm");
        for (int i = 0; i < 2; i++) {
            const float *b = i ? y + n / 3 : NULL; /* overlaps w: any numbers will do */
            uint32_t m = i ? n - n / 3 : n;
            scalar->layernorm(x, y, b, 1e-5f, m, want);
            isa->layernorm(x, y, b, 1e-5f, m, got);
            assert_floats_equal(want, got, m, "layernorm");
        }
        for (int fn = ACT_FN_SILU; fn <= ACT_FN_SWIGLU_OAI; fn++) {
            scalar->glu((enum act_fn)fn, x, y, n, want);
            isa->glu((enum act_fn)fn, x, y, n, got);
            assert_floats_equal(want, got, n, "glu");
        }
        for (int i = 0; i < 2; i++) {
            memcpy(want, x, sizeof x);
            memcpy(got, x, sizeof x);
            scalar->add(want, y, n, i ? 1.0f : 0.22f);
            isa->add(got, y, n, i ? 1.0f : 0.22f);
            assert_floats_equal(want, got, n, "add");
            memcpy(want, x, sizeof x);
            memcpy(got, x, sizeof x);
            scalar->reflect(want, y + i, n - (uint32_t)i);
            isa->reflect(got, y + i, n - (uint32_t)i);
            assert_floats_equal(want, got, n, "reflect");
            memcpy(want, x, sizeof x);
            memcpy(got, x, sizeof x);
            scalar->rope(want, n / 2 * 2, i, y, y + n / 2);
            isa->rope(got, n / 2 * 2, i, y, y + n / 2);
            assert_floats_equal(want, got, n, i ? "rope, interleaved" : "rope");
        }
    }
}

static const uint32_t head_sizes[] = {28, 64, 80, 96, 128, 256, 4, 512};

static void heads_equal(const struct cpu_isa *scalar, const struct cpu_isa *isa)
{
    for (size_t k = 0; k < COUNT_OF(head_sizes) * 5; k++) {
        static const float factors[] = {1.0f, 0.0f, 0x1p-70f, 0x1p60f, 0x1p90f};
        float x[512], want[512], got[512], scales[2];
        int16_t q[2][512];
        uint32_t n = head_sizes[k / 5];
        uint64_t seed = k;
        for (uint32_t i = 0; i < n; i++)
            x[i] = test_randn(&seed) * factors[k % 5] * (i == 3 ? 40.0f : 1.0f);
        memcpy(want, x, sizeof x);
        memcpy(got, x, sizeof x);
        bool ok = scalar->quantize_head(want, n, q[0], &scales[0]);
        assert_int_equal(isa->quantize_head(got, n, q[1], &scales[1]), ok);
        assert_floats_equal(want, got, n, "hadamard");
        assert_memory_equal(q[0], q[1], n * sizeof q[0][0]);
        assert_memory_equal(&scales[0], &scales[1], sizeof scales[0]);
    }
}

static void test_rows(void **state)
{
    (void)state;
    for_each_isa(rows_equal);
    for_each_isa(heads_equal);
}

enum { ROWS_MAX = 40, CACHE_MAX = 1300, CACHE_PAGES = (CACHE_MAX + KV_PAGE - 1) / KV_PAGE };

/* A case of attention: pages are filled by the set's own kv_write, over bytes that mean nothing. */
struct sight {
    struct kv_shape shape;
    uint32_t n_shared, depth, window;
    float softcap;
    bool sinks;
    float spread;    /* of queries and keys */
    uint32_t n_rows; /* queries: the last rows */
    bool cut;        /* along pages */
};

static void sight_fill(const struct cpu_isa *isa, const struct sight *s, float *k, const float *v,
                       void **pages, struct kv_row *rows)
{
    size_t width = (size_t)s->shape.n_kv_heads * s->shape.head_size;
    static uint8_t bad[CACHE_MAX];
    for (uint32_t i = 0; i <= (s->depth - 1) / KV_PAGE; i++) {
        pages[i] = mem_pages(64 + kv_layer_bytes(s->shape));
        memset(pages[i], 0xff, 64 + kv_layer_bytes(s->shape));
    }
    for (uint32_t i = 0; i < s->depth; i++)
        rows[i] = (struct kv_row){pages, i};
    struct kv_write_args w = {.k = k,
                              .v = v,
                              .stride_k = width,
                              .stride_v = width,
                              .rows = rows,
                              .n_rows = s->depth,
                              .shape = s->shape,
                              .layer_offset = 64,
                              .bad = bad};
    for (uint32_t g = 0; g < s->shape.n_kv_heads; g++)
        isa->kv_write(&w, g);
}

/* The last rows of a prompt at once, or each cut along its pages where the set can. */
static void sight_attend(const struct cpu_isa *isa, const struct attention_args *a, bool cut)
{
    float per_cap = a->softcap != 0 ? num_recip(a->softcap) : 0.0f;
    struct attention_job job = {a, attention_scale(a), per_cap};
    uint32_t n_shared = a->n_heads / a->shape.n_kv_heads;
    for (uint32_t g = 0; g < a->shape.n_kv_heads; g++) {
        struct attention_unit u = {.job = &job, .row1 = a->n_rows, .kv_head = g};
        if (!cut)
            isa->attention(&u);
        for (uint32_t t = 0; cut && t < a->n_rows; t++) {
            uint32_t last = a->rows[t].position / KV_PAGE / KV_PAGES_PER_GROUP;
            u.group1 = last - attention_first(a, &a->rows[t]) / KV_PAGE / KV_PAGES_PER_GROUP + 1;
            size_t n = u.group1 * n_shared * attention_part_floats(a->shape.head_size);
            u.parts = mem_pages(n * sizeof *u.parts);
            memset(u.parts, 0xff, n * sizeof *u.parts);
            u.row0 = t;
            u.row1 = t + 1;
            struct attention_unit half = u;
            half.group0 = u.group1 / 2;
            isa->attention_groups(&half);
            half.group0 = 0;
            half.group1 = u.group1 / 2;
            isa->attention_groups(&half);
            isa->attention_join(&u);
            mem_pages_free(u.parts, n * sizeof *u.parts);
        }
    }
}

static void sight_check(const struct cpu_isa *scalar, const struct cpu_isa *isa,
                        const struct sight *s, uint64_t seed)
{
    uint32_t e = s->shape.head_size, n_heads = s->n_shared * s->shape.n_kv_heads;
    uint32_t n_rows = s->n_rows < s->depth ? s->n_rows : s->depth;
    size_t width = (size_t)s->shape.n_kv_heads * e, n = s->depth * width;
    size_t q_width = (size_t)n_heads * e;
    float *k = mem_array(n, sizeof *k), *v = mem_array(n, sizeof *v);
    float *q = mem_array(n_rows * q_width, sizeof *q), *sinks = mem_array(n_heads, sizeof *sinks);
    float *out[2];
    void *pages[2][CACHE_PAGES];
    static struct kv_row rows[2][CACHE_MAX];
    for (size_t i = 0; i < n; i++) {
        k[i] = test_randn(&seed) * s->spread;
        v[i] = test_randn(&seed) * (i / width % 5 ? 1.0f : 4.0f);
    }
    for (size_t i = 0; i < n_rows * q_width; i++)
        q[i] = test_randn(&seed) * s->spread;
    for (uint32_t i = 0; i < n_heads; i++)
        sinks[i] = test_randn(&seed) * 3;
    for (int i = 0; i < 2; i++) {
        const struct cpu_isa *set = i ? isa : scalar;
        sight_fill(set, s, k, v, pages[i], rows[i]);
        out[i] = mem_array(n_rows * q_width, sizeof *out[i]);
        uint8_t bad[ROWS_MAX] = {0};
        struct attention_args a = {.q = q,
                                   .out = out[i],
                                   .stride_q = q_width,
                                   .stride_out = q_width,
                                   .rows = &rows[i][s->depth - n_rows],
                                   .n_rows = n_rows,
                                   .n_heads = n_heads,
                                   .shape = s->shape,
                                   .layer_offset = 64,
                                   .window = s->window,
                                   .scale = 0.11f,
                                   .softcap = s->softcap,
                                   .sinks = s->sinks ? sinks : NULL,
                                   .bad = bad};
        sight_attend(set, &a, s->cut && set->attention_groups);
        for (uint32_t t = 0; t < n_rows; t++)
            assert_int_equal(bad[t], 0);
    }
    char what[128];
    snprintf(what, sizeof what, "%s: attention E=%u shared=%u depth=%u window=%u rows=%u%s",
             isa->name, e, s->n_shared, s->depth, s->window, n_rows, s->cut ? " cut" : "");
    assert_floats_equal(out[0], out[1], n_rows * q_width, what);
    uint8_t *canonical[2];
    for (uint32_t p = 0; p <= (s->depth - 1) / KV_PAGE; p++) {
        uint32_t last = p == (s->depth - 1) / KV_PAGE ? (s->depth - 1) % KV_PAGE + 1 : KV_PAGE;
        size_t n_bytes = 0;
        for (int i = 0; i < 2; i++) {
            canonical[i] = mem_alloc(kv_layer_bytes(s->shape));
            n_bytes = kv_export((uint8_t *)pages[i][p] + 64, s->shape, last, canonical[i]);
        }
        assert_memory_equal(canonical[0], canonical[1], n_bytes);
        assert_true(kv_plausible(s->shape, last, canonical[0]));
        canonical[0][n_bytes - 1] ^= 0x80; /* of the running maximum: its sign */
        assert_false(kv_plausible(s->shape, last, canonical[0]));
        canonical[1][0] = 0, canonical[1][1] = 8; /* 2048 */
        assert_false(kv_plausible(s->shape, last, canonical[1]));
        for (int i = 0; i < 2; i++) {
            mem_free(canonical[i]);
            mem_pages_free(pages[i][p], 64 + kv_layer_bytes(s->shape));
        }
    }
    mem_free(k);
    mem_free(v);
    mem_free(q);
    mem_free(sinks);
    mem_free(out[0]);
    mem_free(out[1]);
}

static void attention_equal(const struct cpu_isa *scalar, const struct cpu_isa *isa)
{
    static const uint32_t shared[] = {1, 4, 7, 8, 12, 2, 3, 40}, n_rows[] = {1, 3, 40};
    static const uint32_t depths[] = {1, 2, 63, 64, 65, 127, 130, 511, 512, 513, 700, 1300};
    static const uint32_t windows[] = {0, 0, 1, 37, 64, 200, 513};
    for (size_t i = 0; i < COUNT_OF(head_sizes) * COUNT_OF(depths); i += test_every(5)) {
        uint32_t e = head_sizes[i / COUNT_OF(depths)];
        struct sight s = {{1 + (uint32_t)i % 2, e},
                          shared[(i + i / 12) % COUNT_OF(shared)],
                          depths[i % COUNT_OF(depths)],
                          windows[(i + i / 7) % COUNT_OF(windows)],
                          i % 5 == 3 ? 30.0f : 0.0f,
                          i % 4 == 1,
                          i % 3 == 0   ? 1.0f
                          : i % 3 == 1 ? 6.0f
                                       : 0.0f,
                          n_rows[(i + i / 5) % COUNT_OF(n_rows)],
                          i % 2};
        if (s.n_shared * s.n_rows * e > 40 * 256) /* the scalar side is slow */
            s.n_rows = 1;
        sight_check(scalar, isa, &s, i);
    }
}

static void test_attention(void **state)
{
    (void)state;
    for_each_isa(attention_equal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
