/* test_scalar.c - the scalar definition against plain double: it means what it should. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "device/cpu/scalar.h"
#include "numeric/func.h"
#include "tensor/quant/quant.h"

static const enum dtype types[] = {
    DTYPE_F32,  DTYPE_F16,  DTYPE_BF16,  DTYPE_Q4_0,   DTYPE_Q4_1,   DTYPE_Q5_0, DTYPE_Q5_1,
    DTYPE_Q8_0, DTYPE_Q2_K, DTYPE_Q3_K,  DTYPE_Q4_K,   DTYPE_Q5_K,   DTYPE_Q6_K, DTYPE_Q8_K,
    DTYPE_NF4,  DTYPE_FP4,  DTYPE_MXFP4, DTYPE_IQ4_NL, DTYPE_IQ4_XS,
};

/* Random blocks with tame scales: random bytes, then every float scale set to a small half. */
static void random_rows(enum dtype t, uint8_t *rows, size_t n_blocks, uint64_t *seed)
{
    size_t n_bytes = (size_t)dtype_info(t)->block_bytes;
    for (size_t i = 0; i < n_blocks * n_bytes; i++)
        rows[i] = (uint8_t)test_rand(seed);
    for (size_t i = 0; i < n_blocks; i++) {
        uint8_t *b = rows + i * n_bytes;
        uint16_t half[2] = {(uint16_t)(0x2000 | (test_rand(seed) & 0x3ff)),
                            (uint16_t)(0x1c00 | (test_rand(seed) & 0x3ff))};
        float f = 0.01f + 0.005f * test_randf(seed);
        if (t == DTYPE_F32) {
            f = test_randn(seed);
            memcpy(b, &f, 4);
        } else if (t == DTYPE_F16 || t == DTYPE_BF16) {
            half[0] = (uint16_t)((t == DTYPE_F16 ? 0x3000 : 0x3d00) | (test_rand(seed) & 0x83ff));
            memcpy(b, half, 2);
        } else if (t == DTYPE_Q8_K || t == DTYPE_NF4 || t == DTYPE_FP4) {
            memcpy(b, &f, 4);
        } else if (t == DTYPE_MXFP4) {
            b[0] = (uint8_t)(120 + test_rand(seed) % 8);
        } else {
            size_t at = t == DTYPE_Q2_K ? 80 : t == DTYPE_Q3_K ? 108 : t == DTYPE_Q6_K ? 208 : 0;
            bool two = t == DTYPE_Q4_1 || t == DTYPE_Q5_1 || t == DTYPE_Q2_K || t == DTYPE_Q4_K ||
                       t == DTYPE_Q5_K;
            memcpy(b + at, half, two ? 4 : 2);
        }
    }
}

/* Relative error (of the norm) that int8 activations may cause. */
static void products_are_near_double(void **state)
{
    (void)state;
    static const uint32_t widths[] = {256, 512, 2304};
    struct cpu_isa isa;
    cpu_isa_scalar(&isa);
    for (size_t k = 0; k < COUNT_OF(types) * COUNT_OF(widths); k++) {
        enum dtype t = types[k / COUNT_OF(widths)];
        uint32_t n_cols = widths[k % COUNT_OF(widths)], n_rows = 24;
        uint64_t seed = k;
        size_t row_bytes = dtype_row_bytes(t, n_cols);
        uint8_t *rows = mem_alloc(n_rows * row_bytes);
        double *w = mem_array(n_cols, sizeof *w);
        float *x = mem_array(n_cols, sizeof *x), y[24];
        random_rows(t, rows, n_rows * n_cols / (size_t)dtype_info(t)->block_len, &seed);
        for (uint32_t i = 0; i < n_cols; i++)
            x[i] = test_randn(&seed);
        struct acts a = {act_kind_of(t), 1, n_cols, NULL};
        a.data = mem_zalloc(isa.acts_bytes(a.kind, 1, n_cols));
        uint8_t bad = 0;
        isa.quantize(x, n_cols, &a, 0, 1, &bad);
        assert_int_equal(bad, 0);
        struct matrix m = {t, n_rows, n_cols, rows, n_rows * row_bytes};
        struct matmul_args args = {&m, &a, NULL, y, n_rows};
        isa.matmul(&args, 0, n_rows);
        double error = 0, norm = 0;
        for (uint32_t r = 0; r < n_rows; r++) {
            double want = 0, size = 0;
            quant_decode_row_f64(t, rows + r * row_bytes, w, n_cols);
            for (uint32_t i = 0; i < n_cols; i++) {
                want += w[i] * x[i];
                size += w[i] * w[i];
            }
            error += (y[r] - want) * (y[r] - want);
            norm += size; /* x has variance 1: the expected square of a product */
        }
        double bound = a.kind == ACT_F32 ? 1e-5 : 0.012;
        if (!(sqrt(error / norm) < bound))
            fail_msg("%s K=%u: error %g", dtype_info(t)->name, n_cols, sqrt(error / norm));
        mem_free(rows);
        mem_free(w);
        mem_free(x);
        mem_free(a.data);
    }
}

static void bad_values_mark_their_row_only(void **state)
{
    (void)state;
    struct cpu_isa isa;
    cpu_isa_scalar(&isa);
    float x[3 * 256];
    for (int i = 0; i < 3 * 256; i++)
        x[i] = (float)i;
    x[256 + 7] = NAN;
    for (int kind = 0; kind < 3; kind++) {
        struct acts a = {(enum act_kind)kind, 3, 256, NULL};
        uint8_t bad[3] = {0};
        a.data = mem_zalloc(isa.acts_bytes(a.kind, 3, 256));
        isa.quantize(x, 256, &a, 0, 3, bad);
        assert_int_equal(bad[0] + 2 * bad[1] + 4 * bad[2], 2);
        mem_free(a.data);
    }
}

struct cache {
    void *pages[32];
    struct kv_row rows[1400];
};

static void cache_fill(struct cache *c, const struct cpu_isa *isa, struct kv_shape shape,
                       uint32_t n, float *k, float *v)
{
    uint8_t bad[1400] = {0};
    for (uint32_t i = 0; i < (n + KV_PAGE - 1) / KV_PAGE; i++)
        c->pages[i] = mem_zalloc(kv_layer_bytes(shape));
    for (uint32_t i = 0; i < n; i++)
        c->rows[i] = (struct kv_row){c->pages, i};
    size_t width = (size_t)shape.n_kv_heads * shape.head_size;
    struct kv_write_args w = {.k = k,
                              .v = v,
                              .stride_k = width,
                              .stride_v = width,
                              .rows = c->rows,
                              .n_rows = n,
                              .shape = shape,
                              .bad = bad};
    for (uint32_t g = 0; g < shape.n_kv_heads; g++)
        isa->kv_write(&w, g);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(bad[i], 0);
}

static void attention_f64(const float *q, const float *k, const float *v, uint32_t n, uint32_t from,
                          uint32_t e, size_t width, double scale, double cap, const float *sink,
                          double *out)
{
    double s[1400], top = sink ? *sink : -1e300, l = 0;
    for (uint32_t i = from; i < n; i++) {
        s[i] = 0;
        for (uint32_t d = 0; d < e; d++)
            s[i] += (double)q[d] * k[i * width + d];
        s[i] *= scale;
        s[i] = cap != 0 ? cap * tanh(s[i] / cap) : s[i];
        top = s[i] > top ? s[i] : top;
    }
    memset(out, 0, e * sizeof *out);
    for (uint32_t i = from; i < n; i++) {
        double p = exp(s[i] - top);
        l += p;
        for (uint32_t d = 0; d < e; d++)
            out[d] += p * v[i * width + d];
    }
    l += sink ? exp(*sink - top) : 0;
    for (uint32_t d = 0; d < e; d++)
        out[d] /= l;
}

static void attention_is_near_double(void **state)
{
    (void)state;
    static const struct {
        uint32_t e, heads, kv_heads, n, window;
        float cap, sink;
    } cases[] = {
        {64, 4, 2, 1, 0, 0, 0},     {64, 7, 1, 700, 0, 0, 0},   {80, 2, 2, 129, 0, 0, 0},
        {28, 3, 1, 200, 0, 0, 0},   {128, 4, 1, 1300, 0, 0, 0}, {96, 2, 1, 600, 100, 0, 0},
        {256, 2, 1, 300, 0, 50, 0}, {64, 2, 1, 90, 64, 0, 1},
    };
    struct cpu_isa isa;
    cpu_isa_scalar(&isa);
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        uint32_t e = cases[c].e, n = cases[c].n, h = cases[c].heads, g = cases[c].kv_heads;
        uint64_t seed = c;
        size_t width = (size_t)g * e;
        struct cache cache;
        struct kv_shape shape = {g, e};
        float *k = mem_array(n * width, 4), *v = mem_array(n * width, 4);
        float *q = mem_array((size_t)h * e, 4), *out = mem_array((size_t)h * e, 4), sinks[8];
        for (size_t i = 0; i < n * width; i++) {
            k[i] = test_randn(&seed);
            v[i] = test_randn(&seed);
        }
        for (size_t i = 0; i < (size_t)h * e; i++)
            q[i] = test_randn(&seed) * 2;
        for (int i = 0; i < 8; i++)
            sinks[i] = test_randn(&seed);
        cache_fill(&cache, &isa, shape, n, k, v);
        uint8_t bad = 0;
        struct attention_args a = {.q = q,
                                   .out = out,
                                   .stride_q = h * e,
                                   .stride_out = h * e,
                                   .rows = cache.rows + n - 1,
                                   .n_rows = 1,
                                   .n_heads = h,
                                   .shape = shape,
                                   .window = cases[c].window,
                                   .scale = 1 / sqrtf((float)e),
                                   .softcap = cases[c].cap,
                                   .sinks = cases[c].sink != 0 ? sinks : NULL,
                                   .bad = &bad};
        double error = 0, norm = 0, want[HEAD_SIZE_MAX];
        uint32_t from = cases[c].window && n > cases[c].window ? n - cases[c].window : 0;
        struct attention_job job = {&a, attention_scale(&a), a.softcap != 0 ? 1 / a.softcap : 0};
        for (uint32_t i = 0; i < g; i++)
            isa.attention(&(struct attention_unit){.job = &job, .row1 = 1, .kv_head = i});
        for (uint32_t i = 0; i < h; i++) {
            size_t kv = (size_t)(i / (h / g)) * e;
            attention_f64(q + i * e, k + kv, v + kv, n, from, e, width, a.scale, a.softcap,
                          a.sinks ? sinks + i : NULL, want);
            for (uint32_t d = 0; d < e; d++) {
                error += (out[i * e + d] - want[d]) * (out[i * e + d] - want[d]);
                norm += want[d] * want[d];
            }
        }
        if (!(sqrt(error / norm) < 0.03))
            fail_msg("case %zu: error %g", c, sqrt(error / norm));
        for (uint32_t i = 0; i < (n + KV_PAGE - 1) / KV_PAGE; i++)
            mem_free(cache.pages[i]);
        mem_free(k);
        mem_free(v);
        mem_free(q);
        mem_free(out);
    }
}

static void rows_are_near_double(void **state)
{
    (void)state;
    struct cpu_isa isa;
    cpu_isa_scalar(&isa);
    float x[900], w[900], y[900];
    uint64_t seed = 5;
    double sum = 0;
    for (int i = 0; i < 900; i++) {
        x[i] = test_randn(&seed);
        w[i] = test_randn(&seed);
        sum += (double)x[i] * x[i];
    }
    isa.rmsnorm(x, w, 1e-5f, 900, y);
    for (int i = 0; i < 900; i++)
        assert_true(fabs(y[i] - x[i] / sqrt(sum / 900 + 1e-5) * w[i]) < 2e-6);
    double mean = 0, var = 0;
    for (int i = 0; i < 900; i++)
        mean += x[i] / 900.0;
    for (int i = 0; i < 900; i++)
        var += (x[i] - mean) * (x[i] - mean) / 900.0;
    isa.layernorm(x, w, x, 1e-12f, 900, y);
    for (int i = 0; i < 900; i++)
        assert_true(fabs(y[i] - ((x[i] - mean) / sqrt(var + 1e-12) * w[i] + x[i])) < 3e-6);
    isa.glu(ACT_FN_SILU, x, w, 900, y);
    for (int i = 0; i < 900; i++)
        assert_true(fabs(y[i] - x[i] / (1 + exp(-x[i])) * w[i]) < 2e-6);
    float a[4] = {1, 2, 3, 4}, c[2] = {0.5f, 0}, s[2] = {0.25f, 1};
    isa.rope(a, 4, true, c, s);
    assert_true(a[0] == 0.0f && a[1] == 1.25f && a[2] == -4 && a[3] == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_near_double),
        cmocka_unit_test(bad_values_mark_their_row_only),
        cmocka_unit_test(attention_is_near_double),
        cmocka_unit_test(rows_are_near_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
