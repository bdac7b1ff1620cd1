/* pull.h - Ollama's /api/pull: what is asked for, and the lines that tell how far it is. */
#ifndef API_PULL_H
#define API_PULL_H

#include "api/fields.h"
#include "api/tables.h"

struct api_pull {
    json_t *root;
    struct str model; /* inside root */
    bool stream;
    struct buf unknown; /* names of unknown fields */
};

/* api_pull_parse - model is a repository of the hub: "hf:OWNER/REPO[:QUANT]", or after "hf.co/" or
 * "huggingface.co/". A library of Ollama's own is not served. Release in any case. */
bool api_pull_parse(struct str body, struct api_pull *p, struct api_error *e);
void api_pull_release(struct api_pull *p);

enum api_pull_news {
    API_PULL_NOTHING, /* nothing that a client is told */
    API_PULL_GOES_ON, /* out has a line */
    API_PULL_DONE,    /* out has the last lines */
    API_PULL_FAILED,  /* e says why */
};
/* api_pull_line - a line of isobit pull --json as lines for the client. */
enum api_pull_news api_pull_line(struct str line, struct buf *out, struct api_error *e);

#endif
