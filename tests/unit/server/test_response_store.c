/* test_response_store.c - answers are found by who asked, and forgotten; turns outlive them. */
#include "lib/test.h"

#include "server/response_store.h"

static int me, you; /* owners are addresses */

static bool add(struct response_store *s, const void *owner, const char *before, const char *id,
                const char *input, const char *output, uint64_t now_s)
{
    const struct response_texts t = {str_from(id), str_from(input), str_from(output),
                                     str_from("{}")};
    return response_store_add(s, owner, str_from(before), &t, now_s);
}

static void expect(struct response_store *s, const char *id, const char *conversation,
                   uint64_t now_s)
{
    struct buf out;
    const struct stored *r = response_store_find(s, &me, str_from(id), now_s);
    assert_non_null(r);
    buf_init(&out, 4096);
    stored_conversation(r, &out);
    assert_string_equal(out.bytes, conversation);
    buf_release(&out);
}

static void turns_make_a_conversation(void **state)
{
    (void)state;
    struct response_store *s = response_store_new(&(struct response_limits){0});
    assert_true(add(s, &me, "", "a", "1", "2", 5));
    assert_true(add(s, &me, "a", "b", "3,4", "", 6));
    assert_true(add(s, &me, "b", "c", "5", "6", 7));
    assert_true(add(s, &me, "a", "d", "7", "8", 8));
    expect(s, "a", "1,2", 9);
    expect(s, "c", "1,2,3,4,5,6", 9);
    expect(s, "d", "1,2,7,8", 9);
    assert_true(str_is(stored_input(response_store_find(s, &me, STR("b"), 9)), "3,4"));
    assert_true(str_is(stored_response(response_store_find(s, &me, STR("b"), 9)), "{}"));
    assert_false(add(s, &me, "x", "e", "1", "2", 9));
    response_store_free(s);
}

static void others_see_nothing(void **state)
{
    (void)state;
    struct response_store *s = response_store_new(&(struct response_limits){0});
    assert_true(add(s, &me, "", "a", "1", "2", 0));
    assert_null(response_store_find(s, &you, STR("a"), 0));
    assert_null(response_store_find(s, NULL, STR("a"), 0));
    assert_false(response_store_remove(s, &you, STR("a"), 0));
    assert_false(add(s, &you, "a", "b", "1", "2", 0));
    assert_non_null(response_store_find(s, &me, STR("a"), 0));
    response_store_free(s);
}

static void what_is_removed_stays_in_later_turns(void **state)
{
    (void)state;
    struct response_store *s = response_store_new(&(struct response_limits){0});
    assert_true(add(s, &me, "", "a", "1", "2", 0));
    size_t one = response_store_bytes(s);
    assert_true(add(s, &me, "a", "b", "3", "4", 0));
    assert_true(response_store_remove(s, &me, STR("a"), 0));
    assert_false(response_store_remove(s, &me, STR("a"), 0));
    assert_null(response_store_find(s, &me, STR("a"), 0));
    expect(s, "b", "1,2,3,4", 0);
    assert_true(response_store_remove(s, &me, STR("b"), 0));
    assert_int_equal(response_store_bytes(s), 0);
    assert_true(one > 0);
    response_store_free(s);
}

static void time_number_and_bytes_are_bounded(void **state)
{
    (void)state;
    struct response_store *s =
        response_store_new(&(struct response_limits){.n_max = 3, .age_s_max = 10});
    const char *const ids[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++)
        assert_true(add(s, &me, "", ids[i], "1", "2", i));
    assert_null(response_store_find(s, &me, STR("b"), 4));
    assert_non_null(response_store_find(s, &me, STR("c"), 11));
    assert_null(response_store_find(s, &me, STR("c"), 12));
    assert_non_null(response_store_find(s, &me, STR("e"), 12));
    size_t one = response_store_bytes(s) / 2;
    response_store_free(s);

    char large[4096];
    memset(large, '1', sizeof large - 1);
    large[sizeof large - 1] = 0;
    s = response_store_new(&(struct response_limits){.n_bytes_max = 2 * one + 1});
    assert_false(add(s, &me, "", "x", large, "2", 0));
    for (size_t i = 0; i < 5; i++) {
        assert_true(add(s, &me, "", ids[i], "1", "2", 0));
        assert_true(response_store_bytes(s) <= 2 * one + 1);
    }
    assert_null(response_store_find(s, &me, STR("c"), 0));
    assert_non_null(response_store_find(s, &me, STR("d"), 0));
    /* A conversation that does not fit even alone is not kept. */
    char before[2] = "e", id[2] = "f";
    while (add(s, &me, before, id, "1", "2", 0)) {
        assert_true(response_store_bytes(s) <= 2 * one + 1 && id[0] < 'z');
        before[0]++;
        id[0]++;
    }
    assert_int_equal(response_store_bytes(s), 0);
    response_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_make_a_conversation),
        cmocka_unit_test(others_see_nothing),
        cmocka_unit_test(what_is_removed_stays_in_later_turns),
        cmocka_unit_test(time_number_and_bytes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
