/* json_scan.c - one state for each place in a JSON text. */
#include "text/json_scan.h"

#include "base/str.h"

void json_scan_begin(struct json_scan *s)
{
    *s = (struct json_scan){.place = SCAN_VALUE};
}

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void push(struct json_scan *s, bool object)
{
    if (s->depth == JSON_SCAN_DEPTH_MAX) {
        s->place = SCAN_BAD;
        return;
    }
    uint64_t bit = (uint64_t)1 << s->depth++;
    s->in_object = object ? s->in_object | bit : s->in_object & ~bit;
    s->place = object ? SCAN_FIRST_KEY : SCAN_FIRST_VALUE;
}

static bool in_object(const struct json_scan *s)
{
    return s->depth > 0 && (s->in_object >> (s->depth - 1) & 1);
}

static void value_ended(struct json_scan *s)
{
    s->place = s->depth ? SCAN_AFTER : SCAN_DONE;
}

/* ---- numbers ------------------------------------------------------------------------------ */

enum {
    NUMBER_MINUS,
    NUMBER_ZERO,
    NUMBER_INTEGER,
    NUMBER_POINT,
    NUMBER_FRACTION,
    NUMBER_E,
    NUMBER_E_SIGN,
    NUMBER_EXPONENT,
    NUMBER_OVER
};

static bool number_is_whole(unsigned state)
{
    return state == NUMBER_ZERO || state == NUMBER_INTEGER || state == NUMBER_FRACTION ||
           state == NUMBER_EXPONENT;
}

static unsigned number_next(unsigned state, unsigned char c)
{
    bool digit = c >= '0' && c <= '9';
    switch (state) {
    case NUMBER_MINUS:
        return c == '0' ? NUMBER_ZERO : digit ? NUMBER_INTEGER : NUMBER_OVER;
    case NUMBER_INTEGER:
        if (digit)
            return NUMBER_INTEGER;
        /* fall through */
    case NUMBER_ZERO:
        return c == '.' ? NUMBER_POINT : c == 'e' || c == 'E' ? NUMBER_E : NUMBER_OVER;
    case NUMBER_FRACTION:
        if (c == 'e' || c == 'E')
            return NUMBER_E;
        /* fall through */
    case NUMBER_POINT:
        return digit ? NUMBER_FRACTION : NUMBER_OVER;
    case NUMBER_E:
        if (c == '+' || c == '-')
            return NUMBER_E_SIGN;
        /* fall through */
    default:
        return digit ? NUMBER_EXPONENT : NUMBER_OVER;
    }
}

/* ---- strings ------------------------------------------------------------------------------ */

static void spell(struct json_scan *s, uint32_t code)
{
    s->n_text += (uint8_t)utf8_encode(code, s->text + s->n_text);
}

/* A first half of a surrogate pair that no second one followed. */
static void flush_high(struct json_scan *s)
{
    if (s->high)
        spell(s, 0xfffd);
    s->high = 0;
}

static void hex_done(struct json_scan *s)
{
    uint32_t code = s->code;
    s->place = SCAN_STRING;
    if (code >= 0xdc00 && code <= 0xdfff && s->high) {
        spell(s, 0x10000 + ((s->high - 0xd800) << 10) + (code - 0xdc00));
        s->high = 0;
        return;
    }
    flush_high(s);
    if (code >= 0xd800 && code <= 0xdbff)
        s->high = code;
    else
        spell(s, code >= 0xdc00 && code <= 0xdfff ? 0xfffd : code);
}

static void take_hex(struct json_scan *s, unsigned char c)
{
    unsigned digit = c >= '0' && c <= '9'   ? c - '0'
                     : c >= 'a' && c <= 'f' ? c - 'a' + 10
                     : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                            : 16;
    if (digit == 16) {
        s->place = SCAN_BAD;
        return;
    }
    s->code = s->code << 4 | digit;
    if (++s->n_hex == 4)
        hex_done(s);
}

static void take_escape(struct json_scan *s, unsigned char c)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *at = c ? strchr(letters, c) : NULL;
    if (c == 'u') {
        s->place = SCAN_HEX;
        s->n_hex = 0;
        s->code = 0;
        return;
    }
    s->place = at ? SCAN_STRING : SCAN_BAD;
    flush_high(s);
    if (at)
        s->text[s->n_text++] = meanings[at - letters];
}

static void take_string(struct json_scan *s, unsigned char c)
{
    if (c == '\\') {
        s->place = SCAN_ESCAPE;
        return;
    }
    flush_high(s);
    if (c != '"')
        s->text[s->n_text++] = (char)c;
    else if (s->is_key)
        s->place = SCAN_COLON;
    else
        value_ended(s);
}

/* ---- places ------------------------------------------------------------------------------- */

static void take_value(struct json_scan *s, unsigned char c)
{
    s->is_key = false;
    if (c == '{' || c == '[') {
        push(s, c == '{');
    } else if (c == '"') {
        s->place = SCAN_STRING;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        s->place = SCAN_NUMBER;
        s->number = c == '-' ? NUMBER_MINUS : c == '0' ? NUMBER_ZERO : NUMBER_INTEGER;
    } else if (c == 't' || c == 'f' || c == 'n') {
        s->place = SCAN_WORD;
        s->word = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
    } else {
        s->place = SCAN_BAD;
    }
}

static void take_end(struct json_scan *s, unsigned char c)
{
    if (c != (in_object(s) ? '}' : ']')) {
        s->place = SCAN_BAD;
        return;
    }
    s->depth--;
    value_ended(s);
}

static void take_between(struct json_scan *s, unsigned char c)
{
    if (is_space(c))
        return;
    switch (s->place) {
    case SCAN_FIRST_VALUE:
        if (c == ']') {
            take_end(s, c);
            return;
        }
        /* fall through */
    case SCAN_VALUE:
        take_value(s, c);
        return;
    case SCAN_FIRST_KEY:
        if (c == '}') {
            take_end(s, c);
            return;
        }
        /* fall through */
    case SCAN_KEY:
        s->is_key = true;
        s->place = c == '"' ? SCAN_STRING : SCAN_BAD;
        return;
    case SCAN_COLON:
        s->place = c == ':' ? SCAN_VALUE : SCAN_BAD;
        return;
    case SCAN_AFTER:
        if (c == ',')
            s->place = in_object(s) ? SCAN_KEY : SCAN_VALUE;
        else
            take_end(s, c);
        return;
    default:
        s->place = SCAN_BAD;
    }
}

static void take_number(struct json_scan *s, unsigned char c)
{
    unsigned next = number_next(s->number, c);
    if (next != NUMBER_OVER) {
        s->number = (uint8_t)next;
        return;
    }
    if (!number_is_whole(s->number)) {
        s->place = SCAN_BAD;
        return;
    }
    value_ended(s);
    take_between(s, c);
}

void json_scan_byte(struct json_scan *s, unsigned char c)
{
    s->n_text = 0;
    switch (s->place) {
    case SCAN_STRING:
        take_string(s, c);
        return;
    case SCAN_ESCAPE:
        take_escape(s, c);
        return;
    case SCAN_HEX:
        take_hex(s, c);
        return;
    case SCAN_NUMBER:
        take_number(s, c);
        return;
    case SCAN_WORD:
        if (c != (unsigned char)*s->word++)
            s->place = SCAN_BAD;
        else if (!*s->word)
            value_ended(s);
        return;
    case SCAN_BAD:
        return;
    default:
        take_between(s, c);
    }
}

bool json_scan_end(const struct json_scan *s)
{
    return s->place == SCAN_DONE ||
           (s->place == SCAN_NUMBER && s->depth == 0 && number_is_whole(s->number));
}
