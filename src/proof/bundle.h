/* bundle.h - what a requester holds beside a receipt, and may show: the salt, and what its
 * hashes are of. Canonical JSON, not signed: each part proves itself against the receipt.
 *
 * Every part is optional. Whoever has the salt can try guesses at parts that were left out. */
#ifndef PROOF_BUNDLE_H
#define PROOF_BUNDLE_H

#include "proof/canon.h"
#include "proof/commitment.h"

/* X(NAME, key, type of its JSON, what a person calls it): in the order of their keys. */
#define BUNDLE_PART_LIST(X)                                                                        \
    X(CERTIFICATE, "certificate", CANON_OBJECT, "the certificate")                                 \
    X(LOG, "log", CANON_OBJECT, "its place in the log")                                            \
    X(LOGITS, "logits", CANON_ARRAY, "the hashes of all logits")                                   \
    X(OUTPUT_IDS, "output_ids", CANON_ARRAY, "the answer's tokens")                                \
    X(PAGES, "pages", CANON_ARRAY, "the hashes of the pages")                                      \
    X(POSITIONS, "positions", CANON_ARRAY, "the records of the answer's positions")                \
    X(PROMPT, "prompt", CANON_TEXT, "the rendered prompt")                                         \
    X(PROMPT_IDS, "prompt_ids", CANON_ARRAY, "the prompt's tokens")                                \
    X(PROMPT_PAGES, "prompt_pages", CANON_ARRAY, "the hashes of the prompt's pages")               \
    X(REQUEST, "request", CANON_TEXT, "the request as received")                                   \
    X(SALT, "salt", CANON_TEXT, "the salt")                                                        \
    X(SHOWN, "shown", CANON_ARRAY, "positions shown alone")
enum bundle_part {
#define BUNDLE_ENUM(name, key, type, what) BUNDLE_##name,
    BUNDLE_PART_LIST(BUNDLE_ENUM)
#undef BUNDLE_ENUM
        BUNDLE_N_PARTS
};

/* A position of the answer shown alone: its own salt, from which no other follows, and the way from
 * its leaf to the receipt's root. */
struct bundle_shown {
    uint64_t index;
    struct position_record record;
    struct merkle_proof proof;
    struct salt salt;
};

/* A part means something where has[part] is set. All is the caller's when written; what was read
 * owns its arrays and borrows its texts. Texts must be UTF-8. */
struct bundle {
    bool has[BUNDLE_N_PARTS];
    struct str certificate; /* a signed text, as certificate_read takes it */
    struct {
        struct str head; /* a signed text */
        uint64_t index;  /* of the receipt among the head's leaves */
        struct merkle_proof proof;
    } log;
    struct str request, prompt;
    const uint32_t *prompt_ids, *output_ids;
    size_t n_prompt_ids, n_output_ids;
    const struct position_record *positions; /* [n_positions], of all output positions */
    size_t n_positions;
    const struct merkle_hash *pages; /* [n_pages], hashes themselves, not commitments */
    size_t n_pages;
    const struct merkle_hash *prompt_pages; /* [n_prompt_pages] the same of the prompt's */
    size_t n_prompt_pages;
    const struct merkle_hash *logits; /* [n_logits] the hash of all logits of each position */
    size_t n_logits;
    struct salt salt;
    const struct bundle_shown *shown; /* [n_shown] */
    size_t n_shown;
};

/* bundle_write - the object, added to out; failed where a text is no UTF-8 or too long for it. A
 * bundle of more than CANON_BYTES_MAX bytes or CANON_NODES_MAX values cannot be read again. */
void bundle_write(const struct bundle *b, struct buf *out);

/* bundle_answer_max - the most tokens of an answer whose bundle has at most n_bytes_max bytes, and
 * no more values than can be read; beside them it has request and prompt, which take n_text_bytes
 * (canon_text_bytes of each), and n_prompt_ids; has_logits: with the hashes of all logits. So that
 * none is made whose receipt cannot be. */
size_t bundle_answer_max(size_t n_text_bytes, size_t n_prompt_ids, bool has_logits,
                         size_t n_bytes_max);

/* bundle_read - from the object of a document, which must outlive what was read: a file of its own,
 * or a member of another. ERR_FORMAT: a part that is malformed or unknown; out is empty then. */
enum err bundle_read(const struct canon_doc *doc, const struct canon_node *object,
                     struct bundle *out, struct err_note *note);
void bundle_release(struct bundle *b); /* of what was read */

/* bundle_show - of a bundle with salt and positions, one that shows these positions alone, with the
 * certificate and the place in the log where it has them; texts are borrowed. ERR_MEMORY. Cost: a
 * hash for each position of the answer, twice for each that is shown. */
enum err bundle_show(const struct bundle *b, const uint32_t *indices, size_t n_indices,
                     struct bundle *out, struct err_note *note);

const char *bundle_part_text(enum bundle_part part);

#endif
