/* test_groups.c - the reference's cases of grouping, and batch sizes. */
#include "lib/test.h"

#include "node/groups.h"

/* GiB of the devices against the minimum, and "first+n" of each group. */
static void check(const char *expected, uint64_t min_gib, const uint64_t *gib, size_t n)
{
    uint64_t n_bytes[16];
    struct group groups[16];
    char text[200] = "";
    for (size_t i = 0; i < n; i++)
        n_bytes[i] = gib[i] << 30;
    size_t n_groups = groups_make(n_bytes, n, min_gib << 30, groups);
    for (size_t i = 0; i < n_groups; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu+%zu", i ? " " : "",
                 groups[i].first, groups[i].n);
    assert_string_equal(text, expected);
}

static void groups_are_those_of_the_reference(void **state)
{
    (void)state;
    check("0+1 1+4 5+2 7+1", 23, (const uint64_t[]){24, 8, 8, 8, 8, 12, 24, 24}, 8);
    check("0+1 1+2", 23, (const uint64_t[]){24, 12, 12}, 3);
    check("0+2 2+2", 23, (const uint64_t[]){12, 12, 12, 12}, 4);
    check("0+4 4+4", 23, (const uint64_t[]){6, 6, 6, 6, 6, 6, 6, 6}, 8);
    check("", 23, (const uint64_t[]){16}, 1);
    check("", 41, (const uint64_t[]){10, 10, 10, 10}, 4);
    check("", 23, NULL, 0);
    check("0+2", 23, (const uint64_t[]){10, 23}, 2);
    check("1+8", 8, (const uint64_t[]){0, 1, 1, 1, 1, 1, 1, 1, 1}, 9); /* the first is left out */
}

static void equal_groups_take_every_core_once(void **state)
{
    (void)state;
    for (size_t n = 1; n < 40; n++)
        for (size_t n_groups = 1; n_groups <= n; n_groups++) {
            struct group g[40];
            size_t next = 0;
            groups_split(n, n_groups, g);
            for (size_t i = 0; i < n_groups; i++) {
                assert_int_equal(g[i].first, next);
                assert_in_range(g[i].n, n / n_groups, n / n_groups + 1);
                next += g[i].n;
            }
            assert_int_equal(next, n);
        }
}

static void batches_fill_nine_tenths(void **state)
{
    (void)state;
    /* The reference's figures for its first set: 6500 MB and 30.5 MB a nonce, in tenths of MB. */
    assert_int_equal(batch_size_of(245760, 65000, 305, 100000), 512);
    assert_int_equal(batch_size_of(819200, 65000, 305, 100000), 2204);
    assert_int_equal(batch_size_of(1437710, 65000, 305, 100000), 4029);
    assert_int_equal(batch_size_of(819200, 65000, 305, 100), 100);
    assert_int_equal(batch_size_of(72500, 65000, 305, 100), 0);
    assert_int_equal(batch_size_of(10, 65000, 305, 100), 0);
    assert_int_equal(batch_size_of(UINT64_MAX, 0, 0, 7), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_those_of_the_reference),
        cmocka_unit_test(equal_groups_take_every_core_once),
        cmocka_unit_test(batches_fill_nine_tenths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
