/* hash.h - SHA-256 (FIPS 180-4), the one hash for identities, logits and receipts. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX = 65 };

struct sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    uint8_t block[64];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *bytes, size_t n_bytes);
void sha256_end(struct sha256 *h, uint8_t digest[SHA256_BYTES]);
void sha256_of(const void *bytes, size_t n_bytes, uint8_t digest[SHA256_BYTES]);
void hex_of(const uint8_t *bytes, size_t n_bytes, char *out); /* out: 2 n_bytes + 1 */

#endif
