/* dialect.c - which path speaks which dialect. */
#include "api/dialect.h"

#include "base/check.h"

extern const struct dialect dialect_chat, dialect_completion; /* reply.c */

static const struct dialect *const dialects[] = {&dialect_chat, &dialect_completion};

const struct dialect *dialect_of(struct str path)
{
    for (size_t i = 0; i < COUNT_OF(dialects); i++)
        if (str_is(path, dialects[i]->path))
            return dialects[i];
    return NULL;
}

void dialect_error(struct buf *out, struct str path, const struct api_error *e)
{
    (void)path; /* all that are here are OpenAI's */
    reply_error(out, e);
}

void write_event(struct buf *out, const struct buf *json)
{
    buf_str(out, "data: ");
    buf_add(out, json->bytes, json->n_bytes);
    buf_str(out, "\n\n");
}
