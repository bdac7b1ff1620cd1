/* test_cuda_rows.c - the CUDA kernels on rows of floats, emulated, give the bits of the CPU's plain
 * C. */
#include "lib/cpu.h"
#include "lib/cuda_emulate.h"
#include "lib/test.h"

#include "device/cuda/ops_rows.h"

enum { ROWS = 3, WIDEST = 2500, STRIDE = WIDEST + 3, N = ROWS * STRIDE };
static const uint32_t widths[] = {1, 31, 64, 256, 257, 512, 1030, 2304, WIDEST};

static uint64_t seed = 1;
static float x[N], y[N], w[N], got[N], want[N];

static void draw(float *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = test_randn(&seed) * (test_rand(&seed) % 16 ? 1.0f : 100.0f);
}

/* New x, y and w; x is what both results start from. */
static void begin(void)
{
    draw(x, N);
    draw(y, N);
    draw(w, N);
    memcpy(got, x, sizeof x);
    memcpy(want, x, sizeof x);
}

static void run(struct launch l)
{
    cuda_emulate_launch(&l);
    assert_memory_equal(got, want, sizeof want);
}

/* Activations of every kind, by the operation and by `quantize` of its result. */
enum { ACTS_BYTES = 64 * 2 * WIDEST * 4, KINDS = ACT_F32 + 1 };
static _Alignas(64) uint8_t acts_got[KINDS][ACTS_BYTES], acts_want[KINDS][ACTS_BYTES];
static uint8_t bad_got[ROWS], bad_want[ROWS];
static uint32_t tickets[ROWS];

/* The kinds that rows of n may have: all, or the plain one. */
static uint32_t acts_begin(uint32_t n, struct acts acts[KINDS])
{
    uint32_t n_acts = 0;
    memset(acts_got, 0x7f, sizeof acts_got);
    memset(acts_want, 0x7f, sizeof acts_want);
    memset(bad_got, 0, sizeof bad_got);
    memset(bad_want, 0, sizeof bad_want);
    for (int kind = 0; kind < KINDS; kind++)
        if (kind == ACT_F32 || n % (kind == ACT_Q256 ? 256 : 32) == 0)
            acts[n_acts++] = (struct acts){(enum act_kind)kind, ROWS, n, acts_got[kind]};
    return n_acts;
}

/* What want's rows become by the kernel of their own, which test_cuda_matmul.c holds to products.
 */
static void acts_compare(const struct acts *acts, uint32_t n_acts)
{
    for (uint32_t i = 0; i < n_acts; i++) {
        struct quantize_args args;
        struct acts to = acts[i];
        to.data = acts_want[to.kind];
        struct launch l = quantize_launch(want, STRIDE, &to, bad_want, tickets, &args);
        cuda_emulate_launch(&l);
        assert_memory_equal(acts_got[to.kind], acts_want[to.kind], ACTS_BYTES);
    }
    assert_memory_equal(bad_got, bad_want, ROWS);
    for (int t = 0; t < ROWS; t++)
        assert_int_equal(tickets[t], 0);
}

/* The same bits, but for those of NaNs. */
static void assert_same(const float *a, const float *b)
{
    for (size_t i = 0; i < N; i++)
        if (memcmp(a + i, b + i, 4) != 0 && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("row %zu column %zu: %a, not %a", i / STRIDE, i % STRIDE, (double)a[i],
                     (double)b[i]);
}

/* Addition, its norm, the norm, the activations: each there and not there, good rows and bad. */
static void test_norms(void **state)
{
    (void)state;
    for (size_t i = 0; i < 16 * COUNT_OF(widths); i += test_every(11)) {
        static float add[N], out[N];
        struct acts acts[KINDS];
        uint32_t n = widths[i / 16];
        bool is_layernorm = i & 1, has_add = i & 2, has_norm = i & 4, in_place = i & 8;
        begin();
        if (i % 5 == 0)
            got[2 * STRIDE + n / 2] = want[2 * STRIDE + n / 2] = i % 2 ? NAN : 0x1p80f;
        memcpy(add, y, sizeof add);
        memcpy(out, x, sizeof out);
        uint32_t n_acts = acts_begin(n, acts);
        struct norm_args a = {.x = got,
                              .add = has_add ? add : NULL,
                              .add_norm = has_add && has_norm ? w + 5 : NULL,
                              .w = w,
                              .b = has_norm ? w + STRIDE : NULL,
                              .is_layernorm = is_layernorm,
                              .eps = 1e-5f,
                              .y = in_place ? got : out,
                              .keeps_y = true,
                              .stride_x = STRIDE,
                              .stride_add = STRIDE,
                              .stride_y = STRIDE,
                              .n_rows = ROWS,
                              .n = n,
                              .acts = acts,
                              .n_acts = n_acts,
                              .bad = bad_got};
        struct norm_row_args args;
        struct launch l = norm_launch(&a, &args);
        cuda_emulate_launch(&l);
        memcpy(add, y, sizeof add);
        static float out_want[N];
        memcpy(out_want, x, sizeof out_want);
        a.x = want;
        a.y = in_place ? want : out_want;
        a.n_acts = 0;
        cpu()->ops->norm(cpu(), &a);
        assert_same(got, want);
        assert_same(out, out_want);
        if (!in_place)
            memcpy(want, out_want, sizeof want);
        acts_compare(acts, n_acts);
    }
}

static void test_reflect(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(widths); i += test_every(3)) {
        begin();
        const float *mirrors[ROWS] = {w, NULL, w + STRIDE};
        struct reflect_args args = {got, mirrors, STRIDE, 2, widths[i]};
        cpu()->ops->reflect(cpu(), want, STRIDE, mirrors, 2, ROWS, widths[i]);
        run(reflect_launch(&args, ROWS));
    }
}

static void test_glu(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4 * COUNT_OF(widths); i += test_every(3)) {
        enum act_fn fn = (enum act_fn)(i % 4);
        uint32_t n = widths[i / 4];
        struct acts acts[KINDS];
        begin();
        got[STRIDE + n - 1] = want[STRIDE + n - 1] = i % 3 ? 1.0f : INFINITY;
        struct glu_args a = {.fn = fn,
                             .gate = got,
                             .up = y,
                             .y = got,
                             .keeps_y = true,
                             .stride_gate = STRIDE,
                             .stride_up = fn % 2 ? 0 : STRIDE,
                             .stride_y = STRIDE,
                             .n_rows = ROWS,
                             .n = n,
                             .acts = acts,
                             .n_acts = acts_begin(n, acts),
                             .bad = bad_got};
        struct quantize_args args;
        struct launch l = glu_launch(&a, tickets, &args);
        cuda_emulate_backwards = i % 2;
        cuda_emulate_launch(&l);
        cuda_emulate_backwards = false;
        uint32_t n_acts = a.n_acts;
        a.gate = a.y = want;
        a.n_acts = 0;
        cpu()->ops->glu(cpu(), &a);
        assert_memory_equal(got, want, sizeof want);
        acts_compare(acts, n_acts);
    }
}

static void test_moves(void **state)
{
    (void)state;
    const struct device_ops *ops = cpu()->ops;
    static const uint32_t up[2] = {1, 2};
    begin();
    for (int i = 0; i < 2; i++) {
        struct move_args add = {got, y, NULL, STRIDE, STRIDE, ROWS, 257, i ? 0.7f : 1.0f};
        ops->add(cpu(), want, STRIDE, y, STRIDE, ROWS, 257, add.scale);
        run(move_launch("add", &add));
    }
    struct move_args keep = {got, got, up, STRIDE, STRIDE, 2, WIDEST, 1};
    ops->keep_rows(cpu(), want, STRIDE, WIDEST, up, 2);
    run(move_launch("keep_rows", &keep));
}

/* More rows than one batch of loads, each but the first moving by another distance. */
static void test_keep_many(void **state)
{
    enum { WIDE = 7, MANY = 21 };
    uint32_t from[MANY];
    (void)state;
    begin();
    for (uint32_t i = 0; i < MANY; i++)
        from[i] = i + i / 2;
    struct move_args keep = {got, got, from, WIDE, WIDE, MANY, WIDE, 1};
    cpu()->ops->keep_rows(cpu(), want, WIDE, WIDE, from, MANY);
    run(move_launch("keep_rows", &keep));
}

static void test_logits(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        memset(bad_got, 0, ROWS);
        memset(bad_want, 0, ROWS);
        begin();
        got[5] = want[5] = -0.0f;
        if (i == 0)
            got[STRIDE + 299] = want[STRIDE + 299] = -HUGE_VALF;
        struct logits_args args = {got, bad_got, STRIDE, 300, i ? 30.0f : 0.0f};
        cpu()->ops->logits(cpu(), want, STRIDE, ROWS, 300, args.cap, bad_want);
        run(logits_launch(&args, ROWS));
        assert_memory_equal(bad_got, bad_want, ROWS);
        assert_int_equal(bad_got[1], i == 0);
    }
}

static void test_note_bad(void **state)
{
    static const uint32_t origin[] = {3, 1, 0, 2};
    static const uint8_t bad[] = {1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1};
    uint8_t first[] = {0, 0, 0, 9}, first_want[] = {0, 0, 0, 9};
    struct note_args args = {first, origin, bad, 4, 3, 5};
    struct launch l = note_launch(&args);
    (void)state;
    cpu()->ops->note_bad(cpu(), first_want, origin, bad, 4, 3, 5);
    cuda_emulate_launch(&l);
    assert_memory_equal(first, first_want, sizeof first);
    assert_int_equal(first[0], 7);
    assert_int_equal(first[1], 0);
    assert_int_equal(first[2], 5);
    assert_int_equal(first[3], 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norms),     cmocka_unit_test(test_reflect),
        cmocka_unit_test(test_glu),       cmocka_unit_test(test_moves),
        cmocka_unit_test(test_keep_many), cmocka_unit_test(test_logits),
        cmocka_unit_test(test_note_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
