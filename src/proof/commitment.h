/* commitment.h - salted hashes: what a receipt says about an answer without telling it.
 *
 * A receipt has one secret salt, given to the requester alone; every hash has a salt of its own,
 * derived from that one by what is hashed and its index, so that one part can be shown without
 * the others. Bytes: docs/formats/receipt.md. Any thread. */
#ifndef PROOF_COMMITMENT_H
#define PROOF_COMMITMENT_H

#include "proof/merkle.h"

enum { SALT_BYTES = 32, COMMITMENT_BEST_MAX = 16 };

struct salt {
    uint8_t bytes[SALT_BYTES];
};

/* X(name, text): what is hashed with a salt. */
#define SALT_LABEL_LIST(X)                                                                         \
    X(REQUEST, "request")       /* the bytes of the request as received */                         \
    X(PROMPT, "prompt")         /* the rendered prompt: UTF-8 */                                   \
    X(PROMPT_IDS, "prompt_ids") /* its tokens: 32 bits each, least byte first */                   \
    X(OUTPUT_IDS, "output_ids") /* the answer's tokens */                                          \
    X(POSITION, "position")     /* of the answer, by index from 0 */                               \
    X(PAGE, "page")             /* of keys and values: the page's own hash, by index */            \
    X(PROMPT_PAGE, "prompt_page") /* of the pages that the prompt fills, by index */               \
    X(LOGITS, "logits")         /* of the answer's positions: all of them, hashed, by index */     \
    X(VECTOR, "vector")         /* of a text, by index */
enum salt_label {
#define SALT_ENUM(name, text) SALT_##name,
    SALT_LABEL_LIST(SALT_ENUM)
#undef SALT_ENUM
};

void salt_make(struct salt *out);
/* salt_derive - HKDF-Expand of RFC 5869 with SHA-256. */
struct salt salt_derive(const struct salt *of, enum salt_label label, uint64_t index);

/* commitment_of - SHA-256 of the derived salt and the bytes. */
struct merkle_hash commitment_of(const struct salt *of, enum salt_label label, uint64_t index,
                                 const void *bytes, size_t n_bytes);
/* The same of token ids, as SALT_PROMPT_IDS and SALT_OUTPUT_IDS have them. */
struct merkle_hash commitment_of_ids(const struct salt *of, enum salt_label label,
                                     const uint32_t *ids, size_t n_ids);

/* commitment_of_hashes - the root of a tree with a leaf for each hash: of the prompt's pages
 * (SALT_PROMPT_PAGE), of all logits of each position (SALT_LOGITS). */
struct merkle_hash commitment_of_hashes(const struct salt *of, enum salt_label label,
                                        const struct merkle_hash *hashes, size_t n_hashes);

/* What an answer's position was sampled from. */
struct position_record {
    uint32_t id; /* sampled */
    uint32_t n_best;
    struct {
        uint32_t id, logit_bits; /* binary32, -0 as +0 */
    } best[COMMITMENT_BEST_MAX];  /* the largest logits, falling; of equals the lower id first */
    uint64_t sum; /* of the sampler's integer probabilities; 0 where it took the largest logit */
};
/* A record's bytes, and back: false where they are none. The leaf is the salt and these. */
enum { POSITION_BYTES_MAX = 4 + 8 + 4 + COMMITMENT_BEST_MAX * 8 };
size_t position_write(const struct position_record *record, uint8_t out[POSITION_BYTES_MAX]);
bool position_read(const uint8_t *bytes, size_t n_bytes, struct position_record *out);
bool position_equal(const struct position_record *a, const struct position_record *b);
/* position_leaf - the leaf of the answer's tree, by the position's own salt. */
struct merkle_hash position_leaf(const struct salt *salt, const struct position_record *record);
/* commitment_position - the same by the receipt's. */
struct merkle_hash commitment_position(const struct salt *of, uint64_t index,
                                       const struct position_record *record);

/* A text and the vector that was made of it. */
struct vector_record {
    const uint32_t *ids; /* [n_ids] */
    uint32_t n_ids;
    uint32_t n_first; /* ids from here on are of the second kind: a pair's second text */
    const float *values; /* [n_values], or scores */
    uint32_t n_values;
};
/* commitment_vector - the leaf of a tree of vectors. */
struct merkle_hash commitment_vector(const struct salt *of, uint64_t index,
                                     const struct vector_record *record);

#endif
