/* pull_plan.c - which files a reference means, their sizes and digests. */
#include <ctype.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "hub/listing.h"
#include "hub/pull_int.h"

enum { LISTING_BYTES_MAX = 32 << 20, LISTING_PAGES_MAX = 40 };

static enum err out_of_memory(struct err_note *note)
{
    return err_set(note, ERR_MEMORY, "out of memory for what is to be pulled");
}

/* The new piece is the caller's to fill; what is in it is freed with the pull. */
static struct piece *add_piece(struct pull *p)
{
    struct piece *more =
        p->n_pieces < PIECES_MAX ? mem_resize(p->pieces, (p->n_pieces + 1) * sizeof more[0]) : NULL;
    if (!more)
        return NULL;
    p->pieces = more;
    more[p->n_pieces] = (struct piece){0};
    return &more[p->n_pieces++];
}

/* ---- the hub ---- */

static bool any_head(void *context, const struct fetch_reply *reply)
{
    (void)context, (void)reply;
    return true;
}

static bool add_text(void *context, const void *bytes, size_t n_bytes)
{
    struct buf *b = context;
    buf_add(b, bytes, n_bytes);
    return !b->failed;
}

/* A small document; url is replaced by the next page's, or emptied. */
static enum err get_text(struct pull *p, char url[FETCH_LINK_MAX], struct buf *out,
                         struct err_note *note)
{
    struct fetch_reply reply;
    const struct fetch_request q = {
        .url = url, .begin = any_head, .body = add_text, .context = out};
    for (;;) {
        buf_clear(out);
        enum fetch_end end = fetch_get(p->fetch, &q, &reply, note);
        if (end == FETCH_DONE) {
            snprintf(url, FETCH_LINK_MAX, "%s", reply.next);
            p->n_failures = 0;
            return ERR_OK;
        }
        if (end == FETCH_LEFT)
            return err_set(note, ERR_LIMIT, "the hub's listing is longer than %d bytes",
                           LISTING_BYTES_MAX);
        if (end == FETCH_STOPPED)
            return ERR_CANCELLED;
        if (end == FETCH_FAILED)
            return reply.status == 404 || reply.status == 401 ? ERR_NOT_FOUND : ERR_IO;
        enum err rc = pull_retry(p, &reply, note);
        if (rc)
            return rc;
    }
}

static enum err list_repo(struct pull *p, struct listing *l, struct err_note *note)
{
    char url[FETCH_LINK_MAX];
    struct buf text;
    enum err rc = ERR_OK;
    buf_init(&text, LISTING_BYTES_MAX);
    snprintf(url, sizeof url, "%s/api/models/%s/tree/main?recursive=true", p->endpoint,
             p->reference.repo);
    for (int i = 0; !rc && url[0]; i++) {
        rc = i < LISTING_PAGES_MAX ? get_text(p, url, &text, note)
                                   : err_set(note, ERR_LIMIT,
                                             "the hub's listing has more than %d "
                                             "pages",
                                             LISTING_PAGES_MAX);
        if (!rc)
            rc = listing_add(l, (struct str){text.bytes ? text.bytes : "", text.n_bytes}, note);
    }
    buf_release(&text);
    return rc;
}

/* A path as part of a URL. */
static void add_escaped(struct buf *out, const char *path)
{
    for (const char *c = path; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-_.~/", *c))
            buf_char(out, *c);
        else
            buf_printf(out, "%%%02X", (unsigned char)*c);
    }
}

static enum err add_listed(struct pull *p, const struct listing_file *f, struct err_note *note)
{
    char hex[SHA256_HEX];
    struct piece *piece = add_piece(p);
    struct buf text;
    if (!piece)
        return out_of_memory(note);
    buf_init(&text, 8192);
    buf_printf(&text, "%s/%s/resolve/main/", p->endpoint, p->reference.repo);
    add_escaped(&text, f->path);
    piece->url = buf_take(&text);
    digest_hex(&f->digest, hex);
    buf_printf(&text, "hf:%s/%s %s", p->reference.repo, f->path, hex);
    piece->source = buf_take(&text);
    /* The parts of a split file lie beside each other, wherever the repository has them. */
    piece->path = mem_strdup(p->is_folder ? f->path : name_last(str_from(f->path)).ptr);
    piece->n_bytes = f->n_bytes;
    piece->digest = f->digest;
    return piece->url && piece->source && piece->path ? ERR_OK : out_of_memory(note);
}

static enum err plan_repo(struct pull *p, struct err_note *note)
{
    struct listing l = {0};
    enum listing_kind kind = LISTING_GGUF;
    enum err rc = list_repo(p, &l, note);
    if (!rc)
        rc = listing_choose(&l, str_from(p->reference.want), &kind, note);
    p->is_folder = kind == LISTING_FOLDER;
    for (size_t i = 0; !rc && i < l.n_files; i++)
        if (l.files[i].chosen)
            rc = add_listed(p, &l.files[i], note);
    listing_release(&l);
    if (rc)
        return err_wrap(note, rc, "hf:%s", p->reference.repo);
    struct name_split split;
    struct str name = name_last(str_from(p->reference.repo));
    if (!p->is_folder && name_split(str_from(p->pieces[0].path), &split))
        name = name_last(split.stem);
    p->is_folder |= p->n_pieces > 1;
    snprintf(p->name, sizeof p->name, "%.*s", STR_ARG(name));
    return ERR_OK;
}

/* ---- a URL ---- */

static bool head_only(void *context, const struct fetch_reply *reply)
{
    (void)context, (void)reply;
    return false;
}

static bool no_body(void *context, const void *bytes, size_t n_bytes)
{
    (void)context, (void)bytes, (void)n_bytes;
    return false;
}

/* Size and, from a hub, digest: of the first byte's answer. */
static enum err ask_url(struct pull *p, struct piece *piece, struct err_note *note)
{
    struct fetch_reply r;
    const struct fetch_request q = {
        .url = piece->url, .to = 1, .begin = head_only, .body = no_body};
    for (;;) {
        enum fetch_end end = fetch_get(p->fetch, &q, &r, note);
        if (end == FETCH_LEFT)
            break;
        if (end == FETCH_STOPPED)
            return ERR_CANCELLED;
        enum err rc = end == FETCH_AGAIN ? pull_retry(p, &r, note) : ERR_IO;
        if (rc)
            return rc;
    }
    p->n_failures = 0;
    piece->n_bytes = r.status == 206 ? r.n_bytes_whole : r.n_bytes;
    digest_from_hex(DIGEST_SHA256, str_from(r.linked_etag), &piece->digest);
    if (strlen(r.linked_etag) != 2 * SHA256_BYTES)
        piece->digest = (struct digest){0};
    if (piece->n_bytes == FETCH_UNKNOWN || r.is_encoded)
        return err_set(note, ERR_UNSUPPORTED,
                       "%.200s: the server does not say how long the file is", piece->url);
    return ERR_OK;
}

/* Without what may be secret in it: a query, a name with a password. */
static char *source_of(const char *url)
{
    struct buf text;
    const char *host = strstr(url, "://") + 3;
    size_t n = strcspn(host, "?#");
    const char *at = memchr(host, '@', strcspn(host, "/?#"));
    const char *from = at ? at + 1 : host;
    buf_init(&text, 8192);
    buf_add(&text, from, (size_t)(host + n - from));
    return buf_take(&text);
}

/* The URL of another part of the same split file. */
static char *url_of_part(const char *url, uint32_t part)
{
    struct buf text;
    size_t n = strcspn(url, "?#"); /* ...-00001-of-00003.gguf */
    CHECK(n > 20);
    buf_init(&text, 8192);
    buf_add(&text, url, n - 19);
    buf_printf(&text, "%05u", part);
    buf_str(&text, url + n - 14);
    return buf_take(&text);
}

static enum err plan_url(struct pull *p, struct err_note *note)
{
    char last[HUB_NAME_MAX];
    struct name_split split = {.part = 1, .n_parts = 1};
    enum err rc = ERR_OK;
    if (name_of_url(p->reference.url, last, note) && !p->options->name)
        return ERR_USAGE;
    bool is_gguf = name_split(str_from(last), &split);
    if (!is_gguf && !p->options->name)
        return err_set(note, ERR_USAGE,
                       "%s is not called .gguf; --name NAME if it is one; a folder "
                       "of safetensors is pulled as hf:OWNER/REPO",
                       last);
    for (uint32_t i = 1; !rc && i <= split.n_parts; i++) {
        struct piece *piece = add_piece(p);
        if (!piece)
            return out_of_memory(note);
        piece->url =
            split.n_parts > 1 ? url_of_part(p->reference.url, i) : mem_strdup(p->reference.url);
        piece->source = piece->url ? source_of(piece->url) : NULL;
        if (!piece->source)
            return out_of_memory(note);
        rc = split.n_parts > 1 ? name_of_url(piece->url, last, note) : ERR_OK;
        piece->path = mem_strdup(last);
        rc = rc ? rc : ask_url(p, piece, note);
    }
    struct str name = is_gguf ? split.stem : str_from(last);
    p->is_folder = split.n_parts > 1;
    if (!p->options->name)
        snprintf(p->name, sizeof p->name, "%.*s", STR_ARG(name));
    return rc;
}

/* ---- both ---- */

/* --sha256: of one file, and not against what the hub says. */
static enum err take_sha256(struct pull *p, struct err_note *note)
{
    struct digest wanted;
    char hex[SHA256_HEX];
    struct piece *piece = &p->pieces[0];
    if (!p->options->sha256)
        return ERR_OK;
    if (!digest_from_hex(DIGEST_SHA256, str_from(p->options->sha256), &wanted))
        return err_set(note, ERR_USAGE, "--sha256 has 64 hexadecimal digits");
    if (p->n_pieces > 1)
        return err_set(note, ERR_USAGE, "--sha256 is of one file; these are %zu", p->n_pieces);
    digest_hex(&piece->digest, hex);
    if (piece->digest.kind == DIGEST_SHA256 && !digest_equal(&piece->digest, &wanted))
        return err_set(note, ERR_FORMAT,
                       "the hub says that %s has the sha256 %s, which is not the "
                       "one that was given",
                       piece->path, hex);
    piece->digest = wanted;
    return ERR_OK;
}

enum err pull_plan(struct pull *p, struct err_note *note)
{
    enum err rc = p->reference.is_url ? plan_url(p, note) : plan_repo(p, note);
    rc = rc ? rc : take_sha256(p, note);
    for (size_t i = 0; !rc && i < p->n_pieces; i++)
        if (__builtin_add_overflow(p->n_bytes, p->pieces[i].n_bytes, &p->n_bytes) ||
            p->n_bytes > INT64_MAX)
            rc = err_set(note, ERR_LIMIT, "%s is said to be larger than any file", p->name);
    return rc;
}
