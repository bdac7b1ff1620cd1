/* sampler.h - from a row of logits to a token, exactly (docs/arithmetic.md, R5).
 *
 * The choice is a function of the parameters, the logits, the tokens before it and, under mirostat,
 * of mu; a sampler keeps scratch memory only. Candidates start as the whole vocabulary; each stage
 * changes logits l or drops candidates. They stay in ascending token id throughout. "First" is by
 * (l descending, id ascending) unless a stage says otherwise.
 *   bias         l += bias of the token; then, as after penalties, l is clamped to +-2^100.
 *                A bias of -infinity, a banned token and one that a mask does not allow are dropped
 *   penalties    over the last n_penalty_window tokens, for each token that occurs, n times (with
 *                penalise_answer: n times at the border or after, which may be 0):
 *                l = l > 0 ? l * recip(r) : l * r;  l -= float(n) * frequency;
 *                l -= presence if n > 0
 *   DRY          in the window of the last n_dry_window tokens: a place k > 0 tokens before the end
 *                repeats r(k) tokens if the r(k) tokens before it equal the last r(k), at most
 *                `limit`, what follows the last breaker. The token at that place would go on with
 *                it. For each token, with R the largest such r(k) that is >= dry_allowed_length,
 *                unless it is a breaker by itself:
 *                l -= multiplier * power(base, R - dry_allowed_length)
 *                power squares and multiplies by the bits of the exponent, the highest first, and
 *                stays at 2^100 where it gets there
 *   temperature  l = (l - max l) * recip(t)
 *   top-k        the k first
 *   top-p        the fewest first whose weights reach p
 *   min-p        w >= p * (the largest w), which is p * 2^40
 *   typical      the fewest first by (|s - H| ascending, id ascending) whose weights reach p, where
 *                s = the surprise -log2 of a weight, from the logit, and H its mean by weight
 *   XTC          with the given probability: of the candidates whose weight is at least `threshold`
 *                of the sum of weights, all but the last are dropped
 * A weight is w = floor(2^40 exp2((l - max l) * log2 e)), the maximum taken over the candidates
 * that are left. "Reach p": the sum of weights times 2^40 is at least floor(p 2^40) times the sum
 * of all weights. s is in units of 2^-16, rounded down; H too. XTC happens where the upper 40 of
 * its 64 random bits are below floor(probability 2^40). The choice: r = 64 random bits, target =
 * floor(r * sum of w / 2^64), the first candidate by ascending id at which the running sum exceeds
 * target. Temperature 0: the largest l, lowest id. Mirostat (tau, eta; temperature above 0) skips
 * the stages that drop candidates and cuts once before the choice; sampler_mirostat.c has its
 * formulas. mu begins at 2 tau. */
#ifndef ENGINE_SAMPLER_H
#define ENGINE_SAMPLER_H

#include "base/err.h"
#include "device/sample.h"
#include "isobit.h"

/* What a random number is for: a part of its key. */
enum sampler_purpose { SAMPLER_PURPOSE_TOKEN = 0, SAMPLER_PURPOSE_XTC = 1 };

/* Scratch; arrays of n_vocab unless told otherwise. */
struct sampler {
    uint32_t n_vocab, n_ctx;
    /* The n candidates that are left. */
    uint32_t n;
    float *logit;
    int32_t *token;    /* ascending */
    uint64_t *weight;  /* 40-bit fixed point, of the maximum */
    uint32_t *rank;    /* what selection goes by, larger first */
    uint32_t *index;   /* of selection */
    uint32_t *count;   /* of tokens; all 0 between calls */
    uint32_t *allowed; /* [(n_vocab + 31) / 32] for a constraint to fill */
    uint32_t *repeat;  /* [n_ctx] of DRY */
    uint64_t total;    /* of the weights that the last choice was drawn from; 0: it was not drawn */
};

/* What a token is chosen from and for. */
struct sampler_row {
    const struct iso_sampling *sampling; /* has passed sampling_check */
    const float *logits;                 /* [n_vocab], finite */
    const int32_t *tokens;               /* the timeline, n_tokens <= n_ctx of them */
    uint32_t n_tokens;                   /* the position of the token to choose */
    uint32_t border;                     /* where the answer begins */
    const uint32_t *allowed;             /* bit t % 32 of allowed[t / 32]: token t; NULL: all */
    const int32_t *banned;               /* never chosen */
    uint32_t n_banned;
    float *mu; /* mirostat's state, moved on by the choice; else untouched */
};

enum err sampler_init(struct sampler *s, uint32_t n_vocab, uint32_t n_ctx, struct err_note *note);
void sampler_release(struct sampler *s);

/* sampling_check - ERR_USAGE names the parameter, its value and its range. */
enum err sampling_check(const struct iso_sampling *p, uint32_t n_vocab, struct err_note *note);

/* sampler_choose - the token of a row. -1: every token is banned. Allocates nothing. */
int32_t sampler_choose(struct sampler *s, const struct sampler_row *row);

/* sampler_logprobs - the n <= n_vocab most likely tokens of a row, before any stage. */
void sampler_logprobs(struct sampler *s, const float *logits, uint32_t n, struct iso_logprob *out);

/* sampler_left - after sampler_choose: the logarithm of the token's share of what the stages left,
 * and the n most likely of those; what they dropped has -9999, filled up by ascending id. */
float sampler_left(struct sampler *s, int32_t token, uint32_t n, struct iso_logprob *out);

/* sampler_best - the ISO_BEST_MAX largest of a row of logits, or all of fewer; of equals the lower
 * token first. Returns how many. Cost: one pass, vectorised but for blocks that hold one. */
uint32_t sampler_best(const float *logits, uint32_t n_vocab, struct iso_record *out);

/* sampler_device_row - what a device has to be told to choose a row's token, in `edits` what
 * changes logits, from first_edit 0 on; row->logits is not looked at. false: the row is the host's,
 * because of a mask, mirostat, DRY, typical, XTC, another order of stages, or too many edits. */
bool sampler_device_row(struct sampler *s, const struct sampler_row *row, struct sample_row *out,
                        struct sample_edit *edits, uint32_t n_edits_max);
/* What a device answers in place of iso_logprob, sampler_logprobs and sampler_best. */
float sampler_device_logprob(const struct sample_result *r);
void sampler_device_logprobs(const struct sample_result *r, uint32_t n, struct iso_logprob *out);
void sampler_device_best(const struct sample_result *r, uint32_t n_vocab, struct iso_record *out);

/* The 64 random bits for a position. */
uint64_t sampler_random(uint64_t seed, uint32_t choice, uint32_t position,
                        enum sampler_purpose purpose);

#endif
