/* fuzz_signed.c - any bytes as signed texts: certificates, revocations and receipts. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "proof/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

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
    return 0;
}
