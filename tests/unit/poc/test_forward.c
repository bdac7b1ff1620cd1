/* test_forward.c - distances of the random model against numpy's, which sums in another order: by
 * the plain C, and by the vectors of every instruction set.
 *
 * The contract's weights are so small that the layers hardly move what they find; weights made 16
 * times as large show every step, and the noise of half precision with them. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "device/device.h"
#include "poc/forward.h"
#include "poc/nonce.h"
#include "poc/wide.h"
#include "tensor/half.h"

#include "golden/poc/model.h"

/* What numpy's distances and ours differ by. */
struct gap {
    double deviation, most;
};

enum { N = COUNT_OF(MODEL_CASES[0].loud) };

/* Logits of n_all nonces. isa NULL: the plain C; else n_batch nonces at a time. */
static void forward(const struct poc_weights *w, const char *isa, uint32_t n_batch, uint32_t n_all,
                    struct threads *threads, uint16_t *const *inputs, float *const *logits)
{
    if (!isa) {
        struct poc_forward f;
        assert_ok(poc_forward_open(&f, w, NULL));
        for (size_t n = 0; n < n_all; n++)
            poc_forward_run(&f, inputs[n], logits[n]);
        poc_forward_close(&f);
        return;
    }
    struct poc_wide *wide;
    const struct wide_ops *ops = wide_ops_find(isa);
    assert_ok(poc_wide_open(&wide, w, ops, threads, n_batch, NULL));
    const uint16_t *const *from = (const uint16_t *const *)inputs;
    for (uint32_t n = 0; n < n_all; n += n_batch)
        poc_wide_run(wide, n_all - n < n_batch ? n_all - n : n_batch, from + n, logits + n);
    poc_wide_close(wide);
}

static struct gap gap_of(const struct model_case *c, const char *isa, uint32_t n_batch,
                         struct threads *threads, float factor, const double *want,
                         uint32_t n_nonces)
{
    const struct poc_params *p = &c->params;
    struct poc_weights w;
    assert_ok(poc_weights_open(&w, p, MODEL_BLOCK, c->fraction, threads, NULL));
    for (uint64_t i = 0; i < w.n_values; i++)
        w.values[i] = f16_round(f16_widen(w.values[i]) * factor);
    uint16_t *inputs[N];
    float *logits[N];
    for (size_t n = 0; n < N; n++) {
        inputs[n] = mem_array((size_t)p->seq_len * p->dim, sizeof **inputs);
        logits[n] = mem_array(p->vocab_size, sizeof **logits);
        poc_input(p, MODEL_BLOCK, MODEL_KEY, n, inputs[n]);
    }
    uint32_t *order = mem_array(p->vocab_size, sizeof *order);
    double *target = mem_array(p->vocab_size, sizeof *target);
    poc_target(p->vocab_size, MODEL_BLOCK, target);
    forward(&w, isa, n_batch, n_nonces, threads, inputs, logits);
    struct gap gap = {0};
    for (uint64_t n = 0; n < n_nonces; n++) {
        poc_order(p->vocab_size, MODEL_BLOCK, MODEL_KEY, n, order);
        double d = poc_distance(p->vocab_size, logits[n], order, target) - want[n];
        gap.deviation += d * d / (double)n_nonces;
        gap.most = fmax(gap.most, fabs(d));
    }
    gap.deviation = sqrt(gap.deviation);
    for (size_t n = 0; n < N; n++) {
        mem_free(inputs[n]);
        mem_free(logits[n]);
    }
    mem_free(order);
    mem_free(target);
    poc_weights_close(&w);
    return gap;
}

static void check_gaps(const char *isa, uint32_t n_batch, int n_threads)
{
    struct threads *threads = threads_new(n_threads);
    for (size_t i = 0; i < COUNT_OF(MODEL_CASES); i++) {
        const struct model_case *c = &MODEL_CASES[i];
        struct gap g = gap_of(c, isa, n_batch, threads, 1, c->distances,
                              COUNT_OF(c->distances) / test_every(4));
        struct gap loud = gap_of(c, isa, n_batch, threads, MODEL_LOUD, c->loud, N / test_every(4));
        if (!(g.deviation <= 1e-6 && g.most <= 4e-6 && loud.deviation <= 2e-4 && loud.most <= 1e-3))
            fail_msg("%s, case %zu: deviation %.2e, at most %.2e; loud %.2e, %.2e",
                     isa ? isa : "plain", i, g.deviation, g.most, loud.deviation, loud.most);
    }
    threads_free(threads);
}

static void distances_are_numpys(void **state)
{
    (void)state;
    check_gaps(NULL, 1, 1);
}

static void distances_by_vectors_are_numpys(void **state)
{
    (void)state;
    for (const char *const *isa = cpu_isa_names(); *isa; isa++)
        if (wide_ops_find(*isa)) {
            check_gaps(*isa, 1, 1);
            check_gaps(*isa, 5, 3);
            check_gaps(*isa, N, 2);
        }
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    struct threads *threads = threads_new(1);
    struct poc_weights w;
    const struct model_case *c = &MODEL_CASES[0];
    assert_ok(poc_weights_open(&w, &c->params, MODEL_BLOCK, c->fraction, threads, NULL));
    for (uint64_t n = 1; n <= 2; n++) {
        struct poc_forward f;
        struct err_note note;
        mem_fault_after(n);
        assert_int_equal(poc_forward_open(&f, &w, &note), ERR_MEMORY);
        assert_non_null(strstr(note.text, "MiB"));
    }
    poc_weights_close(&w);
    threads_free(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_numpys),
        cmocka_unit_test(distances_by_vectors_are_numpys),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
