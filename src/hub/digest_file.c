/* digest_file.c - the digest of a file. Git's SHA-1 is OpenSSL's. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "hub/digest.h"

enum { PIECE_BYTES = 1 << 20 };

struct hasher {
    struct sha256 sha;
    EVP_MD_CTX *git; /* NULL: SHA-256 */
};

static bool hasher_begin(struct hasher *h, enum digest_kind kind, uint64_t n_bytes)
{
    char head[40];
    *h = (struct hasher){0};
    sha256_init(&h->sha);
    if (kind != DIGEST_GIT)
        return true;
    h->git = EVP_MD_CTX_new();
    int n = snprintf(head, sizeof head, "blob %" PRIu64, n_bytes) + 1;
    return h->git && EVP_DigestInit_ex(h->git, EVP_sha1(), NULL) &&
           EVP_DigestUpdate(h->git, head, (size_t)n);
}

static bool hasher_add(struct hasher *h, const void *bytes, size_t n_bytes)
{
    if (h->git)
        return EVP_DigestUpdate(h->git, bytes, n_bytes);
    sha256_add(&h->sha, bytes, n_bytes);
    return true;
}

static bool hasher_end(struct hasher *h, struct digest *out)
{
    unsigned n = 0;
    if (h->git)
        return EVP_DigestFinal_ex(h->git, out->bytes, &n);
    sha256_end(&h->sha, out->bytes);
    return true;
}

enum err digest_file(int fd, uint64_t n_bytes, enum digest_kind kind, struct digest *out,
                     struct err_note *note)
{
    struct hasher h;
    uint8_t *piece = mem_alloc(PIECE_BYTES);
    bool good = hasher_begin(&h, kind, n_bytes) && piece;
    *out = (struct digest){.kind = kind};
    for (uint64_t done = 0; good && done < n_bytes;) {
        uint64_t left = n_bytes - done;
        ssize_t n = pread(fd, piece, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        good = n > 0 && hasher_add(&h, piece, (size_t)n);
        done += good ? (uint64_t)n : 0;
    }
    good = good && hasher_end(&h, out);
    EVP_MD_CTX_free(h.git);
    mem_free(piece);
    return good ? ERR_OK : err_set(note, ERR_IO, "cannot read the file back to hash it");
}
