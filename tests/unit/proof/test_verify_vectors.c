/* test_verify_vectors.c - a receipt of vectors beside vectors made anew: equal, and each field
 * another, as a node that signs lies would have it. */
#include "lib/test.h"

#include "proof/verify_vectors.h"

static struct receipt_vectors honest(void)
{
    struct receipt_vectors v = {.n_tokens = 12,
                                .n_vectors = 3,
                                .n_values = 8,
                                .is_normalized = true,
                                .pooling = STR("mean")};
    v.root.bytes[5] = 7;
    return v;
}

static void assert_differs(const struct receipt_vectors *told, const char *field)
{
    struct verify_report r = {.n_lines = 0};
    struct receipt_vectors now = honest();
    verify_vectors(told, &now, &r);
    assert_int_equal(verify_verdict(&r), VERDICT_MISMATCH);
    assert_string_equal(r.first->field, field);
}

static void test_equal(void **state)
{
    (void)state;
    struct verify_report r = {.n_lines = 0};
    struct receipt_vectors told = honest(), now = honest();
    verify_vectors(&told, &now, &r);
    assert_int_equal(verify_verdict(&r), VERDICT_VALID);
    assert_int_equal(r.n_lines, 6);
    for (size_t i = 0; i < r.n_lines; i++)
        assert_int_equal(r.lines[i].status, VERIFY_RECOMPUTED);
}

static void test_each_differs(void **state)
{
    (void)state;
    struct receipt_vectors told = honest();
    told.n_vectors++;
    assert_differs(&told, "vectors.count");
    told = honest();
    told.n_tokens--;
    assert_differs(&told, "vectors.tokens");
    told = honest();
    told.n_values = 4;
    assert_differs(&told, "vectors.values");
    told = honest();
    told.pooling = STR("cls");
    assert_differs(&told, "vectors.pooling");
    told = honest();
    told.is_normalized = false;
    assert_differs(&told, "vectors.length");
    told = honest();
    told.root.bytes[31] ^= 1;
    assert_differs(&told, "vectors.root");
}

/* One bit of one vector, or another token, is another root. */
static void test_altered_vector(void **state)
{
    (void)state;
    const uint32_t ids[] = {1, 2, 3}, others[] = {1, 2, 4};
    float values[] = {0.5f, -0.25f}, altered[] = {0.5f, -0.25000003f};
    const struct vector_record of = {ids, 3, 0, values, 2}, vector = {ids, 3, 0, altered, 2},
                               text = {others, 3, 0, values, 2};
    const struct vector_record *const records[] = {&of, &vector, &text};
    struct receipt_vectors told[3];
    struct salt salt = {{9}};
    for (size_t i = 0; i < 3; i++) {
        struct merkle tree = {0};
        struct merkle_hash leaf = commitment_vector(&salt, 0, records[i]);
        merkle_add(&tree, &leaf);
        told[i] = honest();
        told[i].root = merkle_root(&tree);
    }
    for (size_t i = 0; i < 3; i++) {
        struct verify_report r = {.n_lines = 0};
        verify_vectors(&told[i], &told[0], &r);
        assert_int_equal(verify_verdict(&r), i ? VERDICT_MISMATCH : VERDICT_VALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal),
                                       cmocka_unit_test(test_each_differs),
                                       cmocka_unit_test(test_altered_vector)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
