/* responses.h - OpenAI's /v1/responses: items instead of messages.
 *
 * What was said before comes as previous: {id, input}, items that the front puts there in place of
 * previous_response_id (server/response_store.h). Items in become the messages that templates know;
 * the parts of an answer become items out, one each. */
#ifndef API_RESPONSES_H
#define API_RESPONSES_H

#include "api/dialect.h"

extern const struct dialect dialect_responses;

/* Both return false with e filled; release r in any case. */
bool responses_parse(struct str body, struct api_generate *r, struct api_error *e);

/* responses_items - input as an array of items that each have a type, an id and their content as an
 * array; a new reference. NULL: out of memory, or it is neither a text nor an array of objects. */
json_t *responses_items(const json_t *input, const char *id);

/* responses_joined - whether joined is the body sent, with what was said before in place of its
 * previous_response_id, as the front passes it on: all else is the same. */
bool responses_joined(struct str sent, struct str joined);
/* What a receipt of such a request leaves open to who sent it. */
#define RESPONSES_JOINED                                                                           \
    "your own, joined to what was said before, which only the bundle tells: read it there, and "   \
    "give that request"

#endif
