/* fuzz_safetensors.c - any bytes as the weights of a small folder: an error line, or rows that can
 * all be made. The first byte chooses the configuration. */
#include "base/check.h"
#include "base/mem.h"
#include "format/gguf_write.h"
#include "format/hf_plan.h"
#include "format/table_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static const char *const configs[] = {
    "{\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":32,\"vocab_size\":40,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":16,"
    "\"max_position_embeddings\":64,\"tie_word_embeddings\":true}",
    "{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":128,\"vocab_size\":40,"
    "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":32,"
    "\"max_position_embeddings\":64,\"tie_word_embeddings\":true,\"quantization_config\":"
    "{\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":true}}",
    "{\"model_type\":\"gpt_oss\",\"hidden_size\":32,\"intermediate_size\":32,\"vocab_size\":40,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":16,"
    "\"num_local_experts\":3,\"num_experts_per_tok\":2,\"max_position_embeddings\":64,"
    "\"tie_word_embeddings\":true,\"quantization_config\":{\"quant_method\":\"mxfp4\"}}",
    "{\"model_type\":\"mixtral\",\"hidden_size\":32,\"intermediate_size\":32,\"vocab_size\":40,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":16,"
    "\"num_local_experts\":3,\"num_experts_per_tok\":2,\"max_position_embeddings\":64,"
    "\"tie_word_embeddings\":true}",
    "{\"model_type\":\"gemma2\",\"hidden_size\":32,\"intermediate_size\":32,\"vocab_size\":40,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":16,"
    "\"max_position_embeddings\":64}",
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    struct hf_plan p = {0};
    struct err_note note = {{0}};
    if (n_bytes < 1)
        return 0;
    const char *config = configs[bytes[0] % COUNT_OF(configs)];
    metas_init(&p.metas);
    CHECK(table_init(&p.table, "fuzz", NULL) == ERR_OK);
    CHECK(hf_config_parse(config, strlen(config), "config.json", STR("fuzz"), &p.config, &p.metas,
                          NULL) == ERR_OK);
    enum err rc =
        safetensors_parse(&p.files, bytes + 1, n_bytes - 1, "fuzz.safetensors", &p.table, &note);
    if (!rc)
        rc = safetensors_sort(&p.files, &note);
    if (!rc)
        rc = hf_plan_build(&p, &note);
    CHECK(rc == ERR_OK || note.text[0]);
    for (size_t i = 0; i < p.n_recipes && !rc; i++) {
        struct tensor_view v = p.recipes[i].view;
        const void *data;
        if (tensor_shape_bytes(&v, &v.n_bytes, &note) || v.n_bytes > 1 << 20)
            continue;
        if (hf_recipe_is_view(&p.recipes[i], &data))
            continue;
        void *out = mem_alloc(v.n_bytes);
        hf_recipe_rows(&p.recipes[i], 0, tensor_rows(&v), out);
        mem_free(out);
    }
    hf_plan_close(&p);
    return 0;
}
