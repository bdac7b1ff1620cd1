/* prompts.h - /batch: many prompts in one request, answered in their order; one that fails leaves
 * the others alone. */
#ifndef API_PROMPTS_H
#define API_PROMPTS_H

#include "api/dialect.h"

enum { API_PROMPTS_MAX = 10000 };

extern const struct dialect dialect_prompts;

bool api_prompts_parse(struct str body, struct api_generate *r, struct api_error *e);
/* {"detail": "..."} */
void prompts_error(struct buf *out, const struct api_error *e);

#endif
