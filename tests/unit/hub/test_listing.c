/* test_listing.c - listings of repositories, and what is chosen of them. */
#include "lib/test.h"

#include "base/buf.h"
#include "base/check.h"
#include "hub/listing.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OID "0123456789abcdef0123456789abcdef01234567"

/* A listing of files with these names, NULL-ended. */
static struct listing listing_of(const char *const *names)
{
    struct listing l = {0};
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, "[{\"type\": \"directory\", \"path\": \"d\", \"oid\": \"x\"}");
    for (size_t i = 0; names[i]; i++)
        buf_printf(&b,
                   ", {\"type\": \"file\", \"path\": \"%s\", \"size\": %zu, \"oid\": \"" OID "\"}",
                   names[i], i);
    buf_char(&b, ']');
    assert_int_equal(listing_add(&l, (struct str){b.bytes, b.n_bytes}, NULL), ERR_OK);
    buf_release(&b);
    return l;
}

/* What is chosen, by its places in names, such as "02"; an error's name instead. */
static void expect(const char *const *names, const char *want, const char *chosen)
{
    char got[64] = "";
    size_t n = 0;
    enum listing_kind kind;
    struct err_note note = {""};
    struct listing l = listing_of(names);
    enum err rc = listing_choose(&l, str_from(want), &kind, &note);
    for (size_t i = 0; !rc && i < l.n_files; i++)
        if (l.files[i].chosen)
            got[n++] = (char)('0' + i);
    assert_string_equal(rc ? err_name(rc) : got, chosen);
    assert_int_equal(rc != ERR_OK, note.text[0] != 0);
    listing_release(&l);
}

static void one_quantisation_is_chosen(void **state)
{
    (void)state;
    const char *const many[] = {"a-Q8_0.gguf",    "a-Q4_K_M.gguf", "mmproj-Q8_0.gguf",
                                "a.imatrix.gguf", "config.json",   NULL};
    expect(many, "", "1");
    expect(many, "q8_0", "0");
    expect(many, "a-Q8_0.gguf", "0");
    expect(many, "Q2_K", "NOT_FOUND");
    const char *const one[] = {"README.md", "only-F16.gguf", NULL};
    expect(one, "", "1");
    expect(one, "Q4_0", "NOT_FOUND");
    const char *const two[] = {"a-Q8_0.gguf", "b-Q8_0.gguf", NULL};
    expect(two, "Q8_0", "USAGE");
    expect(two, "b-Q8_0.gguf", "1");
    expect(two, "", "NOT_FOUND");
}

static void parts_come_together(void **state)
{
    (void)state;
    const char *const split[] = {"d/a-Q8_0-00001-of-00002.gguf", "d/a-Q8_0-00002-of-00002.gguf",
                                 "d/a-Q4_0-00001-of-00002.gguf", NULL};
    expect(split, "Q8_0", "01");
    expect(split, "Q4_0", "NOT_FOUND");
}

static void folders_are_chosen_without_ggufs(void **state)
{
    (void)state;
    const char *const folder[] = {
        "config.json",       "model-1.safetensors",   "consolidated.safetensors", "tokenizer.json",
        "pytorch_model.bin", "1_Pooling/config.json", "onnx/model.safetensors",   NULL};
    expect(folder, "", "0135");
    expect(folder, "Q8_0", "NOT_FOUND");
    const char *const none[] = {"config.json", "pytorch_model.bin", NULL};
    expect(none, "", "NOT_FOUND");
}

static void digests_are_read(void **state)
{
    (void)state;
    struct listing l = {0};
    char hex[SHA256_HEX];
    assert_int_equal(
        listing_add(&l,
                    STR("[{\"type\":\"file\",\"path\":\"a.gguf\",\"size\":5,\"oid\":\"" OID "\","
                        "\"lfs\":{\"oid\":\"sha256:" SHA "\",\"size\":7}},"
                        "{\"type\":\"file\",\"path\":\"../b\",\"size\":1,\"oid\":\"" OID "\"}]"),
                    NULL),
        ERR_OK);
    assert_int_equal(l.n_files, 1); /* the other would leave the folder */
    assert_int_equal(l.files[0].n_bytes, 7);
    assert_int_equal(l.files[0].digest.kind, DIGEST_SHA256);
    digest_hex(&l.files[0].digest, hex);
    assert_string_equal(hex, SHA);
    listing_release(&l);
}

static void malformed_listings_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "null",
        "[{\"type\":\"file\",\"path\":\"a\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":-1,\"oid\":\"" OID "\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"" SHA "\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"oid\":\"" OID "\",\"size\":1}}]",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct listing l = {0};
        struct err_note note = {""};
        assert_int_equal(listing_add(&l, str_from(bad[i]), &note), ERR_FORMAT);
        assert_true(note.text[0]);
        listing_release(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_quantisation_is_chosen),       cmocka_unit_test(parts_come_together),
        cmocka_unit_test(folders_are_chosen_without_ggufs), cmocka_unit_test(digests_are_read),
        cmocka_unit_test(malformed_listings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
