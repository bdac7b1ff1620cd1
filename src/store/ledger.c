/* ledger.c - receipts and the nodes of their trees in SQLite; one transaction a group.
 *
 * Nodes are kept from the second level on, once each; the lowest are made of the receipts' names.
 */
#include "store/ledger.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "proof/bundle.h"
#include "store/sql.h"

enum { HEAD_BYTES_MAX = 8192, FORGET_AT_ONCE = 256 };

struct ledger {
    sqlite3 *db;
    struct ledger_limits limits;
    char path[1024];
    struct sign_pair pair;
    char *certificate; /* NULL: there is no key yet */
    /* The epoch that is being written; no leaves: the next group begins one. */
    struct merkle tree;
    struct merkle_hash previous;
    /* The last head that is on disk; epoch 0: there is none. */
    uint64_t epoch;
    struct merkle_hash last;
    uint64_t n_bytes, oldest_s; /* of receipts; oldest 0: there are none */
};

static const char schema[] =
    "PRAGMA synchronous = FULL;" /* a commit is on the disk */
    "PRAGMA secure_delete = ON;" /* what is forgotten was somebody's */
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS epochs("
    " epoch INTEGER PRIMARY KEY, count INTEGER, name BLOB, head TEXT, certificate TEXT);"
    "CREATE TABLE IF NOT EXISTS leaves("
    " epoch INTEGER, i INTEGER, name BLOB, PRIMARY KEY(epoch, i)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS leaves_name ON leaves(name);"
    "CREATE TABLE IF NOT EXISTS nodes("
    " epoch INTEGER, level INTEGER, i INTEGER, hash BLOB, PRIMARY KEY(epoch, level, i))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS receipts("
    " n INTEGER PRIMARY KEY, id TEXT UNIQUE, owner TEXT, time_s INTEGER, epoch INTEGER, i INTEGER,"
    " n_bytes INTEGER, receipt TEXT, bundle TEXT);"
    "COMMIT;";

static enum err fail(struct ledger *l, struct err_note *note)
{
    return sql_fail(l->db, l->path, note);
}

static bool read_hash(sqlite3_stmt *s, int column, struct merkle_hash *out)
{
    bool ok = sqlite3_column_bytes(s, column) == SHA256_BYTES;
    if (ok)
        memcpy(out->bytes, sqlite3_column_blob(s, column), SHA256_BYTES);
    return ok;
}

static struct str hash_bytes(const struct merkle_hash *h)
{
    return (struct str){(const char *)h->bytes, SHA256_BYTES};
}

static struct str text_of(const struct buf *b)
{
    return (struct str){b->bytes, b->n_bytes};
}

/* ---- opening ------------------------------------------------------------------------------ */

static bool read_oldest(struct ledger *l, uint64_t *oldest_s)
{
    bool ok;
    *oldest_s = (uint64_t)sql_number(
        sql_ask(l->db, "SELECT time_s FROM receipts ORDER BY n LIMIT 1", ""), &ok);
    return ok;
}

static enum err read_state(struct ledger *l, struct err_note *note)
{
    bool ok;
    sqlite3_stmt *s =
        sql_ask(l->db, "SELECT epoch, name FROM epochs ORDER BY epoch DESC LIMIT 1", "");
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    bool whole = true;
    if (rc == SQLITE_ROW) {
        l->epoch = (uint64_t)sqlite3_column_int64(s, 0);
        whole = read_hash(s, 1, &l->last);
    }
    sqlite3_finalize(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail(l, note);
    if (!whole)
        return err_set(note, ERR_FORMAT, "%s: the last head has no name", l->path);
    l->n_bytes = (uint64_t)sql_number(
        sql_ask(l->db, "SELECT ifnull(sum(n_bytes), 0) FROM receipts", ""), &ok);
    return ok && read_oldest(l, &l->oldest_s) ? ERR_OK : fail(l, note);
}

enum err ledger_open(const char *path, const struct ledger_limits *limits, struct ledger **out,
                     struct err_note *note)
{
    *out = NULL;
    struct ledger *l = mem_zalloc(sizeof *l);
    if (!l)
        return err_set(note, ERR_MEMORY, "%s: out of memory", path);
    l->limits = *limits;
    snprintf(l->path, sizeof l->path, "%s", path);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600); /* SQLite's own would be anybody's */
    if (fd >= 0)
        close(fd);
    enum err rc = sql_open(path, schema, &l->db, note);
    rc = rc ? rc : read_state(l, note);
    if (rc)
        ledger_close(l);
    else
        *out = l;
    return rc;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    sqlite3_close(l->db);
    sign_pair_wipe(&l->pair);
    mem_free(l->certificate);
    mem_free(l);
}

enum err ledger_use_key(struct ledger *l, const struct sign_pair *pair, struct str certificate,
                        struct err_note *note)
{
    char *text = mem_strndup(certificate.ptr, certificate.len);
    if (!text)
        return err_set(note, ERR_MEMORY, "%s: out of memory", l->path);
    mem_free(l->certificate);
    l->certificate = text;
    if (!sign_key_equal(&l->pair.key, &pair->key))
        l->tree = (struct merkle){0};
    l->pair = *pair;
    return ERR_OK;
}

/* ---- adding ------------------------------------------------------------------------------- */

static bool add_leaf(struct ledger *l, uint64_t epoch, struct merkle *tree,
                     const struct merkle_hash *name)
{
    struct merkle_hash made[MERKLE_DEPTH_MAX + 1], leaf = log_leaf(name);
    uint64_t i = tree->n_leaves;
    struct str bytes = hash_bytes(name);
    uint32_t n_made = merkle_grow(tree, &leaf, made);
    bool ok = sql_do(sql_ask(l->db, "INSERT INTO leaves(epoch, i, name) VALUES(?, ?, ?)", "iib",
                             (int64_t)epoch, (int64_t)i, &bytes));
    for (uint32_t k = 1; ok && k < n_made; k++) {
        bytes = hash_bytes(&made[k]);
        ok = sql_do(sql_ask(l->db, "INSERT INTO nodes(epoch, level, i, hash) VALUES(?, ?, ?, ?)",
                            "iiib", (int64_t)epoch, (int64_t)k, (int64_t)(i >> k), &bytes));
    }
    return ok;
}

static bool add_entry(struct ledger *l, uint64_t epoch, struct merkle *tree, struct ledger_entry *e,
                      uint64_t now_s, uint64_t *n_bytes)
{
    struct merkle_hash name;
    sign_digest(SIGN_RECEIPT, e->body, name.bytes);
    buf_clear(&e->receipt);
    sign_write(SIGN_RECEIPT, e->body, &l->pair, &e->receipt);
    if (e->receipt.failed)
        return false;
    struct str receipt = text_of(&e->receipt);
    int64_t n = (int64_t)(receipt.len + e->bundle.len), i = (int64_t)tree->n_leaves;
    *n_bytes += (uint64_t)n;
    return sql_do(sql_ask(l->db,
                          "INSERT INTO receipts(id, owner, time_s, epoch, i, n_bytes, receipt,"
                          " bundle) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                          "ttiiiiss", e->id, e->owner, (int64_t)now_s, (int64_t)epoch, i, n,
                          &receipt, &e->bundle)) &&
           add_leaf(l, epoch, tree, &name);
}

/* The head of what was added; h gets its name. */
static bool add_head(struct ledger *l, struct log_head *h)
{
    struct buf text;
    buf_init(&text, HEAD_BYTES_MAX);
    log_head_write(h, &l->pair, &text);
    struct str head = text_of(&text), name = hash_bytes(&h->name);
    bool ok = !text.failed &&
              sql_do(sql_ask(l->db,
                             "INSERT OR REPLACE INTO epochs(epoch, count, name, head, certificate)"
                             " VALUES(?, ?, ?, ?, ?)",
                             "iibst", (int64_t)h->epoch, (int64_t)h->count, &name, &head,
                             l->certificate));
    buf_release(&text);
    return ok;
}

/* The oldest receipts, if they must go; *n_bytes and *oldest_s become those of what is left. */
static bool forget_some(struct ledger *l, uint64_t now_s, uint64_t *n_bytes, uint64_t *oldest_s,
                        bool *more)
{
    int64_t last = -1;
    uint64_t before_s = now_s > l->limits.age_s_max ? now_s - l->limits.age_s_max : 0;
    *more = false;
    if (*n_bytes <= l->limits.n_bytes_max && (l->oldest_s == 0 || l->oldest_s >= before_s))
        return true;
    sqlite3_stmt *s = sql_ask(l->db, "SELECT n, n_bytes, time_s FROM receipts ORDER BY n LIMIT ?",
                              "i", (int64_t)FORGET_AT_ONCE);
    int rc = SQLITE_ERROR, n = 0;
    while (s && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (*n_bytes <= l->limits.n_bytes_max && (uint64_t)sqlite3_column_int64(s, 2) >= before_s)
            break;
        last = sqlite3_column_int64(s, 0);
        *n_bytes -= (uint64_t)sqlite3_column_int64(s, 1);
        n++;
    }
    sqlite3_finalize(s);
    *more = n == FORGET_AT_ONCE;
    return (rc == SQLITE_ROW || rc == SQLITE_DONE) &&
           sql_do(sql_ask(l->db, "DELETE FROM receipts WHERE n <= ?", "i", last)) &&
           read_oldest(l, oldest_s);
}

enum err ledger_add(struct ledger *l, struct ledger_entry *const *entries, size_t n_entries,
                    uint64_t now_s, struct err_note *note)
{
    bool begins = l->tree.n_leaves == 0, more;
    struct merkle tree = l->tree;
    struct merkle_hash previous = begins ? l->last : l->previous;
    struct log_head h = {.key = l->pair.key, .epoch = l->epoch + begins, .time_s = now_s};
    uint64_t n_bytes = l->n_bytes, oldest_s = l->oldest_s ? l->oldest_s : now_s;
    CHECK(l->certificate && n_entries > 0);
    bool ok = sql_begin(l->db);
    for (size_t i = 0; ok && i < n_entries; i++)
        ok = add_entry(l, h.epoch, &tree, entries[i], now_s, &n_bytes);
    h.count = tree.n_leaves;
    h.root = merkle_root(&tree);
    h.has_previous = h.epoch > 1;
    if (h.has_previous)
        h.previous = previous;
    ok = ok && add_head(l, &h) && forget_some(l, now_s, &n_bytes, &oldest_s, &more) &&
         sql_commit(l->db);
    if (!ok) {
        l->tree = (struct merkle){0};
        return fail(l, note);
    }
    l->tree = tree;
    l->previous = previous;
    l->epoch = h.epoch;
    l->last = h.name;
    l->n_bytes = n_bytes;
    l->oldest_s = oldest_s;
    return ERR_OK;
}

enum err ledger_forget(struct ledger *l, uint64_t now_s, bool *more, struct err_note *note)
{
    uint64_t n_bytes = l->n_bytes, oldest_s = l->oldest_s;
    bool ok =
        sql_begin(l->db) && forget_some(l, now_s, &n_bytes, &oldest_s, more) && sql_commit(l->db);
    if (!ok)
        return fail(l, note);
    l->n_bytes = n_bytes;
    l->oldest_s = oldest_s;
    return ERR_OK;
}

/* ---- what is there ------------------------------------------------------------------------ */

struct nodes_of {
    struct ledger *ledger;
    uint64_t epoch;
};

static bool node(void *context, uint32_t level, uint64_t i, struct merkle_hash *out)
{
    const struct nodes_of *of = context;
    sqlite3_stmt *s =
        level > 0 ? sql_ask(of->ledger->db,
                            "SELECT hash FROM nodes WHERE epoch = ? AND i = ? AND level = ?", "iii",
                            (int64_t)of->epoch, (int64_t)i, (int64_t)level)
                  : sql_ask(of->ledger->db, "SELECT name FROM leaves WHERE epoch = ? AND i = ?",
                            "ii", (int64_t)of->epoch, (int64_t)i);
    bool ok = s && sqlite3_step(s) == SQLITE_ROW && read_hash(s, 0, out);
    sqlite3_finalize(s);
    if (ok && level == 0)
        *out = log_leaf(out);
    return ok;
}

/* What a receipt's row and its epoch's say; texts last as long as s. */
static enum err write_bundle(struct ledger *l, sqlite3_stmt *s, struct buf *out,
                             struct err_note *note)
{
    struct bundle b = {.has = {[BUNDLE_CERTIFICATE] = true, [BUNDLE_LOG] = true}};
    const char *rest = (const char *)sqlite3_column_text(s, 1);
    struct nodes_of of = {l, (uint64_t)sqlite3_column_int64(s, 2)};
    const struct merkle_nodes nodes = {node, &of};
    uint64_t count = (uint64_t)sqlite3_column_int64(s, 4);
    b.log.index = (uint64_t)sqlite3_column_int64(s, 3);
    b.log.head = str_from((const char *)sqlite3_column_text(s, 5));
    b.certificate = str_from((const char *)sqlite3_column_text(s, 6));
    if (b.log.index >= count || !merkle_nodes_prove_leaf(&nodes, count, b.log.index, &b.log.proof))
        return err_set(note, ERR_FORMAT,
                       "%s: the log lacks what proves receipt %" PRIu64 " of epoch %" PRIu64,
                       l->path, b.log.index, of.epoch);
    bundle_write(&b, out); /* the first members of all */
    if (!out->failed) {
        out->bytes[out->n_bytes - 1] = ',';
        buf_str(out, rest + 1);
    }
    return ERR_OK;
}

enum err ledger_receipt(struct ledger *l, const char *id, const char *owner, struct buf *receipt,
                        struct buf *bundle, struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(l->db,
                              "SELECT r.receipt, r.bundle, r.epoch, r.i, e.count, e.head,"
                              " e.certificate, r.owner FROM receipts r"
                              " JOIN epochs e ON e.epoch = r.epoch WHERE r.id = ?",
                              "t", id);
    int step = s ? sqlite3_step(s) : SQLITE_ERROR;
    enum err rc = ERR_OK;
    if (step == SQLITE_DONE ||
        (step == SQLITE_ROW && owner && strcmp((const char *)sqlite3_column_text(s, 7), owner)))
        rc = err_set(note, ERR_NOT_FOUND, "no receipt %.60s", id);
    else if (step != SQLITE_ROW)
        rc = fail(l, note);
    if (!rc) {
        buf_str(receipt, (const char *)sqlite3_column_text(s, 0));
        rc = write_bundle(l, s, bundle, note);
    }
    sqlite3_finalize(s);
    if (!rc && (receipt->failed || bundle->failed))
        rc = err_set(note, ERR_MEMORY, "out of memory for receipt %.60s", id);
    return rc;
}

/* ---- the log ------------------------------------------------------------------------------ */

enum err ledger_heads(struct ledger *l, uint64_t before, uint32_t n_max, bool *more,
                      ledger_head_fn *fn, void *context, struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(l->db,
                              "SELECT head FROM epochs WHERE ?1 = 0 OR epoch < ?1"
                              " ORDER BY epoch DESC LIMIT ?2",
                              "ii", (int64_t)before, (int64_t)n_max + 1);
    uint32_t n = 0;
    int rc = SQLITE_ERROR;
    while (s && (rc = sqlite3_step(s)) == SQLITE_ROW && n++ < n_max)
        fn(context, str_from((const char *)sqlite3_column_text(s, 0)));
    *more = rc == SQLITE_ROW;
    sqlite3_finalize(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : fail(l, note);
}

enum err ledger_head(struct ledger *l, uint64_t epoch, struct buf *head, uint64_t *count,
                     struct err_note *note)
{
    sqlite3_stmt *s =
        sql_ask(l->db, "SELECT head, count FROM epochs WHERE epoch = ?", "i", (int64_t)epoch);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        buf_str(head, (const char *)sqlite3_column_text(s, 0));
        *count = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return err_set(note, ERR_NOT_FOUND, "the log has no epoch %" PRIu64, epoch);
    return rc == SQLITE_ROW ? ERR_OK : fail(l, note);
}

enum err ledger_names(struct ledger *l, uint64_t epoch, uint64_t from, uint32_t n_max,
                      ledger_name_fn *fn, void *context, struct err_note *note)
{
    sqlite3_stmt *s = sql_ask(l->db,
                              "SELECT name FROM leaves WHERE epoch = ? AND i >= ?"
                              " ORDER BY i LIMIT ?",
                              "iii", (int64_t)epoch, (int64_t)from, (int64_t)n_max);
    struct merkle_hash name;
    int rc = SQLITE_ERROR;
    while (s && (rc = sqlite3_step(s)) == SQLITE_ROW && read_hash(s, 0, &name))
        fn(context, &name);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? ERR_OK : fail(l, note);
}

enum err ledger_find(struct ledger *l, const struct merkle_hash *name, uint64_t *epoch,
                     uint64_t *index, struct err_note *note)
{
    struct str bytes = hash_bytes(name);
    sqlite3_stmt *s =
        sql_ask(l->db, "SELECT epoch, i FROM leaves WHERE name = ? LIMIT 1", "b", &bytes);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    if (rc == SQLITE_ROW) {
        *epoch = (uint64_t)sqlite3_column_int64(s, 0);
        *index = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE)
        return err_set(note, ERR_NOT_FOUND, "the log has no receipt of this name");
    return rc == SQLITE_ROW ? ERR_OK : fail(l, note);
}

/* Of the part of an epoch's log that has count leaves, 1 and up. */
static enum err check_count(struct ledger *l, uint64_t epoch, uint64_t count, struct err_note *note)
{
    struct buf head;
    uint64_t n = 0;
    buf_init(&head, HEAD_BYTES_MAX);
    enum err rc = ledger_head(l, epoch, &head, &n, note);
    buf_release(&head);
    if (!rc && (count == 0 || count > n))
        rc = err_set(note, ERR_USAGE, "epoch %" PRIu64 " has %" PRIu64 " receipts, not %" PRIu64,
                     epoch, n, count);
    return rc;
}

static enum err no_proof(struct ledger *l, uint64_t epoch, struct err_note *note)
{
    return err_set(note, ERR_FORMAT, "%s: the log lacks a node of epoch %" PRIu64, l->path, epoch);
}

enum err ledger_prove_leaf(struct ledger *l, uint64_t epoch, uint64_t index, uint64_t count,
                           struct merkle_proof *out, struct err_note *note)
{
    struct nodes_of of = {l, epoch};
    enum err rc = check_count(l, epoch, count, note);
    if (!rc && index >= count)
        rc = err_set(note, ERR_USAGE, "receipt %" PRIu64 " is not among the first %" PRIu64, index,
                     count);
    if (!rc && !merkle_nodes_prove_leaf(&(struct merkle_nodes){node, &of}, count, index, out))
        rc = no_proof(l, epoch, note);
    return rc;
}

enum err ledger_prove_prefix(struct ledger *l, uint64_t epoch, uint64_t old, uint64_t count,
                             struct merkle_proof *out, struct err_note *note)
{
    struct nodes_of of = {l, epoch};
    enum err rc = check_count(l, epoch, count, note);
    if (!rc && (old == 0 || old > count))
        rc = err_set(note, ERR_USAGE,
                     "a log of %" PRIu64 " receipts began with 1 to %" PRIu64
                     " of them, not %" PRIu64,
                     count, count, old);
    if (!rc && !merkle_nodes_prove_prefix(&(struct merkle_nodes){node, &of}, count, old, out))
        rc = no_proof(l, epoch, note);
    return rc;
}
