/* http_server.c - exchanges over libevent's evhttp.
 *
 * What evhttp needs to be told:
 * - It shows a connection only with its first whole request, but those that never send one must be
 *   counted and hurried too. So each bufferevent that it asks for is looked at once more when the
 *   loop comes round: its callbacks' argument is the connection by then.
 * - While an answer is awaited evhttp does not read, and would not see the client leave. With its
 *   read callback left on, a second request on that connection stops the process; so it is taken
 *   off, reading goes on up to a watermark, and an end of stream reaches evhttp's own error
 *   callback.
 * - A client that leaves while its request is with us detaches the request from the connection: it
 *   is then ours to free. In every other ending evhttp frees it. connection_closed tells which. */
#include "net/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/tls.h"

enum {
    HEAD_BYTES_MAX = 64 << 10,
    BODY_BYTES_MAX = 64 << 20,
    CONNECTIONS_MAX = 4096,
    REQUEST_S_MAX = 60,
    READ_BYTES_PER_S_MIN = 1024,
    WRITE_S_MAX = 300,
    PIPELINED_BYTES_MAX = 64 << 10, /* of requests sent before their turn */
};

struct connection {
    struct http_server *server;
    struct evhttp_connection *evcon;
    struct evbuffer_cb_entry *counter; /* of what arrives */
    struct http_exchange *exchange;    /* the one being answered */
    bool reads;                        /* a request; else it waits for an answer, or takes it */
    uint64_t begun_ns, n_bytes_read;   /* of the request being read */
};

struct http_exchange {
    struct http_server *server;
    struct evhttp_request *req;
    struct connection *connection; /* NULL: gone */
    struct evbuffer *buffer;       /* one send's bytes */
    http_gone_fn *on_gone;
    http_tap_fn *tap;
    void *gone_context, *tap_context, *user;
    int status; /* of the answer; 0: none has begun */
    bool streams;
};

struct http_server {
    struct http_server_options options;
    struct event_base *loop;
    struct evhttp *http;
    struct evhttp_bound_socket *socket; /* NULL: draining */
    struct event *tick;
    SSL_CTX *tls;
    struct connection **by_fd; /* [n_fds]; NULL where there is none */
    size_t n_fds;
    uint32_t n_connections, n_exchanges;
    uint64_t n_refused;
};

/* ---- connections -------------------------------------------------------------------------- */

static void set_listening(struct http_server *s, bool on)
{
    if (!s->socket)
        return;
    struct evconnlistener *listener = evhttp_bound_socket_get_listener(s->socket);
    if (on)
        evconnlistener_enable(listener);
    else
        evconnlistener_disable(listener);
}

static void detach_exchange(struct connection *c)
{
    struct http_exchange *x = c->exchange;
    c->exchange = NULL;
    x->connection = NULL;
    if (evhttp_request_get_connection(x->req) == NULL)
        evhttp_request_free(x->req);
    x->req = NULL;
    if (x->on_gone)
        x->on_gone(x->gone_context, x);
}

static struct connection *connection_of(const struct http_server *s,
                                        struct evhttp_connection *evcon)
{
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
    return fd >= 0 && (size_t)fd < s->n_fds ? s->by_fd[fd] : NULL;
}

static void connection_closed(struct evhttp_connection *evcon, void *context)
{
    struct connection *c = context;
    struct http_server *s = c->server;
    struct bufferevent *bev = evhttp_connection_get_bufferevent(evcon);
    CHECK(connection_of(s, evcon) == c);
    s->by_fd[bufferevent_getfd(bev)] = NULL;
    evbuffer_remove_cb_entry(bufferevent_get_input(bev), c->counter);
    if (s->n_connections-- == s->options.n_connections_max)
        set_listening(s, true);
    if (c->exchange)
        detach_exchange(c);
    mem_free(c);
}

static void count_bytes(struct evbuffer *in, const struct evbuffer_cb_info *info, void *context)
{
    (void)in;
    struct connection *c = context;
    c->n_bytes_read += info->n_added;
}

static bool reserve_fd(struct http_server *s, size_t fd)
{
    if (fd < s->n_fds)
        return true;
    size_t n_fds = fd + 64;
    struct connection **by_fd = mem_resize(s->by_fd, n_fds * sizeof by_fd[0]);
    if (!by_fd)
        return false;
    memset(by_fd + s->n_fds, 0, (n_fds - s->n_fds) * sizeof by_fd[0]);
    s->by_fd = by_fd;
    s->n_fds = n_fds;
    return true;
}

/* The connection, from now on counted and hurried. NULL without memory. */
static struct connection *adopt(struct http_server *s, struct evhttp_connection *evcon)
{
    struct bufferevent *bev = evhttp_connection_get_bufferevent(evcon);
    struct connection *c = connection_of(s, evcon);
    if (c || !reserve_fd(s, (size_t)bufferevent_getfd(bev)))
        return c;
    c = mem_zalloc(sizeof *c);
    if (!c)
        return NULL;
    c->counter = evbuffer_add_cb(bufferevent_get_input(bev), count_bytes, c);
    if (!c->counter) {
        mem_free(c);
        return NULL;
    }
    c->server = s;
    c->evcon = evcon;
    c->reads = true;
    c->begun_ns = clock_ns();
    s->by_fd[bufferevent_getfd(bev)] = c;
    evhttp_connection_set_closecb(evcon, connection_closed, c);
    if (++s->n_connections == s->options.n_connections_max)
        set_listening(s, false);
    return c;
}

/* An answer has left: the next request may be read. */
static void answer_sent(struct evhttp_request *req, void *context)
{
    struct connection *c = context;
    struct evhttp_connection *evcon = evhttp_request_get_connection(req);
    c->reads = true;
    c->begun_ns = clock_ns();
    c->n_bytes_read = 0;
    evhttp_connection_set_timeout(evcon, (int)c->server->options.request_s_max);
    bufferevent_setwatermark(evhttp_connection_get_bufferevent(evcon), EV_READ, 0, 0);
}

static void close_late_ones(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct http_server *s = context;
    uint64_t now_ns = clock_ns();
    for (size_t i = 0; i < s->n_fds; i++) {
        struct connection *c = s->by_fd[i];
        if (!c || !c->reads)
            continue;
        uint64_t s_max = s->options.request_s_max + c->n_bytes_read / READ_BYTES_PER_S_MIN;
        if ((now_ns - c->begun_ns) / 1000000000 > s_max)
            evhttp_connection_free(c->evcon);
    }
}

/* ---- requests ----------------------------------------------------------------------------- */

static bool is_token(const char *name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    if (!name[0])
        return false;
    for (; *name; name++)
        if (!(*name >= 'a' && *name <= 'z') && !(*name >= 'A' && *name <= 'Z') &&
            !(*name >= '0' && *name <= '9') && !strchr(marks, *name))
            return false;
    return true;
}

/* What is wrong with a request's headers, NULL if nothing is. */
static const char *header_fault(struct evhttp_request *req)
{
    int n_host = 0, n_length = 0, n_encoding = 0;
    bool has_body = false;
    const struct evkeyval *h;
    for (h = evhttp_request_get_input_headers(req)->tqh_first; h; h = h->next.tqe_next) {
        if (!is_token(h->key))
            return "a header's name is not a token";
        if (evutil_ascii_strcasecmp(h->key, "Host") == 0)
            n_host++;
        if (evutil_ascii_strcasecmp(h->key, "Content-Length") == 0) {
            n_length++;
            has_body |= strcmp(h->value, "0") != 0;
            if (!h->value[0] || strspn(h->value, "0123456789") != strlen(h->value))
                return "Content-Length is not a number";
        }
        if (evutil_ascii_strcasecmp(h->key, "Transfer-Encoding") == 0) {
            n_encoding++;
            has_body = true;
            if (evutil_ascii_strcasecmp(h->value, "chunked") != 0)
                return "the only Transfer-Encoding here is chunked";
        }
    }
    if (n_length + n_encoding > 1)
        return "more than one header says how long the body is";
    if (n_host > 1)
        return "more than one Host";
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    if (has_body && (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD))
        return "a body does not belong to this method";
    return NULL;
}

static void refuse(struct evhttp_request *req, const char *why)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    struct evbuffer *body = evbuffer_new();
    CHECK(body);
    evhttp_add_header(headers, "Connection", "close");
    evhttp_add_header(headers, "Content-Type", "application/json");
    evbuffer_add_printf(
        body, "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\"}}\n", why);
    evhttp_send_reply(req, 400, NULL, body);
    evbuffer_free(body);
}

/* Reading goes on while the answer is awaited, so that the client's leaving is seen. */
static void watch_for_leaving(struct evhttp_connection *evcon)
{
    struct bufferevent *bev = evhttp_connection_get_bufferevent(evcon);
    bufferevent_data_cb on_read, on_write;
    bufferevent_event_cb on_event;
    void *context;
    bufferevent_getcb(bev, &on_read, &on_write, &on_event, &context);
    bufferevent_setcb(bev, NULL, on_write, on_event, context);
    bufferevent_setwatermark(bev, EV_READ, 0, PIPELINED_BYTES_MAX);
    struct timeval write_s = {.tv_sec = WRITE_S_MAX};
    bufferevent_set_timeouts(bev, NULL, &write_s);
    bufferevent_enable(bev, EV_READ);
}

static void request_arrived(struct evhttp_request *req, void *context)
{
    struct http_server *s = context;
    struct evhttp_connection *evcon = evhttp_request_get_connection(req);
    struct connection *c = adopt(s, evcon);
    CHECK(!c || !c->exchange);
    const char *fault = header_fault(req);
    struct http_exchange *x = fault || !c ? NULL : mem_zalloc(sizeof *x);
    struct evbuffer *buffer = x ? evbuffer_new() : NULL;
    if (!buffer) {
        mem_free(x);
        s->n_refused++;
        refuse(req, fault ? fault : "out of memory");
        return;
    }
    *x = (struct http_exchange){.server = s, .req = req, .connection = c, .buffer = buffer};
    c->exchange = x;
    c->reads = false;
    s->n_exchanges++;
    evhttp_request_set_on_complete_cb(req, answer_sent, c);
    watch_for_leaving(evcon);
    s->options.handle(s->options.context, x);
}

const char *http_method(const struct http_exchange *x)
{
    switch (evhttp_request_get_command(x->req)) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_HEAD:
        return "HEAD";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    case EVHTTP_REQ_OPTIONS:
        return "OPTIONS";
    case EVHTTP_REQ_PATCH:
        return "PATCH";
    case EVHTTP_REQ_TRACE:
        return "TRACE";
    default:
        return "";
    }
}

static struct str str_or_none(const char *text)
{
    return text ? str_from(text) : (struct str){"", 0};
}

struct str http_path(const struct http_exchange *x)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(x->req);
    return str_or_none(uri ? evhttp_uri_get_path(uri) : NULL);
}

struct str http_query(const struct http_exchange *x)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(x->req);
    return str_or_none(uri ? evhttp_uri_get_query(uri) : NULL);
}

struct str http_header(const struct http_exchange *x, const char *name)
{
    const char *value = evhttp_find_header(evhttp_request_get_input_headers(x->req), name);
    return value ? str_from(value) : (struct str){NULL, 0};
}

struct str http_body(struct http_exchange *x)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(x->req);
    size_t n_bytes = evbuffer_get_length(in);
    return (struct str){n_bytes ? (const char *)evbuffer_pullup(in, -1) : "", n_bytes};
}

const char *http_peer(const struct http_exchange *x)
{
    return x->req->remote_host;
}

void http_on_gone(struct http_exchange *x, http_gone_fn *on_gone, void *context)
{
    x->on_gone = on_gone;
    x->gone_context = context;
}

void http_set_user(struct http_exchange *x, void *user)
{
    x->user = user;
}

void *http_user(const struct http_exchange *x)
{
    return x->user;
}

void http_tap(struct http_exchange *x, http_tap_fn *tap, void *context)
{
    x->tap = tap;
    x->tap_context = context;
}

int http_status(const struct http_exchange *x)
{
    return x->status;
}

bool http_is_gone(const struct http_exchange *x)
{
    return x->connection == NULL;
}

/* ---- answers ------------------------------------------------------------------------------ */

static void free_exchange(struct http_exchange *x)
{
    if (x->server->options.ended)
        x->server->options.ended(x->server->options.context, x);
    if (x->connection)
        x->connection->exchange = NULL;
    x->server->n_exchanges--;
    evbuffer_free(x->buffer);
    mem_free(x);
}

void http_reply_header(struct http_exchange *x, const char *name, const char *value)
{
    if (x->connection)
        CHECK(evhttp_add_header(evhttp_request_get_output_headers(x->req), name, value) == 0);
}

static void tell_tap(struct http_exchange *x, const char *content_type, struct str bytes)
{
    if (x->tap)
        x->tap(x->tap_context, x, content_type, bytes);
}

static void begin_answer(struct http_exchange *x, int status, const char *content_type)
{
    x->status = status;
    http_reply_header(x, "Content-Type", content_type);
    if (!x->server->socket) /* draining: no further request on this connection */
        http_reply_header(x, "Connection", "close");
}

void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body)
{
    CHECK(!x->streams);
    if (x->connection) {
        struct evhttp_request *req = x->req;
        begin_answer(x, status, content_type);
        tell_tap(x, content_type, body);
        if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
            char n_bytes[24];
            evutil_snprintf(n_bytes, sizeof n_bytes, "%zu", body.len);
            http_reply_header(x, "Content-Length", n_bytes);
        } else {
            evbuffer_add(x->buffer, body.ptr, body.len);
        }
        evhttp_send_reply(req, status, NULL, x->buffer);
    }
    free_exchange(x);
}

void http_stream_begin(struct http_exchange *x, int status, const char *content_type)
{
    CHECK(!x->streams);
    x->streams = true;
    if (!x->connection)
        return;
    begin_answer(x, status, content_type);
    tell_tap(x, content_type, STR(""));
    /* Without chunks only the connection's end tells where the answer ends. */
    if (x->req->major == 1 && x->req->minor == 0)
        evhttp_remove_header(evhttp_request_get_input_headers(x->req), "Connection");
    evhttp_send_reply_start(x->req, status, NULL);
}

void http_stream_send(struct http_exchange *x, struct str bytes)
{
    CHECK(x->streams);
    if (!x->connection || bytes.len == 0)
        return;
    tell_tap(x, NULL, bytes);
    evbuffer_add(x->buffer, bytes.ptr, bytes.len);
    evhttp_send_reply_chunk(x->req, x->buffer);
}

void http_stream_end(struct http_exchange *x)
{
    CHECK(x->streams || !x->connection);
    if (x->connection)
        evhttp_send_reply_end(x->req);
    free_exchange(x);
}

/* ---- the server --------------------------------------------------------------------------- */

enum err http_server_reload(struct http_server *s, struct err_note *note)
{
    SSL_CTX *tls = NULL;
    enum err rc = s->tls ? tls_open(s->options.tls_cert, s->options.tls_key, &tls, note) : ERR_OK;
    if (tls) {
        SSL_CTX_free(s->tls); /* connections that use it hold it */
        s->tls = tls;
    }
    return rc;
}

/* One that has been handed to evhttp, until the loop comes round. */
struct newcomer {
    struct http_server *server;
    struct bufferevent *bev;
};

static void look_again(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct newcomer n = *(struct newcomer *)context;
    mem_free(context);
    void *evcon; /* NULL: closed meanwhile */
    bufferevent_getcb(n.bev, NULL, NULL, NULL, &evcon);
    if (evcon)
        adopt(n.server, evcon);
    bufferevent_decref(n.bev);
}

static struct bufferevent *new_bufferevent(struct event_base *loop, void *context)
{
    struct http_server *s = context;
    struct newcomer *n = mem_zalloc(sizeof *n);
    if (!n)
        return NULL;
    n->server = s;
    n->bev = tls_bufferevent(loop, -1, s->tls);
    struct timeval at_once = {0};
    if (!n->bev || event_base_once(loop, -1, EV_TIMEOUT, look_again, n, &at_once) != 0) {
        if (n->bev)
            bufferevent_free(n->bev);
        mem_free(n);
        return NULL;
    }
    bufferevent_incref(n->bev);
    return n->bev;
}

static void fill_defaults(struct http_server_options *o)
{
    if (o->n_head_bytes_max == 0)
        o->n_head_bytes_max = HEAD_BYTES_MAX;
    if (o->n_body_bytes_max == 0)
        o->n_body_bytes_max = BODY_BYTES_MAX;
    if (o->n_connections_max == 0)
        o->n_connections_max = CONNECTIONS_MAX;
    if (o->request_s_max == 0)
        o->request_s_max = REQUEST_S_MAX;
}

static enum err start(struct http_server *s, struct err_note *note)
{
    const struct http_server_options *o = &s->options;
    s->http = evhttp_new(s->loop);
    s->tick = event_new(s->loop, -1, EV_PERSIST, close_late_ones, s);
    if (!s->http || !s->tick)
        return err_set(note, ERR_MEMORY, "out of memory for the server");
    /* All that it knows: what no endpoint takes is answered by the handler. */
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
                                            EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                            EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH |
                                            EVHTTP_REQ_TRACE);
    evhttp_set_max_headers_size(s->http, (ev_ssize_t)o->n_head_bytes_max);
    evhttp_set_max_body_size(s->http, (ev_ssize_t)o->n_body_bytes_max);
    /* A body that is too large is read to its end and thrown away: else its client is still sending
     * when the connection ends, and never reads why. */
    evhttp_set_flags(s->http, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_default_content_type(s->http, NULL);
    evhttp_set_timeout(s->http, (int)o->request_s_max);
    evhttp_set_bevcb(s->http, new_bufferevent, s);
    evhttp_set_gencb(s->http, request_arrived, s);
    s->socket = evhttp_bind_socket_with_handle(s->http, o->host, o->port);
    if (!s->socket)
        return err_set(note, ERR_IO, "cannot listen on %s port %u: %s", o->host, o->port,
                       evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    /* Connections inherit it; small TLS records would wait for each other. */
    int on = 1;
    setsockopt(evhttp_bound_socket_get_fd(s->socket), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct timeval each = {.tv_sec = 1};
    event_add(s->tick, &each);
    return ERR_OK;
}

enum err http_server_open(struct event_base *loop, const struct http_server_options *options,
                          struct http_server **server, struct err_note *note)
{
    *server = NULL;
    struct http_server *s = mem_zalloc(sizeof *s);
    if (!s)
        return err_set(note, ERR_MEMORY, "out of memory for the server");
    s->options = *options;
    s->loop = loop;
    fill_defaults(&s->options);
    enum err rc = options->tls_cert
                      ? tls_open(options->tls_cert, options->tls_key, &s->tls, note)
                      : ERR_OK;
    if (!rc)
        rc = start(s, note);
    if (rc)
        http_server_close(s);
    else
        *server = s;
    return rc;
}

void http_server_drain(struct http_server *s)
{
    if (s->socket)
        evhttp_del_accept_socket(s->http, s->socket);
    s->socket = NULL;
}

void http_server_close(struct http_server *s)
{
    if (!s)
        return;
    http_server_drain(s);
    if (s->http)
        evhttp_free(s->http);
    CHECK(s->n_exchanges == 0); /* on_gone ended them */
    if (s->tick)
        event_free(s->tick);
    SSL_CTX_free(s->tls);
    mem_free(s->by_fd);
    mem_free(s);
}

uint16_t http_server_port(const struct http_server *s)
{
    struct sockaddr_storage address;
    socklen_t n_bytes = sizeof address;
    if (!s->socket || getsockname(evhttp_bound_socket_get_fd(s->socket),
                                  (struct sockaddr *)&address, &n_bytes) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

uint32_t http_server_connections(const struct http_server *s)
{
    return s->n_connections;
}

uint32_t http_server_exchanges(const struct http_server *s)
{
    return s->n_exchanges;
}

uint64_t http_server_refused(const struct http_server *s)
{
    return s->n_refused;
}
