/* test_bundle.c - a bundle's parts, alone and together, out and in; what is refused. */
#include "lib/test.h"

#include "base/file.h"
#include "base/mem.h"
#include "proof/bundle.h"

#define CORPUS TEST_DIR "/fuzz/corpus/fuzz_bundle/"

static struct str text_of(const char *path, char **owned)
{
    size_t n_bytes;
    assert_ok(file_read(path, 1 << 20, owned, &n_bytes, NULL));
    return (struct str){*owned, n_bytes};
}

static void every_part_may_stand_alone(void **state)
{
    (void)state;
    char *owned;
    struct str all = text_of(CORPUS "all", &owned);
    struct canon_doc doc, again;
    struct bundle b, one, back;
    struct buf out;
    assert_ok(canon_read(all, &doc, NULL));
    assert_ok(bundle_read(&doc, doc.nodes, &b, NULL));
    assert_true(b.n_prompt_ids == 3 && b.prompt_ids[2] == UINT32_MAX && b.n_positions == 2);
    assert_true(b.positions[1].n_best == 16 && b.positions[1].sum == (1ull << 40) + 5);
    assert_true(b.log.index == 3 && b.log.proof.n_hashes == 2);
    buf_init(&out, all.len);
    bundle_write(&b, &out);
    assert_true(str_eq(all, (struct str){out.bytes, out.n_bytes}));
    for (int part = 0; part < BUNDLE_N_PARTS; part++) {
        one = b;
        for (int k = 0; k < BUNDLE_N_PARTS; k++)
            one.has[k] = k == part;
        buf_clear(&out);
        bundle_write(&one, &out);
        assert_false(out.failed);
        assert_ok(canon_read((struct str){out.bytes, out.n_bytes}, &again, NULL));
        assert_ok(bundle_read(&again, again.nodes, &back, NULL));
        assert_int_equal(again.nodes->n_items, 1);
        assert_memory_equal(one.has, back.has, sizeof one.has);
        bundle_release(&back);
        canon_release(&again);
    }
    buf_release(&out);
    bundle_release(&b);
    canon_release(&doc);
    mem_free(owned);
}

static void malformed_parts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *note;
    } cases[] = {
        {"{\"output_ids\":[1,4294967296]}", "\"output_ids\"[1] is no token"},
        {"{\"shown\":[{\"index\":0,\"position\":\"00\",\"proof\":[],\"salt\":\"00\"}]}",
         "\"shown\"[0] is no position"},
        {"{\"shown\":[{\"index\":0}]}", "lacks \"position\""},
        {"{\"logits\":[1]}", "\"logits\" must be"},
        {"{\"prompt_pages\":[\"00\"]}", "\"prompt_pages\" must be"},
        {"{\"prompt_ids\":[\"1\"]}", "\"prompt_ids\"[0] is no token"},
        {"{\"pages\":[\"00\"]}", "\"pages\" must be of 64 hex digits each"},
        {"{\"positions\":[\"00\"]}", "\"positions\"[0] is no position"},
        {"{\"positions\":[1]}", "\"positions\"[0] is no position"},
        {"{\"salt\":\"00\"}", "\"salt\" must be 64"},
        {"{\"salt\":0}", "must be a string"},
        {"{\"log\":{}}", "lacks \"head\""},
        {"{\"reply\":\"\"}", "does not know"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err_note note = {""};
        struct canon_doc doc;
        struct bundle b;
        assert_ok(canon_read(str_from(cases[i].text), &doc, &note));
        assert_int_equal(bundle_read(&doc, doc.nodes, &b, &note), ERR_FORMAT);
        if (!strstr(note.text, cases[i].note))
            fail_msg("%s: %s", cases[i].text, note.text);
        assert_false(b.has[BUNDLE_SALT] || b.pages || b.positions);
        canon_release(&doc);
    }
}

/* A record's bytes are as long as they say, and are what they were made of. */
static void a_record_is_read_as_written(void **state)
{
    (void)state;
    struct position_record r = {70000, 2, {{5, 0x3f800000}, {1, 0x80000001}}, 1ull << 63}, back;
    uint8_t bytes[POSITION_BYTES_MAX];
    size_t n = position_write(&r, bytes);
    assert_int_equal(n, 32);
    assert_true(position_read(bytes, n, &back) && position_equal(&r, &back));
    for (size_t k = 0; k < n; k++)
        assert_false(position_read(bytes, k, &back));
    bytes[12] = 17;
    assert_false(position_read(bytes, 16 + 17 * 8, &back));
}

/* The largest answer that is let in has a bundle that fits and is read; a much larger one's would
 * not. */
static void an_answer_is_bounded_before_it_is_made(void **state)
{
    (void)state;
    enum { TEXT = 3000, PROMPT_IDS = 500, LIMIT = 200000, TOKENS_MAX = 1000 };
    static char text[TEXT];
    static uint32_t ids[TOKENS_MAX];
    static struct position_record records[TOKENS_MAX];
    static struct merkle_hash pages[TOKENS_MAX / 64 + 1], logits[TOKENS_MAX];
    for (size_t i = 0; i < TEXT; i++)
        text[i] = (char)(i % 0x60); /* every escape */
    const struct str all = {text, TEXT};
    size_t n_text_bytes = 2 * canon_text_bytes(all);
    size_t n = bundle_answer_max(n_text_bytes, PROMPT_IDS, true, LIMIT);
    assert_true(n > 300 && n < TOKENS_MAX);
    for (size_t i = 0; i < TOKENS_MAX; i++) {
        ids[i] = UINT32_MAX;
        records[i] = (struct position_record){.id = ids[i], .n_best = COMMITMENT_BEST_MAX};
    }
    for (int beyond = 0; beyond < 2; beyond++) {
        size_t n_tokens = beyond ? n + 150 : n;
        struct bundle b = {.request = all,
                           .prompt = all,
                           .prompt_ids = ids,
                           .n_prompt_ids = PROMPT_IDS,
                           .output_ids = ids,
                           .n_output_ids = n_tokens,
                           .positions = records,
                           .n_positions = n_tokens,
                           .pages = pages,
                           .n_pages = n_tokens / 64 + 1,
                           .logits = logits,
                           .n_logits = n_tokens,
                           .prompt_pages = pages,
                           .n_prompt_pages = PROMPT_IDS / 64};
        struct canon_doc doc;
        struct err_note note;
        struct buf out;
        for (int part = BUNDLE_LOGITS; part < BUNDLE_N_PARTS; part++)
            b.has[part] = true;
        buf_init(&out, LIMIT);
        bundle_write(&b, &out);
        assert_int_equal(out.failed, beyond);
        if (!beyond) {
            assert_ok(canon_read((struct str){out.bytes, out.n_bytes}, &doc, &note));
            canon_release(&doc);
        }
        buf_release(&out);
    }
    struct canon_writer w;
    struct buf out;
    buf_init(&out, LIMIT);
    canon_begin(&w, &out);
    canon_text(&w, all);
    assert_int_equal(out.n_bytes, canon_text_bytes(all));
    buf_release(&out);
    assert_int_equal(bundle_answer_max(LIMIT, 0, false, LIMIT), 0);
    assert_int_equal(bundle_answer_max(LIMIT + 1, 0, false, LIMIT), 0);
    assert_int_equal(bundle_answer_max(0, SIZE_MAX / 2, false, LIMIT), 0);
    assert_true(bundle_answer_max(0, CANON_NODES_MAX - 1000, false, SIZE_MAX) < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_may_stand_alone),
        cmocka_unit_test(malformed_parts_are_refused),
        cmocka_unit_test(a_record_is_read_as_written),
        cmocka_unit_test(an_answer_is_bounded_before_it_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
