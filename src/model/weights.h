/* weights.h - which tensor of a file fills which slot of a model, with every shape checked.
 *
 * Views are borrowed from the table. A slot that the file leaves empty is NULL; slots that the
 * architecture needs never are. Every tensor of the file has a place: one without is an error,
 * because leaving it out would compute another model. */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "format/table.h"
#include "model/hparams.h"

struct slot_info {
    const char *name;
    bool is_vector;
    uint8_t dim[3]; /* letters, see weights.c */
};
const struct slot_info *layer_slot_info(enum layer_slot slot);

struct layer_weights {
    const struct tensor_view *slot[LAYER_SLOT_COUNT];
};

struct weights {
    const struct tensor_view *global[GLOBAL_SLOT_COUNT];
    struct layer_weights *layers; /* [n_layers] */
    uint64_t n_params;
};

/* weights_bind - errors name the tensor with the shape found and the one expected. */
enum err weights_bind(const struct table *t, const struct hparams *h, struct weights *w,
                      struct err_note *note);
void weights_release(struct weights *w);

/* The matrix that makes logits: output.weight, else the embeddings. An encoder has none: NULL. */
static inline const struct tensor_view *weights_head(const struct hparams *h,
                                                     const struct weights *w)
{
    if (h->is_encoder)
        return NULL;
    return w->global[w->global[SLOT_OUTPUT] ? SLOT_OUTPUT : SLOT_TOKEN_EMBD];
}

#endif
