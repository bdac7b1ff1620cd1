/* digest.c - digests as hexadecimal text. */
#include "hub/digest.h"

#include <string.h>

static size_t n_bytes_of(enum digest_kind kind)
{
    return kind == DIGEST_SHA256 ? SHA256_BYTES : kind == DIGEST_GIT ? 20 : 0;
}

bool digest_from_hex(enum digest_kind kind, struct str hex, struct digest *out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    *out = (struct digest){.kind = kind};
    if (hex.len != 2 * n_bytes_of(kind))
        return false;
    for (size_t i = 0; i < hex.len; i++) {
        const char *found = memchr(digits, hex.ptr[i], sizeof digits - 1);
        if (!found)
            return false;
        size_t value = (size_t)(found - digits);
        out->bytes[i / 2] = (uint8_t)(out->bytes[i / 2] << 4 | (value < 16 ? value : value - 6));
    }
    return true;
}

void digest_hex(const struct digest *d, char out[SHA256_HEX])
{
    hex_of(d->bytes, n_bytes_of(d->kind), out);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->kind == b->kind && memcmp(a->bytes, b->bytes, n_bytes_of(a->kind)) == 0;
}
