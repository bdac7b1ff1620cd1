/* turns.h - a conversation told in another API's words becomes the messages that templates know.
 *
 * Messages are built in order. What an assistant says, thinks and calls in a row is one message, as
 * templates want it; texts of one message are put together with line breaks between them, because
 * many templates take nothing but one text. */
#ifndef API_TURNS_H
#define API_TURNS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/str.h"

struct turns {
    json_t *messages;  /* an array of those that are complete */
    const char *role;  /* of the one that is being built; NULL: none */
    struct buf text, reasoning;
    bool has_text;
    json_t *calls; /* an array, or NULL */
    bool failed;   /* without memory */
};

void turns_init(struct turns *t);
void turns_release(struct turns *t);

/* turns_begin - a new message, whoever spoke last. */
void turns_begin(struct turns *t, const char *role);
/* The rest begins a message when the last one is of another role. */
void turns_text(struct turns *t, const char *role, struct str text);
void turns_reasoning(struct turns *t, struct str text);
/* arguments: a JSON object as text. */
void turns_call(struct turns *t, struct str id, struct str name, struct str arguments);
void turns_result(struct turns *t, struct str call_id, struct str text);

/* turns_end - the messages, a new reference; NULL without memory. Release t in any case. */
json_t *turns_end(struct turns *t);

#endif
