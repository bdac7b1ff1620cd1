/* pow_calls.c - /api/v1/pow: what is asked, and what is said at once. */
#include <inttypes.h>
#include <strings.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/entropy.h"
#include "base/mem.h"
#include "server/keys.h"
#include "server/pow_int.h"

enum { BODY_BYTES_MAX = 64 << 20 };

static bool may(const struct pow *p, struct http_exchange *x, struct api_error *e)
{
    const struct key *key = visit_of(x)->key;
    bool is_post = strcmp(http_method(x), "POST") == 0;
    if (!p)
        return api_fail(e, 404, NULL, "proof of compute is off here: isobit serve --poc");
    if (!key_has(key, KEY_VERIFY) && !key_has(key, KEY_ADMIN))
        return api_fail(e, 403, NULL, "this needs a key with the scope verify");
    if (is_post && p->signer &&
        !signer_admits(p->signer, http_body(x), http_header(x, "X-Signature")))
        return api_fail(e, 403, NULL, "Invalid signature");
    return true;
}

/* The front's; NULL, and answered: proof of compute is off, or not for who asks. */
static struct pow *admit(struct front *f, struct http_exchange *x)
{
    struct api_error e;
    if (may(f->pow, x, &e))
        return f->pow;
    front_fail(x, &e);
    return NULL;
}

/* Whether results may be sent where the request says. */
static bool check_url(const struct front *f, const struct api_pow *r, struct api_error *e)
{
    struct err_note note;
    return r->url.len == 0 || !callback_check(&f->options.poc_callbacks, r->url.ptr, &note) ||
           api_fail(e, 400, "url", "%s", note.text);
}

/* ---- parameters --------------------------------------------------------------------------- */

static void write_params(struct writer *w, const char *key, struct str model, int64_t seq_len,
                         int64_t k_dim)
{
    write_key(w, key);
    write_open(w, '{');
    write_key_text(w, "model", model);
    write_key_int(w, "seq_len", seq_len);
    write_key_int(w, "k_dim", k_dim);
    write_close(w, '}');
}

/* 409: what is asked for is not what is here. For seq_len and k_dim the most is told. */
static void reply_mismatch(struct http_exchange *x, const struct api_pow *r, struct str model,
                           int64_t n_ctx, int64_t n_dims)
{
    struct buf body;
    struct writer w;
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key(&w, "detail");
    write_open(&w, '{');
    write_key_text(&w, "error", STR("params mismatch"));
    write_params(&w, "requested", r->model, r->seq_len, r->k_dim);
    write_params(&w, "deployed", model, n_ctx, n_dims < ARTIFACT_DIMS_MAX ? n_dims
                                                                          : ARTIFACT_DIMS_MAX);
    write_close(&w, '}');
    write_close(&w, '}');
    reply_json(x, 409, &body);
}

/* Whether the model can; unless it can, that is answered. Its name is told, or its file's. */
static bool suits(struct front *f, struct http_exchange *x, const struct api_pow *r,
                  struct process *p)
{
    json_t *facts = p->facts ? json_loads(p->facts, 0, NULL) : NULL;
    const char *type = json_string_value(json_object_get(facts, "type"));
    int64_t n_ctx = json_integer_value(json_object_get(facts, "context"));
    int64_t n_dims = json_integer_value(json_object_get(facts, "dimensions"));
    bool good = type && strcmp(type, "generation") == 0 && r->seq_len <= n_ctx &&
                r->k_dim <= n_dims;
    struct api_error e;
    (void)f;
    if (!facts) {
        api_fail(&e, 503, NULL, "Engine not available");
        front_fail(x, &e);
    } else if (!good) {
        reply_mismatch(x, r, str_from(p->model->name), n_ctx, n_dims);
    }
    json_decref(facts);
    return facts && good;
}

/* The process of params.model: a served name, or the path that it was loaded from. NULL: it was
 * answered why there is none. */
static struct process *model_for(struct front *f, struct http_exchange *x, const struct api_pow *r)
{
    struct api_error e = {0};
    struct str name = r->model;
    for (size_t i = 0; i < f->options.n_models; i++)
        if (str_is(r->model, f->options.models[i].path))
            name = str_from(f->options.models[i].name);
    struct process *p = route_find_model(f, visit_of(x)->key, name, &e);
    if (!p) {
        struct process *other = route_find_model(f, visit_of(x)->key, STR(""), &e);
        reply_mismatch(x, r, other ? str_from(other->model->name) : STR(""), 0, 0);
        return NULL;
    }
    if (p->state == PROCESS_UNLOADED)
        models_wake(p, &e); /* 503 until it is there */
    return suits(f, x, r, p) ? p : NULL;
}

/* ---- init/generate ------------------------------------------------------------------------ */

static void reply_state(struct http_exchange *x, const char *state)
{
    struct buf body;
    struct writer w;
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "status", STR("OK"));
    write_key(&w, "pow_status");
    write_open(&w, '{');
    write_key_text(&w, "status", str_from(state));
    write_close(&w, '}');
    write_close(&w, '}');
    reply_json(x, 200, &body);
}

void post_pow_init(struct front *f, struct http_exchange *x)
{
    struct pow *p = admit(f, x);
    struct api_pow r = {0};
    struct api_error e = {0};
    struct err_note note;
    struct nonce_walk walk;
    struct process *process = NULL;
    if (!p)
        return;
    bool ok = api_pow_parse(false, http_body(x), &r, &e) && check_url(f, &r, &e);
    if (ok && nonce_walk_init(&walk, r.node_id, r.node_count, r.group_id, r.n_groups, &note))
        ok = api_fail(&e, 400, "node_id", "%s", note.text);
    if (ok && !(process = model_for(f, x, &r))) {
        api_pow_release(&r);
        return;
    }
    if (ok && p->generation.active)
        ok = api_fail(&e, 409, NULL, "Already generating");
    if (!ok) {
        api_pow_release(&r);
        front_fail(x, &e);
        return;
    }
    p->generation.r = r;
    p->generation.process = process;
    p->generation.key = visit_of(x)->key;
    p->generation.walk = walk;
    pow_begin_generation(p);
    reply_state(x, "GENERATING");
    pow_pump(p);
}

void post_pow_stop(struct front *f, struct http_exchange *x)
{
    struct pow *p = admit(f, x);
    if (!p)
        return;
    pow_end_generation(p);
    for (struct pow_job *j; (j = p->jobs);) {
        if (!pow_job_has_ended(j))
            pow_fail(p, j, POW_CANCELLED, 503, "Cancelled");
        p->jobs = j->next;
        pow_job_release(j);
    }
    reply_state(x, "STOPPED");
}

/* ---- status ------------------------------------------------------------------------------- */

static void write_config(struct writer *w, const struct api_pow *r)
{
    write_key(w, "config");
    write_open(w, '{');
    write_key_text(w, "block_hash", r->block_hash);
    write_key_int(w, "block_height", r->block_height);
    write_key_text(w, "public_key", r->public_key);
    write_key_int(w, "node_id", r->node_id);
    write_key_int(w, "node_count", r->node_count);
    write_key_int(w, "group_id", r->group_id);
    write_key_int(w, "n_groups", r->n_groups);
    write_key_int(w, "seq_len", r->seq_len);
    write_key_int(w, "k_dim", r->k_dim);
    write_close(w, '}');
}

void get_pow_status(struct front *f, struct http_exchange *x)
{
    struct pow *p = admit(f, x);
    struct buf body;
    struct writer w;
    if (!p)
        return;
    const struct pow_generation *g = &p->generation;
    double s = (double)(clock_ns() - g->begun_ns) * 1e-9;
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "status", g->active ? STR("GENERATING") : STR("IDLE"));
    if (g->active) {
        write_config(&w, &g->r);
        write_key(&w, "stats");
        write_open(&w, '{');
        write_key_int(&w, "total_processed", (int64_t)g->n_done);
        write_key(&w, "nonces_per_second");
        write_float(&w, s > 0 ? (float)((double)g->n_done / s) : 0);
        write_close(&w, '}');
    } else {
        write_key_word(&w, "config", "null");
        write_key_word(&w, "stats", "null");
    }
    write_close(&w, '}');
    reply_json(x, 200, &body);
}

/* ---- generate ----------------------------------------------------------------------------- */

static void on_gone(void *context, struct http_exchange *x)
{
    struct pow_job *j = context;
    pow_leave(j->process->front->pow, j);
    http_stream_end(x);
}

/* A random UUID, version 4. */
static void name_job(struct pow_job *j)
{
    uint64_t a = entropy_u64(), b = entropy_u64();
    snprintf(j->id, sizeof j->id, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
             (unsigned)(0x8000 | (b >> 48 & 0x3fff)), b & 0xffffffffffffu);
}

static void reply_queued(struct http_exchange *x, const struct pow_job *j)
{
    struct buf body;
    struct writer w;
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "status", STR("queued"));
    write_key_text(&w, "request_id", str_from(j->id));
    write_key_int(&w, "queued_count", (int64_t)j->r.n);
    write_close(&w, '}');
    reply_json(x, 200, &body);
}

/* false with e filled. NULL in j->process: it was answered. */
static bool prepare(struct pow *p, struct http_exchange *x, struct pow_job *j, struct api_error *e)
{
    if (!api_pow_parse(true, http_body(x), &j->r, e) || !check_url(p->front, &j->r, e))
        return false;
    if (!(j->process = model_for(p->front, x, &j->r)))
        return true;
    if (p->n_nonces_queued + j->r.n > POW_NONCES_MAX)
        return api_fail(e, 429, NULL, "Queue full: %zu nonces queued, limit is %d",
                        p->n_nonces_queued, POW_NONCES_MAX);
    j->text_bytes = (j->r.k_dim * sizeof(uint16_t) + 2) / 3 * 4 + 1;
    j->texts = mem_zalloc(j->r.n * j->text_bytes + 1);
    return j->texts || api_fail(e, 503, NULL, "out of memory for %zu nonces", j->r.n);
}

void post_pow_generate(struct front *f, struct http_exchange *x)
{
    struct pow *p = admit(f, x);
    struct api_error e = {0};
    if (!p)
        return;
    struct pow_job *j = mem_zalloc(sizeof *j);
    bool ok = j ? prepare(p, x, j, &e) : api_fail(&e, 503, NULL, "out of memory for a request");
    if (!ok || !j->process) {
        if (!ok)
            front_fail(x, &e);
        if (j)
            pow_job_release(j);
        return;
    }
    j->key = visit_of(x)->key;
    name_job(j);
    if (j->r.wait) {
        j->x = x;
        http_on_gone(x, on_gone, j);
    } else {
        reply_queued(x, j);
    }
    pow_add(p, j);
    pow_pump(p);
}

void get_pow_result(struct front *f, struct http_exchange *x)
{
    static const char *const states[] = {[POW_QUEUED] = "queued",       [POW_RUNNING] = "running",
                                         [POW_COMPLETED] = "completed", [POW_FAILED] = "failed",
                                         [POW_CANCELLED] = "cancelled"};
    struct pow *p = admit(f, x);
    struct buf body;
    struct writer w;
    if (!p)
        return;
    const char *id = visit_of(x)->id;
    const struct pow_job *j = p->jobs;
    while (j && strcmp(j->id, id) != 0)
        j = j->next;
    if (!j) {
        struct api_error e;
        api_fail(&e, 404, NULL, "Request %.60s not found", id);
        front_fail(x, &e);
    } else if (j->state == POW_COMPLETED) {
        http_reply(x, 200, "application/json",
                   (struct str){j->result.bytes, j->result.n_bytes});
    } else {
        buf_init(&body, BODY_BYTES_MAX);
        write_begin(&w, &body);
        write_open(&w, '{');
        write_key_text(&w, "status", str_from(states[j->state]));
        write_key_text(&w, "request_id", str_from(j->id));
        if (j->state == POW_FAILED)
            write_key_text(&w, "error", str_from(j->error));
        write_close(&w, '}');
        reply_json(x, 200, &body);
    }
}
