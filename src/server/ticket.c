/* ticket.c - a call on its way through a worker. */
#include <inttypes.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/mem.h"
#include "server/front_int.h"

struct ticket *ticket_find(struct front *f, uint64_t id)
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
        *t = (struct ticket){.id = use << 32 | i, .used = true};
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
    *t = (struct ticket){.id = f->n_tickets, .used = true};
    f->tickets[f->n_tickets++] = t;
    return t;
}

static void give_back(struct ticket *t)
{
    metrics_call(&t->process->front->metrics, t->key ? t->key->id : "", &t->usage);
    t->used = false;
    t->sink = NULL;
    hold_release(t->hold);
    t->hold = NULL;
    buf_release(&t->call);
    t->process->n_tickets--;
    t->process->last_used_ns = clock_ns();
}

/* ---- waiting for the model ---- */

static void wait_in_line(struct ticket *t)
{
    struct process *p = t->process;
    t->next_waiting = NULL;
    if (!p->waiting)
        p->last = &p->waiting;
    *p->last = t;
    p->last = &t->next_waiting;
}

static void leave_line(struct ticket *t)
{
    struct process *p = t->process;
    struct ticket **link = &p->waiting;
    while (*link != t)
        link = &(*link)->next_waiting;
    *link = t->next_waiting;
    if (p->last == &t->next_waiting)
        p->last = link;
}

void tickets_send(struct process *p)
{
    for (struct ticket *t = p->waiting; t; t = t->next_waiting) {
        frames_send(p->frames, FRAME_CALL, t->id, (struct str){t->call.bytes, t->call.n_bytes},
                    STR(""));
        buf_release(&t->call);
    }
    p->waiting = NULL;
}

void tickets_expire(struct process *p, uint64_t before_ns)
{
    struct api_error e;
    api_fail(&e, 503, NULL, "model %s is still loading; try again later", p->model->name);
    while (p->waiting && p->waiting->begun_ns < before_ns)
        ticket_abort(p->waiting, &e);
}

/* ---- calls ---- */

static bool is_waiting(const struct ticket *t)
{
    return t->call.n_bytes > 0;
}

static struct ticket *open_ticket(struct front *f, struct key *key, struct process *p,
                                  struct str path, struct str body, const struct sink *sink,
                                  void *to, int32_t priority)
{
    struct buf head;
    struct call_head call = {.tenant = key ? key->tenant : 0,
                             .n_path = (uint32_t)path.len,
                             .priority = priority,
                             .may_verify = key_has(key, KEY_VERIFY),
                             .receipts = f->receipts ? f->options.receipts.mode : 0};
    bool waits = p->state != PROCESS_READY;
    buf_init(&head, sizeof call + path.len + 1 + (waits ? body.len : 0));
    buf_add(&head, &call, sizeof call);
    buf_add(&head, path.ptr, path.len);
    if (waits)
        buf_add(&head, body.ptr, body.len);
    struct ticket *t = head.failed ? NULL : take(f);
    if (!t) {
        buf_release(&head);
        return NULL;
    }
    t->key = key;
    t->process = p;
    p->n_tickets++;
    t->sink = sink;
    t->to = to;
    t->begun_ns = clock_ns();
    snprintf(t->path, sizeof t->path, "%.*s", STR_ARG(path));
    snprintf(t->request_id, sizeof t->request_id, "req-%016" PRIx64, entropy_u64());
    if (f->receipts)
        snprintf(t->receipt_id, sizeof t->receipt_id, "rcpt-%016" PRIx64 "%08" PRIx32,
                 entropy_u64(), (uint32_t)entropy_u64());
    if (waits) {
        t->call = head;
        wait_in_line(t);
        return t;
    }
    frames_send(p->frames, FRAME_CALL, t->id, (struct str){head.bytes, head.n_bytes}, body);
    buf_release(&head);
    return t;
}

struct ticket *ticket_open(struct front *f, struct key *key, struct process *p, struct str path,
                           struct str body, const struct sink *sink, void *to)
{
    int32_t priority = str_is(path, VERIFY_PATH) ? -1 : 0;
    return open_ticket(f, key, p, path, body, sink, to, priority);
}

struct ticket *ticket_open_behind(struct front *f, struct key *key, struct process *p,
                                  struct str path, struct str body, const struct sink *sink,
                                  void *to)
{
    struct ticket *t = open_ticket(f, key, p, path, body, sink, to, -1);
    if (t)
        t->behind = true;
    return t;
}

void ticket_cancel(struct ticket *t)
{
    t->sink = NULL;
    if (is_waiting(t)) {
        leave_line(t);
        give_back(t);
    } else {
        frames_send(t->process->frames, FRAME_CANCEL, t->id, STR(""), STR(""));
    }
}

void ticket_abort(struct ticket *t, const struct api_error *e)
{
    const struct sink *sink = t->sink;
    void *to = t->to;
    ticket_cancel(t);
    if (sink)
        sink->fail(to, e);
}

/* The head of an answer and the fields that nobody knew; what is left of bytes. */
static struct str read_line(struct str bytes, struct reply_line *line, struct str *unknown)
{
    CHECK(bytes.len >= sizeof *line);
    memcpy(line, bytes.ptr, sizeof *line);
    bytes = str_sub(bytes, sizeof *line, bytes.len);
    CHECK(line->n_unknown <= bytes.len);
    *unknown = str_sub(bytes, 0, line->n_unknown);
    return str_sub(bytes, line->n_unknown, bytes.len);
}

static void end(struct ticket *t)
{
    const struct sink *sink = t->sink;
    void *to = t->to;
    give_back(t);
    CHECK(!sink || sink->end);
    if (sink)
        sink->end(to);
}

/* A key pays for its prompts when they are known and for its answers as they grow: many calls at
 * once come to its limit before they have ended. */
static void take_usage(struct ticket *t, struct str bytes)
{
    uint32_t n_before = t->usage.n_prompt + t->usage.n_answer;
    CHECK(bytes.len == sizeof t->usage);
    memcpy(&t->usage, bytes.ptr, sizeof t->usage);
    uint32_t n_tokens = t->usage.n_prompt + t->usage.n_answer;
    if (n_tokens > n_before && !t->behind)
        gate_used(t->key, n_tokens - n_before, clock_ns());
}

static void data(struct ticket *t, struct str bytes)
{
    struct buf filled;
    buf_init(&filled, FRAME_BYTES_MAX);
    t->sink->data(t->to, hold_fill(t, bytes, &filled));
    buf_release(&filled);
}

static void reply(struct ticket *t, struct str bytes)
{
    const struct sink *sink = t->sink;
    struct reply_line line;
    struct str unknown;
    struct buf filled;
    t->sink = NULL;
    buf_init(&filled, FRAME_BYTES_MAX);
    bytes = read_line(bytes, &line, &unknown);
    sink->reply(t->to, &line, unknown, hold_fill(t, bytes, &filled));
    buf_release(&filled);
}

void ticket_frame(struct front *f, uint8_t kind, uint64_t id, struct str bytes)
{
    struct ticket *t = ticket_find(f, id);
    struct reply_line line;
    struct str unknown;
    CHECK(t);
    if (kind == FRAME_USAGE) {
        take_usage(t, bytes);
    } else if (kind == FRAME_RECEIPT) {
        hold_receipt(f, t, bytes);
    } else if (hold_takes(t, kind, bytes)) {
        return;
    } else if (kind == FRAME_END) {
        t->broken = bytes.len > 0;
        end(t);
    } else if (!t->sink) {
        return;
    } else if (kind == FRAME_REPLY) {
        reply(t, bytes);
    } else if (kind == FRAME_STREAM) {
        read_line(bytes, &line, &unknown);
        CHECK(t->sink->begin);
        t->streams = true;
        t->sink->begin(t->to, &line, unknown);
    } else if (kind == FRAME_DATA) {
        data(t, bytes);
    }
}

void tickets_fail(struct process *p, const char *why)
{
    struct front *f = p->front;
    struct api_error e;
    api_fail(&e, 503, NULL, "%s", why);
    p->waiting = NULL;
    for (size_t i = 0; i < f->n_tickets; i++) {
        struct ticket *t = f->tickets[i];
        if (!t->used || t->process != p)
            continue;
        const struct sink *sink = t->sink;
        void *to = t->to;
        give_back(t);
        if (sink)
            sink->fail(to, &e);
    }
}

void tickets_release(struct front *f)
{
    for (size_t i = 0; i < f->n_tickets; i++)
        mem_free(f->tickets[i]);
    mem_free(f->tickets);
}
