/* embed_again.h - what isobit embed made of a request that a receipt names: read again from the
 * request's own bytes, by the same functions. */
#ifndef CLI_EMBED_AGAIN_H
#define CLI_EMBED_AGAIN_H

#include "cli/load.h"

struct embed_again {
    struct embed *embed;
    const struct iso_text *texts; /* [n_texts] */
    size_t n_texts;
    enum iso_pooling pooling; /* as asked */
    bool no_normalize;
    uint32_t n_ctx; /* 0: not asked */
};

/* embed_again_open - request: the canonical JSON of docs/formats/receipt.md; l: table, tokenizer,
 * which outlive it. ERR_FORMAT, ERR_USAGE: no such request was ever answered. */
enum err embed_again_open(struct embed_again *a, struct str request, const struct loaded *l,
                          struct err_note *note);
void embed_again_close(struct embed_again *a);

#endif
