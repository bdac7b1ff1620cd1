/* parts.h - what an answer's text consists of: plain text, reasoning, calls of tools.
 *
 * Parts are in the order in which they were written. Text comes in pieces and is taken in pieces:
 * what has been taken is dropped, but for the last part, which may still grow; said tells that an
 * earlier piece of a part was taken. Without takes, every part is whole in the end. */
#ifndef TEXT_PARTS_H
#define TEXT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

enum part_kind {
    PART_TEXT,
    PART_REASONING,
    PART_CALL, /* text: the arguments, a JSON object */
};

struct part {
    enum part_kind kind;
    bool said;
    size_t i_call;   /* CALL: which of the answer's calls this is */
    struct buf text; /* not yet taken */
    char id[40];     /* CALL */
    struct buf name; /* CALL: the tool's */
};

struct parts {
    struct part *items; /* [n] */
    size_t n, n_reserved, n_calls;
};

void parts_init(struct parts *p);
void parts_release(struct parts *p);

/* Continue the last part if it is of this kind (TEXT or REASONING), else begin one. */
void parts_text(struct parts *p, enum part_kind kind, struct str text);
/* parts_call - begins a call; parts_arguments continues it. */
void parts_call(struct parts *p, struct str id, struct str name);
void parts_arguments(struct parts *p, struct str text);

/* parts_taken - all that is there has been sent. */
void parts_taken(struct parts *p);
/* Whether there is something to send. */
bool parts_waiting(const struct parts *p);

static inline struct str part_text(const struct part *p)
{
    return (struct str){p->text.n_bytes ? p->text.bytes : "", p->text.n_bytes};
}

static inline struct str part_name(const struct part *p)
{
    return (struct str){p->name.n_bytes ? p->name.bytes : "", p->name.n_bytes};
}

#endif
