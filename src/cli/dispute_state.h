/* dispute_state.h - the pages on which two receipts agree, before the one where they part: shown by
 * a party, taken by a third. A file of their canonical bytes one after another, from the prompt's
 * first position on, and nothing else: each page is proven by the hash that both receipts have. */
#ifndef CLI_DISPUTE_STATE_H
#define CLI_DISPUTE_STATE_H

#include "cli/load.h"
#include "proof/dispute.h"

/* dispute_disclose - computes them, holds each to both receipts, and writes the file: whole or not
 * at all. ERR_NOT_FOUND: there are none; ERR_FORMAT: one is not as both say. */
enum err dispute_disclose(const struct dispute *d, const struct bundle *a, const struct bundle *b,
                          struct loaded *l, const char *path, struct err_note *note);
/* dispute_take - the file's pages into the session, which is empty. ERR_FORMAT: one that the
 * receipts do not name, too few, too many. */
enum err dispute_take(const struct dispute *d, const struct bundle *a, const struct bundle *b,
                      struct loaded *l, const char *path, struct err_note *note);

#endif
