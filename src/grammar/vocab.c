/* vocab.c - tokens sorted into tries. */
#include "grammar/vocab.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

/* States 1 to 3 want so many continuation bytes; 4 to 7 stand after E0, ED, F0, F4. */
int plain_next(int state, uint8_t byte)
{
    static const struct {
        uint8_t low, high, next;
    } rest[PLAIN_STATES] = {
        [1] = {0x80, 0xbf, 0}, [2] = {0x80, 0xbf, 1}, [3] = {0x80, 0xbf, 2}, [4] = {0xa0, 0xbf, 1},
        [5] = {0x80, 0x9f, 1}, [6] = {0x90, 0xbf, 2}, [7] = {0x80, 0x8f, 2}};
    if (state != PLAIN_WHOLE)
        return byte >= rest[state].low && byte <= rest[state].high ? rest[state].next : -1;
    if (byte < 0x80)
        return byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f ? PLAIN_WHOLE : -1;
    if (byte >= 0xc2 && byte <= 0xdf)
        return 1;
    if (byte >= 0xe0 && byte <= 0xef)
        return byte == 0xe0 ? 4 : byte == 0xed ? 5 : 2;
    if (byte >= 0xf0 && byte <= 0xf4)
        return byte == 0xf0 ? 6 : byte == 0xf4 ? 7 : 3;
    return -1;
}

/* The trie that a token belongs to. */
static int trie_of(struct str token, uint32_t *n_chars)
{
    static const uint32_t lengths[VOCAB_TRIES] = {0, 4, 8, 16, UINT32_MAX};
    int state = PLAIN_WHOLE, trie = 1;
    *n_chars = 0;
    for (size_t i = 0; i < token.len; i++) {
        *n_chars += state == PLAIN_WHOLE;
        state = plain_next(state, (uint8_t)token.ptr[i]);
        if (state < 0)
            return 0;
    }
    while (*n_chars > lengths[trie])
        trie++;
    return trie;
}

static int by_bytes(const void *a, const void *b, void *vocab)
{
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    struct str x = vocab_token(vocab, i), y = vocab_token(vocab, k);
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    if (order)
        return order;
    if (x.len != y.len)
        return x.len < y.len ? -1 : 1;
    return (i > k) - (i < k);
}

static size_t common(struct str a, struct str b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.ptr[n] == b.ptr[n])
        n++;
    return n;
}

/* Lays out t->tokens, which are sorted. path: scratch for the nodes above, by depth. */
static bool build_trie(struct grammar_vocab *v, struct trie *t, uint32_t *path)
{
    struct str last = {"", 0};
    size_t n_nodes = 1;
    for (uint32_t i = 0; i < t->n_tokens; i++) {
        struct str token = vocab_token(v, t->tokens[i]);
        n_nodes += token.len - common(last, token);
        last = token;
    }
    t->nodes = mem_array(n_nodes + 1, sizeof t->nodes[0]);
    if (!t->nodes)
        return false;
    last = STR("");
    path[0] = 0;
    t->n_nodes = 1;
    for (uint32_t i = 0; i < t->n_tokens; i++) {
        struct str token = vocab_token(v, t->tokens[i]);
        size_t n_common = common(last, token);
        for (size_t depth = n_common + 1; depth <= last.len; depth++)
            t->nodes[path[depth]].next = t->n_nodes;
        for (size_t depth = n_common + 1; depth <= token.len; depth++) {
            path[depth] = t->n_nodes;
            t->nodes[t->n_nodes++] = (struct trie_node){
                .first = i, .depth = (uint16_t)depth, .byte = (uint8_t)token.ptr[depth - 1]};
        }
        last = token;
    }
    for (size_t depth = 0; depth <= last.len; depth++)
        t->nodes[path[depth]].next = t->n_nodes;
    t->nodes[t->n_nodes] = (struct trie_node){.first = t->n_tokens};
    return true;
}

static bool build_tries(struct grammar_vocab *v)
{
    uint32_t *sorted = mem_array(v->n_vocab, sizeof sorted[0]), n = 0, n_chars;
    uint32_t *path = mem_array((size_t)v->n_bytes_token_max + 1, sizeof path[0]);
    bool ok = sorted && path;
    for (uint32_t t = 0; ok && t < v->n_vocab; t++)
        if (vocab_token(v, t).len > 0)
            sorted[n++] = t;
    if (ok)
        qsort_r(sorted, n, sizeof sorted[0], by_bytes, v);
    for (int k = 0; ok && k < VOCAB_TRIES; k++) {
        struct trie *t = &v->tries[k];
        t->tokens = mem_array((size_t)n + 1, sizeof t->tokens[0]);
        t->bits = mem_array(v->n_words, sizeof t->bits[0]);
        ok = t->tokens && t->bits;
        for (uint32_t i = 0; ok && i < n; i++) {
            if (trie_of(vocab_token(v, sorted[i]), &n_chars) != k)
                continue;
            t->tokens[t->n_tokens++] = sorted[i];
            t->bits[sorted[i] / 32] |= 1u << sorted[i] % 32;
            t->n_chars_max = n_chars > t->n_chars_max ? n_chars : t->n_chars_max;
        }
        ok = ok && build_trie(v, t, path);
    }
    v->tries[VOCAB_TRIES - 1].n_chars_max = PLAIN_ENDLESS;
    mem_free(sorted);
    mem_free(path);
    return ok;
}

static enum err copy_tokens(struct grammar_vocab *v, const struct str *tokens, uint32_t n_tokens,
                            struct err_note *note)
{
    size_t n_bytes = 0;
    for (uint32_t t = 0; t < n_tokens; t++) {
        if (tokens[t].len > VOCAB_TOKEN_BYTES_MAX)
            return err_set(note, ERR_LIMIT, "token %u has %zu bytes; grammars take at most %d", t,
                           tokens[t].len, VOCAB_TOKEN_BYTES_MAX);
        n_bytes += tokens[t].len;
        if (tokens[t].len > v->n_bytes_token_max)
            v->n_bytes_token_max = (uint32_t)tokens[t].len;
    }
    if (n_bytes > UINT32_MAX)
        return err_set(note, ERR_LIMIT, "the tokens have %zu bytes together, at most 4 GiB",
                       n_bytes);
    v->bytes = mem_alloc(n_bytes + 1);
    v->first = mem_array((size_t)v->n_vocab + 1, sizeof v->first[0]);
    v->end_bits = mem_array(v->n_words, sizeof v->end_bits[0]);
    if (!v->bytes || !v->first || !v->end_bits)
        return err_set(note, ERR_MEMORY, "out of memory for the tokens of a grammar");
    uint32_t at = 0;
    for (uint32_t t = 0; t < v->n_vocab; t++) {
        v->first[t] = at;
        if (t >= n_tokens)
            continue;
        if (tokens[t].len)
            memcpy(v->bytes + at, tokens[t].ptr, tokens[t].len);
        at += (uint32_t)tokens[t].len;
    }
    v->first[v->n_vocab] = at;
    return ERR_OK;
}

enum err grammar_vocab_new(const struct str *tokens, uint32_t n_tokens, uint32_t n_vocab,
                           const int32_t *ends, uint32_t n_ends, struct grammar_vocab **out,
                           struct err_note *note)
{
    struct grammar_vocab *v = mem_zalloc(sizeof *v);
    *out = NULL;
    CHECK(n_tokens <= n_vocab && n_vocab <= VOCAB_TOKENS_MAX);
    if (!v)
        return err_set(note, ERR_MEMORY, "out of memory for the tokens of a grammar");
    v->n_vocab = n_vocab;
    v->n_words = (n_vocab + 31) / 32;
    enum err rc = copy_tokens(v, tokens, n_tokens, note);
    if (!rc && n_ends == 0)
        rc = err_set(note, ERR_UNSUPPORTED,
                     "the vocabulary has no end token, so that an answer under a grammar could "
                     "not end");
    for (uint32_t i = 0; !rc && i < n_ends; i++) {
        CHECK(ends[i] >= 0 && (uint32_t)ends[i] < n_vocab);
        v->end_bits[ends[i] / 32] |= 1u << ends[i] % 32;
    }
    if (!rc && !build_tries(v))
        rc = err_set(note, ERR_MEMORY, "out of memory for the tokens of a grammar");
    if (rc)
        grammar_vocab_free(v);
    else
        *out = v;
    return rc;
}

void grammar_vocab_free(struct grammar_vocab *v)
{
    if (!v)
        return;
    for (int k = 0; k < VOCAB_TRIES; k++) {
        mem_free(v->tries[k].nodes);
        mem_free(v->tries[k].tokens);
        mem_free(v->tries[k].bits);
    }
    mem_free(v->bytes);
    mem_free(v->first);
    mem_free(v->end_bits);
    mem_free(v);
}
