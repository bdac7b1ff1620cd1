/* fields.h - JSON objects to plain structs, by tables of fields.
 *
 * A wire format is a table: each field's name, what it may hold, where it goes, what it means. The
 * same table reads a request, names what is wrong with it, and documents it. A field is used,
 * without effect here (said in the documentation), or refused (it would change the answer and is
 * not supported); what is in no table is unknown and is told back to the client.
 * null is the same as absent, as OpenAI's clients mean it. */
#ifndef API_FIELDS_H
#define API_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* What a client is told. field is the path of what is at fault, "messages[2].content". */
struct api_error {
    int status; /* of HTTP: 400, 404, ...; 0: no error */
    uint32_t retry_s; /* of 429 and 503: when to come back; 0: soon */
    const char *code; /* a word for programs, or NULL */
    char field[96];
    char message[512];
};

/* api_fail - fills e; returns false. field may be NULL. */
bool api_fail(struct api_error *e, int status, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

enum api_kind {
    API_TEXT,      /* struct str, into the JSON text, which must outlive it */
    API_FLOAT,     /* float in min..max */
    API_U32,       /* uint32_t in min..max */
    API_I32,       /* int32_t in min..max */
    API_SEED,      /* uint64_t: any integer; negative ones are taken modulo 2^64 */
    API_BOOL,      /* bool */
    API_VALUE,     /* const json_t *, borrowed: read further by its owner */
    API_NO_EFFECT, /* accepted, nothing done */
    API_REFUSED,   /* only null, false, 0, an empty text, array or object */
};

struct api_field {
    const char *name;
    enum api_kind kind;
    size_t offset; /* in the struct that is filled */
    double min, max;
    const char *text; /* for the documentation; API_REFUSED: why, for the error too */
};

/* A field with a value was there: bit i of given is field i's (of the first 64). */
/* api_read - fills out (already holding the defaults) from an object. where: the path of the
 * object, "" at the root. unknown (may be NULL) gets ", "-separated names of unknown fields. */
bool api_read(const json_t *object, const char *where, const struct api_field *fields,
              size_t n_fields, void *out, uint64_t *given, struct buf *unknown,
              struct api_error *e);

/* api_parse - a whole request body as an object. Limits: depth 64, and the body's own size.
 * NULL and e filled: not JSON, or no object. Free with json_decref. */
json_t *api_parse(struct str body, struct api_error *e);

/* api_dump - a value as text; false: out is full. */
bool api_dump(const json_t *value, struct buf *out);

#endif
