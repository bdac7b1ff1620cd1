/* entropy.c - the system's random numbers. */
#include "base/entropy.h"

#include <sys/random.h>

#include "base/clock.h"

uint64_t entropy_u64(void)
{
    uint64_t value;
    return getrandom(&value, sizeof value, 0) == sizeof value ? value : clock_ns();
}

bool entropy_bytes(void *out, size_t n_bytes)
{
    uint8_t *at = out;
    while (n_bytes > 0) {
        ssize_t n = getrandom(at, n_bytes, 0);
        if (n <= 0)
            return false;
        at += n;
        n_bytes -= (size_t)n;
    }
    return true;
}
