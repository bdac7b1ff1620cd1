/* kv_pages.h - the pool of key-value pages: fixed at open, counted references, copy on write.
 *
 * A page holds KV_PAGE positions of every layer; where a model lies on two devices, so does it.
 * Several sessions may refer to one page; only a page with a single reference may be written.
 * Invariants: a page is either free (count 0, on the free stack once) or in use (count >= 1);
 * n_free + pages in use = n_pages. One of the references may be that of the prefix tree (prefix.h),
 * which gives its page back when others need it: a page that only the tree holds is idle.
 * Thread: the owner of the engine. Nothing here allocates after kv_pages_init. */
#ifndef ENGINE_KV_PAGES_H
#define ENGINE_KV_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "device/device.h"
#include "model/model.h"

#define KV_PAGE_NONE UINT32_MAX

struct kv_pages {
    struct device *device;
    uint8_t *memory; /* n_pages * page_bytes, the device's; a CPU's when it is touched */
    size_t page_bytes;
    struct device *lower; /* the other device; NULL: there is none */
    uint8_t *lower_memory;
    size_t lower_bytes; /* a page's part there */
    uint32_t n_pages, n_free;
    uint32_t n_idle;      /* pages that only the prefix tree holds */
    uint32_t *free_stack; /* [n_free] the next page to take is the last */
    uint32_t *count;      /* [n_pages] references */
    uint8_t *remembered;  /* [n_pages] whether one of them is the prefix tree's */
    uint8_t (*hash)[SHA256_BYTES]; /* [n_pages] of a full page, where it is known */
    uint8_t *hashed;               /* [n_pages] whether it is; not of a page that is written */
};

enum err kv_pages_init(struct kv_pages *p, struct device *device, uint32_t n_pages,
                       size_t page_bytes, struct err_note *note);
/* kv_pages_init_lower - after it: the pages' parts on another device. */
enum err kv_pages_init_lower(struct kv_pages *p, struct device *lower, size_t lower_bytes,
                             struct err_note *note);
void kv_pages_release(struct kv_pages *p);
/* kv_pages_shed - gives back the parts on the other device: of a pool that is to be released. */
void kv_pages_shed(struct kv_pages *p);

uint32_t kv_pages_take(struct kv_pages *p); /* a page with one reference; KV_PAGE_NONE: none free */
void kv_pages_share(struct kv_pages *p, uint32_t page); /* one more reference */
void kv_pages_drop(struct kv_pages *p, uint32_t page);  /* one fewer; free at 0 */

/* The prefix tree's own reference: at most one to a page. */
void kv_pages_remember(struct kv_pages *p, uint32_t page);
void kv_pages_forget(struct kv_pages *p, uint32_t page);

/* kv_pages_own - a page with page's bytes that only the caller refers to: the page itself if it is
 * already so, else a copy that replaces the caller's reference. KV_PAGE_NONE, and nothing changed,
 * when a copy is needed and no page is free. */
uint32_t kv_pages_own(struct kv_pages *p, uint32_t page);

static inline struct model_page kv_pages_at(const struct kv_pages *p, uint32_t page)
{
    return (struct model_page){
        p->memory + (size_t)page * p->page_bytes,
        p->lower_memory ? p->lower_memory + (size_t)page * p->lower_bytes : NULL};
}

#endif
