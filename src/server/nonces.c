/* nonces.c - a worker's calls for artifacts of proof of compute, version 2.
 *
 * A call has some nonces. Each is made, a part at a time so that the loop goes on telling clients
 * their tokens, then read by the engine in the gaps of serving as a request of rows, and its last
 * row becomes an artifact. NONCES_FLIGHTS_MAX of them are on their way at most, and no more than a
 * quarter of the cache's pages and FLIGHT_BYTES_MAX of rows hold (but always one): remembered
 * prompts of others stay. */
#include <event2/event.h>
#include <math.h>

#include "base/check.h"
#include "base/mem.h"
#include "format/table.h"
#include "poc/artifact.h"
#include "server/worker_int.h"

enum { PART_NUMBERS = 1 << 14, REPLY_BYTES_MAX = 8 << 20, FLIGHT_BYTES_MAX = 64 << 20 };

/* Nobody else is this tenant: keys' are counted up from 1. */
#define NONCES_TENANT UINT64_MAX

/* A nonce on its way: rows being made, then with the engine. */
struct flight {
    struct answer answer; /* owner: the call; NULL: this place is free */
    size_t i;             /* of the call's nonces */
    float *rows;          /* [n_rows, width] */
    uint32_t n_made, n_parts;
    bool flies;
};

struct nonces_call {
    struct nonces_call *next;
    uint64_t id;
    bool gone;
    json_t *root; /* owns the texts of key */
    struct artifact_key key;
    uint32_t n_rows, k;
    bool stronger;
    enum artifact_order order;
    const json_t *nonces;
    size_t n, n_begun, n_ended;
    float *mirrors; /* [layers, width] */
    char (*texts)[ARTIFACT_TEXT_MAX]; /* [n] "": not finite */
    char failed[200]; /* why; "": it has not */
};

struct nonces {
    struct worker *worker;
    struct nonces_call *first, **last;
    struct flight flights[NONCES_FLIGHTS_MAX];
    struct event *more;
    enum dtype dtype; /* that numbers are rounded to */
};

static const struct timeval at_once = {0};

static void release(struct nonces_call *c)
{
    mem_free(c->mirrors);
    mem_free(c->texts);
    json_decref(c->root);
    mem_free(c);
}

/* ---- the answer --------------------------------------------------------------------------- */

static void reply(struct nonces *q, struct nonces_call *c)
{
    struct worker *w = q->worker;
    struct buf out;
    struct writer j;
    if (c->gone) {
        frames_send(w->frames, FRAME_END, c->id, STR(""), STR(""));
        return;
    }
    if (c->failed[0]) {
        struct api_error e;
        api_fail(&e, 500, NULL, "%s", c->failed);
        worker_fail(w, c->id, STR(NONCES_PATH), &e);
        return;
    }
    buf_init(&out, REPLY_BYTES_MAX);
    write_begin(&j, &out);
    write_open(&j, '[');
    for (size_t i = 0; i < c->n; i++) {
        if (c->texts[i][0])
            write_text(&j, str_from(c->texts[i]));
        else
            write_word(&j, "null");
    }
    write_close(&j, ']');
    CHECK(!out.failed);
    worker_reply(w, c->id, 200, STR(""), (struct str){out.bytes, out.n_bytes});
    buf_release(&out);
}

/* Calls that have ended leave the line, in whatever order they do. */
static void sweep(struct nonces *q)
{
    for (struct nonces_call **link = &q->first; *link;) {
        struct nonces_call *c = *link;
        size_t n_wanted = c->gone || c->failed[0] ? c->n_begun : c->n;
        if (c->n_ended < n_wanted) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        reply(q, c);
        release(c);
    }
    q->last = &q->first;
    while (*q->last)
        q->last = &(*q->last)->next;
}

/* ---- flights ------------------------------------------------------------------------------ */

static size_t flights_max(const struct nonces *q, uint32_t n_rows)
{
    const struct iso_engine_info *info = &q->worker->info;
    uint32_t n_pages = (n_rows + ISO_PAGE_POSITIONS - 1) / ISO_PAGE_POSITIONS;
    size_t n = info->n_kv_pages / 4 / n_pages;
    size_t n_by_bytes = FLIGHT_BYTES_MAX / ((size_t)n_rows * info->n_embd * sizeof(float));
    if (n > n_by_bytes)
        n = n_by_bytes;
    return n < 1 ? 1 : n < NONCES_FLIGHTS_MAX ? n : NONCES_FLIGHTS_MAX;
}

/* The next nonce that is begun takes a free place. NULL: none is free, or none is left. */
static struct flight *begin_flight(struct nonces *q)
{
    struct nonces_call *c = q->first;
    struct flight *place = NULL;
    size_t n_used = 0;
    while (c && (c->gone || c->failed[0] || c->n_begun == c->n))
        c = c->next;
    for (size_t i = 0; i < NONCES_FLIGHTS_MAX; i++) {
        n_used += q->flights[i].answer.owner != NULL;
        if (!q->flights[i].answer.owner)
            place = &q->flights[i];
    }
    if (!c || !place || n_used >= flights_max(q, c->n_rows))
        return NULL;
    size_t n = (size_t)c->n_rows * q->worker->info.n_embd;
    *place = (struct flight){.i = c->n_begun,
                             .rows = mem_array(n, sizeof(float)),
                             .n_parts = (uint32_t)(n / PART_NUMBERS + 1)};
    place->answer.owner = c;
    place->answer.hidden = mem_array(q->worker->info.n_embd, sizeof(float));
    if (!place->rows || !place->answer.hidden)
        snprintf(c->failed, sizeof c->failed, "out of memory for a nonce of %u rows", c->n_rows);
    c->n_begun++;
    return place;
}

static void end_flight(struct flight *f)
{
    mem_free(f->rows);
    mem_free(f->answer.hidden);
    *f = (struct flight){.i = 0};
}

static uint64_t nonce_of(const struct nonces_call *c, size_t i)
{
    return (uint64_t)json_integer_value(json_array_get(c->nonces, i));
}

static void make_part(struct nonces *q, struct flight *f)
{
    struct nonces_call *c = f->answer.owner;
    size_t n = (size_t)c->n_rows * q->worker->info.n_embd;
    artifact_inputs(&c->key, nonce_of(c, f->i), c->stronger, q->dtype, f->n_made++, f->n_parts, n,
                    f->rows);
    if (f->n_made < f->n_parts)
        return;
    struct iso_request *r = &f->answer.request;
    *r = iso_request_default();
    r->rows = f->rows;
    r->mirrors = c->mirrors;
    r->n_tokens = c->n_rows;
    r->n_answer_max = 0;
    r->want_hidden = r->no_cache = r->in_gaps = true;
    r->tenant = NONCES_TENANT;
    f->flies = true;
    answers_submit(q->worker->answers, &f->answer);
}

/* One part of one nonce, then whatever else the loop has to do. */
static void on_more(int fd, short what, void *context)
{
    (void)fd, (void)what;
    struct nonces *q = context;
    struct flight *f = NULL;
    for (size_t i = 0; i < NONCES_FLIGHTS_MAX && !f; i++)
        if (q->flights[i].answer.owner && !q->flights[i].flies)
            f = &q->flights[i];
    if (!f)
        f = begin_flight(q);
    if (!f)
        return;
    struct nonces_call *c = f->answer.owner;
    if (c->gone || c->failed[0]) {
        c->n_ended++;
        end_flight(f);
        sweep(q);
    } else {
        make_part(q, f);
    }
    evtimer_add(q->more, &at_once);
}

bool nonces_take(struct worker *w, const struct news *news)
{
    struct nonces *q = w->nonces;
    struct flight *f = (struct flight *)news->answer;
    if (!q || f < q->flights || f >= q->flights + NONCES_FLIGHTS_MAX)
        return false;
    if (news->kind != NEWS_FINISH)
        return true;
    if (news->err == ISO_ERR_BUSY) { /* clients have taken every place: once more, later */
        static const struct timeval later = {.tv_usec = 100000};
        mem_free(news->note);
        f->flies = false;
        f->n_made--;
        evtimer_add(q->more, &later);
        return true;
    }
    struct nonces_call *c = f->answer.owner;
    uint16_t halves[ARTIFACT_DIMS_MAX];
    bool damaged = news->err == ISO_ERR_NUMERIC; /* the nonce's own doing: it has no artifact */
    if (news->err && !damaged && !c->failed[0])
        snprintf(c->failed, sizeof c->failed, "nonce %llu: %.150s",
                 (unsigned long long)nonce_of(c, f->i), news->note->text);
    mem_free(news->note);
    if (news->finish == ISO_FINISH_LENGTH &&
        artifact_make(&c->key, nonce_of(c, f->i), f->answer.hidden, w->info.n_embd, c->k, c->order,
                      halves))
        artifact_write(halves, c->k, c->texts[f->i]);
    c->n_ended++;
    end_flight(f);
    sweep(q);
    evtimer_add(q->more, &at_once);
    return true;
}

/* ---- calls -------------------------------------------------------------------------------- */

static enum dtype dtype_of_model(const struct worker *w)
{
    const struct tensor_view *v = table_tensor(&w->speech.table, "token_embd.weight");
    return v && v->dtype == DTYPE_BF16 ? DTYPE_BF16 : DTYPE_F16;
}

static struct nonces *open_nonces(struct worker *w)
{
    if (w->nonces)
        return w->nonces;
    struct nonces *q = mem_zalloc(sizeof *q);
    CHECK(q);
    q->worker = w;
    q->last = &q->first;
    q->dtype = dtype_of_model(w);
    q->more = evtimer_new(w->loop, on_more, q);
    CHECK(q->more);
    w->nonces = q;
    return q;
}

/* The body is the front's own, which has looked at what clients sent. */
static bool read_call(struct nonces_call *c, struct str body, struct api_error *e)
{
    const char *order;
    int stronger;
    c->root = api_parse(body, e);
    if (!c->root)
        return false;
    if (json_unpack(c->root, "{s:s,s:s,s:i,s:i,s:b,s:s,s:o}", "block_hash", &c->key.block_hash,
                    "public_key", &c->key.public_key, "seq_len", &c->n_rows, "k_dim", &c->k,
                    "stronger", &stronger, "order", &order, "nonces", &c->nonces) != 0)
        return api_fail(e, 400, NULL, "not what the front sends");
    c->stronger = stronger;
    c->order = strcmp(order, "score") == 0 ? ARTIFACT_ORDER_SCORE : ARTIFACT_ORDER_INDEX;
    c->n = json_array_size(c->nonces);
    return true;
}

static bool check_call(const struct worker *w, const struct nonces_call *c, struct api_error *e)
{
    if (w->embedder)
        return api_fail(e, 409, "params.model", "%s generates no text", w->options.name);
    if (!w->options.poc)
        return api_fail(e, 404, NULL, "this worker was started without --poc");
    if (c->n_rows < 1 || c->n_rows > w->info.n_ctx)
        return api_fail(e, 400, "params.seq_len", "params.seq_len is %u; %s has a context of %u",
                        c->n_rows, w->options.name, w->info.n_ctx);
    if (c->k < 1 || c->k > w->info.n_embd || c->k > ARTIFACT_DIMS_MAX)
        return api_fail(e, 400, "params.k_dim", "params.k_dim is %u; it is 1 to %d, and %s has %u",
                        c->k, ARTIFACT_DIMS_MAX, w->options.name, w->info.n_embd);
    return true;
}

void nonces_begin(struct worker *w, uint64_t id, struct str body)
{
    struct api_error e = {0};
    struct nonces_call *c = mem_zalloc(sizeof *c);
    CHECK(c);
    c->id = id;
    if (!read_call(c, body, &e) || !check_call(w, c, &e)) {
        worker_fail(w, id, STR(NONCES_PATH), &e);
        release(c);
        return;
    }
    struct nonces *q = open_nonces(w);
    size_t width = w->info.n_embd;
    c->mirrors = mem_array(w->info.n_layers * width, sizeof *c->mirrors);
    c->texts = mem_zalloc((c->n + 1) * sizeof *c->texts);
    CHECK(c->mirrors && c->texts);
    for (uint32_t i = 0; i < w->info.n_layers; i++)
        artifact_mirror(c->key.block_hash, i, q->dtype, w->info.n_embd, c->mirrors + i * width);
    *q->last = c;
    q->last = &c->next;
    sweep(q); /* it may have no nonces */
    evtimer_add(q->more, &at_once);
}

bool nonces_cancel(struct worker *w, uint64_t id)
{
    struct nonces *q = w->nonces;
    struct nonces_call *c = q ? q->first : NULL;
    while (c && c->id != id)
        c = c->next;
    if (!c)
        return false;
    c->gone = true;
    for (size_t i = 0; i < NONCES_FLIGHTS_MAX; i++)
        if (q->flights[i].answer.owner == c)
            atomic_store(&q->flights[i].answer.leave, ISO_FINISH_CANCELLED);
    sweep(q);
    return true;
}

void nonces_release(struct worker *w)
{
    struct nonces *q = w->nonces;
    if (!q)
        return;
    for (size_t i = 0; i < NONCES_FLIGHTS_MAX; i++)
        end_flight(&q->flights[i]);
    while (q->first) {
        struct nonces_call *c = q->first;
        q->first = c->next;
        release(c);
    }
    event_free(q->more);
    mem_free(q);
}
