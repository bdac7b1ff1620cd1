/* fuzz_signed.c - any bytes as signed texts, and as the body of a receipt. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "proof/certificate.h"
#include "proof/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* Without a signature, which no fuzzer finds. */
static void try_body(struct str text)
{
    struct err_note note = {""};
    struct canon_doc doc;
    struct receipt r;
    struct buf out;
    if (canon_read(text, &doc, NULL))
        return;
    if (receipt_read(&doc, doc.nodes, &r, &note)) {
        CHECK(note.text[0] && !r.pages);
    } else {
        buf_init(&out, text.len);
        receipt_write(&r, &out);
        CHECK(!out.failed && out.n_bytes <= text.len);
        receipt_release(&r);
        buf_release(&out);
    }
    canon_release(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct str text = {(const char *)bytes, n_bytes};
    struct certificate c;
    struct revocation r;
    struct signed_text s;
    struct err_note note = {""};
    bool is_certificate = !certificate_read(text, &c, &note);
    CHECK(is_certificate ? c.serial > 0 && c.not_before_s < c.not_after_s : note.text[0]);
    CHECK(revocation_read(text, &r, &note) || !is_certificate);
    if (!signed_read(SIGN_RECEIPT, text, &s, &note)) {
        CHECK(!is_certificate && sign_key_ok(&s.key));
        signed_release(&s);
    }
    try_body(text);
    return 0;
}
