/* sql.c - over SQLite's own functions. */
#include "store/sql.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

enum err sql_open(const char *path, const char *begin, sqlite3 **db, struct err_note *note)
{
    int rc = sqlite3_open_v2(
        path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;", NULL,
                          NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*db, begin, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return ERR_OK;
    enum err err = rc == SQLITE_BUSY
                       ? err_set(note, ERR_BUSY, "%s: another isobit has it", path)
                       : sql_fail(*db, path, note);
    sqlite3_close(*db);
    *db = NULL;
    return err;
}

enum err sql_fail(sqlite3 *db, const char *path, struct err_note *note)
{
    int rc = sqlite3_errcode(db);
    char text[256];
    snprintf(text, sizeof text, "%s", sqlite3_errmsg(db));
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    if (rc == SQLITE_FULL)
        return err_set(note, ERR_IO, "%s: the disk is full", path);
    return err_set(note, rc == SQLITE_NOMEM ? ERR_MEMORY : ERR_IO, "%s: %s", path, text);
}

bool sql_begin(sqlite3 *db)
{
    return sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
}

bool sql_commit(sqlite3 *db)
{
    return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

sqlite3_stmt *sql_ask(sqlite3 *db, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s;
    va_list arguments;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
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

bool sql_do(sqlite3_stmt *s)
{
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    bool ok = rc == SQLITE_DONE || rc == SQLITE_ROW;
    return sqlite3_finalize(s) == SQLITE_OK && ok;
}

int64_t sql_number(sqlite3_stmt *s, bool *ok)
{
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    int64_t n = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    *ok = rc == SQLITE_ROW || rc == SQLITE_DONE;
    sqlite3_finalize(s);
    return n;
}

void sql_text(sqlite3_stmt *s, int column, char *out, size_t n_out)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    snprintf(out, n_out, "%s", text ? (const char *)text : "");
}
