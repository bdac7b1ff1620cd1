/* taken.h - what this process has taken of the machine, as the system counts it. */
#ifndef BASE_TAKEN_H
#define BASE_TAKEN_H

#include <stdint.h>

struct taken {
    uint64_t wall_ns; /* monotonic */
    uint64_t cpu_ns;  /* of all threads */
    uint64_t n_bytes_peak; /* the most memory that was resident so far; 0: not known */
};
struct taken taken_now(void);

/* taken_permille - how much of n_threads processors was used between two of them: 0 to 1000. */
uint64_t taken_permille(const struct taken *from, const struct taken *to, int n_threads);

#endif
