/* session_pages.c - a session's pages shown to others, and pages taken from others. */
#include <string.h>

#include "base/check.h"
#include "engine/engine_int.h"
#include "engine/fall_back.h"

static bool holds(const struct iso_session *s, uint32_t page)
{
    return (uint64_t)page * KV_PAGE + KV_PAGE <= s->n_kv && page < s->n_pages;
}

bool iso_session_page_hash(const struct iso_session *s, uint32_t page,
                           uint8_t hash[ISO_DIGEST_BYTES])
{
    struct kv_pages *pool = &s->engine->pages;
    if (!holds(s, page))
        return false;
    uint32_t i = s->pages[page];
    if (!pool->hashed[i]) {
        if (engine_is_lost(s->engine))
            return false;
        model_kv_digest(s->engine->model, session_page(s, page), pool->hash[i]);
        if (engine_is_lost(s->engine))
            return false;
        pool->hashed[i] = 1;
    }
    memcpy(hash, pool->hash[i], ISO_DIGEST_BYTES);
    return true;
}

bool iso_session_page_read(const struct iso_session *s, uint32_t page, uint8_t *bytes)
{
    if (!holds(s, page) || engine_is_lost(s->engine))
        return false;
    model_kv_export(s->engine->model, session_page(s, page), bytes);
    return !engine_is_lost(s->engine);
}

enum iso_err iso_session_page_add(struct iso_session *s, const int32_t *tokens,
                                  const uint8_t *bytes, struct iso_note *note)
{
    struct iso_engine *e = s->engine;
    CHECK(s->state == SESSION_IDLE && s->n_kv == s->n_tokens && s->n_kv % KV_PAGE == 0);
    if (s->n_tokens + KV_PAGE >= e->n_ctx)
        return (enum iso_err)err_set(note_of(note), ERR_LIMIT,
                                     "%u positions and a page more do not fit the context of %u",
                                     s->n_tokens, e->n_ctx);
    for (uint32_t i = 0; i < KV_PAGE; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= e->sampler.n_vocab)
            return (enum iso_err)err_set(note_of(note), ERR_USAGE,
                                         "token %d: this vocabulary has ids 0 to %u", tokens[i],
                                         e->sampler.n_vocab - 1);
    if (!model_kv_plausible(e->model, bytes))
        return (enum iso_err)err_set(note_of(note), ERR_FORMAT,
                                     "page %u is none that this model could have computed",
                                     s->n_kv / KV_PAGE);
    enum err rc = session_reserve(s, s->n_kv + KV_PAGE, note_of(note));
    if (rc)
        return (enum iso_err)rc;
    if (!engine_is_lost(e))
        model_kv_import(e->model, session_page(s, s->n_pages - 1), bytes);
    if (engine_is_lost(e))
        return (enum iso_err)err_set(note_of(note), ERR_IO,
                                     "the device was lost before it had page %u",
                                     s->n_kv / KV_PAGE);
    memcpy(s->tokens + s->n_tokens, tokens, KV_PAGE * sizeof tokens[0]);
    s->n_tokens += KV_PAGE;
    s->n_kv += KV_PAGE;
    s->n_given = s->n_kv;
    s->is_private = true;
    return ISO_OK;
}
