/* partial.c - chunks of a file that is being fetched. */
#include "hub/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"

/* A file of which this many chunks were wrong is not read back after each. */
enum { STATE_BYTES_MAX = 4 << 20, REPORTED_MAX = 8 };

static size_t bytes_of_chunk(const struct partial *p, size_t i)
{
    uint64_t left = p->n_bytes - (uint64_t)i * p->n_bytes_chunk;
    return left < p->n_bytes_chunk ? (size_t)left : p->n_bytes_chunk;
}

static void set_has(struct partial *p, size_t i, bool has)
{
    if (p->has[i] == has)
        return;
    p->has[i] = has;
    if (has)
        p->n_bytes_has += bytes_of_chunk(p, i);
    else
        p->n_bytes_has -= bytes_of_chunk(p, i);
}

static bool read_at(int fd, void *buffer, size_t n_bytes, uint64_t at)
{
    for (size_t done = 0; done < n_bytes;) {
        ssize_t n = pread(fd, (uint8_t *)buffer + done, n_bytes - done, (off_t)(at + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static enum err write_at(struct partial *p, const void *bytes, size_t n_bytes, uint64_t at,
                         struct err_note *note)
{
    for (size_t done = 0; done < n_bytes;) {
        ssize_t n =
            pwrite(p->fd, (const uint8_t *)bytes + done, n_bytes - done, (off_t)(at + done));
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return err_set(note, ERR_IO, "cannot write %s: %s", p->path, strerror(errno));
    }
    return ERR_OK;
}

/* ---- open ---- */

static char *joined(const char *a, const char *b)
{
    struct buf out;
    buf_init(&out, 8192);
    buf_str(&out, a);
    buf_str(&out, b);
    return buf_take(&out);
}

/* What is left of an earlier one: its chunks, as far as the file holds their bytes. */
static void go_on(struct partial *p)
{
    char *text;
    size_t n;
    struct partial_state s;
    uint64_t index;
    uint8_t digest[SHA256_BYTES];
    bool bad;
    if (file_read(p->path_state, STATE_BYTES_MAX, &text, &n, NULL))
        return;
    if (partial_state_read((struct str){text, n}, &s) && str_is(s.source, p->source) &&
        s.n_bytes == p->n_bytes && s.n_bytes_chunk == p->n_bytes_chunk) {
        snprintf(p->validator, sizeof p->validator, "%.*s", STR_ARG(s.validator));
        while (partial_state_next(&s, &index, digest, &bad) && index < p->n_chunks) {
            memcpy(p->digests[index], digest, sizeof digest);
            set_has(p, (size_t)index, true);
        }
        partial_recheck(p);
    }
    mem_free(text);
}

static enum err open_file(struct partial *p, struct err_note *note)
{
    p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (p->fd < 0)
        return err_set(note, ERR_IO, "cannot write %s: %s", p->path, strerror(errno));
    if (flock(p->fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(note, ERR_BUSY, "%s: another isobit pull is fetching it", p->path);
    go_on(p);
    if (ftruncate(p->fd, (off_t)p->n_bytes) != 0)
        return err_set(note, ERR_IO, "cannot make %s %" PRIu64 " bytes long: %s", p->path,
                       p->n_bytes, strerror(errno));
    return ERR_OK;
}

enum err partial_open(struct partial *p, const char *path, const char *source, uint64_t n_bytes,
                      struct err_note *note)
{
    *p = (struct partial){.fd = -1, .n_bytes = n_bytes, .n_bytes_chunk = PARTIAL_CHUNK_BYTES_MIN};
    while (n_bytes / p->n_bytes_chunk >= PARTIAL_CHUNKS_MAX)
        p->n_bytes_chunk *= 2;
    p->n_chunks = (size_t)((n_bytes + p->n_bytes_chunk - 1) / p->n_bytes_chunk);
    p->path_final = mem_strdup(path);
    p->path = joined(path, ".part");
    p->path_state = joined(path, ".part.state");
    p->source = mem_strdup(source);
    p->digests = mem_array(p->n_chunks, sizeof p->digests[0]);
    p->has = mem_array(p->n_chunks, sizeof p->has[0]);
    p->chunk = mem_alloc(p->n_bytes_chunk);
    enum err rc = ERR_OK;
    if (!p->path || !p->path_state || !p->path_final || !p->source || !p->digests || !p->has ||
        !p->chunk)
        rc = err_set(note, ERR_MEMORY, "out of memory fetching %s", path);
    rc = rc ? rc : open_file(p, note);
    if (rc)
        partial_close(p);
    return rc;
}

void partial_close(struct partial *p)
{
    if (p->fd >= 0)
        close(p->fd);
    mem_free(p->path);
    mem_free(p->path_state);
    mem_free(p->path_final);
    mem_free(p->source);
    mem_free(p->digests);
    mem_free(p->has);
    mem_free(p->chunk);
    *p = (struct partial){.fd = -1};
}

/* ---- chunks ---- */

bool partial_next(const struct partial *p, uint64_t *from, uint64_t *to)
{
    size_t i = 0, end;
    while (i < p->n_chunks && p->has[i])
        i++;
    for (end = i; end < p->n_chunks && !p->has[end]; end++)
        ;
    if (i == p->n_chunks)
        return false;
    *from = (uint64_t)i * p->n_bytes_chunk + (p->chunk_i == i ? p->n_in_chunk : 0);
    *to = end == p->n_chunks ? p->n_bytes : (uint64_t)end * p->n_bytes_chunk;
    return true;
}

/* A whole chunk lies in p->chunk. One that came before and is the same stays as it is. */
static enum err end_chunk(struct partial *p, bool *replaced, struct err_note *note)
{
    size_t i = p->chunk_i, n = p->n_in_chunk;
    uint8_t digest[SHA256_BYTES];
    enum err rc = ERR_OK;
    p->n_in_chunk = 0;
    sha256_of(p->chunk, n, digest);
    bool differs = !p->doubts || memcmp(digest, p->digests[i], sizeof digest) != 0;
    if (differs)
        rc = write_at(p, p->chunk, n, (uint64_t)i * p->n_bytes_chunk, note);
    if (rc)
        return rc;
    memcpy(p->digests[i], digest, sizeof digest);
    set_has(p, i, true);
    if (p->doubts && differs)
        *replaced = ++p->n_replaced <= REPORTED_MAX;
    return ERR_OK;
}

enum err partial_add(struct partial *p, uint64_t at, const void *bytes, size_t n, bool *replaced,
                     struct err_note *note)
{
    const uint8_t *from = bytes;
    enum err rc = ERR_OK;
    CHECK(at <= p->n_bytes && n <= p->n_bytes - at);
    *replaced = false;
    while (!rc && n && !*replaced) {
        size_t i = (size_t)(at / p->n_bytes_chunk), in = (size_t)(at % p->n_bytes_chunk);
        size_t n_chunk = bytes_of_chunk(p, i), take = n_chunk - in < n ? n_chunk - in : n;
        if (!p->has[i]) {
            if (p->chunk_i != i)
                p->n_in_chunk = 0;
            p->chunk_i = i;
            CHECK(in <= p->n_in_chunk);
            memcpy(p->chunk + in, from, take);
            p->n_in_chunk = in + take > p->n_in_chunk ? in + take : p->n_in_chunk;
            if (p->n_in_chunk == n_chunk)
                rc = end_chunk(p, replaced, note);
        }
        at += take;
        from += take;
        n -= take;
    }
    return rc;
}

void partial_forget(struct partial *p)
{
    for (size_t i = 0; i < p->n_chunks; i++)
        set_has(p, i, false);
    p->n_in_chunk = 0;
    p->validator[0] = 0;
    p->doubts = false;
}

void partial_doubt(struct partial *p)
{
    for (size_t i = 0; i < p->n_chunks; i++)
        set_has(p, i, false); /* but its digest stays, to compare with */
    p->n_in_chunk = 0;
    p->n_replaced = 0;
    p->doubts = true;
}

size_t partial_recheck(struct partial *p)
{
    size_t n_missing = 0;
    p->n_in_chunk = 0;
    for (size_t i = 0; i < p->n_chunks; i++) {
        uint8_t digest[SHA256_BYTES];
        size_t n = bytes_of_chunk(p, i);
        bool has = p->has[i] && read_at(p->fd, p->chunk, n, (uint64_t)i * p->n_bytes_chunk);
        if (has)
            sha256_of(p->chunk, n, digest);
        set_has(p, i, has && memcmp(digest, p->digests[i], sizeof digest) == 0);
        n_missing += !p->has[i];
    }
    return n_missing;
}

enum err partial_save(struct partial *p, struct err_note *note)
{
    struct file_writer w;
    struct buf b;
    char hex[SHA256_HEX];
    if (p->discarded)
        return ERR_OK;
    buf_init(&b, STATE_BYTES_MAX);
    buf_printf(&b, "isobit-partial-1\nsource %s\nbytes %" PRIu64 " chunk %zu\nvalidator %s\n",
               p->source, p->n_bytes, p->n_bytes_chunk, p->validator);
    for (size_t i = 0; i < p->n_chunks; i++) {
        if (!p->has[i])
            continue;
        hex_of(p->digests[i], SHA256_BYTES, hex);
        buf_printf(&b, "%zu %s\n", i, hex);
    }
    enum err rc = b.failed ? err_set(note, ERR_MEMORY, "out of memory for %s", p->path_state)
                           : file_writer_open(&w, p->path_state, note);
    if (!rc) {
        file_writer_add(&w, b.bytes, b.n_bytes);
        rc = file_writer_commit(&w, note);
    }
    buf_release(&b);
    return rc;
}

/* ---- the end ---- */

enum err partial_finish(struct partial *p, struct err_note *note)
{
    if (fsync(p->fd) != 0 && errno != EINVAL)
        return err_set(note, ERR_IO, "cannot write %s: %s", p->path, strerror(errno));
    if (rename(p->path, p->path_final) != 0)
        return err_set(note, ERR_IO, "cannot rename %s: %s", p->path, strerror(errno));
    unlink(p->path_state);
    return ERR_OK;
}

void partial_discard(struct partial *p)
{
    unlink(p->path_state);
    unlink(p->path);
    p->discarded = true;
}
