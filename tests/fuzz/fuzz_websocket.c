/* fuzz_websocket.c - any bytes as a WebSocket's opening request and as frames, whole and cut. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/websocket_frames.h"
#include "net/websocket_handshake.h"

enum { LIMIT = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* What the events were, as one number: kinds, codes, lengths and bytes. */
static uint64_t events_of(struct str in, size_t n_piece)
{
    uint64_t sum = 0;
    struct websocket_reader r;
    struct websocket_event e;
    websocket_reader_init(&r, LIMIT);
    while (in.len > 0) {
        size_t n = n_piece < in.len ? n_piece : in.len;
        struct str piece = str_sub(in, 0, n);
        while (websocket_read(&r, &piece, &e)) {
            CHECK(e.bytes.len <= LIMIT);
            CHECK(e.kind != WEBSOCKET_TEXT || utf8_valid(e.bytes.ptr, e.bytes.len));
            CHECK(e.kind != WEBSOCKET_CLOSE || utf8_valid(e.bytes.ptr, e.bytes.len));
            sum = sum * 31 + (uint64_t)e.kind * 65536 + e.code;
            for (size_t i = 0; i < e.bytes.len; i++)
                sum = sum * 31 + (uint8_t)e.bytes.ptr[i];
        }
        CHECK(piece.len == 0);
        in = str_sub(in, n, in.len);
    }
    websocket_reader_release(&r);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct websocket_request request;
    struct str in = {(const char *)bytes, n_bytes};
    const char *why = "";
    int status = websocket_request_read(in, LIMIT, &request, &why);
    CHECK(status == 0 || status == 101 || (status >= 400 && why[0]));
    if (status == 101) {
        CHECK(request.n_bytes <= n_bytes && websocket_header(&request, "host").ptr);
        in = str_sub(in, request.n_bytes, in.len);
    }
    uint64_t whole = events_of(in, n_bytes);
    CHECK(events_of(in, 1) == whole);
    CHECK(events_of(in, 1 + n_bytes % 7) == whole);
    return 0;
}
