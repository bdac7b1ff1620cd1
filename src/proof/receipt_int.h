/* receipt_int.h - what the receipts of answers and of vectors have in common, for receipt*.c alone.
 */
#ifndef PROOF_RECEIPT_INT_H
#define PROOF_RECEIPT_INT_H

#include "proof/receipt.h"

/* Members of an object. */
void receipt_write_hash(struct canon_writer *w, const char *key, const struct merkle_hash *h);
void receipt_write_text(struct canon_writer *w, const char *key, struct str text);
void receipt_write_int(struct canon_writer *w, const char *key, uint64_t value);
void receipt_write_object(struct canon_writer *w, const char *key); /* canon_end ends it */

/* Members of a body; a price only where there is one. */
void receipt_write_load(struct canon_writer *w, const struct receipt *r);
void receipt_write_model(struct canon_writer *w, const struct receipt *r);
void receipt_write_price(struct canon_writer *w, const struct receipt *r);
void receipt_write_time(struct canon_writer *w, const struct receipt *r);

/* The same, read. */
enum err receipt_read_hash(const struct canon_node *node, struct merkle_hash *out,
                           struct err_note *note);
enum err receipt_read_load(const struct canon_doc *doc, const struct canon_node *in,
                           struct receipt *r, struct err_note *note);
enum err receipt_read_model(const struct canon_doc *doc, const struct canon_node *in,
                            struct receipt *r, struct err_note *note);
enum err receipt_read_price(const struct canon_doc *doc, const struct canon_node *in,
                            struct receipt *r, struct err_note *note);
enum err receipt_read_time(const struct canon_doc *doc, const struct canon_node *in,
                           struct receipt *r, struct err_note *note);

#endif
