/* queue.c - requests in line. */
#include "engine/queue.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/engine_int.h"

enum err queue_init(struct queue *q, uint32_t n_running, uint32_t n_waiting, uint32_t n_pages,
                    struct err_note *note)
{
    uint32_t n_busy = n_running + n_waiting;
    *q = (struct queue){.n_running_max = n_running, .n_busy_max = n_busy};
    q->waiting.s = mem_array(n_busy, sizeof(struct iso_session *));
    q->running.s = mem_array(n_running, sizeof(struct iso_session *));
    q->tenants = mem_array(n_busy, sizeof q->tenants[0]);
    q->served = mem_array(n_busy, sizeof q->served[0]);
    q->seen = mem_array(n_pages, sizeof q->seen[0]);
    if (q->waiting.s && q->running.s && q->tenants && q->served && q->seen)
        return ERR_OK;
    queue_release(q);
    return err_set(note, ERR_MEMORY, "out of memory for %u requests in line", n_busy);
}

void queue_release(struct queue *q)
{
    mem_free(q->waiting.s);
    mem_free(q->running.s);
    mem_free(q->tenants);
    mem_free(q->served);
    mem_free(q->seen);
    *q = (struct queue){0};
}

/* ---- lines and tenants --------------------------------------------------------------------- */

static bool is_before(const struct iso_session *a, const struct iso_session *b)
{
    if (a->request.priority != b->request.priority)
        return a->request.priority > b->request.priority;
    return a->ticket < b->ticket;
}

static void line_insert(struct line *l, struct iso_session *s)
{
    uint32_t i = l->n++;
    for (; i > 0 && is_before(s, l->s[i - 1]); i--)
        l->s[i] = l->s[i - 1];
    l->s[i] = s;
}

static void line_remove(struct line *l, const struct iso_session *s)
{
    uint32_t i = 0;
    while (i < l->n && l->s[i] != s)
        i++;
    CHECK(i < l->n);
    memmove(&l->s[i], &l->s[i + 1], (--l->n - i) * sizeof l->s[0]);
}

/* The tenant's place in the arrays. One that comes anew is owed nothing and owes nothing. */
static uint32_t tenant_of(struct queue *q, uint64_t id)
{
    uint32_t free_i = q->n_busy_max;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < q->n_busy_max; i++) {
        if (q->tenants[i].n_busy == 0) {
            free_i = i < free_i ? i : free_i;
            continue;
        }
        if (q->tenants[i].id == id)
            return i;
        least = q->served[i] < least ? q->served[i] : least;
    }
    CHECK(free_i < q->n_busy_max);
    q->tenants[free_i] = (struct tenant){.id = id};
    q->served[free_i] = least == UINT64_MAX ? 0 : least;
    return free_i;
}

enum err queue_enter(struct iso_session *s, struct err_note *note)
{
    struct queue *q = &s->engine->queue;
    if (q->waiting.n + q->running.n >= q->n_busy_max)
        return err_set(note, ERR_BUSY,
                       "%u requests run and %u wait, and %u waiting is the limit; try again later",
                       q->running.n, q->waiting.n, q->n_busy_max - q->n_running_max);
    s->place = tenant_of(q, s->request.tenant);
    q->tenants[s->place].n_busy++;
    s->ticket = q->n_tickets++;
    s->state = SESSION_WAITING;
    line_insert(&q->waiting, s);
    return ERR_OK;
}

void queue_leave(struct iso_session *s)
{
    struct queue *q = &s->engine->queue;
    bool runs = s->state == SESSION_RUNNING;
    CHECK(runs || s->state == SESSION_WAITING);
    line_remove(runs ? &q->running : &q->waiting, s);
    q->tenants[s->place].n_running -= runs;
    q->tenants[s->place].n_busy--;
    s->state = SESSION_IDLE;
    s->last_used = q->n_tickets;
}

static void run(struct iso_session *s)
{
    struct queue *q = &s->engine->queue;
    line_remove(&q->waiting, s);
    line_insert(&q->running, s);
    q->tenants[s->place].n_running++;
    s->state = SESSION_RUNNING;
}

static void preempt(struct iso_session *s)
{
    struct queue *q = &s->engine->queue;
    line_remove(&q->running, s);
    line_insert(&q->waiting, s);
    q->tenants[s->place].n_running--;
    s->state = SESSION_WAITING;
    q->n_preempted++;
}

void queue_forgive(struct queue *q, uint32_t n_rows)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < q->n_busy_max; i++)
        if (q->tenants[i].n_busy > 0 && q->served[i] > most)
            most = q->served[i];
    for (uint32_t i = 0; i < q->n_busy_max; i++)
        if (most > n_rows && q->served[i] < most - n_rows)
            q->served[i] = most - n_rows;
}

/* ---- admission ----------------------------------------------------------------------------- */

static struct iso_session *next_waiting(const struct queue *q)
{
    struct iso_session *best = NULL;
    for (uint32_t i = 0; i < q->waiting.n; i++) {
        struct iso_session *s = q->waiting.s[i];
        if (!best) {
            best = s;
            continue;
        }
        uint32_t n = q->tenants[s->place].n_running, n_best = q->tenants[best->place].n_running;
        if (s->request.priority < best->request.priority)
            break;
        if (n < n_best || (n == n_best && q->served[s->place] < q->served[best->place]))
            best = s;
    }
    return best;
}

/* Who must give its place to s: *victim, NULL if a place is free. false: nobody must. */
static bool find_place(const struct queue *q, const struct iso_session *s,
                       struct iso_session **victim)
{
    *victim = NULL;
    if (q->running.n < q->n_running_max)
        return true;
    for (uint32_t i = q->running.n; i-- > 0;) {
        struct iso_session *r = q->running.s[i];
        if (r->request.priority > s->request.priority)
            break;
        *victim = r;
        if (r->request.priority < s->request.priority ||
            q->tenants[r->place].n_running >= q->tenants[s->place].n_running + 2)
            return true;
    }
    return false;
}

/* Pages of s not seen in this look, and those it still needs for the tokens it has. */
static uint32_t pages_wanted(struct queue *q, const struct iso_session *s)
{
    uint32_t n_end = session_pages(s->n_tokens), n = n_end > s->n_pages ? n_end - s->n_pages : 0;
    for (uint32_t i = 0; i < s->n_pages; i++) {
        n += q->seen[s->pages[i]] != q->n_looks;
        q->seen[s->pages[i]] = q->n_looks;
    }
    return n;
}

/* Whether the pool holds what s has to read beside those that s will not push out, each with a page
 * to grow into. Alone, a request always fits. */
static bool pages_fit(struct queue *q, const struct iso_session *s,
                      const struct iso_session *victim)
{
    uint64_t n = 1;
    uint32_t n_ahead = 0;
    q->n_looks++;
    for (uint32_t i = 0; i < q->running.n; i++) {
        const struct iso_session *r = q->running.s[i];
        if (r == victim || r->request.priority < s->request.priority)
            continue;
        n += pages_wanted(q, r) + 1;
        n_ahead++;
    }
    return n_ahead == 0 || n + pages_wanted(q, s) <= s->engine->pages.n_pages;
}

void queue_admit(struct iso_engine *e)
{
    struct queue *q = &e->queue;
    struct iso_session *s, *victim;
    while ((s = next_waiting(q)) && find_place(q, s, &victim)) {
        session_need(s); /* takes what is remembered of it */
        if (!pages_fit(q, s, victim))
            return;
        if (victim)
            preempt(victim);
        run(s);
    }
}

/* ---- the empty pool ------------------------------------------------------------------------ */

static struct iso_session *longest_idle(struct iso_engine *e)
{
    struct iso_session *best = NULL;
    for (uint32_t i = 0; i < e->n_sessions; i++) {
        struct iso_session *s = &e->sessions[i];
        if (s->state == SESSION_IDLE && s->n_pages > 0 &&
            (!best || s->last_used < best->last_used))
            best = s;
    }
    return best;
}

static struct iso_session *last_with_pages(const struct line *l)
{
    for (uint32_t i = l->n; i-- > 0;)
        if (l->s[i]->n_pages > 0)
            return l->s[i];
    return NULL;
}

bool queue_reclaim(struct iso_session *s)
{
    struct iso_engine *e = s->engine;
    struct iso_session *from = longest_idle(e);
    while (!from && !(from = last_with_pages(&e->queue.waiting))) {
        struct iso_session *last = e->queue.running.s[e->queue.running.n - 1];
        CHECK(e->queue.running.n > 1); /* alone, it fits */
        preempt(last);
        if (last == s)
            return false;
    }
    session_drop_page(from);
    return true;
}
