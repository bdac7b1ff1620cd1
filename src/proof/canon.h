/* canon.h - the one form of JSON in which things are signed.
 *
 * Objects, arrays, strings, booleans and integers from 0 to 2^53 - 1, written as RFC 8785 writes
 * them: no spaces, members in the order of their keys, the shortest escapes. Keys are printable
 * ASCII. No null, no fractions, no negative numbers: what is larger or finer goes into a string.
 * So a value has one form, and the reader takes no other. Bytes: docs/formats/receipt.md. */
#ifndef PROOF_CANON_H
#define PROOF_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    CANON_DEPTH_MAX = 16,       /* containers in each other */
    CANON_KEY_MAX = 64,         /* bytes */
    CANON_BYTES_MAX = 16 << 20, /* of a whole text */
    CANON_NODES_MAX = 1 << 20,
};
#define CANON_INT_MAX ((uint64_t)9007199254740991)

/* ---- writing ------------------------------------------------------------------------------ */

/* Into a buffer of the caller's. A string that is no UTF-8 and a number that is too large mark the
 * buffer failed; keys out of order and values where none belongs are bugs. */
struct canon_writer {
    struct buf *out;
    int depth;
    bool has_key; /* and waits for its value */
    struct {
        bool is_object, has_items;
        struct str key; /* the last one: borrowed until the object's end */
    } at[CANON_DEPTH_MAX];
};
void canon_begin(struct canon_writer *w, struct buf *out);
void canon_object(struct canon_writer *w);
void canon_array(struct canon_writer *w);
void canon_end(struct canon_writer *w); /* of the innermost object or array */
void canon_key(struct canon_writer *w, const char *key);
void canon_text(struct canon_writer *w, struct str text);
size_t canon_text_bytes(struct str text); /* that canon_text writes */
void canon_int(struct canon_writer *w, uint64_t value);
void canon_bool(struct canon_writer *w, bool value);
void canon_hex(struct canon_writer *w, const void *bytes, size_t n_bytes); /* a string */
/* canon_raw - a value that is canonical already. */
void canon_raw(struct canon_writer *w, struct str value);

/* ---- reading ------------------------------------------------------------------------------ */

enum canon_type { CANON_BOOL, CANON_INT, CANON_TEXT, CANON_ARRAY, CANON_OBJECT };

struct canon_node {
    enum canon_type type;
    struct str key;  /* of a member */
    struct str raw;  /* the value's own bytes */
    struct str text; /* of a CANON_TEXT, unescaped; may hold NULs */
    uint64_t number;  /* of a CANON_INT or CANON_BOOL */
    uint32_t n_items; /* of a CANON_ARRAY or CANON_OBJECT */
    uint32_t end;     /* the first node that is not inside: items follow their container */
};

/* A text that was read. Borrows its bytes; owns the rest. */
struct canon_doc {
    struct canon_node *nodes; /* [n_nodes]; [0] is the whole */
    uint32_t n_nodes;
    char *unescaped; /* NULL: no string had an escape */
};
/* canon_read - ERR_FORMAT: no object, or not in the canonical form; the note says at which byte and
 * why. ERR_LIMIT; ERR_MEMORY. out is empty then. Cost: one pass. Any thread. */
enum err canon_read(struct str bytes, struct canon_doc *out, struct err_note *note);
void canon_release(struct canon_doc *doc);

/* The items of a container: for (n = canon_first(c); n; n = canon_next(doc, c, n)). */
const struct canon_node *canon_first(const struct canon_node *in);
const struct canon_node *canon_next(const struct canon_doc *doc, const struct canon_node *in,
                                    const struct canon_node *item);
/* canon_copy - a node, written again: the same bytes. */
void canon_copy(struct canon_writer *w, const struct canon_doc *doc, const struct canon_node *node);

/* What an object must hold. Keys in any order of the table. */
struct canon_field {
    const char *key;
    enum canon_type type;
    bool optional;
};
/* canon_fields - found[i] is the member of fields[i], NULL where an optional one is absent. What
 * the table lacks is refused, as its meaning may matter, unless its key begins with "x_".
 * what: how the note calls the object. ERR_FORMAT. */
enum err canon_fields(const struct canon_doc *doc, const struct canon_node *object,
                      const struct canon_field *fields, size_t n_fields,
                      const struct canon_node **found, const char *what, struct err_note *note);
/* canon_bytes - a string of exactly 2 n_bytes lower-case hex digits. */
bool canon_bytes(const struct canon_node *node, void *bytes, size_t n_bytes);

#endif
