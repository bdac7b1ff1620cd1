/* jobs.c - the store's schema, its files, and opening it.
 *
 * The journal is a write-ahead log that one connection holds exclusively. */
#include "store/jobs_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/entropy.h"
#include "base/mem.h"

static const char schema[] =
    "PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA journal_mode = WAL;"
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

enum err jobs_fail(struct jobs *j, struct err_note *note)
{
    int rc = sqlite3_errcode(j->db);
    char text[256];
    snprintf(text, sizeof text, "%s", sqlite3_errmsg(j->db));
    if (!sqlite3_get_autocommit(j->db))
        sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
    if (rc == SQLITE_FULL)
        return err_set(note, ERR_IO, "%s: the disk is full", j->path);
    return err_set(note, rc == SQLITE_NOMEM ? ERR_MEMORY : ERR_IO, "%s: %s", j->path, text);
}

bool jobs_begin(struct jobs *j)
{
    return sqlite3_exec(j->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
}

bool jobs_commit(struct jobs *j)
{
    return sqlite3_exec(j->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

sqlite3_stmt *jobs_ask(struct jobs *j, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s;
    va_list arguments;
    if (sqlite3_prepare_v2(j->db, sql, -1, &s, NULL) != SQLITE_OK)
        return NULL;
    va_start(arguments, types);
    for (int i = 0; types[i]; i++) {
        if (types[i] == 'i') {
            sqlite3_bind_int64(s, i + 1, va_arg(arguments, int64_t));
        } else if (types[i] == 't') {
            sqlite3_bind_text(s, i + 1, va_arg(arguments, const char *), -1, SQLITE_STATIC);
        } else {
            const struct str *text = va_arg(arguments, const struct str *);
            if (types[i] == 'b')
                sqlite3_bind_blob64(s, i + 1, text->ptr, text->len, SQLITE_STATIC);
            else
                sqlite3_bind_text64(s, i + 1, text->ptr, text->len, SQLITE_STATIC, SQLITE_UTF8);
        }
    }
    va_end(arguments);
    return s;
}

bool jobs_do(sqlite3_stmt *s)
{
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    bool ok = rc == SQLITE_DONE || rc == SQLITE_ROW;
    return sqlite3_finalize(s) == SQLITE_OK && ok;
}

int64_t jobs_number(sqlite3_stmt *s, bool *ok)
{
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    int64_t n = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    *ok = rc == SQLITE_ROW || rc == SQLITE_DONE;
    sqlite3_finalize(s);
    return n;
}

void jobs_text(sqlite3_stmt *s, int column, char *out, size_t n_out)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    snprintf(out, n_out, "%s", text ? (const char *)text : "");
}

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
    int rc = sqlite3_open_v2(path, &j->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                             NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(j->db, schema, NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        *out = j;
        return ERR_OK;
    }
    enum err err = rc == SQLITE_BUSY
                       ? err_set(note, ERR_BUSY, "%s: another isobit serve has it", path)
                       : jobs_fail(j, note);
    jobs_close(j);
    return err;
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
    jobs_text(s, 0, f->id, sizeof f->id);
    jobs_text(s, 1, f->name, sizeof f->name);
    jobs_text(s, 2, f->purpose, sizeof f->purpose);
    f->created_s = sqlite3_column_int64(s, 3);
    f->n_bytes = (uint64_t)sqlite3_column_int64(s, 4);
}

bool jobs_put_file(struct jobs *j, const char *owner, const struct jobs_file *f, struct str bytes)
{
    return jobs_do(jobs_ask(j,
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
    uint64_t n_there = (uint64_t)jobs_number(
        jobs_ask(j, "SELECT ifnull(sum(n_bytes), 0) FROM files WHERE owner = ?", "t", owner), &ok);
    if (!ok)
        return jobs_fail(j, note);
    if (bytes.len > j->limits.n_file_bytes_max || n_there > j->limits.n_file_bytes_max - bytes.len)
        return err_set(note, ERR_LIMIT,
                       "the file has %zu bytes beside %" PRIu64 " of earlier ones; at most %" PRIu64
                       " together: delete some",
                       bytes.len, n_there, j->limits.n_file_bytes_max);
    *out = (struct jobs_file){.created_s = now_s, .n_bytes = bytes.len};
    jobs_new_id(out->id, "file-");
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->purpose, sizeof out->purpose, "%s", purpose);
    return jobs_put_file(j, owner, out, bytes) ? ERR_OK : jobs_fail(j, note);
}

static enum err no_file(const char *id, struct err_note *note)
{
    return err_set(note, ERR_NOT_FOUND, "no file %.60s", id);
}

enum err jobs_file(struct jobs *j, const char *owner, const char *id, struct jobs_file *out,
                   struct err_note *note)
{
    sqlite3_stmt *s = jobs_ask(
        j, "SELECT " FILE_COLUMNS " FROM files WHERE id = ? AND owner = ?", "tt", id, owner);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        read_file_row(s, out);
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return no_file(id, note);
    return rc == SQLITE_ROW ? ERR_OK : jobs_fail(j, note);
}

enum err jobs_file_read(struct jobs *j, const char *owner, const char *id, struct buf *out,
                        struct err_note *note)
{
    sqlite3_stmt *s =
        jobs_ask(j, "SELECT bytes FROM files WHERE id = ? AND owner = ?", "tt", id, owner);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        buf_add(out, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return no_file(id, note);
    if (rc == SQLITE_ROW && out->failed)
        return err_set(note, ERR_MEMORY, "out of memory for file %.60s", id);
    return rc == SQLITE_ROW ? ERR_OK : jobs_fail(j, note);
}

enum err jobs_file_delete(struct jobs *j, const char *owner, const char *id, struct err_note *note)
{
    bool ok;
    int64_t n = jobs_number(
        jobs_ask(j, "SELECT count(*) FROM batches WHERE input_file = ? AND state = 0", "t", id),
        &ok);
    if (!ok)
        return jobs_fail(j, note);
    if (n > 0)
        return err_set(note, ERR_BUSY, "a batch reads file %.60s now; try again soon", id);
    if (!jobs_do(jobs_ask(j, "DELETE FROM files WHERE id = ? AND owner = ?", "tt", id, owner)))
        return jobs_fail(j, note);
    return sqlite3_changes(j->db) == 0 ? no_file(id, note) : ERR_OK;
}

enum err jobs_files(struct jobs *j, const char *owner, const char *purpose, const char *after,
                    uint32_t n_max, bool *more, jobs_file_fn *fn, void *context,
                    struct err_note *note)
{
    sqlite3_stmt *s = jobs_ask(
        j,
        "SELECT " FILE_COLUMNS " FROM files WHERE owner = ?1 AND (?2 = '' OR purpose = ?2) AND"
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
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : jobs_fail(j, note);
}
