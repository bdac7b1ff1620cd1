/* disk.c - a folder of key-value pages: an index in memory in the order of use, files on disk. */
#include "engine/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/disk_file.h"

#define NONE UINT32_MAX

enum { NAME_BYTES = 2 * SHA256_BYTES + 8, FILES_MAX = 1 << 24 };

struct entry {
    uint8_t key[SHA256_BYTES];
    uint64_t n_bytes;
    uint64_t time_ns;      /* of the last use, as the folder tells it at opening */
    uint32_t next;         /* in its bucket, or among the unused entries */
    uint32_t newer, older; /* in the order of use */
};

struct disk {
    struct disk_io io;
    char *folder;
    int fd; /* of the folder, locked */
    uint64_t n_bytes_max;
    size_t n_payload;
    uint8_t *file; /* header and payload of one page */
    struct entry *entries;
    uint32_t n_entries, *buckets, n_buckets; /* a power of two */
    uint32_t unused, newest, oldest;
    bool ended; /* nothing is written any more */
    struct disk_counts counts;
    struct err_note note;
};

/* ---- the system ---- */

static int system_open(int folder, const char *name, int flags)
{
    return openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}
static ssize_t system_read(int fd, void *bytes, size_t n_bytes)
{
    return read(fd, bytes, n_bytes);
}
static ssize_t system_write(int fd, const void *bytes, size_t n_bytes)
{
    return write(fd, bytes, n_bytes);
}
static int system_close(int fd)
{
    return close(fd);
}
static int system_rename(int folder, const char *from, const char *to)
{
    return renameat(folder, from, folder, to);
}
static int system_unlink(int folder, const char *name)
{
    return unlinkat(folder, name, 0);
}
static const struct disk_io system_io = {system_open,  system_read,   system_write,
                                         system_close, system_rename, system_unlink};

static void name_of(const uint8_t key[SHA256_BYTES], const char *suffix, char name[NAME_BYTES])
{
    hex_of(key, SHA256_BYTES, name);
    snprintf(name + 2 * SHA256_BYTES, 8, "%s", suffix);
}

/* ---- the index ---- */

static uint32_t *bucket_of(const struct disk *d, const uint8_t key[SHA256_BYTES])
{
    uint32_t h;
    memcpy(&h, key, sizeof h);
    return &d->buckets[h & (d->n_buckets - 1)];
}

static uint32_t find(const struct disk *d, const uint8_t key[SHA256_BYTES])
{
    uint32_t i = *bucket_of(d, key);
    while (i != NONE && memcmp(d->entries[i].key, key, SHA256_BYTES) != 0)
        i = d->entries[i].next;
    return i;
}

static void unlink_use(struct disk *d, uint32_t i)
{
    struct entry *e = &d->entries[i];
    *(e->newer == NONE ? &d->newest : &d->entries[e->newer].older) = e->older;
    *(e->older == NONE ? &d->oldest : &d->entries[e->older].newer) = e->newer;
}

static void link_newest(struct disk *d, uint32_t i)
{
    struct entry *e = &d->entries[i];
    e->newer = NONE;
    e->older = d->newest;
    *(d->newest == NONE ? &d->oldest : &d->entries[d->newest].newer) = i;
    d->newest = i;
}

static void index_add(struct disk *d, const uint8_t key[SHA256_BYTES], uint64_t n_bytes)
{
    uint32_t i = d->unused, *bucket = bucket_of(d, key);
    CHECK(i != NONE);
    struct entry *e = &d->entries[i];
    d->unused = e->next;
    memcpy(e->key, key, SHA256_BYTES);
    e->n_bytes = n_bytes;
    e->next = *bucket;
    *bucket = i;
    link_newest(d, i);
    d->counts.n_files++;
    d->counts.n_bytes += n_bytes;
}

static void index_remove(struct disk *d, uint32_t i)
{
    struct entry *e = &d->entries[i];
    uint32_t *at = bucket_of(d, e->key);
    while (*at != i)
        at = &d->entries[*at].next;
    *at = e->next;
    unlink_use(d, i);
    d->counts.n_files--;
    d->counts.n_bytes -= e->n_bytes;
    e->next = d->unused;
    d->unused = i;
}

/* ---- trouble ---- */

static void end_writing(struct disk *d, const char *verb, int code)
{
    d->ended = true;
    if (!d->note.text[0])
        err_set(&d->note, ERR_IO,
                "the page cache %s takes no more pages: cannot %s there: %s (what it holds is "
                "still used)",
                d->folder, verb, strerror(code));
}

/* The file is no use: it goes, and with it its entry. */
static void drop(struct disk *d, uint32_t i)
{
    char name[NAME_BYTES];
    name_of(d->entries[i].key, ".kv", name);
    index_remove(d, i);
    if (d->io.unlink(d->fd, name) != 0 && errno != ENOENT)
        end_writing(d, "delete", errno);
}

static void drop_bad(struct disk *d, uint32_t i, const char *why)
{
    d->counts.n_bad++;
    if (!d->note.text[0])
        err_set(&d->note, ERR_FORMAT,
                "a page in the cache %s was damaged (%s): it is deleted and computed again",
                d->folder, why);
    drop(d, i);
}

static void make_room(struct disk *d, uint64_t n_bytes)
{
    while (d->oldest != NONE && (d->counts.n_bytes + n_bytes > d->n_bytes_max ||
                                 d->unused == NONE)) {
        drop(d, d->oldest);
        d->counts.n_removed++;
    }
}

/* ---- pages ---- */

bool disk_has(const struct disk *d, const uint8_t key[SHA256_BYTES])
{
    return find(d, key) != NONE;
}

bool disk_use(struct disk *d, const uint8_t key[SHA256_BYTES])
{
    uint32_t i = find(d, key);
    char name[NAME_BYTES];
    if (i == NONE)
        return false;
    unlink_use(d, i);
    link_newest(d, i);
    name_of(key, ".kv", name);
    utimensat(d->fd, name, NULL, 0); /* where it fails the order is lost, and nothing else */
    return true;
}

uint8_t *disk_payload(struct disk *d)
{
    return d->file + DISK_HEADER_BYTES;
}

bool disk_writes(const struct disk *d)
{
    return !d->ended;
}

/* Up to one byte more than a whole file, so that a longer one is seen. Bytes read; -1: errno. */
static ssize_t read_file(struct disk *d, int fd)
{
    size_t n_max = DISK_HEADER_BYTES + d->n_payload + 1, n = 0;
    ssize_t k = 1;
    while (n < n_max && k != 0) {
        k = d->io.read(fd, d->file + n, n_max - n);
        if (k < 0 && errno != EINTR)
            break;
        n += k > 0 ? (size_t)k : 0;
    }
    return k < 0 && n < n_max ? -1 : (ssize_t)n;
}

const uint8_t *disk_get(struct disk *d, const uint8_t key[SHA256_BYTES])
{
    uint32_t i = find(d, key);
    char name[NAME_BYTES];
    struct err_note why;
    if (i == NONE)
        return NULL;
    name_of(key, ".kv", name);
    int fd = d->io.open(d->fd, name, O_RDONLY);
    if (fd < 0) { /* somebody took it away, or it may be whole and cannot be reached now */
        index_remove(d, i);
        return NULL;
    }
    ssize_t n = read_file(d, fd);
    enum err rc = n < 0 ? err_set(&why, ERR_IO, "%s", strerror(errno))
                        : disk_file_check(d->file, (size_t)n, d->n_payload, key, &why);
    d->io.close(fd);
    if (rc) {
        drop_bad(d, i, why.text);
        return NULL;
    }
    d->counts.n_read++;
    return disk_payload(d);
}

/* 0, or an errno. What was begun is deleted. */
static int write_file(struct disk *d, const char *name, size_t n_bytes)
{
    char name_tmp[NAME_BYTES];
    snprintf(name_tmp, sizeof name_tmp, "%.*s.tmp", 2 * SHA256_BYTES, name);
    int fd = d->io.open(d->fd, name_tmp, O_WRONLY | O_CREAT | O_TRUNC), code = 0;
    if (fd < 0)
        return errno;
    for (size_t n = 0; n < n_bytes && !code;) {
        ssize_t k = d->io.write(fd, d->file + n, n_bytes - n);
        if (k >= 0)
            n += (size_t)k;
        else if (errno != EINTR)
            code = errno;
    }
    if (d->io.close(fd) != 0 && !code)
        code = errno;
    if (!code && d->io.rename(d->fd, name_tmp, name) != 0)
        code = errno;
    if (code)
        d->io.unlink(d->fd, name_tmp);
    return code;
}

bool disk_put(struct disk *d, const uint8_t key[SHA256_BYTES])
{
    size_t n_bytes = DISK_HEADER_BYTES + d->n_payload;
    char name[NAME_BYTES];
    CHECK(find(d, key) == NONE);
    if (!d->ended)
        make_room(d, n_bytes);
    if (d->ended)
        return false;
    name_of(key, ".kv", name);
    disk_file_seal(d->file, d->n_payload, key);
    int code = write_file(d, name, n_bytes);
    if (code) {
        end_writing(d, "write", code);
        return false;
    }
    index_add(d, key, n_bytes);
    d->counts.n_written++;
    return true;
}

struct disk_counts disk_counts(const struct disk *d)
{
    return d->counts;
}

const char *disk_note(const struct disk *d)
{
    return d->note.text;
}

void disk_check(const struct disk *d)
{
    uint64_t n_files = 0, n_bytes = 0;
    uint32_t newer = NONE;
    for (uint32_t i = d->newest; i != NONE; i = d->entries[i].older) {
        const struct entry *e = &d->entries[i];
        CHECK(e->newer == newer && n_files++ < d->n_entries && find(d, e->key) == i);
        n_bytes += e->n_bytes;
        newer = i;
    }
    CHECK(newer == d->oldest && n_files == d->counts.n_files && n_bytes == d->counts.n_bytes);
    CHECK(n_bytes <= d->n_bytes_max);
}

/* ---- opening ---- */

static enum err open_folder(struct disk *d, struct err_note *note)
{
    struct stat st;
    if (mkdir(d->folder, 0700) != 0 && errno != EEXIST)
        return err_set(note, ERR_IO, "cannot make the folder %s: %s", d->folder, strerror(errno));
    d->fd = open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0 || fstat(d->fd, &st) != 0)
        return err_set(note, ERR_IO, "cannot open the folder %s: %s", d->folder, strerror(errno));
    if (st.st_mode & 077)
        return err_set(note, ERR_IO,
                       "the folder %s is open to others (mode %03o), and pages tell what was said: "
                       "chmod 700 it, or name another",
                       d->folder, (unsigned)st.st_mode & 0777);
    if (flock(d->fd, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno == EWOULDBLOCK)
        return err_set(note, ERR_BUSY, "the folder %s is in use by another process", d->folder);
    return err_set(note, ERR_IO, "cannot lock the folder %s: %s", d->folder, strerror(errno));
}

static bool key_of_name(const char *name, const char *suffix, uint8_t key[SHA256_BYTES])
{
    size_t n = strspn(name, "0123456789abcdef");
    if (n != 2 * SHA256_BYTES || strcmp(name + n, suffix) != 0)
        return false;
    for (int i = 0; i < SHA256_BYTES; i++) {
        const char two[3] = {name[2 * i], name[2 * i + 1], 0};
        key[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return true;
}

/* The page files, at most *n_found of them into found; *n_found: how many there are. What a crash
 * left is deleted. */
static enum err scan(struct disk *d, struct entry *found, size_t *n_found, struct err_note *note)
{
    int fd = dup(d->fd);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return err_set(note, ERR_IO, "cannot read the folder %s: %s", d->folder, strerror(errno));
    }
    size_t n_max = *n_found;
    struct dirent *item;
    uint8_t key[SHA256_BYTES];
    struct stat st;
    rewinddir(dir);
    for (*n_found = 0; (item = readdir(dir));) {
        if (key_of_name(item->d_name, ".tmp", key))
            d->io.unlink(d->fd, item->d_name);
        if (!key_of_name(item->d_name, ".kv", key) ||
            fstatat(d->fd, item->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (found && *n_found < n_max) {
            struct entry *e = &found[*n_found];
            memcpy(e->key, key, SHA256_BYTES);
            e->n_bytes = (uint64_t)st.st_size;
            e->time_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
        }
        ++*n_found;
    }
    closedir(dir);
    return ERR_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

/* Room for the files that are there and for as many as the size allows. */
static enum err make_index(struct disk *d, size_t n_found, struct err_note *note)
{
    uint64_t n = n_found + d->n_bytes_max / (DISK_HEADER_BYTES + d->n_payload) + 1;
    d->n_entries = n < FILES_MAX ? (uint32_t)n : FILES_MAX;
    d->n_buckets = 1;
    while (d->n_buckets < d->n_entries)
        d->n_buckets *= 2;
    d->entries = mem_array(d->n_entries, sizeof d->entries[0]);
    d->buckets = mem_array(d->n_buckets, sizeof d->buckets[0]);
    d->file = mem_alloc(DISK_HEADER_BYTES + d->n_payload + 1);
    if (!d->entries || !d->buckets || !d->file)
        return err_set(note, ERR_MEMORY, "out of memory for the page cache %s", d->folder);
    memset(d->buckets, 0xff, d->n_buckets * sizeof d->buckets[0]);
    for (uint32_t i = 0; i < d->n_entries; i++)
        d->entries[i].next = i + 1 < d->n_entries ? i + 1 : NONE;
    return ERR_OK;
}

static enum err load(struct disk *d, struct err_note *note)
{
    size_t n_found = 0;
    enum err rc = scan(d, NULL, &n_found, note);
    if (!rc)
        rc = make_index(d, n_found, note);
    struct entry *found = rc ? NULL : mem_array(n_found + 1, sizeof *found);
    if (!rc && !found)
        rc = err_set(note, ERR_MEMORY, "out of memory for the page cache %s", d->folder);
    size_t n_room = n_found < d->n_entries ? n_found : d->n_entries;
    n_found = n_room;
    if (!rc)
        rc = scan(d, found, &n_found, note);
    n_found = n_found < n_room ? n_found : n_room;
    if (!rc)
        qsort(found, n_found, sizeof *found, by_time);
    for (size_t i = 0; !rc && i < n_found; i++)
        index_add(d, found[i].key, found[i].n_bytes);
    mem_free(found);
    if (!rc)
        make_room(d, 0);
    return rc;
}

enum err disk_open(struct disk **disk, const char *folder, uint64_t n_bytes_max, size_t n_payload,
                   const struct disk_io *io, struct err_note *note)
{
    *disk = NULL;
    if (n_bytes_max < DISK_HEADER_BYTES + n_payload)
        return err_set(note, ERR_LIMIT,
                       "a page cache of %llu bytes holds not one page of this model: %llu bytes",
                       (unsigned long long)n_bytes_max,
                       (unsigned long long)DISK_HEADER_BYTES + n_payload);
    struct disk *d = mem_zalloc(sizeof *d);
    if (!d)
        return err_set(note, ERR_MEMORY, "out of memory for the page cache %s", folder);
    *d = (struct disk){.io = io ? *io : system_io,
                       .fd = -1,
                       .n_bytes_max = n_bytes_max,
                       .n_payload = n_payload,
                       .newest = NONE,
                       .oldest = NONE};
    d->folder = mem_strdup(folder);
    enum err rc = d->folder ? open_folder(d, note)
                            : err_set(note, ERR_MEMORY, "out of memory for %s", folder);
    if (!rc)
        rc = load(d, note);
    if (rc)
        disk_close(d);
    else
        *disk = d;
    return rc;
}

void disk_close(struct disk *d)
{
    if (!d)
        return;
    if (d->fd >= 0)
        close(d->fd);
    mem_free(d->folder);
    mem_free(d->file);
    mem_free(d->entries);
    mem_free(d->buckets);
    mem_free(d);
}
