/* tokenizer_hash.c - the identity of a tokenizer. */
#include "text/tokenizer_int.h"

#include <stdlib.h>

/* Every number as eight little-endian bytes, every text after its length, so that no two contents
 * give the same bytes. */
static void add_number(struct sha256 *h, uint64_t x)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(x >> 8 * i);
    sha256_add(h, bytes, sizeof bytes);
}

static void add_text(struct sha256 *h, struct str s)
{
    add_number(h, s.len);
    sha256_add(h, s.ptr ? s.ptr : "", s.len);
}

static void add_vocab(struct sha256 *h, const struct vocab *v)
{
    add_number(h, v->n_tokens);
    for (size_t i = 0; i < v->n_tokens; i++) {
        uint64_t bits = 0;
        if (v->scores)
            memcpy(&bits, &v->scores[i], sizeof bits);
        add_text(h, v->texts[i]);
        add_number(h, v->types[i] | (uint64_t)v->in_model[i] << 8);
        add_number(h, bits);
    }
}

static int pair_compare(const void *a, const void *b)
{
    const struct bpe_pair *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->left != y->left)
        return x->left < y->left ? -1 : 1;
    return x->right < y->right ? -1 : x->right > y->right;
}

static enum err add_bpe(struct sha256 *h, const struct bpe *b, struct err_note *note)
{
    size_t n = 0;
    struct bpe_pair *pairs = mem_array(b->n_pairs + 1, sizeof *pairs);
    if (!pairs)
        return err_set(note, ERR_MEMORY, "no memory to hash %zu merges", b->n_pairs);
    for (size_t i = 0; i < b->n_slots; i++)
        if (b->pairs[i].merged != UINT32_MAX)
            pairs[n++] = b->pairs[i];
    qsort(pairs, n, sizeof *pairs, pair_compare);
    add_number(h, n);
    for (size_t i = 0; i < n; i++) {
        add_number(h, pairs[i].left);
        add_number(h, pairs[i].right);
        add_number(h, pairs[i].merged);
        add_number(h, pairs[i].rank);
    }
    mem_free(pairs);
    add_number(h, b->ignore_merges | b->byte_fallback << 1 | b->fuse_unk << 2);
    add_text(h, b->prefix);
    add_text(h, b->suffix);
    return ERR_OK;
}

static void add_steps(struct sha256 *h, const struct tokenizer *t)
{
    add_number(h, t->n_norm);
    for (size_t i = 0; i < t->n_norm; i++) {
        add_number(h, t->norm[i].kind);
        add_text(h, t->norm[i].a);
        add_text(h, t->norm[i].b);
    }
    add_number(h, t->n_pre);
    for (size_t i = 0; i < t->n_pre; i++) {
        const struct pre_step *p = &t->pre[i];
        add_number(h, p->kind);
        add_text(h, p->text);
        add_number(h, p->behaviour | p->invert << 8 | p->scheme << 16 | p->char_class << 24);
    }
    add_number(h, t->n_decode);
    for (size_t i = 0; i < t->n_decode; i++) {
        const struct decode_step *d = &t->decode[i];
        add_number(h, d->kind);
        add_text(h, d->a);
        add_text(h, d->b);
        add_number(h, (uint64_t)d->n_start << 1 | d->flag);
    }
}

static void add_specials(struct sha256 *h, const struct tokenizer *t)
{
    add_number(h, t->n_added);
    for (size_t i = 0; i < t->n_added; i++) {
        const struct added_token *a = &t->added[i];
        add_text(h, a->text);
        add_number(h, (uint64_t)a->id);
        add_number(h, a->special | a->lstrip << 1 | a->rstrip << 2 | a->single_word << 3 |
                          a->normalized << 4);
    }
    add_number(h, t->n_before);
    for (size_t i = 0; i < t->n_before; i++)
        add_number(h, (uint64_t)t->before[i]);
    add_number(h, t->n_after);
    for (size_t i = 0; i < t->n_after; i++)
        add_number(h, (uint64_t)t->after[i]);
    const int32_t ids[] = {t->bos, t->eos, t->unk, t->pad};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        add_number(h, (uint64_t)(int64_t)ids[i]);
    for (size_t i = 0; i < t->vocab.n_tokens; i++)
        if (t->eog[i])
            add_number(h, i);
}

enum err tokenizer_hash(const struct tokenizer *t, uint8_t digest[SHA256_BYTES],
                        struct err_note *note)
{
    struct sha256 h;
    sha256_init(&h);
    add_text(&h, STR("isobit tokenizer 1"));
    add_number(&h, t->model);
    add_vocab(&h, &t->vocab);
    enum err rc = add_bpe(&h, &t->bpe, note);
    uint64_t bits;
    memcpy(&bits, &t->unigram.unk_score, sizeof bits);
    add_number(&h, bits);
    add_number(&h, t->unigram.byte_fallback);
    add_text(&h, t->wordpiece.prefix);
    add_number(&h, t->wordpiece.n_chars_max);
    add_steps(&h, t);
    add_specials(&h, t);
    sha256_end(&h, digest);
    return rc;
}
