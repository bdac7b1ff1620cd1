/* compute.h - distances of nonces: the one door to the random model.
 *
 * A compute belongs to one block hash; public keys come with the nonces, since a verifier asks
 * about those of others. All memory is taken when it opens. Nonces are computed n_batch at a time;
 * a distance does not depend on its neighbours by more than the profile's noise (compatible), or
 * at all (exact).
 * Owner thread: the one that opened it; weights may be shared with computes of other threads. */
#ifndef POC_COMPUTE_H
#define POC_COMPUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "poc/params.h"

/* Two implementations of the compatible profile give distances of the chain's sets that are no
 * further apart than this (docs/poc.md; with a vocabulary of 128, a logit's step may be 4e-5). */
#define POC_NOISE 2e-5

enum poc_profile {
    POC_COMPATIBLE, /* as the chain's nodes: binary16, equal within POC_NOISE */
    POC_EXACT,      /* integer arithmetic: a nonce's distance is the same bits everywhere */
};

struct poc_held;

struct poc_settings {
    struct poc_params params;
    enum poc_profile profile;
    const char *block_hash; /* at most CHAIN_KEY_MAX bytes; copied */
    double pool_fraction;   /* of the pool, over 0, at most 1; 0: weights in sequence */
    int n_threads;          /* 1 and up */
    const char *isa;        /* "scalar", "avx2", "avx512", ...; NULL: the best of this machine */
    uint32_t n_batch;       /* nonces computed together at most, 1 and up */
    /* Weights of the same block hash, params, profile and fraction: none are drawn. NULL: they
     * are. */
    struct poc_held *held;
};

/* Bytes that a compute takes: n_weights (unless they are held) + n_fixed + n_batch * n_nonce. */
struct poc_need {
    uint64_t n_weights, n_fixed, n_nonce;
};

/* Without taking any memory. Settings that are refused: ERR_LIMIT, ERR_FORMAT, and ERR_UNSUPPORTED
 * for an instruction set that this machine has not, naming those that it has, and for shapes that
 * the exact profile has not. */
enum err poc_compute_need(const struct poc_settings *s, struct poc_need *need,
                          struct err_note *note);

struct poc_compute;

/* Draws the weights: seconds for the chain's sets. ERR_MEMORY, before any is taken, where the need
 * is more than is free; what poc_compute_need says. */
enum err poc_compute_open(struct poc_compute **c, const struct poc_settings *s,
                          struct err_note *note);
void poc_compute_close(struct poc_compute *c); /* may be NULL */

const char *poc_compute_isa(const struct poc_compute *c);

/* Its weights, for others: they live until everybody who has them let them go, computes included.
 * They are only read. Any thread, while c is open. */
struct poc_held *poc_compute_hold(struct poc_compute *c);
void poc_held_release(struct poc_held *held); /* may be NULL; any thread */

/* Called by the owner thread after every batch. n_done: so many of dist are there. False ends the
 * run: ERR_CANCELLED. */
typedef bool poc_watch_fn(void *context, size_t n_done);

/* dist[i] of nonces[i], 0 to 2; any n, any order, duplicates are computed anew. watch may be NULL.
 * A distance that is not finite is given as it is: no nonce under any target. public_key: at most
 * CHAIN_KEY_MAX bytes, else ERR_LIMIT. */
enum err poc_compute_run(struct poc_compute *c, const char *public_key, const uint64_t *nonces,
                         size_t n, double *dist, poc_watch_fn *watch, void *context,
                         struct err_note *note);

#endif
