/* certificate.c - certificates and revocations to signed texts and back. */
#include "proof/certificate.h"

#include "base/check.h"

enum { BODY_BYTES_MAX = 4096 };

/* Signs body, and forgets it. */
static void finish(enum sign_kind kind, struct buf *body, const struct sign_pair *pair,
                   struct buf *out)
{
    if (body->failed)
        out->failed = true;
    else
        sign_write(kind, (struct str){body->bytes, body->n_bytes}, pair, out);
    buf_release(body);
}

void certificate_write(const struct certificate *c, const struct sign_pair *identity,
                       struct buf *out)
{
    struct canon_writer w;
    struct buf body;
    CHECK(sign_key_equal(&c->identity, &identity->key));
    buf_init(&body, BODY_BYTES_MAX);
    canon_begin(&w, &body);
    canon_object(&w);
    canon_key(&w, "key");
    canon_hex(&w, c->key.bytes, SIGN_KEY_BYTES);
    canon_key(&w, "not_after");
    canon_int(&w, c->not_after_s);
    canon_key(&w, "not_before");
    canon_int(&w, c->not_before_s);
    canon_key(&w, "purpose");
    canon_text(&w, STR(CERTIFICATE_PURPOSE));
    canon_key(&w, "serial");
    canon_int(&w, c->serial);
    canon_end(&w);
    finish(SIGN_CERTIFICATE, &body, identity, out);
}

static enum err read_certificate(const struct signed_text *s, struct certificate *c,
                                 struct err_note *note)
{
    enum { KEY, NOT_AFTER, NOT_BEFORE, PURPOSE, SERIAL, N_FIELDS };
    static const struct canon_field fields[N_FIELDS] = {
        [KEY] = {"key", CANON_TEXT, false},
        [NOT_AFTER] = {"not_after", CANON_INT, false},
        [NOT_BEFORE] = {"not_before", CANON_INT, false},
        [PURPOSE] = {"purpose", CANON_TEXT, false},
        [SERIAL] = {"serial", CANON_INT, false},
    };
    const struct canon_node *found[N_FIELDS];
    enum err rc = canon_fields(&s->doc, s->body, fields, N_FIELDS, found, "certificate", note);
    if (rc)
        return rc;
    if (!canon_bytes(found[KEY], c->key.bytes, SIGN_KEY_BYTES) || !sign_key_ok(&c->key))
        return err_set(note, ERR_FORMAT, "the certificate's key is no Ed25519 key of full order");
    if (!str_is(found[PURPOSE]->text, CERTIFICATE_PURPOSE))
        return err_set(note, ERR_FORMAT, "the certificate is for \"%.*s\", not for receipts",
                       STR_ARG(found[PURPOSE]->text));
    c->identity = s->key;
    c->serial = found[SERIAL]->number;
    c->not_before_s = found[NOT_BEFORE]->number;
    c->not_after_s = found[NOT_AFTER]->number;
    if (c->serial == 0 || c->not_before_s >= c->not_after_s)
        return err_set(note, ERR_FORMAT, "the certificate has no serial or no time");
    return ERR_OK;
}

enum err certificate_read(struct str text, struct certificate *out, struct err_note *note)
{
    struct signed_text s;
    *out = (struct certificate){0};
    enum err rc = signed_read(SIGN_CERTIFICATE, text, &s, note);
    if (rc)
        return rc;
    rc = read_certificate(&s, out, note);
    signed_release(&s);
    return rc;
}

bool certificate_covers(const struct certificate *c, uint64_t time_s)
{
    return time_s >= c->not_before_s && time_s < c->not_after_s;
}

/* ---- revocations -------------------------------------------------------------------------- */

void revocation_write(const struct revocation *r, const struct sign_pair *identity,
                      struct buf *out)
{
    struct canon_writer w;
    struct buf body;
    CHECK(sign_key_equal(&r->identity, &identity->key));
    buf_init(&body, BODY_BYTES_MAX);
    canon_begin(&w, &body);
    canon_object(&w);
    canon_key(&w, "serial");
    canon_int(&w, r->serial);
    canon_key(&w, "time");
    canon_int(&w, r->time_s);
    canon_end(&w);
    finish(SIGN_REVOCATION, &body, identity, out);
}

enum err revocation_read(struct str text, struct revocation *out, struct err_note *note)
{
    static const struct canon_field fields[] = {{"serial", CANON_INT, false},
                                                {"time", CANON_INT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    struct signed_text s;
    *out = (struct revocation){0};
    enum err rc = signed_read(SIGN_REVOCATION, text, &s, note);
    if (rc)
        return rc;
    rc = canon_fields(&s.doc, s.body, fields, COUNT_OF(fields), found, "revocation", note);
    if (!rc)
        *out = (struct revocation){s.key, found[0]->number, found[1]->number};
    signed_release(&s);
    return rc;
}

bool revocation_hits(const struct revocation *r, const struct certificate *c)
{
    return r->serial == c->serial && sign_key_equal(&r->identity, &c->identity);
}
