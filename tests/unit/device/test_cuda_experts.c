/* test_cuda_experts.c - mixtures of experts on the emulated card give the bits of the CPU's plain
 * C: few rows and many, ties and bad logits, experts that nobody chose, every form of matrix. */
#include <math.h>

#include "lib/cpu.h"
#include "lib/draw.h"
#include "lib/test.h"

#include "base/mem.h"
#include "device/cuda/cuda.h"

enum { TAKEN_MAX = 16 };

/* One device, and what a case took of it. */
struct side {
    struct device *d;
    struct {
        void *p;
        size_t n_bytes;
    } taken[TAKEN_MAX];
    int n_taken;
};

static struct device *card;

static void *on(struct side *s, const void *host, size_t n_bytes)
{
    void *p = NULL;
    assert_true(s->n_taken < TAKEN_MAX);
    assert_ok(s->d->ops->mem_take(s->d, n_bytes, "a test", &p, NULL));
    s->taken[s->n_taken].p = p;
    s->taken[s->n_taken++].n_bytes = n_bytes;
    if (host)
        s->d->ops->put(s->d, p, host, n_bytes);
    return p;
}

static void give_all(struct side *s)
{
    while (s->n_taken--)
        s->d->ops->mem_give(s->d, s->taken[s->n_taken].p, s->taken[s->n_taken].n_bytes);
    s->n_taken = 0;
}

struct experts_case {
    enum dtype in, down;
    uint32_t n_experts, n_used, n_embd, n_ff, n_rows;
    bool is_normed, biases;
    enum act_fn fn;
};

static uint64_t seed = 1;

static float *draw(size_t n)
{
    float *x = mem_alloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = test_randn(&seed);
    return x;
}

/* The file's rows of all experts, packed one after another. */
static struct matrix *pack(struct side *s, enum dtype t, uint32_t n, uint32_t n_rows,
                           uint32_t n_cols, const uint8_t *rows)
{
    const struct device_ops *ops = s->d->ops;
    size_t n_packed = ops->matrix_bytes(s->d, t, n_rows, n_cols);
    size_t row_bytes = n_rows * dtype_row_bytes(t, n_cols), step = (n_packed + 255) / 256 * 256;
    struct matrix *w = mem_array(n, sizeof *w);
    uint8_t *all = n_packed ? mem_zalloc(n * step) : NULL;
    for (uint32_t e = 0; all && e < n; e++)
        ops->matrix_pack(s->d, t, n_rows, n_cols, rows + e * row_bytes, all + e * step);
    const uint8_t *p = all ? on(s, all, n * step) : on(s, rows, n * row_bytes);
    for (uint32_t e = 0; e < n; e++)
        w[e] =
            (struct matrix){t, n_rows, n_cols, p + e * (all ? step : row_bytes), n_packed, false};
    mem_free(all);
    return w;
}

/* What both devices are given. */
struct input {
    float *logits, *x, *bias[3];
    uint8_t *rows[3];
};

static struct input draw_input(const struct experts_case *c)
{
    struct input in;
    size_t n_logits = (size_t)c->n_rows * c->n_experts;
    const uint32_t n_out[] = {c->n_ff, c->n_ff, c->n_embd},
                   n_in[] = {c->n_embd, c->n_embd, c->n_ff};
    in.logits = draw(n_logits);
    in.x = draw((size_t)c->n_rows * c->n_embd);
    for (size_t i = 0; i < n_logits; i += 5) /* ties */
        in.logits[i] = 0.5f * (float)(int)(4 * in.logits[i]);
    in.logits[n_logits - 1] = 60.0f; /* all others' parts are dropped */
    if (c->n_rows > 2) {
        in.logits[c->n_experts] = NAN;
        in.x[2 * c->n_embd + 3] = c->n_rows % 2 ? INFINITY : 0x1p79f; /* bad there, or after */
    }
    for (int i = 0; i < 3; i++) {
        enum dtype t = i < 2 ? c->in : c->down;
        uint32_t n = c->n_experts * n_out[i];
        in.rows[i] = mem_alloc(n * dtype_row_bytes(t, n_in[i]));
        weights_draw(t, TAME, in.rows[i], n, n_in[i], &seed);
        in.bias[i] = draw(n);
    }
    return in;
}

static void run(struct side *s, const struct experts_case *c, const struct input *in, float *out,
                uint8_t *bad)
{
    const struct device_ops *ops = s->d->ops;
    const size_t n_ff = (size_t)c->n_experts * c->n_ff, n_embd = (size_t)c->n_experts * c->n_embd;
    size_t n_x = (size_t)c->n_rows * c->n_embd;
    struct experts_args a = {
        .shape = {c->n_rows, c->n_experts, c->n_used, c->n_embd, c->n_ff, 1u << act_kind_of(c->in),
                  1u << act_kind_of(c->down)},
        .logits = on(s, in->logits, (size_t)c->n_rows * c->n_experts * sizeof(float)),
        .is_normed = c->is_normed,
        .fn = c->fn,
        .gate = pack(s, c->in, c->n_experts, c->n_ff, c->n_embd, in->rows[0]),
        .up = pack(s, c->in, c->n_experts, c->n_ff, c->n_embd, in->rows[1]),
        .down = pack(s, c->down, c->n_experts, c->n_embd, c->n_ff, in->rows[2]),
        .gate_bias = c->biases ? on(s, in->bias[0], n_ff * sizeof(float)) : NULL,
        .up_bias = c->biases ? on(s, in->bias[1], n_ff * sizeof(float)) : NULL,
        .down_bias = c->biases ? on(s, in->bias[2], n_embd * sizeof(float)) : NULL,
        .x = on(s, in->x, n_x * sizeof(float)),
        .out = on(s, NULL, n_x * sizeof(float)),
        .stride_x = c->n_embd,
        .stride_out = c->n_embd,
        .bad = on(s, NULL, c->n_rows),
    };
    a.scratch = on(s, NULL, ops->experts_bytes(s->d, &a.shape));
    for (int i = 0; i < 2; i++) /* the second time finds what the first has left */
        ops->experts(s->d, &a);
    ops->get(s->d, out, a.out, n_x * sizeof(float));
    ops->get(s->d, bad, a.bad, c->n_rows);
    assert_ok(ops->status(s->d, NULL));
    mem_free((void *)(uintptr_t)a.gate);
    mem_free((void *)(uintptr_t)a.up);
    mem_free((void *)(uintptr_t)a.down);
    give_all(s);
}

static void experts_case(const struct experts_case *c)
{
    struct side cpu_side = {.d = cpu()}, card_side = {.d = card};
    struct input in = draw_input(c);
    size_t n = (size_t)c->n_rows * c->n_embd;
    float *want = mem_alloc(n * sizeof *want), *got = mem_alloc(n * sizeof *got);
    uint8_t *bad_want = mem_zalloc(c->n_rows), *bad_got = mem_zalloc(c->n_rows);
    run(&cpu_side, c, &in, want, bad_want);
    run(&card_side, c, &in, got, bad_got);
    for (size_t i = 0; i < n; i++)
        if (memcmp(want + i, got + i, 4) != 0 && !(isnan(want[i]) && isnan(got[i])))
            fail_msg("%s, %u rows: row %zu column %zu: %a, not %a", dtype_info(c->in)->name,
                     c->n_rows, i / c->n_embd, i % c->n_embd, (double)got[i], (double)want[i]);
    assert_memory_equal(bad_got, bad_want, c->n_rows);
    if (c->n_rows > 2)
        assert_true(!bad_got[0] && bad_got[1] && (bad_got[2] || c->n_rows % 2 == 0));
    void *all[] = {in.logits,  in.x,       in.bias[0], in.bias[1], in.bias[2], in.rows[0],
                   in.rows[1], in.rows[2], want,       got,        bad_want,   bad_got};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        mem_free(all[i]);
}

/* One row, as many as a matrix's quick kernel takes, tiles half full, wide tiles, two chunks. */
static void experts_equal_the_cpu(void **state)
{
    static const struct experts_case cases[] = {
        {DTYPE_Q4_K, DTYPE_Q6_K, 8, 2, 256, 256, 1, true, false, ACT_FN_SILU},
        {DTYPE_Q8_0, DTYPE_Q4_0, 33, 5, 64, 96, 4, false, true, ACT_FN_SWIGLU_OAI},
        {DTYPE_Q4_K, DTYPE_Q8_0, 5, 5, 256, 32, 3, true, true, ACT_FN_SILU},
        {DTYPE_Q5_0, DTYPE_Q4_1, 4, 1, 32, 64, 13, true, true, ACT_FN_GELU_TANH},
        {DTYPE_F16, DTYPE_F32, 3, 2, 40, 24, 9, true, true, ACT_FN_SILU},
        {DTYPE_BF16, DTYPE_Q8_0, 70, 64, 32, 32, 2, false, false, ACT_FN_SILU},
        {DTYPE_MXFP4, DTYPE_MXFP4, 2, 2, 64, 32, 67, true, true, ACT_FN_SWIGLU_OAI},
        {DTYPE_Q8_0, DTYPE_Q8_0, 1, 1, 32, 32, 37, true, false, ACT_FN_SILU},
        {DTYPE_Q8_0, DTYPE_Q8_0, 7, 1, 32, 32, 530, true, false, ACT_FN_SILU},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i += test_every(2))
        experts_case(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(experts_equal_the_cpu)};
    assert_ok(cuda_device_open(0, 0, &card, NULL));
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    card->ops->close(card);
    return rc;
}
