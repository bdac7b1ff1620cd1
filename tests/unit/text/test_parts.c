/* test_parts.c - parts grow, are taken, and come whole when nobody takes them. */
#include "lib/test.h"

#include "text/parts.h"

static void assert_part(const struct parts *p, size_t i, enum part_kind kind, bool said,
                        const char *text)
{
    assert_true(i < p->n);
    assert_int_equal(p->items[i].kind, kind);
    assert_int_equal(p->items[i].said, said);
    assert_true(str_is(part_text(&p->items[i]), text));
}

static void nobody_takes_them(void **state)
{
    (void)state;
    struct parts p;
    parts_init(&p);
    assert_false(parts_waiting(&p));
    parts_text(&p, PART_REASONING, STR("so "));
    parts_text(&p, PART_REASONING, STR("then"));
    parts_text(&p, PART_TEXT, STR(""));
    parts_text(&p, PART_TEXT, STR("yes"));
    parts_call(&p, STR("call_1"), STR("look"));
    parts_arguments(&p, STR("{\"a\":"));
    parts_arguments(&p, STR("1}"));
    parts_call(&p, STR("call_2"), STR("look"));
    assert_int_equal(p.n, 4);
    assert_part(&p, 0, PART_REASONING, false, "so then");
    assert_part(&p, 1, PART_TEXT, false, "yes");
    assert_part(&p, 2, PART_CALL, false, "{\"a\":1}");
    assert_string_equal(p.items[2].id, "call_1");
    assert_true(str_is(part_name(&p.items[2]), "look"));
    assert_int_equal(p.items[3].i_call, 1);
    parts_release(&p);
}

static void taken_as_they_come(void **state)
{
    (void)state;
    struct parts p;
    parts_init(&p);
    parts_text(&p, PART_TEXT, STR("one"));
    assert_true(parts_waiting(&p));
    parts_taken(&p);
    assert_false(parts_waiting(&p));
    parts_text(&p, PART_TEXT, STR("two"));
    assert_part(&p, 0, PART_TEXT, true, "two");
    parts_call(&p, STR("c"), STR("f"));
    parts_taken(&p);
    assert_int_equal(p.n, 1);
    assert_part(&p, 0, PART_CALL, true, "");
    parts_arguments(&p, STR("{}"));
    assert_part(&p, 0, PART_CALL, true, "{}");
    parts_taken(&p);
    parts_taken(&p);
    parts_text(&p, PART_TEXT, STR("end"));
    assert_part(&p, 1, PART_TEXT, false, "end");
    parts_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_takes_them),
        cmocka_unit_test(taken_as_they_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
