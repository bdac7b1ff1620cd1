/* jobs.c - the store's schema, its files, and opening it. */
#include "store/jobs_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/entropy.h"
#include "base/mem.h"

static const char schema[] =
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA foreign_keys = ON;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS files("
    " n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, owner TEXT, name TEXT, purpose TEXT,"
    " created_s INTEGER, n_bytes INTEGER, bytes BLOB);"
    "CREATE INDEX IF NOT EXISTS files_owner ON files(owner, n);"
    "CREATE TABLE IF NOT EXISTS batches("
    " n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, owner TEXT, endpoint TEXT,"
    " state INTEGER, input_file TEXT, output_file TEXT DEFAULT '', error_file TEXT DEFAULT '',"
    " created_s INTEGER, begun_s INTEGER DEFAULT 0, cancelling_s INTEGER DEFAULT 0,"
    " ended_s INTEGER DEFAULT 0, expires_s INTEGER, n_lines INTEGER DEFAULT 0,"
    " n_done INTEGER DEFAULT 0, n_failed INTEGER DEFAULT 0, n_waiting INTEGER DEFAULT 0,"
    " n_taken INTEGER DEFAULT 0, metadata TEXT, errors TEXT);"
    "CREATE INDEX IF NOT EXISTS batches_owner ON batches(owner, n);"
    "CREATE INDEX IF NOT EXISTS batches_state ON batches(state, owner, n);"
    "CREATE TABLE IF NOT EXISTS lines("
    " batch TEXT, i INTEGER, custom_id TEXT, body TEXT, taken INTEGER DEFAULT 0,"
    " n_tries INTEGER DEFAULT 0, ok INTEGER, answer TEXT,"
    " PRIMARY KEY(batch, i), UNIQUE(batch, custom_id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS lines_open ON lines(batch, i) WHERE taken = 0 AND ok IS NULL;"
    /* What was under way when the program ended waits again. */
    "UPDATE lines SET taken = 0 WHERE taken = 1;"
    "UPDATE batches SET n_waiting = n_waiting + n_taken, n_taken = 0 WHERE n_taken > 0;"
    "DELETE FROM lines WHERE batch IN (SELECT id FROM batches WHERE state = 0);"
    "COMMIT;";

void jobs_new_id(char out[JOBS_ID_BYTES], const char *prefix)
{
    snprintf(out, JOBS_ID_BYTES, "%s%016" PRIx64 "%08" PRIx32, prefix, entropy_u64(),
             (uint32_t)entropy_u64());
}

enum err jobs_open(const char *path, const struct jobs_limits *limits, struct jobs **out,
                   struct err_note *note)
{
    *out = NULL;
    struct jobs *j = mem_zalloc(sizeof *j);
    if (!j)
        return err_set(note, ERR_MEMORY, "%s: out of memory", path);
    j->limits = *limits;
    snprintf(j->path, sizeof j->path, "%s", path);
    buf_init(&j->input, JOBS_INPUT_BYTES_MAX);
    enum err rc = sql_open(path, schema, &j->db, note);
    if (rc)
        jobs_close(j);
    else
        *out = j;
    return rc;
}

void jobs_close(struct jobs *j)
{
    if (!j)
        return;
    sqlite3_close(j->db);
    buf_release(&j->input);
    mem_free(j);
}

/* ---- files -------------------------------------------------------------------------------- */

#define FILE_COLUMNS "id, name, purpose, created_s, n_bytes"

static void read_file_row(sqlite3_stmt *s, struct jobs_file *f)
{
    sql_text(s, 0, f->id, sizeof f->id);
    sql_text(s, 1, f->name, sizeof f->name);
    sql_text(s, 2, f->purpose, sizeof f->purpose);
    f->created_s = sqlite3_column_int64(s, 3);
    f->n_bytes = (uint64_t)sqlite3_column_int64(s, 4);
}

bool jobs_put_file(struct jobs *j, const char *owner, const struct jobs_file *f, struct str bytes)
{
    return sql_do(sql_ask(j->db,
                          "INSERT INTO files(owner, id, name, purpose, created_s, n_bytes, bytes)"
                          " VALUES(?, ?, ?, ?, ?, ?, ?)",
                          "ttttiib", owner, f->id, f->name, f->purpose, f->created_s,
                          (int64_t)bytes.len, &bytes));
}

enum err jobs_file_add(struct jobs *j, const char *owner, const char *name, const char *purpose,
                       struct str bytes, int64_t now_s, struct jobs_file *out,
                       struct err_note *note)
{
    bool ok;
    uint64_t n_there = (uint64_t)sql_number(
        sql_ask(j->db, "SELECT ifnull(sum(n_bytes), 0) FROM files WHERE owner = ?", "t", owner),
        &ok);
    if (!ok)
        return sql_fail(j->db, j->path, note);
    if (bytes.len > j->limits.n_file_bytes_max || n_there > j->limits.n_file_bytes_max - bytes.len)
        return err_set(note, ERR_LIMIT,
                       "the file has %zu bytes beside %" PRIu64 " of earlier ones; at most %" PRIu64
                       " together: delete some",
                       bytes.len, n_there, j->limits.n_file_bytes_max);
    *out = (struct jobs_file){.created_s = now_s, .n_bytes = bytes.len};
    jobs_new_id(out->id, "file-");
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->purpose, sizeof out->purpose, "%s", purpose);
    return jobs_put_file(j, owner, out, bytes) ? ERR_OK : sql_fail(j->db, j->path, note);
}

static enum err no_file(const char *id, struct err_note *note)
{
    return err_set(note, ERR_NOT_FOUND, "no file %.60s", id);
}

enum err jobs_file(struct jobs *j, const char *owner, const char *id, struct jobs_file *out,
                   struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(
        j->db, "SELECT " FILE_COLUMNS " FROM files WHERE id = ? AND owner = ?", "tt", id, owner);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        read_file_row(s, out);
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return no_file(id, note);
    return rc == SQLITE_ROW ? ERR_OK : sql_fail(j->db, j->path, note);
}

enum err jobs_file_read(struct jobs *j, const char *owner, const char *id, struct buf *out,
                        struct err_note *note)
{
    sqlite3_stmt *s =
        sql_ask(j->db, "SELECT bytes FROM files WHERE id = ? AND owner = ?", "tt", id, owner);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        buf_add(out, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return no_file(id, note);
    if (rc == SQLITE_ROW && out->failed)
        return err_set(note, ERR_MEMORY, "out of memory for file %.60s", id);
    return rc == SQLITE_ROW ? ERR_OK : sql_fail(j->db, j->path, note);
}

enum err jobs_file_delete(struct jobs *j, const char *owner, const char *id, struct err_note *note)
{
    bool ok;
    int64_t n = sql_number(
        sql_ask(j->db, "SELECT count(*) FROM batches WHERE input_file = ? AND state = 0", "t", id),
        &ok);
    if (!ok)
        return sql_fail(j->db, j->path, note);
    if (n > 0)
        return err_set(note, ERR_BUSY, "a batch reads file %.60s now; try again soon", id);
    if (!sql_do(sql_ask(j->db, "DELETE FROM files WHERE id = ? AND owner = ?", "tt", id, owner)))
        return sql_fail(j->db, j->path, note);
    return sqlite3_changes(j->db) == 0 ? no_file(id, note) : ERR_OK;
}

enum err jobs_files(struct jobs *j, const char *owner, const char *purpose, const char *after,
                    uint32_t n_max, bool *more, jobs_file_fn *fn, void *context,
                    struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(j->db,
                              "SELECT " FILE_COLUMNS
                              " FROM files WHERE owner = ?1 AND (?2 = '' OR purpose = ?2) AND"
                              " (?3 = '' OR n < (SELECT n FROM files WHERE id = ?3 AND owner = ?1))"
                              " ORDER BY n DESC LIMIT ?4",
                              "ttti", owner, purpose, after, (int64_t)n_max + 1);
    struct jobs_file f;
    uint32_t n = 0;
    int rc = SQLITE_ERROR;
    while (s && (rc = sqlite3_step(s)) == SQLITE_ROW && n < n_max) {
        read_file_row(s, &f);
        fn(context, &f);
        n++;
    }
    *more = rc == SQLITE_ROW;
    sqlite3_finalize(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : sql_fail(j->db, j->path, note);
}
