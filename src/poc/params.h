/* params.h - the shapes of proof of compute's random model, with the sets that the chain has used.
 *
 * Every tensor has a name, a place in the order of drawing and a shape: what it holds follows from
 * these and the block hash alone. */
#ifndef POC_PARAMS_H
#define POC_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct poc_params {
    uint32_t dim, n_layers, n_heads, n_kv_heads, vocab_size;
    double ffn_dim_multiplier;
    uint32_t multiple_of;
    double norm_eps, rope_theta;
    bool use_scaled_rope;
    uint32_t seq_len;
};

/* "testnet", "mainnet", "default", "go-default", "go-test", "test"; NULL for another name. */
const struct poc_params *poc_params_named(const char *name);

/* ERR_LIMIT or ERR_FORMAT, naming the field. Every other function takes checked parameters. */
enum err poc_params_check(const struct poc_params *p, struct err_note *note);

uint32_t poc_head_dim(const struct poc_params *p);
uint32_t poc_ffn_dim(const struct poc_params *p); /* the hidden width of the feed-forward part */
uint64_t poc_n_values(const struct poc_params *p); /* of all tensors together */

/* Operations of a nonce's products that nobody can leave out, two for each multiply-add: positions
 * see those before them, and of the last layer only the last position is used. */
double poc_n_ops(const struct poc_params *p);

enum poc_part {
    POC_WQ,
    POC_WK,
    POC_WV,
    POC_WO,
    POC_W1,
    POC_W2,
    POC_W3,
    POC_ATTENTION_NORM,
    POC_FFN_NORM,
    POC_N_PARTS /* of a layer, in the order of drawing */
};

/* Places of tensors: the embeddings (never used, yet drawn), the layers' parts, norm, output. */
static inline uint32_t poc_layer_tensor(uint32_t layer, enum poc_part part)
{
    return 1 + layer * POC_N_PARTS + (uint32_t)part;
}
uint32_t poc_norm_tensor(const struct poc_params *p);
uint32_t poc_output_tensor(const struct poc_params *p);
uint32_t poc_n_tensors(const struct poc_params *p);

struct poc_tensor {
    char name[64];
    uint64_t n_rows, n_columns; /* row-major; a product's outputs are its rows */
};
struct poc_tensor poc_tensor_at(const struct poc_params *p, uint32_t tensor);

#endif
