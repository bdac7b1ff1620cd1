/* plan.c - sums of what model, cache and step take. */
#include "engine/plan.h"

#include <stdio.h>

#include "engine/draft.h"
#include "engine/kv_pages.h"

/* Left to others and to what is too small to be counted: a part of what is available. */
enum { LEFT_PART = 32 };
/* Kept beside a page (its node in the prefix tree, counts) and for a token of the vocabulary while
 * one is chosen. */
enum { PAGE_EXTRA_BYTES = 512, TOKEN_BYTES = 64 };

static const double GIB = 1073741824.0;

static uint32_t pages_of(uint32_t n_positions)
{
    return (n_positions + KV_PAGE - 1) / KV_PAGE;
}

/* All but matrices. */
static uint64_t beside_matrices(const struct plan_part *p)
{
    return p->n_bytes_vectors + p->n_bytes_cache + p->n_bytes_working + p->n_bytes_draft;
}

uint64_t plan_part_bytes(const struct plan_part *p)
{
    return p->n_bytes_weights + beside_matrices(p);
}

static void find_room(struct plan_part *part, struct device *d, const struct iso_engine_options *o)
{
    size_t n_all;
    if (!d->ops->host_memory) {
        part->room = (struct mem_room){d->ops->mem_left(d, &n_all), "the device's memory"};
        part->n_bytes_context = n_all - part->room.n_bytes;
    } else if (o->n_bytes_memory) {
        part->room = (struct mem_room){o->n_bytes_memory, "the limit that was given"};
    } else {
        part->room = mem_room_find();
    }
    part->n_bytes_usable = part->room.n_bytes - part->room.n_bytes / LEFT_PART;
}

/* page_bytes: of a page's part there. n_bytes_draft is set. */
static void fill_part(struct plan_part *part, struct device *d, struct device_needs needs,
                      uint64_t page_bytes, const struct plan *p, const struct iso_engine_options *o)
{
    bool is_cpu = d->ops->host_memory;
    part->device = d->ops->name;
    find_room(part, d, o);
    part->n_bytes_packed = needs.packed_bytes;
    part->n_bytes_vectors = needs.vector_bytes;
    part->n_bytes_page = page_bytes + (is_cpu ? PAGE_EXTRA_BYTES : 0);
    part->n_bytes_cache = p->n_kv_pages * part->n_bytes_page;
    part->n_bytes_working = needs.scratch_bytes;
    if (is_cpu)
        part->n_bytes_working +=
            (uint64_t)p->info.n_vocab * (o->n_logits * sizeof(float) + TOKEN_BYTES);
    uint64_t taken = beside_matrices(part);
    uint64_t left = taken < part->n_bytes_usable ? part->n_bytes_usable - taken : 0;
    part->n_bytes_weights = is_cpu && left < part->n_bytes_packed ? left : part->n_bytes_packed;
}

struct model_limits plan_limits(const struct plan *p, struct device *lower,
                                const struct iso_engine_options *o)
{
    struct model_limits limits = {.n_rows_max = o->n_chunk,
                                  .n_ctx_max = o->n_ctx,
                                  .n_logits_max = o->n_logits,
                                  .is_fast = p->is_fast};
    if (lower && p->n_gpu_layers <= p->info.n_layers) {
        limits.lower = lower;
        limits.n_lower = p->info.n_layers - p->n_gpu_layers;
        limits.is_fast &= limits.n_lower == 0; /* a model has one profile */
    }
    if (p->n_bytes_in_file)
        limits.packed_bytes_max = p->cpu.n_bytes_weights ? p->cpu.n_bytes_weights : 1;
    return limits;
}

/* With p->n_gpu_layers of p->info.n_layers on d. */
static enum err plan_layers(const struct table *t, struct device *d, struct device *lower,
                            const struct iso_engine_options *o, uint64_t n_bytes_draft,
                            struct plan *p, struct err_note *note)
{
    struct model_needs needs;
    struct model_limits limits = plan_limits(p, lower, o);
    enum err rc = model_needs_find(t, d, limits, &needs, note);
    if (rc)
        return rc;
    uint32_t n_ctx = needs.info.n_ctx;
    uint64_t n_pages = o->n_kv_pages ? o->n_kv_pages : (uint64_t)pages_of(n_ctx) * o->n_sessions;
    if (n_pages >= KV_PAGE_NONE)
        return err_set(note, ERR_LIMIT, "%u sessions of %u positions are too many pages",
                       o->n_sessions, n_ctx);
    p->info = needs.info;
    p->n_sessions = o->n_sessions;
    p->n_kv_pages = (uint32_t)n_pages;
    p->cpu = p->gpu = (struct plan_part){0};
    struct plan_part *own = lower ? &p->gpu : &p->cpu;
    own->n_bytes_draft = n_bytes_draft;
    fill_part(own, d, needs.own, p->info.kv_page_bytes, p, o);
    if (limits.lower)
        fill_part(&p->cpu, lower, needs.lower, p->info.kv_lower_bytes, p, o);
    p->n_bytes_in_file = p->cpu.n_bytes_packed - p->cpu.n_bytes_weights;
    return ERR_OK;
}

static bool gpu_fits(const struct plan *p)
{
    return plan_part_bytes(&p->gpu) <= p->gpu.n_bytes_usable;
}

/* As many layers as fit: with all of them first, then halving. p is the plan of as many, or of one
 * layer that does not fit. */
static enum err plan_most(const struct table *t, struct device *d, struct device *lower,
                          const struct iso_engine_options *o, uint64_t n_bytes_draft,
                          struct plan *p, struct err_note *note)
{
    uint32_t n_fit = 0, n_not = p->info.n_layers + 2, n = n_not - 1;
    enum err rc = ERR_OK;
    while (!rc && n > n_fit) {
        p->n_gpu_layers = n;
        rc = plan_layers(t, d, lower, o, n_bytes_draft, p, note);
        if (gpu_fits(p))
            n_fit = n;
        else
            n_not = n;
        n = p->info.is_encoder ? n_fit : (n_fit + n_not) / 2; /* an encoder is not cut */
    }
    p->n_gpu_layers_fit = n_fit;
    p->n_gpu_layers = n_fit ? n_fit : p->info.is_encoder ? p->info.n_layers + 1 : 1;
    return rc ? rc : plan_layers(t, d, lower, o, n_bytes_draft, p, note);
}

/* A card that has not all layers computes as the CPU does. */
static enum err settle_profile(struct plan *p, const struct iso_engine_options *o,
                               struct err_note *note)
{
    uint32_t n = p->n_gpu_layers, n_layers = p->info.n_layers;
    if (!p->is_fast || n >= n_layers)
        return ERR_OK;
    if (o->profile)
        return err_set(note, ERR_UNSUPPORTED,
                       "the profile fast needs all %u layers on the GPU, not %u", n_layers, n);
    p->is_fast = false;
    err_set(&p->said, ERR_OK,
            "%u of %u layers on the GPU: profile exact on both sides, whose products with F16 and "
            "BF16 weights are slow on a GPU",
            n, n_layers);
    return ERR_OK;
}

enum err plan_make(const struct table *t, const struct table *draft, struct device *d,
                   struct device *lower, const struct iso_engine_options *o, struct plan *p,
                   struct err_note *note)
{
    uint64_t n_bytes_draft = 0;
    *p = (struct plan){0};
    const struct model_limits limits = {.n_rows_max = o->n_chunk, .n_ctx_max = o->n_ctx};
    enum err rc = profile_choose(o->profile, t, d, &p->is_fast, &p->said);
    if (rc)
        return err_set(note, rc, "%s", p->said.text);
    if (draft)
        rc = draft_needs(draft, d, limits, &n_bytes_draft, note);
    if (rc)
        return rc;
    if (!lower)
        return plan_layers(t, d, NULL, o, n_bytes_draft, p, note);
    rc = model_plan(t, (struct model_limits){.n_rows_max = 1}, &p->info, note);
    if (!rc)
        rc = plan_most(t, d, lower, o, n_bytes_draft, p, note);
    if (!rc && o->n_gpu_layers && !p->info.is_encoder) {
        p->n_gpu_layers =
            o->n_gpu_layers > p->info.n_layers ? p->info.n_layers + 1 : o->n_gpu_layers;
        rc = plan_layers(t, d, lower, o, n_bytes_draft, p, note);
    }
    return rc ? rc : settle_profile(p, o, note);
}

static bool cpu_fits(const struct plan *p)
{
    return beside_matrices(&p->cpu) <= p->cpu.n_bytes_usable;
}

bool plan_fits(const struct plan *p)
{
    return cpu_fits(p) && gpu_fits(p);
}

/* Pages that a part has room for beside the rest. */
static uint64_t pages_in(const struct plan_part *p, bool with_weights)
{
    uint64_t taken = beside_matrices(p) - p->n_bytes_cache + (with_weights ? p->n_bytes_packed : 0);
    if (!p->device)
        return UINT64_MAX;
    return taken >= p->n_bytes_usable ? 0 : (p->n_bytes_usable - taken) / p->n_bytes_page;
}

uint32_t plan_ctx_max(const struct plan *p, uint32_t n_sessions, bool with_weights)
{
    uint64_t n_cpu = pages_in(&p->cpu, with_weights), n_gpu = pages_in(&p->gpu, true);
    uint64_t n_pages = (n_cpu < n_gpu ? n_cpu : n_gpu) / n_sessions;
    uint32_t n_trained = p->info.n_ctx_train;
    return n_pages >= pages_of(n_trained) ? n_trained : (uint32_t)n_pages * KV_PAGE;
}

static enum err say_cpu(const struct plan *p, const char *fits, struct err_note *note)
{
    return err_set(note, ERR_MEMORY,
                   "%u positions x %u session%s need %.2f GiB of cache and %.2f GiB to work in, "
                   "%.2f GiB is available (%s); %s",
                   p->info.n_ctx, p->n_sessions, p->n_sessions == 1 ? "" : "s",
                   (double)p->cpu.n_bytes_cache / GIB,
                   (double)(beside_matrices(&p->cpu) - p->cpu.n_bytes_cache) / GIB,
                   (double)p->cpu.n_bytes_usable / GIB, p->cpu.room.from, fits);
}

static enum err say_gpu(const struct plan *p, const char *fits, struct err_note *note)
{
    const struct plan_part *g = &p->gpu;
    char layers[64], draft[64] = "";
    if (p->n_gpu_layers > p->info.n_layers)
        snprintf(layers, sizeof layers, "all %u layers", p->info.n_layers);
    else
        snprintf(layers, sizeof layers, "%u of %u layers", p->n_gpu_layers, p->info.n_layers);
    if (g->n_bytes_draft)
        snprintf(draft, sizeof draft, "%.2f GiB for the draft model, ",
                 (double)g->n_bytes_draft / GIB);
    return err_set(note, ERR_MEMORY,
                   "on %s %s take %.2f GiB of weights, %s%.2f GiB of cache for %u positions x %u "
                   "session%s and %.2f GiB to work in, together more than the %.2f GiB that it "
                   "has left; %s",
                   g->device, layers, (double)(g->n_bytes_weights + g->n_bytes_vectors) / GIB,
                   draft, (double)g->n_bytes_cache / GIB, p->info.n_ctx, p->n_sessions,
                   p->n_sessions == 1 ? "" : "s", (double)g->n_bytes_working / GIB,
                   (double)g->n_bytes_usable / GIB, fits);
}

enum err plan_check(const struct plan *p, struct err_note *note)
{
    char fits[80] = "";
    if (plan_fits(p))
        return ERR_OK;
    uint32_t n_ctx = plan_ctx_max(p, p->n_sessions, false), n_one = plan_ctx_max(p, 1, false);
    if (!gpu_fits(p) && p->n_gpu_layers_fit)
        snprintf(fits, sizeof fits, "%u of them fit%s", p->n_gpu_layers_fit,
                 p->n_gpu_layers_fit == 1 ? "s" : "");
    else if (n_ctx)
        snprintf(fits, sizeof fits, "a context of %u fits", n_ctx);
    else if (n_one && p->n_sessions > 1)
        snprintf(fits, sizeof fits, "1 session of %u positions fits", n_one);
    else
        snprintf(fits, sizeof fits, "no context fits");
    return gpu_fits(p) ? say_cpu(p, fits, note) : say_gpu(p, fits, note);
}
