/* say.h - what the program says on standard error, and the progress it shows there.
 *
 * Standard output carries results only. A bar is drawn on a terminal; elsewhere a plain line now
 * and then. --quiet leaves errors alone. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

void say_quiet(bool quiet);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "isobit: ..." in one line; returns EXIT_FAILED. */
int say_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for an error code: EXIT_USAGE for ERR_USAGE, else EXIT_FAILED. */
int say_error(enum err rc, const struct err_note *note);

struct progress {
    const char *verb; /* "loading" */
    bool is_terminal, shown;
    bool is_transfer; /* a rate is shown; off a terminal, a line every 10 % */
    uint64_t start_ns, last_ns;
    uint64_t done_first, done_last;
};
void progress_begin(struct progress *p, const char *verb);
void progress_show(void *progress, uint64_t done, uint64_t total); /* bytes; cheap to call often */
void progress_end(struct progress *p);

/* "1.23 GB", "4.50 MB"; into a buffer of SIZE_TEXT, returned. */
enum { SIZE_TEXT = 32 };
const char *size_text(uint64_t n_bytes, char out[SIZE_TEXT]);
/* "1.10 B", "4.20 M" */
const char *count_text(uint64_t n, char out[SIZE_TEXT]);

#endif
