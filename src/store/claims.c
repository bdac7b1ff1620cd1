/* claims.c - the tables, their bounds, and moving from one to the next. */
#include "store/claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/sql.h"

struct claims {
    sqlite3 *db;
    char path[1024];
    struct claims_limits limits;
};

static const char schema[] =
    "PRAGMA synchronous = NORMAL;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS jobs("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT, phase INTEGER, ended_s INTEGER);"
    "CREATE TABLE IF NOT EXISTS walks("
    " job INTEGER, grp INTEGER, n_groups INTEGER, next INTEGER,"
    " PRIMARY KEY(job, grp, n_groups)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS claims("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER, n INTEGER, body BLOB);"
    "CREATE INDEX IF NOT EXISTS claims_job ON claims(job, id);"
    "CREATE TABLE IF NOT EXISTS checks("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER, n INTEGER, body TEXT);"
    "CREATE INDEX IF NOT EXISTS checks_job ON checks(job, id);"
    "CREATE TABLE IF NOT EXISTS results("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER, n INTEGER, body TEXT);"
    "CREATE INDEX IF NOT EXISTS results_job ON results(job, id);"
    "COMMIT;";

enum err claims_open(const char *path, const struct claims_limits *limits, struct claims **out,
                     struct err_note *note)
{
    *out = NULL;
    struct claims *c = mem_zalloc(sizeof *c);
    if (!c)
        return err_set(note, ERR_MEMORY, "%s: out of memory", path);
    c->limits = *limits;
    snprintf(c->path, sizeof c->path, "%s", path);
    enum err rc = sql_open(path, schema, &c->db, note);
    if (rc)
        mem_free(c);
    else
        *out = c;
    return rc;
}

void claims_close(struct claims *c)
{
    if (!c)
        return;
    sqlite3_close(c->db);
    mem_free(c);
}

static enum err done(struct claims *c, bool ok, struct err_note *note)
{
    return ok ? ERR_OK : sql_fail(c->db, c->path, note);
}

/* Ends a transaction. */
static enum err settle(struct claims *c, bool ok, struct err_note *note)
{
    return done(c, ok && sql_commit(c->db), note);
}

/* ---- jobs --------------------------------------------------------------------------------- */

static bool end_current(struct claims *c, int64_t now_s, struct claims_lost *lost)
{
    bool ok;
    lost->n_checks = (uint64_t)sql_number(
        sql_ask(c->db, "SELECT ifnull(sum(n), 0) FROM checks", ""), &ok);
    return ok && sql_do(sql_ask(c->db, "DELETE FROM checks", "")) &&
           sql_do(sql_ask(c->db, "UPDATE jobs SET ended_s = ? WHERE ended_s IS NULL", "i",
                          now_s)) &&
           sql_do(sql_ask(c->db, "DELETE FROM walks", ""));
}

enum err claims_begin(struct claims *c, struct str request, int phase, int64_t now_s, int64_t *job,
                      struct claims_lost *lost, struct err_note *note)
{
    *lost = (struct claims_lost){0};
    bool ok = sql_begin(c->db) && end_current(c, now_s, lost) &&
              sql_do(sql_ask(c->db, "INSERT INTO jobs(request, phase) VALUES(?, ?)", "si", &request,
                           (int64_t)phase));
    *job = sqlite3_last_insert_rowid(c->db);
    return settle(c, ok, note);
}

enum err claims_end(struct claims *c, int64_t now_s, struct claims_lost *lost,
                    struct err_note *note)
{
    *lost = (struct claims_lost){0};
    return settle(c, sql_begin(c->db) && end_current(c, now_s, lost), note);
}

/* The columns id, body[, number] of one row; *id 0: no row. */
static enum err one_row(struct claims *c, sqlite3_stmt *s, int64_t *id, struct buf *body,
                        int *number, struct err_note *note)
{
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    *id = 0;
    if (rc == SQLITE_ROW) {
        *id = sqlite3_column_int64(s, 0);
        buf_add(body, sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1));
        if (number)
            *number = sqlite3_column_int(s, 2);
    }
    sqlite3_finalize(s);
    if (body->failed)
        return err_set(note, ERR_MEMORY, "%s: no memory for what it holds", c->path);
    return done(c, rc == SQLITE_ROW || rc == SQLITE_DONE, note);
}

enum err claims_current(struct claims *c, int64_t *job, int *phase, struct buf *request,
                        struct err_note *note)
{
    return one_row(c,
                   sql_ask(c->db,
                          "SELECT id, request, phase FROM jobs WHERE ended_s IS NULL"
                          " ORDER BY id DESC LIMIT 1",
                          ""),
                   job, request, phase, note);
}

enum err claims_set_phase(struct claims *c, int64_t job, int phase, struct err_note *note)
{
    return done(c,
                sql_do(sql_ask(c->db, "UPDATE jobs SET phase = ? WHERE id = ?", "ii",
                             (int64_t)phase, job)),
                note);
}

enum err claims_request(struct claims *c, int64_t job, struct buf *request, struct err_note *note)
{
    int64_t id;
    enum err rc = one_row(c, sql_ask(c->db, "SELECT id, request FROM jobs WHERE id = ?", "i", job),
                          &id, request, NULL, note);
    return rc || id ? rc : err_set(note, ERR_NOT_FOUND, "%s: no job %" PRId64, c->path, job);
}

enum err claims_forget(struct claims *c, int64_t ended_before_s, struct claims_lost *lost,
                       struct err_note *note)
{
#define OLD " WHERE job IN (SELECT id FROM jobs WHERE ended_s < ?)"
    bool ok = sql_begin(c->db), summed = false;
    *lost = (struct claims_lost){0};
    if (ok)
        lost->n_claims = (uint64_t)sql_number(
            sql_ask(c->db, "SELECT ifnull(sum(n), 0) FROM claims" OLD, "i", ended_before_s),
            &summed);
    if (ok && summed)
        lost->n_results = (uint64_t)sql_number(
            sql_ask(c->db, "SELECT ifnull(sum(n), 0) FROM results" OLD, "i", ended_before_s),
            &summed);
    ok = ok && summed &&
         sql_do(sql_ask(c->db, "DELETE FROM claims" OLD, "i", ended_before_s)) &&
         sql_do(sql_ask(c->db, "DELETE FROM results" OLD, "i", ended_before_s)) &&
         sql_do(sql_ask(c->db, "DELETE FROM jobs WHERE ended_s < ?", "i", ended_before_s));
    return settle(c, ok, note);
#undef OLD
}

/* ---- bounds ------------------------------------------------------------------------------- */

static uint64_t sum_of(struct claims *c, const char *sql, bool *ok)
{
    return *ok ? (uint64_t)sql_number(sql_ask(c->db, sql, ""), ok) : 0;
}

/* Drops the oldest rows of claims or results until at most n_max nonces wait. */
static bool drop_oldest(struct claims *c, bool of_claims, uint64_t n_max, uint64_t *n_lost)
{
    bool ok = true;
    uint64_t n = sum_of(c, of_claims ? "SELECT ifnull(sum(n), 0) FROM claims"
                                     : "SELECT ifnull(sum(n), 0) FROM results", &ok);
    while (ok && n > n_max) {
        uint64_t first = sum_of(c, of_claims ? "SELECT n FROM claims ORDER BY id LIMIT 1"
                                             : "SELECT n FROM results ORDER BY id LIMIT 1", &ok);
        ok = ok && sql_do(sql_ask(c->db, of_claims ? "DELETE FROM claims WHERE id ="
                                                    " (SELECT min(id) FROM claims)"
                                                  : "DELETE FROM results WHERE id ="
                                                    " (SELECT min(id) FROM results)", ""));
        n -= first;
        *n_lost += first;
    }
    return ok;
}

enum err claims_count(struct claims *c, struct claims_counts *counts, struct err_note *note)
{
    bool ok = true;
    counts->n_claims = sum_of(c, "SELECT ifnull(sum(n), 0) FROM claims", &ok);
    counts->n_checks = sum_of(c, "SELECT ifnull(sum(n), 0) FROM checks", &ok);
    counts->n_results = sum_of(c, "SELECT ifnull(sum(n), 0) FROM results", &ok);
    return done(c, ok, note);
}

/* ---- generated, checked ------------------------------------------------------------------- */

enum err claims_walk(struct claims *c, int64_t job, int64_t group, int64_t n_groups,
                     uint64_t *next, struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(c->db,
                             "SELECT next FROM walks WHERE job = ? AND grp = ? AND n_groups = ?",
                             "iii", job, group, n_groups);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        *next = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return done(c, rc == SQLITE_ROW || rc == SQLITE_DONE, note);
}

enum err claims_add(struct claims *c, int64_t job, int64_t group, int64_t n_groups, uint64_t next,
                    struct str bytes, uint64_t n, struct claims_lost *lost, struct err_note *note)
{
    *lost = (struct claims_lost){0};
    bool ok = sql_begin(c->db) &&
              sql_do(sql_ask(c->db,
                           "INSERT OR REPLACE INTO walks(job, grp, n_groups, next)"
                           " VALUES(?, ?, ?, ?)",
                           "iiii", job, group, n_groups, (int64_t)next));
    if (n > 0)
        ok = ok &&
             sql_do(sql_ask(c->db, "INSERT INTO claims(job, n, body) VALUES(?, ?, ?)", "iib", job,
                          (int64_t)n, &bytes)) &&
             drop_oldest(c, true, c->limits.n_claims_max, &lost->n_claims);
    return settle(c, ok, note);
}

enum err claims_add_check(struct claims *c, int64_t job, struct str body, uint64_t n,
                          struct err_note *note)
{
    bool ok = true;
    uint64_t n_there = sum_of(c, "SELECT ifnull(sum(n), 0) FROM checks", &ok);
    if (ok && (n > c->limits.n_checks_max || n_there > c->limits.n_checks_max - n))
        return err_set(note, ERR_BUSY, "%" PRIu64 " nonces wait to be validated; with these %"
                       PRIu64 " they are over %" PRIu64, n_there, n, c->limits.n_checks_max);
    ok = ok && sql_do(sql_ask(c->db, "INSERT INTO checks(job, n, body) VALUES(?, ?, ?)", "iis", job,
                            (int64_t)n, &body));
    return done(c, ok, note);
}

enum err claims_next_check(struct claims *c, int64_t job, int64_t after, int64_t *id,
                           struct buf *body, struct err_note *note)
{
    return one_row(c,
                   sql_ask(c->db,
                          "SELECT id, body FROM checks WHERE job = ? AND id > ? ORDER BY id"
                          " LIMIT 1",
                          "ii", job, after),
                   id, body, NULL, note);
}

enum err claims_checked(struct claims *c, int64_t id, struct str result, struct claims_lost *lost,
                        struct err_note *note)
{
    *lost = (struct claims_lost){0};
    bool ok = sql_begin(c->db) &&
              sql_do(sql_ask(c->db,
                           "INSERT INTO results(job, n, body)"
                           " SELECT job, n, ? FROM checks WHERE id = ?",
                           "si", &result, id)) &&
              sql_do(sql_ask(c->db, "DELETE FROM checks WHERE id = ?", "i", id)) &&
              drop_oldest(c, false, c->limits.n_results_max, &lost->n_results);
    return settle(c, ok, note);
}

/* ---- sent --------------------------------------------------------------------------------- */

enum err claims_owing(struct claims *c, int64_t *jobs, size_t n_max, size_t *n,
                      struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(c->db,
                             "SELECT id FROM jobs WHERE id IN (SELECT job FROM claims) OR"
                             " id IN (SELECT job FROM results) ORDER BY id DESC LIMIT ?",
                             "i", (int64_t)n_max);
    int rc = SQLITE_ERROR;
    *n = 0;
    while (s && (rc = sqlite3_step(s)) == SQLITE_ROW)
        jobs[(*n)++] = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return done(c, rc == SQLITE_DONE, note);
}

enum err claims_oldest(struct claims *c, int64_t job, uint64_t n_max, struct buf *bytes,
                       uint64_t *n, int64_t *last, struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(
        c->db, "SELECT id, body, n FROM claims WHERE job = ? ORDER BY id", "i", job);
    int rc = SQLITE_ERROR;
    *n = 0;
    *last = 0;
    while (s && (rc = sqlite3_step(s)) == SQLITE_ROW && *n < n_max) {
        *last = sqlite3_column_int64(s, 0);
        buf_add(bytes, sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1));
        *n += (uint64_t)sqlite3_column_int64(s, 2);
    }
    sqlite3_finalize(s);
    if (bytes->failed)
        return err_set(note, ERR_MEMORY, "%s: no memory for %" PRIu64 " claims", c->path, *n);
    return done(c, rc == SQLITE_ROW || rc == SQLITE_DONE, note);
}

enum err claims_oldest_result(struct claims *c, int64_t job, struct buf *body, int64_t *id,
                              struct err_note *note)
{
    return one_row(c,
                   sql_ask(c->db,
                          "SELECT id, body FROM results WHERE job = ? ORDER BY id LIMIT 1", "i",
                          job),
                   id, body, NULL, note);
}

enum err claims_sent(struct claims *c, int64_t job, int64_t last, struct err_note *note)
{
    return done(c,
                sql_do(sql_ask(c->db, "DELETE FROM claims WHERE job = ? AND id <= ?", "ii", job,
                             last)),
                note);
}

enum err claims_sent_result(struct claims *c, int64_t id, struct err_note *note)
{
    return done(c, sql_do(sql_ask(c->db, "DELETE FROM results WHERE id = ?", "i", id)), note);
}
