/* lookup.h - guesses of the next tokens from the timeline itself: where its last tokens occurred
 * before, what followed then may follow again.
 *
 * Two tables lead from the hash of the last LOOKUP_LONG and LOOKUP_SHORT tokens to the place where
 * they occurred last. A table may be wrong (hashes collide, timelines are cut): every place is
 * compared with the tokens before it is used. A place stays the source of guesses as long as they
 * come true. How often they do is learned by the length of the match, from every token that
 * follows, whether its guess was computed with or not.
 * One index serves the engine: only a session that decodes alone is guessed for.
 * Cost: a constant for each new token. Nothing here allocates after lookup_init. */
#ifndef ENGINE_LOOKUP_H
#define ENGINE_LOOKUP_H

#include <stdint.h>

#include "base/err.h"

enum { LOOKUP_SHORT = 2, LOOKUP_LONG = 5, LOOKUP_MATCH_MAX = 64, LOOKUP_CLASSES = 8 };

struct lookup {
    uint32_t *table[2];           /* [n_slots] the end of the tokens that hash there; 0: none */
    uint32_t n_slots;             /* a power of two */
    const void *owner;            /* whose timeline is in the tables */
    uint32_t n_tokens;            /* of it */
    uint32_t source;              /* tokens[source] is the guess for tokens[n_tokens]; 0: none */
    uint32_t n_match;             /* tokens before source that equal the last ones */
    float chance[LOOKUP_CLASSES]; /* that a guess comes true, by class of n_match */
};

enum err lookup_init(struct lookup *l, uint32_t n_ctx, struct err_note *note);
void lookup_release(struct lookup *l);
/* The owner's timeline was cut or is gone. */
void lookup_forget(struct lookup *l, const void *owner);

/* lookup_follow - the owner's timeline is tokens[0..n_tokens) now, those from `border` on chosen by
 * the model. */
void lookup_follow(struct lookup *l, const void *owner, const int32_t *tokens, uint32_t n_tokens,
                   uint32_t border);

/* lookup_chances - the chances of up to n guesses, each given that those before it come true.
 * Returns how many. */
uint32_t lookup_chances(const struct lookup *l, uint32_t n, float *chance);
/* lookup_guess - writes the first n of them after the timeline: tokens[n_tokens..]. */
void lookup_guess(const struct lookup *l, int32_t *tokens, uint32_t n);

#endif
