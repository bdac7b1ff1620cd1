/* test_settings.c - which value wins, how each kind is written, and what is refused. */
#include "lib/test.h"

#include "cli/settings.h"

struct values {
    bool flag, other;
    uint32_t number, limit;
    uint64_t seed;
    float rate;
    const char *text;
    struct arg_texts texts;
};

#define TABLE(v)                                                                                   \
    {                                                                                              \
        OPT_HEADING("Things"), OPT_FLAG('f', "flag", &(v)->flag, ""),                              \
            OPT_FLAG(0, "other", &(v)->other, ""),                                                 \
            OPT_U32('n', "number", "N", &(v)->number, 0, 100, ""),                                 \
            OPT_U32(0, "the-limit", "N", &(v)->limit, 1, 100, ""),                                 \
            OPT_U64('s', "seed", "S", &(v)->seed, ""),                                             \
            OPT_FLOAT(0, "rate", "R", &(v)->rate, 0, 2, ""),                                       \
            OPT_TEXT('t', "text", "TEXT", &(v)->text, ""),                                         \
            OPT_TEXTS(0, "stop", "S", &(v)->texts, ""),                                            \
    }

static const struct settings_name others[] = {
    {"OTHER_NUMBER", "number", NULL},
    {"OTHER_COLOUR", NULL, "it has none"},
};

/* Arguments (one word or none), variables ("A=b", NULL-ended), and a file's text or NULL. */
static enum err read_all(struct values *v, char *word, const char *const *variables,
                         const char *file, struct settings *s, struct err_note *note)
{
    static struct arg_option options[9];
    static struct arg_command c;
    const struct arg_option table[] = TABLE(v);
    char name[] = "try", *argv[] = {name, word, NULL};
    struct args args;
    char copies[8][64];
    size_t n = 0;
    *v = (struct values){0};
    memcpy(options, table, sizeof table);
    c = (struct arg_command){
        .name = "try", .usage = "try", .options = options, .n_options = COUNT_OF(options)};
    assert_ok(args_parse(&c, word ? 2 : 1, argv, &args, note));
    for (; variables && variables[n]; n++) {
        snprintf(copies[n], sizeof copies[n], "%s", variables[n]);
        char *equals = strchr(copies[n], '=');
        *equals = 0;
        setenv(copies[n], equals + 1, 1);
    }
    enum err rc = settings_environment(s, &c, &args, others, COUNT_OF(others), note);
    while (n > 0)
        unsetenv(copies[--n]);
    return rc || !file ? rc : settings_parse(s, str_from(file), "FILE", note);
}

static void flags_beat_variables_and_those_the_file(void **state)
{
    (void)state;
    struct values v;
    struct settings s;
    struct err_note note = {""};
    char word[] = "--number=1";
    const char *const both[] = {"ISOBIT_NUMBER=2", "OTHER_NUMBER=3", "ISOBIT_THE_LIMIT=", NULL};
    const char *const other[] = {"OTHER_NUMBER=3", NULL};
    const char *file = "{\"number\": 4, \"the_limit\": 7}";
    static const struct {
        int variables, wanted;
        bool word;
        const char *where;
    } cases[] = {{2, 1, true, "command line"},
                 {2, 2, false, "environment ISOBIT_NUMBER"},
                 {1, 3, false, "environment OTHER_NUMBER"},
                 {0, 4, false, "FILE"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *const *variables = cases[i].variables == 2 ? both : other;
        assert_ok(read_all(&v, cases[i].word ? word : NULL, cases[i].variables ? variables : NULL,
                           file, &s, &note));
        assert_int_equal(v.number, cases[i].wanted);
        assert_string_equal(s.where[3], cases[i].where);
        assert_int_equal(v.limit, 7);
        assert_null(s.where[1]);
        settings_release(&s);
    }
}

static void every_kind_can_be_written(void **state)
{
    (void)state;
    struct values v;
    struct settings s;
    struct err_note note = {""};
    const char *const variables[] = {"ISOBIT_FLAG=Yes", "ISOBIT_SEED=18446744073709551615",
                                     "ISOBIT_RATE=.5",  "ISOBIT_TEXT=a,b",
                                     "ISOBIT_STOP=a,b", "ISOBIT_OTHER=off",
                                     NULL};
    assert_ok(read_all(&v, NULL, variables, "{\"other\": true}", &s, &note));
    assert_true(v.flag && !v.other && v.seed == UINT64_MAX && v.rate == 0.5f);
    assert_string_equal(v.text, "a,b");
    assert_int_equal(v.texts.n_items, 2);
    assert_string_equal(v.texts.items[1], "b");
    settings_release(&s);
    assert_ok(read_all(&v, NULL, NULL,
                       "{\"flag\": true, \"other\": false, \"seed\": 9007199254740993, \"rate\": 1,"
                       "\"text\": \"x\", \"stop\": [\"a,b\", \"\"]}",
                       &s, &note));
    assert_true(v.flag && !v.other && v.seed == 9007199254740993 && v.rate == 1);
    assert_string_equal(v.text, "x");
    assert_int_equal(v.texts.n_items, 2);
    assert_string_equal(v.texts.items[0], "a,b");
    char *shown = NULL;
    size_t n_shown;
    FILE *out = open_memstream(&shown, &n_shown);
    settings_print(&s, out);
    fclose(out);
    assert_non_null(strstr(shown, "seed                  9007199254740993          FILE\n"));
    assert_non_null(strstr(shown, "the-limit             -                         default\n"));
    assert_non_null(strstr(shown, "stop                  a,b,                      FILE\n"));
    free(shown);
    settings_release(&s);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *file, *words;
    } cases[] = {
        {"ISOBIT_NUMBER=101", NULL, "ISOBIT_NUMBER is \"101\"; it must be a whole number from 0"},
        {"OTHER_NUMBER=x", NULL, "OTHER_NUMBER is \"x\""},
        {"ISOBIT_FLAG=2", NULL, "ISOBIT_FLAG is \"2\"; it must be true or false"},
        {NULL, "{\"number\": \"5\"}", "FILE: \"number\" must be a number"},
        {NULL, "{\"number\": 5.5}", "FILE: \"number\" is \"5.5\""},
        {NULL, "{\"number\": -1}", "FILE: \"number\" is \"-1\""},
        {NULL, "{\"flag\": 1}", "FILE: \"flag\" must be true or false"},
        {NULL, "{\"text\": []}", "FILE: \"text\" must be a text"},
        {NULL, "{\"stop\": [1]}", "FILE: \"stop\"[0] must be a text"},
        {NULL, "{\"nmber\": 1}", "FILE: unknown setting \"nmber\"; did you mean \"number\"?"},
        {NULL, "{\"zzz\": 1}", "isobit try --help has them all"},
        {NULL, "{\"Things\": 1}", "unknown setting"},
        {NULL, "{\"config\": \"x\"}", "unknown setting"},
        {NULL, "{\"flag\": true, \"flag\": true}", "FILE, line 1: duplicate"},
        {NULL, "{\"text\": \"a\\u0000b\"}", "FILE, line 1"},
        {NULL, "[]", "FILE must be an object"},
        {NULL, "", "FILE, line 1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct values v;
        struct settings s;
        struct err_note note = {""};
        const char *const variables[] = {cases[i].variable, NULL};
        enum err rc = read_all(&v, NULL, variables, cases[i].file, &s, &note);
        assert_true(rc == ERR_USAGE || rc == ERR_FORMAT);
        if (!strstr(note.text, cases[i].words))
            fail_msg("\"%s\" does not say \"%s\"", note.text, cases[i].words);
        settings_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_beat_variables_and_those_the_file),
        cmocka_unit_test(every_kind_can_be_written),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
