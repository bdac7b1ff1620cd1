/* websocket_handshake.c - RFC 6455 section 4.2. */
#include "net/websocket_handshake.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <strings.h>

#include "base/check.h"

static bool is_name(struct str s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.ptr, name, s.len) == 0;
}

static bool is_token_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static struct str trim(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = str_sub(s, 1, s.len);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes a line and its end off the front of *rest; false: no end. */
static bool take_line(struct str *rest, struct str *line)
{
    const char *end = rest->len ? memmem(rest->ptr, rest->len, "\r\n", 2) : NULL;
    if (!end)
        return false;
    *line = str_sub(*rest, 0, (size_t)(end - rest->ptr));
    *rest = str_sub(*rest, line->len + 2, rest->len);
    return true;
}

/* One header line; false: it is none. */
static bool split_header(struct str line, struct str *name, struct str *value)
{
    size_t n = 0;
    while (n < line.len && is_token_byte(line.ptr[n]))
        n++;
    if (n == 0 || n == line.len || line.ptr[n] != ':')
        return false;
    *name = str_sub(line, 0, n);
    *value = trim(str_sub(line, n + 1, line.len));
    for (size_t i = 0; i < value->len; i++)
        if ((uint8_t)value->ptr[i] < ' ' && value->ptr[i] != '\t')
            return false;
    return true;
}

struct str websocket_header(const struct websocket_request *r, const char *name)
{
    struct str rest = r->headers, line, n, value;
    while (take_line(&rest, &line))
        if (split_header(line, &n, &value) && is_name(n, name))
            return value;
    return (struct str){NULL, 0};
}

/* Whether any of a header's ","-separated words is this one. */
static bool header_has(const struct websocket_request *r, const char *name, const char *word)
{
    struct str rest = r->headers, line, n, value;
    while (take_line(&rest, &line)) {
        if (!split_header(line, &n, &value) || !is_name(n, name))
            continue;
        while (value.len > 0) {
            const char *comma = memchr(value.ptr, ',', value.len);
            size_t end = comma ? (size_t)(comma - value.ptr) : value.len;
            if (is_name(trim(str_sub(value, 0, end)), word))
                return true;
            value = str_sub(value, comma ? end + 1 : end, value.len);
        }
    }
    return false;
}

/* Headers that say different things when they come twice. */
static const char *headers_fault(const struct websocket_request *r)
{
    static const char *const once[] = {"Host",           "Origin",
                                       "Authorization",  "Sec-WebSocket-Key",
                                       "Content-Length", "Sec-WebSocket-Version"};
    struct str rest = r->headers, line, name, value;
    unsigned seen = 0;
    while (take_line(&rest, &line)) {
        if (!split_header(line, &name, &value))
            return "a line that is no header";
        for (unsigned i = 0; i < COUNT_OF(once); i++)
            if (is_name(name, once[i])) {
                if (seen & 1u << i)
                    return "a header that may come once came twice";
                seen |= 1u << i;
            }
        if (is_name(name, "Transfer-Encoding") ||
            (is_name(name, "Content-Length") && !str_is(value, "0")))
            return "a body does not belong here";
    }
    return seen & 1 ? NULL : "no Host";
}

/* 16 bytes in base64: 22 letters, the last of which holds only 2 bits, and "==". */
static bool is_key(struct str key)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (key.len != 24 || key.ptr[22] != '=' || key.ptr[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!key.ptr[i] || !strchr(letters, key.ptr[i]))
            return false;
    return strchr("AQgw", key.ptr[21]) != NULL;
}

static int read_request_line(struct str line, struct websocket_request *r, const char **why)
{
    const char *space = line.len ? memchr(line.ptr, ' ', line.len) : NULL;
    struct str method = str_sub(line, 0, space ? (size_t)(space - line.ptr) : 0);
    struct str rest = str_sub(line, space ? method.len + 1 : 0, line.len), version = {"", 0};
    const char *end = space && rest.len ? memchr(rest.ptr, ' ', rest.len) : NULL;
    r->path = str_sub(rest, 0, end ? (size_t)(end - rest.ptr) : 0);
    if (end)
        version = str_sub(rest, r->path.len + 1, rest.len);
    bool good = method.len > 0 && r->path.len > 0 && r->path.ptr[0] == '/';
    for (size_t i = 0; i < method.len; i++)
        good &= is_token_byte(method.ptr[i]);
    for (size_t i = 0; i < r->path.len; i++)
        good &= r->path.ptr[i] > ' ' && r->path.ptr[i] < 127;
    *why = "this is not an HTTP request";
    if (!good)
        return 400;
    *why = "HTTP/1.1 is wanted";
    if (!str_is(version, "HTTP/1.1"))
        return str_starts(version, STR("HTTP/")) ? 505 : 400;
    *why = "a WebSocket is opened with GET";
    return str_is(method, "GET") ? 101 : 405;
}

static int read_upgrade(struct websocket_request *r, const char **why)
{
    *why = "this port speaks WebSocket: \"Upgrade: websocket\" and \"Connection: Upgrade\"";
    if (!header_has(r, "Upgrade", "websocket") || !header_has(r, "Connection", "Upgrade"))
        return 426;
    *why = "the version of WebSocket here is 13";
    if (!str_is(websocket_header(r, "Sec-WebSocket-Version"), "13"))
        return 426;
    r->key = websocket_header(r, "Sec-WebSocket-Key");
    *why = "Sec-WebSocket-Key must be 16 bytes in base64";
    return is_key(r->key) ? 101 : 400;
}

int websocket_request_read(struct str bytes, size_t n_bytes_max, struct websocket_request *r,
                           const char **why)
{
    struct str line;
    const char *end = bytes.len ? memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) : NULL;
    size_t n_bytes = end ? (size_t)(end - bytes.ptr) + 4 : bytes.len;
    *why = "the request's head is too long";
    if (n_bytes > n_bytes_max)
        return 431;
    if (!end)
        return 0;
    *r = (struct websocket_request){.n_bytes = n_bytes};
    r->headers = str_sub(bytes, 0, n_bytes - 2);
    CHECK(take_line(&r->headers, &line));
    int status = read_request_line(line, r, why);
    const char *fault = status == 101 ? headers_fault(r) : NULL;
    if (fault) {
        *why = fault;
        return 400;
    }
    return status == 101 ? read_upgrade(r, why) : status;
}

/* ---- answers ------------------------------------------------------------------------------ */

void websocket_accept(struct str key, char out[WEBSOCKET_ACCEPT_BYTES + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t text[24 + sizeof guid - 1], digest[SHA_DIGEST_LENGTH];
    CHECK(key.len == 24);
    memcpy(text, key.ptr, key.len);
    memcpy(text + key.len, guid, sizeof guid - 1);
    SHA1(text, sizeof text, digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}

void websocket_welcome(struct buf *out, const struct websocket_request *r)
{
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    websocket_accept(r->key, accept);
    buf_printf(out,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
               accept);
}

static const char *reason_of(int status)
{
    switch (status) {
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Bad Request";
    }
}

void websocket_refusal(struct buf *out, int status, const char *why)
{
    struct buf body;
    buf_init(&body, 4096);
    buf_str(&body, "{\"error\":\"");
    for (const char *c = why; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_char(&body, '\\');
        buf_char(&body, (uint8_t)*c < ' ' || (uint8_t)*c > '~' ? '?' : *c);
    }
    buf_str(&body, "\"}\n");
    buf_printf(out, "HTTP/1.1 %d %s\r\nConnection: close\r\n%s%s", status, reason_of(status),
               status == 405 ? "Allow: GET\r\n" : "",
               status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "");
    buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               body.n_bytes, body.bytes);
    buf_release(&body);
}
