/* clock.h - monotonic time. Everything that decides takes time as an argument; only drivers ask. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_ns(void);

#endif
