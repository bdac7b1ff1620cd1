/* test_json_text.c - any JSON, any object, and lists of choices. */
#include "lib/probe.h"

static enum err any_value(struct str text, const struct grammar_limits *limits,
                          struct grammar **out, struct err_note *note)
{
    (void)text;
    return grammar_from_json(false, limits, out, note);
}

static enum err any_object(struct str text, const struct grammar_limits *limits,
                           struct grammar **out, struct err_note *note)
{
    (void)text;
    return grammar_from_json(true, limits, out, note);
}

static void values_are_json(void **state)
{
    (void)state;
    static const struct probe_case values = {
        "any",
        {"null", "true", "0", "-1.5e+10", "\"a\\n\\u00e9\\ud83d\\ude00\xe2\x82\xac\"", "[]", "{}",
         "[1,2]", "[ [], {} ]", "{\"a\": [1, {\"b\": null}], \"c\":\"\"}",
         "{\n  \"a\": 1,\n  \"b\": 2\n}", "\"\x7f\""},
        {"", "nul", "01", "+1", ".5", "1.", "1e", "-", "\"a", "\"\n\"", "\"\\x\"", "\"\\ud83d\"",
         "\"\\ude00\"", "[1,]", "[,1]", "{\"a\"}", "{a:1}", "{\"a\":1,}", "[1 ]]"}};
    static const struct probe_case objects = {
        "object", {"{}", "{\"a\":{\"b\":[{}]}}"}, {"", "[]", "1", "{}{}", "{", "{}}"}};
    probe_case(&values, any_value);
    probe_case(&objects, any_object);
}

static void white_space_is_bounded(void **state)
{
    (void)state;
    struct grammar *g;
    char text[64];
    assert_ok(grammar_from_json(true, NULL, &g, NULL));
    struct probe p = probe_open(g);
    snprintf(text, sizeof text, "{\n%40s}", "");
    assert_true(probe_matches(&p, str_from(text)));
    snprintf(text, sizeof text, "{\n%41s}", "");
    assert_false(probe_matches(&p, str_from(text)));
    assert_false(probe_matches(&p, STR("{  }")));
    assert_false(probe_matches(&p, STR("{\n\n}")));
    assert_false(probe_matches(&p, STR(" {}")));
    assert_false(probe_matches(&p, STR("{} ")));
    assert_false(probe_matches(&p, STR("{\"a\" :1}")));
    probe_close(&p);
}

static void choices_are_their_texts(void **state)
{
    (void)state;
    const struct str choices[] = {STR("yes"), STR("no"), STR("not yet"), STR("\xc3\xa9\"\\"),
                                  STR("")};
    struct grammar *g;
    struct err_note note = {""};
    assert_ok(grammar_from_choices(choices, COUNT_OF(choices), NULL, &g, NULL));
    struct probe p = probe_open(g);
    for (size_t i = 0; i < COUNT_OF(choices); i++)
        assert_true(probe_matches(&p, choices[i]));
    assert_false(probe_matches(&p, STR("not")));
    assert_false(probe_matches(&p, STR("yesno")));
    probe_close(&p);
    assert_int_equal(grammar_from_choices(choices, 0, NULL, &g, &note), ERR_LIMIT);
    assert_non_null(strstr(note.text, "0 choices"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_json),
        cmocka_unit_test(white_space_is_bounded),
        cmocka_unit_test(choices_are_their_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
