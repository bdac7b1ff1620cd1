/* session.c - timelines: submit, cut, fork, and the pages they hold. */
#include <string.h>

#include "base/check.h"
#include "engine/engine_int.h"
#include "engine/remember.h"

struct model_page session_page(const struct iso_session *s, uint32_t i)
{
    return kv_pages_at(&s->engine->pages, s->pages[i]);
}

void session_set_page(struct iso_session *s, uint32_t i, uint32_t page)
{
    struct model_page at = kv_pages_at(&s->engine->pages, page);
    s->pages[i] = page;
    s->bases[i] = at.own;
    s->lower_bases[i] = at.lower;
}

enum iso_err iso_session_open(struct iso_engine *e, struct iso_session **session,
                              struct iso_note *note)
{
    for (uint32_t i = 0; i < e->n_sessions; i++) {
        struct iso_session *s = &e->sessions[i];
        if (s->state != SESSION_FREE)
            continue;
        s->state = SESSION_IDLE;
        *session = s;
        return ISO_OK;
    }
    *session = NULL;
    return (enum iso_err)err_set(note_of(note), ERR_BUSY,
                                 "all %u sessions of this engine are open; close one, or open the "
                                 "engine with more",
                                 e->n_sessions);
}

static bool is_busy(const struct iso_session *s)
{
    return s->state == SESSION_WAITING || s->state == SESSION_RUNNING;
}

void iso_session_close(struct iso_session *s)
{
    if (!s)
        return;
    CHECK(s->state != SESSION_FREE);
    if (is_busy(s))
        queue_leave(s);
    session_drop_pages(s, 0);
    speculate_forget(&s->engine->speculate, s);
    *s = (struct iso_session){.engine = s->engine,
                              .tokens = s->tokens,
                              .pages = s->pages,
                              .bases = s->bases,
                              .lower_bases = s->lower_bases};
}

uint32_t session_pages(uint32_t n_positions)
{
    return (n_positions + KV_PAGE - 1) / KV_PAGE;
}

void session_drop_page(struct iso_session *s)
{
    CHECK(s->n_pages > 0 && s->state != SESSION_RUNNING);
    session_drop_pages(s, s->n_pages - 1);
    if (s->n_kv > s->n_pages * KV_PAGE)
        s->n_kv = s->n_pages * KV_PAGE;
    s->recall = true;
}

/* LongRoPE: whether the logits after position i come from the far set. */
static bool is_far(const struct iso_session *s, uint32_t i)
{
    uint32_t border = model_info(s->engine->model)->rope_border;
    return border > 0 && i >= border;
}

void iso_session_cut(struct iso_session *s, uint32_t n_tokens)
{
    CHECK(s->state == SESSION_IDLE && n_tokens <= s->n_tokens);
    bool leaves_far = s->far && (n_tokens == 0 || !is_far(s, n_tokens - 1));
    uint32_t n_kv = leaves_far ? 0 : s->n_kv < n_tokens ? s->n_kv : n_tokens;
    session_drop_pages(s, session_pages(n_kv));
    speculate_forget(&s->engine->speculate, s);
    s->n_tokens = n_tokens;
    s->n_kv = n_kv;
    s->n_given = s->n_given < n_tokens ? s->n_given : n_tokens;
    s->far &= !leaves_far;
}

enum iso_err iso_session_fork(struct iso_session *s, struct iso_session **copy,
                              struct iso_note *note)
{
    CHECK(s->state == SESSION_IDLE);
    enum iso_err rc = iso_session_open(s->engine, copy, note);
    if (rc)
        return rc;
    struct iso_session *c = *copy;
    memcpy(c->tokens, s->tokens, s->n_tokens * sizeof c->tokens[0]);
    for (uint32_t i = 0; i < s->n_pages; i++) {
        kv_pages_share(&s->engine->pages, s->pages[i]);
        session_set_page(c, i, s->pages[i]);
    }
    c->n_tokens = s->n_tokens;
    c->n_kv = s->n_kv;
    c->n_given = s->n_given;
    c->far = s->far;
    c->n_pages = s->n_pages;
    c->n_shared = s->n_shared;
    c->tenant = s->tenant;
    c->cache_pool = s->cache_pool;
    c->is_private = s->is_private;
    return ISO_OK;
}

enum err session_reserve(struct iso_session *s, uint32_t n_end, struct err_note *note)
{
    struct kv_pages *pool = &s->engine->pages;
    CHECK(s->n_kv <= n_end && n_end <= s->engine->n_ctx);
    if (s->n_shared > s->n_kv / KV_PAGE) /* the last of them is about to be written */
        s->n_shared = s->n_kv / KV_PAGE;
    for (uint32_t i = s->n_kv / KV_PAGE; i < session_pages(n_end); i++) {
        uint32_t page =
            i < s->n_pages ? engine_own_page(s->engine, s->pages[i]) : engine_take_page(s->engine);
        if (page == KV_PAGE_NONE)
            return err_set(note, ERR_LIMIT,
                           "all %u key-value pages are in use; open the engine with more, or with "
                           "fewer sessions",
                           pool->n_pages);
        session_set_page(s, i, page);
        pool->hashed[page] = 0;
        if (i == s->n_pages)
            s->n_pages++;
    }
    return ERR_OK;
}

void session_drop_spare(struct iso_session *s)
{
    uint32_t n = session_pages(s->state == SESSION_RUNNING ? s->n_tokens : s->n_kv);
    while (s->n_pages > n)
        kv_pages_drop(&s->engine->pages, s->pages[--s->n_pages]);
}

static enum err check_answered(const struct iso_session *s, const struct iso_request *r,
                               struct err_note *note)
{
    if (r->n_answered >= s->n_tokens + r->n_tokens && r->n_answered > 0)
        return err_set(note, ERR_USAGE,
                       "%u tokens are answered, but there are only %u, prompt and all",
                       r->n_answered, s->n_tokens + r->n_tokens);
    if (r->n_answered > 0 && (r->constraint || r->sampling.mirostat))
        return err_set(note, ERR_UNSUPPORTED,
                       "an answer cannot go on after %u tokens under %s: what that remembers of "
                       "them is not known",
                       r->n_answered, r->constraint ? "a constraint" : "mirostat");
    return ERR_OK;
}

static enum err check_tokens(const struct iso_session *s, const struct iso_request *r,
                             uint32_t n_vocab, struct err_note *note)
{
    for (uint32_t i = 0; i < r->n_tokens; i++)
        if (r->tokens[i] < 0 || (uint32_t)r->tokens[i] >= n_vocab)
            return err_set(note, ERR_USAGE, "token %d at place %u: this vocabulary has ids 0 to %u",
                           r->tokens[i], i, n_vocab - 1);
    for (uint32_t i = 0; i < r->n_stops; i++)
        if (r->stops[i] < 0 || (uint32_t)r->stops[i] >= n_vocab)
            return err_set(note, ERR_USAGE, "stop token %d: this vocabulary has ids 0 to %u",
                           r->stops[i], n_vocab - 1);
    for (uint32_t i = 0; i < r->n_forced; i++)
        if (r->forced[i] < 0 || (uint32_t)r->forced[i] >= n_vocab)
            return err_set(note, ERR_USAGE, "forced token %d: this vocabulary has ids 0 to %u",
                           r->forced[i], n_vocab - 1);
    for (uint32_t i = 0; i < r->n_expected; i++)
        if (r->expected[i] < 0 || (uint32_t)r->expected[i] >= n_vocab)
            return err_set(note, ERR_USAGE,
                           "expected token %d at place %u: this vocabulary has ids 0 to %u",
                           r->expected[i], i, n_vocab - 1);
    if (r->n_forced > 0 && r->constraint)
        return err_set(note, ERR_USAGE, "tokens are forced, but there is a constraint");
    if (s->n_tokens == 0 && r->n_tokens == 0)
        return err_set(note, ERR_USAGE, "the prompt is empty, and so is the session");
    return check_answered(s, r, note);
}

/* Such a request chooses nothing and leaves nothing. */
static enum err check_rows(const struct iso_session *s, const struct iso_request *r,
                           struct err_note *note)
{
    if (!r->rows || r->tokens || s->n_tokens > 0 || r->n_tokens == 0)
        return err_set(note, ERR_USAGE,
                       "rows come alone, in place of the tokens of an empty session");
    if (r->n_answer_max > 0 || !r->want_hidden || !r->no_cache || r->want_logits_prompt)
        return err_set(note, ERR_USAGE,
                       "rows are read without cache or answer, for their last hidden row alone");
    return ERR_OK;
}

static enum err check_request(const struct iso_session *s, const struct iso_request *r,
                              struct err_note *note)
{
    const struct iso_engine *e = s->engine;
    uint32_t n_vocab = model_info(e->model)->n_vocab;
    if (r->n_stops > ISO_STOPS_MAX)
        return err_set(note, ERR_LIMIT, "%u stop tokens; at most %d", r->n_stops, ISO_STOPS_MAX);
    if (r->n_logprobs > ISO_LOGPROBS_MAX || r->n_logprobs > n_vocab)
        return err_set(note, ERR_LIMIT, "%u log-probabilities for each token; at most %d",
                       r->n_logprobs, ISO_LOGPROBS_MAX);
    if (r->n_tokens > e->n_ctx - s->n_tokens) {
        if (s->n_tokens == 0)
            return err_set(note, ERR_LIMIT,
                           "the prompt has %u tokens but the context holds %u; shorten it, or use "
                           "a larger context",
                           r->n_tokens, e->n_ctx);
        return err_set(note, ERR_LIMIT,
                       "%u tokens and %u more are %llu, but the context holds %u; begin a new "
                       "session, or use a larger context",
                       s->n_tokens, r->n_tokens, (unsigned long long)s->n_tokens + r->n_tokens,
                       e->n_ctx);
    }
    enum err rc = r->rows || r->mirrors ? check_rows(s, r, note)
                                        : check_tokens(s, r, n_vocab, note);
    return rc ? rc : sampling_check(&r->sampling, n_vocab, note);
}

static uint64_t deadline_of(const struct iso_engine *e, const struct iso_request *r)
{
    if (r->deadline_ms == 0)
        return UINT64_MAX;
    return e->clock_ns(e->clock_context) + r->deadline_ms * UINT64_C(1000000);
}

enum iso_err iso_session_submit(struct iso_session *s, const struct iso_request *r,
                                struct iso_note *note)
{
    CHECK(s->state != SESSION_FREE);
    if (is_busy(s))
        return (enum iso_err)err_set(note_of(note), ERR_BUSY,
                                     "the session has not finished its last request");
    enum err rc = check_request(s, r, note_of(note));
    if (!rc && s->engine->lost)
        rc = err_set(note_of(note), s->engine->lost, "%s", s->engine->lost_note.text);
    s->request = *r;
    if (r->in_gaps || r->priority == INT32_MIN)
        s->request.priority = r->in_gaps ? INT32_MIN : INT32_MIN + 1;
    if (!rc)
        rc = queue_enter(s, note_of(note));
    if (rc)
        return (enum iso_err)rc;
    int32_t *prompt = s->tokens + s->n_tokens;
    if (r->rows)
        memset(prompt, 0, r->n_tokens * sizeof prompt[0]);
    else if (r->n_tokens)
        memcpy(prompt, r->tokens, r->n_tokens * sizeof prompt[0]);
    if (r->n_stops)
        memcpy(s->stops, r->stops, r->n_stops * sizeof s->stops[0]);
    s->n_tokens += r->n_tokens;
    s->request.tokens = prompt;
    s->request.stops = s->stops;
    s->border = s->n_tokens - r->n_answered;
    s->mu = 2 * r->sampling.mirostat_tau;
    s->cancel = ISO_FINISH_NONE;
    if (s->n_kv == s->n_tokens) /* the last position is computed again, for its logits */
        s->n_kv--;
    s->read_from = s->n_told = s->n_kv;
    s->n_pages_told =
        (r->want_logits_prompt || r->n_answered ? s->n_kv : s->border) / KV_PAGE;
    session_enter(s);
    s->deadline_ns = deadline_of(s->engine, r);
    return ISO_OK;
}

void iso_session_cancel(struct iso_session *s, enum iso_finish reason)
{
    CHECK(reason == ISO_FINISH_STOP || reason == ISO_FINISH_CANCELLED);
    if (is_busy(s))
        s->cancel = reason;
}

const int32_t *iso_session_tokens(const struct iso_session *s, uint32_t *n_tokens)
{
    *n_tokens = s->n_tokens;
    return s->tokens;
}

bool iso_session_idle(const struct iso_session *s)
{
    return s->state == SESSION_IDLE;
}

uint32_t session_cached(const struct iso_session *s)
{
    return s->n_kv;
}

/* The last pending token lies beyond LongRoPE's border, but the cache before it. */
static bool crosses(const struct iso_session *s)
{
    return !s->far && is_far(s, s->n_tokens - 1);
}

bool session_lacks_given(const struct iso_session *s)
{
    return s->n_given > 0 && (s->n_kv + 1 < s->n_given || crosses(s));
}

/* Writes what is expected of the answer after the timeline, as far as the request and the context
 * go and LongRoPE's border allows, and returns how much. After a wrong one nothing is. */
static uint32_t expect(struct iso_session *s)
{
    struct iso_request *r = &s->request;
    uint32_t border = model_info(s->engine->model)->rope_border;
    uint32_t n_answered = s->n_tokens - s->border;
    if (n_answered >= r->n_expected ||
        (n_answered > 0 && s->tokens[s->n_tokens - 1] != r->expected[n_answered - 1]))
        return r->n_expected = 0;
    uint32_t n = r->n_expected - n_answered, room = s->engine->n_ctx - s->n_tokens;
    if (room > r->n_answer_max - n_answered - 1)
        room = r->n_answer_max - n_answered - 1;
    if (border && !s->far && room > border - s->n_tokens)
        room = border - s->n_tokens;
    n = n < room ? n : room;
    memcpy(s->tokens + s->n_tokens, r->expected + n_answered, n * sizeof s->tokens[0]);
    return n;
}

struct schedule_need session_need(struct iso_session *s)
{
    uint32_t border = model_info(s->engine->model)->rope_border;
    bool all_logits = s->request.want_logits_prompt && s->n_tokens == s->border;
    bool near_first = all_logits && s->n_kv < border && s->n_told < border;
    if (crosses(s) && !near_first) {
        session_park(s);
        s->far = true;
    }
    if (s->recall) {
        if (!session_recall(s))
            return (struct schedule_need){.priority = s->request.priority, .tenant = s->place};
        s->read_from = s->n_kv;
    }
    if (s->far && s->n_told < border)
        s->n_told = border;
    uint32_t n_end = crosses(s) ? border : s->n_tokens;
    if (all_logits && s->n_kv < s->n_told) { /* lost to others after these logits were told */
        n_end = s->n_told;
        all_logits = false;
    }
    bool decodes =
        s->n_kv + 1 == s->n_tokens && n_end == s->n_tokens && !s->request.rows;
    bool expects = s->request.n_expected > 0 && n_end == s->n_tokens && s->request.n_answer_max > 0;
    uint32_t n_expected = expects ? expect(s) : 0;
    return (struct schedule_need){
        .n_pending = n_end - s->n_kv + n_expected,
        .n_expected = n_expected,
        .n_extra = decodes && !all_logits && !n_expected ? speculate_guess(s) : 0,
        .last_logits = (s->request.n_answer_max > 0 || s->request.want_hidden) &&
                       n_end == s->n_tokens,
        .all_logits = all_logits,
        .position = s->n_kv,
        .priority = s->request.priority,
        .in_gaps = s->request.in_gaps,
        .tenant = s->place,
    };
}
