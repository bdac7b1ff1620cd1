/* test_init_request.c - what the chain asks of a node, from JSON and back. */
#include "lib/test.h"

#include "node/init_request.h"

#define HEAD                                                                                       \
    "{\"node_id\":0,\"node_count\":1,\"block_hash\":\"b\",\"block_height\":7,"                     \
    "\"public_key\":\"k\",\"batch_size\":500,\"r_target\":1.4,\"fraud_threshold\":0.01,"           \
    "\"url\":\"http://localhost:5000\""

static void a_request_survives_the_way_there_and_back(void **state)
{
    (void)state;
    struct init_request r, again;
    struct buf out;
    assert_ok(init_request_read(&r, STR(HEAD ",\"poc_stronger_rng\":false,\"params\":"
                                        "{\"dim\":128,\"n_heads\":16,\"use_scaled_rope\":true}}"),
                                NULL));
    assert_int_equal(r.params.dim, 128);
    assert_int_equal(r.params.vocab_size, 8192); /* what is absent is the default's */
    assert_true(r.params.use_scaled_rope);
    assert_int_equal(r.block_height, 7);
    buf_init(&out, INIT_TEXT_BYTES_MAX);
    init_request_write(&r, &out);
    assert_false(out.failed);
    assert_ok(init_request_read(&again, (struct str){out.bytes, out.n_bytes}, NULL));
    assert_true(init_request_equal(&r, &again));
    again.params.seq_len++;
    assert_false(init_request_equal(&r, &again));
    buf_release(&out);
}

static void what_is_missing_or_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *note;
    } BAD[] = {
        {"", "request"},
        {"[]", "object"},
        {"{\"block_hash\":1}", "block_hash: it must be a text"},
        {"{}", "block_hash: field required"},
        {HEAD ",\"params\":3}", "params: it must be an object"},
        {HEAD ",\"params\":{\"dim\":129}}", "dim 129"},
        {HEAD ",\"params\":{\"dim\":-1}}", "params: dim is -1"},
        {HEAD ",\"params\":{\"seq_len\":\"4\"}}", "seq_len: it must be an integer"},
        {HEAD ",\"params\":{\"norm_eps\":NaN}}", "request: line 1"},
        {HEAD ",\"params\":{\"use_scaled_rope\":0}}", "use_scaled_rope"},
        {"{\"node_id\":3,\"node_count\":2,\"block_hash\":\"b\",\"block_height\":7,"
         "\"public_key\":\"k\",\"batch_size\":5,\"r_target\":1.4,\"fraud_threshold\":0.01,"
         "\"url\":\"u\"}", "node_id is 3 of 2"},
        {"{\"block_hash\":\"b\",\"block_height\":7,\"public_key\":\"k\",\"batch_size\":5,"
         "\"r_target\":0,\"fraud_threshold\":0.01,\"url\":\"u\"}", "r_target is 0"},
        {"{\"block_hash\":\"b\",\"block_height\":7,\"public_key\":\"k\",\"batch_size\":5,"
         "\"r_target\":1,\"fraud_threshold\":2,\"url\":\"u\"}", "fraud_threshold is 2"},
    };
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct init_request r;
        struct err_note note = {""};
        assert_true(init_request_read(&r, str_from(BAD[i].text), &note) != ERR_OK);
        if (!strstr(note.text, BAD[i].note))
            fail_msg("\"%s\" does not name %s", note.text, BAD[i].note);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_survives_the_way_there_and_back),
        cmocka_unit_test(what_is_missing_or_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
