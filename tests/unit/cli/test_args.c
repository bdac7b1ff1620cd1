/* test_args.c - every way to write an option, and every way to get it wrong. */
#include "lib/test.h"

#include "cli/args.h"

struct values {
    bool flag, other;
    uint32_t number;
    uint64_t seed;
    float rate;
    const char *text;
    struct arg_texts texts;
};

enum { WORDS_MAX = 20 };

/* Parses the words of a line (cut at spaces; "''" is the empty word). */
static enum err parse(const char *line, struct values *v, struct args *a, struct err_note *note)
{
    static char copy[200], *words[WORDS_MAX + 1];
    const struct arg_option options[] = {
        OPT_HEADING("Things"),
        OPT_FLAG('f', "flag", &v->flag, "a flag"),
        OPT_FLAG(0, "other", &v->other, "another"),
        OPT_U32('n', "number", "N", &v->number, 1, 100, "a number"),
        OPT_U64('s', "seed", "S", &v->seed, "a seed"),
        OPT_FLOAT(0, "rate", "R", &v->rate, 0, 2, "a rate"),
        OPT_TEXT('t', "text", "TEXT", &v->text, "a text"),
        OPT_TEXTS(0, "stop", "S", &v->texts, "texts"),
    };
    const struct arg_command c = {.name = "try",
                                  .usage = "try A [B]",
                                  .options = options,
                                  .n_options = COUNT_OF(options),
                                  .n_positional_min = 1,
                                  .n_positional_max = 2};
    int n = 0;
    *v = (struct values){0};
    snprintf(copy, sizeof copy, "try %s", line);
    for (char *at = copy; at && n < WORDS_MAX; n++) {
        words[n] = at;
        at = strchr(at, ' ');
        if (at)
            *at++ = 0;
        if (strcmp(words[n], "''") == 0)
            words[n][0] = 0;
    }
    words[n] = NULL;
    return args_parse(&c, n, words, a, note);
}

static void options_mix_with_arguments(void **state)
{
    (void)state;
    struct values v;
    struct args a;
    struct err_note note = {""};
    assert_ok(parse("one -f --number=7 two --seed 18446744073709551615 --rate .5 -t-x --stop a "
                    "--stop ''",
                    &v, &a, &note));
    assert_int_equal(a.n_positional, 2);
    assert_string_equal(a.positional[0], "one");
    assert_string_equal(a.positional[1], "two");
    assert_true(v.flag && !v.other);
    assert_int_equal(v.number, 7);
    assert_true(v.seed == UINT64_MAX);
    assert_true(v.rate == 0.5f);
    assert_string_equal(v.text, "-x");
    assert_int_equal(v.texts.n_items, 2);
    assert_string_equal(v.texts.items[1], "");

    assert_ok(parse("--other -n7 -- -f -", &v, &a, &note));
    assert_true(!v.flag && v.other);
    assert_string_equal(a.positional[0], "-f");
    assert_string_equal(a.positional[1], "-");

    assert_ok(parse("--number wrong --help", &v, &a, &note));
    assert_true(a.help);
    assert_ok(parse("one -- --help", &v, &a, &note));
    assert_false(a.help);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"a --nmber 3", "did you mean --number?"},
        {"a --num 3", "did you mean --number?"},
        {"a --xyz", "unknown option --xyz; see isobit try --help"},
        {"a -z", "unknown option -z"},
        {"a --f", "unknown option --f"},
        {"a --number 0", "--number is \"0\"; it must be a whole number from 1 to 100"},
        {"a --number 101", "from 1 to 100"},
        {"a --number 3x", "\"3x\""},
        {"a --number -3", "\"-3\""},
        {"a --number ''", "\"\""},
        {"a --number", "--number needs a value: N"},
        {"a --seed 18446744073709551616", "whole number"},
        {"a --rate nan", "a number from 0 to 2"},
        {"a --rate 2.01", "a number from 0 to 2"},
        {"a --flag=1", "--flag takes no value"},
        {"a b c", "\"c\" is one argument too many"},
        {"-f", "an argument is missing; usage: isobit try A [B]"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct values v;
        struct args a;
        struct err_note note = {""};
        assert_int_equal(parse(cases[i].line, &v, &a, &note), ERR_USAGE);
        if (!strstr(note.text, cases[i].words))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].line, note.text, cases[i].words);
    }
}

static void nearest_is_near(void **state)
{
    (void)state;
    static const char *const names[] = {"run", "chat", "inspect", "quantize", "detokenize"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"rnu", "run"},
        {"runn", "run"},
        {"quantise", "quantize"},
        {"quant", "quantize"},
        {"caht", "chat"},
        {"inspct", "inspect"},
        {"detokenise", "detokenize"},
        {"serve", NULL},
        {"", NULL},
        {"x", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *found = args_nearest(cases[i].word, names, COUNT_OF(names));
        if (!found != !cases[i].nearest || (found && strcmp(found, cases[i].nearest) != 0))
            fail_msg("%s: %s", cases[i].word, found ? found : "nothing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_mix_with_arguments),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(nearest_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
