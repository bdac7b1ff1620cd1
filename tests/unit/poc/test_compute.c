/* test_compute.c - the door to the random model: numpy's distances, limits, memory, stopping. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "poc/chain.h"
#include "poc/compute.h"
#include "poc/weights.h"

#include "golden/poc/model.h"

static struct poc_settings settings_of(const struct model_case *c, uint32_t n_batch)
{
    return (struct poc_settings){.params = c->params,
                                 .block_hash = MODEL_BLOCK,
                                 .pool_fraction = c->fraction,
                                 .n_threads = 2,
                                 .n_batch = n_batch};
}

enum { N = COUNT_OF(MODEL_CASES[0].distances) };

static void distances_are_numpys_in_any_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(MODEL_CASES); i++)
        for (uint32_t n_batch = 1; n_batch <= N + 1; n_batch += 5) {
            struct poc_compute *c;
            struct poc_settings s = settings_of(&MODEL_CASES[i], n_batch);
            assert_ok(poc_compute_open(&c, &s, NULL));
            uint64_t nonces[N];
            double dist[N];
            for (uint64_t n = 0; n < N; n++)
                nonces[n] = n * 5 % N;
            assert_ok(poc_compute_run(c, MODEL_KEY, nonces, N, dist, NULL, NULL, NULL));
            for (size_t n = 0; n < N; n++)
                if (!(fabs(dist[n] - MODEL_CASES[i].distances[nonces[n]]) <= POC_NOISE))
                    fail_msg("case %zu, batch %u, nonce %d: %.9f", i, n_batch, (int)nonces[n],
                             dist[n]);
            poc_compute_close(c);
        }
}

static bool until(void *context, size_t n_done)
{
    return n_done < *(size_t *)context;
}

static void a_run_is_stopped_between_batches(void **state)
{
    (void)state;
    struct poc_compute *c;
    struct poc_settings s = settings_of(&MODEL_CASES[0], 3);
    assert_ok(poc_compute_open(&c, &s, NULL));
    uint64_t nonces[N] = {0};
    double dist[N];
    size_t most = 5;
    for (size_t n = 0; n < N; n++)
        dist[n] = -1;
    struct err_note note;
    assert_int_equal(poc_compute_run(c, MODEL_KEY, nonces, N, dist, until, &most, &note),
                     ERR_CANCELLED);
    assert_string_equal(note.text, "stopped after 6 of 16 nonces");
    for (size_t n = 0; n < N; n++)
        assert_int_equal(dist[n] > 0, n < 6);
    char key[CHAIN_KEY_MAX + 2];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    assert_int_equal(poc_compute_run(c, key, nonces, N, dist, NULL, NULL, &note), ERR_LIMIT);
    poc_compute_close(c);
}

static void settings_are_checked(void **state)
{
    (void)state;
    struct poc_need need;
    struct err_note note;
    struct poc_settings good = settings_of(&MODEL_CASES[0], 1);
    assert_ok(poc_compute_need(&good, &need, &note));
    struct poc_settings s = good;
    s.n_batch = 0;
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_LIMIT);
    s = good;
    s.n_threads = 0;
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_LIMIT);
    s = good;
    s.pool_fraction = NAN;
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_LIMIT);
    s = good;
    s.params.n_heads = 5;
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_FORMAT);
    s = good;
    s.isa = "vax";
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "vax"));
    s = good;
    s.n_batch = UINT32_MAX; /* 4 billion nonces at once */
    struct poc_compute *c;
    assert_int_equal(poc_compute_open(&c, &s, &note), ERR_MEMORY);
    assert_null(c);
    assert_non_null(strstr(note.text, "of 4294967295 nonces at once, "));
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    struct poc_settings s = settings_of(&MODEL_CASES[0], 2);
    bool opened = false;
    for (uint64_t n = 1; !opened && n < 100; n++) {
        struct poc_compute *c;
        mem_fault_after(n);
        enum err rc = poc_compute_open(&c, &s, NULL);
        mem_fault_after(0);
        opened = rc == ERR_OK;
        assert_true(opened || (rc == ERR_MEMORY && !c));
        poc_compute_close(c);
    }
    assert_true(opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_numpys_in_any_order),
        cmocka_unit_test(a_run_is_stopped_between_batches),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
