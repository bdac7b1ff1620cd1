/* matcher.h - which tokens may come next, for one answer under a grammar.
 *
 * Exact: a token is allowed if and only if the text so far and the token begin some text of the
 * grammar; end tokens are allowed exactly where the text so far is one. Ambiguity, and tokens
 * across any number of borders, make no difference.
 * Nothing is allocated after matcher_new. What would not fit the matcher's memory ends with an
 * error (ERR_LIMIT), never with a wrong mask. Thread: one at a time; grammar and vocabulary are
 * borrowed, and shared freely. */
#ifndef GRAMMAR_MATCHER_H
#define GRAMMAR_MATCHER_H

#include "grammar/grammar.h"
#include "grammar/vocab.h"
#include "isobit.h"

enum { MATCHER_ROLLBACK_MAX = 256 };

struct matcher;

enum err matcher_new(const struct grammar *g, const struct grammar_vocab *v, struct matcher **out,
                     struct err_note *note);
void matcher_free(struct matcher *m); /* NULL is fine */
/* Back to the empty text. */
void matcher_reset(struct matcher *m);

/* matcher_mask - sets exactly the bits of the tokens allowed next, bits[v->n_words]. ERR_LIMIT;
 * ERR_UNSUPPORTED: no token of the vocabulary goes on, or a token was accepted that was not
 * allowed. Cost: a copy where the state was met before; else see docs/grammar.md. */
enum err matcher_mask(struct matcher *m, uint32_t *bits, struct err_note *note);
/* matcher_accept - false: the token was not allowed, and nothing is from now on, until it is taken
 * back. */
bool matcher_accept(struct matcher *m, int32_t token);
/* The last n accepted tokens were not; n at most MATCHER_ROLLBACK_MAX, and as many as there are. */
void matcher_rollback(struct matcher *m, uint32_t n);
bool matcher_may_end(const struct matcher *m);
/* An end token was accepted. */
bool matcher_has_ended(const struct matcher *m);
/* matcher_forced - the bytes that must come next, as far as there is one way only; at most n_max.
 */
size_t matcher_forced(struct matcher *m, char *bytes, size_t n_max);

/* The same as the engine asks for it; borrows m. */
struct iso_constraint matcher_constraint(struct matcher *m);

#endif
