/* prefix.c - the tree of remembered pages. */
#include "engine/prefix.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum err prefix_init(struct prefix *p, struct kv_pages *pages, struct err_note *note)
{
    uint32_t n = pages->n_pages;
    *p = (struct prefix){.pages = pages, .newest = KV_PAGE_NONE, .oldest = KV_PAGE_NONE};
    p->n_buckets = 1;
    while (p->n_buckets < n && p->n_buckets < 1u << 31)
        p->n_buckets *= 2;
    p->nodes = mem_array(n, sizeof p->nodes[0]);
    p->tokens = mem_array(n, sizeof p->tokens[0]);
    p->buckets = mem_array(p->n_buckets, sizeof p->buckets[0]);
    if (!p->nodes || !p->tokens || !p->buckets) {
        prefix_release(p);
        return err_set(note, ERR_MEMORY, "out of memory for the index of %u key-value pages", n);
    }
    memset(p->buckets, 0xff, p->n_buckets * sizeof p->buckets[0]);
    return ERR_OK;
}

void prefix_release(struct prefix *p)
{
    mem_free(p->nodes);
    mem_free(p->tokens);
    mem_free(p->buckets);
    *p = (struct prefix){0};
}

static bool same_space(const struct prefix_space *a, const struct prefix_space *b)
{
    return a->tenant == b->tenant && a->pool == b->pool && a->far == b->far;
}

/* The chain that holds every child of a parent, beside children of others. */
static uint32_t *bucket_of(const struct prefix *p, const struct prefix_space *space,
                           uint32_t parent)
{
    uint64_t h = parent + 1;
    if (parent == PREFIX_ROOT) /* a parent knows its space */
        h = (space->tenant * 2 + space->far) * 0x9e3779b97f4a7c15u ^ space->pool;
    h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
    return &p->buckets[(h >> 32) & (p->n_buckets - 1)];
}

static uint32_t n_common(const int32_t *a, const int32_t *b, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* The child that shares most tokens with tokens[0..n), and how many; with 0 there is none. */
static uint32_t best_child(const struct prefix *p, const struct prefix_space *space,
                           uint32_t parent, const int32_t *tokens, uint32_t n, uint32_t *child)
{
    uint32_t best = 0;
    *child = KV_PAGE_NONE;
    for (uint32_t i = *bucket_of(p, space, parent); i != KV_PAGE_NONE; i = p->nodes[i].next) {
        const struct prefix_node *node = &p->nodes[i];
        if (node->parent != parent || !same_space(&node->space, space))
            continue;
        uint32_t k = n_common(tokens, p->tokens[i], n < node->n_tokens ? n : node->n_tokens);
        if (k > best) {
            best = k;
            *child = i;
        }
    }
    return best;
}

uint32_t prefix_match(const struct prefix *p, const struct prefix_space *space,
                      const int32_t *tokens, uint32_t n, uint32_t *last)
{
    uint32_t n_matched = 0, child;
    *last = PREFIX_ROOT;
    while (n_matched < n) {
        uint32_t rest = n - n_matched < KV_PAGE ? n - n_matched : KV_PAGE;
        uint32_t k = best_child(p, space, *last, tokens + n_matched, rest, &child);
        if (k == 0)
            break;
        n_matched += k;
        *last = child;
        if (k < KV_PAGE)
            break;
    }
    return n_matched;
}

/* ---- the order of use ---- */

static void unlink_use(struct prefix *p, uint32_t page)
{
    struct prefix_node *node = &p->nodes[page];
    *(node->newer == KV_PAGE_NONE ? &p->newest : &p->nodes[node->newer].older) = node->older;
    *(node->older == KV_PAGE_NONE ? &p->oldest : &p->nodes[node->older].newer) = node->newer;
}

static void link_newest(struct prefix *p, uint32_t page)
{
    struct prefix_node *node = &p->nodes[page];
    node->newer = KV_PAGE_NONE;
    node->older = p->newest;
    *(p->newest == KV_PAGE_NONE ? &p->oldest : &p->nodes[p->newest].newer) = page;
    p->newest = page;
}

static void use(struct prefix *p, uint32_t page)
{
    unlink_use(p, page);
    link_newest(p, page);
}

/* Parents after their children, so that they are newer and the oldest idle page is a leaf. */
void prefix_touch(struct prefix *p, uint32_t page)
{
    for (; page != PREFIX_ROOT; page = p->nodes[page].parent) {
        CHECK(prefix_holds(p, page));
        use(p, page);
    }
}

uint32_t prefix_victim(struct prefix *p)
{
    if (p->pages->n_idle == 0)
        return KV_PAGE_NONE;
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        uint32_t page = p->oldest;
        if (p->pages->count[page] == 1 && p->nodes[page].n_children == 0)
            return page;
        use(p, page);
    }
    /* Every idle page has an idle leaf below it. */
    CHECK(!"an idle page without an idle leaf");
    return KV_PAGE_NONE;
}

/* ---- insertion and removal ---- */

void prefix_remove(struct prefix *p, uint32_t page)
{
    struct prefix_node *node = &p->nodes[page];
    CHECK(prefix_holds(p, page) && node->n_children == 0);
    uint32_t *at = bucket_of(p, &node->space, node->parent);
    while (*at != page)
        at = &p->nodes[*at].next;
    *at = node->next;
    unlink_use(p, page);
    if (node->parent != PREFIX_ROOT)
        p->nodes[node->parent].n_children--;
    p->n_nodes--;
    *node = (struct prefix_node){0};
    kv_pages_forget(p->pages, page);
}

/* The child whose tokens begin with tokens[0..n). On the way, children that are a shorter beginning
 * of them are forgotten: they have no children of their own. */
static uint32_t child_with(struct prefix *p, const struct prefix_space *space, uint32_t parent,
                           const int32_t *tokens, uint32_t n)
{
    uint32_t next;
    for (uint32_t i = *bucket_of(p, space, parent); i != KV_PAGE_NONE; i = next) {
        const struct prefix_node *node = &p->nodes[i];
        next = node->next;
        if (node->parent != parent || !same_space(&node->space, space))
            continue;
        uint32_t shorter = n < node->n_tokens ? n : node->n_tokens;
        if (n_common(tokens, p->tokens[i], shorter) < shorter)
            continue;
        if (node->n_tokens >= n)
            return i;
        prefix_remove(p, i);
    }
    return KV_PAGE_NONE;
}

uint32_t prefix_insert(struct prefix *p, const struct prefix_space *space, uint32_t parent,
                       const int32_t *tokens, uint32_t n, uint32_t page)
{
    CHECK(n > 0 && n <= KV_PAGE);
    CHECK(parent == PREFIX_ROOT || p->nodes[parent].n_tokens == KV_PAGE);
    uint32_t old = child_with(p, space, parent, tokens, n);
    if (old != KV_PAGE_NONE) {
        prefix_touch(p, old);
        return old;
    }
    if (prefix_holds(p, page))
        return KV_PAGE_NONE;
    struct prefix_node *node = &p->nodes[page];
    uint32_t *bucket = bucket_of(p, space, parent);
    *node = (struct prefix_node){
        .space = *space, .parent = parent, .next = *bucket, .n_tokens = n};
    memcpy(p->tokens[page], tokens, n * sizeof tokens[0]);
    *bucket = page;
    if (parent != PREFIX_ROOT)
        p->nodes[parent].n_children++;
    p->n_nodes++;
    link_newest(p, page);
    if (parent != PREFIX_ROOT)
        prefix_touch(p, parent);
    kv_pages_remember(p->pages, page);
    return page;
}

/* ---- what must hold ---- */

static void check_node(const struct prefix *p, uint32_t page)
{
    const struct prefix_node *node = &p->nodes[page];
    const struct kv_pages *pages = p->pages;
    CHECK(pages->count[page] > 0 && pages->remembered[page]);
    CHECK(node->n_tokens <= KV_PAGE && (node->n_tokens == KV_PAGE || node->n_children == 0));
    uint32_t n_seen = 0, n_children = 0;
    for (uint32_t i = *bucket_of(p, &node->space, node->parent); i != KV_PAGE_NONE;
         i = p->nodes[i].next) {
        const struct prefix_node *other = &p->nodes[i];
        n_seen += i == page;
        if (i == page || other->parent != node->parent || !same_space(&other->space, &node->space))
            continue;
        uint32_t n = other->n_tokens < node->n_tokens ? other->n_tokens : node->n_tokens;
        CHECK(n_common(p->tokens[i], p->tokens[page], n) < n);
    }
    CHECK(n_seen == 1);
    for (uint32_t i = 0; i < pages->n_pages; i++)
        n_children += prefix_holds(p, i) && p->nodes[i].parent == page;
    CHECK(n_children == node->n_children);
    if (node->parent == PREFIX_ROOT)
        return;
    const struct prefix_node *parent = &p->nodes[node->parent];
    CHECK(parent->n_tokens == KV_PAGE && same_space(&parent->space, &node->space));
    CHECK(pages->count[page] == 1 || pages->count[node->parent] > 1);
}

void prefix_check(const struct prefix *p)
{
    const struct kv_pages *pages = p->pages;
    uint32_t n_nodes = 0, n_idle = 0, n_used = 0, newer = KV_PAGE_NONE;
    for (uint32_t i = 0; i < pages->n_pages; i++) {
        CHECK(prefix_holds(p, i) == (pages->remembered[i] != 0));
        if (!prefix_holds(p, i))
            continue;
        n_nodes++;
        n_idle += pages->count[i] == 1;
        check_node(p, i);
    }
    for (uint32_t i = p->newest; i != KV_PAGE_NONE; i = p->nodes[i].older) {
        CHECK(prefix_holds(p, i) && p->nodes[i].newer == newer && n_used++ < n_nodes);
        newer = i;
    }
    CHECK(n_nodes == p->n_nodes && n_used == n_nodes && newer == p->oldest);
    CHECK(n_idle == pages->n_idle);
}
