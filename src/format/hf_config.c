/* hf_config.c - the reader of config.json. */
#include "format/hf_config.h"

#include <stdio.h>

#include "base/check.h"

static const struct hf_family families[] = {
    {"llama", "llama", HF_LLAMA, 1e-6, 10000, 0, false, "silu"},
    {"mistral", "llama", HF_LLAMA, 1e-6, 10000, 0, false, "silu"},
    {"mixtral", "llama", HF_MIXTRAL, 1e-5, 1000000, 0, false, "silu"},
    {"qwen2", "qwen2", HF_QWEN2, 1e-6, 10000, 0, false, "silu"},
    {"qwen3", "qwen3", HF_QWEN3, 1e-6, 10000, 128, false, "silu"},
    {"qwen3_moe", "qwen3moe", HF_QWEN3MOE, 1e-6, 10000, 0, false, "silu"},
    {"phi3", "phi3", HF_PHI3, 1e-5, 10000, 0, false, "silu"},
    {"gemma2", "gemma2", HF_GEMMA2, 1e-6, 10000, 256, true, "gelu_pytorch_tanh"},
    {"gemma3_text", "gemma3", HF_GEMMA3, 1e-6, 1000000, 256, true, "gelu_pytorch_tanh"},
    {"gpt_oss", "gpt-oss", HF_GPT_OSS, 1e-5, 150000, 64, false, "silu"},
    {"bert", "bert", HF_BERT, 1e-12, 10000, 0, true, "gelu"},
    {"roberta", "bert", HF_ROBERTA, 1e-12, 10000, 0, true, "gelu"},
    {"xlm-roberta", "bert", HF_ROBERTA, 1e-12, 10000, 0, true, "gelu"},
};

const char *hf_key(struct hf_key *k, const struct hf_config *c, const char *suffix)
{
    snprintf(k->text, sizeof k->text, "%s.%s", c->family->arch, suffix);
    return k->text;
}

static void find_family(struct hf_config *c, const struct hf_json *root)
{
    struct str type = hf_json_str(root, "model_type", STR(""));
    for (size_t i = 0; i < COUNT_OF(families); i++)
        if (str_is(type, families[i].model_type))
            c->family = &families[i];
    if (!c->family)
        hf_json_fail(root, ERR_UNSUPPORTED,
                     "model_type \"%.*s\" is not supported (llama, mistral, mixtral, qwen2, qwen3, "
                     "qwen3_moe, phi3, gemma2, gemma3, gpt_oss, bert, roberta, xlm-roberta are)",
                     STR_ARG(type));
}

/* Gemma 3's configs leave out what equals Transformers' defaults. */
static void read_sizes(struct hf_config *c, const struct hf_json *root)
{
    bool gemma3 = c->family->bit == HF_GEMMA3;
    c->n_layers = hf_json_u32_required(root, "num_hidden_layers");
    c->n_embd = hf_json_u32_required(root, "hidden_size");
    c->n_ctx = gemma3 ? hf_json_u32(root, "max_position_embeddings", 131072)
                      : hf_json_u32_required(root, "max_position_embeddings");
    c->n_heads = gemma3 ? hf_json_u32(root, "num_attention_heads", 8)
                        : hf_json_u32_required(root, "num_attention_heads");
    c->n_kv_heads = hf_json_u32(root, "num_key_value_heads", gemma3 ? 4 : c->n_heads);
    if (*root->rc)
        return;
    if (c->n_layers == 0 || c->n_layers > 4096 || c->n_heads == 0 || c->n_kv_heads == 0 ||
        c->n_embd == 0 || c->n_heads % c->n_kv_heads) {
        hf_json_fail(root, ERR_FORMAT, "%u layers, %u heads, %u key-value heads, width %u: an "
                                       "impossible shape",
                     c->n_layers, c->n_heads, c->n_kv_heads, c->n_embd);
        return;
    }
    uint32_t fallback = c->family->head_dim ? c->family->head_dim : c->n_embd / c->n_heads;
    c->head_dim = hf_json_u32(root, "head_dim", fallback);
    if (c->head_dim == 0 || c->head_dim % 2 || c->head_dim > 2 * HF_FACTORS_MAX)
        hf_json_fail(root, ERR_FORMAT, "a head size of %u; even numbers up to %d are possible",
                     c->head_dim, 2 * HF_FACTORS_MAX);
}

static void put_sizes(struct hf_config *c, const struct hf_json *root, struct metas *m)
{
    struct hf_key k;
    metas_u32(m, hf_key(&k, c, "block_count"), c->n_layers);
    metas_u32(m, hf_key(&k, c, "context_length"), c->n_ctx);
    metas_u32(m, hf_key(&k, c, "embedding_length"), c->n_embd);
    metas_u32(m, hf_key(&k, c, "feed_forward_length"),
              hf_json_u32_required(root, "intermediate_size"));
    metas_u32(m, hf_key(&k, c, "attention.head_count"), c->n_heads);
    metas_u32(m, hf_key(&k, c, "attention.head_count_kv"), c->n_kv_heads);
    metas_f32(m, hf_key(&k, c, "attention.layer_norm_rms_epsilon"),
              hf_json_f64(root, "rms_norm_eps", c->family->rms_eps));
    if (hf_json_has(root, "head_dim") || c->family->head_dim) {
        metas_u32(m, hf_key(&k, c, "attention.key_length"), c->head_dim);
        metas_u32(m, hf_key(&k, c, "attention.value_length"), c->head_dim);
    }
    if (c->family->bit & HF_PERMUTED) {
        metas_u32(m, hf_key(&k, c, "vocab_size"), hf_json_u32_required(root, "vocab_size"));
        metas_u32(m, hf_key(&k, c, "rope.dimension_count"), c->head_dim);
    }
}

/* Whether layer i slides, by the family's own pattern. */
static bool slides_by_default(const struct hf_config *c, const struct hf_json *root, uint32_t i)
{
    if (c->family->bit & (HF_GEMMA2 | HF_GPT_OSS))
        return (i + 1) % 2;
    if (c->family->bit == HF_GEMMA3) {
        uint32_t n = hf_json_u32(root, "sliding_window_pattern", 6);
        return n == 0 || (i + 1) % n;
    }
    if (c->family->bit & (HF_QWEN2 | HF_QWEN3))
        return i >= hf_json_u32(root, "max_window_layers", 28);
    return true;
}

/* Whether a pattern must be written down, because readers of GGUF do not assume it. */
static bool pattern_is_special(const struct hf_config *c, const bool *slides)
{
    for (uint32_t i = 0; i < c->n_layers; i++) {
        bool assumed = c->family->bit & (HF_GEMMA2 | HF_GPT_OSS) ? (i + 1) % 2
                       : c->family->bit == HF_GEMMA3             ? (i + 1) % 6 != 0
                                                                 : true;
        if (slides[i] != assumed)
            return true;
    }
    return false;
}

static bool read_pattern(struct hf_config *c, const struct hf_json *root, bool *slides)
{
    const json_t *types = hf_json_array(root, "layer_types");
    bool any = false;
    if (types && json_array_size(types) != c->n_layers)
        hf_json_fail(root, ERR_FORMAT, "\"layer_types\" has %zu entries for %u layers",
                     json_array_size(types), c->n_layers);
    for (uint32_t i = 0; i < c->n_layers && !*root->rc; i++) {
        const char *type = types ? json_string_value(json_array_get(types, i)) : NULL;
        slides[i] = types ? type && strcmp(type, "sliding_attention") == 0
                          : slides_by_default(c, root, i);
        if (types && !slides[i] && (!type || strcmp(type, "full_attention") != 0))
            hf_json_fail(root, ERR_UNSUPPORTED, "layer %u has the attention \"%s\"", i,
                         type ? type : "?");
        any |= slides[i];
    }
    return any;
}

static void put_window(struct hf_config *c, const struct hf_json *root, struct metas *m)
{
    struct hf_key k;
    uint32_t window = hf_json_u32(root, "sliding_window", 0);
    bool *slides = mem_array(c->n_layers, sizeof *slides);
    if (!slides) {
        hf_json_fail(root, ERR_MEMORY, "out of memory");
        return;
    }
    bool qwen = c->family->bit & (HF_QWEN2 | HF_QWEN3 | HF_QWEN3MOE);
    if (qwen && !hf_json_bool(root, "use_sliding_window", false))
        window = 0;
    if (window && read_pattern(c, root, slides)) {
        metas_u32(m, hf_key(&k, c, "attention.sliding_window"), window);
        if (pattern_is_special(c, slides))
            metas_bools(m, hf_key(&k, c, "attention.sliding_window_pattern"), slides, c->n_layers);
    } else if (c->family->bit == HF_PHI3) {
        metas_u32(m, hf_key(&k, c, "attention.sliding_window"), 0);
    }
    mem_free(slides);
}

static void put_gemma(struct hf_config *c, const struct hf_json *root, struct metas *m)
{
    struct hf_key k;
    bool gemma2 = c->family->bit == HF_GEMMA2;
    double attn = hf_json_f64(root, "attn_logit_softcapping", gemma2 ? 50 : 0);
    double final = hf_json_f64(root, "final_logit_softcapping", gemma2 ? 30 : 0);
    double scalar = hf_json_f64(root, "query_pre_attn_scalar", 256);
    if (hf_json_bool(root, "use_bidirectional_attention", false))
        hf_json_fail(root, ERR_UNSUPPORTED, "use_bidirectional_attention");
    if (!gemma2 && attn != 0)
        hf_json_fail(root, ERR_UNSUPPORTED, "attn_logit_softcapping in Gemma 3");
    if (!(scalar > 0))
        hf_json_fail(root, ERR_FORMAT, "query_pre_attn_scalar is not above 0");
    if (attn != 0)
        metas_f32(m, hf_key(&k, c, "attn_logit_softcapping"), attn);
    if (final != 0)
        metas_f32(m, hf_key(&k, c, "final_logit_softcapping"), final);
    if (!*root->rc && scalar != c->head_dim)
        metas_f64(m, hf_key(&k, c, "attention.scale"), 1 / __builtin_sqrt(scalar));
}

static void put_experts(struct hf_config *c, const struct hf_json *root, struct metas *m)
{
    struct hf_key k;
    bool qwen = c->family->bit == HF_QWEN3MOE;
    c->n_experts = hf_json_has(root, "num_local_experts")
                       ? hf_json_u32(root, "num_local_experts", 0)
                       : hf_json_u32_required(root, "num_experts");
    uint32_t n_used = hf_json_u32_required(root, "num_experts_per_tok");
    if (c->n_experts == 0 || c->n_experts > 4096 || n_used == 0 || n_used > c->n_experts)
        hf_json_fail(root, ERR_FORMAT, "%u of %u experts: an impossible shape", n_used,
                     c->n_experts);
    metas_u32(m, hf_key(&k, c, "expert_count"), c->n_experts);
    metas_u32(m, hf_key(&k, c, "expert_used_count"), n_used);
    if (c->family->bit == HF_GPT_OSS)
        metas_u32(m, hf_key(&k, c, "expert_feed_forward_length"),
                  hf_json_u32_required(root, "intermediate_size"));
    if (!qwen)
        return;
    metas_u32(m, hf_key(&k, c, "expert_feed_forward_length"),
              hf_json_u32_required(root, "moe_intermediate_size"));
    metas_bool(m, hf_key(&k, c, "expert_weights_norm"),
               hf_json_bool(root, "norm_topk_prob", false));
    const json_t *dense = hf_json_array(root, "mlp_only_layers");
    if (hf_json_u32(root, "decoder_sparse_step", 1) != 1 || (dense && json_array_size(dense)))
        hf_json_fail(root, ERR_UNSUPPORTED, "layers without experts (mlp_only_layers)");
}

/* Settings that would change the result and that no reader of GGUF knows. */
static void refuse(const struct hf_config *c, const struct hf_json *root)
{
    static const char *const activation_keys[] = {"hidden_act", "hidden_activation"};
    for (size_t i = 0; i < COUNT_OF(activation_keys); i++) {
        struct str name = hf_json_str(root, activation_keys[i], str_from(c->family->activation));
        if (!str_is(name, c->family->activation) && !(i == 0 && c->family->bit & HF_GEMMA))
            hf_json_fail(root, ERR_UNSUPPORTED, "%s \"%.*s\" in %s", activation_keys[i],
                         STR_ARG(name), c->family->model_type);
    }
    if (hf_json_bool(root, "mlp_bias", false))
        hf_json_fail(root, ERR_UNSUPPORTED, "mlp_bias");
    if (c->family->bit == HF_GPT_OSS && (hf_json_f64(root, "swiglu_alpha", 1.702) != 1.702 ||
                                         hf_json_f64(root, "swiglu_limit", 7) != 7))
        hf_json_fail(root, ERR_UNSUPPORTED, "swiglu_alpha or swiglu_limit other than 1.702 and 7");
}

static void read_quantisation(struct hf_config *c, const struct hf_json *root)
{
    struct hf_json q = hf_json_sub(root, "quantization_config");
    struct str method = hf_json_str(&q, "quant_method", STR(""));
    if (!q.object)
        return;
    if (str_is(method, "mxfp4") && c->family->bit == HF_GPT_OSS)
        c->quant = HF_QUANT_MXFP4;
    else if (str_is(method, "bitsandbytes") && hf_json_bool(&q, "load_in_4bit", false))
        c->quant = HF_QUANT_BNB;
    else
        hf_json_fail(root, ERR_UNSUPPORTED,
                     "quantization_config: \"%.*s\" is not supported here (bitsandbytes in 4 bits, "
                     "and mxfp4 of gpt-oss, are)",
                     STR_ARG(method));
}

static void read_all(struct hf_config *c, const struct hf_json *file, struct str name,
                     struct metas *m)
{
    /* Gemma 3 with a vision tower keeps its text model one level down. */
    struct hf_json root = *file;
    if (str_is(hf_json_str(file, "model_type", STR("")), "gemma3"))
        root = hf_json_sub(file, "text_config");
    find_family(c, &root);
    if (*root.rc)
        return;
    metas_str(m, "general.architecture", str_from(c->family->arch));
    metas_str(m, "general.type", STR("model"));
    metas_str(m, "general.name", name);
    read_quantisation(c, file);
    if (c->family->bit & HF_ENCODER) {
        refuse(c, &root);
        hf_bert_parse(c, &root, m);
        return;
    }
    read_sizes(c, &root);
    if (*root.rc)
        return;
    c->tied = hf_json_bool(&root, "tie_word_embeddings", c->family->tied);
    refuse(c, &root);
    put_sizes(c, &root, m);
    put_window(c, &root, m);
    if (c->family->bit & HF_GEMMA)
        put_gemma(c, &root, m);
    if (c->family->bit & (HF_MIXTRAL | HF_QWEN3MOE | HF_GPT_OSS))
        put_experts(c, &root, m);
    hf_rope_parse(c, &root, m);
}

enum err hf_config_parse(const char *bytes, size_t n_bytes, const char *file, struct str name,
                         struct hf_config *c, struct metas *m, struct err_note *note)
{
    json_t *document;
    *c = (struct hf_config){0};
    enum err rc = hf_json_parse(bytes, n_bytes, file, &document, note);
    if (rc)
        return rc;
    struct hf_json root = {document, file, &rc, note};
    read_all(c, &root, name, m);
    json_decref(document);
    return rc ? rc : metas_status(m, note);
}
