/* worker.c - one group's thread: draws the weights of the current job, computes what it is given.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "node/node_int.h"

enum { IDLE_MS = 200 };

static void tell_rate(struct node *n, struct node_worker *w)
{
    struct tally *t = &w->tally;
    uint64_t now_ms = node_now_ms();
    if (t->n_checked == 0 || now_ms - t->told_ms < NODE_LOG_S * 1000)
        return;
    char line[RATE_LINE_BYTES];
    t->told_ms = now_ms;
    rate_line(line, w->group, t->n_valid, t->n_checked, (double)(now_ms - t->begun_ms) / 60000);
    node_say(n, "%s", line);
}

static void wait_for_change(struct node *n)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += IDLE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&n->changed, &n->lock, &until);
}

/* Nobody holds weights of another job: their memory is free again. */
static bool none_but(const struct node *n, int64_t job)
{
    for (size_t i = 0; i < n->n_workers; i++)
        if (n->workers[i].job != 0 && n->workers[i].job != job)
            return false;
    return true;
}

/* Who draws the job's weights, or has them; NULL: nobody yet. */
static struct node_worker *holder(struct node *n, int64_t job)
{
    struct node_worker *found = NULL;
    for (size_t i = 0; i < n->n_workers; i++)
        if (n->workers[i].job == job && (!found || n->workers[i].ready))
            found = &n->workers[i];
    return found;
}

/* The first group draws, the others take what it drew when it is ready. */
static bool may_open(struct node *n, int64_t job)
{
    const struct node_worker *other = holder(n, job);
    return none_but(n, job) && (!other || other->ready);
}

/* The lock is held; it is let go of while weights are given back. */
static void close_compute(struct node *n, struct node_worker *w)
{
    w->ready = false;
    pthread_mutex_unlock(&n->lock);
    poc_compute_close(w->compute);
    w->compute = NULL;
    pthread_mutex_lock(&n->lock);
    w->job = 0;
    if (none_but(n, 0))
        n->n_bytes_held = 0;
    pthread_cond_broadcast(&n->changed);
}

static void fail_job(struct node *n, int64_t job, const struct err_note *why)
{
    struct err_note note = {""};
    if (desk_job(n->desk) != job)
        return;
    snprintf(n->failure, sizeof n->failure, "%s", why->text);
    node_say(n, "the work on block %.100s is given up: %s", desk_request(n->desk)->block_hash,
             why->text);
    if (desk_stop(n->desk, time(NULL), &note))
        node_say(n, "%s", note.text);
    node_tell_losses(n);
}

/* The lock is held; it is let go of while weights are drawn. */
static void open_compute(struct node *n, struct node_worker *w)
{
    struct init_request r = *desk_request(n->desk);
    struct poc_settings s = node_settings(n, &r, w->n_threads, n->n_batch);
    struct poc_need need;
    struct err_note note = {""};
    struct node_worker *other = holder(n, desk_job(n->desk));
    s.held = other ? poc_compute_hold(other->compute) : NULL;
    w->job = desk_job(n->desk);
    enum err rc = poc_compute_need(&s, &need, &note);
    if (!rc)
        n->n_bytes_held +=
            (other ? 0 : need.n_weights) + need.n_fixed + s.n_batch * need.n_nonce;
    pthread_mutex_unlock(&n->lock);
    uint64_t begun_ms = node_now_ms();
    rc = rc ? rc : poc_compute_open(&w->compute, &s, &note);
    poc_held_release(s.held);
    if (!rc)
        node_say(n, "[%zu] the weights of block %.100s are %s, %.1f s, %s, %u at a time", w->group,
                 r.block_hash, other ? "shared" : "drawn",
                 (double)(node_now_ms() - begun_ms) / 1000, poc_compute_isa(w->compute),
                 s.n_batch);
    pthread_mutex_lock(&n->lock);
    if (rc) {
        fail_job(n, w->job, &note);
        close_compute(n, w);
        return;
    }
    w->ready = true;
    pthread_cond_broadcast(&n->changed);
    w->tally = (struct tally){.begun_ms = node_now_ms(), .told_ms = node_now_ms()};
}

/* The lock is held; it is let go of while nonces are computed. False: there was nothing to do. */
static bool work(struct node *n, struct node_worker *w)
{
    struct desk_work job = {.nonces = w->nonces};
    struct err_note note = {""};
    size_t n_valid = 0;
    enum err rc = desk_take(n->desk, w->group, n->n_batch, &job, &note);
    if (rc)
        node_say(n, "%s", note.text);
    if (rc || job.kind == WORK_NONE)
        return false;
    pthread_mutex_unlock(&n->lock);
    rc = poc_compute_run(w->compute, job.public_key, job.nonces, job.n, w->dist, NULL, NULL,
                         &note);
    pthread_mutex_lock(&n->lock);
    if (rc) {
        desk_give_back(n->desk, &job);
        fail_job(n, job.job, &note);
        return false;
    }
    rc = desk_done(n->desk, &job, w->dist, &n_valid, &note);
    if (rc) { /* the store is in trouble: nothing is lost, all is tried again */
        desk_give_back(n->desk, &job);
        node_say(n, "%s", note.text);
        return false;
    }
    if (job.kind == WORK_GENERATE) {
        w->tally.n_checked += job.n;
        w->tally.n_valid += n_valid;
        tell_rate(n, w);
    }
    node_tell_losses(n);
    pthread_cond_broadcast(&n->changed);
    return true;
}

void *node_worker_main(void *context)
{
    struct node_worker *w = context;
    struct node *n = w->node;
    if (n->n_workers > 1) /* threads that it makes stay on its cores */
        pthread_setaffinity_np(pthread_self(), sizeof w->cores, &w->cores);
    pthread_mutex_lock(&n->lock);
    while (!atomic_load(&n->stop)) {
        int64_t job = desk_job(n->desk);
        if (w->job != job && w->job != 0)
            close_compute(n, w);
        else if (w->job != job && may_open(n, job))
            open_compute(n, w);
        else if (w->job == 0 || !work(n, w))
            wait_for_change(n);
    }
    close_compute(n, w);
    pthread_mutex_unlock(&n->lock);
    return NULL;
}
