/* token_names.h - from the bytes that a token spells back to its id. */
#ifndef CLI_TOKEN_NAMES_H
#define CLI_TOKEN_NAMES_H

#include "text/tokenizer.h"

struct token_name;

struct token_names {
    struct buf bytes;
    struct token_name *names; /* [n], by their bytes */
    size_t n;
};

/* token_names_open - every token of the vocabulary. ERR_MEMORY. */
enum err token_names_open(struct token_names *t, const struct tokenizer *of, struct err_note *note);
/* token_names_find - TOKEN_NONE: no token spells this. Of several, one that is not a single byte's
 * comes first, then the lowest. */
int32_t token_names_find(const struct token_names *t, struct str bytes);
void token_names_close(struct token_names *t);

#endif
