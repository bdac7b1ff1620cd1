/* chain.h - from the strings of the chain to generators.
 *
 * Every random thing of proof of compute is drawn from a generator that a string names: the weights
 * by the block hash, a nonce's input by block hash, public key and nonce. Callers keep either
 * string within CHAIN_KEY_MAX bytes (CHECK). */
#ifndef POC_CHAIN_H
#define POC_CHAIN_H

#include <stdint.h>

#include "poc/pcg64.h"

enum { CHAIN_HASHES_MAX = 4, CHAIN_KEY_MAX = 512, CHAIN_TEXT_MAX = 2 * CHAIN_KEY_MAX + 64 };

/* Generator over SHA256("TEXT_0"), SHA256("TEXT_1"), ...: n_hashes of them, 1..CHAIN_HASHES_MAX. */
void chain_rng(struct pcg64 *rng, const char *text, int n_hashes);
void chain_entropy(const char *text, int n_hashes, uint32_t *words); /* 8 n_hashes words */

/* The generators of the contract. block_hash, public_key: at most CHAIN_KEY_MAX bytes each. */
void chain_weights(struct pcg64 *rng, const char *block_hash);
void chain_input(struct pcg64 *rng, const char *block_hash, const char *public_key, uint64_t nonce);
void chain_order(struct pcg64 *rng, const char *block_hash, const char *public_key, uint64_t nonce);
void chain_target(struct pcg64 *rng, const char *block_hash);

/* The first four bytes of SHA256("BLOCK_NAME"), big-endian: where a weight's slice begins. */
uint32_t chain_name_hash(const char *block_hash, const char *name);

/* Version 2: seeds are the first four bytes of a text's SHA-256, or all of them. */
void chain_nonce_seeds(const char *block_hash, const char *public_key, uint64_t nonce,
                       uint32_t seeds[8]);
uint32_t chain_mirror_seed(const char *block_hash, uint32_t layer);
uint32_t chain_pick_seed(const char *block_hash, const char *public_key, uint64_t nonce,
                         uint32_t k);
uint32_t chain_turn_seed(const char *block_hash, const char *public_key, uint64_t nonce, uint32_t k,
                         uint32_t i);

#endif
