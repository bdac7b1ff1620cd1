/* base64.c - six bits a letter. */
#include "base/base64.h"

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *bytes, size_t n_bytes)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n_bytes; i += 3) {
        size_t left = n_bytes - i;
        uint32_t v = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0u) |
                     (left > 2 ? b[i + 2] : 0u);
        buf_char(out, digits[v >> 18]);
        buf_char(out, digits[v >> 12 & 63]);
        buf_char(out, left > 1 ? digits[v >> 6 & 63] : '=');
        buf_char(out, left > 2 ? digits[v & 63] : '=');
    }
}

enum err base64_decode(struct str s, struct buf *out, struct err_note *note)
{
    uint32_t bits = 0, n = 0;
    while (s.len && s.ptr[s.len - 1] == '=')
        s.len--;
    for (size_t i = 0; i < s.len; i++) {
        const char *digit = s.ptr[i] ? strchr(digits, s.ptr[i]) : NULL;
        if (!digit)
            return err_set(note, ERR_FORMAT, "base64 text with the byte 0x%02x at %zu",
                           (unsigned char)s.ptr[i], i);
        bits = bits << 6 | (uint32_t)(digit - digits);
        n += 6;
        if (n >= 8) {
            n -= 8;
            buf_char(out, (char)(bits >> n));
        }
    }
    return out->failed ? err_set(note, ERR_LIMIT, "base64 text of %zu bytes is too long", s.len)
                       : ERR_OK;
}
