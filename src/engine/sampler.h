/* sampler.h - from a row of logits to a token, exactly (docs/arithmetic.md, R5).
 *
 * The choice is a function of the parameters, the logits and the tokens before it; a sampler keeps
 * scratch memory only. Candidates start as the whole vocabulary in ascending token id, or as those
 * tokens that a constraint allows; each stage changes logits or drops candidates:
 *   bias         l += bias of the token; then, as after penalties, l is clamped to +-2^100
 *   penalties    over the last n_penalty_window tokens, for each token that occurs n > 0 times:
 *                l = l > 0 ? l * recip(r) : l * r;  l -= float(n) * frequency;  l -= presence
 *   temperature  l = (l - max l) * recip(t)
 *   top-k        the k first by (l descending, id ascending)
 *   top-p        the fewest first by (l descending, id ascending) whose weights reach p
 *   min-p        w >= p * (the largest w), which is p * 2^40
 *   typical      the fewest first by (|s - H| ascending, id ascending) whose weights reach p, where
 *                s = the surprise -log2 of a weight, from the logit, and H its mean by weight
 * A weight is w = floor(2^40 exp2((l - max l) * log2 e)), the maximum taken over the candidates
 * that are left. "Reach p": the sum of weights times 2^40 is at least floor(p 2^40) times the sum
 * of all weights. s is in units of 2^-16, rounded down; H too.
 * The choice: r = 64 random bits, target = floor(r * sum of w / 2^64), the first candidate by
 * ascending id at which the running sum exceeds target. Temperature 0: the largest l, lowest id. */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include "base/err.h"
#include "isobit.h"

/* What a random number is for: a part of its key. */
enum sampler_purpose { SAMPLER_PURPOSE_TOKEN = 0 };

struct candidate {
    uint64_t weight; /* 40-bit fixed point, of the maximum */
    uint64_t rank;   /* what selection sorts by, larger first */
    float logit;
    int32_t token;
};

struct sampler {
    uint32_t n_vocab;
    float *logits; /* [n_vocab] scratch: all candidates, as long as none is dropped */
    struct candidate *candidates; /* [n_vocab] scratch: those that are left */
    uint32_t *count;              /* [n_vocab] scratch, all 0 between calls */
    uint32_t *allowed; /* [(n_vocab + 31) / 32] for a constraint to fill: bit t is token t */
};

enum err sampler_init(struct sampler *s, uint32_t n_vocab, struct err_note *note);
void sampler_release(struct sampler *s);

/* sampling_check - ERR_USAGE names the parameter, its value and its range. */
enum err sampling_check(const struct iso_sampling *p, uint32_t n_vocab, struct err_note *note);

/* sampler_choose - the token at position n_tokens, after tokens[0..n_tokens).
 * logits [n_vocab], finite; p has passed sampling_check. allowed: bits of the tokens that may be
 * chosen, at least one of them set; NULL: all. */
int32_t sampler_choose(struct sampler *s, const struct iso_sampling *p, const float *logits,
                       const uint32_t *allowed, const int32_t *tokens, uint32_t n_tokens);

/* sampler_logprobs - the n <= n_vocab most likely tokens of a row, before any stage. */
void sampler_logprobs(struct sampler *s, const float *logits, uint32_t n, struct iso_logprob *out);

/* The 64 random bits for a position. */
uint64_t sampler_random(uint64_t seed, uint32_t choice, uint32_t position,
                        enum sampler_purpose purpose);

#endif
