/* test_prefix.c - the tree of remembered pages against a list of all that was remembered. */
#include "lib/test.h"

#include "base/mem.h"
#include "engine/prefix.h"
#include "lib/cpu.h"

enum { PAGES = 24, LENGTH_MAX = 5 * KV_PAGE, HOLDERS = 4 };

/* Timelines of few kinds of page, so that they share beginnings; some tokens end a page early. */
static void make_tokens(uint64_t *seed, int32_t *tokens, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = i % KV_PAGE == 0 || test_rand(seed) % 90 == 0
                        ? (int32_t)(test_rand(seed) % 3)
                        : tokens[i - 1] * 7 % 11 + 1;
}

static struct prefix_space make_space(uint64_t *seed)
{
    uint64_t k = test_rand(seed) % 4;
    return (struct prefix_space){.tenant = k < 2 ? k : 0, .pool = k == 2, .far = k == 3};
}

/* What was remembered and not given up: a page's whole timeline from its first token on. */
struct memory {
    bool known;
    struct prefix_space space;
    int32_t tokens[LENGTH_MAX];
    uint32_t n;
    uint64_t used;
};
static struct memory memories[PAGES];
static uint64_t now;

static bool same_space(struct prefix_space a, struct prefix_space b)
{
    return a.tenant == b.tenant && a.pool == b.pool && a.far == b.far;
}

static uint32_t naive_match(struct prefix_space space, const int32_t *tokens, uint32_t n)
{
    uint32_t best = 0;
    for (int i = 0; i < PAGES; i++) {
        const struct memory *m = &memories[i];
        uint32_t k = 0;
        while (m->known && same_space(m->space, space) && k < n && k < m->n &&
               tokens[k] == m->tokens[k])
            k++;
        best = k > best ? k : best;
    }
    return best;
}

static void naive_use(struct prefix_space space, const int32_t *tokens, uint32_t n)
{
    now++;
    for (int i = 0; i < PAGES; i++) {
        struct memory *m = &memories[i];
        if (m->known && same_space(m->space, space) && m->n <= n &&
            memcmp(m->tokens, tokens, m->n * sizeof tokens[0]) == 0)
            m->used = now;
    }
}

/* Memories that the tree gave up are known by their pages. */
static void naive_forget(const struct prefix *p)
{
    for (uint32_t i = 0; i < PAGES; i++)
        memories[i].known &= prefix_holds(p, i);
}

/* A session as the tree sees it. */
struct holder {
    uint32_t pages[LENGTH_MAX / KV_PAGE], n_pages;
};

static uint32_t take(struct prefix *p)
{
    if (p->pages->n_free == 0) {
        uint32_t victim = prefix_victim(p);
        if (victim == KV_PAGE_NONE)
            return KV_PAGE_NONE;
        prefix_remove(p, victim);
        naive_forget(p);
    }
    return kv_pages_take(p->pages);
}

static void release(struct prefix *p, struct holder *h)
{
    while (h->n_pages > 0)
        kv_pages_drop(p->pages, h->pages[--h->n_pages]);
}

/* Shares what matches in whole pages, computes the rest, remembers all of it. */
static void hold(struct prefix *p, struct holder *h, struct prefix_space space,
                 const int32_t *tokens, uint32_t n)
{
    uint32_t last, n_matched = prefix_match(p, &space, tokens, n, &last);
    assert_int_equal(n_matched, naive_match(space, tokens, n));
    assert_true((last == PREFIX_ROOT) == (n_matched == 0));
    if (n_matched % KV_PAGE)
        last = p->nodes[last].parent;
    uint32_t n_shared = n_matched / KV_PAGE;
    for (uint32_t i = n_shared; i-- > 0; last = p->nodes[last].parent) {
        h->pages[i] = last;
        kv_pages_share(p->pages, last);
    }
    assert_int_equal(last, PREFIX_ROOT);
    h->n_pages = n_shared;
    for (uint32_t i = n_shared; i * KV_PAGE < n; i++) {
        uint32_t page = take(p), rest = n - i * KV_PAGE;
        if (page == KV_PAGE_NONE)
            return;
        h->pages[h->n_pages++] = page;
        uint32_t k = rest < KV_PAGE ? rest : KV_PAGE;
        uint32_t kept = prefix_insert(p, &space, i ? h->pages[i - 1] : PREFIX_ROOT,
                                      tokens + i * KV_PAGE, k, page);
        naive_forget(p);
        if (kept == page) {
            memories[page] = (struct memory){.known = true, .space = space, .n = i * KV_PAGE + k};
            memcpy(memories[page].tokens, tokens, (i * KV_PAGE + k) * sizeof tokens[0]);
        }
        naive_use(space, memories[kept].tokens, memories[kept].n);
    }
}

static void init(struct kv_pages *pages, struct prefix *p)
{
    memset(memories, 0, sizeof memories);
    assert_ok(kv_pages_init(pages, cpu(), PAGES, 64, NULL));
    assert_ok(prefix_init(p, pages, NULL));
}

static void release_all(struct kv_pages *pages, struct prefix *p)
{
    prefix_release(p);
    kv_pages_release(pages);
}

static void it_remembers_what_a_list_remembers(void **state)
{
    (void)state;
    struct kv_pages pages;
    struct prefix p;
    struct holder holders[HOLDERS] = {0};
    static int32_t tokens[LENGTH_MAX];
    uint64_t seed = 5;
    init(&pages, &p);
    uint32_t n_matched = 0, n_full = 0;
    for (int move = 0; move < 4000; move++) {
        struct holder *h = &holders[test_rand(&seed) % HOLDERS];
        uint32_t n = 1 + (uint32_t)(test_rand(&seed) % LENGTH_MAX);
        struct prefix_space space = make_space(&seed);
        make_tokens(&seed, tokens, n);
        release(&p, h);
        hold(&p, h, space, tokens, n);
        n_matched += naive_match(space, tokens, n) > KV_PAGE;
        n_full += pages.n_free == 0;
        prefix_check(&p);
    }
    assert_true(n_matched > 1000 && n_full > 1000);
    for (int i = 0; i < HOLDERS; i++)
        release(&p, &holders[i]);
    assert_int_equal(pages.n_free + pages.n_idle, PAGES);
    while (prefix_victim(&p) != KV_PAGE_NONE)
        prefix_remove(&p, prefix_victim(&p));
    prefix_check(&p);
    assert_int_equal(pages.n_free, PAGES);
    release_all(&pages, &p);
}

/* With nobody holding pages, they go in the order of their last use, children before parents. */
static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct kv_pages pages;
    struct prefix p;
    static int32_t tokens[LENGTH_MAX];
    uint64_t seed = 9;
    for (int round = 0; round < 50; round++) {
        struct holder h = {0};
        init(&pages, &p);
        for (int i = 0; i < 30; i++) {
            uint32_t n = 1 + (uint32_t)(test_rand(&seed) % LENGTH_MAX), last;
            struct prefix_space space = make_space(&seed);
            make_tokens(&seed, tokens, n);
            n = prefix_match(&p, &space, tokens, n, &last);
            if (last != PREFIX_ROOT && test_rand(&seed) % 2) {
                prefix_touch(&p, last);
                naive_use(space, memories[last].tokens, memories[last].n);
            } else {
                hold(&p, &h, space, tokens, n ? n : 70);
                release(&p, &h);
            }
        }
        uint32_t victim;
        while ((victim = prefix_victim(&p)) != KV_PAGE_NONE) {
            for (uint32_t i = 0; i < PAGES; i++)
                assert_true(!memories[i].known || memories[i].used >= memories[victim].used);
            prefix_remove(&p, victim);
            memories[victim].known = false;
            prefix_check(&p);
        }
        assert_int_equal(pages.n_free, PAGES);
        release_all(&pages, &p);
    }
}

static void longer_ends_replace_shorter_ones(void **state)
{
    (void)state;
    struct kv_pages pages;
    struct prefix p;
    struct prefix_space space = {0};
    int32_t tokens[KV_PAGE];
    uint64_t seed = 1;
    make_tokens(&seed, tokens, KV_PAGE);
    init(&pages, &p);
    uint32_t a = kv_pages_take(&pages), b = kv_pages_take(&pages), c = kv_pages_take(&pages), last;
    assert_int_equal(prefix_insert(&p, &space, PREFIX_ROOT, tokens, 10, a), a);
    assert_int_equal(prefix_insert(&p, &space, PREFIX_ROOT, tokens, 10, b), a);
    assert_int_equal(prefix_insert(&p, &space, PREFIX_ROOT, tokens, 20, b), b);
    assert_false(prefix_holds(&p, a));
    assert_int_equal(pages.count[a], 1);
    assert_int_equal(prefix_insert(&p, &space, PREFIX_ROOT, tokens, KV_PAGE, c), c);
    assert_int_equal(prefix_insert(&p, &space, PREFIX_ROOT, tokens, 20, b), c);
    assert_int_equal(prefix_match(&p, &space, tokens, 30, &last), 30);
    assert_int_equal(last, c);
    tokens[0] ^= 1;
    assert_int_equal(prefix_insert(&p, &space, PREFIX_ROOT, tokens, KV_PAGE, c), KV_PAGE_NONE);
    prefix_check(&p);
    release_all(&pages, &p);
}

static void failed_allocations_are_errors(void **state)
{
    (void)state;
    struct kv_pages pages;
    struct prefix p;
    struct err_note note = {""};
    assert_ok(kv_pages_init(&pages, cpu(), 5, 64, NULL));
    for (uint64_t n = 1; n <= 3; n++) {
        mem_fault_after(n);
        assert_int_equal(prefix_init(&p, &pages, &note), ERR_MEMORY);
        assert_non_null(strstr(note.text, "5 key-value pages"));
    }
    mem_fault_after(0);
    kv_pages_release(&pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_remembers_what_a_list_remembers),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(longer_ends_replace_shorter_ones),
        cmocka_unit_test(failed_allocations_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
