/* generate.c - options to a request, events to text. */
#include "cli/generate.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/say.h"
#include "text/stops.h"
#include "text/stream.h"

enum { ANSWER_BYTES_MAX = 1 << 30 };

/* ---- options -------------------------------------------------------------------------------- */

/* Ten digits at most, so that a person can type it again. */
static uint64_t random_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint32_t)clock_ns();
    return seed;
}

void sample_defaults(struct sample_options *o)
{
    struct iso_request r = iso_request_default();
    *o = (struct sample_options){.sampling = r.sampling, .n_answer_max = r.n_answer_max};
    o->sampling.seed = random_seed();
}

static enum err parse_order(const char *text, uint8_t order[ISO_ORDER_MAX], struct err_note *note)
{
    static const char *const names[ISO_STAGE_COUNT] = {
        NULL, "penalties", "dry", "top_k", "typical", "top_p", "min_p", "xtc", "temperature"};
    int n = 0;
    memset(order, 0, ISO_ORDER_MAX);
    for (const char *at = text; *at;) {
        struct str word = {at, strcspn(at, ",")};
        uint8_t stage = 1;
        while (stage < ISO_STAGE_COUNT && !str_is(word, names[stage]))
            stage++;
        if (stage == ISO_STAGE_COUNT || n == ISO_ORDER_MAX - 1 || memchr(order, stage, (size_t)n))
            return err_set(note, ERR_USAGE,
                           "--order has \"%.*s\"; it may name each of penalties, dry, top_k, "
                           "typical, top_p, min_p, xtc and temperature once",
                           STR_ARG(word));
        order[n++] = stage;
        at += word.len + (at[word.len] == ',');
    }
    return ERR_OK;
}

static int by_token(const void *a, const void *b)
{
    const struct iso_bias *x = a, *y = b;
    return (x->token > y->token) - (x->token < y->token);
}

static enum err parse_biases(struct sample_options *o, struct err_note *note)
{
    for (size_t i = 0; i < o->bias.n_items; i++) {
        const char *text = o->bias.items[i], *equals = strchr(text, '=');
        uint64_t id;
        double bias;
        if (!equals || !str_to_u64((struct str){text, (size_t)(equals - text)}, &id) ||
            id > INT32_MAX || !str_to_f64(str_from(equals + 1), &bias))
            return err_set(note, ERR_USAGE, "--logit-bias is \"%s\"; write ID=NUMBER", text);
        o->biases[i] = (struct iso_bias){(int32_t)id, (float)bias};
    }
    qsort(o->biases, o->bias.n_items, sizeof o->biases[0], by_token);
    o->sampling.bias = o->biases;
    o->sampling.n_bias = o->bias.n_items;
    return ERR_OK;
}

static enum err end_tokens(const struct tokenizer *t, int32_t stops[ISO_STOPS_MAX],
                           uint32_t *n_stops, struct err_note *note)
{
    *n_stops = 0;
    for (size_t id = 0; id < tokenizer_n_tokens(t); id++) {
        if (!tokenizer_is_eog(t, (int32_t)id))
            continue;
        if (*n_stops == ISO_STOPS_MAX)
            return err_set(note, ERR_LIMIT, "the vocabulary has more than %d end tokens",
                           ISO_STOPS_MAX);
        stops[(*n_stops)++] = (int32_t)id;
    }
    return ERR_OK;
}

enum err sample_request(struct sample_options *o, const struct tokenizer *t,
                        struct iso_request *request, struct err_note *note)
{
    static int32_t stops[ISO_STOPS_MAX]; /* the engine copies them */
    enum err rc = o->order ? parse_order(o->order, o->sampling.order, note) : ERR_OK;
    if (!rc)
        rc = parse_biases(o, note);
    *request = iso_request_default();
    if (!rc && !o->ignore_eos)
        rc = end_tokens(t, stops, &request->n_stops, note);
    o->n_stop_items = 0;
    for (size_t i = 0; !rc && i < o->stops.n_items; i++) {
        o->stop_items[o->n_stop_items++] = str_from(o->stops.items[i]);
        if (!*o->stops.items[i])
            rc = err_set(note, ERR_USAGE, "--stop is empty");
    }
    request->stops = stops;
    request->sampling = o->sampling;
    request->n_answer_max = o->n_answer_max;
    return rc;
}

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
