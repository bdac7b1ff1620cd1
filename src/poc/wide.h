/* wide.h - the forward pass of the compatible profile for many nonces at once, by vectors.
 *
 * The steps and roundings of forward.h; sums run in another order. Weights stay what they are,
 * views into the pool: rows are widened as they are multiplied, once for all positions. */
#ifndef POC_WIDE_H
#define POC_WIDE_H

#include "base/err.h"
#include "base/threads.h"
#include "poc/weights.h"
#include "poc/wide_ops.h"

/* NULL: no such set in this program, or none on this machine. */
const struct wide_ops *wide_ops_find(const char *isa);

struct poc_wide;

/* What opening takes. n_held: poc_weights_held. */
uint64_t poc_wide_bytes(const struct poc_params *p, uint64_t n_held, const struct wide_ops *ops,
                        int n_threads, uint32_t n_nonces);

/* For up to n_nonces at once. Weights and threads are borrowed. ERR_MEMORY. */
enum err poc_wide_open(struct poc_wide **w, const struct poc_weights *weights,
                       const struct wide_ops *ops, struct threads *threads, uint32_t n_nonces,
                       struct err_note *note);
void poc_wide_close(struct poc_wide *w); /* may be NULL */

/* inputs[i][seq_len][dim] to logits[i][vocab_size], i < n_nonces. The threads' owner. */
void poc_wide_run(struct poc_wide *w, uint32_t n_nonces, const uint16_t *const *inputs,
                  float *const *logits);

#endif
