/* answer_int.h - what the files of the answer reader share. */
#ifndef TEXT_ANSWER_INT_H
#define TEXT_ANSWER_INT_H

#include "text/answer_reader.h"

enum { ANSWER_RAW_BYTES_MAX = 1 << 20 };

static inline bool answer_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
static inline struct str answer_buf(const struct buf *b)
{
    return (struct str){b->n_bytes ? b->bytes : "", b->n_bytes};
}
/* Whether held is the beginning of mark (1), all of it (2), or neither. */
static inline int answer_match(const struct buf *held, const char *mark)
{
    size_t n = strlen(mark);
    if (held->n_bytes > n || memcmp(held->bytes, mark, held->n_bytes) != 0)
        return 0;
    return held->n_bytes == n ? 2 : 1;
}

/* ---- answer_reader.c */

/* answer_again - these bytes are taken next. */
void answer_again(struct answer_reader *r, struct str bytes);
/* answer_to_text - plain text goes on, white space first if it was not said. */
void answer_to_text(struct answer_reader *r, bool after_mark);
void answer_say(struct answer_reader *r, enum part_kind kind, struct str text);

/* ---- answer_call.c: PLACE_CALL */

/* answer_call_begin - after white space and a mark, with the steps from i_step. */
void answer_call_begin(struct answer_reader *r, const struct buf *space, const char *mark,
                       int i_step);
void answer_call_byte(struct answer_reader *r, char c);
void answer_call_end(struct answer_reader *r);
/* Names the call: it is certain now. */
void answer_call_certain(struct answer_reader *r);
/* The call is over; its text goes on after it. */
void answer_call_over(struct answer_reader *r);
/* answer_next_step - the step's text is taken. */
void answer_next_step(struct answer_reader *r);
/* More of the arguments. */
void answer_arguments(struct answer_reader *r, struct str text);
/* answer_call_leave - nothing more of the call comes: neither what is held nor c belong to it,
 * which is n_again bytes. */
void answer_call_leave(struct answer_reader *r, size_t n_again, char c);
/* It is none: what was held is text, but for its last bytes, which are taken again. */
void answer_call_fail(struct answer_reader *r, size_t n_again);
/* answer_tool - the function of this name: {name, parameters}; NULL: there is none. */
const struct json_t *answer_tool(const struct answer_reader *r, struct str name);

/* ---- answer_fields.c: STEP_FIELDS */

void answer_fields_begin(struct answer_reader *r);
void answer_fields_byte(struct answer_reader *r, char c);
/* The answer ends within them. */
void answer_fields_end(struct answer_reader *r);

/* ---- answer_channels.c: PLACE_HEADER, for gpt-oss */

void answer_header_begin(struct answer_reader *r, const char *mark);
void answer_header_byte(struct answer_reader *r, char c);
void answer_header_end(struct answer_reader *r);

#endif
