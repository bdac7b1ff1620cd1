/* test_kv_pages.c - references, exhaustion, copy on write. */
#include "lib/test.h"

#include "base/mem.h"
#include "engine/kv_pages.h"
#include "lib/cpu.h"

static void takes_until_none_is_left(void **state)
{
    (void)state;
    struct kv_pages p;
    struct err_note note = {""};
    assert_ok(kv_pages_init(&p, cpu(), 3, 128, &note));
    assert_int_equal(kv_pages_take(&p), 0);
    assert_int_equal(kv_pages_take(&p), 1);
    assert_int_equal(kv_pages_take(&p), 2);
    assert_int_equal(kv_pages_take(&p), KV_PAGE_NONE);
    kv_pages_share(&p, 1);
    assert_int_equal(kv_pages_own(&p, 1), KV_PAGE_NONE); /* a copy is needed, none is free */
    assert_int_equal(p.count[1], 2);
    kv_pages_drop(&p, 1);
    assert_int_equal(kv_pages_take(&p), KV_PAGE_NONE);
    kv_pages_drop(&p, 1);
    assert_int_equal(kv_pages_take(&p), 1);
    kv_pages_release(&p);
}

static void impossible_sizes_are_errors(void **state)
{
    (void)state;
    struct kv_pages p;
    struct err_note note = {""};
    assert_int_equal(kv_pages_init(&p, cpu(), UINT32_MAX - 1, SIZE_MAX / 2, &note), ERR_LIMIT);
    assert_non_null(strstr(note.text, "pages"));
    for (uint64_t n = 1; n <= 3; n++) {
        mem_fault_after(n);
        assert_int_equal(kv_pages_init(&p, cpu(), 4, 128, &note), ERR_MEMORY);
    }
    mem_fault_after(0);
}

/* Random owners write, share and drop; each must always read what it wrote itself. */
static void owners_never_see_each_other(void **state)
{
    (void)state;
    enum { PAGES = 12, OWNERS = 16, BYTES = 64, MOVES = 20000 };
    struct kv_pages p;
    uint32_t page[OWNERS];
    uint8_t wanted[OWNERS];
    uint64_t seed = 42;
    int n_copies = 0, n_full = 0;
    assert_ok(kv_pages_init(&p, cpu(), PAGES, BYTES, NULL));
    for (int i = 0; i < OWNERS; i++)
        page[i] = KV_PAGE_NONE;
    for (int move = 0; move < MOVES; move++) {
        uint32_t a = test_rand(&seed) % OWNERS, b = test_rand(&seed) % OWNERS;
        if (page[a] == KV_PAGE_NONE && test_rand(&seed) % 2) {
            page[a] = kv_pages_take(&p);
            n_full += page[a] == KV_PAGE_NONE;
        } else if (page[a] == KV_PAGE_NONE && page[b] != KV_PAGE_NONE) {
            kv_pages_share(&p, page[b]);
            page[a] = page[b];
            wanted[a] = wanted[b];
            continue;
        } else if (page[a] != KV_PAGE_NONE && test_rand(&seed) % 4 == 0) {
            kv_pages_drop(&p, page[a]);
            page[a] = KV_PAGE_NONE;
        }
        if (page[a] == KV_PAGE_NONE)
            continue;
        uint8_t *bytes = kv_pages_at(&p, page[a]).own;
        if (p.count[page[a]] > 1)
            assert_int_equal(bytes[BYTES - 1], wanted[a]);
        uint32_t own = kv_pages_own(&p, page[a]);
        if (own == KV_PAGE_NONE)
            continue;
        n_copies += own != page[a];
        page[a] = own;
        wanted[a] = (uint8_t)move;
        memset(kv_pages_at(&p, own).own, wanted[a], BYTES);
        uint32_t n_references = 0;
        for (int i = 0; i < OWNERS; i++) {
            if (page[i] == KV_PAGE_NONE)
                continue;
            n_references++;
            uint8_t *other = kv_pages_at(&p, page[i]).own;
            assert_int_equal(other[0], wanted[i]);
            assert_int_equal(other[BYTES - 1], wanted[i]);
        }
        uint32_t counted = 0;
        for (int i = 0; i < PAGES; i++)
            counted += p.count[i];
        assert_int_equal(counted, n_references);
    }
    assert_true(n_copies > 100 && n_full > 100);
    kv_pages_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_until_none_is_left),
        cmocka_unit_test(impossible_sizes_are_errors),
        cmocka_unit_test(owners_never_see_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
