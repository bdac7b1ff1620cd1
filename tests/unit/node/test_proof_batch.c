/* test_proof_batch.c - batches of claims: JSON, merging, splitting, verdicts. */
#include "lib/test.h"

#include <math.h>

#include "base/mem.h"
#include "node/proof_batch.h"

/* As Python's json writes the reference's objects. */
#define BATCH                                                                                      \
    "{\"public_key\": \"k\", \"block_hash\": \"b\", \"block_height\": 5, "                         \
    "\"nonces\": [9, 2, 9, 4], \"dist\": [1.25, 1.3, 1.25, 1], \"node_id\": 3}"

static void a_batch_is_read_in_order_each_nonce_once(void **state)
{
    (void)state;
    struct proof_batch b;
    struct buf out;
    assert_ok(proof_batch_read(&b, STR(BATCH), NULL));
    assert_int_equal(b.n, 3);
    assert_true(b.claims[0].nonce == 2 && b.claims[1].nonce == 4 && b.claims[2].nonce == 9);
    buf_init(&out, 4096);
    proof_batch_write(&b, &out);
    assert_string_equal(out.bytes,
                        "{\"public_key\":\"k\",\"block_hash\":\"b\",\"block_height\":5,"
                        "\"nonces\":[2,4,9],\"dist\":[1.3,1.0,1.25],\"node_id\":3}");
    proof_batch_keep_under(&b, 1.25);
    assert_true(b.n == 1 && b.claims[0].nonce == 4);
    proof_batch_release(&b);
    buf_release(&out);
}

static void distances_keep_every_bit(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct claim claims[200];
    struct proof_batch b = {"k\"\\\n", "b", 1, 2, claims, COUNT_OF(claims)}, again;
    struct buf out;
    for (size_t i = 0; i < b.n; i++)
        claims[i] = (struct claim){i * 3, 1 + (double)test_randf(&seed) / 3};
    buf_init(&out, 1 << 16);
    proof_batch_write(&b, &out);
    assert_ok(proof_batch_read(&again, (struct str){out.bytes, out.n_bytes}, NULL));
    assert_string_equal(again.public_key, b.public_key);
    assert_memory_equal(again.claims, claims, sizeof claims);
    proof_batch_release(&again);
    buf_release(&out);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
#define WITH(nonces, dist)                                                                         \
    "{\"public_key\":\"k\",\"block_hash\":\"b\",\"block_height\":5,\"nonces\":" nonces             \
    ",\"dist\":" dist ",\"node_id\":3}"
    static const struct {
        const char *text, *note;
    } BAD[] = {
        {"{", "batch: line 1"},
        {"{}", "public_key: field required"},
        {WITH("[1,2]", "[1.0]"), "dist: 1 entries for 2 nonces"},
        {WITH("[1]", "[NaN]"), "batch: line 1"},
        {WITH("[1]", "[1e999]"), "batch: line 1"},
        {WITH("[1]", "[\"1\"]"), "dist[0]: it must be a number"},
        {WITH("[1]", "[2.5]"), "nonce 1: its distance is 2.5"},
        {WITH("[1]", "[-1]"), "nonce 1: its distance is -1"},
        {WITH("[-1]", "[1]"), "nonces[0]"},
        {WITH("[1.5]", "[1]"), "nonces[0]"},
        {WITH("[99999999999999999999]", "[1]"), "batch: line 1"},
        {WITH("{}", "[]"), "nonces: it must be an array"},
        {WITH("[7,7]", "[1.0,1.1]"), "nonce 7 is claimed twice"},
        {"{\"public_key\":\"k\",\"public_key\":\"k\"}", "duplicate"},
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct proof_batch b;
        struct err_note note = {""};
        assert_true(proof_batch_read(&b, str_from(BAD[i].text), &note) != ERR_OK);
        if (!strstr(note.text, BAD[i].note))
            fail_msg("\"%s\" does not name %s", note.text, BAD[i].note);
        assert_true(b.claims == NULL && b.n == 0);
    }
}

static void ten_million_nonces_are_counted_not_kept(void **state)
{
    (void)state;
    enum { N = 10000000 };
    struct proof_batch b;
    struct err_note note;
    struct buf text;
    buf_init(&text, 64 << 20);
    buf_str(&text, "{\"nonces\":[");
    for (size_t i = 0; i < N; i++)
        buf_str(&text, i ? ",1" : "1");
    buf_str(&text, "]}");
    assert_false(text.failed);
    assert_int_equal(proof_batch_read(&b, (struct str){text.bytes, text.n_bytes}, &note),
                     ERR_LIMIT);
    assert_non_null(strstr(note.text, "over 400064 values"));
    buf_release(&text);
}

static void batches_merge_and_split(void **state)
{
    (void)state;
    struct claim a[] = {{1, 1.0}, {5, 1.1}}, b[] = {{2, 1.2}, {5, 1.1}}, c[] = {{5, 1.3}};
    struct proof_batch batches[] = {{"k", "b", 1, 4, a, 2}, {"k", "b", 1, 9, b, 2}}, out;
    struct err_note note;
    assert_ok(proof_batch_merge(&out, batches, 2, NULL));
    assert_true(out.n == 3 && out.node_id == 4 && out.claims[1].nonce == 2);
    struct proof_batch part = proof_batch_part(&out, 0, 2);
    assert_true(part.n == 2 && part.claims[1].nonce == 2);
    part = proof_batch_part(&out, 1, 2);
    assert_true(part.n == 1 && part.claims[0].nonce == 5);
    assert_int_equal(proof_batch_part(&out, 2, 2).n, 0);
    proof_batch_release(&out);

    assert_ok(proof_batch_merge(&out, NULL, 0, NULL));
    assert_true(out.n == 0 && out.block_height == -1 && out.node_id == -1 && !out.block_hash[0]);
    batches[1].claims = c;
    batches[1].n = 1;
    assert_int_equal(proof_batch_merge(&out, batches, 2, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "nonce 5 is claimed twice"));
    batches[1].block_height = 2;
    assert_int_equal(proof_batch_merge(&out, batches, 2, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "batch 1 is of block b, height 2"));
}

static void a_verdict_is_judged_anew(void **state)
{
    (void)state;
    struct validated_batch v;
    struct buf out;
    assert_ok(validated_batch_read(
        &v,
        STR("{\"public_key\":\"k\",\"block_hash\":\"b\",\"block_height\":5,\"nonces\":[3,1,3],"
            "\"dist\":[1.5,1.2,1.5],\"received_dist\":[1.1,1.2,1.1],\"node_id\":3,"
            "\"r_target\":1.4,\"fraud_threshold\":0.01,\"n_invalid\":0,"
            "\"probability_honest\":1.0,\"fraud_detected\":false}"),
        NULL));
    assert_int_equal(v.claimed.n, 2);
    assert_true(v.claimed.claims[0].nonce == 1 && v.found[0] == 1.2);
    assert_true(v.claimed.claims[1].nonce == 3 && v.found[1] == 1.5);
    assert_true(v.verdict.n_invalid == 0 && !v.verdict.fraud); /* what somebody said */
    assert_ok(validated_batch_judge(&v, NULL));
    assert_int_equal(v.verdict.n_invalid, 1);
    assert_true(v.verdict.fraud && v.verdict.honest < 0.0011);
    v.exact = true;
    v.found[1] = 1.1;
    assert_ok(validated_batch_judge(&v, NULL));
    assert_true(v.verdict.n_invalid == 0 && v.verdict.honest == 1 && !v.verdict.fraud);
    v.found[1] = nextafter(1.1, 0); /* nearer, and yet another number */
    assert_ok(validated_batch_judge(&v, NULL));
    assert_true(v.verdict.n_invalid == 1 && v.verdict.honest == 0 && v.verdict.fraud);
    v.exact = false;
    v.found[1] = 1.5;
    v.found[0] = NAN;
    assert_ok(validated_batch_judge(&v, NULL));
    assert_int_equal(v.verdict.n_invalid, 2);
    buf_init(&out, 4096);
    validated_batch_write(&v, &out);
    assert_non_null(strstr(out.bytes, "\"dist\":[2.0,1.5],\"received_dist\":[1.2,"));
    assert_non_null(strstr(out.bytes, "\"n_invalid\":2"));
    assert_non_null(strstr(out.bytes, "\"fraud_detected\":true}"));
    buf_release(&out);
    validated_batch_release(&v);
}

static void a_verdict_may_be_absent_and_never_torn(void **state)
{
    (void)state;
#define FOUND(nonces, dist, claimed)                                                               \
    "{\"public_key\":\"k\",\"block_hash\":\"b\",\"block_height\":5,\"nonces\":" nonces             \
    ",\"dist\":" dist ",\"received_dist\":" claimed ",\"node_id\":3,\"r_target\":1.4,"             \
    "\"fraud_threshold\":0.01}"
    struct validated_batch v;
    struct err_note note;
    assert_ok(validated_batch_read(&v, STR(FOUND("[]", "[]", "[]")), NULL));
    assert_true(v.verdict.n_invalid == UINT64_MAX);
    assert_ok(validated_batch_judge(&v, NULL));
    assert_true(v.verdict.honest == 1 && !v.verdict.fraud);
    validated_batch_release(&v);
    assert_int_equal(validated_batch_read(&v, STR(FOUND("[1,1]", "[1.1,1.2]", "[1,1]")), &note),
                     ERR_FORMAT);
    assert_non_null(strstr(note.text, "found twice"));
    assert_int_equal(validated_batch_read(&v, STR(FOUND("[1]", "[]", "[1]")), &note), ERR_FORMAT);
    assert_ok(validated_batch_read(&v, STR(FOUND("[1]", "[1]", "[1.4]")), NULL));
    assert_int_equal(validated_batch_judge(&v, &note), ERR_FORMAT); /* the border is no claim */
    validated_batch_release(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_read_in_order_each_nonce_once),
        cmocka_unit_test(distances_keep_every_bit),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(ten_million_nonces_are_counted_not_kept),
        cmocka_unit_test(batches_merge_and_split),
        cmocka_unit_test(a_verdict_is_judged_anew),
        cmocka_unit_test(a_verdict_may_be_absent_and_never_torn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
