/* disk.h - a folder of key-value pages that outlives the engine.
 *
 * One file for one page, named by its key (docs/formats/kv-page.md); the folder is 0700, the files
 * 0600, and one process uses it at a time. A file is written under a temporary name and renamed. A
 * file that is damaged, cut short or another's is deleted and counted: its page is computed again.
 * When a write fails (a full disk), nothing is written any more, what is there is still read, and
 * disk_note says so. Files used least recently go when the folder would exceed its size.
 * Thread: the owner of the engine. Nothing here allocates after disk_open. */
#ifndef ENGINE_DISK_H
#define ENGINE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/hash.h"

struct disk;

/* The system's calls, as tests replace them. Relative to the folder; errno tells what failed. */
struct disk_io {
    int (*open)(int folder, const char *name, int flags);
    ssize_t (*read)(int fd, void *bytes, size_t n_bytes);
    ssize_t (*write)(int fd, const void *bytes, size_t n_bytes);
    int (*close)(int fd);
    int (*rename)(int folder, const char *from, const char *to);
    int (*unlink)(int folder, const char *name);
};

struct disk_counts {
    uint64_t n_files, n_bytes;   /* in the folder now */
    uint64_t n_read, n_written;  /* pages */
    uint64_t n_bad;              /* files that were damaged */
    uint64_t n_removed;          /* files that made room */
};

/* disk_open - n_payload: bytes of one page; io NULL: the system's. Makes the folder (not its
 * parents). Errors: a folder that others may look into, one that another process uses (BUSY), a
 * size that holds not one page. */
enum err disk_open(struct disk **disk, const char *folder, uint64_t n_bytes_max, size_t n_payload,
                   const struct disk_io *io, struct err_note *note);
void disk_close(struct disk *d); /* NULL is nothing */

bool disk_has(const struct disk *d, const uint8_t key[SHA256_BYTES]);
/* disk_get - the page's bytes, valid until the next call; NULL: none, or they were damaged. */
const uint8_t *disk_get(struct disk *d, const uint8_t key[SHA256_BYTES]);
/* disk_use - whether it is there; it was used now, and keeps that over a restart. disk_get alone
 * does not count as use: who reads a chain of pages uses its end first, so that beginnings stay. */
bool disk_use(struct disk *d, const uint8_t key[SHA256_BYTES]);
/* disk_put - stores the n_payload bytes that the caller has put at disk_payload under a key that is
 * not there. False: writing has ended. */
uint8_t *disk_payload(struct disk *d);
bool disk_put(struct disk *d, const uint8_t key[SHA256_BYTES]);
bool disk_writes(const struct disk *d); /* until it has ended */

struct disk_counts disk_counts(const struct disk *d);
/* disk_note - the first thing that went wrong, in one line; "": nothing. */
const char *disk_note(const struct disk *d);

/* disk_check - aborts where an invariant does not hold. */
void disk_check(const struct disk *d);

#endif
