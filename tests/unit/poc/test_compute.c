/* test_compute.c - the door to the random model: numpy's distances, limits, memory, stopping. */
#include "lib/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "device/device.h"
#include "poc/chain.h"
#include "poc/compute.h"
#include "poc/weights.h"
#include "poc/wide.h"

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
        for (uint32_t n_batch = 1; n_batch <= N + 1; n_batch += 5 * test_every(2)) {
            struct poc_compute *c;
            struct poc_settings s = settings_of(&MODEL_CASES[i], n_batch);
            assert_ok(poc_compute_open(&c, &s, NULL));
            uint64_t nonces[N], n_nonces = N / test_every(4);
            double dist[N];
            for (uint64_t n = 0; n < N; n++)
                nonces[n] = n * 5 % N;
            assert_ok(poc_compute_run(c, MODEL_KEY, nonces, n_nonces, dist, NULL, NULL, NULL));
            for (size_t n = 0; n < n_nonces; n++)
                if (!(fabs(dist[n] - MODEL_CASES[i].distances[nonces[n]]) <= POC_NOISE))
                    fail_msg("case %zu, batch %u, nonce %d: %.9f", i, n_batch, (int)nonces[n],
                             dist[n]);
            poc_compute_close(c);
        }
}

/* The first of those that tools/poc_oracle.py gave for the set "test". */
static void distances_are_the_oracles(void **state)
{
    (void)state;
    enum { N_ORACLE = 64, N_PLAIN = 4 }; /* of plain C, a tenth as fast */
    const char *isa = NULL;
    for (const char *const *i = cpu_isa_names(); *i; i++)
        isa = *i;
    size_t n_nonces = (wide_ops_find(isa) ? N_ORACLE : N_PLAIN) / test_every(4);
    struct poc_compute *c;
    struct poc_settings s = {.params = *poc_params_named("test"),
                             .block_hash = "test",
                             .pool_fraction = 0.05,
                             .n_threads = 2,
                             .n_batch = N_ORACLE};
    uint64_t nonces[N_ORACLE];
    double want[N_ORACLE], dist[N_ORACLE], sum = 0;
    FILE *file = fopen(TEST_DIR "/golden/poc/oracle/test.txt", "r");
    assert_non_null(file);
    for (size_t n = 0; n < n_nonces; n++)
        assert_int_equal(fscanf(file, "%" SCNu64 " %lf", &nonces[n], &want[n]), 2);
    fclose(file);
    assert_ok(poc_compute_open(&c, &s, NULL));
    assert_ok(poc_compute_run(c, "test", nonces, n_nonces, dist, NULL, NULL, NULL));
    for (size_t n = 0; n < n_nonces; n++) {
        sum += (dist[n] - want[n]) * (dist[n] - want[n]);
        if (!(fabs(dist[n] - want[n]) <= POC_NOISE))
            fail_msg("nonce %d: %.9f, not %.9f", (int)nonces[n], dist[n], want[n]);
    }
    assert_true(sqrt(sum / (double)n_nonces) <= 4e-6);
    poc_compute_close(c);
}

/* Two pages of positions, grouped heads, scaled angles, tiles that are not full. */
static const struct poc_params EXACT = {96, 3, 6, 2, 75, 2.0, 32, 1e-5, 500000, true, 70};
static const double EXACT_DISTANCES[] = {
    0x1.5af3c35ca92f9p+0, 0x1.6ea12d00f1606p+0, 0x1.6ac8a1fa94558p+0,
    0x1.6dd73e073f6ddp+0, 0x1.3960aeb3954cbp+0,
};
enum { N_EXACT = COUNT_OF(EXACT_DISTANCES) };

/* Whatever the instruction set, the threads and the batch. */
static void exact_distances_are_the_same_bits(void **state)
{
    (void)state;
    for (const char *const *isa = cpu_isa_names(); *isa; isa++)
        for (int n_threads = 1; n_threads <= 3; n_threads += (int)test_every(2)) {
            struct poc_settings s = {.params = EXACT,
                                     .profile = POC_EXACT,
                                     .block_hash = MODEL_BLOCK,
                                     .pool_fraction = 0.05,
                                     .n_threads = n_threads,
                                     .isa = *isa,
                                     .n_batch = 2 * (uint32_t)n_threads - 1};
            struct poc_compute *c;
            assert_ok(poc_compute_open(&c, &s, NULL));
            assert_string_equal(poc_compute_isa(c), *isa);
            uint64_t nonces[N_EXACT];
            double dist[N_EXACT];
            for (uint64_t n = 0; n < N_EXACT; n++)
                nonces[n] = N_EXACT - 1 - n;
            assert_ok(poc_compute_run(c, MODEL_KEY, nonces, N_EXACT, dist, NULL, NULL, NULL));
            for (size_t n = 0; n < N_EXACT; n++)
                if (memcmp(&dist[n], &EXACT_DISTANCES[nonces[n]], sizeof dist[n]) != 0)
                    fail_msg("%s, %d threads, nonce %d: %a", *isa, n_threads, (int)nonces[n],
                             dist[n]);
            poc_compute_close(c);
        }
}

/* Weights are those of the compute that drew them, and outlive it. */
static void weights_are_shared(void **state)
{
    (void)state;
    for (int profile = POC_COMPATIBLE; profile <= POC_EXACT; profile++) {
        struct poc_compute *first, *second;
        struct poc_settings s = settings_of(&MODEL_CASES[0], 2);
        uint64_t nonces[] = {3, 0, 1, 2};
        double dist[2][4];
        s.profile = (enum poc_profile)profile;
        if (profile == POC_EXACT)
            s.params = EXACT;
        assert_ok(poc_compute_open(&first, &s, NULL));
        assert_ok(poc_compute_run(first, MODEL_KEY, nonces, 4, dist[0], NULL, NULL, NULL));
        s.held = poc_compute_hold(first);
        bool opened = false;
        for (uint64_t n = 1; !opened && n < 100; n++) { /* who finds no memory gives them back */
            mem_fault_after(n);
            opened = poc_compute_open(&second, &s, NULL) == ERR_OK;
            mem_fault_after(0);
        }
        assert_true(opened);
        poc_held_release(s.held);
        poc_compute_close(first);
        assert_ok(poc_compute_run(second, MODEL_KEY, nonces, 4, dist[1], NULL, NULL, NULL));
        assert_memory_equal(dist[0], dist[1], sizeof dist[0]);
        poc_compute_close(second);
    }
}

/* Every layer counts: without the last one nothing is as it was. */
static void exact_distances_need_every_layer(void **state)
{
    (void)state;
    struct poc_settings s = {.params = EXACT,
                             .profile = POC_EXACT,
                             .block_hash = MODEL_BLOCK,
                             .pool_fraction = 1,
                             .n_threads = 1,
                             .n_batch = N_EXACT};
    double dist[2][N_EXACT];
    uint64_t nonces[N_EXACT] = {0, 1, 2, 3, 4};
    for (int i = 0; i < 2; i++, s.params.n_layers--) {
        struct poc_compute *c;
        assert_ok(poc_compute_open(&c, &s, NULL));
        assert_ok(poc_compute_run(c, MODEL_KEY, nonces, N_EXACT, dist[i], NULL, NULL, NULL));
        poc_compute_close(c);
    }
    for (size_t n = 0; n < N_EXACT; n++)
        assert_true(fabs(dist[0][n] - dist[1][n]) > 1e-3);
}

static void exact_shapes_are_checked(void **state)
{
    (void)state;
    struct poc_need need;
    struct err_note note;
    struct poc_settings good = {.params = EXACT,
                                .profile = POC_EXACT,
                                .block_hash = "",
                                .pool_fraction = 0.05,
                                .n_threads = 1,
                                .n_batch = 1};
    assert_ok(poc_compute_need(&good, &need, &note));
    struct poc_settings s = good;
    s.pool_fraction = 0;
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "pool_fraction"));
    s = good;
    s.params.dim = 100;
    s.params.n_heads = s.params.n_kv_heads = 5;
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "dim is 100"));
    s = good;
    s.params.n_heads = s.params.n_kv_heads = 48; /* heads of 2 */
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_UNSUPPORTED);
    s = good;
    s.params.ffn_dim_multiplier = 1000;
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_UNSUPPORTED);
    assert_non_null(strstr(note.text, "131072"));
    s = good;
    s.isa = "vax";
    assert_int_equal(poc_compute_need(&s, &need, &note), ERR_UNSUPPORTED);
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

static void check_no_memory(struct poc_settings s)
{
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

static void no_memory_is_an_error(void **state)
{
    (void)state;
    struct poc_settings s = settings_of(&MODEL_CASES[0], 2);
    check_no_memory(s);
    s.isa = "scalar";
    check_no_memory(s);
    s.profile = POC_EXACT;
    check_no_memory(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_numpys_in_any_order),
        cmocka_unit_test(distances_are_the_oracles),
        cmocka_unit_test(exact_distances_are_the_same_bits),
        cmocka_unit_test(weights_are_shared),
        cmocka_unit_test(exact_distances_need_every_layer),
        cmocka_unit_test(exact_shapes_are_checked),
        cmocka_unit_test(a_run_is_stopped_between_batches),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
