/* run_again.h - what isobit run made of a request that a receipt names: computed again from the
 * request's own bytes, by the same functions. */
#ifndef CLI_RUN_AGAIN_H
#define CLI_RUN_AGAIN_H

#include "cli/load.h"
#include "proof/parameters.h"

struct run_again {
    struct run *run;
    struct iso_request request; /* its constraint too */
    struct buf parameters;      /* canonical, as a receipt has them */
    struct str text, prompt;    /* as given; rendered */
    const char *system;         /* NULL: none */
    const struct token_list *tokens;
    bool seed_given;
};

/* run_again_open - request: the canonical JSON of docs/formats/receipt.md; told: the receipt's
 * parameters, of which the choice and the clock count, and the context where none was asked for.
 * l: table and tokenizer. ERR_FORMAT, ERR_USAGE: no such request was ever answered. */
enum err run_again_open(struct run_again *a, struct str request, const struct loaded *l,
                        uint32_t n_vocab, const struct parameters *told, struct err_note *note);
void run_again_close(struct run_again *a);

#endif
