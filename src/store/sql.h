/* sql.h - what the stores share: an SQLite file that one program at a time has, and asking it.
 *
 * The journal is a write-ahead log that one connection holds exclusively. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* sql_open - begin: statements that are run at once. ERR_BUSY: another program has it. */
enum err sql_open(const char *path, const char *begin, sqlite3 **db, struct err_note *note);
/* What SQLite says of its last failure; the transaction, if one is open, is undone. */
enum err sql_fail(sqlite3 *db, const char *path, struct err_note *note);
bool sql_begin(sqlite3 *db);
bool sql_commit(sqlite3 *db);
/* A statement with its values: i int64_t, t text, s struct str * as text, b struct str * as bytes;
 * they must outlive it. NULL: it failed. */
sqlite3_stmt *sql_ask(sqlite3 *db, const char *sql, const char *types, ...);
/* Both end the statement. sql_do: whether it was done. sql_number: its first value. */
bool sql_do(sqlite3_stmt *s);
int64_t sql_number(sqlite3_stmt *s, bool *ok);
void sql_text(sqlite3_stmt *s, int column, char *out, size_t n_out);

#endif
