/* test_receipt.c - a receipt's salts, commitments and body against vectors; what is refused. */
#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "proof/commitment.h"
#include "proof/receipt.h"
#include "proof/receipt_vectors.h"
#include "proof/sign.h"

static char *vectors;
static struct salt salt;

static int read_vectors(void **state)
{
    (void)state;
    for (int i = 0; i < SALT_BYTES; i++)
        salt.bytes[i] = (uint8_t)i;
    return file_read(TEST_DIR "/golden/proof/receipt.txt", 1 << 20, &vectors, NULL, NULL);
}

static int free_vectors(void **state)
{
    (void)state;
    mem_free(vectors);
    return 0;
}

/* The rest of the line that begins so. */
static struct str vector_of(const char *name)
{
    char begin[128];
    snprintf(begin, sizeof begin, "\n%s ", name);
    const char *at = strstr(vectors, begin);
    if (!at)
        fail_msg("no vector \"%s\"", name);
    at += strlen(begin);
    return (struct str){at, strcspn(at, "\n")};
}

static void assert_vector(const char *name, const uint8_t bytes[32])
{
    char hex[SHA256_HEX];
    hex_of(bytes, 32, hex);
    if (!str_is(vector_of(name), hex))
        fail_msg("%s: %s", name, hex);
}

static void salts_are_derived(void **state)
{
    (void)state;
    static const char *const names[] = {"request",    "prompt",   "prompt_ids",
                                        "output_ids", "position", "page",
                                        "prompt_page", "logits",     "vector"};
    static const uint64_t indices[] = {0, 1, (1ull << 40) + 3};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (size_t k = i == 0; k < COUNT_OF(indices); k++) {
            char name[64];
            snprintf(name, sizeof name, "salt %s %llu", names[i], (unsigned long long)indices[k]);
            assert_vector(name, salt_derive(&salt, (enum salt_label)i, indices[k]).bytes);
        }
    struct salt a, b;
    salt_make(&a);
    salt_make(&b);
    assert_memory_not_equal(a.bytes, b.bytes, SALT_BYTES);
}

static const struct position_record records[2] = {
    {7, 2, {{7, 0x3f800000}, {9, 0}}, 0},
    {70000,
     16,
     {{0, 0xbf800000},
      {1, 0xbf800001},
      {2, 0xbf800002},
      {3, 0xbf800003},
      {4, 0xbf800004},
      {5, 0xbf800005},
      {6, 0xbf800006},
      {7, 0xbf800007},
      {8, 0xbf800008},
      {9, 0xbf800009},
      {10, 0xbf80000a},
      {11, 0xbf80000b},
      {12, 0xbf80000c},
      {13, 0xbf80000d},
      {14, 0xbf80000e},
      {15, 0xbf80000f}},
     (1ull << 40) + 5}};

static struct merkle_hash digest_of_name(const char *name)
{
    struct merkle_hash h;
    sha256_of(name, strlen(name), h.bytes);
    return h;
}

/* The receipt of the vectors, with one page at *page. */
static struct receipt sample(struct merkle_hash *page)
{
    static const uint32_t prompt_ids[] = {1, 72, 105}, output_ids[] = {7, 70000};
    static const uint8_t zeros[32];
    struct merkle_hash prompt_pages[2] = {{{0}}};
    struct merkle_hash logits[2];
    memset(prompt_pages[1].bytes, 1, sizeof prompt_pages[1].bytes);
    memset(logits[0].bytes, 7, sizeof logits[0].bytes);
    memset(logits[1].bytes, 8, sizeof logits[1].bytes);
    struct merkle tree = {0};
    for (uint64_t i = 0; i < 2; i++) {
        struct merkle_hash leaf = commitment_position(&salt, i, &records[i]);
        merkle_add(&tree, &leaf);
    }
    *page = commitment_of(&salt, SALT_PAGE, 0, zeros, 32);
    return (struct receipt){
        .model = {digest_of_name("weights"), digest_of_name("metadata"),
                  digest_of_name("tokenizer"), digest_of_name("template")},
        .arithmetic = STR("exact-1"),
        .device = STR("8 \xc3\x97 \"AVX-512\""),
        .memory_bytes = 1ull << 31,
        .utilisation_permille = 987,
        .parameters = vector_of("parameters"),
        .seed = UINT64_MAX,
        .request = commitment_of(&salt, SALT_REQUEST, 0, "{\"prompt\":\"Hi\"}", 15),
        .prompt = commitment_of(&salt, SALT_PROMPT, 0, "Hi", 2),
        .prompt_ids = commitment_of_ids(&salt, SALT_PROMPT_IDS, prompt_ids, 3),
        .output_ids = commitment_of_ids(&salt, SALT_OUTPUT_IDS, output_ids, 2),
        .n_prompt = 3,
        .has_prompt_pages = true,
        .prompt_pages = commitment_of_hashes(&salt, SALT_PROMPT_PAGE, prompt_pages, 2),
        .has_logits = true,
        .logits = commitment_of_hashes(&salt, SALT_LOGITS, logits, 2),
        .n_output = 2,
        .root = merkle_root(&tree),
        .pages = page,
        .n_pages = 1,
        .finish_reason = STR("stop"),
        .started_ms = 1700000000000,
        .ended_ms = 1700000000123,
        .price = {STR("0.00012"), STR("EUR")},
    };
}

static void commitments_have_these_bytes(void **state)
{
    (void)state;
    struct merkle_hash page;
    struct receipt r = sample(&page);
    assert_vector("commitment request 0", r.request.bytes);
    assert_vector("commitment prompt 0", r.prompt.bytes);
    assert_vector("commitment prompt_ids 0", r.prompt_ids.bytes);
    assert_vector("commitment output_ids 0", r.output_ids.bytes);
    assert_vector("commitment page 0", page.bytes);
    assert_vector("position 0", commitment_position(&salt, 0, &records[0]).bytes);
    assert_vector("position 1", commitment_position(&salt, 1, &records[1]).bytes);
    assert_vector("root", r.root.bytes);
    assert_vector("prompt_pages", r.prompt_pages.bytes);
    assert_vector("logits", r.logits.bytes);
}

static void a_body_has_these_bytes(void **state)
{
    (void)state;
    struct merkle_hash page;
    uint8_t digest[32];
    struct receipt r = sample(&page);
    struct buf out;
    buf_init(&out, 1 << 16);
    receipt_write(&r, &out);
    assert_false(out.failed);
    struct str body = {out.bytes, out.n_bytes};
    assert_true(str_eq(body, vector_of("body")));
    sign_digest(SIGN_RECEIPT, body, digest);
    assert_vector("digest", digest);
    buf_release(&out);
}

static void what_was_read_is_written_again(void **state)
{
    (void)state;
    struct str body = vector_of("body");
    struct canon_doc doc;
    struct receipt r;
    struct buf out;
    assert_ok(canon_read(body, &doc, NULL));
    assert_ok(receipt_read(&doc, doc.nodes, &r, NULL));
    assert_true(r.seed == UINT64_MAX && !r.seed_by_node && r.n_pages == 1 && r.n_output == 2);
    buf_init(&out, 1 << 16);
    receipt_write(&r, &out);
    assert_true(str_eq(body, (struct str){out.bytes, out.n_bytes}));
    buf_release(&out);
    receipt_release(&r);
    canon_release(&doc);
}

/* Every part of a position's record counts, and its index. */
static void a_position_binds_all_of_its_record(void **state)
{
    (void)state;
    struct merkle_hash of = commitment_position(&salt, 0, &records[0]), other;
    struct position_record changed[6];
    for (int i = 0; i < 6; i++)
        changed[i] = records[0];
    changed[0].id ^= 1;
    changed[1].sum ^= 1ull << 63;
    changed[2].n_best--;
    changed[3].best[0].id ^= 1;
    changed[4].best[1].logit_bits ^= 1u << 31;
    changed[5].n_best++;
    for (int i = 0; i < 6; i++) {
        other = commitment_position(&salt, 0, &changed[i]);
        assert_false(merkle_equal(&of, &other));
    }
    other = commitment_position(&salt, 1, &records[0]);
    assert_false(merkle_equal(&of, &other));
}

static void malformed_bodies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *note;
    } cases[] = {
        {"\"finish_reason\":\"stop\",", "", "lacks \"finish_reason\""},
        {"\"by\":\"requester\"", "\"by\":\"me\"", "by \"node\" or by"},
        {"18446744073709551615", "18446744073709551616", "64 bits"},
        {"18446744073709551615", "01", "64 bits"},
        {"\"pages\":[\"", "\"pages\":[1,\"", "64 hex digits each"},
        {"\"root\":\"", "\"root\":\"0", "\"root\" must be"},
        {"\"pages\":\"", "\"pages\":\"0", "\"pages\" must be"},
        {"\"logits\":\"", "\"logits\":\"0", "\"logits\" must be"},
        {"\"count\":2", "\"count\":\"2\"", "whole number"},
        {"\"request\":", "\"reply\":1,\"request\":", "does not know"},
        {"\"adapters\":[]", "\"adapters\":[\"00\"]", "has not"},
        {"\"0.00012\"", "\"-1\"", "decimal number"},
        {"\"0.00012\"", "\"1.\"", "decimal number"},
        {"\"0.00012\"", "\"\"", "decimal number"},
        {"\"0.00012\"", "\"1.0.0\"", "decimal number"},
        {"\"load\":{", "\"load\":{\"fans\":1,", "does not know"},
        {"\"weights\":\"", "\"weights\":\"0", "\"weights\" must be"},
    };
    struct str good = vector_of("body");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[8192], text[8192];
        struct err_note note = {""};
        struct canon_doc doc;
        struct receipt r;
        snprintf(text, sizeof text, "%.*s", STR_ARG(good));
        char *at = strstr(text, cases[i].from);
        assert_non_null(at);
        snprintf(body, sizeof body, "%.*s%s%s", (int)(at - text), text, cases[i].to,
                 at + strlen(cases[i].from));
        assert_ok(canon_read(str_from(body), &doc, &note));
        assert_int_equal(receipt_read(&doc, doc.nodes, &r, &note), ERR_FORMAT);
        if (!strstr(note.text, cases[i].note))
            fail_msg("%s: %s", body, note.text);
        assert_null(r.pages);
        canon_release(&doc);
    }
}

/* The same of vectors: leaves, body, and back. */
static void vectors_have_these_bytes(void **state)
{
    (void)state;
    static const uint32_t first[] = {101, 7, 102}, second[] = {101, 102, 9, 102};
    static const float a[] = {0.6f, -0.8f}, b[] = {1, -0.0f};
    const struct vector_record texts[] = {{first, 3, 0, a, 2}, {second, 4, 2, b, 2}};
    struct merkle_hash page, leaves[2];
    struct merkle tree = {0};
    struct canon_doc doc;
    struct receipt_vectors again;
    struct buf out;
    for (uint64_t i = 0; i < 2; i++) {
        leaves[i] = commitment_vector(&salt, i, &texts[i]);
        assert_vector(i ? "vector 1" : "vector 0", leaves[i].bytes);
        merkle_add(&tree, &leaves[i]);
    }
    struct receipt_vectors r = {.of = sample(&page),
                                .n_tokens = 7,
                                .n_vectors = 2,
                                .n_values = 2,
                                .is_normalized = true,
                                .pooling = STR("cls"),
                                .interface = STR("embed"),
                                .root = merkle_root(&tree)};
    r.of.device = STR("cpu");
    r.of.price.amount = STR("");
    buf_init(&out, 1 << 16);
    receipt_vectors_write(&r, &out);
    assert_true(str_eq(vector_of("vectors"), (struct str){out.bytes, out.n_bytes}));
    assert_ok(canon_read(vector_of("vectors"), &doc, NULL));
    assert_ok(receipt_vectors_read(&doc, doc.nodes, &again, NULL));
    buf_clear(&out);
    receipt_vectors_write(&again, &out);
    assert_true(str_eq(vector_of("vectors"), (struct str){out.bytes, out.n_bytes}));
    buf_release(&out);
    /* Neither form passes for the other. */
    struct err_note note = {""};
    struct receipt wrong;
    assert_int_equal(receipt_read(&doc, doc.nodes, &wrong, &note), ERR_FORMAT);
    canon_release(&doc);
    assert_ok(canon_read(vector_of("body"), &doc, NULL));
    assert_int_equal(receipt_vectors_read(&doc, doc.nodes, &again, &note), ERR_FORMAT);
    canon_release(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(salts_are_derived),
        cmocka_unit_test(commitments_have_these_bytes),
        cmocka_unit_test(a_body_has_these_bytes),
        cmocka_unit_test(what_was_read_is_written_again),
        cmocka_unit_test(a_position_binds_all_of_its_record),
        cmocka_unit_test(malformed_bodies_are_refused),
        cmocka_unit_test(vectors_have_these_bytes),
    };
    return cmocka_run_group_tests(tests, read_vectors, free_vectors);
}
