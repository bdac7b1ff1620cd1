/* groups.h - which devices compute together, and how many nonces at a time. Pure. */
#ifndef NODE_GROUPS_H
#define NODE_GROUPS_H

#include <stddef.h>
#include <stdint.h>

struct group {
    size_t first, n; /* neighbouring devices */
};

/* groups_make - the reference's greedy way: of the devices that are left, the first 1, 2, 4 or 8,
 * as soon as their memory together reaches the minimum; where none does, the first is left out.
 * out[n]: at most n groups. */
size_t groups_make(const uint64_t *n_bytes, size_t n, uint64_t n_bytes_min, struct group *out);

/* groups_split - n_devices in n_groups of nearly the same size, 1 <= n_groups <= n_devices. */
void groups_split(size_t n_devices, size_t n_groups, struct group *out);

/* batch_size_of - nonces computed together: what nine tenths of n_bytes hold beside n_bytes_fixed,
 * at most n_max. 0: not one. */
uint32_t batch_size_of(uint64_t n_bytes, uint64_t n_bytes_fixed, uint64_t n_bytes_nonce,
                       uint32_t n_max);

#endif
