/* model_int.h - the insides of a loaded model, for model/ alone.
 *
 * A model on two devices is two of them: one with the embedding and the first layers, and the one
 * that owns it, with the other layers and the head. Each has its layers alone, by the numbers that
 * they have in the file.
 * Scratch is sized at open for limits.n_rows_max rows; a forward call works inside it. */
#ifndef MODEL_MODEL_INT_H
#define MODEL_MODEL_INT_H

#include "base/mem.h"
#include "model/model.h"
#include "model/rope_exact.h"
#include "model/weights.h"

enum { ACT_KINDS = ACT_BF16 + 1 };

/* What fills a slot: a vector, a matrix, or one matrix for each expert side by side. */
struct layer {
    const struct matrix *matrix[LAYER_SLOT_COUNT];
    const float *vector[LAYER_SLOT_COUNT];
};

/* Rows that are about to be multiplied: quantised when first needed, once for each kind. */
struct operand {
    const float *x;
    size_t stride;
    uint32_t n_rows, n_cols;
    uint8_t *bad; /* [n_rows] set to 1 where a row is not finite */
    bool ready[ACT_KINDS];
};

/* The device's arrays. T rows of a call. */
struct scratch {
    float *x, *normed, *out; /* [T, D] residual stream, after a norm, what a block adds */
    float *qkv;              /* [T, Q + 2 KV] */
    float *attn;             /* [T, Q] */
    float *ff;               /* [T, 2 F] gate, then up */
    float *cos[2], *sin[2];  /* [T, n_rot / 2] of full and of windowed layers */
    int32_t *token;          /* [T] tokens, positions or types, to look rows up by */
    uint32_t *origin;        /* [T] index in the batch of the rows at work */
    uint8_t *bads;           /* [layers + 1, rows of the pass] not finite in this layer */
    uint8_t *bad;            /* of the rows at work, in the layer at work: inside bads */
    const float **mirrors;   /* [T] of the rows at work */
    void *acts[ACT_KINDS];
    float *router; /* [T, EX] of mixtures of experts */
    void *experts; /* what lies between router and sum is the device's matter */
    float *ones;   /* [F] of encoders: the gate's partner where there is none */
    /* Where the host cannot touch them; else the caller's own arrays are used: */
    float *logits;                    /* [n_logits_max, V], or [T, labels] of encoders */
    uint8_t *first_bad;               /* [T] what becomes batch.bad, */
    struct sample_result *results;    /* [n_logits_max] and right behind it: both are got at once */
    struct sample_row *sample;        /* [n_logits_max] */
    struct sample_edit *edits;        /* [n_logits_max, MODEL_EDITS] */
    float *changed;                   /* sample_work_floats */
    float *mirror_rows;               /* [T, D] one layer's of batch.mirrors */
    uint8_t (*digests)[SHA256_BYTES]; /* [layers] */
};

/* The host's. Where it shares the device's memory those that scratch has too are the same arrays,
 * and copies between them nothing. */
struct host_scratch {
    float *cos[2], *sin[2];
    int32_t *token;
    uint32_t *origin;
    const float **mirrors;
    struct kv_row *kv;  /* [2 T] */
    uint8_t *lower_bad; /* [T] what the lower layers have on record, where they lie elsewhere */
    /* Where it shares none: */
    uint8_t *first_bad;            /* [T] */
    struct sample_result *results; /* [n_logits_max] right behind it */
    uint8_t *page;                 /* one page */
    float *tapped;                 /* what a tap looks at */
};

struct model {
    struct hparams h;
    struct weights w;
    struct model_info info;
    struct device *device;
    struct model *lower;       /* what has the layers before its own, and the embedding; or NULL */
    uint32_t from, to;         /* its own layers: [from, to) */
    struct model_tap tap;
    uint32_t n_rows_max, n_logits_max;
    bool is_fast;

    struct layer *layers;
    const struct matrix *head;
    const float *output_norm;
    const float *embd_norm, *embd_norm_bias; /* of encoders */
    const struct matrix *cls, *cls_out;      /* of cross-encoders, or NULL */
    const float *cls_bias, *cls_out_bias;
    struct rope_exact rope[2]; /* full, windowed */
    bool two_ropes;
    struct experts_shape experts; /* of n_rows_max rows, and all layers' kinds of activations */
    size_t kv_layer_bytes;
    float norm_eps, attn_scale, attn_softcap, final_softcap, embd_scale;

    struct arena arena; /* matrices' heads */
    /* On the device: */
    uint8_t *packed; /* matrices in its layout */
    size_t n_packed;
    uint8_t *vectors; /* and where it cannot read the file, rows that are looked up */
    size_t n_vectors;
    uint64_t n_loaded; /* bytes of the file that were read, the lower one's among them */
    const void *looked_up[GLOBAL_SLOT_COUNT]; /* rows of embeddings */
    uint8_t *memory;                          /* scratch */
    size_t n_memory;
    struct scratch s;

    uint8_t *host_memory;
    size_t n_host_memory;
    struct host_scratch host;
    struct operand operand;
};

/* Between the host's arrays and the device's. */
static inline void model_put(const struct model *m, void *to, const void *from, size_t n_bytes)
{
    if (to != from && n_bytes)
        m->device->ops->put(m->device, to, from, n_bytes);
}
static inline void model_get(const struct model *m, void *to, const void *from, size_t n_bytes)
{
    if (to != from && n_bytes)
        m->device->ops->get(m->device, to, from, n_bytes);
}
static inline bool model_shares(const struct model *m)
{
    return m->device->ops->host_memory;
}
static inline bool model_has_head(const struct model *m)
{
    return m->to == m->h.n_layers;
}
/* Of a page, where its layer i begins. */
static inline size_t model_kv_offset(const struct model *m, uint32_t i)
{
    return (i - m->from) * m->kv_layer_bytes;
}

/* What a matrix of this type and width multiplies with, in the model's profile. */
static inline enum act_kind model_act_kind(const struct model *m, enum dtype t, uint32_t n_cols)
{
    return m->is_fast ? m->device->ops->fast_kind(m->device, t, n_cols) : act_kind_of(t);
}

/* The device's operations on a model's rows, shared by forward.c and encode.c. */
void model_operand(struct model *m, const float *x, size_t stride, uint32_t n_rows, uint32_t n_cols,
                   uint8_t *bad);
/* y = operand . w^T + bias; rows of y `stride` floats apart. */
void model_multiply(struct model *m, const struct matrix *w, const float *bias, float *y,
                    size_t stride);
/* model_operand_made - for an operation that also quantises its rows, which are the operand: what
 * the matrices in these slots need, from now on taken as there. Returns how many kinds. */
uint32_t model_operand_made(struct model *m, const struct matrix *const *matrix, uint64_t slots,
                            struct acts acts[ACT_KINDS]);
void model_tell(const struct model *m, int layer, const char *op, const float *x, size_t stride,
                uint32_t n_rows, uint32_t n);

/* model_qkv - queries, keys and values of the operand [n, D] into s.qkv. */
void model_qkv(struct model *m, uint32_t layer, uint32_t n);
/* model_kv_write - queries and keys turned, by the tables in s.cos and s.sin; keys and values into
 * the layer's part of their pages. */
void model_kv_write(struct model *m, uint32_t layer, const struct kv_row *rows, uint32_t n,
                    size_t layer_offset);
/* model_glu - s.ff [n, 2 F] gate and up (without is_gated: the first alone) to the operand of the
 * feed-forward's last product. */
void model_glu(struct model *m, uint32_t layer, bool is_gated, uint32_t n);

/* model_look_up - rows of a table by s.token[0..n). */
void model_look_up(struct model *m, enum global_slot slot, uint32_t n, float scale, float *y);

/* model_packed_bytes - of every matrix in the device's layout; model_vector_bytes - of vectors, and
 * of rows that are looked up where they are not read in the file; device, layers and w are set. */
size_t model_packed_bytes(const struct model *m);
size_t model_vector_bytes(const struct model *m);

/* model_load - matrices and vectors of every slot of its layers, packed for the device.
 * packed_bytes_max: see struct model_limits. */
enum err model_load(struct model *m, const struct table *t, size_t packed_bytes_max,
                    void (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                    struct err_note *note);

#endif
