/* prompt.h - what a request gives a model to read, as tokens of that model. */
#ifndef SERVER_PROMPT_H
#define SERVER_PROMPT_H

#include "api/generate.h"
#include "server/speech.h"

/* All return false with e filled; out is the caller's to release in any case. */

/* prompt_of - prompt i of a request. text gets what was tokenized, where that was one text; NULL:
 * it is not wanted. */
bool prompt_of(const struct speech *s, const struct api_generate *api, size_t i,
               struct token_list *out, struct buf *text, struct api_error *e);
/* prompt_value - a text, or an array of token ids and texts, one after another. flags: enum
 * encode_flag; what the model adds at a text's beginning is added at the first alone. */
bool prompt_value(const struct speech *s, const json_t *value, unsigned flags, const char *field,
                  struct token_list *out, struct api_error *e);
/* prompt_render - the text that a chat's messages become. */
bool prompt_render(const struct speech *s, const struct api_generate *api, struct buf *out,
                   struct api_error *e);

/* prompt_can_fill - whether the model is trained to fill in a middle. */
bool prompt_can_fill(const struct speech *s);

#endif
