/* tokenizer_meta.h - a tokenizer as GGUF metadata describes it (tokenizer.ggml.*).
 *
 * One direction reads it from any table; the other writes what a Hugging Face tokenizer becomes,
 * for `isobit convert`. Fields borrow: from the table, or from the tokenizer that made them. */
#ifndef TEXT_TOKENIZER_META_H
#define TEXT_TOKENIZER_META_H

#include "base/mem.h"
#include "text/tokenizer.h"

enum meta_flag { META_ABSENT = -1, META_FALSE = 0, META_TRUE = 1 };

struct tokenizer_meta {
    struct str model; /* "gpt2", "llama", "gemma4", "t5", "bert" */
    struct str pre;   /* of gpt2; empty where absent */
    size_t n_tokens;
    const struct str *tokens;
    const int64_t *types;  /* [n_tokens] enum token_type, or NULL: all normal */
    const double *scores;  /* [n_tokens] or NULL */
    size_t n_merges;
    const struct str *merges; /* "left right"; of llama only where its scores do not suffice, which
                               * other programs cannot read: say so when writing */
    int32_t bos, eos, eot, eom, unk, sep, pad, cls, mask; /* TOKEN_NONE where absent */
    enum meta_flag add_bos, add_eos, add_sep, add_space_prefix, remove_extra_spaces;
    enum meta_flag lowercase, strip_accents; /* of bert */
    struct str charsmap;                     /* of t5: SentencePiece's precompiled map */
    bool strip_after_special; /* Phi-3: whitespace after a special token vanishes */
    /* What GGUF has no word for, under isobit.tokenizer.*: others ignore it. Written only where a
     * tokenizer needs it. */
    size_t n_flagged;
    const uint64_t *flagged; /* token_flags: id << 8 | enum added_flag, per added token with any */
    bool space_prefix_first; /* space_prefix_first: a space before the text, not each part of it */
    struct arena *storage;   /* of a tokenizer_meta that tokenizer_to_meta filled, else NULL */
};

enum added_flag {
    ADDED_LSTRIP = 1,
    ADDED_RSTRIP = 2,
    ADDED_SINGLE_WORD = 4,
    ADDED_NORMALIZED = 8,
};

/* All ids TOKEN_NONE, all flags META_ABSENT, nothing else. */
void tokenizer_meta_init(struct tokenizer_meta *m);
void tokenizer_meta_release(struct tokenizer_meta *m);

/* tokenizer_to_meta - what GGUF metadata this tokenizer becomes, for tokenizer_from_meta to give
 * the same ids. ids up to n_tokens_min - 1 (rows of the embedding without a token) get unused
 * tokens. ERR_UNSUPPORTED says which part GGUF cannot express. m lives no longer than t. */
enum err tokenizer_to_meta(const struct tokenizer *t, size_t n_tokens_min,
                           struct tokenizer_meta *m, struct err_note *note);

/* tokenizer_meta_write - m under its keys, in a list of metadata (copied). ERR_MEMORY. */
struct metas;
enum err tokenizer_meta_write(const struct tokenizer_meta *m, struct metas *out,
                              struct err_note *note);

/* Copies what it needs. Errors as tokenizer_from_table. */
enum err tokenizer_from_meta(const struct tokenizer_meta *m, struct tokenizer **out,
                             struct err_note *note);

#endif
