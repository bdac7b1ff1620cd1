/* entropy.h - numbers that nobody can foresee: seeds and names that were not given. */
#ifndef BASE_ENTROPY_H
#define BASE_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the system; the clock stands in where it has none to give. Any thread. */
uint64_t entropy_u64(void);
/* For secrets: false when the system has none to give. */
bool entropy_bytes(void *out, size_t n_bytes);

#endif
