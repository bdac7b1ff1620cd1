/* probe.h - does a grammar match a text: by bytes, through masks, and in other cuts into tokens. */
#ifndef LIB_PROBE_H
#define LIB_PROBE_H

#include "grammar/matcher.h"
#include "lib/test.h"

enum { PROBE_END = 256, PROBE_TOKENS = 300 };

struct probe {
    struct grammar *grammar;
    struct grammar_vocab *vocab;
    struct matcher *matcher;
};

/* Every byte, one end token, and some texts across the borders that grammars have. */
static inline struct grammar_vocab *probe_vocab(void)
{
    static const char *const more[] = {"{\"",      "\":",
                                       "\",",      "\"}",
                                       "}}",       "]}",
                                       "\",\"",    "null",
                                       "true",     "fals",
                                       "e,",       "[[",
                                       "]]",       "aa",
                                       "ab",       "a\"",
                                       "12",       ".5",
                                       "e+",       "\n ",
                                       "  ",       "\\\"",
                                       "\\u0",     "00",
                                       "\":\"",    "\":{\"",
                                       "\xc3\xa9", "\xa9",
                                       "\xf0\x9f", "\x98\x80",
                                       "abc",      "://",
                                       "-0",       "\xe2\x82\xac\xc3"};
    struct str tokens[PROBE_END + 1 + COUNT_OF(more)];
    static char bytes[256];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
        tokens[i] = (struct str){bytes + i, 1};
    }
    tokens[PROBE_END] = STR("");
    for (size_t i = 0; i < COUNT_OF(more); i++)
        tokens[PROBE_END + 1 + i] = str_from(more[i]);
    const int32_t end = PROBE_END;
    struct grammar_vocab *v;
    assert_ok(grammar_vocab_new(tokens, COUNT_OF(tokens), PROBE_TOKENS, &end, 1, &v, NULL));
    return v;
}

/* Takes g over. */
static inline struct probe probe_open(struct grammar *g)
{
    struct probe p = {.grammar = g, .vocab = probe_vocab()};
    assert_ok(matcher_new(g, p.vocab, &p.matcher, NULL));
    return p;
}

static inline void probe_close(struct probe *p)
{
    matcher_free(p->matcher);
    grammar_vocab_free(p->vocab);
    grammar_free(p->grammar);
}

/* Byte by byte, each of them looked up in the mask first. */
static inline bool probe_bytes(struct probe *p, struct str text)
{
    matcher_reset(p->matcher);
    for (size_t i = 0; i <= text.len; i++) {
        uint32_t bits[(PROBE_TOKENS + 31) / 32];
        struct err_note note = {""};
        int32_t token = i < text.len ? (uint8_t)text.ptr[i] : PROBE_END;
        enum err rc = matcher_mask(p->matcher, bits, &note);
        if (rc)
            fail_msg("%s", note.text);
        bool allowed = bits[token / 32] >> token % 32 & 1;
        if (matcher_may_end(p->matcher) != (bits[PROBE_END / 32] >> PROBE_END % 32 & 1))
            fail_msg("the end token and may_end disagree");
        if (allowed != matcher_accept(p->matcher, token))
            fail_msg("mask and accept disagree at byte %zu of %.*s", i, STR_ARG(text));
        if (!allowed)
            return false;
    }
    return true;
}

/* In tokens as long as possible, or as a seed chooses. */
static inline bool probe_tokens(struct probe *p, struct str text, uint64_t seed)
{
    matcher_reset(p->matcher);
    for (size_t at = 0; at < text.len;) {
        int32_t best = (uint8_t)text.ptr[at];
        for (int32_t t = PROBE_END + 1; t < PROBE_TOKENS; t++) {
            struct str token = vocab_token(p->vocab, (uint32_t)t);
            if (token.len && str_starts(str_sub(text, at, text.len), token) &&
                (seed == 0 || test_rand(&seed) % 2))
                best = t;
        }
        uint32_t bits[(PROBE_TOKENS + 31) / 32];
        if (matcher_mask(p->matcher, bits, NULL) || !(bits[best / 32] >> best % 32 & 1))
            return false;
        assert_true(matcher_accept(p->matcher, best));
        at += vocab_token(p->vocab, (uint32_t)best).len;
    }
    return matcher_may_end(p->matcher);
}

static inline bool probe_matches(struct probe *p, struct str text)
{
    bool matches = probe_bytes(p, text);
    for (uint64_t seed = 0; seed < 3; seed++)
        if (probe_tokens(p, text, seed) != matches)
            fail_msg("in tokens, %.*s does not do as in bytes", STR_ARG(text));
    return matches;
}

/* A table's rows: a grammar, texts that it matches, texts that it does not; NULL ends each. */
struct probe_case {
    const char *grammar;
    const char *yes[16], *no[20];
};

typedef enum err probe_compile(struct str text, const struct grammar_limits *limits,
                               struct grammar **out, struct err_note *note);

static inline void probe_case(const struct probe_case *c, probe_compile *compile)
{
    struct grammar *g;
    struct err_note note = {""};
    if (compile(str_from(c->grammar), NULL, &g, &note))
        fail_msg("%s: %s", c->grammar, note.text);
    struct probe p = probe_open(g);
    for (size_t i = 0; i < COUNT_OF(c->yes) && c->yes[i]; i++)
        if (!probe_matches(&p, str_from(c->yes[i])))
            fail_msg("%s does not match %s", c->grammar, c->yes[i]);
    for (size_t i = 0; i < COUNT_OF(c->no) && c->no[i]; i++)
        if (probe_matches(&p, str_from(c->no[i])))
            fail_msg("%s matches %s", c->grammar, c->no[i]);
    probe_close(&p);
}

/* An input that is refused, and what its note says. */
struct probe_refusal {
    const char *grammar;
    enum err rc;
    const char *says;
};

static inline void probe_refusal(const struct probe_refusal *c, probe_compile *compile)
{
    struct grammar *g;
    struct err_note note = {""};
    enum err rc = compile(str_from(c->grammar), NULL, &g, &note);
    if (rc != c->rc || !strstr(note.text, c->says) || g)
        fail_msg("%s: %s \"%s\", not %s \"%s\"", c->grammar, err_name(rc), note.text,
                 err_name(c->rc), c->says);
}

#endif
