/* prefix.h - the tree of remembered pages: which tokens a page's keys and values belong to.
 *
 * A node is a page and the up to 64 tokens it holds; its parent holds the tokens before them. Only
 * a node with all 64 has children. The tree holds one reference to each of its pages and never
 * writes one: whoever shares a page copies it before writing (kv_pages_own). Nodes are found by
 * their exact tokens inside a space: one tenant's tokens are never compared with another's.
 * Invariants: a page is in the tree at most once, and the node's index is the page's; no child's
 * tokens begin another child's of the same parent; whoever refers to a node's page from outside
 * refers to its parent's too, so a page that only the tree holds (idle) has only idle descendants.
 * Thread: the owner of the engine. Nothing here allocates after prefix_init. */
#ifndef ENGINE_PREFIX_H
#define ENGINE_PREFIX_H

#include <stdbool.h>
#include <stdint.h>

#include "device/device.h"
#include "engine/kv_pages.h"

#define PREFIX_ROOT KV_PAGE_NONE /* the parent of a timeline's first page */

/* Whose pages these are; nothing is shared between different spaces. */
struct prefix_space {
    uint64_t tenant, pool; /* one of them is 0: a tenant's own pages, or a pool's */
    bool far;              /* LongRoPE: computed with the far set */
};

struct prefix_node {
    struct prefix_space space;
    uint32_t parent;       /* PREFIX_ROOT or a page */
    uint32_t next;         /* in the chain of its bucket */
    uint32_t newer, older; /* in the order of use */
    uint32_t n_children;
    uint32_t n_tokens; /* 0: this page is not in the tree */
};

struct prefix {
    struct kv_pages *pages;
    struct prefix_node *nodes;  /* [n_pages] */
    int32_t (*tokens)[KV_PAGE]; /* [n_pages] */
    uint32_t *buckets;          /* [n_buckets] nodes with the same parent share one */
    uint32_t n_buckets;         /* a power of two */
    uint32_t newest, oldest, n_nodes;
};

enum err prefix_init(struct prefix *p, struct kv_pages *pages, struct err_note *note);
void prefix_release(struct prefix *p); /* before the pages; their references go with them */

static inline bool prefix_holds(const struct prefix *p, uint32_t page)
{
    return p->nodes[page].n_tokens > 0;
}

/* prefix_match - the longest remembered beginning of tokens[0..n): the number of positions, and in
 * *last the page of the last of them (its ancestors hold the others; PREFIX_ROOT with 0). The last
 * page may hold more than what matched. Cost: the children of each node on the way. */
uint32_t prefix_match(const struct prefix *p, const struct prefix_space *space,
                      const int32_t *tokens, uint32_t n, uint32_t *last);

/* prefix_insert - remember that page holds tokens[0..n), n <= 64, after those of parent, a whole
 * page in the tree. Returns the page that the tree has for them: this one, which gets one more
 * reference, or an older one with the same bits; KV_PAGE_NONE if it takes none, because the page is
 * in the tree elsewhere. Shorter children that are no more use are forgotten. Counts as use. */
uint32_t prefix_insert(struct prefix *p, const struct prefix_space *space, uint32_t parent,
                       const int32_t *tokens, uint32_t n, uint32_t page);

/* prefix_touch - the page and its ancestors were used now. */
void prefix_touch(struct prefix *p, uint32_t page);

/* prefix_victim - the idle page without children that was used least recently; KV_PAGE_NONE: no
 * page is idle. Pages in use that it meets on its way count as used now. */
uint32_t prefix_victim(struct prefix *p);

/* prefix_remove - forget a page that has no children; the tree's reference is dropped. */
void prefix_remove(struct prefix *p, uint32_t page);

/* prefix_check - aborts where an invariant does not hold. Slow: for tests and simulation. */
void prefix_check(const struct prefix *p);

#endif
