/* grammar_walk.h - for fuzzers: a matcher led through a grammar by the input's own bytes. */
#ifndef LIB_GRAMMAR_WALK_H
#define LIB_GRAMMAR_WALK_H

#include "base/check.h"
#include "grammar/matcher.h"

enum { WALK_TOKENS = 256 + 1 + 6, WALK_STEPS = 24 };

static const struct grammar_limits walk_limits = {.n_steps_max = 300 * 1000,
                                                  .n_states_max = 20 * 1000};

static inline struct grammar_vocab *walk_vocab(void)
{
    static char bytes[256];
    static const char *const more[6] = {"{\"", "\":", "\",\"", "aaaa", "[[", "\xe2\x82\xac"};
    struct str tokens[WALK_TOKENS];
    struct grammar_vocab *v = NULL;
    const int32_t end = 256;
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)i;
        tokens[i] = (struct str){bytes + i, 1};
    }
    tokens[256] = STR("");
    for (int i = 0; i < 6; i++)
        tokens[257 + i] = str_from(more[i]);
    CHECK(grammar_vocab_new(tokens, WALK_TOKENS, WALK_TOKENS, &end, 1, &v, NULL) == ERR_OK);
    return v;
}

/* Takes g over. Each step accepts an allowed token, which the bytes choose. */
static inline void grammar_walk(struct grammar *g, const uint8_t *bytes, size_t n_bytes)
{
    static struct grammar_vocab *v;
    struct matcher *m;
    uint32_t bits[(WALK_TOKENS + 31) / 32];
    if (!v)
        v = walk_vocab();
    if (matcher_new(g, v, &m, NULL) == ERR_OK) {
        for (size_t i = 0; i < WALK_STEPS && !matcher_has_ended(m); i++) {
            struct err_note note = {""};
            if (matcher_mask(m, bits, &note)) {
                CHECK(note.text[0]);
                break;
            }
            uint32_t t = (n_bytes ? bytes[i * 7 % n_bytes] : 0) + (uint32_t)i;
            for (t %= WALK_TOKENS; !(bits[t / 32] >> t % 32 & 1);)
                t = (t + 1) % WALK_TOKENS;
            (void)matcher_accept(m, (int32_t)t);
        }
        matcher_free(m);
    }
    grammar_free(g);
}

#endif
