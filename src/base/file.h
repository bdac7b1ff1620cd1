/* file.h - whole files: read-only mappings, and writes that appear complete or not at all. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What tells one state of a file from another. */
struct file_stamp {
    uint64_t device, inode, n_bytes;
    int64_t mtime_ns;
};
bool file_stamp_get(const char *path, struct file_stamp *stamp); /* false: no such file */
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

/* A read-only view of a whole file. Pages come from the file on demand. */
struct file_map {
    const uint8_t *bytes; /* NULL for an empty file */
    size_t n_bytes;
    int fd; /* only where bytes are */
    struct file_stamp stamp;
};
enum err file_map_open(struct file_map *m, const char *path, struct err_note *note);
void file_map_close(struct file_map *m);

/* file_map_read - bytes [at, at + n_bytes) into a buffer, by a system call: quicker than the view
 * for bytes that are read once, and no page of it becomes resident. Any thread. */
enum err file_map_read(const struct file_map *m, size_t at, void *buffer, size_t n_bytes,
                       struct err_note *note);

/* file_read - the whole of a small file as NUL-ended text; caller frees with mem_free.
 * ERR_LIMIT when it is larger than n_bytes_max. path "-" is standard input. */
enum err file_read(const char *path, size_t n_bytes_max, char **text, size_t *n_bytes,
                   struct err_note *note);

bool file_exists(const char *path);
bool file_is_dir(const char *path);

/* A file being written under a temporary name in the same folder. Only file_writer_commit makes it
 * appear under its name (fsync, rename); file_writer_abort leaves nothing. Errors stick: write as
 * you like, commit tells. States: open -> committed | aborted. */
struct file_writer {
    int fd;
    char *path, *path_tmp;
    uint64_t n_bytes; /* written so far, buffered bytes included */
    uint8_t *buffer;
    size_t n_buffered;
    int saved_errno;
};
enum err file_writer_open(struct file_writer *w, const char *path, struct err_note *note);
/* The same for a file that its owner alone may read. */
enum err file_writer_open_private(struct file_writer *w, const char *path, struct err_note *note);
void file_writer_add(struct file_writer *w, const void *bytes, size_t n_bytes);
void file_writer_pad(struct file_writer *w, size_t alignment); /* zeros up to a multiple */
bool file_writer_ok(const struct file_writer *w);
enum err file_writer_commit(struct file_writer *w, struct err_note *note);
void file_writer_abort(struct file_writer *w);

#endif
