/* receipt_vectors.h - the body of a receipt of vectors: one embedding call, any number of texts. */
#ifndef PROOF_RECEIPT_VECTORS_H
#define PROOF_RECEIPT_VECTORS_H

#include "proof/receipt.h"

/* Signed as SIGN_RECEIPT, like an answer's; which of the two a body is, its members say. */
struct receipt_vectors {
    struct receipt of;    /* model, arithmetic, device, load, request, times and price; no more */
    uint64_t n_tokens;    /* of all texts */
    uint64_t n_vectors;   /* one for each text */
    uint64_t n_values;    /* of each */
    bool is_normalized;   /* of length 1 */
    struct str pooling;   /* "mean", "cls", "last", "rank" */
    struct str interface; /* how the request came: "embed", "/v1/embeddings", ... */
    struct merkle_hash root; /* of the tree of n_vectors */
};

void receipt_vectors_write(const struct receipt_vectors *r, struct buf *out);
/* receipt_vectors_read - as receipt_read; nothing is owned. */
enum err receipt_vectors_read(const struct canon_doc *doc, const struct canon_node *body,
                              struct receipt_vectors *out, struct err_note *note);

#endif
