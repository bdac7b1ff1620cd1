/* test_artifact.c - version 2's numbers against numpy's, near to float32's and equal to the exact
 * arithmetic's. */
#include "lib/test.h"

#include <math.h>

#include "base/hash.h"
#include "base/mem.h"
#include "numeric/reduce.h"
#include "poc/artifact.h"
#include "poc/chain.h"
#include "poc/murmur.h"
#include "tensor/half.h"

#include "golden/poc/artifact.h"

enum { SHOWN = 24 };

static struct artifact_key key_of(const struct artifact_case *c)
{
    return (struct artifact_key){c->block, c->key};
}

static void assert_digest(const float *x, size_t n, const char *want)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    sha256_of(x, n * sizeof *x, digest);
    hex_of(digest, sizeof digest, hex);
    assert_string_equal(hex, want);
}

/* numpy's linspace(0, n - 1, SHOWN), cut to integers. */
static size_t shown(size_t n, size_t i)
{
    return (size_t)((double)i * ((double)(n - 1) / (SHOWN - 1)));
}

static void the_contracts_values(void **state)
{
    (void)state;
    static const uint32_t HASHES[] = {1838284147u, 1263909213u, 1169763974u, 2162981214u};
    static const uint32_t LOWEST[] = {58, 609, 427, 496, 531, 530, 307, 579, 289, 286, 90, 209};
    static const float NORMALS[] = {0.5526608f, -0.7513790f, -0.8343477f, 0.8961823f,
                                    1.1797410f, 1.3718231f,  -1.3802711f, -0.7541687f};
    const char *block = "TEST_BLOCK", *key = "test_pub_keys";
    uint32_t seeds[8], dims[12];
    float x[8];
    chain_nonce_seeds(block, key, 0, seeds);
    assert_int_equal(seeds[0], 1589641989u);
    for (uint32_t i = 0; i < COUNT_OF(HASHES); i++)
        assert_int_equal(murmur(i, seeds[0]), HASHES[i]);
    assert_int_equal(chain_pick_seed(block, key, 0, 12), 2826662626u);
    assert_int_equal(chain_mirror_seed(block, 0), 2284659359u);
    assert_int_equal(chain_turn_seed(block, key, 0, 12, 0), 1775486364u);
    artifact_pick(&(struct artifact_key){block, key}, 0, 1024, 12, ARTIFACT_ORDER_SCORE, dims);
    assert_memory_equal(dims, LOWEST, sizeof LOWEST);
    murmur_normals(seeds[0], 8, (struct pairs){0, 4}, x);
    for (size_t i = 0; i < COUNT_OF(NORMALS); i++)
        assert_true(fabsf(x[i] - NORMALS[i]) < 1e-6f);
}

static void inputs_and_mirrors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ARTIFACT_CASES); i++) {
        const struct artifact_case *c = &ARTIFACT_CASES[i];
        struct artifact_key key = key_of(c);
        size_t n = (size_t)c->n_rows * c->n;
        float *x = mem_array(n, sizeof *x), *v = mem_array(c->n, sizeof *v);
        artifact_inputs(&key, c->nonce, c->stronger, DTYPE_F16, 0, 1, n, x);
        artifact_mirror(c->block, 3, DTYPE_F16, c->n, v);
        for (size_t k = 0; k < SHOWN; k++) {
            float want = c->inputs[k], got = x[shown(n, k)];
            assert_true(fabsf(got - want) <= fabsf(want) * 0x1.01p-11f + 0x1p-24f);
            want = c->mirror[k], got = v[shown(c->n, k)];
            assert_true(fabsf(got - want) <= fabsf(want) * 0x1.01p-11f + 0x1p-24f);
        }
        assert_digest(x, n, c->inputs_hash);
        assert_digest(v, c->n, c->mirror_hash);
        mem_free(x);
        mem_free(v);
    }
}

/* Any part of a nonce's inputs may be made alone. */
static void parts_are_parts_of_the_whole(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (size_t i = 0; i < COUNT_OF(ARTIFACT_CASES); i++) {
        const struct artifact_case *c = &ARTIFACT_CASES[i];
        struct artifact_key key = key_of(c);
        size_t n = (size_t)c->n_rows * c->n;
        float *whole = mem_array(n, sizeof *whole), *part = mem_array(n, sizeof *part);
        uint32_t n_parts = 1 + (uint32_t)test_rand(&seed) % 9;
        artifact_inputs(&key, c->nonce, c->stronger, DTYPE_BF16, 0, 1, n, whole);
        for (uint32_t k = n_parts; k-- > 0;)
            artifact_inputs(&key, c->nonce, c->stronger, DTYPE_BF16, k, n_parts, n, part);
        assert_memory_equal(whole, part, n * sizeof *whole);
        mem_free(whole);
        mem_free(part);
    }
}

static void vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ARTIFACT_CASES); i++) {
        const struct artifact_case *c = &ARTIFACT_CASES[i];
        struct artifact_key key = key_of(c);
        float *x = mem_array(c->n, sizeof *x);
        for (uint32_t d = 0; d < c->n; d++)
            x[d] = (float)((int)(murmur(d, 9) % 2001) - 1000) / 64.0f;
        for (int by = ARTIFACT_ORDER_INDEX; by <= ARTIFACT_ORDER_SCORE; by++) {
            uint32_t dims[ARTIFACT_DIMS_MAX];
            uint16_t halves[ARTIFACT_DIMS_MAX];
            artifact_pick(&key, c->nonce, c->n, c->k, (enum artifact_order)by, dims);
            assert_memory_equal(dims, c->by[by].dims, c->k * sizeof dims[0]);
            assert_true(artifact_make(&key, c->nonce, x, c->n, c->k, (enum artifact_order)by,
                                      halves));
            assert_memory_equal(halves, c->by[by].halves, c->k * sizeof halves[0]);
            double square = 0;
            for (uint32_t d = 0; d < c->k; d++)
                square += pow(f16_widen(halves[d]) - c->by[by].vector[d], 2);
            assert_true(sqrt(square) < 5e-4);
        }
        mem_free(x);
    }
}

static void what_is_not_finite_has_no_artifact(void **state)
{
    (void)state;
    struct artifact_key key = {"b", "k"};
    float x[16] = {0};
    uint16_t halves[12];
    assert_false(artifact_make(&key, 1, x, 16, 12, ARTIFACT_ORDER_INDEX, halves));
    for (int i = 0; i < 16; i++)
        x[i] = (float)(i + 1);
    assert_true(artifact_make(&key, 1, x, 16, 12, ARTIFACT_ORDER_INDEX, halves));
    x[3] = NAN;
    assert_false(artifact_make(&key, 1, x, 16, 12, ARTIFACT_ORDER_INDEX, halves));
    x[3] = INFINITY;
    assert_false(artifact_make(&key, 1, x, 16, 12, ARTIFACT_ORDER_INDEX, halves));
}

static void claims_are_compared(void **state)
{
    (void)state;
    struct artifact_key key = {"b", "k"};
    float x[64];
    uint16_t halves[12], other[12];
    char text[ARTIFACT_TEXT_MAX];
    murmur_normals(1, 64, (struct pairs){0, 32}, x);
    assert_true(artifact_make(&key, 1, x, 64, 12, ARTIFACT_ORDER_INDEX, halves));
    artifact_write(halves, 12, text);
    assert_int_equal(strlen(text), 32);
    assert_true(artifact_distance(halves, 12, str_from(text)) == 0);
    memcpy(other, halves, sizeof other);
    other[0] ^= 0x8000; /* the other side of 0 */
    double want = 2 * fabs((double)f16_widen(halves[0]));
    assert_true(artifact_distance(other, 12, str_from(text)) == want);
    other[5] = 0x7e00;
    artifact_write(other, 12, text);
    assert_true(isinf(artifact_distance(halves, 12, str_from(text)))); /* NaN */
    other[5] = 0x7c00;
    artifact_write(other, 12, text);
    assert_true(isinf(artifact_distance(halves, 12, str_from(text))));
    artifact_write(halves, 11, text);
    assert_true(isinf(artifact_distance(halves, 12, str_from(text))));
    assert_true(isinf(artifact_distance(halves, 12, STR(""))));
    assert_true(isinf(artifact_distance(halves, 12, STR("no base64!"))));
    char *too_long = mem_zalloc(4001);
    memset(too_long, 'A', 4000);
    assert_true(isinf(artifact_distance(halves, 12, str_from(too_long))));
    mem_free(too_long);
}

/* Mean 0, deviation 1, no number that is not finite; a reflection keeps lengths. */
static void normals_are_normal(void **state)
{
    (void)state;
    enum { N = 100001 };
    float *x = mem_array(N, sizeof *x);
    double sum = 0, square = 0;
    murmur_normals(77, N, (struct pairs){0, pairs_of(N)}, x);
    for (int i = 0; i < N; i++) {
        assert_true(f32_is_finite(x[i]) && fabsf(x[i]) < 6.8f);
        sum += x[i];
        square += (double)x[i] * x[i];
    }
    assert_true(fabs(sum / N) < 0.01 && fabs(square / N - 1) < 0.015);
    float v[512];
    artifact_mirror("block", 7, DTYPE_F16, 512, v);
    assert_true(fabsf(reduce_sum_squares(v, 512) - 1) < 1e-3f);
    mem_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_contracts_values),
        cmocka_unit_test(inputs_and_mirrors),
        cmocka_unit_test(parts_are_parts_of_the_whole),
        cmocka_unit_test(vectors),
        cmocka_unit_test(what_is_not_finite_has_no_artifact),
        cmocka_unit_test(claims_are_compared),
        cmocka_unit_test(normals_are_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
