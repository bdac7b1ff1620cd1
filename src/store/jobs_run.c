/* jobs_run.c - what runs batches: reading their lines, giving them out, taking answers back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/jobs_int.h"

enum { ERRORS_SHOWN = 50 };

/* ---- reading ------------------------------------------------------------------------------ */

/* Opens the input of the oldest batch that waits to be read. false: there is none, or it failed. */
static bool begin_reading(struct jobs *j, int64_t now_s, struct err_note *note, enum err *rc)
{
    char owner[JOBS_ID_BYTES], file[JOBS_ID_BYTES];
    sqlite3_stmt *s = sql_ask(
        j->db, "SELECT id, owner, input_file FROM batches WHERE state = 0 ORDER BY n LIMIT 1", "");
    bool there = s && sqlite3_step(s) == SQLITE_ROW;
    if (there) {
        sql_text(s, 0, j->reading, sizeof j->reading);
        sql_text(s, 1, owner, sizeof owner);
        sql_text(s, 2, file, sizeof file);
    }
    sqlite3_finalize(s);
    if (!there)
        return false;
    buf_clear(&j->input);
    j->at = 0;
    j->i_line = 0;
    *rc = jobs_file_read(j, owner, file, &j->input, note);
    if (*rc == ERR_NOT_FOUND) { /* its file was deleted before it was read */
        bool ok = sql_do(sql_ask(
            j->db, "UPDATE batches SET state = 4, ended_s = ?, errors = ? WHERE id = ?", "itt",
            now_s,
            "[{\"code\":\"file_not_found\",\"message\":\"the input file is gone\",\"line\":null,"
            "\"param\":\"input_file_id\"}]",
            j->reading));
        j->reading[0] = 0;
        *rc = ok ? ERR_OK : sql_fail(j->db, j->path, note);
        return false;
    }
    if (*rc)
        j->reading[0] = 0;
    return *rc == ERR_OK;
}

/* The next line of the input that is not blank. */
static bool next_line(struct jobs *j, struct str *line)
{
    while (j->at < j->input.n_bytes) {
        const char *from = j->input.bytes + j->at;
        const char *end = memchr(from, '\n', j->input.n_bytes - j->at);
        size_t n = end ? (size_t)(end - from) : j->input.n_bytes - j->at;
        j->at += n + (end != NULL);
        j->i_line++;
        while (n > 0 && (from[n - 1] == '\r' || from[n - 1] == ' '))
            n--;
        *line = (struct str){from, n};
        if (n > 0)
            return true;
    }
    return false;
}

/* Adds to the batch's list of errors, a JSON array that is begun here. code and message are ours or
 * have been escaped. */
static bool add_error(struct jobs *j, int64_t i_line, const char *code, const char *message)
{
    return sql_do(sql_ask(
        j->db,
        "UPDATE batches SET errors = CASE WHEN json_array_length(ifnull(errors, '[]')) < ?4 THEN"
        " json_insert(ifnull(errors, '[]'), '$[#]',"
        " json_object('code', ?1, 'message', ?2, 'line', ?3, 'param', NULL)) ELSE errors END"
        " WHERE id = ?5",
        "ttiit", code, message, i_line, (int64_t)ERRORS_SHOWN, j->reading));
}

static bool add_line(struct jobs *j, jobs_read_fn *read, void *context, struct str endpoint,
                     struct str line)
{
    struct jobs_reading r = {.code = ""};
    bool ok = true;
    buf_init(&r.custom_id, JOBS_CUSTOM_ID_BYTES_MAX);
    buf_init(&r.body, JOBS_LINE_BYTES_MAX);
    read(context, endpoint, line, &r);
    if (!r.code[0] && (r.custom_id.failed || r.body.failed)) {
        snprintf(r.code, sizeof r.code, "line_too_long");
        snprintf(r.message, sizeof r.message, "a line has at most %d bytes, its custom_id %d",
                 JOBS_LINE_BYTES_MAX, JOBS_CUSTOM_ID_BYTES_MAX);
    }
    if (!r.code[0]) {
        struct str id = {r.custom_id.bytes, r.custom_id.n_bytes};
        struct str body = {r.body.bytes, r.body.n_bytes};
        ok = sql_do(sql_ask(j->db,
                            "INSERT INTO lines(batch, i, custom_id, body) VALUES(?, ?, ?, ?)"
                            " ON CONFLICT DO NOTHING",
                            "tiss", j->reading, j->i_line, &id, &body));
        if (ok && sqlite3_changes(j->db) == 0) {
            snprintf(r.code, sizeof r.code, "duplicate_custom_id");
            snprintf(r.message, sizeof r.message, "an earlier line has this custom_id: %.100s",
                     id.ptr);
        }
    }
    if (ok && r.code[0])
        ok = add_error(j, j->i_line, r.code, r.message);
    buf_release(&r.custom_id);
    buf_release(&r.body);
    return ok;
}

/* All lines are read: the batch may run, unless something was wrong with one of them. */
static bool end_reading(struct jobs *j, int64_t now_s)
{
    bool ok;
    int64_t n_lines = sql_number(
        sql_ask(j->db, "SELECT count(*) FROM lines WHERE batch = ?", "t", j->reading), &ok);
    int64_t n_open = !ok ? 0
                         : sql_number(sql_ask(j->db,
                                              "SELECT ifnull(sum(n_waiting + n_taken), 0) FROM"
                                              " batches WHERE owner ="
                                              " (SELECT owner FROM batches WHERE id = ?)",
                                              "t", j->reading),
                                      &ok);
    char text[160];
    if (ok && n_lines == 0)
        ok = add_error(j, 0, "empty_file", "the input file has no good line");
    snprintf(text, sizeof text,
             "%" PRId64 " lines beside %" PRId64 " that wait in other batches; at most %" PRIu64,
             n_lines, n_open, j->limits.n_lines_max);
    if (ok && (uint64_t)n_lines + (uint64_t)n_open > j->limits.n_lines_max)
        ok = add_error(j, 0, "token_limit_exceeded", text);
    ok = ok && sql_do(sql_ask(j->db,
                              "UPDATE batches SET"
                              " state = CASE WHEN errors IS NULL THEN 1 ELSE 4 END,"
                              " n_lines = ?1, n_waiting = iif(errors IS NULL, ?1, 0),"
                              " begun_s = iif(errors IS NULL, ?2, 0),"
                              " ended_s = iif(errors IS NULL, 0, ?2) WHERE id = ?3",
                              "iit", n_lines, now_s, j->reading));
    ok = ok && sql_do(sql_ask(j->db,
                              "DELETE FROM lines WHERE batch ="
                              " (SELECT id FROM batches WHERE id = ? AND state = 4)",
                              "t", j->reading));
    j->reading[0] = 0;
    buf_clear(&j->input);
    return ok;
}

enum err jobs_validate(struct jobs *j, size_t n_lines, jobs_read_fn *read, void *context,
                       int64_t now_s, bool *more, struct err_note *note)
{
    enum err rc = ERR_OK;
    char endpoint[64] = "";
    struct str line;
    bool ok, ended = false;
    *more = false;
    if (!j->reading[0] && !begin_reading(j, now_s, note, &rc))
        return rc;
    ok = sql_begin(j->db);
    sqlite3_stmt *s =
        ok ? sql_ask(j->db, "SELECT endpoint FROM batches WHERE id = ?", "t", j->reading) : NULL;
    if (s && sqlite3_step(s) == SQLITE_ROW)
        sql_text(s, 0, endpoint, sizeof endpoint);
    sqlite3_finalize(s);
    for (size_t i = 0; ok && i < n_lines && !ended; i++) {
        ended = !next_line(j, &line);
        if (!ended)
            ok = add_line(j, read, context, str_from(endpoint), line);
    }
    if (ok && ended)
        ok = end_reading(j, now_s);
    ok = ok && sql_commit(j->db);
    if (!ok) { /* it is read anew, from its beginning */
        rc = sql_fail(j->db, j->path, note);
        sql_do(sql_ask(j->db, "DELETE FROM lines WHERE batch = ?", "t", j->reading));
        j->reading[0] = 0;
        return rc;
    }
    *more = true;
    return ERR_OK;
}

/* ---- giving out --------------------------------------------------------------------------- */

/* The owner after the last one that has a line waiting; "" and false: nobody has. */
static bool next_owner(struct jobs *j, char owner[JOBS_ID_BYTES])
{
    static const char sql[] = "SELECT owner FROM batches WHERE state = 1 AND n_waiting > 0 AND"
                              " owner > ? ORDER BY owner LIMIT 1";
    for (int round = 0; round < 2; round++) {
        /* "" is an owner, too: the second round begins before it. */
        sqlite3_stmt *s =
            round == 0 ? sql_ask(j->db, sql, "t", j->last_owner)
                       : sql_ask(j->db,
                                 "SELECT owner FROM batches WHERE state = 1 AND n_waiting > 0"
                                 " ORDER BY owner LIMIT 1",
                                 "");
        bool there = s && sqlite3_step(s) == SQLITE_ROW;
        if (there)
            sql_text(s, 0, owner, JOBS_ID_BYTES);
        sqlite3_finalize(s);
        if (there)
            return true;
    }
    return false;
}

static bool take_line(struct jobs *j, const char *owner, struct jobs_line *out)
{
    sqlite3_stmt *s = sql_ask(
        j->db,
        "UPDATE lines SET taken = 1 WHERE (batch, i) ="
        " (SELECT l.batch, l.i FROM batches b JOIN lines l ON l.batch = b.id"
        "  WHERE b.state = 1 AND b.owner = ? AND b.n_waiting > 0 AND l.taken = 0 AND l.ok IS NULL"
        "  ORDER BY b.n, l.i LIMIT 1) RETURNING batch, i, n_tries, body",
        "t", owner);
    bool there = s && sqlite3_step(s) == SQLITE_ROW;
    if (there) {
        sql_text(s, 0, out->batch, sizeof out->batch);
        out->i = sqlite3_column_int64(s, 1);
        out->n_tries = (unsigned)sqlite3_column_int(s, 2);
        out->body = mem_strndup((const char *)sqlite3_column_text(s, 3),
                                (size_t)sqlite3_column_bytes(s, 3));
        snprintf(out->owner, sizeof out->owner, "%s", owner);
    }
    return sql_do(s) && there && out->body;
}

bool jobs_next(struct jobs *j, struct jobs_line *out, struct err_note *note)
{
    char owner[JOBS_ID_BYTES];
    *out = (struct jobs_line){0};
    note->text[0] = 0;
    if (!next_owner(j, owner))
        return false;
    bool ok = sql_begin(j->db) && take_line(j, owner, out) &&
              sql_do(sql_ask(j->db,
                             "UPDATE batches SET n_waiting = n_waiting - 1,"
                             " n_taken = n_taken + 1 WHERE id = ?",
                             "t", out->batch));
    sqlite3_stmt *s =
        ok ? sql_ask(j->db, "SELECT endpoint FROM batches WHERE id = ?", "t", out->batch) : NULL;
    ok = ok && s && sqlite3_step(s) == SQLITE_ROW;
    if (ok)
        sql_text(s, 0, out->endpoint, sizeof out->endpoint);
    ok = sql_do(s) && ok && sql_commit(j->db);
    if (!ok) {
        sql_fail(j->db, j->path, note);
        mem_free(out->body);
        out->body = NULL;
        return false;
    }
    memcpy(j->last_owner, owner, sizeof owner);
    return true;
}

/* ---- taking back -------------------------------------------------------------------------- */

/* The answers of one kind, a line each, become a file; none becomes none. */
static bool write_answers(struct jobs *j, const char *batch, bool ok, int64_t now_s)
{
    struct buf text;
    char owner[JOBS_ID_BYTES] = "";
    buf_init(&text, JOBS_INPUT_BYTES_MAX);
    sqlite3_stmt *s =
        sql_ask(j->db,
                "SELECT l.answer, b.owner FROM lines l JOIN batches b ON b.id = l.batch"
                " WHERE l.batch = ? AND l.ok = ? ORDER BY l.i",
                "ti", batch, (int64_t)ok);
    while (s && sqlite3_step(s) == SQLITE_ROW) {
        buf_add(&text, sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        buf_char(&text, '\n');
        sql_text(s, 1, owner, sizeof owner);
    }
    bool good = sqlite3_finalize(s) == SQLITE_OK && !text.failed;
    if (good && text.n_bytes > 0) {
        struct jobs_file f = {.purpose = "batch_output", .created_s = now_s};
        jobs_new_id(f.id, "file-");
        snprintf(f.name, sizeof f.name, "%s_%s.jsonl", batch, ok ? "output" : "error");
        good = jobs_put_file(j, owner, &f, (struct str){text.bytes, text.n_bytes}) &&
               sql_do(sql_ask(j->db,
                              ok ? "UPDATE batches SET output_file = ? WHERE id = ?"
                                 : "UPDATE batches SET error_file = ? WHERE id = ?",
                              "tt", f.id, batch));
    }
    buf_release(&text);
    return good;
}

/* The batch has nothing under way and nothing more to run. */
static bool end_batch(struct jobs *j, const char *batch, enum jobs_state state, int64_t now_s)
{
    return write_answers(j, batch, true, now_s) && write_answers(j, batch, false, now_s) &&
           sql_do(sql_ask(j->db,
                          "UPDATE batches SET state = ?, ended_s = ?, n_waiting = 0 WHERE id = ?",
                          "iit", (int64_t)state, now_s, batch)) &&
           sql_do(sql_ask(j->db, "DELETE FROM lines WHERE batch = ?", "t", batch));
}

/* Ends it if its last line has come back. */
static bool end_if_done(struct jobs *j, const char *batch, int64_t now_s)
{
    sqlite3_stmt *s =
        sql_ask(j->db, "SELECT state, n_waiting, n_taken FROM batches WHERE id = ?", "t", batch);
    bool there = s && sqlite3_step(s) == SQLITE_ROW;
    int state = there ? sqlite3_column_int(s, 0) : 0;
    int64_t n_waiting = there ? sqlite3_column_int64(s, 1) : 0;
    int64_t n_taken = there ? sqlite3_column_int64(s, 2) : 0;
    if (sqlite3_finalize(s) != SQLITE_OK || !there)
        return false;
    if (n_taken > 0)
        return true;
    if (state == JOBS_CANCELLING)
        return end_batch(j, batch, JOBS_CANCELLED, now_s);
    return state != JOBS_IN_PROGRESS || n_waiting > 0 || end_batch(j, batch, JOBS_COMPLETED, now_s);
}

enum err jobs_done(struct jobs *j, const struct jobs_line *line, bool good, struct str answer,
                   int64_t now_s, struct err_note *note)
{
    /* The line's own names are put in here, where they are known. */
    bool ok =
        sql_begin(j->db) && sql_do(sql_ask(j->db,
                                           "UPDATE lines SET taken = 0, ok = ?1, body = NULL,"
                                           " answer = json_insert(?2, '$.custom_id', custom_id)"
                                           " WHERE batch = ?3 AND i = ?4 AND taken = 1",
                                           "isti", (int64_t)good, &answer, line->batch, line->i));
    bool took = ok && sqlite3_changes(j->db) == 1;
    if (took)
        ok = sql_do(sql_ask(j->db,
                            "UPDATE batches SET n_taken = n_taken - 1, n_done = n_done + ?1,"
                            " n_failed = n_failed + 1 - ?1 WHERE id = ?2",
                            "it", (int64_t)good, line->batch)) &&
             end_if_done(j, line->batch, now_s);
    ok = ok && sql_commit(j->db);
    return ok ? ERR_OK : sql_fail(j->db, j->path, note);
}

enum err jobs_again(struct jobs *j, const struct jobs_line *line, bool failed,
                    struct err_note *note)
{
    bool ok = sql_begin(j->db) && sql_do(sql_ask(j->db,
                                                 "UPDATE lines SET taken = 0, n_tries = n_tries + ?"
                                                 " WHERE batch = ? AND i = ? AND taken = 1",
                                                 "iti", (int64_t)failed, line->batch, line->i));
    if (ok && sqlite3_changes(j->db) == 1)
        ok = sql_do(sql_ask(j->db,
                            "UPDATE batches SET n_waiting = n_waiting + 1, n_taken = n_taken - 1"
                            " WHERE id = ?",
                            "t", line->batch));
    ok = ok && sql_commit(j->db);
    return ok ? ERR_OK : sql_fail(j->db, j->path, note);
}

/* A batch past its time: what did not run is answered with that. */
static bool expire(struct jobs *j, const char *batch, int64_t now_s)
{
    bool ok = sql_do(sql_ask(
        j->db,
        "UPDATE lines SET ok = 0, body = NULL, taken = 0, answer = json_object('id', batch || '-'"
        " || i, 'response', NULL, 'error', json_object('code', 'batch_expired', 'message',"
        " 'the batch ran out of time before this line'), 'custom_id', custom_id)"
        " WHERE batch = ? AND ok IS NULL",
        "t", batch));
    int64_t n = sqlite3_changes64(j->db);
    return ok &&
           sql_do(sql_ask(j->db,
                          "UPDATE batches SET n_failed = n_failed + ?, n_taken = 0 WHERE id = ?",
                          "it", n, batch)) &&
           end_batch(j, batch, JOBS_EXPIRED, now_s);
}

/* The first batch that the condition is true of; false: none. */
static bool find_batch(struct jobs *j, const char *sql, int64_t now_s, char id[JOBS_ID_BYTES])
{
    sqlite3_stmt *s = sql_ask(j->db, sql, "i", now_s);
    bool there = s && sqlite3_step(s) == SQLITE_ROW;
    if (there)
        sql_text(s, 0, id, JOBS_ID_BYTES);
    sqlite3_finalize(s);
    return there;
}

enum err jobs_clean(struct jobs *j, int64_t now_s, struct err_note *note)
{
    char id[JOBS_ID_BYTES];
    bool ok = sql_begin(j->db);
    while (ok && find_batch(j,
                            "SELECT id FROM batches WHERE state IN (0, 1) AND expires_s <= ?"
                            " LIMIT 1",
                            now_s, id)) {
        if (strcmp(j->reading, id) == 0)
            j->reading[0] = 0;
        ok = expire(j, id, now_s);
    }
    while (ok && find_batch(j,
                            "SELECT id FROM batches WHERE state = 2 AND n_taken = 0 AND ? > 0"
                            " LIMIT 1",
                            now_s, id))
        ok = end_batch(j, id, JOBS_CANCELLED, now_s);
    if (ok && j->limits.file_s_max > 0)
        ok = sql_do(sql_ask(j->db,
                            "DELETE FROM files WHERE created_s < ? AND id NOT IN"
                            " (SELECT input_file FROM batches WHERE state = 0)",
                            "i", now_s - j->limits.file_s_max));
    ok = ok && sql_commit(j->db);
    return ok ? ERR_OK : sql_fail(j->db, j->path, note);
}
