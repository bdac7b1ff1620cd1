/* test_number_list.c - lists and ranges, right and wrong. */
#include "lib/test.h"

#include "cli/number_list.h"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t n, items[6];
    } cases[] = {
        {"0", 1, {0}},
        {"512", 1, {512}},
        {"1,2,4", 3, {1, 2, 4}},
        {"4,1,4", 2, {4, 1}},
        {"1-4", 4, {1, 2, 3, 4}},
        {"7-7", 1, {7}},
        {"0-1024+256", 5, {0, 256, 512, 768, 1024}},
        {"1-16*2", 5, {1, 2, 4, 8, 16}},
        {"3-20*3", 2, {3, 9}},
        {"1-2,8,16-32*2", 5, {1, 2, 8, 16, 32}},
        {"1000", 1, {1000}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct number_list l;
        struct err_note note;
        assert_int_equal(number_list_parse("x", cases[i].text, 0, 1024, &l, &note), ERR_OK);
        assert_int_equal(l.n_items, cases[i].n);
        assert_memory_equal(l.items, cases[i].items, l.n_items * sizeof l.items[0]);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",        ",",      "1,",    ",1",   "x",     "-1",    "1-",
        "4-1",     "1-4+",   "1-4+0", "1-4*", "1-4*1", "1-4*0", "0-4*2",
        "1025",    "1-1025", "1 ,2",  "1.5",  "1-4+x", "1-4-8", "99999999999999999999",
        "1-4*2+1", "0x10",   "1--4",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct number_list l;
        struct err_note note = {""};
        assert_int_equal(number_list_parse("batch", bad[i], 0, 1024, &l, &note), ERR_USAGE);
        assert_non_null(strstr(note.text, "--batch"));
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct number_list l;
    struct err_note note;
    assert_int_equal(number_list_parse("t", "0", 1, 8, &l, &note), ERR_USAGE);
    assert_int_equal(number_list_parse("t", "1-64", 1, 1000, &l, &note), ERR_OK);
    assert_int_equal(l.n_items, 64);
    assert_int_equal(number_list_parse("t", "1-65", 1, 1000, &l, &note), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
