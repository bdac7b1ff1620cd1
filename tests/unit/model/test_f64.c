/* test_f64.c - the f64 yardstick against Transformers at float64, on tiny models of every family.
 *
 * Vectors: tests/golden/model, made by tools/mktiny.py. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "base/threads.h"
#include "model/model.h"
#include "unit/model/tiny.h"

static void agrees(const char *name)
{
    struct tiny m;
    struct err_note note = {""};
    tiny_open(&m, name);
    double *logits = mem_array((size_t)m.n_tokens * m.n_vocab, sizeof *logits);
    struct threads *threads = threads_new(2);
    if (model_forward_f64(&m.table, m.tokens, m.n_tokens, threads, logits, &note))
        fail_msg("%s: %s", name, note.text);
    double low = INFINITY, high = -INFINITY, worst = 0.0;
    for (uint32_t r = 0; r < m.n_rows; r++)
        for (uint32_t i = 0; i < m.n_vocab; i++) {
            double want = m.logits[(size_t)r * m.n_vocab + i];
            double got = logits[(size_t)m.rows[r] * m.n_vocab + i];
            low = fmin(low, want);
            high = fmax(high, want);
            worst = fmax(worst, fabs(got - want));
            assert_true(isfinite(got));
        }
    printf("%-14s worst difference %.1e of the range %.1f\n", name, worst / (high - low),
           high - low);
    if (!(worst <= 1e-6 * (high - low)))
        fail_msg("%s: differs by %g of the logit range", name, worst / (high - low));
    threads_free(threads);
    mem_free(logits);
    tiny_close(&m);
}

static void every_family_agrees_with_transformers(void **state)
{
    (void)state;
    for (size_t i = 0; i < TINY_COUNT; i++)
        agrees(tiny_names[i]);
}

static void without_threads_the_same(void **state)
{
    (void)state;
    struct tiny m;
    tiny_open(&m, "mixtral");
    enum { N = 9 };
    double *a = mem_array(N * m.n_vocab, sizeof *a), *b = mem_array(N * m.n_vocab, sizeof *b);
    struct threads *threads = threads_new(3);
    assert_ok(model_forward_f64(&m.table, m.tokens, N, threads, a, NULL));
    assert_ok(model_forward_f64(&m.table, m.tokens, N, NULL, b, NULL));
    assert_memory_equal(a, b, N * m.n_vocab * sizeof *a);
    threads_free(threads);
    mem_free(a);
    mem_free(b);
    tiny_close(&m);
}

static void a_token_outside_the_vocabulary_is_told(void **state)
{
    (void)state;
    struct tiny m;
    struct err_note note;
    tiny_open(&m, "llama");
    int32_t bad[2] = {1, 99};
    double logits[2 * 99];
    assert_int_equal(model_forward_f64(&m.table, bad, 2, NULL, logits, &note), ERR_USAGE);
    assert_non_null(strstr(note.text, "token 99 is not in the vocabulary of 99"));
    tiny_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_agrees_with_transformers),
        cmocka_unit_test(without_threads_the_same),
        cmocka_unit_test(a_token_outside_the_vocabulary_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
