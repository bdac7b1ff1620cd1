/* forward.h - the random model's forward pass, in plain C: what the compatible profile computes.
 *
 * Weights and activations are binary16; every product is summed in binary32 and rounded to
 * binary16, as is every step between: these are the places where the reference's PyTorch rounds.
 * The order of a sum is free there (no two GPUs agree on it), so distances agree nearly, never
 * in bits. */
#ifndef POC_FORWARD_H
#define POC_FORWARD_H

#include "base/err.h"
#include "poc/weights.h"

struct poc_forward {
    const struct poc_weights *weights;
    uint16_t *x, *normed;     /* [seq_len][dim] the running sum; after a norm */
    uint16_t *q, *k, *v;      /* [seq_len][heads][head_dim] */
    uint16_t *mixed;          /* [seq_len][dim] what attention gives, before and after wo */
    uint16_t *gate, *up;      /* [seq_len][ffn_dim] */
    uint16_t *row, *cosines, *sines; /* a row of a tensor; [seq_len][head_dim / 2] */
    float *wide, *wide_row;   /* a product's inputs and its row; attention's scores */
    uint16_t *scratch;        /* all of the above lie in these two */
    float *scratch_wide;
};

uint64_t poc_forward_bytes(const struct poc_params *p); /* what opening takes */

/* Weights are borrowed. ERR_MEMORY. */
enum err poc_forward_open(struct poc_forward *f, const struct poc_weights *weights,
                          struct err_note *note);
void poc_forward_close(struct poc_forward *f);

/* input[seq_len][dim] to logits[vocab_size] of the last position. One thread. */
void poc_forward_run(struct poc_forward *f, const uint16_t *input, float *logits);

#endif
