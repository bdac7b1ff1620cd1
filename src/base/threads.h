/* threads.h - one fixed pool that runs numbered tasks.
 *
 * The caller takes part as worker 0. Every worker begins with a run of neighbouring tasks, in
 * order, and then takes the last ones of others; the result never depends on which worker ran which
 * task, because tasks write disjoint memory. Workers spin briefly between jobs, then sleep. Every
 * worker sets the floating-point control registers to round-to-nearest without flushing
 * (docs/arithmetic.md, R6) before its first task. Owner thread: the one that made the pool;
 * threads_run is not re-entrant. */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

#include <stddef.h>

struct threads;

/* task_i in 0..n_tasks-1; worker in 0..n_threads-1, for per-worker scratch. */
typedef void threads_fn(void *context, size_t task_i, int worker);

struct threads *threads_new(int n_threads); /* NULL if threads cannot be made; n_threads >= 1 */
void threads_free(struct threads *t);
int threads_count(const struct threads *t);
void threads_run(struct threads *t, size_t n_tasks, threads_fn *fn, void *context);

int threads_online(void);         /* processors this process may use */
void threads_float_control(void); /* what every thread that computes must call once */

#endif
