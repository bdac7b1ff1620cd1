/* entropy.c - the system's random numbers. */
#include "base/entropy.h"

#include <sys/random.h>

#include "base/clock.h"

uint64_t entropy_u64(void)
{
    uint64_t value;
    return getrandom(&value, sizeof value, 0) == sizeof value ? value : clock_ns();
}
