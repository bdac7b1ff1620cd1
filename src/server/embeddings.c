/* embeddings.c - a worker's calls for vectors and scores of texts.
 *
 * An encoder's worker has a thread that packs the texts of all calls into passes (vectors.h). A
 * worker whose model generates reads each text as an answer of no tokens, beside the answers that
 * run, and takes the row that the first token would be made of. */
#include <math.h>

#include <inttypes.h>
#include <time.h>

#include "base/check.h"
#include "base/entropy.h"
#include "base/mem.h"
#include "proof/receipt_vectors.h"
#include "server/prompt.h"
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
    bool gone;
    struct api_embed api;
    struct token_list *lists; /* [n_texts] */
    struct iso_text *texts;   /* [n_texts] */
    size_t n_texts;
    uint32_t n_dims;
    float *vectors; /* [n_texts, n_dims] */
    struct receipt_ask receipt;
    struct vector_job job;
    /* With a model that generates: one answer for each text, some at a time. */
    struct answer *answers; /* [n_texts] */
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
    for (size_t i = 0; c->lists && i < c->n_texts; i++)
        token_list_release(&c->lists[i]);
    api_embed_release(&c->api);
    mem_free(c->receipt.request);
    mem_free(c->lists);
    mem_free(c->texts);
    mem_free(c->vectors);
    mem_free(c->answers);
    mem_free(c);
}

/* ---- the answer --------------------------------------------------------------------------- */

static void say_usage(const struct embedding *c, uint32_t n_tokens)
{
    struct call_usage u = {CALL_ANSWER, n_tokens, n_tokens, 0, 0};
    frames_send(c->worker->frames, FRAME_USAGE, c->id, STR(""), (struct str){(char *)&u, sizeof u});
}

/* A pair's score: the cosine of its vectors, or of a cross-encoder the probability that its head's
 * one label means. */
static float *make_scores(const struct embedding *c)
{
    float *scores = mem_array(c->api.n_pairs, sizeof *scores);
    bool ranks = c->worker->ranks;
    CHECK(scores);
    for (size_t i = 0; i < c->api.n_pairs; i++) {
        size_t left, right;
        api_embed_pair(&c->api, i, &left, &right);
        scores[i] = ranks ? iso_probability(c->vectors[i])
                          : iso_cosine(c->vectors + left * c->n_dims,
                                       c->vectors + right * c->n_dims, c->n_dims);
    }
    return scores;
}

/* The first dimensions of each vector, close together, their length 1 again. */
static uint32_t cut_vectors(struct embedding *c)
{
    uint32_t n = c->api.n_dims;
    if (n == 0 || n == c->n_dims)
        return c->n_dims;
    for (size_t i = 0; i < c->n_texts; i++) {
        memmove(c->vectors + i * n, c->vectors + i * c->n_dims, n * sizeof *c->vectors);
        iso_normalize(c->vectors + i * n, n);
    }
    return n;
}

/* Of the vectors as the model made them, whatever the answer shows of them. */
static bool send_receipt(const struct embedding *c, uint64_t n_tokens, struct api_error *e)
{
    const struct worker *w = c->worker;
    struct receipt_vectors r = {.n_tokens = n_tokens,
                                .n_vectors = c->n_texts,
                                .n_values = c->n_dims,
                                .is_normalized = !w->ranks,
                                .pooling = str_from(iso_pooling_text(w->pooling)),
                                .interface = str_from(c->path)};
    struct bundle b = {.request = {c->receipt.request, c->receipt.n_request}};
    struct merkle tree = {0};
    struct err_note note = {""};
    struct buf body, bundle;
    char device[RECEIPT_DEVICE_BYTES];
    salt_make(&b.salt);
    b.has[BUNDLE_REQUEST] = b.has[BUNDLE_SALT] = true;
    for (size_t i = 0; i < c->n_texts; i++) {
        const struct iso_text *t = &c->texts[i];
        const struct vector_record record = {(const uint32_t *)t->tokens, t->n_tokens, t->n_first,
                                             c->vectors + i * c->n_dims, c->n_dims};
        struct merkle_hash leaf = commitment_vector(&b.salt, i, &record);
        merkle_add(&tree, &leaf);
    }
    r.root = merkle_root(&tree);
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
                                    .n_unknown = (uint32_t)c->api.unknown.n_bytes};
    struct str body = {out->bytes, out->n_bytes};
    struct buf with_receipts;
    buf_init(&with_receipts, REPLY_BYTES_MAX);
    if (c->api.receipt)
        body = receipts_place(out, &with_receipts);
    worker_reply_line(c->worker, c->id, &line, c->api.unknown.bytes, body);
    buf_release(&with_receipts);
}

static void send_answer(struct embedding *c)
{
    struct embed_head head = {
        .id = c->answer_id, .created_s = c->created_s, .model = str_from(c->worker->options.name)};
    struct api_error e;
    struct buf out;
    buf_init(&out, REPLY_BYTES_MAX);
    for (size_t i = 0; i < c->n_texts; i++)
        head.n_tokens += c->texts[i].n_tokens;
    say_usage(c, (uint32_t)head.n_tokens);
    if (c->receipt.wanted && !send_receipt(c, head.n_tokens, &e)) {
        worker_fail(c->worker, c->id, str_from(c->path), &e);
        return;
    }
    if (c->api.kind == EMBED_VECTORS) {
        uint32_t n_dims = cut_vectors(c);
        reply_vectors(&out, &head, &c->api, c->vectors, n_dims);
    } else {
        float *scores = make_scores(c);
        reply_scores(&out, &head, &c->api, scores);
        mem_free(scores);
    }
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
    if (!c->gone && c->err) {
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
    a->hidden = c->vectors + i * c->n_dims;
    a->request = iso_request_default();
    a->request.tokens = c->texts[i].tokens;
    a->request.n_tokens = c->texts[i].n_tokens;
    a->request.n_answer_max = 0;
    a->request.want_hidden = true;
    a->request.tenant = c->tenant;
    answers_submit(c->worker->answers, a);
}

static void submit(struct embedding *c)
{
    struct worker *w = c->worker;
    if (w->vectors) {
        c->job.texts = c->texts;
        c->job.n_texts = c->n_texts;
        c->job.out = c->vectors;
        c->job.owner = c;
        vectors_submit(w->vectors, &c->job);
        return;
    }
    for (size_t i = 0; i < c->n_texts && i < w->n_running; i++)
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
    mem_free(news->note);
    iso_normalize(c->vectors + i * c->n_dims, c->n_dims);
    if (c->n_begun < c->n_texts && !c->gone && !c->err)
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

static bool read_input(const struct embedding *c, size_t i, struct token_list *out,
                       struct api_error *e)
{
    const struct embed_input *input = &c->api.inputs[i];
    return prompt_value(&c->worker->speech, input->value,
                        json_is_string(input->value) ? ENCODE_ADD_SPECIAL : 0u, input->field, out,
                        e);
}

/* Both texts as a cross-encoder reads them: BERT "[CLS] a [SEP] b [SEP]", the second of another
 * kind; RoBERTa, which knows one kind, "<s> a </s> </s> b </s>". */
static bool read_pair(struct embedding *c, size_t i, struct api_error *e)
{
    struct token_list *out = &c->lists[i], second = {0};
    size_t left, right;
    api_embed_pair(&c->api, i, &left, &right);
    bool ok = read_input(c, left, out, e) && read_input(c, right, &second, e);
    size_t n = out->n_ids, skip = c->worker->knows_pairs ? 1 : 0;
    if (ok && n > 0 && second.n_ids > skip) {
        int32_t *ids = mem_resize(out->ids, (n + second.n_ids) * sizeof *ids);
        CHECK(ids);
        out->ids = ids;
        out->n_ids = out->n_reserved = n + second.n_ids - skip;
        memcpy(ids + n, second.ids + skip, (second.n_ids - skip) * sizeof *ids);
        if (skip == 0)
            ids[n] = ids[n - 1]; /* in place of the second text's beginning */
    }
    c->texts[i].n_first = skip ? (uint32_t)n : 0;
    token_list_release(&second);
    return ok;
}

/* A text that is too long is an error with both numbers. */
static bool check_text(const struct embedding *c, size_t i, const char *field, struct api_error *e)
{
    const struct iso_text *text = &c->texts[i];
    uint32_t n_ctx = c->worker->info.n_ctx;
    if (text->n_tokens == 0)
        return api_fail(e, 400, field, "%s has no tokens", field);
    for (uint32_t k = 0; k < text->n_tokens; k++)
        if (text->tokens[k] < 0 || (uint32_t)text->tokens[k] >= c->worker->info.n_vocab)
            return api_fail(e, 400, field, "%s: %d is no token of this model", field,
                            text->tokens[k]);
    if (c->lists[i].n_ids <= n_ctx)
        return true;
    api_fail(e, 400, field, "%s has %zu tokens, but this model reads %u at most", field,
             c->lists[i].n_ids, n_ctx);
    e->code = "context_length_exceeded";
    return false;
}

static bool read_texts(struct embedding *c, struct api_error *e)
{
    bool pairs = c->worker->ranks;
    c->n_texts = pairs ? c->api.n_pairs : c->api.n_inputs;
    c->lists = mem_array(c->n_texts, sizeof *c->lists);
    c->texts = mem_array(c->n_texts, sizeof *c->texts);
    c->vectors = mem_array(c->n_texts * c->n_dims, sizeof *c->vectors);
    if (!c->worker->vectors)
        c->answers = mem_array(c->n_texts, sizeof *c->answers);
    if (!c->lists || !c->texts || !c->vectors || (!c->worker->vectors && !c->answers))
        return api_fail(e, 500, NULL, "out of memory for %zu texts", c->n_texts);
    for (size_t i = 0; i < c->n_texts; i++) {
        size_t left = i, right = i;
        if (pairs)
            api_embed_pair(&c->api, i, &left, &right);
        if (!(pairs ? read_pair(c, i, e) : read_input(c, i, &c->lists[i], e)))
            return false;
        c->texts[i].tokens = c->lists[i].ids;
        c->texts[i].n_tokens = (uint32_t)c->lists[i].n_ids;
        if (!check_text(c, i, c->api.inputs[right].field, e))
            return false;
    }
    return true;
}

static bool check_model(const struct embedding *c, struct api_error *e)
{
    const struct worker *w = c->worker;
    const char *name = w->options.name;
    if (w->ranks && c->api.kind == EMBED_VECTORS)
        return api_fail(e, 400, "model", "%s ranks pairs of texts and makes no vectors", name);
    if (w->ranks && c->n_dims != 1)
        return api_fail(e, 400, "model", "%s has %u labels; one is a score", name, c->n_dims);
    if (c->api.n_dims > c->n_dims)
        return api_fail(e, 400, "dimensions", "dimensions is %u; vectors of %s have %u",
                        c->api.n_dims, name, c->n_dims);
    return true;
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
    c->n_dims = w->n_dims;
    snprintf(c->path, sizeof c->path, "%.*s", STR_ARG(path));
    snprintf(c->answer_id, sizeof c->answer_id, "%s-%016" PRIx64,
             kind == EMBED_RERANK ? "rerank" : "score", entropy_u64());
    if (!api_embed_parse(kind, body, &c->api, &e) || !check_model(c, &e) ||
        !receipt_begin(w, &c->receipt, (enum receipts_mode)head->receipts, c->api.receipt, body,
                       &e) ||
        !read_texts(c, &e)) {
        worker_fail(w, id, path, &e);
        release(c);
        return;
    }
    c->next = w->embeddings;
    c->link = &w->embeddings;
    if (c->next)
        c->next->link = &c->next;
    w->embeddings = c;
    submit(c);
}
