/* queue.h - requests in line: which run, which wait, and whose pages go when the pool is empty.
 *
 * Two lines, waiting and running, both in one order: higher priority first, then arrival. A request
 * runs when there is a place for it and room in the pool for what it must read. Places go to higher
 * priority, then to the tenant with the fewest of them, then to the one that was served least. A
 * running request is sent back to wait (preempted) for a higher priority, for a tenant that has two
 * places fewer, or when the pool is empty: then the last in line goes. It keeps its pages until
 * somebody needs them, and what it loses it reads again: its tokens are the same.
 * Nothing starves within a priority: the first in line is never sent back, and every request
 * becomes the first in line. No request needs more than the pool: engine_open sees to that. */
#ifndef ENGINE_QUEUE_H
#define ENGINE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct iso_engine;
struct iso_session;

struct tenant {
    uint64_t id;
    uint32_t n_busy, n_running; /* its requests in both lines, in the running one */
};

struct line {
    struct iso_session **s;
    uint32_t n;
};

struct queue {
    struct line waiting, running;
    uint32_t n_running_max, n_busy_max;
    struct tenant *tenants; /* [n_busy_max] free where n_busy is 0 */
    uint64_t *served;       /* [n_busy_max] rows each tenant has had: see schedule.h */
    uint64_t n_tickets, n_preempted;
    uint32_t *seen; /* [n_pages] the look in which a page was seen last */
    uint32_t n_looks;
};

/* queue_init - up to n_running requests run and n_waiting more wait. */
enum err queue_init(struct queue *q, uint32_t n_running, uint32_t n_waiting, uint32_t n_pages,
                    struct err_note *note);
void queue_release(struct queue *q);

/* queue_enter - a session with a request goes in line; ERR_BUSY when it is full. */
enum err queue_enter(struct iso_session *s, struct err_note *note);
void queue_leave(struct iso_session *s);

/* queue_admit - waiting requests run as far as places and pages go. */
void queue_admit(struct iso_engine *e);

/* queue_reclaim - take a page from whoever can spare it most: the idle session that was used
 * longest ago, then the last of those that wait, then the last that runs. false: that is s itself,
 * which now waits. */
bool queue_reclaim(struct iso_session *s);

/* queue_forgive - what a tenant had less than the most served counts up to n_rows. */
void queue_forgive(struct queue *q, uint32_t n_rows);

#endif
