/* claims.h - what a node of proof of compute owes, on disk: claims, checks, results.
 *
 * A JOB is one init request; at most one is current. CLAIMS are generated nonces that nobody has
 * received yet, CHECKS are batches still to be validated, RESULTS are validated ones that nobody
 * has received yet. Every change is whole on disk or not there (SQLite, WAL): a program that is
 * killed owes what it owed. What is stored is bytes; their owner knows what they mean.
 * Thread: one at a time. Times are seconds since 1970. */
#ifndef STORE_CLAIMS_H
#define STORE_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct claims;

/* In nonces. Beyond them the oldest claims and results are dropped; a check is refused. */
struct claims_limits {
    uint64_t n_claims_max, n_checks_max, n_results_max;
};

/* Nonces that were dropped by a call. */
struct claims_lost {
    uint64_t n_claims, n_checks, n_results;
};

struct claims_counts {
    uint64_t n_claims, n_checks, n_results; /* nonces that wait */
};

/* claims_open - path ":memory:": nowhere. ERR_BUSY: another program has it. */
enum err claims_open(const char *path, const struct claims_limits *limits, struct claims **out,
                     struct err_note *note);
void claims_close(struct claims *c); /* NULL is nothing */

/* ---- jobs ---- */
/* claims_begin - a new current job; the one before it ends. */
enum err claims_begin(struct claims *c, struct str request, int phase, int64_t now_s, int64_t *job,
                      struct claims_lost *lost, struct err_note *note);
/* claims_end - no job is current; its checks are dropped, for nobody can make them any more. */
enum err claims_end(struct claims *c, int64_t now_s, struct claims_lost *lost,
                    struct err_note *note);
/* claims_current - *job 0: none. */
enum err claims_current(struct claims *c, int64_t *job, int *phase, struct buf *request,
                        struct err_note *note);
enum err claims_set_phase(struct claims *c, int64_t job, int phase, struct err_note *note);
/* claims_request - what a job that still owes something was begun with. */
enum err claims_request(struct claims *c, int64_t job, struct buf *request, struct err_note *note);
/* claims_forget - drops jobs that ended before then, with what they owe. */
enum err claims_forget(struct claims *c, int64_t ended_before_s, struct claims_lost *lost,
                       struct err_note *note);

/* ---- what is generated ---- */
/* claims_walk - where a group of so many goes on; *next is kept where it never began. */
enum err claims_walk(struct claims *c, int64_t job, int64_t group, int64_t n_groups,
                     uint64_t *next, struct err_note *note);
/* claims_add - n claims, and that the group goes on from next, at once. n 0: only that. */
enum err claims_add(struct claims *c, int64_t job, int64_t group, int64_t n_groups, uint64_t next,
                    struct str bytes, uint64_t n, struct claims_lost *lost, struct err_note *note);

/* ---- what is checked ---- */
/* claims_add_check - ERR_BUSY: too much waits already. */
enum err claims_add_check(struct claims *c, int64_t job, struct str body, uint64_t n,
                          struct err_note *note);
/* claims_next_check - the first after this one, 0 to begin with; *id 0: there is none. */
enum err claims_next_check(struct claims *c, int64_t job, int64_t after, int64_t *id,
                           struct buf *body, struct err_note *note);
/* claims_checked - the check became a result. */
enum err claims_checked(struct claims *c, int64_t id, struct str result, struct claims_lost *lost,
                        struct err_note *note);

/* ---- what is sent ---- */
/* claims_owing - jobs that owe claims or results, newest first. */
enum err claims_owing(struct claims *c, int64_t *jobs, size_t n_max, size_t *n,
                      struct err_note *note);
/* claims_oldest - of a job, in order, about n_max nonces; *last names the last of them. *n 0: none.
 */
enum err claims_oldest(struct claims *c, int64_t job, uint64_t n_max, struct buf *bytes,
                       uint64_t *n, int64_t *last, struct err_note *note);
enum err claims_oldest_result(struct claims *c, int64_t job, struct buf *body, int64_t *id,
                              struct err_note *note); /* *id 0: none */
/* Somebody has them: up to `last`; this one. */
enum err claims_sent(struct claims *c, int64_t job, int64_t last, struct err_note *note);
enum err claims_sent_result(struct claims *c, int64_t id, struct err_note *note);

enum err claims_count(struct claims *c, struct claims_counts *counts, struct err_note *note);

#endif
