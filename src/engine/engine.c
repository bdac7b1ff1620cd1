/* engine.c - opening an engine: device, model, pages, sessions and the scratch of a step. */
#include "engine/engine_int.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/threads.h"
#include "device/open.h"
#include "engine/plan.h"
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

static enum err open_sessions(struct iso_engine *e, uint32_t n_kv_pages, struct err_note *note)
{
    size_t n_pages = (e->n_ctx + KV_PAGE - 1) / KV_PAGE;
    e->sessions = mem_array(e->n_sessions, sizeof e->sessions[0]);
    if (!e->sessions)
        return out_of_memory(note, "sessions");
    for (uint32_t i = 0; i < e->n_sessions; i++) {
        int32_t *tokens = mem_array(e->n_ctx, sizeof tokens[0]);
        uint32_t *pages = mem_array(n_pages, sizeof pages[0]);
        void **bases = mem_array(n_pages, sizeof bases[0]);
        session_init(&e->sessions[i], e, tokens, pages, bases);
        if (!tokens || !pages || !bases)
            return out_of_memory(note, "sessions");
    }
    if (n_kv_pages < n_pages)
        return err_set(note, ERR_LIMIT,
                       "%u key-value pages hold %u positions, but a session may have %u; ask for "
                       "%zu pages, or for a smaller context",
                       n_kv_pages, n_kv_pages * KV_PAGE, e->n_ctx, n_pages);
    enum err rc =
        kv_pages_init(&e->pages, e->device, n_kv_pages, model_info(e->model)->kv_page_bytes, note);
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
    if (!e->token || !e->rows || !e->bad || !e->rope_far || !e->hidden || !e->logit_rows ||
        !e->digests || !e->logprobs || !e->records || !e->page_digests || !e->turn || !e->need ||
        !e->n_rows || !e->events || !e->logits || !e->input || !e->mirrors || !e->stays ||
        !e->sample || !e->edits || !e->results)
        return out_of_memory(note, "a forward pass");
    return sampler_init(&e->sampler, (uint32_t)n_vocab, e->n_ctx, note);
}

static const char *best_isa(void)
{
    const char *const *names = cpu_isa_names();
    while (names[1])
        names++;
    return names[0];
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

enum err engine_open_model(const struct table *table, struct device *device,
                           const struct iso_engine_options *o, uint32_t *n_kv_pages,
                           struct model **model, struct err_note *note)
{
    struct model_limits limits = {
        .n_rows_max = o->n_chunk, .n_ctx_max = o->n_ctx, .n_logits_max = o->n_logits};
    struct plan plan;
    enum err rc = plan_make(table, device, o, &plan, note);
    if (!rc && plan.model.info.is_encoder)
        rc =
            err_set(note, ERR_UNSUPPORTED, "%s is an encoder ('%s'): it makes embeddings, not text",
                    table->path, plan.model.info.arch);
    if (!rc)
        rc = plan_check(&plan, note);
    if (rc)
        return rc;
    profile_begin(device, plan.is_fast, &plan.said, o->notice, o->notice_context);
    limits.is_fast = plan.is_fast;
    if (plan.n_bytes_in_file)
        limits.packed_bytes_max = plan.n_bytes_weights ? plan.n_bytes_weights : 1;
    *n_kv_pages = plan.n_kv_pages;
    return model_open(table, device, limits, o->progress, o->progress_context, model, note);
}

static enum err open_parts(struct iso_engine *e, const struct table *table,
                           const struct iso_engine_options *o, struct err_note *note)
{
    uint32_t n_kv_pages;
    enum err rc = engine_open_model(table, e->device, o, &n_kv_pages, &e->model, note);
    if (rc)
        return rc;
    e->n_ctx = model_info(e->model)->n_ctx;
    e->is_fast = model_info(e->model)->is_fast;
    rc = open_sessions(e, n_kv_pages, note);
    if (!rc)
        rc = speculate_init(&e->speculate, o->no_speculation, e->n_ctx, note);
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
    const struct device_choice choice = {o->gpu, o->n_bytes_gpu, o->n_threads,
                                         o->isa ? o->isa : best_isa()};
    return device_open(&choice, d, note);
}

enum err engine_plan(const struct table *table, const struct iso_engine_options *options,
                     struct plan *plan, struct err_note *note)
{
    struct iso_engine_options o = options ? *options : (struct iso_engine_options){0};
    struct device *d;
    enum err rc = check_options(&o, note);
    if (!rc)
        rc = open_device(&o, &d, note);
    if (rc)
        return rc;
    rc = plan_make(table, d, &o, plan, note);
    d->ops->close(d);
    return rc;
}

enum err engine_open_on(const struct table *table, const struct iso_engine_options *options,
                        struct device *device, struct iso_engine **engine, struct err_note *note)
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
    e->isa = o.isa ? o.isa : best_isa();
    e->options = o;
    e->options.progress = NULL; /* when the CPU takes over its context may be gone */
    e->weights = table;
    e->n_threads = o.n_threads;
    e->n_chunk = o.n_chunk;
    e->n_sessions = o.n_sessions;
    e->n_logits = o.n_logits;
    e->stretch = o.stretch;
    e->clock_ns = o.clock_ns ? o.clock_ns : machine_clock;
    e->clock_context = o.clock_context;
    rc = open_parts(e, table, &o, note);
    if (rc)
        iso_engine_close(e);
    else
        *engine = e;
    return rc;
}

enum err engine_open(const struct table *table, const struct iso_engine_options *options,
                     struct iso_engine **engine, struct err_note *note)
{
    struct iso_engine_options o = options ? *options : (struct iso_engine_options){0};
    struct err_note said = {""};
    struct device *device;
    *engine = NULL;
    enum err rc = check_options(&o, note);
    if (!rc)
        rc = open_device(&o, &device, &said);
    if (rc && said.text[0])
        err_set(note, rc, "%s", said.text);
    else if (said.text[0] && o.notice)
        o.notice(o.notice_context, said.text);
    return rc ? rc : engine_open_on(table, &o, device, engine, note);
}

static void close_sessions(struct iso_engine *e)
{
    for (uint32_t i = 0; e->sessions && i < e->n_sessions; i++) {
        mem_free(e->sessions[i].tokens);
        mem_free(e->sessions[i].pages);
        mem_free(e->sessions[i].bases);
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
    if (e->table)
        e->table_free(e->table);
    if (e->draft_table)
        e->table_free(e->draft_table);
    mem_free(e);
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
        .n_ctx = e->n_ctx,
        .n_ctx_train = m->n_ctx_train,
        .n_sessions = e->n_sessions,
        .n_running = e->queue.n_running_max,
        .n_chunk = e->n_chunk,
        .n_params = m->n_params,
        .n_bytes_weights = m->weight_bytes,
        .n_bytes_kv_page = m->kv_page_bytes,
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

enum err engine_add_draft(struct iso_engine *e, const struct table *table,
                          const struct table *draft, struct err_note *note)
{
    struct model_limits limits = {.n_rows_max = e->n_chunk, .n_ctx_max = e->n_ctx};
    e->draft_weights = draft;
    return draft_open(&e->speculate.draft, draft, table, e->device, model_info(e->model)->n_vocab,
                      limits, note);
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
