/* plan.c - sums of what model, cache and step take. */
#include "engine/plan.h"

#include <stdio.h>

#include "engine/kv_pages.h"

/* Left to others and to what is too small to be counted: a part of what is available. */
enum { LEFT_PART = 32 };
/* Kept beside a page (its node in the prefix tree, counts) and for a token of the vocabulary while
 * one is chosen. */
enum { PAGE_EXTRA_BYTES = 512, TOKEN_BYTES = 64 };

static uint32_t pages_of(uint32_t n_positions)
{
    return (n_positions + KV_PAGE - 1) / KV_PAGE;
}

enum err plan_make(const struct table *t, struct device *d, const struct iso_engine_options *o,
                   struct plan *p, struct err_note *note)
{
    struct model_limits limits = {
        .n_rows_max = o->n_chunk, .n_ctx_max = o->n_ctx, .n_logits_max = o->n_logits};
    size_t n_all;
    *p = (struct plan){.n_sessions = o->n_sessions};
    enum err rc = profile_choose(o->profile, t, d, &p->is_fast, &p->said);
    if (rc)
        return err_set(note, rc, "%s", p->said.text);
    limits.is_fast = p->is_fast;
    rc = model_needs_find(t, d, limits, &p->model, note);
    if (rc)
        return rc;
    const struct model_info *info = &p->model.info;
    p->n_ctx = info->n_ctx;
    uint64_t n_pages = o->n_kv_pages ? o->n_kv_pages : (uint64_t)pages_of(p->n_ctx) * o->n_sessions;
    if (n_pages >= KV_PAGE_NONE)
        return err_set(note, ERR_LIMIT, "%u sessions of %u positions are too many pages",
                       o->n_sessions, p->n_ctx);
    p->device = d->ops->host_memory ? NULL : d->ops->name;
    if (p->device)
        p->room = (struct mem_room){d->ops->mem_left(d, &n_all), "the device's memory"};
    else if (o->n_bytes_memory)
        p->room = (struct mem_room){o->n_bytes_memory, "the limit that was given"};
    else
        p->room = mem_room_find();
    p->n_bytes_usable = p->room.n_bytes - p->room.n_bytes / LEFT_PART;
    p->n_kv_pages = (uint32_t)n_pages;
    p->n_bytes_page = info->kv_page_bytes + PAGE_EXTRA_BYTES;
    p->n_bytes_cache = n_pages * p->n_bytes_page;
    p->n_bytes_working = p->model.scratch_bytes + p->model.vector_bytes;
    if (!p->device)
        p->n_bytes_working +=
            (uint64_t)info->n_vocab * (o->n_logits * sizeof(float) + TOKEN_BYTES);
    uint64_t taken = p->n_bytes_cache + p->n_bytes_working;
    uint64_t left = taken < p->n_bytes_usable ? p->n_bytes_usable - taken : 0;
    p->n_bytes_weights = p->model.packed_bytes < left ? p->model.packed_bytes : left;
    p->n_bytes_in_file = p->model.packed_bytes - p->n_bytes_weights;
    return ERR_OK;
}

bool plan_fits(const struct plan *p)
{
    bool all_weights = !p->device || p->n_bytes_in_file == 0;
    return p->n_bytes_cache + p->n_bytes_working <= p->n_bytes_usable && all_weights;
}

uint32_t plan_ctx_max(const struct plan *p, uint32_t n_sessions, bool with_weights)
{
    uint64_t taken = p->n_bytes_working + (with_weights ? p->model.packed_bytes : 0);
    if (taken >= p->n_bytes_usable)
        return 0;
    uint64_t n_pages = (p->n_bytes_usable - taken) / p->n_bytes_page / n_sessions;
    uint32_t n_trained = p->model.info.n_ctx_train;
    return n_pages >= pages_of(n_trained) ? n_trained : (uint32_t)n_pages * KV_PAGE;
}

enum err plan_check(const struct plan *p, struct err_note *note)
{
    const double gib = 1073741824.0;
    char fits[80] = "";
    if (plan_fits(p))
        return ERR_OK;
    bool all = p->device != NULL;
    uint32_t n_ctx = plan_ctx_max(p, p->n_sessions, all), n_one = plan_ctx_max(p, 1, all);
    if (n_ctx)
        snprintf(fits, sizeof fits, "; a context of %u fits", n_ctx);
    else if (n_one && p->n_sessions > 1)
        snprintf(fits, sizeof fits, "; 1 session of %u positions fits", n_one);
    else
        snprintf(fits, sizeof fits, "; no context fits");
    if (all)
        return err_set(note, ERR_MEMORY,
                       "on %s %.2f GiB of weights, %.2f GiB of cache for %u positions x %u "
                       "session%s and %.2f GiB to work in are more than the %.2f GiB that it has "
                       "left%s",
                       p->device, (double)p->model.packed_bytes / gib,
                       (double)p->n_bytes_cache / gib, p->n_ctx, p->n_sessions,
                       p->n_sessions == 1 ? "" : "s", (double)p->n_bytes_working / gib,
                       (double)p->n_bytes_usable / gib, fits);
    return err_set(note, ERR_MEMORY,
                   "%u positions x %u session%s need %.2f GiB of cache and %.2f GiB to work in, "
                   "%.2f GiB is available (%s)%s",
                   p->n_ctx, p->n_sessions, p->n_sessions == 1 ? "" : "s",
                   (double)p->n_bytes_cache / gib, (double)p->n_bytes_working / gib,
                   (double)p->n_bytes_usable / gib, p->room.from, fits);
}
