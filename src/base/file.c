/* file.c - mapping, reading, atomic writing. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"

enum { WRITE_BUFFER_BYTES = 1 << 20 };

static enum err errno_note(struct err_note *note, const char *verb, const char *path, int code)
{
    return err_set(note, code == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot %s %s: %s", verb, path,
                   strerror(code));
}

static struct file_stamp stamp_of(const struct stat *st)
{
    return (struct file_stamp){
        .device = st->st_dev,
        .inode = st->st_ino,
        .n_bytes = (uint64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
    };
}

bool file_stamp_get(const char *path, struct file_stamp *stamp)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return false;
    *stamp = stamp_of(&st);
    return true;
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->n_bytes == b->n_bytes &&
           a->mtime_ns == b->mtime_ns;
}

enum err file_map_open(struct file_map *m, const char *path, struct err_note *note)
{
    struct stat st;
    *m = (struct file_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno_note(note, "open", path, errno);
    enum err rc = ERR_OK;
    if (fstat(fd, &st) != 0) {
        rc = errno_note(note, "stat", path, errno);
    } else if (!S_ISREG(st.st_mode)) {
        rc = err_set(note, ERR_IO, "%s is not a regular file", path);
    } else if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            rc = errno_note(note, "map", path, errno);
        else
            *m = (struct file_map){p, (size_t)st.st_size, fd, stamp_of(&st)};
    }
    if (!m->bytes)
        close(fd);
    return rc;
}

void file_map_close(struct file_map *m)
{
    if (m->bytes) {
        CHECK(munmap((void *)(uintptr_t)m->bytes, m->n_bytes) == 0);
        close(m->fd);
    }
    *m = (struct file_map){0};
}

enum err file_map_read(const struct file_map *m, size_t at, void *buffer, size_t n_bytes,
                       struct err_note *note)
{
    CHECK(at <= m->n_bytes && n_bytes <= m->n_bytes - at);
    for (size_t done = 0; done < n_bytes;) {
        ssize_t n = pread(m->fd, (uint8_t *)buffer + done, n_bytes - done, (off_t)(at + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            return err_set(note, ERR_IO, "the file became shorter while it was read");
        else if (errno != EINTR)
            return err_set(note, ERR_IO, "cannot read: %s", strerror(errno));
    }
    return ERR_OK;
}

enum err file_read(const char *path, size_t n_bytes_max, char **text, size_t *n_bytes,
                   struct err_note *note)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno_note(note, "open", path, errno);
    struct buf b;
    char chunk[16384];
    ssize_t n;
    buf_init(&b, n_bytes_max);
    while ((n = read(fd, chunk, sizeof chunk)) > 0 && !b.failed)
        buf_add(&b, chunk, (size_t)n);
    int code = n < 0 ? errno : 0;
    close(fd);
    if (code) {
        buf_release(&b);
        return errno_note(note, "read", path, code);
    }
    size_t length = b.n_bytes;
    *text = buf_take(&b);
    if (!*text)
        return err_set(note, ERR_LIMIT, "%s is larger than %zu bytes", path, n_bytes_max);
    if (n_bytes)
        *n_bytes = length;
    return ERR_OK;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static enum err open_writer(struct file_writer *w, const char *path, mode_t mode,
                            struct err_note *note)
{
    *w = (struct file_writer){.fd = -1};
    size_t n = strlen(path);
    w->path = mem_strdup(path);
    w->path_tmp = mem_zalloc(n + 32);
    w->buffer = mem_alloc(WRITE_BUFFER_BYTES);
    enum err rc = ERR_OK;
    if (!w->path || !w->path_tmp || !w->buffer) {
        rc = err_set(note, ERR_MEMORY, "out of memory opening %s", path);
    } else {
        snprintf(w->path_tmp, n + 32, "%s.tmp-%ld", path, (long)getpid());
        w->fd = open(w->path_tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
        if (w->fd < 0)
            rc = errno_note(note, "write", path, errno);
    }
    if (rc)
        file_writer_abort(w);
    return rc;
}

enum err file_writer_open(struct file_writer *w, const char *path, struct err_note *note)
{
    return open_writer(w, path, 0666, note);
}

enum err file_writer_open_private(struct file_writer *w, const char *path, struct err_note *note)
{
    return open_writer(w, path, 0600, note);
}

static void file_writer_flush(struct file_writer *w)
{
    for (size_t done = 0; done < w->n_buffered && !w->saved_errno;) {
        ssize_t n = write(w->fd, w->buffer + done, w->n_buffered - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            w->saved_errno = errno;
    }
    w->n_buffered = 0;
}

void file_writer_add(struct file_writer *w, const void *bytes, size_t n_bytes)
{
    const uint8_t *p = bytes;
    w->n_bytes += n_bytes;
    while (n_bytes) {
        size_t room = WRITE_BUFFER_BYTES - w->n_buffered;
        size_t n = n_bytes < room ? n_bytes : room;
        memcpy(w->buffer + w->n_buffered, p, n);
        w->n_buffered += n;
        p += n;
        n_bytes -= n;
        if (w->n_buffered == WRITE_BUFFER_BYTES)
            file_writer_flush(w);
    }
}

void file_writer_pad(struct file_writer *w, size_t alignment)
{
    static const uint8_t zeros[64];
    while (w->n_bytes % alignment) {
        size_t n = alignment - w->n_bytes % alignment;
        file_writer_add(w, zeros, n < sizeof zeros ? n : sizeof zeros);
    }
}

bool file_writer_ok(const struct file_writer *w)
{
    return w->saved_errno == 0;
}

enum err file_writer_commit(struct file_writer *w, struct err_note *note)
{
    CHECK(w->fd >= 0);
    file_writer_flush(w);
    if (!w->saved_errno && fsync(w->fd) != 0 && errno != EINVAL)
        w->saved_errno = errno;
    if (!w->saved_errno && rename(w->path_tmp, w->path) != 0)
        w->saved_errno = errno;
    enum err rc = ERR_OK;
    if (w->saved_errno)
        rc = errno_note(note, "write", w->path, w->saved_errno);
    else
        w->path_tmp[0] = 0; /* nothing left to remove */
    file_writer_abort(w);
    return rc;
}

void file_writer_abort(struct file_writer *w)
{
    if (w->fd >= 0) {
        close(w->fd);
        if (w->path_tmp[0])
            unlink(w->path_tmp);
    }
    mem_free(w->path);
    mem_free(w->path_tmp);
    mem_free(w->buffer);
    *w = (struct file_writer){.fd = -1};
}
