/* pull_file.c - one file: ranges until nothing is missing, then its digest. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "hub/partial.h"
#include "hub/pull_int.h"

enum { RESTARTS_MAX = 3, RETRY_AFTER_S_MAX = 300, DELAY_MS_FIRST = 500, DELAY_MS_MAX = 16000 };
#define SAVE_NS UINT64_C(5000000000)
#define LONG_BYTES UINT64_C(1000000000)

struct transfer {
    struct pull *pull;
    const struct piece *piece;
    struct partial partial;
    uint64_t from, at; /* asked for; where the next bytes stand */
    uint64_t saved_ns;
    unsigned n_restarts;
    enum err rc; /* why begin or body left, or ERR_OK */
    struct err_note *note;
};

/* ---- waiting ---- */

static bool is_stopped(const struct pull *p)
{
    return p->options->stop && atomic_load(p->options->stop);
}

static enum err wait_ms(const struct pull *p, uint64_t n_ms, struct err_note *note)
{
    const struct timespec piece = {.tv_nsec = 50 * 1000000};
    uint64_t end_ns = clock_ns() + n_ms * 1000000;
    while (!is_stopped(p) && clock_ns() < end_ns)
        nanosleep(&piece, NULL);
    return is_stopped(p) ? err_set(note, ERR_CANCELLED, "stopped") : ERR_OK;
}

enum err pull_retry(struct pull *p, const struct fetch_reply *reply, struct err_note *note)
{
    char line[700];
    struct err_note why = *note;
    uint64_t delay_ms = DELAY_MS_FIRST;
    if (p->n_failures++ >= p->options->n_retries)
        return err_set(note, ERR_IO, "%.300s; given up: the same command goes on from here",
                       why.text);
    for (unsigned i = 1; i < p->n_failures && delay_ms < DELAY_MS_MAX; i++)
        delay_ms *= 2;
    if (reply->retry_after_s > RETRY_AFTER_S_MAX)
        return err_set(note, ERR_BUSY, "%.300s; it asks to come back in %u s", why.text,
                       reply->retry_after_s);
    if (reply->retry_after_s)
        delay_ms = reply->retry_after_s * UINT64_C(1000);
    snprintf(line, sizeof line, "%s; once more in %.1f s", note->text, (double)delay_ms * 1e-3);
    if (p->options->say)
        p->options->say(p->options->context, line);
    return wait_ms(p, delay_ms, note);
}

/* ---- one answer ---- */

static bool leave(struct transfer *t, enum err rc)
{
    t->rc = rc;
    return false;
}

/* Other contents under the same name: what came is of another file. */
static bool restart(struct transfer *t, const struct fetch_reply *r)
{
    if (++t->n_restarts > RESTARTS_MAX)
        return leave(t,
                     err_set(t->note, ERR_IO, "%.200s changes while it is read", t->piece->path));
    partial_forget(&t->partial);
    snprintf(t->partial.validator, sizeof t->partial.validator, "%s", r->etag);
    t->at = 0;
    return r->status == 200; /* a part of the new one is not its begin */
}

static bool on_begin(void *context, const struct fetch_reply *r)
{
    struct transfer *t = context;
    struct partial *p = &t->partial;
    uint64_t n_whole = r->status == 206 ? r->n_bytes_whole : r->n_bytes;
    if (r->is_encoded)
        return leave(t, err_set(t->note, ERR_UNSUPPORTED,
                                "%.200s comes compressed, which was not "
                                "asked for",
                                t->piece->path));
    if (r->status == 206 && (r->from != t->from || n_whole == FETCH_UNKNOWN))
        return leave(t, err_set(t->note, ERR_IO,
                                "the server sends another part of %.200s than was "
                                "asked for",
                                t->piece->path));
    if (n_whole != FETCH_UNKNOWN && n_whole != p->n_bytes)
        return leave(t, err_set(t->note, ERR_IO,
                                "the server says that %.200s has %" PRIu64 " bytes; it was to have "
                                "%" PRIu64,
                                t->piece->path, n_whole, p->n_bytes));
    t->at = r->status == 206 ? r->from : 0;
    if (p->validator[0] && r->etag[0] && strcmp(p->validator, r->etag) != 0)
        return restart(t, r);
    if (p->n_bytes_has == 0 && p->n_in_chunk == 0 && !p->doubts)
        snprintf(p->validator, sizeof p->validator, "%s", r->etag);
    return true;
}

static void report(const struct transfer *t)
{
    const struct pull *p = t->pull;
    uint64_t here =
        t->partial.doubts ? t->partial.n_bytes : t->partial.n_bytes_has + t->partial.n_in_chunk;
    if (p->options->progress)
        p->options->progress(p->options->context, p->n_bytes_done + here, p->n_bytes);
}

static bool on_body(void *context, const void *bytes, size_t n_bytes)
{
    struct transfer *t = context;
    bool replaced;
    if (n_bytes > t->partial.n_bytes - t->at)
        return leave(t, err_set(t->note, ERR_IO,
                                "the server sends more than the %" PRIu64 " bytes "
                                "of %.200s",
                                t->partial.n_bytes, t->piece->path));
    t->rc = partial_add(&t->partial, t->at, bytes, n_bytes, &replaced, t->note);
    t->at += n_bytes;
    report(t);
    if (!t->rc && clock_ns() - t->saved_ns > SAVE_NS) {
        t->rc = partial_save(&t->partial, t->note);
        t->saved_ns = clock_ns();
    }
    return !t->rc && !replaced;
}

/* One request for [from, to). ERR_OK: look again at what is missing. */
static enum err read_on(struct transfer *t, uint64_t from, uint64_t to)
{
    struct partial *p = &t->partial;
    struct fetch_reply reply;
    const struct fetch_request q = {.url = t->piece->url,
                                    .from = from,
                                    .to = to,
                                    .if_range = p->validator[0] ? p->validator : NULL,
                                    .begin = on_begin,
                                    .body = on_body,
                                    .context = t};
    uint64_t had = p->n_bytes_has + p->n_in_chunk;
    unsigned n_restarts = t->n_restarts;
    t->from = from;
    t->rc = ERR_OK;
    enum fetch_end end = fetch_get(t->pull->fetch, &q, &reply, t->note);
    if (t->rc)
        return t->rc;
    if (p->n_bytes_has + p->n_in_chunk > had || t->n_restarts > n_restarts)
        t->pull->n_failures = 0;
    else if (end == FETCH_DONE || end == FETCH_LEFT) {
        err_set(t->note, ERR_IO, "the server sends nothing of %.200s", t->piece->path);
        end = FETCH_AGAIN;
    }
    if (end == FETCH_STOPPED)
        return ERR_CANCELLED;
    if (end == FETCH_FAILED)
        return err_wrap(t->note, ERR_IO, "%.150s", t->piece->path);
    return end == FETCH_AGAIN ? pull_retry(t->pull, &reply, t->note) : ERR_OK;
}

/* ---- the whole ---- */

static bool is_gguf(const struct transfer *t)
{
    char magic[4] = "";
    struct str path = str_from(t->partial.path_final);
    return !str_ends(path, STR(".gguf")) ||
           (pread(t->partial.fd, magic, 4, 0) == 4 && memcmp(magic, "GGUF", 4) == 0);
}

/* What takes a while and moves no bar. */
static void say_long(const struct transfer *t, const char *what)
{
    char line[300];
    const struct pull_options *o = t->pull->options;
    snprintf(line, sizeof line, "%s of %.200s", what, t->piece->path);
    if (o->say && t->partial.n_bytes >= LONG_BYTES)
        o->say(o->context, line);
}

/* Nothing is missing any more. ERR_OK with *good false: go on, some of it is to be read again. */
static enum err judge(struct transfer *t, bool *good)
{
    struct partial *p = &t->partial;
    struct digest is = {0};
    char hex[SHA256_HEX], wanted[SHA256_HEX];
    enum err rc = ERR_OK;
    *good = true;
    if (t->piece->digest.kind != DIGEST_NONE) {
        say_long(t, "comparing the digest");
        rc = digest_file(p->fd, p->n_bytes, t->piece->digest.kind, &is, t->note);
        *good = !rc && digest_equal(&is, &t->piece->digest);
    }
    if (rc || *good) {
        if (!rc && !is_gguf(t)) {
            partial_discard(p);
            rc = err_set(t->note, ERR_FORMAT, "%.200s is no GGUF file", t->piece->path);
        }
        return rc;
    }
    uint64_t from, to;
    if (partial_next(p, &from, &to) || (!p->doubts && partial_recheck(p) > 0))
        return ERR_OK;
    digest_hex(&is, hex);
    digest_hex(&t->piece->digest, wanted);
    if (p->doubts) {
        partial_discard(p);
        return err_set(t->note, ERR_FORMAT,
                       "%.150s has the digest %s, not %s: %s; nothing was kept", t->piece->path,
                       hex, wanted,
                       p->n_replaced ? "the server's bytes differ from reading to reading"
                                     : "the server holds other bytes");
    }
    if (t->pull->options->say)
        t->pull->options->say(t->pull->options->context,
                              "the digest is wrong: comparing with a second reading");
    partial_doubt(p);
    return ERR_OK;
}

static enum err read_all(struct transfer *t)
{
    struct partial *p = &t->partial;
    uint64_t from, to;
    enum err rc = ERR_OK;
    for (bool good = false; !rc && !good;) {
        size_t n_replaced = p->n_replaced;
        report(t);
        while (!rc && partial_next(p, &from, &to) && p->n_replaced == n_replaced)
            rc = is_stopped(t->pull) ? err_set(t->note, ERR_CANCELLED, "stopped")
                                     : read_on(t, from, to);
        rc = rc ? rc : judge(t, &good);
    }
    return rc;
}

enum err pull_file(struct pull *p, const struct piece *piece, const char *path,
                   struct err_note *note)
{
    struct transfer t = {.pull = p, .piece = piece, .saved_ns = clock_ns(), .note = note};
    enum err rc = partial_open(&t.partial, path, piece->source, piece->n_bytes, note);
    if (rc)
        return rc;
    rc = read_all(&t);
    if (!rc)
        rc = partial_finish(&t.partial, note);
    else
        (void)partial_save(&t.partial, NULL); /* else the next time begins at an older state */
    partial_close(&t.partial);
    return rc;
}

bool pull_has(const struct piece *piece, const char *path)
{
    struct file_stamp stamp;
    struct digest is = {0};
    if (piece->digest.kind == DIGEST_NONE || !file_stamp_get(path, &stamp) ||
        stamp.n_bytes != piece->n_bytes)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool has = fd >= 0 &&
               digest_file(fd, piece->n_bytes, piece->digest.kind, &is, NULL) == ERR_OK &&
               digest_equal(&is, &piece->digest);
    if (fd >= 0)
        close(fd);
    return has;
}
