/* maker.h - an engine's events become a receipt and its bundle.
 *
 * One maker for one answer, from its beginning to its end. It sees what was chosen from what, makes
 * the salt, and commits; where the answer came from (model, request, prompt, parameters) and what
 * it took (times, load, price) is the caller's to know. The request that makes the events wants
 * records and pages, and digests where the receipt is to commit to all logits (isobit.h). */
#ifndef PROOF_MAKER_H
#define PROOF_MAKER_H

#include "base/buf.h"
#include "isobit.h"
#include "proof/bundle.h"
#include "proof/receipt.h"

struct maker {
    struct salt salt;
    uint64_t border;    /* tokens before the answer; 0: they were not all read */
    struct buf ids;     /* uint32_t each */
    struct buf records; /* struct position_record each */
    struct buf logits;  /* struct merkle_hash each, where the request wants digests */
    struct buf pages;   /* struct merkle_hash each: page hashes */
    struct buf prompt_pages; /* the same of those that the prompt fills */
    struct buf commitments; /* struct merkle_hash each: of the pages, once maker_fill was called */
};

void maker_init(struct maker *m); /* with a fresh salt */
void maker_release(struct maker *m);

/* maker_take - an event of the answer; those that say nothing about it are ignored. Between steps:
 * it allocates. Cost: a copy; while the prompt is read, the hashes of its pages. */
void maker_take(struct maker *m, const struct iso_event *event);
/* maker_record - what a TOKEN event with a record says. */
struct position_record maker_record(const struct iso_event *event);
/* maker_cut - the answer ended with its first n tokens: a stop string was seen after others had
 * been chosen in the same step. Before maker_fill. */
void maker_cut(struct maker *m, uint32_t n_tokens);

/* maker_fill - the commitments. b has request, prompt and prompt_ids already (b->has says which are
 * there: all three are needed); gets the answer's parts and the salt, which it borrows from m. r
 * gets its hashes and counts; the rest is the caller's. ERR_MEMORY. Cost: about 2 microseconds a
 * token. */
enum err maker_fill(struct maker *m, struct bundle *b, struct receipt *r, struct err_note *note);

#endif
