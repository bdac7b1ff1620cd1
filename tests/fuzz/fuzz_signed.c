/* fuzz_signed.c - any bytes as signed texts, and as the body of a receipt or of a head. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "proof/log.h"
#include "proof/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* Signed here, by a key of the fuzzer's: no fuzzer finds a signature. */
static void try_head(struct str body)
{
    static struct sign_pair pair;
    struct err_note note = {""};
    struct log_head h;
    struct buf text;
    if (!pair.seed[0])
        sign_pair_of_seed((const uint8_t[SIGN_SEED_BYTES]){1}, &pair);
    buf_init(&text, CANON_BYTES_MAX);
    sign_write(SIGN_HEAD, body, &pair, &text);
    bool ok = !log_head_read((struct str){text.bytes, text.n_bytes}, &h, &note);
    CHECK(ok ? h.epoch > 0 && h.count > 0 && h.has_previous == (h.epoch > 1) : note.text[0]);
    if (ok) {
        struct merkle_hash name = h.name;
        buf_clear(&text);
        log_head_write(&h, &pair, &text);
        CHECK(!text.failed);
        /* The same head, but for what "x_" members said. */
        CHECK(merkle_equal(&name, &h.name) || memmem(body.ptr, body.len, "\"x_", 3));
    }
    buf_release(&text);
}

/* Without a signature. */
static void try_body(struct str text)
{
    struct err_note note = {""};
    struct canon_doc doc;
    struct receipt r;
    struct buf out;
    if (canon_read(text, &doc, NULL))
        return;
    try_head(text);
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
