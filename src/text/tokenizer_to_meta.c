/* tokenizer_to_meta.c - the GGUF metadata that a tokenizer becomes.
 *
 * Every case states what it needs to find; anything else is refused, because a file that says less
 * than the tokenizer does would give other ids. */
#include <stdio.h>

#include "base/check.h"
#include "text/pre_names.h"
#include "text/tokenizer_meta.h"

#define SPACE_MARK "\xe2\x96\x81"

enum { STORAGE_BYTES_MAX = 1 << 30 };

/* One conversion; arrays live in m->storage. */
struct writer {
    const struct tokenizer *t;
    struct tokenizer_meta *m;
    struct err_note *note;
    struct str *tokens;
    int64_t *types;
    double *scores;
};

static enum err no_memory(const struct writer *w)
{
    return err_set(w->note, ERR_MEMORY, "no memory to write a tokenizer of %zu tokens",
                   w->t->vocab.n_tokens);
}

static void *store(struct writer *w, size_t count, size_t size)
{
    size_t n_bytes;
    return mul_ok(count ? count : 1, size, &n_bytes) ? arena_alloc(w->m->storage, n_bytes) : NULL;
}

static bool is_step(const struct norm_step *step, enum norm_kind kind, const char *a, const char *b)
{
    return step->kind == kind && str_is(step->a, a) && str_is(step->b, b);
}

/* Texts and types; ids without a token become unused ones. */
static enum err write_tokens(struct writer *w, size_t n_tokens)
{
    const struct vocab *v = &w->t->vocab;
    w->tokens = store(w, n_tokens, sizeof *w->tokens);
    w->types = store(w, n_tokens, sizeof *w->types);
    w->scores = store(w, n_tokens, sizeof *w->scores);
    if (!w->tokens || !w->types || !w->scores)
        return no_memory(w);
    for (size_t i = 0; i < n_tokens; i++) {
        bool real = i < v->n_tokens && v->texts[i].len;
        char name[32];
        int n = snprintf(name, sizeof name, "[PAD%zu]", i);
        char *copy = real ? NULL : arena_strndup(w->m->storage, name, (size_t)n);
        if (!real && !copy)
            return no_memory(w);
        w->tokens[i] = real ? v->texts[i] : (struct str){copy, (size_t)n};
        w->types[i] = real ? v->types[i] : TOKEN_UNUSED;
        if (real && v->scores)
            w->scores[i] = v->scores[i];
    }
    w->m->tokens = w->tokens;
    w->m->types = w->types;
    w->m->n_tokens = n_tokens;
    return ERR_OK;
}

static int added_bits(const struct tokenizer *t, const struct added_token *a)
{
    bool normalized = a->normalized && t->n_norm > 0;
    return (a->lstrip ? ADDED_LSTRIP : 0) | (a->rstrip ? ADDED_RSTRIP : 0) |
           (a->single_word ? ADDED_SINGLE_WORD : 0) | (normalized ? ADDED_NORMALIZED : 0);
}

static enum err write_flags(struct writer *w)
{
    const struct tokenizer *t = w->t;
    uint64_t *flagged = store(w, t->n_added, sizeof *flagged);
    if (!flagged)
        return no_memory(w);
    for (size_t i = 0; i < t->n_added; i++) {
        int bits = added_bits(t, &t->added[i]);
        if (bits)
            flagged[w->m->n_flagged++] = (uint64_t)t->added[i].id << 8 | (uint64_t)bits;
    }
    w->m->flagged = flagged;
    return ERR_OK;
}

/* GGUF adds one token at each end at most: bos and eos. */
static enum err write_around(struct writer *w)
{
    const struct tokenizer *t = w->t;
    struct tokenizer_meta *m = w->m;
    if (t->n_before > 1 || t->n_after > 1)
        return err_set(w->note, ERR_UNSUPPORTED,
                       "GGUF cannot say that a tokenizer adds %zu tokens before a text, %zu after",
                       t->n_before, t->n_after);
    m->bos = t->n_before ? t->before[0] : t->bos;
    m->eos = t->n_after ? t->after[0] : t->eos;
    m->unk = t->unk;
    m->pad = t->pad;
    m->add_bos = t->n_before ? META_TRUE : META_FALSE;
    m->add_eos = t->n_after ? META_TRUE : META_FALSE;
    for (size_t i = 0; i < t->vocab.n_tokens && m->eot == TOKEN_NONE; i++)
        if (t->eog[i] && (int32_t)i != m->eos)
            m->eot = (int32_t)i;
    return ERR_OK;
}

/* The pairs by rank; ranks are 0, 1, ... with holes where a merge was named twice. Only the pairs
 * that a reader derived from scores share ranks. */
static enum err pairs_by_rank(struct writer *w, const struct bpe_pair ***out, size_t *n_ranks)
{
    const struct bpe *b = &w->t->bpe;
    *n_ranks = 0;
    for (size_t i = 0; i < b->n_slots; i++)
        if (b->pairs[i].merged != UINT32_MAX && b->pairs[i].rank >= *n_ranks)
            *n_ranks = (size_t)b->pairs[i].rank + 1;
    *out = store(w, *n_ranks, sizeof **out);
    if (!*out)
        return no_memory(w);
    for (size_t i = 0; i < b->n_slots; i++) {
        const struct bpe_pair *p = &b->pairs[i];
        if (p->merged == UINT32_MAX)
            continue;
        if ((*out)[p->rank])
            return err_set(w->note, ERR_UNSUPPORTED,
                           "this tokenizer was read from GGUF metadata: copy that instead");
        (*out)[p->rank] = p;
    }
    return ERR_OK;
}

static enum err write_merges(struct writer *w, const struct bpe_pair **by_rank, size_t n_ranks)
{
    struct str *merges = store(w, n_ranks, sizeof *merges);
    enum err rc = merges ? ERR_OK : no_memory(w);
    for (size_t i = 0; rc == ERR_OK && i < n_ranks; i++) {
        if (!by_rank[i])
            continue;
        struct str l = w->tokens[by_rank[i]->left], r = w->tokens[by_rank[i]->right];
        char *text = store(w, l.len + 1 + r.len, 1);
        if (!text)
            return no_memory(w);
        if (memchr(l.ptr + 1, ' ', l.len - 1))
            return err_set(w->note, ERR_UNSUPPORTED,
                           "token \"%.*s\" has a space, so GGUF cannot name its merge", STR_ARG(l));
        memcpy(text, l.ptr, l.len);
        text[l.len] = ' ';
        memcpy(text + l.len + 1, r.ptr, r.len);
        merges[w->m->n_merges++] = (struct str){text, l.len + 1 + r.len};
    }
    w->m->merges = merges;
    return rc;
}

static enum err write_byte_level(struct writer *w)
{
    const struct bpe_pair **by_rank;
    size_t n_ranks;
    const struct tokenizer *t = w->t;
    w->m->model = STR("gpt2");
    w->m->pre = pre_recipe_name(t);
    if (w->m->pre.len == 0)
        return err_set(w->note, ERR_UNSUPPORTED,
                       "GGUF has no name for this pre-tokenizer (%zu normalizers, %zu steps, the "
                       "first \"%.*s\")",
                       t->n_norm, t->n_pre, STR_ARG(t->pre[0].text));
    if (t->bpe.byte_fallback || t->bpe.prefix.len || t->bpe.suffix.len)
        return err_set(w->note, ERR_UNSUPPORTED,
                       "GGUF cannot express byte fallback, a prefix or a suffix of byte-level BPE");
    enum err rc = pairs_by_rank(w, &by_rank, &n_ranks);
    return rc ? rc : write_merges(w, by_rank, n_ranks);
}

/* The space rules that GGUF can say: none, one before every part, one before the text. */
static enum err write_spaces(struct writer *w)
{
    const struct tokenizer *t = w->t;
    const struct norm_step *last = t->n_norm ? &t->norm[t->n_norm - 1] : NULL;
    bool replace = last && is_step(last, NORM_REPLACE, "\\x{20}", SPACE_MARK);
    bool prepend = t->n_norm == 2 && is_step(&t->norm[0], NORM_PREPEND, SPACE_MARK, "");
    bool idle = t->n_pre == 1 && t->pre[0].kind == PRE_SPLIT && str_is(t->pre[0].text, "\\x{20}");
    bool metaspace = t->n_pre == 1 && t->n_norm == 0 && t->pre[0].kind == PRE_METASPACE;
    if (replace && (prepend || t->n_norm == 1) && (t->n_pre == 0 || idle)) {
        w->m->add_space_prefix = prepend ? META_TRUE : META_FALSE;
        return ERR_OK;
    }
    if (metaspace && t->pre[0].scheme != METASPACE_ALWAYS) {
        w->m->space_prefix_first = t->pre[0].scheme == METASPACE_FIRST;
        w->m->add_space_prefix = w->m->space_prefix_first ? META_TRUE : META_FALSE;
        return ERR_OK;
    }
    return err_set(w->note, ERR_UNSUPPORTED,
                   "GGUF cannot express the normalizer or pre-tokenizer of this BPE model");
}

/* A token's score is its first merge's rank, so that others merge in the same order. */
static void write_rank_scores(struct writer *w, const struct bpe_pair **by_rank, size_t n_ranks)
{
    for (size_t i = 0; i < w->m->n_tokens; i++)
        w->scores[i] = w->types[i] == TOKEN_BYTE ? 0 : -1e6;
    for (size_t i = n_ranks; i-- > 0;)
        if (by_rank[i])
            w->scores[by_rank[i]->merged] = -(double)i;
    w->m->scores = w->scores;
}

/* Whether the pairs of one token that have a merge are all its splits into tokens. */
static bool has_all_splits(const struct tokenizer *t, int32_t id, size_t *n_pairs)
{
    const struct vocab *v = &t->vocab;
    struct str s = v->texts[id];
    for (size_t at = 1; at < s.len; at++) {
        if (((unsigned char)s.ptr[at] & 0xc0) == 0x80)
            continue;
        int32_t l = vocab_find_model(v, str_sub(s, 0, at));
        int32_t r = vocab_find_model(v, str_sub(s, at, s.len));
        if (l == TOKEN_NONE || r == TOKEN_NONE)
            continue;
        if (!bpe_find(&t->bpe, l, r))
            return false;
        ++*n_pairs;
    }
    return true;
}

/* Whether scores alone say what the merges say, as they do for a model that SentencePiece made:
 * every pair of tokens that spells a token merges, and the pairs of one token are neighbours. */
static bool scores_suffice(const struct writer *w, const struct bpe_pair **by_rank, size_t n_ranks)
{
    const struct vocab *v = &w->t->vocab;
    size_t n_pairs = 0;
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < v->n_tokens; i++)
        if (v->in_model[i] && v->types[i] != TOKEN_BYTE && v->types[i] != TOKEN_CONTROL)
            if (!has_all_splits(w->t, (int32_t)i, &n_pairs))
                return false;
    for (size_t i = 0; i < n_ranks; i++) {
        if (!by_rank[i])
            continue;
        if (by_rank[i]->merged != last && w->scores[by_rank[i]->merged] != -(double)i)
            return false;
        last = by_rank[i]->merged;
    }
    return n_pairs == w->t->bpe.n_pairs;
}

/* Models that were trained as BPE, not by SentencePiece, need their merges besides the scores. */
static enum err write_sentencepiece(struct writer *w)
{
    const struct bpe_pair **by_rank;
    size_t n_ranks;
    const struct bpe *b = &w->t->bpe;
    w->m->model = STR("llama");
    w->m->pre = STR("default");
    bool bytes = b->byte_fallback;
    for (unsigned byte = 0; bytes && byte < 256; byte++)
        bytes = vocab_find_byte(&w->t->vocab, (unsigned char)byte) != TOKEN_NONE;
    if (!bytes || b->ignore_merges || b->prefix.len || b->suffix.len)
        return err_set(w->note, ERR_UNSUPPORTED,
                       "GGUF has no BPE over characters without all byte tokens, or with affixes");
    enum err rc = write_spaces(w);
    rc = rc ? rc : pairs_by_rank(w, &by_rank, &n_ranks);
    if (rc != ERR_OK)
        return rc;
    write_rank_scores(w, by_rank, n_ranks);
    return scores_suffice(w, by_rank, n_ranks) ? ERR_OK : write_merges(w, by_rank, n_ranks);
}

static enum err write_unigram(struct writer *w)
{
    const struct tokenizer *t = w->t;
    const struct pre_step *first = &t->pre[0];
    size_t mark = t->n_pre && first->char_class == CLASS_SPACE;
    bool charsmap = t->n_norm == 1 && t->norm[0].kind == NORM_CHARSMAP;
    bool known = t->n_pre == mark + 2 && t->pre[mark].kind == PRE_METASPACE &&
                 t->pre[mark].scheme != METASPACE_FIRST &&
                 t->pre[mark + 1].behaviour == SPLIT_MERGED_NEXT;
    if (!known || (t->n_norm && !charsmap) || t->unigram.byte_fallback)
        return err_set(w->note, ERR_UNSUPPORTED,
                       "GGUF cannot express the normalizer, pre-tokenizer or byte fallback of this "
                       "unigram model");
    w->m->model = STR("t5");
    w->m->pre = STR("default");
    w->m->scores = w->scores;
    w->m->remove_extra_spaces = mark ? META_TRUE : META_FALSE;
    w->m->add_space_prefix = t->pre[mark].scheme == METASPACE_ALWAYS ? META_TRUE : META_FALSE;
    if (charsmap)
        w->m->charsmap = t->norm[0].a;
    return ERR_OK;
}

static bool has_norm(const struct tokenizer *t, enum norm_kind kind)
{
    bool found = false;
    for (size_t i = 0; i < t->n_norm; i++)
        found = found || t->norm[i].kind == kind;
    return found;
}

static enum err write_wordpiece(struct writer *w)
{
    const struct tokenizer *t = w->t;
    struct tokenizer_meta *m = w->m;
    bool lowercase = has_norm(t, NORM_LOWERCASE), accents = has_norm(t, NORM_STRIP_NONSPACING);
    bool known = t->n_pre == 2 && t->pre[0].char_class == CLASS_SPACE &&
                 t->pre[1].char_class == CLASS_PUNCTUATION && has_norm(t, NORM_CLEAN) &&
                 has_norm(t, NORM_CHINESE) &&
                 t->n_norm == 2 + (size_t)lowercase + 2 * (size_t)accents;
    if (!known || !str_is(t->wordpiece.prefix, "##") || t->wordpiece.n_chars_max != 100)
        return err_set(w->note, ERR_UNSUPPORTED,
                       "GGUF cannot express the normalizer, pre-tokenizer or limits of this "
                       "WordPiece model");
    for (size_t i = 0; i < m->n_tokens; i++) {
        struct str s = w->tokens[i];
        if (w->types[i] != TOKEN_NORMAL || (str_starts(s, STR("[")) && str_ends(s, STR("]"))))
            continue;
        if (str_starts(s, STR("##"))) {
            w->tokens[i] = str_sub(s, 2, s.len);
            continue;
        }
        char *text = store(w, s.len + 3, 1);
        if (!text)
            return no_memory(w);
        memcpy(text, SPACE_MARK, 3);
        memcpy(text + 3, s.ptr, s.len);
        w->tokens[i] = (struct str){text, s.len + 3};
    }
    m->model = STR("bert");
    m->pre = STR("default");
    m->lowercase = lowercase ? META_TRUE : META_FALSE;
    m->strip_accents = accents ? META_TRUE : META_FALSE;
    m->cls = m->bos;
    m->sep = m->eos;
    m->add_sep = m->add_eos;
    return ERR_OK;
}

static enum err write_model(struct writer *w)
{
    const struct tokenizer *t = w->t;
    bool bytes = false;
    for (size_t i = 0; i < t->n_pre; i++)
        bytes = bytes || t->pre[i].kind == PRE_BYTE_MAP;
    if (t->model == MODEL_UNIGRAM)
        return write_unigram(w);
    if (t->model == MODEL_WORDPIECE)
        return write_wordpiece(w);
    return bytes ? write_byte_level(w) : write_sentencepiece(w);
}

enum err tokenizer_to_meta(const struct tokenizer *t, size_t n_tokens_min,
                           struct tokenizer_meta *m, struct err_note *note)
{
    size_t n_tokens = t->vocab.n_tokens > n_tokens_min ? t->vocab.n_tokens : n_tokens_min;
    struct writer w = {.t = t, .m = m, .note = note};
    tokenizer_meta_init(m);
    if (n_tokens > VOCAB_TOKENS_MAX)
        return err_set(note, ERR_LIMIT, "a vocabulary of %zu tokens, at most %d", n_tokens,
                       VOCAB_TOKENS_MAX);
    m->storage = mem_alloc(sizeof *m->storage);
    if (!m->storage)
        return no_memory(&w);
    arena_init(m->storage, STORAGE_BYTES_MAX);
    enum err rc = write_tokens(&w, n_tokens);
    rc = rc ? rc : write_flags(&w);
    rc = rc ? rc : write_around(&w);
    rc = rc ? rc : write_model(&w);
    if (rc != ERR_OK)
        tokenizer_meta_release(m);
    return rc;
}
