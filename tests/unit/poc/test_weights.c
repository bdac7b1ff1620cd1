/* test_weights.c - parameter sets, the random model's weights, inputs, targets and distances. */
#include "lib/test.h"

#include <math.h>

#include "base/hash.h"
#include "base/mem.h"
#include "poc/nonce.h"
#include "poc/weights.h"

#include "golden/poc/model.h"

static void assert_digest(const void *bytes, size_t n_bytes, const char *want)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_of(bytes, n_bytes, digest);
    hex_of(digest, sizeof digest, hex);
    assert_string_equal(hex, want);
}

static void sets_have_the_contracts_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t ffn_dim;
        uint64_t n_values, n_pool;
    } SETS[] = {
        {"testnet", 28672, 2969641984, 148482099},
        {"mainnet", 49152, 17763122944, 888156147},
        {"default", 7168, 1006700544, 50335027},
    };
    for (size_t i = 0; i < COUNT_OF(SETS); i++) {
        const struct poc_params *p = poc_params_named(SETS[i].name);
        assert_ok(poc_params_check(p, NULL));
        assert_int_equal(poc_ffn_dim(p), SETS[i].ffn_dim);
        assert_int_equal(poc_n_values(p), SETS[i].n_values);
        assert_int_equal(poc_weights_held(p, POC_POOL_FRACTION), SETS[i].n_pool);
        assert_int_equal(poc_weights_held(p, 0), SETS[i].n_values);
    }
    /* Two layers, two positions; widths 4, 4 and 8: q, o, k, v, three of the feed-forward part. */
    static const struct poc_params SMALL = {4, 2, 1, 1, 3, 0.8, 8, 1e-5, 10000, false, 2};
    assert_int_equal(poc_ffn_dim(&SMALL), 8);
    uint64_t first = 2 * (4 * 16 + 3 * 32) + 3 * 2 * 4,
             last = 2 * 2 * 16 + 2 * 16 + 3 * 32 + 2 * 2 * 4;
    assert_true(poc_n_ops(&SMALL) == 2.0 * (double)(first + last + 4 * 3));
    assert_ok(poc_params_check(poc_params_named("go-default"), NULL));
    assert_ok(poc_params_check(poc_params_named("go-test"), NULL));
    assert_ok(poc_params_check(poc_params_named("test"), NULL));
    assert_null(poc_params_named("v1"));
    assert_int_equal(poc_head_dim(poc_params_named("mainnet")), 28);
}

static void refused(struct poc_params p, double fraction, enum err want, const char *word)
{
    struct err_note note;
    struct poc_weights w;
    struct threads *threads = threads_new(1);
    assert_int_equal(poc_weights_open(&w, &p, "block", fraction, threads, &note), want);
    if (!strstr(note.text, word))
        fail_msg("\"%s\" does not name %s", note.text, word);
    threads_free(threads);
}

static void bad_parameters_are_named(void **state)
{
    (void)state;
    struct poc_params good = *poc_params_named("test"), p;
#define REFUSED(field, value, rc)                                                                  \
    do {                                                                                           \
        p = good;                                                                                  \
        p.field = value;                                                                           \
        refused(p, 0.05, rc, #field);                                                              \
    } while (0)
    REFUSED(dim, 0, ERR_LIMIT);
    REFUSED(dim, 120, ERR_FORMAT); /* heads of 7.5 */
    REFUSED(dim, 16 * 7, ERR_FORMAT);
    REFUSED(n_layers, 5000, ERR_LIMIT);
    REFUSED(n_heads, 0, ERR_LIMIT);
    REFUSED(n_kv_heads, 3, ERR_FORMAT);
    REFUSED(vocab_size, 0xffffffffu, ERR_LIMIT);
    REFUSED(multiple_of, 0, ERR_LIMIT);
    REFUSED(seq_len, 0, ERR_LIMIT);
    REFUSED(ffn_dim_multiplier, NAN, ERR_LIMIT);
    REFUSED(norm_eps, -1, ERR_LIMIT);
    REFUSED(rope_theta, INFINITY, ERR_LIMIT);
#undef REFUSED
    refused(good, 1.5, ERR_LIMIT, "pool_fraction");
    refused(good, NAN, ERR_LIMIT, "pool_fraction");
    p = good;
    p.dim = 1 << 16;
    p.ffn_dim_multiplier = 1000;
    refused(p, 0.05, ERR_LIMIT, "feed-forward");
    p.ffn_dim_multiplier = 10;
    p.n_layers = 1024;
    refused(p, 0, ERR_MEMORY, "GiB");
}

static void weights_and_inputs_are_numpys(void **state)
{
    (void)state;
    struct threads *threads = threads_new(2);
    for (size_t i = 0; i < COUNT_OF(MODEL_CASES); i++) {
        const struct model_case *c = &MODEL_CASES[i];
        const struct poc_params *p = &c->params;
        struct poc_weights w;
        assert_ok(poc_weights_open(&w, p, MODEL_BLOCK, c->fraction, threads, NULL));
        assert_int_equal(poc_n_values(p), c->n_values);
        uint16_t *all = mem_array(c->n_values, sizeof *all);
        uint64_t n = 0;
        for (uint32_t k = 0; k < poc_n_tensors(p); k++) {
            struct poc_tensor t = poc_tensor_at(p, k);
            uint64_t size = t.n_rows * t.n_columns, half = size / 3;
            poc_weights_copy(&w, k, 0, half, all + n);
            poc_weights_copy(&w, k, half, size - half, all + n + half);
            const uint16_t *view = poc_weights_view(&w, k);
            assert_true((view == NULL) == (size > w.n_values));
            if (view)
                assert_memory_equal(view, all + n, size * sizeof *all);
            n += size;
        }
        assert_digest(all, n * sizeof *all, c->weights);
        poc_input(p, MODEL_BLOCK, MODEL_KEY, 5, all);
        assert_digest(all, (size_t)p->seq_len * p->dim * sizeof *all, c->input);
        mem_free(all);
        poc_weights_close(&w);
    }
    threads_free(threads);
}

/* The values that the reference's own code gives for block "test". */
static void targets(void **state)
{
    (void)state;
    static double target[8196];
    poc_target(COUNT_OF(target), "test", target);
    assert_true(target[0] == 0x1.35cdd1f5a9b85p-6 && target[1] == 0x1.12833da3f3792p-11);
    assert_true(target[2] == -0x1.be45eae131ee6p-8 && target[3] == -0x1.b0a27f58f7b8bp-6);
    assert_true(target[8195] == -0x1.7f44f967d790bp-7);
}

static void distances(void **state)
{
    (void)state;
    float logits[MODEL_LOGITS];
    double target[MODEL_LOGITS];
    uint32_t order[MODEL_LOGITS];
    for (int i = 0; i < MODEL_LOGITS; i++)
        logits[i] = (float)(i * 7919 % 1000 - 500) / 64;
    poc_target(MODEL_LOGITS, MODEL_BLOCK, target);
    for (size_t n = 0; n < COUNT_OF(MODEL_DISTANCES); n++) {
        poc_order(MODEL_LOGITS, MODEL_BLOCK, MODEL_KEY, n, order);
        double d = poc_distance(MODEL_LOGITS, logits, order, target);
        if (!(fabs(d - MODEL_DISTANCES[n]) < 2e-7))
            fail_msg("nonce %zu: %.9f, not %.9f", n, d, MODEL_DISTANCES[n]);
    }
    logits[7] = NAN;
    assert_false(isfinite(poc_distance(MODEL_LOGITS, logits, order, target)));
    memset(logits, 0, sizeof logits);
    assert_false(isfinite(poc_distance(MODEL_LOGITS, logits, order, target)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_have_the_contracts_sizes),
        cmocka_unit_test(bad_parameters_are_named),
        cmocka_unit_test(weights_and_inputs_are_numpys),
        cmocka_unit_test(targets),
        cmocka_unit_test(distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
