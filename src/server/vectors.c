/* vectors.c - fills passes with the texts of all jobs, as long as there are any; sleeps otherwise.
 */
#include "server/vectors.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/threads.h"

/* A text of the pass at hand. */
struct place {
    struct vector_job *job;
    size_t i;
};

struct job_list {
    struct vector_job *first, **last;
};

struct vectors {
    struct iso_embedder *embedder;
    struct iso_embedder_info info;
    pthread_t thread;
    int event_fd;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job_list begin, done;
    struct stats told;
    bool tells, stop;

    /* The thread's own: jobs in line, the pass, [n_rows] each. */
    struct job_list live, gaps;
    struct stats stats;
    struct iso_text *texts;
    struct place *places;
    float *out; /* [n_rows, n_dims] */
};

static void append(struct job_list *l, struct vector_job *job)
{
    job->next = NULL;
    if (!l->first)
        l->last = &l->first;
    *l->last = job;
    l->last = &job->next;
}

static struct vector_job *take_first(struct job_list *l)
{
    struct vector_job *job = l->first;
    if (job)
        l->first = job->next;
    return job;
}

/* ---- the thread --------------------------------------------------------------------------- */

/* Waits while there is nothing to do; false: leave. */
static bool fetch(struct vectors *v)
{
    pthread_mutex_lock(&v->lock);
    while (!v->begin.first && !v->live.first && !v->gaps.first && !v->stop)
        pthread_cond_wait(&v->wake, &v->lock);
    for (struct vector_job *job; (job = take_first(&v->begin));)
        append(job->until_ns ? &v->gaps : &v->live, job);
    bool stop = v->stop;
    pthread_mutex_unlock(&v->lock);
    return !stop;
}

static void finish(struct vectors *v, struct vector_job *job)
{
    bool left = atomic_load(&job->leave);
    v->stats.counters[STATS_answers]++;
    v->stats.counters[STATS_cancellations] += left;
    pthread_mutex_lock(&v->lock);
    append(&v->done, job);
    pthread_mutex_unlock(&v->lock);
}

/* Those that nobody wants any more, or that would be too late: before a pass, as none of their
 * texts may be in it. */
static void drop(struct vectors *v, struct job_list *list, uint64_t now_ns)
{
    struct job_list rest = {0};
    for (struct vector_job *job; (job = take_first(list));) {
        job->is_late = job->until_ns && now_ns > job->until_ns;
        if (atomic_load(&job->leave) || job->is_late)
            finish(v, job);
        else
            append(&rest, job);
    }
    *list = rest;
}

/* A text of each job in turn as long as they fit. A job whose texts are all taken leaves the line:
 * the pass is its last. Returns the number of texts. */
static size_t fill(struct vectors *v, struct job_list *live, uint64_t *n_rows)
{
    struct job_list line = {0};
    size_t n = 0;
    uint64_t now_ns = clock_ns();
    *n_rows = 0;
    for (struct vector_job *job; (job = take_first(live));) {
        const struct iso_text *text = &job->texts[job->n_taken];
        if (n > 0 && *n_rows + text->n_tokens > v->info.n_rows) {
            append(&line, job); /* first in the next pass */
            break;
        }
        if (job->n_taken == 0)
            stats_count(&v->stats, STATS_queue_seconds, now_ns - job->submitted_ns);
        v->texts[n] = *text;
        v->places[n++] = (struct place){job, job->n_taken++};
        *n_rows += text->n_tokens;
        if (job->n_taken < job->n_texts)
            append(live, job);
        if (*n_rows >= v->info.n_rows)
            break;
    }
    for (struct vector_job *job; (job = take_first(live));)
        append(&line, job);
    *live = line;
    if (!line.first)
        live->last = &live->first;
    return n;
}

static void run_pass(struct vectors *v)
{
    uint64_t n_rows, begin_ns = clock_ns();
    drop(v, &v->live, begin_ns);
    drop(v, &v->gaps, begin_ns);
    size_t n = fill(v, v->live.first ? &v->live : &v->gaps, &n_rows), d = v->info.n_dims;
    struct iso_note note = {""};
    if (n == 0)
        return;
    enum iso_err err = iso_embed(v->embedder, v->texts, n, v->out, &note);
    for (size_t k = 0; k < n; k++) {
        struct vector_job *job = v->places[k].job;
        const float *x = v->out + k * d;
        memcpy(job->out + v->places[k].i * d, x, d * sizeof *x);
        if (err && (err != ISO_ERR_NUMERIC || isnan(x[0]))) {
            job->err = err;
            job->note = note;
        }
    }
    v->stats.counters[STATS_prompt_tokens] += n_rows;
    v->stats.counters[STATS_step_rows] += n_rows;
    v->stats.counters[STATS_steps]++;
    v->stats.counters[STATS_busy_seconds] += clock_ns() - begin_ns;
    stats_count(&v->stats, STATS_batch_size, n);
    for (size_t k = 0; k < n; k++)
        if (v->places[k].i + 1 == v->places[k].job->n_texts)
            finish(v, v->places[k].job);
}

static void publish(struct vectors *v)
{
    uint64_t one = 1, n_live = 0;
    for (const struct vector_job *job = v->live.first; job; job = job->next)
        n_live++;
    for (const struct vector_job *job = v->gaps.first; job; job = job->next)
        n_live++;
    v->stats.gauges[STATS_requests_running] = n_live;
    v->stats.gauges[STATS_batch_places] = v->info.n_rows;
    pthread_mutex_lock(&v->lock);
    v->told = v->stats;
    v->tells = true;
    pthread_mutex_unlock(&v->lock);
    CHECK(write(v->event_fd, &one, sizeof one) == sizeof one);
}

static void *run(void *context)
{
    struct vectors *v = context;
    threads_float_control();
    while (fetch(v)) {
        run_pass(v);
        publish(v);
    }
    return NULL;
}

/* ---- the owner ---------------------------------------------------------------------------- */

static void release(struct vectors *v)
{
    mem_free(v->texts);
    mem_free(v->places);
    mem_free(v->out);
    if (v->event_fd >= 0)
        close(v->event_fd);
    mem_free(v);
}

enum err vectors_start(struct iso_embedder *embedder, struct vectors **out, int *fd,
                       struct err_note *note)
{
    struct vectors *v = mem_zalloc(sizeof *v);
    *out = NULL;
    if (!v)
        return err_set(note, ERR_MEMORY, "out of memory for the embedder's thread");
    v->embedder = embedder;
    v->info = iso_embedder_info(embedder);
    v->texts = mem_array(v->info.n_rows, sizeof *v->texts);
    v->places = mem_array(v->info.n_rows, sizeof *v->places);
    v->out = mem_array((size_t)v->info.n_rows * v->info.n_dims, sizeof *v->out);
    v->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->wake, NULL);
    v->tells = true;
    if (!v->texts || !v->places || !v->out || v->event_fd < 0 ||
        pthread_create(&v->thread, NULL, run, v) != 0) {
        release(v);
        return err_set(note, ERR_IO, "cannot start the embedder's thread");
    }
    *fd = v->event_fd;
    *out = v;
    return ERR_OK;
}

void vectors_stop(struct vectors *v)
{
    if (!v)
        return;
    pthread_mutex_lock(&v->lock);
    v->stop = true;
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
    pthread_join(v->thread, NULL);
    pthread_cond_destroy(&v->wake);
    pthread_mutex_destroy(&v->lock);
    release(v);
}

void vectors_submit(struct vectors *v, struct vector_job *job)
{
    CHECK(job->n_texts > 0);
    job->submitted_ns = clock_ns();
    pthread_mutex_lock(&v->lock);
    append(&v->begin, job);
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
}

struct vector_job *vectors_done(struct vectors *v)
{
    uint64_t count;
    ssize_t got = read(v->event_fd, &count, sizeof count);
    (void)got; /* nothing new is no error */
    pthread_mutex_lock(&v->lock);
    struct vector_job *job = take_first(&v->done);
    pthread_mutex_unlock(&v->lock);
    return job;
}

bool vectors_stats(struct vectors *v, struct stats *out)
{
    pthread_mutex_lock(&v->lock);
    bool tells = v->tells;
    if (tells)
        *out = v->told;
    v->tells = false;
    pthread_mutex_unlock(&v->lock);
    return tells;
}
