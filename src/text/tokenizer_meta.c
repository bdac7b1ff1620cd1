/* tokenizer_meta.c - a tokenizer from GGUF metadata. */
#include "text/tokenizer_meta.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "text/pre_names.h"

#define SPACE_MARK "\xe2\x96\x81" /* SentencePiece's visible space */

void tokenizer_meta_init(struct tokenizer_meta *m)
{
    *m = (struct tokenizer_meta){.bos = TOKEN_NONE, .eos = TOKEN_NONE, .eot = TOKEN_NONE,
                                 .eom = TOKEN_NONE, .unk = TOKEN_NONE, .sep = TOKEN_NONE,
                                 .pad = TOKEN_NONE, .cls = TOKEN_NONE, .mask = TOKEN_NONE,
                                 .add_bos = META_ABSENT, .add_eos = META_ABSENT,
                                 .add_sep = META_ABSENT, .add_space_prefix = META_ABSENT,
                                 .remove_extra_spaces = META_ABSENT, .lowercase = META_ABSENT,
                                 .strip_accents = META_ABSENT};
}

void tokenizer_meta_release(struct tokenizer_meta *m)
{
    if (m->storage)
        arena_release(m->storage);
    mem_free(m->storage);
    tokenizer_meta_init(m);
}

static bool meta_flag_or(enum meta_flag flag, bool fallback)
{
    return flag == META_ABSENT ? fallback : flag == META_TRUE;
}

/* Whether plain text may become a token of this type. Added tokens are matched before; only
 * SentencePiece also builds them from their letters (runs of spaces). */
static bool type_in_model(const struct tokenizer_meta *m, enum token_type type)
{
    return type != TOKEN_CONTROL && type != TOKEN_UNUSED &&
           (type != TOKEN_USER || !str_is(m->model, "gpt2"));
}

/* Texts, types, scores. An id without a text keeps an empty one that nothing finds. */
static enum err read_vocab(const struct tokenizer_meta *m, struct tokenizer *t,
                           struct err_note *note)
{
    struct vocab *v = &t->vocab;
    bool failed = false;
    enum err rc = vocab_init(v, m->n_tokens, note);
    if (rc == ERR_OK && m->scores && !(v->scores = mem_array(m->n_tokens, sizeof *v->scores)))
        rc = err_set(note, ERR_MEMORY, "no memory for %zu scores", m->n_tokens);
    for (size_t i = 0; rc == ERR_OK && i < m->n_tokens; i++) {
        struct str text = m->tokens[i];
        if (text.len > TOKEN_BYTES_MAX)
            return err_set(note, ERR_LIMIT, "token %zu has %zu bytes, at most %d", i, text.len,
                           TOKEN_BYTES_MAX);
        if (!utf8_valid(text.ptr ? text.ptr : "", text.len))
            return err_set(note, ERR_FORMAT, "token %zu is not valid UTF-8", i);
        int64_t type = m->types ? m->types[i] : TOKEN_NORMAL;
        if (type < TOKEN_NORMAL || type > TOKEN_BYTE)
            return err_set(note, ERR_FORMAT, "token %zu \"%.*s\" has type %lld, expected 1 to 6", i,
                           STR_ARG(text), (long long)type);
        if (m->scores && !__builtin_isfinite(m->scores[i]))
            return err_set(note, ERR_NUMERIC, "the score of token %zu is not finite", i);
        if (m->scores)
            v->scores[i] = m->scores[i];
        v->texts[i] = tokenizer_keep(t, text, &failed);
        v->types[i] = (uint8_t)type;
        v->in_model[i] = type_in_model(m, (enum token_type)type);
    }
    if (rc == ERR_OK && failed)
        rc = err_set(note, ERR_MEMORY, "no memory for %zu tokens", m->n_tokens);
    return rc;
}

/* One special id of the file: absent or in range. */
static enum err special_id(const struct tokenizer_meta *m, int32_t id, const char *what,
                           int32_t *out, struct err_note *note)
{
    if (id != TOKEN_NONE && (id < 0 || (size_t)id >= m->n_tokens))
        return err_set(note, ERR_FORMAT, "the %s token is %d, the vocabulary has %zu", what, id,
                       m->n_tokens);
    *out = id;
    return ERR_OK;
}

static bool is_added(const struct vocab *v, size_t id)
{
    enum token_type type = (enum token_type)v->types[id];
    return v->texts[id].len &&
           (type == TOKEN_CONTROL || type == TOKEN_USER || type == TOKEN_UNKNOWN);
}

static enum err read_flags(const struct tokenizer_meta *m, struct tokenizer *t,
                           struct err_note *note)
{
    for (size_t i = 0; i < m->n_flagged; i++) {
        uint64_t id = m->flagged[i] >> 8, flags = m->flagged[i] & 255;
        size_t k = 0;
        while (k < t->n_added && (uint64_t)t->added[k].id != id)
            k++;
        if (k == t->n_added)
            return err_set(note, ERR_FORMAT, "isobit.tokenizer.token_flags: %llu is no added token",
                           (unsigned long long)id);
        t->added[k].lstrip = flags & ADDED_LSTRIP;
        t->added[k].rstrip = flags & ADDED_RSTRIP;
        t->added[k].single_word = flags & ADDED_SINGLE_WORD;
        t->added[k].normalized = flags & ADDED_NORMALIZED;
    }
    return ERR_OK;
}

/* Added tokens are those of type control, unknown and user-defined; phi3's files lose the rule
 * that whitespace after them vanishes, so the reader states it. */
static enum err read_added(const struct tokenizer_meta *m, struct tokenizer *t,
                           struct err_note *note)
{
    const struct vocab *v = &t->vocab;
    size_t n = 0;
    for (size_t i = 0; i < v->n_tokens; i++)
        n += is_added(v, i);
    t->added = mem_array(n, sizeof *t->added);
    if (!t->added)
        return err_set(note, ERR_MEMORY, "no memory for %zu added tokens", n);
    for (size_t i = 0; i < v->n_tokens; i++) {
        struct str text = v->texts[i];
        bool special = v->types[i] != TOKEN_USER;
        if (!is_added(v, i))
            continue;
        bool strip = m->strip_after_special && !str_is(text, "<s>") && !str_is(text, "<unk>") &&
                     !str_is(text, "<|endoftext|>");
        t->added[t->n_added++] = (struct added_token){
            .text = text, .id = (int32_t)i, .special = special, .rstrip = strip};
    }
    return read_flags(m, t, note);
}

/* "left right" by the first space after the first byte; the merged token is their concatenation. */
static enum err read_merge(struct tokenizer *t, struct str merge, uint32_t rank,
                           struct err_note *note)
{
    size_t at = 1;
    while (at < merge.len && merge.ptr[at] != ' ')
        at++;
    if (at + 1 >= merge.len)
        return err_set(note, ERR_FORMAT, "merge %u \"%.*s\" is not two tokens and a space", rank,
                       STR_ARG(merge));
    struct str left = str_sub(merge, 0, at), right = str_sub(merge, at + 1, merge.len);
    struct buf b;
    buf_init(&b, 2 * TOKEN_BYTES_MAX);
    buf_add(&b, left.ptr, left.len);
    buf_add(&b, right.ptr, right.len);
    int32_t l = vocab_find(&t->vocab, left), r = vocab_find(&t->vocab, right);
    int32_t both = b.failed ? TOKEN_NONE
                            : vocab_find(&t->vocab, (struct str){b.bytes, b.n_bytes});
    buf_release(&b);
    if (l == TOKEN_NONE || r == TOKEN_NONE || both == TOKEN_NONE)
        return err_set(note, ERR_FORMAT, "merge %u \"%.*s\": %s is not in the vocabulary", rank,
                       STR_ARG(merge), l == TOKEN_NONE   ? "its left part"
                                       : r == TOKEN_NONE ? "its right part"
                                                         : "the merged token");
    bpe_add(&t->bpe, l, r, rank, both);
    t->vocab.in_model[l] = t->vocab.in_model[r] = t->vocab.in_model[both] = true;
    return ERR_OK;
}

static enum err read_merges(const struct tokenizer_meta *m, struct tokenizer *t,
                            struct err_note *note)
{
    enum err rc = bpe_init(&t->bpe, m->n_merges, note);
    for (size_t i = 0; rc == ERR_OK && i < m->n_merges; i++)
        rc = read_merge(t, m->merges[i], (uint32_t)i, note);
    return rc;
}

/* What the model adds around a text, by the file's word or its model's custom. */
static void add_around(const struct tokenizer_meta *m, struct tokenizer *t, bool bos, bool eos)
{
    if (t->bos != TOKEN_NONE && meta_flag_or(m->add_bos, bos))
        t->before[t->n_before++] = t->bos;
    if (t->eos != TOKEN_NONE && meta_flag_or(m->add_eos, eos))
        t->after[t->n_after++] = t->eos;
}

static enum err read_byte_level(const struct tokenizer_meta *m, struct tokenizer *t,
                                struct err_note *note)
{
    const struct pre_recipe *recipe = pre_recipe_find(m->pre);
    if (m->pre.len == 0)
        return err_set(note, ERR_UNSUPPORTED,
                       "tokenizer.ggml.pre is missing: the file is older than pre-tokenizer names "
                       "and would be read wrongly; convert the model again");
    if (!recipe)
        return err_set(note, ERR_UNSUPPORTED, "pre-tokenizer \"%.*s\" is not supported",
                       STR_ARG(m->pre));
    snprintf(t->name, sizeof t->name, "byte-level BPE");
    enum err rc = pre_recipe_apply(recipe, t, note);
    rc = rc ? rc : read_merges(m, t, note);
    rc = rc ? rc
            : tokenizer_add_decode(
                  t, (struct decode_step){.kind = DECODE_BYTE_LEVEL, .a = STR(""), .b = STR("")},
                  note);
    add_around(m, t, recipe->add_bos, false);
    return rc;
}

/* Every pair of tokens whose concatenation is a token, ranked by that token's score: what
 * SentencePiece does one merge at a time. Equal scores merge leftmost first. */
struct scored {
    double score;
    int32_t id;
};

static int scored_compare(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

static size_t count_splits(const struct vocab *v, struct bpe *add_to, int32_t id, uint32_t rank)
{
    struct str s = v->texts[id];
    size_t n = 0;
    for (size_t at = 1; at < s.len; at++) {
        if (((unsigned char)s.ptr[at] & 0xc0) == 0x80)
            continue;
        int32_t left = vocab_find_model(v, str_sub(s, 0, at));
        int32_t right = vocab_find_model(v, str_sub(s, at, s.len));
        if (left == TOKEN_NONE || right == TOKEN_NONE)
            continue;
        if (add_to)
            bpe_add(add_to, left, right, rank, id);
        n++;
    }
    return n;
}

static enum err merges_from_scores(struct tokenizer *t, struct err_note *note)
{
    const struct vocab *v = &t->vocab;
    size_t n_pairs = 0, n = 0;
    if (!v->scores)
        return err_set(note, ERR_FORMAT, "tokenizer.ggml.scores is missing");
    struct scored *order = mem_array(v->n_tokens, sizeof *order);
    if (!order)
        return err_set(note, ERR_MEMORY, "no memory for %zu tokens", v->n_tokens);
    for (size_t i = 0; i < v->n_tokens; i++) {
        if (v->in_model[i] && v->types[i] != TOKEN_BYTE && v->types[i] != TOKEN_UNKNOWN)
            order[n++] = (struct scored){v->scores[i], (int32_t)i};
    }
    for (size_t i = 0; i < n; i++)
        n_pairs += count_splits(v, NULL, order[i].id, 0);
    qsort(order, n, sizeof *order, scored_compare);
    enum err rc = bpe_init(&t->bpe, n_pairs, note);
    uint32_t rank = 0;
    for (size_t i = 0; rc == ERR_OK && i < n; i++) {
        rank += i > 0 && order[i].score != order[i - 1].score;
        count_splits(v, &t->bpe, order[i].id, rank);
    }
    mem_free(order);
    return rc;
}

static enum err add_sentencepiece_decode(struct tokenizer *t, bool strip, struct err_note *note)
{
    struct decode_step replace = {.kind = DECODE_REPLACE, .a = STR(SPACE_MARK), .b = STR(" ")};
    struct decode_step bytes = {.kind = DECODE_BYTE_FALLBACK, .a = STR(""), .b = STR("")};
    struct decode_step start = {
        .kind = DECODE_STRIP, .a = STR(" "), .b = STR(""), .n_start = strip ? 1 : 0};
    enum err rc = tokenizer_add_decode(t, replace, note);
    rc = rc ? rc : tokenizer_add_decode(t, bytes, note);
    return rc ? rc : tokenizer_add_decode(t, start, note);
}

static enum err read_sentencepiece(const struct tokenizer_meta *m, struct tokenizer *t,
                                   struct err_note *note)
{
    bool prefix = meta_flag_or(m->add_space_prefix, true);
    struct pre_step first = {
        .kind = PRE_METASPACE, .text = STR(SPACE_MARK), .scheme = METASPACE_FIRST};
    enum err rc = ERR_OK;
    snprintf(t->name, sizeof t->name, "SentencePiece BPE");
    if (prefix && m->space_prefix_first)
        rc = tokenizer_add_pre(t, first, note);
    else if (prefix)
        rc = tokenizer_add_norm(t, NORM_PREPEND, STR(SPACE_MARK), STR(""), note);
    if (rc == ERR_OK && !m->space_prefix_first)
        rc = tokenizer_add_norm(t, NORM_REPLACE, STR(" "), STR(SPACE_MARK), note);
    rc = rc ? rc : m->n_merges ? read_merges(m, t, note) : merges_from_scores(t, note);
    rc = rc ? rc : add_sentencepiece_decode(t, prefix, note);
    t->bpe.byte_fallback = true;
    t->bpe.fuse_unk = true;
    add_around(m, t, true, false);
    return rc;
}

/* T5's pieces: whitespace only separates words, every word begins with the mark. Without
 * remove_extra_whitespaces each space is a mark. */
static enum err read_unigram(const struct tokenizer_meta *m, struct tokenizer *t,
                             struct err_note *note)
{
    bool words = meta_flag_or(m->remove_extra_spaces, true);
    bool prefix = meta_flag_or(m->add_space_prefix, true);
    struct pre_step mark = {.kind = PRE_METASPACE,
                            .text = STR(SPACE_MARK),
                            .scheme = prefix ? METASPACE_ALWAYS : METASPACE_NEVER};
    struct decode_step decode = {
        .kind = DECODE_METASPACE, .a = STR(SPACE_MARK), .b = STR(" "), .flag = prefix};
    snprintf(t->name, sizeof t->name, "unigram");
    if (!t->vocab.scores)
        return err_set(note, ERR_FORMAT, "tokenizer.ggml.scores is missing");
    if (t->unk == TOKEN_NONE)
        return err_set(note, ERR_FORMAT, "tokenizer.ggml.unknown_token_id is missing");
    enum err rc = m->charsmap.len ? charsmap_check(m->charsmap, note) : ERR_OK;
    if (rc == ERR_OK && m->charsmap.len)
        rc = tokenizer_add_norm(t, NORM_CHARSMAP, m->charsmap, STR(""), note);
    if (rc == ERR_OK && words)
        rc = tokenizer_add_class(t, CLASS_SPACE, SPLIT_REMOVED, note);
    rc = rc ? rc : tokenizer_add_pre(t, mark, note);
    rc = rc ? rc : tokenizer_add_split(t, STR(SPACE_MARK), SPLIT_MERGED_NEXT, false, note);
    rc = rc ? rc : unigram_init(&t->unigram, &t->vocab, note);
    rc = rc ? rc : tokenizer_add_decode(t, decode, note);
    add_around(m, t, false, true);
    return rc;
}

/* GGUF writes a word's start as "▁word" and its continuation bare; we keep BERT's own spelling,
 * "word" and "##ation". */
static enum err respell_wordpieces(struct tokenizer *t, struct err_note *note)
{
    struct vocab *v = &t->vocab;
    bool failed = false;
    struct buf b;
    buf_init(&b, TOKEN_BYTES_MAX + 2);
    for (size_t i = 0; i < v->n_tokens; i++) {
        struct str s = v->texts[i];
        bool bracketed = str_starts(s, STR("[")) && str_ends(s, STR("]"));
        if (v->types[i] != TOKEN_NORMAL || bracketed || s.len == 0)
            continue;
        if (str_starts(s, STR(SPACE_MARK))) {
            v->texts[i] = str_sub(s, strlen(SPACE_MARK), s.len);
            continue;
        }
        buf_clear(&b);
        buf_str(&b, "##");
        buf_add(&b, s.ptr, s.len);
        v->texts[i] = tokenizer_keep(t, (struct str){b.bytes, b.n_bytes}, &failed);
    }
    buf_release(&b);
    return failed ? err_set(note, ERR_MEMORY, "no memory for %zu tokens", v->n_tokens) : ERR_OK;
}

static enum err read_wordpiece(const struct tokenizer_meta *m, struct tokenizer *t,
                               struct err_note *note)
{
    bool lowercase = meta_flag_or(m->lowercase, true);
    bool accents = meta_flag_or(m->strip_accents, lowercase);
    const struct {
        bool wanted;
        enum norm_kind kind;
    } steps[] = {{true, NORM_CLEAN},
                 {true, NORM_CHINESE},
                 {accents, NORM_NFD},
                 {accents, NORM_STRIP_NONSPACING},
                 {lowercase, NORM_LOWERCASE}};
    struct decode_step decode = {
        .kind = DECODE_WORDPIECE, .a = STR("##"), .b = STR(""), .flag = true};
    int32_t cls = m->cls != TOKEN_NONE ? m->cls : m->bos;
    enum err rc = special_id(m, cls, "[CLS]", &t->bos, note);
    rc = rc ? rc : special_id(m, m->sep != TOKEN_NONE ? m->sep : m->eos, "[SEP]", &t->eos, note);
    if (rc == ERR_OK && t->unk == TOKEN_NONE)
        rc = err_set(note, ERR_FORMAT, "tokenizer.ggml.unknown_token_id is missing");
    for (size_t i = 0; rc == ERR_OK && i < COUNT_OF(steps); i++)
        if (steps[i].wanted)
            rc = tokenizer_add_norm(t, steps[i].kind, STR(""), STR(""), note);
    rc = rc ? rc : tokenizer_add_class(t, CLASS_SPACE, SPLIT_REMOVED, note);
    rc = rc ? rc : tokenizer_add_class(t, CLASS_PUNCTUATION, SPLIT_ISOLATED, note);
    rc = rc ? rc : tokenizer_add_decode(t, decode, note);
    snprintf(t->name, sizeof t->name, "WordPiece");
    t->wordpiece = (struct wordpiece){STR("##"), 100};
    if (rc == ERR_OK && t->bos != TOKEN_NONE && meta_flag_or(m->add_bos, true))
        t->before[t->n_before++] = t->bos;
    if (rc == ERR_OK && t->eos != TOKEN_NONE && meta_flag_or(m->add_sep, true))
        t->after[t->n_after++] = t->eos;
    return rc;
}

static enum err read_specials(const struct tokenizer_meta *m, struct tokenizer *t,
                              struct err_note *note)
{
    enum err rc = special_id(m, m->bos, "bos", &t->bos, note);
    rc = rc ? rc : special_id(m, m->eos, "eos", &t->eos, note);
    rc = rc ? rc : special_id(m, m->unk, "unknown", &t->unk, note);
    return rc ? rc : special_id(m, m->pad, "padding", &t->pad, note);
}

static enum err read_eog(const struct tokenizer_meta *m, struct tokenizer *t, struct err_note *note)
{
    int32_t eot = TOKEN_NONE, eom = TOKEN_NONE;
    enum err rc = special_id(m, m->eot, "end-of-turn", &eot, note);
    rc = rc ? rc : special_id(m, m->eom, "end-of-message", &eom, note);
    if (rc == ERR_OK && eot != TOKEN_NONE)
        t->eog[eot] = true;
    if (rc == ERR_OK && eom != TOKEN_NONE)
        t->eog[eom] = true;
    return rc;
}

static enum err read_model(const struct tokenizer_meta *m, struct tokenizer *t,
                           struct err_note *note)
{
    t->model = MODEL_BPE;
    if (str_is(m->model, "gpt2"))
        return read_byte_level(m, t, note);
    if (str_is(m->model, "llama") || str_is(m->model, "gemma4"))
        return read_sentencepiece(m, t, note);
    if (str_is(m->model, "t5")) {
        t->model = MODEL_UNIGRAM;
        return read_unigram(m, t, note);
    }
    if (str_is(m->model, "bert")) {
        t->model = MODEL_WORDPIECE;
        return read_wordpiece(m, t, note);
    }
    return err_set(note, ERR_UNSUPPORTED, "tokenizer model \"%.*s\" is not supported",
                   STR_ARG(m->model));
}

enum err tokenizer_from_meta(const struct tokenizer_meta *m, struct tokenizer **out,
                             struct err_note *note)
{
    struct tokenizer *t = tokenizer_new();
    *out = NULL;
    if (!t)
        return err_set(note, ERR_MEMORY, "no memory for a tokenizer");
    enum err rc = read_vocab(m, t, note);
    if (rc == ERR_OK && str_is(m->model, "bert"))
        rc = respell_wordpieces(t, note);
    rc = rc ? rc : vocab_index(&t->vocab, note);
    rc = rc ? rc : read_specials(m, t, note);
    rc = rc ? rc : read_model(m, t, note);
    rc = rc ? rc : read_added(m, t, note);
    rc = rc ? rc : tokenizer_finish(t, note);
    rc = rc ? rc : read_eog(m, t, note);
    if (rc != ERR_OK)
        tokenizer_free(t);
    else
        *out = t;
    return rc;
}
