/* anthropic.h - Anthropic's /v1/messages: blocks of content instead of messages' fields.
 *
 * What is asked becomes the messages, tools and choices that templates know; what is answered
 * becomes blocks again. cache_control is accepted everywhere: what was read is remembered anyway.
 * Assistants' last words in a request are continued (struct api_generate's prefill). */
#ifndef API_ANTHROPIC_H
#define API_ANTHROPIC_H

#include "api/dialect.h"

extern const struct dialect dialect_anthropic;

/* Both return false with e filled; release r in any case. */
bool anthropic_parse(struct str body, struct api_generate *r, struct api_error *e);
/* For /v1/messages/count_tokens: how long an answer may be need not be said. */
bool anthropic_count_parse(struct str body, struct api_generate *r, struct api_error *e);

/* {"type": "error", "error": {type, message}} */
void anthropic_error(struct buf *out, const struct api_error *e);

#endif
