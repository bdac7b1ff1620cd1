/* jinja.h - an interpreter of the Jinja template language as chat templates use it.
 *
 * The language is Jinja2 3.1 in the sandbox that Transformers sets up: trim_blocks, lstrip_blocks,
 * break and continue, generation blocks, raise_exception, strftime_now, its own tojson. Values
 * behave as Python's; integers beyond 64 bits are an error. */
#ifndef TEXT_JINJA_H
#define TEXT_JINJA_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct json_t;
struct jinja;

/* jinja_new - parse source (copied). ERR_FORMAT names the line; ERR_LIMIT for nesting. */
enum err jinja_new(struct jinja **out, struct str source, struct err_note *note);
void jinja_free(struct jinja *t);
const uint8_t *jinja_hash(const struct jinja *t); /* SHA-256 of the source */

struct jinja_limits {
    uint64_t n_steps_max; /* nodes evaluated, items walked, and text handled by 64 bytes */
    size_t n_bytes_max;   /* memory of one rendering; the text may take as much again */
    int depth_max;        /* of calls within calls */
};
struct jinja_limits jinja_limits_default(void);

/* A variable of the template: a JSON value, or text where value is NULL. */
struct jinja_variable {
    const char *name;
    const struct json_t *value;
    struct str text;
};

/* jinja_render - append the text to out; on error out is as before. The last of several variables
 * of one name counts. now_s: what strftime_now shows, local civil time as seconds since 1970.
 * ERR_FORMAT: the template failed or refused; ERR_LIMIT: a limit, by name. Any thread. */
enum err jinja_render(const struct jinja *t, const struct jinja_variable *variables,
                      size_t n_variables, int64_t now_s, const struct jinja_limits *limits,
                      struct buf *out, struct err_note *note);

#endif
