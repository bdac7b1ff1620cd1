/* kv_pages.c - the pool of key-value pages. */
#include "engine/kv_pages.h"

#include "base/check.h"
#include "base/mem.h"

enum err kv_pages_init(struct kv_pages *p, struct device *device, uint32_t n_pages,
                       size_t page_bytes, struct err_note *note)
{
    size_t n_bytes;
    void *memory;
    *p = (struct kv_pages){
        .device = device, .page_bytes = page_bytes, .n_pages = n_pages, .n_free = n_pages};
    if (!mul_ok(n_pages, page_bytes, &n_bytes))
        return err_set(note, ERR_LIMIT, "%u key-value pages of %zu bytes are more than memory",
                       n_pages, page_bytes);
    enum err rc = device->ops->mem_take(device, n_bytes, "key-value pages", &memory, note);
    if (rc)
        return err_wrap(note, rc, "%u pages of 64 positions; ask for a smaller context", n_pages);
    p->memory = memory;
    p->free_stack = mem_array(n_pages, sizeof p->free_stack[0]);
    p->count = mem_array(n_pages, sizeof p->count[0]);
    p->remembered = mem_array(n_pages, sizeof p->remembered[0]);
    p->hash = mem_array(n_pages, sizeof p->hash[0]);
    p->hashed = mem_array(n_pages, sizeof p->hashed[0]);
    if (!p->free_stack || !p->count || !p->remembered || !p->hash || !p->hashed) {
        kv_pages_release(p);
        return err_set(note, ERR_MEMORY, "out of memory for the counts of %u key-value pages",
                       n_pages);
    }
    for (uint32_t i = 0; i < n_pages; i++)
        p->free_stack[i] = n_pages - 1 - i;
    return ERR_OK;
}

enum err kv_pages_init_lower(struct kv_pages *p, struct device *lower, size_t lower_bytes,
                             struct err_note *note)
{
    size_t n_bytes;
    void *memory;
    if (!mul_ok(p->n_pages, lower_bytes, &n_bytes))
        return err_set(note, ERR_LIMIT, "%u key-value pages of %zu bytes are more than memory",
                       p->n_pages, lower_bytes);
    enum err rc = lower->ops->mem_take(lower, n_bytes, "key-value pages", &memory, note);
    if (rc)
        return err_wrap(note, rc, "%u pages of 64 positions; ask for a smaller context",
                        p->n_pages);
    p->lower = lower;
    p->lower_memory = memory;
    p->lower_bytes = lower_bytes;
    return ERR_OK;
}

void kv_pages_shed(struct kv_pages *p)
{
    if (p->lower_memory)
        p->lower->ops->mem_give(p->lower, p->lower_memory, p->n_pages * p->lower_bytes);
    p->lower_memory = NULL;
}

void kv_pages_release(struct kv_pages *p)
{
    kv_pages_shed(p);
    if (p->memory)
        p->device->ops->mem_give(p->device, p->memory, p->n_pages * p->page_bytes);
    mem_free(p->free_stack);
    mem_free(p->count);
    mem_free(p->remembered);
    mem_free(p->hash);
    mem_free(p->hashed);
    *p = (struct kv_pages){0};
}

uint32_t kv_pages_take(struct kv_pages *p)
{
    if (p->n_free == 0)
        return KV_PAGE_NONE;
    uint32_t page = p->free_stack[--p->n_free];
    CHECK(p->count[page] == 0);
    p->count[page] = 1;
    p->hashed[page] = 0;
    return page;
}

void kv_pages_share(struct kv_pages *p, uint32_t page)
{
    CHECK(page < p->n_pages && p->count[page] > 0);
    p->n_idle -= p->count[page] == 1 && p->remembered[page];
    p->count[page]++;
}

void kv_pages_drop(struct kv_pages *p, uint32_t page)
{
    CHECK(page < p->n_pages && p->count[page] > 0);
    p->count[page]--;
    if (p->count[page] == 0) {
        CHECK(!p->remembered[page]);
        p->free_stack[p->n_free++] = page;
    }
    p->n_idle += p->count[page] == 1 && p->remembered[page];
}

void kv_pages_remember(struct kv_pages *p, uint32_t page)
{
    CHECK(page < p->n_pages && p->count[page] > 0 && !p->remembered[page]);
    p->remembered[page] = 1;
    p->count[page]++;
}

void kv_pages_forget(struct kv_pages *p, uint32_t page)
{
    CHECK(page < p->n_pages && p->remembered[page]);
    p->n_idle -= p->count[page] == 1;
    p->remembered[page] = 0;
    kv_pages_drop(p, page);
}

uint32_t kv_pages_own(struct kv_pages *p, uint32_t page)
{
    CHECK(page < p->n_pages && p->count[page] > 0);
    if (p->count[page] == 1)
        return page;
    uint32_t copy = kv_pages_take(p);
    if (copy == KV_PAGE_NONE)
        return KV_PAGE_NONE;
    struct model_page to = kv_pages_at(p, copy), from = kv_pages_at(p, page);
    p->device->ops->move(p->device, to.own, from.own, p->page_bytes);
    if (to.lower)
        p->lower->ops->move(p->lower, to.lower, from.lower, p->lower_bytes);
    kv_pages_drop(p, page);
    return copy;
}
