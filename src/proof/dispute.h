/* dispute.h - two receipts of one request whose answers differ: where they part, and which of them
 * holds once a third party has computed that part anew.
 *
 * Pure: files and models are the caller's. Bundles are taken as checked against their receipts by
 * verify_parts. Tokens count from the answer's first; pages from the first position of the prompt:
 * page k holds positions 64 k and 63 more. Where a bundle does not show the pages that the prompt
 * fills, those are taken as equal. */
#ifndef PROOF_DISPUTE_H
#define PROOF_DISPUTE_H

#include "proof/verify.h"

/* dispute_same - whether both answer the same: model, arithmetic, prompt, parameters but for
 * how and when the prompt was rendered, seed. Each that differs is added to the report. */
bool dispute_same(const struct verify_case *a, const struct verify_case *b,
                  struct verify_report *r);

#define DISPUTE_NONE SIZE_MAX
struct dispute {
    size_t page, record; /* the first of each that differs; DISPUTE_NONE: they are equal as far as
                            both go */
    /* What settles it from the beginning: so many records, and pages up to n_pages. Every token
     * that they need is one that both have, so both can be held to what these tokens give. */
    size_t n_records, n_pages;
    size_t n_output; /* tokens of the answer that a replay is told, the last one not needed */
    /* What settles it from pages on which both agree: positions from that page's first up to n_end,
     * 64 at most, give the page that differs, or else the record. */
    size_t first_page, n_end;
    bool is_page;
};

/* dispute_find - false: nothing differs as far as both answers go. */
bool dispute_find(const struct verify_case *a, const struct verify_case *b, struct dispute *d);

/* dispute_page - the hash of page k; NULL: the bundle does not show it. */
const struct merkle_hash *dispute_page(const struct bundle *b, size_t page);
/* dispute_token - the token at a position of prompt or answer. */
int32_t dispute_token(const struct bundle *b, size_t position);

/* The first thing of a party that is not as computed: a page, else a record; both DISPUTE_NONE:
 * all that settles the dispute holds. */
struct dispute_fault {
    size_t page, record;
    /* As computed; NULL: the answer ends before it. */
    const struct merkle_hash *page_now;
    const struct position_record *record_now;
};
struct dispute_fault dispute_fault(const struct dispute *d, const struct bundle *of,
                                   const struct verify_replay *now);

#endif
