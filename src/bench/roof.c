/* roof.c - spans cut into tasks, and the loops timed over all threads. */
#include "bench/roof.h"

#include <stdint.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/threads.h"
#include "bench/roof_loops.h"

/* Tasks are a few for each thread, so that none waits long for another, but long enough for the
 * hardware's prefetcher to settle. */
enum { TASKS_PER_THREAD = 8, TASK_BYTES_MIN = 64 << 10, TASK_BYTES_MAX = 4 << 20 };
#define READ_BYTES_MIN (UINT64_C(64) << 20)
enum { PEAK_TIMES = 2 };

struct roof {
    const struct roof_loops *loops;
    struct threads *threads;
    struct roof_span *tasks;
    size_t n_tasks, n_rounds; /* one reading: every task n_rounds times */
    uint64_t n_bytes;         /* of one round */
    uint64_t sink;            /* what was read, so that reading is not dropped */
};

/* How many tasks a span makes; they are written to out unless it is NULL. */
static size_t cut(struct roof_span s, size_t n_bytes_task, struct roof_span *out)
{
    size_t n = 0;
    const uint8_t *at = s.bytes;
    for (size_t left = s.n_bytes; left > 0; n++) {
        size_t part = left < n_bytes_task ? left : n_bytes_task;
        if (out)
            out[n] = (struct roof_span){at, part};
        at += part;
        left -= part;
    }
    return n;
}

static size_t task_bytes(uint64_t n_bytes, int n_threads)
{
    uint64_t n = n_bytes / ((uint64_t)n_threads * TASKS_PER_THREAD);
    n = n < TASK_BYTES_MIN ? TASK_BYTES_MIN : n > TASK_BYTES_MAX ? TASK_BYTES_MAX : n;
    return (size_t)n / 4096 * 4096;
}

enum err roof_open(int n_threads, const char *isa, const struct roof_span *spans, size_t n_spans,
                   struct roof **roof, struct err_note *note)
{
    struct roof *r = mem_zalloc(sizeof *r);
    *roof = NULL;
    if (!r)
        return err_set(note, ERR_MEMORY, "out of memory for measuring the machine's limits");
    r->loops = roof_loops_find(isa);
    CHECK(r->loops);
    for (size_t i = 0; i < n_spans; i++)
        r->n_bytes += spans[i].n_bytes;
    size_t n_bytes_task = task_bytes(r->n_bytes, n_threads);
    for (size_t i = 0; i < n_spans; i++)
        r->n_tasks += cut(spans[i], n_bytes_task, NULL);
    r->n_rounds = r->n_bytes ? (size_t)((READ_BYTES_MIN + r->n_bytes - 1) / r->n_bytes) : 0;
    r->tasks = mem_array(r->n_tasks, sizeof r->tasks[0]);
    r->threads = threads_new(n_threads);
    if (!r->tasks || !r->threads) {
        roof_close(r);
        return err_set(note, ERR_MEMORY, "cannot start %d threads to measure the machine's limits",
                       n_threads);
    }
    for (size_t i = 0, at = 0; i < n_spans; i++)
        at += cut(spans[i], n_bytes_task, r->tasks + at);
    *roof = r;
    return ERR_OK;
}

void roof_close(struct roof *r)
{
    if (!r)
        return;
    threads_free(r->threads);
    mem_free(r->tasks);
    mem_free(r);
}

static void read_task(void *context, size_t i, int worker)
{
    struct roof *r = context;
    const struct roof_span *s = &r->tasks[i % r->n_tasks];
    (void)worker;
    __atomic_fetch_or(&r->sink, r->loops->read(s->bytes, s->n_bytes), __ATOMIC_RELAXED);
}

static void int8_task(void *context, size_t i, int worker)
{
    (void)i;
    (void)worker;
    ((struct roof *)context)->loops->int8();
}

static void int16_task(void *context, size_t i, int worker)
{
    (void)i;
    (void)worker;
    ((struct roof *)context)->loops->int16();
}

static void f32_task(void *context, size_t i, int worker)
{
    (void)i;
    (void)worker;
    ((struct roof *)context)->loops->f32();
}

/* work / seconds. */
static double rate(struct roof *r, size_t n_tasks, threads_fn *fn, double work)
{
    uint64_t start = clock_ns();
    threads_run(r->threads, n_tasks, fn, r);
    uint64_t took = clock_ns() - start;
    return work / ((double)(took ? took : 1) * 1e-9);
}

double roof_read(struct roof *r)
{
    CHECK(r->n_bytes > 0);
    return rate(r, r->n_tasks * r->n_rounds, read_task, (double)(r->n_bytes * r->n_rounds));
}

/* One task a thread: the first that ends takes no second one. */
static double peak(struct roof *r, threads_fn *fn, double ops_round)
{
    double n_threads = threads_count(r->threads), best = 0;
    for (int i = 0; i < PEAK_TIMES; i++) {
        double here = rate(r, (size_t)n_threads, fn, ops_round * ROOF_ROUNDS * n_threads);
        best = here > best ? here : best;
    }
    return best;
}

double roof_int8(struct roof *r)
{
    return peak(r, int8_task, r->loops->int8_ops);
}

double roof_int16(struct roof *r)
{
    return peak(r, int16_task, r->loops->int16_ops);
}

double roof_f32(struct roof *r)
{
    return peak(r, f32_task, r->loops->f32_ops);
}
