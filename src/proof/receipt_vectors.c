/* receipt_vectors.c - the fields of a receipt of vectors, out and in. */
#include "proof/receipt_vectors.h"

#include "base/check.h"
#include "proof/receipt_int.h"

void receipt_vectors_write(const struct receipt_vectors *r, struct buf *out)
{
    struct canon_writer w;
    canon_begin(&w, out);
    canon_object(&w);
    receipt_write_text(&w, "arithmetic", r->of.arithmetic);
    receipt_write_text(&w, "device", r->of.device);
    receipt_write_text(&w, "interface", r->interface);
    receipt_write_load(&w, &r->of);
    receipt_write_model(&w, &r->of);
    receipt_write_price(&w, &r->of);
    receipt_write_hash(&w, "request", &r->of.request);
    receipt_write_time(&w, &r->of);
    receipt_write_object(&w, "vectors");
    receipt_write_int(&w, "count", r->n_vectors);
    canon_key(&w, "normalized");
    canon_bool(&w, r->is_normalized);
    receipt_write_text(&w, "pooling", r->pooling);
    receipt_write_hash(&w, "root", &r->root);
    receipt_write_int(&w, "tokens", r->n_tokens);
    receipt_write_int(&w, "values", r->n_values);
    canon_end(&w);
    canon_end(&w);
}

static enum err read_vectors(const struct canon_doc *doc, const struct canon_node *in,
                             struct receipt_vectors *r, struct err_note *note)
{
    static const struct canon_field fields[] = {
        {"count", CANON_INT, false}, {"normalized", CANON_BOOL, false},
        {"pooling", CANON_TEXT, false}, {"root", CANON_TEXT, false},
        {"tokens", CANON_INT, false}, {"values", CANON_INT, false}};
    const struct canon_node *found[COUNT_OF(fields)];
    enum err rc = canon_fields(doc, in, fields, COUNT_OF(fields), found, "receipt: vectors", note);
    if (rc)
        return rc;
    r->n_vectors = found[0]->number;
    r->is_normalized = found[1]->number != 0;
    r->pooling = found[2]->text;
    r->n_tokens = found[4]->number;
    r->n_values = found[5]->number;
    return receipt_read_hash(found[3], &r->root, note);
}

enum err receipt_vectors_read(const struct canon_doc *doc, const struct canon_node *body,
                              struct receipt_vectors *out, struct err_note *note)
{
    enum { ARITHMETIC, DEVICE, INTERFACE, LOAD, MODEL, PRICE, REQUEST, TIME, VECTORS, N };
    static const struct canon_field fields[N] = {
        [ARITHMETIC] = {"arithmetic", CANON_TEXT, false},
        [DEVICE] = {"device", CANON_TEXT, false},
        [INTERFACE] = {"interface", CANON_TEXT, false},
        [LOAD] = {"load", CANON_OBJECT, false},
        [MODEL] = {"model", CANON_OBJECT, false},
        [PRICE] = {"price", CANON_OBJECT, true},
        [REQUEST] = {"request", CANON_TEXT, false},
        [TIME] = {"time", CANON_OBJECT, false},
        [VECTORS] = {"vectors", CANON_OBJECT, false},
    };
    const struct canon_node *found[N];
    struct receipt *r = &out->of;
    *out = (struct receipt_vectors){0};
    enum err rc = canon_fields(doc, body, fields, N, found, "receipt of vectors", note);
    if (rc)
        return rc;
    r->arithmetic = found[ARITHMETIC]->text;
    r->device = found[DEVICE]->text;
    out->interface = found[INTERFACE]->text;
    rc = receipt_read_load(doc, found[LOAD], r, note);
    rc = rc ? rc : receipt_read_model(doc, found[MODEL], r, note);
    if (!rc && found[PRICE])
        rc = receipt_read_price(doc, found[PRICE], r, note);
    rc = rc ? rc : receipt_read_hash(found[REQUEST], &r->request, note);
    rc = rc ? rc : receipt_read_time(doc, found[TIME], r, note);
    return rc ? rc : read_vectors(doc, found[VECTORS], out, note);
}
