/* frames.h - messages between two processes over a socket pair, inside an event loop.
 *
 * A frame is a kind, the number of the exchange that it belongs to, and bytes. Frames arrive whole
 * and in order. A peer that dies, or sends a frame over the limit, is closed: on_closed once.
 * Thread: the loop's. */
#ifndef NET_FRAMES_H
#define NET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct event_base;
struct frames;

typedef void frames_fn(void *context, uint8_t kind, uint64_t id, struct str bytes);
typedef void frames_closed_fn(void *context);

/* frames_new - takes fd over. n_bytes_max: of one frame. NULL without memory. */
struct frames *frames_new(struct event_base *loop, int fd, size_t n_bytes_max, frames_fn *on_frame,
                          frames_closed_fn *on_closed, void *context);
/* Not from on_frame: the peer is closed first by its own end. NULL is nothing. */
void frames_free(struct frames *f);

/* frames_send - queues head then body as one frame's bytes. */
void frames_send(struct frames *f, uint8_t kind, uint64_t id, struct str head, struct str body);
size_t frames_unsent(const struct frames *f);

#endif
