/* test_breakers.c - where in tokens a text may lie. */
#include "lib/test.h"

#include "text/breakers.h"
#include "text/tokenizer_meta.h"

/* <0x00>..<0xFF>, then the tokens below. */
enum { XA = 256, ABC, XABX, ABAB, PLAIN, CONTROL, N_TOKENS };

static struct tokenizer *byte_tokenizer(void)
{
    static struct str tokens[N_TOKENS];
    static char texts[256][8];
    static int64_t types[N_TOKENS];
    static double scores[N_TOKENS];
    static const char *const words[] = {"xa", "abc", "xabx", "zabab", "plain", "<|ab|>"};
    struct tokenizer *t;
    struct err_note note;
    struct tokenizer_meta m;
    for (int i = 0; i < 256; i++) {
        snprintf(texts[i], sizeof texts[i], "<0x%02X>", i);
        tokens[i] = str_from(texts[i]);
        types[i] = TOKEN_BYTE;
    }
    for (int i = XA; i < N_TOKENS; i++) {
        tokens[i] = str_from(words[i - XA]);
        types[i] = i == CONTROL ? TOKEN_CONTROL : TOKEN_NORMAL;
        scores[i] = -1;
    }
    tokenizer_meta_init(&m);
    m.model = STR("llama");
    m.tokens = tokens;
    m.types = types;
    m.scores = scores;
    m.n_tokens = N_TOKENS;
    m.add_space_prefix = false;
    assert_ok(tokenizer_from_meta(&m, &t, &note));
    return t;
}

/* "256:98,99 257" for a head with a tail and one without. */
static void assert_breakers(const struct tokenizer *t, const char *const *texts, size_t n,
                            const char *wanted)
{
    struct str items[4];
    struct breakers b;
    struct err_note note = {""};
    char found[400] = "";
    for (size_t i = 0; i < n; i++)
        items[i] = str_from(texts[i]);
    assert_ok(breakers_find(t, items, n, &b, &note));
    for (size_t i = 0; i < b.n_items; i++) {
        size_t at = strlen(found);
        at +=
            (size_t)snprintf(found + at, sizeof found - at, "%s%d", i ? " " : "", b.items[i].head);
        for (uint32_t k = 0; k < b.items[i].n_tail; k++)
            at += (size_t)snprintf(found + at, sizeof found - at, "%c%d", k ? ',' : ':',
                                   b.tails.ids[b.items[i].tail + k]);
    }
    assert_string_equal(found, wanted);
    breakers_release(&b);
}

static void texts_lie_in_and_across_tokens(void **state)
{
    (void)state;
    struct tokenizer *t = byte_tokenizer();
    /* 'b' alone is a byte (98) and inside four tokens. */
    assert_breakers(t, (const char *[]){"b"}, 1, "98 257 258 259 261");
    /* 'a' then 'b': after the byte 'a' (97) and after "xa". "zabab" holds it. */
    assert_breakers(t, (const char *[]){"ab"}, 1, "97:98 256:98 257 258 259 261");
    /* "abac" may begin at both a's of "zabab": "abab" is no beginning of it, "ab" is. */
    assert_breakers(t, (const char *[]){"abac"}, 1, "97:98,97,99 256:98,97,99 259:97,99");
    /* Twice the same text is the same as once; another text adds to it. */
    assert_breakers(t, (const char *[]){"ac", "ac", "ad"}, 3, "97:99 97:100 256:99 256:100");
    assert_breakers(t, (const char *[]){"Z"}, 0, "");
    tokenizer_free(t);
}

static void wrong_texts_are_refused(void **state)
{
    (void)state;
    struct tokenizer *t = byte_tokenizer();
    struct breakers b;
    struct err_note note;
    char text[BREAKER_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    struct str empty = STR(""), limit = {text, BREAKER_BYTES_MAX}, above = {text, sizeof text};
    assert_int_equal(breakers_find(t, &empty, 1, &b, &note), ERR_USAGE);
    assert_int_equal(breakers_find(t, &above, 1, &b, &note), ERR_USAGE);
    assert_non_null(strstr(note.text, "41 bytes; at most 40"));
    assert_ok(breakers_find(t, &limit, 1, &b, &note));
    breakers_release(&b);
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_lie_in_and_across_tokens),
        cmocka_unit_test(wrong_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
