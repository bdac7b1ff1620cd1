/* test_quant.c - decoding against other decoders bit for bit, halves, the check of scales. */
#include "lib/test.h"

#include <math.h>

#include "base/file.h"
#include "base/mem.h"
#include "tensor/half.h"
#include "tensor/quant/quant.h"

static uint32_t u32_at(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* tests/golden/tensor/<TYPE>.bin, written by tools/quant_vectors.py. */
static void decoders_agree(void **state)
{
    (void)state;
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (!quant_decodes((enum dtype)t))
            continue;
        const struct dtype_info *info = dtype_info((enum dtype)t);
        char path[512], *file;
        size_t n_bytes;
        snprintf(path, sizeof path, "%s/golden/tensor/%s.bin", TEST_DIR, info->name);
        assert_ok(file_read(path, 1 << 20, &file, &n_bytes, NULL));
        size_t n_blocks = u32_at(file), n = u32_at(file + 4);
        assert_int_equal(n_bytes, 8 + n_blocks + 4 * n);
        assert_int_equal(n_blocks, dtype_row_bytes((enum dtype)t, n));
        const char *want = file + 8 + n_blocks;
        float *got = mem_alloc(4 * n);
        double *wide = mem_alloc(8 * n);
        quant_decode_row((enum dtype)t, file + 8, got, n);
        quant_decode_row_f64((enum dtype)t, file + 8, wide, n);
        for (size_t i = 0; i < n; i++) {
            if (f32_bits(got[i]) != u32_at(want + 4 * i))
                fail_msg("%s element %zu: %a, expected %a", info->name, i, (double)got[i],
                         (double)f32_from_bits(u32_at(want + 4 * i)));
            /* Rounded three times at most; the minimum may cancel, so the bound is absolute. */
            size_t first = i - i % (size_t)info->block_len;
            double largest = 0x1p-100;
            for (size_t k = first; k < first + (size_t)info->block_len; k++)
                largest = fmax(largest, fabs(wide[k]));
            if (fabs(wide[i] - (double)got[i]) > largest * 0x1p-20)
                fail_msg("%s element %zu in double: %a, not %a", info->name, i, wide[i],
                         (double)got[i]);
        }
        size_t block;
        assert_true(quant_scale_check((enum dtype)t, file + 8, n, &block));
        mem_free(got);
        mem_free(wide);
        mem_free(file);
    }
}

static void halves_by_definition(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        int e = (int)(h >> 10 & 31), f = (int)(h & 1023);
        float x = f16_widen((uint16_t)h);
        if (e == 31) {
            assert_true(f ? x != x : isinf(x));
            assert_int_equal(f16_round(x), f ? h | 0x200 : h);
            continue;
        }
        double want = ldexp(e ? f + 1024 : f, (e ? e : 1) - 25);
        assert_true((double)fabsf(x) == want && !signbit(x) == (h < 0x8000));
        assert_int_equal(f16_round(x), h);
        /* Between this half and the next: below, at and above the middle. */
        float next = f16_widen((uint16_t)(h + 1)), middle = x + (next - x) / 2;
        if ((h & 0x7fff) == 0x7bff)
            middle = h < 0x8000 ? 65520.0f : -65520.0f;
        assert_int_equal(f16_round(middle), h + (h & 1));
        assert_int_equal(f16_round(nextafterf(middle, 0)), h);
        assert_int_equal(f16_round(nextafterf(middle, 2 * middle)), h + 1);
    }
    assert_int_equal(f16_round(1e30f), 0x7c00);
    assert_int_equal(f16_round(-0x1p-149f), 0x8000);
}

static void bfloats_by_definition(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float x = bf16_widen((uint16_t)h);
        if ((h & 0x7f80) == 0) {
            assert_int_equal(f32_bits(x), (h & 0x8000) << 16);
            continue;
        }
        assert_int_equal(f32_bits(x), h << 16);
        if (x != x)
            continue;
        assert_int_equal(bf16_round(x), h);
        if ((h & 0x7f80) != 0x7f80) {
            assert_int_equal(bf16_round(f32_from_bits(h << 16 | 0x7fff)), h);
            assert_int_equal(bf16_round(f32_from_bits(h << 16 | 0x8000)), h + (h & 1));
            assert_int_equal(bf16_round(f32_from_bits(h << 16 | 0x8001)), h + 1);
        }
    }
    assert_true((bf16_round(f32_from_bits(0x7f800001)) & 0x7f) != 0);
}

/* A NaN or infinity put into each scale of block 2 of 4 is found there. */
static void bad_scales_are_found(void **state)
{
    (void)state;
    static const struct {
        enum dtype dtype;
        int offset, n_bytes;
        uint32_t bits;
    } cases[] = {
        {DTYPE_Q4_0, 0, 2, 0x7c00},     {DTYPE_Q4_1, 2, 2, 0x7e00},
        {DTYPE_Q5_0, 0, 2, 0xfc00},     {DTYPE_Q5_1, 2, 2, 0x7c01},
        {DTYPE_Q8_0, 0, 2, 0xffff},     {DTYPE_Q2_K, 82, 2, 0x7c00},
        {DTYPE_Q2_K, 80, 2, 0x7c00},    {DTYPE_Q3_K, 108, 2, 0x7c00},
        {DTYPE_Q4_K, 2, 2, 0x7c00},     {DTYPE_Q5_K, 0, 2, 0x7e00},
        {DTYPE_Q6_K, 208, 2, 0x7e00},   {DTYPE_Q8_K, 0, 4, 0x7f800000},
        {DTYPE_Q8_K, 0, 4, 0x7f000000}, {DTYPE_IQ4_NL, 0, 2, 0x7c00},
        {DTYPE_IQ4_XS, 0, 2, 0x7c00},   {DTYPE_MXFP4, 0, 1, 255},
        {DTYPE_MXFP4, 0, 1, 253},       {DTYPE_NF4, 0, 4, 0x7fc00000},
        {DTYPE_FP4, 0, 4, 0xff800000},  {DTYPE_F32, 0, 4, 0x7f800000},
        {DTYPE_F16, 0, 2, 0x7c01},      {DTYPE_BF16, 0, 2, 0xff80},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct dtype_info *info = dtype_info(cases[i].dtype);
        uint8_t bytes[4 * 292] = {0};
        size_t block = 99, n = 4 * (size_t)info->block_len;
        assert_true(quant_scale_check(cases[i].dtype, bytes, n, &block));
        for (int k = 0; k < cases[i].n_bytes; k++)
            bytes[2 * info->block_bytes + cases[i].offset + k] = (uint8_t)(cases[i].bits >> 8 * k);
        assert_false(quant_scale_check(cases[i].dtype, bytes, n, &block));
        assert_int_equal(block, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoders_agree),
        cmocka_unit_test(halves_by_definition),
        cmocka_unit_test(bfloats_by_definition),
        cmocka_unit_test(bad_scales_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
