/* routes.c - what the front answers itself, and to which worker the rest goes. */
#include <stdlib.h>
#include <time.h>

#include "api/ollama.h"
#include "base/check.h"
#include "server/front_int.h"
#include "server/query.h"

enum { BODY_BYTES_MAX = 1 << 20, WAITING_MAX = 256 };

void reply_json(struct http_exchange *x, int status, struct buf *body)
{
    CHECK(!body->failed);
    http_reply(x, status, "application/json", (struct str){body->bytes, body->n_bytes});
    buf_release(body);
}

void front_fail(struct http_exchange *x, const struct api_error *e)
{
    struct buf body;
    char retry[16];
    snprintf(retry, sizeof retry, "%u", e->retry_s ? e->retry_s : 1);
    buf_init(&body, BODY_BYTES_MAX);
    struct buf error;
    buf_init(&error, BODY_BYTES_MAX);
    dialect_error(&error, http_path(x), e);
    dialect_error_id(&body, http_path(x), (struct str){error.bytes, error.n_bytes},
                     visit_of(x) ? visit_of(x)->request_id : "");
    buf_release(&error);
    if (e->status == 503 || e->status == 429)
        http_reply_header(x, "Retry-After", retry);
    reply_json(x, e->status, &body);
}

/* ---- facts -------------------------------------------------------------------------------- */

static void write_model(struct writer *w, const struct process *p)
{
    static const char *const states[] = {
        [PROCESS_LOADING] = "loading",   [PROCESS_READY] = "ready",     [PROCESS_DOWN] = "down",
        [PROCESS_UNLOADED] = "unloaded", [PROCESS_LEAVING] = "unloaded"};
    struct str name = str_from(p->model->name);
    char created[32];
    time_t created_s = (time_t)p->front->started_s;
    struct tm utc;
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&created_s, &utc));
    write_open(w, '{');
    write_key_text(w, "id", name);
    write_key_text(w, "object", STR("model"));
    write_key_int(w, "created", p->front->started_s);
    write_key_text(w, "owned_by", STR("local"));
    write_key_text(w, "type", STR("model")); /* from here to created_at Anthropic's */
    write_key_text(w, "display_name", name);
    write_key_text(w, "created_at", str_from(created));
    write_key_text(w, "root", name);
    write_key_word(w, "parent", "null");
    write_key(w, "permission");
    write_open(w, '[');
    write_close(w, ']');
    write_key_text(w, "state", str_from(states[p->state]));
    if (p->facts)
        write_key_word(w, "meta", p->facts);
    write_close(w, '}');
}

void models_write(const struct front *f, const struct key *key, struct writer *w)
{
    write_open(w, '[');
    for (size_t i = 0; i < f->options.n_models; i++)
        if (model_is_shown(&f->processes[i], key))
            write_model(w, &f->processes[i]);
    write_close(w, ']');
}

static void get_models(struct front *f, struct http_exchange *x)
{
    struct buf body;
    struct writer w;
    models_scan(f);
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_open(&w, '{');
    write_key_text(&w, "object", STR("list"));
    write_key(&w, "data");
    models_write(f, visit_of(x)->key, &w);
    write_key_word(&w, "has_more", "false"); /* Anthropic's clients ask whether to go on */
    write_close(&w, '}');
    reply_json(x, 200, &body);
}

/* Of those that the key may use; what it may not is as if it were not there. */
static struct process *find_model(struct front *f, const struct key *key, struct str name)
{
    for (size_t i = 0; i < f->options.n_models; i++)
        if (str_is(name, f->options.models[i].name) && model_is_shown(&f->processes[i], key))
            return &f->processes[i];
    return NULL;
}

/* Without a name: the first of those that -m names, or the only one. */
static struct process *default_model(struct front *f, const struct key *key, struct api_error *e)
{
    struct process *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < f->options.n_models; i++) {
        struct process *p = &f->processes[i];
        if (!model_is_shown(p, key))
            continue;
        if (!p->on_demand)
            return p;
        found = p;
        n++;
    }
    if (n > 1)
        api_fail(e, 400, "model", "model is not given; GET /v1/models lists them");
    else if (n == 0)
        api_fail(e, 404, "model", f->options.n_models ? "this key may use none of the models here"
                                                      : "there is no model in the models folder");
    return n == 1 ? found : NULL;
}

static void no_model(struct front *f, const struct key *key, struct str name, struct api_error *e)
{
    char names[300] = "";
    size_t n = 0;
    for (size_t i = 0; i < f->options.n_models && n < sizeof names; i++) {
        if (model_is_shown(&f->processes[i], key))
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "",
                                  f->options.models[i].name);
    }
    if (n > 0)
        api_fail(e, 404, "model", "no model \"%.100s\" here; there is %s", name.ptr, names);
    else
        api_fail(e, 404, "model", "this key may use none of the models here");
    e->code = "model_not_found";
}

struct process *route_find_model(struct front *f, const struct key *key, struct str name,
                                 struct api_error *e)
{
    if (name.len == 0)
        return default_model(f, key, e);
    struct process *p = find_model(f, key, name);
    if (!p) {
        models_scan(f); /* it may be new */
        p = find_model(f, key, name);
    }
    if (!p)
        no_model(f, key, name, e);
    return p;
}

static void get_model(struct front *f, struct http_exchange *x)
{
    struct buf body;
    struct writer w;
    struct api_error e;
    struct process *p = route_find_model(f, visit_of(x)->key, str_from(visit_of(x)->id), &e);
    if (!p) {
        front_fail(x, &e);
        return;
    }
    buf_init(&body, BODY_BYTES_MAX);
    write_begin(&w, &body);
    write_model(&w, p);
    reply_json(x, 200, &body);
}

/* ---- to a worker -------------------------------------------------------------------------- */

/* What comes on demand is loaded for the request, which then waits. */
static bool wake(struct process *p, struct api_error *e)
{
    if (p->n_tickets >= WAITING_MAX)
        return api_fail(e, 429, NULL, "model %s is loading and %d requests wait for it",
                        p->model->name, WAITING_MAX);
    return p->state == PROCESS_LOADING || models_wake(p, e);
}

struct process *route_model(struct front *f, const struct key *key, struct str name,
                            struct api_error *e)
{
    struct process *p = route_find_model(f, key, name, e);
    bool ok = p != NULL;
    if (ok && f->draining)
        return api_fail(e, 503, NULL, "the server is shutting down") ? p : NULL;
    if (ok && p->state == PROCESS_DOWN)
        ok = api_fail(e, 503, NULL, "model %s is down%s%s", p->model->name,
                      p->why[0] ? ": " : "", p->why);
    else if (ok && p->on_demand && p->state != PROCESS_READY)
        ok = wake(p, e);
    else if (ok && p->state == PROCESS_LOADING)
        ok = api_fail(e, 503, NULL, "model %s is loading; try again soon", p->model->name);
    else if (ok && p->state != PROCESS_READY)
        ok = api_fail(e, 503, NULL, "model %s was unloaded; POST /v1/models/%s/load loads it",
                      p->model->name, p->model->name);
    return ok ? p : NULL;
}

/* The model that a body names. */
static struct process *model_of(struct front *f, const struct visit *v, struct str body,
                                struct api_error *e)
{
    bool is_ollama = ollama_is_path(str_from(v->endpoint->path));
    json_t *root = api_parse(body, e);
    if (!root)
        return NULL;
    const json_t *model = json_object_get(root, "model");
    if (is_ollama && !model)
        model = json_object_get(root, "name"); /* older clients' */
    bool ok = !model || json_is_null(model) || json_is_string(model) ||
              api_fail(e, 400, "model", "model must be a text");
    struct str name = {json_string_value(model), json_string_length(model)};
    if (is_ollama)
        name = ollama_bare_name(name);
    struct process *p = ok ? route_model(f, v->key, name, e) : NULL;
    json_decref(root);
    return p;
}

static void pass_on(struct front *f, struct http_exchange *x)
{
    struct api_error e = {0};
    struct str body = http_body(x);
    struct process *p = model_of(f, visit_of(x), body, &e);
    if (p)
        relay_open(f, p, x, body);
    else
        front_fail(x, &e);
}

/* What a worker tells of its model: ?model=NAME, or the first one. */
static void get_props(struct front *f, struct http_exchange *x)
{
    struct api_error e = {0};
    struct str query = http_query(x), model = STR("model=");
    struct str name = str_starts(query, model) ? str_sub(query, model.len, query.len) : STR("");
    struct process *p = route_model(f, visit_of(x)->key, name, &e);
    if (p)
        relay_open(f, p, x, STR(""));
    else
        front_fail(x, &e);
}

static void get_version(struct front *f, struct http_exchange *x)
{
    struct buf body;
    (void)f;
    buf_init(&body, BODY_BYTES_MAX);
    buf_str(&body, "{\"version\":\"" ISOBIT_VERSION "\"}");
    reply_json(x, 200, &body);
}

/* ---- the table ---------------------------------------------------------------------------- */

static const struct endpoint endpoints[] = {
    {"GET", "/", get_page, FOR_ALL},
    {"GET", "/page/{id}", get_page, FOR_ALL},
    {"GET", "/health", get_health, FOR_ALL},
    {"GET", "/v1/health", get_health, FOR_ALL},
    {"GET", "/ready", get_ready, FOR_ALL},
    {"GET", "/metrics", get_metrics},
    {"GET", "/openapi.json", get_openapi},
    {"GET", "/v1/requests", get_requests},
    {"DELETE", "/v1/requests/{id}", delete_request},
    {"GET", "/v1/models", get_models},
    {"GET", "/v1/models/stats", get_model_stats},
    {"GET", "/v1/models/{id}", get_model},
    {"POST", "/v1/models/{id}/load", post_model_load, FOR_ADMIN},
    {"POST", "/v1/models/{id}/preload", post_model_load, FOR_ADMIN},
    {"POST", "/v1/models/{id}/unload", post_model_unload, FOR_ADMIN},
    {"GET", "/version", get_version},
    {"GET", "/v1/version", get_version},
    {"GET", "/props", get_props},
    {"POST", "/tokenize", pass_on},
    {"POST", "/detokenize", pass_on},
    {"POST", "/apply-template", pass_on},
    {"POST", "/completion", pass_on},
    {"POST", "/completions", pass_on},
    {"POST", "/v1/responses", post_responses},
    {"POST", "/v1/responses/input_tokens", post_input_tokens},
    {"GET", "/v1/responses/{id}/input_items", get_input_items},
    {"GET", "/v1/responses/{id}", get_response},
    {"DELETE", "/v1/responses/{id}", delete_response},
    {"POST", "/v1/messages", pass_on},
    {"POST", "/v1/messages/count_tokens", pass_on},
    {"GET", "/api/version", get_version},
    {"GET", "/api/tags", get_ollama_tags},
    {"GET", "/api/ps", get_ollama_ps},
    {"POST", "/batch", pass_on},
    {"POST", "/api/show", pass_on},
    {"POST", "/api/pull", post_pull, FOR_ADMIN},
    {"POST", "/api/generate", pass_on},
    {"POST", "/api/chat", pass_on},
    {"POST", "/api/embed", pass_on},
    {"POST", "/api/embeddings", pass_on},
    {"GET", "/v1/receipts/log", get_receipt_log, FOR_ALL},
    {"GET", "/v1/receipts/log/names", get_receipt_names, FOR_ALL},
    {"GET", "/v1/receipts/log/inclusion", get_receipt_inclusion, FOR_ALL},
    {"GET", "/v1/receipts/log/consistency", get_receipt_consistency, FOR_ALL},
    {"GET", "/v1/receipts/{id}", get_receipt},
    {"POST", VERIFY_PATH, post_verify},
    {"POST", "/v1/files", post_file},
    {"GET", "/v1/files", get_files},
    {"GET", "/v1/files/{id}/content", get_file_content},
    {"GET", "/v1/files/{id}", get_file},
    {"DELETE", "/v1/files/{id}", delete_file},
    {"POST", "/v1/batches", post_batch},
    {"GET", "/v1/batches", get_batches},
    {"GET", "/v1/batches/{id}", get_batch},
    {"POST", "/v1/batches/{id}/cancel", cancel_batch},
    {"POST", "/v1/chat/completions", pass_on},
    {"POST", "/v1/completions", pass_on},
    {"POST", "/v1/embeddings", pass_on},
    {"POST", "/rerank", pass_on},
    {"POST", "/v1/rerank", pass_on},
    {"POST", "/v2/rerank", pass_on},
    {"POST", "/score", pass_on},
    {"POST", "/v1/score", pass_on},
    {"POST", "/api/v1/pow/init/generate", post_pow_init},
    {"POST", "/api/v1/pow/generate", post_pow_generate},
    {"GET", "/api/v1/pow/generate/{id}", get_pow_result},
    {"GET", "/api/v1/pow/status", get_pow_status},
    {"POST", "/api/v1/pow/stop", post_pow_stop},
    {"POST", "/api/v1/inference/pow/init/generate", post_pow_init},
    {"POST", "/api/v1/inference/pow/generate", post_pow_generate},
    {"GET", "/api/v1/inference/pow/generate/{id}", get_pow_result},
    {"GET", "/api/v1/inference/pow/status", get_pow_status},
    {"POST", "/api/v1/inference/pow/stop", post_pow_stop},
};

const struct endpoint *route_endpoints(size_t *n)
{
    *n = COUNT_OF(endpoints);
    return endpoints;
}

/* Whether pattern means path; what its "{id}" stands for. */
static bool matches(const char *pattern, struct str path, struct visit *v)
{
    struct str all = str_from(pattern);
    const char *brace = strchr(pattern, '{');
    if (!brace)
        return str_eq(path, all);
    struct str before = {pattern, (size_t)(brace - pattern)};
    struct str after = str_sub(all, before.len + strlen("{id}"), all.len);
    return path.len > before.len + after.len && str_starts(path, before) &&
           str_ends(path, after) &&
           percent_decode(str_sub(path, before.len, path.len - after.len), v->id, sizeof v->id);
}

static const struct endpoint *find_endpoint(const char *method, struct str path, struct visit *v)
{
    for (size_t i = 0; i < COUNT_OF(endpoints); i++)
        if (strcmp(endpoints[i].method, method) == 0 && matches(endpoints[i].path, path, v))
            return &endpoints[i];
    return NULL;
}

static void no_such_thing(struct http_exchange *x)
{
    struct str path = http_path(x);
    struct api_error e;
    char methods[64] = "";
    size_t n = 0;
    api_fail(&e, 404, NULL, "no such endpoint: %.*s", STR_ARG(path));
    for (size_t i = 0; i < COUNT_OF(endpoints); i++)
        if (matches(endpoints[i].path, path, visit_of(x)))
            n += (size_t)snprintf(methods + n, sizeof methods - n, "%s%s", n ? ", " : "",
                                  endpoints[i].method);
    if (n > 0) {
        api_fail(&e, 405, NULL, "%.*s takes %s", STR_ARG(path), methods);
        http_reply_header(x, "Allow", methods);
    }
    front_fail(x, &e);
}

void route(void *context, struct http_exchange *x)
{
    struct front *f = context;
    struct api_error e;
    struct visit *v = visit_open(x);
    rest_stir(&f->rest);
    const char *method = strcmp(http_method(x), "HEAD") == 0 ? "GET" : http_method(x);
    if (!v) {
        api_fail(&e, 503, NULL, "out of memory for a request; try again");
        front_fail(x, &e);
        return;
    }
    log_body(f, v->request_id, http_body(x));
    v->endpoint = find_endpoint(method, http_path(x), v);
    if (!guard_admits(f, x, &e)) {
        front_fail(x, &e);
        return;
    }
    if (cors_answers(f, x))
        return;
    if (!gate_admits(f, x, v, &e))
        front_fail(x, &e);
    else if (!v->endpoint)
        no_such_thing(x);
    else if (!repeat_answers(f, x, v))
        v->endpoint->handle(f, x);
}
