/* mem.c - allocation with a guard (no allocation while decoding) and countdown faults. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/check.h"

static _Thread_local int guard_depth;
static _Thread_local const char *guard_why;
static atomic_uint_fast64_t fault_countdown;

static bool allocation_allowed(void)
{
    if (guard_depth > 0) {
        fprintf(stderr, "isobit: allocation while guarded: %s\n", guard_why);
        CHECK(!"allocation inside mem_guard");
    }
    if (atomic_load_explicit(&fault_countdown, memory_order_relaxed) == 0)
        return true;
    return atomic_fetch_sub(&fault_countdown, 1) != 1;
}

void mem_guard_begin(const char *why)
{
    guard_depth++;
    guard_why = why;
}

void mem_guard_end(void)
{
    CHECK(guard_depth > 0);
    guard_depth--;
}

void mem_fault_after(uint64_t n)
{
    atomic_store(&fault_countdown, n);
}

void *mem_alloc(size_t n_bytes)
{
    return allocation_allowed() ? malloc(n_bytes ? n_bytes : 1) : NULL;
}

void *mem_zalloc(size_t n_bytes)
{
    return allocation_allowed() ? calloc(1, n_bytes ? n_bytes : 1) : NULL;
}

void *mem_array(size_t count, size_t size)
{
    size_t n_bytes;
    return mul_ok(count, size, &n_bytes) ? mem_zalloc(n_bytes) : NULL;
}

void *mem_resize(void *p, size_t n_bytes)
{
    return allocation_allowed() ? realloc(p, n_bytes ? n_bytes : 1) : NULL;
}

char *mem_strndup(const char *s, size_t n_bytes)
{
    size_t total;
    char *copy = add_ok(n_bytes, 1, &total) ? mem_alloc(total) : NULL;
    if (copy) {
        memcpy(copy, s, n_bytes);
        copy[n_bytes] = 0;
    }
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

void mem_free(void *p)
{
    free(p);
}

void mem_trim(void)
{
#ifdef __GLIBC__ /* others do it by themselves */
    malloc_trim(0);
#endif
}

enum { HUGE_PAGE_BYTES = 2 << 20 };

void *mem_pages(size_t n_bytes)
{
    if (!allocation_allowed())
        return NULL;
    void *p = mmap(NULL, n_bytes ? n_bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (n_bytes >= HUGE_PAGE_BYTES)
        (void)madvise(p, n_bytes, MADV_HUGEPAGE);
    return p;
}

void mem_pages_free(void *p, size_t n_bytes)
{
    if (p)
        CHECK(munmap(p, n_bytes ? n_bytes : 1) == 0);
}

struct arena_chunk {
    struct arena_chunk *next;
    size_t n_bytes, n_used;
    _Alignas(16) unsigned char bytes[];
};

enum { ARENA_CHUNK_BYTES = 64 << 10 };

void arena_init(struct arena *a, size_t n_bytes_max)
{
    *a = (struct arena){.n_bytes_max = n_bytes_max};
}

static struct arena_chunk *arena_grow(struct arena *a, size_t n_bytes)
{
    size_t size = n_bytes > ARENA_CHUNK_BYTES ? n_bytes : ARENA_CHUNK_BYTES;
    struct arena_chunk *chunk = mem_zalloc(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->n_bytes = size;
    chunk->next = a->chunks;
    a->chunks = chunk;
    return chunk;
}

void *arena_alloc(struct arena *a, size_t n_bytes)
{
    if (n_bytes > a->n_bytes_max)
        return NULL;
    n_bytes = (n_bytes + 15) & ~(size_t)15;
    if (n_bytes > a->n_bytes_max - a->n_bytes)
        return NULL;
    struct arena_chunk *chunk = a->chunks;
    if (!chunk || chunk->n_bytes - chunk->n_used < n_bytes)
        chunk = arena_grow(a, n_bytes);
    if (!chunk)
        return NULL;
    void *p = chunk->bytes + chunk->n_used;
    chunk->n_used += n_bytes;
    a->n_bytes += n_bytes;
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n_bytes)
{
    size_t total;
    char *copy = add_ok(n_bytes, 1, &total) ? arena_alloc(a, total) : NULL;
    if (copy)
        memcpy(copy, s, n_bytes);
    return copy;
}

void arena_release(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *next = a->chunks->next;
        mem_free(a->chunks);
        a->chunks = next;
    }
    a->n_bytes = 0;
}
