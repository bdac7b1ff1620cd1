/* chain.c - the strings that name generators, hashed into their entropy. */
#include "poc/chain.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"

/* snprintf that must fit: lengths are checked where they come in. */
__attribute__((format(printf, 2, 3))) static size_t text_put(char *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, CHAIN_TEXT_MAX, format, args);
    va_end(args);
    CHECK(n >= 0 && n < CHAIN_TEXT_MAX);
    return (size_t)n;
}

void chain_entropy(const char *text, int n_hashes, uint32_t *words)
{
    CHECK(n_hashes >= 1 && n_hashes <= CHAIN_HASHES_MAX);
    for (int i = 0; i < n_hashes; i++) {
        char numbered[CHAIN_TEXT_MAX];
        uint8_t d[SHA256_BYTES];
        sha256_of(numbered, text_put(numbered, "%s_%d", text, i), d);
        for (int k = 0; k < 8; k++)
            words[8 * i + k] = (uint32_t)d[4 * k] | (uint32_t)d[4 * k + 1] << 8 |
                               (uint32_t)d[4 * k + 2] << 16 | (uint32_t)d[4 * k + 3] << 24;
    }
}

void chain_rng(struct pcg64 *rng, const char *text, int n_hashes)
{
    uint32_t words[8 * CHAIN_HASHES_MAX];
    chain_entropy(text, n_hashes, words);
    pcg64_seed(rng, words, 8 * (size_t)n_hashes);
}

void chain_weights(struct pcg64 *rng, const char *block_hash)
{
    chain_rng(rng, block_hash, 4);
}

void chain_input(struct pcg64 *rng, const char *block_hash, const char *public_key, uint64_t nonce)
{
    char text[CHAIN_TEXT_MAX];
    text_put(text, "%s_%s_nonce%llu", block_hash, public_key, (unsigned long long)nonce);
    chain_rng(rng, text, 4);
}

void chain_order(struct pcg64 *rng, const char *block_hash, const char *public_key, uint64_t nonce)
{
    char text[CHAIN_TEXT_MAX];
    text_put(text, "%s_%s_nonce_%llu_permutations", block_hash, public_key,
             (unsigned long long)nonce);
    chain_rng(rng, text, 1);
}

void chain_target(struct pcg64 *rng, const char *block_hash)
{
    char text[CHAIN_TEXT_MAX];
    text_put(text, "%s_target", block_hash);
    chain_rng(rng, text, 1);
}

static uint32_t word_of(const uint8_t *d)
{
    return (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3];
}

uint32_t chain_name_hash(const char *block_hash, const char *name)
{
    char text[CHAIN_TEXT_MAX];
    uint8_t d[SHA256_BYTES];
    sha256_of(text, text_put(text, "%s_%s", block_hash, name), d);
    return word_of(d);
}

void chain_nonce_seeds(const char *block_hash, const char *public_key, uint64_t nonce,
                       uint32_t seeds[8])
{
    char text[CHAIN_TEXT_MAX];
    uint8_t d[SHA256_BYTES];
    sha256_of(text, text_put(text, "%s_%s_nonce%llu", block_hash, public_key,
                             (unsigned long long)nonce), d);
    for (int i = 0; i < 8; i++)
        seeds[i] = word_of(d + 4 * i);
}

uint32_t chain_pick_seed(const char *block_hash, const char *public_key, uint64_t nonce, uint32_t k)
{
    char text[CHAIN_TEXT_MAX];
    uint8_t d[SHA256_BYTES];
    sha256_of(text, text_put(text, "%s_%s_nonce_%llu_pick_%u", block_hash, public_key,
                             (unsigned long long)nonce, k), d);
    return word_of(d);
}

uint32_t chain_turn_seed(const char *block_hash, const char *public_key, uint64_t nonce, uint32_t k,
                         uint32_t i)
{
    char text[CHAIN_TEXT_MAX];
    uint8_t d[SHA256_BYTES];
    sha256_of(text, text_put(text, "%s_%s_nonce_%llu_haar_hh_%u_%u", block_hash, public_key,
                             (unsigned long long)nonce, k, i), d);
    return word_of(d);
}

uint32_t chain_mirror_seed(const char *block_hash, uint32_t layer)
{
    char name[32];
    snprintf(name, sizeof name, "layer_%u_householder", layer);
    return chain_name_hash(block_hash, name);
}
