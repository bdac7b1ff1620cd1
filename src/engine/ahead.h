/* ahead.h - the next pass is submitted before anybody has looked at this one's tokens, so that a
 * device with memory of its own never waits for the host.
 *
 * A device that chooses tokens has the next pass's inputs already: where every request that runs
 * decodes, and nothing of its next choice is for the host to say (ahead_go), the pass after the one
 * under way is the same requests, one position further. Which of them have ended meanwhile is known
 * when that pass is taken (ahead_take): their rows are left out. What such a row wrote lies behind
 * its session's positions, in a page that nobody reads there before it is written again: all that a
 * device is told happens in the order in which it was told.
 * So tokens, events and their order are as without. A request that comes meanwhile joins one pass
 * later. */
#ifndef ENGINE_AHEAD_H
#define ENGINE_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/model.h"

struct iso_engine;
struct iso_session;

/* A row of the pass that is under way. */
struct ahead_row {
    struct iso_session *session;
    uint64_t ticket;   /* of the request that it is for */
    uint32_t n_tokens; /* of the session, when the row's own token is known */
};

struct ahead {
    struct ahead_row *row; /* [n_running] */
    uint32_t n;            /* 0: none is under way */
    uint32_t turn;         /* batch.turn of the pass submitted last */
    uint32_t *from;        /* [n_running] the rows of the pass taken last that are left */
    struct kv_row *rows;   /* [n_running] */
    uint32_t *logit_rows;  /* [n_running] 0, 1, 2... */
    uint8_t *far, *stays;  /* [n_running] */
};

enum err ahead_init(struct ahead *a, uint32_t n_running, struct err_note *note);
void ahead_release(struct ahead *a);

/* ahead_go - submits the pass after b, which was submitted last, if it is known what that is. */
void ahead_go(struct iso_engine *e, const struct batch *b);

/* ahead_take - the pass that is under way is this step's: its turns are the engine's. false: there
 * is none, or nothing of it is left. */
bool ahead_take(struct iso_engine *e, struct batch *b);
/* ahead_collect - model_collect of it: row i is turn i's. */
void ahead_collect(struct iso_engine *e, const struct batch *b);

#endif
