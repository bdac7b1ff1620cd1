/* ahead.c - the pass after the one that is under way. */
#include "engine/ahead.h"

#include <string.h>

#include "base/mem.h"
#include "engine/engine_int.h"

enum err ahead_init(struct ahead *a, uint32_t n_running, struct err_note *note)
{
    a->row = mem_array(n_running, sizeof a->row[0]);
    a->from = mem_array(n_running, sizeof a->from[0]);
    a->rows = mem_array(n_running, sizeof a->rows[0]);
    a->logit_rows = mem_array(n_running, sizeof a->logit_rows[0]);
    a->far = mem_array(n_running, sizeof a->far[0]);
    a->stays = mem_array(n_running, sizeof a->stays[0]);
    if (!a->row || !a->from || !a->rows || !a->logit_rows || !a->far || !a->stays)
        return err_set(note, ERR_MEMORY, "out of memory for %u requests", n_running);
    for (uint32_t i = 0; i < n_running; i++)
        a->logit_rows[i] = i;
    memset(a->stays, 1, n_running * sizeof a->stays[0]);
    return ERR_OK;
}

void ahead_release(struct ahead *a)
{
    mem_free(a->row);
    mem_free(a->from);
    mem_free(a->rows);
    mem_free(a->logit_rows);
    mem_free(a->far);
    mem_free(a->stays);
    *a = (struct ahead){0};
}

/* Whether the token of logits i, at n_tokens, is chosen by the device and followed by another, and
 * whether that one needs nothing of the host: no penalty goes by a token that it has not seen. */
static bool goes_on(const struct iso_session *s, struct schedule_need need, uint32_t n_rows,
                    uint32_t i)
{
    const struct iso_engine *e = s->engine;
    uint32_t border = model_info(e->model)->rope_border, n_tokens = s->n_tokens;
    bool is_read = n_rows == need.n_pending && need.last_logits && !need.all_logits &&
                   need.n_expected == 0 && s->n_kv + n_rows == n_tokens;
    bool is_chosen =
        e->stays[i] && e->sample[i].token == SAMPLE_CHOOSE && e->sample[i].n_penalties == 0;
    bool has_room = n_tokens + 1 < e->n_ctx && n_tokens + 1 - s->border < s->request.n_answer_max;
    return is_read && is_chosen && has_room && !s->cancel &&
           (!border || s->far || n_tokens < border);
}

/* Guesses are for a session alone, and better than going ahead where they come true. */
static bool nothing_is_guessed(struct iso_engine *e)
{
    struct speculate *p = &e->speculate;
    if (p->is_off || e->queue.running.n > 1)
        return true;
    return !p->guesser.fn && !p->draft.model && speculate_guess(e->turn[0]) == 0;
}

static bool may_go(struct iso_engine *e, const struct batch *b)
{
    /* First layers that are elsewhere need the token there. */
    bool takes_tokens = e->plan.n_gpu_layers > e->plan.info.n_layers;
    if (!takes_tokens || !b->sample || b->hidden || e->tap.fn || e->queue.waiting.n > 0 ||
        e->n_turns != e->queue.running.n || e->n_turns != b->n_logits ||
        b->n_logits > MODEL_AHEAD_ROWS)
        return false;
    for (uint32_t i = 0; i < e->n_turns; i++)
        if (!goes_on(e->turn[i], e->need[i], e->n_rows[i], i))
            return false;
    return nothing_is_guessed(e);
}

void ahead_go(struct iso_engine *e, const struct batch *b)
{
    struct ahead *a = &e->ahead;
    struct batch next = {.rows = a->rows,
                         .logit_rows = a->logit_rows,
                         .rope_far = a->far,
                         .logits = e->logits,
                         .bad = e->bad,
                         .sample = e->sample,
                         .edits = e->edits,
                         .results = e->results,
                         .stays = a->stays,
                         .turn = !a->turn};
    if (!may_go(e, b))
        return;
    for (uint32_t i = 0; i < e->n_turns; i++) {
        struct iso_session *s = e->turn[i];
        uint32_t position = s->n_tokens; /* of the token that is being chosen */
        if (session_reserve(s, position + 1, NULL) != ERR_OK ||
            !engine_leave_to_device(s, position + 1, i, &next))
            return;
        a->rows[i] = (struct kv_row){.pages = s->bases, .position = position};
        a->far[i] = s->far;
        a->row[i] = (struct ahead_row){s, s->ticket, position + 1};
    }
    next.n_rows = next.n_logits = a->n = e->n_turns;
    a->turn = next.turn;
    model_submit(e->model, &next);
}

static bool is_left(const struct ahead_row *r)
{
    const struct iso_session *s = r->session;
    return s->state == SESSION_RUNNING && s->ticket == r->ticket && s->n_tokens == r->n_tokens &&
           s->n_kv + 1 == s->n_tokens;
}

bool ahead_take(struct iso_engine *e, struct batch *b)
{
    struct ahead *a = &e->ahead;
    uint32_t n = a->n;
    a->n = e->n_turns = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct iso_session *s = a->row[i].session;
        if (!is_left(&a->row[i]))
            continue;
        a->from[e->n_turns] = i;
        e->turn[e->n_turns] = s;
        e->n_rows[e->n_turns] = e->stays[e->n_turns] = 1;
        e->need[e->n_turns++] = (struct schedule_need){.n_pending = 1,
                                                       .last_logits = true,
                                                       .position = s->n_kv,
                                                       .priority = s->request.priority,
                                                       .in_gaps = s->request.in_gaps,
                                                       .tenant = s->place};
        e->queue.served[s->place]++;
    }
    if (e->n_turns > 0)
        queue_forgive(&e->queue, e->n_chunk);
    *b = (struct batch){.n_rows = n,
                        .rows = a->rows,
                        .n_logits = n,
                        .bad = e->bad,
                        .sample = e->sample,
                        .results = e->results,
                        .stays = a->stays,
                        .turn = a->turn};
    return e->n_turns > 0;
}

void ahead_collect(struct iso_engine *e, const struct batch *b)
{
    const struct ahead *a = &e->ahead;
    model_collect(e->model, b);
    for (uint32_t i = 0; e->n_turns < b->n_rows && i < e->n_turns; i++) {
        e->bad[i] = e->bad[a->from[i]];
        e->results[i] = e->results[a->from[i]];
    }
}
