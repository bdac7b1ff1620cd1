/* sampling.h - what of a request's sampling needs the tokenizer: biases by text, DRY's breakers. */
#ifndef SERVER_SAMPLING_H
#define SERVER_SAMPLING_H

#include "api/generate.h"
#include "server/speech.h"
#include "text/breakers.h"

struct sampling {
    struct breakers found;
    struct iso_breaker *breakers; /* in terms of found */
};

/* sampling_open - completes api->sampling, which points into s and api from then on. */
bool sampling_open(struct sampling *s, const struct speech *speech, struct api_generate *api,
                   struct api_error *e);
void sampling_close(struct sampling *s);

#endif
