/* model.h - a loaded model: weights on a device plus the function (tokens, pages) -> logits.
 *
 * A model knows no sequences and keeps no state between calls but its scratch: the cache lives in
 * pages that the engine owns, and a row names its pages. Logits of a row depend only on the weights
 * and the tokens in the positions it sees (docs/arithmetic.md, the four promises).
 * Thread: the owner of the device. model_forward allocates nothing. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/err.h"
#include "device/device.h"
#include "format/table.h"

struct model;
struct threads;

struct model_limits {
    uint32_t n_rows_max; /* rows of one forward call */
    uint32_t n_ctx_max;  /* positions of one sequence; 0: what the model was trained for */
    /* Of matrices in the device's layout; those beyond it stay in the file and are read at each
     * product: slow, with the same bits. 0: no limit; 1: none is kept. A device without
     * host_memory has no such products: ERR_MEMORY. With `lower` it is of those there. */
    size_t packed_bytes_max;
    uint32_t n_logits_max; /* rows of one forward call whose logits are wanted; 0: n_rows_max */
    bool is_fast; /* the profile `fast` (profile.h); not with a lower part */
    /* A second device, with host_memory, for what the model's own has no room for: it has the
     * embedding and the first n_lower layers, fewer than all; 0 of them is the embedding alone. The
     * activations cross to the model's device once in each pass. NULL: all lies on one device.
     * Not of encoders: ERR_UNSUPPORTED. */
    struct device *lower;
    uint32_t n_lower;
};

/* Where a page lies: on the model's device, and of the layers on limits.lower, there (NULL without
 * any). */
struct model_page {
    void *own, *lower;
};

/* What others may ask about a loaded model. Strings live as long as the model. */
struct model_info {
    const char *arch; /* "llama", "qwen3", ... */
    uint32_t n_vocab, n_ctx_train, n_ctx, n_layers, n_embd, n_heads, n_kv_heads, head_size;
    bool is_encoder;    /* it has no logits: model_encode */
    uint32_t pooling;   /* enum pooling (hparams.h) as the file says; 0: it does not */
    uint32_t n_labels;  /* of a cross-encoder: see model_rank */
    uint32_t n_types;   /* of tokens that an encoder tells apart; 0: it does not */
    uint64_t n_params;
    size_t kv_page_bytes; /* one page: KV_PAGE positions of every layer on the model's device, */
    size_t kv_lower_bytes; /* and of those on limits.lower */
    size_t kv_file_bytes; /* the same in canonical bytes (model_kv_export) */
    size_t weight_bytes;  /* on the device, or read where they lie */
    size_t raw_bytes;     /* of these, what limits.packed_bytes_max left in the file */
    bool is_fast;         /* limits.is_fast */
    uint32_t window_max;  /* largest sliding window; 0 if a layer attends to everything */
    uint32_t rope_border; /* LongRoPE: see batch.rope_far; 0: none */
};

/* LongRoPE (Phi-3 128k) has two sets of rotary factors. A position below info.rope_border is
 * computed with the near set. One at or above it is computed with the far set, over a cache whose
 * every position was computed with the far set too: a sequence that crosses the border is read
 * again from its first position, once. That is what generation in Transformers does, and it keeps
 * the promise that logits depend on the tokens before them alone. */

enum { MODEL_EDITS = 256, MODEL_AHEAD_ROWS = 4096 };

/* One forward call: T rows, in any mixture of sequences. All arrays are the host's but for the
 * pages, which are the device's. Rows of one sequence come in ascending
 * position, and every earlier position of the sequence is in its pages or earlier in this batch. */
struct batch {
    uint32_t n_rows;
    const int32_t *token;       /* [T]; NULL: row i's is what the device chose from logits i of the
                                   batch that was submitted before */
    const struct kv_row *rows;  /* [T] pages and positions; written pages are exclusive */
    const struct kv_row *lower_rows; /* [T] the same, with the pages on limits.lower; else NULL */
    const uint32_t *logit_rows; /* [n_logits] indexes of rows whose logits are wanted, ascending */
    uint32_t n_logits; /* at most limits.n_logits_max where logits are computed */
    const uint8_t *rope_far; /* [T] 1: the row's sequence uses LongRoPE's far set; NULL: none do */
    float *logits;           /* [n_logits, V]; NULL: not computed */
    float *hidden;           /* [n_logits, D] what the logits are made of; NULL: not wanted */
    uint8_t *bad;            /* [T] out: 0, or 1 + index of the layer that was not finite */
    /* Where the device chooses tokens (not with host_memory); NULL: it does not. */
    const struct sample_row *sample;  /* [n_logits] their edits are places in edits */
    const struct sample_edit *edits;  /* [n_edits], at most MODEL_EDITS for each of n_logits_max */
    uint32_t n_edits;
    struct sample_result *results;    /* [n_logits] out */
    const uint8_t *stays;             /* [n_logits] 1: nobody wants these logits on the host */
    uint32_t turn; /* 0 or 1: with `sample`, of two batches under way each has another */
    /* Of rows that are none of a text (proof of compute); NULL: there are none. */
    const float *const *input;   /* [T] D values that enter the first layer in place of the token's
                                    row, or NULL: the token's; token is in the vocabulary all the
                                    same */
    const float *const *mirrors; /* [T] [layers, D] v of x -= 2 (v . x) v after each layer, or
                                    NULL */
};

/* A tap sees each operation's result, in order (isobit trace). NULL: none. */
struct model_tap {
    void (*fn)(void *context, int layer, const char *op, const float *x, size_t stride,
               uint32_t n_rows, uint32_t n);
    void *context;
};

/* model_open - bind every tensor by name, check every shape and scale, lay weights out on the
 * device. t must outlive the model (with host_memory, embedding rows and some matrices are read in
 * place). progress
 * may be NULL; it gets bytes done of total. Errors name the tensor and the shape found and
 * expected, or the block whose scale is not finite. */
enum err model_open(const struct table *t, struct device *d, struct model_limits limits,
                    void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                    struct model **m, struct err_note *note);
void model_close(struct model *m);
/* model_shed - gives back what lies on limits.lower: of a model whose own device was lost, and that
 * is to be closed. */
void model_shed(struct model *m);
const struct model_info *model_info(const struct model *m);
void model_set_tap(struct model *m, struct model_tap tap);

/* What a forward pass multiplies with, so that its cost can be told. */
struct model_product {
    const struct matrix *matrix; /* n_alike of one shape side by side */
    uint32_t n_alike, n_used;    /* experts, and those that a row goes through; else 1 and 1 */
    bool is_head;                /* only for rows whose logits are wanted */
};
/* model_products - all of them in order, the first n_max written to out; returns how many there
 * are. */
size_t model_products(const struct model *m, struct model_product *out, size_t n_max);
/* model_cache_bytes - what a row reads of its cache when it sees n_positions, windows regarded. */
size_t model_cache_bytes(const struct model *m, uint32_t n_positions);
void model_forward(struct model *m, const struct batch *b);
/* model_forward in two halves: model_submit lets the device compute, model_collect waits for it and
 * for nothing that was submitted since. Another batch may be submitted in between where all logits
 * of this one stay on the device, hidden is not wanted, and both have at most MODEL_AHEAD_ROWS. */
void model_submit(struct model *m, const struct batch *b);
void model_collect(struct model *m, const struct batch *b);

/* The forward call of an encoder: whole texts side by side, each row sees all of its text. */
struct encode_batch {
    uint32_t n_rows;
    const int32_t *token;      /* [T] */
    const uint8_t *type;       /* [T] below the model's types; NULL: all 0 */
    const struct kv_row *rows; /* [T] each row's own position, from 0 on in each text */
    const struct kv_row *seen; /* [T] the same pages, with the position of the text's last row */
    float *hidden;             /* [T, D] out */
    uint8_t *bad;              /* [T] out, as in struct batch */
};
void model_encode(struct model *m, const struct encode_batch *b);

/* model_rank - a cross-encoder's head: pooled rows [n, D] to scores [n, n_labels]. n is at most
 * limits.n_rows_max. bad: [n] set to 1 where a row is not finite. */
void model_rank(struct model *m, const float *pooled, uint32_t n, float *scores, uint8_t *bad);

/* A lost device (status) leaves in all of these, and in what a forward call gives, bytes of no
 * meaning: whoever uses them asks first.
 * model_kv_export - a full page's canonical bytes (kv_export), layer after layer: kv_file_bytes of
 * them. model_kv_import makes a page of them that cannot be told from one that was computed. */
void model_kv_export(const struct model *m, struct model_page page, uint8_t *out);
void model_kv_import(const struct model *m, struct model_page page, const uint8_t *in);
/* model_kv_plausible - kv_plausible of every layer. */
bool model_kv_plausible(const struct model *m, const uint8_t *in);
/* model_kv_digest - a full page's hash: SHA-256 of the SHA-256 of each layer's part of those bytes,
 * one after another. On the device. */
void model_kv_digest(const struct model *m, struct model_page page, uint8_t digest[SHA256_BYTES]);

/* model_plan - what a model would need, from metadata and tensor table alone. */
enum err model_plan(const struct table *t, struct model_limits limits, struct model_info *info,
                    struct err_note *note);

/* model_needs_find - the memory that model_open takes on this device with these limits, before it
 * takes any. packed_bytes_max is not looked at. */
struct device_needs {
    size_t packed_bytes;  /* matrices in the device's layout; 0: it multiplies them in the file */
    size_t vector_bytes;  /* norms, biases; rows that are looked up, where not read in the file */
    size_t scratch_bytes; /* of a forward call, on the device */
};
struct model_needs {
    struct model_info info;
    struct device_needs own, lower; /* on d, and on limits.lower */
};
enum err model_needs_find(const struct table *t, struct device *d, struct model_limits limits,
                          struct model_needs *needs, struct err_note *note);

/* The yardstick: plain float64 evaluation of the same graph, no quantised activations or cache.
 * logits [n_tokens, V] doubles. Slow; O(n_tokens^2) attention; allocates. */
enum err model_forward_f64(const struct table *t, const int32_t *token, uint32_t n_tokens,
                           struct threads *threads, double *logits, struct err_note *note);

/* model_rows_f64 - the same of rows in place of tokens: input [n_rows, D], mirrors [layers, D] or
 * NULL. hidden [D]: the last row after the last norm. Below LongRoPE's border. */
enum err model_rows_f64(const struct table *t, const float *input, const float *mirrors,
                        uint32_t n_rows, struct threads *threads, double *hidden,
                        struct err_note *note);

#endif
