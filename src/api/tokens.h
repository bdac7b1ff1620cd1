/* tokens.h - requests of /tokenize and /detokenize, as llama-server and vLLM have them. */
#ifndef API_TOKENS_H
#define API_TOKENS_H

#include "api/generate.h"

/* What is to be cut into tokens: a text, or an array of token ids and texts; or a chat's messages,
 * of which chat.messages is set. */
struct api_tokenize {
    const json_t *content; /* NULL: the chat */
    const char *field;     /* its name in the request */
    struct api_generate chat;
    bool add_special; /* what the model adds around a text */
    bool parse_special; /* "<|im_end|>" is the token, not its letters */
    bool pieces;        /* llama-server's: each token is {id, piece} */
    bool texts;         /* vLLM's: the tokens' spellings beside their ids */
};

/* All return false with e filled; release r in any case (r->chat of api_tokenize). */
bool api_tokenize_parse(struct str body, struct api_tokenize *r, struct api_error *e);
/* prompt_ids: the tokens. */
bool api_detokenize_parse(struct str body, struct api_generate *r, struct api_error *e);

#endif
