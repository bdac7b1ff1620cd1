/* relay.c - an HTTP exchange on its way through a worker: the worker's answer as HTTP. */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/front_int.h"

enum { KEEP_ALIVE_S = 15, UNKNOWN_BYTES_MAX = 1100 };

struct relay {
    struct relay *next, **link; /* of the front's open ones */
    struct http_exchange *x;
    struct ticket *ticket;
    const struct dialect *dialect; /* NULL: an endpoint that does not stream */
    bool streams;
    uint64_t last_ns; /* something was sent */
    /* Who listens; hear NULL: nobody. */
    void (*hear)(void *to, struct str bytes);
    void (*done)(void *to);
    void *to;
};

static void close_relay(struct relay *r)
{
    if (r->done)
        r->done(r->to);
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    mem_free(r);
}

/* The exchange is about to end; the ticket is still this call's. */
static void keep_usage(struct relay *r)
{
    struct visit *v = visit_of(r->x);
    v->model = r->ticket->process->model->name;
    v->usage = r->ticket->usage;
}

/* The client has left: the worker is told at once. */
static void on_gone(void *context, struct http_exchange *x)
{
    struct relay *r = context;
    keep_usage(r);
    ticket_cancel(r->ticket);
    close_relay(r);
    http_stream_end(x);
}

/* The names of fields that nobody knew; its receipt; when to come back. */
static void add_headers(struct relay *r, const struct reply_line *line, struct str unknown)
{
    char names[UNKNOWN_BYTES_MAX];
    snprintf(names, sizeof names, "%.*s", STR_ARG(unknown));
    if (unknown.len)
        http_reply_header(r->x, "x-unknown-fields", names);
    if (line->n_receipts > 0)
        http_reply_header(r->x, "x-receipt-id", r->ticket->receipt_id);
    if (line->status == 429 || line->status == 503)
        http_reply_header(r->x, "Retry-After", "1");
}

static void reply(void *to, const struct reply_line *line, struct str unknown, struct str body)
{
    struct relay *r = to;
    keep_usage(r);
    add_headers(r, line, unknown);
    if (line->status >= 400) {
        struct buf error;
        buf_init(&error, body.len + 256);
        dialect_error_id(&error, http_path(r->x), body, visit_of(r->x)->request_id);
        http_reply(r->x, (int)line->status, "application/json",
                   (struct str){error.bytes, error.n_bytes});
        buf_release(&error);
    } else {
        if (r->hear)
            r->hear(r->to, body);
        http_reply(r->x, (int)line->status, "application/json", body);
    }
    close_relay(r);
}

static void begin(void *to, const struct reply_line *line, struct str unknown)
{
    struct relay *r = to;
    CHECK(r->dialect);
    add_headers(r, line, unknown);
    http_reply_header(r->x, "Cache-Control", "no-cache");
    http_stream_begin(r->x, (int)line->status, r->dialect->stream_type);
    r->streams = true;
    r->last_ns = clock_ns();
}

static void data(void *to, struct str bytes)
{
    struct relay *r = to;
    if (r->hear)
        r->hear(r->to, bytes);
    http_stream_send(r->x, bytes);
    r->last_ns = clock_ns();
}

static void end(void *to)
{
    struct relay *r = to;
    keep_usage(r);
    visit_of(r->x)->broken = r->ticket->broken;
    http_stream_end(r->x);
    close_relay(r);
}

static void fail(void *to, const struct api_error *e)
{
    struct relay *r = to;
    keep_usage(r);
    if (r->streams) {
        visit_of(r->x)->broken = true;
        struct buf events;
        buf_init(&events, 1 << 16);
        r->dialect->broken(&events, e);
        http_stream_send(r->x, (struct str){events.bytes, events.n_bytes});
        buf_release(&events);
        http_stream_end(r->x);
    } else {
        front_fail(r->x, e);
    }
    close_relay(r);
}

static const struct sink relay_sink = {
    .reply = reply, .begin = begin, .data = data, .end = end, .fail = fail};

struct relay *relay_open(struct front *f, struct process *p, struct http_exchange *x,
                         struct str body)
{
    struct relay *r = mem_zalloc(sizeof *r);
    struct ticket *t = NULL;
    if (r)
        t = ticket_open(f, visit_of(x)->key, p, http_path(x), body, &relay_sink, r);
    if (!t) {
        struct api_error e;
        mem_free(r);
        api_fail(&e, 503, NULL, "out of memory for a request; try again");
        front_fail(x, &e);
        return NULL;
    }
    r->x = x;
    r->ticket = t;
    snprintf(t->request_id, sizeof t->request_id, "%s", visit_of(x)->request_id);
    r->dialect = dialect_of(http_path(x));
    http_on_gone(x, on_gone, r);
    r->next = f->relays;
    r->link = &f->relays;
    if (r->next)
        r->next->link = &r->next;
    f->relays = r;
    return r;
}

void relay_tap(struct relay *r, void (*hear)(void *to, struct str bytes), void (*done)(void *to),
               void *to)
{
    r->hear = hear;
    r->done = done;
    r->to = to;
}

/* Streams in which nothing happens say so, lest somebody between takes them for dead. */
void relays_keep_alive(struct front *f)
{
    uint64_t now_ns = clock_ns();
    for (struct relay *r = f->relays; r; r = r->next) {
        if (!r->streams || now_ns - r->last_ns < KEEP_ALIVE_S * (uint64_t)1000000000 ||
            strcmp(r->dialect->stream_type, "text/event-stream") != 0)
            continue;
        http_stream_send(r->x, STR(": still here\n\n"));
        r->last_ns = now_ns;
    }
}
