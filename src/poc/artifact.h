/* artifact.h - proof of compute, version 2: what a nonce puts into a model, what is published of
 * what comes out, and how two such publications are compared.
 *
 * A nonce is rows of standard normals in place of a text's embeddings. After each layer every row
 * is reflected at a hyperplane that the block names. Of the last row after the last norm, k
 * dimensions are picked, rotated and made a vector of length 1: the ARTIFACT, in binary16.
 * All of it is in the exact arithmetic, sums in the order of rows (R4): equal bits on every
 * machine. Functions of their arguments alone; any thread. */
#ifndef POC_ARTIFACT_H
#define POC_ARTIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "tensor/dtype.h"

enum { ARTIFACT_DIMS = 12, ARTIFACT_DIMS_MAX = 64, ARTIFACT_TEXT_MAX = 2 * ARTIFACT_DIMS_MAX * 2 };

/* The order of the picked dimensions, which the rotation mixes. The reference's code leaves it to
 * its library (docs/poc.md). */
enum artifact_order {
    ARTIFACT_ORDER_INDEX, /* ascending, but the k-th lowest score last: as on its GPUs */
    ARTIFACT_ORDER_SCORE, /* ascending scores: as on its CPUs for 64 k dimensions or more */
};

/* Strings of at most CHAIN_KEY_MAX bytes (CHECK), kept by the caller. */
struct artifact_key {
    const char *block_hash, *public_key;
};

/* artifact_inputs - a nonce's n numbers (rows times width), rounded to dtype (DTYPE_F16 or
 * DTYPE_BF16, the model's) and widened. stronger: all 256 bits of its hash seed them. Part i
 * of n_parts alone is written, in its places of out[n]: the whole takes about 30 ns a number. */
void artifact_inputs(const struct artifact_key *key, uint64_t nonce, bool stronger,
                     enum dtype dtype, uint32_t i, uint32_t n_parts, size_t n, float *out);

/* artifact_mirror - v[n] of x -= 2 (v . x) v after a layer: a unit vector, rounded as inputs. */
void artifact_mirror(const char *block_hash, uint32_t layer, enum dtype dtype, uint32_t n,
                     float *v);

/* artifact_pick - the k of n dimensions with the lowest scores; 1 <= k <= n, k <=
 * ARTIFACT_DIMS_MAX. */
void artifact_pick(const struct artifact_key *key, uint64_t nonce, uint32_t n, uint32_t k,
                   enum artifact_order order, uint32_t *dims);

/* artifact_make - of the last row x[n]: halves[k] in binary16. false: not finite, or of no length,
 * and there is no artifact. */
bool artifact_make(const struct artifact_key *key, uint64_t nonce, const float *x, uint32_t n,
                   uint32_t k, enum artifact_order order, uint16_t *halves);

/* As text: base64 of the halves, little-endian. out: ARTIFACT_TEXT_MAX. */
void artifact_write(const uint16_t *halves, uint32_t k, char *out);

/* artifact_read - halves[k] of such a text. false: it has another length, is no base64 or not
 * finite. */
bool artifact_read(struct str text, uint32_t k, uint16_t *halves);

/* artifact_distance - from halves[k] to what a text claims; infinite where that has another length,
 * is no base64 or not finite. */
double artifact_distance(const uint16_t *halves, uint32_t k, struct str text);

#endif
