/* test_encode.c - encoders: error bounds, fixed points, extremes, refusals, the same bytes. */
#include "lib/test.h"

#include <math.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

enum { ROW = 2048 };

static struct {
    float x[ROW], y[ROW], z[ROW], w[ROW];
    uint8_t bytes[4 * ROW], again[4 * ROW];
} scratch;

static void encode(enum dtype t, const float *x, uint8_t *bytes, const float *importance)
{
    size_t bad = 0;
    if (!quant_encode_row(t, x, bytes, ROW, importance, &bad))
        fail_msg("%s refuses element %zu: %a", dtype_info(t)->name, bad, (double)x[bad]);
    assert_true(quant_scale_check(t, bytes, ROW, &bad));
}

static void fill_normal(uint64_t seed, float scale)
{
    for (int i = 0; i < ROW; i++)
        scratch.x[i] = test_randn(&seed) * scale;
}

static double error_of(const float *x, const float *y, const float *w)
{
    double sum = 0, weight = 0;
    for (int i = 0; i < ROW; i++) {
        double e = (double)x[i] - (double)y[i], wi = w ? (double)w[i] : 1;
        sum += wi * e * e;
        weight += wi;
    }
    return sqrt(sum / weight);
}

/* Root mean squared error on normal rows of variance 1, a little above what is measured. */
static const struct {
    enum dtype dtype;
    double rmse;
} bounds[] = {
    {DTYPE_F32, 0},       {DTYPE_F16, 2.4e-4},  {DTYPE_BF16, 1.9e-3},  {DTYPE_Q4_0, 0.085},
    {DTYPE_Q4_1, 0.074},  {DTYPE_Q5_0, 0.042},  {DTYPE_Q5_1, 0.036},   {DTYPE_Q8_0, 0.0051},
    {DTYPE_Q2_K, 0.28},   {DTYPE_Q3_K, 0.157},  {DTYPE_Q4_K, 0.074},   {DTYPE_Q5_K, 0.037},
    {DTYPE_Q6_K, 0.0178}, {DTYPE_Q8_K, 0.0072}, {DTYPE_IQ4_NL, 0.079}, {DTYPE_IQ4_XS, 0.079},
    {DTYPE_MXFP4, 0.119}, {DTYPE_NF4, 0.098},   {DTYPE_FP4, 0.131},
};

static void errors_stay_in_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        double worst = 0;
        static const float scales[] = {1, 0.02f, 1000};
        for (size_t k = 0; k < COUNT_OF(scales); k++) {
            fill_normal(k, scales[k]);
            encode(bounds[i].dtype, scratch.x, scratch.bytes, NULL);
            quant_decode_row(bounds[i].dtype, scratch.bytes, scratch.y, ROW);
            worst = fmax(worst, error_of(scratch.x, scratch.y, NULL) / (double)scales[k]);
        }
        if (worst > bounds[i].rmse)
            fail_msg("%s: %.5f, bound %.5f", dtype_info(bounds[i].dtype)->name, worst,
                     bounds[i].rmse);
    }
}

/* What a format can hold is held: encoding decoded values changes nothing. */
static void decoded_values_are_fixed(void **state)
{
    (void)state;
    static const enum dtype types[] = {DTYPE_F32,  DTYPE_F16,  DTYPE_BF16,  DTYPE_Q4_0, DTYPE_Q5_0,
                                       DTYPE_Q8_0, DTYPE_Q8_K, DTYPE_MXFP4, DTYPE_NF4,  DTYPE_FP4};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        for (uint64_t seed = 0; seed < 8; seed++) {
            fill_normal(seed, 0.1f);
            encode(types[i], scratch.x, scratch.bytes, NULL);
            quant_decode_row(types[i], scratch.bytes, scratch.y, ROW);
            encode(types[i], scratch.y, scratch.again, NULL);
            quant_decode_row(types[i], scratch.again, scratch.z, ROW);
            for (int k = 0; k < ROW; k++)
                if (scratch.y[k] != scratch.z[k])
                    fail_msg("%s seed %d element %d: %a became %a", dtype_info(types[i])->name,
                             (int)seed, k, (double)scratch.y[k], (double)scratch.z[k]);
        }
}

/* Rows whose right answer is plain: zeros, a constant, extremes of the range, subnormals. */
static void extremes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        float even, odd;
        double relative; /* allowed error in units of the larger magnitude */
    } cases[] = {
        {"zero", 0, 0, 0},
        {"-0", -0.0f, 0, 0},
        {"one", 1, 1, 0.02},
        {"minus", -0.37f, -0.37f, 0.02},
        {"largest", 65504, -65504, 0.15},
        {"one-sided", 65504, 65504, 0.02},
        {"small", 1e-3f, -1e-3f, 0.15},
        {"1e-5", 1e-5f, -1e-5f, 1},
        {"1e-7", 1e-7f, -3e-8f, 1},
        {"subnormal", 1e-40f, -1e-42f, 1},
        {"lone", 3, 0, 0.02},
    };
    for (int t = 0; t < DTYPE_COUNT; t++)
        for (size_t c = 0; quant_decodes((enum dtype)t) && c < COUNT_OF(cases); c++) {
            for (int i = 0; i < ROW; i++)
                scratch.x[i] = i % 2 ? cases[c].odd : cases[c].even;
            encode((enum dtype)t, scratch.x, scratch.bytes, NULL);
            quant_decode_row((enum dtype)t, scratch.bytes, scratch.y, ROW);
            double largest = fmax(fabs((double)cases[c].even), fabs((double)cases[c].odd));
            for (int i = 0; i < ROW; i++) {
                double e = fabs((double)scratch.x[i] - (double)scratch.y[i]);
                if (!(e <= cases[c].relative * largest))
                    fail_msg("%s %s: %a became %a", dtype_info((enum dtype)t)->name, cases[c].name,
                             (double)scratch.x[i], (double)scratch.y[i]);
            }
        }
}

static void bad_elements_are_named(void **state)
{
    (void)state;
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!quant_decodes((enum dtype)t))
            continue;
        float bad_values[] = {NAN, INFINITY, -INFINITY, 3.4e38f};
        bool wide = t == DTYPE_F32 || t == DTYPE_NF4 || t == DTYPE_FP4;
        for (size_t i = 0; i < COUNT_OF(bad_values) - wide; i++) {
            size_t bad = 0;
            memset(scratch.x, 0, sizeof scratch.x);
            scratch.x[1234] = bad_values[i];
            assert_false(
                quant_encode_row((enum dtype)t, scratch.x, scratch.bytes, ROW, NULL, &bad));
            assert_int_equal(bad, 1234);
        }
    }
}

static void importance_moves_the_error(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int i = 0; i < ROW; i++)
        scratch.w[i] = expf(2 * test_randn(&seed));
    fill_normal(9, 0.05f);
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!quant_format((enum dtype)t) || t == DTYPE_NF4 || t == DTYPE_FP4 || t == DTYPE_Q8_K)
            continue;
        encode((enum dtype)t, scratch.x, scratch.bytes, NULL);
        quant_decode_row((enum dtype)t, scratch.bytes, scratch.y, ROW);
        encode((enum dtype)t, scratch.x, scratch.bytes, scratch.w);
        quant_decode_row((enum dtype)t, scratch.bytes, scratch.z, ROW);
        assert_true(error_of(scratch.x, scratch.z, scratch.w) <
                    0.97 * error_of(scratch.x, scratch.y, scratch.w));
    }
    memset(scratch.w, 0, 64 * sizeof *scratch.w); /* groups of no importance are still encoded */
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (quant_format((enum dtype)t)) {
            encode((enum dtype)t, scratch.x, scratch.bytes, scratch.w);
            quant_decode_row((enum dtype)t, scratch.bytes, scratch.y, ROW);
            assert_true(error_of(scratch.x, scratch.y, NULL) < 0.05);
        }
    memset(scratch.w, 0, sizeof scratch.w); /* no information: as without */
    encode(DTYPE_Q4_K, scratch.x, scratch.bytes, scratch.w);
    encode(DTYPE_Q4_K, scratch.x, scratch.again, NULL);
    assert_memory_equal(scratch.bytes, scratch.again, dtype_row_bytes(DTYPE_Q4_K, ROW));
}

/* Packing what was opened gives the same bytes: no bit of a layout is lost or misplaced. */
static void packing_inverts_opening(void **state)
{
    (void)state;
    uint64_t seed = 77;
    for (int t = 0; t < DTYPE_COUNT; t++) {
        const struct quant_format *f = quant_format((enum dtype)t);
        size_t n = (size_t)dtype_info((enum dtype)t)->block_bytes;
        for (int round = 0; f && round < 200; round++) {
            uint8_t bytes[300], packed[300];
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)test_rand(&seed);
            size_t block;
            if (!quant_scale_check((enum dtype)t, bytes, (size_t)f->len, &block))
                continue;
            struct quant_block b;
            f->open(bytes, &b);
            f->pack(&b, packed);
            size_t n_compared = t == DTYPE_Q8_K ? 260 : n; /* the sums are derived */
            if (b.d == 0)                                  /* also of a flushed scale */
                continue;
            for (size_t i = 1; t == DTYPE_MXFP4 && i < n; i++) { /* -0 is packed as 0 */
                bytes[i] &= (bytes[i] & 15) == 8 ? 0xf0 : 0xff;
                bytes[i] &= bytes[i] >> 4 == 8 ? 0x0f : 0xff;
            }
            assert_memory_equal(bytes, packed, n_compared);
        }
    }
}

/* tests/golden/tensor/<TYPE>_encode.bin, written by tools/quant_vectors.py. */
static void bitsandbytes_agrees(void **state)
{
    (void)state;
    static const enum dtype types[] = {DTYPE_NF4, DTYPE_FP4};
    for (size_t t = 0; t < COUNT_OF(types); t++) {
        char path[512], *file;
        size_t n_bytes, bad;
        uint32_t sizes[2];
        snprintf(path, sizeof path, "%s/golden/tensor/%s_encode.bin", TEST_DIR,
                 dtype_info(types[t])->name);
        assert_ok(file_read(path, 1 << 20, &file, &n_bytes, NULL));
        memcpy(sizes, file, sizeof sizes);
        assert_true(sizes[1] <= ROW && n_bytes == 8 + sizes[0] + 4 * sizes[1]);
        memcpy(scratch.x, file + 8 + sizes[0], 4 * sizes[1]);
        assert_true(quant_encode_row(types[t], scratch.x, scratch.bytes, sizes[1], NULL, &bad));
        quant_decode_row(types[t], scratch.bytes, scratch.y, sizes[1]); /* FP4 has two zeros */
        quant_decode_row(types[t], file + 8, scratch.z, sizes[1]);
        assert_memory_equal(scratch.y, scratch.z, 4 * sizes[1]);
        mem_free(file);
    }
}

/* One hash of every encoder's bytes: equal for every compiler, machine and sanitizer. */
static void bytes_are_the_same_everywhere(void **state)
{
    (void)state;
    struct sha256 h;
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_init(&h);
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!quant_decodes((enum dtype)t))
            continue;
        fill_normal((uint64_t)t, 0.03f);
        encode((enum dtype)t, scratch.x, scratch.bytes, NULL);
        sha256_add(&h, scratch.bytes, dtype_row_bytes((enum dtype)t, ROW));
    }
    sha256_end(&h, digest);
    hex_of(digest, SHA256_BYTES, hex);
    assert_string_equal(hex, "748a687651d7020a81e152b8c0b8e1b6f1048f83fcb468eeacf5319992bdb683");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_stay_in_bounds),
        cmocka_unit_test(decoded_values_are_fixed),
        cmocka_unit_test(extremes),
        cmocka_unit_test(bad_elements_are_named),
        cmocka_unit_test(importance_moves_the_error),
        cmocka_unit_test(packing_inverts_opening),
        cmocka_unit_test(bitsandbytes_agrees),
        cmocka_unit_test(bytes_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
