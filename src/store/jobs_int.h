/* jobs_int.h - what the files of the jobs share: the connection, and what all of them do. */
#ifndef STORE_JOBS_INT_H
#define STORE_JOBS_INT_H

#include "store/jobs.h"
#include "store/sql.h"

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

void jobs_new_id(char out[JOBS_ID_BYTES], const char *prefix);
bool jobs_put_file(struct jobs *j, const char *owner, const struct jobs_file *f, struct str bytes);

#endif
