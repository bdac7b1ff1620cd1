/* test_forward.c - distances of the random model against numpy's, which sums in another order.
 *
 * The contract's weights are so small that the layers hardly move what they find; weights made 16
 * times as large show every step, and the noise of half precision with them. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "poc/forward.h"
#include "poc/nonce.h"
#include "tensor/half.h"

#include "golden/poc/model.h"

/* What numpy's distances and ours differ by. */
struct gap {
    double deviation, most;
};

static struct gap gap_of(const struct model_case *c, struct threads *threads, float factor,
                         const double *want, size_t n_nonces)
{
    const struct poc_params *p = &c->params;
    struct poc_weights w;
    struct poc_forward f;
    assert_ok(poc_weights_open(&w, p, MODEL_BLOCK, c->fraction, threads, NULL));
    for (uint64_t i = 0; i < w.n_values; i++)
        w.values[i] = f16_round(f16_widen(w.values[i]) * factor);
    assert_ok(poc_forward_open(&f, &w, NULL));
    uint16_t *input = mem_array((size_t)p->seq_len * p->dim, sizeof *input);
    uint32_t *order = mem_array(p->vocab_size, sizeof *order);
    float *logits = mem_array(p->vocab_size, sizeof *logits);
    double *target = mem_array(p->vocab_size, sizeof *target);
    poc_target(p->vocab_size, MODEL_BLOCK, target);
    struct gap gap = {0};
    for (uint64_t n = 0; n < n_nonces; n++) {
        poc_input(p, MODEL_BLOCK, MODEL_KEY, n, input);
        poc_order(p->vocab_size, MODEL_BLOCK, MODEL_KEY, n, order);
        poc_forward_run(&f, input, logits);
        double d = poc_distance(p->vocab_size, logits, order, target) - want[n];
        gap.deviation += d * d / (double)n_nonces;
        gap.most = fmax(gap.most, fabs(d));
    }
    gap.deviation = sqrt(gap.deviation);
    mem_free(input);
    mem_free(order);
    mem_free(logits);
    mem_free(target);
    poc_forward_close(&f);
    poc_weights_close(&w);
    return gap;
}

static void distances_are_numpys(void **state)
{
    (void)state;
    struct threads *threads = threads_new(1);
    for (size_t i = 0; i < COUNT_OF(MODEL_CASES); i++) {
        const struct model_case *c = &MODEL_CASES[i];
        struct gap g = gap_of(c, threads, 1, c->distances, COUNT_OF(c->distances));
        struct gap loud = gap_of(c, threads, MODEL_LOUD, c->loud, COUNT_OF(c->loud));
        if (g.deviation > 1e-7 || g.most > 4e-7 || loud.deviation > 2e-4 || loud.most > 1e-3)
            fail_msg("case %zu: deviation %.2e, at most %.2e; loud %.2e, %.2e", i, g.deviation,
                     g.most, loud.deviation, loud.most);
    }
    threads_free(threads);
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
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
