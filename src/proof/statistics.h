/* statistics.h - how alike two computations of one answer are, where their bits cannot be compared.
 *
 * One side CLAIMS: it made the answer, and told for each position the log-probabilities of its most
 * likely tokens. The other RECOMPUTED: it read prompt and answer once, and has its own. Two engines
 * never agree to the last bit, so each measure here says how far they are apart; how far honest and
 * dishonest ones were found to be is in docs/validation.md. Pure functions, any thread; nothing
 * allocates. Log-probabilities are natural logarithms, finite. */
#ifndef PROOF_STATISTICS_H
#define PROOF_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stat_choice {
    int32_t token;
    double logprob;
};

/* A token of the answer, and the tokens that were most likely in its place. */
struct stat_position {
    int32_t token;
    double logprob;
    const struct stat_choice *top; /* [n_top]; of a token told twice the later one counts */
    size_t n_top;
};

struct stat_answer {
    const struct stat_position *at; /* [n] */
    size_t n;
};

/* ---- Gonka's inference validation --------------------------------------------------------- */

/* As github.com/gonka-ai/gonka compares (decentralized-api, August 2025, and its benchmarks). */
enum stat_agreement { STAT_SAME_TOKENS, STAT_DIFFERENT_LENGTH, STAT_DIFFERENT_TOKENS };
enum stat_agreement stat_agreement(const struct stat_answer *claimed,
                                   const struct stat_answer *recomputed);

#define STAT_SIMILARITY 0.99 /* above it an answer passes */

/* stat_similarity - of answers of the same tokens: 1 - D, at least 0. D is the sum, over positions
 * and over the tokens that were recomputed there, of |v - o| / (1e-6 + |v| + |o|) / 2, divided by
 * max(100, positions) and by how many tokens the first position claims. o, where it was not
 * claimed: the least claimed log-probability less its distance to the next one (100 more where one
 * alone was claimed: theirs too). 0 where a position has no tokens on either side. An answer
 * without positions has 1. */
double stat_similarity(const struct stat_answer *claimed, const struct stat_answer *recomputed);

/* stat_distance2 - the benchmarks' form, with the sides exchanged: over claimed tokens, what was
 * not recomputed there is guessed from what was (1 more where one alone was), 1e-10 in place of
 * 1e-6, one more above and below the line. matches: the share of claimed tokens that were
 * recomputed. Both -1 where the answers differ in their tokens, or have none. */
struct stat_distance2 {
    double distance, matches;
};
struct stat_distance2 stat_distance2(const struct stat_answer *claimed,
                                     const struct stat_answer *recomputed);

/* stat_fill - exp of the mean log-probability of the answer's tokens, each at least -10: low where
 * another model wrote the answer and the claimed model only read it. 1 without positions. */
double stat_fill(const struct stat_answer *recomputed);

/* ---- after TOPLOC ------------------------------------------------------------------------- */

enum { STAT_BLOCK = 32, STAT_MANTISSA = 128 };

/* The positions [from, from + STAT_BLOCK) of answers of the same tokens. Each recomputed
 * log-probability and the claimed one of its token, both rounded to bfloat16: those whose sign or
 * exponent differ or that were not claimed are counted, of the others the 7 bits of the mantissa
 * are subtracted. The median of an even number is the mean of the two in the middle; mean and
 * median are STAT_MANTISSA where no exponent agrees, and 0 of nothing. */
struct stat_block {
    uint32_t n, n_exponents_off;
    double mantissa_mean, mantissa_median;
};
struct stat_block stat_block(const struct stat_answer *claimed,
                             const struct stat_answer *recomputed, size_t from);

/* The worst block's, each by itself. */
struct stat_blocks {
    size_t n_blocks;
    double exponents_off; /* share */
    double mantissa_mean, mantissa_median;
};
struct stat_blocks stat_blocks(const struct stat_answer *claimed,
                               const struct stat_answer *recomputed);

/* ---- a sampler's seed --------------------------------------------------------------------- */

/* One choice, played again: the sampler's random number, from 0 to 1, and where the claimed token
 * lies on the line of candidates as the verifier has them: [below, upto); empty: it is none. */
struct stat_draw {
    double random, below, upto;
};

/* Whether the seed chooses the same token. */
bool stat_draw_matches(const struct stat_draw *d);

/* stat_draw_evidence - how much better than chance the claimed seed explains the token: the
 * logarithm of its likelihood if the random number was this one and the line's marks are off by
 * normal noise, against that of its share alone. One position in 1,000 may be off for any other
 * reason, which bounds it from below. Whoever drew with another seed from the same distribution
 * gets a sum of S or more with a chance of at most exp(-S). */
#define STAT_DRAW_NOISE 0.01
#define STAT_DRAW_SLIP  0.001
double stat_draw_evidence(const struct stat_draw *d);

/* What a sum of it says. */
enum stat_seed { STAT_SEED_OPEN, STAT_SEED_SHOWN, STAT_SEED_REFUTED };
#define STAT_SEED_SURE 6.907755278982137 /* the logarithm of 1,000 */
enum stat_seed stat_seed_of(double evidence);

#endif
