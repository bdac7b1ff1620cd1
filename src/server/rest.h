/* rest.h - a process that rests gives the system back what it freed.
 *
 * The allocator keeps the most that was ever needed at once; after a busy hour that may be many
 * times what an idle server holds. Costs a flag while there is work, and a resting process is
 * woken once. One thread. */
#ifndef SERVER_REST_H
#define SERVER_REST_H

#include <event2/event.h>
#include <stdbool.h>

struct rest {
    struct event *timer;
    bool stirred; /* since the timer was set */
};

/* false: out of memory. */
bool rest_init(struct rest *r, struct event_base *loop);
void rest_release(struct rest *r);
/* rest_stir - there was work now: rest begins when there was none for a second. */
void rest_stir(struct rest *r);

#endif
