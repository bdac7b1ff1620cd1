/* log.h - the log that receipts stand in: its signed heads, and what can be proved from them.
 *
 * An EPOCH is a tree of receipts' names (merkle.h) that one signing key lets grow, from 1 on; a
 * HEAD is what it says of the tree at one size. A key signs at most one head of an epoch and size.
 * Every head of an epoch names the last head of the epoch before, so the newest head stands for all
 * that was ever in the log, whatever keys came and went. Heads that contradict each other prove by
 * themselves that the log was forked. Bytes: docs/formats/receipt.md. Any thread. */
#ifndef PROOF_LOG_H
#define PROOF_LOG_H

#include "proof/certificate.h"
#include "proof/merkle.h"

struct log_head {
    struct sign_key key; /* who signed it */
    uint64_t epoch;      /* 1 and up */
    uint64_t count;      /* of receipts, 1 and up */
    struct merkle_hash root;
    uint64_t time_s;             /* since 1970, as the node has it */
    bool has_previous;           /* all but the first epoch */
    struct merkle_hash previous; /* the name of the last head of the epoch before */
    struct merkle_hash name;     /* of this head: sign_digest of its body; log_head_write sets it */
};

/* log_head_write - the signed text, added to out; h->key must be pair's. */
void log_head_write(struct log_head *h, const struct sign_pair *pair, struct buf *out);
/* log_head_read - ERR_FORMAT. Whether the key counts is for the caller to say. */
enum err log_head_read(struct str text, struct log_head *out, struct err_note *note);

/* log_leaf - of a receipt, by its name (sign_digest of its body). */
struct merkle_hash log_leaf(const struct merkle_hash *name);
/* log_includes - the receipt of that name is leaf index of the head's tree. */
bool log_includes(const struct log_head *head, const struct merkle_hash *name, uint64_t index,
                  const struct merkle_proof *proof);
/* log_extends - nothing that old says was taken back in later, a head of the same epoch and key. */
bool log_extends(const struct log_head *old, const struct log_head *later,
                 const struct merkle_proof *proof);
/* log_contradiction - why a and b, each with a good signature, prove that their key forked its log;
 * NULL: they do not. */
const char *log_contradiction(const struct log_head *a, const struct log_head *b);

/* A receipt's place: the head that it is proved to be in. */
struct log_place {
    const struct log_head *head;
    struct merkle_hash name; /* of the receipt */
    uint64_t index;
    const struct merkle_proof *proof;
};
/* log_covers - whether seen stands for the receipt: place->head is seen itself, or seen's epoch
 * goes back to it by the heads of links [n_links], each the last of its epoch, oldest first, each
 * named by the next. place->head counts for that if it is the last of its epoch; for an earlier one
 * of seen's own epoch, prove the place in seen. */
bool log_covers(const struct log_head *seen, const struct log_head *links, size_t n_links,
                const struct log_place *place);

/* log_stands - whether a receipt signed under certificate counts in spite of revocation: where that
 * one hits the certificate, a head that somebody else saw before it, witness, must cover the
 * receipt (links as above). No clock has a say. witness NULL: nobody saw one. */
bool log_stands(const struct certificate *certificate, const struct revocation *revocation,
                const struct log_head *witness, const struct log_head *links, size_t n_links,
                const struct log_place *place);

#endif
