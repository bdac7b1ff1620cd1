/* buf.h - a growing byte buffer that states its maximum.
 *
 * Invariants: n_bytes <= n_bytes_max; bytes[n_bytes] is always a NUL once anything was written;
 * the first failure sticks (failed), later writes do nothing, so callers check once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *bytes;
    size_t n_bytes, n_reserved, n_bytes_max;
    bool failed;
};

void buf_init(struct buf *b, size_t n_bytes_max);
void buf_add(struct buf *b, const void *bytes, size_t n_bytes);
void buf_char(struct buf *b, char c);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_clear(struct buf *b); /* keeps the memory, forgets a failure */
/* buf_take - the NUL-ended bytes, for the caller to mem_free; NULL if failed. b is clear. */
char *buf_take(struct buf *b);
void buf_release(struct buf *b);

#endif
