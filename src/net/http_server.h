/* http_server.h - an HTTP/1.1 server, plain or over TLS, inside one event loop.
 *
 * An EXCHANGE is one request that arrived whole, and its answer. The handler gets it and answers at
 * once, later, or piece by piece; every exchange is ended exactly once, by http_reply or
 * http_stream_end, also when its client has left meanwhile (then nothing is sent). A client that
 * closes the connection, or only its sending side, is gone: on_gone is called once, from the loop,
 * also while nothing has been sent yet.
 * What is malformed never reaches the handler: two Content-Length lines, a Transfer-Encoding other
 * than chunked, chunks with extensions, two Host lines, a GET with a body, header names that are no
 * tokens.
 * Thread: the loop's. Memory: a connection costs about 3 KB beside its body and unsent bytes. */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct event_base;
struct http_server;
struct http_exchange;

typedef void http_handle_fn(void *context, struct http_exchange *x);
typedef void http_gone_fn(void *context, struct http_exchange *x);
typedef void http_ended_fn(void *context, struct http_exchange *x);
/* type: with the first piece, else NULL. */
typedef void http_tap_fn(void *context, struct http_exchange *x, const char *type,
                         struct str bytes);

struct http_server_options {
    const char *host;        /* a numeric address or a name; never NULL */
    uint16_t port;           /* 0: any free one, see http_server_port */
    const char *tls_cert;    /* PEM files, both or neither; read again by http_server_reload */
    const char *tls_key;
    size_t n_head_bytes_max; /* request line and headers; 0: 64 KiB */
    size_t n_body_bytes_max; /* 0: 64 MiB; more is answered with 413 */
    uint32_t n_connections_max; /* 0: 4096; more wait in the system's backlog */
    uint32_t request_s_max;  /* from a connection's start (or an answer's end) to a whole request,
                                and one more for each KiB that has arrived; 0: 60 */
    http_handle_fn *handle;
    http_ended_fn *ended; /* the exchange's last moment: its user and status alone; or NULL */
    void *context;
};

/* http_server_open - listens. ERR_IO names the address when it is taken or unknown. */
enum err http_server_open(struct event_base *loop, const struct http_server_options *options,
                          struct http_server **server, struct err_note *note);
/* Stops listening; connections live on. Between here and close, exchanges can finish. */
void http_server_drain(struct http_server *s);
/* Closes every connection. Open exchanges' on_gone is called and must end them. NULL is nothing. */
void http_server_close(struct http_server *s);
/* Reads certificate and key again for connections to come; on error the old ones stay. */
enum err http_server_reload(struct http_server *s, struct err_note *note);

uint16_t http_server_port(const struct http_server *s);
uint32_t http_server_connections(const struct http_server *s);
uint32_t http_server_exchanges(const struct http_server *s); /* not yet ended */
uint64_t http_server_refused(const struct http_server *s);   /* that no handler got to see */

/* The request. Texts live until the exchange ends or its client is gone. */
const char *http_method(const struct http_exchange *x); /* "GET", "POST", ... */
struct str http_path(const struct http_exchange *x);    /* as sent, before any '?' */
struct str http_query(const struct http_exchange *x);   /* after it; empty without */
/* http_header - the first header of this name, in any case; {NULL, 0} when absent. */
struct str http_header(const struct http_exchange *x, const char *name);
struct str http_body(struct http_exchange *x);
const char *http_peer(const struct http_exchange *x); /* numeric address */

/* What the handler keeps with an exchange; NULL at first. */
void http_set_user(struct http_exchange *x, void *user);
void *http_user(const struct http_exchange *x);
/* http_status - of the answer, as soon as it begins; 0: nobody was there to get one. */
int http_status(const struct http_exchange *x);

/* http_tap - who is told what is sent as the answer, before it ends; nothing when the client has
 * left. */
void http_tap(struct http_exchange *x, http_tap_fn *tap, void *context);

/* http_on_gone - what to call when the client leaves before the answer's end. */
void http_on_gone(struct http_exchange *x, http_gone_fn *on_gone, void *context);
bool http_is_gone(const struct http_exchange *x);

/* The answer. http_reply_header comes before http_reply or http_stream_begin; a value with a line
 * break or control character is a bug. HEAD gets the headers alone. */
void http_reply_header(struct http_exchange *x, const char *name, const char *value);
void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body);
void http_stream_begin(struct http_exchange *x, int status, const char *content_type);
void http_stream_send(struct http_exchange *x, struct str bytes);
void http_stream_end(struct http_exchange *x); /* also of one whose client left before a stream */

#endif
