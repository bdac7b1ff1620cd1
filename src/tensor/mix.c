/* mix.c - the table of mixes and the rules that read it. */
#include "tensor/mix.h"

#include <strings.h>

#include "base/check.h"
#include "tensor/quant/quant.h"

/* When a layer's tensor gets a rule's first type; otherwise it gets the second. */
enum when {
    NEVER,
    ALWAYS,
    FIRST_2,   /* the first two layers */
    FIRST_4,   /* the first four */
    SIXTEENTH, /* the first sixteenth */
    EIGHTH,    /* the first eighth */
    SPREAD,    /* the first and last eighth, and every third between */
    SHARED_4,  /* four or more query heads share a key head */
};

struct rule {
    enum when when;
    enum dtype type, otherwise;
};

struct mix {
    const char *name;
    enum dtype base;
    uint32_t file_type;
    struct rule value, down;  /* attn_v or attn_qkv, ffn_down */
    enum dtype attn_output;   /* with any number of experts but eight... */
    enum dtype attn_output_8; /* ...and with eight */
};

/* X(name, base, file_type, value rule, its types, down rule, its types, output, output of eight) */
#define MIX_LIST(X)                                                                                \
    X(Q2_K, Q2_K, 10, SHARED_4, Q4_K, Q3_K, ALWAYS, Q3_K, Q3_K, Q3_K, Q5_K)                        \
    X(Q3_K_S, Q3_K, 11, NEVER, Q3_K, Q3_K, NEVER, Q3_K, Q3_K, Q3_K, Q5_K)                          \
    X(Q3_K_M, Q3_K, 12, FIRST_2, Q5_K, Q4_K, SIXTEENTH, Q5_K, Q4_K, Q4_K, Q5_K)                    \
    X(Q3_K_L, Q3_K, 13, ALWAYS, Q5_K, Q5_K, ALWAYS, Q5_K, Q5_K, Q5_K, Q3_K)                        \
    X(Q4_K_S, Q4_K, 14, FIRST_4, Q5_K, Q4_K, EIGHTH, Q5_K, Q4_K, Q4_K, Q5_K)                       \
    X(Q4_K_M, Q4_K, 15, SPREAD, Q6_K, Q4_K, SPREAD, Q6_K, Q4_K, Q4_K, Q5_K)                        \
    X(Q5_K_S, Q5_K, 16, NEVER, Q5_K, Q5_K, NEVER, Q5_K, Q5_K, Q5_K, Q5_K)                          \
    X(Q5_K_M, Q5_K, 17, SPREAD, Q6_K, Q5_K, SPREAD, Q6_K, Q5_K, Q5_K, Q5_K)                        \
    X(Q6_K, Q6_K, 18, NEVER, Q6_K, Q6_K, NEVER, Q6_K, Q6_K, Q6_K, Q6_K)                            \
    X(Q8_0, Q8_0, 7, NEVER, Q8_0, Q8_0, NEVER, Q8_0, Q8_0, Q8_0, Q8_0)                             \
    X(Q4_0, Q4_0, 2, NEVER, Q4_0, Q4_0, NEVER, Q4_0, Q4_0, Q4_0, Q4_0)                             \
    X(Q4_1, Q4_1, 3, NEVER, Q4_1, Q4_1, NEVER, Q4_1, Q4_1, Q4_1, Q4_1)                             \
    X(Q5_0, Q5_0, 8, NEVER, Q5_0, Q5_0, NEVER, Q5_0, Q5_0, Q5_0, Q5_0)                             \
    X(Q5_1, Q5_1, 9, NEVER, Q5_1, Q5_1, NEVER, Q5_1, Q5_1, Q5_1, Q5_1)                             \
    X(IQ4_NL, IQ4_NL, 25, SHARED_4, Q5_K, IQ4_NL, EIGHTH, Q5_K, IQ4_NL, IQ4_NL, Q5_K)              \
    X(IQ4_XS, IQ4_XS, 30, SHARED_4, Q5_K, IQ4_XS, EIGHTH, Q5_K, IQ4_XS, IQ4_XS, Q5_K)              \
    X(MXFP4, MXFP4, 38, NEVER, MXFP4, MXFP4, NEVER, MXFP4, MXFP4, MXFP4, MXFP4)                    \
    X(F16, F16, 1, NEVER, F16, F16, NEVER, F16, F16, F16, F16)                                     \
    X(BF16, BF16, 32, NEVER, BF16, BF16, NEVER, BF16, BF16, BF16, BF16)                            \
    X(F32, F32, 0, NEVER, F32, F32, NEVER, F32, F32, F32, F32)

static const struct mix mixes[] = {
#define MIX_ROW(name, base, type, v, v1, v2, d, d1, d2, out, out8)                                 \
    {#name,       DTYPE_##base, type, {v, DTYPE_##v1, DTYPE_##v2}, {d, DTYPE_##d1, DTYPE_##d2},    \
     DTYPE_##out, DTYPE_##out8},
    MIX_LIST(MIX_ROW)
#undef MIX_ROW
};

const struct mix *mix_at(size_t i)
{
    return i < COUNT_OF(mixes) ? &mixes[i] : NULL;
}

const struct mix *mix_find(const char *name)
{
    static const struct {
        const char *name, *means;
    } others[] = {
        {"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}, {"MXFP4_MOE", "MXFP4"}};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strcasecmp(others[i].name, name) == 0)
            name = others[i].means;
    for (size_t i = 0; i < COUNT_OF(mixes); i++)
        if (strcasecmp(mixes[i].name, name) == 0)
            return &mixes[i];
    return NULL;
}

const char *mix_name(const struct mix *m)
{
    return m->name;
}

enum dtype mix_base(const struct mix *m)
{
    return m->base;
}

uint32_t mix_file_type(const struct mix *m)
{
    return m->file_type;
}

static bool has(struct str name, const char *part)
{
    return memmem(name.ptr, name.len, part, strlen(part)) != NULL;
}

/* The number in "blk.<number>."; 0 for a tensor of no layer. */
static int layer_of(struct str name)
{
    int layer = 0;
    if (!str_starts(name, STR("blk.")))
        return 0;
    for (size_t i = 4; i < name.len && name.ptr[i] >= '0' && name.ptr[i] <= '9'; i++)
        layer = layer < 100000 ? 10 * layer + (name.ptr[i] - '0') : layer;
    return layer;
}

static enum dtype rule_apply(struct rule r, int layer, const struct mix_model *model)
{
    int n = model->n_layers, eighth = n / 8;
    bool yes = false;
    switch (r.when) {
    case NEVER:
        break;
    case ALWAYS:
        yes = true;
        break;
    case FIRST_2:
        yes = layer < 2;
        break;
    case FIRST_4:
        yes = layer < 4;
        break;
    case SIXTEENTH:
        yes = layer < n / 16;
        break;
    case EIGHTH:
        yes = layer < eighth;
        break;
    case SPREAD:
        yes = layer < eighth || layer >= 7 * n / 8 || (layer - eighth) % 3 == 2;
        break;
    case SHARED_4:
        yes = model->n_heads_per_kv >= 4;
        break;
    }
    return yes ? r.type : r.otherwise;
}

/* Llama 2 and 3 and Qwen2 with 80 layers share a key head among 8: their value projections are so
 * small that more bits cost nothing. */
static bool is_70b(const struct mix_model *model)
{
    return model->n_layers == 80 && model->n_heads_per_kv > 1 &&
           (str_is(model->arch, "llama") || str_is(model->arch, "qwen2"));
}

static enum dtype output_dtype(const struct mix *m, uint64_t row)
{
    bool fits = row % (uint64_t)dtype_info(m->base)->block_len == 0;
    return !fits || m->base == DTYPE_Q8_0 || m->base == DTYPE_MXFP4 ? DTYPE_Q8_0 : DTYPE_Q6_K;
}

static enum dtype layer_dtype(const struct mix *m, const struct mix_model *model, struct str name)
{
    int layer = layer_of(name);
    bool eight = model->n_experts == 8;
    if (has(name, "attn_qkv.weight") || has(name, "attn_kv_b.weight") ||
        has(name, "attn_v.weight")) {
        enum dtype t = rule_apply(m->value, layer, model);
        if (is_70b(model) && (t == DTYPE_Q3_K || t == DTYPE_Q4_K))
            t = DTYPE_Q5_K;
        return eight ? DTYPE_Q8_0 : t;
    }
    if (has(name, "attn_k.weight"))
        return eight ? DTYPE_Q8_0 : m->base;
    if (has(name, "attn_output.weight"))
        return eight ? m->attn_output_8 : m->attn_output;
    if (has(name, "ffn_down"))
        return rule_apply(m->down, layer, model);
    return m->base;
}

/* What stays F32 though it is a matrix: routers, an encoder's rows of positions and types. */
static bool is_exact(struct str name)
{
    return has(name, "ffn_gate_inp.weight") || str_is(name, "position_embd.weight") ||
           str_is(name, "token_types.weight");
}

/* Matrices of weights are quantised; norms, biases, routers and the like are not. */
static bool is_quantised(struct str name, int n_dims)
{
    return n_dims >= 2 && str_ends(name, STR("weight")) && !has(name, "_norm.weight") &&
           !is_exact(name);
}

static enum dtype fallback_for_row(enum dtype t, uint64_t row)
{
    if (row % (uint64_t)dtype_info(t)->block_len == 0)
        return t;
    switch (t) {
    case DTYPE_Q2_K:
    case DTYPE_Q3_K:
        t = DTYPE_Q4_0;
        break;
    case DTYPE_Q4_K:
        t = DTYPE_Q5_0;
        break;
    case DTYPE_Q5_K:
        t = DTYPE_Q5_1;
        break;
    case DTYPE_Q6_K:
        t = DTYPE_Q8_0;
        break;
    case DTYPE_IQ4_XS:
        t = DTYPE_IQ4_NL;
        break;
    default:
        return DTYPE_F16;
    }
    return row % 32 == 0 ? t : DTYPE_F16;
}

enum dtype mix_dtype(const struct mix *m, const struct mix_model *model, struct str name,
                     enum dtype from, int n_dims, const uint64_t *dim, enum dtype *wanted)
{
    while (n_dims > 1 && dim[n_dims - 1] == 1)
        n_dims--;
    enum dtype t = from;
    bool is_float = from == DTYPE_F32 || from == DTYPE_F16 || from == DTYPE_BF16;
    if (!quant_decodes(from) || !is_quantised(name, n_dims)) {
        if (is_float && (n_dims < 2 || is_exact(name)))
            t = DTYPE_F32;
    } else if (dtype_info(m->base)->block_len == 1) {
        t = m->base;
    } else if (str_is(name, "output.weight") ||
               (str_is(name, "token_embd.weight") && !model->has_output)) {
        t = output_dtype(m, dim[0]);
    } else if (m->base == DTYPE_MXFP4) {
        t = n_dims > 2 ? DTYPE_MXFP4 : DTYPE_Q8_0;
    } else {
        t = layer_dtype(m, model, name);
    }
    if (wanted)
        *wanted = t;
    return fallback_for_row(t, dim[0]);
}
