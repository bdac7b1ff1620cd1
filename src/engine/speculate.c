/* speculate.c - whether to guess, and how much. */
#include "engine/speculate.h"

#include "engine/engine_int.h"

/* A row that was never tried costs this part of a step, until it was. */
static const double row_hoped = 0.04;
/* Guesses must promise this much more; they may be wrong about the time they take. */
static const double gain_least = 1.02;

enum err speculate_init(struct speculate *p, bool is_off, uint32_t n_ctx, struct err_note *note)
{
    p->is_off = is_off;
    return is_off ? ERR_OK : lookup_init(&p->lookup, n_ctx, note);
}

void speculate_release(struct speculate *p)
{
    lookup_release(&p->lookup);
}

uint32_t speculate_worth(const struct cost *c, uint32_t position, const float *chance, uint32_t n)
{
    double one = cost_of(c, 1, position), sure = one;
    double tokens = 1, all_true = 1, best_rate = gain_least / one;
    uint32_t best = 0, sure_rows = 1;
    if (!cost_is_sure(c, 1))
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t rows = i + 2;
        double ns = sure * (1 + row_hoped * (rows - sure_rows));
        if (cost_is_sure(c, rows)) {
            ns = cost_of(c, rows, (uint64_t)rows * position);
            sure = ns;
            sure_rows = rows;
        }
        all_true *= (double)chance[i];
        tokens += all_true;
        if (tokens / ns > best_rate) {
            best_rate = tokens / ns;
            best = i + 1;
        }
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

uint32_t speculate_guess(struct iso_session *s)
{
    struct iso_engine *e = s->engine;
    struct lookup *l = &e->speculate.lookup;
    float chance[GUESSES_MAX];
    if (e->speculate.is_off || e->queue.running.n != 1 || s->n_tokens == s->border)
        return 0;
    if (e->speculate.guesser.fn)
        return e->speculate.guesser.fn(e->speculate.guesser.context, s, s->tokens + s->n_tokens,
                                       room_for(s));
    lookup_follow(l, s, s->tokens, s->n_tokens, s->border);
    uint32_t n = lookup_guess(l, s->tokens, room_for(s), chance);
    return speculate_worth(&e->cost, s->n_tokens - 1, chance, n);
}
