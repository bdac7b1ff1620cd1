/* hf_rows.h - a GGUF tensor as a recipe over the tensors of a Hugging Face folder.
 *
 * A source gives rows out of whatever the folder stores (plain rows, columns, MXFP4 blocks with
 * separate scales, bitsandbytes codes with separate scales). A recipe says which source row each
 * row of the GGUF tensor is, and what happens to its elements. So a tensor can be made whole for
 * the table, or row by row while a file is written. Immutable once planned: any thread. */
#ifndef FORMAT_HF_ROWS_H
#define FORMAT_HF_ROWS_H

#include "format/safetensors.h"

enum hf_source_kind {
    HF_SOURCE_ROWS,    /* data[row][k] */
    HF_SOURCE_COLUMNS, /* data[slice][k][column]; row = slice * n_columns + column */
    HF_SOURCE_MXFP4,   /* data[row][k / 2] codes in order, scales[row][k / 32] */
    HF_SOURCE_BNB,     /* data[row][k / 2] codes, floats[row][k / 64] */
};

struct hf_source {
    enum hf_source_kind kind;
    enum dtype dtype; /* of the rows that it gives */
    uint64_t n_rows, k;
    uint64_t n_columns;
    const uint8_t *data, *scales;
    const float *floats;
};

struct hf_recipe {
    struct tensor_view view; /* under its GGUF name; data: the values themselves, or NULL */
    const struct hf_source *sources; /* one, or one for each expert; NULL with view.data */
    uint64_t n_sources;
    /* A unit is a row or, by_element (vectors), one element. Unit i of the n_units in a slice is
     * unit offset + stride * p(i) of the n_source_units in the source's slice; where head_dim is
     * not 0, p undoes the order of rotary pairs that Transformers uses. */
    bool by_element;
    uint64_t n_units, n_source_units, offset, stride, head_dim;
    bool plus_one; /* Gemma's norms */
    int layer;     /* for the order: -1 before the layers, INT_MAX after */
};

/* hf_recipe_is_view - true when the tensor is its source's bytes as they are; *data is there. */
bool hf_recipe_is_view(const struct hf_recipe *r, const void **data);

/* hf_recipe_rows - rows [row, row + n_rows) of r->view into out (aligned for its elements). */
void hf_recipe_rows(const struct hf_recipe *r, uint64_t row, uint64_t n_rows, void *out);

/* floats_convert - n elements between F32, F16, BF16. Widening is exact (also of numbers that are
 * subnormal in binary32), narrowing rounds to nearest even. Source bytes need no alignment. */
void floats_convert(enum dtype from, const void *in, enum dtype to, void *out, size_t n);

#endif
