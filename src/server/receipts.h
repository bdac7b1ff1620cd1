/* receipts.h - the thread that signs receipts and keeps them.
 *
 * An ERRAND is something for it to do, made by its owner, who gets it back when it is done.
 * Receipts that wait while others are being synced go together in the next group, and share its
 * sync. The signing key lives here and in no worker. Threads: all functions are the front's; work
 * is the thread's. */
#ifndef SERVER_RECEIPTS_H
#define SERVER_RECEIPTS_H

#include "server/protocol.h"
#include "store/ledger.h"

struct event_base;
struct receipts;

struct receipts_options {
    enum receipts_mode mode;
    const char *folder; /* of isobit node-key; the ledger lies there too: one key, one log */
    struct ledger_limits limits;
};

struct errand {
    struct errand *next;
    struct ledger_entry *entry; /* a receipt to be given; NULL: work is to be done */
    void (*work)(struct errand *e, struct ledger *l);
    /* On the front's thread. closing: the server ends, nobody is there to be told; e is to be
     * freed. */
    void (*done)(struct errand *e, bool closing);
    enum err rc; /* of entry; work sets it as it likes */
    struct err_note note;
};

/* receipts_open - reads the signing key and opens the ledger. ERR_USAGE: there is no key, or its
 * time is over. *say gets a line for the operator. */
enum err receipts_open(struct event_base *loop, const struct receipts_options *o,
                       struct receipts **out, struct err_note *say, struct err_note *note);
/* receipts_reload - the key is read again, for receipts to come; on error the old one stays. */
enum err receipts_reload(struct receipts *r, struct err_note *note);
/* After all errands have been done, and freed. NULL is nothing. */
void receipts_close(struct receipts *r);

void receipts_run(struct receipts *r, struct errand *e);
/* How many errands wait, or are being done. */
size_t receipts_waiting(const struct receipts *r);
/* Receipts given, and groups that they came in. Any thread. */
void receipts_count(const struct receipts *r, uint64_t *n_receipts, uint64_t *n_groups);

#endif
