/* jinja_lex.c - Jinja2's lexer, whose whitespace rules decide the bytes of every prompt. */
#include "text/jinja_lex.h"

#include <stdio.h>
#include <string.h>

#include <utf8proc.h>

enum { IN_DATA, BLOCK_OPENS, IN_BLOCK, VARIABLE_OPENS, IN_VARIABLE, IN_COMMENT, IN_RAW };

bool uc_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

static enum err lex_fail(struct jlex *l, const char *what)
{
    return err_set(l->note, ERR_FORMAT, "template line %d: %s", l->line, what);
}

/* Newlines become \n and the last one goes. */
enum err jlex_init(struct jlex *l, struct arena *arena, struct str source, struct err_note *note)
{
    *l = (struct jlex){.arena = arena, .line = 1, .line_starting = true, .note = note};
    if (!utf8_valid(source.ptr, source.len))
        return err_set(note, ERR_FORMAT, "the template is not UTF-8");
    char *text = arena_alloc(arena, source.len + 1);
    if (!text)
        return err_set(note, ERR_MEMORY, "no memory for a template of %zu bytes", source.len);
    size_t n = 0;
    for (size_t i = 0; i < source.len; i++) {
        if (source.ptr[i] == '\r') {
            text[n++] = '\n';
            i += i + 1 < source.len && source.ptr[i + 1] == '\n';
        } else {
            text[n++] = source.ptr[i];
        }
    }
    l->source = (struct str){text, n > 0 && text[n - 1] == '\n' ? n - 1 : n};
    return ERR_OK;
}

static char at(const struct jlex *l, size_t pos)
{
    return pos < l->source.len ? l->source.ptr[pos] : 0;
}

static size_t skip_spaces(const struct jlex *l, size_t pos)
{
    uint32_t c;
    int n;
    while ((n = utf8_decode(l->source.ptr + pos, l->source.len - pos, &c)) > 0 && uc_is_space(c))
        pos += (size_t)n;
    return pos;
}

/* The end of text[from, to) without spaces at its end. */
static size_t strip_end(const struct jlex *l, size_t from, size_t to)
{
    size_t end = from;
    for (size_t i = from; i < to;) {
        uint32_t c;
        i += (size_t)utf8_decode(l->source.ptr + i, to - i, &c);
        if (!uc_is_space(c))
            end = i;
    }
    return end;
}

/* After a closing tag at pos ("%}" or "#}"), which a sign may precede: past it, and past the space
 * that it takes with it. 0: no closing tag here. */
static size_t close_tag(const struct jlex *l, size_t pos, char first, bool trims)
{
    char sign = at(l, pos);
    size_t p = pos + (sign == '-' || sign == '+');
    if (at(l, p) != first || at(l, p + 1) != '}')
        return 0;
    p += 2;
    if (sign == '-')
        return skip_spaces(l, p);
    return trims && sign != '+' && at(l, p) == '\n' ? p + 1 : p;
}

static bool word_at(const struct jlex *l, size_t pos, const char *word)
{
    size_t n = strlen(word);
    return l->source.len - pos >= n && memcmp(l->source.ptr + pos, word, n) == 0;
}

/* "{% raw %}" or "{% endraw %}" at pos: the position after it, or 0. */
static size_t raw_tag(const struct jlex *l, size_t pos, const char *word, bool is_end)
{
    size_t p = pos + 2;
    p += at(l, p) == '-' || at(l, p) == '+';
    p = skip_spaces(l, p);
    if (!word_at(l, p, word))
        return 0;
    p = skip_spaces(l, p + strlen(word));
    if (!is_end && at(l, p) == '+')
        return 0;
    return close_tag(l, p, '%', is_end);
}

/* Moves to pos, counting lines. */
static void advance(struct jlex *l, size_t pos)
{
    for (size_t i = l->pos; i < pos; i++)
        l->line += l->source.ptr[i] == '\n';
    l->line_starting = pos > l->pos && l->source.ptr[pos - 1] == '\n';
    l->pos = pos;
}

/* The text before a tag at position tag, less the space that the tag's sign or lstrip_blocks takes;
 * then on to position next in the given state. True when a data token resulted. */
static bool data_before(struct jlex *l, size_t tag, size_t next, int state, struct jtoken *token)
{
    size_t from = l->pos, to = tag;
    char sign = at(l, tag + 2);
    if (sign == '-') {
        to = strip_end(l, from, tag);
    } else if (sign != '+' && state != VARIABLE_OPENS) {
        size_t line = tag;
        while (line > from && l->source.ptr[line - 1] != '\n')
            line--;
        if ((line > from || l->line_starting) && strip_end(l, line, tag) == line)
            to = line;
    }
    token->kind = JT_DATA;
    token->line = l->line;
    token->text = str_sub(l->source, from, to);
    advance(l, next);
    l->state = state;
    return to > from;
}

static bool next_data(struct jlex *l, struct jtoken *token)
{
    size_t tag = l->pos;
    for (; tag + 1 < l->source.len; tag++) {
        char c = l->source.ptr[tag + 1];
        if (l->source.ptr[tag] == '{' && (c == '{' || c == '%' || c == '#'))
            break;
    }
    if (tag + 1 >= l->source.len) {
        token->kind = JT_DATA;
        token->line = l->line;
        token->text = str_sub(l->source, l->pos, l->source.len);
        advance(l, l->source.len);
        return true;
    }
    char kind = l->source.ptr[tag + 1], sign = at(l, tag + 2);
    size_t after = tag + 2 + (sign == '-' || sign == '+');
    size_t raw = kind == '%' ? raw_tag(l, tag, "raw", false) : 0;
    if (raw)
        return data_before(l, tag, raw, IN_RAW, token);
    int state = kind == '%' ? BLOCK_OPENS : kind == '{' ? VARIABLE_OPENS : IN_COMMENT;
    return data_before(l, tag, after, state, token);
}

static enum err skip_comment(struct jlex *l)
{
    for (size_t p = l->pos; p < l->source.len; p++) {
        size_t end = close_tag(l, p, '#', true);
        if (end) {
            advance(l, end);
            l->state = IN_DATA;
            return ERR_OK;
        }
    }
    return lex_fail(l, "a comment is not closed");
}

static enum err next_raw(struct jlex *l, struct jtoken *token, bool *is_token)
{
    for (size_t p = l->pos; p + 1 < l->source.len; p++) {
        size_t end = at(l, p) == '{' && at(l, p + 1) == '%' ? raw_tag(l, p, "endraw", true) : 0;
        if (end) {
            *is_token = data_before(l, p, end, IN_DATA, token);
            return ERR_OK;
        }
    }
    return lex_fail(l, "raw is not closed");
}

/* Digits with single underscores between them: the end, or pos where there are none. */
static size_t scan_digits(const struct jlex *l, size_t pos, const char *digits)
{
    size_t p = pos;
    while (at(l, p) && strchr(digits, at(l, p) | (at(l, p) >= 'A' ? 32 : 0))) {
        p++;
        if (at(l, p) == '_' && at(l, p + 1) && strchr(digits, at(l, p + 1) | 32))
            p++;
    }
    return p;
}

/* A float at the position: its end, or 0. */
static size_t scan_float(const struct jlex *l)
{
    static const char digits[] = "0123456789";
    size_t p = scan_digits(l, l->pos, digits), q;
    if (p == l->pos || (l->pos > 0 && l->source.ptr[l->pos - 1] == '.'))
        return 0;
    bool is_float = false;
    if (at(l, p) == '.' && (q = scan_digits(l, p + 1, digits)) > p + 1) {
        is_float = true;
        p = q;
    }
    if ((at(l, p) | 32) == 'e') {
        size_t sign = p + 1 + (at(l, p + 1) == '+' || at(l, p + 1) == '-');
        if ((q = scan_digits(l, sign, digits)) > sign)
            return q;
    }
    return is_float ? p : 0;
}

static enum err next_number(struct jlex *l, struct jtoken *token)
{
    char text[64];
    size_t end = scan_float(l), n = 0;
    int base = 10;
    token->kind = end ? JT_FLOAT : JT_INTEGER;
    if (!end) {
        static const char *const digits[] = {"01", "01234567", "0123456789abcdef"};
        char mark = (char)(at(l, l->pos) == '0' ? at(l, l->pos + 1) | 32 : 0);
        int i = mark == 'b' ? 0 : mark == 'o' ? 1 : mark == 'x' ? 2 : -1;
        size_t from = l->pos + 2 + (at(l, l->pos + 2) == '_');
        if (i >= 0 && scan_digits(l, from, digits[i]) > from) {
            end = scan_digits(l, from, digits[i]);
            base = i == 0 ? 2 : i == 1 ? 8 : 16;
            advance(l, from);
        } else {
            end = scan_digits(l, l->pos, at(l, l->pos) == '0' ? "0" : "0123456789");
        }
    }
    int64_t value = 0;
    for (size_t i = l->pos; i < end; i++) {
        char c = at(l, i);
        if (c == '_')
            continue;
        if (n + 1 < sizeof text)
            text[n++] = c;
        int digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
        if (token->kind == JT_INTEGER && (__builtin_mul_overflow(value, base, &value) ||
                                          __builtin_add_overflow(value, digit, &value)))
            return lex_fail(l, "an integer beyond 64 bits");
    }
    token->i = value;
    if (token->kind == JT_FLOAT && !str_to_f64((struct str){text, n}, &token->f))
        return lex_fail(l, "a number beyond the range of a double");
    advance(l, end);
    return ERR_OK;
}

static int hex_value(const char *p, const char *end, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++, p++) {
        char c = p < end ? *p : 0, low = (char)(c | 32);
        if (c >= '0' && c <= '9')
            value = value * 16 + c - '0';
        else if (low >= 'a' && low <= 'f')
            value = value * 16 + low - 'a' + 10;
        else
            return -1;
        if (value > 0x10ffff)
            return -1;
    }
    return value;
}

/* One escape at p, after the backslash: its code point in *c (-1: nothing). Returns the end, or
 * NULL for a malformed one. Unknown escapes stand for themselves, as in Python. */
static const char *unescape(const char *p, const char *end, int *c)
{
    static const char names[] = "\\'\"abfnrtv", values[] = "\\'\"\a\b\f\n\r\t\v";
    const char *name = memchr(names, *p, sizeof names - 1);
    int n_hex = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0;
    if (name) {
        *c = values[name - names];
        return p + 1;
    }
    if (*p == '\n') {
        *c = -1;
        return p + 1;
    }
    if (*p >= '0' && *p <= '7') {
        const char *stop = p + 3 < end ? p + 3 : end;
        for (*c = 0; p < stop && *p >= '0' && *p <= '7'; p++)
            *c = *c * 8 + *p - '0';
        return p;
    }
    if (n_hex > 0) {
        *c = hex_value(p + 1, end, n_hex);
        return *c < 0 || (*c >= 0xd800 && *c <= 0xdfff) ? NULL : p + 1 + n_hex;
    }
    if (*p == 'N')
        return NULL;
    *c = '\\';
    return p;
}

/* Decodes what is between quotes, as Python's unicode-escape after backslashreplace: a backslash
 * before a character beyond ASCII shows that character's own escape. */
static enum err decode_string(struct jlex *l, struct str raw, struct str *out)
{
    if (!memchr(raw.ptr, '\\', raw.len)) {
        *out = raw;
        return ERR_OK;
    }
    char *text = arena_alloc(l->arena, raw.len * 3 + 1);
    size_t n = 0;
    if (!text)
        return err_set(l->note, ERR_MEMORY, "no memory for a template's strings");
    for (const char *p = raw.ptr, *end = raw.ptr + raw.len; p < end;) {
        uint32_t c = 0;
        int code, len = utf8_decode(p, (size_t)(end - p), &c);
        if (*p != '\\') {
            memcpy(text + n, p, (size_t)len);
            n += (size_t)len;
            p += len;
            continue;
        }
        len = utf8_decode(p + 1, (size_t)(end - p - 1), &c);
        if (len > 1) {
            const char *format = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
            n += (size_t)snprintf(text + n, 11, format, c);
            p += 1 + len;
            continue;
        }
        if (!(p = unescape(p + 1, end, &code)))
            return lex_fail(l, "a malformed or unsupported escape in a string");
        if (code >= 0)
            n += (size_t)utf8_encode((uint32_t)code, text + n);
    }
    *out = (struct str){text, n};
    return ERR_OK;
}

static enum err next_string(struct jlex *l, struct jtoken *token)
{
    char quote = at(l, l->pos);
    size_t p = l->pos + 1;
    while (p < l->source.len && l->source.ptr[p] != quote)
        p += l->source.ptr[p] == '\\' ? 2 : 1;
    if (p >= l->source.len)
        return lex_fail(l, "a string is not closed");
    token->kind = JT_STRING;
    enum err e = decode_string(l, str_sub(l->source, l->pos + 1, p), &token->text);
    advance(l, p + 1);
    return e;
}

static bool is_name_char(uint32_t c)
{
    if (c < 0x80)
        return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) ||
           category == UTF8PROC_CATEGORY_PC;
}

static enum err next_operator(struct jlex *l, struct jtoken *token)
{
    static const char pairs[] = "**p//d==e!=n<=l>=g";
    char c = at(l, l->pos), c2 = at(l, l->pos + 1);
    token->kind = JT_OPERATOR;
    token->op = c;
    size_t n = 1;
    for (const char *p = pairs; *p; p += 3)
        if (c == p[0] && c2 == p[1]) {
            token->op = p[2];
            n = 2;
        }
    if (n == 1 && (!c || !strchr("+-/*%~[](){}<>=.:|,;", c))) {
        token->op = 0;
        return lex_fail(l, "an unexpected character in a tag");
    }
    if (strchr("([{", c)) {
        if (l->n_brackets >= JLEX_BRACKETS_MAX)
            return err_set(l->note, ERR_LIMIT, "template line %d: brackets nest deeper than %d",
                           l->line, JLEX_BRACKETS_MAX);
        l->brackets[l->n_brackets++] = c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (strchr(")]}", c)) {
        if (l->n_brackets == 0 || l->brackets[--l->n_brackets] != c)
            return lex_fail(l, "a closing bracket that matches none");
    }
    advance(l, l->pos + n);
    return ERR_OK;
}

/* Inside a tag: its end, or the next name, literal or operator. */
static enum err next_in_tag(struct jlex *l, struct jtoken *token)
{
    bool in_block = l->state == IN_BLOCK;
    size_t end = 0;
    for (;;) {
        token->line = l->line;
        if (l->n_brackets == 0 && in_block)
            end = close_tag(l, l->pos, '%', true);
        else if (l->n_brackets == 0 && at(l, l->pos) != '+')
            end = close_tag(l, l->pos, '}', false);
        if (end) {
            token->kind = in_block ? JT_BLOCK_END : JT_VARIABLE_END;
            advance(l, end);
            l->state = IN_DATA;
            return ERR_OK;
        }
        size_t p = skip_spaces(l, l->pos);
        if (p == l->pos)
            break;
        advance(l, p);
    }
    if (l->pos >= l->source.len) {
        token->kind = JT_EOF;
        return ERR_OK;
    }
    char c = at(l, l->pos);
    if (c >= '0' && c <= '9')
        return next_number(l, token);
    if (c == '\'' || c == '"')
        return next_string(l, token);
    size_t p = l->pos;
    uint32_t code;
    int n;
    while ((n = utf8_decode(l->source.ptr + p, l->source.len - p, &code)) > 0 && is_name_char(code))
        p += (size_t)n;
    if (p == l->pos)
        return next_operator(l, token);
    token->kind = JT_NAME;
    token->text = str_sub(l->source, l->pos, p);
    advance(l, p);
    return ERR_OK;
}

enum err jlex_next(struct jlex *l, struct jtoken *token)
{
    enum err e = ERR_OK;
    *token = (struct jtoken){.kind = JT_EOF, .line = l->line};
    while (e == ERR_OK) {
        bool is_token = false;
        switch (l->state) {
        case BLOCK_OPENS:
        case VARIABLE_OPENS:
            token->kind = l->state == BLOCK_OPENS ? JT_BLOCK_BEGIN : JT_VARIABLE_BEGIN;
            token->line = l->line;
            l->state = l->state == BLOCK_OPENS ? IN_BLOCK : IN_VARIABLE;
            return ERR_OK;
        case IN_BLOCK:
        case IN_VARIABLE:
            return next_in_tag(l, token);
        case IN_COMMENT:
            e = skip_comment(l);
            break;
        case IN_RAW:
            e = next_raw(l, token, &is_token);
            break;
        default:
            if (l->pos >= l->source.len) {
                token->kind = JT_EOF;
                return ERR_OK;
            }
            is_token = next_data(l, token);
        }
        if (is_token)
            return e;
    }
    return e;
}
