/* nonce.h - what a nonce puts in, and how far from the target its output is. */
#ifndef POC_NONCE_H
#define POC_NONCE_H

#include <stdint.h>

#include "poc/params.h"

/* input[seq_len][dim] in binary16: N(0, 1). About 11 ns a value; any thread. */
void poc_input(const struct poc_params *p, const char *block_hash, const char *public_key,
               uint64_t nonce, uint16_t *input);

/* order[n]: a nonce's permutation of the vocabulary. */
void poc_order(uint32_t n, const char *block_hash, const char *public_key, uint64_t nonce,
               uint32_t *order);

/* target[n]: a point of the unit sphere that the block alone names. */
void poc_target(uint32_t n, const char *block_hash, double *target);

/* || logits[order] / ||logits|| - target ||, 0 to 2; not finite if the logits are not, or all 0. */
double poc_distance(uint32_t n, const float *logits, const uint32_t *order, const double *target);

#endif
