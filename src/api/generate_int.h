/* generate_int.h - what the readers of requests share. Each fails with e filled. */
#ifndef API_GENERATE_INT_H
#define API_GENERATE_INT_H

#include "api/generate.h"

/* A text or an array of texts. */
bool api_stops_read(const json_t *v, struct api_generate *r, struct api_error *e);
/* The answer's shape may be said once. field: where it is said. */
bool api_schema_read(struct api_generate *r, const json_t *v, const char *field,
                     struct api_error *e);
bool api_shape_set(struct api_generate *r, enum api_shape shape, const json_t *value,
                   struct str text, const char *field, struct api_error *e);

#endif
