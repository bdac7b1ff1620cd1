/* simulate.c - the real engine over a fake model, driven by seeds for millions of steps.
 *
 * Every seed is a world: limits, tenants, what a pass costs on the virtual clock, and then requests
 * that come, go on, fork, are cut and cancelled at random while pages run out. After every step:
 *   tokens      each row of logits is the one that the timeline alone would give
 *   requests    each finishes once, for a reason that holds; cancelled ones in the next step
 *   lines       every request is in one line, in order; tenants' counters add up
 *   pages       references are those that sessions and the prefix tree hold; none is lost
 *   disk        where there is one, its index is whole; its calls fail and its files are damaged
 *   progress    the first in line advances
 *   rows        those that are none of a text are read as such, and their sessions empty again
 *   fairness    no tenant's prompt is served before that of one that had less
 *   gaps        a step with prompts lasts at most 1.6 times what the stretch allows (1.8 times in
 *               the first 100 steps, twice where the clock is disturbed)
 * and at the end of a world everything that was asked for finishes.
 *
 * usage: simulate [--seed FIRST] [--seeds COUNT] [--steps OF_EACH] [--mutations] [--mutation NAME]
 * --mutations breaks the engine in one way after another and demands that each is found.
 * A world that fails prints itself and the command that repeats it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fake_disk.h"
#include "lib/fake_model.h"

#include "engine/engine_int.h"
#include "sim/mutations.h"

enum { TALKS_MAX = 12, CTX_MAX = 448, VOCAB = 8, TURN_ROWS = 16 };

/* A session and what it must be. */
struct talk {
    struct iso_session *session; /* NULL: closed */
    int32_t line[CTX_MAX];       /* tokens whose logits were checked, and prompts */
    uint64_t near[CTX_MAX], far[CTX_MAX]; /* the running hash up to each token */
    uint32_t n, n_hashed;
    struct iso_request request;
    bool busy, must_finish;
    uint64_t deadline_low, deadline_high; /* the engine's is between */
    float rows[CTX_MAX]; /* of a request of rows; line holds FAKE_ROW and their values */
    uint32_t n_prompt, n_chosen, n_told, n_pages; /* all pages before n_pages were told */
};

static struct world {
    uint64_t first_seed, rng, step;
    struct iso_engine *engine;
    struct iso_engine_options options;
    struct talk talks[TALKS_MAX];
    uint32_t n_tenants, n_busy;
    int p_submit, p_cancel, p_cut, p_odd, p_nonce; /* of 1000 */
    uint64_t disturbed_ns;
    uint32_t n_held;        /* steps in a row without a row for the first in line */
    uint64_t n_preempted;   /* as of the last step */
    bool calm;              /* the clock is not disturbed */
} w;

static struct totals {
    uint64_t n_worlds, n_steps, n_tokens, n_rows, n_requests, n_preempted, n_hits;
    uint64_t n_restored, n_guarded, n_pages, n_nonces, n_ahead;
    double worst_gap[2]; /* in calm worlds; in others */
} totals;

static const char *mutation_name = "";
static char folder[] = "/tmp/isobit-simulate-XXXXXX"; /* stays empty: lib/fake_disk.h */

/* ---- trouble --------------------------------------------------------------------------- */

static void print_replay(void)
{
    char text[300];
    int n = snprintf(text, sizeof text,
                     "seed %llu fails at step %llu; repeat: simulate --seed %llu --seeds 1%s%s\n",
                     (unsigned long long)w.first_seed, (unsigned long long)w.step,
                     (unsigned long long)w.first_seed, mutation_name[0] ? " --mutation " : "",
                     mutation_name);
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(3);
}

static void on_abort(int signal_number)
{
    (void)signal_number;
    print_replay();
    _exit(1);
}

#define DEMAND(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s: ", #condition);                                                   \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            print_replay();                                                                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* ---- chance ---------------------------------------------------------------------------- */

static uint32_t below(uint32_t n)
{
    return (uint32_t)(test_rand(&w.rng) % n);
}
static bool chance(int of_1000)
{
    return (int)below(1000) < of_1000;
}
static uint32_t one_of(const uint32_t *values, uint32_t n)
{
    return values[below(n)];
}

/* The virtual clock: what passes took, a little noise, now and then something else that ran. */
static uint64_t sim_clock(void *context)
{
    (void)context;
    if (!w.calm && chance(3))
        w.disturbed_ns += (uint64_t)(fake_cost.pass * (1 + below(8)));
    else if (!w.calm)
        w.disturbed_ns += (uint64_t)(fake_cost.pass * 0.02 * below(2));
    return fake.now_ns + w.disturbed_ns;
}

/* ---- what must be ---------------------------------------------------------------------- */

static void extend_hashes(struct talk *t)
{
    for (; t->n_hashed < t->n; t->n_hashed++) {
        uint32_t i = t->n_hashed;
        uint64_t token = (uint64_t)t->line[i];
        t->near[i] = fake_mix(i ? t->near[i - 1] : 0, token);
        t->far[i] = fake_mix(i ? t->far[i - 1] : 0, token + FAKE_FAR);
    }
}

/* The logits after the first n tokens: fake_oracle_logits from hashes that are known already. */
static void wanted_logits(struct talk *t, uint32_t n, float *logits)
{
    extend_hashes(t);
    const uint64_t *hashes = fake_options.rope_border && n > fake_options.rope_border ? t->far
                                                                                      : t->near;
    uint64_t hash = hashes[n - 1];
    for (uint32_t page = 0; page < (n - 1) / KV_PAGE; page++)
        hash = fake_mix(hash, hashes[fake_glance(page, n - 1)]);
    fake_logits(hash, VOCAB, logits);
}

static int32_t most_likely(const float *logits)
{
    int32_t best = 0;
    for (int32_t i = 1; i < VOCAB; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* ---- events ---------------------------------------------------------------------------- */

static struct talk *talk_of(const struct iso_session *s)
{
    struct talk *t = w.talks;
    while (t < w.talks + TALKS_MAX && t->session != s)
        t++;
    DEMAND(t < w.talks + TALKS_MAX && t->busy, "an event of a session without a request");
    return t;
}

static void check_logits(struct talk *t, const struct iso_event *v, uint32_t n)
{
    float wanted[VOCAB];
    wanted_logits(t, n, wanted);
    DEMAND(v->logits || (fake_options.chooses && v->kind == ISO_EVENT_TOKEN &&
                         !t->request.want_logits),
           "no logits");
    DEMAND(!v->logits || memcmp(v->logits, wanted, sizeof wanted) == 0, "logits after %u tokens",
           n);
}

/* Eight tokens are fewer than a record holds: all of them, the largest first. */
static void check_record(struct talk *t, const struct iso_event *v, uint32_t n)
{
    const struct iso_record *r = v->record;
    float logits[VOCAB];
    wanted_logits(t, n, logits);
    DEMAND((r != NULL) == t->request.want_records, "a record that nobody wanted, or none");
    if (!r)
        return;
    DEMAND(r->n_best == VOCAB && r->sum == 0, "%u of %d tokens", r->n_best, VOCAB);
    for (uint32_t i = 0; i < VOCAB; i++) {
        DEMAND(r->best[i].logit == logits[r->best[i].token], "another token's logit");
        if (i > 0)
            DEMAND(r->best[i].logit < r->best[i - 1].logit ||
                       (r->best[i].logit == r->best[i - 1].logit &&
                        r->best[i].token > r->best[i - 1].token),
                   "place %u of a record", i);
    }
}

static void take_page(struct talk *t, const struct iso_event *v)
{
    uint32_t last = v->position + KV_PAGE - 1;
    uint8_t wanted[SHA256_BYTES];
    DEMAND(v->position == t->n_pages * KV_PAGE && last < t->n, "a page at %u after %u of them",
           v->position, t->n_pages);
    extend_hashes(t);
    /* Beyond LongRoPE's border all pages of a timeline are far ones, those that are read again
     * too. */
    uint32_t border = fake_options.rope_border;
    bool is_far = v->session->far;
    DEMAND(is_far ? border && t->n > border : !border || last < border, "far %d, %u tokens",
           is_far, t->n);
    sha256_of((is_far ? t->far : t->near) + v->position, KV_PAGE * sizeof t->near[0], wanted);
    DEMAND(memcmp(v->digest, wanted, sizeof wanted) == 0, "the page at %u", v->position);
    t->n_pages++;
    totals.n_pages++;
}

static void take_token(struct talk *t, const struct iso_event *v)
{
    DEMAND(v->position == t->n, "a token at %u after %u", v->position, t->n);
    check_logits(t, v, t->n);
    check_record(t, v, t->n);
    float logits[VOCAB];
    wanted_logits(t, t->n, logits);
    DEMAND(v->token == most_likely(logits), "token %d", v->token);
    t->line[t->n++] = v->token;
    t->n_chosen++;
    totals.n_tokens++;
}

static void take_finish(struct talk *t, const struct iso_event *v)
{
    const struct iso_request *r = &t->request;
    DEMAND(v->err == ISO_OK, "%s", v->note);
    if (v->finish == ISO_FINISH_LENGTH)
        DEMAND(t->n_chosen == r->n_answer_max, "%u of %u", t->n_chosen, r->n_answer_max);
    else if (v->finish == ISO_FINISH_CONTEXT)
        DEMAND(t->n == w.engine->n_ctx, "the context has room after %u", t->n);
    else if (v->finish == ISO_FINISH_STOP)
        DEMAND(r->n_stops && t->line[t->n - 1] == r->stops[0], "no stop token");
    else if (v->finish == ISO_FINISH_DEADLINE)
        DEMAND(sim_clock(NULL) >= t->deadline_low, "too early");
    else
        DEMAND(v->finish == ISO_FINISH_CANCELLED && t->must_finish, "finish %d", v->finish);
    if (v->finish == ISO_FINISH_LENGTH && r->want_logits_prompt)
        DEMAND(t->n_told == t->n_prompt, "logits of %u of %u", t->n_told, t->n_prompt);
    if (v->finish != ISO_FINISH_CANCELLED && v->finish != ISO_FINISH_DEADLINE && r->want_pages &&
        r->n_answer_max > 0)
        DEMAND(t->n_pages >= (t->n - 1) / KV_PAGE, "pages before %u of %u", t->n_pages, t->n);
    DEMAND(iso_session_idle(t->session), "still busy");
    if (r->rows)
        t->n = t->n_hashed = 0;
    uint32_t n_tokens;
    const int32_t *tokens = iso_session_tokens(t->session, &n_tokens);
    DEMAND(n_tokens == t->n, "%u tokens, not %u", n_tokens, t->n);
    DEMAND(memcmp(tokens, t->line, n_tokens * sizeof tokens[0]) == 0, "another timeline");
    t->busy = t->must_finish = false;
    w.n_busy--;
}

static void check_hidden(struct talk *t, const struct iso_event *v)
{
    float wanted[VOCAB];
    wanted_logits(t, t->n, wanted);
    DEMAND(v->hidden && v->hidden[0] == wanted[0], "the last of %u rows", t->n);
    totals.n_nonces++;
}

static void take_events(const struct iso_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct iso_event *v = &events[i];
        struct talk *t = talk_of(v->session);
        if (v->kind == ISO_EVENT_TOKEN) {
            take_token(t, v);
        } else if (v->kind == ISO_EVENT_LOGITS) {
            DEMAND(v->position == t->n_told || t->n_told == 0, "logits of %u after those of %u",
                   v->position, t->n_told);
            t->n_told = v->position + 1;
            check_logits(t, v, t->n_told);
            check_record(t, v, t->n_told);
        } else if (v->kind == ISO_EVENT_PAGE) {
            take_page(t, v);
        } else if (v->kind == ISO_EVENT_BORDER) {
            DEMAND(v->position == t->n_prompt && t->n_chosen == 0, "border at %u", v->position);
            if (t->request.rows)
                check_hidden(t, v);
        } else if (v->kind == ISO_EVENT_PROMPT) {
            DEMAND(v->n_done <= v->n_total && v->n_total <= t->n, "%u of %u", v->n_done,
                   v->n_total);
        } else {
            take_finish(t, v);
        }
    }
}

/* ---- invariants of the engine ------------------------------------------------------------- */

static void check_line(const struct line *l, enum session_state state)
{
    for (uint32_t i = 0; i < l->n; i++) {
        const struct iso_session *s = l->s[i], *next = i + 1 < l->n ? l->s[i + 1] : NULL;
        DEMAND(s->state == state && talk_of(s), "a session in the wrong line");
        DEMAND(s->request.priority == talk_of(s)->request.priority, "another priority");
        if (next)
            DEMAND(s->request.priority > next->request.priority ||
                       (s->request.priority == next->request.priority && s->ticket < next->ticket),
                   "a line out of order");
    }
}

static void check_lines(void)
{
    const struct queue *q = &w.engine->queue;
    check_line(&q->waiting, SESSION_WAITING);
    check_line(&q->running, SESSION_RUNNING);
    DEMAND(q->waiting.n + q->running.n == w.n_busy, "%u + %u requests of %u", q->waiting.n,
           q->running.n, w.n_busy);
    DEMAND(q->running.n <= q->n_running_max, "%u run", q->running.n);
    for (uint32_t i = 0; i < q->n_busy_max; i++) {
        uint32_t n_busy = 0, n_running = 0;
        for (uint32_t k = 0; k < TALKS_MAX; k++) {
            const struct iso_session *s = w.talks[k].session;
            if (!s || !w.talks[k].busy || s->place != i)
                continue;
            DEMAND(s->request.tenant == q->tenants[i].id, "another tenant's place");
            n_busy++;
            n_running += s->state == SESSION_RUNNING;
        }
        DEMAND(q->tenants[i].n_busy == n_busy && q->tenants[i].n_running == n_running,
               "tenant %u has %u + %u", i, n_busy, n_running);
    }
}

static void check_pages(void)
{
    const struct kv_pages *p = &w.engine->pages;
    uint32_t held[1024] = {0}, n_free = 0, n_idle = 0;
    DEMAND(p->n_pages <= 1024, "%u pages", p->n_pages);
    for (uint32_t i = 0; i < w.engine->n_sessions; i++) {
        const struct iso_session *s = &w.engine->sessions[i];
        DEMAND(s->n_kv <= s->n_tokens && session_pages(s->n_kv) <= s->n_pages, "%u in %u pages",
               s->n_kv, s->n_pages);
        for (uint32_t k = 0; k < s->n_pages; k++)
            held[s->pages[k]]++;
    }
    for (uint32_t i = 0; i < p->n_pages; i++) {
        DEMAND(p->count[i] == held[i] + p->remembered[i], "page %u: %u references, %u + %u held", i,
               p->count[i], held[i], p->remembered[i]);
        n_free += p->count[i] == 0;
        n_idle += p->remembered[i] && held[i] == 0;
    }
    DEMAND(n_free == p->n_free && n_idle == p->n_idle, "%u free, %u idle", n_free, n_idle);
    if (w.step % 64 != 0)
        return;
    prefix_check(&w.engine->prefix);
    if (w.engine->tier.disk)
        disk_check(w.engine->tier.disk);
}

static bool is_decoder(const struct schedule_need *need)
{
    return need->n_pending == 1;
}

/* The first in line has a row, but while decoders run alone to see what that costs. */
static void check_progress(void)
{
    const struct iso_engine *e = w.engine;
    bool first_held = e->n_rows[0] == 0;
    w.n_held = first_held ? w.n_held + 1 : 0;
    for (uint32_t i = 0; first_held && i < e->n_turns; i++)
        DEMAND(e->n_rows[i] == 0 || is_decoder(&e->need[i]), "a prompt before the first in line");
    DEMAND(w.n_held <= 2 * COST_SAMPLES_SURE * e->n_turns, "the first in line waits");
}

static double cost_of_rows(const struct schedule_need *need, uint32_t n_rows)
{
    double cost = 0;
    for (uint32_t i = 0; i < n_rows; i++)
        cost += fake_cost.row + fake_cost.depth * (need->position + i);
    return cost;
}

/* Rows in gaps come when no other lacks one, and make the step hardly longer. */
static void check_rows_in_gaps(void)
{
    const struct iso_engine *e = w.engine;
    double others = fake_cost.pass, all = fake_cost.pass;
    uint32_t n_others = 0, n_gap = 0, n_lacking = 0;
    for (uint32_t i = 0; i < e->n_turns; i++) {
        const struct schedule_need *need = &e->need[i];
        double cost = cost_of_rows(need, e->n_rows[i]);
        all += cost;
        others += need->in_gaps ? 0 : cost;
        n_others += need->in_gaps ? 0 : e->n_rows[i];
        n_lacking += !need->in_gaps && e->n_rows[i] < need->n_pending;
        n_gap += need->in_gaps ? e->n_rows[i] : 0;
    }
    if (n_gap <= 1 || e->queue.n_preempted != w.n_preempted)
        return;
    DEMAND(n_lacking == 0, "%u rows in gaps before others", n_gap);
    if (n_others == 0) {
        others += fake_cost.row;
        others = 2 * (2 * others > 50e6 ? 2 * others : 50e6);
    }
    double limit = 1.1 * (!w.calm ? 2 : 1.5) * others;
    DEMAND(w.engine->stats.n_steps < 100 || all <= limit,
           "%u rows in gaps beside %u: %g ms, others %g ms", n_gap, n_others, all / 1e6,
           others / 1e6);
}

/* Whoever had prompt rows had, when it got the last of them, no more than others who lack some. */
static void check_fairness(void)
{
    const struct iso_engine *e = w.engine;
    const uint64_t *served = e->queue.served;
    if (e->queue.n_preempted != w.n_preempted)
        return; /* what was planned is not what ran */
    for (uint32_t a = 0; a < e->n_turns; a++) {
        if (is_decoder(&e->need[a]) || e->need[a].in_gaps || e->n_rows[a] <= 1)
            continue;
        for (uint32_t b = 0; b < e->n_turns; b++)
            if (e->need[b].priority >= e->need[a].priority && !e->need[b].all_logits &&
                e->need[b].n_pending > e->n_rows[b] + 1)
                DEMAND(served[e->turn[a]->place] <= served[e->turn[b]->place] + TURN_ROWS + 1,
                       "%llu rows before %llu",
                       (unsigned long long)served[e->turn[a]->place],
                       (unsigned long long)served[e->turn[b]->place]);
    }
}

static void check_gap(void)
{
    const struct iso_engine *e = w.engine;
    double all = fake_cost.pass, alone = fake_cost.pass;
    uint32_t n_decoders = 0, n_others = 0;
    for (uint32_t i = 0; i < e->n_turns && !e->need[i].in_gaps; i++) {
        all += cost_of_rows(&e->need[i], e->n_rows[i]);
        if (is_decoder(&e->need[i]) && e->n_rows[i] > 0) {
            alone += cost_of_rows(&e->need[i], 1);
            n_decoders++;
        } else {
            n_others += e->n_rows[i];
        }
    }
    if (n_decoders == 0 || n_others <= 2)
        return;
    double gap = all / alone;
    totals.n_guarded++;
    if (gap / e->stretch > totals.worst_gap[!w.calm] && w.engine->stats.n_steps >= 100)
        totals.worst_gap[!w.calm] = gap / e->stretch;
    double allowed = !w.calm ? 2 : w.engine->stats.n_steps < 100 ? 1.8 : 1.6;
    DEMAND(gap <= allowed * e->stretch, "%g ms beside decoders that take %g ms, stretch %g",
           all / 1e6, alone / 1e6, (double)e->stretch);
}

/* ---- what happens ------------------------------------------------------------------------- */

static struct iso_request random_request(struct talk *t)
{
    static const int32_t stop[] = {3};
    struct iso_request r = iso_request_default();
    uint32_t room = w.engine->n_ctx - t->n;
    uint32_t n = chance(300) ? below(room + 1) : below(room < 40 ? room + 1 : 40);
    r.n_tokens = n + (n == 0 && t->n == 0);
    for (uint32_t i = 0; i < r.n_tokens; i++)
        t->line[t->n + i] = (int32_t)below(chance(500) ? 2 : VOCAB); /* often seen before */
    const struct talk *like = &w.talks[below(TALKS_MAX)];
    if (t->n == 0 && like->n > 0 && !like->request.rows && chance(400)) { /* as another began */
        r.n_tokens = 1 + below(like->n);
        memmove(t->line, like->line, r.n_tokens * sizeof t->line[0]);
    }
    r.tokens = t->line + t->n;
    r.n_answer_max = chance(100) ? 0 : chance(50) ? UINT32_MAX : 1 + below(chance(300) ? 300 : 20);
    r.n_stops = chance(200);
    r.stops = stop;
    r.sampling.temperature = 0;
    uint32_t tenant = below(w.n_tenants);
    r.tenant = chance(500) ? 0 : tenant; /* the first asks for most */
    r.cache_pool = chance(100) ? 9 : 0;
    r.no_cache = chance(50);
    r.priority = chance(w.p_odd) ? (int32_t)below(3) - 1 : 0;
    r.deadline_ms = chance(w.p_odd) ? 1 + below(3000) : 0;
    r.want_logits_prompt = chance(w.p_odd * 2);
    r.want_records = chance(200);
    r.want_logits = chance(100);
    r.want_pages = chance(300);
    return r;
}

/* What proof of compute reads. */
static struct iso_request request_of_rows(struct talk *t)
{
    static const float mirrors[] = {100};
    struct iso_request r = iso_request_default();
    r.n_tokens = 1 + below(w.engine->n_ctx);
    r.rows = t->rows;
    r.mirrors = chance(900) ? mirrors : NULL;
    for (uint32_t i = 0; i < r.n_tokens; i++) {
        t->rows[i] = (float)below(50);
        t->line[i] = FAKE_ROW + (int32_t)t->rows[i] + (r.mirrors ? 100 : 0);
    }
    r.n_answer_max = 0;
    r.want_hidden = r.no_cache = true;
    r.in_gaps = chance(800);
    r.tenant = below(w.n_tenants);
    r.deadline_ms = chance(w.p_odd) ? 1 + below(3000) : 0;
    return r;
}

static void submit(struct talk *t)
{
    bool is_nonce = t->n == 0 && chance(w.p_nonce);
    struct iso_request r = is_nonce ? request_of_rows(t) : random_request(t);
    struct iso_note note;
    uint32_t n_cached = session_cached(t->session);
    const struct queue *q = &w.engine->queue;
    uint64_t before = sim_clock(NULL);
    enum iso_err rc = iso_session_submit(t->session, &r, &note);
    if (w.n_busy == q->n_busy_max) {
        DEMAND(rc == ISO_ERR_BUSY, "a full queue took one more");
        return;
    }
    DEMAND(rc == ISO_OK, "%s", note.text);
    t->request = r;
    if (r.in_gaps)
        t->request.priority = INT32_MIN;
    t->n += r.n_tokens;
    t->n_prompt = t->n;
    t->n_chosen = t->n_told = 0;
    if (n_cached == t->n)
        n_cached--; /* computed again */
    t->n_pages = (r.want_logits_prompt ? n_cached : t->n_prompt) / KV_PAGE;
    t->busy = true;
    t->deadline_low = r.deadline_ms ? before + r.deadline_ms * UINT64_C(1000000) : UINT64_MAX;
    t->deadline_high =
        r.deadline_ms ? sim_clock(NULL) + r.deadline_ms * UINT64_C(1000000) : UINT64_MAX;
    w.n_busy++;
    totals.n_requests++;
}

static void open_talk(struct talk *t)
{
    struct talk *from = &w.talks[below(TALKS_MAX)];
    struct iso_note note;
    enum iso_err rc;
    uint32_t n_open = 0;
    for (uint32_t i = 0; i < TALKS_MAX; i++)
        n_open += w.talks[i].session != NULL;
    if (from->session && !from->busy && chance(500)) {
        *t = *from;
        rc = iso_session_fork(from->session, &t->session, &note);
    } else {
        *t = (struct talk){0};
        rc = iso_session_open(w.engine, &t->session, &note);
    }
    DEMAND((rc == ISO_OK) == (n_open < w.engine->n_sessions), "%u open: %s", n_open, note.text);
    if (rc != ISO_OK)
        t->session = NULL;
}

static void disturb(struct talk *t)
{
    if (!t->session) {
        if (chance(w.p_submit))
            open_talk(t);
    } else if (t->busy) {
        if (!chance(w.p_cancel))
            return;
        if (chance(100)) { /* closed in the midst of a request */
            iso_session_close(t->session);
            t->session = NULL;
            t->busy = t->must_finish = false;
            w.n_busy--;
            return;
        }
        iso_session_cancel(t->session, ISO_FINISH_CANCELLED);
        t->must_finish = true;
    } else if (chance(w.p_cut)) {
        t->n = below(t->n + 1);
        t->n_hashed = t->n_hashed < t->n ? t->n_hashed : t->n;
        iso_session_cut(t->session, t->n);
    } else if (chance(w.p_cut / 4)) {
        iso_session_close(t->session);
        t->session = NULL;
    } else if (chance(w.p_submit)) {
        submit(t);
    }
}

static void step(void)
{
    const struct iso_event *events;
    uint64_t now = sim_clock(NULL), n_steps = w.engine->stats.n_steps;
    bool any = w.n_busy > 0;
    w.step++;
    for (uint32_t i = 0; i < TALKS_MAX; i++)
        w.talks[i].must_finish |= w.talks[i].busy && now >= w.talks[i].deadline_high;
    size_t n = iso_engine_step(w.engine, &events);
    DEMAND((n > 0) == any, "%zu events with %u requests", n, w.n_busy);
    if (w.engine->stats.n_steps > n_steps) {
        check_progress();
        check_rows_in_gaps();
        check_fairness();
        check_gap();
    }
    w.n_preempted = w.engine->queue.n_preempted;
    take_events(events, n);
    for (uint32_t i = 0; i < TALKS_MAX; i++)
        DEMAND(!w.talks[i].busy || !w.talks[i].must_finish, "a request outlives its end");
    check_lines();
    check_pages();
}

static void open_world(uint64_t seed)
{
    static const uint32_t chunks[] = {1, 2, 7, 16, 64, 100, 512}, pages[] = {0, 0, 1, 2, 5, 20};
    struct err_note note;
    w = (struct world){.first_seed = seed, .rng = seed * 0x9e3779b97f4a7c15u};
    w.calm = chance(500);
    w.n_tenants = 1 + below(4);
    w.p_submit = 1 + (int)below(chance(300) ? 20 : 500);
    w.p_cancel = chance(300) ? 0 : 1 + (int)below(20);
    w.p_cut = (int)below(400);
    w.p_nonce = chance(500) ? 0 : (int)below(1000);
    w.p_odd = chance(500) ? 0 : (int)below(200);
    fake_cost = (struct fake_cost){1e6 * (1 + below(50)), 1e4 * (1 + below(300)), 0};
    fake_cost.depth = fake_cost.row * below(4) / 1000; /* attention to 1,000: up to three times */
    fake_options = (struct fake_options){.n_vocab = VOCAB};
    fake_options.rope_border = chance(200) ? 1 + below(300) : 0;
    fake_options.chooses = chance(500);
    struct iso_engine_options *o = &w.options;
    o->n_ctx = 1 + below(CTX_MAX);
    o->n_chunk = one_of(chunks, COUNT_OF(chunks));
    o->n_sessions = 1 + below(TALKS_MAX);
    o->n_running = below(o->n_sessions + 1);
    o->n_queue = below(o->n_sessions + 1);
    o->n_kv_pages = (o->n_ctx + KV_PAGE - 1) / KV_PAGE + one_of(pages, COUNT_OF(pages));
    o->n_logits = below(40);
    o->stretch = chance(500) ? 0 : 1.1f + 0.1f * (float)below(40);
    o->clock_ns = sim_clock;
    if (chance(400)) {
        fake_disk = (struct fake_disk){.rng = test_rand(&w.rng)};
        fake_disk.p_fail = chance(500) ? 0 : (int)below(30);
        fake_disk.p_damage = chance(500) ? 0 : (int)below(300);
        o->cache_dir = folder;
        o->n_cache_bytes = 640 * (1 + below(100));
    }
    DEMAND(engine_open(NULL, NULL, o, &w.engine, &note) == ERR_OK, "%s", note.text);
}

/* No more requests: all that were made come to their end, and all pages come back. */
static void end_world(void)
{
    uint64_t n_max = w.step + 100;
    for (uint32_t i = 0; i < TALKS_MAX; i++)
        n_max += w.talks[i].busy ? 40 * w.engine->n_ctx : 0;
    while (w.n_busy > 0) {
        DEMAND(w.step < n_max, "%u requests do not end", w.n_busy);
        step();
    }
    step();
    struct iso_engine_stats stats = iso_engine_stats(w.engine);
    DEMAND(stats.n_waiting + stats.n_running == 0, "requests left");
    for (uint32_t i = 0; i < TALKS_MAX; i++)
        iso_session_close(w.talks[i].session);
    DEMAND(iso_engine_stats(w.engine).n_kv_pages_used == 0, "pages left");
    totals.n_worlds++;
    totals.n_steps += stats.n_steps;
    totals.n_rows += stats.n_rows;
    totals.n_preempted += stats.n_preempted;
    totals.n_ahead += fake.n_ahead;
    totals.n_hits += w.engine->cache.n_hits;
    totals.n_restored += w.engine->cache.n_positions_restored;
    iso_engine_close(w.engine);
}

static void run_world(uint64_t seed, uint64_t n_steps)
{
    open_world(seed);
    while (w.step < n_steps) {
        for (uint32_t i = 0; i < TALKS_MAX; i++)
            disturb(&w.talks[i]);
        step();
    }
    end_world();
}

/* ---- the program -------------------------------------------------------------------------- */

static void run_worlds(uint64_t first, uint64_t n, uint64_t n_steps)
{
    for (uint64_t seed = first; seed < first + n; seed++)
        run_world(seed, n_steps);
}

/* Whether a world fails with the mutation: in a process of its own, whose words nobody hears. */
static bool is_found(const struct mutation *m, uint64_t first, uint64_t n, uint64_t n_steps)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        CHECK(null >= 0 && dup2(null, STDERR_FILENO) >= 0);
        mutation = m->kind;
        run_worlds(first, n, n_steps);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return status != 0;
}

static int run_mutations(uint64_t first, uint64_t n, uint64_t n_steps)
{
    int n_missed = 0;
    for (size_t i = 0; i < COUNT_OF(mutations); i++) {
        bool found = is_found(&mutations[i], first, n, n_steps);
        printf("%-8s %s\n", found ? "found" : "MISSED", mutations[i].name);
        n_missed += !found;
    }
    return n_missed > 0;
}

static void choose_mutation(const char *name)
{
    mutation_name = name;
    for (size_t i = 0; i < COUNT_OF(mutations); i++)
        if (strcmp(mutations[i].name, name) == 0)
            mutation = mutations[i].kind;
    CHECK(mutation != MUTATION_NONE);
}

int main(int argc, char **argv)
{
    uint64_t first = 1, n = 100, n_steps = 500;
    bool all_mutations = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mutations") == 0)
            all_mutations = true;
        else if (i + 1 < argc && strcmp(argv[i], "--mutation") == 0)
            choose_mutation(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            first = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0)
            n = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--steps") == 0)
            n_steps = strtoull(argv[++i], NULL, 10);
        else
            return fprintf(stderr, "simulate: what is %s?\n", argv[i]), 2;
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    CHECK(mkdtemp(folder));
    tier_io = &fake_disk_io;
    int status = all_mutations ? run_mutations(first, n, n_steps) : 0;
    if (!all_mutations)
        run_worlds(first, n, n_steps);
    rmdir(folder);
    if (all_mutations)
        return status;
    printf("%llu worlds, %llu steps, %llu rows, %llu tokens, %llu requests, %llu preempted, "
           "%llu prefix hits, %llu positions from disk, %llu nonces, %llu mixed steps, "
           "%llu passes ahead, worst gap / stretch %.3f, disturbed %.3f\n",
           (unsigned long long)totals.n_worlds, (unsigned long long)totals.n_steps,
           (unsigned long long)totals.n_rows, (unsigned long long)totals.n_tokens,
           (unsigned long long)totals.n_requests, (unsigned long long)totals.n_preempted,
           (unsigned long long)totals.n_hits, (unsigned long long)totals.n_restored,
           (unsigned long long)totals.n_nonces, (unsigned long long)totals.n_guarded,
           (unsigned long long)totals.n_ahead,
           totals.worst_gap[0], totals.worst_gap[1]);
    return 0;
}
