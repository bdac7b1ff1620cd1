/* log.c - heads to signed texts and back, and what follows from them. */
#include "proof/log.h"

#include "base/check.h"

enum { BODY_BYTES_MAX = 4096 };

static void write_hash(struct canon_writer *w, const char *key, const struct merkle_hash *h)
{
    canon_key(w, key);
    canon_hex(w, h->bytes, SHA256_BYTES);
}

void log_head_write(struct log_head *h, const struct sign_pair *pair, struct buf *out)
{
    struct canon_writer w;
    struct buf body;
    CHECK(sign_key_equal(&h->key, &pair->key));
    buf_init(&body, BODY_BYTES_MAX);
    canon_begin(&w, &body);
    canon_object(&w);
    canon_key(&w, "count");
    canon_int(&w, h->count);
    canon_key(&w, "epoch");
    canon_int(&w, h->epoch);
    if (h->has_previous)
        write_hash(&w, "previous", &h->previous);
    write_hash(&w, "root", &h->root);
    canon_key(&w, "time");
    canon_int(&w, h->time_s);
    canon_end(&w);
    if (body.failed) {
        out->failed = true;
    } else {
        struct str text = {body.bytes, body.n_bytes};
        sign_digest(SIGN_HEAD, text, h->name.bytes);
        sign_write(SIGN_HEAD, text, pair, out);
    }
    buf_release(&body);
}

static enum err read_head(const struct signed_text *s, struct log_head *h, struct err_note *note)
{
    enum { AT_COUNT, EPOCH, PREVIOUS, ROOT, TIME, N_FIELDS };
    static const struct canon_field fields[N_FIELDS] = {
        [AT_COUNT] = {"count", CANON_INT, false},
        [EPOCH] = {"epoch", CANON_INT, false},
        [PREVIOUS] = {"previous", CANON_TEXT, true},
        [ROOT] = {"root", CANON_TEXT, false},
        [TIME] = {"time", CANON_INT, false},
    };
    const struct canon_node *found[N_FIELDS];
    enum err rc = canon_fields(&s->doc, s->body, fields, N_FIELDS, found, "head", note);
    if (rc)
        return rc;
    *h = (struct log_head){.key = s->key,
                           .epoch = found[EPOCH]->number,
                           .count = found[AT_COUNT]->number,
                           .time_s = found[TIME]->number,
                           .has_previous = found[PREVIOUS] != NULL};
    if (h->epoch == 0 || h->count == 0)
        return err_set(note, ERR_FORMAT, "the head has no epoch or no receipts");
    if (h->has_previous != (h->epoch > 1))
        return err_set(note, ERR_FORMAT, "the head of epoch %llu must %sname a previous one",
                       (unsigned long long)h->epoch, h->epoch > 1 ? "" : "not ");
    if (!canon_bytes(found[ROOT], h->root.bytes, SHA256_BYTES) ||
        (h->has_previous && !canon_bytes(found[PREVIOUS], h->previous.bytes, SHA256_BYTES)))
        return err_set(note, ERR_FORMAT, "the head's hashes must be 64 hex digits");
    sign_digest(SIGN_HEAD, s->body->raw, h->name.bytes);
    return ERR_OK;
}

enum err log_head_read(struct str text, struct log_head *out, struct err_note *note)
{
    struct signed_text s;
    *out = (struct log_head){0};
    enum err rc = signed_read(SIGN_HEAD, text, &s, note);
    if (rc)
        return rc;
    rc = read_head(&s, out, note);
    if (rc)
        *out = (struct log_head){0};
    signed_release(&s);
    return rc;
}

/* ---- what follows ------------------------------------------------------------------------- */

struct merkle_hash log_leaf(const struct merkle_hash *name)
{
    return merkle_leaf(name->bytes, SHA256_BYTES);
}

bool log_includes(const struct log_head *head, const struct merkle_hash *name, uint64_t index,
                  const struct merkle_proof *proof)
{
    const struct merkle_hash leaf = log_leaf(name);
    return merkle_check_leaf(&leaf, index, head->count, proof, &head->root);
}

static bool same_epoch(const struct log_head *a, const struct log_head *b)
{
    return a->epoch == b->epoch && sign_key_equal(&a->key, &b->key);
}

static bool same_previous(const struct log_head *a, const struct log_head *b)
{
    return a->has_previous == b->has_previous && merkle_equal(&a->previous, &b->previous);
}

bool log_extends(const struct log_head *old, const struct log_head *later,
                 const struct merkle_proof *proof)
{
    return same_epoch(old, later) && same_previous(old, later) &&
           merkle_check_prefix(old->count, &old->root, later->count, &later->root, proof);
}

const char *log_contradiction(const struct log_head *a, const struct log_head *b)
{
    if (!sign_key_equal(&a->key, &b->key) || merkle_equal(&a->name, &b->name))
        return NULL;
    if (a->epoch != b->epoch)
        return a->has_previous && b->has_previous && same_previous(a, b)
                   ? "two epochs go on from one head"
                   : NULL;
    if (!same_previous(a, b))
        return "one epoch goes on from two heads";
    return a->count == b->count ? "two heads of one epoch and size" : NULL;
}

bool log_covers(const struct log_head *seen, const struct log_head *links, size_t n_links,
                const struct log_place *place)
{
    const struct log_head *at = place->head;
    if (!log_includes(at, &place->name, place->index, place->proof))
        return false;
    for (size_t i = 0; i < n_links; i++) {
        if (!links[i].has_previous || !merkle_equal(&links[i].previous, &at->name))
            return false;
        at = &links[i];
    }
    return merkle_equal(&seen->name, &at->name) ||
           (seen->has_previous && merkle_equal(&seen->previous, &at->name));
}

bool log_stands(const struct certificate *certificate, const struct revocation *revocation,
                const struct log_head *witness, const struct log_head *links, size_t n_links,
                const struct log_place *place)
{
    if (!revocation_hits(revocation, certificate))
        return true;
    return witness && sign_key_equal(&place->head->key, &certificate->key) &&
           log_covers(witness, links, n_links, place);
}
