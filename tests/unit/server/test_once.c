/* test_once.c - answers kept by name: found again, dropped when old, within their memory. */
#include "lib/test.h"

#include "server/once.h"

static void digest_of(uint64_t n, uint8_t digest[SHA256_BYTES])
{
    sha256_of(&n, sizeof n, digest);
}

static enum once_found begin(struct once *o, uint64_t name, uint64_t content, uint64_t now_s,
                             struct once_entry **e)
{
    uint8_t who[SHA256_BYTES], what[SHA256_BYTES];
    digest_of(name, who);
    digest_of(content, what);
    return once_begin(o, who, what, now_s, e);
}

static void the_first_answer_comes_again(void **state)
{
    (void)state;
    struct once *o = once_new(&(struct once_options){0});
    struct once_entry *e, *again;
    assert_int_equal(begin(o, 1, 7, 100, &e), ONCE_NEW);
    once_add(o, e, "text/plain", STR(""));
    once_add(o, e, NULL, STR("two "));
    assert_int_equal(begin(o, 1, 7, 101, &again), ONCE_OPEN);
    once_add(o, e, NULL, STR("pieces"));
    once_end(o, e, 201, true);
    assert_int_equal(begin(o, 1, 7, 102, &again), ONCE_DONE);
    assert_true(str_is(once_body(again), "two pieces"));
    assert_string_equal(once_type(again), "text/plain");
    assert_int_equal(once_status(again), 201);
    assert_int_equal(once_bytes(o), 10);
    assert_int_equal(begin(o, 1, 8, 102, &again), ONCE_DIFFERENT);
    assert_int_equal(begin(o, 2, 7, 102, &e), ONCE_NEW);
    once_end(o, e, 500, false); /* may be tried again */
    assert_int_equal(begin(o, 2, 8, 102, &e), ONCE_NEW);
    once_end(o, e, 200, true);
    assert_int_equal(begin(o, 2, 8, 102, &again), ONCE_DONE);
    assert_int_equal(once_body(again).len, 0);
    /* A day later it is forgotten. */
    assert_int_equal(begin(o, 1, 7, 100 + ONCE_S_MAX - 1, &again), ONCE_DONE);
    assert_int_equal(begin(o, 1, 8, 100 + ONCE_S_MAX, &e), ONCE_NEW);
    once_end(o, e, 200, false);
    once_free(o);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct once *o = once_new(&(struct once_options){
        .n_bytes_max = 100, .n_answer_bytes_max = 40, .n_entries_max = 10});
    struct once_entry *e[12], *again;
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(begin(o, i, i, 1, &e[0]), ONCE_NEW);
        once_add(o, e[0], "t", STR("012345678901234567890123456789"));
        once_end(o, e[0], 200, true);
        assert_true(once_bytes(o) <= 100);
    }
    /* The last three fit. */
    assert_int_equal(begin(o, 4, 4, 1, &again), ONCE_DONE);
    assert_int_equal(begin(o, 2, 2, 1, &again), ONCE_DONE);
    assert_int_equal(begin(o, 1, 1, 1, &e[0]), ONCE_NEW);
    /* One that grows too large is not kept, and takes nothing. */
    once_add(o, e[0], "t", STR("01234567890123456789"));
    once_add(o, e[0], NULL, STR("012345678901234567890"));
    once_add(o, e[0], NULL, STR("more"));
    once_end(o, e[0], 200, true);
    assert_int_equal(begin(o, 1, 1, 1, &e[0]), ONCE_NEW);
    once_end(o, e[0], 200, false);
    /* Open ones stay whatever comes; what finds no room is not kept. */
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal(begin(o, 100 + i, 0, 1, &e[i]), ONCE_NEW);
        assert_non_null(e[i]);
    }
    assert_int_equal(begin(o, 200, 0, 1, &e[10]), ONCE_NEW);
    assert_null(e[10]);
    assert_int_equal(once_bytes(o), 0); /* the three had to go */
    assert_int_equal(begin(o, 100, 0, 1 + 2 * ONCE_S_MAX, &again), ONCE_OPEN);
    for (int i = 9; i >= 0; i--)
        once_end(o, e[i], 200, i % 2);
    assert_int_equal(begin(o, 101, 0, 1, &again), ONCE_DONE);
    assert_int_equal(begin(o, 102, 0, 1, &e[0]), ONCE_NEW);
    once_end(o, e[0], 200, false);
    once_free(o);
}

/* Against a plain list, over random calls. */
static void it_does_what_a_list_would(void **state)
{
    (void)state;
    enum { NAMES = 50 };
    struct once *o = once_new(&(struct once_options){0});
    struct once_entry *open[NAMES] = {0}, *e;
    bool done[NAMES] = {0};
    uint64_t begun_s[NAMES] = {0}, seed = 3, now_s = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t n = test_rand(&seed) % NAMES;
        now_s += test_rand(&seed) % 1000;
        for (size_t k = 0; k < NAMES; k++)
            done[k] &= now_s - begun_s[k] < ONCE_S_MAX;
        if (open[n]) {
            assert_int_equal(begin(o, n, n, now_s, &e), ONCE_OPEN);
            done[n] = test_rand(&seed) % 2;
            once_end(o, open[n], 200, done[n]);
            open[n] = NULL;
            done[n] &= now_s - begun_s[n] < ONCE_S_MAX;
        } else if (done[n]) {
            assert_int_equal(begin(o, n, n, now_s, &e), ONCE_DONE);
        } else {
            assert_int_equal(begin(o, n, n, now_s, &open[n]), ONCE_NEW);
            begun_s[n] = now_s;
            once_add(o, open[n], "t", STR("answer"));
        }
    }
    for (size_t n = 0; n < NAMES; n++)
        if (open[n])
            once_end(o, open[n], 200, false);
    once_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_answer_comes_again),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(it_does_what_a_list_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
