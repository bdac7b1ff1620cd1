/* tokenizer.h - text to token ids, token ids to text: the one face of every tokenizer.
 *
 * A tokenizer is made from a GGUF's metadata or from a Hugging Face tokenizer.json, then never
 * changes: any number of threads may use it. Its ids equal those of Hugging Face `tokenizers` for
 * the same vocabulary. Text in is any bytes: ill-formed UTF-8 becomes U+FFFD first (text/utf8.h).
 * Text is cut at added tokens, normalised, cut by the pre-tokenizer, then each piece goes to the
 * model (BPE, unigram, WordPiece). As in `tokenizers`, a character that a vocabulary without an
 * unknown token cannot spell gives no token. In one thing this differs: a special token never
 * comes from plain text, whatever the model's vocabulary says. */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct table;
struct tokenizer;

enum { TOKEN_NONE = -1 };

/* GGUF's numbers (tokenizer.ggml.token_type). */
enum token_type {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3, /* special: matched only with ENCODE_PARSE_SPECIAL, silent in decoded text */
    TOKEN_USER = 4,    /* added, but text like any other: always matched whole */
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6, /* <0x00> .. <0xFF> */
};

enum encode_flag {
    ENCODE_ADD_SPECIAL = 1,   /* what the model adds around a text: <s>, [CLS], ... */
    ENCODE_PARSE_SPECIAL = 2, /* "<|im_end|>" in the text is the token, not its letters */
};

enum decode_flag {
    DECODE_SPECIAL = 1,  /* control tokens appear as their text instead of nothing */
    DECODE_CONTINUE = 2, /* the text continues another: the first token keeps its space */
};

/* A growing list of ids that states its maximum. Zero-initialise, set n_ids_max. */
struct token_list {
    int32_t *ids;
    size_t n_ids, n_reserved, n_ids_max;
};
void token_list_release(struct token_list *l);

/* From tokenizer.ggml.* of an opened model, or the tokenizer.json of an opened folder.
 * ERR_NOT_FOUND: there is none.
 * ERR_FORMAT, ERR_UNSUPPORTED name the key, token or pre-tokenizer. Nothing of t is kept. */
enum err tokenizer_from_table(const struct table *t, struct tokenizer **out, struct err_note *note);

/* tokenizer_from_json - from the bytes of tokenizer.json, and of tokenizer_config.json for the
 * special ids (may be empty). A step or model that is not known is refused by name. */
enum err tokenizer_from_json(struct str tokenizer_json, struct str config_json,
                             struct tokenizer **out, struct err_note *note);

/* tokenizer_from_folder - the same from a model's folder; ids that end generation also come from
 * generation_config.json and config.json. ERR_NOT_FOUND: no tokenizer.json. */
enum err tokenizer_from_folder(const char *folder, struct tokenizer **out, struct err_note *note);

void tokenizer_free(struct tokenizer *t); /* NULL is fine */

/* tokenizer_encode - append the ids of text to out. ERR_LIMIT when they exceed out->n_ids_max
 * (out is then as before), ERR_MEMORY. Cost O(n log n). */
enum err tokenizer_encode(const struct tokenizer *t, struct str text, unsigned flags,
                          struct token_list *out, struct err_note *note);

/* tokenizer_decode - append the bytes that ids spell. The bytes of one id need not be whole
 * characters: use text/stream.h to show text as it comes. ERR_FORMAT names an id out of range. */
enum err tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n_ids,
                          unsigned flags, struct buf *out, struct err_note *note);

size_t tokenizer_n_tokens(const struct tokenizer *t);
/* The vocabulary's own spelling (byte-level "Ġthe", SentencePiece "▁the"), not the decoded bytes;
 * id must be in range. */
struct str tokenizer_token_text(const struct tokenizer *t, int32_t id);
enum token_type tokenizer_token_type(const struct tokenizer *t, int32_t id);
/* The id whose vocabulary spelling is text, or TOKEN_NONE. */
int32_t tokenizer_token_id(const struct tokenizer *t, struct str text);

int32_t tokenizer_bos(const struct tokenizer *t); /* TOKEN_NONE where there is none; so below */
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_unk(const struct tokenizer *t);
int32_t tokenizer_pad(const struct tokenizer *t);
bool tokenizer_adds_bos(const struct tokenizer *t); /* ENCODE_ADD_SPECIAL begins with bos */
bool tokenizer_adds_eos(const struct tokenizer *t);
/* End of generation: eos, end of turn, end of message and their kin. */
bool tokenizer_is_eog(const struct tokenizer *t, int32_t id);
/* tokenizer_ends - all of those, ascending; ERR_LIMIT when they are more than n_max. */
enum err tokenizer_ends(const struct tokenizer *t, int32_t *ends, uint32_t n_max, uint32_t *n_ends,
                        struct err_note *note);
const char *tokenizer_model_name(const struct tokenizer *t); /* "byte-level BPE", "unigram", ... */

/* SHA-256 over everything that decides ids and text: tokens, types, scores, merges, steps, added
 * tokens and special ids, in one canonical form. ERR_MEMORY. */
enum err tokenizer_hash(const struct tokenizer *t, uint8_t digest[SHA256_BYTES],
                        struct err_note *note);

#endif
