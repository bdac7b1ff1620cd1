/* groups.c - greedy groups, equal groups, batch sizes. */
#include "node/groups.h"

size_t groups_make(const uint64_t *n_bytes, size_t n, uint64_t n_bytes_min, struct group *out)
{
    size_t n_groups = 0;
    for (size_t first = 0; first < n;) {
        size_t size = 1, taken = 0;
        for (; size <= 8 && first + size <= n && taken == 0; size *= 2) {
            uint64_t sum = 0;
            for (size_t i = first; i < first + size; i++)
                sum += n_bytes[i];
            if (sum >= n_bytes_min)
                taken = size;
        }
        if (taken)
            out[n_groups++] = (struct group){first, taken};
        first += taken ? taken : 1;
    }
    return n_groups;
}

void groups_split(size_t n_devices, size_t n_groups, struct group *out)
{
    for (size_t i = 0; i < n_groups; i++) {
        size_t first = n_devices * i / n_groups;
        out[i] = (struct group){first, n_devices * (i + 1) / n_groups - first};
    }
}

uint32_t batch_size_of(uint64_t n_bytes, uint64_t n_bytes_fixed, uint64_t n_bytes_nonce,
                       uint32_t n_max)
{
    uint64_t usable = n_bytes / 10 * 9;
    if (usable < n_bytes_fixed)
        return 0;
    uint64_t n = n_bytes_nonce ? (usable - n_bytes_fixed) / n_bytes_nonce : n_max;
    return n < n_max ? (uint32_t)n : n_max;
}
