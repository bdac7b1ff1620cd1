/* rate.c - token buckets. */
#include "server/rate.h"

#include "base/check.h"

#define MINUTE_NS 60000000000u

/* Rounded down, which lets at most one in 600 more through at the highest rates. */
static uint64_t interval_ns(struct rate_limit limit)
{
    CHECK(limit.per_min > 0 && limit.per_min <= RATE_MAX && limit.burst <= RATE_MAX);
    return MINUTE_NS / limit.per_min;
}

static uint64_t burst_of(struct rate_limit limit)
{
    return limit.burst ? limit.burst : limit.per_min;
}

struct rate_view rate_view(struct rate r, struct rate_limit limit, uint32_t n, uint64_t now_ns)
{
    uint64_t each_ns = interval_ns(limit), burst = burst_of(limit);
    uint64_t missing_ns = r.full_ns > now_ns ? r.full_ns - now_ns : 0;
    uint64_t left_ns = burst * each_ns > missing_ns ? burst * each_ns - missing_ns : 0;
    uint64_t wanted_ns = (n < burst ? n : burst) * each_ns;
    return (struct rate_view){
        .limit = (uint32_t)burst,
        .remaining = (uint32_t)(left_ns / each_ns),
        .wait_ns = missing_ns + wanted_ns > burst * each_ns
                       ? missing_ns + wanted_ns - burst * each_ns
                       : 0,
        .reset_ns = missing_ns,
    };
}

void rate_take(struct rate *r, struct rate_limit limit, uint32_t n, uint64_t now_ns)
{
    if (r->full_ns < now_ns)
        r->full_ns = now_ns;
    uint64_t taken_ns = n * interval_ns(limit), room_ns = UINT64_MAX / 2 - r->full_ns;
    r->full_ns += taken_ns < room_ns ? taken_ns : room_ns;
}
