/* claim.h - an answer as somebody else's engine gave it: its tokens, and what was told of them.
 *
 * OpenAI's form, of chats (choices[].logprobs.content) and of text (choices[].logprobs.tokens). A
 * token is told by "id" beside it or by the choice's token_ids; else its name is its id ("123", as
 * Gonka's engine has it, or vLLM's "token_id:123"), or the text that it spells, by its "bytes"
 * where they are told. */
#ifndef CLI_CLAIM_H
#define CLI_CLAIM_H

#include <jansson.h>

#include "base/mem.h"
#include "cli/token_names.h"
#include "proof/statistics.h"

enum { CLAIM_POSITIONS_MAX = 1 << 20, CLAIM_TOP_MAX = 64 };

/* How tokens are named. GUESS: by their ids where all names of the answer are numbers. */
enum claim_names { CLAIM_NAMES_GUESS, CLAIM_NAMES_IDS, CLAIM_NAMES_TEXTS };

struct claim {
    struct stat_answer answer;
    size_t n_top;   /* alternatives of the first position */
    uint32_t index; /* of the choice, as it is told, else its place */
    struct arena memory;
};

/* claim_read - choice i of an answer. ERR_FORMAT names what is missing or malformed; ERR_NOT_FOUND:
 * a name that is none of this vocabulary; ERR_LIMIT; ERR_MEMORY. To be released in any case. */
enum err claim_read(struct claim *c, const json_t *answer, size_t i,
                    const struct token_names *names, enum claim_names how, struct err_note *note);
void claim_release(struct claim *c);

#endif
