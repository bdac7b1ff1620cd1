/* test_cuda_fast.c - the profile `fast` on emulated kernels: rows are rounded as described, and its
 * products are within what sums in binary32 may lose of the sums in float64, the same bits
 * whatever stands beside a row. */
#include "lib/cuda_emulate.h"
#include "lib/draw.h"
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "device/cuda/cuda.h"
#include "device/cuda/layout.h"
#include "device/cuda/ops_fast.h"
#include "tensor/half.h"

static const struct {
    enum dtype type;
    enum act_kind kind;
    float (*widen)(uint16_t);
    uint16_t (*round)(float);
} halves[] = {{DTYPE_F16, ACT_F16, f16_widen, f16_round},
              {DTYPE_BF16, ACT_BF16, bf16_widen, bf16_round}};

static void run(struct launch l)
{
    cuda_emulate_launch(&l);
}

/* Memory for rows, filled with NaN. */
static struct acts acts_new(enum act_kind kind, uint32_t n_rows, uint32_t n_cols)
{
    size_t n_bytes = layout_acts_bytes(kind, n_rows, n_cols);
    struct acts a = {kind, n_rows, n_cols, mem_alloc(n_bytes)};
    assert_non_null(a.data);
    memset(a.data, 0xff, n_bytes);
    return a;
}

static const float *scales_of(const struct acts *a)
{
    return (const float *)((const uint8_t *)a->data + fast_scales_at(a->n_rows, a->n_cols));
}

/* What a row is multiplied by before it is rounded, from the description. */
static double lift_of(enum act_kind kind, const float *x, uint32_t n)
{
    double largest = 0; /* no fmax: gcc 12 for aarch64 breaks at its loop */
    for (uint32_t i = 0; i < n; i++)
        largest = fabs((double)x[i]) > largest ? fabs((double)x[i]) : largest;
    bool is_inside = largest >= 0x1p-8 && largest < 0x1p15;
    return kind == ACT_BF16 || is_inside || largest < 0x1p-60 ? 1 : ldexp(1, 14 - ilogb(largest));
}

static void rows_are_rounded(void **state)
{
    enum { T = 13, K = 608, STRIDE = K + 3 };
    static const float sizes[T] = {1,       100,     40000,   0x1p15f,  0x1.ffcp14f,
                                   0x1p79f, 0x1p-8f, 0x1p-9f, 0x1p-59f, 0x1p-61f,
                                   0,       0x1p80f, 1};
    uint64_t seed = 3;
    float *x = mem_array(T * STRIDE, sizeof *x);
    (void)state;
    for (uint32_t t = 0; t < T; t++) {
        for (uint32_t i = 0; i < K; i++)
            x[t * STRIDE + i] = sizes[t] * test_randf(&seed);
        x[t * STRIDE + t * 41] = t % 2 ? sizes[t] : -sizes[t];
    }
    x[12 * STRIDE + K - 1] = NAN;
    for (size_t h = 0; h < COUNT_OF(halves); h++) {
        struct acts a = acts_new(halves[h].kind, T, K);
        uint8_t bad[T] = {0};
        struct round_args args;
        run(round_launch(x, STRIDE, &a, bad, &args));
        for (uint32_t t = 0; t < T; t++) {
            bool is_bad = t >= 11, is_zero = is_bad || t == 9 || t == 10;
            double lift = is_zero ? 1 : lift_of(a.kind, x + t * STRIDE, K);
            assert_int_equal(bad[t], is_bad);
            assert_true((double)scales_of(&a)[t] == 1 / lift);
            for (uint32_t i = 0; i < K; i++) {
                uint16_t got = ((const uint16_t *)a.data)[t * K + i];
                float want = is_zero ? 0 : (float)((double)x[t * STRIDE + i] * lift);
                if (got != halves[h].round(want))
                    fail_msg("%s row %u column %u: %04x, not %04x",
                             dtype_info(halves[h].type)->name, t, i, got, halves[h].round(want));
                assert_true(f32_is_finite(halves[h].widen(got)));
            }
        }
        mem_free(a.data);
    }
    mem_free(x);
}

struct product {
    size_t half;
    enum drawing how;
    uint32_t n_rows, n_cols, n_tokens; /* N, K, T */
    bool bias;
};

/* The product of rows that were rounded, and the most that n sums in binary32, in any order, may
 * lose of it: each at most 2^-24 of what is summed, twice that where a card cuts off. */
static double product_f64(const struct product *p, const uint16_t *w, const uint16_t *x,
                          double scale, double bias, double *loss)
{
    double sum = 0, all = 0;
    for (uint32_t k = 0; k < p->n_cols; k++) {
        double term = (double)halves[p->half].widen(w[k]) * (double)halves[p->half].widen(x[k]);
        sum += term;
        all += fabs(term);
    }
    *loss = (p->n_cols + 16) * 0x1p-23 * (all * scale + fabs(bias));
    return sum * scale + bias;
}

static void product_check(const struct product *p)
{
    uint64_t seed = p->n_cols * 31 + p->n_tokens + p->half * 977 + p->how;
    enum dtype type = halves[p->half].type;
    size_t n_weights = (size_t)p->n_rows * p->n_cols, n = (size_t)p->n_tokens * p->n_rows;
    uint16_t *w = mem_array(n_weights, sizeof *w);
    float *x = mem_array((size_t)p->n_tokens * p->n_cols, sizeof *x), *y = mem_array(n, sizeof *y);
    float *bias = mem_array(p->n_rows, sizeof *bias);
    uint8_t *bad = mem_zalloc(p->n_tokens);
    weights_draw(type, p->how, (uint8_t *)w, p->n_rows, p->n_cols, &seed);
    activations_draw(p->how, x, p->n_tokens, p->n_cols, &seed);
    for (uint32_t i = 0; i < p->n_rows; i++)
        bias[i] = test_randn(&seed);
    if (p->n_tokens > 2)
        x[p->n_cols * 2 + 5] = NAN;
    memset(y, 0x7f, n * sizeof *y);
    struct acts a = acts_new(halves[p->half].kind, p->n_tokens, p->n_cols);
    struct matrix m = {type, p->n_rows, p->n_cols, w, n_weights * sizeof *w};
    struct round_args ra;
    struct fast_args fa;
    run(round_launch(x, p->n_cols, &a, bad, &ra));
    run(fast_launch(&m, &a, p->bias ? bias : NULL, y, p->n_rows, &fa));
    for (size_t i = 0; i < n; i++) {
        size_t t = i / p->n_rows, row = i % p->n_rows;
        double loss,
            want = product_f64(p, w + row * p->n_cols, (const uint16_t *)a.data + t * p->n_cols,
                               (double)scales_of(&a)[t], p->bias ? (double)bias[row] : 0, &loss);
        if (!(fabs((double)y[i] - want) <= loss))
            fail_msg("%s %s N=%u K=%u T=%u: row %zu of activations, %zu of weights: %g, not %g "
                     "within %g",
                     dtype_info(type)->name, drawing_name(p->how), p->n_rows, p->n_cols,
                     p->n_tokens, t, row, (double)y[i], want, loss);
    }
    mem_free(w);
    mem_free(x);
    mem_free(y);
    mem_free(bias);
    mem_free(bad);
    mem_free(a.data);
}

/* All three kernels of both types, full blocks and parts of them. */
static void products_are_close(void **state)
{
    static const uint32_t batches[] = {1, 3, 8, 9, 16, 17, 131};
    static const uint32_t widths[] = {32, 96, 896, 2304, 512};
    static const enum drawing drawings[] = {TAME, HUGE_VALUES, TINY_VALUES, ZERO_ROWS, SUBNORMAL};
    (void)state;
    for (size_t half = 0; half < COUNT_OF(halves); half++)
        for (size_t i = half % test_every(3); i < COUNT_OF(batches); i += test_every(3))
            product_check(&(struct product){half, drawings[(i + half) % COUNT_OF(drawings)],
                                            i % 3 == 0   ? 17
                                            : i % 3 == 1 ? 70
                                                         : 8,
                                            widths[(i + 2 * half) % COUNT_OF(widths)], batches[i],
                                            i % 2 == half});
}

/* A row's results, alone and in passes of every size up to 16 rows: the same bits; above too. */
static void rows_do_not_meet(void **state)
{
    enum { N = 20, K = 672, T = 135 };
    static const uint32_t batches[] = {1, 7, 8, 13, 16, 17, 40, T};
    uint64_t seed = 11;
    (void)state;
    for (size_t h = 0; h < COUNT_OF(halves); h++) {
        uint16_t *w = mem_array(N * K, sizeof *w);
        float *x = mem_array(T * K, sizeof *x), *want = mem_array(T * N, sizeof *want);
        float *got = mem_array(T * N, sizeof *got);
        uint8_t bad[T] = {0};
        struct matrix m = {halves[h].type, N, K, w, N * K * sizeof *w};
        weights_draw(halves[h].type, TAME, (uint8_t *)w, N, K, &seed);
        activations_draw(TAME, x, T, K, &seed);
        for (size_t i = COUNT_OF(batches); i-- > 0;) {
            uint32_t n = batches[i], from = T - n;
            struct acts a = acts_new(halves[h].kind, n, K);
            struct round_args ra;
            struct fast_args fa;
            run(round_launch(x + from * K, K, &a, bad, &ra));
            bool is_first = n == T || n == FAST_MID; /* of those that are alike */
            float *y = is_first ? want + from * N : got;
            run(fast_launch(&m, &a, NULL, y, N, &fa));
            if (!is_first)
                assert_memory_equal(got, want + from * N, n * N * sizeof *got);
            mem_free(a.data);
        }
        mem_free(w);
        mem_free(x);
        mem_free(want);
        mem_free(got);
    }
}

static void cards_run_what_suits_them(void **state)
{
    static const struct {
        const char *cards;
        int capability, arch;
    } cases[] = {{"90 75p 80p", 90, 90}, {"90 75p 80p", 86, 80},
                 {"90 75p", 86, 75},     {"90 75p 80p", 120, 80},
                 {"75 80 86p", 89, 80},  {"75 80 86p", 90, 86},
                 {"80 86 90p", 86, 86},  {"80 86 120p", 100, 0},
                 {"90", 89, 0},          {"", 90, 0},
                 {"61 75 80p", 75, 75},  {"100p", 120, 100}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(cuda_image_arch(cases[i].cards, cases[i].capability), cases[i].arch);
}

/* Which matrices a card multiplies so. */
static void cards_differ(void **state)
{
    static const struct {
        const char *capability;
        bool has_bf16;
    } cards[] = {{"90", true}, {"80", true}, {"75", false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cards); i++) {
        struct device *d;
        struct err_note note = {""};
        setenv("STANDIN_CAPABILITY", cards[i].capability, 1);
        if (cuda_device_open(0, 0, &d, &note))
            fail_msg("%s", note.text);
        /* Code that was compiled for less does not use what the card has. */
        bool has_bf16 = cards[i].has_bf16 && cuda_of(d)->arch >= 80;
        assert_int_equal(d->ops->fast_kind(d, DTYPE_F16, 96), ACT_F16);
        assert_int_equal(d->ops->fast_kind(d, DTYPE_BF16, 96), has_bf16 ? ACT_BF16 : ACT_F32);
        assert_int_equal(d->ops->fast_kind(d, DTYPE_F16, 100), ACT_F32);
        assert_int_equal(d->ops->fast_kind(d, DTYPE_F32, 96), ACT_F32);
        assert_int_equal(d->ops->fast_kind(d, DTYPE_Q4_K, 256), ACT_Q256);
        d->ops->close(d);
    }
    unsetenv("STANDIN_CAPABILITY");
}

/* A product on the device, by whatever it has for it. */
struct on_card {
    struct device *d;
    struct matrix w;
    struct acts acts;
    float *x, *y, *bias;
    uint8_t *bad;
    size_t n_bytes[6], stride;
};
enum { CARD_N = 24, CARD_K = 96, CARD_T = 40 };

static void *put(struct on_card *c, int i, const void *from, size_t n_bytes)
{
    void *p = NULL;
    assert_ok(c->d->ops->mem_take(c->d, n_bytes, "a test", &p, NULL));
    if (from)
        c->d->ops->put(c->d, p, from, n_bytes);
    c->n_bytes[i] = n_bytes;
    return p;
}

/* The device and what lies on it; host: [T, K] and [N, K]. */
static void card_open(struct on_card *c, size_t half, size_t stride, const float *x,
                      const uint16_t *w, const float *bias, struct err_note *note)
{
    size_t n_w = CARD_N * CARD_K * sizeof *w;
    *c = (struct on_card){.stride = stride};
    if (cuda_device_open(0, 0, &c->d, note))
        fail_msg("%s", note->text);
    c->d->ops->fast_begin(c->d, note);
    c->w = (struct matrix){halves[half].type, CARD_N, CARD_K, put(c, 0, w, n_w), n_w, false};
    c->x = put(c, 1, x, CARD_T * CARD_K * sizeof *x);
    c->y = put(c, 2, NULL, CARD_T * stride * sizeof *c->y);
    c->bias = put(c, 3, bias, CARD_N * sizeof *bias);
    c->bad = put(c, 4, NULL, CARD_T);
    c->acts = (struct acts){halves[half].kind, CARD_T, CARD_K, NULL};
    c->acts.data = put(c, 5, NULL, c->d->ops->acts_bytes(c->d, c->acts.kind, CARD_T, CARD_K));
}

static void card_close(struct on_card *c)
{
    void *const all[] = {(void *)c->w.data, c->x, c->y, c->bias, c->bad, c->acts.data};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        c->d->ops->mem_give(c->d, all[i], c->n_bytes[i]);
    c->d->ops->close(c->d);
}

static void card_multiply(struct on_card *c, const float *bias, float *y)
{
    const struct device_ops *ops = c->d->ops;
    ops->quantize(c->d, c->x, CARD_K, &c->acts, c->bad);
    ops->matmul(c->d, &c->w, &c->acts, bias, c->y, c->stride);
    ops->get(c->d, y, c->y, CARD_T * c->stride * sizeof *y);
}

struct card_case {
    uint16_t w[CARD_N * CARD_K];
    float x[CARD_T * CARD_K], bias[CARD_N], y[CARD_T * 2 * CARD_N];
};

static void draw_case(struct card_case *k, size_t half)
{
    uint64_t seed = 5;
    weights_draw(halves[half].type, TAME, (uint8_t *)k->w, CARD_N, CARD_K, &seed);
    activations_draw(TAME, k->x, CARD_T, CARD_K, &seed);
    for (uint32_t i = 0; i < CARD_K; i++) {
        k->x[3 * CARD_K + i] *= 0x1p20f; /* with a scale */
        k->x[4 * CARD_K + i] *= 0x1p-20f;
    }
    for (uint32_t i = 0; i < CARD_N; i++)
        k->bias[i] = test_randn(&seed);
}

/* By the library, and where it has no way (results that are not aligned) by our kernels. */
static void the_library_multiplies(void **state)
{
    static const size_t strides[] = {CARD_N, CARD_N + 8, CARD_N + 1};
    static struct card_case k;
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(halves) * COUNT_OF(strides); i++) {
        size_t half = i % 2, stride = strides[i / 4];
        bool has_bias = i / 2 % 2;
        struct product p = {half, TAME, CARD_N, CARD_K, CARD_T, has_bias};
        struct on_card c;
        struct err_note note = {""};
        draw_case(&k, half);
        card_open(&c, half, stride, k.x, k.w, k.bias, &note);
        assert_string_equal(note.text, "");
        card_multiply(&c, has_bias ? c.bias : NULL, k.y);
        card_multiply(&c, has_bias ? c.bias : NULL, k.y);
        assert_ok(c.d->ops->status(c.d, &note));
        uint16_t *rounded = mem_array(CARD_T * CARD_K, sizeof *rounded);
        float scales[CARD_T];
        c.d->ops->get(c.d, rounded, c.acts.data, CARD_T * CARD_K * sizeof *rounded);
        c.d->ops->get(c.d, scales, scales_of(&c.acts), sizeof scales);
        for (size_t at = 0; at < CARD_T * CARD_N; at++) {
            size_t t = at / CARD_N, n = at % CARD_N;
            double loss,
                want = product_f64(&p, k.w + n * CARD_K, rounded + t * CARD_K, (double)scales[t],
                                   has_bias ? (double)k.bias[n] : 0, &loss);
            if (!(fabs((double)k.y[t * stride + n] - want) <= loss))
                fail_msg("%zu: row %zu, %zu: %g, not %g within %g", i, t, n,
                         (double)k.y[t * stride + n], want, loss);
        }
        mem_free(rounded);
        card_close(&c);
    }
}

/* Without the library a line says so; a call of it that fails loses the device, but for those that
 * look for a way: then our kernels multiply. */
static void the_library_fails(void **state)
{
    static const struct {
        const char *fail;
        bool has_library, is_lost;
    } cases[] = {{"cublasLtCreate:1:1", false, false},
                 {"cublasLtMatmulAlgoGetHeuristic:1:15", true, false},
                 {"cublasLtMatmulDescCreate:1:3", true, false},
                 {"cublasLtMatrixLayoutCreate:2:3", true, false},
                 {"cublasLtMatmulPreferenceSetAttribute:3:3", true, false},
                 {"cublasLtMatmul:1:13", true, true},
                 {"cublasLtMatmul:2:13", true, true}};
    static struct card_case k;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct on_card c;
        struct err_note note = {""};
        setenv("STANDIN_FAIL", cases[i].fail, 1);
        draw_case(&k, i % 2);
        card_open(&c, i % 2, CARD_N, k.x, k.w, k.bias, &note);
        assert_true(!note.text[0] == cases[i].has_library);
        if (!cases[i].has_library)
            assert_non_null(strstr(note.text, "libcublasLt.so.13 or .12"));
        card_multiply(&c, c.bias, k.y);
        card_multiply(&c, c.bias, k.y);
        enum err rc = c.d->ops->status(c.d, &note);
        assert_int_equal(rc != ERR_OK, cases[i].is_lost);
        if (rc)
            assert_non_null(strstr(note.text, "cublasLtMatmul: as the test wanted (13)"));
        card_close(&c);
        unsetenv("STANDIN_FAIL");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_rounded),  cmocka_unit_test(products_are_close),
        cmocka_unit_test(rows_do_not_meet),  cmocka_unit_test(cards_run_what_suits_them),
        cmocka_unit_test(cards_differ),      cmocka_unit_test(the_library_multiplies),
        cmocka_unit_test(the_library_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
