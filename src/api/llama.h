/* llama.h - llama-server's own /completion, also called /completions.
 *
 * Its defaults are llama.cpp's: temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, penalties over
 * the last 64 tokens of prompt and answer together. */
#ifndef API_LLAMA_H
#define API_LLAMA_H

#include "api/dialect.h"

extern const struct dialect dialect_llama, dialect_llama_plural;

bool api_llama_parse(struct str body, struct api_generate *r, struct api_error *e);
/* {"error": {code, message, type}}: code is HTTP's */
void llama_error(struct buf *out, const struct api_error *e);

#endif
