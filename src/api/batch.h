/* batch.h - requests of OpenAI's /v1/batches. */
#ifndef API_BATCH_H
#define API_BATCH_H

#include "api/fields.h"

struct api_batch {
    json_t *root; /* what texts and values point into; json_decref */
    struct str input_file, endpoint, window;
    const json_t *metadata; /* an object of texts, or NULL */
};

/* false with e filled; root is to be released in any case. */
bool api_batch_parse(struct str body, struct api_batch *r, struct api_error *e);

#endif
