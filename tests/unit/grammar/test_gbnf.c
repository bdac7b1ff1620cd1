/* test_gbnf.c - what GBNF grammars match, and how malformed ones are refused. */
#include "lib/probe.h"

#include "base/mem.h"

static const struct probe_case cases[] = {
    {"root ::= \"a\"", {"a"}, {"", "aa", "b"}},
    {"root ::= \"a\" | \"b\" \"c\"", {"a", "bc"}, {"", "b", "ac", "c"}},
    {"root ::= [a-c]+ \"!\"?", {"a", "abcabc", "c!"}, {"", "!", "d", "a!!"}},
    {"root ::= x* y\nx ::= \"x\"\ny ::= \"y\"", {"y", "xy", "xxxxxy"}, {"", "x", "yx", "yy"}},
    {"# a comment\nroot ::= ( \"a\" |\n  \"b\" # another\n ) \"c\" # last",
     {"ac", "bc"},
     {"a", "cc"}},
    {"root ::=\n  \"a\" |\n  \"b\"\n  | \"c\"\n", {"a", "b", "c"}, {"", "ab"}},
    {"root ::= \"a\"{3}", {"aaa"}, {"", "aa", "aaaa"}},
    {"root ::= \"a\"{2,}", {"aa", "aaaaaaa"}, {"", "a"}},
    {"root ::= (\"a\" | \"b\"){1,3}", {"a", "aba", "bb"}, {"", "abab"}},
    {"root ::= \"a\"{0,2} \"b\"", {"b", "ab", "aab"}, {"aaab", "a"}},
    {"root ::= [^a\\n]", {"b", "\xc3\xa9", "\xf0\x9f\x98\x80", " "}, {"a", "\n", "", "\xc3", "bb"}},
    {"root ::= .",
     {"b", "\n", "\xe2\x82\xac"},
     {"", "\xff", "\x80", "\xed\xa0\x80", "bb", "\xe2\x82"}},
    {"root ::= [\xc3\xa0-\xc3\xbf]+",
     {"\xc3\xa9", "\xc3\xa0\xc3\xbf"},
     {"\xc3\x9f", "e", "\xc4\x80"}},
    {"root ::= \"\\x41\\u00e9\\U0001F600\\n\\t\\\"\\\\\"",
     {"A\xc3\xa9\xf0\x9f\x98\x80\n\t\"\\"},
     {"A"}},
    {"root ::= [\\x00-\\x1F\\]a\\-]", {"\x01", "]", "a", "-"}, {"b", " ", "\\"}},
    {"root ::= [a-]", {"a", "-"}, {"b"}},
    {"root ::= \"\" | \"a\" root \"b\"", {"", "ab", "aaabbb"}, {"a", "b", "aab", "abb", "ba"}},
    {"root ::= s\ns ::= \"(\" s \")\" s | \"\"", {"", "()", "(()())()"}, {"(", ")", "(()", "())"}},
    {"root ::= \"x\" (([a-z]{1000}){1000}){0,1000}", {"x"}, {"", "xa", "xaz"}},
    {"root ::= e\ne ::= t (\"+\" t)*\nt ::= f (\"*\" f)*\nf ::= [0-9]+ | \"(\" e \")\"",
     {"1", "1+2*3", "(1+2)*3", "((((7))))"},
     {"", "1+", "(1", "1)", "+1"}},
    /* Ambiguous: many readings, one language. */
    {"root ::= (\"a\"* \"a\"*)* \"b\"", {"b", "aaaaaaaaaaaaaaaaaaaab"}, {"", "a", "ba"}},
    {"root ::= s\ns ::= \"a\" | \"a\" s \"b\" | \"a\" s \"c\"",
     {"a", "aab", "aaabc", "aaaacbc"},
     {"", "aa", "ab", "aabb", "aaaabc"}},
    {"root ::= x x x\nx ::= \"a\"?", {"", "a", "aa", "aaa"}, {"aaaa", "b"}},
    /* The end of one rule decided by what follows it. */
    {"root ::= word \" \" word | word\nword ::= [a-z]+", {"ab", "ab cd"}, {" ", "ab ", "ab cd ef"}},
    {"root ::= a-b_1\na-b_1 ::= \"x\"", {"x"}, {""}},
    {"root ::= dead | \"x\"\ndead ::= \"y\" dead", {"x"}, {"y", "yy", ""}},
};

static void grammars_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        probe_case(&cases[i], grammar_from_gbnf);
}

static void malformed_grammars_are_refused(void **state)
{
    (void)state;
    static const struct probe_refusal refusals[] = {
        {"", ERR_FORMAT, "no rule \"root\""},
        {"x ::= \"a\"", ERR_FORMAT, "no rule \"root\""},
        {"root ::= x", ERR_FORMAT, "\"x\" is used but nowhere defined"},
        {"root ::= \"a\"\nroot ::= \"b\"", ERR_FORMAT, "line 2"},
        {"root ::= \"a", ERR_FORMAT, "ends within a text"},
        {"root ::= [a", ERR_FORMAT, "ends within"},
        {"root ::= (\"a\"", ERR_FORMAT, "\")\" is missing"},
        {"root ::= \"a\")", ERR_FORMAT, "the rule should end here"},
        {"root ::= \"\\q\"", ERR_FORMAT, "column 12: an escape that GBNF does not know"},
        {"root ::= \"\\ud800\"", ERR_FORMAT, "names no character"},
        {"root ::= \"\\u00\"", ERR_FORMAT, "hexadecimal"},
        {"root ::= [z-a]", ERR_FORMAT, "backwards"},
        {"root ::= \"a\"{3,2}", ERR_FORMAT, "below its minimum"},
        {"root ::= \"a\"{x}", ERR_FORMAT, "needs a number"},
        {"root ::= \"a\"{2", ERR_FORMAT, "\"}\" is missing"},
        {"root ::= \"a\"{200000}", ERR_LIMIT, "100000"},
        {"root ::= \"\xff\"", ERR_FORMAT, "not UTF-8"},
        {"root = \"a\"", ERR_FORMAT, "\"::=\""},
        {"root ::= &", ERR_FORMAT, "begins nothing"},
        {"root ::= <think>", ERR_UNSUPPORTED, "tokens cannot be named"},
        {"root ::= root \"a\" | \"a\"", ERR_UNSUPPORTED, "\"root\" begins with itself"},
        {"root ::= a\na ::= \"x\"? b\nb ::= a \"y\" | \"z\"", ERR_UNSUPPORTED, "left recursion"},
        {"root ::= n root | \"a\"\nn ::= \"b\"?", ERR_UNSUPPORTED, "left recursion"},
        {"root ::= \"a\" root", ERR_FORMAT, "no text at all"},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        probe_refusal(&refusals[i], grammar_from_gbnf);
}

static void limits_are_named(void **state)
{
    (void)state;
    struct grammar *g;
    struct err_note note = {""};
    const struct grammar_limits few_steps = {.n_steps_max = 50}, few_states = {.n_states_max = 20};
    struct str text = STR("root ::= [a-z]{30} \"x\"");
    assert_int_equal(grammar_from_gbnf(text, &few_steps, &g, &note), ERR_LIMIT);
    assert_non_null(strstr(note.text, "50 steps"));
    assert_int_equal(grammar_from_gbnf(text, &few_states, &g, &note), ERR_LIMIT);
    assert_non_null(strstr(note.text, "20 states"));
    char deep[600];
    snprintf(deep, sizeof deep, "root ::= %0*d", 300, 0);
    memset(deep + 9, '(', 300);
    assert_int_equal(grammar_from_gbnf(str_from(deep), NULL, &g, &note), ERR_LIMIT);
    assert_non_null(strstr(note.text, "parentheses"));
}

static void failed_allocations_are_errors(void **state)
{
    (void)state;
    struct str text = STR("root ::= (\"a\" | b){2,3} [^x-z]\nb ::= \"b\" root? ([a-z]{70}){70}");
    uint64_t n = 1;
    for (bool done = false; !done; n++) {
        struct grammar *g;
        struct err_note note = {""};
        mem_fault_after(n);
        enum err rc = grammar_from_gbnf(text, NULL, &g, &note);
        done = rc == ERR_OK;
        mem_fault_after(0);
        if (!done) {
            assert_int_equal(rc, ERR_MEMORY);
            assert_non_null(strstr(note.text, "out of memory"));
        }
        grammar_free(g);
    }
    assert_true(n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammars_match),
        cmocka_unit_test(malformed_grammars_are_refused),
        cmocka_unit_test(limits_are_named),
        cmocka_unit_test(failed_allocations_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
