/* memory.c - blocks of the stand-in: each ends at a page that nobody may touch. */
#include "standin/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCKS_MAX = 1 << 14, ALIGN = 256, RUBBISH = 0xa5, CANARY = 0x5c };

struct block {
    enum place place;
    bool is_live;
    uint8_t *base; /* of the mapping: the block, up to ALIGN - 1 canaries, a guard page */
    uint8_t *bytes;
    size_t n_bytes, n_mapped; /* n_mapped without the guard */
};

static struct block blocks[BLOCKS_MAX];
static size_t n_blocks, n_taken;

void refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("stand-in for libcuda: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static size_t n_canaries(const struct block *b)
{
    return (size_t)(b->base + b->n_mapped - b->bytes) - b->n_bytes;
}

void *memory_take(enum place place, size_t n_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (n_blocks == BLOCKS_MAX)
        refuse("more than %d blocks of memory were taken", BLOCKS_MAX);
    struct block *b = &blocks[n_blocks];
    *b = (struct block){.place = place, .is_live = true, .n_bytes = n_bytes};
    b->n_mapped = round_up(n_bytes, page);
    b->base = mmap(NULL, b->n_mapped + page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->base == MAP_FAILED)
        return NULL;
    b->bytes = b->base + b->n_mapped - round_up(n_bytes, ALIGN);
    memset(b->base + b->n_mapped - n_canaries(b), CANARY, n_canaries(b));
    memset(b->bytes, RUBBISH, n_bytes < (1 << 20) ? n_bytes : 1 << 20);
    mprotect(b->base + b->n_mapped, page, PROT_NONE);
    if (place == PLACE_DEVICE) {
        mprotect(b->base, b->n_mapped, PROT_NONE);
        n_taken += n_bytes;
    }
    n_blocks++;
    return b->bytes;
}

static struct block *find(enum place place, const void *p)
{
    for (size_t i = n_blocks; i-- > 0;) {
        struct block *b = &blocks[i];
        if (b->place == place && b->bytes <= (const uint8_t *)p &&
            (const uint8_t *)p < b->bytes + b->n_bytes)
            return b;
    }
    return NULL;
}

void memory_give(enum place place, void *p, const char *call)
{
    struct block *b = find(place, p);
    if (!b || b->bytes != p)
        refuse("%s of %p, which was never taken", call, p);
    if (!b->is_live)
        refuse("%s of %p, which was given back before", call, p);
    b->is_live = false;
    if (place == PLACE_DEVICE)
        n_taken -= b->n_bytes;
    madvise(b->base, b->n_mapped, MADV_DONTNEED);
    mprotect(b->base, b->n_mapped, PROT_NONE);
}

void memory_check(enum place place, const void *p, size_t n_bytes, const char *call)
{
    const char *name = place == PLACE_DEVICE ? "device" : "pinned";
    const struct block *b = find(place, p);
    if (!b)
        refuse("%s: %p is no %s memory", call, p, name);
    if (!b->is_live)
        refuse("%s: %p is %s memory that was given back", call, p, name);
    size_t at = (size_t)((const uint8_t *)p - b->bytes);
    if (n_bytes > b->n_bytes - at)
        refuse("%s: %zu bytes at %zu of a block of %zu of %s memory", call, n_bytes, at, b->n_bytes,
               name);
}

void memory_open(void)
{
    for (size_t i = 0; i < n_blocks; i++)
        if (blocks[i].place == PLACE_DEVICE && blocks[i].is_live)
            mprotect(blocks[i].base, blocks[i].n_mapped, PROT_READ | PROT_WRITE);
}

void memory_close(const char *who)
{
    for (size_t i = 0; i < n_blocks; i++) {
        const struct block *b = &blocks[i];
        if (b->place != PLACE_DEVICE || !b->is_live)
            continue;
        for (size_t k = 0; k < n_canaries(b); k++)
            if (b->bytes[b->n_bytes + k] != CANARY)
                refuse("%s wrote byte %zu of a block of %zu", who, b->n_bytes + k, b->n_bytes);
        mprotect(b->base, b->n_mapped, PROT_NONE);
    }
}

size_t memory_left(size_t n_bytes)
{
    return n_taken < n_bytes ? n_bytes - n_taken : 0;
}

size_t memory_count(enum place place)
{
    size_t n = 0;
    for (size_t i = 0; i < n_blocks; i++)
        n += blocks[i].place == place && blocks[i].is_live;
    return n;
}
