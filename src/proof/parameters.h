/* parameters.h - everything that an answer was chosen by, but for prompt and seed: from a request
 * to the canonical object "parameters" of a receipt, and back. */
#ifndef PROOF_PARAMETERS_H
#define PROOF_PARAMETERS_H

#include "isobit.h"
#include "proof/canon.h"
#include "proof/merkle.h"

struct parameters {
    /* Its limits, stops, forced tokens and sampling count; of sampling not the seed, which has its
     * own place in a receipt. What else a request has changes no token: see parameters.c. */
    struct iso_request request;
    uint32_t n_ctx; /* where the context was full */
    /* Texts at which the answer was ended, beside stop tokens. */
    const struct str *stop_texts;
    size_t n_stop_texts;
    /* What the answer's form was made from: "json_schema", "json_object", "gbnf", "regex",
     * "choice", ...; "": it had none. hash: SHA-256 of the text that was compiled. */
    struct {
        struct str kind;
        struct merkle_hash hash;
    } constraint;
    /* How the request came, so that it can be read again: "run", "/v1/chat/completions", ... */
    struct str interface;
    /* The clock that the chat template was given: local civil seconds since 1970-01-01 00:00. */
    bool has_clock;
    uint64_t clock_s;
};

/* parameters_write - the object, added to out; failed where a text is no UTF-8, or a number is not
 * finite. */
void parameters_write(const struct parameters *p, struct buf *out);

/* parameters_read - the way back: what is taken is written as the same bytes. ERR_FORMAT: a member
 * that is missing, malformed or unknown. Whether numbers make sense is for the engine to say, when
 * the request is submitted. Texts borrow from doc; the rest is owned by out, which is empty on
 * error. The request's other fields, and the seed, are those of iso_request_default. */
enum err parameters_read(const struct canon_doc *doc, const struct canon_node *object,
                         struct parameters *out, struct err_note *note);
void parameters_release(struct parameters *p); /* of what was read */

/* parameters_chat - whether the answer is one of a chat over HTTP, which is read for calls of tools
 * and reasoning: where what it says ended it follows from its request alone. */
bool parameters_chat(const struct parameters *p);

#endif
