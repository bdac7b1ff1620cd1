/* pow_sender.h - results on their way to who asked for them, by threads, tried again until they
 * arrive.
 *
 * A DELIVERY is one body to one address. What fails is tried again after 1, 2, 4 ... 30 s, ten
 * times, or as long as its owner lives. Beyond SENDER_DELIVERIES_MAX and SENDER_BYTES_MAX the
 * oldest are lost, which is counted. Thread: the front's. */
#ifndef SERVER_POW_SENDER_H
#define SERVER_POW_SENDER_H

#include <stdint.h>

#include "base/buf.h"
#include "node/callback.h"

enum {
    SENDER_THREADS = 4,
    SENDER_TRIES = 10,
    SENDER_DELIVERIES_MAX = 10000,
    SENDER_BYTES_MAX = 256 << 20,
};

struct pow_sender;

/* hosts are kept by the caller. */
enum err pow_sender_open(const struct callback_hosts *hosts, struct pow_sender **out,
                         struct err_note *note);
/* Ends posts under way; what was not sent is lost. Returns how many. NULL is nothing. */
size_t pow_sender_close(struct pow_sender *s);

/* pow_send - body, which is taken over, to url. owner 0: nobody's. */
void pow_send(struct pow_sender *s, uint64_t owner, const char *url, struct buf *body);
bool pow_sender_has(struct pow_sender *s, uint64_t owner);
/* pow_sender_orphan - what an owner still has on its way is nobody's. */
void pow_sender_orphan(struct pow_sender *s, uint64_t owner);
/* How many were lost since the last call, and why the last one was. */
size_t pow_sender_lost(struct pow_sender *s, struct err_note *why);

/* sender_delay_ns - after so many failures, 1 and up. */
uint64_t sender_delay_ns(unsigned n_failed);

#endif
