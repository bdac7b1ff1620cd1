/* test_normals.c - the parallel reader of normal values against numpy and against one thread. */
#include "lib/test.h"

#include "base/hash.h"
#include "base/mem.h"
#include "poc/chain.h"
#include "poc/normals.h"
#include "tensor/half.h"

#include "golden/poc/chain.h"

enum { N_HALVES = 3000000 }; /* more than a wave */

static void assert_digest(const void *bytes, size_t n_bytes, const char *want)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_of(bytes, n_bytes, digest);
    hex_of(digest, sizeof digest, hex);
    assert_string_equal(hex, want);
}

/* Reads N_HALVES in pieces of uneven sizes. */
static void read_pieces(struct normals *s, uint64_t seed, uint16_t *out)
{
    for (uint64_t done = 0; done < N_HALVES;) {
        uint64_t n = test_rand(&seed) % (seed & 1 ? 1000000 : 100);
        n = n < N_HALVES - done ? n : N_HALVES - done;
        normals_read(s, n, out + done);
        done += n;
    }
}

static void any_threads_any_pieces_are_numpys(void **state)
{
    (void)state;
    uint16_t *values = mem_array(N_HALVES, sizeof *values);
    for (size_t i = 0; i < COUNT_OF(CHAIN_CASES); i++) {
        const struct chain_case *c = &CHAIN_CASES[i];
        struct threads *threads = threads_new((int)i % 3 + 1);
        struct pcg64 rng;
        struct normals s;
        chain_rng(&rng, c->text, c->n_hashes);
        assert_ok(normals_init(&s, &rng, 0.02, threads, NULL));
        read_pieces(&s, i, values);
        assert_digest(values, N_HALVES * sizeof *values, c->halves);
        normals_release(&s);
        normals_draw(&rng, 0.02, N_HALVES, values);
        assert_digest(values, N_HALVES * sizeof *values, c->halves);
        threads_free(threads);
    }
    mem_free(values);
}

/* The values that the reference's own code gives for block and key "test". */
static void the_contracts_values(void **state)
{
    (void)state;
    enum { POOL = 50000, INPUT = 128 * 1024 };
    uint16_t *values = mem_array(INPUT, sizeof *values);
    struct pcg64 rng;
    chain_weights(&rng, "test");
    normals_draw(&rng, 0.02, POOL, values);
    static const uint16_t FIRST[] = {0xa431, 0x1d57, 0x9340, 0x2816,
                                     0x214f, 0x2208, 0xa830, 0xa8e5};
    assert_memory_equal(values, FIRST, sizeof FIRST);
    assert_digest(values, POOL * sizeof *values,
                  "12355d34298745bf33caaddbbc709d350a314e3ef8c04b8e54c4618a8bd9ffac");
    chain_input(&rng, "test", "test", 0);
    normals_draw(&rng, 1, INPUT, values);
    assert_int_equal(values[0], 0x3dfe);
    assert_digest(values, INPUT * sizeof *values,
                  "ef6b222c751f6df5b6663e5789fe26a9d4ac6903f70296b4b60dace116d1582f");
    mem_free(values);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    struct threads *threads = threads_new(1);
    struct pcg64 rng;
    chain_weights(&rng, "test");
    for (uint64_t n = 1; n <= 2; n++) {
        struct normals s;
        struct err_note note;
        mem_fault_after(n);
        assert_int_equal(normals_init(&s, &rng, 1, threads, &note), ERR_MEMORY);
        assert_non_null(strstr(note.text, "4 MiB"));
    }
    threads_free(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_threads_any_pieces_are_numpys),
        cmocka_unit_test(the_contracts_values),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
