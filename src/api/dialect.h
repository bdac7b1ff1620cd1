/* dialect.h - the ways in which APIs ask for generated text and have it told.
 *
 * A DIALECT is one endpoint: it turns a body into a request for the engine, and answers into text.
 * Messages become the shape that chat templates know, OpenAI's; what it makes for that belongs to
 * the request (api_generate_own). Everything here is a pure function of its arguments; what a
 * stream must remember from piece to piece (indices, open blocks) is in state, zeroed at first. */
#ifndef API_DIALECT_H
#define API_DIALECT_H

#include "api/generate.h"
#include "api/reply.h"

/* Where an answer's receipts go: this byte, as a value; no JSON has it else. It is replaced when
 * they have been signed. */
#define DIALECT_RECEIPTS_HERE '\001'

struct dialect {
    const char *path;      /* of the endpoint, without a query */
    const char *id_prefix; /* of an answer's id: "chatcmpl-" */
    const char *stream_type; /* content type of a stream; an event stream is kept alive */
    size_t n_state_bytes;

    /* false with e filled; the request is to be released in any case. */
    bool (*parse)(struct str body, struct api_generate *r, struct api_error *e);

    /* The whole answer. */
    void (*whole)(struct buf *out, const struct reply_head *h, const struct reply_choice *choices,
                  size_t n_choices, const struct reply_usage *usage);

    /* A stream: begin (may be NULL), pieces, end; each adds whole events with their frames. usage
     * of begin has the prompt's tokens alone. */
    void (*begin)(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_usage *usage);
    /* A prompt is being read, and return_progress was asked for. May be NULL: nothing is said. */
    void (*progress)(struct buf *out, void *state, const struct reply_head *h,
                     const struct reply_progress *p);
    void (*piece)(struct buf *out, void *state, const struct reply_head *h,
                  const struct reply_choice *c);
    void (*end)(struct buf *out, void *state, const struct reply_head *h,
                const struct reply_usage *usage);
    void (*release)(void *state); /* what the state owns; may be NULL */
    /* The stream breaks off: its last event. The front says this too, when a worker dies. */
    void (*broken)(struct buf *out, const struct api_error *e);
};

/* dialect_of - NULL: path generates no text. */
const struct dialect *dialect_of(struct str path);

/* dialect_error - the body of a failed request, in the shape of the API that path belongs to. */
void dialect_error(struct buf *out, struct str path, const struct api_error *e);
/* dialect_error_id - such a body with the request's id in it, where the API has a place for it. */
void dialect_error_id(struct buf *out, struct str path, struct str body, const char *request_id);

/* write_event - "data: JSON" as one event of an event stream. */
void write_event(struct buf *out, const struct buf *json);
/* "event: NAME" before it. */
void write_named_event(struct buf *out, const char *name, const struct buf *json);

#endif
