/* jobs_batch.c - batches as their owners see them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/jobs_int.h"

#define BATCH_COLUMNS                                                                              \
    "id, endpoint, state, input_file, output_file, error_file, created_s, begun_s, cancelling_s, " \
    "ended_s, expires_s, n_lines, n_done, n_failed, metadata, errors"

const char *jobs_state_name(enum jobs_state state)
{
    static const char *const names[JOBS_STATES] = {
        [JOBS_VALIDATING] = "validating", [JOBS_IN_PROGRESS] = "in_progress",
        [JOBS_CANCELLING] = "cancelling", [JOBS_COMPLETED] = "completed",
        [JOBS_FAILED] = "failed",         [JOBS_CANCELLED] = "cancelled",
        [JOBS_EXPIRED] = "expired",
    };
    return names[state];
}

void jobs_batch_release(struct jobs_batch *b)
{
    mem_free(b->metadata);
    mem_free(b->errors);
    b->metadata = b->errors = NULL;
}

static char *copy_text(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? mem_strndup(text, strlen(text)) : NULL;
}

static void read_batch_row(sqlite3_stmt *s, struct jobs_batch *b)
{
    *b = (struct jobs_batch){0};
    sql_text(s, 0, b->id, sizeof b->id);
    sql_text(s, 1, b->endpoint, sizeof b->endpoint);
    b->state = (enum jobs_state)sqlite3_column_int(s, 2);
    sql_text(s, 3, b->input_file, sizeof b->input_file);
    sql_text(s, 4, b->output_file, sizeof b->output_file);
    sql_text(s, 5, b->error_file, sizeof b->error_file);
    b->created_s = sqlite3_column_int64(s, 6);
    b->begun_s = sqlite3_column_int64(s, 7);
    b->cancelling_s = sqlite3_column_int64(s, 8);
    b->ended_s = sqlite3_column_int64(s, 9);
    b->expires_s = sqlite3_column_int64(s, 10);
    b->n_lines = (uint64_t)sqlite3_column_int64(s, 11);
    b->n_done = (uint64_t)sqlite3_column_int64(s, 12);
    b->n_failed = (uint64_t)sqlite3_column_int64(s, 13);
    b->metadata = copy_text(s, 14);
    b->errors = copy_text(s, 15);
}

enum err jobs_batch(struct jobs *j, const char *owner, const char *id, struct jobs_batch *out,
                    struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(
        j->db, "SELECT " BATCH_COLUMNS " FROM batches WHERE id = ? AND owner = ?", "tt", id, owner);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        read_batch_row(s, out);
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return err_set(note, ERR_NOT_FOUND, "no batch %.60s", id);
    return rc == SQLITE_ROW ? ERR_OK : sql_fail(j->db, j->path, note);
}

enum err jobs_batch_add(struct jobs *j, const char *owner, const char *input_file,
                        const char *endpoint, const char *metadata, int64_t now_s, int64_t window_s,
                        struct jobs_batch *out, struct err_note *note)
{
    struct jobs_file file;
    char id[JOBS_ID_BYTES];
    enum err rc = jobs_file(j, owner, input_file, &file, note);
    if (rc)
        return rc;
    jobs_new_id(id, "batch_");
    bool ok = sql_do(sql_ask(j->db,
                             "INSERT INTO batches(id, owner, endpoint, state, input_file,"
                             " created_s, expires_s, metadata) VALUES(?, ?, ?, 0, ?, ?, ?, ?)",
                             "ttttiit", id, owner, endpoint, input_file, now_s, now_s + window_s,
                             metadata));
    return ok ? jobs_batch(j, owner, id, out, note) : sql_fail(j->db, j->path, note);
}

enum err jobs_batch_cancel(struct jobs *j, const char *owner, const char *id, int64_t now_s,
                           struct err_note *note)
{
    struct jobs_batch b;
    enum err rc = jobs_batch(j, owner, id, &b, note);
    if (rc)
        return rc;
    jobs_batch_release(&b);
    if (b.state == JOBS_CANCELLING || b.state == JOBS_CANCELLED)
        return ERR_OK;
    if (b.state >= JOBS_COMPLETED)
        return err_set(note, ERR_USAGE, "batch %.60s has ended: it is %s", id,
                       jobs_state_name(b.state));
    if (strcmp(j->reading, id) == 0)
        j->reading[0] = 0;
    /* One that ran nothing yet, or has nothing under way, ends when things are next cleaned up. */
    bool ok = sql_do(sql_ask(j->db, "UPDATE batches SET state = 2, cancelling_s = ? WHERE id = ?",
                             "it", now_s, id));
    return ok ? ERR_OK : sql_fail(j->db, j->path, note);
}

enum err jobs_batches(struct jobs *j, const char *owner, const char *after, uint32_t n_max,
                      bool *more, jobs_batch_fn *fn, void *context, struct err_note *note)
{
    sqlite3_stmt *s =
        sql_ask(j->db,
                "SELECT " BATCH_COLUMNS " FROM batches WHERE owner = ?1 AND"
                " (?2 = '' OR n < (SELECT n FROM batches WHERE id = ?2 AND owner = ?1))"
                " ORDER BY n DESC LIMIT ?3",
                "tti", owner, after, (int64_t)n_max + 1);
    uint32_t n = 0;
    int rc = SQLITE_ERROR;
    while (s && (rc = sqlite3_step(s)) == SQLITE_ROW && n < n_max) {
        struct jobs_batch b;
        read_batch_row(s, &b);
        fn(context, &b);
        jobs_batch_release(&b);
        n++;
    }
    *more = rc == SQLITE_ROW;
    sqlite3_finalize(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : sql_fail(j->db, j->path, note);
}
