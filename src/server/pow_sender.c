/* pow_sender.c - a list of deliveries under one lock, and threads that take those that are due. */
#include "server/pow_sender.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

enum { URL_BYTES = 1100, DELAY_S_MAX = 30 };
#define SECOND_NS UINT64_C(1000000000)

struct delivery {
    struct delivery *next;
    uint64_t owner, due_ns;
    unsigned n_failed;
    bool busy;
    char url[URL_BYTES];
    struct buf body;
};

struct pow_sender {
    struct callback_hosts hosts;
    pthread_t threads[SENDER_THREADS];
    size_t n_threads;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct delivery *first; /* the oldest */
    size_t n, n_bytes, n_lost;
    struct err_note why; /* the last one was lost */
};

uint64_t sender_delay_ns(unsigned n_failed)
{
    unsigned s = n_failed < 6 ? 1u << (n_failed - 1) : DELAY_S_MAX;
    return (s < DELAY_S_MAX ? s : DELAY_S_MAX) * SECOND_NS;
}

/* ---- under the lock ----------------------------------------------------------------------- */

static void drop(struct pow_sender *s, struct delivery *d)
{
    struct delivery **link = &s->first;
    while (*link != d)
        link = &(*link)->next;
    *link = d->next;
    s->n--;
    s->n_bytes -= d->body.n_bytes;
    buf_release(&d->body);
    mem_free(d);
}

static void lose(struct pow_sender *s, struct delivery *d, const char *why)
{
    s->n_lost++;
    snprintf(s->why.text, sizeof s->why.text, "%.400s", why);
    drop(s, d);
}

static void make_room(struct pow_sender *s, size_t n_bytes)
{
    while (s->n >= SENDER_DELIVERIES_MAX || s->n_bytes + n_bytes > SENDER_BYTES_MAX) {
        struct delivery *d = s->first;
        while (d && d->busy)
            d = d->next;
        if (!d)
            return;
        lose(s, d, "too many results wait to be sent");
    }
}

/* What is due; NULL: nothing before *due_ns. */
static struct delivery *next_due(const struct pow_sender *s, uint64_t now_ns, uint64_t *due_ns)
{
    *due_ns = now_ns + SECOND_NS;
    for (struct delivery *d = s->first; d; d = d->next) {
        if (!d->busy && d->due_ns <= now_ns)
            return d;
        if (!d->busy && d->due_ns < *due_ns)
            *due_ns = d->due_ns;
    }
    return NULL;
}

static void settle(struct pow_sender *s, struct delivery *d, enum err rc,
                   const struct err_note *note)
{
    d->busy = false;
    if (!rc)
        drop(s, d);
    else if (++d->n_failed >= SENDER_TRIES && d->owner == 0)
        lose(s, d, note->text);
    else
        d->due_ns = clock_ns() + sender_delay_ns(d->n_failed);
}

/* ---- threads ------------------------------------------------------------------------------ */

static void wait_until(struct pow_sender *s, uint64_t due_ns)
{
    uint64_t now_ns = clock_ns(), ns = due_ns > now_ns ? due_ns - now_ns : 0;
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    ns += (uint64_t)at.tv_nsec;
    at.tv_sec += (time_t)(ns / SECOND_NS);
    at.tv_nsec = (long)(ns % SECOND_NS);
    pthread_cond_timedwait(&s->wake, &s->lock, &at);
}

static void *run(void *context)
{
    struct pow_sender *s = context;
    struct callback *c = callback_new(&s->hosts, CALLBACK_MS, &s->stop);
    CHECK(c);
    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stop)) {
        uint64_t due_ns;
        struct err_note note = {""};
        struct delivery *d = next_due(s, clock_ns(), &due_ns);
        if (!d) {
            wait_until(s, due_ns);
            continue;
        }
        d->busy = true;
        pthread_mutex_unlock(&s->lock);
        enum err rc =
            callback_post(c, d->url, (struct str){d->body.bytes, d->body.n_bytes}, &note);
        pthread_mutex_lock(&s->lock);
        settle(s, d, rc, &note);
    }
    pthread_mutex_unlock(&s->lock);
    callback_free(c);
    return NULL;
}

/* ---- the front ---------------------------------------------------------------------------- */

enum err pow_sender_open(const struct callback_hosts *hosts, struct pow_sender **out,
                         struct err_note *note)
{
    struct pow_sender *s = mem_zalloc(sizeof *s);
    *out = s;
    if (!s)
        return err_set(note, ERR_MEMORY, "out of memory for results to be sent");
    s->hosts = *hosts;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    while (s->n_threads < SENDER_THREADS &&
           pthread_create(&s->threads[s->n_threads], NULL, run, s) == 0)
        s->n_threads++;
    if (s->n_threads > 0)
        return ERR_OK;
    pow_sender_close(s);
    *out = NULL;
    return err_set(note, ERR_IO, "cannot start threads that send results");
}

size_t pow_sender_close(struct pow_sender *s)
{
    if (!s)
        return 0;
    atomic_store(&s->stop, true);
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->n_threads; i++)
        pthread_join(s->threads[i], NULL);
    size_t n = s->n;
    while (s->first)
        drop(s, s->first);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
    return n;
}

void pow_send(struct pow_sender *s, uint64_t owner, const char *url, struct buf *body)
{
    struct delivery *d = mem_zalloc(sizeof *d);
    CHECK(d && !body->failed);
    d->owner = owner;
    snprintf(d->url, sizeof d->url, "%s", url);
    d->body = *body;
    buf_init(body, 0);
    pthread_mutex_lock(&s->lock);
    make_room(s, d->body.n_bytes);
    struct delivery **link = &s->first;
    while (*link)
        link = &(*link)->next;
    *link = d;
    s->n++;
    s->n_bytes += d->body.n_bytes;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

bool pow_sender_has(struct pow_sender *s, uint64_t owner)
{
    pthread_mutex_lock(&s->lock);
    const struct delivery *d = s->first;
    while (d && d->owner != owner)
        d = d->next;
    pthread_mutex_unlock(&s->lock);
    return d != NULL;
}

void pow_sender_orphan(struct pow_sender *s, uint64_t owner)
{
    pthread_mutex_lock(&s->lock);
    for (struct delivery *d = s->first; d; d = d->next)
        if (d->owner == owner) {
            d->owner = 0;
            d->n_failed = d->n_failed > 0; /* as if it had just begun */
        }
    pthread_mutex_unlock(&s->lock);
}

size_t pow_sender_lost(struct pow_sender *s, struct err_note *why)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n_lost;
    s->n_lost = 0;
    *why = s->why;
    pthread_mutex_unlock(&s->lock);
    return n;
}
