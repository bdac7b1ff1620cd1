/* utf8.c - repair of ill-formed UTF-8. */
#include "text/utf8.h"

/* Length of the maximal ill-formed subpart at p: a lead byte with as many continuation bytes as
 * could still begin a well-formed sequence, at least 1. */
static size_t bad_length(const unsigned char *p, size_t len)
{
    unsigned char lo = 0x80, hi = 0xbf;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2, i = 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 1;
    if (p[0] == 0xe0)
        lo = 0xa0;
    else if (p[0] == 0xed)
        hi = 0x9f;
    else if (p[0] == 0xf0)
        lo = 0x90;
    else if (p[0] == 0xf4)
        hi = 0x8f;
    for (; i < n && i < len && p[i] >= lo && p[i] <= hi; i++) {
        lo = 0x80;
        hi = 0xbf;
    }
    return i;
}

void utf8_repair(struct str s, struct buf *out)
{
    size_t start = 0, i = 0;
    if (s.len == 0) /* then ptr may be NULL */
        return;
    while (i < s.len) {
        uint32_t c;
        int n = utf8_decode(s.ptr + i, s.len - i, &c);
        if (n > 0) {
            i += (size_t)n;
            continue;
        }
        buf_add(out, s.ptr + start, i - start);
        buf_str(out, "\xef\xbf\xbd");
        i += bad_length((const unsigned char *)s.ptr + i, s.len - i);
        start = i;
    }
    buf_add(out, s.ptr + start, s.len - start);
}
