/* proof_batch.h - batches of claims as the chain's API writes them, and what was found of them.
 *
 * A batch that was read is in the order of its nonces, each once (claims_merge). Texts of the wire
 * are bounded before anything of them is kept: a batch holds at most PROOF_NONCES_MAX nonces.
 * Functions of their arguments alone; any thread. */
#ifndef NODE_PROOF_BATCH_H
#define NODE_PROOF_BATCH_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "poc/chain.h"
#include "poc/proof.h"

enum {
    PROOF_NONCES_MAX = 200000,
    PROOF_TEXT_BYTES_MAX = 16 << 20, /* of a batch as JSON, either kind */
    PROOF_NAME_BYTES = CHAIN_KEY_MAX + 1,
};

/* ProofBatch: dist of a claim is what was claimed. An empty one has height and node_id -1. */
struct proof_batch {
    char public_key[PROOF_NAME_BYTES], block_hash[PROOF_NAME_BYTES];
    int64_t block_height, node_id;
    struct claim *claims; /* [n] */
    size_t n;
};

/* ERR_FORMAT, ERR_LIMIT: the note says which field; b is empty then. */
enum err proof_batch_read(struct proof_batch *b, struct str text, struct err_note *note);
void proof_batch_write(const struct proof_batch *b, struct buf *out);
void proof_batch_release(struct proof_batch *b);

/* out = all of them, in order, each nonce once, node_id of the first; none: an empty batch.
 * ERR_FORMAT: another block or key, or a nonce with two distances. ERR_LIMIT, ERR_MEMORY. */
enum err proof_batch_merge(struct proof_batch *out, const struct proof_batch *batches,
                           size_t n_batches, struct err_note *note);
/* The claims with dist < r_target remain. */
void proof_batch_keep_under(struct proof_batch *b, double r_target);
/* The i-th chunk of n_max nonces, whose claims stay b's; n 0: there is none. */
struct proof_batch proof_batch_part(const struct proof_batch *b, size_t i, size_t n_max);

/* ValidatedBatch: found[i] is what the validator computed for claims[i]. */
struct validated_batch {
    struct proof_batch claimed;
    double *found; /* [claimed.n] */
    double r_target, fraud_threshold;
    bool exact; /* found by the exact profile: a claim holds only if it is the same number */
    struct verdict verdict;
};

/* The verdict over claimed and found: what verdict_of says; where exact, any difference is fraud.
 */
enum err validated_batch_judge(struct validated_batch *v, struct err_note *note);
/* The verdict is as the text has it, for whoever shows it; n_invalid UINT64_MAX: none was there.
 * It proves nothing: validated_batch_judge. */
enum err validated_batch_read(struct validated_batch *v, struct str text, struct err_note *note);
/* A distance that is not finite is written as 2, the furthest: JSON has no other word. */
void validated_batch_write(const struct validated_batch *v, struct buf *out);
void validated_batch_release(struct validated_batch *v);

/* node_json - the text as an object of at most n_values values, counted before any is kept; free
 * with json_decref. what: for the note. */
enum err node_json(struct str text, size_t n_values, const char *what, json_t **out,
                   struct err_note *note);
/* Fields of an object. Absent ones keep *out where may_lack, else ERR_FORMAT. */
enum err node_int(const json_t *object, const char *name, bool may_lack, int64_t *out,
                  struct err_note *note);
enum err node_number(const json_t *object, const char *name, bool may_lack, double *out,
                     struct err_note *note);
enum err node_text(const json_t *object, const char *name, char *out, size_t n_bytes,
                   struct err_note *note);
void node_write_text(const char *text, struct buf *out); /* "..." with its escapes */

#endif
