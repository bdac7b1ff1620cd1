/* speculate.c - whether to guess, and how much. */
#include "engine/speculate.h"

#include "engine/engine_int.h"

/* A row that was never tried costs this part of a step, until it was. */
static const double row_hoped = 0.04;
/* Guesses must promise this much more; they may be wrong about the time they take. */
static const double gain_least = 1.02;

enum { N_TRIED = 2 };

enum err speculate_init(struct speculate *p, bool is_off, uint32_t n_ctx, struct err_note *note)
{
    p->is_off = is_off;
    return is_off ? ERR_OK : lookup_init(&p->lookup, n_ctx, note);
}

void speculate_release(struct speculate *p)
{
    lookup_release(&p->lookup);
    draft_close(&p->draft);
}

void speculate_forget(struct speculate *p, const struct iso_session *s)
{
    lookup_forget(&p->lookup, s);
    draft_forget(&p->draft, s);
}

struct worth speculate_worth(const struct cost *c, uint32_t position, const float *chance,
                             uint32_t n, double ns_each)
{
    double one = cost_of(c, 1, position), sure = one;
    double tokens = 1, all_true = 1;
    struct worth best = {0, gain_least};
    uint32_t sure_rows = 1;
    if (!cost_was_tried(c, 1))
        return best;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t rows = i + 2;
        double ns = sure * (1 + row_hoped * (rows - sure_rows));
        if (cost_was_tried(c, rows)) {
            ns = cost_of(c, rows, (uint64_t)rows * position);
            sure = ns;
            sure_rows = rows;
        }
        all_true *= (double)chance[i];
        tokens += all_true;
        double rate = tokens * one / (ns + (i + 1) * ns_each);
        if (rate > best.rate)
            best = (struct worth){i + 1, rate};
    }
    return best;
}

static uint32_t least_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How many guesses the request, the context, LongRoPE's border and the pool leave room for. */
static uint32_t room_for(const struct iso_session *s)
{
    const struct iso_engine *e = s->engine;
    uint32_t border = model_info(e->model)->rope_border;
    uint32_t n_answered = s->n_tokens - s->border;
    uint32_t n = least_of(GUESSES_MAX, e->n_ctx - s->n_tokens);
    n = least_of(n, s->request.n_answer_max - n_answered - 1);
    if (border && !s->far)
        n = least_of(n, border - s->n_tokens);
    if (e->pages.n_free == 0) /* nobody loses a page for a guess */
        n = least_of(n, session_pages(s->n_tokens) * KV_PAGE - s->n_tokens);
    return n;
}

/* Guesses of the draft model, if they promise more than `rate`; 0: they do not, and nothing was
 * written. */
static uint32_t draft(struct iso_session *s, uint32_t room, double rate)
{
    struct iso_engine *e = s->engine;
    struct draft *d = &e->speculate.draft;
    struct worth worth = speculate_worth(&e->cost, s->n_tokens - 1, d->chance, room, d->ns_each);
    if (worth.n > 0)
        d->n_steps_off = d->n_steps_wait = 0;
    else if (room > 0 && draft_is_due(d))
        worth = (struct worth){room < N_TRIED ? room : N_TRIED, 2 * rate};
    if (worth.n == 0 || worth.rate <= rate)
        return 0;
    uint64_t begin_ns = e->clock_ns(e->clock_context);
    uint32_t n_behind = s->n_tokens - d->n_kv;
    uint32_t n = draft_guess(d, s, &s->request.sampling, s->mu, s->tokens, s->n_tokens, s->border,
                             worth.n);
    uint64_t ns = e->clock_ns(e->clock_context) - begin_ns;
    e->speculate.ns_aside += ns;
    if (n > 0 && n_behind <= GUESSES_MAX) { /* not where it read a prompt */
        double each = (double)ns / n;
        d->ns_each += d->ns_each == 0 ? each : (each - d->ns_each) / 16;
    }
    return n;
}

uint32_t speculate_guess(struct iso_session *s)
{
    struct iso_engine *e = s->engine;
    struct speculate *p = &e->speculate;
    float chance[GUESSES_MAX];
    if (p->is_off || e->queue.running.n != 1 || s->n_tokens == s->border)
        return 0;
    uint32_t room = room_for(s);
    if (p->guesser.fn)
        return p->guesser.fn(p->guesser.context, s, s->tokens + s->n_tokens, room);
    lookup_follow(&p->lookup, s, s->tokens, s->n_tokens, s->border);
    uint32_t n = lookup_chances(&p->lookup, room, chance);
    struct worth worth = speculate_worth(&e->cost, s->n_tokens - 1, chance, n, 0);
    if (p->draft.model) {
        draft_learn(&p->draft, s, s->tokens, s->n_tokens);
        uint32_t n_drafted = draft(s, room, worth.rate);
        if (n_drafted > 0)
            return n_drafted;
    }
    lookup_guess(&p->lookup, s->tokens, worth.n);
    return worth.n;
}
