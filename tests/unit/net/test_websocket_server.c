/* test_websocket_server.c - WebSockets over real sockets, plain and over TLS: opening, messages,
 * good-byes, leaving, and clients that misbehave. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "lib/certificate.h"
#include "net/websocket_server.h"

/* The server's messages, written out. */
#define TEXT(n, text) "\x81" n text
#define CLOSE(n, code, why) "\x88" n code why

static const char opening[] = "GET /door HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/* A server that does what messages say, and one client. */
struct world {
    struct event_base *loop;
    struct websocket_server *server;
    struct websocket *ws; /* the last one opened */
    int n_opened, n_closed, n_messages;
    bool refuses;
    int fd; /* the client */
    SSL_CTX *tls;
    SSL *ssl;
    char got[4 << 20];
    size_t n_got;
    bool closed; /* by the server */
};

static int admit(void *context, const struct websocket_request *r, char why[256])
{
    struct world *w = context;
    assert_true(str_is(r->path, "/door"));
    snprintf(why, 256, "not today");
    return w->refuses ? 403 : 0;
}

static void opened(void *context, struct websocket *ws, const struct websocket_request *r)
{
    struct world *w = context;
    assert_true(str_is(websocket_header(r, "host"), "a"));
    assert_null(websocket_owner(ws));
    websocket_set_owner(ws, w);
    w->ws = ws;
    w->n_opened++;
}

static void message(void *context, struct websocket *ws, bool is_text, struct str bytes)
{
    struct world *w = context;
    assert_ptr_equal(websocket_owner(ws), w);
    w->n_messages++;
    if (str_is(bytes, "bye"))
        websocket_close(ws, WEBSOCKET_GOING_AWAY, STR("so long"));
    else if (str_is(bytes, "pour"))
        for (int i = 0; i < 30000; i++)
            websocket_send(ws, STR("................................................."));
    else
        websocket_send(ws, is_text ? bytes : STR("binary"));
}

static void closed(void *context, struct websocket *ws)
{
    struct world *w = context;
    assert_ptr_equal(websocket_owner(ws), w);
    w->n_closed++;
    websocket_send(ws, STR("nothing")); /* too late: no harm */
    w->ws = NULL;
}

static const struct websocket_handler handler = {
    .admit = admit, .opened = opened, .message = message, .closed = closed};

static void open_world(struct world *w, struct websocket_server_options o, bool tls)
{
    char dir[] = "/tmp/isobit_ws_XXXXXX", cert[64], key[64];
    memset(w, 0, sizeof *w);
    w->fd = -1;
    w->loop = event_base_new();
    assert_non_null(w->loop);
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    if (tls) {
        make_certificate(cert, key);
        o.tls_cert = cert;
        o.tls_key = key;
        w->tls = SSL_CTX_new(TLS_client_method());
    }
    o.host = "127.0.0.1";
    o.handler = &handler;
    o.context = w;
    struct err_note note = {""};
    if (websocket_server_open(w->loop, &o, &w->server, &note))
        fail_msg("%s", note.text);
    assert_ok(websocket_server_reload(w->server, &note));
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

static void dial(struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(websocket_server_port(w->server))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    w->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(w->fd >= 0);
    assert_int_equal(connect(w->fd, (struct sockaddr *)&a, sizeof a), 0);
    fcntl(w->fd, F_SETFL, O_NONBLOCK);
    if (w->tls) {
        w->ssl = SSL_new(w->tls);
        SSL_set_fd(w->ssl, w->fd);
        SSL_set_connect_state(w->ssl);
    }
    w->n_got = 0;
    w->closed = false;
}

static void hang_up(struct world *w)
{
    SSL_free(w->ssl);
    w->ssl = NULL;
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

static void send_all(struct world *w, const char *bytes, size_t n_bytes)
{
    while (n_bytes > 0) {
        ssize_t n = w->ssl ? SSL_write(w->ssl, bytes, (int)n_bytes)
                           : send(w->fd, bytes, n_bytes, MSG_NOSIGNAL);
        if (n <= 0 && !w->ssl && errno != EAGAIN)
            return; /* the server has closed; what it said is still to be read */
        ERR_clear_error();
        event_base_loop(w->loop, EVLOOP_NONBLOCK);
        if (n > 0) {
            bytes += n;
            n_bytes -= (size_t)n;
        }
    }
}

static void receive(struct world *w)
{
    char *to = w->got + w->n_got;
    size_t n_free = sizeof w->got - w->n_got;
    ssize_t n;
    if (w->ssl) {
        n = SSL_read(w->ssl, to, (int)n_free);
        int why = SSL_get_error(w->ssl, (int)n);
        w->closed |= n <= 0 && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE;
        ERR_clear_error();
    } else {
        n = recv(w->fd, to, n_free, 0);
        w->closed |= n == 0 || (n < 0 && errno != EAGAIN);
    }
    if (n > 0)
        w->n_got += (size_t)n;
}

/* Runs both sides until done() or, for a failure, ten seconds. */
static void run_until(struct world *w, bool (*done)(struct world *w))
{
    uint64_t end_ns = clock_ns() + (uint64_t)10000000000;
    while (!done(w)) {
        if (clock_ns() > end_ns)
            fail_msg("waited in vain; received: %.*s", (int)w->n_got, w->got);
        event_base_loop(w->loop, EVLOOP_NONBLOCK);
        if (w->fd >= 0)
            receive(w);
    }
}

static bool is_closed(struct world *w)
{
    return w->closed;
}
static bool one_has_closed(struct world *w)
{
    return w->n_closed == 1;
}
static bool no_connections(struct world *w)
{
    return websocket_server_connections(w->server) == 0;
}

static void wait_for(struct world *w, struct str wanted)
{
    uint64_t end_ns = clock_ns() + (uint64_t)10000000000;
    while (!memmem(w->got, w->n_got, wanted.ptr, wanted.len)) {
        if (clock_ns() > end_ns)
            fail_msg("no %.*s in: %.*s", STR_ARG(wanted), (int)w->n_got, w->got);
        event_base_loop(w->loop, EVLOOP_NONBLOCK);
        receive(w);
    }
}

static void open_door(struct world *w)
{
    hang_up(w);
    dial(w);
    send_all(w, opening, strlen(opening));
    wait_for(w, str_from(answer));
    assert_int_equal(w->n_got, strlen(answer));
    assert_non_null(w->ws);
}

static void close_world(struct world *w)
{
    hang_up(w);
    run_until(w, no_connections);
    assert_int_equal(w->n_opened, w->n_closed);
    websocket_server_close(w->server);
    event_base_loop(w->loop, EVLOOP_NONBLOCK);
    event_base_free(w->loop);
    SSL_CTX_free(w->tls);
}

static void send_frame(struct world *w, uint8_t first, struct str payload)
{
    uint8_t head[WEBSOCKET_HEAD_BYTES_MAX + 4] = {0};
    size_t n_head = websocket_head(head, first & 15, payload.len);
    head[0] = first;
    head[1] |= 0x80;
    memset(head + n_head, 0, 4);
    send_all(w, (char *)head, n_head + 4);
    send_all(w, payload.ptr, payload.len);
}

/* ---- tests -------------------------------------------------------------------------------- */

static void messages_are_answered(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        static struct world w;
        open_world(&w, (struct websocket_server_options){0}, tls);
        open_door(&w);
        send_frame(&w, 0x81, STR("hello"));
        wait_for(&w, STR(TEXT("\x05", "hello")));
        send_frame(&w, 0x82, STR("\1\2\3"));
        wait_for(&w, STR(TEXT("\x06", "binary")));
        send_frame(&w, 0x89, STR("are you there"));
        wait_for(&w, STR("\x8a\x0d" "are you there"));
        char *big = malloc(300000);
        memset(big, 'x', 300000);
        send_frame(&w, 0x81, (struct str){big, 300000});
        wait_for(&w, STR("\x81\x7f\0\0\0\0\0\x04\x93\xe0xxx"));
        free(big);
        send_frame(&w, 0x81, STR("last"));
        wait_for(&w, STR(TEXT("\x04", "last")));
        send_frame(&w, 0x88, STR("\x03\xe8"));
        wait_for(&w, STR(CLOSE("\x02", "\x03\xe8", "")));
        run_until(&w, is_closed);
        assert_int_equal(w.n_closed, 1);
        close_world(&w);
    }
}

static void the_first_bytes_may_come_in_any_pieces(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct websocket_server_options){0}, false);
    dial(&w);
    for (size_t i = 0; opening[i]; i++)
        send_all(&w, opening + i, 1);
    wait_for(&w, str_from(answer));
    hang_up(&w);
    dial(&w);
    char both[512]; /* a client that does not wait for the answer */
    size_t n = (size_t)snprintf(both, sizeof both, "%s", opening);
    memcpy(both + n, "\x81\x82\0\0\0\0hi", 8);
    send_all(&w, both, n + 8);
    wait_for(&w, STR(TEXT("\x02", "hi")));
    close_world(&w);
}

static void others_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request, *wanted;
    } rows[] = {
        {"GET /door HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 "},
        {"POST /door HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 "},
        {"GET /door HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 "},
        {"\x16\x03\x01\x02\x05\r\n\r\n", "HTTP/1.1 400 "},
        {opening, "HTTP/1.1 403 Forbidden\r\n"},
        {opening, "{\"error\":\"not today\"}"},
    };
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        static struct world w;
        open_world(&w, (struct websocket_server_options){0}, i >= COUNT_OF(rows));
        w.refuses = true;
        dial(&w);
        const char *request = rows[i % COUNT_OF(rows)].request;
        send_all(&w, request, strlen(request));
        wait_for(&w, str_from(rows[i % COUNT_OF(rows)].wanted));
        run_until(&w, is_closed);
        assert_int_equal(w.n_opened, 0);
        close_world(&w);
    }
    static struct world w;
    open_world(&w, (struct websocket_server_options){0}, false);
    dial(&w);
    for (int i = 0; i < 20000; i += 10)
        send_all(&w, "GET /long/", 10);
    wait_for(&w, STR("HTTP/1.1 431 "));
    run_until(&w, is_closed);
    close_world(&w);
}

static void faults_close_with_a_code(void **state)
{
    (void)state;
    static const struct {
        uint8_t first;
        struct str payload, wanted;
    } rows[] = {
        {0xc1, STR("x"), STR("\x03\xea" "a reserved bit")},
        {0x81, STR("\xff"), STR("\x03\xef" "a text that is not UTF-8")},
        {0x81, STR("more than twenty bytes"), STR("\x03\xf1" "a message over the limit")},
        {0x83, STR(""), STR("\x03\xea" "an unknown opcode")},
    };
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        static struct world w;
        size_t row = i % COUNT_OF(rows);
        open_world(&w, (struct websocket_server_options){.n_message_bytes_max = 20},
                   i >= COUNT_OF(rows));
        open_door(&w);
        send_frame(&w, rows[row].first, rows[row].payload);
        send_frame(&w, 0x81, STR("unheard")); /* and must not reset what was said */
        wait_for(&w, rows[row].wanted);
        run_until(&w, is_closed);
        assert_int_equal(w.n_closed, 1);
        assert_int_equal(w.n_messages, 0);
        close_world(&w);
    }
}

static void the_server_says_goodbye(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        static struct world w;
        open_world(&w, (struct websocket_server_options){0}, tls);
        open_door(&w);
        send_frame(&w, 0x81, STR("bye"));
        wait_for(&w, STR(CLOSE("\x09", "\x03\xe9", "so long")));
        assert_int_equal(w.n_closed, 0); /* the client's good-bye is awaited */
        send_frame(&w, 0x81, STR("unheard"));
        assert_int_equal(w.n_messages, 1);
        send_frame(&w, 0x88, STR("\x03\xe9"));
        run_until(&w, is_closed);
        assert_int_equal(w.n_closed, 1);
        close_world(&w);
    }
}

static void a_client_that_leaves_is_gone(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        static struct world w;
        open_world(&w, (struct websocket_server_options){0}, i >= 2);
        open_door(&w);
        if (i % 2)
            hang_up(&w);
        else /* only the sending side */
            shutdown(w.fd, SHUT_WR);
        run_until(&w, one_has_closed);
        close_world(&w);
    }
}

static void silent_clients_are_pinged_then_dropped(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct websocket_server_options){.ping_s = 1, .handshake_s_max = 1}, false);
    open_door(&w);
    int silent = w.fd;
    dial(&w); /* never says what it wants */
    send_all(&w, "GET", 3);
    run_until(&w, is_closed);
    close(w.fd);
    w.fd = silent;
    w.closed = false;
    wait_for(&w, STR("\x89\0"));
    run_until(&w, one_has_closed);
    run_until(&w, is_closed);
    close_world(&w);
}

static void a_client_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct websocket_server_options){.n_unsent_bytes_max = 100000}, false);
    open_door(&w);
    send_frame(&w, 0x81, STR("pour"));
    run_until(&w, one_has_closed);
    run_until(&w, is_closed);
    assert_true(w.n_got < (2 << 20));
    close_world(&w);
}

static void connections_have_a_limit(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct websocket_server_options){.n_connections_max = 1}, false);
    open_door(&w);
    int first = w.fd;
    w.fd = -1;
    dial(&w);
    send_all(&w, opening, strlen(opening));
    for (int i = 0; i < 20; i++)
        event_base_loop(w.loop, EVLOOP_NONBLOCK);
    assert_int_equal(w.n_opened, 1);
    close(first);
    wait_for(&w, str_from(answer));
    assert_int_equal(w.n_opened, 2);
    close_world(&w);
}

static void closing_the_server_closes_all(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct websocket_server_options){0}, false);
    open_door(&w);
    struct websocket_server_options taken = {.host = "127.0.0.1",
                                             .port = websocket_server_port(w.server)};
    struct websocket_server *second;
    struct err_note note;
    assert_int_equal(websocket_server_open(w.loop, &taken, &second, &note), ERR_IO);
    assert_non_null(strstr(note.text, "127.0.0.1"));
    websocket_server_drain(w.server);
    assert_int_equal(websocket_server_port(w.server), 0);
    websocket_server_close(w.server);
    assert_int_equal(w.n_closed, 1);
    hang_up(&w);
    event_base_loop(w.loop, EVLOOP_NONBLOCK);
    event_base_free(w.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_answered),
        cmocka_unit_test(the_first_bytes_may_come_in_any_pieces),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(faults_close_with_a_code),
        cmocka_unit_test(the_server_says_goodbye),
        cmocka_unit_test(a_client_that_leaves_is_gone),
        cmocka_unit_test(silent_clients_are_pinged_then_dropped),
        cmocka_unit_test(a_client_that_does_not_read_is_dropped),
        cmocka_unit_test(connections_have_a_limit),
        cmocka_unit_test(closing_the_server_closes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
