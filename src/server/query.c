/* query.c - percent-encoding and the parts of a query. */
#include "server/query.h"

#include <stdlib.h>
#include <string.h>

bool percent_decode(struct str text, char *out, size_t n_out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%' && i + 2 < text.len && strchr(digits, text.ptr[i + 1]) &&
            strchr(digits, text.ptr[i + 2])) {
            const char two[] = {text.ptr[i + 1], text.ptr[i + 2], 0};
            c = (char)strtoul(two, NULL, 16);
            i += 2;
        }
        if (c == 0 || n + 1 >= n_out)
            return false;
        out[n++] = c;
    }
    out[n] = 0;
    return n > 0 && utf8_valid(out, n);
}

bool query_text(struct str query, const char *name, char *out, size_t n_out, struct api_error *e)
{
    size_t n_name = strlen(name);
    out[0] = 0;
    while (query.len > 0) {
        const char *end = memchr(query.ptr, '&', query.len);
        struct str one = str_sub(query, 0, end ? (size_t)(end - query.ptr) : query.len);
        query = str_sub(query, one.len + (end != NULL), query.len);
        if (one.len < n_name + 1 || memcmp(one.ptr, name, n_name) != 0 || one.ptr[n_name] != '=')
            continue;
        struct str value = str_sub(one, n_name + 1, one.len);
        if (value.len > 0 && !percent_decode(value, out, n_out))
            return api_fail(e, 400, name, "%s is no text of at most %zu bytes", name, n_out - 1);
        return true;
    }
    return true;
}

bool query_u32(struct str query, const char *name, uint32_t min, uint32_t max, uint32_t *out,
               struct api_error *e)
{
    char text[32];
    uint64_t n;
    if (!query_text(query, name, text, sizeof text, e))
        return false;
    if (!text[0])
        return true;
    if (!str_to_u64(str_from(text), &n) || n < min || n > max)
        return api_fail(e, 400, name, "%s is %s; it must be from %u to %u", name, text, min, max);
    *out = (uint32_t)n;
    return true;
}
