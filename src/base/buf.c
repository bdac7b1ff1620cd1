/* buf.c - the bounded growing buffer. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void buf_init(struct buf *b, size_t n_bytes_max)
{
    *b = (struct buf){.n_bytes_max = n_bytes_max};
}

/* Room for n_more bytes besides the NUL; false marks the buffer failed. */
static bool buf_reserve(struct buf *b, size_t n_more)
{
    if (b->failed || n_more > b->n_bytes_max - b->n_bytes) {
        b->failed = true;
        return false;
    }
    size_t need = b->n_bytes + n_more + 1;
    if (need <= b->n_reserved)
        return true;
    size_t size = b->n_reserved ? b->n_reserved : 64;
    while (size < need)
        size *= 2;
    char *bytes = mem_resize(b->bytes, size);
    if (!bytes) {
        b->failed = true;
        return false;
    }
    b->bytes = bytes;
    b->n_reserved = size;
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t n_bytes)
{
    if (!buf_reserve(b, n_bytes))
        return;
    if (n_bytes)
        memcpy(b->bytes + b->n_bytes, bytes, n_bytes);
    b->n_bytes += n_bytes;
    b->bytes[b->n_bytes] = 0;
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !buf_reserve(b, (size_t)n)) {
        b->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(b->bytes + b->n_bytes, (size_t)n + 1, format, args);
    va_end(args);
    b->n_bytes += (size_t)n;
}

void buf_clear(struct buf *b)
{
    b->n_bytes = 0;
    b->failed = false;
    if (b->bytes)
        b->bytes[0] = 0;
}

char *buf_take(struct buf *b)
{
    buf_add(b, "", 0);
    char *bytes = b->failed ? NULL : b->bytes;
    if (b->failed)
        mem_free(b->bytes);
    buf_init(b, b->n_bytes_max);
    return bytes;
}

void buf_release(struct buf *b)
{
    mem_free(b->bytes);
    buf_init(b, b->n_bytes_max);
}
