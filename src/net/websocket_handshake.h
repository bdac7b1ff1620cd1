/* websocket_handshake.h - the HTTP request that opens a WebSocket, and the answers to it.
 *
 * Read strictly: nothing but a GET of HTTP/1.1 that asks for version 13 with a good key gets in.
 * No extension and no subprotocol is ever chosen. */
#ifndef NET_WEBSOCKET_HANDSHAKE_H
#define NET_WEBSOCKET_HANDSHAKE_H

#include "base/buf.h"
#include "base/str.h"

enum { WEBSOCKET_ACCEPT_BYTES = 28 };

/* Texts lie in the bytes that were read. */
struct websocket_request {
    size_t n_bytes; /* of the whole head */
    struct str path; /* with its query, as sent */
    struct str headers; /* lines, each with its end */
    struct str key;
};

/* websocket_request_read - 0: the head is not whole yet; 101: good, r is filled; else the HTTP
 * status to refuse with, and *why. bytes longer than n_bytes_max without an end are refused. */
int websocket_request_read(struct str bytes, size_t n_bytes_max, struct websocket_request *r,
                           const char **why);
/* websocket_header - the first header of this name, in any case; {NULL, 0} when absent. */
struct str websocket_header(const struct websocket_request *r, const char *name);

/* websocket_accept - what a server answers to a key. */
void websocket_accept(struct str key, char out[WEBSOCKET_ACCEPT_BYTES + 1]);
void websocket_welcome(struct buf *out, const struct websocket_request *r);
/* websocket_refusal - {"error": why}, and what this server would have taken. */
void websocket_refusal(struct buf *out, int status, const char *why);

#endif
