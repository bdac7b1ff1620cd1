/* regex.c - a parser that writes the draft as it reads. */
#include "grammar/regex.h"

#include "base/mem.h"
#include "grammar/grammar.h"
#include "grammar/json_text.h"

enum {
    REGEX_BYTES_MAX = 1 << 18,
    GROUPS_MAX = 200,
    REPEAT_MAX = 100000,
    CLASS_RANGES_MAX = 4096,
    CODE_MAX = 0x10ffff,
};

struct regex {
    struct draft *d;
    struct str text;
    struct regex_form form;
    size_t at;
    int n_groups;              /* open */
    struct code_range *ranges; /* [CLASS_RANGES_MAX] of the class being read */
    size_t n_ranges;
};

/* Alternatives, by what holds them: at the text's begin, its end, both, neither. Absent ones are
 * DRAFT_NOTHING. */
enum { HELD_BEGIN = 1, HELD_END = 2, HELD_KINDS = 4 };
struct branches {
    uint32_t expr[HELD_KINDS];
};

/* A growing list of expressions. */
struct parts {
    uint32_t *exprs;
    size_t n, n_reserved;
};

static const struct code_range digits[] = {{'0', '9'}};
static const struct code_range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct code_range space[] = {
    {'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
static const struct code_range line_ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

static struct branches alternatives(struct regex *p);

static void fail(struct regex *p, enum err rc, const char *what)
{
    draft_fail(p->d, rc, "regular expression, byte %zu: %s", p->at + 1, what);
}

static int peek(const struct regex *p, size_t ahead)
{
    return p->at + ahead < p->text.len ? (uint8_t)p->text.ptr[p->at + ahead] : -1;
}

static uint32_t class_expr(struct regex *p, const struct code_range *ranges, size_t n, bool negated)
{
    return p->form.in_json ? json_class(p->d, ranges, n, negated)
                           : draft_class(p->d, ranges, n, negated);
}

static uint32_t char_expr(struct regex *p, uint32_t code)
{
    return class_expr(p, &(struct code_range){code, code}, 1, false);
}

/* ---- escapes --------------------------------------------------------------------------------- */

static uint32_t hex(struct regex *p, int n_digits)
{
    uint32_t value = 0;
    for (int i = 0; i < n_digits; i++, p->at++) {
        int c = peek(p, 0), low = c | 0x20;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            value = value << 4 | (uint32_t)(low - 'a' + 10);
        else {
            fail(p, ERR_FORMAT, "an escape needs more hexadecimal digits");
            return 0;
        }
    }
    return value;
}

/* After \u: four digits, a pair of surrogates, or {...}. */
static uint32_t unicode_escape(struct regex *p)
{
    uint32_t code = 0;
    if (peek(p, 0) == '{') {
        p->at++;
        while (!p->d->rc && peek(p, 0) != '}' && code <= CODE_MAX)
            code = code << 4 | hex(p, 1);
        p->at++;
    } else {
        code = hex(p, 4);
        if (code >= 0xd800 && code < 0xdc00 && peek(p, 0) == '\\' && peek(p, 1) == 'u') {
            p->at += 2;
            uint32_t second = hex(p, 4);
            if (second >= 0xdc00 && second < 0xe000)
                return 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
        }
    }
    if (code > CODE_MAX || (code >= 0xd800 && code < 0xe000))
        fail(p, ERR_FORMAT, "an escape names no character");
    return code;
}

/* \d and its kin: true, with their ranges. */
static bool class_escape(struct regex *p, const struct code_range **ranges, size_t *n,
                         bool *negated)
{
    static const struct {
        char letter;
        const struct code_range *ranges;
        size_t n;
    } classes[] = {{'d', digits, 1}, {'w', word, 4}, {'s', space, 10}};
    int c = peek(p, 1);
    for (size_t i = 0; peek(p, 0) == '\\' && i < 3; i++)
        if ((c | 0x20) == classes[i].letter) {
            *ranges = classes[i].ranges;
            *n = classes[i].n;
            *negated = c < 'a';
            p->at += 2;
            return true;
        }
    return false;
}

static bool is_letter_or_digit(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The character that stands after a backslash. */
static uint32_t escaped(struct regex *p, bool in_class)
{
    int c = peek(p, 0);
    p->at++;
    switch (c) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    case 'x':
        return hex(p, 2);
    case 'u':
        return unicode_escape(p);
    case '0':
        if (peek(p, 0) < '0' || peek(p, 0) > '9')
            return 0;
        break;
    case 'b':
        if (in_class)
            return '\b';
        break;
    case 'c':
        if ((peek(p, 0) | 0x20) >= 'a' && (peek(p, 0) | 0x20) <= 'z')
            return (uint32_t)p->text.ptr[p->at++] & 31;
        break;
    default:
        if (c > 0 && c < 0x80 && !is_letter_or_digit(c))
            return (uint32_t)c;
    }
    p->at--;
    if (c == 'b' || c == 'B')
        fail(p, ERR_UNSUPPORTED, "word borders (\\b, \\B) are not supported");
    else if (c == 'k' || (c >= '1' && c <= '9'))
        fail(p, ERR_UNSUPPORTED, "back references are not regular");
    else if (c == 'p' || c == 'P')
        fail(p, ERR_UNSUPPORTED, "Unicode properties (\\p) are not supported; write ranges");
    else if (c == 'A' || c == 'z' || c == 'Z')
        fail(p, ERR_UNSUPPORTED, "write ^ and $ instead of \\A and \\Z");
    else
        fail(p, ERR_FORMAT, c == -1 ? "a backslash ends it" : "an escape that is not known");
    return 0;
}

static uint32_t character(struct regex *p, bool in_class)
{
    uint32_t code;
    if (peek(p, 0) == '\\') {
        p->at++;
        return escaped(p, in_class);
    }
    int n = utf8_decode(p->text.ptr + p->at, p->text.len - p->at, &code);
    if (n == 0) {
        fail(p, ERR_FORMAT, p->at < p->text.len ? "not UTF-8" : "a \"]\" is missing");
        return 0;
    }
    p->at += (size_t)n;
    return code;
}

/* ---- classes --------------------------------------------------------------------------------- */

static void add_range(struct regex *p, uint32_t low, uint32_t high)
{
    if (p->n_ranges == CLASS_RANGES_MAX)
        fail(p, ERR_LIMIT, "a class has more than 4096 parts");
    else
        p->ranges[p->n_ranges++] = (struct code_range){low, high};
}

/* Within a class; the ranges of \D and its kin are what lies between. */
static void add_ranges(struct regex *p, const struct code_range *r, size_t n, bool negated)
{
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (!negated)
            add_range(p, r[i].low, r[i].high);
        else if (r[i].low > next)
            add_range(p, next, r[i].low - 1);
        next = r[i].high + 1;
    }
    if (negated)
        add_range(p, next, CODE_MAX);
}

static uint32_t class(struct regex *p)
{
    const struct code_range *ranges;
    size_t n;
    bool negated, inner;
    p->at++;
    negated = peek(p, 0) == '^';
    p->at += negated;
    p->n_ranges = 0;
    while (!p->d->rc && peek(p, 0) != ']') {
        if (peek(p, 0) == '[' && peek(p, 1) == ':')
            fail(p, ERR_UNSUPPORTED, "POSIX classes are not supported; write ranges");
        if (class_escape(p, &ranges, &n, &inner)) {
            add_ranges(p, ranges, n, inner);
            continue;
        }
        uint32_t low = character(p, true), high = low;
        if (peek(p, 0) == '-' && peek(p, 1) != ']' && peek(p, 1) != -1) {
            p->at++;
            if (class_escape(p, &ranges, &n, &inner))
                fail(p, ERR_FORMAT, "a range cannot end with a class");
            high = character(p, true);
            if (high < low)
                fail(p, ERR_FORMAT, "a range of characters runs backwards");
        }
        add_range(p, low, high);
    }
    p->at++;
    return p->d->rc ? DRAFT_NOTHING : class_expr(p, p->ranges, p->n_ranges, negated);
}

/* ---- quantifiers ----------------------------------------------------------------------------- */

static bool number(struct regex *p, uint32_t *value)
{
    size_t from = p->at;
    *value = 0;
    for (; peek(p, 0) >= '0' && peek(p, 0) <= '9'; p->at++) {
        *value = 10 * *value + (uint32_t)(peek(p, 0) - '0');
        if (*value > REPEAT_MAX) {
            fail(p, ERR_LIMIT, "a repetition count is over 100000");
            return false;
        }
    }
    return p->at > from;
}

/* {m}, {m,} or {m,n}; anything else is a brace like any character. */
static bool braces(struct regex *p, uint32_t *min, uint32_t *max)
{
    size_t begin = p->at++;
    if (peek(p, 0) == ',' && peek(p, 1) >= '0' && peek(p, 1) <= '9')
        fail(p, ERR_UNSUPPORTED, "write {0,n} for {,n}");
    bool ok = number(p, min);
    *max = *min;
    if (ok && peek(p, 0) == ',') {
        p->at++;
        if (!number(p, max))
            *max = DRAFT_ENDLESS;
    }
    ok = ok && peek(p, 0) == '}';
    p->at = ok ? p->at + 1 : begin;
    if (ok && *max < *min)
        fail(p, ERR_FORMAT, "a repetition's maximum is below its minimum");
    return ok;
}

static bool quantifier(struct regex *p, uint32_t *min, uint32_t *max)
{
    int c = peek(p, 0);
    *min = c == '+';
    *max = c == '?' ? 1 : DRAFT_ENDLESS;
    if (c == '{') {
        if (!braces(p, min, max))
            return false;
    } else if (c == '*' || c == '+' || c == '?') {
        p->at++;
    } else {
        return false;
    }
    if (peek(p, 0) == '?')
        p->at++; /* lazy: the same texts */
    else if (peek(p, 0) == '+')
        fail(p, ERR_UNSUPPORTED, "possessive quantifiers are not supported");
    return true;
}

/* ---- groups, sequences, alternatives --------------------------------------------------------- */

static void add_part(struct regex *p, struct parts *list, uint32_t expr)
{
    if (list->n == list->n_reserved) {
        size_t wanted = 2 * list->n_reserved + 8;
        uint32_t *grown = mem_resize(list->exprs, wanted * sizeof grown[0]);
        if (!grown) {
            fail(p, ERR_MEMORY, "out of memory");
            return;
        }
        list->exprs = grown;
        list->n_reserved = wanted;
    }
    list->exprs[list->n++] = expr;
}

static struct branches one(uint32_t expr)
{
    return (struct branches){.expr = {expr}};
}

static void group_head(struct regex *p)
{
    if (peek(p, 0) != '?')
        return;
    int c = peek(p, 1), next = peek(p, 2);
    if (c == ':') {
        p->at += 2;
    } else if ((c == '<' && next != '=' && next != '!') || (c == 'P' && next == '<')) {
        while (peek(p, 0) != '>' && peek(p, 0) != -1)
            p->at++;
        p->at++;
    } else if (c == '=' || c == '!' || c == '<') {
        fail(p, ERR_UNSUPPORTED, "look-around is not supported");
    } else if (c == '>') {
        fail(p, ERR_UNSUPPORTED, "atomic groups are not supported");
    } else {
        fail(p, ERR_UNSUPPORTED, "flags in groups are not supported");
    }
}

static struct branches group(struct regex *p)
{
    p->at++;
    if (++p->n_groups > GROUPS_MAX)
        fail(p, ERR_LIMIT, "more than 200 groups are open");
    group_head(p);
    struct branches made = alternatives(p);
    p->n_groups--;
    if (peek(p, 0) != ')')
        fail(p, ERR_FORMAT, "a \")\" is missing");
    p->at++;
    return made;
}

static struct branches atom(struct regex *p)
{
    const struct code_range *ranges;
    size_t n;
    bool negated;
    int c = peek(p, 0);
    switch (c) {
    case '(':
        return group(p);
    case '[':
        return one(class(p));
    case '.':
        p->at++;
        return one(class_expr(p, line_ends, 3, true));
    case '^':
        p->at++;
        return (struct branches){.expr = {[HELD_BEGIN] = DRAFT_EMPTY}};
    case '$':
        p->at++;
        return (struct branches){.expr = {[HELD_END] = DRAFT_EMPTY}};
    case '*':
    case '+':
    case '?':
        fail(p, ERR_FORMAT, "a quantifier has nothing to repeat");
        return one(DRAFT_NOTHING);
    default:
        if (class_escape(p, &ranges, &n, &negated))
            return one(class_expr(p, ranges, n, negated));
        return one(char_expr(p, character(p, false)));
    }
}

static bool is_held(const struct branches *b)
{
    return b->expr[1] || b->expr[2] || b->expr[3];
}

/* Each of left followed by each of right. */
static struct branches joined(struct regex *p, const struct branches *left,
                              const struct branches *right)
{
    struct branches made = {{0}};
    for (int i = 0; i < HELD_KINDS; i++)
        for (int k = 0; k < HELD_KINDS; k++) {
            uint32_t a = left->expr[i], b = right->expr[k], *to = &made.expr[i | k];
            if (!a || !b)
                continue;
            if (((k & HELD_BEGIN) && a != DRAFT_EMPTY) || ((i & HELD_END) && b != DRAFT_EMPTY))
                fail(p, ERR_UNSUPPORTED, "^ and $ are supported at the ends of alternatives only");
            uint32_t both = a == DRAFT_EMPTY ? b : b == DRAFT_EMPTY ? a : DRAFT_SEQ(p->d, a, b);
            *to = *to ? DRAFT_ALT(p->d, *to, both) : both;
        }
    return made;
}

/* Appends the parts gathered so far. */
static void flush(struct regex *p, struct branches *all, struct parts *parts)
{
    struct branches next = one(draft_seq(p->d, parts->exprs, parts->n));
    if (parts->n > 0 && next.expr[0] == DRAFT_NOTHING)
        *all = one(DRAFT_NOTHING); /* an empty class: nothing matches */
    else
        *all = joined(p, all, &next);
    parts->n = 0;
}

static struct branches sequence(struct regex *p)
{
    struct branches all = one(DRAFT_EMPTY);
    struct parts parts = {0};
    uint32_t min, max;
    while (!p->d->rc && peek(p, 0) != -1 && peek(p, 0) != '|' && peek(p, 0) != ')') {
        struct branches next = atom(p);
        if (!p->d->rc && quantifier(p, &min, &max)) {
            if (is_held(&next))
                fail(p, ERR_UNSUPPORTED, "^ or $ cannot be repeated");
            next = one(draft_repeat(p->d, next.expr[0], min, max));
        }
        if (is_held(&next)) {
            flush(p, &all, &parts);
            all = joined(p, &all, &next);
        } else {
            add_part(p, &parts, next.expr[0]);
        }
    }
    flush(p, &all, &parts);
    mem_free(parts.exprs);
    return all;
}

static struct branches alternatives(struct regex *p)
{
    struct parts parts[HELD_KINDS] = {{0}};
    struct branches all;
    for (bool more = true; more; p->at += more) {
        struct branches next = sequence(p);
        for (int i = 0; i < HELD_KINDS; i++)
            if (next.expr[i])
                add_part(p, &parts[i], next.expr[i]);
        more = !p->d->rc && peek(p, 0) == '|';
    }
    for (int i = 0; i < HELD_KINDS; i++) {
        all.expr[i] = draft_alt(p->d, parts[i].exprs, parts[i].n);
        mem_free(parts[i].exprs);
    }
    return all;
}

uint32_t regex_expr(struct draft *d, struct str text, struct regex_form form)
{
    struct regex p = {.d = d, .text = text, .form = form};
    uint32_t exprs[HELD_KINDS];
    if (text.len > REGEX_BYTES_MAX)
        draft_fail(d, ERR_LIMIT, "the regular expression has %zu bytes, at most %d", text.len,
                   REGEX_BYTES_MAX);
    p.ranges = mem_array(CLASS_RANGES_MAX, sizeof p.ranges[0]);
    if (!p.ranges)
        draft_fail(d, ERR_MEMORY, "out of memory for a regular expression");
    struct branches all = d->rc ? one(DRAFT_NOTHING) : alternatives(&p);
    if (!d->rc && p.at < text.len)
        fail(&p, ERR_FORMAT, "a \")\" closes nothing");
    mem_free(p.ranges);
    if (d->rc)
        return DRAFT_NOTHING;
    uint32_t rest = draft_repeat(d, class_expr(&p, NULL, 0, true), 0, DRAFT_ENDLESS);
    for (int i = 0; i < HELD_KINDS; i++)
        exprs[i] = !form.searches ? all.expr[i]
                                  : DRAFT_SEQ(d, i & HELD_BEGIN ? DRAFT_EMPTY : rest, all.expr[i],
                                              i & HELD_END ? DRAFT_EMPTY : rest);
    return draft_alt(d, exprs, HELD_KINDS);
}

uint32_t draft_regex(struct draft *d, struct str text)
{
    return regex_expr(d, text, (struct regex_form){0});
}

enum err grammar_from_regex(struct str text, const struct grammar_limits *limits,
                            struct grammar **out, struct err_note *note)
{
    struct draft d;
    draft_init(&d);
    uint32_t expr = draft_regex(&d, text);
    return grammar_from_expr(&d, expr, limits, out, note);
}
