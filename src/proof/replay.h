/* replay.h - an answer computed anew: a request that reads what the answer is said to be, and what
 * the engine's events say of it.
 *
 * Every token is chosen by the engine as it was the first time, in passes as large as those of a
 * prompt; nothing that was read before is used. The caller submits replay.request to a session of
 * its own, gives every event of that session to replay_take, and cancels once that says so. */
#ifndef PROOF_REPLAY_H
#define PROOF_REPLAY_H

#include "base/err.h"
#include "isobit.h"
#include "proof/verify.h"

struct replay {
    struct iso_request request;
    int32_t *expected; /* [n_output - 1], or NULL: the answer is not known */
    size_t n_output;   /* tokens that the answer is said to have */
    bool is_over, has_prompt; /* its last token was read */

    uint32_t *ids;                   /* [n_records <= n_output] as chosen now */
    struct position_record *records; /* [n_records] */
    size_t n_records;
    struct merkle_hash *logits; /* [n_records] of all of each row; NULL: no digests are wanted */
    struct merkle_hash *prompt_pages; /* [n_prompt_pages] of those that the prompt fills */
    size_t n_prompt_pages;
    struct merkle_hash *pages; /* [n_pages] */
    size_t n_pages, n_pages_max;
    /* Why the answer ended: NONE, it goes on after n_output tokens, or differs before. */
    enum iso_finish finish;
    enum err err; /* of the engine, with note */
    struct err_note note;
};

/* replay_init - of: the request as it was, prompt included; its digests, where they are wanted, are
 * those of all logits. Its texts and arrays outlive the
 * replay. ids [n_output]: the answer; NULL: not known, it is written token by token. ERR_FORMAT: an
 * id that is no token; ERR_LIMIT: more tokens than the engine's context has. */
enum err replay_init(struct replay *p, const struct iso_request *of, const uint32_t *ids,
                     size_t n_output, struct iso_engine_info engine, struct err_note *note);
/* replay_take - false: all is known. The other events of that step may follow; then the caller
 * cancels the request if it still runs, and gives no more. */
bool replay_take(struct replay *p, const struct iso_event *e);
/* replay_found - what is known so far, borrowed. */
struct verify_replay replay_found(const struct replay *p);
void replay_release(struct replay *p);

/* replay_logits - rows of logits that an engine for replays is opened with: as many as keep its
 * passes large and its memory small. */
uint32_t replay_logits(uint32_t n_vocab, uint32_t n_chunk);

#endif
