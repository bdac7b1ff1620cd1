/* test_stream.c - text comes in whole characters, equal to the repair of all bytes. */
#include "lib/test.h"

#include "base/mem.h"
#include "text/stream.h"
#include "text/tokenizer_meta.h"
#include "text/utf8.h"

#define R "\xef\xbf\xbd"

/* <0x00>..<0xFF>, then the tokens below. */
enum { HELLO = 256, WORLD, CONTROL, N_TOKENS };

static struct tokenizer *byte_tokenizer(void)
{
    static struct str tokens[N_TOKENS];
    static char texts[256][8];
    static int64_t types[N_TOKENS];
    static double scores[N_TOKENS];
    struct tokenizer *t;
    struct err_note note;
    struct tokenizer_meta m;
    for (int i = 0; i < 256; i++) {
        snprintf(texts[i], sizeof texts[i], "<0x%02X>", i);
        tokens[i] = str_from(texts[i]);
        types[i] = TOKEN_BYTE;
    }
    tokens[HELLO] = STR("\xe2\x96\x81hello");
    tokens[WORLD] = STR("\xe2\x96\x81world");
    tokens[CONTROL] = STR("<|end|>");
    types[HELLO] = types[WORLD] = TOKEN_NORMAL;
    types[CONTROL] = TOKEN_CONTROL;
    tokenizer_meta_init(&m);
    m.model = STR("llama");
    m.tokens = tokens;
    m.types = types;
    m.scores = scores;
    m.n_tokens = N_TOKENS;
    assert_ok(tokenizer_from_meta(&m, &t, &note));
    return t;
}

static void emits_whole_characters(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *after_each[6]; /* what each byte adds */
        const char *at_end;
    } cases[] = {
        {"a\xc3\xa9", {"a", "", "é"}, ""},
        {"\xf0\x9f\x98\x80", {"", "", "", "😀"}, ""},
        {"\xe2\x82", {"", ""}, R},
        {"\xe2\x82x", {"", "", R "x"}, ""},
        {"\xff\xc3", {R, ""}, R},
        {"\xe0\x80", {"", R R}, ""},
        {"\xed\xa0\x80", {"", R R, R}, ""},
        {"\xf0\x9f\xe2\x82\xac", {"", "", R, "", "€"}, ""},
        {"\xc3\xc3\xa9", {"", R, "é"}, ""},
    };
    struct tokenizer *t = byte_tokenizer();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stream s;
        struct buf b;
        buf_init(&b, 100);
        stream_init(&s, t, 0);
        for (size_t k = 0; cases[i].bytes[k]; k++) {
            buf_clear(&b);
            buf_str(&b, "");
            stream_add(&s, (unsigned char)cases[i].bytes[k], &b);
            assert_string_equal(b.bytes, cases[i].after_each[k]);
        }
        buf_clear(&b);
        stream_end(&s, &b);
        assert_string_equal(b.bytes, cases[i].at_end);
        buf_release(&b);
    }
    tokenizer_free(t);
}

static void equals_repair_of_everything(void **state)
{
    (void)state;
    static const char pool[] = "a \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0"
                               "\xff\xc0\xf4\x90\xe0\x7f\xbf";
    struct tokenizer *t = byte_tokenizer();
    uint64_t seed = 7;
    for (int round = 0; round < 3000; round++) {
        struct buf bytes, streamed, repaired;
        struct stream s;
        buf_init(&bytes, 100);
        buf_init(&streamed, 1000);
        buf_init(&repaired, 1000);
        stream_init(&s, t, DECODE_CONTINUE);
        for (int i = 0; i < 12; i++) {
            unsigned char c = (unsigned char)pool[test_rand(&seed) % (sizeof pool - 1)];
            buf_char(&bytes, (char)c);
            stream_add(&s, c, &streamed);
            assert_true(!streamed.n_bytes || utf8_valid(streamed.bytes, streamed.n_bytes));
        }
        stream_end(&s, &streamed);
        utf8_repair((struct str){bytes.bytes, bytes.n_bytes}, &repaired);
        assert_int_equal(streamed.n_bytes, repaired.n_bytes);
        assert_memory_equal(streamed.bytes, repaired.bytes, repaired.n_bytes);
        buf_release(&bytes);
        buf_release(&streamed);
        buf_release(&repaired);
    }
    tokenizer_free(t);
}

/* The space that SentencePiece adds goes, once, unless the text continues another. */
static void strips_the_added_space_only(void **state)
{
    (void)state;
    static const struct {
        unsigned flags;
        const char *text;
    } cases[] = {{0, "hello world"},
                 {DECODE_CONTINUE, " hello world"},
                 {DECODE_SPECIAL, "<|end|> hello world"}};
    struct tokenizer *t = byte_tokenizer();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static const int32_t ids[] = {CONTROL, HELLO, WORLD};
        struct stream s;
        struct buf b;
        buf_init(&b, 100);
        stream_init(&s, t, cases[i].flags);
        for (size_t k = 0; k < COUNT_OF(ids); k++)
            stream_add(&s, ids[k], &b);
        stream_end(&s, &b);
        assert_string_equal(b.bytes, cases[i].text);
        buf_clear(&b);
        assert_ok(tokenizer_decode(t, ids, COUNT_OF(ids), cases[i].flags, &b, NULL));
        assert_string_equal(b.bytes, cases[i].text);
        buf_release(&b);
    }
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emits_whole_characters),
        cmocka_unit_test(equals_repair_of_everything),
        cmocka_unit_test(strips_the_added_space_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
