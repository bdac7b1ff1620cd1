/* test_log.c - heads against vectors made elsewhere; what is refused; forks, chains of epochs, and
 * which receipts a revocation leaves standing. */
#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "proof/log.h"

/* What a head is, without the bytes that pad it. */
enum { HEAD_BYTES = offsetof(struct log_head, name) + sizeof(struct merkle_hash) };

static char *vectors;
static struct sign_pair pair, other;

static int begin(void **state)
{
    (void)state;
    uint8_t seed[SIGN_SEED_BYTES] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60,
                                     0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
                                     0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19,
                                     0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    sign_pair_of_seed(seed, &pair);
    sign_pair_make(&other);
    return file_read(TEST_DIR "/golden/proof/log.txt", 1 << 20, &vectors, NULL, NULL);
}

static int end(void **state)
{
    (void)state;
    mem_free(vectors);
    return 0;
}

/* The rest of the line that begins so. */
static struct str vector_of(const char *name)
{
    char begins[64];
    snprintf(begins, sizeof begins, "\n%s ", name);
    const char *at = strncmp(vectors, begins + 1, strlen(begins + 1)) ? strstr(vectors, begins)
                                                                      : vectors - 1;
    if (!at)
        fail_msg("no vector \"%s\"", name);
    at += strlen(begins);
    return (struct str){at, strcspn(at, "\n")};
}

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct merkle_hash hash_of(const char *hex)
{
    struct merkle_hash h;
    for (size_t i = 0; i < SHA256_BYTES; i++)
        h.bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return h;
}

static struct merkle_hash hash_vector(const char *kind, uint64_t i)
{
    char name[64];
    snprintf(name, sizeof name, "%s %llu", kind, (unsigned long long)i);
    return hash_of(vector_of(name).ptr);
}

static struct merkle_proof proof_vector(const char *name)
{
    struct merkle_proof p = {.n_hashes = 0};
    struct str hex = vector_of(name);
    for (size_t at = 0; at < hex.len; at += 2 * SHA256_BYTES + 1)
        p.hashes[p.n_hashes++] = hash_of(hex.ptr + at);
    return p;
}

static struct log_head head_vector(const char *name)
{
    struct log_head h;
    assert_ok(log_head_read(vector_of(name), &h, NULL));
    return h;
}

/* ---- bytes -------------------------------------------------------------------------------- */

static struct str text_of(const struct buf *b)
{
    return (struct str){b->bytes, b->n_bytes};
}

static void vectors_hold(void **state)
{
    (void)state;
    struct merkle tree = {0};
    struct log_head last = {.count = 0};
    for (uint64_t i = 0; i < 5; i++) {
        struct merkle_hash name = hash_vector("name", i), leaf = log_leaf(&name);
        struct merkle_hash wanted = hash_vector("leaf", i);
        assert_true(merkle_equal(&leaf, &wanted));
        merkle_add(&tree, &leaf);
        if (i != 2 && i != 4)
            continue;
        char line[64];
        struct buf out;
        struct log_head h = {.key = pair.key, .epoch = 1, .count = i + 1};
        h.root = merkle_root(&tree);
        h.time_s = 1700000000 + (i == 4);
        buf_init(&out, 4096);
        log_head_write(&h, &pair, &out);
        snprintf(line, sizeof line, "head 1 %d", (int)i + 1);
        assert_true(str_eq(text_of(&out), vector_of(line)));
        snprintf(line, sizeof line, "called 1 %d", (int)i + 1);
        struct merkle_hash called = hash_of(vector_of(line).ptr);
        assert_true(merkle_equal(&called, &h.name));
        last = head_vector(i == 4 ? "head 1 5" : "head 1 3");
        assert_memory_equal(&last, &h, HEAD_BYTES);
        buf_release(&out);
    }
    struct log_head next = head_vector("head 2 1");
    assert_true(next.has_previous && merkle_equal(&next.previous, &last.name));
    for (uint64_t i = 0; i < 5; i++) {
        char line[64];
        struct merkle_hash name = hash_vector("name", i);
        snprintf(line, sizeof line, "inclusion %d 5", (int)i);
        struct merkle_proof p = proof_vector(line);
        for (uint64_t k = 0; k < 6; k++)
            assert_int_equal(log_includes(&last, &name, k, &p), k == i);
        assert_false(log_includes(&next, &name, 0, &p));
    }
}

static void malformed_heads_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *note;
    } cases[] = {
        {"{\"count\":0,\"epoch\":1,\"root\":\"%s\",\"time\":1}", "no receipts"},
        {"{\"count\":1,\"epoch\":0,\"root\":\"%s\",\"time\":1}", "no epoch"},
        {"{\"count\":1,\"epoch\":2,\"root\":\"%s\",\"time\":1}", "must name a previous"},
        {"{\"count\":1,\"epoch\":1,\"previous\":\"%s\",\"root\":\"%s\",\"time\":1}",
         "must not name a previous"},
        {"{\"count\":1,\"epoch\":1,\"root\":\"%.62s\",\"time\":1}", "64 hex digits"},
        {"{\"count\":1,\"epoch\":2,\"previous\":\"%.62s\",\"root\":\"%s\",\"time\":1}",
         "64 hex digits"},
        {"{\"count\":1,\"epoch\":1,\"root\":\"%s\"}", "lacks \"time\""},
        {"{\"count\":1,\"epoch\":1,\"leaf\":1,\"root\":\"%s\",\"time\":1}", "does not know"},
        {"{\"count\":\"1\",\"epoch\":1,\"root\":\"%s\",\"time\":1}", "whole number"},
    };
    char hex[SHA256_HEX], body[512];
    memset(hex, 'a', sizeof hex - 1);
    hex[sizeof hex - 1] = 0;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err_note note = {""};
        struct log_head h;
        struct buf out;
        char *at = body;
        for (const char *c = cases[i].body; *c; c++) { /* each %s and %.62s */
            if (*c != '%') {
                *at++ = *c;
                continue;
            }
            int n = c[1] == '.' ? 62 : 64;
            at += snprintf(at, 65, "%.*s", n, hex);
            c += c[1] == '.' ? 4 : 1;
        }
        *at = 0;
        buf_init(&out, 4096);
        sign_write(SIGN_HEAD, str_from(body), &pair, &out);
        assert_int_equal(log_head_read(text_of(&out), &h, &note), ERR_FORMAT);
        if (!strstr(note.text, cases[i].note))
            fail_msg("%s: %s", body, note.text);
        assert_int_equal(h.epoch, 0);
        buf_release(&out);
    }
    struct log_head h; /* another kind of object */
    struct buf out;
    buf_init(&out, 4096);
    sign_write(SIGN_RECEIPT, STR("{\"a\":1}"), &pair, &out);
    assert_int_equal(log_head_read(text_of(&out), &h, NULL), ERR_FORMAT);
    buf_release(&out);
}

/* ---- what follows from heads -------------------------------------------------------------- */

static void what_was_said_is_not_taken_back(void **state)
{
    (void)state;
    struct log_head old = head_vector("head 1 3"), later = head_vector("head 1 5");
    struct merkle_proof p = proof_vector("consistency 3 5"), none = {.n_hashes = 0};
    assert_true(log_extends(&old, &later, &p));
    assert_true(log_extends(&later, &later, &none));
    assert_false(log_extends(&old, &later, &none));
    assert_false(log_extends(&later, &old, &p));
    struct log_head forked = later;
    forked.root.bytes[0] ^= 1;
    assert_false(log_extends(&old, &forked, &p));
    forked = later;
    forked.key = other.key;
    assert_false(log_extends(&old, &forked, &p));
    forked = later;
    forked.epoch = 2;
    assert_false(log_extends(&old, &forked, &p));
    p.hashes[0].bytes[0] ^= 1;
    assert_false(log_extends(&old, &later, &p));
}

/* Heads as a key might sign them: each with its own name. */
static struct log_head sign(const struct sign_pair *by, uint64_t epoch, uint64_t count,
                            uint8_t root, const struct log_head *previous)
{
    struct log_head h = {.key = by->key, .epoch = epoch, .count = count, .time_s = 5}, again;
    struct buf out;
    memset(h.root.bytes, root, SHA256_BYTES);
    h.has_previous = previous != NULL;
    if (previous)
        h.previous = previous->name;
    buf_init(&out, 4096);
    log_head_write(&h, by, &out);
    assert_ok(log_head_read(text_of(&out), &again, NULL));
    assert_memory_equal(&again, &h, HEAD_BYTES);
    buf_release(&out);
    return h;
}

static void forks_prove_themselves(void **state)
{
    (void)state;
    struct log_head a = sign(&pair, 1, 3, 1, NULL), b = sign(&pair, 1, 3, 2, NULL);
    struct log_head more = sign(&pair, 1, 4, 2, NULL), foreign = sign(&other, 1, 3, 2, NULL);
    struct log_head next = sign(&pair, 2, 1, 3, &a), next_b = sign(&pair, 2, 2, 3, &b);
    struct log_head skips = sign(&pair, 3, 1, 3, &a), third = sign(&pair, 3, 1, 3, &next);
    assert_non_null(log_contradiction(&a, &b));
    assert_non_null(log_contradiction(&b, &a));
    assert_null(log_contradiction(&a, &a));
    assert_null(log_contradiction(&a, &more)); /* their consistency is for a proof to say */
    assert_null(log_contradiction(&a, &foreign));
    assert_null(log_contradiction(&a, &next));
    assert_non_null(log_contradiction(&next, &next_b));
    assert_non_null(log_contradiction(&next, &skips));
    assert_null(log_contradiction(&next, &third));
    struct log_head dated = a; /* one head, signed again at another time, is one too many */
    dated.time_s++;
    struct buf out;
    buf_init(&out, 4096);
    log_head_write(&dated, &pair, &out);
    assert_non_null(log_contradiction(&a, &dated));
    buf_release(&out);
}

static void a_witnessed_head_outlives_a_revocation(void **state)
{
    (void)state;
    struct log_head place_head = head_vector("head 1 5"), small = head_vector("head 1 3");
    struct log_head second = head_vector("head 2 1");
    struct log_head third = sign(&other, 3, 1, 7, &second), stray = sign(&other, 3, 1, 7, &small);
    struct merkle_proof p = proof_vector("inclusion 1 5");
    struct log_place place = {&place_head, hash_vector("name", 1), 1, &p};
    struct certificate c = {.key = pair.key, .serial = 4};
    struct revocation hit = {.serial = 4, .time_s = 1}, miss = {.serial = 5};
    assert_true(log_covers(&place_head, NULL, 0, &place));
    assert_true(log_covers(&second, NULL, 0, &place)); /* it names the place's head */
    assert_true(log_covers(&third, &second, 1, &place));
    assert_false(log_covers(&third, NULL, 0, &place));
    assert_false(log_covers(&stray, &second, 1, &place));
    assert_false(log_covers(&small, NULL, 0, &place)); /* seen before the receipt was there */
    assert_true(log_stands(&c, &miss, NULL, NULL, 0, &place));
    assert_false(log_stands(&c, &hit, NULL, NULL, 0, &place));
    assert_true(log_stands(&c, &hit, &second, NULL, 0, &place));
    assert_true(log_stands(&c, &hit, &third, &second, 1, &place));
    assert_false(log_stands(&c, &hit, &small, NULL, 0, &place));
    place.index = 2;
    assert_false(log_stands(&c, &hit, &second, NULL, 0, &place));
    place.index = 1;
    c.key = other.key; /* the place is of another key's epoch */
    assert_false(log_stands(&c, &hit, &second, NULL, 0, &place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_hold),
        cmocka_unit_test(malformed_heads_are_refused),
        cmocka_unit_test(what_was_said_is_not_taken_back),
        cmocka_unit_test(forks_prove_themselves),
        cmocka_unit_test(a_witnessed_head_outlives_a_revocation),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
