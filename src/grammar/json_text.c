/* json_text.c - values, strings and numbers of JSON (RFC 8259) as expressions. */
#include "grammar/json_text.h"

#include "base/buf.h"
#include "base/mem.h"
#include "grammar/grammar.h"

enum { INDENT_MAX = 40, SPELLED_MAX = 1 << 22 };

/* The escape of a character that must have one, or 0. */
static size_t escape_of(uint32_t code, char out[6])
{
    static const char letters[] = "btn\0fr";
    static const char hex[] = "0123456789abcdef";
    if (code >= 0x20 && code != '"' && code != '\\')
        return 0;
    out[0] = '\\';
    if (code >= 8 && code <= 13 && code != 11) {
        out[1] = letters[code - 8];
        return 2;
    }
    if (code >= 0x20) {
        out[1] = (char)code;
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = hex[code >> 4];
    out[5] = hex[code & 15];
    return 6;
}

uint32_t json_class(struct draft *d, const struct code_range *ranges, size_t n, bool negated)
{
    static const struct code_range escaped[] = {{0, 0x1f}, {'"', '"'}, {'\\', '\\'}};
    uint32_t class = draft_class(d, ranges, n, negated), parts[36];
    size_t n_parts = 1;
    if (class == DRAFT_NOTHING)
        return class;
    const struct expr e = d->exprs[class];
    for (size_t i = 0; i < 3; i++)
        for (uint32_t code = escaped[i].low; code <= escaped[i].high; code++) {
            bool has = false;
            for (uint32_t k = 0; k < e.n && !has; k++)
                has = d->links[e.first + 2 * k] <= code && code <= d->links[e.first + 2 * k + 1];
            char text[6];
            if (has)
                parts[n_parts++] = draft_literal(d, (struct str){text, escape_of(code, text)});
        }
    if (n_parts == 1)
        return class;
    /* What is left of the class: the complement of its complement and the escaped ones. */
    struct code_range *rest = mem_array(e.n + 4, sizeof rest[0]);
    if (!rest) {
        draft_fail(d, ERR_MEMORY, "out of memory for a class of characters");
        return DRAFT_NOTHING;
    }
    size_t n_rest = 0;
    uint32_t next = 0;
    for (uint32_t k = 0; k < e.n; k++) {
        uint32_t low = d->links[e.first + 2 * k];
        if (low > next)
            rest[n_rest++] = (struct code_range){next, low - 1};
        next = d->links[e.first + 2 * k + 1] + 1;
    }
    if (next <= 0x10ffff)
        rest[n_rest++] = (struct code_range){next, 0x10ffff};
    memcpy(rest + n_rest, escaped, sizeof escaped);
    parts[0] = draft_class(d, rest, n_rest + 3, true);
    mem_free(rest);
    return draft_alt(d, parts, n_parts);
}

uint32_t json_spelled(struct draft *d, struct str text)
{
    struct buf spelled;
    buf_init(&spelled, SPELLED_MAX);
    for (size_t i = 0; i < text.len; i++) {
        char escape[6];
        size_t n = escape_of((uint8_t)text.ptr[i], escape);
        buf_add(&spelled, n ? escape : text.ptr + i, n ? n : 1);
    }
    if (spelled.failed)
        draft_fail(d, ERR_LIMIT, "a text of %zu bytes is too long for a grammar", text.len);
    uint32_t made = draft_literal(d, (struct str){spelled.bytes, spelled.n_bytes});
    buf_release(&spelled);
    return made;
}

uint32_t json_quoted(struct draft *d, uint32_t content)
{
    uint32_t quote = draft_literal(d, STR("\""));
    return DRAFT_SEQ(d, quote, content, quote);
}

/* A character in any spelling that names one; halves of surrogate pairs only together. */
static uint32_t loose_char(struct draft *d)
{
    uint32_t raw = DRAFT_RANGES(d, true, {0, 0x1f}, {'"', '"'}, {'\\', '\\'});
    uint32_t hex = DRAFT_RANGES(d, false, {'0', '9'}, {'a', 'f'}, {'A', 'F'});
    uint32_t not_d =
        DRAFT_RANGES(d, false, {'0', '9'}, {'a', 'c'}, {'e', 'f'}, {'A', 'C'}, {'E', 'F'});
    uint32_t is_d = DRAFT_RANGES(d, false, {'d', 'd'}, {'D', 'D'});
    uint32_t low = DRAFT_RANGES(d, false, {'0', '7'});
    uint32_t first = DRAFT_RANGES(d, false, {'8', '9'}, {'a', 'b'}, {'A', 'B'});
    uint32_t second = DRAFT_RANGES(d, false, {'c', 'f'}, {'C', 'F'});
    uint32_t u = draft_literal(d, STR("u")), next = draft_literal(d, STR("\\u"));
    uint32_t simple = DRAFT_RANGES(d, false, {'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'},
                                   {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'});
    uint32_t escape = DRAFT_ALT(
        d, simple, DRAFT_SEQ(d, u, not_d, hex, hex, hex), DRAFT_SEQ(d, u, is_d, low, hex, hex),
        DRAFT_SEQ(d, u, is_d, first, hex, hex, next, is_d, second, hex, hex));
    return DRAFT_ALT(d, raw, DRAFT_SEQ(d, draft_literal(d, STR("\\")), escape));
}

static uint32_t rule_of(struct draft *d, const char *name, uint32_t expr)
{
    uint32_t rule = draft_rule(d, str_from(name));
    draft_set(d, rule, expr);
    return draft_ref(d, rule);
}

static void numbers(struct json_text *j)
{
    struct draft *d = j->d;
    uint32_t digit = DRAFT_RANGES(d, false, {'0', '9'});
    uint32_t digits = draft_repeat(d, digit, 1, DRAFT_ENDLESS);
    uint32_t leading =
        DRAFT_SEQ(d, DRAFT_RANGES(d, false, {'1', '9'}), draft_repeat(d, digit, 0, DRAFT_ENDLESS));
    uint32_t minus = draft_repeat(d, draft_literal(d, STR("-")), 0, 1);
    uint32_t sign = draft_repeat(d, DRAFT_RANGES(d, false, {'+', '+'}, {'-', '-'}), 0, 1);
    uint32_t exponent = DRAFT_SEQ(d, DRAFT_RANGES(d, false, {'e', 'e'}, {'E', 'E'}), sign, digits);
    uint32_t fraction = DRAFT_SEQ(d, draft_literal(d, STR(".")), digits);
    j->integer = DRAFT_SEQ(d, minus, DRAFT_ALT(d, draft_literal(d, STR("0")), leading));
    j->number =
        DRAFT_SEQ(d, j->integer, draft_repeat(d, fraction, 0, 1), draft_repeat(d, exponent, 0, 1));
}

void json_text_init(struct json_text *j, struct draft *d)
{
    *j = (struct json_text){.d = d};
    uint32_t indent =
        draft_repeat(d, DRAFT_RANGES(d, false, {' ', ' '}, {'\t', '\t'}), 0, INDENT_MAX);
    uint32_t space = DRAFT_ALT(d, DRAFT_EMPTY, draft_literal(d, STR(" ")),
                               DRAFT_SEQ(d, draft_literal(d, STR("\n")), indent));
    j->space = rule_of(d, "white space", space);
    j->loose = loose_char(d);
    j->exact = json_class(d, NULL, 0, true);
    j->string = rule_of(d, "a string", json_quoted(d, draft_repeat(d, j->loose, 0, DRAFT_ENDLESS)));
    numbers(j);
    uint32_t any = draft_rule(d, STR("a value"));
    j->any = draft_ref(d, any);
    uint32_t comma = DRAFT_SEQ(d, draft_literal(d, STR(",")), j->space);
    uint32_t pair = DRAFT_SEQ(d, j->string, draft_literal(d, STR(":")), j->space, j->any);
    uint32_t pairs =
        DRAFT_SEQ(d, pair, draft_repeat(d, DRAFT_SEQ(d, comma, pair), 0, DRAFT_ENDLESS), j->space);
    uint32_t items = DRAFT_SEQ(
        d, j->any, draft_repeat(d, DRAFT_SEQ(d, comma, j->any), 0, DRAFT_ENDLESS), j->space);
    j->object = rule_of(d, "an object",
                        DRAFT_SEQ(d, draft_literal(d, STR("{")), j->space,
                                  draft_repeat(d, pairs, 0, 1), draft_literal(d, STR("}"))));
    j->array = rule_of(d, "an array",
                       DRAFT_SEQ(d, draft_literal(d, STR("[")), j->space,
                                 draft_repeat(d, items, 0, 1), draft_literal(d, STR("]"))));
    draft_set(d, any,
              DRAFT_ALT(d, j->object, j->array, j->string, j->number, draft_literal(d, STR("true")),
                        draft_literal(d, STR("false")), draft_literal(d, STR("null"))));
}

uint32_t draft_json(struct draft *d, bool object)
{
    struct json_text j;
    json_text_init(&j, d);
    return object ? j.object : j.any;
}

enum err grammar_from_json(bool object, const struct grammar_limits *limits, struct grammar **out,
                           struct err_note *note)
{
    struct draft d;
    draft_init(&d);
    uint32_t expr = draft_json(&d, object);
    return grammar_from_expr(&d, expr, limits, out, note);
}
