/* digest.h - what says that a file is whole: SHA-256 of its bytes, or git's name of it. */
#ifndef HUB_DIGEST_H
#define HUB_DIGEST_H

#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

enum digest_kind {
    DIGEST_NONE,
    DIGEST_SHA256,
    DIGEST_GIT, /* SHA-1 of "blob N", a NUL and the bytes: what small files of a repository have */
};

struct digest {
    enum digest_kind kind;
    uint8_t bytes[SHA256_BYTES]; /* a SHA-1 has 20 */
};

/* digest_from_hex - false: not the hexadecimal digits that this kind has. */
bool digest_from_hex(enum digest_kind kind, struct str hex, struct digest *out);
void digest_hex(const struct digest *d, char out[SHA256_HEX]);
/* digest_file - of the n_bytes of an open file. */
enum err digest_file(int fd, uint64_t n_bytes, enum digest_kind kind, struct digest *out,
                     struct err_note *note);
bool digest_equal(const struct digest *a, const struct digest *b);

#endif
