/* rate.h - how often something may be done: so much a minute, so much at once.
 *
 * A token bucket whose whole state is one moment: when the bucket will be full again. Taking n
 * moves that moment n intervals on; what does not fit before it is empty has to wait. What was
 * used can also be taken afterwards, when it is known: the bucket then owes, and nothing fits until
 * it has paid. Pure functions of the time they are given. */
#ifndef SERVER_RATE_H
#define SERVER_RATE_H

#include <stdint.h>

enum { RATE_MAX = 100000000 };

struct rate_limit {
    uint32_t per_min; /* 0: no limit; at most RATE_MAX */
    uint32_t burst;   /* at once; 0: as many as a minute */
};

struct rate {
    uint64_t full_ns; /* 0: now */
};

struct rate_view {
    uint32_t limit, remaining;
    uint64_t wait_ns;  /* until what was asked for fits; 0: now */
    uint64_t reset_ns; /* until nothing is missing */
};

/* rate_view - how it stands; wait_ns is for n. n beyond the burst waits for a full bucket. */
struct rate_view rate_view(struct rate r, struct rate_limit limit, uint32_t n, uint64_t now_ns);
/* rate_take - whether it fits or not. */
void rate_take(struct rate *r, struct rate_limit limit, uint32_t n, uint64_t now_ns);

#endif
