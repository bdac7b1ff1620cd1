/* sockets.c - calls over WebSockets (Realm's protocol): who calls, what is under way.
 *
 * A CLIENT is a connection, a RUN one generate of it that a worker answers. A client's runs end
 * with it: the workers are told in the same turn of the loop. */
#include "server/sockets.h"

#include <strings.h>
#include <time.h>

#include "api/socket_call.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/websocket_server.h"
#include "server/front_int.h"
#include "server/gate.h"

enum {
    MESSAGE_BYTES_MAX = 1 << 30, /* written here */
    CALL_BYTES_MAX = 16 << 20,
    AUTH_BYTES_MAX = 4096,
    AUTH_S_MAX = 10,
    RUNS_MAX = 64,
    CANCELLED = 499, /* as requests.c has it */
};

struct run {
    struct client *client;
    struct run *next, **link;
    struct ticket *ticket;
    char *id;
    struct buf text;    /* streamed so far, as JSON escapes it */
    struct buf unknown; /* names of fields that had no meaning */
    int status;         /* its last message is said: as HTTP would have it */
};

struct client {
    struct sockets *sockets;
    struct client *next, **link;
    struct websocket *ws;
    bool admitted; /* else its key is awaited */
    struct key *key; /* NULL: somebody on this machine, there are no keys */
    uint64_t opened_ns;
    struct run *runs;
    uint32_t n_runs;
};

struct sockets {
    struct front *front;
    struct websocket_server *server;
    struct client *clients;
};

/* ---- messages out ------------------------------------------------------------------------- */

static struct str str_of(const struct buf *b)
{
    return (struct str){b->n_bytes ? b->bytes : "", b->n_bytes};
}

static void send_and_release(struct client *c, struct buf *message)
{
    CHECK(!message->failed);
    websocket_send(c->ws, str_of(message));
    buf_release(message);
}

static void say(struct client *c, struct str id, const char *status, struct str data,
                const struct buf *unknown)
{
    struct buf message;
    buf_init(&message, MESSAGE_BYTES_MAX);
    socket_say(&message, id, status, data, unknown ? str_of(unknown) : STR(""));
    send_and_release(c, &message);
}

static void say_error(struct client *c, struct str id, const struct api_error *e)
{
    struct buf message, error;
    buf_init(&message, MESSAGE_BYTES_MAX);
    buf_init(&error, MESSAGE_BYTES_MAX);
    socket_error(&error, e);
    socket_say_error(&message, id, str_of(&error));
    buf_release(&error);
    send_and_release(c, &message);
}

/* ---- runs --------------------------------------------------------------------------------- */

static void free_run(struct run *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->client->n_runs--;
    buf_release(&r->text);
    buf_release(&r->unknown);
    mem_free(r->id);
    mem_free(r);
}

/* Counts it, with a status as HTTP would have; 0: its client left first. Its ticket still tells. */
static void end_run(struct run *r, int status)
{
    struct front *f = r->client->sockets->front;
    const struct ticket *t = r->ticket;
    uint64_t ns = clock_ns() - t->begun_ns;
    struct visit v = {.method = "CALL",
                      .path = "generate",
                      .key = t->key,
                      .model = t->process->model->name,
                      .usage = t->usage};
    memcpy(v.request_id, t->request_id, sizeof v.request_id);
    metrics_count(&f->metrics, METRICS_CALLS, true, status, ns);
    if (f->options.log_requests)
        log_visit(f, &v, status, ns);
    free_run(r);
}

static void cancel_run(struct run *r, int status)
{
    ticket_cancel(r->ticket);
    end_run(r, status);
}

static void add_unknown(struct run *r, struct str names)
{
    if (r->unknown.n_bytes && names.len)
        buf_str(&r->unknown, ", ");
    buf_add(&r->unknown, names.ptr, names.len);
}

static void on_reply(void *to, const struct reply_line *line, struct str unknown, struct str body)
{
    struct run *r = to;
    struct buf message;
    add_unknown(r, unknown);
    buf_init(&message, MESSAGE_BYTES_MAX);
    if (line->status == 200)
        socket_say(&message, str_from(r->id), "complete", body, str_of(&r->unknown));
    else
        socket_say_error(&message, str_from(r->id), body);
    send_and_release(r->client, &message);
    end_run(r, (int)line->status);
}

static void on_begin(void *to, const struct reply_line *line, struct str unknown)
{
    (void)line;
    add_unknown(to, unknown);
}

static void take_line(struct run *r, struct str bytes)
{
    struct socket_line line = socket_line_read(bytes);
    struct buf message, result;
    buf_init(&message, MESSAGE_BYTES_MAX);
    buf_init(&result, MESSAGE_BYTES_MAX);
    switch (line.kind) {
    case SOCKET_LINE_PIECE:
        buf_add(&r->text, line.text.ptr, line.text.len);
        socket_say(&message, str_from(r->id), "streaming", line.data, STR(""));
        break;
    case SOCKET_LINE_RESULT:
        r->status = 200;
        socket_result(&result, str_of(&r->text), line.data);
        socket_say(&message, str_from(r->id), "complete", str_of(&result), str_of(&r->unknown));
        break;
    case SOCKET_LINE_ERROR:
        r->status = 500;
        socket_say_error(&message, str_from(r->id), line.data);
        break;
    }
    send_and_release(r->client, &message);
    buf_release(&result);
}

static void on_data(void *to, struct str bytes)
{
    while (bytes.len > 0) {
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        CHECK(end); /* whole lines */
        size_t n = (size_t)(end - bytes.ptr);
        take_line(to, str_sub(bytes, 0, n));
        bytes = str_sub(bytes, n + 1, bytes.len);
    }
}

static void on_end(void *to)
{
    struct run *r = to;
    CHECK(r->status);
    end_run(r, r->status);
}

static void on_fail(void *to, const struct api_error *e)
{
    struct run *r = to;
    if (e->status == CANCELLED && !r->status)
        say(r->client, str_from(r->id), "cancelled", STR(""), NULL);
    else if (!r->status)
        say_error(r->client, str_from(r->id), e);
    end_run(r, r->status ? r->status : e->status);
}

static const struct sink run_sink = {
    .reply = on_reply, .begin = on_begin, .data = on_data, .end = on_end, .fail = on_fail};

static struct run *find_run(const struct client *c, struct str id)
{
    for (struct run *r = c->runs; r; r = r->next)
        if (str_is(id, r->id))
            return r;
    return NULL;
}

/* ---- functions ---------------------------------------------------------------------------- */

static struct process *choose_model(struct client *c, const json_t *params, struct api_error *e)
{
    const json_t *model = json_object_get(params, "model");
    if (model && !json_is_null(model) && !json_is_string(model)) {
        api_fail(e, 400, "model", "model must be a text");
        return NULL;
    }
    struct str name = {json_string_value(model), json_string_length(model)};
    return route_model(c->sockets->front, c->key, name, e);
}

static bool start_run(struct client *c, const struct socket_call *call, struct process *p,
                      struct str body, struct api_error *e)
{
    struct run *r = mem_zalloc(sizeof *r);
    char *id = mem_strndup(call->id.ptr, call->id.len);
    if (r && id)
        r->ticket = ticket_open(c->sockets->front, c->key, p, STR(SOCKET_GENERATE_PATH), body,
                                &run_sink, r);
    if (!r || !r->ticket) {
        mem_free(r);
        mem_free(id);
        return api_fail(e, 503, NULL, "out of memory for a call; try again");
    }
    r->client = c;
    r->id = id;
    buf_init(&r->text, MESSAGE_BYTES_MAX);
    buf_init(&r->unknown, MESSAGE_BYTES_MAX);
    buf_add(&r->unknown, call->unknown.bytes, call->unknown.n_bytes);
    r->next = c->runs;
    r->link = &c->runs;
    if (r->next)
        r->next->link = &r->next;
    c->runs = r;
    c->n_runs++;
    log_body(c->sockets->front, r->ticket->request_id, body);
    return true;
}

static bool call_generate(struct client *c, const struct socket_call *call, struct api_error *e)
{
    if (c->n_runs == RUNS_MAX)
        return api_fail(e, 429, NULL, "%d calls are under way on this connection, the most",
                        RUNS_MAX);
    struct process *p = choose_model(c, call->params, e);
    if (!p || !gate_take(c->key, clock_ns(), e))
        return false;
    struct buf body;
    buf_init(&body, MESSAGE_BYTES_MAX);
    bool ok = !call->params || api_dump(call->params, &body) ||
              api_fail(e, 500, NULL, "out of memory for a call");
    ok = ok && start_run(c, call, p, call->params ? str_of(&body) : STR("{}"), e);
    buf_release(&body);
    return ok;
}

static bool call_health(struct client *c, const struct socket_call *call, struct api_error *e)
{
    (void)e;
    struct buf data;
    buf_init(&data, MESSAGE_BYTES_MAX);
    health_write(c->sockets->front, &data);
    say(c, call->id, "complete", str_of(&data), &call->unknown);
    buf_release(&data);
    return true;
}

static bool call_metadata(struct client *c, const struct socket_call *call, struct api_error *e);

static bool call_pipeline(struct client *c, const struct socket_call *call, struct api_error *e)
{
    (void)c, (void)call;
    return api_fail(e, 400, "function", "there are no pipelines here; make several calls");
}

static bool call_cancel(struct client *c, const struct socket_call *call, struct api_error *e)
{
    struct str id;
    if (!socket_call_target(call, &id, e))
        return false;
    struct run *r = find_run(c, id);
    if (!r)
        return api_fail(e, 400, "params.id", "no call \"%.*s\" is under way", STR_ARG(id));
    say(c, id, "cancelled", STR(""), NULL);
    cancel_run(r, CANCELLED);
    say(c, call->id, "complete", STR("{\"cancelled\":true}"), &call->unknown);
    return true;
}

static const struct function {
    const char *name;
    bool (*call)(struct client *c, const struct socket_call *call, struct api_error *e);
} functions[] = {
    {"generate", call_generate}, {"health", call_health},     {"metadata", call_metadata},
    {"cancel", call_cancel},     {"pipeline", call_pipeline},
};

static bool call_metadata(struct client *c, const struct socket_call *call, struct api_error *e)
{
    (void)e;
    struct buf data;
    struct writer w;
    buf_init(&data, MESSAGE_BYTES_MAX);
    write_begin(&w, &data);
    write_open(&w, '{');
    write_key_text(&w, "name", STR("isobit"));
    write_key_text(&w, "version", STR(ISOBIT_VERSION));
    write_key(&w, "functions");
    write_open(&w, '[');
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        if (functions[i].call != call_pipeline)
            write_text(&w, str_from(functions[i].name));
    write_close(&w, ']');
    write_key(&w, "models");
    models_write(c->sockets->front, c->key, &w);
    write_close(&w, '}');
    say(c, call->id, "complete", str_of(&data), &call->unknown);
    buf_release(&data);
    return true;
}

static struct str tenant_of(const struct client *c)
{
    return c->key && c->key->id[0] ? str_from(c->key->id) : STR("default");
}

static bool dispatch(struct client *c, const struct socket_call *call, struct api_error *e)
{
    const struct key *k = c->key;
    if (k && (k->revoked || (k->expires_s && k->expires_s <= (int64_t)time(NULL))))
        return api_fail(e, 401, NULL, "the key %s is no longer valid", k->id);
    if (call->tenant_id.ptr && !str_eq(call->tenant_id, tenant_of(c)))
        return api_fail(e, 403, "tenant_id", "this connection is not of tenant \"%.*s\"",
                        STR_ARG(call->tenant_id));
    if (find_run(c, call->id))
        return api_fail(e, 400, "id", "a call of this id is under way");
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        if (str_is(call->function, functions[i].name))
            return functions[i].call(c, call, e);
    return api_fail(e, 400, "function", "no function \"%.*s\" here", STR_ARG(call->function));
}

/* ---- connections -------------------------------------------------------------------------- */

/* A key in the opening request, as HTTP has it; empty: none. */
static struct str bearer_of(const struct websocket_request *r)
{
    struct str value = websocket_header(r, "Authorization"), bearer = STR("Bearer ");
    bool has = value.len > bearer.len && strncasecmp(value.ptr, bearer.ptr, bearer.len) == 0;
    return has ? str_sub(value, bearer.len, value.len) : STR("");
}

static int admit(void *context, const struct websocket_request *r, char why[256])
{
    struct sockets *s = context;
    struct api_error e = {0};
    struct str secret = bearer_of(r);
    if (guard_admits_page(s->front, websocket_header(r, "Host"), websocket_header(r, "Origin"),
                          &e) &&
        (!s->front->options.keys || secret.len == 0 || gate_key(s->front, secret, &e)))
        return 0;
    snprintf(why, 256, "%.255s", e.message);
    return e.status;
}

static void say_auth(struct client *c, const char *type, const char *key, struct str text)
{
    struct buf message;
    buf_init(&message, MESSAGE_BYTES_MAX);
    socket_say_auth(&message, type, key, text);
    send_and_release(c, &message);
}

static void let_in(struct client *c, struct key *key)
{
    struct buf message;
    c->admitted = true;
    c->key = key;
    websocket_set_message_max(c->ws, CALL_BYTES_MAX);
    buf_init(&message, MESSAGE_BYTES_MAX);
    socket_say_hello(&message, ISOBIT_VERSION, tenant_of(c));
    send_and_release(c, &message);
}

static void turn_away(struct client *c, const char *why)
{
    say_auth(c, "auth_failed", "error", str_from(why));
    websocket_close(c->ws, WEBSOCKET_POLICY, STR("not authenticated"));
}

static void opened(void *context, struct websocket *ws, const struct websocket_request *r)
{
    struct sockets *s = context;
    struct client *c = mem_zalloc(sizeof *c);
    struct api_error e;
    if (!c) {
        websocket_close(ws, WEBSOCKET_SERVER_ERROR, STR("out of memory"));
        return;
    }
    *c = (struct client){.sockets = s, .ws = ws, .opened_ns = clock_ns()};
    c->next = s->clients;
    c->link = &s->clients;
    if (c->next)
        c->next->link = &c->next;
    s->clients = c;
    websocket_set_owner(ws, c);
    struct str secret = bearer_of(r);
    bool keys = s->front->options.keys != NULL;
    struct key *key = keys && secret.len ? gate_key(s->front, secret, &e) : NULL;
    if (!keys)
        let_in(c, gate_anybody(s->front));
    else if (key)
        let_in(c, key);
    else
        say_auth(c, "auth_required", "message",
                 STR("send {\"type\":\"auth\",\"api_key\":\"sk-isobit-...\"} within 10 s"));
}

/* The first message of a client that needs a key. */
static void take_auth(struct client *c, bool ok, const struct socket_call *call,
                      struct api_error *e)
{
    if (ok && !call->is_auth)
        ok = api_fail(e, 401, NULL, "the first message must be of type auth");
    struct key *key = ok ? gate_key(c->sockets->front, call->api_key, e) : NULL;
    if (!key) {
        turn_away(c, e->message);
        return;
    }
    say_auth(c, "auth_success", "tenant_id", str_from(key->id));
    let_in(c, key);
}

static void on_message(void *context, struct websocket *ws, bool is_text, struct str bytes)
{
    (void)context;
    struct client *c = websocket_owner(ws);
    struct socket_call call;
    struct api_error e = {0};
    if (!is_text) {
        websocket_send(ws, STR("{\"error\":\"Binary messages not supported\"}"));
        return;
    }
    bool ok = socket_call_parse(bytes, &call, &e);
    if (!c->admitted) {
        take_auth(c, ok, &call, &e);
    } else {
        if (ok && call.is_auth)
            ok = api_fail(&e, 400, "type", "no key is wanted now");
        if (!ok || !dispatch(c, &call, &e))
            say_error(c, call.id, &e);
    }
    socket_call_release(&call);
}

static void closed(void *context, struct websocket *ws)
{
    (void)context;
    struct client *c = websocket_owner(ws);
    if (!c)
        return;
    while (c->runs)
        cancel_run(c->runs, 0);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    mem_free(c);
}

static const struct websocket_handler handler = {
    .admit = admit, .opened = opened, .message = on_message, .closed = closed};

/* ---- for the front ------------------------------------------------------------------------ */

enum err sockets_open(struct front *f, struct sockets **out, struct err_note *note)
{
    const struct front_options *o = &f->options;
    struct sockets *s = mem_zalloc(sizeof *s);
    if (!s)
        return err_set(note, ERR_MEMORY, "out of memory for the server");
    s->front = f;
    const struct websocket_server_options options = {.host = o->host,
                                                     .port = o->socket_port,
                                                     .tls_cert = o->tls_cert,
                                                     .tls_key = o->tls_key,
                                                     .n_message_bytes_max = AUTH_BYTES_MAX,
                                                     .handler = &handler,
                                                     .context = s};
    enum err rc = websocket_server_open(f->loop, &options, &s->server, note);
    if (rc) {
        mem_free(s);
        return rc;
    }
    front_say(f, "calls over ws%s://%s:%u", o->tls_cert ? "s" : "", o->host,
              websocket_server_port(s->server));
    *out = s;
    return ERR_OK;
}

void sockets_close(struct sockets *s)
{
    if (!s)
        return;
    websocket_server_close(s->server);
    mem_free(s);
}

uint32_t sockets_connections(const struct sockets *s)
{
    return s ? websocket_server_connections(s->server) : 0;
}

void sockets_tick(struct sockets *s)
{
    uint64_t now_ns = clock_ns();
    if (!s)
        return;
    if (s->front->draining)
        websocket_server_drain(s->server);
    for (struct client *c = s->clients; c; c = c->next)
        if (s->front->draining && c->n_runs == 0)
            websocket_close(c->ws, WEBSOCKET_GOING_AWAY, STR("the server is shutting down"));
        else if (!c->admitted && (now_ns - c->opened_ns) / 1000000000 >= AUTH_S_MAX)
            turn_away(c, "no key came in time");
}

enum err sockets_reload(struct sockets *s, struct err_note *note)
{
    return s ? websocket_server_reload(s->server, note) : ERR_OK;
}
