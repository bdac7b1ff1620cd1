/* test_signature.c - signatures made by OpenSSL's signer, in the chain's raw form. */
#include "lib/test.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "base/hash.h"
#include "node/node_int.h"

enum { BASE64_BYTES = 96 };

static EVP_PKEY *private_key;
static char public_base64[BASE64_BYTES];

static int make_key(void **state)
{
    (void)state;
    unsigned char point[65];
    size_t n;
    private_key = EVP_EC_gen("secp256k1");
    if (!private_key ||
        !EVP_PKEY_get_octet_string_param(private_key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point,
                                         sizeof point, &n) || n != 65)
        return -1;
    EVP_EncodeBlock((unsigned char *)public_base64, point + 1, 64);
    return 0;
}

static int free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(private_key);
    return 0;
}

static void sign(struct str message, char base64[BASE64_BYTES])
{
    unsigned char der[80], raw[64];
    const unsigned char *p = der;
    size_t n = sizeof der;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, private_key), 1);
    assert_int_equal(EVP_DigestSign(c, der, &n, (const void *)message.ptr, message.len), 1);
    EVP_MD_CTX_free(c);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
    ECDSA_SIG_free(sig);
    EVP_EncodeBlock((unsigned char *)base64, raw, 64);
}

static void the_body_is_hashed_twice(void **state)
{
    (void)state;
    static const char *const BODIES[] = {"", "{}", "{\"block_hash\": \"b\"}"};
    struct signer *s;
    assert_ok(signer_new(public_base64, &s, NULL));
    for (size_t i = 0; i < COUNT_OF(BODIES); i++) {
        char base64[BASE64_BYTES], plain[BASE64_BYTES];
        uint8_t digest[SHA256_BYTES];
        struct str body = str_from(BODIES[i]);
        sha256_of(body.ptr, body.len, digest);
        sign((struct str){(const char *)digest, sizeof digest}, base64);
        sign(body, plain);
        assert_true(signer_admits(s, body, str_from(base64)));
        assert_true(signer_verifies(s, body, str_from(plain)));
        assert_false(signer_admits(s, body, str_from(plain)));
        assert_false(signer_admits(s, STR("{\"other\": 1}"), str_from(base64)));
    }
    signer_free(s);
}

static void what_is_no_signature_is_refused(void **state)
{
    (void)state;
    struct signer *s;
    char good[BASE64_BYTES], bad[BASE64_BYTES];
    uint8_t digest[SHA256_BYTES];
    assert_ok(signer_new(public_base64, &s, NULL));
    sha256_of("x", 1, digest);
    sign((struct str){(const char *)digest, sizeof digest}, good);
    assert_true(signer_admits(s, STR("x"), str_from(good)));
    for (size_t i = 0; i < 86; i++) {
        memcpy(bad, good, sizeof bad);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        if (i < 85) /* the last digit's lower bits belong to no byte */
            assert_false(signer_admits(s, STR("x"), str_from(bad)));
        bad[i] = '*';
        assert_false(signer_admits(s, STR("x"), str_from(bad)));
    }
    for (size_t n = 0; n < 88; n++)
        assert_false(signer_admits(s, STR("x"), (struct str){good, n}));
    assert_false(signer_admits(s, STR("x"), (struct str){NULL, 0}));
    memset(bad, 'A', 86);
    bad[86] = bad[87] = '=', bad[88] = 0; /* r = s = 0 */
    assert_false(signer_admits(s, STR("x"), str_from(bad)));
    signer_free(s);
}

static void what_is_no_key_is_refused(void **state)
{
    (void)state;
    char off_curve[BASE64_BYTES];
    static const char *const BAD[] = {"", "AAAA", "not base64 at all"};
    struct signer *s;
    struct err_note note;
    memcpy(off_curve, public_base64, sizeof off_curve);
    off_curve[80] = off_curve[80] == 'A' ? 'B' : 'A';
    assert_int_equal(signer_new(off_curve, &s, &note), ERR_FORMAT);
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(signer_new(BAD[i], &s, &note), ERR_FORMAT);
        assert_null(s);
    }
    signer_free(NULL);
}

static void phases_are_anybodys_here_alone(void **state)
{
    (void)state;
    const struct node_options open = {0}, signer = {.signer = "s"},
                              compat = {.signer = "s", .compat_open = true};
    assert_false(node_wants_signature(&open, NODE_SIGNED, "10.0.0.1"));
    assert_false(node_wants_signature(&signer, NODE_OPEN, "10.0.0.1"));
    assert_true(node_wants_signature(&signer, NODE_SIGNED, "127.0.0.1"));
    assert_true(node_wants_signature(&compat, NODE_SIGNED, "127.0.0.1"));
    assert_true(node_wants_signature(&signer, NODE_SIGNED_FROM_AFAR, "10.0.0.1"));
    assert_false(node_wants_signature(&signer, NODE_SIGNED_FROM_AFAR, "127.0.0.1"));
    assert_false(node_wants_signature(&signer, NODE_SIGNED_FROM_AFAR, "::1"));
    assert_false(node_wants_signature(&compat, NODE_SIGNED_FROM_AFAR, "10.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_body_is_hashed_twice),
        cmocka_unit_test(what_is_no_signature_is_refused),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(phases_are_anybodys_here_alone),
    };
    return cmocka_run_group_tests(tests, make_key, free_key);
}
