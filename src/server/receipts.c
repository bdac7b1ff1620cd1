/* receipts.c - a queue of errands, a thread, an event when some are done. */
#include "server/receipts.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "proof/key_file.h"

enum { GROUP_MAX = 256, FORGET_EVERY_S = 60 };

struct errands {
    struct errand *first, **last;
};

struct receipts {
    struct receipts_options options;
    struct event *event;
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct errands waiting, done; /* under lock */
    bool stopping;                /* under lock */
    bool has_thread;
    size_t n_waiting; /* the front's own count */
    _Atomic uint64_t n_receipts, n_groups;
    /* The thread's: */
    struct ledger *ledger;
    struct certificate certificate; /* of the key that signs */
};

static void errands_init(struct errands *l)
{
    l->first = NULL;
    l->last = &l->first;
}

static void errands_add(struct errands *l, struct errand *e)
{
    e->next = NULL;
    *l->last = e;
    l->last = &e->next;
}

static struct errand *errands_take(struct errands *l)
{
    struct errand *all = l->first;
    errands_init(l);
    return all;
}

/* ---- keys --------------------------------------------------------------------------------- */

static void say_signing(const struct receipts_options *o, const struct signing *s,
                        struct err_note *say)
{
    char date[32];
    struct tm utc;
    time_t until = (time_t)s->certificate.not_after_s;
    strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", gmtime_r(&until, &utc));
    err_set(say, ERR_OK,
            "receipts: %s, signed under certificate %" PRIu64 " until %s, kept %" PRIu64
            " days or %" PRIu64 " MiB",
            o->mode == RECEIPTS_ALWAYS ? "for every answer" : "for those who ask",
            s->certificate.serial, date, o->limits.age_s_max / 86400, o->limits.n_bytes_max >> 20);
}

/* ---- the thread --------------------------------------------------------------------------- */

static void give_group(struct receipts *r, struct errand **group, size_t n)
{
    struct ledger_entry *entries[GROUP_MAX];
    struct err_note note = {""};
    uint64_t now_s = (uint64_t)time(NULL);
    enum err rc = ERR_USAGE;
    for (size_t i = 0; i < n; i++)
        entries[i] = group[i]->entry;
    if (certificate_covers(&r->certificate, now_s))
        rc = ledger_add(r->ledger, entries, n, now_s, &note);
    else
        err_set(&note, rc,
                "the signing key's certificate is not valid now; whoever runs this "
                "server must renew it (isobit node-key rotate, then SIGHUP)");
    for (size_t i = 0; i < n; i++) {
        group[i]->rc = rc;
        group[i]->note = note;
    }
    if (!rc) {
        atomic_fetch_add(&r->n_receipts, n);
        atomic_fetch_add(&r->n_groups, 1);
    }
}

/* In their order; receipts that follow each other are one group. */
static void do_all(struct receipts *r, struct errand *e)
{
    struct errand *group[GROUP_MAX];
    while (e) {
        size_t n = 0;
        for (; e && e->entry && n < GROUP_MAX; e = e->next)
            group[n++] = e;
        if (n > 0)
            give_group(r, group, n);
        for (; e && !e->entry; e = e->next)
            e->work(e, r->ledger);
    }
}

static void forget(struct receipts *r)
{
    struct err_note note;
    bool more = true;
    while (more && !ledger_forget(r->ledger, (uint64_t)time(NULL), &more, &note))
        ;
}

/* What is to be done next; NULL: nothing for a while. */
static struct errand *wait_for_some(struct receipts *r, bool *stopping)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FORGET_EVERY_S;
    pthread_mutex_lock(&r->lock);
    int rc = 0;
    while (!r->waiting.first && !r->stopping && rc == 0)
        rc = pthread_cond_timedwait(&r->wake, &r->lock, &until);
    struct errand *all = errands_take(&r->waiting);
    *stopping = r->stopping;
    pthread_mutex_unlock(&r->lock);
    return all;
}

static void *run(void *context)
{
    struct receipts *r = context;
    const uint64_t one = 1;
    bool stopping = false;
    while (!stopping) {
        struct errand *all = wait_for_some(r, &stopping), *next;
        if (!all && !stopping)
            forget(r);
        do_all(r, all);
        pthread_mutex_lock(&r->lock);
        for (struct errand *e = all; e; e = next) {
            next = e->next;
            errands_add(&r->done, e);
        }
        pthread_mutex_unlock(&r->lock);
        if (all)
            CHECK(write(r->fd, &one, sizeof one) == sizeof one);
    }
    return NULL;
}

/* ---- the front's side --------------------------------------------------------------------- */

static void give_back(struct receipts *r, bool closing)
{
    pthread_mutex_lock(&r->lock);
    struct errand *all = errands_take(&r->done);
    pthread_mutex_unlock(&r->lock);
    for (struct errand *e = all, *next; e; e = next) {
        next = e->next;
        r->n_waiting--;
        e->done(e, closing);
    }
}

static void on_done(int fd, short what, void *context)
{
    uint64_t n;
    (void)what;
    if (read(fd, &n, sizeof n) == sizeof n)
        give_back(context, false);
}

void receipts_run(struct receipts *r, struct errand *e)
{
    r->n_waiting++;
    pthread_mutex_lock(&r->lock);
    errands_add(&r->waiting, e);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

size_t receipts_waiting(const struct receipts *r)
{
    return r->n_waiting;
}

void receipts_count(const struct receipts *r, uint64_t *n_receipts, uint64_t *n_groups)
{
    *n_receipts = atomic_load(&r->n_receipts);
    *n_groups = atomic_load(&r->n_groups);
}

/* ---- opening, another key ----------------------------------------------------------------- */

static enum err start(struct receipts *r, struct event_base *loop, const struct signing *s,
                      struct err_note *note)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/receipts.db", r->options.folder);
    enum err rc = ledger_open(path, &r->options.limits, &r->ledger, note);
    if (!rc)
        rc = ledger_use_key(r->ledger, &s->pair, str_from(s->text), note);
    if (rc)
        return rc;
    r->certificate = s->certificate;
    r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r->fd >= 0)
        r->event = event_new(loop, r->fd, EV_READ | EV_PERSIST, on_done, r);
    if (!r->event || pthread_create(&r->thread, NULL, run, r) != 0)
        return err_set(note, ERR_MEMORY, "no thread for receipts");
    r->has_thread = true;
    event_add(r->event, NULL);
    return ERR_OK;
}

enum err receipts_open(struct event_base *loop, const struct receipts_options *o,
                       struct receipts **out, struct err_note *say, struct err_note *note)
{
    struct signing s;
    *out = NULL;
    enum err rc = signing_open(o->folder, (uint64_t)time(NULL), &s, note);
    if (rc)
        return rc;
    struct receipts *r = mem_zalloc(sizeof *r);
    if (r) {
        *r = (struct receipts){.options = *o, .fd = -1};
        errands_init(&r->waiting);
        errands_init(&r->done);
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->wake, NULL);
    }
    rc = r ? start(r, loop, &s, note) : err_set(note, ERR_MEMORY, "out of memory for receipts");
    if (rc)
        receipts_close(r);
    else
        *out = r;
    say_signing(o, &s, say);
    signing_release(&s);
    return rc;
}

void receipts_close(struct receipts *r)
{
    if (!r)
        return;
    if (r->has_thread) {
        pthread_mutex_lock(&r->lock);
        r->stopping = true;
        pthread_cond_signal(&r->wake);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        give_back(r, true);
    }
    if (r->event)
        event_free(r->event);
    if (r->fd >= 0)
        close(r->fd);
    ledger_close(r->ledger);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

struct new_key {
    struct errand errand;
    struct receipts *receipts;
    struct signing signing;
};

static void use_key(struct errand *e, struct ledger *l)
{
    struct new_key *k = (struct new_key *)e;
    e->rc = ledger_use_key(l, &k->signing.pair, str_from(k->signing.text), &e->note);
    if (!e->rc)
        k->receipts->certificate = k->signing.certificate;
}

static void key_used(struct errand *e, bool closing)
{
    (void)closing;
    signing_release(&((struct new_key *)e)->signing);
    mem_free(e);
}

enum err receipts_reload(struct receipts *r, struct err_note *note)
{
    struct new_key *k = mem_zalloc(sizeof *k);
    if (!k)
        return err_set(note, ERR_MEMORY, "out of memory for a key");
    enum err rc = signing_open(r->options.folder, (uint64_t)time(NULL), &k->signing, note);
    if (rc) {
        mem_free(k);
        return rc;
    }
    k->receipts = r;
    k->errand.work = use_key;
    k->errand.done = key_used;
    receipts_run(r, &k->errand);
    return ERR_OK;
}
