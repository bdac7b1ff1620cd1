/* fuzz_proof_batch.c - any bytes as a ProofBatch, a ValidatedBatch or an init request; what was
 * read is written and read again. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "node/init_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void try_batch(struct str text, struct buf *out)
{
    struct proof_batch b, again;
    struct err_note note = {""};
    if (proof_batch_read(&b, text, &note)) {
        CHECK(note.text[0] && !b.claims);
        return;
    }
    proof_batch_write(&b, out);
    CHECK(!out->failed);
    CHECK(!proof_batch_read(&again, (struct str){out->bytes, out->n_bytes}, &note));
    CHECK(again.n == b.n && again.node_id == b.node_id &&
          (b.n == 0 || memcmp(again.claims, b.claims, b.n * sizeof b.claims[0]) == 0));
    proof_batch_release(&again);
    proof_batch_release(&b);
}

static void try_validated(struct str text, struct buf *out)
{
    struct validated_batch v, again;
    struct err_note note = {""};
    if (validated_batch_read(&v, text, &note)) {
        CHECK(note.text[0] && !v.found);
        return;
    }
    if (!validated_batch_judge(&v, &note)) {
        validated_batch_write(&v, out);
        CHECK(!out->failed);
        CHECK(!validated_batch_read(&again, (struct str){out->bytes, out->n_bytes}, &note));
        CHECK(again.verdict.n_invalid == v.verdict.n_invalid &&
              again.verdict.fraud == v.verdict.fraud);
        validated_batch_release(&again);
    }
    validated_batch_release(&v);
}

static void try_request(struct str text, struct buf *out)
{
    struct init_request r, again;
    struct err_note note = {""};
    if (init_request_read(&r, text, &note)) {
        CHECK(note.text[0]);
        return;
    }
    init_request_write(&r, out);
    CHECK(!init_request_read(&again, (struct str){out->bytes, out->n_bytes}, &note));
    CHECK(init_request_equal(&r, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static void (*const tries[])(struct str, struct buf *) = {try_batch, try_validated,
                                                              try_request};
    struct str text = {(const char *)bytes, n_bytes};
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        struct buf out;
        buf_init(&out, PROOF_TEXT_BYTES_MAX);
        tries[i](text, &out);
        buf_release(&out);
    }
    return 0;
}
