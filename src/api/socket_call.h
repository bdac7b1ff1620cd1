/* socket_call.h - Realm's protocol over a WebSocket: calls, replies, and the good-days.
 *
 * A call is {id, function, params, tenant_id?}; each message about it is {id, status, data?,
 * error?: {code, message, details?}}. What a worker generates for a call comes as lines of JSON, of
 * which the front makes such messages: {text, index, is_final, logprob?} for each piece, at the end
 * {result: {...}} or {error: {...}}. */
#ifndef API_SOCKET_CALL_H
#define API_SOCKET_CALL_H

#include "api/dialect.h"

enum { SOCKET_ID_BYTES_MAX = 256 };

/* Where a worker finds the dialect of generate; no path of HTTP begins like this. */
#define SOCKET_GENERATE_PATH "socket/generate"

extern const struct dialect dialect_socket;

/* What a client sent: a call, or its key. Texts lie in root. */
struct socket_call {
    json_t *root;
    bool is_auth;
    struct str api_key; /* of an auth */
    struct str id, function, tenant_id; /* tenant_id.ptr NULL: not given */
    const json_t *params; /* an object, or NULL */
    struct buf unknown;   /* names of unknown fields */
};

/* socket_call_parse - false with e filled; id may be known all the same. Release c in any case. */
bool socket_call_parse(struct str text, struct socket_call *c, struct api_error *e);
void socket_call_release(struct socket_call *c);
/* socket_call_target - the text param "id" of a cancel. */
bool socket_call_target(const struct socket_call *c, struct str *id, struct api_error *e);

/* A worker's line, as dialect_socket wrote it. */
enum socket_line_kind { SOCKET_LINE_PIECE, SOCKET_LINE_RESULT, SOCKET_LINE_ERROR };
struct socket_line {
    enum socket_line_kind kind;
    struct str data; /* PIECE: the line itself; else the object in it */
    struct str text; /* of a PIECE, as JSON escapes it: pieces of it join to a whole text */
};
struct socket_line socket_line_read(struct str line);
/* socket_result - a RESULT's object with the whole text in it. */
void socket_result(struct buf *out, struct str text, struct str result);

/* Messages. data: JSON; empty: none. unknown: names of fields that had no meaning. */
void socket_say(struct buf *out, struct str id, const char *status, struct str data,
                struct str unknown);
void socket_say_error(struct buf *out, struct str id, struct str error);
/* socket_error - {code, message, details?}: the protocol's four codes, from a status of HTTP. */
void socket_error(struct buf *out, const struct api_error *e);
void socket_say_hello(struct buf *out, const char *version, struct str tenant_id);
void socket_say_auth(struct buf *out, const char *type, const char *key, struct str text);

#endif
