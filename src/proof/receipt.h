/* receipt.h - the body of a receipt: a struct to canonical JSON and back. */
#ifndef PROOF_RECEIPT_H
#define PROOF_RECEIPT_H

#include "proof/canon.h"
#include "proof/merkle.h"

/* What an answer was computed from, by which rules, and hashes of what came out. Texts and pages
 * are the caller's. Written as one object, signed as SIGN_RECEIPT. */
struct receipt {
    struct {
        struct merkle_hash weights, metadata, tokenizer, template; /* plain hashes: public files */
    } model;
    struct str arithmetic; /* "exact-1" */
    struct str device;     /* as the node has it: asserted */
    /* While it ran, as the node has it: the most memory that the process held, and how much of the
     * processors' time it used, in thousandths. */
    uint64_t memory_bytes, utilisation_permille;
    struct str parameters; /* everything that the sampler read: parameters.h */
    uint64_t seed;
    bool seed_by_node; /* nobody asked for it: the node might have tried several */
    struct merkle_hash request, prompt; /* commitments, as all hashes below */
    struct merkle_hash prompt_ids, output_ids;
    uint64_t n_prompt, n_output;     /* tokens */
    bool has_prompt_pages;           /* receipts were made without */
    struct merkle_hash prompt_pages; /* root of the tree of the prompt's pages */
    struct merkle_hash root;         /* of the tree of n_output positions */
    bool has_logits;                 /* the node was told to commit to all of them */
    struct merkle_hash logits;       /* root of the tree of the hashes of n_output rows */
    const struct merkle_hash *pages; /* [n_pages], of those that the answer filled */
    size_t n_pages;
    struct str finish_reason;
    uint64_t started_ms, ended_ms; /* since 1970, by the node's clock: asserted */
    struct {
        struct str amount, currency; /* "0.0012" of "EUR"; amount empty: not metered */
    } price;
};

/* receipt_write - the body, added to out; failed where a text is no UTF-8 or a number too large. */
void receipt_write(const struct receipt *r, struct buf *out);

/* receipt_read - an object of doc: the body of a signed text. ERR_FORMAT: a field that is missing,
 * malformed or unknown. Texts borrow from doc; what is taken is written as the same bytes, but for
 * members that begin with "x_". */
enum err receipt_read(const struct canon_doc *doc, const struct canon_node *body,
                      struct receipt *out, struct err_note *note);
void receipt_release(struct receipt *r);

#endif
