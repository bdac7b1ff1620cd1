/* dialect.c - which path speaks which dialect. */
#include "api/dialect.h"

#include "api/llama.h"
#include "base/check.h"

extern const struct dialect dialect_chat, dialect_completion; /* reply.c */

static const struct dialect *const dialects[] = {
    &dialect_chat,
    &dialect_completion,
    &dialect_llama,
    &dialect_llama_plural,
};

/* llama-server's own endpoints: a flat world. */
static bool is_llama(struct str path)
{
    static const char *const paths[] = {"/completion",     "/completions", "/tokenize",
                                        "/detokenize", "/apply-template", "/props"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        if (str_is(path, paths[i]))
            return true;
    return false;
}

const struct dialect *dialect_of(struct str path)
{
    for (size_t i = 0; i < COUNT_OF(dialects); i++)
        if (str_is(path, dialects[i]->path))
            return dialects[i];
    return NULL;
}

void dialect_error(struct buf *out, struct str path, const struct api_error *e)
{
    if (is_llama(path))
        llama_error(out, e);
    else
        reply_error(out, e);
}

void write_event(struct buf *out, const struct buf *json)
{
    buf_str(out, "data: ");
    buf_add(out, json->bytes, json->n_bytes);
    buf_str(out, "\n\n");
}
