/* replay.c - events of an answer that is computed anew. */
#include "proof/replay.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proof/maker.h"

enum { LOGITS_BYTES = 128 << 20 };

uint32_t replay_logits(uint32_t n_vocab, uint32_t n_chunk)
{
    uint32_t n = LOGITS_BYTES / 4 / (n_vocab ? n_vocab : 1);
    n = n < n_chunk ? n : n_chunk;
    return n > 16 ? n : 16;
}

static enum err allocate(struct replay *p, uint32_t n_prompt, struct err_note *note)
{
    size_t n = p->n_output ? p->n_output : 1;
    p->n_pages_max = (n_prompt % ISO_PAGE_POSITIONS + n) / ISO_PAGE_POSITIONS + 1;
    p->ids = mem_array(n, sizeof p->ids[0]);
    p->records = mem_array(n, sizeof p->records[0]);
    p->pages = mem_array(p->n_pages_max, sizeof p->pages[0]);
    p->prompt_pages = mem_array(n_prompt / ISO_PAGE_POSITIONS + 1, sizeof p->pages[0]);
    p->expected = mem_array(n, sizeof p->expected[0]);
    p->logits = p->request.want_digests ? mem_array(n, sizeof p->logits[0]) : NULL;
    bool all = p->ids && p->records && p->pages && p->prompt_pages && p->expected;
    return all && (p->logits || !p->request.want_digests)
               ? ERR_OK
               : err_set(note, ERR_MEMORY, "no memory for an answer of %zu tokens", n);
}

enum err replay_init(struct replay *p, const struct iso_request *of, const uint32_t *ids,
                     size_t n_output, struct iso_engine_info engine, struct err_note *note)
{
    *p = (struct replay){.request = *of, .n_output = n_output};
    if (n_output > engine.n_ctx || of->n_tokens > engine.n_ctx - n_output)
        return err_set(note, ERR_LIMIT,
                       "%u tokens and an answer of %zu do not fit the context of %u; -c N makes it "
                       "larger",
                       of->n_tokens, n_output, engine.n_ctx);
    enum err rc = allocate(p, of->n_tokens, note);
    for (size_t i = 0; ids && i < n_output && !rc; i++) {
        p->expected[i] = (int32_t)ids[i];
        if (ids[i] >= engine.n_vocab)
            rc = err_set(note, ERR_FORMAT, "token %zu is %u, but the vocabulary has %u", i, ids[i],
                         engine.n_vocab);
    }
    struct iso_request *r = &p->request;
    r->expected = p->expected;
    r->n_expected = ids && n_output ? (uint32_t)n_output - 1 : 0;
    r->want_records = r->want_pages = r->no_cache = true;
    r->deadline_ms = 0;
    r->user = p;
    if (rc)
        replay_release(p);
    return rc;
}

static void take_token(struct replay *p, const struct iso_event *e)
{
    struct position_record *to = &p->records[p->n_records];
    *to = maker_record(e);
    if (p->logits)
        memcpy(p->logits[p->n_records].bytes, e->digest, ISO_DIGEST_BYTES);
    p->ids[p->n_records++] = to->id;
    bool differs =
        p->n_records <= p->request.n_expected && p->expected[p->n_records - 1] != e->token;
    p->is_over = differs || p->n_records >= p->n_output;
}

/* Those that are lost with a device are there again after a later step. */
static void take_prompt_pages(struct replay *p, const struct iso_session *session)
{
    uint32_t n = p->has_prompt ? p->request.n_tokens / ISO_PAGE_POSITIONS : 0;
    while (p->n_prompt_pages < n &&
           iso_session_page_hash(session, (uint32_t)p->n_prompt_pages,
                                 p->prompt_pages[p->n_prompt_pages].bytes))
        p->n_prompt_pages++;
}

/* Once over, a finish of the same step still counts; what is chosen beyond does not. */
bool replay_take(struct replay *p, const struct iso_event *e)
{
    uint64_t n_kv = p->request.n_tokens + (p->n_output ? p->n_output - 1 : 0);
    switch (e->kind) {
    case ISO_EVENT_TOKEN:
        if (!p->is_over)
            take_token(p, e);
        break;
    case ISO_EVENT_PAGE:
        if ((uint64_t)e->position + ISO_PAGE_POSITIONS <= n_kv && p->n_pages < p->n_pages_max)
            memcpy(p->pages[p->n_pages++].bytes, e->digest, ISO_DIGEST_BYTES);
        break;
    case ISO_EVENT_FINISH:
        if (e->position == p->request.n_tokens + p->n_records)
            p->finish = e->finish;
        p->is_over = true;
        p->err = (enum err)e->err;
        err_set(&p->note, p->err, "%s", e->note);
        break;
    case ISO_EVENT_BORDER:
        p->has_prompt = true;
        break;
    case ISO_EVENT_PROMPT:
    case ISO_EVENT_LOGITS:
        break;
    }
    take_prompt_pages(p, e->session);
    return !p->is_over;
}

struct verify_replay replay_found(const struct replay *p)
{
    return (struct verify_replay){.ids = p->ids,
                                  .records = p->records,
                                  .n_records = p->n_records,
                                  .logits = p->logits,
                                  .pages = p->pages,
                                  .n_pages = p->n_pages,
                                  .prompt_pages = p->prompt_pages,
                                  .n_prompt_pages = p->n_prompt_pages};
}

void replay_release(struct replay *p)
{
    mem_free(p->logits);
    mem_free(p->prompt_pages);
    mem_free(p->ids);
    mem_free(p->records);
    mem_free(p->pages);
    mem_free(p->expected);
    *p = (struct replay){0};
}
