/* hf_steps.h - the steps of a tokenizer.json, lowered to ours; private to text.
 *
 * Each takes the member's value (NULL: absent) and appends to t. ERR_UNSUPPORTED names the type. */
#ifndef TEXT_HF_STEPS_H
#define TEXT_HF_STEPS_H

#include <jansson.h>

#include "text/tokenizer_int.h"

enum err hf_normalizer(struct tokenizer *t, const json_t *value, int depth, struct err_note *note);
enum err hf_pre_tokenizer(struct tokenizer *t, const json_t *value, int depth,
                          struct err_note *note);
enum err hf_post_processor(struct tokenizer *t, const json_t *value, int depth,
                           struct err_note *note);
enum err hf_decoder(struct tokenizer *t, const json_t *value, int depth, struct err_note *note);

enum { HF_DEPTH_MAX = 8 };

#endif
