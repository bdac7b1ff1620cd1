/* test_websocket_frames.c - every rule of RFC 6455 section 5 as a table, fed in pieces of any size.
 *
 * Rows are called after the sections of the Autobahn test suite where it has the same case. */
#include "lib/test.h"

#include "net/websocket_frames.h"

enum { BYTES_MAX = 1 << 20, LIMIT = 200000 };

/* Events in words: "text Hello|ping|close 1000 bye|fault 1002". Long payloads by their length. */
static void say_event(struct buf *out, const struct websocket_event *e)
{
    static const char *const names[] = {
        [WEBSOCKET_TEXT] = "text", [WEBSOCKET_BINARY] = "binary", [WEBSOCKET_CLOSE] = "close",
        [WEBSOCKET_PING] = "ping", [WEBSOCKET_PONG] = "pong",     [WEBSOCKET_FAULT] = "fault"};
    if (out->n_bytes > 0)
        buf_char(out, '|');
    buf_str(out, names[e->kind]);
    if (e->code)
        buf_printf(out, " %u", e->code);
    if (e->kind == WEBSOCKET_FAULT || e->bytes.len == 0)
        return;
    if (e->bytes.len > 200)
        buf_printf(out, " %zu bytes", e->bytes.len);
    else
        buf_printf(out, " %.*s", STR_ARG(e->bytes));
}

/* Feeds bytes in pieces: of n each, or (n 0) of random sizes from seed. */
static void read_pieces(struct str bytes, size_t n, uint64_t seed, struct buf *out)
{
    struct websocket_reader r;
    struct websocket_event e;
    websocket_reader_init(&r, LIMIT);
    while (bytes.len > 0) {
        size_t size = n ? n : 1 + test_rand(&seed) % (1 + test_rand(&seed) % 300);
        size = size < bytes.len ? size : bytes.len;
        /* Alone in memory, so that a sanitizer sees a read past its end. */
        char *copy = malloc(size);
        memcpy(copy, bytes.ptr, size);
        struct str piece = {copy, size};
        while (websocket_read(&r, &piece, &e))
            say_event(out, &e);
        assert_int_equal(piece.len, 0);
        free(copy);
        bytes = str_sub(bytes, size, bytes.len);
    }
    websocket_reader_release(&r);
}

static void expect(const char *name, struct str bytes, const char *wanted)
{
    for (uint64_t i = 0; i < 12; i++) {
        struct buf got;
        buf_init(&got, BYTES_MAX);
        buf_str(&got, "");
        read_pieces(bytes, i == 0 ? bytes.len : i == 1 ? 1 : 0, i, &got);
        if (strcmp(got.bytes, wanted) != 0)
            fail_msg("%s, feeding %llu: \"%s\", not \"%s\"", name, (unsigned long long)i,
                     got.bytes, wanted);
        buf_release(&got);
    }
}

/* A client's frame: first byte, then a length in its fewest bytes, a mask, the masked payload. */
static void add_frame(struct buf *out, uint8_t first, struct str payload)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t head[WEBSOCKET_HEAD_BYTES_MAX];
    size_t n_head = websocket_head(head, first & 15, payload.len);
    head[0] = first;
    head[1] |= 0x80;
    buf_add(out, head, n_head);
    buf_add(out, mask, 4);
    for (size_t i = 0; i < payload.len; i++)
        buf_char(out, (char)((uint8_t)payload.ptr[i] ^ mask[i & 3]));
}

/* Frames as text: two hex digits of the first byte, a payload, '|' between frames. */
static void add_frames(struct buf *out, const char *frames)
{
    while (*frames) {
        char first[3] = {frames[0], frames[1], 0};
        size_t n = strcspn(frames + 2, "|");
        add_frame(out, (uint8_t)strtoul(first, NULL, 16), (struct str){frames + 2, n});
        frames += 2 + n;
        frames += *frames == '|';
    }
}

static const struct rule {
    const char *name, *frames, *events;
} rules[] = {
    {"1.1.1 an empty text", "81", "text"},
    {"1.1 a text", "81Hello", "text Hello"},
    {"1.2 bytes", "82\xfe\xff", "binary \xfe\xff"},
    {"several in a row", "81one|82two|81three", "text one|binary two|text three"},
    {"2.1 an empty ping", "89", "ping"},
    {"2.2 a ping", "89Hello", "ping Hello"},
    {"2.3 a ping of bytes", "89\x01\xff\xfe\xfd\xfc\xfb\x02\xff",
     "ping \x01\xff\xfe\xfd\xfc\xfb\x02\xff"},
    {"2.7 an unasked pong", "8a", "pong"},
    {"2.10 ten pings", "890|891|892|893|894|895|896|897|898|899",
     "ping 0|ping 1|ping 2|ping 3|ping 4|ping 5|ping 6|ping 7|ping 8|ping 9"},
    {"3.1 RSV3", "91Hello", "fault 1002"},
    {"3.2 RSV2 after a text", "81Hello|a1Hello|89", "text Hello|fault 1002"},
    {"3.3 RSV2 and RSV3", "b1Hello", "fault 1002"},
    {"3.4 RSV1, as of compression", "c1Hello", "fault 1002"},
    {"3.5 RSV1 and RSV3 on bytes", "d2Hello", "fault 1002"},
    {"3.6 RSV1 and RSV2 on a ping", "e9Hello", "fault 1002"},
    {"3.7 all of them on a close", "f8", "fault 1002"},
    {"3 RSV1 inside a message", "01Hel|c0lo", "fault 1002"},
    {"4.1.1 opcode 3", "83", "fault 1002"},
    {"4.1.2 opcode 4", "84x", "fault 1002"},
    {"4.1.3 opcode 5 after a text", "81Hello|85|89", "text Hello|fault 1002"},
    {"4.1.4 opcode 6", "86x", "fault 1002"},
    {"4.1.5 opcode 7", "87x", "fault 1002"},
    {"4.2.1 opcode 11", "8b", "fault 1002"},
    {"4.2.2 opcode 12", "8cx", "fault 1002"},
    {"4.2.3 opcode 13", "81Hello|8d", "text Hello|fault 1002"},
    {"4.2.4 opcode 14", "8ex", "fault 1002"},
    {"4.2.5 opcode 15", "8fx", "fault 1002"},
    {"4 a reserved opcode that is not final", "03x", "fault 1002"},
    {"5.1 a ping in fragments", "09frag|80ment", "fault 1002"},
    {"5.2 a pong in fragments", "0afrag|80ment", "fault 1002"},
    {"5 a close in fragments", "08\x03\xe8", "fault 1002"},
    {"5.3 a text in fragments", "01frag|80ment", "text fragment"},
    {"5.6 a ping between fragments", "01frag|89ping|80ment", "ping ping|text fragment"},
    {"5.9 a continuation of nothing", "80nothing", "fault 1002"},
    {"5.12 one that is not final", "00nothing|81x", "fault 1002"},
    {"5.11 one after a whole message", "81Hello|80x", "text Hello|fault 1002"},
    {"5.15 a message that went on", "01frag|80ment|00more|81x", "text fragment|fault 1002"},
    {"5.18 a text inside a text", "01frag|01ment", "fault 1002"},
    {"5.18 a whole text inside a text", "01frag|81ment", "fault 1002"},
    {"5 bytes inside a text", "01frag|82ment", "fault 1002"},
    {"5.19 many fragments and pings", "01f1|00f2|89p1|00f3|00f4|89p2|80f5",
     "ping p1|ping p2|text f1f2f3f4f5"},
    {"5 bytes in fragments", "02\xff|00\xfe|80\xfd", "binary \xff\xfe\xfd"},
    {"6.1.2 empty fragments", "01|00|80", "text"},
    {"6.1.3 empty ones around one", "01|00middle|80", "text middle"},
    {"6.2 characters across fragments",
     "01\xce|00\xba\xe1\xbd|00\xb9|80\xcf\x83", "text \xce\xba\xe1\xbd\xb9\xcf\x83"},
    {"6.2 a character of four, a ping amid", "01\xf0\x90|89x|00\x80|80\x80", "ping x|text 𐀀"},
    {"6.3 a text that is not UTF-8", "81\xce\xba\xe1\xbd\xb9\xed\xa0\x80x", "fault 1007"},
    {"6.3.2 in fragments", "01\xce\xba\xed|00\xa0\x80|80x", "fault 1007"},
    {"6.4 told before the message ends", "01\xce\xba\xf4\x90", "fault 1007"},
    {"6.4 and before the next frame", "01ok|00\xff", "fault 1007"},
    {"6.5 a character cut off", "81\xce\xba\xe1\xbd", "fault 1007"},
    {"6.5 cut off by the last fragment", "01\xe1|80\xbd", "fault 1007"},
    {"6.6 U+10FFFF", "81\xf4\x8f\xbf\xbf", "text \xf4\x8f\xbf\xbf"},
    {"6.8 overlong slash, 2 bytes", "81\xc0\xaf", "fault 1007"},
    {"6.8 overlong slash, 3 bytes", "81\xe0\x80\xaf", "fault 1007"},
    {"6.8 overlong slash, 4 bytes", "81\xf0\x80\x80\xaf", "fault 1007"},
    {"6.9 beyond U+10FFFF", "81\xf4\x90\x80\x80", "fault 1007"},
    {"6.10 a byte that never occurs", "81\xf8\x88\x80\x80\x80", "fault 1007"},
    {"6.12 a lone continuation", "81\x80", "fault 1007"},
    {"6.12 a continuation too many", "81\xc3\xa9\x80", "fault 1007"},
    {"6.20 surrogates", "81\xed\xbf\xbf", "fault 1007"},
    {"6.22 characters around them", "81\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
     "text \xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"},
    {"6 bytes may be anything", "82\xed\xa0\x80", "binary \xed\xa0\x80"},
    {"6 a new text forgets nothing of the last", "01\xc3|80\xa9|81\xc3\xa9", "text é|text é"},
    {"7.1.1 nothing after a close", "88\x03\xe8|81Hello|89", "close 1000"},
    {"7.1.5 a close inside a message", "01frag|88\x03\xe8|80ment", "close 1000"},
    {"7.3.1 an empty close", "88", "close 1005"},
    {"7.3.2 half a code", "88\x03", "fault 1002"},
    {"7.3.4 a reason", "88\x03\xe8Hello", "close 1000 Hello"},
    {"7.5.1 a reason that is not UTF-8", "88\x03\xe8\xce\xba\xed\xa0\x80", "fault 1007"},
    {"7.5 a reason cut off", "88\x03\xe8\xce", "fault 1007"},
};

static void rules_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct buf bytes;
        buf_init(&bytes, BYTES_MAX);
        add_frames(&bytes, rules[i].frames);
        expect(rules[i].name, (struct str){bytes.bytes, bytes.n_bytes}, rules[i].events);
        buf_release(&bytes);
    }
}

/* Heads that no honest writer makes; all of the frame is here, mask included where there is one. */
static const struct raw {
    const char *name;
    struct str bytes;
    const char *events;
} raws[] = {
    {"nothing", {"", 0}, ""},
    {"half a head", STR("\x81"), ""},
    {"RFC 5.7's masked Hello", STR("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "text Hello"},
    {"RFC 5.7's unmasked Hello", STR("\x81\x05Hello"), "fault 1002"},
    {"an unmasked ping", STR("\x89\x00"), "fault 1002"},
    {"an unmasked close", STR("\x88\x02\x03\xe8"), "fault 1002"},
    {"a mask of zeros", STR("\x81\x82\0\0\0\0hi"), "text hi"},
    {"a NUL in a text", STR("\x82\x81\0\0\0\0\x01"), "binary \x01"},
    {"125 in two bytes", STR("\x81\xfe\x00\x7d\0\0\0\0"), "fault 1002"},
    {"0 in eight bytes", STR("\x81\xff\0\0\0\0\0\0\0\0\0\0\0\0"), "fault 1002"},
    {"65535 in eight bytes", STR("\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0"), "fault 1002"},
    {"a length's highest bit", STR("\x82\xff\x80\0\0\0\0\x01\0\0\0\0\0\0"), "fault 1002"},
    {"a length beyond the limit", STR("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"),
     "fault 1009"},
    {"2.5 a ping of 126 bytes", STR("\x89\xfe\x00\x7e\0\0\0\0"), "fault 1002"},
    {"7.3.6 a close of 126 bytes", STR("\x88\xfe\x00\x7e\0\0\0\0"), "fault 1002"},
};

static void heads_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(raws); i++)
        expect(raws[i].name, raws[i].bytes, raws[i].events);
}

static void lengths_are_read(void **state)
{
    (void)state;
    static const size_t lengths[] = {124, 125, 126, 127, 128, 65535, 65536, 65537, LIMIT};
    char *text = malloc(LIMIT + 1);
    memset(text, '*', LIMIT + 1);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct buf bytes;
        char wanted[64];
        size_t n = lengths[i];
        buf_init(&bytes, BYTES_MAX);
        add_frame(&bytes, 0x82, (struct str){text, n});
        add_frames(&bytes, "89");
        if (n > 200)
            snprintf(wanted, sizeof wanted, "binary %zu bytes|ping", n);
        if (n > 200)
            expect("1.2 a length", (struct str){bytes.bytes, bytes.n_bytes}, wanted);
        buf_clear(&bytes);
        if (n <= 125) {
            add_frame(&bytes, 0x89, (struct str){text, n});
            snprintf(wanted, sizeof wanted, "ping %.*s", 40, text);
            struct buf got;
            buf_init(&got, BYTES_MAX);
            read_pieces((struct str){bytes.bytes, bytes.n_bytes}, 7, 0, &got);
            assert_int_equal(got.n_bytes, strlen("ping ") + n); /* 2.4 */
            buf_release(&got);
        }
        buf_release(&bytes);
    }
    struct buf bytes;
    buf_init(&bytes, BYTES_MAX);
    add_frame(&bytes, 0x01, (struct str){text, LIMIT});
    add_frame(&bytes, 0x80, (struct str){text, 1});
    expect("over the limit together", (struct str){bytes.bytes, bytes.n_bytes}, "fault 1009");
    buf_clear(&bytes);
    add_frame(&bytes, 0x81, (struct str){text, LIMIT});
    add_frame(&bytes, 0x81, (struct str){text, LIMIT});
    expect("at the limit, twice", (struct str){bytes.bytes, bytes.n_bytes},
           "text 200000 bytes|text 200000 bytes");
    buf_release(&bytes);
    free(text);
}

/* 7.7 and 7.9: which codes a client may send. */
static void close_codes_are_judged(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 65536; code += code < 1020 || code > 2990 ? 1 : 97) {
        bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                    (code >= 3000 && code < 5000);
        char payload[2] = {(char)(code >> 8), (char)code}, wanted[32];
        struct buf bytes, got;
        buf_init(&bytes, 100);
        buf_init(&got, 100);
        add_frame(&bytes, 0x88, (struct str){payload, 2});
        read_pieces((struct str){bytes.bytes, bytes.n_bytes}, bytes.n_bytes, 0, &got);
        snprintf(wanted, sizeof wanted, good ? "close %u" : "fault 1002", code);
        assert_string_equal(got.bytes, wanted);
        buf_release(&bytes);
        buf_release(&got);
    }
}

/* Any bytes at all: the events do not depend on how they were cut. */
static void cuts_change_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t s = seed;
        struct buf bytes, whole, cut;
        buf_init(&bytes, BYTES_MAX);
        buf_init(&whole, BYTES_MAX);
        buf_init(&cut, BYTES_MAX);
        for (int i = 0; i < 20; i++) {
            static const uint8_t firsts[] = {0x81, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x82, 0x02};
            static const char text[] = "aé𐀀\xed\xa0 long enough to need no more than that";
            size_t n = test_rand(&s) % sizeof text;
            uint8_t first = firsts[test_rand(&s) % COUNT_OF(firsts)];
            add_frame(&bytes, first, (struct str){text, n});
        }
        if (seed & 1)
            bytes.bytes[test_rand(&s) % bytes.n_bytes] ^= (char)(1 << test_rand(&s) % 8);
        struct str in = {bytes.bytes, bytes.n_bytes};
        read_pieces(in, in.len, 0, &whole);
        read_pieces(in, seed % 3 ? 0 : 1, seed, &cut);
        assert_int_equal(whole.n_bytes, cut.n_bytes);
        assert_memory_equal(whole.n_bytes ? whole.bytes : "", cut.n_bytes ? cut.bytes : "",
                            whole.n_bytes);
        buf_release(&bytes);
        buf_release(&whole);
        buf_release(&cut);
    }
}

static void heads_are_written(void **state)
{
    (void)state;
    static const struct {
        uint64_t n_bytes;
        struct str head;
    } rows[] = {
        {0, STR("\x81\x00")},
        {125, STR("\x81\x7d")},
        {126, STR("\x81\x7e\x00\x7e")},
        {256, STR("\x81\x7e\x01\x00")},
        {65535, STR("\x81\x7e\xff\xff")},
        {65536, STR("\x81\x7f\0\0\0\0\0\x01\0\0")},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t head[WEBSOCKET_HEAD_BYTES_MAX];
        size_t n = websocket_head(head, WEBSOCKET_TEXT, rows[i].n_bytes);
        assert_int_equal(n, rows[i].head.len);
        assert_memory_equal(head, rows[i].head.ptr, n);
    }
}

static void close_reasons_are_cut_between_characters(void **state)
{
    (void)state;
    char out[WEBSOCKET_CONTROL_BYTES_MAX], reason[300];
    assert_int_equal(websocket_close_payload(out, WEBSOCKET_NO_CODE, STR("x")), 0);
    assert_int_equal(websocket_close_payload(out, 1001, STR("bye")), 5);
    assert_memory_equal(out, "\x03\xe9" "bye", 5);
    for (size_t n = 100; n < 140; n++) {
        size_t n_reason = 0;
        memset(reason, 'a', n % 4);
        for (n_reason = n % 4; n_reason + 4 <= n; n_reason += 4)
            memcpy(reason + n_reason, "\xf0\x90\x80\x80", 4);
        size_t got = websocket_close_payload(out, 1000, (struct str){reason, n_reason});
        assert_true(got <= sizeof out && got > sizeof out - 29);
        assert_true(utf8_valid(out + 2, got - 2));
        assert_memory_equal(out + 2, reason, got - 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_hold),
        cmocka_unit_test(heads_are_judged),
        cmocka_unit_test(lengths_are_read),
        cmocka_unit_test(close_codes_are_judged),
        cmocka_unit_test(cuts_change_nothing),
        cmocka_unit_test(heads_are_written),
        cmocka_unit_test(close_reasons_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
