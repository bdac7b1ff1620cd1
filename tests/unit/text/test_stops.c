/* test_stops.c - stop strings found however the text is cut. */
#include "lib/test.h"

#include "text/stops.h"

enum { STOPS_MAX = 4 };

/* Feeds text in random pieces; what comes out must equal wanted. */
static void check(const char *const *words, const char *text, const char *wanted, bool found)
{
    struct str items[STOPS_MAX];
    size_t n_items = 0;
    uint64_t seed = 3;
    while (words[n_items]) {
        items[n_items] = str_from(words[n_items]);
        n_items++;
    }
    for (int round = 0; round < 50; round++) {
        struct stops s;
        struct buf out;
        buf_init(&out, 1000);
        stops_init(&s, items, n_items);
        for (size_t at = 0, n = strlen(text); at < n;) {
            size_t piece = round == 0 ? n : test_rand(&seed) % 4;
            piece = piece < n - at ? piece : n - at;
            stops_add(&s, (struct str){text + at, piece}, &out);
            at += piece;
        }
        stops_end(&s, &out);
        assert_int_equal(s.found, found);
        assert_int_equal(out.n_bytes, strlen(wanted));
        if (out.n_bytes)
            assert_memory_equal(out.bytes, wanted, out.n_bytes);
        stops_release(&s);
        buf_release(&out);
    }
}

static void text_ends_before_the_first_stop(void **state)
{
    (void)state;
    static const char *const end[] = {"END", "\n\n", NULL}, *const none[] = {NULL},
                             *const inner[] = {"abcd", "c", NULL},
                             *const overlap[] = {"aab", "abc", NULL},
                             *const nested[] = {"<|im_end|>", "<|im", NULL};
    check(end, "one two END three", "one two ", true);
    check(end, "one\n\nEND", "one", true);
    check(end, "one\ntwo EN", "one\ntwo EN", false);
    check(end, "ENENDx", "EN", true);
    check(end, "END", "", true);
    check(end, "", "", false);
    check(none, "anything", "anything", false);
    check(overlap, "aaabc", "a", true);
    check(overlap, "aaxabc", "aax", true);
    check(inner, "abc", "ab", true);
    check(inner, "abx", "abx", false);
    check(inner, "xabcd", "x", true);
    check(nested, "hi<|im_end|>", "hi", true);
    check(nested, "hi<|i", "hi<|i", false);
}

static void waiting_text_is_short(void **state)
{
    (void)state;
    const struct str items[] = {STR("abc")};
    struct stops s;
    struct buf out;
    buf_init(&out, 1000);
    stops_init(&s, items, 1);
    stops_add(&s, STR("xyzab"), &out);
    assert_int_equal(out.n_bytes, 3);
    stops_add(&s, STR("x"), &out);
    assert_int_equal(out.n_bytes, 6);
    stops_release(&s);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_ends_before_the_first_stop),
        cmocka_unit_test(waiting_text_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
