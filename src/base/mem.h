/* mem.h - every allocation of the program, with two seams for tests.
 *
 * Invariants: sizes are computed without overflow; memory that kernels read is 64-byte aligned;
 * between mem_guard_begin and mem_guard_end this thread must not allocate (a CHECK fails);
 * mem_fault_after(n) makes the n-th allocation from now on return NULL once. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL on exhaustion or overflow; n_bytes 0 gives a unique pointer. Free with mem_free. */
void *mem_alloc(size_t n_bytes);
void *mem_zalloc(size_t n_bytes);
void *mem_array(size_t count, size_t size); /* zeroed */
void *mem_resize(void *p, size_t n_bytes);  /* p may be NULL; on failure p stays valid */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n_bytes); /* copies exactly n_bytes, adds a NUL */
void mem_free(void *p);
/* mem_trim - gives the system back the pages that hold nothing any more. Some milliseconds. */
void mem_trim(void);

/* mem_pages - zeroed, at least 64-byte aligned, huge pages advised from 2 MiB on.
 * For weights, caches and scratch. Give the same size back to mem_pages_free. */
void *mem_pages(size_t n_bytes);
void mem_pages_free(void *p, size_t n_bytes);

/* Overflow-checked sizes: false leaves *out unset. */
static inline bool mul_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool add_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

void mem_guard_begin(const char *why); /* nests; per thread */
void mem_guard_end(void);
void mem_fault_after(uint64_t n); /* 0 turns it off; per process */

/* A region freed at once. Grows by chunks up to n_bytes_max, then returns NULL. */
struct arena {
    struct arena_chunk *chunks;
    size_t n_bytes, n_bytes_max;
};
void arena_init(struct arena *a, size_t n_bytes_max);
void *arena_alloc(struct arena *a, size_t n_bytes); /* zeroed, 16-byte aligned */
char *arena_strndup(struct arena *a, const char *s, size_t n_bytes);
void arena_release(struct arena *a);

#endif
