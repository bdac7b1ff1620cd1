/* answers.c - steps the engine as long as there is work; sleeps otherwise.
 *
 * Two lists cross between the threads under one lock: answers to begin, and news. A step's news are
 * added at its end, so the lock is taken twice a step. */
#include "server/answers.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/threads.h"

enum { STATS_NS = 250000000 };

struct news_list {
    struct news *items;
    size_t n, n_reserved;
};

struct answers {
    struct iso_engine *engine;
    pthread_t thread;
    int event_fd;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct answer *begin_first, **begin_last; /* submitted, in order */
    struct news_list published;
    struct stats told;
    bool tells; /* told has not been fetched yet */
    bool stop;

    /* The thread's own. */
    struct answer *live;
    struct news_list step;
    struct stats stats;
    uint64_t step_begun_ns, step_ended_ns, told_ns;
    uint64_t i_step, n_batch; /* answers of this step */
    /* The owner's own. */
    struct news_list taken;
};

/* Without memory for an event its answer would never end: the worker is better restarted. */
static struct news *add_news(struct news_list *l)
{
    if (l->n == l->n_reserved) {
        l->n_reserved = l->n_reserved ? 2 * l->n_reserved : 64;
        l->items = mem_resize(l->items, l->n_reserved * sizeof l->items[0]);
        CHECK(l->items);
    }
    struct news *news = &l->items[l->n++];
    *news = (struct news){0};
    return news;
}

static void add_finish(struct answers *a, struct answer *answer, enum iso_finish finish,
                       enum iso_err err, const char *text)
{
    struct news *news = add_news(&a->step);
    news->answer = answer;
    news->kind = NEWS_FINISH;
    news->finish = finish;
    news->err = err;
    if (err) {
        news->note = mem_zalloc(sizeof *news->note);
        CHECK(news->note);
        err_set((struct err_note *)news->note, (enum err)err, "%s", text);
    }
}

/* ---- the thread --------------------------------------------------------------------------- */

static void begin(struct answers *a, struct answer *answer)
{
    struct iso_note note = {""};
    enum iso_err rc = iso_session_open(a->engine, &answer->session, &note);
    if (!rc) {
        rc = iso_session_submit(answer->session, &answer->request, &note);
        if (rc)
            iso_session_close(answer->session);
    }
    if (rc) {
        add_finish(a, answer, ISO_FINISH_ERROR, rc, note.text);
        return;
    }
    answer->next = a->live;
    a->live = answer;
    answer->i_step = UINT64_MAX;
    struct news *news = add_news(&a->step);
    news->answer = answer;
    news->kind = NEWS_BEGIN;
}

static void end(struct answers *a, struct answer *answer, const struct iso_event *e)
{
    struct answer **at = &a->live;
    while (*at != answer)
        at = &(*at)->next;
    *at = answer->next;
    bool is_nonce = answer->request.rows != NULL;
    a->stats.counters[STATS_nonces] += is_nonce && e->finish == ISO_FINISH_LENGTH;
    a->stats.counters[STATS_answers] += !is_nonce;
    a->stats.counters[STATS_cancellations] += !is_nonce && e->finish == ISO_FINISH_CANCELLED;
    iso_session_close(answer->session);
    add_finish(a, answer, e->finish, e->err, e->note);
}

/* The first news of an answer's prompt. What is read again later was read all the same. */
static void began(struct answers *a, struct answer *answer, const struct iso_event *e)
{
    answer->began = true;
    answer->n_cached = answer->request.n_tokens - e->n_total;
    a->stats.counters[STATS_prompt_tokens] += answer->request.n_tokens;
    a->stats.counters[STATS_cached_tokens] += answer->n_cached;
    stats_count(&a->stats, STATS_queue_seconds, a->step_begun_ns - answer->submitted_ns);
}

static void add_progress(struct answers *a, struct answer *answer, const struct iso_event *e)
{
    struct news *news = add_news(&a->step);
    news->answer = answer;
    news->kind = NEWS_PROMPT;
    news->n_cached = answer->n_cached;
    news->n_read = answer->request.n_tokens - e->n_total + e->n_done;
}

static void count_token(struct answers *a, struct answer *answer)
{
    if (answer->last_ns == 0)
        stats_count(&a->stats, STATS_time_to_first_token_seconds,
                    a->step_ended_ns - answer->submitted_ns);
    else
        stats_count(&a->stats, STATS_time_per_output_token_seconds,
                    a->step_ended_ns - answer->last_ns);
    answer->last_ns = a->step_ended_ns;
}

static void copy_logprobs(struct news *news, const struct iso_event *e)
{
    news->logprob = e->logprob;
    news->n_top = e->n_logprobs;
    for (uint32_t i = 0; i < e->n_logprobs; i++)
        news->top[i] = e->logprobs[i];
}

/* The logits after one token of the prompt tell how likely the next was. */
static void add_read(struct answers *a, struct answer *answer, const struct iso_event *e)
{
    uint32_t next = e->position + 1, n_vocab = iso_engine_info(a->engine).n_vocab;
    if (next >= answer->request.n_tokens)
        return;
    struct news *news = add_news(&a->step);
    news->answer = answer;
    news->kind = NEWS_READ;
    news->token = answer->request.tokens[next];
    copy_logprobs(news, e);
    for (uint32_t i = 0; i < n_vocab; i++)
        news->rank += e->logits[i] >= e->logits[news->token];
}

/* What comes after its end tells nothing about the answer. */
static void replay(struct answers *a, struct answer *answer, const struct iso_event *e)
{
    if (answer->replay->is_over && answer->i_over != a->i_step)
        return;
    if (!replay_take(answer->replay, e)) {
        answer->i_over = a->i_step;
        atomic_store(&answer->leave, ISO_FINISH_STOP);
    }
}

static void take_event(struct answers *a, const struct iso_event *e)
{
    struct answer *answer = e->request->user;
    if (e->kind != ISO_EVENT_FINISH && answer->i_step != a->i_step) {
        answer->i_step = a->i_step;
        a->n_batch++;
    }
    if (answer->maker)
        maker_take(answer->maker, e);
    if (answer->replay)
        replay(a, answer, e);
    if (e->kind == ISO_EVENT_FINISH) {
        end(a, answer, e);
    } else if (e->kind == ISO_EVENT_PROMPT) {
        if (!answer->began && !answer->request.rows)
            began(a, answer, e);
        if (answer->last_ns == 0 && !answer->request.rows)
            add_progress(a, answer, e);
    } else if (e->kind == ISO_EVENT_BORDER && answer->hidden) {
        memcpy(answer->hidden, e->hidden, iso_engine_info(a->engine).n_embd * sizeof(float));
    } else if (e->kind == ISO_EVENT_LOGITS) {
        add_read(a, answer, e);
    } else if (e->kind == ISO_EVENT_TOKEN) {
        count_token(a, answer);
        struct news *news = add_news(&a->step);
        news->answer = answer;
        news->kind = NEWS_TOKEN;
        news->token = e->token;
        news->is_stop = e->is_stop;
        copy_logprobs(news, e);
    }
}

/* Waits while there is nothing to do. The answers to begin; *stop: leave instead. */
static struct answer *next_answers(struct answers *a, bool *stop)
{
    pthread_mutex_lock(&a->lock);
    while (!a->begin_first && !a->live && !a->stop)
        pthread_cond_wait(&a->wake, &a->lock);
    struct answer *first = a->begin_first;
    a->begin_first = NULL;
    a->begin_last = &a->begin_first;
    *stop = a->stop;
    pthread_mutex_unlock(&a->lock);
    return first;
}

/* What the engine counts itself, beside what was counted here. */
static void complete_stats(struct answers *a)
{
    const struct iso_engine_stats engine = iso_engine_stats(a->engine);
    const struct iso_engine_info info = iso_engine_info(a->engine);
    uint64_t *now = a->stats.gauges, *sums = a->stats.counters;
    now[STATS_requests_running] = engine.n_running;
    now[STATS_batch_places] = info.n_running;
    now[STATS_requests_waiting] = engine.n_waiting;
    now[STATS_kv_pages_used] = engine.n_kv_pages_used;
    now[STATS_kv_pages_remembered] = info.n_kv_pages_remembered;
    now[STATS_kv_pages] = info.n_kv_pages;
    sums[STATS_generated_tokens] = engine.n_tokens_chosen;
    sums[STATS_cache_hits] = info.cache.n_hits;
    sums[STATS_cache_misses] = info.cache.n_misses;
    sums[STATS_cache_evictions] = info.cache.n_evicted;
    sums[STATS_preemptions] = engine.n_preempted;
    sums[STATS_guesses] = engine.n_guesses;
    sums[STATS_guesses_true] = engine.n_guesses_true;
    sums[STATS_steps] = engine.n_steps;
    sums[STATS_step_rows] = engine.n_rows;
    sums[STATS_busy_seconds] = engine.busy_ns;
}

static void publish(struct answers *a)
{
    bool tells = !a->live || a->step_ended_ns - a->told_ns >= STATS_NS;
    if (tells) {
        complete_stats(a);
        a->told_ns = a->step_ended_ns;
    }
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->step.n; i++)
        *add_news(&a->published) = a->step.items[i];
    if (tells)
        a->told = a->stats;
    a->tells |= tells;
    pthread_mutex_unlock(&a->lock);
    uint64_t one = 1;
    if (a->step.n > 0 || tells)
        CHECK(write(a->event_fd, &one, sizeof one) == sizeof one);
    a->step.n = 0;
}

static void *run(void *context)
{
    struct answers *a = context;
    threads_float_control();
    for (bool stop;;) {
        struct answer *first = next_answers(a, &stop);
        if (stop)
            return NULL;
        for (struct answer *next; first; first = next) {
            next = first->next;
            begin(a, first);
        }
        for (struct answer *s = a->live; s; s = s->next)
            if (atomic_load(&s->leave))
                iso_session_cancel(s->session, (enum iso_finish)atomic_load(&s->leave));
        const struct iso_event *events;
        a->step_begun_ns = clock_ns();
        size_t n = iso_engine_step(a->engine, &events);
        a->step_ended_ns = clock_ns();
        for (size_t i = 0; i < n; i++)
            take_event(a, &events[i]);
        if (a->n_batch > 0)
            stats_count(&a->stats, STATS_batch_size, a->n_batch);
        a->n_batch = 0;
        a->i_step++;
        publish(a);
    }
}

/* ---- the owner ---------------------------------------------------------------------------- */

enum err answers_start(struct iso_engine *engine, struct answers **out, int *fd,
                       struct err_note *note)
{
    *out = NULL;
    struct answers *a = mem_zalloc(sizeof *a);
    if (!a)
        return err_set(note, ERR_MEMORY, "out of memory for the engine's thread");
    a->engine = engine;
    a->begin_last = &a->begin_first;
    complete_stats(a);
    a->told = a->stats;
    a->tells = true;
    a->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->wake, NULL);
    if (a->event_fd < 0 || pthread_create(&a->thread, NULL, run, a) != 0) {
        if (a->event_fd >= 0)
            close(a->event_fd);
        mem_free(a);
        return err_set(note, ERR_IO, "cannot start the engine's thread");
    }
    *fd = a->event_fd;
    *out = a;
    return ERR_OK;
}

static void release_news(struct news_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        mem_free(l->items[i].note);
    mem_free(l->items);
}

void answers_stop(struct answers *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    release_news(&a->published);
    release_news(&a->step);
    mem_free(a->taken.items);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->lock);
    close(a->event_fd);
    mem_free(a);
}

void answers_submit(struct answers *a, struct answer *answer)
{
    answer->request.user = answer;
    answer->next = NULL;
    answer->submitted_ns = clock_ns();
    pthread_mutex_lock(&a->lock);
    *a->begin_last = answer;
    a->begin_last = &answer->next;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

const struct news *answers_news(struct answers *a, size_t *n)
{
    uint64_t count;
    ssize_t got = read(a->event_fd, &count, sizeof count);
    (void)got; /* nothing new is no error */
    a->taken.n = 0;
    pthread_mutex_lock(&a->lock);
    struct news_list empty = a->taken;
    a->taken = a->published;
    a->published = empty;
    pthread_mutex_unlock(&a->lock);
    *n = a->taken.n;
    return a->taken.items;
}

bool answers_stats(struct answers *a, struct stats *out)
{
    pthread_mutex_lock(&a->lock);
    bool tells = a->tells;
    if (tells)
        *out = a->told;
    a->tells = false;
    pthread_mutex_unlock(&a->lock);
    return tells;
}
