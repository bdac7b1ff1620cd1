/* gbnf.c - GBNF, the grammar notation of llama.cpp:
 *
 *     name ::= "text" [a-z\x20] . ( ... | ... ) name * + ? {m} {m,} {m,n}   # comment
 *
 * A rule ends with its line, unless a parenthesis is open or the line ends with ::= or |; here a
 * line may also begin with |. Characters are code points; escapes: \xHH \uHHHH \UHHHHHHHH \n \r \t
 * \\ \" \[ \]. Tokens by name or number (<...>) are refused. */
#include "base/buf.h"
#include "base/mem.h"
#include "grammar/grammar.h"

enum { GROUPS_MAX = 200, REPEAT_MAX = 100000, TEXT_MAX = 1 << 20, RULES_MAX = 20000 };

struct gbnf {
    struct draft *d;
    struct str text;
    size_t at;
    int n_groups; /* open */
};

/* A growing list of expressions: the parts of a sequence, or of alternatives. */
struct parts {
    uint32_t *exprs;
    size_t n, n_reserved;
};

static uint32_t alternatives(struct gbnf *p);

static void fail(struct gbnf *p, enum err rc, const char *what)
{
    size_t line = 1, begin = 0;
    for (size_t i = 0; i < p->at && i < p->text.len; i++)
        if (p->text.ptr[i] == '\n') {
            line++;
            begin = i + 1;
        }
    draft_fail(p->d, rc, "grammar, line %zu, column %zu: %s", line, p->at - begin + 1, what);
}

static int peek(const struct gbnf *p, size_t ahead)
{
    return p->at + ahead < p->text.len ? (uint8_t)p->text.ptr[p->at + ahead] : -1;
}

static void skip_space(struct gbnf *p, bool lines)
{
    for (;;) {
        int c = peek(p, 0);
        if (c == '#')
            while (peek(p, 0) != -1 && peek(p, 0) != '\n' && peek(p, 0) != '\r')
                p->at++;
        else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r')))
            p->at++;
        else
            return;
    }
}

static void add_part(struct gbnf *p, struct parts *list, uint32_t expr)
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

static bool is_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static struct str name(struct gbnf *p)
{
    size_t from = p->at;
    while (is_name(peek(p, 0)))
        p->at++;
    return str_sub(p->text, from, p->at);
}

static uint32_t rule_of(struct gbnf *p, struct str name)
{
    for (uint32_t i = 0; i < p->d->n_rules; i++)
        if (p->d->rules[i].name && str_is(name, p->d->rules[i].name))
            return i;
    if (p->d->n_rules == RULES_MAX)
        fail(p, ERR_LIMIT, "more than 20000 rules");
    return draft_rule(p->d, name);
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static uint32_t hex(struct gbnf *p, int n_digits)
{
    uint32_t value = 0;
    for (int i = 0; i < n_digits; i++) {
        int digit = hex_digit(peek(p, 0));
        if (digit < 0) {
            fail(p, ERR_FORMAT, "an escape needs more hexadecimal digits");
            return 0;
        }
        value = value << 4 | (uint32_t)digit;
        p->at++;
    }
    if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        fail(p, ERR_FORMAT, "an escape names no character");
    return value;
}

static uint32_t escaped(struct gbnf *p)
{
    int c = peek(p, 0);
    p->at++;
    switch (c) {
    case 'x':
        return hex(p, 2);
    case 'u':
        return hex(p, 4);
    case 'U':
        return hex(p, 8);
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-':
    case '^':
        return (uint32_t)c;
    default:
        p->at--;
        fail(p, ERR_FORMAT, "an escape that GBNF does not know");
        return 0;
    }
}

static uint32_t character(struct gbnf *p)
{
    uint32_t code;
    if (peek(p, 0) == '\\') {
        p->at++;
        return escaped(p);
    }
    int n = utf8_decode(p->text.ptr + p->at, p->text.len - p->at, &code);
    if (n == 0) {
        fail(p, ERR_FORMAT, p->at < p->text.len ? "not UTF-8" : "the grammar ends within a text");
        return 0;
    }
    p->at += (size_t)n;
    return code;
}

static uint32_t literal(struct gbnf *p)
{
    struct buf text;
    buf_init(&text, 4 * (size_t)TEXT_MAX);
    p->at++;
    while (!p->d->rc && peek(p, 0) != '"') {
        char bytes[4];
        buf_add(&text, bytes, (size_t)utf8_encode(character(p), bytes));
    }
    p->at++;
    if (text.failed)
        fail(p, ERR_MEMORY, "out of memory");
    uint32_t made = draft_literal(p->d, (struct str){text.bytes, text.n_bytes});
    buf_release(&text);
    return made;
}

static uint32_t class(struct gbnf *p)
{
    struct code_range *ranges = NULL;
    size_t n = 0, n_reserved = 0;
    p->at++;
    bool negated = peek(p, 0) == '^';
    p->at += negated;
    while (!p->d->rc && peek(p, 0) != ']') {
        struct code_range r = {.low = character(p)};
        r.high = r.low;
        if (peek(p, 0) == '-' && peek(p, 1) != ']') {
            p->at++;
            r.high = character(p);
            if (r.high < r.low)
                fail(p, ERR_FORMAT, "a range of characters runs backwards");
        }
        if (n == n_reserved) {
            n_reserved = 2 * n_reserved + 8;
            struct code_range *grown = mem_resize(ranges, n_reserved * sizeof grown[0]);
            if (!grown) {
                fail(p, ERR_MEMORY, "out of memory");
                break;
            }
            ranges = grown;
        }
        ranges[n++] = r;
    }
    p->at++;
    uint32_t made = draft_class(p->d, ranges, n, negated);
    mem_free(ranges);
    return made;
}

static uint32_t group(struct gbnf *p)
{
    p->at++;
    if (++p->n_groups > GROUPS_MAX)
        fail(p, ERR_LIMIT, "more than 200 parentheses are open");
    uint32_t made = alternatives(p);
    p->n_groups--;
    skip_space(p, true);
    if (peek(p, 0) != ')')
        fail(p, ERR_FORMAT, "a \")\" is missing");
    p->at++;
    return made;
}

static uint32_t count(struct gbnf *p)
{
    uint32_t value = 0;
    size_t from = p->at;
    for (; peek(p, 0) >= '0' && peek(p, 0) <= '9'; p->at++) {
        value = 10 * value + (uint32_t)(peek(p, 0) - '0');
        if (value > REPEAT_MAX) {
            fail(p, ERR_LIMIT, "a repetition count is over 100000");
            return 0;
        }
    }
    if (p->at == from)
        fail(p, ERR_FORMAT, "a repetition needs a number");
    return value;
}

static uint32_t counted(struct gbnf *p, uint32_t item)
{
    p->at++;
    skip_space(p, p->n_groups > 0);
    uint32_t min = count(p), max = min;
    skip_space(p, p->n_groups > 0);
    if (peek(p, 0) == ',') {
        p->at++;
        skip_space(p, p->n_groups > 0);
        max = peek(p, 0) == '}' ? DRAFT_ENDLESS : count(p);
        skip_space(p, p->n_groups > 0);
    }
    if (peek(p, 0) != '}')
        fail(p, ERR_FORMAT, "a \"}\" is missing");
    else if (max < min)
        fail(p, ERR_FORMAT, "a repetition's maximum is below its minimum");
    p->at++;
    return draft_repeat(p->d, item, min, max);
}

static uint32_t repeated(struct gbnf *p, uint32_t item)
{
    for (;;) {
        skip_space(p, p->n_groups > 0);
        int c = peek(p, 0);
        if (p->d->rc)
            return DRAFT_NOTHING;
        if (c == '{')
            item = counted(p, item);
        else if (c == '*' || c == '+' || c == '?') {
            item = draft_repeat(p->d, item, c == '+', c == '?' ? 1 : DRAFT_ENDLESS);
            p->at++;
        } else
            return item;
    }
}

/* One item, or false where a sequence ends. */
static bool item(struct gbnf *p, uint32_t *made)
{
    int c = peek(p, 0);
    if (p->d->rc)
        return false;
    if (c == '"') {
        *made = literal(p);
    } else if (c == '[') {
        *made = class(p);
    } else if (c == '.') {
        p->at++;
        *made = draft_class(p->d, NULL, 0, true);
    } else if (c == '(') {
        *made = group(p);
    } else if (is_name(c)) {
        *made = draft_ref(p->d, rule_of(p, name(p)));
    } else {
        if (c == '<' || c == '!')
            fail(p, ERR_UNSUPPORTED, "tokens cannot be named in a grammar here; write their text");
        else if (c != -1 && c != '|' && c != ')' && c != '\n' && c != '\r')
            fail(p, ERR_FORMAT, "a character that begins nothing");
        return false;
    }
    return true;
}

static uint32_t sequence(struct gbnf *p)
{
    struct parts parts = {0};
    uint32_t made;
    skip_space(p, p->n_groups > 0);
    while (item(p, &made))
        add_part(p, &parts, repeated(p, made));
    made = draft_seq(p->d, parts.exprs, parts.n);
    mem_free(parts.exprs);
    return made;
}

static uint32_t alternatives(struct gbnf *p)
{
    struct parts parts = {0};
    add_part(p, &parts, sequence(p));
    while (!p->d->rc) {
        size_t end = p->at;
        skip_space(p, true); /* a line may begin with | */
        if (peek(p, 0) != '|') {
            p->at = end;
            break;
        }
        p->at++;
        skip_space(p, true);
        add_part(p, &parts, sequence(p));
    }
    uint32_t made = draft_alt(p->d, parts.exprs, parts.n);
    mem_free(parts.exprs);
    return made;
}

static void rule(struct gbnf *p)
{
    struct str own = name(p);
    if (own.len == 0) {
        fail(p, ERR_FORMAT, "a rule's name should stand here");
        return;
    }
    uint32_t number = rule_of(p, own);
    if (p->d->rc)
        return;
    if (p->d->rules[number].is_set) {
        fail(p, ERR_FORMAT, "this rule is defined twice");
        return;
    }
    skip_space(p, false);
    if (peek(p, 0) != ':' || peek(p, 1) != ':' || peek(p, 2) != '=') {
        fail(p, ERR_FORMAT, "\"::=\" should stand here");
        return;
    }
    p->at += 3;
    skip_space(p, true);
    draft_set(p->d, number, alternatives(p));
    int c = peek(p, 0);
    if (c != '\n' && c != '\r' && c != -1)
        fail(p, ERR_FORMAT, "the rule should end here");
    skip_space(p, true);
}

uint32_t draft_gbnf(struct draft *d, struct str text)
{
    struct gbnf p = {.d = d, .text = text};
    if (text.len > TEXT_MAX)
        draft_fail(d, ERR_LIMIT, "the grammar has %zu bytes, at most %d", text.len, TEXT_MAX);
    skip_space(&p, true);
    while (!d->rc && p.at < text.len)
        rule(&p);
    if (d->rc)
        return DRAFT_NOTHING;
    uint32_t root = rule_of(&p, STR("root"));
    if (!d->rc && !d->rules[root].is_set)
        draft_fail(d, ERR_FORMAT, "the grammar has no rule \"root\"");
    return d->rc ? DRAFT_NOTHING : draft_ref(d, root);
}

enum err grammar_from_gbnf(struct str text, const struct grammar_limits *limits,
                           struct grammar **out, struct err_note *note)
{
    struct draft d;
    draft_init(&d);
    uint32_t expr = draft_gbnf(&d, text);
    return grammar_from_expr(&d, expr, limits, out, note);
}
