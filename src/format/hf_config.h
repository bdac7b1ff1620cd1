/* hf_config.h - config.json of a Hugging Face folder as GGUF metadata.
 *
 * Keys and values are those that llama.cpp's converter writes, plus these where the config asks for
 * something that has no place there (docs/formats/hugging-face.md): attention.sliding_window of
 * Mistral, attention.sliding_window_pattern where it is not the family's own, attention.scale
 * (binary64) where it is not head_size^-1/2, expert_weights_norm, rope.scaling.type "dynamic".
 * What is not understood is refused by name. */
#ifndef FORMAT_HF_CONFIG_H
#define FORMAT_HF_CONFIG_H

#include "format/hf_json.h"
#include "format/metas.h"

enum { HF_FACTORS_MAX = 256 };

/* What tells the families apart. The tensor names follow from it too (hf_names.h). */
enum hf_family_bit {
    HF_LLAMA = 1 << 0, /* llama, mistral: rotary pairs are interleaved in GGUF */
    HF_MIXTRAL = 1 << 1,
    HF_QWEN2 = 1 << 2,
    HF_QWEN3 = 1 << 3,
    HF_QWEN3MOE = 1 << 4,
    HF_PHI3 = 1 << 5,
    HF_GEMMA2 = 1 << 6,
    HF_GEMMA3 = 1 << 7,
    HF_GPT_OSS = 1 << 8,
    HF_BERT = 1 << 9,
    HF_ROBERTA = 1 << 10, /* XLM-R too */
    HF_PERMUTED = HF_LLAMA | HF_MIXTRAL,
    HF_ENCODER = HF_BERT | HF_ROBERTA,
    HF_GEMMA = HF_GEMMA2 | HF_GEMMA3, /* norms hold the difference from 1 */
};

struct hf_family {
    const char *model_type, *arch;
    enum hf_family_bit bit;
    double rms_eps, rope_theta; /* Transformers' defaults */
    uint32_t head_dim;          /* 0: embedding / heads */
    bool tied;
    const char *activation;
};

enum hf_quant { HF_QUANT_NONE, HF_QUANT_MXFP4, HF_QUANT_BNB };

/* A small tensor that comes from the configuration: factors that divide rotary frequencies. */
struct hf_factors {
    const char *name; /* under GGUF; NULL: absent */
    uint32_t n;
    float value[HF_FACTORS_MAX];
};

struct hf_config {
    const struct hf_family *family;
    uint32_t n_layers, n_ctx, n_embd, n_heads, n_kv_heads, head_dim, n_experts;
    uint32_t n_positions_skipped; /* RoBERTa: rows of the position table before position 0 */
    bool ranks;                   /* a cross-encoder: with a head */
    bool tied;
    enum hf_quant quant;
    struct hf_factors factors[2];
};

/* hf_config_parse - fill c and m from the text of config.json. name is general.name.
 * On error the metadata in m is incomplete. */
enum err hf_config_parse(const char *bytes, size_t n_bytes, const char *file, struct str name,
                         struct hf_config *c, struct metas *m, struct err_note *note);

/* hf_rope_parse - the rotary part (hf_rope.c). root is the text model's object. */
void hf_rope_parse(struct hf_config *c, const struct hf_json *root, struct metas *m);

/* hf_bert_parse - an encoder's sizes (hf_bert.c). */
void hf_bert_parse(struct hf_config *c, const struct hf_json *root, struct metas *m);

/* hf_pooling_parse - 1_Pooling/config.json of sentence-transformers: pooling_type. */
enum err hf_pooling_parse(const char *bytes, size_t n_bytes, const char *file,
                          const struct hf_config *c, struct metas *m, struct err_note *note);
/* hf_modules_parse - modules.json of sentence-transformers: the folder of its pooling ("" if there
 * is none). A module that changes vectors and is not done here is refused by name. */
enum err hf_modules_parse(const char *bytes, size_t n_bytes, const char *file, char folder[256],
                          struct err_note *note);

/* hf_key - "arch.suffix", in a buffer that the next call overwrites. */
struct hf_key {
    char text[128];
};
const char *hf_key(struct hf_key *k, const struct hf_config *c, const char *suffix);

#endif
