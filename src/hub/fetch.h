/* fetch.h - one file over HTTP or HTTPS, with libcurl, redirects followed by hand.
 *
 * A token is sent to the origin (scheme, host, port) that it belongs to and to nobody else,
 * wherever a redirect leads; over plain http only to this machine. Only http and https; never from
 * https to http. Whoever gives no sign for half a minute is left. */
#ifndef HUB_FETCH_H
#define HUB_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct fetch;

enum { FETCH_ETAG_MAX = 200, FETCH_LINK_MAX = 2000 };
#define FETCH_UNKNOWN UINT64_MAX

/* The head of an answer. */
struct fetch_reply {
    int status;
    uint64_t n_bytes;                 /* of this body, or FETCH_UNKNOWN */
    uint64_t from, n_bytes_whole;     /* of Content-Range, or FETCH_UNKNOWN */
    char etag[FETCH_ETAG_MAX];        /* a strong one, or "" */
    char next[FETCH_LINK_MAX];        /* Link: <...>; rel="next" */
    bool is_encoded;                  /* Content-Encoding other than identity */
    uint32_t retry_after_s;           /* 0: not said */
    /* Of any answer on the way, such as a redirect: */
    char linked_etag[FETCH_ETAG_MAX]; /* X-Linked-Etag without its quotes */
};

struct fetch_request {
    const char *url;
    uint64_t from, to;    /* bytes [from, to) are asked for; to 0: all */
    const char *if_range; /* an ETag, or NULL */
    /* The head of a 200 or 206; false: do not go on. Then pieces of the body. */
    bool (*begin)(void *context, const struct fetch_reply *reply);
    bool (*body)(void *context, const void *bytes, size_t n_bytes);
    void *context;
};

enum fetch_end {
    FETCH_DONE,
    FETCH_LEFT,   /* begin or body returned false */
    FETCH_AGAIN,  /* trouble that may pass: note says which */
    FETCH_FAILED, /* note says why; reply->status if the server said so */
    FETCH_STOPPED,
};

/* fetch_new - token may be NULL; origin: whose it is, such as "https://huggingface.co". stop may be
 * NULL; looked at once a second at least. */
struct fetch *fetch_new(const char *origin, const char *token, const atomic_bool *stop);
void fetch_free(struct fetch *f);

enum fetch_end fetch_get(struct fetch *f, const struct fetch_request *q, struct fetch_reply *reply,
                         struct err_note *note);

#endif
