/* test_chain.c - generators of proof of compute against numpy's, draw by draw. */
#include "lib/test.h"

#include "base/hash.h"
#include "poc/chain.h"
#include "poc/ziggurat.h"

#include "golden/poc/chain.h"

static void assert_digest(const void *bytes, size_t n_bytes, const char *want)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_of(bytes, n_bytes, digest);
    hex_of(digest, sizeof digest, hex);
    assert_string_equal(hex, want);
}

static void assert_state(const struct pcg64 *rng, const uint64_t want[4])
{
    assert_true((uint64_t)(rng->state >> 64) == want[0] && (uint64_t)rng->state == want[1]);
    assert_true((uint64_t)(rng->increment >> 64) == want[2] && (uint64_t)rng->increment == want[3]);
}

static void seeds_and_raw_draws(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CHAIN_CASES); i++) {
        const struct chain_case *c = &CHAIN_CASES[i];
        struct pcg64 rng;
        chain_rng(&rng, c->text, c->n_hashes);
        assert_state(&rng, c->seeded);
        for (size_t k = 0; k < COUNT_OF(c->raws); k++)
            assert_true(pcg64_next(&rng) == c->raws[k]);
        pcg_word ahead = 1;
        for (int k = 0; k < 30; k++)
            ahead *= 10;
        pcg64_advance(&rng, ahead + 7);
        assert_state(&rng, c->ahead);
    }
}

static void advance_is_that_many_draws(void **state)
{
    (void)state;
    struct pcg64 walked, leapt;
    chain_rng(&walked, "steps", 1);
    leapt = walked;
    for (unsigned n = 0; n < 70; n++) {
        for (unsigned k = 0; k < n; k++)
            pcg64_next(&walked);
        pcg64_next32(&leapt); /* leaves a half behind, which a leap forgets */
        pcg64_advance(&leapt, (pcg_word)n - 1);
        assert_true(walked.state == leapt.state && !leapt.has_high);
    }
}

static void normals_keep_numpys_bits(void **state)
{
    (void)state;
    static double values[100000];
    for (size_t i = 0; i < COUNT_OF(CHAIN_CASES); i++) {
        const struct chain_case *c = &CHAIN_CASES[i];
        struct pcg64 rng, counted;
        chain_rng(&rng, c->text, c->n_hashes);
        counted = rng;
        uint64_t n_raws = 0;
        for (size_t k = 0; k < COUNT_OF(values); k++)
            values[k] = ziggurat_next(&rng, &n_raws);
        assert_digest(values, sizeof values, c->normals);
        assert_state(&rng, c->after);
        pcg64_advance(&counted, n_raws);
        assert_state(&counted, c->after);
    }
}

static void permutations(void **state)
{
    (void)state;
    static uint32_t order[65536];
    static int64_t wide[65536];
    for (size_t i = 0; i < COUNT_OF(ORDER_CASES); i++) {
        struct pcg64 rng;
        chain_rng(&rng, "order", 1);
        pcg64_permutation(&rng, ORDER_CASES[i].n, order);
        for (size_t k = 0; k < ORDER_CASES[i].n; k++)
            wide[k] = order[k];
        assert_digest(wide, ORDER_CASES[i].n * sizeof *wide, ORDER_CASES[i].digest);
    }
}

/* The values that the reference's own code gives for block and key "test". */
static void the_contracts_values(void **state)
{
    (void)state;
    uint32_t words[32], order[16];
    chain_entropy("test", 4, words);
    assert_true(words[0] == 0x43f30c45 && words[1] == 0x501fefcf && words[2] == 0x663ce453 &&
                words[3] == 0x874c0287);
    assert_true(chain_name_hash("test", "tok_embeddings.weight") == 281876381u);
    assert_true(chain_name_hash("test", "layers.0.attention.wq.weight") == 3390190780u);
    assert_true(chain_name_hash("test", "layers.31.feed_forward.w2.weight") == 3529644142u);
    assert_true(chain_name_hash("test", "norm.weight") == 3169392909u);
    assert_true(chain_name_hash("test", "output.weight") == 2635077034u);

    struct pcg64 rng;
    chain_weights(&rng, "test");
    uint64_t n_raws = 0;
    static const double WEIGHTS[] = {-0x1.0c5e9af5314f3p-6, 0x1.55d272eb9e5fbp-8,
                                     -0x1.d01320b2dc917p-11, 0x1.057db47b429ddp-5};
    for (size_t i = 0; i < COUNT_OF(WEIGHTS); i++)
        assert_true(0.02 * ziggurat_next(&rng, &n_raws) == WEIGHTS[i]);

    static const uint32_t SIXTEEN[] = {0, 4, 15, 2, 5, 6, 12, 9, 8, 11, 13, 10, 1, 7, 3, 14};
    chain_order(&rng, "test", "test", 0);
    pcg64_permutation(&rng, 16, order);
    assert_memory_equal(order, SIXTEEN, sizeof SIXTEEN);

    static uint32_t all[8196];
    static int64_t wide[8196];
    chain_order(&rng, "test", "test", 0);
    pcg64_permutation(&rng, COUNT_OF(all), all);
    assert_true(all[0] == 1672 && all[7] == 7348 && all[8192] == 3211 && all[8195] == 3198);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        wide[i] = all[i];
    assert_digest(wide, sizeof wide,
                  "bd6b3536ebc4f4ca4ad8df575a8217f597f6e74d173e001cafb06e702423c137");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_and_raw_draws),      cmocka_unit_test(advance_is_that_many_draws),
        cmocka_unit_test(normals_keep_numpys_bits), cmocka_unit_test(permutations),
        cmocka_unit_test(the_contracts_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
