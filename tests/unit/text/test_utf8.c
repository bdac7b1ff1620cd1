/* test_utf8.c - repair equals bytes.decode("utf-8", "replace"). */
#include "lib/test.h"

#include "base/mem.h"
#include "text/utf8.h"

#define R "\xef\xbf\xbd"

static void repairs_maximal_subparts(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain \xc3\xa9", "plain \xc3\xa9"},
        {"\xff", R},
        {"\xc0\xaf", R R},
        {"\xe2\x82", R},
        {"\xe2\x82x", R "x"},
        {"\xed\xa0\x80", R R R},
        {"\xf0\x9f\x98", R},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"a\xf4\x90\x80\x80z", "a" R R R R "z"},
        {"\xe0\x80", R R},
    };
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_clear(&b);
        utf8_repair(str_from(cases[i].in), &b);
        assert_int_equal(b.n_bytes, strlen(cases[i].out));
        if (b.n_bytes)
            assert_memory_equal(b.bytes, cases[i].out, b.n_bytes);
    }
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(repairs_maximal_subparts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
