/* verify.h - what holds of a receipt: every field recomputed, checked against somebody else, or
 * asserted by the node alone; and the verdict that follows.
 *
 * Pure: files, models and texts are the caller's, who adds what they say to the same report. A
 * field that differs stays so whatever is said of it later. Nothing passes that was not measured:
 * a report is valid only if nothing differs and nothing was missing. */
#ifndef PROOF_VERIFY_H
#define PROOF_VERIFY_H

#include "isobit.h"
#include "proof/bundle.h"
#include "proof/log.h"
#include "proof/receipt.h"
#include "proof/sign.h"

/* ---- the report --------------------------------------------------------------------------- */

enum verify_status {
    VERIFY_RECOMPUTED, /* from its causes, with the same result */
    VERIFY_CHECKED,    /* against a counterparty: the requester, a trusted key, a witness */
    VERIFY_ASSERTED,   /* the node says so */
    VERIFY_MISSING,    /* not measured, and a verdict needs it */
    VERIFY_DIFFERS,
};
const char *verify_status_text(enum verify_status status);

enum verdict { VERDICT_VALID = 0, VERDICT_MISMATCH = 1, VERDICT_NOT_MEASURED = 3 };
const char *verdict_text(enum verdict verdict);

enum { VERIFY_LINES_MAX = 40, VERIFY_TEXT = 240 };
struct verify_line {
    const char *field; /* static */
    enum verify_status status;
    char text[VERIFY_TEXT];                         /* what was done, or is missing */
    char expected[VERIFY_TEXT], found[VERIFY_TEXT]; /* where it differs */
};

/* Begins as zeros. */
struct verify_report {
    struct verify_line
        lines[VERIFY_LINES_MAX]; /* one for each field, in the order of first words */
    size_t n_lines;
    const struct verify_line *first; /* difference; NULL: none */
};

/* What a field's line says now; one that differs is left. field: static. */
void verify_say(struct verify_report *r, const char *field, enum verify_status status,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* verify_differ - expected: what must be; found: what the receipt, or what came with it, says. */
void verify_differ(struct verify_report *r, const char *field, const char *expected,
                   const char *found, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* verify_hash - the same, or not: status and the text if they are equal. */
void verify_hash(struct verify_report *r, const char *field, const struct merkle_hash *expected,
                 const struct merkle_hash *found, enum verify_status status, const char *text);
enum verdict verify_verdict(const struct verify_report *r);

/* ---- the receipt -------------------------------------------------------------------------- */

struct verify_case {
    struct signed_text signed_text;
    struct receipt receipt;
    struct merkle_hash name;     /* of the receipt, as its log has it */
    const struct bundle *bundle; /* parts that were not shown are absent */
};
/* verify_has_bits - whether its arithmetic is the one that is computed here: to the bit. */
bool verify_has_bits(const struct verify_case *c);
/* verify_open - reads the receipt and says of its signature; false: it is none, or forged, and the
 * report says so. The text and the bundle outlive the case. */
bool verify_open(struct verify_case *c, struct str text, const struct bundle *bundle,
                 struct verify_report *r);
void verify_close(struct verify_case *c);
/* verify_count - two numbers that must be equal: then status. */
void verify_count(struct verify_report *r, const char *field, uint64_t expected, uint64_t found,
                  enum verify_status status);

/* What the verifier brings along. */
struct verify_trust {
    const struct sign_key *keys; /* identities, or signing keys themselves */
    size_t n_keys;
    const struct revocation *revocations;
    size_t n_revocations;
    /* Heads that somebody else than the node had seen, before any of the revocations. */
    const struct log_head *heads;
    size_t n_heads;
};
/* verify_key - whose key it is, its certificate, its time, revocations. verify_log - its place, and
 * what the heads say of it: forks, back-dating. */
void verify_key(const struct verify_case *c, const struct verify_trust *trust,
                struct verify_report *r);
void verify_log(const struct verify_case *c, const struct verify_trust *trust,
                struct verify_report *r);

/* verify_request - its commitment, where the bundle has the salt; ptr NULL: not known, then the
 * bundle's, which is compared with no other. */
void verify_request(const struct verify_case *c, struct str request, struct verify_report *r);
/* verify_parts - each part of the bundle against the receipt's commitments and counts. request: the
 * bytes that the requester sent, by the requester; ptr NULL: not known. */
void verify_parts(const struct verify_case *c, struct str request, struct verify_report *r);

/* verify_model - the hashes of a model's parts. */
struct verify_model {
    struct merkle_hash weights, metadata, tokenizer, template;
};
void verify_model(const struct verify_case *c, const struct verify_model *m,
                  struct verify_report *r);
/* verify_weights - the one that is expected, without the model. */
void verify_weights(const struct verify_case *c, const struct merkle_hash *expected,
                    struct verify_report *r);

/* What computing the answer anew gave. */
struct verify_replay {
    const uint32_t *ids;                   /* [n_records]: the tokens as chosen now */
    const struct position_record *records; /* [n_records] */
    size_t n_records;
    const struct merkle_hash *pages; /* [n_pages] */
    size_t n_pages;
    const struct merkle_hash *prompt_pages; /* [n_prompt_pages] */
    size_t n_prompt_pages;
    const struct merkle_hash *logits; /* [n_records] of all of each row; NULL: not computed */
};
/* verify_replayed - tokens, records, pages; false: the first that differs is told, and nothing
 * after it. Records may end after the first token that is not the answer's. */
bool verify_replayed(const struct verify_case *c, const struct verify_replay *replay,
                     struct verify_report *r);

/* verify_finish - why the answer ended. ended: as replayed, ISO_FINISH_NONE where it would go on;
 * stop_text: a stop text of the request ends with the last token. */
void verify_finish(const struct verify_case *c, enum iso_finish ended, bool stop_text,
                   struct verify_report *r);
/* verify_end - the same, and that nothing comes after it. n_said of the replay's tokens say all
 * that the answer says; said: then it was ended by that: a stop text, the last call of a tool. */
void verify_end(const struct verify_case *c, const struct verify_replay *replay,
                enum iso_finish ended, size_t n_said, bool said, struct verify_report *r);

/* verify_members - two canonical objects, "parameters" both: the first member that differs; counts
 * tells which do, NULL: all. */
void verify_members(struct str expected, struct str found, bool (*counts)(struct str key),
                    const char *text, struct verify_report *r);
/* verify_parameters - the receipt's against those that the request means, canonical both: the first
 * member that differs. */
void verify_parameters(const struct verify_case *c, struct str asked, struct verify_report *r);
/* verify_seed - given: the requester's own; NULL: the request has none. */
void verify_seed(const struct verify_case *c, const uint64_t *given, struct verify_report *r);
/* verify_prompt - text and tokens as made anew from the request. */
void verify_prompt(const struct verify_case *c, struct str text, const int32_t *ids, size_t n_ids,
                   struct verify_report *r);

#endif
