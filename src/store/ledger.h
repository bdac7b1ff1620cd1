/* ledger.h - the receipts that a server gave, and the log that they stand in, on disk.
 *
 * Receipts come in groups: a group is signed, stands in the log under one new head, and is on the
 * disk with one sync, or is not there at all. What was added is known for good; receipts with their
 * bundles are forgotten after a time, or the oldest first when there are too many bytes of them.
 * An opened ledger begins an epoch of its own with its first group, as does every change of the
 * key, and every group that failed: what a head said that nobody was told is never said otherwise
 * under the same epoch. One program at a time has a ledger. Thread: one at a time. */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include "base/buf.h"
#include "proof/log.h"

enum { LEDGER_ID_BYTES = 48, LEDGER_OWNER_BYTES = 32 };

struct ledger;

struct ledger_limits {
    uint64_t n_bytes_max; /* of receipts with their bundles */
    uint64_t age_s_max;
};

/* ledger_open - the file is made if need be, for its owner alone. ERR_BUSY: another program has it.
 */
enum err ledger_open(const char *path, const struct ledger_limits *limits, struct ledger **out,
                     struct err_note *note);
void ledger_close(struct ledger *l); /* NULL is nothing */

/* ledger_use_key - who signs from now on. certificate: the signed text. */
enum err ledger_use_key(struct ledger *l, const struct sign_pair *pair, struct str certificate,
                        struct err_note *note);

/* A receipt to be given. */
struct ledger_entry {
    char id[LEDGER_ID_BYTES];       /* nobody else's */
    char owner[LEDGER_OWNER_BYTES]; /* who may have it: a key's id */
    struct str body;                /* canonical */
    struct str bundle;  /* canonical, not empty, without certificate and log: those are added */
    struct buf receipt; /* gets the signed text; the caller inits and releases it */
};
/* ledger_add - once a key is there. ERR_IO, ERR_MEMORY: none of them was given. */
enum err ledger_add(struct ledger *l, struct ledger_entry *const *entries, size_t n_entries,
                    uint64_t now_s, struct err_note *note);

/* ledger_receipt - the signed text and the whole bundle, added to the buffers. owner NULL:
 * anybody's. ERR_NOT_FOUND: there is none, or it is another's. */
enum err ledger_receipt(struct ledger *l, const char *id, const char *owner, struct buf *receipt,
                        struct buf *bundle, struct err_note *note);
/* ledger_forget - receipts that are too old; *more: there are further ones. */
enum err ledger_forget(struct ledger *l, uint64_t now_s, bool *more, struct err_note *note);

/* ---- the log, for anybody ----------------------------------------------------------------- */

/* ledger_heads - the last head of each epoch below before (0: of all), the newest first. */
typedef void ledger_head_fn(void *context, struct str head);
enum err ledger_heads(struct ledger *l, uint64_t before, uint32_t n_max, bool *more,
                      ledger_head_fn *fn, void *context, struct err_note *note);

/* Of one epoch: its last head, and how many leaves that has. ERR_NOT_FOUND. */
enum err ledger_head(struct ledger *l, uint64_t epoch, struct buf *head, uint64_t *count,
                     struct err_note *note);
/* ledger_names - of receipts from to from + n_max of an epoch, as many as there are. */
typedef void ledger_name_fn(void *context, const struct merkle_hash *name);
enum err ledger_names(struct ledger *l, uint64_t epoch, uint64_t from, uint32_t n_max,
                      ledger_name_fn *fn, void *context, struct err_note *note);
/* ledger_find - where a name stands. ERR_NOT_FOUND. */
enum err ledger_find(struct ledger *l, const struct merkle_hash *name, uint64_t *epoch,
                     uint64_t *index, struct err_note *note);
/* Both within the first count leaves of an epoch; ERR_USAGE: it has not so many. */
enum err ledger_prove_leaf(struct ledger *l, uint64_t epoch, uint64_t index, uint64_t count,
                           struct merkle_proof *out, struct err_note *note);
enum err ledger_prove_prefix(struct ledger *l, uint64_t epoch, uint64_t old, uint64_t count,
                             struct merkle_proof *out, struct err_note *note);

#endif
