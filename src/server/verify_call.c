/* verify_call.c - POST /v1/verify at a worker: a receipt's answer computed anew, in the gaps of
 * serving.
 *
 * The body is canonical JSON, as GET /v1/receipts/{id} gives it, with what the asker knows beside:
 * {"bundle", "keys", "receipt", "request"}. */
#include "api/responses.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "proof/parameters.h"
#include "proof/verify_vectors.h"
#include "server/worker_int.h"

enum { REPLY_BYTES_MAX = 1 << 20, KEYS_MAX = 64, DEADLINE_MS = 10 * 60 * 1000 };

struct verification {
    struct worker *worker;
    struct verification *next, **link;
    uint64_t id;
    bool gone;
    char *body;
    struct canon_doc doc, parameters_doc;
    struct bundle bundle;
    struct sign_key keys[KEYS_MAX];
    struct verify_trust trust;
    struct str request; /* as the asker sent it; ptr NULL: it is not told */
    struct verify_case about;
    bool is_open;
    struct verify_report report;
    struct receipt_vectors told; /* with is_vectors: of a receipt of those */
    bool is_vectors, runs;
    struct parameters parameters;
    struct choice *asked;    /* read anew from the request; NULL: it is not known */
    struct iso_request made; /* what the answer was asked for by */
    struct replay replay;
    struct answer answer;
};

static void release(struct verification *v)
{
    if (v->link) {
        *v->link = v->next;
        if (v->next)
            v->next->link = v->link;
    }
    if (v->is_open)
        verify_close(&v->about);
    replay_release(&v->replay);
    if (v->asked)
        completion_forget(v->asked->call);
    parameters_release(&v->parameters);
    bundle_release(&v->bundle);
    canon_release(&v->parameters_doc);
    canon_release(&v->doc);
    mem_free(v->body);
    mem_free(v);
}

void verifications_release(struct worker *w)
{
    while (w->verifications)
        release(w->verifications);
}

/* ---- what is said ------------------------------------------------------------------------- */

static void write_line(struct writer *w, const struct verify_line *l)
{
    write_open(w, '{');
    write_key_text(w, "field", str_from(l->field));
    write_key_text(w, "status", str_from(verify_status_text(l->status)));
    write_key(w, "text");
    write_bytes(w, str_from(l->text));
    if (l->status == VERIFY_DIFFERS) {
        write_key(w, "expected");
        write_bytes(w, str_from(l->expected));
        write_key(w, "found");
        write_bytes(w, str_from(l->found));
    }
    write_close(w, '}');
}

static void say(struct verification *v)
{
    const struct verify_report *r = &v->report;
    struct buf out;
    struct writer w;
    buf_init(&out, REPLY_BYTES_MAX);
    write_begin(&w, &out);
    write_open(&w, '{');
    write_key_text(&w, "verdict", str_from(verdict_text(verify_verdict(r))));
    write_key(&w, "fields");
    write_open(&w, '[');
    for (size_t i = 0; i < r->n_lines; i++)
        write_line(&w, &r->lines[i]);
    write_close(&w, ']');
    write_key(&w, "first_difference");
    if (r->first)
        write_line(&w, r->first);
    else
        write_word(&w, "null");
    write_close(&w, '}');
    CHECK(!out.failed);
    worker_reply(v->worker, v->id, 200, STR(""), (struct str){out.bytes, out.n_bytes});
    buf_release(&out);
}

/* ---- what is asked ------------------------------------------------------------------------ */

static bool read_keys(struct verification *v, const struct canon_node *list, struct api_error *e)
{
    size_t n = 0;
    for (const struct canon_node *k = list ? canon_first(list) : NULL; k;
         k = canon_next(&v->doc, list, k), n++)
        if (n == KEYS_MAX || !canon_bytes(k, v->keys[n].bytes, SIGN_KEY_BYTES))
            return api_fail(e, 400, "keys", "keys must be at most %d texts of 64 hex digits",
                            KEYS_MAX);
    v->trust.keys = v->keys;
    v->trust.n_keys = n;
    return true;
}

static bool read_body(struct verification *v, struct str body, struct api_error *e)
{
    enum { BUNDLE, KEYS, MODEL, RECEIPT, REQUEST, N_FIELDS };
    static const struct canon_field fields[N_FIELDS] = {
        [BUNDLE] = {"bundle", CANON_OBJECT, false}, [KEYS] = {"keys", CANON_ARRAY, true},
        [MODEL] = {"model", CANON_TEXT, true},      [RECEIPT] = {"receipt", CANON_OBJECT, false},
        [REQUEST] = {"request", CANON_TEXT, true},
    };
    const struct canon_node *found[N_FIELDS];
    struct err_note note = {""};
    v->body = mem_strndup(body.ptr, body.len);
    if (!v->body)
        return api_fail(e, 500, NULL, "out of memory for a receipt");
    if (canon_read((struct str){v->body, body.len}, &v->doc, &note) ||
        canon_fields(&v->doc, v->doc.nodes, fields, N_FIELDS, found, "the request", &note))
        return api_fail(e, 400, NULL, "the body must be as GET /v1/receipts gives it: %s",
                        note.text);
    if (bundle_read(&v->doc, found[BUNDLE], &v->bundle, &note))
        return api_fail(e, 400, "bundle", "%s", note.text);
    if (found[REQUEST])
        v->request = found[REQUEST]->text;
    struct str receipt = found[RECEIPT]->raw;
    v->is_vectors = verify_open_vectors(&v->about, &v->told, receipt, &v->bundle, &v->report);
    v->is_open = v->is_vectors || verify_open(&v->about, receipt, &v->bundle, &v->report);
    return read_keys(v, found[KEYS], e);
}

/* ---- what is compared --------------------------------------------------------------------- */

static bool compare_model(struct verification *v, struct api_error *e)
{
    const struct worker *w = v->worker;
    struct err_note note = {""};
    struct receipt parts = {.n_output = 0};
    if (!identity_known(w->identity)) {
        e->retry_s = 5;
        return api_fail(e, 503, NULL, "the model's weights are being hashed; try again");
    }
    bool tools = w->speech.face.template &&
                 memcmp(chat_template_hash(chat_face_template(&w->speech.face, true)),
                        v->about.receipt.model.template.bytes, SHA256_BYTES) == 0;
    if (receipt_name_model(w, tools, &parts, &note))
        return api_fail(e, 500, NULL, "%s", note.text);
    if (v->is_vectors) /* it has no say in vectors */
        parts.model.template = (struct merkle_hash){{0}};
    const struct verify_model m = {parts.model.weights, parts.model.metadata, parts.model.tokenizer,
                                   parts.model.template};
    verify_model(&v->about, &m, &v->report);
    return true;
}

/* Whether this worker makes the bits that the receipt is of. */
static bool can_compute(struct verification *v)
{
    const char *arithmetic = v->worker->info.arithmetic;
    if (strcmp(arithmetic, ISO_ARITHMETIC) != 0)
        verify_say(&v->report, "output", VERIFY_MISSING,
                   "this server computes in the profile %s, which makes nobody's bits again",
                   arithmetic);
    return verify_has_bits(&v->about) && strcmp(arithmetic, ISO_ARITHMETIC) == 0;
}

/* Prompt and parameters must follow from the request. */
static void compare_request(struct verification *v)
{
    const struct bundle *b = &v->bundle;
    struct str why = STR("the bundle does not show the request");
    struct api_error e = {0};
    if (b->has[BUNDLE_REQUEST] && b->has[BUNDLE_PROMPT_IDS] && b->has[BUNDLE_PROMPT]) {
        if (receipt_follows(v->worker, &v->about, &v->parameters, &v->asked, &e)) {
            verify_say(&v->report, "prompt.text", VERIFY_RECOMPUTED, "from the request");
            verify_say(&v->report, "prompt.ids", VERIFY_RECOMPUTED, "from the request");
            verify_say(&v->report, "parameters", VERIFY_RECOMPUTED, "from the request");
            return;
        }
        if (e.status == 400) {
            verify_differ(&v->report, "parameters", "what follows from the request", e.message,
                          "something else");
            return;
        }
        why = str_from(e.message);
    }
    verify_say(&v->report, "parameters", VERIFY_MISSING, "%.*s", STR_ARG(why));
}

/* Whether there is an answer to be computed. */
static bool can_replay(struct verification *v)
{
    struct err_note note = {""};
    const struct bundle *b = &v->bundle;
    struct verify_report *r = &v->report;
    const struct receipt *of = &v->about.receipt;
    if (canon_read(of->parameters, &v->parameters_doc, &note) ||
        parameters_read(&v->parameters_doc, v->parameters_doc.nodes, &v->parameters, &note)) {
        verify_differ(r, "parameters", "parameters of this version", note.text, "they are none");
        return false;
    }
    compare_request(v);
    if (!can_compute(v))
        return false;
    if (v->parameters.constraint.kind.len > 0 &&
        (!v->asked || !v->asked->answer.request.constraint))
        verify_say(r, "output.ids", VERIFY_MISSING,
                   "the answer had a form (%.*s), which is needed to compute it",
                   STR_ARG(v->parameters.constraint.kind));
    else if (!b->has[BUNDLE_SALT] || !b->has[BUNDLE_PROMPT_IDS] || !b->has[BUNDLE_OUTPUT_IDS])
        verify_say(r, "output.ids", VERIFY_MISSING,
                   "salt, prompt and answer are needed to compute them");
    else if (!v->worker->answers)
        verify_say(r, "output.ids", VERIFY_MISSING, "this model generates no text");
    else if (b->n_output_ids != of->n_output)
        verify_say(r, "output.ids", VERIFY_MISSING, "the bundle shows other ones");
    else
        return true;
    return false;
}

static bool start(struct verification *v, struct api_error *e)
{
    struct worker *w = v->worker;
    const struct bundle *b = &v->bundle;
    struct err_note note = {""};
    v->made = v->parameters.request;
    v->made.tokens = (const int32_t *)b->prompt_ids;
    v->made.n_tokens = (uint32_t)b->n_prompt_ids;
    v->made.sampling.seed = v->about.receipt.seed;
    v->made.want_digests = v->about.receipt.has_logits;
    v->made.constraint = v->asked ? v->asked->answer.request.constraint : NULL;
    enum err rc = replay_init(&v->replay, &v->made, b->output_ids, b->n_output_ids, w->info, &note);
    if (rc)
        return api_fail(e, rc == ERR_MEMORY ? 500 : 400, "bundle", "%s", note.text);
    v->answer.owner = v;
    v->answer.request = v->replay.request;
    v->answer.request.priority = -1;
    v->answer.request.deadline_ms = DEADLINE_MS;
    v->answer.replay = &v->replay;
    v->runs = true;
    uint32_t n_tokens = (uint32_t)(b->n_prompt_ids + b->n_output_ids);
    struct call_usage usage = {.state = CALL_PROMPT, .n_prompt = n_tokens, .n_read = n_tokens};
    frames_send(w->frames, FRAME_USAGE, v->id, STR(""), (struct str){(char *)&usage, sizeof usage});
    answers_submit(w->answers, &v->answer);
    return true;
}

/* What a previous_response_id stood for is only told by the bundle. */
static void compare_parts(struct verification *v)
{
    const struct bundle *b = &v->bundle;
    bool joined =
        v->request.ptr && b->has[BUNDLE_REQUEST] && responses_joined(v->request, b->request);
    verify_parts(&v->about, joined ? (struct str){NULL, 0} : v->request, &v->report);
    if (joined)
        verify_say(&v->report, "request", VERIFY_MISSING, RESPONSES_JOINED);
}

/* The vectors of the request's texts, by the endpoint that it was sent to. */
static bool start_vectors(struct verification *v, struct api_error *e)
{
    const struct bundle *b = &v->bundle;
    struct str request = v->request.ptr ? v->request : b->request;
    enum embed_kind kind;
    if (!can_compute(v))
        return true;
    if (!b->has[BUNDLE_SALT] || (!v->request.ptr && !b->has[BUNDLE_REQUEST])) {
        verify_say(&v->report, "vectors", VERIFY_MISSING,
                   "salt and request are needed to compute them");
        return true;
    }
    if (!embed_kind_of(v->told.interface, &kind)) {
        verify_say(&v->report, "vectors", VERIFY_MISSING,
                   "texts of requests to %.*s are not read here", STR_ARG(v->told.interface));
        return true;
    }
    v->runs = embedding_again(v->worker, v->id, kind, request, v,
                              clock_ns() + (uint64_t)DEADLINE_MS * 1000000, e);
    if (v->runs || e->status != 400)
        return v->runs;
    verify_differ(&v->report, "vectors", "a request for vectors", "none", "%s", e->message);
    return true;
}

/* true: it runs; else e says why not, or all has been said. */
static bool begin(struct verification *v, struct str body, struct api_error *e)
{
    if (!read_body(v, body, e))
        return false;
    if (!v->is_open)
        return true;
    verify_key(&v->about, &v->trust, &v->report);
    verify_log(&v->about, &v->trust, &v->report);
    if (v->is_vectors) {
        verify_request(&v->about, v->request, &v->report);
        return compare_model(v, e) && (v->report.first || start_vectors(v, e));
    }
    compare_parts(v);
    return compare_model(v, e) && (v->report.first || !can_replay(v) || start(v, e));
}

void call_verify(struct worker *w, uint64_t id, struct str path, struct str body)
{
    struct api_error e = {0};
    struct verification *v = mem_zalloc(sizeof *v);
    CHECK(v);
    v->worker = w;
    v->id = id;
    bool ok = begin(v, body, &e);
    if (ok && v->runs) {
        v->next = w->verifications;
        v->link = &w->verifications;
        if (v->next)
            v->next->link = &v->next;
        w->verifications = v;
        return;
    }
    if (ok)
        say(v);
    else
        worker_fail(w, id, path, &e);
    release(v);
}

/* ---- at its end --------------------------------------------------------------------------- */

/* Why it ended, by what it says too: as it was read when it was made, or by its stop texts alone
 * where no request says how that was. */
static void compare_end(struct verification *v, const struct verify_replay *found)
{
    const struct parameters *p = &v->parameters;
    const struct iso_request *r = &p->request;
    struct answer_text own, *says = v->asked ? &v->asked->says : &own;
    if (!v->asked && parameters_chat(p)) {
        verify_say(&v->report, "finish_reason", VERIFY_MISSING,
                   "how a chat's answer is read, its request tells");
        return;
    }
    answer_text_init(&own, v->worker->speech.tokenizer, p->stop_texts, p->n_stop_texts);
    size_t n = answer_text_replay(says, found->ids, found->n_records, r->stops, r->n_stops);
    verify_end(&v->about, found, v->replay.finish, n, answer_text_is_over(says), &v->report);
    answer_text_release(&own);
}

static void compare_answer(struct verification *v)
{
    const struct replay *p = &v->replay;
    const struct verify_replay found = replay_found(p);
    if (p->err) {
        verify_differ(&v->report, "parameters", "a request that can be answered", p->note.text,
                      "the model does not take it");
    } else if (p->finish == ISO_FINISH_DEADLINE) {
        verify_say(&v->report, "output.ids", VERIFY_MISSING,
                   "computing them took longer than %d minutes", DEADLINE_MS / 60000);
    } else if (verify_replayed(&v->about, &found, &v->report)) {
        compare_end(v, &found);
    }
}

void verification_take(const struct news *news)
{
    struct verification *v = news->answer->owner;
    if (news->kind != NEWS_FINISH)
        return;
    mem_free(news->note);
    if (!v->gone) {
        compare_answer(v);
        say(v);
    }
    release(v);
}

const struct salt *verification_salt(const struct verification *v)
{
    return &v->bundle.salt;
}

void verification_made(struct verification *v, const struct receipt_vectors *now, bool gone,
                       const char *why)
{
    if (now)
        verify_vectors(&v->told, now, &v->report);
    else
        verify_say(&v->report, "vectors", VERIFY_MISSING, "%s",
                   why ? why : "computing them took longer than ten minutes");
    if (!gone)
        say(v);
    release(v);
}

bool verification_cancel(struct worker *w, uint64_t id)
{
    for (struct verification *v = w->verifications; v; v = v->next) {
        if (v->id != id || v->gone)
            continue;
        v->gone = true;
        atomic_store(&v->answer.leave, ISO_FINISH_CANCELLED);
        frames_send(w->frames, FRAME_END, id, STR(""), STR(""));
        return true;
    }
    return false;
}
