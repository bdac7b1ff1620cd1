/* spellings.h - what each token of a vocabulary adds to an answer, for those who look ahead. */
#ifndef TEXT_SPELLINGS_H
#define TEXT_SPELLINGS_H

#include "base/buf.h"
#include "text/tokenizer.h"

struct spellings {
    struct str *tokens; /* [n_tokens] bytes; empty: it spells nothing, as control tokens do */
    uint32_t n_tokens;
    int32_t *ends; /* [n_ends] the tokens that end an answer */
    uint32_t n_ends;
    struct buf bytes; /* where tokens point */
};

/* spellings_make - of the first n_vocab tokens at most. marks[n_marks]: control tokens that are
 * spelled nevertheless. Cost: milliseconds. */
enum err spellings_make(struct spellings *s, const struct tokenizer *t, uint32_t n_vocab,
                        const int32_t *marks, size_t n_marks, struct err_note *note);
void spellings_release(struct spellings *s);

#endif
