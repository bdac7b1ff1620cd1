/* regex_translate.c - from Oniguruma's Ruby syntax to PCRE2's.
 *
 * What differs and occurs in tokenizers: \s \w \b \h have other members; a script name means the
 * script, not its extensions; classes nest and intersect (&&); {n,m}+ repeats instead of being
 * possessive; (?m: lets the dot match newlines. Everything else is copied: PCRE2 then accepts it
 * or says why not. */
#include "text/regex.h"

#include <ctype.h>
#include <stdio.h>

#define SPACES                                                                                     \
    "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}"                     \
    "\\x{202f}\\x{205f}\\x{3000}"
/* Latin-1's superscripts and fractions are word characters to Oniguruma. */
#define WORDS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\xb2\\xb3\\xb9\\xbc-\\xbe"
#define HEX "0-9a-fA-F"
#define ANY "(?s:.)"

enum { CLASS_DEPTH_MAX = 8 };

/* A pattern being translated. */
struct translator {
    struct str in;
    size_t at;
    struct buf *out;
    struct err_note *note;
    size_t atom;    /* where in out the last atom begins, for a quantifier to wrap */
    size_t open[100]; /* where each open group begins */
    int n_open;
};

static enum err refuse(const struct translator *t, const char *what)
{
    return err_set(t->note, ERR_UNSUPPORTED, "regular expression \"%.*s\": %s at byte %zu",
                   STR_ARG(t->in), what, t->at);
}

static bool looking_at(const struct translator *t, const char *s)
{
    return str_starts(str_sub(t->in, t->at, t->in.len), str_from(s));
}

static char peek(const struct translator *t, size_t ahead)
{
    return t->at + ahead < t->in.len ? t->in.ptr[t->at + ahead] : 0;
}

/* The members of \s \w \h, NULL for any other letter. */
static const char *set_of(char letter)
{
    switch (letter) {
    case 's':
    case 'S':
        return SPACES;
    case 'w':
    case 'W':
        return WORDS;
    case 'h':
    case 'H':
        return HEX;
    default:
        return NULL;
    }
}

/* \p{Han} asks for the script itself. Categories have at most two letters. */
static enum err property(struct translator *t, struct buf *out)
{
    static const char *const plain[] = {"Alphabetic", "Any", "Emoji", "White_Space"};
    size_t end = t->at + 3;
    while (end < t->in.len && t->in.ptr[end] != '}')
        end++;
    if (peek(t, 2) != '{' || end >= t->in.len)
        return refuse(t, "\\p without {name}");
    bool negated = (peek(t, 1) == 'P') != (peek(t, 3) == '^');
    struct str name = str_sub(t->in, t->at + 3 + (peek(t, 3) == '^'), end);
    bool script = name.len > 2;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        script = script && !str_is(name, plain[i]);
    buf_printf(out, "\\%c{%s%.*s}", negated ? 'P' : 'p', script ? "sc:" : "", STR_ARG(name));
    t->at = end + 1;
    return ERR_OK;
}

/* Escapes that mean the same in and out of a class. */
static enum err plain_escape(struct translator *t, struct buf *out)
{
    char c = peek(t, 1);
    if (c == 'p' || c == 'P')
        return property(t, out);
    if (c == 'u') {
        if (t->at + 6 > t->in.len)
            return refuse(t, "\\u without four digits");
        buf_printf(out, "\\x{%.4s}", t->in.ptr + t->at + 2);
        t->at += 6;
        return ERR_OK;
    }
    if (c == 'x' && peek(t, 2) == '{') {
        do
            buf_char(out, peek(t, 0));
        while (t->in.ptr[t->at++] != '}' && t->at < t->in.len);
        return ERR_OK;
    }
    if (c == 0)
        return refuse(t, "a lone backslash");
    buf_add(out, t->in.ptr + t->at, 2);
    t->at += 2;
    return ERR_OK;
}

/* One operand of a class: simple members, and alternatives that need a class of their own. */
struct operand {
    struct buf simple, others; /* others: "|X|Y" */
};

static void operand_regex(const struct operand *o, struct buf *out)
{
    if (o->others.n_bytes == 0)
        buf_printf(out, "[%s]", o->simple.bytes);
    else if (o->simple.n_bytes == 0)
        buf_printf(out, "(?:%s)", o->others.bytes + 1);
    else
        buf_printf(out, "(?:[%s]%s)", o->simple.bytes, o->others.bytes);
}

static enum err class_any(struct translator *t, struct buf *regex, struct buf *inlined, int depth);

static enum err posix_class(struct translator *t, struct operand *o)
{
    static const struct {
        const char *name, *set;
    } known[] = {{"[:space:]", SPACES},
                 {"[:alpha:]", "\\p{Alphabetic}"},
                 {"[:digit:]", "\\p{Nd}"},
                 {"[:word:]", WORDS}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (looking_at(t, known[i].name)) {
            buf_str(&o->simple, known[i].set);
            t->at += strlen(known[i].name);
            return ERR_OK;
        }
    }
    return refuse(t, "a POSIX bracket that is not supported");
}

static enum err class_item(struct translator *t, struct operand *o, int depth)
{
    char c = peek(t, 0), next = peek(t, 1);
    if (c == '[' && next == ':')
        return posix_class(t, o);
    if (c == '[') {
        struct buf regex, inlined;
        buf_init(&regex, o->simple.n_bytes_max);
        buf_init(&inlined, o->simple.n_bytes_max);
        enum err rc = class_any(t, &regex, &inlined, depth + 1);
        if (rc == ERR_OK && inlined.n_bytes)
            buf_add(&o->simple, inlined.bytes, inlined.n_bytes);
        else if (rc == ERR_OK)
            buf_printf(&o->others, "|%s", regex.bytes);
        buf_release(&regex);
        buf_release(&inlined);
        return rc;
    }
    if (c == '\\' && set_of(next)) {
        if (islower((unsigned char)next))
            buf_str(&o->simple, set_of(next));
        else
            buf_printf(&o->others, "|[^%s]", set_of(next));
        t->at += 2;
        return ERR_OK;
    }
    if (c == '\\')
        return plain_escape(t, &o->simple);
    buf_char(&o->simple, c);
    t->at++;
    return ERR_OK;
}

/* Items up to && or the closing bracket. */
static enum err class_operand(struct translator *t, struct operand *o, int depth)
{
    enum err rc = ERR_OK;
    if (peek(t, 0) == ']' && o->simple.n_bytes == 0) { /* a first ] is a member */
        buf_str(&o->simple, "\\]");
        t->at++;
    }
    while (rc == ERR_OK && t->at < t->in.len && peek(t, 0) != ']' && !looking_at(t, "&&"))
        rc = class_item(t, o, depth);
    if (rc == ERR_OK && t->at >= t->in.len)
        rc = err_set(t->note, ERR_FORMAT, "regular expression \"%.*s\": a [ is never closed",
                     STR_ARG(t->in));
    return rc;
}

static void finish_class(struct operand *last, struct buf *ands, bool negated, struct buf *regex,
                         struct buf *inlined)
{
    bool simple = ands->n_bytes == 0 && last->others.n_bytes == 0;
    if (simple && negated) {
        buf_printf(regex, "[^%s]", last->simple.bytes);
    } else if (simple) {
        buf_str(inlined, last->simple.bytes);
        operand_regex(last, regex);
    } else {
        buf_str(regex, negated ? "(?:(?!" : "(?:");
        if (ands->n_bytes)
            buf_add(regex, ands->bytes, ands->n_bytes);
        operand_regex(last, regex);
        buf_str(regex, negated ? ")" ANY ")" : ")");
    }
}

/* A class as a regex for one character; inlined gets its members if they may join an outer class,
 * that is without negation or intersection. */
static enum err class_any(struct translator *t, struct buf *regex, struct buf *inlined, int depth)
{
    if (depth > CLASS_DEPTH_MAX)
        return refuse(t, "classes nested too deep");
    t->at++;
    bool negated = peek(t, 0) == '^';
    t->at += negated;
    struct buf ands;
    struct operand o;
    buf_init(&ands, regex->n_bytes_max);
    buf_init(&o.simple, regex->n_bytes_max);
    buf_init(&o.others, regex->n_bytes_max);
    buf_str(&o.simple, "");
    enum err rc = class_operand(t, &o, depth);
    while (rc == ERR_OK && looking_at(t, "&&")) {
        buf_str(&ands, "(?=");
        operand_regex(&o, &ands);
        buf_char(&ands, ')');
        buf_clear(&o.simple);
        buf_clear(&o.others);
        t->at += 2;
        rc = class_operand(t, &o, depth);
    }
    if (rc == ERR_OK) {
        t->at++;
        finish_class(&o, &ands, negated, regex, inlined);
    }
    if (rc == ERR_OK && (o.simple.failed || o.others.failed || ands.failed))
        rc = refuse(t, "too long");
    buf_release(&ands);
    buf_release(&o.simple);
    buf_release(&o.others);
    return rc;
}

static enum err escape(struct translator *t)
{
    char c = peek(t, 1);
    t->atom = t->out->n_bytes;
    if (set_of(c)) {
        buf_printf(t->out, "[%s%s]", islower((unsigned char)c) ? "" : "^", set_of(c));
    } else if (c == 'b') {
        buf_str(t->out, "(?:(?<=[" WORDS "])(?![" WORDS "])|(?<![" WORDS "])(?=[" WORDS "]))");
    } else if (c == 'B') {
        buf_str(t->out, "(?:(?<=[" WORDS "])(?=[" WORDS "])|(?<![" WORDS "])(?![" WORDS "]))");
    } else {
        return plain_escape(t, t->out);
    }
    t->at += 2;
    return ERR_OK;
}

/* Put "(?:" before the last atom, for its quantifier to be followed by another. */
static void wrap_atom(struct translator *t, struct str quantifier)
{
    struct buf tail;
    buf_init(&tail, t->out->n_bytes_max);
    buf_add(&tail, t->out->bytes + t->atom, t->out->n_bytes - t->atom);
    if (tail.failed) {
        t->out->failed = true;
    } else {
        t->out->n_bytes = t->atom;
        buf_str(t->out, "(?:");
        buf_add(t->out, tail.bytes, tail.n_bytes);
        buf_add(t->out, quantifier.ptr, quantifier.len);
        buf_char(t->out, ')');
    }
    buf_release(&tail);
}

/* {n}, {n,}, {n,m}, {,m}: false if the brace is a literal. */
static bool interval(struct translator *t)
{
    size_t i = t->at + 1, digits = 0, commas = 0;
    for (; i < t->in.len && (isdigit((unsigned char)t->in.ptr[i]) || t->in.ptr[i] == ','); i++) {
        digits += t->in.ptr[i] != ',';
        commas += t->in.ptr[i] == ',';
    }
    if (i >= t->in.len || t->in.ptr[i] != '}' || digits == 0 || commas > 1)
        return false;
    struct str inner = str_sub(t->in, t->at + 1, i);
    char text[64];
    int n = snprintf(text, sizeof text, "{%s%.*s}", inner.ptr[0] == ',' ? "0" : "", STR_ARG(inner));
    if (n < 0 || (size_t)n >= sizeof text)
        return false;
    struct str quantifier = {text, (size_t)n};
    t->at = i + 1;
    if (peek(t, 0) == '+' || (peek(t, 0) == '?' && commas == 0)) {
        wrap_atom(t, quantifier);
    } else {
        buf_add(t->out, text, (size_t)n);
        if (peek(t, 0) == '?') {
            buf_char(t->out, '?');
            t->at++;
        }
    }
    return true;
}

static enum err group_open(struct translator *t)
{
    if (t->n_open == (int)(sizeof t->open / sizeof *t->open))
        return refuse(t, "groups nested too deep");
    t->open[t->n_open++] = t->out->n_bytes;
    buf_char(t->out, '(');
    t->at++;
    if (peek(t, 0) != '?')
        return ERR_OK;
    buf_char(t->out, '?');
    t->at++;
    while (peek(t, 0) == 'm' || peek(t, 0) == 'i' || peek(t, 0) == 'x' || peek(t, 0) == '-') {
        if (peek(t, 0) == 'x')
            return refuse(t, "the extended option");
        buf_char(t->out, peek(t, 0) == 'm' ? 's' : peek(t, 0));
        t->at++;
    }
    return ERR_OK;
}

static enum err translate_one(struct translator *t)
{
    char c = peek(t, 0);
    if (c == '\\')
        return escape(t);
    if (c == '[') {
        struct buf inlined;
        buf_init(&inlined, t->out->n_bytes_max);
        t->atom = t->out->n_bytes;
        enum err rc = class_any(t, t->out, &inlined, 0);
        buf_release(&inlined);
        return rc;
    }
    if (c == '(')
        return group_open(t);
    if (c == '{' && interval(t))
        return ERR_OK;
    if (c == ')' && t->n_open)
        t->atom = t->open[--t->n_open];
    else if (!strchr("*+?{}", c) && ((unsigned char)c < 0x80 || (unsigned char)c >= 0xc0))
        t->atom = t->out->n_bytes;
    buf_char(t->out, c);
    t->at++;
    return ERR_OK;
}

enum err regex_translate(struct str pattern, struct buf *out, struct err_note *note)
{
    struct translator t = {.in = pattern, .out = out, .note = note};
    if (!utf8_valid(pattern.ptr, pattern.len) || memchr(pattern.ptr, 0, pattern.len))
        return err_set(note, ERR_FORMAT, "a regular expression is not valid UTF-8 text");
    enum err rc = ERR_OK;
    buf_str(out, "");
    while (rc == ERR_OK && t.at < pattern.len)
        rc = translate_one(&t);
    if (rc == ERR_OK && out->failed)
        rc = err_set(note, ERR_LIMIT, "regular expression of %zu bytes is too long", pattern.len);
    return rc;
}
