/* answer_write.h - calls of tools as a family writes them: to show a model how, and to tell it of
 * calls that it made earlier, where its template cannot. */
#ifndef TEXT_ANSWER_WRITE_H
#define TEXT_ANSWER_WRITE_H

#include "base/buf.h"
#include "text/answer_form.h"

/* answer_write_calls - calls: an array as the chat interface has it; arguments are objects, or
 * texts that are taken as they are. */
void answer_write_calls(const struct answer_form *f, const struct json_t *calls, struct buf *out);

#endif
