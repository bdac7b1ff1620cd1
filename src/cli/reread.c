/* reread.c - one reading of prompt and answer, with the logits in the place of every token. */
#include "cli/reread.h"

#include <string.h>

#include "base/check.h"

enum { MEMORY_BYTES_MAX = 1 << 30 };

struct reading {
    const struct reread_order *order;
    struct sampler *sampler;
    int32_t *timeline; /* [n_prompt + n] */
    struct stat_position *at;
    struct reread *out;
    uint32_t n_vocab;
};

/* Where the sampler's random number falls, and where the claimed token lies; the sampler has chosen
 * from this row. */
static struct stat_draw draw_of(const struct reading *r, const struct sampler_row *row,
                                int32_t token)
{
    const struct sampler *s = r->sampler;
    const struct iso_sampling *p = row->sampling;
    uint64_t below = 0, own = 0, total = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        below += s->token[i] < token ? s->weight[i] : 0;
        own += s->token[i] == token ? s->weight[i] : 0;
        total += s->weight[i];
    }
    uint64_t random = sampler_random(p->seed, p->choice, row->n_tokens, SAMPLER_PURPOSE_TOKEN);
    return (struct stat_draw){(double)random * 0x1p-64, (double)below / (double)total,
                              (double)(below + own) / (double)total};
}

/* Log-probabilities among what the stages left, and the seed's choice. */
static void sample(struct reading *r, const float *logits, uint32_t i, struct iso_logprob *best,
                   struct stat_position *p)
{
    const struct reread_order *o = r->order;
    const struct sampler_row row = {
        .sampling = o->sampling,
        .logits = logits,
        .tokens = r->timeline,
        .n_tokens = o->n_prompt + i,
        .border = o->n_prompt,
        .banned = o->stops,
        .n_banned = i < o->n_min ? o->n_stops : 0,
    };
    int32_t chosen = sampler_choose(r->sampler, &row);
    if (o->draws && chosen >= 0)
        r->out->draws[i] = draw_of(r, &row, p->token);
    if (o->processed)
        p->logprob = (double)sampler_left(r->sampler, p->token, o->n_top, best);
}

static enum err take(struct reading *r, const struct iso_event *e, struct err_note *note)
{
    const struct reread_order *o = r->order;
    uint32_t i = e->position + 1 - o->n_prompt;
    struct stat_position *p = &r->at[i];
    struct iso_logprob best[ISO_LOGPROBS_MAX];
    struct stat_choice *top = arena_alloc(&r->out->memory, (o->n_top + 1) * sizeof top[0]);
    if (!top)
        return err_set(note, ERR_MEMORY, "out of memory for an answer's alternatives");
    *p = (struct stat_position){.token = o->answer->at[i].token, .top = top, .n_top = o->n_top};
    CHECK(e->n_logprobs == o->n_top);
    if (o->n_top > 0)
        memcpy(best, e->logprobs, o->n_top * sizeof best[0]);
    p->logprob = (double)iso_logprob(e->logits, r->n_vocab, p->token);
    if (o->draws || o->processed)
        sample(r, e->logits, i, best, p);
    for (uint32_t k = 0; k < o->n_top; k++)
        top[k] = (struct stat_choice){best[k].token, (double)best[k].logprob};
    return ERR_OK;
}

static enum err read_some(struct reading *r, struct iso_engine *engine, struct iso_session *session,
                          uint32_t from, uint32_t n, bool logits, struct err_note *note)
{
    struct iso_request request = iso_request_default();
    request.tokens = r->timeline + from;
    request.n_tokens = n;
    request.n_answer_max = 0;
    request.no_cache = true;
    request.want_logits_prompt = logits;
    request.n_logprobs = logits ? r->order->n_top : 0;
    enum err rc = (enum err)iso_session_submit(session, &request, (struct iso_note *)note);
    const struct iso_event *events;
    for (size_t n_events; !rc && (n_events = iso_engine_step(engine, &events)) > 0;)
        for (size_t i = 0; !rc && i < n_events; i++) {
            if (events[i].err)
                rc = err_set(note, (enum err)events[i].err, "%s", events[i].note);
            else if (events[i].kind == ISO_EVENT_LOGITS)
                rc = take(r, &events[i], note);
        }
    return rc;
}

/* The prompt but its last token wants no logits: only what comes after is asked for. */
enum err reread_run(struct reread *r, struct iso_engine *engine, struct iso_session *session,
                    struct sampler *sampler, const struct reread_order *o, struct err_note *note)
{
    size_t n = o->answer->n;
    *r = (struct reread){0};
    arena_init(&r->memory, MEMORY_BYTES_MAX);
    struct reading reading = {.order = o,
                              .sampler = sampler,
                              .out = r,
                              .n_vocab = iso_engine_info(engine).n_vocab,
                              .at = arena_alloc(&r->memory, n * sizeof reading.at[0])};
    size_t n_bytes = (o->n_prompt + n) * sizeof reading.timeline[0];
    reading.timeline = arena_alloc(&r->memory, n_bytes);
    r->draws = arena_alloc(&r->memory, n * sizeof r->draws[0]);
    CHECK(o->n_prompt > 0 && n > 0 && o->n_top <= ISO_LOGPROBS_MAX);
    CHECK(!o->draws || o->sampling->temperature > 0);
    if (!reading.at || !reading.timeline || !r->draws)
        return err_set(note, ERR_MEMORY, "out of memory for an answer of %zu positions", n);
    memcpy(reading.timeline, o->prompt, o->n_prompt * sizeof o->prompt[0]);
    for (size_t i = 0; i < n; i++) {
        int32_t token = o->answer->at[i].token;
        if ((uint32_t)token >= reading.n_vocab)
            return err_set(note, ERR_USAGE, "position %zu: token %d; this model has 0 to %u", i,
                           token, reading.n_vocab - 1);
        reading.timeline[o->n_prompt + i] = token;
    }
    iso_session_cut(session, 0);
    uint32_t n_before = o->n_prompt - 1;
    enum err rc = n_before > 0 ? read_some(&reading, engine, session, 0, n_before, false, note)
                               : ERR_OK;
    if (!rc)
        rc = read_some(&reading, engine, session, n_before, (uint32_t)n, true, note);
    r->answer = (struct stat_answer){reading.at, n};
    return rc;
}

void reread_release(struct reread *r)
{
    arena_release(&r->memory);
    *r = (struct reread){0};
}
