/* engine.c - opening an engine: device, model, pages, sessions and the scratch of a step. */
#include "engine/engine_int.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/threads.h"
#include "device/open.h"
#include "format/identity.h"

enum { CHUNK_DEFAULT = 512, CHUNK_MAX = 1 << 16, SESSIONS_MAX = 4096, THREADS_MAX = 1024 };

static const float stretch_default = 2.7f;

#define SAME_ERR(name, text)                                                                       \
    _Static_assert((int)ISO_ERR_##name == (int)ERR_##name, "error numbers differ");
#define ISO_ERR_OK ISO_OK
ERR_LIST(SAME_ERR)
_Static_assert((int)ISO_PAGE_POSITIONS == (int)KV_PAGE, "page sizes differ");

static enum err out_of_memory(struct err_note *note, const char *what)
{
    return err_set(note, ERR_MEMORY, "out of memory for %s", what);
}

static enum err check_options(struct iso_engine_options *o, struct err_note *note)
{
    if (o->n_threads == 0)
        o->n_threads = threads_online();
    if (o->n_chunk == 0)
        o->n_chunk = CHUNK_DEFAULT;
    if (o->n_sessions == 0)
        o->n_sessions = 1;
    if (o->n_running == 0 || o->n_running > o->n_sessions)
        o->n_running = o->n_sessions;
    if (o->n_queue == 0 || o->n_queue > o->n_sessions - o->n_running)
        o->n_queue = o->n_sessions - o->n_running;
    if (o->n_logits == 0 && !o->no_speculation)
        o->n_logits = GUESSES_MAX + 1;
    if (o->n_logits < o->n_running)
        o->n_logits = o->n_running;
    if (o->stretch == 0)
        o->stretch = stretch_default;
    if (o->n_threads < 0 || o->n_threads > THREADS_MAX)
        return err_set(note, ERR_USAGE, "%d threads; from 1 to %d", o->n_threads, THREADS_MAX);
    if (o->n_chunk > CHUNK_MAX)
        return err_set(note, ERR_USAGE, "a chunk of %u rows; from 1 to %d", o->n_chunk, CHUNK_MAX);
    if (o->n_sessions > SESSIONS_MAX)
        return err_set(note, ERR_USAGE, "%u sessions; from 1 to %d", o->n_sessions, SESSIONS_MAX);
    if (!(o->stretch > 1))
        return err_set(note, ERR_USAGE, "a step stretched %g times; it must be above 1",
                       (double)o->stretch);
    return ERR_OK;
}

static uint64_t machine_clock(void *context)
{
    (void)context;
    return clock_ns();
}

enum err engine_open_pages(struct kv_pages *pages, struct device *device, struct device *lower,
                           const struct plan *plan, struct err_note *note)
{
    const struct model_info *info = &plan->info;
    enum err rc = kv_pages_init(pages, device, plan->n_kv_pages, info->kv_page_bytes, note);
    if (!rc && info->kv_lower_bytes)
        rc = kv_pages_init_lower(pages, lower, info->kv_lower_bytes, note);
    return rc;
}

static enum err open_sessions(struct iso_engine *e, struct err_note *note)
{
    uint32_t n_kv_pages = e->plan.n_kv_pages;
    size_t n_pages = (e->n_ctx + KV_PAGE - 1) / KV_PAGE;
    e->sessions = mem_array(e->n_sessions, sizeof e->sessions[0]);
    if (!e->sessions)
        return out_of_memory(note, "sessions");
    for (uint32_t i = 0; i < e->n_sessions; i++) {
        struct iso_session *s = &e->sessions[i];
        s->engine = e;
        s->tokens = mem_array(e->n_ctx, sizeof s->tokens[0]);
        s->pages = mem_array(n_pages, sizeof s->pages[0]);
        s->bases = mem_array(n_pages, sizeof s->bases[0]);
        s->lower_bases = mem_array(n_pages, sizeof s->lower_bases[0]);
        if (!s->tokens || !s->pages || !s->bases || !s->lower_bases)
            return out_of_memory(note, "sessions");
    }
    if (n_kv_pages < n_pages)
        return err_set(note, ERR_LIMIT,
                       "%u key-value pages hold %u positions, but a session may have %u; ask for "
                       "%zu pages, or for a smaller context",
                       n_kv_pages, n_kv_pages * KV_PAGE, e->n_ctx, n_pages);
    enum err rc = engine_open_pages(&e->pages, e->device, e->lower, &e->plan, note);
    return rc ? rc : prefix_init(&e->prefix, &e->pages, note);
}

static enum err open_scratch(struct iso_engine *e, uint32_t n_running, struct err_note *note)
{
    size_t n_vocab = model_info(e->model)->n_vocab, n_floats;
    /* A row fills one page at most; where a session waited, so may a position that it recalls. */
    e->n_page_digests_max = e->n_chunk / KV_PAGE + 2 * n_running;
    e->n_events_max = (size_t)e->n_logits + 4 * (size_t)e->n_sessions + e->n_page_digests_max;
    e->turn = mem_array(n_running, sizeof e->turn[0]);
    e->token = mem_array(e->n_chunk, sizeof e->token[0]);
    e->rows = mem_array(e->n_chunk, sizeof e->rows[0]);
    e->lower_rows = mem_array(e->n_chunk, sizeof e->lower_rows[0]);
    e->bad = mem_array(e->n_chunk, sizeof e->bad[0]);
    e->hidden = mem_array((size_t)e->n_logits * model_info(e->model)->n_embd, sizeof e->hidden[0]);
    e->rope_far = mem_array(e->n_chunk, sizeof e->rope_far[0]);
    e->input = mem_array(e->n_chunk, sizeof e->input[0]);
    e->mirrors = mem_array(e->n_chunk, sizeof e->mirrors[0]);
    e->logit_rows = mem_array(e->n_logits, sizeof e->logit_rows[0]);
    e->stays = mem_array(e->n_logits, sizeof e->stays[0]);
    e->sample = mem_array(e->n_logits, sizeof e->sample[0]);
    e->edits = mem_array((size_t)e->n_logits * MODEL_EDITS, sizeof e->edits[0]);
    e->results = mem_array(e->n_logits, sizeof e->results[0]);
    e->digests = mem_array(e->n_logits, sizeof e->digests[0]);
    e->logprobs = mem_array(e->n_logits, sizeof e->logprobs[0]);
    e->records = mem_array(e->n_logits, sizeof e->records[0]);
    e->page_digests = mem_array(e->n_page_digests_max, sizeof e->page_digests[0]);
    e->need = mem_array(n_running, sizeof e->need[0]);
    e->n_rows = mem_array(n_running, sizeof e->n_rows[0]);
    e->events = mem_array(e->n_events_max, sizeof e->events[0]);
    if (mul_ok(e->n_logits, n_vocab, &n_floats) &&
        mul_ok(n_floats, sizeof e->logits[0], &e->n_bytes_logits))
        e->logits = mem_pages(e->n_bytes_logits);
    if (!e->token || !e->rows || !e->lower_rows || !e->bad || !e->rope_far || !e->hidden ||
        !e->logit_rows || !e->digests || !e->logprobs || !e->records || !e->page_digests ||
        !e->turn || !e->need || !e->n_rows || !e->events || !e->logits || !e->input ||
        !e->mirrors || !e->stays || !e->sample || !e->edits || !e->results)
        return out_of_memory(note, "a forward pass");
    return sampler_init(&e->sampler, (uint32_t)n_vocab, e->n_ctx, note);
}

/* Pages are kept by the weights' hash: a file's name says nothing of what is in it. */
static enum err open_tier(struct iso_engine *e, const struct table *table,
                          const struct iso_engine_options *o, struct err_note *note)
{
    struct identity identity;
    if (!o->cache_dir)
        return ERR_OK;
    struct threads *threads = threads_new(o->n_threads);
    if (!threads)
        return out_of_memory(note, "threads that hash the weights");
    enum err rc = identity_find(table, threads, o->progress, o->progress_context, &identity, note);
    threads_free(threads);
    return rc ? rc : tier_open(e, o->cache_dir, o->n_cache_bytes, &identity, note);
}

enum err engine_open_model(const struct table *table, struct device *device, struct device *lower,
                           const struct iso_engine_options *o, const struct plan *plan,
                           struct model **model, struct err_note *note)
{
    enum err rc = ERR_OK;
    if (plan->info.is_encoder)
        rc =
            err_set(note, ERR_UNSUPPORTED, "%s is an encoder ('%s'): it makes embeddings, not text",
                    table->path, plan->info.arch);
    if (!rc)
        rc = plan_check(plan, note);
    if (rc)
        return rc;
    profile_begin(device, plan->is_fast, &plan->said, o->notice, o->notice_context);
    return model_open(table, device, plan_limits(plan, lower, o), o->progress,
                      o->progress_context, model, note);
}

static void tell(const struct iso_engine_options *o, const char *text)
{
    if (o->notice)
        o->notice(o->notice_context, text);
}

/* Where nobody asked for this very device and not one layer fits, the CPU computes. */
static enum err leave_device(struct iso_engine *e, struct err_note *note)
{
    char text[128];
    snprintf(text, sizeof text, "not one layer fits on %s beside the cache; the CPU computes all",
             e->device->ops->name);
    tell(&e->options, text);
    e->device->ops->close(e->device);
    e->device = e->lower;
    e->lower = NULL;
    return plan_make(e->weights, e->draft_weights, e->device, NULL, &e->options, &e->plan, note);
}

/* What lies where, said in a line where it is not as was asked. */
static enum err choose_layers(struct iso_engine *e, struct err_note *note)
{
    const struct iso_engine_options *o = &e->options;
    const struct plan *p = &e->plan;
    char text[256];
    enum err rc = plan_make(e->weights, e->draft_weights, e->device, e->lower, o, &e->plan, note);
    if (!rc && e->lower && p->n_gpu_layers_fit == 0 && device_is_auto(o->gpu))
        return leave_device(e, note);
    if (!rc && !e->lower && o->n_gpu_layers)
        tell(o, "layers on a GPU were asked for, but none is used: the CPU computes all");
    if (rc || !e->lower || o->n_gpu_layers || p->n_gpu_layers > p->info.n_layers ||
        !plan_fits(p))
        return rc;
    snprintf(text, sizeof text,
             "%u of %u layers fit on %s, in %.2f of the %.2f GiB that it has left; the CPU has %s "
             "embedding",
             p->n_gpu_layers, p->info.n_layers, p->gpu.device,
             (double)plan_part_bytes(&p->gpu) / 0x1p30, (double)p->gpu.n_bytes_usable / 0x1p30,
             p->n_gpu_layers < p->info.n_layers ? "the others and the" : "the");
    tell(o, text);
    return ERR_OK;
}

static enum err open_draft(struct iso_engine *e, struct err_note *note)
{
    const struct model_limits limits = {.n_rows_max = e->n_chunk, .n_ctx_max = e->n_ctx};
    return draft_open(&e->speculate.draft, e->draft_weights, e->weights, e->device,
                      model_info(e->model)->n_vocab, limits, note);
}

static enum err open_parts(struct iso_engine *e, const struct table *table,
                           const struct iso_engine_options *o, struct err_note *note)
{
    enum err rc = choose_layers(e, note);
    if (!rc)
        rc = engine_open_model(table, e->device, e->lower, o, &e->plan, &e->model, note);
    if (rc)
        return rc;
    e->n_ctx = model_info(e->model)->n_ctx;
    e->is_fast = model_info(e->model)->is_fast;
    rc = open_sessions(e, note);
    if (!rc)
        rc = speculate_init(&e->speculate, o->no_speculation, e->n_ctx, note);
    if (!rc && e->draft_weights)
        rc = open_draft(e, note);
    if (!rc)
        rc = queue_init(&e->queue, o->n_running, o->n_queue, e->pages.n_pages, note);
    if (!rc)
        rc = ahead_init(&e->ahead, o->n_running, note);
    if (!rc)
        rc = open_scratch(e, o->n_running, note);
    return rc ? rc : open_tier(e, table, o, note);
}

/* The device that the options name. */
static enum err open_device(const struct iso_engine_options *o, struct device **d,
                            struct err_note *note)
{
    const struct device_choice choice = {o->gpu, o->n_bytes_gpu, o->n_threads, o->isa};
    return device_open(&choice, d, note);
}

/* The CPU beside a device with memory of its own; else NULL. */
static enum err open_lower(const struct iso_engine_options *o, const struct device *d,
                           struct device **lower, struct err_note *note)
{
    *lower = NULL;
    return d->ops->host_memory
               ? ERR_OK
               : cpu_device_open(o->n_threads, o->isa ? o->isa : "auto", lower, note);
}

enum err engine_plan(const struct table *table, const struct table *draft,
                     const struct iso_engine_options *options, struct plan *plan,
                     struct err_note *note)
{
    struct iso_engine_options o = options ? *options : (struct iso_engine_options){0};
    struct device *d, *lower;
    enum err rc = check_options(&o, note);
    if (!rc)
        rc = open_device(&o, &d, note);
    if (rc)
        return rc;
    rc = open_lower(&o, d, &lower, note);
    if (!rc)
        rc = plan_make(table, draft, d, lower, &o, plan, note);
    if (lower)
        lower->ops->close(lower);
    d->ops->close(d);
    return rc;
}

enum err engine_open_on(const struct table *table, const struct table *draft,
                        const struct iso_engine_options *options, struct device *device,
                        struct iso_engine **engine, struct err_note *note)
{
    struct iso_engine_options o = options ? *options : (struct iso_engine_options){0};
    *engine = NULL;
    enum err rc = check_options(&o, note);
    struct iso_engine *e = rc ? NULL : mem_zalloc(sizeof *e);
    if (!e) {
        device->ops->close(device);
        return rc ? rc : out_of_memory(note, "an engine");
    }
    e->device = device;
    e->isa = o.isa ? o.isa : cpu_isa_best();
    e->options = o;
    e->options.progress = NULL; /* when the CPU takes over its context may be gone */
    e->weights = table;
    e->draft_weights = draft;
    e->n_threads = o.n_threads;
    e->n_chunk = o.n_chunk;
    e->n_sessions = o.n_sessions;
    e->n_logits = o.n_logits;
    e->stretch = o.stretch;
    e->clock_ns = o.clock_ns ? o.clock_ns : machine_clock;
    e->clock_context = o.clock_context;
    rc = open_lower(&o, device, &e->lower, note);
    if (!rc)
        rc = open_parts(e, table, &o, note);
    if (rc)
        iso_engine_close(e);
    else
        *engine = e;
    return rc;
}

enum err engine_open(const struct table *table, const struct table *draft,
                     const struct iso_engine_options *options, struct iso_engine **engine,
                     struct err_note *note)
{
    struct iso_engine_options o = options ? *options : (struct iso_engine_options){0};
    struct device *device;
    *engine = NULL;
    enum err rc = check_options(&o, note);
    if (!rc)
        rc = open_device(&o, &device, note);
    return rc ? rc : engine_open_on(table, draft, &o, device, engine, note);
}

static void close_sessions(struct iso_engine *e)
{
    for (uint32_t i = 0; e->sessions && i < e->n_sessions; i++) {
        mem_free(e->sessions[i].tokens);
        mem_free(e->sessions[i].pages);
        mem_free(e->sessions[i].bases);
        mem_free(e->sessions[i].lower_bases);
    }
    mem_free(e->sessions);
}

void iso_engine_close(struct iso_engine *e)
{
    if (!e)
        return;
    tier_close(e);
    close_sessions(e);
    prefix_release(&e->prefix);
    queue_release(&e->queue);
    ahead_release(&e->ahead);
    kv_pages_release(&e->pages);
    sampler_release(&e->sampler);
    speculate_release(&e->speculate);
    mem_free(e->token);
    mem_free(e->rows);
    mem_free(e->lower_rows);
    mem_free(e->bad);
    mem_free(e->rope_far);
    mem_free(e->input);
    mem_free(e->mirrors);
    mem_free(e->hidden);
    mem_free(e->logit_rows);
    mem_free(e->stays);
    mem_free(e->sample);
    mem_free(e->edits);
    mem_free(e->results);
    mem_free(e->digests);
    mem_free(e->logprobs);
    mem_free(e->records);
    mem_free(e->page_digests);
    mem_free(e->turn);
    mem_free(e->need);
    mem_free(e->n_rows);
    mem_free(e->events);
    mem_pages_free(e->logits, e->n_bytes_logits);
    if (e->model)
        model_close(e->model);
    if (e->device)
        e->device->ops->close(e->device);
    if (e->lower)
        e->lower->ops->close(e->lower);
    if (e->table)
        e->table_free(e->table);
    if (e->draft_table)
        e->table_free(e->draft_table);
    mem_free(e);
}

static struct iso_memory memory_of(const struct plan_part *p)
{
    return (struct iso_memory){.n_bytes = p->n_bytes_usable,
                               .n_bytes_context = p->n_bytes_context,
                               .n_bytes_weights = p->n_bytes_weights + p->n_bytes_vectors,
                               .n_bytes_cache = p->n_bytes_cache,
                               .n_bytes_working = p->n_bytes_working,
                               .n_bytes_draft = p->n_bytes_draft};
}

struct iso_engine_info iso_engine_info(const struct iso_engine *e)
{
    const struct model_info *m = model_info(e->model);
    struct iso_cache_info cache = e->cache;
    tier_info(e, &cache);
    return (struct iso_engine_info){
        .arch = m->arch,
        .arithmetic = engine_arithmetic(e->is_fast),
        .isa = e->isa,
        .device = e->device->ops->name,
        .n_threads = e->n_threads,
        .n_vocab = m->n_vocab,
        .n_embd = m->n_embd,
        .n_layers = m->n_layers,
        .n_gpu_layers = e->plan.n_gpu_layers,
        .gpu = memory_of(&e->plan.gpu),
        .n_ctx = e->n_ctx,
        .n_ctx_train = m->n_ctx_train,
        .n_sessions = e->n_sessions,
        .n_running = e->queue.n_running_max,
        .n_chunk = e->n_chunk,
        .n_params = m->n_params,
        .n_bytes_weights = m->weight_bytes,
        .n_bytes_kv_page = m->kv_page_bytes + m->kv_lower_bytes,
        .n_bytes_kv_file = m->kv_file_bytes,
        .n_bytes_in_file = m->raw_bytes,
        .n_kv_pages = e->pages.n_pages,
        .n_kv_pages_free = e->pages.n_free + e->pages.n_idle,
        .n_kv_pages_remembered = e->pages.n_idle,
        .cache = cache,
    };
}

struct iso_engine_stats iso_engine_stats(const struct iso_engine *e)
{
    struct iso_engine_stats stats = e->stats;
    stats.n_waiting = e->queue.waiting.n;
    stats.n_running = e->queue.running.n;
    stats.n_requests = e->queue.n_tickets;
    stats.n_preempted = e->queue.n_preempted;
    stats.n_kv_pages_used = e->pages.n_pages - e->pages.n_free - e->pages.n_idle;
    return stats;
}

void engine_set_guesser(struct iso_engine *e, struct guesser guesser)
{
    e->speculate.guesser = guesser;
}

void engine_set_tap(struct iso_engine *e, struct model_tap tap)
{
    e->tap = tap;
    model_set_tap(e->model, tap);
}

struct device *engine_device(const struct iso_engine *e)
{
    return e->device;
}

const struct model *engine_model(const struct iso_engine *e)
{
    return e->model;
}
