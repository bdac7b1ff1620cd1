/* ticket.c - an exchange on its way through a worker. */
#include <inttypes.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/mem.h"
#include "api/reply.h"
#include "server/front_int.h"

enum { KEEP_ALIVE_S = 15 };

static struct ticket *find(struct front *f, uint64_t id)
{
    size_t place = (uint32_t)id;
    struct ticket *t = place < f->n_tickets ? f->tickets[place] : NULL;
    return t && t->used && t->id == id ? t : NULL;
}

static struct ticket *take(struct front *f)
{
    for (size_t i = 0; i < f->n_tickets; i++) {
        struct ticket *t = f->tickets[i];
        if (t->used)
            continue;
        uint64_t use = (t->id >> 32) + 1;
        *t = (struct ticket){.id = use << 32 | i, .front = f, .used = true};
        return t;
    }
    struct ticket **more = mem_resize(f->tickets, (f->n_tickets + 1) * sizeof more[0]);
    struct ticket *t = mem_zalloc(sizeof *t);
    if (more)
        f->tickets = more;
    if (!more || !t) {
        mem_free(t);
        return NULL;
    }
    *t = (struct ticket){.id = f->n_tickets, .front = f, .used = true};
    f->tickets[f->n_tickets++] = t;
    return t;
}

static void give_back(struct ticket *t)
{
    t->used = false;
    t->x = NULL;
}

/* The client has left: the worker is told at once. */
static void on_gone(void *context, struct http_exchange *x)
{
    struct ticket *t = context;
    t->x = NULL;
    frames_send(t->process->frames, FRAME_CANCEL, t->id, STR(""), STR(""));
    http_stream_end(x);
}

/* The client's own, if it is printable and short; else a new one. */
static void choose_request_id(struct ticket *t)
{
    struct str given = http_header(t->x, "x-request-id");
    bool good = given.len > 0 && given.len < sizeof t->request_id;
    for (size_t i = 0; good && i < given.len; i++)
        good = given.ptr[i] > ' ' && given.ptr[i] < 127;
    if (good)
        snprintf(t->request_id, sizeof t->request_id, "%.*s", STR_ARG(given));
    else
        snprintf(t->request_id, sizeof t->request_id, "req-%016" PRIx64,
                 entropy_u64());
}

void ticket_open(struct front *f, struct process *p, struct http_exchange *x, struct str body)
{
    struct api_error e;
    struct str path = http_path(x);
    struct ticket *t = take(f);
    struct buf head;
    struct call_head call = {.n_path = (uint32_t)path.len};
    if (!t) {
        api_fail(&e, 503, NULL, "out of memory for a request; try again");
        front_fail(x, &e);
        return;
    }
    t->process = p;
    t->x = x;
    t->last_ns = clock_ns();
    choose_request_id(t);
    http_on_gone(x, on_gone, t);
    buf_init(&head, sizeof call + path.len + 1);
    buf_add(&head, &call, sizeof call);
    buf_add(&head, path.ptr, path.len);
    CHECK(!head.failed);
    frames_send(p->frames, FRAME_CALL, t->id, (struct str){head.bytes, head.n_bytes}, body);
    buf_release(&head);
}

/* The head of an answer: what every one has, and the fields that nobody knew. */
static struct str begin_reply(struct ticket *t, struct str bytes, struct reply_line *line)
{
    char unknown[1100];
    CHECK(bytes.len >= sizeof *line);
    memcpy(line, bytes.ptr, sizeof *line);
    bytes = str_sub(bytes, sizeof *line, bytes.len);
    CHECK(line->n_unknown <= bytes.len && line->n_unknown < sizeof unknown);
    snprintf(unknown, sizeof unknown, "%.*s", (int)line->n_unknown, bytes.ptr);
    http_reply_header(t->x, "x-request-id", t->request_id);
    if (line->n_unknown)
        http_reply_header(t->x, "x-unknown-fields", unknown);
    if (line->status == 429 || line->status == 503)
        http_reply_header(t->x, "Retry-After", "1");
    return str_sub(bytes, line->n_unknown, bytes.len);
}

void ticket_frame(struct front *f, uint8_t kind, uint64_t id, struct str bytes)
{
    struct ticket *t = find(f, id);
    struct reply_line line;
    CHECK(t);
    if (kind == FRAME_END) {
        if (t->x && t->streams)
            http_stream_end(t->x);
        give_back(t);
        return;
    }
    if (!t->x)
        return;
    t->last_ns = clock_ns();
    if (kind == FRAME_REPLY) {
        bytes = begin_reply(t, bytes, &line);
        http_reply(t->x, (int)line.status, "application/json", bytes);
        t->x = NULL;
    } else if (kind == FRAME_STREAM) {
        begin_reply(t, bytes, &line);
        http_reply_header(t->x, "Cache-Control", "no-cache");
        http_stream_begin(t->x, (int)line.status, "text/event-stream");
        t->streams = true;
    } else if (kind == FRAME_DATA) {
        http_stream_send(t->x, bytes);
    }
}

void tickets_fail(struct process *p, const char *why)
{
    struct front *f = p->front;
    struct api_error e;
    struct buf event;
    api_fail(&e, 503, NULL, "%s", why);
    buf_init(&event, 4096);
    buf_str(&event, "data: ");
    reply_error(&event, &e);
    buf_str(&event, "\n\n");
    for (size_t i = 0; i < f->n_tickets; i++) {
        struct ticket *t = f->tickets[i];
        if (!t->used || t->process != p)
            continue;
        if (t->x && t->streams) {
            http_stream_send(t->x, (struct str){event.bytes, event.n_bytes});
            http_stream_end(t->x);
        } else if (t->x) {
            http_reply_header(t->x, "x-request-id", t->request_id);
            front_fail(t->x, &e);
        }
        give_back(t);
    }
    buf_release(&event);
}

/* Streams in which nothing happens say so, lest somebody between takes them for dead. */
void tickets_keep_alive(struct front *f)
{
    uint64_t now_ns = clock_ns();
    for (size_t i = 0; i < f->n_tickets; i++) {
        struct ticket *t = f->tickets[i];
        if (!t->used || !t->x || !t->streams ||
            now_ns - t->last_ns < KEEP_ALIVE_S * (uint64_t)1000000000)
            continue;
        http_stream_send(t->x, STR(": still here\n\n"));
        t->last_ns = now_ns;
    }
}

void tickets_release(struct front *f)
{
    for (size_t i = 0; i < f->n_tickets; i++)
        mem_free(f->tickets[i]);
    mem_free(f->tickets);
}
