/* query.h - what a path and a query say, with "%2F" and the like as they were meant. */
#ifndef SERVER_QUERY_H
#define SERVER_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "api/fields.h"
#include "base/str.h"

/* percent_decode - false: too long for out, empty, or no text. */
bool percent_decode(struct str text, char *out, size_t n_out);
/* query_text - the value of name; "" when it is absent. false: e says what is wrong with it. */
bool query_text(struct str query, const char *name, char *out, size_t n_out, struct api_error *e);
/* query_u32 - *out stays when name is absent. */
bool query_u32(struct str query, const char *name, uint32_t min, uint32_t max, uint32_t *out,
               struct api_error *e);

#endif
