/* pull.c - a model into its place. */
#include "hub/pull.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "hub/pull_int.h"

enum { SPARE_BYTES = 16 << 20 };

static const char default_endpoint[] = "https://huggingface.co";

static enum err path_of(char out[PATH_MAX], struct err_note *note, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err path_of(char out[PATH_MAX], struct err_note *note, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(out, PATH_MAX, format, arguments);
    va_end(arguments);
    return n > 0 && n < PATH_MAX ? ERR_OK
                                 : err_set(note, ERR_LIMIT,
                                           "the path of the models folder is too "
                                           "long");
}

/* The folders that lead to path, which itself is a file; those of the models are nobody else's. */
static enum err make_folders(char *path, struct err_note *note)
{
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        int rc = mkdir(path, 0777);
        int code = errno;
        if (rc != 0 && code != EEXIST) {
            enum err e =
                err_set(note, ERR_IO, "cannot make the folder %s: %s", path, strerror(code));
            *at = '/';
            return e;
        }
        *at = '/';
    }
    return ERR_OK;
}

static enum err check_room(const struct pull *p, uint64_t n_there, struct err_note *note)
{
    struct statvfs s;
    if (statvfs(p->options->folder, &s) != 0)
        return ERR_OK; /* writing will tell */
    uint64_t n_free = (uint64_t)s.f_bavail * s.f_frsize, n_needed = p->n_bytes + SPARE_BYTES;
    n_needed -= n_there < n_needed ? n_there : n_needed;
    if (n_needed <= n_free)
        return ERR_OK;
    return err_set(note, ERR_LIMIT,
                   "%s needs %.1f GB more on the disk of %s, which has %.1f GB free", p->name,
                   (double)n_needed * 1e-9, p->options->folder, (double)n_free * 1e-9);
}

/* Bytes on the disk that an earlier pull left. */
static uint64_t bytes_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* Where piece i is put: inside the incomplete folder, or at its place. */
static enum err path_of_piece(const struct pull *p, size_t i, const char *more, char out[PATH_MAX],
                              struct err_note *note)
{
    if (p->is_folder)
        return path_of(out, note, "%s/%s.partial/%s%s", p->options->folder, p->name,
                       p->pieces[i].path, more);
    return path_of(out, note, "%s/%s.gguf%s", p->options->folder, p->name, more);
}

/* What is at the place already: all of it, or something else that is not to be lost. */
static enum err check_place(struct pull *p, struct pull_result *result, struct err_note *note)
{
    char path[PATH_MAX];
    bool same = true;
    if (!file_exists(result->path))
        return ERR_OK;
    for (size_t i = 0; same && i < p->n_pieces; i++) {
        enum err rc = path_of(path, note, "%s%s%s", result->path, p->is_folder ? "/" : "",
                              p->is_folder ? p->pieces[i].path : "");
        if (rc)
            return rc;
        same = pull_has(&p->pieces[i], path);
    }
    if (!same)
        return err_set(note, ERR_USAGE,
                       "there is another %s already: isobit rm %s, or give this one "
                       "a --name",
                       p->name, p->name);
    result->was_there = true;
    return ERR_OK;
}

static enum err fetch_all(struct pull *p, struct pull_result *result, struct err_note *note)
{
    char path[PATH_MAX];
    uint64_t n_there = 0;
    enum err rc = ERR_OK;
    for (size_t i = 0; !rc && i < p->n_pieces; i++) {
        rc = path_of_piece(p, i, "", path, note);
        rc = rc ? rc : make_folders(path, note);
        if (p->is_folder)
            n_there += bytes_there(path);
        rc = rc ? rc : path_of_piece(p, i, ".part", path, note);
        n_there += bytes_there(path);
    }
    rc = rc ? rc : check_room(p, n_there, note);
    for (size_t i = 0; !rc && i < p->n_pieces; i++) {
        rc = path_of_piece(p, i, "", path, note);
        if (!rc && !(p->is_folder && pull_has(&p->pieces[i], path)))
            rc = pull_file(p, &p->pieces[i], path, note);
        p->n_bytes_done += p->pieces[i].n_bytes;
    }
    if (rc || !p->is_folder)
        return rc;
    rc = path_of(path, note, "%s/%s.partial", p->options->folder, p->name);
    if (!rc && rename(path, result->path) != 0)
        rc = err_set(note, ERR_IO, "cannot rename %s: %s", path, strerror(errno));
    return rc;
}

static enum err say_result(struct pull *p, struct pull_result *r, struct err_note *note)
{
    struct digest d = p->pieces[0].digest;
    enum err rc = ERR_OK;
    r->n_bytes = p->n_bytes;
    r->n_files = (uint32_t)p->n_pieces;
    r->is_verified = true;
    for (size_t i = 0; i < p->n_pieces; i++)
        r->is_verified &= p->pieces[i].digest.kind != DIGEST_NONE;
    if (p->n_pieces > 1)
        return ERR_OK;
    if (d.kind != DIGEST_SHA256) {
        struct file_map m;
        rc = file_map_open(&m, r->path, note);
        if (rc)
            return rc;
        d.kind = DIGEST_SHA256;
        sha256_of(m.bytes, m.n_bytes, d.bytes);
        file_map_close(&m);
    }
    digest_hex(&d, r->sha256);
    return rc;
}

static enum err run(struct pull *p, struct pull_result *result, struct err_note *note)
{
    enum err rc = pull_plan(p, note);
    if (rc)
        return rc;
    if (p->options->name)
        snprintf(p->name, sizeof p->name, "%s", p->options->name);
    snprintf(result->name, sizeof result->name, "%s", p->name);
    rc = path_of(result->path, note, "%s/%s%s", p->options->folder, p->name,
                 p->is_folder ? "" : ".gguf");
    rc = rc ? rc : check_place(p, result, note);
    if (!rc && !result->was_there)
        rc = fetch_all(p, result, note);
    return rc ? rc : say_result(p, result, note);
}

static enum err check_options(struct pull *p, struct err_note *note)
{
    const struct pull_options *o = p->options;
    const char *endpoint = o->endpoint && *o->endpoint ? o->endpoint : default_endpoint;
    enum err rc = hub_reference_parse(o->reference, &p->reference, note);
    size_t n = strlen(endpoint);
    while (n && endpoint[n - 1] == '/')
        n--;
    if (!rc && ((strncmp(endpoint, "https://", 8) && strncmp(endpoint, "http://", 7)) ||
                n >= sizeof p->endpoint))
        rc = err_set(note, ERR_USAGE, "HF_ENDPOINT is no http or https address: %.100s", endpoint);
    if (!rc && o->name && (strchr(o->name, '/') || name_check(str_from(o->name), note)))
        rc = err_set(note, ERR_USAGE,
                     "--name %.100s: a name has no slash, begins with no dot and "
                     "has at most %d bytes",
                     o->name, HUB_NAME_MAX - 1);
    for (const char *c = o->token; !rc && c && *c; c++)
        if (*c <= ' ' || *c >= 127)
            rc = err_set(note, ERR_USAGE, "HF_TOKEN holds a character that no token has");
    if (!rc && o->token && strlen(o->token) > 4000)
        rc = err_set(note, ERR_USAGE, "HF_TOKEN is too long");
    snprintf(p->endpoint, sizeof p->endpoint, "%.*s", (int)n, endpoint);
    return rc;
}

enum err pull(const struct pull_options *o, struct pull_result *result, struct err_note *note)
{
    struct pull p = {.options = o};
    *result = (struct pull_result){0};
    enum err rc = check_options(&p, note);
    if (rc)
        return rc;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return err_set(note, ERR_MEMORY, "libcurl does not start");
    p.fetch = fetch_new(p.endpoint, o->token && *o->token ? o->token : NULL, o->stop);
    rc = p.fetch ? run(&p, result, note)
                 : err_set(note, ERR_MEMORY, "out of memory for the network");
    fetch_free(p.fetch);
    for (size_t i = 0; i < p.n_pieces; i++) {
        mem_free(p.pieces[i].url);
        mem_free(p.pieces[i].path);
        mem_free(p.pieces[i].source);
    }
    mem_free(p.pieces);
    curl_global_cleanup();
    return rc;
}
