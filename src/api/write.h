/* write.h - JSON text, written piece by piece into a buffer.
 *
 * The writer keeps track of commas alone; the caller keeps the shape. Text must be well-formed
 * UTF-8; control characters are escaped, and so are U+2028 and U+2029, which JavaScript would take
 * for line ends. */
#ifndef API_WRITE_H
#define API_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct json_t;

struct writer {
    struct buf *out;
    bool comma; /* something precedes in this object or array */
};

void write_begin(struct writer *w, struct buf *out);
void write_open(struct writer *w, char bracket);  /* '{' or '[' */
void write_close(struct writer *w, char bracket); /* '}' or ']' */
void write_key(struct writer *w, const char *key);
void write_name(struct writer *w, struct str name); /* the same, of any text */
void write_text(struct writer *w, struct str text);
/* Any bytes: what is not UTF-8 becomes U+FFFD. */
void write_bytes(struct writer *w, struct str bytes);
void write_int(struct writer *w, int64_t value);
/* The shortest digits that read back as the same float; null when it is not finite. */
void write_float(struct writer *w, float value);
void write_word(struct writer *w, const char *word); /* true, false, null, or JSON as it is */
void write_value(struct writer *w, const struct json_t *value); /* of the jansson library */

/* A key with its value. */
void write_key_text(struct writer *w, const char *key, struct str text);
void write_key_int(struct writer *w, const char *key, int64_t value);
void write_key_word(struct writer *w, const char *key, const char *word);

#endif
