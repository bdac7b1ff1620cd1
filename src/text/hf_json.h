/* hf_json.h - strict look-ups in the JSON of a tokenizer; private to text. */
#ifndef TEXT_HF_JSON_H
#define TEXT_HF_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

/* what names the bytes in messages. ERR_FORMAT with the line; caller json_decrefs. */
enum err hf_parse(struct str bytes, const char *what, json_t **out, struct err_note *note);

/* Absent or null: fallback. Of another type: ERR_FORMAT "KEY of OWNER is not a ...". */
enum err hf_bool(const json_t *object, const char *owner, const char *key, bool fallback, bool *out,
                 struct err_note *note);
enum err hf_str(const json_t *object, const char *owner, const char *key, struct str fallback,
                struct str *out, struct err_note *note);
enum err hf_int(const json_t *object, const char *owner, const char *key, int64_t fallback,
                int64_t *out, struct err_note *note);
/* The member, NULL where absent or null. */
const json_t *hf_get(const json_t *object, const char *key);
/* The array member; ERR_FORMAT where absent. */
enum err hf_array(const json_t *object, const char *owner, const char *key, const json_t **out,
                  struct err_note *note);
struct str hf_text(const json_t *string);

#endif
