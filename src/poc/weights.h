/* weights.h - the random model's weights: views into one long run of binary16 values.
 *
 * By pool, a tensor is a slice of it that begins where a hash of its name says, so that 33 GiB of
 * weights need the 1.7 GiB of their pool; a tensor longer than the pool repeats it. In sequence,
 * which is how the chain began, each tensor takes the values after those of the one before it. */
#ifndef POC_WEIGHTS_H
#define POC_WEIGHTS_H

#include "base/err.h"
#include "base/threads.h"
#include "poc/params.h"

#define POC_POOL_FRACTION 0.05 /* what the chain's nodes run with */

struct poc_weights {
    struct poc_params params;
    uint16_t *values;
    uint64_t n_values;
    uint64_t *firsts; /* [poc_n_tensors] where each tensor begins, or how far it is turned */
};

/* How many values are held. fraction: of the pool, over 0, at most 1; 0: in sequence. */
uint64_t poc_weights_held(const struct poc_params *p, double fraction);

/* Draws all of them. Threads are borrowed for the call. block_hash: at most CHAIN_KEY_MAX bytes.
 * ERR_MEMORY, ERR_LIMIT; what poc_params_check says. */
enum err poc_weights_open(struct poc_weights *w, const struct poc_params *p, const char *block_hash,
                          double fraction, struct threads *threads, struct err_note *note);
void poc_weights_close(struct poc_weights *w);

/* The values of a tensor where they lie, 2-byte aligned; NULL: longer than the pool, to copy. */
const uint16_t *poc_weights_view(const struct poc_weights *w, uint32_t tensor);

/* out = values [first, first + n) of a tensor. */
void poc_weights_copy(const struct poc_weights *w, uint32_t tensor, uint64_t first, uint64_t n,
                      uint16_t *out);

#endif
