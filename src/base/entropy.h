/* entropy.h - numbers that nobody can foresee: seeds and names that were not given. */
#ifndef BASE_ENTROPY_H
#define BASE_ENTROPY_H

#include <stdint.h>

/* From the system; the clock stands in where it has none to give. Any thread. */
uint64_t entropy_u64(void);

#endif
