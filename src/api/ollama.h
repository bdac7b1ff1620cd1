/* ollama.h - Ollama's /api/generate and /api/chat: streams are lines of JSON, by default.
 *
 * Its defaults are Ollama's: temperature 0.8, top-k 40, top-p 0.9, repeat_penalty 1.1 over the last
 * 64 tokens. A request without a prompt or messages asks for the model to be loaded, no more. */
#ifndef API_OLLAMA_H
#define API_OLLAMA_H

#include "api/dialect.h"

extern const struct dialect dialect_ollama_generate, dialect_ollama_chat;

bool api_ollama_generate_parse(struct str body, struct api_generate *r, struct api_error *e);
bool api_ollama_chat_parse(struct str body, struct api_generate *r, struct api_error *e);

bool ollama_is_path(struct str path); /* of its API */
/* {"error": "..."} */
void ollama_error(struct buf *out, const struct api_error *e);
/* "name" of a model with the tag that Ollama adds to every name without one. */
void ollama_write_name(struct writer *w, const char *key, struct str name);
/* {parent_model, format, family, families, parameter_size, quantization_level} */
void ollama_write_details(struct writer *w, const char *arch, uint64_t n_params, const char *quant);
/* The name without that tag. */
struct str ollama_bare_name(struct str name);

#endif
