/* test_regex.c - Oniguruma's dialect on PCRE2: what matches, and what is refused.
 *
 * Expected matches are those of `tokenizers` (pre_tokenizers.Split with the same Regex). */
#include "lib/test.h"

#include "base/mem.h"
#include "text/regex.h"

/* All matches of pattern in text, joined by "|". */
static void find_all(const char *pattern, struct str text, struct buf *out)
{
    struct regex *r;
    struct err_note note = {""};
    struct buf copy;
    size_t from = 0, start, end;
    if (regex_new(str_from(pattern), &r, &note) != ERR_OK)
        fail_msg("%s: %s", pattern, note.text);
    struct regex_scratch *scratch = regex_scratch_new();
    buf_init(&copy, text.len);
    buf_clear(out);
    buf_str(out, "");
    struct str subject = regex_stand_in(text, &copy);
    assert_int_equal(subject.len, text.len);
    while (from <= text.len &&
           regex_find(r, scratch, subject, from, &start, &end, &note) == ERR_OK) {
        assert_true(end > start);
        if (out->n_bytes)
            buf_char(out, '|');
        buf_add(out, text.ptr + start, end - start);
        from = end;
    }
    buf_release(&copy);
    regex_scratch_free(scratch);
    regex_free(r);
}

static void matches_as_oniguruma(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *matches;
    } cases[] = {
        {"\\s+", "a \xe1\xa0\x8e b\xc2\xa0\xe2\x80\x83",
         " | |\xc2\xa0\xe2\x80\x83"}, /* U+180E is no space */
        {"\\w+", "caf\xc3\xa9_1 \xc2\xb2\xc2\xbd \xe0\xa5\x90\xe0\xa4\xbe!",
         "caf\xc3\xa9_1|\xc2\xb2\xc2\xbd|\xe0\xa5\x90\xe0\xa4\xbe"},
        {"\\W", "a\xcc\x81-", "-"}, /* a mark is a word character */
        {"\\h+", "xyz12fG", "12f"},
        {"[^\\S\\n]+", "a \t\n b", " \t| "},
        {"\\p{Han}+", "\xe3\x80\x81\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x81\x82",
         "\xe4\xbd\xa0\xe5\xa5\xbd"},
        {"[\\p{L}&&[^\\p{Han}]]+", "ab\xe4\xbd\xa0" "c", "ab|c"},
        {"[a-z&&[^aeiou]&&[^xyz]]+", "abcxyzd", "bc|d"},
        {"[^a-c&&[b-z]]+", "abcd", "a|d"},
        {"[ab[cd]]+", "abcdef", "abcd"},
        {"[a[^b-z]]+", "ab1a", "a|1a"},
        {"[^(\\s|[.,])]+", "(a|b) c.d", "a|b|c|d"},
        {"\\p{N}{1,2}+x", "1234x", "1234x"}, /* repeats, is not possessive */
        {"a{2}?b", "aab ab b", "aab|b|b"},   /* two or none */
        {"a{,2}b", "aaab b", "aab|b"},
        {"(?i:'s|'t)", "'s'S'\xc5\xbf't", "'s|'S|'\xc5\xbf|'t"},
        {"x$", "x\nx", "x|x"}, /* every line has an end */
        {"(?m:a.b)", "a\nb", "a\nb"},
        {"a.b", "a\nb a-b", "a-b"},
        {"\\bfoo\\b", "foo foo\xcc\x81 foo", "foo|foo"},
        {"\\p{^L}+|\\P{N}", "a1-", "a|1-"},
        {"\\u0041+\\x{42}", "AAB", "AAB"},
        {"[[:space:][:digit:]]+", "a 1\xd9\xa1 b", " 1\xd9\xa1 "},
        {"[]a]+", "a]b", "a]"},
        /* newer than Unicode 14: a letter, a capital with its small, a digit, a symbol */
        {"\\p{L}+", "\xf0\xb1\x8d\x90!", "\xf0\xb1\x8d\x90"},
        {"\\p{Lu}\\p{Ll}", "\xe1\xb2\x89\xe1\xb2\x8a", "\xe1\xb2\x89\xe1\xb2\x8a"},
        {"\\p{N}|\\p{S}", "\xf0\x90\xb5\x80\xe2\x90\xa7", "\xf0\x90\xb5\x80|\xe2\x90\xa7"},
    };
    struct buf found;
    buf_init(&found, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        find_all(cases[i].pattern, str_from(cases[i].text), &found);
        if (strcmp(found.bytes, cases[i].matches) != 0)
            fail_msg("%s in \"%s\": \"%s\", want \"%s\"", cases[i].pattern, cases[i].text,
                     found.bytes, cases[i].matches);
    }
    buf_release(&found);
}

static void refuses_in_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *sentence;
    } cases[] = {
        {"[a-z", "regular expression \"[a-z\": a [ is never closed"},
        {"a(b",
         "regular expression \"a(b\" does not compile at byte 3: missing closing parenthesis"},
        {"\\p{Nonsense}",
         "regular expression \"\\p{Nonsense}\" does not compile at byte 15: unknown property after "
         "\\P or \\p"},
        {"\\pL", "regular expression \"\\pL\": \\p without {name} at byte 0"},
        {"a\\", "regular expression \"a\\\": a lone backslash at byte 1"},
        {"(?x: a)", "regular expression \"(?x: a)\": the extended option at byte 2"},
        {"[[:punct:]]", "regular expression \"[[:punct:]]\": a POSIX bracket that is not supported "
                        "at byte 1"},
        {"[[[[[[[[[[a]]]]]]]]]]",
         "regular expression \"[[[[[[[[[[a]]]]]]]]]]\": classes nested too deep at byte 9"},
        {"\xff", "a regular expression is not valid UTF-8 text"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct regex *r;
        struct err_note note = {""};
        assert_int_not_equal(regex_new(str_from(cases[i].pattern), &r, &note), ERR_OK);
        assert_null(r);
        assert_string_equal(note.text, cases[i].sentence);
    }
}

/* A pattern that needs exponential work on this text gives up instead of hanging. */
static void gives_up(void **state)
{
    (void)state;
    struct regex *r;
    struct err_note note = {""};
    size_t start, end;
    assert_ok(regex_new(STR("(a+)+$b"), &r, &note));
    struct regex_scratch *scratch = regex_scratch_new();
    enum err rc = regex_find(r, scratch, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
                             0, &start, &end, &note);
    assert_true(rc == ERR_LIMIT || rc == ERR_NOT_FOUND);
    regex_scratch_free(scratch);
    regex_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_oniguruma),
        cmocka_unit_test(refuses_in_one_line),
        cmocka_unit_test(gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
