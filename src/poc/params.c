/* params.c - parameter sets, widths and the list of tensors. */
#include "poc/params.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const struct {
    const char *name;
    struct poc_params params;
} SETS[] = {
    {"testnet", {1024, 32, 32, 32, 8196, 10.0, 2048, 1e-5, 10000, false, 128}},
    {"mainnet", {1792, 64, 64, 64, 8196, 10.0, 8192, 1e-5, 10000, false, 256}},
    {"default", {2048, 16, 16, 16, 8192, 1.3, 1024, 1e-5, 500000, false, 16}},
    {"go-default", {512, 64, 128, 128, 8192, 16.0, 1024, 1e-5, 500000, true, 4}},
    {"go-test", {512, 16, 16, 16, 8192, 1.3, 1024, 1e-5, 500000, true, 4}},
    {"test", {128, 16, 16, 16, 128, 16.0, 1024, 1e-5, 500000, false, 4}},
};

const struct poc_params *poc_params_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(SETS); i++)
        if (strcmp(SETS[i].name, name) == 0)
            return &SETS[i].params;
    return NULL;
}

static enum err check_fields(const struct poc_params *p, struct err_note *note)
{
    const struct {
        const char *name;
        uint32_t value, max;
    } fields[] = {
        {"dim", p->dim, 1 << 16},
        {"n_layers", p->n_layers, 1024},
        {"n_heads", p->n_heads, 1 << 16},
        {"n_kv_heads", p->n_kv_heads, 1 << 16},
        {"vocab_size", p->vocab_size, 1 << 20},
        {"multiple_of", p->multiple_of, 1 << 20},
        {"seq_len", p->seq_len, 1 << 16},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (fields[i].value == 0 || fields[i].value > fields[i].max)
            return err_set(note, ERR_LIMIT, "params: %s is %u; it must be 1 to %u", fields[i].name,
                           fields[i].value, fields[i].max);
    if (!(p->ffn_dim_multiplier > 0 && p->ffn_dim_multiplier <= 1024))
        return err_set(note, ERR_LIMIT, "params: ffn_dim_multiplier is %g; it must be over 0, at "
                       "most 1024", p->ffn_dim_multiplier);
    if (!(p->norm_eps >= 0 && p->norm_eps <= 1))
        return err_set(note, ERR_LIMIT, "params: norm_eps is %g; it must be 0 to 1", p->norm_eps);
    if (!(p->rope_theta >= 1 && p->rope_theta <= 1e12))
        return err_set(note, ERR_LIMIT, "params: rope_theta is %g; it must be 1 to 1e12",
                       p->rope_theta);
    return ERR_OK;
}

enum err poc_params_check(const struct poc_params *p, struct err_note *note)
{
    enum err rc = check_fields(p, note);
    if (rc != ERR_OK)
        return rc;
    if (p->dim % p->n_heads != 0 || p->dim / p->n_heads % 2 != 0)
        return err_set(note, ERR_FORMAT, "params: dim %u must be n_heads (%u) times an even number",
                       p->dim, p->n_heads);
    if (p->n_heads % p->n_kv_heads != 0)
        return err_set(note, ERR_FORMAT, "params: n_heads (%u) must be a multiple of n_kv_heads "
                       "(%u)", p->n_heads, p->n_kv_heads);
    if (p->ffn_dim_multiplier * p->dim * 8 / 3 > 1 << 24 || poc_ffn_dim(p) > 1 << 24)
        return err_set(note, ERR_LIMIT, "params: the hidden width of the feed-forward part is over "
                       "%d", 1 << 24);
    return ERR_OK;
}

uint32_t poc_head_dim(const struct poc_params *p)
{
    return p->dim / p->n_heads;
}

uint32_t poc_ffn_dim(const struct poc_params *p)
{
    uint32_t wide = p->dim * 8 / 3;
    uint32_t scaled = (uint32_t)(p->ffn_dim_multiplier * wide);
    return (scaled + p->multiple_of - 1) / p->multiple_of * p->multiple_of;
}

uint32_t poc_norm_tensor(const struct poc_params *p)
{
    return poc_layer_tensor(p->n_layers, 0);
}

uint32_t poc_output_tensor(const struct poc_params *p)
{
    return poc_norm_tensor(p) + 1;
}

uint32_t poc_n_tensors(const struct poc_params *p)
{
    return poc_output_tensor(p) + 1;
}

static struct poc_tensor tensor_named(const char *name, uint64_t n_rows, uint64_t n_columns)
{
    struct poc_tensor t = {.n_rows = n_rows, .n_columns = n_columns};
    snprintf(t.name, sizeof t.name, "%s", name);
    return t;
}

struct poc_tensor poc_tensor_at(const struct poc_params *p, uint32_t tensor)
{
    CHECK(tensor < poc_n_tensors(p));
    if (tensor == 0)
        return tensor_named("tok_embeddings.weight", p->vocab_size, p->dim);
    if (tensor == poc_norm_tensor(p))
        return tensor_named("norm.weight", 1, p->dim);
    if (tensor == poc_output_tensor(p))
        return tensor_named("output.weight", p->vocab_size, p->dim);
    uint64_t n_kv = (uint64_t)p->n_kv_heads * poc_head_dim(p), n_ffn = poc_ffn_dim(p);
    const struct {
        const char *name;
        uint64_t n_rows, n_columns;
    } parts[POC_N_PARTS] = {
        [POC_WQ] = {"attention.wq", p->dim, p->dim},
        [POC_WK] = {"attention.wk", n_kv, p->dim},
        [POC_WV] = {"attention.wv", n_kv, p->dim},
        [POC_WO] = {"attention.wo", p->dim, p->dim},
        [POC_W1] = {"feed_forward.w1", n_ffn, p->dim},
        [POC_W2] = {"feed_forward.w2", p->dim, n_ffn},
        [POC_W3] = {"feed_forward.w3", n_ffn, p->dim},
        [POC_ATTENTION_NORM] = {"attention_norm", 1, p->dim},
        [POC_FFN_NORM] = {"ffn_norm", 1, p->dim},
    };
    uint32_t layer = (tensor - 1) / POC_N_PARTS, part = (tensor - 1) % POC_N_PARTS;
    struct poc_tensor t = {.n_rows = parts[part].n_rows, .n_columns = parts[part].n_columns};
    snprintf(t.name, sizeof t.name, "layers.%u.%s.weight", layer, parts[part].name);
    return t;
}

uint64_t poc_n_values(const struct poc_params *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < poc_n_tensors(p); i++) {
        struct poc_tensor t = poc_tensor_at(p, i);
        sum += t.n_rows * t.n_columns;
    }
    return sum;
}

double poc_n_ops(const struct poc_params *p)
{
    double n = p->seq_len, dim = p->dim, n_kv = p->n_kv_heads * (double)poc_head_dim(p);
    double ffn = 3 * dim * poc_ffn_dim(p), attended = n * (n + 1) / 2 * 2 * dim;
    double layer = n * (2 * dim * dim + 2 * dim * n_kv + ffn) + attended;
    double last = n * 2 * dim * n_kv + 2 * dim * dim + ffn + n * 2 * dim;
    return 2 * ((p->n_layers - 1) * layer + last + dim * p->vocab_size);
}
