/* routes.c - the node's HTTP API, in the chain's words. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "net/host.h"
#include "node/node_int.h"

/* ---- answers ------------------------------------------------------------------------------ */

static void answer(struct http_exchange *x, int status, const char *text)
{
    http_reply(x, status, "application/json", str_from(text));
}

/* {"detail": "..."}, as FastAPI has it. */
static void refuse(struct http_exchange *x, int status, const char *why)
{
    struct buf out;
    buf_init(&out, 8192);
    buf_str(&out, "{\"detail\":");
    node_write_text(why, &out);
    buf_char(&out, '}');
    answer(x, status, out.failed ? "{\"detail\":\"\"}" : out.bytes);
    buf_release(&out);
}

/* A body that is not what it should be. */
static void refuse_body(struct http_exchange *x, const char *why)
{
    struct buf out;
    buf_init(&out, 8192);
    buf_str(&out, "{\"detail\":[{\"type\":\"value_error\",\"loc\":[\"body\"],\"msg\":");
    node_write_text(why, &out);
    buf_str(&out, "}]}");
    answer(x, 422, out.failed ? "{\"detail\":[]}" : out.bytes);
    buf_release(&out);
}

/* Of what went wrong while doing as told. */
static void refuse_error(struct http_exchange *x, enum err rc, const struct err_note *note)
{
    refuse(x, rc == ERR_BUSY ? 429 : rc == ERR_IO ? 500 : 400, note->text);
}

/* {"status": S, "is_model_initialized": bool}, or NOT_LOADED alone. */
static void write_status(struct node *n, struct buf *out)
{
    struct poc_worker_state states[DESK_GROUPS_MAX];
    bool ready = true;
    if (!desk_job(n->desk)) {
        buf_str(out, "{\"status\":\"NOT_LOADED\"");
    } else {
        for (size_t i = 0; i < n->n_workers; i++) {
            bool drawn = n->workers[i].ready && n->workers[i].job == desk_job(n->desk);
            states[i] = (struct poc_worker_state){desk_phase(n->desk), drawn};
            ready &= drawn;
        }
        buf_printf(out, "{\"status\":\"%s\",\"is_model_initialized\":%s",
                   poc_status(states, n->n_workers), ready ? "true" : "false");
    }
    if (n->failure[0]) {
        buf_str(out, ",\"error\":");
        node_write_text(n->failure, out);
    }
    buf_char(out, '}');
}

static void answer_ok(struct node *n, struct http_exchange *x)
{
    struct buf out;
    buf_init(&out, 8192);
    buf_str(&out, "{\"status\":\"OK\",\"pow_status\":");
    write_status(n, &out);
    buf_char(&out, '}');
    answer(x, 200, out.failed ? "{\"status\":\"OK\"}" : out.bytes);
    buf_release(&out);
}

/* ---- init, phases, stop ------------------------------------------------------------------- */

static void init(struct node *n, struct http_exchange *x, enum poc_phase phase, bool anew)
{
    struct init_request r;
    struct err_note note = {""};
    uint32_t n_batch = n->n_batch;
    if (init_request_read(&r, http_body(x), &note)) {
        refuse_body(x, note.text);
        return;
    }
    if (phase == PHASE_GENERATE && (r.node_id == -1 || r.node_count == -1)) {
        refuse(x, 400, "Node ID and node count must be set");
        return;
    }
    bool same = !anew && desk_job(n->desk) && init_request_equal(desk_request(n->desk), &r);
    enum err rc = callback_check(&n->options.callbacks, r.url, &note);
    if (!rc && !same)
        rc = node_fit(n, &r, &n_batch, &note);
    if (!rc && anew && desk_job(n->desk))
        rc = desk_stop(n->desk, time(NULL), &note);
    rc = rc ? rc : desk_init(n->desk, &r, phase, time(NULL), &note);
    node_tell_losses(n);
    if (rc) {
        refuse_error(x, rc, &note);
        return;
    }
    n->n_batch = n_batch;
    n->failure[0] = 0;
    pthread_cond_broadcast(&n->changed);
    answer_ok(n, x);
}

static void init_only(struct node *n, struct http_exchange *x)
{
    init(n, x, PHASE_IDLE, true);
}

static void init_generate(struct node *n, struct http_exchange *x)
{
    init(n, x, PHASE_GENERATE, false);
}

static void init_validate(struct node *n, struct http_exchange *x)
{
    init(n, x, PHASE_VALIDATE, false);
}

static void set_phase(struct node *n, struct http_exchange *x, enum poc_phase phase)
{
    struct err_note note = {""};
    const struct init_request *r = desk_request(n->desk);
    if (!desk_job(n->desk)) {
        refuse(x, 400, "PoW is not running");
        return;
    }
    if (phase == PHASE_GENERATE && (r->node_id == -1 || r->node_count == -1)) {
        refuse(x, 400, "Node ID and node count must be set to start generating");
        return;
    }
    enum err rc = desk_set_phase(n->desk, phase, &note);
    if (rc) {
        refuse_error(x, rc, &note);
        return;
    }
    pthread_cond_broadcast(&n->changed);
    answer_ok(n, x);
}

static void phase_generate(struct node *n, struct http_exchange *x)
{
    set_phase(n, x, PHASE_GENERATE);
}

static void phase_validate(struct node *n, struct http_exchange *x)
{
    set_phase(n, x, PHASE_VALIDATE);
}

static bool stop_job(struct node *n, struct http_exchange *x)
{
    struct err_note note = {""};
    enum err rc = desk_stop(n->desk, time(NULL), &note);
    node_tell_losses(n);
    pthread_cond_broadcast(&n->changed);
    if (rc)
        refuse_error(x, rc, &note);
    return rc == ERR_OK;
}

static void stop(struct node *n, struct http_exchange *x)
{
    if (!desk_job(n->desk))
        answer(x, 200, "{\"status\":\"OK\",\"pow_status\":\"PoW is not running\"}");
    else if (stop_job(n, x))
        answer_ok(n, x);
}

static void stop_all(struct node *n, struct http_exchange *x)
{
    if (!desk_job(n->desk) || stop_job(n, x))
        answer(x, 200, "{\"status\":\"OK\"}");
}

/* ---- validate, status --------------------------------------------------------------------- */

static void validate(struct node *n, struct http_exchange *x)
{
    struct proof_batch b;
    struct err_note note = {""};
    if (!desk_job(n->desk)) {
        refuse(x, 400, "PoW is not running");
        return;
    }
    if (proof_batch_read(&b, http_body(x), &note)) {
        refuse_body(x, note.text);
        return;
    }
    enum err rc = desk_check(n->desk, &b, &note);
    proof_batch_release(&b);
    if (rc) {
        refuse_error(x, rc, &note);
        return;
    }
    pthread_cond_broadcast(&n->changed);
    answer(x, 200, "null");
}

static void status(struct node *n, struct http_exchange *x)
{
    struct desk_stats s;
    struct err_note note = {""};
    struct buf out;
    enum err rc = desk_stats(n->desk, &s, &note);
    if (rc) {
        refuse_error(x, rc, &note);
        return;
    }
    buf_init(&out, 8192);
    write_status(n, &out);
    CHECK(!out.failed && out.n_bytes > 0);
    out.bytes[--out.n_bytes] = 0; /* what the chain knows, then what it does not */
#define NUMBER(x) (unsigned long long)(x)
    buf_printf(&out,
               ",\"waiting\":{\"claims\":%llu,\"checks\":%llu,\"results\":%llu}"
               ",\"dropped\":{\"claims\":%llu,\"checks\":%llu,\"results\":%llu}"
               ",\"done\":{\"claims\":%llu,\"validated\":%llu,\"fraud\":%llu}}",
               NUMBER(s.waiting.n_claims), NUMBER(s.waiting.n_checks),
               NUMBER(s.waiting.n_results), NUMBER(s.lost.n_claims), NUMBER(s.lost.n_checks),
               NUMBER(s.lost.n_results), NUMBER(s.n_generated), NUMBER(s.n_validated),
               NUMBER(s.n_fraud));
    answer(x, 200, out.bytes);
    buf_release(&out);
}

static void state(struct node *n, struct http_exchange *x)
{
    answer(x, 200, desk_job(n->desk) ? "{\"state\":\"POW\"}" : "{\"state\":\"STOPPED\"}");
}

/* One service at a time; the others are not this program's part. */
static void other_service(struct node *n, struct http_exchange *x, const char *name,
                          const char *why)
{
    char text[200];
    snprintf(text, sizeof text,
             "Cannot run %s because MLNode is currently in POW mode. Please stop POW first.", name);
    if (desk_job(n->desk))
        refuse(x, 409, text);
    else
        refuse(x, 501, why);
}

static void inference_up(struct node *n, struct http_exchange *x)
{
    other_service(n, x, "INFERENCE",
                  "isobit poc serve computes proofs alone; isobit serve serves models");
}

static void inference_down(struct node *n, struct http_exchange *x)
{
    (void)n;
    answer(x, 200, "{\"status\":\"OK\"}");
}

static void train(struct node *n, struct http_exchange *x)
{
    other_service(n, x, "TRAIN", "isobit does not train");
}

/* ---- who may ------------------------------------------------------------------------------ */

static const struct {
    const char *method, *path;
    void (*handle)(struct node *n, struct http_exchange *x);
    enum node_signing signing;
} ROUTES[] = {
    {"POST", "/api/v1/pow/init", init_only, NODE_SIGNED},
    {"POST", "/api/v1/pow/init/generate", init_generate, NODE_SIGNED},
    {"POST", "/api/v1/pow/init/validate", init_validate, NODE_SIGNED},
    {"POST", "/api/v1/pow/phase/generate", phase_generate, NODE_SIGNED_FROM_AFAR},
    {"POST", "/api/v1/pow/phase/validate", phase_validate, NODE_SIGNED_FROM_AFAR},
    {"POST", "/api/v1/pow/validate", validate, NODE_SIGNED},
    {"GET", "/api/v1/pow/status", status, NODE_OPEN},
    {"POST", "/api/v1/pow/stop", stop, NODE_SIGNED_FROM_AFAR},
    {"GET", "/api/v1/state", state, NODE_OPEN},
    {"POST", "/api/v1/stop", stop_all, NODE_SIGNED_FROM_AFAR},
    {"POST", "/api/v1/inference/up", inference_up, NODE_SIGNED_FROM_AFAR},
    {"POST", "/api/v1/inference/down", inference_down, NODE_SIGNED_FROM_AFAR},
    {"POST", "/api/v1/train/start", train, NODE_SIGNED_FROM_AFAR},
};

bool node_wants_signature(const struct node_options *o, enum node_signing signing,
                          const char *peer)
{
    if (!o->signer || signing == NODE_OPEN)
        return false;
    return signing == NODE_SIGNED || !(o->compat_open || host_is_loopback(str_from(peer)));
}

/* No page is meant to use this: what has an Origin comes from one. Where strangers cannot connect,
 * Host must be this machine, lest a page's own name leads here. */
static bool admits(const struct node *n, const struct http_exchange *x)
{
    struct str host = host_without_port(http_header(x, "Host"));
    if (http_header(x, "Origin").ptr)
        return false;
    if (!host_is_loopback(str_from(n->options.host)) || host_is_loopback(host) ||
        host_is_address(host))
        return true;
    for (size_t i = 0; i < n->options.n_hosts; i++)
        if (host_is(host, n->options.hosts[i]))
            return true;
    return false;
}

void node_route(void *context, struct http_exchange *x)
{
    struct node *n = context;
    bool known = false;
    if (!admits(n, x)) {
        refuse(x, 403, "web pages, and other names than --allow-host tells, may not use this API");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        if (!str_is(http_path(x), ROUTES[i].path))
            continue;
        known = true;
        if (strcmp(http_method(x), ROUTES[i].method) != 0)
            continue;
        if (node_wants_signature(&n->options, ROUTES[i].signing, http_peer(x)) &&
            !signer_admits(n->signer, http_body(x), http_header(x, "X-Signature"))) {
            refuse(x, 403, "Invalid signature");
            return;
        }
        pthread_mutex_lock(&n->lock);
        ROUTES[i].handle(n, x);
        pthread_mutex_unlock(&n->lock);
        return;
    }
    refuse(x, known ? 405 : 404, known ? "Method Not Allowed" : "Not Found");
}
