/* models.c - which models are loaded: on demand, while they are used, within one budget.
 *
 * A model of the folder is UNLOADED until a request names it. Its worker starts, reads what the
 * model would take and ASKS; it loads once that is GRANTED. If the budget has no room, models that
 * nobody uses leave, the one first that was used longest ago; if those that are in use take it, the
 * request is refused with the numbers. Requests wait for their model in order (ticket.c).
 * Models named with -m are loaded at the start and stay; they count to the budget, too. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "hub/store.h"
#include "server/front_int.h"
#include "server/keys.h"

enum { LEAVING_LOOK_MS = 10, LEAVING_S_MAX = 5, SCAN_S_MIN = 1, WAIT_S_MAX = 600 };
#define SECOND_NS UINT64_C(1000000000)

/* ---- the folder --------------------------------------------------------------------------- */

static struct process *find(struct front *f, const char *name)
{
    for (size_t i = 0; i < f->options.n_models; i++)
        if (strcmp(f->options.models[i].name, name) == 0)
            return &f->processes[i];
    return NULL;
}

static void add(struct front *f, const struct store_model *found)
{
    size_t i = f->options.n_models;
    struct front_model *m = &f->options.models[i];
    int n = snprintf(m->name, sizeof m->name, "%s", found->name);
    if (n <= 0 || n >= (int)sizeof m->name || !(m->path = mem_strdup(found->path)))
        return;
    f->processes[i] = (struct process){
        .front = f, .model = m, .state = PROCESS_UNLOADED, .on_demand = true, .is_of_folder = true};
    f->options.n_models++;
}

void models_scan(struct front *f)
{
    struct store s;
    uint64_t now_ns = clock_ns();
    if (!f->options.models_dir ||
        (f->scanned_ns && now_ns - f->scanned_ns < SCAN_S_MIN * SECOND_NS))
        return;
    f->scanned_ns = now_ns;
    if (store_open(&s, f->options.models_dir, NULL))
        return;
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct process *p = &f->processes[i];
        p->is_missing = p->is_of_folder && p->state == PROCESS_UNLOADED &&
                        !file_exists(p->model->path);
    }
    for (size_t i = 0; i < s.n_models && f->options.n_models < FRONT_MODELS_MAX; i++)
        if (!s.models[i].is_incomplete && !find(f, s.models[i].name))
            add(f, &s.models[i]);
    store_close(&s);
}

bool model_is_shown(const struct process *p, const struct key *key)
{
    return !p->is_missing && key_may_use(key, str_from(p->model->name));
}

/* ---- the budget --------------------------------------------------------------------------- */

static uint64_t bytes_held(const struct process *p)
{
    return p->granted ? p->n_bytes_needed : 0;
}

static bool is_idle(const struct process *p)
{
    return p->state == PROCESS_READY && p->on_demand && p->n_tickets == 0;
}

/* "b (1.200 GB, in use), c (0.400 GB, stays)" */
static void name_holders(const struct front *f, char *out, size_t n_out)
{
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < f->options.n_models && n < n_out; i++) {
        const struct process *p = &f->processes[i];
        if (bytes_held(p) && !is_idle(p) && p->state != PROCESS_LEAVING)
            n += (size_t)snprintf(out + n, n_out - n, "%s%.60s (%.3f GB, %s)", n ? ", " : "",
                                  p->model->name, (double)p->n_bytes_needed * 1e-9,
                                  p->on_demand ? "in use" : "stays");
    }
}

/* There is no room for it, and those who could leave are not enough. */
static void refuse(struct process *p)
{
    struct front *f = p->front;
    char holders[160];
    name_holders(f, holders, sizeof holders);
    snprintf(p->why, sizeof p->why, "it needs %.3f GB; the budget is %.3f GB%s%s",
             (double)p->n_bytes_needed * 1e-9, (double)f->options.n_bytes_memory * 1e-9,
             holders[0] ? ", of which others hold: " : "", holders);
    front_say(f, "model %s does not fit: %s", p->model->name, p->why);
    process_leave(p);
}

static struct process *least_recently_used(struct front *f)
{
    struct process *found = NULL;
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct process *p = &f->processes[i];
        if (is_idle(p) && (!found || p->last_used_ns < found->last_used_ns))
            found = p;
    }
    return found;
}

/* Lets p load, or refuses it; false: it waits until those that are leaving are gone. */
static bool decide(struct process *p)
{
    struct front *f = p->front;
    uint64_t budget = f->options.n_bytes_memory, held = 0, leaving = 0, idle = 0;
    for (size_t i = 0; i < f->options.n_models; i++) {
        const struct process *q = &f->processes[i];
        held += bytes_held(q);
        leaving += q->state == PROCESS_LEAVING ? bytes_held(q) : 0;
        idle += is_idle(q) ? bytes_held(q) : 0;
    }
    uint64_t need = p->n_bytes_needed, stays = held - leaving - idle;
    if (budget == 0 || (held <= budget && need <= budget - held)) {
        process_grant(p);
        return true;
    }
    if (stays > budget || need > budget - stays) {
        refuse(p);
        return true;
    }
    while (held - leaving > budget || need > budget - (held - leaving)) {
        struct process *q = least_recently_used(f);
        front_say(f, "model %s leaves: %s needs its memory", q->model->name, p->model->name);
        leaving += bytes_held(q);
        process_leave(q);
    }
    return false;
}

/* ---- coming and going --------------------------------------------------------------------- */

void models_settle_soon(struct front *f)
{
    const struct timeval now = {0};
    evtimer_add(f->settle, &now);
}

/* Whether a process that was told to leave is gone. */
static bool reap(struct process *p)
{
    if (p->pid > 0 && waitpid(p->pid, NULL, WNOHANG) == 0) {
        if (clock_ns() - p->left_ns > LEAVING_S_MAX * SECOND_NS)
            kill(p->pid, SIGKILL);
        return false;
    }
    p->pid = 0;
    return true;
}

static struct process *first_asking(struct front *f)
{
    struct process *found = NULL;
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct process *p = &f->processes[i];
        if (p->asks && (!found || p->asked_ns < found->asked_ns))
            found = p;
    }
    return found;
}

void models_settle(int fd, short what, void *front)
{
    (void)fd, (void)what;
    struct front *f = front;
    bool some_leave = false;
    for (size_t i = 0; i < f->options.n_models; i++)
        if (f->processes[i].state == PROCESS_LEAVING && reap(&f->processes[i]))
            process_left(&f->processes[i]);
    for (struct process *p; (p = first_asking(f)) != NULL && decide(p);)
        ;
    for (size_t i = 0; i < f->options.n_models; i++)
        some_leave |= f->processes[i].state == PROCESS_LEAVING;
    if (some_leave) {
        const struct timeval soon = {.tv_usec = LEAVING_LOOK_MS * 1000};
        evtimer_add(f->settle, &soon);
    }
}

bool models_wake(struct process *p, struct api_error *e)
{
    struct err_note note = {""};
    if (p->state == PROCESS_LEAVING)
        return true; /* it is started again when it is gone, as a request waits for it */
    if (process_start(p, &note))
        return api_fail(e, 503, NULL, "model %s: %s", p->model->name, note.text);
    front_say(p->front, "model %s is wanted: loading it", p->model->name);
    return true;
}

void models_tick(struct front *f)
{
    uint64_t now_ns = clock_ns(), idle_ns = f->options.n_idle_s * SECOND_NS;
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct process *p = &f->processes[i];
        tickets_expire(p, now_ns > WAIT_S_MAX * SECOND_NS ? now_ns - WAIT_S_MAX * SECOND_NS : 0);
        if (idle_ns && is_idle(p) && now_ns - p->last_used_ns > idle_ns) {
            front_say(f, "model %s leaves: nobody used it for %u s", p->model->name,
                      f->options.n_idle_s);
            process_leave(p);
        }
    }
}

void models_release(struct front *f)
{
    for (size_t i = 0; i < f->options.n_models; i++)
        if (f->processes[i].is_of_folder)
            mem_free((char *)f->options.models[i].path);
}

/* ---- endpoints ---------------------------------------------------------------------------- */

static void reply_done(struct http_exchange *x, int status, const struct process *p,
                       const char *message)
{
    struct buf body;
    struct writer w;
    buf_init(&body, 4096);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_word(&w, "success", "true");
    write_key_text(&w, "message", str_from(message));
    write_key_text(&w, "model_id", str_from(p->model->name));
    write_close(&w, '}');
    reply_json(x, status, &body);
}

void post_model_load(struct front *f, struct http_exchange *x)
{
    struct api_error e = {0};
    struct process *p = route_find_model(f, visit_of(x)->key, str_from(visit_of(x)->id), &e);
    bool ok = p != NULL;
    if (ok && f->draining)
        ok = api_fail(&e, 503, NULL, "the server is shutting down");
    else if (ok && p->state == PROCESS_LEAVING)
        ok = api_fail(&e, 503, NULL, "model %s is leaving; try again soon", p->model->name);
    else if (ok && (p->state == PROCESS_UNLOADED || p->state == PROCESS_DOWN))
        ok = models_wake(p, &e);
    if (!ok)
        front_fail(x, &e);
    else if (p->state == PROCESS_READY)
        reply_done(x, 200, p, "the model is loaded");
    else
        reply_done(x, 202, p, "the model is loading");
}

void post_model_unload(struct front *f, struct http_exchange *x)
{
    struct api_error e = {0};
    struct process *p = route_find_model(f, visit_of(x)->key, str_from(visit_of(x)->id), &e);
    bool ok = p != NULL;
    if (ok && p->n_tickets)
        ok = api_fail(&e, 409, NULL, "model %s answers %zu request%s; cancel them or try later",
                      p->model->name, p->n_tickets, p->n_tickets == 1 ? "" : "s");
    if (!ok) {
        front_fail(x, &e);
        return;
    }
    if (p->state != PROCESS_UNLOADED && p->state != PROCESS_LEAVING)
        process_leave(p);
    reply_done(x, 200, p, "the model is unloaded");
}

void get_model_stats(struct front *f, struct http_exchange *x)
{
    const struct key *key = visit_of(x)->key;
    uint64_t n_bytes = 0;
    int64_t n_loaded = 0;
    struct buf body;
    struct writer w;
    buf_init(&body, 1 << 16);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key(&w, "loaded_models");
    write_open(&w, '[');
    for (size_t i = 0; i < f->options.n_models; i++) {
        const struct process *p = &f->processes[i];
        if (p->state != PROCESS_READY || !model_is_shown(p, key))
            continue;
        write_text(&w, str_from(p->model->name));
        n_bytes += bytes_held(p);
        n_loaded++;
    }
    write_close(&w, ']');
    write_key_int(&w, "total_loaded", n_loaded);
    write_key_int(&w, "estimated_memory_mb", (int64_t)(n_bytes / 1000000));
    write_key_int(&w, "memory_budget_mb", (int64_t)(f->options.n_bytes_memory / 1000000));
    write_close(&w, '}');
    reply_json(x, 200, &body);
}
