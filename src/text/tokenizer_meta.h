/* tokenizer_meta.h - a tokenizer as GGUF metadata describes it (tokenizer.ggml.*).
 *
 * One direction reads it from any table; the other writes what a Hugging Face tokenizer becomes,
 * for `isobit convert`. Fields borrow: from the table, or from the tokenizer that made them. */
#ifndef TEXT_TOKENIZER_META_H
#define TEXT_TOKENIZER_META_H

#include "text/tokenizer.h"

enum meta_flag { META_ABSENT = -1, META_FALSE = 0, META_TRUE = 1 };

struct tokenizer_meta {
    struct str model; /* "gpt2", "llama", "t5", "bert" */
    struct str pre;   /* of gpt2; empty where absent */
    size_t n_tokens;
    const struct str *tokens;
    const int64_t *types;  /* [n_tokens] enum token_type, or NULL: all normal */
    const double *scores;  /* [n_tokens] or NULL */
    size_t n_merges;
    const struct str *merges; /* "left right" */
    int32_t bos, eos, eot, eom, unk, sep, pad, cls, mask; /* TOKEN_NONE where absent */
    enum meta_flag add_bos, add_eos, add_sep, add_space_prefix, remove_extra_spaces;
    enum meta_flag lowercase, strip_accents; /* of bert */
    struct str charsmap;                     /* of t5: SentencePiece's precompiled map */
    bool strip_after_special; /* Phi-3: whitespace after a special token vanishes */
};

/* All ids TOKEN_NONE, all flags META_ABSENT, nothing else. */
void tokenizer_meta_init(struct tokenizer_meta *m);

/* Copies what it needs. Errors as tokenizer_from_table. */
enum err tokenizer_from_meta(const struct tokenizer_meta *m, struct tokenizer **out,
                             struct err_note *note);

#endif
