/* dialect.c - which path speaks which dialect. */
#include "api/dialect.h"

#include "api/anthropic.h"
#include "api/llama.h"
#include "api/ollama.h"
#include "api/pow.h"
#include "api/prompts.h"
#include "api/responses.h"
#include "api/socket_call.h"
#include "base/check.h"

extern const struct dialect dialect_chat, dialect_completion; /* reply.c */

static const struct dialect *const dialects[] = {
    &dialect_chat,
    &dialect_completion,
    &dialect_anthropic,
    &dialect_responses,
    &dialect_llama,
    &dialect_llama_plural,
    &dialect_socket,
    &dialect_prompts,
    &dialect_ollama_generate,
    &dialect_ollama_chat,
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

/* Anthropic's API is everything below its one endpoint. */
static bool is_anthropic(struct str path)
{
    struct str root = STR("/v1/messages");
    return str_starts(path, root) && (path.len == root.len || path.ptr[root.len] == '/');
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
    if (is_anthropic(path))
        anthropic_error(out, e);
    else if (is_llama(path))
        llama_error(out, e);
    else if (str_is(path, SOCKET_GENERATE_PATH))
        socket_error(out, e);
    else if (str_is(path, dialect_prompts.path) || pow_is_path(path))
        prompts_error(out, e);
    else if (ollama_is_path(path))
        ollama_error(out, e);
    else
        reply_error(out, e);
}

void dialect_error_id(struct buf *out, struct str path, struct str body, const char *request_id)
{
    struct writer w;
    bool has_place = is_anthropic(path) && body.len > 2;
    buf_add(out, body.ptr, has_place ? body.len - 1 : body.len);
    if (!has_place)
        return;
    write_begin(&w, out);
    w.comma = true;
    write_key_text(&w, "request_id", str_from(request_id));
    write_close(&w, '}');
}

void write_named_event(struct buf *out, const char *name, const struct buf *json)
{
    buf_str(out, "event: ");
    buf_str(out, name);
    buf_str(out, "\n");
    write_event(out, json);
}

void write_event(struct buf *out, const struct buf *json)
{
    buf_str(out, "data: ");
    buf_add(out, json->bytes, json->n_bytes);
    buf_str(out, "\n\n");
}
