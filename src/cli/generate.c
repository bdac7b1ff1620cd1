/* generate.c - events to text. */
#include "cli/generate.h"

#include <signal.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/say.h"
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
    struct answer *answer;
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
    switch (e->kind) {
    case ISO_EVENT_PROMPT:
        a->n_prompt = e->n_done;
        progress_show(&k->progress, e->n_done, e->n_total);
        break;
    case ISO_EVENT_TOKEN:
        take_token(k, e);
        break;
    case ISO_EVENT_FINISH:
        a->finish = e->finish;
        k->err = e->err;
        if (e->err)
            err_set(note, (enum err)e->err, "%s", e->note);
        break;
    case ISO_EVENT_LOGITS:
    case ISO_EVENT_BORDER:
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
    stops_release(&k->stops);
    buf_release(&k->piece);
    buf_release(&k->certain);
}

enum err answer_run(struct loaded *l, const struct sample_options *o,
                    const struct iso_request *request, answer_emit *emit, void *context,
                    struct answer *a, struct err_note *note)
{
    struct talk k = {.loaded = l, .answer = a, .emit = emit, .context = context};
    talk_init(&k, o, a);
    enum err rc = (enum err)iso_session_submit(l->session, request, (struct iso_note *)note);
    const struct iso_event *events;
    for (size_t n; !rc && (n = iso_engine_step(l->engine, &events)) > 0;) {
        for (size_t i = 0; i < n; i++)
            take_event(&k, &events[i], note);
        if (interrupt_seen() || ferror(stdout)) /* nobody reads on */
            iso_session_cancel(l->session, ISO_FINISH_CANCELLED);
    }
    if (!rc && k.stops.found) {
        uint32_t n_tokens;
        iso_session_tokens(l->session, &n_tokens);
        iso_session_cut(l->session, n_tokens - k.n_beyond);
    }
    talk_end(&k);
    if (!rc && (a->text.failed || a->tokens.failed))
        rc = err_set(note, ERR_MEMORY, "out of memory for the answer's text");
    return rc ? rc : (enum err)k.err;
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
