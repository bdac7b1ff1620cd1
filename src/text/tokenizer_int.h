/* tokenizer_int.h - what the files of the tokenizer share; nobody else includes it.
 *
 * A tokenizer is a pipeline of plain steps. The readers (tokenizer_meta.c, tokenizer_hf.c) build
 * it once, lowering every published kind of step to the few below; encoding then walks it. */
#ifndef TEXT_TOKENIZER_INT_H
#define TEXT_TOKENIZER_INT_H

#include "base/mem.h"
#include "text/regex.h"
#include "text/tokenizer.h"

enum {
    VOCAB_TOKENS_MAX = 1 << 22,
    TOKEN_BYTES_MAX = 1 << 16,
    STEPS_MAX = 32, /* of each kind in one tokenizer */
};

/* Text -> id, and every id's text. Invariant: a non-empty text occurs once. */
struct vocab {
    struct str *texts; /* [n_tokens], empty for an id that the file leaves out */
    uint8_t *types;    /* [n_tokens] enum token_type */
    double *scores;    /* [n_tokens] or NULL */
    bool *in_model;    /* [n_tokens] the model may produce it from plain text */
    size_t n_tokens;
    uint32_t *slots; /* id + 1, 0 = empty; power of two, at most half full */
    size_t n_slots;
};

enum err vocab_init(struct vocab *v, size_t n_tokens, struct err_note *note);
/* Build the index once texts are set. ERR_FORMAT names a duplicate. */
enum err vocab_index(struct vocab *v, struct err_note *note);
int32_t vocab_find(const struct vocab *v, struct str text); /* TOKEN_NONE */
/* Like vocab_find, but only what plain text may become. */
int32_t vocab_find_model(const struct vocab *v, struct str text);
/* The id of the byte token <0xHH>, or TOKEN_NONE. */
int32_t vocab_find_byte(const struct vocab *v, unsigned char byte);
void vocab_release(struct vocab *v);

/* Strings sorted by bytes: all members that begin a text, shortest first, or the longest. */
struct prefix_set {
    struct prefix_entry {
        struct str text;
        int32_t id;
    } *entries; /* sorted, none empty, none equal */
    size_t n_entries;
    uint32_t first[257]; /* entries [first[b], first[b + 1]) begin with byte b */
};
struct prefix_walk {
    const struct prefix_set *set;
    size_t lo, hi, depth;
};
enum err prefix_set_init(struct prefix_set *s, size_t n_entries_max, struct err_note *note);
void prefix_set_add(struct prefix_set *s, struct str text, int32_t id);
void prefix_set_sort(struct prefix_set *s);
void prefix_set_release(struct prefix_set *s);
/* prefix_next - the next longer member that begins text, NULL when there is none. */
const struct prefix_entry *prefix_next(struct prefix_walk *w, struct str text);

/* A symbol of a pair that merges: BPE's one table. */
struct bpe {
    struct bpe_pair {
        uint32_t left, right, rank, merged; /* merged = UINT32_MAX: free slot */
    } *pairs;
    size_t n_pairs, n_slots;
    bool ignore_merges; /* a piece that is a token is that token */
    bool byte_fallback; /* an unknown character becomes its <0xHH> tokens */
    bool fuse_unk;      /* neighbouring unknown characters become one unknown token */
    struct str prefix, suffix; /* continuing_subword_prefix, end_of_word_suffix */
};
enum err bpe_init(struct bpe *b, size_t n_pairs_max, struct err_note *note);
/* The first rank of a pair counts; a repeated pair keeps it. */
void bpe_add(struct bpe *b, int32_t left, int32_t right, uint32_t rank, int32_t merged);
const struct bpe_pair *bpe_find(const struct bpe *b, int32_t left, int32_t right); /* or NULL */
void bpe_release(struct bpe *b);
enum err bpe_encode(const struct tokenizer *t, struct str piece, struct token_list *out);

struct unigram {
    struct prefix_set pieces;
    double unk_score;
    bool byte_fallback;
};
enum err unigram_init(struct unigram *u, const struct vocab *v, struct err_note *note);
void unigram_release(struct unigram *u);
enum err unigram_encode(const struct tokenizer *t, struct str piece, struct token_list *out);

struct wordpiece {
    struct str prefix; /* "##" */
    size_t n_chars_max;
};
enum err wordpiece_encode(const struct tokenizer *t, struct str piece, struct token_list *out);

enum norm_kind {
    NORM_NFC,
    NORM_NFD,
    NORM_NFKC,
    NORM_NFKD,
    NORM_LOWERCASE,
    NORM_STRIP_LEFT,
    NORM_STRIP_RIGHT,
    NORM_STRIP_ACCENTS,    /* M */
    NORM_STRIP_NONSPACING, /* Mn: what BERT calls accents */
    NORM_PREPEND, /* a, unless empty text */
    NORM_REPLACE, /* regex -> b */
    NORM_CLEAN,   /* BERT: controls vanish, whitespace becomes a space */
    NORM_CHINESE, /* BERT: spaces around CJK ideographs */
    NORM_CHARSMAP,
    NORM_NMT,
    NORM_BYTE_MAP,
};
struct norm_step {
    enum norm_kind kind;
    struct str a, b; /* a: what to prepend, the pattern, or the charsmap's bytes */
    struct regex *regex;
};
/* SentencePiece's precompiled character map. charsmap_check: ERR_FORMAT when its header is wrong.
 * charsmap_find: the replacement of a whole chunk; false: none. */
enum err charsmap_check(struct str map, struct err_note *note);
bool charsmap_find(struct str map, struct str chunk, struct str *out);
/* out = text after all steps. */
enum err normalize(const struct norm_step *steps, size_t n_steps, struct str text, struct buf *out,
                   struct err_note *note);

enum split_behaviour {
    SPLIT_ISOLATED,
    SPLIT_REMOVED,
    SPLIT_MERGED_PREVIOUS,
    SPLIT_MERGED_NEXT,
    SPLIT_CONTIGUOUS,
};
enum char_class { CLASS_NONE, CLASS_SPACE, CLASS_NUMBER, CLASS_PUNCTUATION, CLASS_WORD };
enum pre_kind {
    PRE_SPLIT,        /* at matches of regex, or at characters of a class */
    PRE_PREFIX_SPACE, /* a space before a piece that does not begin with one */
    PRE_BYTE_MAP,     /* bytes become GPT-2's printable characters */
    PRE_METASPACE,    /* spaces become text; text is prepended by scheme */
};
enum metaspace_scheme { METASPACE_NEVER, METASPACE_FIRST, METASPACE_ALWAYS };
struct pre_step {
    enum pre_kind kind;
    struct str text; /* the pattern, or the metaspace character */
    struct regex *regex;
    enum char_class char_class; /* without a regex */
    enum split_behaviour behaviour;
    bool invert;
    enum metaspace_scheme scheme;
};
/* Pieces of one text. Invariant: none empty, in order. */
struct piece {
    size_t from, to;
    bool first; /* begins where the whole input begins */
};
struct pieces {
    struct buf text;
    struct piece *items;
    size_t n_items, n_reserved;
};
void pieces_init(struct pieces *p, size_t n_bytes_max);
bool pieces_add(struct pieces *p, struct piece piece); /* false: no memory; empty ones vanish */
void pieces_release(struct pieces *p);
/* p holds one piece, the whole text; afterwards all pieces. */
enum err pretokenize(const struct pre_step *steps, size_t n_steps, struct pieces *p,
                     struct err_note *note);

enum decode_kind {
    DECODE_BYTE_LEVEL,
    DECODE_REPLACE, /* a -> b in every token */
    DECODE_BYTE_FALLBACK,
    DECODE_FUSE,      /* what follows sees the whole text, not single tokens */
    DECODE_STRIP,     /* up to n_start characters a from the start */
    DECODE_METASPACE, /* a -> space; the first token loses its space */
    DECODE_WORDPIECE, /* a space between tokens unless prefixed with a */
    DECODE_JOIN,      /* a space between tokens: a file without decoder */
};
struct decode_step {
    enum decode_kind kind;
    struct str a, b;
    int n_start;
    bool flag; /* metaspace: strip the first; wordpiece: clean up */
};

struct added_token {
    struct str text;
    int32_t id;
    bool special, lstrip, rstrip, single_word, normalized;
};

enum model_kind { MODEL_BPE, MODEL_UNIGRAM, MODEL_WORDPIECE };

struct tokenizer {
    struct arena arena; /* every str of the tokenizer */
    struct vocab vocab;
    enum model_kind model;
    struct bpe bpe;
    struct unigram unigram;
    struct wordpiece wordpiece;
    struct added_token *added;
    size_t n_added;
    int32_t *added_of;                       /* [n_tokens] index into added, or -1 */
    struct prefix_set added_raw, added_norm; /* ids are indexes into added */
    struct norm_step norm[STEPS_MAX];
    size_t n_norm;
    struct pre_step pre[STEPS_MAX];
    size_t n_pre;
    struct decode_step decode[STEPS_MAX];
    size_t n_decode;
    int32_t before[STEPS_MAX], after[STEPS_MAX]; /* ENCODE_ADD_SPECIAL */
    size_t n_before, n_after;
    int32_t bos, eos, unk, pad;
    bool *eog;       /* [n_tokens] */
    char name[24];   /* of the model, for people */
};

/* What every reader ends with: indexes, matchers, end-of-generation set. The steps, vocabulary,
 * merges and added tokens are in place. */
enum err tokenizer_finish(struct tokenizer *t, struct err_note *note);
/* A zeroed tokenizer, without special ids; NULL: no memory. */
struct tokenizer *tokenizer_new(void);
/* Copy into the arena; a failure leaves an empty str and *failed set. */
struct str tokenizer_keep(struct tokenizer *t, struct str s, bool *failed);

/* Steps for the readers. ERR_LIMIT beyond STEPS_MAX, ERR_FORMAT for a pattern that does not
 * compile. */
enum err tokenizer_add_norm(struct tokenizer *t, enum norm_kind kind, struct str a, struct str b,
                            struct err_note *note);
enum err tokenizer_add_split(struct tokenizer *t, struct str pattern, enum split_behaviour b,
                             bool invert, struct err_note *note);
enum err tokenizer_add_class(struct tokenizer *t, enum char_class c, enum split_behaviour b,
                             struct err_note *note);
enum err tokenizer_add_pre(struct tokenizer *t, struct pre_step step, struct err_note *note);
enum err tokenizer_add_decode(struct tokenizer *t, struct decode_step step, struct err_note *note);

/* GPT-2's printable spelling of bytes. */
extern const char PATTERN_GPT2[];
uint32_t byte_map_char(unsigned char byte);
int byte_map_byte(uint32_t code_point); /* -1: not a spelling */
void byte_map_text(struct str text, struct buf *out);

/* The bytes of one token. first: no token came before it in this text. n_strip: see stream.h. */
void token_bytes(const struct tokenizer *t, int32_t id, bool first, unsigned flags, int *n_strip,
                 struct buf *out);
int decode_n_strip(const struct tokenizer *t, unsigned flags);

bool token_list_add(struct token_list *l, int32_t id); /* false: full or no memory */

#endif
