/* tables.c - which endpoint takes which body. */
#include "api/tables.h"

#include <string.h>

#include "base/check.h"

static const struct {
    const char *path;
    const struct api_table *table;
} bodies[] = {
    {"/v1/chat/completions", &api_chat_table},
    {"/v1/completions", &api_completion_table},
    {"/v1/messages", &api_messages_table},
    {"/v1/messages/count_tokens", &api_count_table},
    {"/completion", &api_llama_table},
    {"/completions", &api_llama_table},
    {"/api/pull", &api_pull_table},
    {"/api/generate", &api_ollama_generate_table},
    {"/api/chat", &api_ollama_chat_table},
    {"/v1/embeddings", &api_vectors_table},
    {"/rerank", &api_rerank_table},
    {"/v1/rerank", &api_rerank_table},
    {"/v2/rerank", &api_rerank_table},
    {"/score", &api_score_table},
    {"/v1/score", &api_score_table},
    {"/api/embed", &api_ollama_embed_table},
    {"/api/embeddings", &api_ollama_embed_one_table},
    {"/batch", &api_prompts_table},
    {"/v1/responses", &api_responses_table},
    {"/v1/responses/input_tokens", &api_responses_table},
    {"/apply-template", &api_chat_table},
    {"/v1/batches", &api_batch_table},
    {"/tokenize", &api_tokenize_table},
    {"/detokenize", &api_detokenize_table},
    {"/api/v1/pow/init/generate", &api_pow_init_table},
    {"/api/v1/inference/pow/init/generate", &api_pow_init_table},
    {"/api/v1/pow/generate", &api_pow_generate_table},
    {"/api/v1/inference/pow/generate", &api_pow_generate_table},
};

const struct api_table *api_table_of(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        if (strcmp(bodies[i].path, path) == 0)
            return bodies[i].table;
    return NULL;
}
