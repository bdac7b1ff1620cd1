/* websocket_frames.h - RFC 6455's frames as a server reads and writes them, without a socket.
 *
 * A reader turns bytes, in pieces of any size, into events: whole messages, and controls as they
 * come. What the pieces were never changes the events. No extension is known, so reserved bits are
 * a fault; a client's frames must be masked; text is checked as it arrives, across fragments.
 * After CLOSE or FAULT a reader takes every byte and says nothing more.
 * Memory: what of a message has arrived, not what a header promises. */
#ifndef NET_WEBSOCKET_FRAMES_H
#define NET_WEBSOCKET_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum {
    WEBSOCKET_CONTROL_BYTES_MAX = 125,
    WEBSOCKET_HEAD_BYTES_MAX = 10, /* of a frame written here */
};

enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_NO_CODE = 1005, /* a CLOSE that named none; never sent */
    WEBSOCKET_NOT_UTF8 = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_SERVER_ERROR = 1011,
};

enum websocket_kind {
    WEBSOCKET_TEXT = 1, /* the frames' own numbers */
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
    WEBSOCKET_FAULT = 16, /* the peer broke the rules: close with code */
};

struct websocket_event {
    enum websocket_kind kind;
    uint16_t code; /* of CLOSE and FAULT */
    /* The payload; of CLOSE the reason; of FAULT what was wrong. Until the next read. */
    struct str bytes;
};

/* What the next byte of UTF-8 must be. */
struct websocket_utf8 {
    uint8_t n_more, low, high;
};

struct websocket_reader {
    struct buf message; /* n_bytes_max bounds it */
    enum websocket_kind kind; /* of the message being put together; 0: none */
    bool message_ended; /* and has been told: its bytes go with the next read */
    struct websocket_utf8 utf8;
    uint8_t head[14]; /* of the frame being read, up to its mask */
    uint8_t n_head;
    uint64_t n_payload, n_read; /* of that frame */
    char control[WEBSOCKET_CONTROL_BYTES_MAX];
    bool over;
};

void websocket_reader_init(struct websocket_reader *r, size_t n_message_bytes_max);
void websocket_reader_release(struct websocket_reader *r);

/* websocket_read - takes bytes off the front of *in; true: an event, and there may be more. */
bool websocket_read(struct websocket_reader *r, struct str *in, struct websocket_event *e);

/* websocket_head - the head of an unfragmented frame of a server; returns its size. */
size_t websocket_head(uint8_t out[WEBSOCKET_HEAD_BYTES_MAX], enum websocket_kind kind,
                      uint64_t n_bytes);
/* websocket_close_payload - a code and as much of a reason as fits, cut between characters;
 * returns the size. WEBSOCKET_NO_CODE: nothing. */
size_t websocket_close_payload(char out[WEBSOCKET_CONTROL_BYTES_MAX], uint16_t code,
                               struct str reason);

#endif
