/* sample.h - choosing tokens where the logits are: what a device is told of each row, and what it
 * gives back. Kernels include it too.
 *
 * The choice is engine/sampler.h's, to the bit, for what can be said in these numbers: biases, then
 * penalties, top-k, top-p, min-p, temperature in this order, and the draw. Everything that is a
 * function of tokens and parameters alone (random bits, counts, shares) is made by the host. */
#ifndef DEVICE_SAMPLE_H
#define DEVICE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numeric/func.h"

enum {
    SAMPLE_BEST_MAX = 20,
    SAMPLE_RUN = 64,     /* neighbouring logits of which the largest is put on record */
    SAMPLE_BINS = 1024,  /* sums of weights by how far a logit is below the largest */
    SAMPLE_CHOOSE = -1,  /* in place of a token: it is to be chosen, */
    SAMPLE_NOTHING = -2, /* or nothing is asked of this row */
};

/* One logit changes before every stage. A bias of -infinity: never chosen. */
struct sample_edit {
    int32_t token;
    uint32_t value; /* of a bias: its bits; of a penalty: how often the token counts, 0 or more */
};

struct sample_row {
    uint64_t random;       /* the 64 bits of its draw */
    uint64_t top_p, min_p; /* floor(p 2^40); off: 2^40 of top-p, 0 of min-p */
    float per_temperature; /* its reciprocal; 0: the largest logit, of equals the lower token */
    float repeat, frequency, presence;
    uint32_t top_k; /* 0: off */
    /* Places in the array of edits: biases, then penalties. No token is twice in either. */
    uint32_t first_edit, n_biases, n_penalties;
    int32_t token;      /* SAMPLE_CHOOSE, SAMPLE_NOTHING, or what was chosen already */
    uint32_t n_best;    /* largest logits that are asked for, at most SAMPLE_BEST_MAX and V */
    uint32_t wants_sum; /* log2_sum is asked for */
};

/* Logits are the model's own, before edits. What was not asked for is 0. */
struct sample_result {
    uint64_t sum;   /* of the weights that the token was drawn from; 0: it was not drawn */
    int32_t token;  /* -1: none may be chosen, nothing was asked, or the row is bad */
    float logit;    /* the token's, */
    float max;      /* and the largest: with log2_sum */
    float log2_sum; /* of all weights: sample_logprob(logit - max, log2_sum) */
    struct {
        int32_t token;
        float logit;
    } best[SAMPLE_BEST_MAX]; /* falling; of equals the lower token first */
};

/* All device memory. */
struct sample_args {
    const float *logits; /* [T, V] */
    uint64_t stride;
    uint32_t n_rows, n_vocab;
    const struct sample_row *rows;   /* [T] */
    const struct sample_edit *edits; /* as rows name them */
    const uint8_t *bad;              /* [T]: such rows give no token */
    float *work;                     /* sample_work_floats(T, V) */
    struct sample_result *results;   /* [T] */
    int32_t *tokens;                 /* [T] the tokens again, 0 for none: a next pass reads them */
};

/* Rows of changed logits, one after another; then for each row, of the model's logits and of the
 * changed ones, each run's largest (uint32_t) and sum of weights (uint64_t); then the bins. */
NUM_FN uint64_t sample_runs(uint32_t n_vocab)
{
    return ((uint64_t)n_vocab + SAMPLE_RUN - 1) / SAMPLE_RUN;
}
NUM_FN uint64_t sample_work_floats(uint64_t n_rows, uint32_t n_vocab)
{
    return n_rows * (sample_runs(n_vocab) * (SAMPLE_RUN + 2 + 4) + 2 * SAMPLE_BINS);
}

#endif
