/* once.h - the answers of requests that may be sent again: each is done once.
 *
 * An entry is named by who asked and the name they gave their request. It is open while the first
 * one is answered, then holds that answer for a day, or until memory is wanted for newer ones. Time
 * is an argument, in any seconds that do not run backwards. */
#ifndef SERVER_ONCE_H
#define SERVER_ONCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/str.h"

enum {
    ONCE_S_MAX = 24 * 3600,
    ONCE_TYPE_BYTES = 64,
    ONCE_PLACES = 4096,
};

struct once;
struct once_entry;

struct once_options {
    size_t n_bytes_max;        /* all answers together; 0: 64 MiB */
    size_t n_answer_bytes_max; /* larger ones are not kept; 0: 8 MiB */
    size_t n_entries_max;      /* 0: 65536 */
};

enum once_found {
    ONCE_NEW,       /* entry is open: to be ended exactly once. NULL: it cannot be kept */
    ONCE_OPEN,      /* the first one is being answered */
    ONCE_DIFFERENT, /* of that name another request was sent */
    ONCE_DONE,      /* entry is the answer, until the next call of a function here */
};

struct once *once_new(const struct once_options *o); /* NULL without memory */
void once_free(struct once *o); /* every entry has been ended; NULL is nothing */

/* once_begin - name: of asker and request; content: of what is asked. Digests. */
enum once_found once_begin(struct once *o, const uint8_t name[SHA256_BYTES],
                           const uint8_t content[SHA256_BYTES], uint64_t now_s,
                           struct once_entry **entry);
/* The answer, piece by piece; type is the first's, its content type. */
void once_add(struct once *o, struct once_entry *e, const char *type, struct str bytes);
/* once_end - keep false: as if it had never been sent. */
void once_end(struct once *o, struct once_entry *e, int status, bool keep);

int once_status(const struct once_entry *e);
const char *once_type(const struct once_entry *e);
struct str once_body(const struct once_entry *e);
size_t once_bytes(const struct once *o); /* held */

#endif
