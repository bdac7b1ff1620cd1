/* vocab.h - a tokenizer's tokens as bytes, arranged for grammars: made once, shared by matchers.
 *
 * Tokens stand in tries, numbered so that a trie's nodes are walked forwards and a subtree is
 * skipped by one jump. Tokens that are plain text within any JSON string (whole characters but
 * quote, backslash and controls; the last may be cut) stand in tries of their own by length: where
 * a grammar takes any such text, they are allowed without a look at each. Never changes. */
#ifndef GRAMMAR_VOCAB_H
#define GRAMMAR_VOCAB_H

#include "base/err.h"
#include "base/str.h"

enum {
    VOCAB_TRIES = 5, /* [0]: tokens that are not plain */
    VOCAB_TOKENS_MAX = 1 << 24,
    VOCAB_TOKEN_BYTES_MAX = 60000,
    PLAIN_ENDLESS = 1000, /* characters: more than any trie of plain tokens asks for but the last */
};

struct trie_node {
    uint32_t next;  /* the first node after this one's subtree */
    uint32_t first; /* into tokens: those that end here go up to the next node's first */
    uint16_t depth; /* bytes */
    uint8_t byte;
};

struct trie {
    struct trie_node *nodes; /* [n_nodes + 1]; node 0 is the empty text; the last is a sentinel */
    uint32_t n_nodes;
    uint32_t *tokens;
    uint32_t n_tokens;
    uint32_t n_chars_max; /* plain tries: of its tokens */
    uint32_t *bits;       /* plain tries: its tokens as a mask */
};

struct grammar_vocab {
    uint32_t n_vocab, n_words; /* n_words: of a mask */
    char *bytes;
    uint32_t *first; /* [n_vocab + 1] into bytes; a token without bytes is never allowed */
    struct trie tries[VOCAB_TRIES];
    uint32_t *end_bits; /* the tokens that end an answer */
    uint32_t n_bytes_token_max;
};

/* grammar_vocab_new - tokens[n_tokens] as they read in an answer: empty for control tokens. n_vocab
 * >= n_tokens is the model's: the ids between spell nothing. ends: the ids that end an answer. */
enum err grammar_vocab_new(const struct str *tokens, uint32_t n_tokens, uint32_t n_vocab,
                           const int32_t *ends, uint32_t n_ends, struct grammar_vocab **out,
                           struct err_note *note);
void grammar_vocab_free(struct grammar_vocab *v); /* NULL is fine */

static inline struct str vocab_token(const struct grammar_vocab *v, uint32_t token)
{
    return (struct str){v->bytes + v->first[token], v->first[token + 1] - v->first[token]};
}

/* plain_next - of an automaton for plain text: the state after a byte; PLAIN_WHOLE between
 * characters; -1: the byte is not plain text there. */
enum { PLAIN_WHOLE = 0, PLAIN_STATES = 8 };
int plain_next(int state, uint8_t byte);

#endif
