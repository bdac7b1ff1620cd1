/* test_regex.c - what regular expressions match as a whole, and what is refused by name. */
#include "lib/probe.h"

#include "base/mem.h"

static const struct probe_case cases[] = {
    {"abc", {"abc"}, {"", "ab", "abcd", "xabc"}},
    {"", {""}, {"a"}},
    {"a|bc|", {"a", "bc", ""}, {"b", "abc"}},
    {"(ab)+c?", {"ab", "abab", "ababc"}, {"", "c", "aba"}},
    {"(?:a|b){2}(?<name>x)(?P<other>y)", {"abxy", "aaxy"}, {"axy", "abx"}},
    {"a{2,3}b{2,}c{0,1}", {"aabb", "aaabbbbc"}, {"abb", "aab", "aaaabb", "aabbcc"}},
    {"a*?b+?c??", {"b", "aabbc"}, {"a", "bcc"}},
    {"\\d{3}-\\d{4}", {"555-1234"}, {"5551234", "555-123", "\xd9\xa1\xd9\xa1\xd9\xa1-1234"}},
    {"\\w+\\s\\W\\S\\D", {"a_1 -xy", "Z\t.\xc3\xa9k"}, {"a_1 b-y", "- -xy", "a -x1"}},
    {"[^\\d\\s]+", {"ab", "\xe2\x82\xac"}, {"", "1", "a b"}},
    {"[\\D]", {"a"}, {"7"}},
    {"[]a]b]|[^]", {"x", "\n"}, {"", "ab]"}},
    {"[a\\-z.\\]$^|()*]+", {"a-z.]$^|()*"}, {"b", "\\"}},
    {"[-a][a-]", {"--", "a-", "-a"}, {"b-", "-"}},
    {".", {"a", "\xf0\x9f\x98\x80"}, {"\n", "\r", "\xe2\x80\xa8", "", "ab"}},
    {"\\x41\\u00e9\\u{1F600}\\ud83d\\ude00\\t\\/\\.",
     {"A\xc3\xa9\xf0\x9f\x98\x80\xf0\x9f\x98\x80\t/."},
     {"A"}},
    {"^a$|^b|c$", {"a", "b", "c"}, {"", "ab"}},
    {"(^|a)b($|c)", {"b", "ab", "bc", "abc"}, {"", "a", "bb"}},
    {"^(\\+|-)?[0-9]+(\\.[0-9]*)?$", {"+1", "-0.5", "12."}, {"+", ".5", "1.2.3"}},
    {"{a}{,}x{", {"{a}{,}x{"}, {"a"}},
    {"(a|aa|aaa)*b", {"b", "aaaaaaaaaaaaaaaaaaaaab"}, {"a", ""}},
    {"(x+x+)+y", {"xxy", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxy"}, {"xy", "xxxxxxxxxxxxxxxxxxxxxxxxxx"}},
    {".*a.{12}", {"a123456789012", "aaaaaaaaaaaaaaaaaaaaaaa"}, {"a12345678901", "b123456789012"}},
    {"[\xc3\xa0-\xc3\xbf]\xe2\x82\xac", {"\xc3\xa9\xe2\x82\xac"}, {"e\xe2\x82\xac", "\xc3\xa9"}},
    {"(2025|2026)-(0[1-9]|1[0-2])", {"2025-01", "2026-12"}, {"2025-13", "2027-01"}},
};

static void expressions_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        probe_case(&cases[i], grammar_from_regex);
}

static void unsupported_expressions_are_refused(void **state)
{
    (void)state;
    static const struct probe_refusal refusals[] = {
        {"(a)\\1", ERR_UNSUPPORTED, "byte 5: back references are not regular"},
        {"(?<x>a)\\k<x>", ERR_UNSUPPORTED, "back references"},
        {"(?=a)", ERR_UNSUPPORTED, "look-around"},
        {"(?!a)", ERR_UNSUPPORTED, "look-around"},
        {"(?<=a)", ERR_UNSUPPORTED, "look-around"},
        {"(?<!a)", ERR_UNSUPPORTED, "look-around"},
        {"(?i)a", ERR_UNSUPPORTED, "flags"},
        {"(?>a)", ERR_UNSUPPORTED, "atomic"},
        {"a*+", ERR_UNSUPPORTED, "possessive"},
        {"\\bword\\b", ERR_UNSUPPORTED, "word borders"},
        {"\\p{L}", ERR_UNSUPPORTED, "Unicode properties"},
        {"\\Aa", ERR_UNSUPPORTED, "^ and $"},
        {"[[:alpha:]]", ERR_UNSUPPORTED, "POSIX"},
        {"a^b", ERR_UNSUPPORTED, "ends of alternatives"},
        {"a$b", ERR_UNSUPPORTED, "ends of alternatives"},
        {"(^a)*", ERR_UNSUPPORTED, "cannot be repeated"},
        {"a{,3}", ERR_UNSUPPORTED, "{0,n}"},
        {"*a", ERR_FORMAT, "nothing to repeat"},
        {"a**", ERR_FORMAT, "nothing to repeat"},
        {"(a", ERR_FORMAT, "\")\" is missing"},
        {"a)", ERR_FORMAT, "closes nothing"},
        {"[a", ERR_FORMAT, "\"]\" is missing"},
        {"[z-a]", ERR_FORMAT, "backwards"},
        {"[a-\\d]", ERR_FORMAT, "cannot end with a class"},
        {"\\", ERR_FORMAT, "a backslash ends it"},
        {"\\q", ERR_FORMAT, "not known"},
        {"\\x4", ERR_FORMAT, "hexadecimal"},
        {"\\ud800", ERR_FORMAT, "names no character"},
        {"\\u{110000}", ERR_FORMAT, "names no character"},
        {"a{3,2}", ERR_FORMAT, "below its minimum"},
        {"a{200000}", ERR_LIMIT, "100000"},
        {"\xff", ERR_FORMAT, "not UTF-8"},
        {"[]", ERR_FORMAT, "no text at all"},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        probe_refusal(&refusals[i], grammar_from_regex);
}

static void long_expressions_are_taken(void **state)
{
    (void)state;
    enum { N = 20000 };
    static char text[2 * N + 1];
    struct grammar *g;
    for (int i = 0; i < N; i++) {
        text[2 * i] = (char)('a' + i % 26);
        text[2 * i + 1] = '|';
    }
    text[2 * N - 1] = 0;
    assert_ok(grammar_from_regex(str_from(text), NULL, &g, NULL));
    grammar_free(g);
    for (int i = 0; i < 2 * N - 1; i++)
        text[i] = 'a';
    assert_ok(grammar_from_regex(str_from(text), NULL, &g, NULL));
    assert_true(grammar_n_states(g) >= 2 * N - 1);
    grammar_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_match),
        cmocka_unit_test(unsupported_expressions_are_refused),
        cmocka_unit_test(long_expressions_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
