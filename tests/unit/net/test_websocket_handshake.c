/* test_websocket_handshake.c - requests that open a WebSocket, and those that do not. */
#include "lib/test.h"

#include "net/websocket_handshake.h"

#define START "GET /x?y=1 HTTP/1.1\r\n"
#define HOST "Host: localhost:8081\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define REST UPGRADE KEY VERSION "\r\n"
#define GOOD START HOST REST

static const struct row {
    const char *name, *bytes;
    int status;
    const char *why;
} rows[] = {
    {"a good one", GOOD, 101, ""},
    {"with frames behind it", GOOD "\x81\x80", 101, ""},
    {"other case, other order", START VERSION KEY "CONNECTION: keep-alive, upgrade\r\n"
     "uPGRADE: h2c, WebSocket\r\n" "hOST:localhost\r\n\r\n", 101, ""},
    {"words in several lines", START HOST KEY VERSION "Connection: keep-alive\r\n"
     "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 101, ""},
    {"offers that nobody takes", START HOST "Sec-WebSocket-Extensions: permessage-deflate\r\n"
     "Sec-WebSocket-Protocol: a, b\r\nOrigin: http://localhost\r\n" REST, 101, ""},
    {"a body of nothing", START HOST "Content-Length: 0\r\n" REST, 101, ""},
    {"POST", "POST / HTTP/1.1\r\n" HOST REST, 405, "GET"},
    {"HTTP/1.0", "GET / HTTP/1.0\r\n" HOST REST, 505, "HTTP/1.1"},
    {"HTTP/2.0", "GET / HTTP/2.0\r\n" HOST REST, 505, "HTTP/1.1"},
    {"no version", "GET /\r\n" HOST REST, 400, "not an HTTP request"},
    {"no path", "GET  HTTP/1.1\r\n" HOST REST, 400, "not an HTTP request"},
    {"a whole address", "GET http://a/ HTTP/1.1\r\n" HOST REST, 400, "not an HTTP request"},
    {"an empty line", "\r\n\r\n", 400, "not an HTTP request"},
    {"a path with a tab", "GET /\t HTTP/1.1\r\n" HOST REST, 400, "not an HTTP request"},
    {"two spaces", "GET /  HTTP/1.1\r\n" HOST REST, 400, "HTTP/1.1 is wanted"},
    {"no Host", START REST, 400, "no Host"},
    {"two Hosts", START HOST HOST REST, 400, "twice"},
    {"two Origins", START HOST "Origin: a\r\nOrigin: b\r\n" REST, 400, "twice"},
    {"two keys", START HOST KEY REST, 400, "twice"},
    {"two versions", START HOST VERSION REST, 400, "twice"},
    {"a body", START HOST "Content-Length: 3\r\n" REST, 400, "body"},
    {"chunks", START HOST "Transfer-Encoding: chunked\r\n" REST, 400, "body"},
    {"a folded header", START HOST "X: a\r\n b\r\n" REST, 400, "no header"},
    {"a space before the colon", START "Host : a\r\n" REST, 400, "no header"},
    {"a line without colon", START HOST "X\r\n" REST, 400, "no header"},
    {"an empty name", START HOST ": x\r\n" REST, 400, "no header"},
    {"a bare line feed", START HOST "X: a\nY: b\r\n" REST, 400, "no header"},
    {"a plain GET", START HOST "\r\n", 426, "speaks WebSocket"},
    {"no Upgrade", START HOST "Connection: Upgrade\r\n" KEY VERSION "\r\n", 426, "Upgrade"},
    {"another Upgrade", START HOST "Upgrade: websockets\r\nConnection: Upgrade\r\n" KEY VERSION
     "\r\n", 426, "Upgrade"},
    {"no Connection", START HOST "Upgrade: websocket\r\n" KEY VERSION "\r\n", 426, "Connection"},
    {"version 8", START HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426, "13"},
    {"no version of it", START HOST UPGRADE KEY "\r\n", 426, "13"},
    {"no key", START HOST UPGRADE VERSION "\r\n", 400, "base64"},
    {"15 bytes of key", START HOST UPGRADE VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n\r\n", 400, "base64"},
    {"17 bytes of key", START HOST UPGRADE VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=\r\n\r\n", 400, "base64"},
    {"a key with bits to spare", START HOST UPGRADE VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n", 400, "base64"},
    {"a key of other letters", START HOST UPGRADE VERSION
     "Sec-WebSocket-Key: dGhlIHNhb_BsZSBub25jZQ==\r\n\r\n", 400, "base64"},
    {"not whole", START HOST UPGRADE KEY VERSION, 0, ""},
    {"nothing", "", 0, ""},
};

static void requests_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct websocket_request r;
        const char *why = "";
        int status = websocket_request_read(str_from(row->bytes), 1000, &r, &why);
        if (status != row->status || (row->why[0] && !strstr(why, row->why)))
            fail_msg("%s: %d, \"%s\"", row->name, status, why);
        if (status == 101) {
            assert_true(str_is(r.key, "dGhlIHNhbXBsZSBub25jZQ=="));
            assert_int_equal(r.n_bytes,
                             (size_t)(strstr(row->bytes, "\r\n\r\n") - row->bytes) + 4);
        }
        struct buf out; /* what is refused can be said */
        buf_init(&out, 4096);
        if (status >= 400) {
            websocket_refusal(&out, status, why);
            assert_non_null(strstr(out.bytes, "\r\n\r\n{\"error\":\""));
        }
        buf_release(&out);
    }
}

/* Every beginning of a good request is one that is not whole yet. */
static void requests_come_in_pieces(void **state)
{
    (void)state;
    struct websocket_request r;
    const char *why;
    for (size_t n = 0; n < strlen(GOOD); n++)
        assert_int_equal(websocket_request_read((struct str){GOOD, n}, 1000, &r, &why), 0);
    assert_int_equal(websocket_request_read(STR(GOOD), 1000, &r, &why), 101);
    assert_true(str_is(r.path, "/x?y=1"));
    assert_true(str_is(websocket_header(&r, "HOST"), "localhost:8081"));
    assert_null(websocket_header(&r, "Origin").ptr);
}

static void heads_have_a_limit(void **state)
{
    (void)state;
    struct websocket_request r;
    const char *why;
    size_t n = strlen(GOOD);
    assert_int_equal(websocket_request_read(STR(GOOD), n, &r, &why), 101);
    assert_int_equal(websocket_request_read(STR(GOOD), n - 1, &r, &why), 431);
    assert_int_equal(websocket_request_read(STR("GET /long"), 8, &r, &why), 431);
    assert_int_equal(websocket_request_read(STR(GOOD "\x81\x80 and more"), n, &r, &why), 101);
}

/* RFC 6455 section 1.3. */
static void keys_are_answered(void **state)
{
    (void)state;
    struct websocket_request r;
    const char *why;
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(websocket_request_read(STR(GOOD), 1000, &r, &why), 101);
    websocket_welcome(&out, &r);
    assert_string_equal(out.bytes, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    buf_clear(&out);
    websocket_refusal(&out, 426, "say \"please\"");
    assert_non_null(strstr(out.bytes, "HTTP/1.1 426 Upgrade Required\r\n"));
    assert_non_null(strstr(out.bytes, "Sec-WebSocket-Version: 13\r\n"));
    assert_non_null(strstr(out.bytes, "\r\n\r\n{\"error\":\"say \\\"please\\\"\"}\n"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_judged),
        cmocka_unit_test(requests_come_in_pieces),
        cmocka_unit_test(heads_have_a_limit),
        cmocka_unit_test(keys_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
