/* stream.h - token ids to text as they come, never half a UTF-8 character.
 *
 * Bytes that cannot yet be a whole character wait; bytes proven ill-formed become U+FFFD at once,
 * so that all that was emitted equals utf8_repair of the decoded bytes. */
#ifndef TEXT_STREAM_H
#define TEXT_STREAM_H

#include "base/buf.h"
#include "text/tokenizer.h"

struct stream {
    const struct tokenizer *tokenizer;
    unsigned flags;      /* enum decode_flag */
    int n_strip;         /* leading spaces that the decoder still removes */
    bool started;        /* a token was seen */
    char waiting[4];     /* an unfinished character */
    size_t n_waiting;
};

/* flags as for tokenizer_decode: DECODE_CONTINUE when the text follows a prompt. */
void stream_init(struct stream *s, const struct tokenizer *t, unsigned flags);
/* Append to out the text that is now certain; id must be in range. out's failure sticks. */
void stream_add(struct stream *s, int32_t id, struct buf *out);
/* What still waits is ill-formed: it becomes U+FFFD. */
void stream_end(struct stream *s, struct buf *out);

#endif
