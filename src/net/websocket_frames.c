/* websocket_frames.c - frames in and out, after RFC 6455 section 5. */
#include "net/websocket_frames.h"

enum {
    OPCODE_CONTINUE = 0,
    BIT_FINAL = 0x80,
    BITS_RESERVED = 0x70,
    BIT_CONTROL = 0x08,
    BIT_MASKED = 0x80,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
    KEPT_BYTES_MAX = 64 << 10, /* of a message's memory, for the next one */
};

void websocket_reader_init(struct websocket_reader *r, size_t n_message_bytes_max)
{
    *r = (struct websocket_reader){0};
    buf_init(&r->message, n_message_bytes_max);
}

void websocket_reader_release(struct websocket_reader *r)
{
    buf_release(&r->message);
}

static bool fault(struct websocket_reader *r, struct websocket_event *e, uint16_t code,
                  const char *why)
{
    r->over = true;
    *e = (struct websocket_event){.kind = WEBSOCKET_FAULT, .code = code, .bytes = str_from(why)};
    return true;
}

static bool is_final(const struct websocket_reader *r)
{
    return r->head[0] & BIT_FINAL;
}
static uint8_t opcode_of(const struct websocket_reader *r)
{
    return r->head[0] & 0x0f;
}

/* ---- heads -------------------------------------------------------------------------------- */

/* The whole head's size, as far as its first n_head bytes tell. */
static size_t head_size(const struct websocket_reader *r)
{
    if (r->n_head < 2)
        return 2;
    uint8_t length = r->head[1] & 0x7f;
    return 2 + (length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0) + 4;
}

/* What is wrong with a frame whose first two bytes are known; NULL if nothing is. */
static const char *frame_fault(const struct websocket_reader *r)
{
    uint8_t opcode = opcode_of(r), length = r->head[1] & 0x7f;
    if (r->head[0] & BITS_RESERVED)
        return "a reserved bit is set";
    if ((opcode > WEBSOCKET_BINARY && opcode < WEBSOCKET_CLOSE) || opcode > WEBSOCKET_PONG)
        return "an unknown opcode";
    if (!(r->head[1] & BIT_MASKED))
        return "a frame without a mask";
    if (opcode & BIT_CONTROL) {
        if (!is_final(r))
            return "a control frame in fragments";
        if (length > WEBSOCKET_CONTROL_BYTES_MAX)
            return "a control frame of more than 125 bytes";
        return NULL;
    }
    if (opcode == OPCODE_CONTINUE && !r->kind)
        return "a continuation of nothing";
    if (opcode != OPCODE_CONTINUE && r->kind)
        return "a new message inside another one";
    return NULL;
}

/* The payload's length; false if it is not written in the fewest bytes. */
static bool read_length(struct websocket_reader *r)
{
    uint8_t length = r->head[1] & 0x7f;
    size_t n_bytes = length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
    r->n_payload = length;
    if (n_bytes == 0)
        return true;
    r->n_payload = 0;
    for (size_t i = 0; i < n_bytes; i++)
        r->n_payload = r->n_payload << 8 | r->head[2 + i];
    return n_bytes == 2 ? r->n_payload >= LENGTH_16
                        : r->n_payload > UINT16_MAX && r->n_payload <= INT64_MAX;
}

static bool read_head(struct websocket_reader *r, struct str *in, struct websocket_event *e)
{
    while (in->len > 0 && r->n_head < head_size(r)) {
        r->head[r->n_head++] = (uint8_t)in->ptr[0];
        *in = str_sub(*in, 1, in->len);
        const char *why = r->n_head == 2 ? frame_fault(r) : NULL;
        if (why)
            return fault(r, e, WEBSOCKET_PROTOCOL_ERROR, why);
    }
    if (r->n_head < head_size(r))
        return false;
    r->n_read = 0;
    if (!read_length(r))
        return fault(r, e, WEBSOCKET_PROTOCOL_ERROR, "a length in more bytes than it needs");
    if (!(opcode_of(r) & BIT_CONTROL)) {
        if (r->n_payload + r->message.n_bytes > r->message.n_bytes_max)
            return fault(r, e, WEBSOCKET_TOO_BIG, "a message over the limit");
        if (opcode_of(r) != OPCODE_CONTINUE)
            r->kind = opcode_of(r);
    }
    return false;
}

/* ---- payloads ----------------------------------------------------------------------------- */

static bool utf8_step(struct websocket_utf8 *u, uint8_t byte)
{
    if (u->n_more > 0) {
        bool good = byte >= u->low && byte <= u->high;
        *u = (struct websocket_utf8){u->n_more - 1, 0x80, 0xbf};
        return good;
    }
    if (byte < 0x80)
        return true;
    if (byte < 0xc2 || byte > 0xf4) /* a continuation, overlong, or beyond U+10FFFF */
        return false;
    *u = (struct websocket_utf8){byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3, 0x80, 0xbf};
    if (byte == 0xe0)
        u->low = 0xa0; /* overlong */
    else if (byte == 0xed)
        u->high = 0x9f; /* a surrogate */
    else if (byte == 0xf0)
        u->low = 0x90; /* overlong */
    else if (byte == 0xf4)
        u->high = 0x8f; /* beyond U+10FFFF */
    return true;
}

static bool check_text(struct websocket_utf8 *u, const char *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        if (!utf8_step(u, (uint8_t)bytes[i]))
            return false;
    return true;
}

/* Takes what *in has of the payload, without its mask; false without memory. */
static bool take_payload(struct websocket_reader *r, struct str *in)
{
    uint64_t n_left = r->n_payload - r->n_read;
    size_t n = in->len < n_left ? in->len : (size_t)n_left;
    const uint8_t *mask = r->head + head_size(r) - 4;
    char *to;
    if (opcode_of(r) & BIT_CONTROL) {
        to = r->control + r->n_read;
        if (n > 0)
            memcpy(to, in->ptr, n);
    } else {
        buf_add(&r->message, in->ptr, n);
        if (r->message.failed)
            return false;
        to = r->message.bytes + r->message.n_bytes - n;
    }
    for (size_t i = 0; i < n; i++)
        to[i] = (char)((uint8_t)to[i] ^ mask[(r->n_read + i) & 3]);
    r->n_read += n;
    *in = str_sub(*in, n, in->len);
    return true;
}

static bool is_code(uint16_t code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static bool end_close(struct websocket_reader *r, struct websocket_event *e)
{
    size_t n = (size_t)r->n_payload;
    r->over = true;
    *e = (struct websocket_event){WEBSOCKET_CLOSE, WEBSOCKET_NO_CODE, {"", 0}};
    if (n == 0)
        return true;
    if (n == 1)
        return fault(r, e, WEBSOCKET_PROTOCOL_ERROR, "half a close code");
    e->code = (uint16_t)((uint8_t)r->control[0] << 8 | (uint8_t)r->control[1]);
    e->bytes = (struct str){r->control + 2, n - 2};
    if (!is_code(e->code))
        return fault(r, e, WEBSOCKET_PROTOCOL_ERROR, "a close code that may not be sent");
    if (!utf8_valid(e->bytes.ptr, e->bytes.len))
        return fault(r, e, WEBSOCKET_NOT_UTF8, "a close reason that is not UTF-8");
    return true;
}

static bool end_frame(struct websocket_reader *r, struct websocket_event *e)
{
    uint8_t opcode = opcode_of(r);
    r->n_head = 0;
    if (opcode == WEBSOCKET_CLOSE)
        return end_close(r, e);
    if (opcode & BIT_CONTROL) {
        *e = (struct websocket_event){opcode, 0, {r->control, (size_t)r->n_payload}};
        return true;
    }
    if (!is_final(r))
        return false;
    if (r->kind == WEBSOCKET_TEXT && r->utf8.n_more > 0)
        return fault(r, e, WEBSOCKET_NOT_UTF8, "a text that ends inside a character");
    *e = (struct websocket_event){r->kind, 0, {r->message.bytes, r->message.n_bytes}};
    r->kind = 0;
    r->message_ended = true;
    return true;
}

static bool read_payload(struct websocket_reader *r, struct str *in, struct websocket_event *e)
{
    size_t n_before = r->message.n_bytes;
    if (!take_payload(r, in))
        return fault(r, e, WEBSOCKET_SERVER_ERROR, "out of memory for a message");
    if (r->kind == WEBSOCKET_TEXT &&
        !check_text(&r->utf8, r->message.bytes + n_before, r->message.n_bytes - n_before))
        return fault(r, e, WEBSOCKET_NOT_UTF8, "a text that is not UTF-8");
    return r->n_read == r->n_payload && end_frame(r, e);
}

static void forget_message(struct websocket_reader *r)
{
    size_t n_bytes_max = r->message.n_bytes_max;
    r->message_ended = false;
    if (r->message.n_reserved <= KEPT_BYTES_MAX) {
        buf_clear(&r->message);
        return;
    }
    buf_release(&r->message);
    buf_init(&r->message, n_bytes_max);
}

bool websocket_read(struct websocket_reader *r, struct str *in, struct websocket_event *e)
{
    if (r->message_ended)
        forget_message(r);
    while (!r->over) {
        bool in_head = r->n_head < head_size(r);
        if (in_head && in->len == 0)
            return false;
        if (in_head && read_head(r, in, e))
            return true;
        if (r->n_head < head_size(r))
            return false;
        if (r->n_read < r->n_payload && in->len == 0)
            return false;
        if (read_payload(r, in, e))
            return true;
    }
    *in = str_sub(*in, in->len, in->len);
    return false;
}

/* ---- writing ------------------------------------------------------------------------------ */

size_t websocket_head(uint8_t out[WEBSOCKET_HEAD_BYTES_MAX], enum websocket_kind kind,
                      uint64_t n_bytes)
{
    size_t n_length = n_bytes < LENGTH_16 ? 0 : n_bytes <= UINT16_MAX ? 2 : 8;
    out[0] = (uint8_t)(BIT_FINAL | (uint8_t)kind);
    out[1] = n_length == 0 ? (uint8_t)n_bytes : n_length == 2 ? LENGTH_16 : LENGTH_64;
    for (size_t i = 0; i < n_length; i++)
        out[2 + i] = (uint8_t)(n_bytes >> 8 * (n_length - 1 - i));
    return 2 + n_length;
}

size_t websocket_close_payload(char out[WEBSOCKET_CONTROL_BYTES_MAX], uint16_t code,
                               struct str reason)
{
    size_t n = reason.len;
    if (code == WEBSOCKET_NO_CODE)
        return 0;
    if (n > WEBSOCKET_CONTROL_BYTES_MAX - 2)
        for (n = WEBSOCKET_CONTROL_BYTES_MAX - 2; n > 0 && (reason.ptr[n] & 0xc0) == 0x80; n--)
            ;
    out[0] = (char)(code >> 8);
    out[1] = (char)(code & 0xff);
    if (n > 0)
        memcpy(out + 2, reason.ptr, n);
    return 2 + n;
}
