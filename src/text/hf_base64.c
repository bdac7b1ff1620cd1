/* hf_base64.c - base64 text to bytes. */
#include "text/hf_steps.h"

enum err base64_decode(struct str s, struct buf *out, struct err_note *note)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
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
