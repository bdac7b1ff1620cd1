/* key_file.c - secret keys to private files and back. */
#include "proof/key_file.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include <sodium.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"

enum { FILE_BYTES_MAX = 64 << 10 };

#define IDENTITY_KIND "identity key"
#define SIGNING_KIND  "signing key"

/* ---- out ---------------------------------------------------------------------------------- */

static enum err write_file(const char *path, const struct sign_pair *pair, struct str certificate,
                           struct err_note *note)
{
    struct canon_writer w;
    struct file_writer f;
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    canon_begin(&w, &text);
    canon_object(&w);
    if (certificate.len) {
        canon_key(&w, "certificate");
        canon_raw(&w, certificate);
    }
    canon_key(&w, "kind");
    canon_text(&w, str_from(certificate.len ? SIGNING_KIND : IDENTITY_KIND));
    canon_key(&w, "seed");
    canon_hex(&w, pair->seed, SIGN_SEED_BYTES);
    canon_end(&w);
    buf_char(&text, '\n');
    enum err rc = text.failed ? err_set(note, ERR_MEMORY, "no memory to write %s", path)
                              : file_writer_open_private(&f, path, note);
    if (!rc) {
        file_writer_add(&f, text.bytes, text.n_bytes);
        rc = file_writer_commit(&f, note);
    }
    if (text.bytes)
        sodium_memzero(text.bytes, text.n_reserved);
    buf_release(&text);
    return rc;
}

enum err identity_write(const char *path, const struct sign_pair *pair, struct err_note *note)
{
    return write_file(path, pair, STR(""), note);
}

enum err signing_write(const char *path, const struct sign_pair *pair, struct str certificate,
                       struct err_note *note)
{
    return write_file(path, pair, certificate, note);
}

/* ---- in ----------------------------------------------------------------------------------- */

static enum err parse(struct str text, bool is_signing, struct sign_pair *pair,
                      struct certificate *certificate, struct err_note *note)
{
    static const struct canon_field fields[] = {{"kind", CANON_TEXT, false},
                                                {"seed", CANON_TEXT, false},
                                                {"certificate", CANON_OBJECT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    const char *kind = is_signing ? SIGNING_KIND : IDENTITY_KIND;
    uint8_t seed[SIGN_SEED_BYTES];
    struct canon_doc doc;
    if (text.len && text.ptr[text.len - 1] == '\n')
        text.len--;
    enum err rc = canon_read(text, &doc, note);
    if (rc)
        return rc;
    rc = canon_fields(&doc, doc.nodes, fields, is_signing ? 3 : 2, found, kind, note);
    if (!rc && !str_is(found[0]->text, kind))
        rc = err_set(note, ERR_FORMAT, "this is no %s", kind);
    if (!rc && !canon_bytes(found[1], seed, sizeof seed))
        rc = err_set(note, ERR_FORMAT, "the seed must be 64 hex digits");
    if (!rc)
        sign_pair_of_seed(seed, pair);
    sodium_memzero(seed, sizeof seed);
    if (!rc && is_signing)
        rc = certificate_read(found[2]->raw, certificate, note);
    if (!rc && is_signing && !sign_key_equal(&certificate->key, &pair->key))
        rc = err_set(note, ERR_FORMAT, "the certificate is of another key");
    canon_release(&doc);
    return rc;
}

static enum err read_file(const char *path, bool is_signing, struct sign_pair *pair,
                          struct certificate *certificate, struct err_note *note)
{
    struct stat st;
    char *text;
    size_t n_bytes;
    *pair = (struct sign_pair){0};
    if (stat(path, &st) == 0 && (st.st_mode & 077))
        return err_set(note, ERR_USAGE,
                       "%s can be read or written by others (mode %04o); chmod 600 it", path,
                       (unsigned)st.st_mode & 07777);
    enum err rc = file_read(path, FILE_BYTES_MAX, &text, &n_bytes, note);
    if (rc)
        return rc;
    rc = parse((struct str){text, n_bytes}, is_signing, pair, certificate, note);
    if (rc) {
        sign_pair_wipe(pair);
        err_wrap(note, rc, "%s", path);
    }
    sodium_memzero(text, n_bytes);
    mem_free(text);
    return rc;
}

enum err identity_read(const char *path, struct sign_pair *pair, struct err_note *note)
{
    return read_file(path, false, pair, NULL, note);
}

enum err signing_read(const char *path, struct sign_pair *pair, struct certificate *certificate,
                      struct err_note *note)
{
    return read_file(path, true, pair, certificate, note);
}

/* The certificate's text lies in the secret's file too, but is public beside it. */
static enum err read_certificate_text(struct signing *s, const char *folder, struct err_note *note)
{
    char path[PATH_MAX];
    struct certificate c;
    size_t n_bytes;
    snprintf(path, sizeof path, "%s/certificate-%llu.json", folder,
             (unsigned long long)s->certificate.serial);
    enum err rc = file_read(path, FILE_BYTES_MAX, &s->text, &n_bytes, note);
    if (rc)
        return rc;
    rc = certificate_read((struct str){s->text, n_bytes}, &c, note);
    if (!rc && !sign_key_equal(&c.key, &s->pair.key))
        rc = err_set(note, ERR_FORMAT, "the certificate is not of signing.key");
    return rc ? err_wrap(note, rc, "%s", path) : ERR_OK;
}

enum err signing_open(const char *folder, uint64_t now_s, struct signing *s, struct err_note *note)
{
    char path[PATH_MAX];
    *s = (struct signing){0};
    if ((size_t)snprintf(path, sizeof path, "%s/signing.key", folder) >= sizeof path)
        return err_set(note, ERR_USAGE, "the path of the keys is too long");
    if (!file_exists(path))
        return err_set(note, ERR_USAGE,
                       "receipts need a signing key, and %s is not there; isobit node-key create "
                       "makes one, or say where it lies: --node-key",
                       path);
    enum err rc = signing_read(path, &s->pair, &s->certificate, note);
    rc = rc ? rc : read_certificate_text(s, folder, note);
    if (!rc && !certificate_covers(&s->certificate, now_s))
        rc = err_set(note, ERR_USAGE,
                     "the certificate of %s is not valid now; isobit node-key rotate makes a new "
                     "signing key",
                     path);
    if (rc)
        signing_release(s);
    return rc;
}

void signing_release(struct signing *s)
{
    sign_pair_wipe(&s->pair);
    mem_free(s->text);
    *s = (struct signing){0};
}
