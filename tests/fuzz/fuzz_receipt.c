/* fuzz_receipt.c - any bytes as a receipt's body and as its parameters: what is taken is written
 * again as the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "proof/parameters.h"
#include "proof/receipt.h"
#include "proof/receipt_vectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* Members that begin with "x_" are taken and not written. */
static bool has_extra(const struct canon_doc *doc)
{
    for (uint32_t i = 0; i < doc->n_nodes; i++)
        if (str_starts(doc->nodes[i].key, STR("x_")))
            return true;
    return false;
}

static void check_same(const struct buf *out, struct str wanted, bool has_extras)
{
    CHECK(!out->failed && out->n_bytes <= wanted.len);
    if (!has_extras)
        CHECK(str_eq((struct str){out->bytes, out->n_bytes}, wanted));
}

static void try_parameters(const struct canon_doc *doc, const struct canon_node *object,
                           bool has_extras)
{
    struct parameters p;
    struct err_note note = {""};
    struct buf out;
    if (parameters_read(doc, object, &p, &note)) {
        CHECK(note.text[0] && !p.request.stops && !p.stop_texts);
        return;
    }
    buf_init(&out, object->raw.len);
    parameters_write(&p, &out);
    check_same(&out, object->raw, has_extras);
    parameters_release(&p);
    buf_release(&out);
}

static void try_vectors(const struct canon_doc *doc, bool has_extras)
{
    struct receipt_vectors r;
    struct err_note note = {""};
    struct buf out;
    if (receipt_vectors_read(doc, doc->nodes, &r, &note)) {
        CHECK(note.text[0]);
        return;
    }
    buf_init(&out, doc->nodes[0].raw.len);
    receipt_vectors_write(&r, &out);
    check_same(&out, doc->nodes[0].raw, has_extras);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct canon_doc doc;
    struct receipt r;
    struct err_note note = {""};
    struct buf out;
    if (canon_read((struct str){(const char *)bytes, n_bytes}, &doc, NULL))
        return 0;
    bool has_extras = has_extra(&doc);
    try_parameters(&doc, doc.nodes, has_extras);
    try_vectors(&doc, has_extras);
    for (uint32_t i = 0; i < doc.n_nodes; i++)
        if (str_is(doc.nodes[i].key, "parameters") && doc.nodes[i].type == CANON_OBJECT)
            try_parameters(&doc, &doc.nodes[i], has_extras);
    if (receipt_read(&doc, doc.nodes, &r, &note)) {
        CHECK(note.text[0] && !r.pages);
    } else {
        buf_init(&out, n_bytes);
        receipt_write(&r, &out);
        check_same(&out, doc.nodes[0].raw, has_extras);
        receipt_release(&r);
        buf_release(&out);
    }
    canon_release(&doc);
    return 0;
}
