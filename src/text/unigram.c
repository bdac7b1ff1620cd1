/* unigram.c - the most probable segmentation: Viterbi over all tokens that fit. */
#include "text/tokenizer_int.h"

#include <math.h>

#include "base/check.h"

/* An unknown character costs this much more than the rarest token. */
#define UNKNOWN_PENALTY 10.0

/* The best way to reach a byte position. */
struct node {
    double score;
    uint32_t start; /* NO_START: not reached */
    int32_t id;
};
enum { NO_START = UINT32_MAX };

enum err unigram_init(struct unigram *u, const struct vocab *v, struct err_note *note)
{
    double lowest = HUGE_VAL;
    enum err rc = prefix_set_init(&u->pieces, v->n_tokens, note);
    for (size_t i = 0; rc == ERR_OK && i < v->n_tokens; i++) {
        lowest = v->in_model[i] && v->scores[i] < lowest ? v->scores[i] : lowest;
        if (v->texts[i].len && v->in_model[i])
            prefix_set_add(&u->pieces, v->texts[i], (int32_t)i);
    }
    prefix_set_sort(&u->pieces);
    u->unk_score = lowest - UNKNOWN_PENALTY;
    return rc;
}

void unigram_release(struct unigram *u)
{
    prefix_set_release(&u->pieces);
}

static void reach(struct node *nodes, size_t start, size_t end, double score, int32_t id)
{
    double total = nodes[start].score + score;
    if (nodes[end].start == NO_START || total > nodes[end].score)
        nodes[end] = (struct node){total, (uint32_t)start, id};
}

/* All edges from one position; an unknown one only where no token is the single character. */
static void extend_from(const struct tokenizer *t, struct str s, size_t at, size_t n_char,
                        struct node *nodes)
{
    struct prefix_walk w = {.set = &t->unigram.pieces};
    const struct prefix_entry *e;
    bool single = false;
    while ((e = prefix_next(&w, str_sub(s, at, s.len)))) {
        reach(nodes, at, at + e->text.len, t->vocab.scores[e->id], e->id);
        single = single || e->text.len == n_char;
    }
    if (!single)
        reach(nodes, at, at + n_char, t->unigram.unk_score, t->unk);
}

static bool add_byte_tokens(const struct tokenizer *t, struct str s, struct token_list *out,
                            enum err *rc)
{
    for (size_t i = 0; i < s.len; i++)
        if (vocab_find_byte(&t->vocab, (unsigned char)s.ptr[i]) == TOKEN_NONE)
            return false;
    for (size_t i = 0; *rc == ERR_OK && i < s.len; i++)
        if (!token_list_add(out, vocab_find_byte(&t->vocab, (unsigned char)s.ptr[i])))
            *rc = ERR_LIMIT;
    return true;
}

/* Forward over the path; neighbouring unknown characters are one unknown token. */
static enum err emit(const struct tokenizer *t, struct str s, const struct node *nodes,
                     struct token_list *out)
{
    enum err rc = ERR_OK;
    for (size_t at = 0, end; rc == ERR_OK && at < s.len; at = end) {
        int32_t id = nodes[at].id;
        end = nodes[at].start;
        if (id == t->unk) {
            while (end < s.len && nodes[end].id == t->unk)
                end = nodes[end].start;
            if (t->unigram.byte_fallback && add_byte_tokens(t, str_sub(s, at, end), out, &rc))
                continue;
        }
        if (!token_list_add(out, id))
            rc = ERR_LIMIT;
    }
    return rc;
}

/* Turn "how was this position reached" into "where does the path go from here". */
static void reverse(struct node *nodes, size_t end)
{
    uint32_t next = NO_START;
    int32_t id = TOKEN_NONE;
    for (size_t at = end;;) {
        struct node here = nodes[at];
        nodes[at].start = next;
        nodes[at].id = id;
        if (at == 0)
            return;
        next = (uint32_t)at;
        id = here.id;
        at = here.start;
    }
}

enum err unigram_encode(const struct tokenizer *t, struct str piece, struct token_list *out)
{
    if (piece.len >= NO_START)
        return ERR_LIMIT;
    struct node *nodes = mem_array(piece.len + 1, sizeof *nodes);
    if (!nodes)
        return ERR_MEMORY;
    for (size_t i = 1; i <= piece.len; i++)
        nodes[i].start = NO_START;
    for (size_t at = 0; at < piece.len;) {
        uint32_t c;
        size_t n = (size_t)utf8_decode(piece.ptr + at, piece.len - at, &c);
        extend_from(t, piece, at, n, nodes);
        at += n;
    }
    reverse(nodes, piece.len);
    enum err rc = emit(t, piece, nodes, out);
    mem_free(nodes);
    return rc;
}
