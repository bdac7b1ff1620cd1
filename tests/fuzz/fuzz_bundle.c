/* fuzz_bundle.c - any bytes as a bundle: what is taken is written again as the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "proof/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* Members that begin with "x_" are taken and not written. */
static bool has_extra(const struct canon_doc *doc)
{
    for (uint32_t i = 0; i < doc->n_nodes; i++)
        if (str_starts(doc->nodes[i].key, STR("x_")))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct canon_doc doc;
    struct bundle b;
    struct err_note note = {""};
    struct buf out;
    if (canon_read((struct str){(const char *)bytes, n_bytes}, &doc, NULL))
        return 0;
    if (bundle_read(&doc, doc.nodes, &b, &note)) {
        CHECK(note.text[0] && !b.pages && !b.positions && !b.prompt_ids && !b.output_ids);
    } else {
        buf_init(&out, n_bytes);
        bundle_write(&b, &out);
        CHECK(!out.failed && out.n_bytes <= n_bytes);
        if (!has_extra(&doc))
            CHECK(out.n_bytes == n_bytes && memcmp(out.bytes, bytes, n_bytes) == 0);
        bundle_release(&b);
        buf_release(&out);
    }
    canon_release(&doc);
    return 0;
}
