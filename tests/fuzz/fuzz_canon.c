/* fuzz_canon.c - any bytes as canonical JSON: what is taken is written again as the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "proof/canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct canon_doc doc;
    struct err_note note = {""};
    enum err rc = canon_read((struct str){(const char *)bytes, n_bytes}, &doc, &note);
    if (rc) {
        CHECK(note.text[0] && !doc.nodes && !doc.unescaped);
        return 0;
    }
    struct canon_writer w;
    struct buf out;
    buf_init(&out, n_bytes);
    canon_begin(&w, &out);
    canon_copy(&w, &doc, doc.nodes);
    CHECK(!out.failed && out.n_bytes == n_bytes && memcmp(out.bytes, bytes, n_bytes) == 0);
    for (uint32_t i = 0; i < doc.n_nodes; i++) {
        const struct canon_node *n = &doc.nodes[i], *item;
        uint32_t n_items = 0;
        if (n->type == CANON_ARRAY || n->type == CANON_OBJECT)
            for (item = canon_first(n); item; item = canon_next(&doc, n, item))
                n_items++;
        CHECK(n_items == n->n_items);
    }
    buf_release(&out);
    canon_release(&doc);
    return 0;
}
