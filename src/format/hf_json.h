/* hf_json.h - JSON of Hugging Face folders: parsing, and typed look-ups with one sticky error.
 *
 * A struct hf_json is a position in a document. The first wrong type or missing key fills *rc and
 * the note; later look-ups then return their fallback, so that a reader asks for all it needs and
 * looks at rc once. null counts as absent. */
#ifndef FORMAT_HF_JSON_H
#define FORMAT_HF_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

struct hf_json {
    const json_t *object;
    const char *file; /* for messages */
    enum err *rc;
    struct err_note *note;
};

/* hf_json_parse - strict JSON (no duplicate keys); the document must be an object. json_decref. */
enum err hf_json_parse(const char *bytes, size_t n_bytes, const char *file, json_t **out,
                       struct err_note *note);

bool hf_json_has(const struct hf_json *j, const char *key); /* present and not null */
/* The object under key; an empty one (object NULL) when absent. */
struct hf_json hf_json_sub(const struct hf_json *j, const char *key);
uint32_t hf_json_u32(const struct hf_json *j, const char *key, uint32_t fallback);
uint32_t hf_json_u32_required(const struct hf_json *j, const char *key);
double hf_json_f64(const struct hf_json *j, const char *key, double fallback);
bool hf_json_bool(const struct hf_json *j, const char *key, bool fallback);
struct str hf_json_str(const struct hf_json *j, const char *key, struct str fallback);
/* The array under key; NULL when absent. */
const json_t *hf_json_array(const struct hf_json *j, const char *key);

/* hf_json_fail - set the sticky error if there is none yet. */
void hf_json_fail(const struct hf_json *j, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
