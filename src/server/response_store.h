/* response_store.h - answers of /v1/responses that their askers may come back to.
 *
 * A stored answer is a TURN of a conversation: what was asked, what was answered, and the turn
 * before. It is forgotten when asked to, when it is too old, or, oldest first, when there are too
 * many or they are too large; its turn lives on as long as later turns need it. Everybody sees only
 * their own. Time is an argument, in any seconds that do not run backwards. */
#ifndef SERVER_RESPONSE_STORE_H
#define SERVER_RESPONSE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct response_store;
struct stored;

struct response_limits {
    size_t n_max, n_bytes_max; /* of all; 0: 4096, 64 MiB */
    uint64_t age_s_max;        /* 0: a day */
};

/* One turn as JSON: items with commas between; the answer is the whole object. */
struct response_texts {
    struct str id, input, output, response;
};

struct response_store *response_store_new(const struct response_limits *l); /* NULL: no memory */
void response_store_free(struct response_store *s); /* NULL is nothing */

/* response_store_add - before: the turn before, or empty; if it is forgotten meanwhile, or without
 * memory, or too large, nothing is stored: false. */
bool response_store_add(struct response_store *s, const void *owner, struct str before,
                        const struct response_texts *t, uint64_t now_s);
/* response_store_find - NULL: there is none of this owner's. Valid until the next call of a
 * function that takes the time, or of remove. */
const struct stored *response_store_find(struct response_store *s, const void *owner,
                                         struct str id, uint64_t now_s);
bool response_store_remove(struct response_store *s, const void *owner, struct str id,
                           uint64_t now_s);

struct str stored_response(const struct stored *r);
struct str stored_input(const struct stored *r); /* of its own turn */
/* stored_conversation - all items up to here, in order, with commas between. */
void stored_conversation(const struct stored *r, struct buf *out);
size_t response_store_bytes(const struct response_store *s);

#endif
