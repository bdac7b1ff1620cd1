/* websocket_server.h - a WebSocket server, plain or over TLS, inside one event loop.
 *
 * A connection is admitted by the owner before it is upgraded, told as opened, then as messages,
 * and as closed exactly once: when its client has left (also when it closed its sending side, broke
 * the rules, was silent for too long, or did not read what it was sent), or after websocket_close.
 * closed is never called from inside a function of this header but websocket_server_close; the
 * handle is dead afterwards. Pings are answered and sent here.
 * Thread: the loop's. */
#ifndef NET_WEBSOCKET_SERVER_H
#define NET_WEBSOCKET_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "net/websocket_frames.h"
#include "net/websocket_handshake.h"

struct event_base;
struct websocket_server;
struct websocket;

struct websocket_handler {
    /* 0: let it in; else the HTTP status to refuse with, why filled. */
    int (*admit)(void *context, const struct websocket_request *r, char why[256]);
    void (*opened)(void *context, struct websocket *ws, const struct websocket_request *r);
    void (*message)(void *context, struct websocket *ws, bool is_text, struct str bytes);
    void (*closed)(void *context, struct websocket *ws);
};

struct websocket_server_options {
    const char *host; /* a numeric address or a name; never NULL */
    uint16_t port;    /* 0: any free one, see websocket_server_port */
    const char *tls_cert; /* PEM files, both or neither; read again by websocket_server_reload */
    const char *tls_key;
    size_t n_message_bytes_max;   /* 0: 16 MiB; more closes with 1009 */
    size_t n_unsent_bytes_max;    /* 0: 8 MiB; a client that leaves more unread is dropped */
    uint32_t n_connections_max;   /* 0: 4096; more wait in the system's backlog */
    uint32_t handshake_s_max;     /* 0: 10 */
    uint32_t ping_s;              /* of silence before a ping, twice that: gone; 0: 20 */
    const struct websocket_handler *handler;
    void *context;
};

/* websocket_server_open - listens. ERR_IO names the address when it is taken or unknown. */
enum err websocket_server_open(struct event_base *loop, const struct websocket_server_options *o,
                               struct websocket_server **server, struct err_note *note);
void websocket_server_drain(struct websocket_server *s); /* stops listening; connections live on */
void websocket_server_close(struct websocket_server *s); /* not from a handler. NULL is nothing */
/* Reads certificate and key again for connections to come; on error the old ones stay. */
enum err websocket_server_reload(struct websocket_server *s, struct err_note *note);

uint16_t websocket_server_port(const struct websocket_server *s);
uint32_t websocket_server_connections(const struct websocket_server *s); /* upgraded or not */

/* The owner's own thing about a connection. */
void websocket_set_owner(struct websocket *ws, void *owner);
void *websocket_owner(const struct websocket *ws);

/* websocket_set_message_max - in place of the options' limit, for this one. */
void websocket_set_message_max(struct websocket *ws, size_t n_bytes);

/* Both do nothing once the connection is closing. text must be UTF-8. */
void websocket_send(struct websocket *ws, struct str text);
/* websocket_close - says good-bye; the client has 5 s to answer. No message is told any more. */
void websocket_close(struct websocket *ws, uint16_t code, struct str reason);

#endif
