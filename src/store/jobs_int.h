/* jobs_int.h - what the files of the store share: the connection, and asking it. */
#ifndef STORE_JOBS_INT_H
#define STORE_JOBS_INT_H

#include <sqlite3.h>
#include <stdarg.h>

#include "store/jobs.h"

#define JOBS_INPUT_BYTES_MAX ((size_t)1 << 30)

struct jobs {
    sqlite3 *db;
    struct jobs_limits limits;
    char path[1024];
    /* The batch that is being read. */
    char reading[JOBS_ID_BYTES];
    struct buf input;
    size_t at; /* in input */
    int64_t i_line;
    /* Whose line was last given out. */
    char last_owner[JOBS_ID_BYTES];
};

/* What SQLite says of its last failure; the transaction, if one is open, is undone. */
enum err jobs_fail(struct jobs *j, struct err_note *note);
bool jobs_begin(struct jobs *j);
bool jobs_commit(struct jobs *j);
/* A statement with its values: i int64_t, t text, s struct str * as text, b struct str * as bytes;
 * they must outlive it. NULL: it failed. */
sqlite3_stmt *jobs_ask(struct jobs *j, const char *sql, const char *types, ...);
/* Both end the statement. jobs_do: whether it was done. jobs_number: its first value. */
bool jobs_do(sqlite3_stmt *s);
int64_t jobs_number(sqlite3_stmt *s, bool *ok);
void jobs_text(sqlite3_stmt *s, int column, char *out, size_t n_out);
void jobs_new_id(char out[JOBS_ID_BYTES], const char *prefix);
bool jobs_put_file(struct jobs *j, const char *owner, const struct jobs_file *f, struct str bytes);

#endif
