/* jobs.h - files that were sent in, and batches of requests to be made of them, on disk.
 *
 * A BATCH is a file of lines, each a request under an id of its own (custom_id). Its states:
 * validating -> in_progress -> completed, or failed (a line cannot be read: nothing ran), cancelled
 * or expired (what ran is kept). Each line is answered once: what has an answer is never run again,
 * what was under way when the program ended is. An OWNER is a key's id; nobody sees another's.
 * One program at a time has a store. Every change is whole on disk or not there (SQLite, WAL); a
 * machine that loses power may forget the answers of the last moments, and runs those lines again.
 * Thread: one at a time. Times are seconds since 1970. */
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    JOBS_ID_BYTES = 40,
    JOBS_NAME_BYTES = 256,
    JOBS_LINE_BYTES_MAX = 8 << 20,
    JOBS_CUSTOM_ID_BYTES_MAX = 512,
};

struct jobs;

struct jobs_limits {
    uint64_t n_file_bytes_max; /* of one owner's files together */
    uint64_t n_lines_max;      /* of one owner's batches that have not ended */
    int64_t file_s_max;        /* files are deleted this long after they came; 0: never */
};

struct jobs_file {
    char id[JOBS_ID_BYTES], name[JOBS_NAME_BYTES], purpose[32];
    int64_t created_s;
    uint64_t n_bytes;
};

enum jobs_state {
    JOBS_VALIDATING,
    JOBS_IN_PROGRESS,
    JOBS_CANCELLING, /* what is under way ends */
    JOBS_COMPLETED,
    JOBS_FAILED,
    JOBS_CANCELLED,
    JOBS_EXPIRED,
    JOBS_STATES,
};

struct jobs_batch {
    char id[JOBS_ID_BYTES], endpoint[64];
    char input_file[JOBS_ID_BYTES], output_file[JOBS_ID_BYTES], error_file[JOBS_ID_BYTES];
    enum jobs_state state;
    int64_t created_s, begun_s, cancelling_s, ended_s, expires_s; /* 0: not yet */
    uint64_t n_lines, n_done, n_failed;
    char *metadata, *errors; /* JSON or NULL; jobs_batch_release */
};

/* A line to be run. */
struct jobs_line {
    char batch[JOBS_ID_BYTES], owner[JOBS_ID_BYTES], endpoint[64];
    int64_t i;
    unsigned n_tries; /* that failed */
    char *body;       /* JSON; mem_free */
};

/* What a line of the input says, or why it cannot be run. */
struct jobs_reading {
    struct buf custom_id, body;
    char code[64], message[256]; /* code "": it is good */
};
typedef void jobs_read_fn(void *context, struct str endpoint, struct str line,
                          struct jobs_reading *out);

/* jobs_open - ERR_BUSY: another program has it. Lines that were under way wait again. */
enum err jobs_open(const char *path, const struct jobs_limits *limits, struct jobs **out,
                   struct err_note *note);
void jobs_close(struct jobs *j); /* NULL is nothing */

/* ---- files: ERR_NOT_FOUND for another's, too; ERR_LIMIT names the owner's quota ---- */
enum err jobs_file_add(struct jobs *j, const char *owner, const char *name, const char *purpose,
                       struct str bytes, int64_t now_s, struct jobs_file *out,
                       struct err_note *note);
enum err jobs_file(struct jobs *j, const char *owner, const char *id, struct jobs_file *out,
                   struct err_note *note);
/* jobs_file_read - appends the bytes. */
enum err jobs_file_read(struct jobs *j, const char *owner, const char *id, struct buf *out,
                        struct err_note *note);
/* A file that a batch still reads stays: ERR_BUSY. */
enum err jobs_file_delete(struct jobs *j, const char *owner, const char *id, struct err_note *note);
/* jobs_files - newest first, those older than after ("": all), purpose "": any. */
typedef void jobs_file_fn(void *context, const struct jobs_file *file);
enum err jobs_files(struct jobs *j, const char *owner, const char *purpose, const char *after,
                    uint32_t n_max, bool *more, jobs_file_fn *fn, void *context,
                    struct err_note *note);

/* ---- batches ---- */
enum err jobs_batch_add(struct jobs *j, const char *owner, const char *input_file,
                        const char *endpoint, const char *metadata, int64_t now_s,
                        int64_t window_s, struct jobs_batch *out, struct err_note *note);
enum err jobs_batch(struct jobs *j, const char *owner, const char *id, struct jobs_batch *out,
                    struct err_note *note);
enum err jobs_batch_cancel(struct jobs *j, const char *owner, const char *id, int64_t now_s,
                           struct err_note *note);
typedef void jobs_batch_fn(void *context, const struct jobs_batch *batch);
enum err jobs_batches(struct jobs *j, const char *owner, const char *after, uint32_t n_max,
                      bool *more, jobs_batch_fn *fn, void *context, struct err_note *note);
void jobs_batch_release(struct jobs_batch *b);
const char *jobs_state_name(enum jobs_state state); /* "in_progress", ... */

/* ---- running them ---- */
/* jobs_validate - reads up to n_lines further lines of a batch that is validating. *more: there is
 * more to read, of it or of another. */
enum err jobs_validate(struct jobs *j, size_t n_lines, jobs_read_fn *read, void *context,
                       int64_t now_s, bool *more, struct err_note *note);
/* jobs_next - a line to run, of each owner in turn, each owner's oldest batch first. false: none;
 * note says so if that is a failure. */
bool jobs_next(struct jobs *j, struct jobs_line *out, struct err_note *note);
/* jobs_done - the line's answer: a JSON object that becomes its line of the output (good) or of the
 * errors. The last one ends the batch. */
enum err jobs_done(struct jobs *j, const struct jobs_line *line, bool good, struct str answer,
                   int64_t now_s, struct err_note *note);
/* jobs_again - it could not be run: it waits once more. failed: that was one of its tries. */
enum err jobs_again(struct jobs *j, const struct jobs_line *line, bool failed,
                    struct err_note *note);
/* jobs_clean - ends what is past its time, deletes old files. */
enum err jobs_clean(struct jobs *j, int64_t now_s, struct err_note *note);

#endif
