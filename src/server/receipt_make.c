/* receipt_make.c - what a worker says of an answer for its receipt: a body and a bundle, which the
 * front signs and keeps. */
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "proof/parameters.h"
#include "server/worker_int.h"

enum { PARTS_BYTES_MAX = CANON_BYTES_MAX };

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool receipt_begin(struct worker *w, struct receipt_ask *ask, enum receipts_mode mode, bool asked,
                   struct str request, struct api_error *e)
{
    if (asked && mode == RECEIPTS_OFF)
        return api_fail(e, 400, "receipt",
                        "receipt: this server gives none (isobit serve --receipts)");
    if (mode == RECEIPTS_OFF || (mode == RECEIPTS_ASKED && !asked))
        return true;
    if (!identity_known(w->identity)) {
        e->retry_s = 5;
        return api_fail(e, 503, NULL,
                        "the model's weights are being hashed for the first time, and receipts "
                        "name that hash; try again");
    }
    ask->n_request_bytes = canon_text_bytes(request);
    if (bundle_answer_max(ask->n_request_bytes, 0, false, CANON_BYTES_MAX) == 0)
        return api_fail(e, 400, "receipt",
                        "receipt: the request is larger than the %d MiB that its bundle may have",
                        CANON_BYTES_MAX >> 20);
    ask->request = mem_strndup(request.ptr, request.len);
    if (!ask->request)
        return api_fail(e, 500, NULL, "out of memory for a receipt");
    ask->n_request = request.len;
    ask->wanted = true;
    ask->started_ms = now_ms();
    ask->begun = taken_now();
    return true;
}

/* The choice whose prompt it has: answers to one prompt share it. */
static const struct choice *prompt_holder(const struct choice *k)
{
    return &k->call->choices[k->index - k->index % k->call->api.n];
}

/* What is only read again is not made. */
static bool has_room(const struct choice *k, struct api_error *e)
{
    const struct call *c = k->call;
    const struct buf *prompt = &prompt_holder(k)->prompt_text;
    uint32_t n_prompt = k->answer.request.n_tokens, n = c->worker->info.n_ctx - n_prompt;
    n = n < k->answer.request.n_answer_max ? n : k->answer.request.n_answer_max;
    size_t n_text_bytes = c->receipt.n_request_bytes +
                          canon_text_bytes((struct str){prompt->bytes, prompt->n_bytes});
    size_t n_max = bundle_answer_max(n_text_bytes, n_prompt, c->worker->options.receipt_logits,
                                     CANON_BYTES_MAX);
    return !c->receipt.request || n <= n_max ||
           api_fail(e, 400, "max_tokens",
                    "an answer of up to %u tokens is too long for a receipt, whose bundle has at "
                    "most %d MiB; %zu is the largest max_tokens with this prompt",
                    n, CANON_BYTES_MAX >> 20, n_max);
}

bool receipt_watch(struct choice *k, struct api_error *e)
{
    if (!k->call->receipt.wanted || k->failed)
        return true;
    if (!has_room(k, e))
        return false;
    maker_init(&k->maker);
    k->answer.maker = &k->maker;
    k->answer.request.want_records = true;
    k->answer.request.want_pages = true;
    k->answer.request.want_digests = k->call->worker->options.receipt_logits;
    return true;
}

/* ---- what it was made by ------------------------------------------------------------------ */

/* The text that the answer's shape was made from, and what kind of text that is. */
static const char *constraint_text(const struct api_generate *api, struct buf *text)
{
    switch (api->shape) {
    case API_SHAPE_JSON:
        return "json_object";
    case API_SHAPE_SCHEMA:
        api_dump(api->shape_value, text);
        return "json_schema";
    case API_SHAPE_GRAMMAR:
        buf_add(text, api->shape_text.ptr, api->shape_text.len);
        return "gbnf";
    case API_SHAPE_REGEX:
        buf_add(text, api->shape_text.ptr, api->shape_text.len);
        return "regex";
    case API_SHAPE_CHOICE:
        api_dump(api->shape_value, text);
        return "choice";
    case API_SHAPE_ANY:
        break;
    }
    api_dump(api->tools, text);
    return "tools";
}

static bool write_parameters(const struct choice *k, uint32_t n_ctx, struct buf *out)
{
    const struct call *c = k->call;
    struct parameters p = {.request = k->answer.request,
                           .n_ctx = n_ctx,
                           .stop_texts = c->api.stops,
                           .n_stop_texts = c->api.n_stops,
                           .interface = str_from(c->dialect->path),
                           .has_clock = c->api.messages != NULL,
                           .clock_s = (uint64_t)c->api.clock_s};
    struct buf text;
    buf_init(&text, PARTS_BYTES_MAX);
    if (c->shape.grammar) {
        p.constraint.kind = str_from(constraint_text(&c->api, &text));
        sha256_of(text.n_bytes ? text.bytes : "", text.n_bytes, p.constraint.hash.bytes);
    }
    parameters_write(&p, out);
    bool ok = !text.failed && !out->failed;
    buf_release(&text);
    return ok;
}

enum err receipt_name_model(const struct worker *w, bool has_tools, struct receipt *r,
                            struct err_note *note)
{
    struct identity identity;
    enum err rc = identity_wait(w->identity, &identity, note);
    rc = rc ? rc : tokenizer_hash(w->speech.tokenizer, r->model.tokenizer.bytes, note);
    if (rc)
        return rc;
    memcpy(r->model.weights.bytes, identity.weights, SHA256_BYTES);
    memcpy(r->model.metadata.bytes, identity.config, SHA256_BYTES);
    if (w->speech.face.template) /* else zeros: it has none */
        memcpy(r->model.template.bytes,
               chat_template_hash(chat_face_template(&w->speech.face, has_tools)), SHA256_BYTES);
    return ERR_OK;
}

enum err receipt_fill(const struct worker *w, const struct receipt_ask *ask, bool has_tools,
                      char device[RECEIPT_DEVICE_BYTES], struct receipt *r, struct err_note *note)
{
    struct taken now = taken_now();
    snprintf(device, RECEIPT_DEVICE_BYTES, "%s, %s, %d threads", w->info.device, w->info.isa,
             w->info.n_threads);
    r->arithmetic = str_from(w->info.arithmetic);
    r->device = str_from(device);
    r->started_ms = ask->started_ms;
    r->ended_ms = now_ms();
    r->memory_bytes = now.n_bytes_peak;
    r->utilisation_permille = taken_permille(&ask->begun, &now, w->info.n_threads);
    return receipt_name_model(w, has_tools, r, note);
}

/* ---- at its end --------------------------------------------------------------------------- */

static void fill_bundle(const struct choice *k, struct bundle *b)
{
    const struct call *c = k->call;
    const struct buf *prompt = &prompt_holder(k)->prompt_text;
    b->has[BUNDLE_REQUEST] = b->has[BUNDLE_PROMPT] = b->has[BUNDLE_PROMPT_IDS] = true;
    b->request = (struct str){c->receipt.request, c->receipt.n_request};
    b->prompt = (struct str){prompt->n_bytes ? prompt->bytes : "", prompt->n_bytes};
    b->prompt_ids = (const uint32_t *)k->prompt.ids;
    b->n_prompt_ids = k->prompt.n_ids;
}

/* The body and the bundle of a choice. */
static enum err make(struct choice *k, struct buf *body, struct buf *bundle, struct err_note *note)
{
    const struct call *c = k->call;
    struct bundle b = {.has = {false}};
    struct buf parameters;
    char device[RECEIPT_DEVICE_BYTES];
    struct receipt r = {.seed = c->api.sampling.seed,
                        .seed_by_node = !c->api.has_seed,
                        .finish_reason = str_from(iso_finish_text(k->ended))};
    fill_bundle(k, &b);
    maker_cut(&k->maker, k->n_tokens);
    enum err rc = maker_fill(&k->maker, &b, &r, note);
    rc = rc ? rc : receipt_fill(c->worker, &c->receipt, c->api.tools != NULL, device, &r, note);
    if (rc)
        return rc;
    buf_init(&parameters, PARTS_BYTES_MAX);
    if (write_parameters(k, c->worker->info.n_ctx, &parameters)) {
        r.parameters = (struct str){parameters.bytes, parameters.n_bytes};
        receipt_write(&r, body);
        bundle_write(&b, bundle);
    } else {
        body->failed = true;
    }
    buf_release(&parameters);
    return ERR_OK;
}

bool receipt_send(struct worker *w, uint64_t id, uint32_t index, struct buf *body,
                  struct buf *bundle, enum err rc, struct err_note *note, struct api_error *e)
{
    const struct receipt_head head = {index, (uint32_t)body->n_bytes};
    struct buf both;
    buf_init(&both, sizeof head + 2 * (size_t)CANON_BYTES_MAX);
    buf_add(&both, &head, sizeof head);
    buf_add(&both, body->bytes, body->n_bytes);
    if (!rc && (body->failed || bundle->failed || both.failed))
        rc = err_set(note, ERR_LIMIT, "the receipt's bundle would be larger than %d MiB",
                     CANON_BYTES_MAX >> 20);
    if (!rc)
        frames_send(w->frames, FRAME_RECEIPT, id, (struct str){both.bytes, both.n_bytes},
                    (struct str){bundle->bytes, bundle->n_bytes});
    buf_release(body);
    buf_release(bundle);
    buf_release(&both);
    return !rc || api_fail(e, 500, NULL, "no receipt could be made: %s", note->text);
}

static bool send_one(struct choice *k, struct api_error *e)
{
    struct buf body, bundle;
    struct err_note note = {""};
    buf_init(&body, CANON_BYTES_MAX);
    buf_init(&bundle, CANON_BYTES_MAX);
    enum err rc = make(k, &body, &bundle, &note);
    return receipt_send(k->call->worker, k->call->id, k->index, &body, &bundle, rc, &note, e);
}

struct str receipts_place(const struct buf *json, struct buf *out)
{
    const struct reply_head head = {.receipts = true};
    struct writer w;
    const char *end = memrchr(json->bytes, '}', json->n_bytes);
    CHECK(end);
    size_t n = (size_t)(end - json->bytes);
    buf_add(out, json->bytes, n);
    write_begin(&w, out);
    w.comma = true;
    reply_receipts(&w, &head);
    buf_add(out, end, json->n_bytes - n);
    CHECK(!out->failed);
    return (struct str){out->bytes, out->n_bytes};
}

bool receipts_send(struct call *c, struct api_error *e)
{
    bool ok = true;
    for (uint32_t i = 0; ok && c->receipt.wanted && i < c->n_choices; i++) {
        struct choice *k = &c->choices[i];
        bool nothing = k->ended == ISO_FINISH_CANCELLED && k->n_tokens == 0;
        if (k->answer.maker && k->finished && !k->failed && !nothing)
            ok = send_one(k, e);
    }
    return ok;
}

uint32_t receipts_count_of(const struct call *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_choices; i++)
        n += c->choices[i].answer.maker != NULL;
    return n;
}

/* ---- the other way ------------------------------------------------------------------------ */

static bool is_made_so(const struct choice *k, const struct verify_case *about,
                       const struct parameters *p, const char **what)
{
    const struct bundle *b = about->bundle;
    const struct buf *text = &prompt_holder(k)->prompt_text;
    struct buf parameters;
    *what = "the prompt";
    if (k->prompt.n_ids != b->n_prompt_ids ||
        memcmp(k->prompt.ids, b->prompt_ids, k->prompt.n_ids * sizeof k->prompt.ids[0]) != 0 ||
        !str_eq(b->prompt, (struct str){text->n_bytes ? text->bytes : "", text->n_bytes}))
        return false;
    *what = "the parameters";
    buf_init(&parameters, PARTS_BYTES_MAX);
    bool same =
        write_parameters(k, p->n_ctx, &parameters) &&
        str_eq((struct str){parameters.bytes, parameters.n_bytes}, about->receipt.parameters);
    buf_release(&parameters);
    return same;
}

bool receipt_follows(struct worker *w, const struct verify_case *about, const struct parameters *p,
                     struct choice **made, struct api_error *e)
{
    const struct dialect *dialect = dialect_of(p->interface);
    const char *what = "the prompt", *missing = what;
    bool same = false;
    if (!dialect)
        return api_fail(e, 501, NULL, "no request of \"%.*s\" is understood here",
                        STR_ARG(p->interface));
    struct call *c = completion_read(w, dialect, about->bundle->request,
                                     p->has_clock ? (int64_t)p->clock_s : 0, e);
    if (!c)
        return false;
    uint32_t i = 0;
    for (; i < c->n_choices && !same; i++) {
        same = is_made_so(&c->choices[i], about, p, &what);
        if (what != missing)
            missing = what;
    }
    if (same && c->api.has_seed != !about->receipt.seed_by_node) {
        same = false;
        missing = "who chose the seed";
    } else if (same && c->api.has_seed && c->api.sampling.seed != about->receipt.seed) {
        same = false;
        missing = "the seed";
    }
    if (same && made)
        *made = &c->choices[i - 1];
    else
        completion_forget(c);
    return same || api_fail(e, 400, NULL, "%s is not what the request asks for", missing);
}
