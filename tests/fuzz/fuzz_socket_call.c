/* fuzz_socket_call.c - any bytes as a message over a WebSocket, and as the params of generate. */
#include <stddef.h>
#include <stdint.h>

#include "api/socket_call.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void say_back(const struct socket_call *c)
{
    struct buf out;
    struct api_error e;
    struct str unknown = {c->unknown.n_bytes ? c->unknown.bytes : "", c->unknown.n_bytes};
    buf_init(&out, 1 << 20);
    socket_say(&out, c->id, "complete", STR("{}"), unknown);
    json_t *said = api_parse((struct str){out.bytes, out.n_bytes}, &e);
    CHECK(said);
    json_decref(said);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct str text = {(const char *)bytes, n_bytes};
    struct socket_call c;
    struct api_generate r;
    struct api_error e = {0};
    struct str id;
    bool ok = socket_call_parse(text, &c, &e);
    CHECK(ok || (e.status >= 400 && e.message[0]));
    CHECK(!ok || c.is_auth || (c.id.len > 0 && c.id.len <= SOCKET_ID_BYTES_MAX));
    say_back(&c);
    if (ok)
        socket_call_target(&c, &id, &e);
    socket_call_release(&c);
    e = (struct api_error){0};
    ok = dialect_socket.parse(text, &r, &e);
    CHECK(ok || (e.status >= 400 && e.message[0]));
    CHECK(!ok || (r.n == 1 && r.prompt.ptr));
    api_generate_release(&r);
    return 0;
}
