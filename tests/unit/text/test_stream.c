/* test_stream.c - text comes in whole characters, equal to the repair of all bytes. */
#include "lib/test.h"

#include "base/mem.h"
#include "text/stops.h"
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
        {"a\xc3\xa9", {"a", "", "é"}, ""},  {"\xf0\x9f\x98\x80", {"", "", "", "😀"}, ""},
        {"\xe2\x82", {"", ""}, R},          {"\xe2\x82x", {"", "", R "x"}, ""},
        {"\xff\xc3", {R, ""}, R},           {"\xe0\x80", {"", R R}, ""},
        {"\xed\xa0\x80", {"", R R, R}, ""}, {"\xf0\x9f\xe2\x82\xac", {"", "", R, "", "€"}, ""},
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

static void add_letters(char *text, int n, uint64_t *seed)
{
    static const char *const letters[] = {"a", "b", "\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9d\x84\x9e"};
    for (size_t length = 0; n > 0; n--) {
        const char *letter = letters[test_rand(seed) % 5];
        memcpy(text + length, letter, strlen(letter) + 1);
        length += strlen(letter);
    }
}

/* Characters come byte by byte, stop strings begin and end inside them as they like: what gets out
 * is the text before the first stop string. */
static void stops_lie_across_tokens_and_characters(void **state)
{
    (void)state;
    struct tokenizer *t = byte_tokenizer();
    uint64_t seed = 4;
    int n_found = 0;
    for (int round = 0; round < 500; round++) {
        char text[200] = "", stop_text[2][20] = {"", ""};
        struct str items[2];
        struct stream s;
        struct stops stops;
        struct buf piece, out;
        add_letters(text, 30, &seed);
        for (int i = 0; i < 2; i++) {
            add_letters(stop_text[i], 1 + (int)(test_rand(&seed) % 3), &seed);
            items[i] = str_from(stop_text[i]);
        }
        const char *a = strstr(text, stop_text[0]), *b = strstr(text, stop_text[1]);
        const char *end = a && (!b || a < b) ? a : b ? b : text + strlen(text);
        n_found += a || b;
        stream_init(&s, t, DECODE_CONTINUE);
        stops_init(&stops, items, 2);
        buf_init(&piece, 1000);
        buf_init(&out, 1000);
        for (const char *at = text; *at; at++) {
            buf_clear(&piece);
            stream_add(&s, (uint8_t)*at, &piece);
            stops_add(&stops, (struct str){piece.bytes, piece.n_bytes}, &out);
            assert_true(out.n_bytes <= (size_t)(end - text));
        }
        stops_end(&stops, &out);
        assert_int_equal(out.n_bytes, end - text);
        assert_memory_equal(out.bytes ? out.bytes : "", text, out.n_bytes);
        assert_int_equal(stops.found, a || b);
        stops_release(&stops);
        buf_release(&piece);
        buf_release(&out);
    }
    assert_true(n_found > 200 && n_found < 500);
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emits_whole_characters),
        cmocka_unit_test(equals_repair_of_everything),
        cmocka_unit_test(strips_the_added_space_only),
        cmocka_unit_test(stops_lie_across_tokens_and_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
