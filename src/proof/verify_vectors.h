/* verify_vectors.h - what holds of a receipt of vectors: the same report, of one embedding call. */
#ifndef PROOF_VERIFY_VECTORS_H
#define PROOF_VERIFY_VECTORS_H

#include "proof/receipt_vectors.h"
#include "proof/verify.h"

/* verify_open_vectors - as verify_open; false: it is no such receipt, nothing was said. What all
 * receipts have in common is c->receipt's too, so that key, log, request and weights are checked by
 * the functions of verify.h. */
bool verify_open_vectors(struct verify_case *c, struct receipt_vectors *v, struct str text,
                         const struct bundle *bundle, struct verify_report *r);

/* verify_vectors - told: the receipt's; now: the same of the vectors that the request's texts have
 * at the model at hand; only model, counts, kind and root are looked at. */
void verify_vectors(const struct receipt_vectors *told, const struct receipt_vectors *now,
                    struct verify_report *r);

#endif
