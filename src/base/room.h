/* room.h - how much memory this process may still take, before it takes any. */
#ifndef BASE_ROOM_H
#define BASE_ROOM_H

#include <stdint.h>

struct mem_room {
    uint64_t n_bytes;
    const char *from; /* what says so, for messages; static */
};

/* mem_room_find - the least of what the system has available, what the process's control groups
 * leave (version 1 and 2, every group up to the root; their reclaimable page cache counts as free)
 * and what RLIMIT_AS leaves. Where nothing is known: UINT64_MAX.
 * mem_room_of - the same of a system whose /proc and /sys lie under `root`, without RLIMIT_AS. */
struct mem_room mem_room_find(void);
struct mem_room mem_room_of(const char *root);

#endif
