/* test_tokenizer_meta.c - tokenizers from GGUF metadata: what is read, and what is refused. */
#include "lib/test.h"

#include "base/mem.h"
#include "text/tokenizer_meta.h"

enum { N_TOKENS = 12 };
static const char *const texts[N_TOKENS] = {"a",  "b",   "c",  "\xc4\xa0", "ab", "abc",
                                            "bc", "<s>", "1",  "12",       "!",  "<|x|>"};
static struct str tokens[N_TOKENS];
static int64_t types[N_TOKENS];
static double scores[N_TOKENS];
static const struct str merges[] = {{"a b", 3}, {"ab c", 4}, {"b c", 3}, {"1 2", 3}};

/* A byte-level vocabulary that knows a few letters. */
static struct tokenizer_meta small_meta(void)
{
    struct tokenizer_meta m;
    for (int i = 0; i < N_TOKENS; i++) {
        tokens[i] = str_from(texts[i]);
        types[i] = TOKEN_NORMAL;
        scores[i] = -i;
    }
    types[7] = TOKEN_CONTROL;
    types[11] = TOKEN_USER;
    tokenizer_meta_init(&m);
    m.model = STR("gpt2");
    m.pre = STR("gpt-2");
    m.tokens = tokens;
    m.types = types;
    m.n_tokens = N_TOKENS;
    m.merges = merges;
    m.n_merges = 3;
    m.bos = m.eos = 7;
    m.add_bos = META_TRUE;
    return m;
}

static void encodes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned flags;
        int32_t ids[8];
        size_t n_ids;
    } cases[] = {
        {"abc", 0, {5}, 1},
        {"abcbc", 0, {5, 6}, 2},
        {"abc", ENCODE_ADD_SPECIAL, {7, 5}, 2},
        {"a<s>b", ENCODE_PARSE_SPECIAL, {0, 7, 1}, 3},
        {"a<s>b", 0, {0, 1}, 2}, /* this vocabulary cannot spell the rest */
        {"a<|x|>b", 0, {0, 11, 1}, 3},
        {" ab", 0, {3, 4}, 2},
        {"", ENCODE_ADD_SPECIAL, {7}, 1},
        {"", 0, {0}, 0},
    };
    struct tokenizer *t;
    struct err_note note;
    struct tokenizer_meta m = small_meta();
    assert_ok(tokenizer_from_meta(&m, &t, &note));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct token_list l = {.n_ids_max = 100};
        assert_ok(tokenizer_encode(t, str_from(cases[i].text), cases[i].flags, &l, &note));
        assert_int_equal(l.n_ids, cases[i].n_ids);
        for (size_t k = 0; k < l.n_ids; k++)
            assert_int_equal(l.ids[k], cases[i].ids[k]);
        token_list_release(&l);
    }
    tokenizer_free(t);
}

static void answers_questions(void **state)
{
    (void)state;
    struct tokenizer *t;
    uint8_t digest[SHA256_BYTES], other[SHA256_BYTES];
    struct tokenizer_meta m = small_meta();
    assert_ok(tokenizer_from_meta(&m, &t, NULL));
    assert_int_equal(tokenizer_n_tokens(t), N_TOKENS);
    assert_int_equal(tokenizer_bos(t), 7);
    assert_int_equal(tokenizer_unk(t), TOKEN_NONE);
    assert_true(tokenizer_adds_bos(t));
    assert_false(tokenizer_adds_eos(t));
    assert_true(tokenizer_is_eog(t, 7));
    assert_false(tokenizer_is_eog(t, 5));
    assert_false(tokenizer_is_eog(t, -1));
    assert_int_equal(tokenizer_token_id(t, STR("abc")), 5);
    assert_int_equal(tokenizer_token_id(t, STR("nothing")), TOKEN_NONE);
    assert_int_equal(tokenizer_token_type(t, 11), TOKEN_USER);
    assert_true(str_is(tokenizer_token_text(t, 11), "<|x|>"));
    assert_ok(tokenizer_hash(t, digest, NULL));
    tokenizer_free(t);
    m.n_merges = 2;
    assert_ok(tokenizer_from_meta(&m, &t, NULL));
    assert_ok(tokenizer_hash(t, other, NULL));
    assert_memory_not_equal(digest, other, SHA256_BYTES);
    tokenizer_free(t);
}

static void refuses_more_than_fits(void **state)
{
    (void)state;
    struct tokenizer *t;
    struct err_note note;
    struct tokenizer_meta m = small_meta();
    struct token_list l = {.n_ids_max = 2};
    assert_ok(tokenizer_from_meta(&m, &t, &note));
    assert_int_equal(tokenizer_encode(t, STR("a!a!"), 0, &l, &note), ERR_LIMIT);
    assert_int_equal(l.n_ids, 0);
    assert_ok(tokenizer_encode(t, STR("a!"), 0, &l, &note));
    assert_int_equal(l.n_ids, 2);
    static const int32_t bad = N_TOKENS;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(tokenizer_decode(t, &bad, 1, 0, &b, &note), ERR_FORMAT);
    assert_string_equal(note.text, "token 12 is outside the vocabulary of 12");
    buf_release(&b);
    token_list_release(&l);
    tokenizer_free(t);
}

static void refused(struct tokenizer_meta m, enum err rc, const char *sentence)
{
    struct tokenizer *t;
    struct err_note note = {""};
    assert_int_equal(tokenizer_from_meta(&m, &t, &note), rc);
    assert_null(t);
    assert_string_equal(note.text, sentence);
}

static void refuses_bad_metadata(void **state)
{
    (void)state;
    struct tokenizer_meta m = small_meta();
    static const struct str unknown_left = STR("q a"), one = STR("ab"), nothing = STR("b a");
    m.merges = &unknown_left;
    m.n_merges = 1;
    refused(m, ERR_FORMAT, "merge 0 \"q a\": its left part is not in the vocabulary");
    m.merges = &one;
    refused(m, ERR_FORMAT, "merge 0 \"ab\" is not two tokens and a space");
    m.merges = &nothing;
    refused(m, ERR_FORMAT, "merge 0 \"b a\": the merged token is not in the vocabulary");
    m = small_meta();
    tokens[3] = STR("ab");
    refused(m, ERR_FORMAT, "tokens 3 and 4 are both \"ab\"");
    m = small_meta();
    tokens[3] = STR("\xff");
    refused(m, ERR_FORMAT, "token 3 is not valid UTF-8");
    m = small_meta();
    types[2] = 9;
    refused(m, ERR_FORMAT, "token 2 \"c\" has type 9, expected 1 to 6");
    m = small_meta();
    m.bos = 12;
    refused(m, ERR_FORMAT, "the bos token is 12, the vocabulary has 12");
    m = small_meta();
    m.pre = STR("nonsense");
    refused(m, ERR_UNSUPPORTED, "pre-tokenizer \"nonsense\" is not supported");
    m = small_meta();
    m.model = STR("rwkv");
    refused(m, ERR_UNSUPPORTED, "tokenizer model \"rwkv\" is not supported");
    m = small_meta();
    m.model = STR("llama");
    m.n_merges = 0;
    refused(m, ERR_FORMAT, "tokenizer.ggml.scores is missing");
    m.scores = scores;
    scores[4] = __builtin_nan("");
    refused(m, ERR_NUMERIC, "the score of token 4 is not finite");
    m.n_tokens = 0;
    refused(m, ERR_LIMIT, "a vocabulary of 0 tokens; 1 to 4194304 are supported");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes),
        cmocka_unit_test(answers_questions),
        cmocka_unit_test(refuses_more_than_fits),
        cmocka_unit_test(refuses_bad_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
