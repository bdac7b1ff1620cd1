/* speculate.h - several tokens of one session in one pass: guesses of the next tokens are computed
 * as rows of their own, and count only where the sampler chooses the same.
 *
 * The text is the same as without: each token is chosen from its own position's logits, with that
 * position's random numbers, after the tokens before it; the rows behind the first wrong guess are
 * as if they had not been computed. So guesses are a matter of speed alone: one step costs little
 * more with a few rows than with one, because the weights are read once.
 * Only a session that decodes alone gets guesses: rows of a fuller batch are not as cheap. */
#ifndef ENGINE_SPECULATE_H
#define ENGINE_SPECULATE_H

#include "engine/cost.h"
#include "engine/draft.h"
#include "engine/engine.h"
#include "engine/lookup.h"

struct speculate {
    bool is_off;
    struct guesser guesser; /* fn NULL: none */
    struct lookup lookup;
    struct draft draft;
    uint64_t ns_aside; /* of the step under way, that guessing took */
};

enum err speculate_init(struct speculate *p, bool is_off, uint32_t n_ctx, struct err_note *note);
void speculate_release(struct speculate *p);
/* The session's timeline was cut or is gone. */
void speculate_forget(struct speculate *p, const struct iso_session *s);

/* speculate_guess - writes guesses after the timeline of a session that decodes, as many as pay.
 * Returns their number. */
uint32_t speculate_guess(struct iso_session *s);

/* Guesses, and the tokens per time that they promise, relative to none. */
struct worth {
    uint32_t n;
    double rate;
};

/* speculate_worth - how many guesses promise the most: chance[i] is that of guess i, given that
 * those before it come true, and ns_each what making one takes; the row before them is at
 * `position`. Row counts that were not measured yet are taken as cheap, to be tried. */
struct worth speculate_worth(const struct cost *c, uint32_t position, const float *chance,
                             uint32_t n, double ns_each);

#endif
