/* step.c - one forward pass: rows from every busy session, then a token for each that is ready. */
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine/engine_int.h"
#include "engine/fall_back.h"
#include "engine/remember.h"

struct iso_event *engine_event(struct iso_session *s, enum iso_event_kind kind)
{
    struct iso_engine *e = s->engine;
    CHECK(e->n_events < e->n_events_max);
    struct iso_event *event = &e->events[e->n_events++];
    *event = (struct iso_event){.kind = kind, .session = s, .request = &s->request, .note = ""};
    event->token = -1;
    return event;
}

static void finish(struct iso_session *s, enum iso_finish reason, enum err rc)
{
    struct iso_event *event = engine_event(s, ISO_EVENT_FINISH);
    event->position = s->n_tokens;
    event->finish = reason;
    event->err = (enum iso_err)rc;
    event->note = rc ? s->note.text : "";
    queue_leave(s);
    s->cancel = ISO_FINISH_NONE;
    s->engine->stats.n_finished++;
}

/* Rows were no timeline that could go on. */
static void forget_rows(struct iso_session *s)
{
    if (s->state == SESSION_IDLE && s->request.rows)
        iso_session_cut(s, 0);
}

/* Requests that were cancelled or whose time is over leave, wherever they are in line; all, when
 * nothing computes any more. */
static void end_requests(struct iso_engine *e, uint64_t now_ns)
{
    for (uint32_t i = 0; i < e->n_sessions; i++) {
        struct iso_session *s = &e->sessions[i];
        if (s->state != SESSION_WAITING && s->state != SESSION_RUNNING)
            continue;
        if (s->cancel) {
            finish(s, s->cancel, ERR_OK);
        } else if (e->lost) {
            s->note = e->lost_note;
            finish(s, ISO_FINISH_ERROR, e->lost);
        } else if (session_lacks_given(s)) {
            err_set(&s->note, ERR_IO,
                    "pages that were given to this session are gone: they cannot be computed in "
                    "their place; begin a new session");
            finish(s, ISO_FINISH_ERROR, ERR_IO);
        } else if (now_ns >= s->deadline_ns) {
            finish(s, ISO_FINISH_DEADLINE, ERR_OK);
        }
        forget_rows(s);
    }
}

/* What the sampler chooses from for the token at n_tokens, but for logits and constraint. */
static struct sampler_row row_to_choose(struct iso_session *s, uint32_t n_tokens)
{
    const struct iso_request *r = &s->request;
    bool no_stop = r->ignore_stops || n_tokens - s->border < r->n_answer_min;
    return (struct sampler_row){
        .sampling = &r->sampling,
        .tokens = s->tokens,
        .n_tokens = n_tokens,
        .border = s->border,
        .banned = s->stops,
        .n_banned = no_stop ? r->n_stops : 0,
        .mu = &s->mu,
    };
}

bool engine_leave_to_device(struct iso_session *s, uint32_t n_tokens, uint32_t i, struct batch *b)
{
    struct iso_engine *e = s->engine;
    const struct iso_request *r = &s->request;
    uint32_t n_vocab = e->sampler.n_vocab, i_answer = n_tokens - s->border;
    struct sample_row *row = &e->sample[i];
    *row = (struct sample_row){.token = SAMPLE_NOTHING};
    if (!b->sample || r->constraint || r->want_logits || r->want_digests || r->processed_logprobs ||
        (r->want_logits_prompt && n_tokens <= s->border))
        return false;
    if (r->n_answer_max == 0) /* the prompt's embedding alone */
        return true;
    const struct sampler_row chosen_from = row_to_choose(s, n_tokens);
    struct sample_edit *edits = e->edits + b->n_edits;
    if (!sampler_device_row(&e->sampler, &chosen_from, row, edits, MODEL_EDITS)) {
        *row = (struct sample_row){.token = SAMPLE_NOTHING};
        return false;
    }
    if (i_answer < r->n_forced)
        *row = (struct sample_row){.token = r->forced[i_answer]};
    row->n_best = r->n_logprobs;
    if (r->want_records && row->n_best < ISO_BEST_MAX)
        row->n_best = n_vocab < ISO_BEST_MAX ? n_vocab : ISO_BEST_MAX;
    row->wants_sum = r->want_logprob || r->n_logprobs > 0;
    row->first_edit = b->n_edits;
    b->n_edits += row->n_biases + row->n_penalties;
    return true;
}

/* Fills the batch with a session's rows and marks those whose logits are wanted. */
static void add_rows(struct iso_session *s, struct schedule_need need, uint32_t n_rows,
                     struct batch *b)
{
    struct iso_engine *e = s->engine;
    uint32_t n_logits = schedule_logits(need, n_rows);
    size_t width = model_info(e->model)->n_embd;
    for (uint32_t i = 0; i < n_rows; i++) {
        uint32_t row = b->n_rows++;
        e->token[row] = s->tokens[s->n_kv + i];
        e->rows[row] = (struct kv_row){.pages = s->bases, .position = s->n_kv + i};
        e->lower_rows[row] = (struct kv_row){.pages = s->lower_bases, .position = s->n_kv + i};
        e->bad[row] = 0;
        e->rope_far[row] = s->far;
        e->input[row] = s->request.rows ? s->request.rows + (s->n_kv + i) * width : NULL;
        e->mirrors[row] = s->request.rows ? s->request.mirrors : NULL;
        if (i < n_rows - n_logits)
            continue;
        e->stays[b->n_logits] = engine_leave_to_device(s, s->n_kv + i + 1, b->n_logits, b);
        e->logit_rows[b->n_logits++] = row;
    }
}

/* Pages for the rows of those that run, taken from others where the pool is empty. In line: who is
 * sent back to wait for them has no rows in the batch yet. */
static void reserve_pages(struct iso_engine *e)
{
    for (uint32_t i = 0; i < e->n_turns; i++) {
        struct iso_session *s = e->turn[i];
        while (s->state == SESSION_RUNNING && e->n_rows[i] > 0 &&
               session_reserve(s, s->n_kv + e->n_rows[i], &s->note) != ERR_OK)
            queue_reclaim(s);
        if (s->state != SESSION_RUNNING) {
            e->queue.served[s->place] -= e->n_rows[i];
            e->n_rows[i] = 0;
        }
    }
}

/* One row at least: with the pool empty those that wait for it leave, until the rest can go on. */
static struct batch build_batch(struct iso_engine *e)
{
    struct batch b = {.token = e->token,
                      .rows = e->rows,
                      .lower_rows = e->lower_rows,
                      .logit_rows = e->logit_rows,
                      .rope_far = e->rope_far,
                      .logits = e->logits,
                      .bad = e->bad,
                      .sample = e->device->ops->host_memory ? NULL : e->sample,
                      .edits = e->edits,
                      .results = e->results,
                      .stays = e->stays};
    struct schedule_limits limits = {e->n_chunk, e->n_logits, e->stretch};
    while (b.n_rows == 0) {
        CHECK(e->queue.running.n > 0);
        e->n_turns = e->queue.running.n;
        for (uint32_t i = 0; i < e->n_turns; i++) {
            e->turn[i] = e->queue.running.s[i];
            e->need[i] = session_need(e->turn[i]);
        }
        schedule_rows(e->need, e->n_turns, limits, &e->cost, e->queue.served, e->n_rows);
        reserve_pages(e);
        for (uint32_t i = 0; i < e->n_turns; i++)
            if (e->n_rows[i] > 0) {
                add_rows(e->turn[i], e->need[i], e->n_rows[i], &b);
                b.hidden = e->turn[i]->request.want_hidden ? e->hidden : b.hidden;
                b.input = e->turn[i]->request.rows ? e->input : b.input;
                b.mirrors = e->turn[i]->request.rows ? e->mirrors : b.mirrors;
            }
    }
    queue_forgive(&e->queue, e->n_chunk);
    return b;
}

static const uint8_t *digest_of(struct iso_engine *e, uint32_t logits_i, uint32_t n_vocab)
{
    const float *row = e->logits + (size_t)logits_i * n_vocab;
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digests are of little-endian f32");
    sha256_of(row, n_vocab * sizeof row[0], e->digests[logits_i]);
    return e->digests[logits_i];
}

static struct iso_event *logits_event(struct iso_session *s, enum iso_event_kind kind,
                                      uint32_t logits_i)
{
    struct iso_engine *e = s->engine;
    uint32_t n_vocab = e->sampler.n_vocab;
    struct iso_event *event = engine_event(s, kind);
    if (!e->stays[logits_i])
        event->logits = e->logits + (size_t)logits_i * n_vocab;
    if (s->request.want_digests)
        event->digest = digest_of(e, logits_i, n_vocab);
    if (s->request.want_records) {
        struct iso_record *record = &e->records[logits_i];
        record->sum = 0;
        if (e->stays[logits_i])
            sampler_device_best(&e->results[logits_i], n_vocab, record);
        else
            sampler_best(event->logits, n_vocab, record);
        event->record = record;
    }
    return event;
}

static bool is_stop(const struct iso_session *s, int32_t token)
{
    for (uint32_t i = 0; i < s->request.n_stops; i++)
        if (s->stops[i] == token)
            return true;
    return false;
}

/* What the request's constraint allows next: *allowed, NULL for everything. false: nothing. */
static bool allowed_tokens(struct iso_session *s, const uint32_t **allowed)
{
    const struct iso_constraint *c = s->request.constraint;
    struct sampler *sampler = &s->engine->sampler;
    size_t n_words = ((size_t)sampler->n_vocab + 31) / 32;
    struct iso_note note = {"the constraint allows no token of the vocabulary"};
    *allowed = NULL;
    if (!c || !c->mask(c->context, sampler->allowed, &note))
        return true;
    *allowed = sampler->allowed;
    for (size_t i = 0; i < n_words; i++)
        if (sampler->allowed[i])
            return true;
    err_set(&s->note, ERR_UNSUPPORTED, "%s", note.text);
    return false;
}

/* The token after the session's last, by the device or by the sampler, and in *sum the sum of the
 * weights that it was drawn from. -1, with a note: none may be chosen. */
static int32_t choose_token(struct iso_session *s, uint32_t logits_i, const uint32_t *allowed,
                            uint64_t *sum)
{
    struct iso_engine *e = s->engine;
    const struct sample_result *result = &e->results[logits_i];
    struct sampler_row row = row_to_choose(s, s->n_tokens);
    row.logits = e->logits + (size_t)logits_i * e->sampler.n_vocab;
    row.allowed = allowed;
    bool is_chosen = e->stays[logits_i];
    int32_t token = is_chosen ? result->token : sampler_choose(&e->sampler, &row);
    *sum = is_chosen ? result->sum : e->sampler.total;
    if (token < 0)
        err_set(&s->note, ERR_UNSUPPORTED,
                "no token may be chosen at position %u: biases, stops and the constraint together "
                "ban all of them",
                s->n_tokens);
    return token;
}

static void add_logprobs(struct iso_session *s, struct iso_event *event, uint32_t logits_i,
                         int32_t token)
{
    struct iso_engine *e = s->engine;
    const struct iso_request *r = &s->request;
    bool stays = e->stays[logits_i];
    if (r->want_logprob && token >= 0)
        event->logprob = stays ? sampler_device_logprob(&e->results[logits_i])
                               : iso_logprob(event->logits, e->sampler.n_vocab, token);
    if (r->n_logprobs == 0)
        return;
    if (stays)
        sampler_device_logprobs(&e->results[logits_i], r->n_logprobs, e->logprobs[logits_i]);
    else
        sampler_logprobs(&e->sampler, event->logits, r->n_logprobs, e->logprobs[logits_i]);
    event->logprobs = e->logprobs[logits_i];
    event->n_logprobs = r->n_logprobs;
}

/* The same of what the sampler has just left. */
static void add_processed(struct iso_session *s, struct iso_event *event, uint32_t logits_i)
{
    struct iso_engine *e = s->engine;
    const struct iso_request *r = &s->request;
    event->logprob = sampler_left(&e->sampler, event->token, r->n_logprobs, e->logprobs[logits_i]);
    event->logprobs = e->logprobs[logits_i];
    event->n_logprobs = r->n_logprobs;
}

/* Chooses the token after the session's last and appends it; ends the request where it must. */
static void choose(struct iso_session *s, uint32_t logits_i)
{
    struct iso_engine *e = s->engine;
    const struct iso_request *r = &s->request;
    if (s->n_tokens == s->border) {
        struct iso_event *border = engine_event(s, ISO_EVENT_BORDER);
        border->position = s->border;
        if (r->want_hidden)
            border->hidden = e->hidden + (size_t)logits_i * model_info(e->model)->n_embd;
        e->stats.n_tokens_read += r->n_tokens;
    }
    if (r->n_answer_max == 0 || s->n_tokens == e->n_ctx) {
        finish(s, r->n_answer_max == 0 ? ISO_FINISH_LENGTH : ISO_FINISH_CONTEXT, ERR_OK);
        return;
    }
    const uint32_t *allowed = NULL;
    uint32_t i_answer = s->n_tokens - s->border;
    bool forced = i_answer < r->n_forced;
    if (!forced && !allowed_tokens(s, &allowed)) {
        finish(s, ISO_FINISH_ERROR, ERR_UNSUPPORTED);
        return;
    }
    uint64_t sum = 0;
    int32_t token = forced && !r->processed_logprobs ? r->forced[i_answer]
                                                     : choose_token(s, logits_i, allowed, &sum);
    if (token < 0) {
        finish(s, ISO_FINISH_ERROR, ERR_UNSUPPORTED);
        return;
    }
    struct iso_event *event = logits_event(s, ISO_EVENT_TOKEN, logits_i);
    event->token = forced ? r->forced[i_answer] : token;
    if (r->want_records && !forced)
        e->records[logits_i].sum = sum;
    if (r->constraint)
        r->constraint->accept(r->constraint->context, event->token);
    event->position = s->n_tokens;
    event->is_stop = is_stop(s, event->token);
    if (r->processed_logprobs)
        add_processed(s, event, logits_i);
    else
        add_logprobs(s, event, logits_i, event->token);
    s->tokens[s->n_tokens++] = event->token;
    e->stats.n_tokens_chosen++;
    if (event->is_stop)
        finish(s, ISO_FINISH_STOP, ERR_OK);
    else if (s->n_tokens - s->border >= r->n_answer_max)
        finish(s, ISO_FINISH_LENGTH, ERR_OK);
    else if (s->n_tokens == e->n_ctx)
        finish(s, ISO_FINISH_CONTEXT, ERR_OK);
}

/* The layer of the first bad row of a session, -1 if all are finite. */
static bool rows_are_finite(struct iso_session *s, const struct batch *b, uint32_t first_row,
                            uint32_t n_rows)
{
    for (uint32_t i = 0; i < n_rows; i++) {
        uint32_t bad = b->bad[first_row + i];
        if (!bad)
            continue;
        err_set(&s->note, ERR_NUMERIC,
                "a value that is not finite appeared in layer %u at position %u; the weights are "
                "damaged, or the model overflows",
                bad - 1, s->n_kv + i);
        return false;
    }
    return true;
}

/* The next n tokens have their keys and values. False: the device was lost with the page that is to
 * be told now; the session is not to go on in this pass. */
static bool advance(struct iso_session *s, uint32_t n)
{
    struct iso_engine *e = s->engine;
    s->n_kv += n;
    for (; s->request.want_pages && (s->n_pages_told + 1) * KV_PAGE <= s->n_kv; s->n_pages_told++) {
        CHECK(e->n_page_digests < e->n_page_digests_max);
        uint8_t *digest = e->page_digests[e->n_page_digests];
        model_kv_digest(e->model, session_page(s, s->n_pages_told), digest);
        if (engine_is_lost(e))
            return false;
        struct iso_event *event = engine_event(s, ISO_EVENT_PAGE);
        event->position = s->n_pages_told * KV_PAGE;
        event->digest = digest;
        e->n_page_digests++;
    }
    return true;
}

/* The token after the last row that was read; then, as long as the guess for it was the same, the
 * one after the guess's row. row and logits_i are those of the last row that was read. */
static void choose_along(struct iso_session *s, const struct batch *b, uint32_t row,
                         uint32_t n_guesses, uint32_t logits_i)
{
    struct iso_engine *e = s->engine;
    for (uint32_t i = 0;; i++) {
        int32_t guess = i < n_guesses ? s->tokens[s->n_tokens] : -1; /* it is overwritten */
        choose(s, logits_i + i);
        bool came_true = s->tokens[s->n_tokens - 1] == guess;
        e->stats.n_guesses_true += came_true;
        if (!came_true || s->state != SESSION_RUNNING)
            break;
        if (!rows_are_finite(s, b, row + 1 + i, 1)) {
            finish(s, ISO_FINISH_ERROR, ERR_NUMERIC);
            break;
        }
        if (!advance(s, 1))
            break;
    }
    e->stats.n_guesses += n_guesses;
}

/* What a pass means for one session: rows [first_row, +n_rows), logits from logits_i on. */
static void take_results(struct iso_session *s, struct schedule_need need, const struct batch *b,
                         uint32_t first_row, uint32_t n_rows, uint32_t logits_i)
{
    uint32_t n_known = need.n_pending - need.n_expected;
    uint32_t n_guesses = n_rows > n_known ? n_rows - n_known : 0;
    n_rows -= n_guesses;
    if (!rows_are_finite(s, b, first_row, n_rows)) {
        finish(s, ISO_FINISH_ERROR, ERR_NUMERIC);
        return;
    }
    bool reads = s->n_tokens == s->border || s->n_kv + n_rows < s->n_tokens;
    for (uint32_t i = 0; need.all_logits && i < n_rows; i++) {
        uint32_t position = s->n_kv + i;
        struct iso_event *event = logits_event(s, ISO_EVENT_LOGITS, logits_i + i);
        event->position = position;
        event->token = s->tokens[position];
        add_logprobs(s, event, logits_i + i,
                     position + 1 < s->border ? s->tokens[position + 1] : -1);
        s->n_told = position + 1;
    }
    if (!advance(s, n_rows))
        return;
    if (reads) {
        struct iso_event *event = engine_event(s, ISO_EVENT_PROMPT);
        event->position = s->n_kv;
        event->n_total = s->n_tokens - s->read_from;
        event->n_done = s->n_kv - s->read_from;
    }
    if (s->n_kv == s->n_tokens)
        choose_along(s, b, first_row + n_rows - 1, n_guesses,
                     logits_i + schedule_logits(need, n_rows) - 1);
}

/* What the pass that began then took, for the plans to come. */
static void observe(struct iso_engine *e, uint64_t begin_ns, uint32_t n_rows, uint64_t depth)
{
    e->observed_ns = e->clock_ns(e->clock_context);
    uint64_t ns = e->observed_ns - begin_ns - e->speculate.ns_aside;
    cost_observe(&e->cost, n_rows, depth, (double)ns);
    e->stats.n_steps++;
    e->stats.n_rows += n_rows;
    e->stats.busy_ns += ns;
}

/* One pass: the one that is under way, which began where the last was over, or a new one. */
static struct batch pass(struct iso_engine *e, uint64_t *begin_ns, uint64_t *depth)
{
    struct batch b;
    bool is_under_way = ahead_take(e, &b);
    if (is_under_way) {
        *begin_ns = e->observed_ns;
    } else {
        b = build_batch(e);
        b.turn = e->ahead.turn;
        model_submit(e->model, &b);
    }
    for (uint32_t i = 0; i < b.n_rows; i++)
        *depth += b.rows[i].position;
    ahead_go(e, &b);
    if (is_under_way)
        ahead_collect(e, &b);
    else
        model_collect(e->model, &b);
    return b;
}

/* What a device gives that is lost meanwhile goes nowhere. */
static void run(struct iso_engine *e, uint64_t begin_ns)
{
    uint32_t row = 0, logits_i = 0;
    uint64_t depth = 0;
    struct batch b = pass(e, &begin_ns, &depth);
    for (uint32_t i = 0; i < e->n_turns && !engine_is_lost(e); i++) {
        uint32_t n_rows = e->n_rows[i];
        if (n_rows == 0)
            continue;
        take_results(e->turn[i], e->need[i], &b, row, n_rows, logits_i);
        session_remember(e->turn[i]);
        forget_rows(e->turn[i]);
        session_drop_spare(e->turn[i]);
        row += n_rows;
        logits_i += schedule_logits(e->need[i], n_rows);
    }
    observe(e, begin_ns, b.n_rows, depth);
}

size_t iso_engine_step(struct iso_engine *e, const struct iso_event **events)
{
    uint64_t begin_ns = e->clock_ns(e->clock_context);
    e->n_events = 0;
    e->n_page_digests = 0;
    e->speculate.ns_aside = 0;
    *events = e->events;
    mem_guard_begin("a step of the engine");
    end_requests(e, begin_ns);
    queue_admit(e);
    if (e->queue.running.n > 0)
        run(e, begin_ns);
    mem_guard_end();
    if (e->queue.running.n + e->queue.waiting.n == 0 || e->lost || !engine_is_lost(e))
        return e->n_events;
    engine_fall_back(e);
    return e->n_events ? e->n_events : iso_engine_step(e, events);
}
