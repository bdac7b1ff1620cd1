/* embeddings.c - a worker's calls for vectors and scores of texts.
 *
 * An encoder's worker has a thread that packs the texts of all calls into passes (vectors.h). A
 * worker whose model generates reads each text as an answer of no tokens, beside the answers that
 * run, and takes the row that the first token would be made of. */
#include <inttypes.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/mem.h"
#include "proof/receipt_vectors.h"
#include "server/texts.h"
#include "server/worker_int.h"

enum { REPLY_BYTES_MAX = 1 << 30, PATH_BYTES_MAX = 64 };

/* A call: what is asked, its texts as tokens, their vectors. For a cross-encoder the texts are
 * pairs, and the vectors scores. */
struct embedding {
    struct worker *worker;
    struct embedding *next, **link;
    uint64_t id, tenant;
    char path[PATH_BYTES_MAX], answer_id[40];
    int64_t created_s;
    bool gone, is_late;
    struct verification *again; /* who wants the vectors instead of a client, or NULL */
    struct texts_model model;
    struct texts texts;
    float *vectors; /* [n_items, n_dims] */
    struct receipt_ask receipt;
    uint64_t until_ns; /* with again */
    struct vector_job job;
    /* With a model that generates: one answer for each text, some at a time. */
    struct answer *answers; /* [n_items] */
    size_t n_begun, n_ended;
    enum iso_err err;
    struct iso_note note;
};

static void release(struct embedding *c)
{
    if (c->link) {
        *c->link = c->next;
        if (c->next)
            c->next->link = c->link;
    }
    texts_release(&c->texts);
    mem_free(c->receipt.request);
    mem_free(c->vectors);
    mem_free(c->answers);
    mem_free(c);
}

/* ---- the answer --------------------------------------------------------------------------- */

static void say_usage(const struct embedding *c, enum call_state state)
{
    uint32_t n_tokens = (uint32_t)c->texts.n_tokens;
    struct call_usage u = {state, n_tokens, n_tokens, 0, 0};
    frames_send(c->worker->frames, FRAME_USAGE, c->id, STR(""), (struct str){(char *)&u, sizeof u});
}

/* What a receipt says of the vectors. */
static void fill_receipt(const struct embedding *c, const struct salt *salt,
                         struct receipt_vectors *r)
{
    const struct worker *w = c->worker;
    r->n_tokens = c->texts.n_tokens;
    r->n_vectors = c->texts.n_items;
    r->n_values = c->model.n_dims;
    r->is_normalized = !w->ranks;
    r->pooling = str_from(iso_pooling_text(w->pooling));
    r->root = texts_commit(&c->texts, salt, c->vectors, c->model.n_dims);
}

/* Of the vectors as the model made them, whatever the answer shows of them. */
static bool send_receipt(const struct embedding *c, struct api_error *e)
{
    const struct worker *w = c->worker;
    struct receipt_vectors r = {.interface = str_from(c->path)};
    struct bundle b = {.request = {c->receipt.request, c->receipt.n_request}};
    struct err_note note = {""};
    struct buf body, bundle;
    char device[RECEIPT_DEVICE_BYTES];
    salt_make(&b.salt);
    b.has[BUNDLE_REQUEST] = b.has[BUNDLE_SALT] = true;
    fill_receipt(c, &b.salt, &r);
    r.of.request = commitment_of(&b.salt, SALT_REQUEST, 0, b.request.ptr, b.request.len);
    buf_init(&body, CANON_BYTES_MAX);
    buf_init(&bundle, CANON_BYTES_MAX);
    enum err rc = receipt_fill(w, &c->receipt, false, device, &r.of, &note);
    r.of.model.template = (struct merkle_hash){{0}}; /* it has no say in vectors */
    if (!rc) {
        receipt_vectors_write(&r, &body);
        bundle_write(&b, &bundle);
    }
    return receipt_send(c->worker, c->id, 0, &body, &bundle, rc, &note, e);
}

static void reply(const struct embedding *c, const struct buf *out)
{
    const struct reply_line line = {.status = 200,
                                    .n_receipts = c->receipt.wanted,
                                    .n_unknown = (uint32_t)c->texts.api.unknown.n_bytes};
    struct str body = {out->bytes, out->n_bytes};
    struct buf with_receipts;
    buf_init(&with_receipts, REPLY_BYTES_MAX);
    if (c->texts.api.receipt)
        body = receipts_place(out, &with_receipts);
    worker_reply_line(c->worker, c->id, &line, c->texts.api.unknown.bytes, body);
    buf_release(&with_receipts);
}

static void send_answer(struct embedding *c)
{
    const struct embed_head head = {.id = c->answer_id,
                                    .created_s = c->created_s,
                                    .model = str_from(c->worker->options.name),
                                    .n_tokens = c->texts.n_tokens};
    struct api_error e;
    struct buf out;
    buf_init(&out, REPLY_BYTES_MAX);
    say_usage(c, CALL_ANSWER);
    if (c->receipt.wanted && !send_receipt(c, &e)) {
        worker_fail(c->worker, c->id, str_from(c->path), &e);
        return;
    }
    texts_reply(&c->texts, &c->model, &head, c->vectors, &out);
    if (out.failed) {
        api_fail(&e, 500, NULL, "out of memory for the answer");
        worker_fail(c->worker, c->id, str_from(c->path), &e);
    } else {
        reply(c, &out);
    }
    buf_release(&out);
}

static void end(struct embedding *c)
{
    if (c->again) {
        struct receipt_vectors now = {.n_vectors = 0};
        bool made = !c->gone && !c->err && !c->is_late;
        if (made)
            fill_receipt(c, verification_salt(c->again), &now);
        verification_made(c->again, made ? &now : NULL, c->gone, c->err ? c->note.text : NULL);
    } else if (!c->gone && c->err) {
        struct api_error e;
        api_fail(&e, c->err == ISO_ERR_BUSY ? 429 : 500, NULL, "%s", c->note.text);
        worker_fail(c->worker, c->id, str_from(c->path), &e);
    } else if (!c->gone) {
        send_answer(c);
    }
    release(c);
}

/* ---- running ------------------------------------------------------------------------------ */

static void submit_next(struct embedding *c)
{
    size_t i = c->n_begun++;
    struct answer *a = &c->answers[i];
    a->owner = c;
    a->hidden = c->vectors + i * c->model.n_dims;
    a->request = iso_request_default();
    a->request.tokens = c->texts.items[i].tokens;
    a->request.n_tokens = c->texts.items[i].n_tokens;
    a->request.n_answer_max = 0;
    a->request.want_hidden = true;
    a->request.tenant = c->tenant;
    a->request.priority = c->again ? -1 : 0;
    a->request.no_cache = c->again != NULL;
    if (c->again) {
        uint64_t now_ns = clock_ns();
        a->request.deadline_ms =
            now_ns < c->until_ns ? (uint32_t)((c->until_ns - now_ns) / 1000000) + 1 : 1;
    }
    answers_submit(c->worker->answers, a);
}

static void submit(struct embedding *c)
{
    struct worker *w = c->worker;
    if (w->vectors) {
        c->job.texts = c->texts.items;
        c->job.n_texts = c->texts.n_items;
        c->job.until_ns = c->until_ns;
        c->job.out = c->vectors;
        c->job.owner = c;
        vectors_submit(w->vectors, &c->job);
        return;
    }
    for (size_t i = 0; i < c->texts.n_items && i < w->n_running; i++)
        submit_next(c);
}

void embedding_take(const struct news *news)
{
    struct embedding *c = news->answer->owner;
    if (news->kind != NEWS_FINISH)
        return;
    size_t i = (size_t)(news->answer - c->answers);
    c->n_ended++;
    if (news->finish == ISO_FINISH_ERROR && !c->err) {
        c->err = news->err;
        c->note = *news->note;
    }
    c->is_late |= news->finish == ISO_FINISH_DEADLINE;
    mem_free(news->note);
    iso_normalize(c->vectors + i * c->model.n_dims, c->model.n_dims);
    if (c->n_begun < c->texts.n_items && !c->gone && !c->err && !c->is_late)
        submit_next(c);
    if (c->n_ended == c->n_begun)
        end(c);
}

void embeddings_done(struct worker *w)
{
    for (struct vector_job *job; (job = vectors_done(w->vectors));) {
        struct embedding *c = job->owner;
        c->err = job->err;
        c->note = job->note;
        c->is_late = job->is_late;
        end(c);
    }
}

bool embedding_cancel(struct worker *w, uint64_t id)
{
    for (struct embedding *c = w->embeddings; c; c = c->next) {
        if (c->id != id || c->gone)
            continue;
        c->gone = true;
        atomic_store(&c->job.leave, true);
        for (size_t i = 0; c->answers && i < c->n_begun; i++)
            atomic_store(&c->answers[i].leave, ISO_FINISH_CANCELLED);
        frames_send(w->frames, FRAME_END, id, STR(""), STR(""));
        return true;
    }
    return false;
}

void embeddings_release(struct worker *w)
{
    while (w->embeddings)
        release(w->embeddings);
}

/* ---- a body in ---------------------------------------------------------------------------- */

static struct texts_model model_of(const struct worker *w)
{
    return (struct texts_model){.speech = &w->speech,
                                .name = w->options.name,
                                .n_ctx = w->info.n_ctx,
                                .n_vocab = w->info.n_vocab,
                                .n_dims = w->n_dims,
                                .ranks = w->ranks,
                                .knows_pairs = w->knows_pairs};
}

static bool prepare(struct embedding *c, struct api_error *e)
{
    if (!texts_read(&c->texts, &c->model, e))
        return false;
    size_t n = c->texts.n_items;
    bool generates = !c->worker->vectors;
    c->vectors = mem_array(n * c->model.n_dims, sizeof *c->vectors);
    c->answers = generates ? mem_array(n, sizeof *c->answers) : NULL;
    return (c->vectors && (c->answers || !generates)) ||
           api_fail(e, 500, NULL, "out of memory for %zu texts", n);
}

static void go(struct embedding *c)
{
    struct worker *w = c->worker;
    c->next = w->embeddings;
    c->link = &w->embeddings;
    if (c->next)
        c->next->link = &c->next;
    w->embeddings = c;
    submit(c);
}

void embedding_begin(struct worker *w, uint64_t id, const struct call_head *head,
                     enum embed_kind kind, struct str path, struct str body)
{
    struct api_error e = {0};
    struct embedding *c = mem_zalloc(sizeof *c);
    CHECK(c);
    c->worker = w;
    c->id = id;
    c->tenant = head->tenant;
    c->created_s = (int64_t)time(NULL);
    c->model = model_of(w);
    snprintf(c->path, sizeof c->path, "%.*s", STR_ARG(path));
    snprintf(c->answer_id, sizeof c->answer_id, "%s-%016" PRIx64,
             kind == EMBED_RERANK ? "rerank" : "score", entropy_u64());
    if (!texts_parse(&c->texts, &c->model, kind, body, &e) ||
        !receipt_begin(w, &c->receipt, (enum receipts_mode)head->receipts,
                       c->texts.api.receipt, body, &e) ||
        !prepare(c, &e)) {
        worker_fail(w, id, path, &e);
        release(c);
        return;
    }
    go(c);
}

bool embedding_again(struct worker *w, uint64_t id, enum embed_kind kind, struct str body,
                     struct verification *again, uint64_t until_ns, struct api_error *e)
{
    struct embedding *c = mem_zalloc(sizeof *c);
    CHECK(c);
    c->worker = w;
    c->id = id;
    c->again = again;
    c->until_ns = until_ns;
    c->model = model_of(w);
    if (!texts_parse(&c->texts, &c->model, kind, body, e) || !prepare(c, e)) {
        release(c);
        return false;
    }
    say_usage(c, CALL_PROMPT);
    go(c);
    return true;
}
