/* test_sign.c - signatures: keys of RFC 8032, domains, every changed byte, keys of small order. */
#include "lib/test.h"

#include "proof/sign.h"

static const uint8_t seed[SIGN_SEED_BYTES] = {
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
/* RFC 8032, 7.1, test 1 */
static const uint8_t public_key[SIGN_KEY_BYTES] = {
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
/* By another implementation of Ed25519, over "isobit/receipt/1", a zero byte and {"a":1}. */
static const char signed_receipt[] =
    "{\"body\":{\"a\":1},\"key\":\""
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\","
    "\"kind\":\"receipt\",\"signature\":\""
    "d7c469e25197d903d1fa6a881b687fb7f6711084459c8530d8e10581562c25f8"
    "b2ba11619a601b82f833d752a7ccddf53b9a6801161d0c36dd328eb0327fd104\"}";

static void sign(enum sign_kind kind, const char *body, struct buf *out)
{
    struct sign_pair pair;
    sign_pair_of_seed(seed, &pair);
    buf_init(out, 4096);
    sign_write(kind, str_from(body), &pair, out);
    assert_false(out->failed);
    sign_pair_wipe(&pair);
}

static struct str text_of(const struct buf *b)
{
    return (struct str){b->bytes, b->n_bytes};
}

static void a_seed_gives_its_key(void **state)
{
    (void)state;
    struct sign_pair pair, other;
    sign_pair_of_seed(seed, &pair);
    assert_memory_equal(pair.key.bytes, public_key, SIGN_KEY_BYTES);
    assert_true(sign_key_ok(&pair.key));
    sign_pair_make(&other);
    assert_true(sign_key_ok(&other.key) && !sign_key_equal(&pair.key, &other.key));
}

static void a_signed_text_has_these_bytes(void **state)
{
    (void)state;
    struct signed_text s;
    struct buf out;
    sign(SIGN_RECEIPT, "{\"a\":1}", &out);
    assert_string_equal(out.bytes, signed_receipt);
    assert_ok(signed_read(SIGN_RECEIPT, text_of(&out), &s, NULL));
    assert_true(str_is(s.body->raw, "{\"a\":1}"));
    assert_memory_equal(s.key.bytes, public_key, SIGN_KEY_BYTES);
    signed_release(&s);
    buf_release(&out);
}

static void every_changed_bit_is_refused(void **state)
{
    (void)state;
    char text[sizeof signed_receipt];
    for (size_t i = 0; i + 1 < sizeof text; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct signed_text s;
            memcpy(text, signed_receipt, sizeof text);
            text[i] ^= (char)(1 << bit);
            struct str changed = {text, sizeof text - 1};
            assert_int_equal(signed_read(SIGN_RECEIPT, changed, &s, NULL), ERR_FORMAT);
        }
}

/* The same object, signed as another kind and then called a receipt. */
static void a_kind_is_no_other_kind(void **state)
{
    (void)state;
    struct err_note note = {""};
    struct signed_text s;
    struct buf out;
    uint8_t one[32], other[32];
    sign(SIGN_CERTIFICATE, "{\"a\":1}", &out);
    assert_int_equal(signed_read(SIGN_RECEIPT, text_of(&out), &s, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "not a receipt"));
    char *kind = strstr(out.bytes, "certificate"), renamed[4096];
    snprintf(renamed, sizeof renamed, "%.*sreceipt%s", (int)(kind - out.bytes), out.bytes,
             kind + strlen("certificate"));
    assert_int_equal(signed_read(SIGN_RECEIPT, str_from(renamed), &s, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, "does not fit"));
    sign_digest(SIGN_RECEIPT, STR("{}"), one);
    sign_digest(SIGN_HEAD, STR("{}"), other);
    assert_memory_not_equal(one, other, 32);
    buf_release(&out);
}

/* Keys for which a signature fits that no secret made: points of order 1, 2, 4 and 8, some with a
 * coordinate that is not reduced; and one that is no point. */
static void keys_of_small_order_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "0200000000000000000000000000000000000000000000000000000000000000",
    };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct sign_key key;
        struct err_note note = {""};
        struct signed_text s;
        char text[512];
        struct canon_node hex = {.type = CANON_TEXT, .text = str_from(keys[i])};
        assert_true(canon_bytes(&hex, key.bytes, SIGN_KEY_BYTES));
        assert_false(sign_key_ok(&key));
        /* R = the neutral element, S = 0: fits every message under a key of order 1. */
        snprintf(text, sizeof text,
                 "{\"body\":{},\"key\":\"%s\",\"kind\":\"receipt\",\"signature\":\"01%0126d\"}",
                 keys[i], 0);
        assert_int_equal(signed_read(SIGN_RECEIPT, str_from(text), &s, &note), ERR_FORMAT);
        assert_non_null(strstr(note.text, "full order"));
    }
}

static void nothing_stands_beside_the_body(void **state)
{
    (void)state;
    struct signed_text s;
    char text[512];
    snprintf(text, sizeof text, "%.*s,\"x_more\":1}", (int)sizeof signed_receipt - 2,
             signed_receipt);
    assert_int_equal(signed_read(SIGN_RECEIPT, str_from(text), &s, NULL), ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_its_key),
        cmocka_unit_test(a_signed_text_has_these_bytes),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(a_kind_is_no_other_kind),
        cmocka_unit_test(keys_of_small_order_are_refused),
        cmocka_unit_test(nothing_stands_beside_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
