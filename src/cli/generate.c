/* generate.c - events to text. */
#include "cli/generate.h"

#include <signal.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/say.h"
#include "proof/maker.h"
#include "text/stops.h"
#include "text/stream.h"

enum { ANSWER_BYTES_MAX = 1 << 30 };

/* ---- interrupts ------------------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL);
}

/* Without SA_RESTART: a read that waits for the keyboard returns. */
void interrupt_catch(void)
{
    const struct sigaction action = {.sa_handler = on_interrupt};
    interrupted = 0;
    sigaction(SIGINT, &action, NULL);
}

bool interrupt_seen(void)
{
    return interrupted != 0;
}

void interrupt_clear(void)
{
    interrupted = 0;
    signal(SIGINT, SIG_DFL);
}

/* ---- events to text -------------------------------------------------------------------------- */

/* An answer under way. */
struct talk {
    const struct loaded *loaded;
    struct iso_session *session;
    struct answer *answer;
    struct maker *maker; /* NULL: no receipt */
    struct stream stream;
    struct stops stops;
    struct buf piece, certain;
    answer_emit *emit;
    void *context;
    struct progress progress;
    uint64_t start_ns, first_ns, last_ns;
    uint32_t n_beyond; /* tokens after the one that ended a stop string */
    enum iso_err err;
};

static void let_out(struct talk *k)
{
    if (k->certain.n_bytes == 0)
        return;
    buf_add(&k->answer->text, k->certain.bytes, k->certain.n_bytes);
    k->emit(k->context, (struct str){k->certain.bytes, k->certain.n_bytes});
    buf_clear(&k->certain);
}

static void take_piece(struct talk *k)
{
    stops_add(&k->stops, (struct str){k->piece.bytes, k->piece.n_bytes}, &k->certain);
    buf_clear(&k->piece);
    let_out(k);
}

static void take_token(struct talk *k, const struct iso_event *e)
{
    struct answer *a = k->answer;
    if (k->stops.found) { /* chosen in the same step as the end of a stop string */
        k->n_beyond++;
        return;
    }
    k->last_ns = clock_ns();
    if (a->n_answer++ == 0) {
        progress_end(&k->progress);
        k->first_ns = k->last_ns;
    }
    buf_add(&a->tokens, &e->token, sizeof e->token);
    if (e->is_stop)
        return;
    /* Models pad their vocabulary: an id past the tokenizer's last spells nothing. */
    if ((size_t)e->token < tokenizer_n_tokens(k->loaded->tokenizer))
        stream_add(&k->stream, e->token, &k->piece);
    take_piece(k);
    if (k->stops.found)
        iso_session_cancel(e->session, ISO_FINISH_STOP);
}

static void take_event(struct talk *k, const struct iso_event *e, struct err_note *note)
{
    struct answer *a = k->answer;
    if (k->maker)
        maker_take(k->maker, e);
    switch (e->kind) {
    case ISO_EVENT_PROMPT:
        a->n_prompt = e->n_done;
        progress_show(&k->progress, e->n_done, e->n_total);
        break;
    case ISO_EVENT_TOKEN:
        take_token(k, e);
        break;
    case ISO_EVENT_FINISH:
        a->finish = k->stops.found ? ISO_FINISH_STOP : e->finish;
        k->err = k->stops.found ? ISO_OK : e->err;
        if (k->err)
            err_set(note, (enum err)e->err, "%s", e->note);
        break;
    case ISO_EVENT_LOGITS:
    case ISO_EVENT_BORDER:
    case ISO_EVENT_PAGE:
        break;
    }
}

static void talk_init(struct talk *k, const struct sample_options *o, struct answer *a)
{
    *a = (struct answer){0};
    buf_init(&a->text, ANSWER_BYTES_MAX);
    buf_init(&a->tokens, ANSWER_BYTES_MAX);
    stream_init(&k->stream, k->loaded->tokenizer, DECODE_CONTINUE);
    stops_init(&k->stops, o->stop_items, o->n_stop_items);
    buf_init(&k->piece, ANSWER_BYTES_MAX);
    buf_init(&k->certain, ANSWER_BYTES_MAX);
    progress_begin(&k->progress, "reading the prompt");
    k->start_ns = clock_ns();
}

static void talk_end(struct talk *k)
{
    struct answer *a = k->answer;
    progress_end(&k->progress);
    stream_end(&k->stream, &k->piece);
    take_piece(k);
    stops_end(&k->stops, &k->certain);
    let_out(k);
    if (a->n_answer > 0) {
        a->prompt_s = (double)(k->first_ns - k->start_ns) * 1e-9;
        a->answer_s = (double)(k->last_ns - k->first_ns) * 1e-9;
    }
    if (k->maker)
        maker_cut(k->maker, a->n_answer);
    stops_release(&k->stops);
    buf_release(&k->piece);
    buf_release(&k->certain);
}

/* Steps until every session is idle. */
static enum err run_talks(struct talk *k, uint32_t n_talks, struct err_note *note)
{
    struct iso_engine *engine = k->loaded->engine;
    const struct iso_event *events;
    enum iso_err rc = ISO_OK;
    for (size_t n; (n = iso_engine_step(engine, &events)) > 0;) {
        for (size_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n_talks; j++)
                if (k[j].session == events[i].session)
                    take_event(&k[j], &events[i], note);
        for (uint32_t j = 0; j < n_talks && (interrupt_seen() || ferror(stdout)); j++)
            iso_session_cancel(k[j].session, ISO_FINISH_CANCELLED); /* nobody reads on */
    }
    for (uint32_t j = 0; j < n_talks && !rc; j++)
        rc = k[j].err;
    return (enum err)rc;
}

/* What was chosen after the token that ended a stop string is taken back. */
static void cut_beyond_stop(struct talk *k)
{
    uint32_t n_tokens;
    iso_session_tokens(k->session, &n_tokens);
    if (k->n_beyond > 0)
        iso_session_cut(k->session, n_tokens - k->n_beyond);
}

/* The prompt but for its last token is read once, for all choices: its pages are shared. The last
 * token's logits are each choice's own work. */
static enum err share_prompt(struct talk *k, struct iso_request *r, uint32_t n_choices,
                             struct err_note *note)
{
    struct iso_request read = *r;
    enum iso_err rc = ISO_OK;
    read.n_answer_max = 0;
    read.n_tokens--;
    if (read.n_tokens > 0) {
        rc = iso_session_submit(k->session, &read, (struct iso_note *)note);
        if (!rc)
            rc = (enum iso_err)run_talks(k, 1, note);
    }
    for (uint32_t i = 1; i < n_choices && !rc; i++)
        rc = iso_session_fork(k->session, &k[i].session, (struct iso_note *)note);
    r->tokens += read.n_tokens;
    r->n_tokens = 1;
    return (enum err)rc;
}

static enum err run_choices(struct talk *k, const struct iso_request *request, uint32_t n_choices,
                            struct err_note *note)
{
    struct iso_request r = *request;
    enum err rc = n_choices > 1 ? share_prompt(k, &r, n_choices, note) : ERR_OK;
    bool is_over = rc || interrupt_seen();
    for (uint32_t i = 0; i < n_choices && !rc && !is_over; i++, r.sampling.choice++)
        rc = (enum err)iso_session_submit(k[i].session, &r, (struct iso_note *)note);
    if (!rc && !is_over)
        rc = run_talks(k, n_choices, note);
    for (uint32_t i = 0; i < n_choices && !rc; i++)
        cut_beyond_stop(&k[i]);
    return rc;
}

enum err answers_run(struct loaded *l, const struct sample_options *o,
                     const struct iso_request *request, uint32_t n_choices, answer_emit *emit,
                     void *context, struct answer *answers, struct maker *makers,
                     struct err_note *note)
{
    struct talk *k = mem_array(n_choices, sizeof k[0]);
    if (!k)
        return err_set(note, ERR_MEMORY, "out of memory for %u answers", n_choices);
    for (uint32_t i = 0; i < n_choices; i++) {
        k[i] = (struct talk){.loaded = l, .answer = &answers[i], .emit = emit, .context = context};
        k[i].session = i == 0 ? l->session : NULL;
        k[i].maker = makers ? &makers[i] : NULL;
        talk_init(&k[i], o, &answers[i]);
    }
    enum err rc = run_choices(k, request, n_choices, note);
    for (uint32_t i = 0; i < n_choices; i++) {
        struct answer *a = &answers[i];
        talk_end(&k[i]);
        a->n_prompt = n_choices > 1 ? request->n_tokens : a->n_prompt;
        if (!rc && (a->text.failed || a->tokens.failed))
            rc = err_set(note, ERR_MEMORY, "out of memory for the answer's text");
        if (i > 0)
            iso_session_close(k[i].session);
    }
    mem_free(k);
    return rc;
}

enum err answer_run(struct loaded *l, const struct sample_options *o,
                    const struct iso_request *request, answer_emit *emit, void *context,
                    struct answer *a, struct err_note *note)
{
    return answers_run(l, o, request, 1, emit, context, a, NULL, note);
}

void answer_release(struct answer *a)
{
    buf_release(&a->text);
    buf_release(&a->tokens);
}

const char *answer_speed(const struct answer *a, char out[120])
{
    double read = a->prompt_s > 0 ? a->n_prompt / a->prompt_s : 0;
    if (a->n_answer > 1 && a->answer_s > 0)
        snprintf(out, 120, "%u tokens read at %.1f/s, %u written at %.1f/s", a->n_prompt, read,
                 a->n_answer, (a->n_answer - 1) / a->answer_s);
    else
        snprintf(out, 120, "%u tokens read at %.1f/s, %u written", a->n_prompt, read, a->n_answer);
    return out;
}
