/* pow.c - jobs and the generation, cut into chunks for workers. */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/keys.h"
#include "server/pow_int.h"

enum { BODY_BYTES_MAX = 64 << 10, RESULT_BYTES_MAX = 64 << 20 };
#define SECOND_NS UINT64_C(1000000000)

bool pow_job_has_ended(const struct pow_job *j)
{
    return j->state >= POW_COMPLETED;
}

void pow_job_release(struct pow_job *j)
{
    api_pow_release(&j->r);
    buf_release(&j->result);
    mem_free(j->texts);
    mem_free(j);
}

/* ---- ends --------------------------------------------------------------------------------- */

/* What made the job is needed no more, but for its numbers. */
static void end_job(struct pow *p, struct pow_job *j, enum pow_state state)
{
    j->state = state;
    j->ended_ns = clock_ns();
    p->n_nonces_queued -= j->r.n;
    mem_free(j->texts);
    j->texts = NULL;
    for (struct pow_chunk *c = p->chunks; c; c = c->next)
        CHECK(c->job != j);
}

static void drop_chunk(struct pow_chunk *c)
{
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->pow->n_chunks_out -= c->ticket != NULL;
    mem_free(c);
}

/* The chunks of a job, or of the generation, are wanted no more. */
static void cancel_chunks(struct pow *p, const struct pow_job *j)
{
    for (struct pow_chunk *c = p->chunks, *next; c; c = next) {
        next = c->next;
        if (c->job != j)
            continue;
        if (c->ticket)
            ticket_cancel(c->ticket);
        drop_chunk(c);
    }
}

void pow_fail(struct pow *p, struct pow_job *j, enum pow_state state, int status, const char *error)
{
    struct http_exchange *x = j->x;
    cancel_chunks(p, j);
    end_job(p, j, state);
    snprintf(j->error, sizeof j->error, "%s", error);
    j->x = NULL;
    if (x) {
        struct api_error e;
        api_fail(&e, status, NULL, "%s", error);
        front_fail(x, &e);
    }
}

void pow_leave(struct pow *p, struct pow_job *j)
{
    j->x = NULL;
    if (!pow_job_has_ended(j))
        pow_fail(p, j, POW_CANCELLED, 503, "Cancelled");
}

static void complete(struct pow *p, struct pow_job *j)
{
    struct http_exchange *x = j->x;
    buf_init(&j->result, RESULT_BYTES_MAX);
    pow_write_result(&j->result, j);
    if (j->result.failed) {
        pow_fail(p, j, POW_FAILED, 500, "out of memory for the artifacts");
        return;
    }
    pow_report_job(p, j);
    end_job(p, j, POW_COMPLETED);
    j->x = NULL;
    if (x)
        http_reply(x, 200, "application/json", (struct str){j->result.bytes, j->result.n_bytes});
}

void pow_end_generation(struct pow *p)
{
    cancel_chunks(p, NULL);
    if (p->generation.active)
        front_say(p->front, "proof of compute: stopped after %llu nonces",
                  (unsigned long long)p->generation.n_done);
    pow_report_end(p);
    p->generation.active = false;
    api_pow_release(&p->generation.r);
}

/* A chunk should last about a second: what a worker that dies had done of it is lost. */
static void learn(struct pow *p, const struct pow_chunk *c)
{
    uint64_t ns = clock_ns() - c->given_ns;
    if (ns < SECOND_NS && c->n >= p->n_chunk && p->n_chunk < POW_CHUNK_NONCES)
        p->n_chunk *= 2;
    else if (ns > 4 * SECOND_NS && p->n_chunk > 1)
        p->n_chunk /= 2;
}

/* ---- answers of workers ------------------------------------------------------------------- */

/* Once more, when its worker is there again. */
static void postpone(struct pow_chunk *c)
{
    c->ticket = NULL;
    c->pow->n_chunks_out--;
}

static void give_up(struct pow_chunk *c, const char *why)
{
    struct pow *p = c->pow;
    struct pow_job *j = c->job;
    c->ticket = NULL;
    p->n_chunks_out--;
    if (j) {
        pow_fail(p, j, POW_FAILED, 503, why);
        return;
    }
    front_say(p->front, "proof of compute: %s", why);
    pow_end_generation(p);
}

static void take_artifact(struct pow_chunk *c, size_t i, const char *text)
{
    struct pow_job *j = c->job;
    if (j && text)
        snprintf(j->texts + (c->first + i) * j->text_bytes, j->text_bytes, "%s", text);
}

static void take_artifacts(struct pow_chunk *c, const json_t *texts)
{
    struct pow *p = c->pow;
    struct pow_job *j = c->job;
    for (size_t i = 0; i < c->n; i++)
        take_artifact(c, i, json_string_value(json_array_get(texts, i)));
    if (j)
        j->n_done += c->n;
    else
        p->generation.n_done += c->n;
    if (!j)
        pow_report_keep(p, c, texts);
    drop_chunk(c);
    if (j)
        j->progress_ns = clock_ns();
    if (j && j->n_done == j->r.n)
        complete(p, j);
}

static void on_reply(void *to, const struct reply_line *line, struct str unknown, struct str body)
{
    struct pow_chunk *c = to;
    struct pow *p = c->pow;
    (void)unknown;
    json_t *root = json_loadb(body.ptr, body.len, 0, NULL);
    if (line->status == 200 && json_array_size(root) == c->n) {
        learn(p, c);
        take_artifacts(c, root);
    } else {
        const json_t *error = json_object_get(root, "error");
        const char *message = json_string_value(json_object_get(error, "message"));
        give_up(c, message ? message : "the model's process answered with something else");
    }
    json_decref(root);
    pow_pump(p);
}

static void on_fail(void *to, const struct api_error *e)
{
    struct pow_chunk *c = to;
    if (++c->n_tries < POW_CHUNK_TRIES)
        postpone(c);
    else
        give_up(c, e->message);
}

static const struct sink chunk_sink = {.reply = on_reply, .fail = on_fail};

/* ---- chunks ------------------------------------------------------------------------------- */

static void write_call(const struct pow_chunk *c, const struct api_pow *r, struct buf *out)
{
    struct writer w;
    write_begin(&w, out);
    write_open(&w, '{');
    write_key_text(&w, "block_hash", r->block_hash);
    write_key_text(&w, "public_key", r->public_key);
    write_key_int(&w, "seq_len", r->seq_len);
    write_key_int(&w, "k_dim", r->k_dim);
    write_key_word(&w, "stronger", r->stronger ? "true" : "false");
    write_key_text(&w, "order",
                   c->pow->front->options.poc_by_score ? STR("score") : STR("index"));
    write_key(&w, "nonces");
    write_open(&w, '[');
    for (size_t i = 0; i < c->n; i++)
        write_int(&w, (int64_t)c->nonces[i]);
    write_close(&w, ']');
    write_close(&w, '}');
}

/* Whether the model answers; one that comes on demand is woken. */
static bool is_ready(struct process *p)
{
    struct api_error e;
    if (p->state == PROCESS_UNLOADED)
        models_wake(p, &e);
    return p->state == PROCESS_READY;
}

static void give_out(struct pow_chunk *c)
{
    struct pow *p = c->pow;
    const struct api_pow *r = c->job ? &c->job->r : &p->generation.r;
    struct process *process = c->job ? c->job->process : p->generation.process;
    struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    write_call(c, r, &body);
    CHECK(!body.failed);
    c->ticket = ticket_open_behind(p->front, c->job ? c->job->key : p->generation.key, process,
                                   STR(NONCES_PATH), (struct str){body.bytes, body.n_bytes},
                                   &chunk_sink, c);
    p->n_chunks_out += c->ticket != NULL;
    c->given_ns = clock_ns();
    buf_release(&body);
}

static struct pow_chunk *new_chunk(struct pow *p, struct pow_job *j)
{
    struct pow_chunk *c = mem_zalloc(sizeof *c);
    CHECK(c);
    c->pow = p;
    c->job = j;
    c->next = p->chunks;
    c->link = &p->chunks;
    if (c->next)
        c->next->link = &c->next;
    p->chunks = c;
    return c;
}

static struct pow_chunk *cut_job(struct pow *p, struct pow_job *j)
{
    struct pow_chunk *c = new_chunk(p, j);
    size_t n_left = j->r.n - j->n_given;
    c->first = j->n_given;
    c->n = n_left < p->n_chunk ? n_left : p->n_chunk;
    memcpy(c->nonces, j->r.nonces + c->first, c->n * sizeof c->nonces[0]);
    j->n_given += c->n;
    j->state = POW_RUNNING;
    return c;
}

static struct pow_chunk *cut_generation(struct pow *p)
{
    struct pow_chunk *c = new_chunk(p, NULL);
    for (; c->n < p->n_chunk; c->n++)
        c->nonces[c->n] = nonce_walk_next(&p->generation.walk);
    return c;
}

/* What is given out next: what came back, then jobs in order, then the generation. NULL: nothing
 * can be. */
static struct pow_chunk *next_chunk(struct pow *p)
{
    struct pow_chunk *again = NULL;
    for (struct pow_chunk *c = p->chunks; c; c = c->next)
        if (!c->ticket && is_ready(c->job ? c->job->process : p->generation.process))
            again = c; /* the oldest is the last */
    if (again)
        return again;
    for (struct pow_job *j = p->jobs; j; j = j->next)
        if (!pow_job_has_ended(j) && j->n_given < j->r.n && is_ready(j->process))
            return cut_job(p, j);
    return p->generation.active && is_ready(p->generation.process) ? cut_generation(p) : NULL;
}

void pow_pump(struct pow *p)
{
    struct pow_chunk *c;
    while (p->n_chunks_out < POW_CHUNKS && !p->front->draining && (c = next_chunk(p))) {
        give_out(c);
        if (!c->ticket)
            return; /* no memory; the next tick tries again */
    }
}

void pow_add(struct pow *p, struct pow_job *j)
{
    struct pow_job **at = &p->jobs;
    while (*at)
        at = &(*at)->next;
    *at = j;
    p->n_nonces_queued += j->r.n;
    j->progress_ns = clock_ns();
    if (j->r.n == 0)
        complete(p, j);
}

void pow_begin_generation(struct pow *p)
{
    p->generation.active = true;
    p->generation.begun_ns = clock_ns();
    p->generation.sent_ns = p->generation.begun_ns;
    p->generation.n_done = 0;
    p->generation.epoch++;
    front_say(p->front, "proof of compute: generating, node %lld of %lld",
              (long long)p->generation.r.node_id, (long long)p->generation.r.node_count);
}

/* ---- time --------------------------------------------------------------------------------- */

/* Ended jobs are forgotten in time, the oldest earlier where there are too many. */
static void forget_jobs(struct pow *p, uint64_t now_ns)
{
    size_t n_kept = 0;
    for (struct pow_job *j = p->jobs; j; j = j->next)
        n_kept += pow_job_has_ended(j) ? j->r.n : 0;
    for (struct pow_job **link = &p->jobs; *link;) {
        struct pow_job *j = *link;
        bool is_old = pow_job_has_ended(j) && now_ns - j->ended_ns > POW_RESULT_S * SECOND_NS;
        if (!is_old && !(pow_job_has_ended(j) && n_kept > POW_KEPT_NONCES_MAX)) {
            link = &j->next;
            continue;
        }
        n_kept -= j->r.n;
        *link = j->next;
        pow_job_release(j);
    }
}

void pow_tick(struct front *f)
{
    struct pow *p = f->pow;
    uint64_t now_ns = clock_ns();
    if (!p)
        return;
    for (struct pow_job *j = p->jobs; j; j = j->next) {
        if (pow_job_has_ended(j))
            continue;
        if (f->draining)
            pow_fail(p, j, POW_CANCELLED, 503, "the server is shutting down");
        else if (j->x && now_ns - j->progress_ns > POW_WAIT_S_MAX * SECOND_NS)
            pow_fail(p, j, POW_FAILED, 503, "Timeout: the model has no time for nonces");
    }
    if (f->draining)
        pow_end_generation(p);
    forget_jobs(p, now_ns);
    pow_report_tick(p, now_ns);
    pow_pump(p);
}

enum err pow_open(struct front *f, struct err_note *note)
{
    if (!f->options.poc)
        return ERR_OK;
    f->pow = mem_zalloc(sizeof *f->pow);
    if (!f->pow)
        return err_set(note, ERR_MEMORY, "out of memory for proof of compute");
    f->pow->front = f;
    f->pow->n_chunk = 1;
    if (f->options.poc_signer) {
        enum err rc = signer_new(f->options.poc_signer, &f->pow->signer, note);
        if (rc)
            return rc;
    }
    return pow_sender_open(&f->options.poc_callbacks, &f->pow->sender, note);
}

void pow_close(struct front *f)
{
    struct pow *p = f->pow;
    if (!p)
        return;
    size_t n_unsent = pow_sender_close(p->sender);
    if (n_unsent)
        front_say(f, "proof of compute: %zu deliveries were not made", n_unsent);
    pow_report_drop(&p->generation);
    signer_free(p->signer);
    for (struct pow_chunk *c = p->chunks, *next; c; c = next) {
        next = c->next;
        mem_free(c);
    }
    for (struct pow_job *j = p->jobs, *next; j; j = next) {
        next = j->next;
        pow_job_release(j);
    }
    api_pow_release(&p->generation.r);
    mem_free(p);
    f->pow = NULL;
}
