/* threads.c - the pool: a gate that opens for each job; each worker has its own run of tasks.
 *
 * A job is published by writing its fields, then the gate with a new generation (release). A worker
 * that sees a new generation goes through the gate, which counts it, takes its own tasks in
 * ascending order, so that it walks through memory in one direction, then the last ones of whoever
 * has most left, and counts itself out in `n_left`. The caller closes the gate when no task is left
 * to take and waits for those who went in, not for those whom the system has not woken: on a busy
 * machine they find it closed. So no field of a job is read after threads_run. */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/check.h"
#include "base/mem.h"

enum { SPIN_COUNT = 4000 };
#define GATE_CLOSED ((uint64_t)1 << 31)

struct worker {
    _Alignas(
        64) _Atomic uint64_t tasks; /* begin and, in the upper half, end of what is not taken */
    struct threads *pool;
    pthread_t thread;
    int index;
};

struct threads {
    int n_threads;
    size_t n_bytes_workers;
    struct worker *workers; /* 1..n_threads-1 have a thread */
    _Alignas(64) _Atomic uint64_t gate; /* generation, and below it closed, workers inside */
    _Alignas(64) _Atomic uint32_t n_left;
    size_t n_tasks;
    threads_fn *fn;
    void *context;
    atomic_bool stop;
    atomic_int n_sleeping;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};

void threads_float_control(void)
{
#if defined(__x86_64__)
    _mm_setcsr(0x1f80); /* all exceptions masked, nearest even, no FTZ, no DAZ */
#elif defined(__aarch64__)
    uint64_t zero = 0;
    __asm__ volatile("msr fpcr, %0" ::"r"(zero));
#endif
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t tasks_of(uint64_t begin, uint64_t end)
{
    return begin | end << 32;
}

static uint32_t tasks_left(uint64_t tasks)
{
    return (uint32_t)(tasks >> 32) - (uint32_t)tasks;
}

/* The first task of a run, or its last one; false if none is left. */
static bool take_task(struct worker *w, bool last, size_t *i)
{
    uint64_t tasks = atomic_load_explicit(&w->tasks, memory_order_relaxed);
    while (tasks_left(tasks) > 0) {
        uint64_t rest = last ? tasks - (1ull << 32) : tasks + 1;
        *i = last ? (size_t)(rest >> 32) : (size_t)(uint32_t)tasks;
        if (atomic_compare_exchange_weak_explicit(&w->tasks, &tasks, rest, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

/* Whoever has most tasks left; NULL if nobody has any. */
static struct worker *busiest(struct threads *t)
{
    struct worker *most = NULL;
    uint32_t n_most = 0;
    for (int k = 0; k < t->n_threads; k++) {
        uint32_t n = tasks_left(atomic_load_explicit(&t->workers[k].tasks, memory_order_relaxed));
        if (n > n_most) {
            n_most = n;
            most = &t->workers[k];
        }
    }
    return most;
}

static void take_tasks(struct threads *t, int worker)
{
    threads_fn *fn = t->fn;
    void *context = t->context;
    size_t i;
    while (take_task(&t->workers[worker], false, &i))
        fn(context, i, worker);
    for (struct worker *w; (w = busiest(t)) != NULL;)
        if (take_task(w, true, &i))
            fn(context, i, worker);
}

static uint32_t generation_of(uint64_t gate)
{
    return (uint32_t)(gate >> 32);
}

/* Returns the generation that came after seen. */
static uint32_t wait_for_job(struct threads *t, uint32_t seen)
{
    uint32_t now;
    for (int i = 0; i < SPIN_COUNT; i++) {
        now = generation_of(atomic_load_explicit(&t->gate, memory_order_acquire));
        if (now != seen)
            return now;
        pause_briefly();
    }
    pthread_mutex_lock(&t->mutex);
    atomic_fetch_add(&t->n_sleeping, 1);
    while ((now = generation_of(atomic_load(&t->gate))) == seen)
        pthread_cond_wait(&t->wake, &t->mutex);
    atomic_fetch_sub(&t->n_sleeping, 1);
    pthread_mutex_unlock(&t->mutex);
    return now;
}

/* false: the job is over already. */
static bool go_in(struct threads *t, uint32_t generation)
{
    uint64_t gate = atomic_load_explicit(&t->gate, memory_order_acquire);
    while (generation_of(gate) == generation && !(gate & GATE_CLOSED))
        if (atomic_compare_exchange_weak_explicit(&t->gate, &gate, gate + 1, memory_order_acquire,
                                                  memory_order_acquire))
            return true;
    return false;
}

static void *worker_main(void *argument)
{
    struct worker *w = argument;
    struct threads *t = w->pool;
    uint32_t seen = 0;
    threads_float_control();
    for (;;) {
        seen = wait_for_job(t, seen);
        if (atomic_load(&t->stop))
            return NULL;
        if (!go_in(t, seen))
            continue;
        take_tasks(t, w->index);
        atomic_fetch_add_explicit(&t->n_left, 1, memory_order_release);
    }
}

static void publish(struct threads *t)
{
    for (size_t k = 0, n = (size_t)t->n_threads; k < n; k++)
        atomic_store_explicit(&t->workers[k].tasks,
                              tasks_of(t->n_tasks * k / n, t->n_tasks * (k + 1) / n),
                              memory_order_relaxed);
    atomic_store_explicit(&t->n_left, 0, memory_order_relaxed);
    uint64_t gate = atomic_load_explicit(&t->gate, memory_order_relaxed);
    atomic_store(&t->gate, (uint64_t)(generation_of(gate) + 1) << 32);
    if (atomic_load(&t->n_sleeping) > 0) {
        pthread_mutex_lock(&t->mutex);
        pthread_cond_broadcast(&t->wake);
        pthread_mutex_unlock(&t->mutex);
    }
}

/* No task is left to take: waits for the workers that still have one. */
static void finish(struct threads *t)
{
    uint64_t gate = atomic_fetch_or(&t->gate, GATE_CLOSED);
    uint32_t n_inside = (uint32_t)(gate & (GATE_CLOSED - 1));
    for (int spins = 0;
         atomic_load_explicit(&t->n_left, memory_order_acquire) != n_inside;) {
        pause_briefly();
        if (++spins % SPIN_COUNT == 0)
            sched_yield();
    }
}

struct threads *threads_new(int n_threads)
{
    CHECK(n_threads >= 1);
    struct threads *t = mem_pages(sizeof *t);
    if (!t)
        return NULL;
    t->n_bytes_workers = (size_t)n_threads * sizeof t->workers[0];
    t->workers = mem_pages(t->n_bytes_workers);
    t->n_threads = 1;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->wake, NULL);
    bool ok = t->workers != NULL;
    for (int i = 1; ok && i < n_threads; i++) {
        struct worker *w = &t->workers[i];
        w->pool = t;
        w->index = i;
        ok = pthread_create(&w->thread, NULL, worker_main, w) == 0;
        t->n_threads += ok;
    }
    if (!ok) {
        threads_free(t);
        return NULL;
    }
    threads_float_control();
    return t;
}

void threads_free(struct threads *t)
{
    if (!t)
        return;
    atomic_store(&t->stop, true);
    t->n_tasks = 0;
    if (t->n_threads > 1)
        publish(t);
    for (int i = 1; i < t->n_threads; i++)
        pthread_join(t->workers[i].thread, NULL);
    pthread_mutex_destroy(&t->mutex);
    pthread_cond_destroy(&t->wake);
    mem_pages_free(t->workers, t->n_bytes_workers);
    mem_pages_free(t, sizeof *t);
}

int threads_count(const struct threads *t)
{
    return t->n_threads;
}

void threads_run(struct threads *t, size_t n_tasks, threads_fn *fn, void *context)
{
    if (t->n_threads == 1 || n_tasks <= 1) {
        for (size_t i = 0; i < n_tasks; i++)
            fn(context, i, 0);
        return;
    }
    CHECK(n_tasks <= UINT32_MAX);
    t->n_tasks = n_tasks;
    t->fn = fn;
    t->context = context;
    publish(t);
    take_tasks(t, 0);
    finish(t);
}

int threads_online(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}
