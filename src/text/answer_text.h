/* answer_text.h - an answer's tokens, as they were chosen, become what it says: text without stop
 * texts and, of a chat, parts; and whether what it says has ended it.
 *
 * One for each answer. Who answers and who computes an answer anew use it alike, so that both find
 * the same end. */
#ifndef TEXT_ANSWER_TEXT_H
#define TEXT_ANSWER_TEXT_H

#include "text/answer_reader.h"
#include "text/stops.h"
#include "text/stream.h"

/* Stays where it is from init to release: the reader points to parts. */
struct answer_text {
    struct stream stream;
    struct stops stops;
    struct buf piece, text; /* not yet free of stop texts; not yet a part */
    bool reads;             /* text comes apart into parts: it is a chat's */
    struct answer_reader reader;
    const int32_t *marks; /* [n_marks] */
    size_t n_marks;
    struct parts parts; /* what it says, as far as that is certain; for the owner to take */
};

/* answer_text_init - stop_texts [n], none empty, outlive it. */
void answer_text_init(struct answer_text *a, const struct tokenizer *t,
                      const struct str *stop_texts, size_t n_stop_texts);
/* answer_text_read - it is a chat's: read as o says. marks [n]: special tokens that are spelled;
 * they outlive it. At most once, before the first token. */
void answer_text_read(struct answer_text *a, const struct answer_options *o, const int32_t *marks,
                      size_t n_marks);
/* answer_text_add - the next token, which is no stop token; one beyond the tokenizer's says
 * nothing. answer_text_end - no more comes: what waited is decided, and may be a stop text. */
void answer_text_add(struct answer_text *a, int32_t token);
void answer_text_end(struct answer_text *a);
/* Whether nothing that still comes is said: a stop text was met, or no more calls are wanted. */
bool answer_text_is_over(const struct answer_text *a);

/* answer_text_replay - a whole answer, to its end: ids [n_ids] as they were chosen, stop tokens
 * among them. How many of them until what they say ended it; all: it did not, or at last. */
size_t answer_text_replay(struct answer_text *a, const uint32_t *ids, size_t n_ids,
                          const int32_t *stops, uint32_t n_stops);
void answer_text_release(struct answer_text *a);

#endif
