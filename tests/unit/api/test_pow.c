/* test_pow.c - bodies of proof of compute: what is taken, merged, refused. */
#include "lib/test.h"

#include <stdlib.h>

#include "api/pow.h"
#include "base/mem.h"

#define HEAD                                                                                       \
    "\"block_hash\":\"b\",\"block_height\":7,\"public_key\":\"k\",\"node_id\":1,\"node_count\":3," \
    "\"params\":{\"model\":\"m\",\"seq_len\":8}"

static struct api_error parse(bool has_nonces, const char *body, struct api_pow *r)
{
    struct api_error e = {0};
    bool ok = api_pow_parse(has_nonces, str_from(body), r, &e);
    assert_true(ok == (e.status == 0));
    return e;
}

static void what_is_asked(void **state)
{
    (void)state;
    struct api_pow r;
    struct api_error e = parse(false, "{" HEAD ",\"group_id\":2,\"n_groups\":4}", &r);
    assert_int_equal(e.status, 0);
    assert_true(str_is(r.block_hash, "b") && str_is(r.model, "m") && r.url.len == 0);
    assert_int_equal(r.block_height, 7);
    assert_true(r.node_id == 1 && r.node_count == 3 && r.group_id == 2 && r.n_groups == 4);
    assert_true(r.seq_len == 8 && r.k_dim == 12 && !r.stronger);
    api_pow_release(&r);
    e = parse(true,
              "{" HEAD ",\"nonces\":[5,9,5,0],\"stat_test\":{\"p_mismatch\":0.1,"
              "\"p_value_threshold\":0.05},\"validation\":{\"artifacts\":["
              "{\"nonce\":0,\"vector_b64\":\"z\"},{\"nonce\":9,\"vector_b64\":\"n\"},"
              "{\"nonce\":5,\"vector_b64\":\"f\"},{\"nonce\":0,\"vector_b64\":\"z\"}]}}",
              &r);
    assert_int_equal(e.status, 0);
    assert_int_equal(r.n, 3);
    assert_true(r.nonces[0] == 5 && r.nonces[1] == 9 && r.nonces[2] == 0);
    assert_string_equal(r.claims[0], "f");
    assert_string_equal(r.claims[1], "n");
    assert_string_equal(r.claims[2], "z");
    assert_true(r.p_threshold == 0.05 && r.dist_threshold == 0.02 && !r.wait && r.validates);
    api_pow_release(&r);
    e = parse(true, "{" HEAD ",\"nonces\":[],\"stat_test\":{\"fraud_threshold\":0.5}}", &r);
    assert_true(e.status == 0 && r.n == 0 && r.p_threshold == 0.5);
    api_pow_release(&r);
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int status;
        const char *says;
    } cases[] = {
        {"{" HEAD "}", 400, "nonces must be an array"},
        {"{" HEAD ",\"nonces\":[1],\"validation\":{\"artifacts\":[]}}", 400,
         "validation.artifacts nonces must match nonces field"},
        {"{" HEAD ",\"nonces\":[1],\"validation\":{\"artifacts\":[{\"nonce\":2,\"vector_b64\":"
         "\"\"}]}}", 400, "must match"},
        {"{" HEAD ",\"nonces\":[1],\"validation\":{\"artifacts\":[{\"nonce\":1,\"vector_b64\":"
         "\"a\"},{\"nonce\":1,\"vector_b64\":\"b\"}]}}", 400, "two artifacts"},
        {"{" HEAD ",\"nonces\":[1],\"validation\":{\"artifacts\":[{\"nonce\":1}]}}", 400,
         "no vector_b64"},
        {"{" HEAD ",\"nonces\":[-1]}", 400, "0 or more"},
        {"{" HEAD ",\"nonces\":[1.5]}", 400, "whole number"},
        {"{" HEAD ",\"nonces\":[1],\"stat_test\":{\"p_mismatch\":0}}", 400, "p_mismatch"},
        {"{" HEAD ",\"nonces\":[1],\"stat_test\":{\"dist_threshold\":-1}}", 400, "dist_threshold"},
        {"{\"nonces\":[1]}", 400, "block_hash is missing"},
        {"{\"block_hash\":\"b\",\"public_key\":\"k\",\"block_height\":1,\"node_id\":0,"
         "\"node_count\":0}", 400, "node_count"},
        {"{\"block_hash\":\"b\",\"public_key\":\"k\",\"block_height\":1,\"node_id\":0,"
         "\"node_count\":1,\"params\":{\"model\":\"m\",\"seq_len\":1,\"r_target\":1}}", 400,
         "r_target"},
        {"{\"block_hash\":\"b\",\"public_key\":\"k\",\"block_height\":1,\"node_id\":0,"
         "\"node_count\":1,\"params\":{\"model\":\"m\",\"seq_len\":0}}", 400, "seq_len"},
        {"[", 400, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct api_pow r;
        struct api_error e = parse(true, cases[i].body, &r);
        assert_int_equal(e.status, cases[i].status);
        if (!strstr(e.message, cases[i].says))
            fail_msg("%s: %s", cases[i].body, e.message);
        api_pow_release(&r);
    }
}

/* Ten million nonces are refused before they are read. */
static void too_many_are_not_read(void **state)
{
    (void)state;
    enum { N = 10000000 };
    size_t n_head = strlen("{" HEAD ",\"nonces\":[");
    char *body = mem_alloc(n_head + 2 * (size_t)N + 8);
    memcpy(body, "{" HEAD ",\"nonces\":[", n_head);
    for (size_t i = 0; i < N; i++)
        memcpy(body + n_head + 2 * i, i + 1 < N ? "1," : "1]", 2);
    memcpy(body + n_head + 2 * (size_t)N, "}", 2);
    struct api_pow r;
    struct api_error e = parse(true, body, &r);
    assert_int_equal(e.status, 429);
    assert_non_null(strstr(e.message, "100000"));
    assert_null(r.root);
    api_pow_release(&r);
    body[n_head + 2 * 100001] = 0;
    memcpy(body + n_head + 2 * 100001 - 1, "]}", 3);
    e = parse(true, body, &r);
    assert_int_equal(e.status, 429);
    api_pow_release(&r);
    mem_free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(too_many_are_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
