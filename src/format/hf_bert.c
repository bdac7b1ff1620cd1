/* hf_bert.c - encoders of a Hugging Face folder: config.json of the BERT family, and what
 * sentence-transformers writes beside it (modules.json, 1_Pooling/config.json). */
#include <stdio.h>

#include "base/check.h"
#include "format/hf_config.h"

enum { POOLING_MEAN = 1, POOLING_CLS = 2, POOLING_LAST = 3, POOLING_RANK = 4 }; /* GGUF's numbers */

/* RoBERTa's positions begin after the padding token's id; the rows before it are never used. */
static void read_positions(struct hf_config *c, const struct hf_json *root)
{
    c->n_ctx = hf_json_u32_required(root, "max_position_embeddings");
    struct str type = hf_json_str(root, "position_embedding_type", STR("absolute"));
    if (!str_is(type, "absolute"))
        hf_json_fail(root, ERR_UNSUPPORTED, "position_embedding_type \"%.*s\"", STR_ARG(type));
    if (c->family->bit != HF_ROBERTA)
        return;
    uint32_t pad = hf_json_u32(root, "pad_token_id", 1);
    if (pad >= 1000 || c->n_ctx <= pad + 1)
        hf_json_fail(root, ERR_FORMAT, "%u positions and the padding token %u: an impossible shape",
                     c->n_ctx, pad);
    c->n_positions_skipped = pad + 1;
    c->n_ctx -= pad + 1;
}

static bool is_classifier(const struct hf_json *root)
{
    const json_t *names = hf_json_array(root, "architectures"), *name;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)names, i, name)
    {
        const char *text = json_string_value(name);
        if (text && strstr(text, "ForSequenceClassification"))
            return true;
    }
    return false;
}

void hf_bert_parse(struct hf_config *c, const struct hf_json *root, struct metas *m)
{
    struct hf_key k;
    c->n_layers = hf_json_u32_required(root, "num_hidden_layers");
    c->n_embd = hf_json_u32_required(root, "hidden_size");
    c->n_heads = hf_json_u32_required(root, "num_attention_heads");
    c->n_kv_heads = c->n_heads;
    c->tied = true;
    c->ranks = is_classifier(root);
    read_positions(c, root);
    if (*root->rc)
        return;
    if (c->n_layers == 0 || c->n_layers > 4096 || c->n_heads == 0 || c->n_embd % c->n_heads)
        hf_json_fail(root, ERR_FORMAT, "%u layers, %u heads, width %u: an impossible shape",
                     c->n_layers, c->n_heads, c->n_embd);
    if (hf_json_bool(root, "is_decoder", false) || c->quant != HF_QUANT_NONE)
        hf_json_fail(root, ERR_UNSUPPORTED, "is_decoder or quantization_config in %s",
                     c->family->model_type);
    metas_u32(m, hf_key(&k, c, "block_count"), c->n_layers);
    metas_u32(m, hf_key(&k, c, "context_length"), c->n_ctx);
    metas_u32(m, hf_key(&k, c, "embedding_length"), c->n_embd);
    metas_u32(m, hf_key(&k, c, "feed_forward_length"),
              hf_json_u32_required(root, "intermediate_size"));
    metas_u32(m, hf_key(&k, c, "attention.head_count"), c->n_heads);
    metas_f32(m, hf_key(&k, c, "attention.layer_norm_epsilon"),
              hf_json_f64(root, "layer_norm_eps", c->family->rms_eps));
    metas_bool(m, hf_key(&k, c, "attention.causal"), false);
    metas_u32(m, "tokenizer.ggml.token_type_count", hf_json_u32(root, "type_vocab_size", 2));
    if (c->ranks)
        metas_u32(m, hf_key(&k, c, "pooling_type"), POOLING_RANK);
}

enum err hf_pooling_parse(const char *bytes, size_t n_bytes, const char *file,
                          const struct hf_config *c, struct metas *m, struct err_note *note)
{
    static const struct {
        const char *key;
        uint32_t type; /* 0: not supported */
    } modes[] = {
        {"pooling_mode_mean_tokens", POOLING_MEAN}, {"pooling_mode_cls_token", POOLING_CLS},
        {"pooling_mode_lasttoken", POOLING_LAST},   {"pooling_mode_max_tokens", 0},
        {"pooling_mode_mean_sqrt_len_tokens", 0},   {"pooling_mode_weightedmean_tokens", 0},
    };
    json_t *document;
    uint32_t type = 0, n = 0;
    enum err rc = hf_json_parse(bytes, n_bytes, file, &document, note);
    if (rc)
        return rc;
    struct hf_json root = {document, file, &rc, note};
    struct hf_key k;
    for (size_t i = 0; i < COUNT_OF(modes); i++)
        if (hf_json_bool(&root, modes[i].key, false)) {
            type = modes[i].type;
            n++;
        }
    if (n != 1 || type == 0)
        hf_json_fail(&root, ERR_UNSUPPORTED,
                     "pooling by other than one of mean, the first and the last token");
    else
        metas_u32(m, hf_key(&k, c, "pooling_type"), type);
    json_decref(document);
    return rc;
}

/* A module's type ends with its class. */
static bool is_module(const char *type, const char *class)
{
    size_t n = strlen(type), k = strlen(class);
    return n >= k && strcmp(type + n - k, class) == 0;
}

enum err hf_modules_parse(const char *bytes, size_t n_bytes, const char *file, char folder[256],
                          struct err_note *note)
{
    json_error_t error;
    json_t *list = json_loadb(bytes, n_bytes, JSON_REJECT_DUPLICATES, &error), *module;
    enum err rc = ERR_OK;
    size_t i;
    folder[0] = '\0';
    if (!json_is_array(list))
        rc = err_set(note, ERR_FORMAT, "%s: not a list of modules", file);
    json_array_foreach(list, i, module)
    {
        const char *type = json_string_value(json_object_get(module, "type"));
        const char *path = json_string_value(json_object_get(module, "path"));
        if (!type || !path || strlen(path) >= 256 || strchr(path, '/') || path[0] == '.')
            rc = err_set(note, ERR_FORMAT, "%s: module %zu has no type, or no folder of its own",
                         file, i);
        else if (is_module(type, ".Pooling"))
            snprintf(folder, 256, "%s", path);
        else if (!is_module(type, ".Transformer") && !is_module(type, ".Normalize"))
            rc = err_set(note, ERR_UNSUPPORTED, "%s: module \"%.200s\" is not supported", file,
                         type);
        if (rc)
            break;
    }
    json_decref(list);
    return rc;
}
