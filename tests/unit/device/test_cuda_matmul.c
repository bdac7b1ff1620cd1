/* test_cuda_matmul.c - the CUDA kernels of quantisation, products and embedding rows, emulated,
 * give the bits of the scalar definition; the device's layout loses nothing. */
#include "lib/cuda_emulate.h"
#include "lib/draw.h"
#include "lib/test.h"

#include "base/mem.h"
#include "device/cpu/scalar.h"
#include "device/cuda/layout.h"
#include "device/cuda/ops_matmul.h"
#include "device/cuda/ops_rows.h"
#include "tensor/quant/quant.h"

static void run(struct launch l)
{
    const struct kernel_entry *k = kernel_named(l.kernel);
    if (!k)
        fail_msg("no kernel %s", l.kernel);
    cuda_emulate(k, l.grid, l.block, l.shared_bytes, l.args);
}

struct product {
    enum dtype type;
    enum drawing how;
    uint32_t n_rows, n_cols, n_tokens; /* N, K, T */
    bool bias;
    bool small_card; /* whose blocks have less shared memory */
};

/* Both results of a product: want by the scalar definition. */
static void product_both(const struct product *p, const float *x, const float *bias, float *want,
                         float *got)
{
    struct cpu_isa isa;
    cpu_isa_scalar(&isa);
    uint64_t seed = p->n_cols * 31 + p->n_tokens + (uint64_t)p->type * 977 + p->how;
    size_t row_bytes = dtype_row_bytes(p->type, p->n_cols);
    uint8_t *rows = mem_alloc(p->n_rows * row_bytes), *bad = mem_zalloc(2 * p->n_tokens);
    weights_draw(p->type, p->how, rows, p->n_rows, p->n_cols, &seed);
    size_t n_packed = layout_bytes(p->type, p->n_rows, p->n_cols);
    uint8_t *packed = mem_alloc(n_packed), *raw = mem_alloc(p->n_rows * row_bytes);
    layout_pack(p->type, p->n_rows, p->n_cols, rows, packed);
    isa.matrix_pack(p->type, p->n_rows, p->n_cols, rows, 0, p->n_rows, raw);

    struct acts a = {act_kind_of(p->type), p->n_tokens, p->n_cols, NULL}, b = a;
    a.data = mem_alloc(isa.acts_bytes(a.kind, p->n_tokens, p->n_cols));
    isa.quantize(x, p->n_cols, &a, 0, p->n_tokens, bad);
    struct matrix w = {p->type, p->n_rows, p->n_cols, raw, p->n_rows * row_bytes};
    struct matmul_args args = {&w, &a, p->bias ? bias : NULL, want, p->n_rows};
    isa.matmul(&args, 0, p->n_rows);

    size_t n_acts = layout_acts_bytes(b.kind, p->n_tokens, p->n_cols);
    b.data = mem_alloc(n_acts);
    memset(b.data, 0x7f, n_acts);
    struct quantize_args qa;
    uint32_t tickets[128] = {0};
    run(quantize_launch(x, p->n_cols, &b, bad + p->n_tokens, tickets, &qa));
    assert_memory_equal(bad, bad + p->n_tokens, p->n_tokens);
    struct matrix m = {p->type, p->n_rows, p->n_cols, packed, n_packed};
    union matmul_launch_args ma;
    uint32_t shared_bytes = (p->small_card ? 64u : 99u) << 10;
    struct launch l =
        matmul_launch(&m, &b, p->bias ? bias : NULL, got, p->n_rows, shared_bytes, &ma);
    assert_true(l.shared_bytes <= shared_bytes);
    run(l);
    mem_free(rows);
    mem_free(raw);
    mem_free(bad);
    mem_free(packed);
    mem_free(a.data);
    mem_free(b.data);
}

static void product_check(const struct product *p)
{
    uint64_t seed = 7 + p->n_cols;
    float *x = mem_alloc((size_t)p->n_tokens * p->n_cols * sizeof *x);
    float *bias = mem_array(p->n_rows, sizeof *bias);
    size_t n = (size_t)p->n_tokens * p->n_rows;
    float *want = mem_array(n, sizeof *want), *got = mem_array(n, sizeof *got);
    activations_draw(p->how, x, p->n_tokens, p->n_cols, &seed);
    if (p->n_tokens > 2)
        x[p->n_cols * 2 + 5] = p->n_tokens % 2 ? NAN : -0x1p80f;
    for (uint32_t i = 0; i < p->n_rows; i++)
        bias[i] = test_randn(&seed);
    memset(got, 0x7f, n * sizeof *got);
    product_both(p, x, bias, want, got);
    for (size_t i = 0; i < n; i++)
        if (memcmp(want + i, got + i, 4) != 0)
            fail_msg("%s %s N=%u K=%u T=%u: row %zu of activations, %zu of weights: %a, not %a",
                     dtype_info(p->type)->name, drawing_name(p->how), p->n_rows, p->n_cols,
                     p->n_tokens, i / p->n_rows, i % p->n_rows, (double)got[i], (double)want[i]);
    mem_free(x);
    mem_free(bias);
    mem_free(want);
    mem_free(got);
}

/* Every type, every kernel: 1 row, up to 4, up to 64, more; K of one group, of a short last block,
 * of segments that are empty, of segments of several blocks; N that fills no panel. */
static void products_equal_the_definition(void **state)
{
    (void)state;
    static const uint32_t batches[] = {1, 2, 5, 8, 9, 19, 33, 64, 66};
    static const uint32_t widths[] = {32, 96, 896, 2304, 4352}, k_widths[] = {256, 2304, 512, 4352};
    for (size_t k = 0; k < COUNT_OF(draw_types); k++)
        for (size_t i = k % test_every(4); i < COUNT_OF(batches); i += test_every(4)) {
            bool is_k = act_kind_of(draw_types[k]) == ACT_Q256;
            uint32_t n_cols = is_k ? k_widths[(i + k) % 4] : widths[(i + k) % 5];
            if (dtype_info(draw_types[k])->block_len == 64 && n_cols % 64)
                n_cols = 320;
            struct product p = {draw_types[k],
                                (enum drawing)((i + k) % N_DRAWINGS),
                                i % 3 == 0   ? 17
                                : i % 3 == 1 ? 39
                                             : 8,
                                n_cols,
                                batches[i],
                                i % 2 == 0,
                                false};
            product_check(&p);
        }
}

/* Codes and sub-scales at their limits, with the largest activations: nothing leaves int32. */
static void products_hold_extremes(void **state)
{
    (void)state;
    static const uint32_t batches[] = {1, 3, 6, 65};
    for (size_t k = 0; k < COUNT_OF(draw_types); k++)
        for (size_t i = 0; i < COUNT_OF(batches); i++) {
            struct product p = {draw_types[k], EXTREME, 16, 256, batches[i], false, false};
            product_check(&p);
        }
    for (size_t k = 5; k < COUNT_OF(draw_types); k += 5) { /* several blocks of threads each way */
        struct product p = {draw_types[k], TAME, 141, 256, 67, true, k % 10 == 0};
        product_check(&p);
    }
}

/* Code i of a row of a packed matrix, by the description in formats.h. */
static uint32_t code_at(enum dtype t, const uint8_t *panel, const struct panel_planes *p,
                        uint32_t row, uint32_t i)
{
    struct format f = format_of(layout_format(t));
    uint32_t g = i / 32, column = i % 16, half = i % 32 / 16, code = 0, above = 0;
    if (f.bytes)
        return panel[p->bytes + ((g * 2 + half) * 8 + row) * 16 + column];
    if (f.nibbles) {
        const uint8_t *word = panel + p->nibbles + (g * 8 + row) * 16 + column / 4 * 4;
        code = f.levels ? word[half * 2 + column % 4 / 2] >> 4 * (column % 2) & 15u
                        : word[column % 4] >> 4 * half & 15u;
        above = 4;
    }
    if (f.twos) {
        const uint8_t *word = panel + p->twos + (g / 2 * 8 + row) * 16 + g % 2 * 8 + half * 4;
        code |= (word[column % 4] >> column / 4 * 2 & 3u) << above;
        above += 2;
    }
    if (f.ones) {
        const uint8_t *word = panel + p->ones + (g / 4 * 8 + row) * 16 + g % 4 * 4;
        code |= (word[column % 4] >> (half * 4 + column / 4) & 1u) << above;
    }
    return code;
}

/* The integers of every block, from the panel, are those of the file; its size is the file's and
 * little padding. */
static void layout_loses_nothing(void **state)
{
    (void)state;
    enum { N = 21, K = 768 };
    for (size_t k = 0; k < COUNT_OF(draw_types); k++) {
        enum dtype t = draw_types[k];
        const struct quant_format *q = quant_format(t);
        if (!q)
            continue;
        uint64_t seed = k;
        size_t row_bytes = dtype_row_bytes(t, K), n_packed = layout_bytes(t, N, K);
        uint8_t *rows = mem_alloc(N * row_bytes), *packed = mem_alloc(n_packed);
        weights_draw(t, TAME, rows, N, K, &seed);
        layout_pack(t, N, K, rows, packed);
        struct panel_planes p = panel_planes(layout_format(t), K);
        assert_true(p.n_bytes <= 8 * row_bytes + 127);
        const int8_t *levels = t == DTYPE_MXFP4                         ? quant_mxfp4_levels
                               : t == DTYPE_IQ4_NL || t == DTYPE_IQ4_XS ? quant_iq4_levels
                                                                        : NULL;
        for (uint32_t r = 0; r < N; r++)
            for (uint32_t i = 0; i < K; i++) {
                struct quant_block b;
                uint32_t len = (uint32_t)q->len;
                if (i % len == 0)
                    q->open(rows + r * row_bytes + i / len * (size_t)dtype_info(t)->block_bytes,
                            &b);
                uint32_t code = code_at(t, packed + r / 8 * (size_t)p.n_bytes, &p, r % 8, i);
                int value = levels ? levels[code] : (int8_t)code - format_of(layout_format(t)).bias;
                if (value != b.q[i % len])
                    fail_msg("%s row %u column %u: %d, not %d", dtype_info(t)->name, r, i, value,
                             b.q[i % len]);
            }
        mem_free(rows);
        mem_free(packed);
    }
    assert_int_equal(panel_planes(FORMAT_Q4_K, 4096).n_bytes, 8 * 16 * 144);
    assert_int_equal(panel_planes(FORMAT_Q8_0, 4096).n_bytes, 8 * 128 * 34);
    assert_int_equal(panel_planes(FORMAT_Q6_K, 4096).n_bytes, 8 * 16 * 210);
}

static void embedding_rows_are_decoded(void **state)
{
    (void)state;
    enum { N = 7, K = 512, T = 3 };
    static const int32_t token[T] = {6, 0, 3};
    for (size_t k = 0; k < COUNT_OF(draw_types) * 2; k++) {
        enum dtype t = draw_types[k / 2];
        enum drawing how = k % 2 ? TAME : SUBNORMAL;
        uint64_t seed = k;
        size_t row_bytes = dtype_row_bytes(t, K);
        uint8_t *rows = mem_alloc(N * row_bytes);
        float want[K], *got = mem_array(T * (K + 3), sizeof *got), scale = k % 3 ? 1.0f : 0x1.6ap3f;
        weights_draw(t, how, rows, N, K, &seed);
        struct embed_args args;
        run(embed_launch(t, rows, K, token, T, scale, got, K + 3, &args));
        for (int i = 0; i < T; i++) {
            quant_decode_row(t, rows + (size_t)token[i] * row_bytes, want, K);
            for (int c = 0; c < K; c++) {
                float v = scale != 1.0f ? want[c] * scale : want[c];
                if (memcmp(&v, got + i * (K + 3) + c, 4) != 0)
                    fail_msg("%s row %d column %d: %a, not %a", dtype_info(t)->name, token[i], c,
                             (double)got[i * (K + 3) + c], (double)v);
            }
        }
        mem_free(rows);
        mem_free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_loses_nothing),
        cmocka_unit_test(embedding_rows_are_decoded),
        cmocka_unit_test(products_equal_the_definition),
        cmocka_unit_test(products_hold_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
