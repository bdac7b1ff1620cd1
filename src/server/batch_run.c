/* batch_run.c - runs batches in the gaps of serving. */
#include "server/batch_run.h"

#include <stdio.h>
#include <time.h>

#include <event2/event.h>

#include "base/check.h"
#include "base/mem.h"
#include "server/front_int.h"

enum {
    LINES_READ_AT_ONCE = 100, /* some milliseconds: the front must not stand still */
    TRIES_MAX = 3,
    CLEAN_EVERY_S = 30,
    FILE_S_MAX = 30 * 24 * 3600,
    LINES_MAX = 50000,
    ANSWER_BYTES_MAX = 64 << 20,
};
#define FILE_BYTES_MAX ((uint64_t)1 << 30)

struct batch_line {
    struct batch_line *next, **link;
    struct batch_run *run;
    struct ticket *ticket;
    struct jobs_line line;
};

struct batch_run {
    struct front *front;
    struct jobs *jobs;
    struct event *wake;
    struct batch_line *lines; /* under way */
    struct batch_line *held;  /* the next one, for which there was no room; one of lines */
    time_t cleaned_s, resting_s; /* resting: begin nothing before this time */
    char complaint[200];         /* the last one, said once */
};

bool batch_takes(struct str endpoint)
{
    static const char *const endpoints[] = {"/v1/chat/completions", "/v1/completions",
                                            "/v1/embeddings", "/v1/responses"};
    size_t n;
    const struct endpoint *all = route_endpoints(&n);
    for (size_t i = 0; i < COUNT_OF(endpoints); i++)
        for (size_t k = 0; k < n && str_is(endpoint, endpoints[i]); k++)
            if (strcmp(all[k].path, endpoints[i]) == 0)
                return true;
    return false;
}

static void complain(struct batch_run *r, const struct err_note *note)
{
    if (strcmp(r->complaint, note->text) == 0)
        return;
    snprintf(r->complaint, sizeof r->complaint, "%.190s", note->text);
    front_say(r->front, "batches: %s", note->text);
}

/* ---- lines of an input -------------------------------------------------------------------- */

static void refuse(struct jobs_reading *out, const char *code, const char *message)
{
    snprintf(out->code, sizeof out->code, "%s", code);
    snprintf(out->message, sizeof out->message, "%.250s", message);
}

static void read_request(const json_t *root, struct str endpoint, struct jobs_reading *out)
{
    const json_t *id = json_object_get(root, "custom_id"), *body = json_object_get(root, "body");
    const char *method = json_string_value(json_object_get(root, "method"));
    const char *url = json_string_value(json_object_get(root, "url"));
    if (!json_is_string(id) || json_string_length(id) == 0)
        refuse(out, "missing_required_parameter", "custom_id must be a text that is not empty");
    else if (!method || strcmp(method, "POST") != 0)
        refuse(out, "invalid_method", "method must be POST");
    else if (!url || !str_is(endpoint, url))
        refuse(out, "invalid_url", "url must be the batch's endpoint");
    else if (!json_is_object(body))
        refuse(out, "missing_required_parameter", "body must be an object");
    else if (json_is_true(json_object_get(body, "stream")))
        refuse(out, "invalid_parameter", "stream: a batch's answers come whole");
    if (out->code[0])
        return;
    buf_add(&out->custom_id, json_string_value(id), json_string_length(id));
    if (!api_dump(body, &out->body))
        refuse(out, "invalid_json_line", "out of memory for a line");
}

static void read_line(void *context, struct str endpoint, struct str line,
                      struct jobs_reading *out)
{
    (void)context;
    struct api_error e;
    json_t *root = api_parse(line, &e);
    if (root)
        read_request(root, endpoint, out);
    else
        refuse(out, "invalid_json_line", e.message);
    json_decref(root);
}

/* ---- a line's answer ---------------------------------------------------------------------- */

static void drop_line(struct batch_line *l)
{
    *l->link = l->next;
    if (l->next)
        l->next->link = l->link;
    mem_free(l->line.body);
    mem_free(l);
}

/* One line of the output file, without its custom_id, which the store adds. body is JSON. */
static void write_answer(struct buf *out, const struct batch_line *l, int status,
                         const char *receipt_id, struct str body)
{
    struct writer w;
    char id[JOBS_ID_BYTES + 24];
    snprintf(id, sizeof id, "%s-%lld", l->line.batch, (long long)l->line.i);
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "id", str_from(id));
    write_key(&w, "response");
    write_open(&w, '{');
    write_key_int(&w, "status_code", status);
    write_key_text(&w, "request_id", str_from(l->ticket ? l->ticket->request_id : id));
    if (receipt_id)
        write_key_text(&w, "receipt_id", str_from(receipt_id));
    write_key(&w, "body");
    buf_add(out, body.ptr, body.len);
    w.comma = true;
    write_close(&w, '}');
    write_key_word(&w, "error", "null");
    write_close(&w, '}');
}

static void finish_line(struct batch_line *l, int status, const char *receipt_id, struct str body)
{
    struct batch_run *r = l->run;
    struct err_note note;
    struct buf answer;
    bool good = status >= 200 && status < 300;
    buf_init(&answer, ANSWER_BYTES_MAX);
    write_answer(&answer, l, status, receipt_id, body);
    CHECK(!answer.failed);
    if (jobs_done(r->jobs, &l->line, good, (struct str){answer.bytes, answer.n_bytes}, time(NULL),
                  &note))
        complain(r, &note);
    buf_release(&answer);
    drop_line(l);
    batch_run_wake(r);
}

static void finish_with(struct batch_line *l, const struct api_error *e)
{
    struct buf body;
    buf_init(&body, 1 << 16);
    dialect_error(&body, str_from(l->line.endpoint), e);
    finish_line(l, e->status, NULL, (struct str){body.bytes, body.n_bytes});
    buf_release(&body);
}

/* It waits once more; nothing else is begun for a second. failed: that was a try. */
static void postpone(struct batch_line *l, bool failed)
{
    struct batch_run *r = l->run;
    struct err_note note;
    if (jobs_again(r->jobs, &l->line, failed, &note))
        complain(r, &note);
    r->resting_s = time(NULL) + 1;
    drop_line(l);
}

static void on_reply(void *to, const struct reply_line *line, struct str unknown, struct str body)
{
    struct batch_line *l = to;
    (void)unknown;
    if (line->status == 429)
        postpone(l, false);
    else
        finish_line(l, (int)line->status, line->n_receipts ? l->ticket->receipt_id : NULL, body);
}

static void on_fail(void *to, const struct api_error *e)
{
    struct batch_line *l = to;
    if (l->run->front->draining) /* it stays under way, for the next start */
        drop_line(l);
    else if (l->line.n_tries + 1 < TRIES_MAX)
        postpone(l, true);
    else
        finish_with(l, e);
}

static const struct sink line_sink = {.reply = on_reply, .fail = on_fail};

/* ---- beginning lines ---------------------------------------------------------------------- */

/* How many lines may be with a model: the places that clients leave, and always one. */
static bool has_room(const struct batch_run *r, const struct process *p)
{
    size_t n_clients = 0, n_lines = 0, n_places = (size_t)p->stats.gauges[STATS_batch_places];
    for (size_t i = 0; i < r->front->n_tickets; i++) {
        const struct ticket *t = r->front->tickets[i];
        if (!t->used || t->process != p)
            continue;
        n_lines += t->sink == &line_sink;
        n_clients += t->sink != &line_sink;
    }
    return n_lines < 1 || n_clients + n_lines < n_places;
}

static bool owner_key(struct front *f, const char *owner, struct key **key, struct api_error *e)
{
    *key = NULL;
    if (!owner[0])
        return true;
    for (size_t i = 0; i < f->keys.n_items; i++) {
        struct key *k = f->keys.items[i];
        if (strcmp(k->id, owner) == 0 && !k->revoked &&
            (k->expires_s == 0 || k->expires_s > (int64_t)time(NULL))) {
            *key = k;
            return true;
        }
    }
    return api_fail(e, 401, NULL, "the key %s that sent this batch is no longer valid", owner);
}

/* Sends the line to its model, or ends it. false: there is no room; it waits. */
static bool begin_line(struct batch_line *l)
{
    struct front *f = l->run->front;
    struct api_error e = {0};
    struct key *key;
    struct str body = str_from(l->line.body);
    json_t *root = api_parse(body, &e);
    const json_t *model = json_object_get(root, "model");
    struct str name = {json_is_string(model) ? json_string_value(model) : "",
                       json_string_length(model)};
    struct process *p = NULL;
    if (root && owner_key(f, l->line.owner, &key, &e))
        p = route_model(f, key, name, &e);
    json_decref(root);
    if (!p && e.status != 503) {
        l->run->held = NULL;
        finish_with(l, &e);
        return true;
    }
    if (!p || !has_room(l->run, p))
        return false;
    l->ticket = ticket_open_behind(f, key, p, str_from(l->line.endpoint), body, &line_sink, l);
    return l->ticket != NULL;
}

/* The one that is held, or a new one. NULL: there is nothing to run. */
static struct batch_line *next_line(struct batch_run *r)
{
    struct err_note note;
    if (r->held)
        return r->held;
    struct batch_line *l = mem_zalloc(sizeof *l);
    if (!l || !jobs_next(r->jobs, &l->line, &note)) {
        if (l && note.text[0])
            complain(r, &note);
        mem_free(l);
        return NULL;
    }
    l->run = r;
    l->next = r->lines;
    l->link = &r->lines;
    if (l->next)
        l->next->link = &l->next;
    r->lines = l;
    return l;
}

/* Begins what there is room for. */
static void begin_lines(struct batch_run *r)
{
    struct batch_line *l;
    while (!r->front->draining && time(NULL) >= r->resting_s && (l = next_line(r))) {
        r->held = l;
        if (!begin_line(l))
            return;
        r->held = NULL;
    }
}

static void work(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct batch_run *r = context;
    struct timeval soon = {.tv_usec = 1000}, later = {.tv_sec = 1};
    struct err_note note;
    bool more = false;
    time_t now_s = time(NULL);
    if (r->front->draining)
        return;
    if (now_s - r->cleaned_s >= CLEAN_EVERY_S) {
        r->cleaned_s = now_s;
        if (jobs_clean(r->jobs, now_s, &note))
            complain(r, &note);
    }
    if (jobs_validate(r->jobs, LINES_READ_AT_ONCE, read_line, NULL, now_s, &more, &note)) {
        complain(r, &note);
        more = false;
    }
    begin_lines(r);
    evtimer_add(r->wake, more ? &soon : &later);
}

void batch_run_wake(struct batch_run *r)
{
    struct timeval now = {0};
    evtimer_add(r->wake, &now);
}

struct jobs *batch_run_jobs(struct batch_run *r)
{
    return r->jobs;
}

enum err batch_run_open(struct front *f, const char *path, struct batch_run **out,
                        struct err_note *note)
{
    const struct jobs_limits limits = {
        .n_file_bytes_max = FILE_BYTES_MAX, .n_lines_max = LINES_MAX, .file_s_max = FILE_S_MAX};
    *out = NULL;
    struct batch_run *r = mem_zalloc(sizeof *r);
    if (!r)
        return err_set(note, ERR_MEMORY, "out of memory for batches");
    r->front = f;
    r->wake = evtimer_new(f->loop, work, r);
    enum err rc = r->wake ? jobs_open(path, &limits, &r->jobs, note)
                          : err_set(note, ERR_MEMORY, "out of memory for batches");
    if (rc) {
        batch_run_close(r);
        return rc;
    }
    batch_run_wake(r);
    *out = r;
    return ERR_OK;
}

void batch_run_close(struct batch_run *r)
{
    if (!r)
        return;
    while (r->lines)
        drop_line(r->lines);
    if (r->wake)
        event_free(r->wake);
    jobs_close(r->jobs);
    mem_free(r);
}
