/* stops.h - stop strings in text that comes in pieces: nothing of a stop string gets out.
 *
 * Text that may be the beginning of a stop string waits until it is decided. What got out depends
 * only on the whole text, not on how it was cut into pieces. */
#ifndef TEXT_STOPS_H
#define TEXT_STOPS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

struct stops {
    const struct str *items; /* borrowed; none is empty */
    size_t n_items;
    struct buf waiting;
    bool found; /* the text has ended: further pieces are dropped */
    size_t i_found; /* by which of the items */
};

void stops_init(struct stops *s, const struct str *items, size_t n_items);
/* Append to out what certainly precedes every stop string. When one is found, out ends right
 * before it: the one that begins first. */
void stops_add(struct stops *s, struct str piece, struct buf *out);
/* No more text comes: what only may have been a stop string is none. */
void stops_end(struct stops *s, struct buf *out);
void stops_release(struct stops *s);

#endif
