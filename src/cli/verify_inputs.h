/* verify_inputs.h - what a verifier brings along: files to a receipt, its bundle, and who to
 * trust. */
#ifndef CLI_VERIFY_INPUTS_H
#define CLI_VERIFY_INPUTS_H

#include "cli/args.h"
#include "proof/verify.h"

struct verify_words {
    const char *bundle, *request, *prompt, *system, *response, *expect_weights, *node;
    struct arg_texts keys, revoked, heads;
};

enum { VERIFY_KEYS_MAX = 2 * ARG_TEXTS_MAX };
struct verify_inputs {
    char *receipt, *bundle_text, *request, *response; /* NULL: none */
    size_t n_receipt, n_request, n_response;
    /* What the requester asked, where the request itself is not known. */
    const char *prompt, *system;
    struct canon_doc bundle_doc;
    struct bundle bundle;
    bool has_weights;
    struct merkle_hash weights;
    struct sign_key keys[VERIFY_KEYS_MAX];
    struct revocation revocations[VERIFY_KEYS_MAX];
    struct log_head heads[ARG_TEXTS_MAX];
    struct verify_trust trust; /* points into the arrays */
};

/* verify_inputs_read - a receipt at path; its bundle at path.bundle where none is named and that
 * file is there. This machine's own identity is trusted, and what it revoked is known. */
enum err verify_inputs_read(struct verify_inputs *in, const char *path,
                            const struct verify_words *o, struct err_note *note);
void verify_inputs_release(struct verify_inputs *in);

#endif
