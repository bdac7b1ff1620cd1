/* murmur.h - the random numbers of version 2: a hash of an index, with a seed.
 *
 * Unlike numpy's sequences of version 1, every number has its own place: any of them may be made
 * alone. Normals are pairs of Box and Muller by the exact arithmetic (docs/arithmetic.md, R1 and
 * R2): the same bits on every machine, and within 1e-6 of what float32 libraries compute. */
#ifndef POC_MURMUR_H
#define POC_MURMUR_H

#include <stddef.h>
#include <stdint.h>

/* murmur3 of one 32-bit word, without the length that the original mixes in. */
uint32_t murmur(uint32_t key, uint32_t seed);

/* A run of pairs of normals, so that many may be made a part at a time. */
struct pairs {
    size_t begin, end;
};

/* murmur_normals - the n standard normals of a seed; only those of some pairs are written, at their
 * places: pair i makes number i (its cosine) and number n/2 + i, n/2 rounded up (its sine). There
 * are n/2 pairs, rounded up. About 30 ns a number. */
void murmur_normals(uint32_t seed, size_t n, struct pairs pairs, float *out);

static inline size_t pairs_of(size_t n)
{
    return n - n / 2;
}

#endif
