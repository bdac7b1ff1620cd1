/* websocket_server.c - connections over libevent's bufferevents.
 *
 * States: handshake -> open -> (closing: our CLOSE is out, theirs is awaited) -> ending: all is
 * said; what is unsent goes out, then our sending side is shut, and what still comes is thrown away
 * until the client closes too. Closing a socket with unread bytes would reset it, and the client
 * might never read why.
 * A connection is freed only where the loop has just called us, never inside what an owner calls;
 * one that must go meanwhile is doomed, and swept when the loop comes round. */
#include "net/websocket_server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/tls.h"

enum {
    HEAD_BYTES_MAX = 16 << 10,
    MESSAGE_BYTES_MAX = 16 << 20,
    UNSENT_BYTES_MAX = 8 << 20,
    CONNECTIONS_MAX = 4096,
    HANDSHAKE_S_MAX = 10,
    PING_S = 20,
    CLOSING_S_MAX = 5,
    ENDING_S_MAX = 10,
};

enum state { STATE_HANDSHAKE, STATE_OPEN, STATE_CLOSING, STATE_ENDING };

struct websocket {
    struct websocket_server *server;
    struct websocket *next, **link;
    struct bufferevent *bev;
    enum state state;
    bool told, doomed;           /* opened was said and closed not yet */
    uint64_t since_ns, heard_ns; /* in this state; of the client */
    uint64_t pinged_ns;          /* since it was last heard; 0: not yet */
    struct websocket_reader reader;
    void *owner;
};

struct websocket_server {
    struct websocket_server_options options;
    struct event_base *loop;
    struct evconnlistener *listener; /* NULL: draining */
    struct event *tick, *sweep;
    SSL_CTX *tls;
    struct websocket *connections;
    uint32_t n_connections;
};

/* ---- endings ------------------------------------------------------------------------------ */

static void tell_closed(struct websocket *ws)
{
    if (!ws->told)
        return;
    ws->told = false;
    ws->server->options.handler->closed(ws->server->options.context, ws);
}

static void set_listening(struct websocket_server *s, bool on)
{
    if (!s->listener)
        return;
    if (on)
        evconnlistener_enable(s->listener);
    else
        evconnlistener_disable(s->listener);
}

/* libevent closes the socket when its loop next runs; the client is told now. */
static void drop(struct websocket *ws)
{
    struct websocket_server *s = ws->server;
    tell_closed(ws);
    *ws->link = ws->next;
    if (ws->next)
        ws->next->link = ws->link;
    if (s->n_connections-- == s->options.n_connections_max)
        set_listening(s, true);
    shutdown(bufferevent_getfd(ws->bev), SHUT_RDWR);
    bufferevent_free(ws->bev);
    websocket_reader_release(&ws->reader);
    mem_free(ws);
}

static void doom(struct websocket *ws)
{
    ws->doomed = true;
    event_active(ws->server->sweep, EV_TIMEOUT, 1);
}

static void enter(struct websocket *ws, enum state state)
{
    ws->state = state;
    ws->since_ns = clock_ns();
}

/* Nothing is left to send. */
static void shut_sending(struct websocket *ws)
{
    SSL *ssl = bufferevent_openssl_get_ssl(ws->bev);
    if (ssl)
        SSL_shutdown(ssl);
    shutdown(bufferevent_getfd(ws->bev), SHUT_WR);
}

static void end(struct websocket *ws)
{
    enter(ws, STATE_ENDING);
    tell_closed(ws);
    if (evbuffer_get_length(bufferevent_get_output(ws->bev)) == 0)
        shut_sending(ws);
}

/* ---- sending ------------------------------------------------------------------------------ */

static void send_frame(struct websocket *ws, enum websocket_kind kind, struct str bytes)
{
    uint8_t head[WEBSOCKET_HEAD_BYTES_MAX];
    size_t n_head = websocket_head(head, kind, bytes.len);
    struct evbuffer *out = bufferevent_get_output(ws->bev);
    if (ws->doomed)
        return;
    if (evbuffer_get_length(out) + bytes.len > ws->server->options.n_unsent_bytes_max ||
        evbuffer_expand(out, n_head + bytes.len) != 0) {
        doom(ws);
        return;
    }
    evbuffer_add(out, head, n_head);
    evbuffer_add(out, bytes.ptr, bytes.len);
}

static void send_close(struct websocket *ws, uint16_t code, struct str reason)
{
    char payload[WEBSOCKET_CONTROL_BYTES_MAX];
    size_t n = websocket_close_payload(payload, code, reason);
    send_frame(ws, WEBSOCKET_CLOSE, (struct str){payload, n});
}

void websocket_send(struct websocket *ws, struct str text)
{
    if (ws->state == STATE_OPEN)
        send_frame(ws, WEBSOCKET_TEXT, text);
}

void websocket_close(struct websocket *ws, uint16_t code, struct str reason)
{
    if (ws->state != STATE_OPEN)
        return;
    send_close(ws, code, reason);
    enter(ws, STATE_CLOSING);
}

void websocket_set_owner(struct websocket *ws, void *owner)
{
    ws->owner = owner;
}

void websocket_set_message_max(struct websocket *ws, size_t n_bytes)
{
    ws->reader.message.n_bytes_max = n_bytes;
}

void *websocket_owner(const struct websocket *ws)
{
    return ws->owner;
}

/* ---- receiving ---------------------------------------------------------------------------- */

static void take_event(struct websocket *ws, const struct websocket_event *e)
{
    const struct websocket_server_options *o = &ws->server->options;
    bool open = ws->state == STATE_OPEN;
    switch (e->kind) {
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        if (open)
            o->handler->message(o->context, ws, e->kind == WEBSOCKET_TEXT, e->bytes);
        break;
    case WEBSOCKET_PING:
        if (open)
            send_frame(ws, WEBSOCKET_PONG, e->bytes);
        break;
    case WEBSOCKET_PONG:
        break;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_FAULT:
        if (open)
            send_close(ws, e->code, e->kind == WEBSOCKET_FAULT ? e->bytes : STR(""));
        end(ws);
        break;
    }
}

static void take_frames(struct websocket *ws, struct evbuffer *in)
{
    struct websocket_event e;
    size_t n;
    while (!ws->doomed && (n = evbuffer_get_contiguous_space(in)) > 0) {
        struct str bytes = {(const char *)evbuffer_pullup(in, (ev_ssize_t)n), n};
        while (!ws->doomed && websocket_read(&ws->reader, &bytes, &e))
            take_event(ws, &e);
        evbuffer_drain(in, n);
    }
}

static void refuse(struct websocket *ws, int status, const char *why)
{
    struct buf out;
    buf_init(&out, HEAD_BYTES_MAX);
    websocket_refusal(&out, status, why);
    evbuffer_add(bufferevent_get_output(ws->bev), out.bytes, out.n_bytes);
    buf_release(&out);
    end(ws);
}

static void welcome(struct websocket *ws, const struct websocket_request *r)
{
    const struct websocket_server_options *o = &ws->server->options;
    struct buf out;
    buf_init(&out, HEAD_BYTES_MAX);
    websocket_welcome(&out, r);
    evbuffer_add(bufferevent_get_output(ws->bev), out.bytes, out.n_bytes);
    buf_release(&out);
    enter(ws, STATE_OPEN);
    ws->told = true;
    o->handler->opened(o->context, ws, r);
}

static void take_handshake(struct websocket *ws, struct evbuffer *in)
{
    const struct websocket_server_options *o = &ws->server->options;
    size_t n = evbuffer_get_length(in);
    struct websocket_request r;
    const char *why;
    char reason[256] = "";
    /* What follows the head is frames: one byte more than a head's most is enough to judge. */
    n = n < HEAD_BYTES_MAX + 1 ? n : HEAD_BYTES_MAX + 1;
    struct str bytes = {(const char *)evbuffer_pullup(in, (ev_ssize_t)n), n};
    int status = bytes.ptr ? websocket_request_read(bytes, HEAD_BYTES_MAX, &r, &why) : 0;
    if (status == 0)
        return;
    if (status == 101) {
        int refusal = o->handler->admit(o->context, &r, reason);
        status = refusal ? refusal : status;
        why = reason;
    }
    if (status != 101) {
        refuse(ws, status, why);
        return;
    }
    welcome(ws, &r);
    evbuffer_drain(in, r.n_bytes);
}

static void on_read(struct bufferevent *bev, void *context)
{
    struct websocket *ws = context;
    struct evbuffer *in = bufferevent_get_input(bev);
    ws->heard_ns = clock_ns();
    ws->pinged_ns = 0;
    if (ws->state == STATE_HANDSHAKE)
        take_handshake(ws, in);
    if (ws->state == STATE_OPEN || ws->state == STATE_CLOSING)
        take_frames(ws, in);
    if (ws->state == STATE_ENDING)
        evbuffer_drain(in, evbuffer_get_length(in));
}

static void on_written(struct bufferevent *bev, void *context)
{
    (void)bev;
    struct websocket *ws = context;
    if (ws->state == STATE_ENDING)
        shut_sending(ws);
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        drop(context);
}

static bool adopt(struct websocket_server *s, int fd)
{
    struct websocket *ws = mem_zalloc(sizeof *ws);
    struct bufferevent *bev = ws ? tls_bufferevent(s->loop, fd, s->tls) : NULL;
    if (!bev) {
        mem_free(ws);
        return false;
    }
    *ws = (struct websocket){.server = s, .bev = bev, .heard_ns = clock_ns()};
    enter(ws, STATE_HANDSHAKE);
    websocket_reader_init(&ws->reader, s->options.n_message_bytes_max);
    ws->next = s->connections;
    ws->link = &s->connections;
    if (ws->next)
        ws->next->link = &ws->next;
    s->connections = ws;
    if (++s->n_connections == s->options.n_connections_max)
        set_listening(s, false);
    bufferevent_setcb(bev, on_read, on_written, on_event, ws);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    return true;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int n_from, void *context)
{
    (void)listener, (void)from, (void)n_from;
    if (!adopt(context, fd))
        evutil_closesocket(fd);
}

/* Out of descriptors, most often: the tick tries again, the loop does not spin. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
    (void)listener;
    set_listening(context, false);
}

/* ---- time --------------------------------------------------------------------------------- */

static void look_at_clock(struct websocket *ws, uint64_t now_ns)
{
    const struct websocket_server_options *o = &ws->server->options;
    uint64_t in_state_s = (now_ns - ws->since_ns) / 1000000000;
    uint64_t silent_s = (now_ns - ws->heard_ns) / 1000000000;
    if ((ws->state == STATE_HANDSHAKE && in_state_s >= o->handshake_s_max) ||
        (ws->state == STATE_CLOSING && in_state_s >= CLOSING_S_MAX) ||
        (ws->state == STATE_ENDING && in_state_s >= ENDING_S_MAX)) {
        ws->doomed = true;
    } else if (ws->state == STATE_OPEN && ws->pinged_ns) {
        /* From the ping, not from when it fell silent: this clock may have stood still itself. */
        ws->doomed = (now_ns - ws->pinged_ns) / 1000000000 >= o->ping_s;
    } else if (ws->state == STATE_OPEN && silent_s >= o->ping_s) {
        ws->pinged_ns = now_ns;
        send_frame(ws, WEBSOCKET_PING, STR(""));
    }
}

static void drop_doomed(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct websocket_server *s = context;
    for (struct websocket *ws = s->connections, *next; ws; ws = next) {
        next = ws->next;
        if (ws->doomed)
            drop(ws);
    }
}

static void on_tick(int fd, short what, void *context)
{
    struct websocket_server *s = context;
    uint64_t now_ns = clock_ns();
    for (struct websocket *ws = s->connections; ws; ws = ws->next)
        look_at_clock(ws, now_ns);
    drop_doomed(fd, what, s);
    if (s->n_connections < s->options.n_connections_max)
        set_listening(s, true);
}

/* ---- the server --------------------------------------------------------------------------- */

static enum err listen_on(struct websocket_server *s, struct err_note *note)
{
    const struct websocket_server_options *o = &s->options;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", o->port);
    int rc = getaddrinfo(o->host, port, &hints, &found);
    if (rc != 0)
        return err_set(note, ERR_IO, "cannot listen on %s: %s", o->host, gai_strerror(rc));
    for (struct addrinfo *a = found; a && !s->listener; a = a->ai_next)
        s->listener = evconnlistener_new_bind(
            s->loop, on_accept, s,
            LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, -1, a->ai_addr,
            (int)a->ai_addrlen);
    freeaddrinfo(found);
    if (!s->listener)
        return err_set(note, ERR_IO, "cannot listen on %s port %u: %s", o->host, o->port,
                       strerror(errno));
    evconnlistener_set_error_cb(s->listener, on_accept_error);
    /* Connections inherit it; small frames would wait for each other. */
    int on = 1;
    setsockopt(evconnlistener_get_fd(s->listener), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return ERR_OK;
}

static void fill_defaults(struct websocket_server_options *o)
{
    if (o->n_message_bytes_max == 0)
        o->n_message_bytes_max = MESSAGE_BYTES_MAX;
    if (o->n_unsent_bytes_max == 0)
        o->n_unsent_bytes_max = UNSENT_BYTES_MAX;
    if (o->n_connections_max == 0)
        o->n_connections_max = CONNECTIONS_MAX;
    if (o->handshake_s_max == 0)
        o->handshake_s_max = HANDSHAKE_S_MAX;
    if (o->ping_s == 0)
        o->ping_s = PING_S;
}

static enum err start(struct websocket_server *s, struct err_note *note)
{
    const struct websocket_server_options *o = &s->options;
    struct timeval each = {.tv_sec = 1};
    s->tick = event_new(s->loop, -1, EV_PERSIST, on_tick, s);
    s->sweep = event_new(s->loop, -1, 0, drop_doomed, s);
    if (!s->tick || !s->sweep)
        return err_set(note, ERR_MEMORY, "out of memory for the server");
    enum err rc = o->tls_cert ? tls_open(o->tls_cert, o->tls_key, &s->tls, note) : ERR_OK;
    rc = rc ? rc : listen_on(s, note);
    event_add(s->tick, &each);
    return rc;
}

enum err websocket_server_open(struct event_base *loop, const struct websocket_server_options *o,
                               struct websocket_server **server, struct err_note *note)
{
    *server = NULL;
    struct websocket_server *s = mem_zalloc(sizeof *s);
    if (!s)
        return err_set(note, ERR_MEMORY, "out of memory for the server");
    s->options = *o;
    s->loop = loop;
    fill_defaults(&s->options);
    enum err rc = start(s, note);
    if (rc)
        websocket_server_close(s);
    else
        *server = s;
    return rc;
}

void websocket_server_drain(struct websocket_server *s)
{
    if (s->listener)
        evconnlistener_free(s->listener);
    s->listener = NULL;
}

void websocket_server_close(struct websocket_server *s)
{
    if (!s)
        return;
    websocket_server_drain(s);
    while (s->connections)
        drop(s->connections);
    if (s->tick)
        event_free(s->tick);
    if (s->sweep)
        event_free(s->sweep);
    SSL_CTX_free(s->tls);
    mem_free(s);
}

enum err websocket_server_reload(struct websocket_server *s, struct err_note *note)
{
    SSL_CTX *tls = NULL;
    const struct websocket_server_options *o = &s->options;
    enum err rc = s->tls ? tls_open(o->tls_cert, o->tls_key, &tls, note) : ERR_OK;
    if (tls) {
        SSL_CTX_free(s->tls); /* connections that use it hold it */
        s->tls = tls;
    }
    return rc;
}

uint16_t websocket_server_port(const struct websocket_server *s)
{
    struct sockaddr_storage address;
    socklen_t n_bytes = sizeof address;
    if (!s->listener || getsockname(evconnlistener_get_fd(s->listener),
                                    (struct sockaddr *)&address, &n_bytes) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

uint32_t websocket_server_connections(const struct websocket_server *s)
{
    return s->n_connections;
}
