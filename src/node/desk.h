/* desk.h - what a node does next: which nonces a group computes, what is sent to whom, and when.
 *
 * Every decision is a step over what the store (store/claims.h) holds, with the time as an
 * argument; threads, clocks and sockets are node.c's. What was given out and did not come back is
 * given out again, by the same desk (desk_give_back) or by one opened later on the same store.
 * Thread: one at a time. */
#ifndef NODE_DESK_H
#define NODE_DESK_H

#include "node/init_request.h"
#include "store/claims.h"

enum {
    DESK_GROUPS_MAX = 256,
    DESK_CHECKS_OPEN_MAX = 4, /* batches that are validated at once */
    DESK_COURIERS = 8,        /* jobs whose results are sent at once */
};

struct desk_options {
    const char *path; /* of the store */
    size_t n_groups;
    bool exact; /* profile: claims must be equal */
    struct claims_limits limits;
    uint32_t n_send_max;  /* nonces of one delivery, about */
    uint64_t interval_ms; /* between deliveries of claims */
    int64_t keep_s;       /* what an ended job owes is dropped after so long */
};

/* Nonces for one group. nonces is the caller's; it has room for what desk_take was asked for. */
struct desk_work {
    enum { WORK_NONE, WORK_GENERATE, WORK_CHECK } kind;
    int64_t job;
    size_t group;
    char public_key[PROOF_NAME_BYTES];
    uint64_t *nonces;
    size_t n;
    uint64_t before, next;        /* of the group's walk */
    int64_t check, epoch;         /* of a check: which, and for which time */
    size_t first;                 /* of its nonces */
};

struct desk_delivery {
    int64_t job, last;
    bool is_result, is_full; /* a validated batch; as many claims as go into one */
    char url[INIT_URL_BYTES + 16];
    struct buf body;
};

struct desk;

/* desk_open - goes on with what the store holds. */
enum err desk_open(const struct desk_options *options, struct desk **out, struct err_note *note);
void desk_close(struct desk *d); /* NULL is nothing */

/* The current job, 0: none. The request lives until the next call that changes the job. */
int64_t desk_job(const struct desk *d);
enum poc_phase desk_phase(const struct desk *d);
const struct init_request *desk_request(const struct desk *d);

/* desk_init - the same request as the current job's keeps it; any other begins a job. */
enum err desk_init(struct desk *d, const struct init_request *r, enum poc_phase phase,
                   int64_t now_s, struct err_note *note);
enum err desk_set_phase(struct desk *d, enum poc_phase phase, struct err_note *note);
enum err desk_stop(struct desk *d, int64_t now_s, struct err_note *note);

/* desk_check - a batch to validate. ERR_FORMAT: another block, or a distance that is no claim;
 * ERR_BUSY: too many wait; ERR_NOT_FOUND: no job. */
enum err desk_check(struct desk *d, const struct proof_batch *b, struct err_note *note);

/* desk_take - what a group computes next, at most n_max nonces; kind WORK_NONE: nothing. */
enum err desk_take(struct desk *d, size_t group, size_t n_max, struct desk_work *w,
                   struct err_note *note);
/* desk_done - dist[w->n]. *n_valid: how many became claims. */
enum err desk_done(struct desk *d, const struct desk_work *w, const double *dist, size_t *n_valid,
                   struct err_note *note);
void desk_give_back(struct desk *d, const struct desk_work *w);

/* desk_deliver - something to send now; false: nothing is due, or (note) it cannot be read. out's
 * body is its caller's to release. Until desk_delivered is told of it, only other jobs' deliveries
 * are given out, up to DESK_COURIERS: who is slow to take one holds up nobody else. */
bool desk_deliver(struct desk *d, uint64_t now_ms, struct desk_delivery *out,
                  struct err_note *note);
/* desk_delivered - how that ended: what arrived is owed no more, else it is tried again later. */
enum err desk_delivered(struct desk *d, const struct desk_delivery *x, bool arrived,
                        uint64_t now_ms, struct err_note *note);
/* desk_retry_ms - the wait after so many failures, 1 and up: 1 s, doubled up to 64 s. */
uint64_t desk_retry_ms(unsigned n_failed);

enum err desk_forget(struct desk *d, int64_t now_s, struct err_note *note);

struct desk_stats {
    struct claims_counts waiting;
    struct claims_lost lost; /* since it was opened */
    uint64_t n_generated, n_validated; /* batches that became results */
    uint64_t n_fraud;
};
enum err desk_stats(struct desk *d, struct desk_stats *stats, struct err_note *note);

#endif
