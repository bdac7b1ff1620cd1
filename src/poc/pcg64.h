/* pcg64.h - numpy's default generator: SeedSequence, then PCG64 (XSL-RR 128/64).
 *
 * Bit for bit numpy.random.Generator(PCG64(SeedSequence(entropy))). A generator is a plain value:
 * copy it to fork it. Sources: O'Neill, "PCG: a family of simple fast space-efficient statistically
 * good algorithms for random number generation", 2014; numpy NEP 19. */
#ifndef POC_PCG64_H
#define POC_PCG64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 pcg_word;

struct pcg64 {
    pcg_word state, increment;
    uint32_t high; /* the upper half that the next 32-bit draw takes, if has_high */
    bool has_high;
};

#define PCG64_MULTIPLIER ((pcg_word)0x2360ed051fc65da4u << 64 | 0x4385df649fccf645u)

void pcg64_seed(struct pcg64 *rng, const uint32_t *entropy, size_t n_words); /* n_words >= 4 */

/* As after n more calls of pcg64_next; forgets a waiting upper half. O(log n). */
void pcg64_advance(struct pcg64 *rng, pcg_word n);

static inline uint64_t pcg64_next(struct pcg64 *rng)
{
    rng->state = rng->state * PCG64_MULTIPLIER + rng->increment;
    uint64_t x = (uint64_t)(rng->state >> 64) ^ (uint64_t)rng->state;
    unsigned turn = (unsigned)(rng->state >> 122);
    return x >> turn | x << (-turn & 63);
}

/* The lower half of a fresh draw, then its upper half. */
uint32_t pcg64_next32(struct pcg64 *rng);

/* Uniform in [0, 1): 53 bits. */
static inline double pcg64_double(struct pcg64 *rng)
{
    return (double)(pcg64_next(rng) >> 11) * 0x1p-53;
}

/* Uniform in 0..max by masked rejection, which is what numpy's shuffle draws. */
uint32_t pcg64_interval(struct pcg64 *rng, uint32_t max);

/* order[0..n) = Generator.permutation(n). */
void pcg64_permutation(struct pcg64 *rng, uint32_t n, uint32_t *order);

#endif
