/* proof.h - batches of claimed nonces with the test that tells honest noise from fraud.
 *
 * Functions of their arguments alone: clocks, sockets and queues belong to their callers. */
#ifndef POC_PROOF_H
#define POC_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The chain's rate of nonces that an honest node finds on the wrong side of r_target. */
#define POC_MISMATCH 0.0005

/* Every group of every node walks nonces of its own: group + x times all groups. */
struct nonce_walk {
    uint64_t next, step;
};

/* 0 <= node_id < n_nodes, 0 <= group_id < n_groups; else ERR_LIMIT, naming the field. */
enum err nonce_walk_init(struct nonce_walk *w, int64_t node_id, int64_t n_nodes, int64_t group_id,
                         int64_t n_groups, struct err_note *note);
uint64_t nonce_walk_next(struct nonce_walk *w); /* wraps after 2^64 */

/* Claims of one batch: a nonce with its distance. */
struct claim {
    uint64_t nonce;
    double dist;
};

/* Puts claims in the order of their nonces, each once: one that is repeated with the same distance
 * is merged, with another refused (ERR_FORMAT), so that each weighs once. *n is what remains.
 * Distances that are not 0 to 2 are refused. In place; n log n. */
enum err claims_merge(struct claim *claims, size_t *n, struct err_note *note);

/* Keeps the claims with dist < r_target, in order; returns how many. */
size_t claims_under(struct claim *claims, size_t n, double r_target);

/* P(X >= k) for X of n trials of probability p each, 0 < p < 1. Relative error under 1e-11 for
 * thousands of trials, 1e-7 for ten million. */
double binomial_at_least(uint64_t n, uint64_t k, double p);

struct verdict {
    uint64_t n, n_invalid;
    double honest; /* the chance that an honest batch does as badly */
    bool fraud;
};

/* claimed[n] against recomputed distances of the same nonces. dist > r_target refutes. A claim that
 * is not under r_target is no claim: ERR_FORMAT, naming it. fraud: honest < threshold. A distance
 * that is not a number refutes too. */
enum err verdict_of(struct verdict *v, const double *claimed, const double *recomputed, size_t n,
                    double r_target, double threshold, struct err_note *note);

/* The line of the reference's rate test, which its tools read: n_valid claims among n_checked
 * nonces of a group, in so many minutes. */
enum { RATE_LINE_BYTES = 256 };
void rate_line(char out[RATE_LINE_BYTES], size_t group, uint64_t n_valid, uint64_t n_checked,
               double minutes);

/* What a group of workers does. */
enum poc_phase { PHASE_IDLE, PHASE_GENERATE, PHASE_VALIDATE, PHASE_STOP };

/* One worker: what it was told, and whether its weights are drawn. */
struct poc_worker_state {
    enum poc_phase phase;
    bool ready;
};

/* The status of the API: "IDLE", "NOT_LOADED", "LOADING", "GENERATING", "VALIDATING", "STOPPED" or
 * "MIXED". n 0: nothing was started. */
const char *poc_status(const struct poc_worker_state *workers, size_t n);

#endif
