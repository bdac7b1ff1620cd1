/* test_jinja.c - the interpreter against Jinja2's own results, and the limits that hold it. */
#include "lib/test.h"

#include <pthread.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/jinja.h"

enum { NOW_S = 1722172800 + 3723, VARIABLES_MAX = 64, BYTES_MAX = 16 << 20 };
static const char folder[] = TEST_DIR "/golden/text/templates";

static enum err render(const struct jinja *t, json_t *context, const struct jinja_limits *limits,
                       struct buf *out, struct err_note *note)
{
    struct jinja_variable variables[VARIABLES_MAX];
    struct jinja_limits standard = jinja_limits_default();
    size_t n = 0;
    for (void *at = json_object_iter(context); at; at = json_object_iter_next(context, at)) {
        assert_true(n < VARIABLES_MAX);
        variables[n++] = (struct jinja_variable){.name = json_object_iter_key(at),
                                                 .value = json_object_iter_value(at)};
    }
    return jinja_render(t, variables, n, NOW_S, limits ? limits : &standard, out, note);
}

/* The template that a case names: a source, or "@file". NULL with the note if it is malformed. */
static struct jinja *open_template(const char *name, struct err_note *note)
{
    struct jinja *t = NULL;
    char path[4096], *text;
    size_t n;
    if (name[0] != '@') {
        (void)jinja_new(&t, str_from(name), note);
        return t;
    }
    snprintf(path, sizeof path, "%s/%s.jinja", folder, name + 1);
    assert_ok(file_read(path, BYTES_MAX, &text, &n, note));
    assert_ok(jinja_new(&t, (struct str){text, n}, note));
    mem_free(text);
    return t;
}

static void check_case(const json_t *contexts, const json_t *one)
{
    const char *name = json_string_value(json_array_get(one, 0));
    const json_t *want = json_array_get(one, 2), *message = json_array_get(one, 3);
    json_t *context =
        json_array_get(contexts, (size_t)json_integer_value(json_array_get(one, 1)));
    struct err_note note = {0};
    struct buf out;
    struct jinja *t = open_template(name, &note);
    buf_init(&out, BYTES_MAX);
    enum err e = t ? render(t, context, NULL, &out, &note) : ERR_FORMAT;
    if (json_is_string(want)) {
        if (e != ERR_OK)
            fail_msg("%s: %s", name, note.text);
        if (out.n_bytes != json_string_length(want) ||
            memcmp(out.bytes ? out.bytes : "", json_string_value(want), out.n_bytes) != 0)
            fail_msg("%s\nwant %s\nhave %s", name, json_string_value(want), out.bytes);
    } else {
        if (e != ERR_FORMAT && e != ERR_LIMIT)
            fail_msg("%s: an error is due, not %s", name, out.bytes);
        assert_true(note.text[0] && !strchr(note.text, '\n'));
        if (json_is_string(message))
            assert_string_equal(note.text, json_string_value(message));
    }
    buf_release(&out);
    jinja_free(t);
}

static void renders_as_jinja2_does(void **state)
{
    char path[4096], *text;
    size_t n, i;
    json_t *one;
    json_error_t error;
    (void)state;
    snprintf(path, sizeof path, "%s/vectors.json", folder);
    assert_ok(file_read(path, BYTES_MAX, &text, &n, NULL));
    json_t *vectors = json_loadb(text, n, JSON_ALLOW_NUL, &error);
    if (!vectors)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    json_t *cases = json_object_get(vectors, "cases");
    assert_true(json_array_size(cases) > 400);
    json_array_foreach (cases, i, one)
        check_case(json_object_get(vectors, "contexts"), one);
    json_decref(vectors);
    mem_free(text);
}

static void errors_say_where_and_why(void **state)
{
    static const struct {
        const char *source, *note;
    } cases[] = {
        {"a\n{{ undef.x }}", "template line 2: 'undef' is undefined"},
        {"{{ {}.a.b }}", "template line 1: 'dict object' has no attribute 'a'"},
        {"{{ [].append(1) }}",
         "template line 1: access to attribute 'append' of 'list' object is unsafe"},
        {"{{ 9223372036854775807 + 1 }}", "template line 1: an integer goes beyond 64 bits"},
        {"{{ 99999999999999999999 }}", "template line 1: an integer beyond 64 bits"},
        {"{{ s | random }}",
         "template line 1: this filter of Jinja2 is not supported in chat templates"},
        {"\n\n{% include 'x' %}",
         "template line 3: the tag include is not supported in chat templates"},
        {"{{ 'a' | nope }}", "template line 1: no filter named 'nope'"},
        {"{% for x in [1] %}", "template line 1: the template ends where endfor is expected"},
        {"{{ '\\ud800' }}", "template line 1: a malformed or unsupported escape in a string"},
        {"{{ raise_exception('two\nlines') }}", "two lines"},
        {"\xff", "the template is not UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err_note note = {0};
        struct buf out;
        struct jinja *t = NULL;
        buf_init(&out, 100);
        if (jinja_new(&t, str_from(cases[i].source), &note) == ERR_OK)
            assert_int_equal(render(t, NULL, NULL, &out, &note), ERR_FORMAT);
        assert_string_equal(note.text, cases[i].note);
        assert_int_equal(out.n_bytes, 0);
        buf_release(&out);
        jinja_free(t);
    }
}

/* Each of these would run, grow or nest without end. */
static void limits_hold(void **state)
{
    static const struct {
        const char *source, *note;
    } cases[] = {
        {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps"},
        {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nests deeper than"},
        {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nests deeper than"},
        {"{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for a in range(99) %}"
         "{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "takes more"},
        {"{{ 'x' * 9999999999 }}", "takes more"},
        {"{{ [1] * 9999999999 }}", "takes more"},
        {"{{ '%999999d' % 1 }}", "a width beyond 100000 characters"},
        {"{{ '{:.99999f}'.format(1.5) }}", "a precision beyond 1000 digits"},
        {"{{ range(100001) }}", "a range has more than 100000 items"},
        {"{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "nests deeper than"},
        {"{% set ns = namespace(l=[]) %}{% for a in range(9999) %}{% set ns.l = [ns.l] %}"
         "{% endfor %}{{ ns.l | tojson }}", "nests deeper than"},
        {"{% set ns = namespace(g=[1]) %}{% for a in range(5000) %}"
         "{% set ns.g = ns.g | map('string') %}{% endfor %}{{ ns.g | list }}", "nests deeper"},
        {"{% set ns = namespace(l=()) %}{% for a in range(9999) %}{% set ns.l = (ns.l,) %}"
         "{% endfor %}{{ {ns.l: 1} }}", "nests deeper"},
        {"{% set s = 'a' * 1000000 %}{% set p = 'b' ~ 'a' * 500000 %}{{ s.rfind(p) }}", "steps"},
        {"{{ 'a\nb' | indent(999999999999) }}", "takes more"},
        {"{% for a in range(9999) %}{{ '                                ' * 9999 }}{% endfor %}",
         "takes more than"},
    };
    struct jinja_limits limits = {
        .n_steps_max = 3 * 1000 * 1000, .n_bytes_max = 16 << 20, .depth_max = 1000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err_note note = {0};
        struct buf out;
        struct jinja *t;
        buf_init(&out, BYTES_MAX);
        assert_ok(jinja_new(&t, str_from(cases[i].source), &note));
        assert_int_equal(render(t, NULL, &limits, &out, &note), ERR_LIMIT);
        if (!strstr(note.text, cases[i].note))
            fail_msg("%s: %s", cases[i].source, note.text);
        buf_release(&out);
        jinja_free(t);
    }
}

static void sources_nest_only_so_deep(void **state)
{
    static const struct {
        const char *head, *part, *tail;
    } cases[] = {
        {"{{ ", "(", "1"},   {"{{ 1", "+1", " }}"},         {"{{ ", "not ", "1 }}"},
        {"{{ ", "-", "1 }}"}, {"{{ a", ".a", " }}"},         {"{{ a", "|string", " }}"},
        {"{{ ", "[", "1"},   {"", "{% if a %}", "x"},       {"{% if a %}", "{% elif a %}", "x"},
        {"{{ ", "{1:", "1"}, {"{{ 1", " if 1 else 1", "}}"}, {"", "{% for a in b %}", ""},
        {"{{ a", "(b)", " }}"}, {"{{ 1", " is eq 1 and 1", " }}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err_note note = {0};
        struct jinja *t;
        struct buf source;
        buf_init(&source, BYTES_MAX);
        buf_str(&source, cases[i].head);
        for (int k = 0; k < 100000; k++)
            buf_str(&source, cases[i].part);
        buf_str(&source, cases[i].tail);
        enum err e = jinja_new(&t, (struct str){source.bytes, source.n_bytes}, &note);
        if (e != ERR_LIMIT)
            fail_msg("%s: %s %s", cases[i].part, err_name(e), note.text);
        assert_null(t);
        buf_release(&source);
    }
}

static void sources_are_only_so_large(void **state)
{
    struct err_note note;
    struct jinja *t;
    struct buf source;
    (void)state;
    buf_init(&source, BYTES_MAX);
    for (int i = 0; i < 5000; i++)
        buf_printf(&source, "{%% set name_%d = 1 %%}", i);
    assert_int_equal(jinja_new(&t, (struct str){source.bytes, source.n_bytes}, &note), ERR_LIMIT);
    assert_string_equal(note.text, "a template uses more than 4096 names in one scope");
    while (source.n_bytes <= 1 << 20)
        buf_str(&source, "text");
    assert_int_equal(jinja_new(&t, (struct str){source.bytes, source.n_bytes}, &note), ERR_LIMIT);
    assert_non_null(strstr(note.text, "1048576 is the limit"));
    buf_release(&source);
}

static void output_has_its_own_limit(void **state)
{
    struct err_note note = {0};
    struct buf out;
    struct jinja *t;
    (void)state;
    assert_ok(jinja_new(&t, STR("0123456789"), &note));
    buf_init(&out, 15);
    assert_ok(render(t, NULL, NULL, &out, &note));
    assert_int_equal(render(t, NULL, NULL, &out, &note), ERR_LIMIT);
    assert_string_equal(note.text, "the text of a template has 10 bytes, and 5 is the limit");
    assert_string_equal(out.bytes, "0123456789");
    buf_release(&out);
    jinja_free(t);
}

static void *render_many(void *argument)
{
    const struct jinja *t = argument;
    size_t n_wrong = 0;
    for (int i = 0; i < 200; i++) {
        struct buf out;
        buf_init(&out, 1000);
        n_wrong += render(t, NULL, NULL, &out, NULL) != ERR_OK ||
                   strcmp(out.bytes, "0=A 1=Ä 2=A ") != 0;
        buf_release(&out);
    }
    return (void *)n_wrong;
}

static void one_template_renders_on_many_threads(void **state)
{
    pthread_t threads[4];
    struct jinja *t;
    void *n_wrong;
    (void)state;
    assert_ok(jinja_new(&t, STR("{% macro m(x, y='ä') %}{{ x }}={{ y | upper }}{% endmacro %}"
                                "{% for i in range(3) %}"
                                "{{ m(i, **({} if i % 2 else {'y': 'a'})) }} {% endfor %}"),
                        NULL));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, render_many, t), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &n_wrong), 0);
        assert_int_equal((size_t)n_wrong, 0);
    }
    jinja_free(t);
}

/* Every allocation fails once in turn: an error each time, nothing lost, the text in the end. */
static void no_memory_is_an_error(void **state)
{
    static const char source[] =
        "{% for k, v in {'a': 1}.items() %}{{ k | upper ~ v }}{% endfor %}";
    enum err e = ERR_MEMORY;
    (void)state;
    for (uint64_t n = 1; e != ERR_OK; n++) {
        struct buf out;
        struct jinja *t;
        buf_init(&out, 1000);
        mem_fault_after(n);
        e = jinja_new(&t, str_from(source), NULL);
        if (e == ERR_OK)
            e = render(t, NULL, NULL, &out, NULL);
        mem_fault_after(0);
        assert_true(e == ERR_OK || e == ERR_MEMORY || e == ERR_LIMIT);
        if (e == ERR_OK)
            assert_string_equal(out.bytes, "A1");
        buf_release(&out);
        jinja_free(t);
        assert_true(n < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_as_jinja2_does),
        cmocka_unit_test(errors_say_where_and_why),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(sources_nest_only_so_deep),
        cmocka_unit_test(sources_are_only_so_large),
        cmocka_unit_test(output_has_its_own_limit),
        cmocka_unit_test(one_template_renders_on_many_threads),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
