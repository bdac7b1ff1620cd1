/* test_product.c - products of bytes: every instruction set against sums counted here. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "device/device.h"
#include "poc/product.h"

/* Shapes: tiles and panels that are full, that are not, one row, more panels than fit a job. */
static const struct {
    uint32_t n_tokens, n_columns, n_rows;
} SHAPES[] = {{1, 32, 1}, {12, 64, 32}, {25, 96, 75}, {4, 160, 200}, {3, 2048, 700}};

static int8_t some_byte(uint64_t *seed)
{
    return (int8_t)(test_rand(seed) % 255 - 127);
}

/* x's integers and scale, by the header's words in binary64. */
static double quantised(const float *x, uint32_t n, int32_t *q)
{
    double a = 0;
    for (uint32_t i = 0; i < n; i++)
        a = fmax(a, fabs((double)x[i]));
    for (uint32_t i = 0; i < n; i++)
        q[i] = a > 0 ? (int32_t)lrint((double)x[i] * 127 / a) : 0;
    return a / 127 * 0x1p-10;
}

/* Inputs are integers up to 127 times a power of two, so that nothing is near a tie. */
static void products_are_their_sums(void **state)
{
    (void)state;
    uint64_t seed = 6;
    for (const char *const *isa = cpu_isa_names(); *isa; isa++)
        for (size_t s = 0; s < COUNT_OF(SHAPES); s += test_every(2)) {
            uint32_t n_tokens = SHAPES[s].n_tokens, k = SHAPES[s].n_columns, n = SHAPES[s].n_rows;
            struct threads *threads = threads_new(1 + (int)s % 3);
            struct products *p = products_new(*isa, threads, n_tokens, k);
            float *x = mem_array((size_t)n_tokens * k, sizeof *x);
            float *y = mem_array((size_t)n_tokens * n, sizeof *y);
            int8_t *w = mem_array((size_t)n * k, 1);
            int32_t *q = mem_array(k, sizeof *q);
            uint8_t bad[32] = {0};
            for (size_t i = 0; i < (size_t)n_tokens * k; i++)
                x[i] = (float)some_byte(&seed) * 0x1p-4f;
            for (size_t i = 0; i < (size_t)n * k; i++)
                w[i] = some_byte(&seed);
            memset(x, 0, k * sizeof *x); /* the first row: zeros; the second: not finite */
            if (n_tokens > 1)
                x[k + k / 2] = NAN;
            products_take(p, x, n_tokens, k, bad);
            products_run(p, w, n, y);
            for (uint32_t t = 0; t < n_tokens; t++) {
                double scale = t == 1 ? 0 : quantised(x + (size_t)t * k, k, q);
                assert_int_equal(bad[t], t == 1);
                for (uint32_t r = 0; r < n; r++) {
                    int64_t sum = 0;
                    for (uint32_t i = 0; t != 1 && i < k; i++)
                        sum += q[i] * w[(size_t)r * k + i];
                    double want = (double)sum * scale, got = (double)y[(size_t)t * n + r];
                    if (!(fabs(got - want) <= 2e-7 * fabs(want)))
                        fail_msg("%s, shape %zu, row %u of token %u: %g, not %g", *isa, s, r, t,
                                 got, want);
                }
            }
            products_free(p);
            threads_free(threads);
            mem_free(x);
            mem_free(y);
            mem_free(w);
            mem_free(q);
        }
}

/* The largest sums that there are fit. */
static void the_longest_rows_fit(void **state)
{
    (void)state;
    enum { K = PRODUCT_COLUMNS_MAX };
    static float x[K];
    static int8_t w[2][K];
    for (const char *const *isa = cpu_isa_names(); *isa; isa++)
        for (int sign = -1; sign <= 1; sign += 2) {
            struct threads *threads = threads_new(1);
            struct products *p = products_new(*isa, threads, 1, K);
            uint8_t bad = 0;
            float y[2];
            for (uint32_t i = 0; i < K; i++) {
                x[i] = (float)sign * 0x1p20f;
                w[0][i] = 127;
                w[1][i] = -127;
            }
            products_take(p, x, 1, K, &bad);
            products_run(p, w[0], 2, y);
            float want = (float)(127 * 127 * (int64_t)K) * (0x1p20f * 0x1.020408p-17f);
            assert_true(y[0] == (float)sign * want && y[1] == (float)-sign * want);
            products_free(p);
            threads_free(threads);
        }
}

/* What is not a short decimal: sets of instructions agree in their bits. */
static void bits_are_the_plain_ones(void **state)
{
    (void)state;
    enum { T = 13, K = 96, N = 40 };
    static float x[T * K], want[T * N], y[T * N];
    static int8_t w[N * K];
    uint8_t bad[T] = {0};
    uint64_t seed = 7;
    for (int i = 0; i < N * K; i++)
        w[i] = some_byte(&seed);
    for (int i = 0; i < T * K; i++) /* row 0 is nearly nothing, row 12 nearly too large */
        x[i] = test_randn(&seed) * (i < K ? 0x1p-62f : i >= 12 * K ? 0x1p76f : 1.0f);
    for (const char *const *isa = cpu_isa_names(); *isa; isa++) {
        struct threads *threads = threads_new(2);
        struct products *p = products_new(*isa, threads, T, K);
        products_take(p, x, T, K, bad);
        products_run(p, w, N, y);
        if (isa == cpu_isa_names())
            memcpy(want, y, sizeof want);
        assert_memory_equal(y, want, sizeof want);
        products_free(p);
        threads_free(threads);
    }
    for (int t = 0; t < T; t++)
        assert_int_equal(bad[t], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_their_sums),
        cmocka_unit_test(the_longest_rows_fit),
        cmocka_unit_test(bits_are_the_plain_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
