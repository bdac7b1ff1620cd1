/* hparams.h - the numbers and choices that make a transformer of this family, read from metadata.
 *
 * One struct describes every supported architecture; both forward passes interpret it, and an
 * architecture's file (arch/) only fills in what it does differently. Checked after reading: every
 * count is within the limits below, heads divide, head sizes suit the device.
 * Source of keys and their meaning: github.com/ggml-org/llama.cpp, gguf-py/gguf/constants.py. */
#ifndef MODEL_HPARAMS_H
#define MODEL_HPARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "device/device.h"
#include "format/table.h"
#include "model/slots.h"

enum {
    LAYERS_MAX = 254, /* batch.bad has one byte for a layer */
    WIDTH_MAX = 1 << 20,
    VOCAB_MAX = 1 << 24,
    CONTEXT_MAX = 1 << 24,
    TYPES_MAX = 256,
    LABELS_MAX = 4096,
};

enum rope_scaling {
    ROPE_SCALING_NONE,
    ROPE_SCALING_LINEAR,
    ROPE_SCALING_DYNAMIC, /* NTK: from n_ctx_orig on, a position's own base, as decoding has it */
    ROPE_SCALING_YARN,
    ROPE_SCALING_LLAMA3,
    ROPE_SCALING_LONGROPE, /* tables rope_factors_short and _long; see rope_border in model.h */
};

struct rope_params {
    enum rope_scaling scaling;
    double theta;
    double factor;       /* how many times longer the context became; 1: not scaled */
    double magnitude;    /* of sine and cosine; 0: derived from factor as the scaling says */
    double log_mul;      /* YaRN's mscale_all_dim; 0: none */
    uint32_t n_ctx_orig; /* positions before the scaling */
    double beta_fast, beta_slow;              /* YaRN */
    bool round_ramp;                          /* YaRN: the ramp's ends are rounded outwards */
    double low_freq_factor, high_freq_factor; /* Llama 3 */
};

/* How the rows of a text become one: GGUF's numbers (<architecture>.pooling_type). */
enum pooling {
    POOLING_NONE,
    POOLING_MEAN,
    POOLING_CLS,  /* the first row */
    POOLING_LAST, /* the last row */
    POOLING_RANK, /* a cross-encoder: its head's output */
};

struct arch;

struct hparams {
    const struct arch *arch;
    uint32_t n_vocab, n_ctx_train, n_layers, n_embd, n_heads, n_kv_heads, head_size, n_rot, n_ff;
    uint32_t n_experts, n_experts_used, n_ff_expert; /* 0 without experts */
    uint32_t n_types, n_labels; /* of an encoder: token types, outputs of its head; 0: none */
    enum pooling pooling;       /* as the file says; NONE: it does not */
    double norm_eps;
    double attn_scale; /* softmax scale; 0: 1 / sqrt(attn_scale_dim) */
    uint32_t attn_scale_dim;
    double attn_softcap, final_softcap; /* 0: none */
    uint32_t window;                    /* positions that a windowed layer sees; 0: no window */
    bool windowed[LAYERS_MAX];
    struct rope_params rope, rope_windowed; /* of full and of windowed layers */

    /* What an architecture chooses. Tensors that are neither needed nor allowed are refused. */
    bool is_encoder;          /* every row sees its whole text: no logits, no cache */
    bool rope_interleaved;    /* pairs (0,1)(2,3).., as converters store Llama's heads */
    bool embd_scaled;         /* token embeddings times sqrt(n_embd) */
    bool post_norms;          /* a norm after attention and feed-forward, before the residual */
    bool expert_weights_norm; /* weights of the chosen experts sum to 1 */
    enum act_fn act;
    enum layer_slot ffn_norm; /* the norm before the feed-forward */
    uint64_t needs, allows;   /* sets of layer slots */
    uint64_t needs_global, allows_global;
};

/* hparams_read - the architecture's name, then its numbers. Errors name the key. */
enum err hparams_read(const struct table *t, struct hparams *h, struct err_note *note);

static inline uint32_t hparams_window(const struct hparams *h, uint32_t layer)
{
    return h->windowed[layer] ? h->window : 0;
}

/* A reader of "<architecture>.<key>" whose first error sticks: later reads give the fallback. */
struct meta_reader {
    const struct table *t;
    const char *prefix;
    struct err_note *note;
    enum err rc;
};
uint32_t meta_u32(struct meta_reader *r, const char *key, uint32_t fallback);
uint32_t meta_need_u32(struct meta_reader *r, const char *key);
double meta_f64(struct meta_reader *r, const char *key, double fallback);
bool meta_bool(struct meta_reader *r, const char *key, bool fallback);

/* hparams_windows - which layers have the window: by the file's pattern, else all but each
 * period-th (period 0: all, 1: none). window_default stands where the file names none. */
void hparams_windows(struct hparams *h, struct meta_reader *r, uint32_t period,
                     uint32_t window_default);

#endif
