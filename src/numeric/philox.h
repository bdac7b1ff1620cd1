/* philox.h - Philox4x32-10, the counter-based generator of sampling.
 *
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. A draw is a function
 * of key and counter alone, so it can be repeated anywhere, in any order. */
#ifndef NUMERIC_PHILOX_H
#define NUMERIC_PHILOX_H

#include <stdint.h>

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
