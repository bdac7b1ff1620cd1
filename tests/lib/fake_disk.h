/* fake_disk.h - files in memory behind the page cache's calls (engine/disk.h), which fail and
 * damage at random. The folder itself is a real one and stays empty. */
#ifndef LIB_FAKE_DISK_H
#define LIB_FAKE_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/check.h"
#include "engine/disk.h"
#include "lib/test.h"

enum { FAKE_FILES = 256, FAKE_NAME = 96, FAKE_FILE_BYTES = 1024 };

static struct fake_disk {
    struct fake_file {
        char name[FAKE_NAME]; /* "": none */
        uint8_t bytes[FAKE_FILE_BYTES];
        size_t n_bytes, at;
    } files[FAKE_FILES];
    uint64_t rng;
    int p_fail, p_damage; /* of 1000 calls; of 1000 files that are read */
    uint64_t n_failed, n_damaged;
} fake_disk;

static bool fake_disk_fails(void)
{
    static const int numbers[] = {EIO, ENOSPC, EINTR, EMFILE};
    bool fails = (int)(test_rand(&fake_disk.rng) % 1000) < fake_disk.p_fail;
    fake_disk.n_failed += fails;
    if (fails)
        errno = numbers[test_rand(&fake_disk.rng) % COUNT_OF(numbers)];
    return fails;
}

static struct fake_file *fake_disk_find(const char *name)
{
    for (int i = 0; i < FAKE_FILES; i++)
        if (strcmp(fake_disk.files[i].name, name) == 0)
            return &fake_disk.files[i];
    return NULL;
}

static int fake_disk_open(int folder, const char *name, int flags)
{
    (void)folder;
    struct fake_file *f = fake_disk_find(name);
    if (fake_disk_fails())
        return -1;
    errno = f ? ENOSPC : ENOENT;
    if (!f && (!(flags & O_CREAT) || !(f = fake_disk_find(""))))
        return -1;
    snprintf(f->name, sizeof f->name, "%s", name);
    f->at = 0;
    if (flags & O_TRUNC)
        f->n_bytes = 0;
    else if ((int)(test_rand(&fake_disk.rng) % 1000) < fake_disk.p_damage && f->n_bytes > 0) {
        f->bytes[test_rand(&fake_disk.rng) % f->n_bytes] ^= 16;
        fake_disk.n_damaged++;
    }
    return (int)(f - fake_disk.files);
}

/* Some bytes at a time, as the system may. */
static size_t fake_disk_some(size_t n)
{
    return n > 1 && test_rand(&fake_disk.rng) % 4 == 0 ? n / 2 : n;
}

static ssize_t fake_disk_read(int fd, void *bytes, size_t n)
{
    struct fake_file *f = &fake_disk.files[fd];
    if (fake_disk_fails())
        return -1;
    n = fake_disk_some(n < f->n_bytes - f->at ? n : f->n_bytes - f->at);
    memcpy(bytes, f->bytes + f->at, n);
    f->at += n;
    return (ssize_t)n;
}

static ssize_t fake_disk_write(int fd, const void *bytes, size_t n)
{
    struct fake_file *f = &fake_disk.files[fd];
    if (fake_disk_fails())
        return -1;
    n = fake_disk_some(n);
    CHECK(f->n_bytes + n <= FAKE_FILE_BYTES);
    memcpy(f->bytes + f->n_bytes, bytes, n);
    f->n_bytes += n;
    return (ssize_t)n;
}

static int fake_disk_close(int fd)
{
    (void)fd;
    return fake_disk_fails() ? -1 : 0;
}

static int fake_disk_rename(int folder, const char *from, const char *to)
{
    (void)folder;
    struct fake_file *f = fake_disk_find(from), *old = fake_disk_find(to);
    if (fake_disk_fails())
        return -1;
    CHECK(f);
    if (old)
        old->name[0] = 0;
    snprintf(f->name, sizeof f->name, "%s", to);
    return 0;
}

static int fake_disk_unlink(int folder, const char *name)
{
    (void)folder;
    struct fake_file *f = fake_disk_find(name);
    if (fake_disk_fails())
        return -1;
    errno = ENOENT;
    if (!f)
        return -1;
    f->name[0] = 0;
    return 0;
}

static const struct disk_io fake_disk_io = {fake_disk_open,  fake_disk_read,   fake_disk_write,
                                            fake_disk_close, fake_disk_rename, fake_disk_unlink};

#endif
