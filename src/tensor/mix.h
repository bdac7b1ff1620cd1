/* mix.h - which type each tensor of a model gets when the model is quantised to a named mix.
 *
 * The mixes are llama.cpp's: a base type, with more bits for the value projections, the second
 * feed-forward matrix and the output, which lose the most. Rows that a type's block does not divide
 * fall back to a type of 32, then to F16, as there. */
#ifndef TENSOR_MIX_H
#define TENSOR_MIX_H

#include "base/str.h"
#include "tensor/dtype.h"

struct mix;

/* What the choice depends on, from the model's metadata. */
struct mix_model {
    struct str arch;    /* general.architecture */
    int n_layers;       /* block_count */
    int n_experts;      /* expert_count, 0 without */
    int n_heads_per_kv; /* query heads that share a key head, in the first layer */
    bool has_output;    /* an output.weight of its own: the embedding is not used for it */
};

/* mix_find - by name in any case, such as "Q4_K_M" or its short form "Q4_K"; NULL if there is none.
 * mix_at - the i-th of all, NULL past the last. Static storage. */
const struct mix *mix_find(const char *name);
const struct mix *mix_at(size_t i);

const char *mix_name(const struct mix *m);
enum dtype mix_base(const struct mix *m);
uint32_t mix_file_type(const struct mix *m); /* the value of general.file_type */

/* mix_dtype - the type for a tensor that is now `from`. A tensor that is not to be quantised keeps
 * its type, but vectors and expert routers become F32. *wanted, if not NULL, is the type before any
 * fallback for its row length dim[0]. */
enum dtype mix_dtype(const struct mix *m, const struct mix_model *model, struct str name,
                     enum dtype from, int n_dims, const uint64_t *dim, enum dtype *wanted);

#endif
