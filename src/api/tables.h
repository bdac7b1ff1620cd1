/* tables.h - the tables of fields that bodies are read by, for the documentation. */
#ifndef API_TABLES_H
#define API_TABLES_H

#include "api/fields.h"

/* A body: what api_read is given for it. */
struct api_table {
    const char *name; /* of its schema: "ChatRequest" */
    const struct api_field *fields;
    size_t n_fields;
    const char *required; /* names with one space between, "a|b": one of both; NULL: none */
};

/* Each beside its fields. */
extern const struct api_table api_chat_table, api_completion_table; /* generate.c */
extern const struct api_table api_messages_table, api_count_table; /* anthropic.c */
extern const struct api_table api_batch_table; /* batch.c */
extern const struct api_table api_responses_table; /* responses.c */
extern const struct api_table api_tokenize_table, api_detokenize_table; /* tokens.c */
extern const struct api_table api_ollama_embed_table, api_ollama_embed_one_table; /* embed.c */
extern const struct api_table api_prompts_table; /* prompts.c */
extern const struct api_table api_llama_table; /* llama.c */
extern const struct api_table api_ollama_generate_table, api_ollama_chat_table; /* ollama.c */
extern const struct api_table api_vectors_table, api_rerank_table, api_score_table; /* embed.c */

extern const struct api_table api_pull_table; /* pull.c */
extern const struct api_table api_pow_init_table, api_pow_generate_table; /* pow.c */

/* api_table_of - of the endpoint that takes POST at this path; NULL: none is known. */
const struct api_table *api_table_of(const char *path);

#endif
