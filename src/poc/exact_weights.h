/* exact_weights.h - the exact profile's weights: the chain's pool as integers within +-127.
 *
 * A drawn value of deviation 0.02 becomes the integer nearest to 1536 times it, within 127 (4.1
 * deviations): 31 steps a deviation. A step is 2^-10 in matrices (product.h), so that a product's
 * outputs are as large as its inputs or larger, and 1/32 in norms: every layer adds as much as it
 * finds. A tensor begins at a multiple of EXACT_BLOCK values and never wraps. */
#ifndef POC_EXACT_WEIGHTS_H
#define POC_EXACT_WEIGHTS_H

#include "base/err.h"
#include "base/threads.h"
#include "poc/params.h"

enum { EXACT_BLOCK = 32 };

struct exact_weights {
    struct poc_params params;
    int8_t *pool; /* [n_blocks][EXACT_BLOCK] */
    uint64_t n_blocks;
    uint64_t *firsts; /* [n_tensors] a tensor's first block */
};

uint64_t exact_weights_bytes(const struct poc_params *p, double fraction);
/* Draws all of them, of params that poc_exact_check let by. Threads are borrowed for the call.
 * ERR_MEMORY. */
enum err exact_weights_open(struct exact_weights *w, const struct poc_params *p,
                            const char *block_hash, double fraction, struct threads *threads,
                            struct err_note *note);
void exact_weights_close(struct exact_weights *w);
/* The integers of a tensor, row by row. */
const int8_t *exact_weights_view(const struct exact_weights *w, uint32_t tensor);

#endif
