/* remember.c - between the pages of sessions and the tree of remembered pages. */
#include "engine/remember.h"

#include "base/check.h"

enum { CALL_READS_MAX = 8 << 20 };

uint32_t engine_take_page(struct iso_engine *e)
{
    if (e->pages.n_free == 0) {
        uint32_t victim = prefix_victim(&e->prefix);
        if (victim == KV_PAGE_NONE)
            return KV_PAGE_NONE;
        tier_save(e, victim);
        prefix_remove(&e->prefix, victim);
        e->cache.n_evicted++;
    }
    return kv_pages_take(&e->pages);
}

/* Where nothing is left for a copy, the tree gives up its claim on the page itself. */
uint32_t engine_own_page(struct iso_engine *e, uint32_t page)
{
    if (e->pages.count[page] == 1)
        return page;
    uint32_t copy = engine_take_page(e);
    if (copy != KV_PAGE_NONE) {
        kv_pages_drop(&e->pages, copy);
    } else if (e->pages.count[page] == 2 && prefix_holds(&e->prefix, page) &&
               e->prefix.nodes[page].n_children == 0) {
        prefix_remove(&e->prefix, page);
        e->cache.n_evicted++;
    }
    return kv_pages_own(&e->pages, page);
}

void session_enter(struct iso_session *s)
{
    const struct iso_request *r = &s->request;
    uint64_t tenant = r->cache_pool ? 0 : r->tenant;
    if (s->n_tokens == r->n_tokens) { /* the timeline begins with it */
        s->tenant = tenant;
        s->cache_pool = r->cache_pool;
        s->is_private = r->no_cache;
    } else if (r->no_cache || s->tenant != tenant || s->cache_pool != r->cache_pool) {
        s->is_private = true; /* until it is cut to nothing: pages that are lost come back */
    }
    s->recall = true;
}

static struct prefix_space space_of(const struct iso_session *s)
{
    return (struct prefix_space){.tenant = s->tenant, .pool = s->cache_pool, .far = s->far};
}

/* Replaces the session's pages by those that end with last and hold n positions. */
static void take_over(struct iso_session *s, uint32_t last, uint32_t n)
{
    struct iso_engine *e = s->engine;
    uint32_t n_pages = (n + KV_PAGE - 1) / KV_PAGE;
    for (uint32_t page = last; page != PREFIX_ROOT; page = e->prefix.nodes[page].parent)
        kv_pages_share(&e->pages, page);
    while (s->n_pages > 0)
        kv_pages_drop(&e->pages, s->pages[--s->n_pages]);
    for (uint32_t i = n_pages; i-- > 0; last = e->prefix.nodes[last].parent) {
        session_set_page(s, i, last);
    }
    CHECK(last == PREFIX_ROOT);
    s->n_pages = n_pages;
    s->n_kv = n;
    s->n_shared = n / KV_PAGE;
    prefix_touch(&e->prefix, s->pages[n_pages - 1]);
}

/* The page before number i of a session, whose first i pages are in the tree. */
static uint32_t parent_of(const struct iso_session *s, uint32_t i)
{
    return i ? s->pages[i - 1] : PREFIX_ROOT;
}

/* Page i of the session, whose first i pages are in the tree, joins them. The page that the tree
 * keeps is the session's from then on: computed twice, the bits are the same. */
static bool join(struct iso_session *s, uint32_t i)
{
    struct iso_engine *e = s->engine;
    struct prefix_space space = space_of(s);
    uint32_t page = s->pages[i];
    uint32_t kept = prefix_insert(&e->prefix, &space, parent_of(s, i),
                                  s->tokens + (size_t)i * KV_PAGE, KV_PAGE, page);
    if (kept == KV_PAGE_NONE)
        return false;
    if (kept == page) {
        tier_joined(e, page);
        return true;
    }
    kv_pages_share(&e->pages, kept);
    kv_pages_drop(&e->pages, page);
    session_set_page(s, i, kept);
    return true;
}

/* One more whole page from the disk, after those of the tree. */
static bool restore_page(struct iso_session *s)
{
    struct iso_engine *e = s->engine;
    struct prefix_space space = space_of(s);
    uint8_t key[SHA256_BYTES];
    uint32_t i = s->n_kv / KV_PAGE, n_end = (i + 1) * KV_PAGE;
    if (s->n_shared != i || n_end >= s->n_tokens)
        return false;
    tier_key(e, &space, parent_of(s, i), s->tokens + (size_t)i * KV_PAGE, key);
    uint32_t page = disk_has(e->tier.disk, key) ? engine_take_page(e) : KV_PAGE_NONE;
    if (page == KV_PAGE_NONE)
        return false;
    if (!tier_restore(e, key, page)) {
        kv_pages_drop(&e->pages, page);
        return false;
    }
    if (i < s->n_pages) /* some of its positions came from the tree, or none were computed yet */
        kv_pages_drop(&e->pages, s->pages[i]);
    session_set_page(s, i, page);
    s->n_pages += i == s->n_pages;
    e->cache.n_positions_restored += n_end - s->n_kv;
    s->n_kv = n_end;
    if (join(s, i))
        s->n_shared = i + 1;
    return true;
}

static void recall_from_tree(struct iso_session *s)
{
    struct iso_engine *e = s->engine;
    struct prefix_space space = space_of(s);
    uint32_t last, n = prefix_match(&e->prefix, &space, s->tokens, s->n_tokens - 1, &last);
    if (n <= s->n_kv)
        return;
    e->cache.n_positions_recalled += n - s->n_kv;
    take_over(s, last, n);
}

/* Beginnings of timelines stay on the disk longer than their ends. */
static void use_files(struct iso_session *s)
{
    for (uint32_t i = s->n_shared; i-- > 0;)
        disk_use(s->engine->tier.disk, s->engine->tier.keys[s->pages[i]]);
}

bool session_recall(struct iso_session *s)
{
    struct iso_engine *e = s->engine;
    bool reads = s->n_tokens == s->border;
    uint32_t n_kv = s->n_kv;
    if (s->is_private || (s->request.want_logits_prompt && reads)) {
        s->recall = false;
        return true;
    }
    recall_from_tree(s);
    size_t n_read = 0, n_bytes = model_info(e->model)->kv_file_bytes;
    while (e->tier.disk && restore_page(s))
        if ((n_read += n_bytes) >= CALL_READS_MAX)
            return false;
    if (n_read > 0) {
        use_files(s);
        recall_from_tree(s); /* part of a page may have been remembered after the last whole one */
    }
    s->recall = false;
    e->cache.n_hits += s->n_kv > n_kv;
    e->cache.n_misses += s->n_kv == 0;
    return true;
}

void session_remember(struct iso_session *s)
{
    while (!s->is_private && (s->n_shared + 1) * KV_PAGE <= s->n_kv && join(s, s->n_shared))
        s->n_shared++;
}

void session_drop_pages(struct iso_session *s, uint32_t n_pages)
{
    struct iso_engine *e = s->engine;
    if (n_pages >= s->n_pages)
        return;
    session_remember(s);
    struct prefix_space space = space_of(s);
    uint32_t i = s->n_shared, n_tail = s->n_kv % KV_PAGE, used = parent_of(s, i);
    if (!s->is_private && n_tail && i == s->n_kv / KV_PAGE) {
        uint32_t kept = prefix_insert(&e->prefix, &space, used,
                                      s->tokens + (size_t)i * KV_PAGE, n_tail, s->pages[i]);
        used = kept == KV_PAGE_NONE ? used : kept;
    }
    if (used != PREFIX_ROOT)
        prefix_touch(&e->prefix, used);
    while (s->n_pages > n_pages)
        kv_pages_drop(&e->pages, s->pages[--s->n_pages]);
    if (s->n_shared > n_pages)
        s->n_shared = n_pages;
}

void session_park(struct iso_session *s)
{
    session_drop_pages(s, 0);
    s->n_kv = 0;
    s->recall = true;
}
