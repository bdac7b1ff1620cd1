/* breakers.h - the token sequences in which a text may appear: where repetitions are broken (DRY).
 *
 * A text may lie inside one token, or begin at the end of a token (the head) and go on in the
 * tokens of what is left of it (the tail). The same definition as llama.cpp's. */
#ifndef TEXT_BREAKERS_H
#define TEXT_BREAKERS_H

#include "text/tokenizer.h"

enum { BREAKER_BYTES_MAX = 40 };

struct breaker {
    int32_t head;
    uint32_t tail, n_tail; /* tails.ids[tail..tail + n_tail) */
};

struct breakers {
    struct breaker *items; /* ascending heads; of one head no two have the same tail */
    size_t n_items, n_reserved;
    struct token_list tails;
};

/* breakers_find - for every token of the vocabulary, once. ERR_USAGE: a text is empty or has more
 * than BREAKER_BYTES_MAX bytes. ERR_MEMORY. Cost: tens of milliseconds for 150,000 tokens. */
enum err breakers_find(const struct tokenizer *t, const struct str *texts, size_t n_texts,
                       struct breakers *out, struct err_note *note);
void breakers_release(struct breakers *b);

#endif
