/* test_http_server.c - exchanges over real sockets: answers, streams, leaving, bad requests. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "lib/certificate.h"
#include "net/http_server.h"

/* A server whose handler does what the path says, and one client. */
struct world {
    struct event_base *loop;
    struct http_server *server;
    struct http_exchange *waits; /* /wait: not answered yet */
    int n_handled, n_gone;
    int fd;           /* the client */
    char got[200000]; /* what it received */
    size_t n_got;
    bool closed; /* by the server */
};

static void gone(void *context, struct http_exchange *x)
{
    struct world *w = context;
    assert_true(http_is_gone(x));
    w->n_gone++;
    w->waits = NULL;
    http_stream_end(x);
}

static void handle(void *context, struct http_exchange *x)
{
    struct world *w = context;
    w->n_handled++;
    struct str path = http_path(x);
    if (str_is(path, "/echo")) {
        http_reply_header(x, "X-Method", http_method(x));
        http_reply(x, 200, "text/plain", http_body(x));
    } else if (str_is(path, "/stream")) {
        http_stream_begin(x, 200, "text/event-stream");
        http_stream_send(x, STR("data: 1\n\n"));
        http_stream_send(x, STR("data: 2\n\n"));
        http_stream_end(x);
    } else if (str_is(path, "/begin")) {
        http_on_gone(x, gone, w);
        w->waits = x;
        http_stream_begin(x, 200, "text/event-stream");
        http_stream_send(x, STR("data: first\n\n"));
    } else if (str_is(path, "/wait")) {
        http_on_gone(x, gone, w);
        w->waits = x;
    } else {
        http_reply(x, 404, "text/plain", http_query(x));
    }
}

static void open_world(struct world *w, struct http_server_options o)
{
    memset(w, 0, sizeof *w);
    w->fd = -1;
    w->loop = event_base_new();
    assert_non_null(w->loop);
    o.host = "127.0.0.1";
    o.handle = handle;
    o.context = w;
    struct err_note note = {""};
    if (http_server_open(w->loop, &o, &w->server, &note))
        fail_msg("%s", note.text);
}

static int dial(struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(http_server_port(w->server))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    w->n_got = 0;
    w->got[0] = 0;
    w->closed = false;
    return fd;
}

static void hang_up(struct world *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

static void send_all(struct world *w, const char *bytes, size_t n_bytes)
{
    while (n_bytes > 0) {
        ssize_t n = send(w->fd, bytes, n_bytes, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN)
                return; /* the server has closed; what it said is still to be read */
            event_base_loop(w->loop, EVLOOP_NONBLOCK);
            continue;
        }
        bytes += n;
        n_bytes -= (size_t)n;
    }
}

static void receive(struct world *w)
{
    ssize_t n = recv(w->fd, w->got + w->n_got, sizeof w->got - 1 - w->n_got, 0);
    if (n > 0)
        w->n_got += (size_t)n;
    w->closed |= n == 0 || (n < 0 && errno == ECONNRESET);
    w->got[w->n_got] = 0;
}

/* Runs both sides until done() or, for a failure, ten seconds. */
static void run_until(struct world *w, bool (*done)(struct world *w, const void *what),
                      const void *what)
{
    uint64_t end_ns = clock_ns() + (uint64_t)10000000000;
    while (!done(w, what)) {
        if (clock_ns() > end_ns)
            fail_msg("waited in vain; received: %s", w->got);
        event_base_loop(w->loop, EVLOOP_NONBLOCK);
        if (w->fd >= 0)
            receive(w);
    }
}

static bool has_text(struct world *w, const void *what)
{
    return strstr(w->got, what) != NULL;
}
static bool is_closed(struct world *w, const void *what)
{
    (void)what;
    return w->closed;
}
static bool is_waiting(struct world *w, const void *what)
{
    (void)what;
    return w->waits != NULL;
}
static bool one_is_gone(struct world *w, const void *what)
{
    (void)what;
    return w->n_gone == 1;
}
static bool no_connections(struct world *w, const void *what)
{
    (void)what;
    return http_server_connections(w->server) == 0;
}

static void close_world(struct world *w)
{
    hang_up(w);
    run_until(w, no_connections, NULL);
    assert_int_equal(http_server_exchanges(w->server), 0);
    http_server_close(w->server);
    event_base_free(w->loop);
}

static void ask(struct world *w, const char *request, const char *wanted)
{
    hang_up(w);
    w->fd = dial(w);
    send_all(w, request, strlen(request));
    run_until(w, has_text, wanted);
}

/* ---- tests -------------------------------------------------------------------------------- */

static void requests_are_answered(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct http_server_options){0});
    ask(&w, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "\r\n\r\nhello");
    assert_non_null(strstr(w.got, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(w.got, "X-Method: POST\r\n"));
    assert_non_null(strstr(w.got, "Content-Length: 5\r\n"));
    ask(&w,
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        "\r\n\r\nabcdefg");
    ask(&w, "GET /none?a=b HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\na=b");
    assert_non_null(strstr(w.got, "HTTP/1.1 404 "));
    ask(&w, "HEAD /none?abc HTTP/1.1\r\nHost: a\r\n\r\n", "Content-Length: 3\r\n");
    assert_null(strstr(w.got, "abc"));
    ask(&w, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "data: 2\n\n\r\n0\r\n\r\n");
    assert_non_null(strstr(w.got, "Transfer-Encoding: chunked\r\n"));
    ask(&w, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "data: 2\n\n");
    run_until(&w, is_closed, NULL); /* nothing else tells HTTP/1.0 where a stream ends */
    close_world(&w);
}

static void requests_come_in_pieces_and_in_rows(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct http_server_options){0});
    static const char slow[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz";
    w.fd = dial(&w);
    for (size_t i = 0; slow[i]; i++) {
        send_all(&w, slow + i, 1);
        event_base_loop(w.loop, EVLOOP_NONBLOCK);
    }
    run_until(&w, has_text, "\r\n\r\nxyz");
    ask(&w,
        "GET /a?1 HTTP/1.1\r\nHost: a\r\n\r\nGET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /b?last HTTP/1.1\r\nHost: a\r\n\r\n",
        "last");
    const char *first = strstr(w.got, "\r\n\r\n1"), *stream = strstr(w.got, "data: 2");
    assert_true(first && stream && first < stream && stream < strstr(w.got, "last"));
    /* A second request while the first waits must not disturb it, nor be lost. */
    w.n_handled = 0;
    hang_up(&w);
    w.fd = dial(&w);
    send_all(&w, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", 31);
    run_until(&w, is_waiting, NULL);
    send_all(&w, "GET /x?second HTTP/1.1\r\nHost: a\r\n\r\n", 36);
    for (int i = 0; i < 20; i++)
        event_base_loop(w.loop, EVLOOP_NONBLOCK);
    assert_int_equal(w.n_handled, 1);
    http_reply(w.waits, 200, "text/plain", STR("first"));
    w.waits = NULL;
    run_until(&w, has_text, "second");
    assert_true(strstr(w.got, "first") < strstr(w.got, "second"));
    close_world(&w);
}

static void malformed_requests_never_reach_the_handler(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n"
        "\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "GET /x HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /x\r\n\r\n",
        "\x16\x03\x01\x02\x05\r\n\r\n",
    };
    static struct world w;
    open_world(&w,
               (struct http_server_options){.n_head_bytes_max = 4096, .n_body_bytes_max = 1000});
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ask(&w, bad[i], "HTTP/1.");
        if (!strstr(w.got, " 400 ") && !strstr(w.got, " 413 ")) /* libevent's word for bad chunks */
            fail_msg("%zu: %s", i, w.got);
        run_until(&w, is_closed, NULL);
    }
    char big[9000];
    snprintf(big, sizeof big, "GET /x HTTP/1.1\r\nHost: a\r\nX: %06000d\r\n\r\n", 1);
    ask(&w, big, " 400 ");
    /* One that is too large is read to its end, so that its client reads why. */
    snprintf(big, sizeof big,
             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n%01001d", 1);
    ask(&w, big, " 413 ");
    ask(&w, "BREW /x HTTP/1.1\r\nHost: a\r\n\r\n", " 501 ");
    assert_int_equal(w.n_handled, 0);
    close_world(&w);
}

static void a_client_that_leaves_is_gone(void **state)
{
    (void)state;
    static const char *const paths[] = {"/wait", "/begin"};
    for (int i = 0; i < 4; i++) {
        static struct world w;
        char request[100];
        open_world(&w, (struct http_server_options){0});
        w.fd = dial(&w);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i % 2]);
        send_all(&w, request, strlen(request));
        run_until(&w, is_waiting, NULL);
        if (i < 2)
            hang_up(&w);
        else /* only the sending side */
            shutdown(w.fd, SHUT_WR);
        run_until(&w, one_is_gone, NULL);
        assert_int_equal(http_server_exchanges(w.server), 0);
        close_world(&w);
    }
}

static void closing_ends_open_exchanges(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct http_server_options){0});
    w.fd = dial(&w);
    send_all(&w, "GET /begin HTTP/1.1\r\nHost: a\r\n\r\n", 32);
    run_until(&w, has_text, "first");
    http_server_drain(w.server);
    assert_int_equal(http_server_port(w.server), 0);
    http_server_close(w.server);
    assert_int_equal(w.n_gone, 1);
    hang_up(&w);
    event_base_free(w.loop);
}

static void idle_and_surplus_connections_cost_nothing(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct http_server_options){.n_connections_max = 2, .request_s_max = 1});
    /* One that never sends, one that sends a letter and stops: both are closed in time. */
    int silent = dial(&w);
    w.fd = dial(&w);
    send_all(&w, "G", 1);
    run_until(&w, is_closed, NULL);
    run_until(&w, no_connections, NULL);
    close(silent);
    /* A third waits in the backlog until one of two leaves. */
    int first = dial(&w), second = dial(&w);
    for (int i = 0; i < 20; i++)
        event_base_loop(w.loop, EVLOOP_NONBLOCK);
    hang_up(&w);
    w.fd = dial(&w);
    send_all(&w, "GET /x?third HTTP/1.1\r\nHost: a\r\n\r\n", 35);
    for (int i = 0; i < 20; i++)
        event_base_loop(w.loop, EVLOOP_NONBLOCK);
    assert_int_equal(http_server_connections(w.server), 2);
    assert_int_equal(w.n_handled, 0);
    close(first);
    run_until(&w, has_text, "third");
    close(second);
    close_world(&w);
}

/* A client that sends one letter a moment never comes to its timeout, but to the request's. */
static void whoever_trickles_is_cut(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "GET /", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n"};
    static struct world w;
    open_world(&w, (struct http_server_options){.request_s_max = 1});
    int fds[COUNT_OF(heads)];
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        fds[i] = dial(&w);
        assert_int_equal(send(fds[i], heads[i], strlen(heads[i]), 0), strlen(heads[i]));
    }
    while (http_server_connections(w.server) < COUNT_OF(heads))
        event_base_loop(w.loop, EVLOOP_ONCE);
    uint64_t end_ns = clock_ns() + (uint64_t)20000000000, sent_ns = 0;
    while (http_server_connections(w.server) > 0 && clock_ns() < end_ns) {
        bool due = clock_ns() > sent_ns + 10000000;
        for (size_t i = 0; due && i < COUNT_OF(heads); i++)
            (void)!send(fds[i], "x", 1, MSG_NOSIGNAL);
        sent_ns = due ? clock_ns() : sent_ns;
        event_base_loop(w.loop, EVLOOP_NONBLOCK);
    }
    assert_int_equal(http_server_connections(w.server), 0);
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        close(fds[i]);
    assert_int_equal(w.n_handled, 0);
    close_world(&w);
}

static void a_taken_port_is_an_error(void **state)
{
    (void)state;
    static struct world w;
    open_world(&w, (struct http_server_options){0});
    struct http_server_options o = {.host = "127.0.0.1", .port = http_server_port(w.server)};
    struct http_server *second;
    struct err_note note;
    assert_int_equal(http_server_open(w.loop, &o, &second, &note), ERR_IO);
    assert_null(second);
    assert_non_null(strstr(note.text, "127.0.0.1"));
    close_world(&w);
}

/* ---- TLS ---------------------------------------------------------------------------------- */

struct tls_talk {
    SSL *ssl;
    const char *request;
    const char *wanted;
    bool asked;
};

static bool tls_has_text(struct world *w, const void *what)
{
    struct tls_talk *t = (void *)what;
    if (!t->asked)
        t->asked = SSL_write(t->ssl, t->request, (int)strlen(t->request)) > 0;
    int n = SSL_read(t->ssl, w->got + w->n_got, (int)(sizeof w->got - 1 - w->n_got));
    if (n > 0)
        w->n_got += (size_t)n;
    w->got[w->n_got] = 0;
    event_base_loop(w->loop, EVLOOP_NONBLOCK);
    return t->wanted ? strstr(w->got, t->wanted) != NULL : w->waits != NULL;
}

static void tls_serves_and_sees_leaving(void **state)
{
    (void)state;
    char dir[] = "/tmp/isobit_tls_XXXXXX", cert[64], key[64];
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    make_certificate(cert, key);
    static struct world w;
    open_world(&w, (struct http_server_options){.tls_cert = cert, .tls_key = key});
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    static const char *const requests[] = {"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
                                           "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"};
    for (int i = 0; i < 2; i++) {
        struct tls_talk t = {.ssl = SSL_new(tls), .request = requests[i]};
        t.wanted = i == 0 ? "data: 2" : NULL;
        int fd = dial(&w);
        SSL_set_fd(t.ssl, fd);
        SSL_set_connect_state(t.ssl);
        run_until(&w, tls_has_text, &t);
        close(fd); /* without TLS's good-bye */
        SSL_free(t.ssl);
    }
    run_until(&w, one_is_gone, NULL);
    struct err_note note;
    assert_ok(http_server_reload(w.server, &note));
    assert_int_equal(truncate(key, 10), 0);
    assert_int_equal(http_server_reload(w.server, &note), ERR_FORMAT);
    assert_non_null(strstr(note.text, key));
    SSL_CTX_free(tls);
    close_world(&w);
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(requests_come_in_pieces_and_in_rows),
        cmocka_unit_test(malformed_requests_never_reach_the_handler),
        cmocka_unit_test(a_client_that_leaves_is_gone),
        cmocka_unit_test(closing_ends_open_exchanges),
        cmocka_unit_test(idle_and_surplus_connections_cost_nothing),
        cmocka_unit_test(whoever_trickles_is_cut),
        cmocka_unit_test(a_taken_port_is_an_error),
        cmocka_unit_test(tls_serves_and_sees_leaving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
