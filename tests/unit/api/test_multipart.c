/* test_multipart.c - forms as clients send them, and broken ones. */
#include "lib/test.h"

#include "api/multipart.h"

static void boundaries(void **state)
{
    (void)state;
    static const struct {
        const char *type, *boundary; /* NULL: none */
    } cases[] = {
        {"multipart/form-data; boundary=abc", "abc"},
        {"Multipart/Form-Data; charset=utf-8; Boundary=\"a;b\"", "a;b"},
        {"multipart/form-data", NULL},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/mixed; boundary=abc", NULL},
        {"application/json", NULL},
        {"multipart/form-data; boundary="
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str b;
        assert_int_equal(form_boundary(str_from(cases[i].type), &b), cases[i].boundary != NULL);
        if (cases[i].boundary)
            assert_true(str_is(b, cases[i].boundary));
    }
}

static void a_file_and_a_field(void **state)
{
    (void)state;
    struct str rest = STR("preamble\r\n--xy\r\nContent-Disposition: form-data; name=\"purpose\"\r\n"
                          "\r\nbatch\r\n--xy\r\ncontent-disposition: form-data; name=\"file\"; "
                          "filename=\"in;1.jsonl\"\r\nContent-Type: text/plain\r\n\r\nline --xy\n"
                          "\r\n\r\n--xy--\r\n");
    struct form_part p;
    struct api_error e;
    assert_true(form_next(&rest, STR("xy"), &p, &e));
    assert_true(str_is(p.name, "purpose"));
    assert_true(str_is(p.bytes, "batch"));
    assert_int_equal(p.file_name.len, 0);
    assert_true(form_next(&rest, STR("xy"), &p, &e));
    assert_true(str_is(p.name, "file"));
    assert_true(str_is(p.file_name, "in;1.jsonl"));
    assert_true(str_is(p.bytes, "line --xy\n\r\n"));
    assert_false(form_next(&rest, STR("xy"), &p, &e));
    assert_int_equal(e.status, 0);
}

static void broken_forms(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "no boundary",
        "--xy\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nbroken off",
        "--xy\r\nContent-Disposition: form-data; name=\"a\"\r\n--xy--",
        "--xy\r\n\r\nnameless\r\n--xy--",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str rest = str_from(cases[i]);
        struct form_part p;
        struct api_error e;
        assert_false(form_next(&rest, STR("xy"), &p, &e));
        assert_int_equal(e.status, 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boundaries),
        cmocka_unit_test(a_file_and_a_field),
        cmocka_unit_test(broken_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
