/* test_cuda_rows.c - the CUDA kernels on rows of floats, emulated, give the bits of the CPU's plain
 * C. */
#include "lib/cpu.h"
#include "lib/cuda_emulate.h"
#include "lib/test.h"

#include "device/cuda/ops_rows.h"

enum { ROWS = 3, WIDEST = 2500, STRIDE = WIDEST + 3, N = ROWS * STRIDE };
static const uint32_t widths[] = {1, 31, 64, 255, 256, 257, 512, 1030, WIDEST};

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

static void test_norms(void **state)
{
    (void)state;
    const struct device_ops *ops = cpu()->ops;
    for (size_t i = 0; i < COUNT_OF(widths); i += test_every(3)) {
        uint32_t n = widths[i];
        begin();
        struct norm_args args = {y, w, NULL, got, STRIDE, STRIDE, ROWS, n, 1e-5f};
        ops->rmsnorm(cpu(), y, STRIDE, w, 1e-5f, ROWS, n, want, STRIDE);
        run(rmsnorm_launch(&args));
        args.b = i % 2 ? y + 7 : NULL;
        ops->layernorm(cpu(), y, STRIDE, w, args.b, 1e-5f, ROWS, n, want, STRIDE);
        run(layernorm_launch(&args));
    }
}

/* Rows are their own results; heads side by side, more than a block of warps. */
static void test_norms_in_place(void **state)
{
    (void)state;
    const struct device_ops *ops = cpu()->ops;
    begin();
    struct norm_args heads = {got, w, NULL, got, 80, 80, 11, 80, 1e-6f};
    ops->rmsnorm(cpu(), want, 80, w, 1e-6f, 11, 80, want, 80);
    run(rmsnorm_launch(&heads));
    struct norm_args rows = {got, w, y, got, STRIDE, STRIDE, ROWS, 700, 1e-6f};
    ops->rmsnorm(cpu(), want, STRIDE, w, 1e-6f, ROWS, 700, want, STRIDE);
    run(rmsnorm_launch(&rows));
    ops->layernorm(cpu(), want, STRIDE, w, y, 1e-6f, ROWS, 700, want, STRIDE);
    run(layernorm_launch(&rows));
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

static void test_rope(void **state)
{
    static const uint32_t cases[][3] = {{5, 28, 28}, {3, 64, 16}, {9, 128, 128}};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i += test_every(1)) {
        const uint32_t *c = cases[i / 2];
        begin();
        struct rope_args a = {want, STRIDE, ROWS, c[0], c[1], c[2], i % 2, y, w};
        struct rotate_args args;
        cpu()->ops->rope(cpu(), &a);
        a.x = got;
        run(rope_launch(&a, &args));
    }
}

static void test_glu(void **state)
{
    (void)state;
    for (int fn = ACT_FN_SILU; fn <= ACT_FN_SWIGLU_OAI; fn++) {
        begin();
        struct glu_args args = {got, y, got, STRIDE, fn % 2 ? 0 : STRIDE, STRIDE, 300, fn};
        cpu()->ops->glu(cpu(), (enum act_fn)fn, want, STRIDE, y, args.stride_up, ROWS, 300, want,
                        STRIDE);
        run(glu_launch(&args, ROWS));
    }
}

static void test_moves(void **state)
{
    (void)state;
    const struct device_ops *ops = cpu()->ops;
    static const uint32_t places[ROWS] = {2, 0, 1}, up[2] = {1, 2};
    static const float by[ROWS] = {0.3f, -1.7f, 1.0f};
    begin();
    for (int i = 0; i < 2; i++) {
        struct move_args add = {got, y, NULL, NULL, STRIDE, STRIDE, ROWS, 257, i ? 0.7f : 1.0f};
        ops->add(cpu(), want, STRIDE, y, STRIDE, ROWS, 257, add.scale);
        run(move_launch("add", &add));
    }
    struct move_args gather = {got, y, places, NULL, STRIDE, STRIDE, ROWS, 300, 1};
    ops->gather(cpu(), y, STRIDE, places, ROWS, 300, want, STRIDE);
    run(move_launch("gather", &gather));
    struct move_args scatter = {got, y, places, by, STRIDE, STRIDE, ROWS, 300, 1};
    ops->scatter(cpu(), want, STRIDE, places, y, STRIDE, by, ROWS, 300);
    run(move_launch("scatter", &scatter));
    struct move_args keep = {got, got, up, NULL, STRIDE, STRIDE, 2, WIDEST, 1};
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
    struct move_args keep = {got, got, from, NULL, WIDE, WIDE, MANY, WIDE, 1};
    cpu()->ops->keep_rows(cpu(), want, WIDE, WIDE, from, MANY);
    run(move_launch("keep_rows", &keep));
}

static void test_logits(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        uint8_t bad_got[ROWS] = {0}, bad_want[ROWS] = {0};
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
    static const uint8_t bad[] = {1, 0, 1, 1};
    uint8_t first[] = {0, 0, 0, 9}, first_want[] = {0, 0, 0, 9};
    struct note_args args = {first, origin, bad, 4, 5};
    struct launch l = note_launch(&args);
    (void)state;
    cpu()->ops->note_bad(cpu(), first_want, origin, bad, 4, 5);
    cuda_emulate_launch(&l);
    assert_memory_equal(first, first_want, sizeof first);
    assert_int_equal(first[2], 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norms),     cmocka_unit_test(test_norms_in_place),
        cmocka_unit_test(test_reflect),   cmocka_unit_test(test_rope),
        cmocka_unit_test(test_glu),       cmocka_unit_test(test_moves),
        cmocka_unit_test(test_keep_many), cmocka_unit_test(test_logits),
        cmocka_unit_test(test_note_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
